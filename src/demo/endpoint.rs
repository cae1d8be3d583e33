//! The closed list of what the service offers, with the time each endpoint usually takes.

use std::{str::FromStr, time::Duration};

use super::SettingError;

/// One method and route of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Whether the service is up.
    Health,
    /// A token for a user.
    Token,
    /// A new build.
    CreateBuild,
    /// The caller's builds, by page.
    ListBuilds,
    /// One build.
    Build,
    /// The code of one build.
    Code,
    /// Counts of the caller's builds.
    Stats,
    /// The socket that reports the progress of a build; its latency is that of the handshake.
    Follow,
    /// The socket that returns what it is sent; its latency is that of the handshake.
    Echo,
}

/// Whether an endpoint takes part in scripted failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A request of the API proper.
    Api,
    /// The health check and the sockets, which never fail by script.
    Plumbing,
}

impl Endpoint {
    /// Every endpoint, in the order of declaration: `ALL[e as usize] == e`.
    pub const ALL: [Self; 9] = [
        Self::Health,
        Self::Token,
        Self::CreateBuild,
        Self::ListBuilds,
        Self::Build,
        Self::Code,
        Self::Stats,
        Self::Follow,
        Self::Echo,
    ];

    /// Method and route; sockets have the method `WS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "GET /health",
            Self::Token => "POST /api/v1/auth/test-token",
            Self::CreateBuild => "POST /api/v1/builds",
            Self::ListBuilds => "GET /api/v1/builds",
            Self::Build => "GET /api/v1/builds/{id}",
            Self::Code => "GET /api/v1/builds/{id}/code",
            Self::Stats => "GET /api/v1/users/me/stats",
            Self::Follow => "WS /ws/builds/{id}",
            Self::Echo => "WS /ws/echo",
        }
    }

    /// The route alone, as the router writes it.
    pub(super) fn route(self) -> &'static str {
        self.name().split_once(' ').map_or("", |(_, route)| route)
    }

    /// The median time to an answer.
    pub(super) fn median(self) -> Duration {
        Duration::from_millis(match self {
            Self::Health => 1,
            Self::Follow | Self::Echo => 5,
            Self::Build => 8,
            Self::Token => 10,
            Self::Stats => 12,
            Self::ListBuilds => 15,
            Self::Code => 20,
            Self::CreateBuild => 40,
        })
    }

    pub(super) fn role(self) -> Role {
        match self {
            Self::Health | Self::Follow | Self::Echo => Role::Plumbing,
            _ => Role::Api,
        }
    }
}

impl FromStr for Endpoint {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let name = words.join(" ");
        Self::ALL
            .into_iter()
            .find(|endpoint| endpoint.name() == name)
            .ok_or_else(|| SettingError::Endpoint(text.trim().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_found_by_its_name_and_at_its_place() {
        for (place, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, place);
            assert_eq!(endpoint.name().parse(), Ok(endpoint));
            assert!(endpoint.route().starts_with('/'));
        }
    }

    #[test]
    fn an_unknown_endpoint_is_refused_with_the_list_of_the_known() {
        let error = "GET /nowhere".parse::<Endpoint>().unwrap_err();
        assert_eq!(error.to_string(), "unknown endpoint `GET /nowhere`");
        for endpoint in Endpoint::ALL {
            assert!(error.hint().contains(endpoint.name()));
        }
    }
}
