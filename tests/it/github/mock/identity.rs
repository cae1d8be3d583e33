//! Who asks, and what they may do. Answers nothing but the question who it is.

use serde_json::json;

use super::view;
use super::wire::{Answer, Asked};

/// Whose token it is, and what it is good for.
#[derive(Debug, Clone)]
pub struct Identity {
    pub login: String,
    pub kind: Kind,
    pub issues: Access,
    pub pulls: Access,
    pub contents: Access,
    pub actions: Access,
}

/// Whether it is a person: an app may not ask who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    App,
    User,
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    None,
    Read,
    Write,
}

/// What permissions are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Issues,
    Pulls,
    Contents,
    Actions,
}

/// The login behind `GITHUB_TOKEN`.
pub const ACTIONS_BOT: &str = "github-actions[bot]";

impl Identity {
    /// The token of a workflow with every permission that we ever ask for.
    pub fn workflow() -> Self {
        let write = Access::Write;
        let login = ACTIONS_BOT.to_owned();
        Self { login, kind: Kind::App, issues: write, pulls: write, contents: write, actions: Access::Read }
    }

    /// The token of a workflow that was given these permissions alone.
    pub fn permitted(permissions: &[(Area, Access)]) -> Self {
        let of = |area| {
            permissions.iter().find(|(known, _)| *known == area).map_or(Access::None, |(_, access)| *access)
        };
        let (issues, pulls) = (of(Area::Issues), of(Area::Pulls));
        let (contents, actions) = (of(Area::Contents), of(Area::Actions));
        Self { issues, pulls, contents, actions, ..Self::workflow() }
    }

    /// The token that a pull request of a fork gets.
    pub fn read_only() -> Self {
        let read = Access::Read;
        Self { issues: read, pulls: read, contents: read, actions: read, ..Self::workflow() }
    }

    /// A person's own token.
    pub fn user(login: &str) -> Self {
        Self { login: login.to_owned(), kind: Kind::User, ..Self::workflow() }
    }

    /// Nothing, or the refusal that names what would have been needed: any one of these.
    pub fn need(&self, areas: &[Area], access: Access) -> Result<(), Answer> {
        if areas.iter().any(|area| self.access(*area) >= access) {
            return Ok(());
        }
        let word = if access == Access::Write { "write" } else { "read" };
        let accepted: Vec<String> = areas.iter().map(|area| format!("{}={word}", area.name())).collect();
        let (message, header) = ("Resource not accessible by integration", "x-accepted-github-permissions");
        Err(Answer::error(403, message).header(header, accepted.join("; ")))
    }

    /// `GET /user`.
    pub fn whoami(&self) -> Answer {
        match self.kind {
            Kind::App => Answer::error(403, "Resource not accessible by integration"),
            Kind::User => {
                let example = ("GET", "/user");
                let changes = json!({"login": self.login, "type": "User"});
                Answer::ok(view::like(example, &changes))
            }
        }
    }

    /// The same question to the other API, which apps may ask too; it understands no other.
    pub fn viewer(&self, asked: &Asked) -> Answer {
        let query: String = asked.text("query").unwrap_or_default().split_whitespace().collect();
        match query.trim_start_matches("query") {
            "{viewer{login}}" => Answer::ok(json!({"data": {"viewer": {"login": self.login}}})),
            _ => Answer::ok(json!({"errors": [{"message": "Parse error"}]})),
        }
    }

    fn access(&self, area: Area) -> Access {
        match area {
            Area::Issues => self.issues,
            Area::Pulls => self.pulls,
            Area::Contents => self.contents,
            Area::Actions => self.actions,
        }
    }
}

impl Area {
    fn name(self) -> &'static str {
        match self {
            Self::Issues => "issues",
            Self::Pulls => "pull_requests",
            Self::Contents => "contents",
            Self::Actions => "actions",
        }
    }
}

/// The token of a request; GitHub takes both words before it.
pub fn token(asked: &Asked) -> Option<&str> {
    let header = asked.header("authorization")?;
    header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("token "))
}
