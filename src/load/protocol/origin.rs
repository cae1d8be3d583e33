//! Where a request goes: scheme, host and port, and what is put before its path.

use std::rc::Rc;

use url::Url;

use crate::load::measure::outcome::{Failure, FailureKind};

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// `http`, `ws`.
    Plain,
    /// `https`, `wss`.
    Tls,
}

/// Scheme, host and port. Connections are kept by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Encrypted or not.
    pub security: Security,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Origin {
    /// The origin of a URL; an error names what is wrong with it.
    pub fn of(url: &Url) -> Result<Self, String> {
        let security = match url.scheme() {
            "http" | "ws" => Security::Plain,
            "https" | "wss" => Security::Tls,
            other => return Err(format!("`{other}` is none of http, https, ws, wss")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("a URL needs a host")?;
        let port = url.port_or_known_default().ok_or("a URL needs a port")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { security, host, port })
    }

    /// `host:port` for the `host` header, the port left out where it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.security, self.port) {
            (Security::Plain, 80) | (Security::Tls, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// The target of a run, as requests need it.
#[derive(Debug, Clone)]
pub struct Base {
    /// Where paths go.
    pub origin: Rc<Origin>,
    prefix: String,
}

impl Base {
    /// The base of a target's URL; its path, if it has one, is put before every path.
    pub fn new(url: &Url) -> Result<Self, String> {
        Ok(Self { origin: Rc::new(Origin::of(url)?), prefix: url.path().trim_end_matches('/').to_owned() })
    }

    /// Where a rendered URL points: a path on the target, or anywhere.
    pub fn resolve(&self, url: &str) -> Result<(Rc<Origin>, String), Failure> {
        if url.starts_with('/') {
            return Ok((self.origin.clone(), format!("{}{url}", self.prefix)));
        }
        let fail =
            |message: String| Failure::new(FailureKind::Protocol, format!("`{url}` is no URL: {message}"));
        let parsed = Url::parse(url).map_err(|error| fail(error.to_string()))?;
        let origin = Origin::of(&parsed).map_err(fail)?;
        let path = parsed[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        Ok((Rc::new(origin), if path.is_empty() { "/".into() } else { path }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::new(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn a_path_goes_to_the_target_and_a_url_anywhere() {
        let target = base("https://api.example.com/v2/");
        let (origin, path) = target.resolve("/builds?page=1").unwrap();
        assert_eq!((origin.authority().as_str(), path.as_str()), ("api.example.com", "/v2/builds?page=1"));
        let (origin, path) = target.resolve("http://[::1]:8080").unwrap();
        assert_eq!((origin.authority().as_str(), path.as_str()), ("[::1]:8080", "/"));
        assert_eq!(origin.host, "::1");
    }

    #[test]
    fn what_is_no_url_is_a_failure_that_shows_it() {
        let failure = base("http://localhost").resolve("builds").unwrap_err();
        assert!(failure.message.starts_with("`builds` is no URL"), "{}", failure.message);
        assert!(base("http://localhost").resolve("ftp://x/").unwrap_err().message.contains("`ftp`"));
    }
}
