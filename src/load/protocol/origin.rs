//! Where a request goes: scheme, host and port or a socket, and what is put before its path.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use url::Url;

use super::address;

use crate::load::measure::outcome::{Failure, FailureKind};
use crate::plan::credentials::{self, Credentials};

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

/// Who said that something should be sent to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// The plan.
    Plan,
    /// A server that redirected a request. It must not lead everywhere.
    Server,
}

/// Scheme and place. Connections are kept by it, whoever named it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Encrypted or not.
    pub security: Security,
    /// What is connected to.
    pub place: Place,
    /// Who named it.
    pub named_by: NamedBy,
    authority: String,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        let Self { security, place, named_by: _, authority } = self;
        (*security, place, authority) == (other.security, &other.place, &other.authority)
    }
}

impl Eq for Origin {}

impl Origin {
    /// The origin of a URL; an error names what is wrong with it. A socket is no URL here: only the
    /// configuration names one, never a server.
    pub fn of(url: &Url) -> Result<Self, String> {
        let security = security(url.scheme())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("a URL needs a host")?;
        let port = url.port_or_known_default().ok_or("a URL needs a port")?;
        let authority = match (security, port) {
            (Security::Plain, 80) | (Security::Tls, 443) => host.to_owned(),
            (_, port) => format!("{host}:{port}"),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { security, place: Place::Network { host, port }, named_by: NamedBy::Plan, authority })
    }

    fn socket(url: &Url) -> Self {
        Self {
            security: Security::Plain,
            place: Place::Socket(socket_path(url)),
            named_by: NamedBy::Plan,
            authority: "localhost".into(),
        }
    }

    /// The same, named by a server that redirects.
    #[must_use]
    pub fn named_by_server(self) -> Self {
        Self { named_by: NamedBy::Server, ..self }
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

    /// Whether both are one origin: scheme, host and port are the same (RFC 6454, 5). A socket has the origin of the
    /// name it is called by.
    pub fn is_same(&self, other: &Self) -> bool {
        self.security == other.security && self.authority == other.authority
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}://{}{path}", self.scheme(), self.authority))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}

/// Where a request goes, and what is asked for there.
#[derive(Debug)]
pub struct Located<'u> {
    /// Where it goes.
    pub origin: Rc<Origin>,
    /// Path and query, as they are written.
    pub path: Cow<'u, str>,
    /// The value of `authorization` that the URL asks for, or that of the target.
    pub authorization: Option<String>,
}

/// The target of a run, as requests need it.
#[derive(Debug, Clone)]
pub struct Base {
    /// Where paths go.
    pub origin: Rc<Origin>,
    prefix: String,
    /// The value of `authorization` for it, where its URL has a user.
    authorization: Option<String>,
}

impl Base {
    /// The base of a target's URL; its path, if it has one, is put before every path. `authorization` is sent there with
    /// every request that says nothing of it.
    pub fn new(url: &Url, authorization: Option<String>) -> Result<Self, String> {
        let prefix = if url.scheme() == "unix" { "" } else { url.path().trim_end_matches('/') };
        let origin = if url.scheme() == "unix" { Origin::socket(url) } else { Origin::of(url)? };
        Ok(Self { origin: Rc::new(origin), prefix: prefix.to_owned(), authorization })
    }

    /// Where a rendered URL points: a path on the target, or anywhere. White space and control characters around it, as
    /// a captured text may have them, are no part of it.
    pub fn resolve<'u>(&self, url: Cow<'u, str>) -> Result<Located<'u>, Failure> {
        let around = |c: char| c <= ' ';
        let url = if url.starts_with(around) || !url.starts_with('/') && url.ends_with(around) {
            Cow::Owned(url.trim_matches(around).to_owned())
        } else {
            url
        };
        if url.starts_with('/') {
            let path = if self.prefix.is_empty() { url } else { format!("{}{url}", self.prefix).into() };
            return Ok(Located {
                origin: self.origin.clone(),
                path,
                authorization: self.authorization.clone(),
            });
        }
        let fail = |message: String| {
            Failure::new(FailureKind::Protocol, format!("`{}` is no URL: {message}", shown(&url)))
        };
        // Only what names the origin is made uniform; the rest is sent as it is written.
        let scheme = address::scheme(&url).ok_or_else(|| fail("relative URL without a base".into()))?;
        security(&scheme.to_lowercase()).map_err(fail)?;
        // What a library would mend has no path of which we could say how it is written.
        let (head, rest) =
            address::split(&url).ok_or_else(|| fail(format!("`//` is missing behind `{scheme}:`")))?;
        let parsed = Url::parse(head).map_err(|error| fail(error.to_string()))?;
        let origin = Origin::of(&parsed).map_err(fail)?;
        let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        let authorization = Credentials::of(&parsed).map(|found| found.authorization);
        // A socket is called `localhost`, and is not what listens on a port of this machine.
        let (origin, authorization) = if origin == *self.origin {
            (self.origin.clone(), authorization.or_else(|| self.authorization.clone()))
        } else {
            (Rc::new(origin), authorization)
        };
        Ok(Located { origin, path: path.into(), authorization })
    }
}

fn security(scheme: &str) -> Result<Security, String> {
    match scheme {
        "http" | "ws" => Ok(Security::Plain),
        "https" | "wss" => Ok(Security::Tls),
        other => Err(format!("`{other}` is none of http, https, ws, wss")),
    }
}

/// A URL as messages show it: its query, its user and its password are nobody's business.
pub fn shown(url: &str) -> Cow<'_, str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    match url.split_once("://") {
        // Either the password holds what ended the path here, or the query holds an `@`: neither is shown.
        Some((scheme, _)) if !url.starts_with('/') && url[end..].contains('@') => {
            format!("{scheme}://***").into()
        }
        _ => credentials::hidden(&url[..end]),
    }
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
        Base::new(&Url::parse(url).unwrap(), None).unwrap()
    }

    #[test]
    fn a_path_goes_to_the_target_and_a_url_anywhere() {
        let target = base("https://api.example.com/v2/");
        let resolve = |base: &Base, url: &'static str| {
            let Located { origin, path, .. } = base.resolve(url.into()).unwrap();
            (origin, path)
        };
        let (origin, path) = resolve(&target, "/builds?page=1");
        assert_eq!((origin.authority(), &*path), ("api.example.com", "/v2/builds?page=1"));
        let (origin, path) = resolve(&target, "http://[::1]:8080");
        assert_eq!((origin.authority(), &*path), ("[::1]:8080", "/"));
        assert_eq!(origin.place, Place::Network { host: "::1".into(), port: 8080 });
    }

    #[test]
    fn a_socket_is_a_place_and_its_path_no_prefix() {
        let Located { origin, path, .. } = base("unix:///run/app.sock").resolve("/health".into()).unwrap();
        assert_eq!((origin.authority(), &*path), ("localhost", "/health"));
        assert_eq!(origin.place, Place::Socket("/run/app.sock".into()));
        assert_eq!(base("unix:/run/ä app.sock").origin.place, Place::Socket("/run/ä app.sock".into()));
    }

    #[test]
    fn a_whole_url_is_sent_as_a_path_is() {
        let target = base("http://a.example");
        for (url, wanted) in [
            ("http://A.example:80/v1/../a/{x}|y^z?q='1'|{2}^&p=../x", "/v1/../a/{x}|y^z?q='1'|{2}^&p=../x"),
            ("http://a.example/a\\b", "/a\\b"),
            ("http://a.example/v1/%2e%2e/secret", "/v1/%2e%2e/secret"),
            ("http://a.example?q=1", "/?q=1"),
            ("http://a.example", "/"),
        ] {
            let Located { origin, path, .. } = target.resolve(url.into()).unwrap();
            assert_eq!(path, wanted, "{url}");
            assert!(Rc::ptr_eq(&origin, &target.origin), "{url}: the same connections");
        }
    }

    #[test]
    fn a_url_with_something_around_it_keeps_its_path_and_one_without_slashes_is_none() {
        let target = base("http://a.example");
        for url in [" http://a.example/x?q", "http://a.example/x?q\r\n", "\t/x?q", "\nhttp://a.example/x?q\0"]
        {
            let Located { origin, path, .. } = target.resolve(url.into()).unwrap();
            assert_eq!((origin.authority(), &*path), ("a.example", "/x?q"), "{url:?}");
        }
        for url in [
            "http:/a.example/x",
            "http:\\\\a.example\\x",
            "http:x",
            "ht\ntp://a.example/x",
            "//a.example/x\n",
        ] {
            let located = target.resolve(url.into());
            match located {
                Ok(located) => assert_eq!(located.path, url, "a path of the target"),
                Err(failure) => assert!(failure.message.contains("is no URL"), "{}", failure.message),
            }
        }
        let failure = target.resolve("http:/a.example/x".into()).unwrap_err();
        assert!(failure.message.contains("`//` is missing"), "{}", failure.message);
    }

    #[test]
    fn a_whole_url_of_localhost_does_not_lead_to_a_socket() {
        let target = base("unix:/run/app.sock");
        let Located { origin, .. } = target.resolve("http://localhost/x".into()).unwrap();
        assert_eq!(origin.place, Place::Network { host: "localhost".into(), port: 80 });
    }

    #[test]
    fn user_and_password_go_with_the_requests_to_their_origin() {
        let target =
            Base::new(&Url::parse("http://a.example").unwrap(), Some("Basic of the host".into())).unwrap();
        for (url, wanted) in [
            ("/x", Some("Basic of the host")),
            ("http://a.example/x", Some("Basic of the host")),
            ("http://u:p@a.example/x", Some("Basic dTpw")),
            ("http://a.example:81/x", None),
            ("https://u:p@b.example/x", Some("Basic dTpw")),
        ] {
            assert_eq!(target.resolve(url.into()).unwrap().authorization.as_deref(), wanted, "{url}");
        }
        assert_eq!(shown("http://u:p@ss@b/x?y"), "http://b/x");
        assert_eq!(shown("http://u:p#ss@b/x?y"), "http://***");
        assert_eq!(shown("app://callback?hint=bob@corp.example&code=AUTHCODE"), "app://***");
        assert_eq!(shown("/x?mail=bob@corp.example"), "/x");
        assert_eq!(shown("/x/@y?z"), "/x/@y");
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
