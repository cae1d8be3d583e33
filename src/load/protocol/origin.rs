//! Where a request goes: scheme, host and port or a socket, and what is put before its path.

use std::borrow::Cow;
use std::path::PathBuf;
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

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A name or an address (without brackets), and a port.
    Network {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

/// Scheme and place. Connections are kept by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Encrypted or not.
    pub security: Security,
    /// What is connected to.
    pub place: Place,
    authority: String,
}

impl Origin {
    /// The origin of a URL; an error names what is wrong with it. A socket is no URL here: only the
    /// configuration names one, never a server.
    pub fn of(url: &Url) -> Result<Self, String> {
        let security = match url.scheme() {
            "http" | "ws" => Security::Plain,
            "https" | "wss" => Security::Tls,
            other => return Err(format!("`{other}` is none of http, https, ws, wss")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("a URL needs a host")?;
        let port = url.port_or_known_default().ok_or("a URL needs a port")?;
        let authority = match (security, port) {
            (Security::Plain, 80) | (Security::Tls, 443) => host.to_owned(),
            (_, port) => format!("{host}:{port}"),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { security, place: Place::Network { host, port }, authority })
    }

    fn socket(url: &Url) -> Self {
        Self {
            security: Security::Plain,
            place: Place::Socket(socket_path(url)),
            authority: "localhost".into(),
        }
    }

    /// `host:port` for the `host` header, the port left out where it is the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match self.security {
            Security::Plain => "http",
            Security::Tls => "https",
        }
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}://{}{path}", self.scheme(), self.authority))
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
        let prefix = if url.scheme() == "unix" { "" } else { url.path().trim_end_matches('/') };
        let origin = if url.scheme() == "unix" { Origin::socket(url) } else { Origin::of(url)? };
        Ok(Self { origin: Rc::new(origin), prefix: prefix.to_owned() })
    }

    /// Where a rendered URL points: a path on the target, or anywhere.
    pub fn resolve<'u>(&self, url: Cow<'u, str>) -> Result<(Rc<Origin>, Cow<'u, str>), Failure> {
        if url.starts_with('/') {
            let path = if self.prefix.is_empty() { url } else { format!("{}{url}", self.prefix).into() };
            return Ok((self.origin.clone(), path));
        }
        let fail = |message: String| {
            Failure::new(FailureKind::Protocol, format!("`{}` is no URL: {message}", shown(&url)))
        };
        let parsed = Url::parse(&url).map_err(|error| fail(error.to_string()))?;
        let origin = Origin::of(&parsed).map_err(fail)?;
        Ok((Rc::new(origin), path_of(&parsed).into()))
    }
}

/// A URL as messages show it: its query may hold what is nobody's business.
pub fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// The path of a Unix socket; what stands encoded in its URL is a plain character of the path.
pub fn socket_path(url: &Url) -> PathBuf {
    let path = Url::parse(&format!("file://{}", url.path())).ok().and_then(|file| file.to_file_path().ok());
    path.unwrap_or_else(|| url.path().into())
}

/// Path and query of a URL, at least `/`.
pub fn path_of(url: &Url) -> String {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
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
        let (origin, path) = target.resolve("/builds?page=1".into()).unwrap();
        assert_eq!((origin.authority(), &*path), ("api.example.com", "/v2/builds?page=1"));
        let (origin, path) = target.resolve("http://[::1]:8080".into()).unwrap();
        assert_eq!((origin.authority(), &*path), ("[::1]:8080", "/"));
        assert_eq!(origin.place, Place::Network { host: "::1".into(), port: 8080 });
    }

    #[test]
    fn a_socket_is_a_place_and_its_path_no_prefix() {
        let (origin, path) = base("unix:///run/app.sock").resolve("/health".into()).unwrap();
        assert_eq!((origin.authority(), &*path), ("localhost", "/health"));
        assert_eq!(origin.place, Place::Socket("/run/app.sock".into()));
        assert_eq!(base("unix:/run/ä app.sock").origin.place, Place::Socket("/run/ä app.sock".into()));
    }

    #[test]
    fn what_is_no_url_is_a_failure_that_shows_it() {
        let failure = base("http://localhost").resolve("builds".into()).unwrap_err();
        assert!(failure.message.starts_with("`builds` is no URL"), "{}", failure.message);
        for scheme in ["ftp", "unix"] {
            let failure = base("http://localhost").resolve(format!("{scheme}:///x").into()).unwrap_err();
            assert!(failure.message.contains(&format!("`{scheme}`")), "{}", failure.message);
        }
    }
}
