//! Which requests go through an HTTP proxy: the one that the configuration names, else the one of the environment
//! variables that every HTTP client knows. What they say is read from outside this room.

use core::net::IpAddr;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};

use super::credentials::{self, Credentials};
use super::{Plan, Target};
use crate::config::problem::Problem;

/// What a configuration says about proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// Nothing: environment variables decide.
    #[default]
    OfEnvironment,
    /// None is used.
    Direct,
    /// This one is used, whatever the environment says.
    Server(Arc<ProxyServer>),
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyServer {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The value of `proxy-authorization` for it.
    pub authorization: Option<String>,
    /// Who names it: a variable, or a key.
    pub named_by: Cow<'static, str>,
    /// Its password, as it is written and as it is sent.
    secrets: Vec<String>,
}

/// Why a proxy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub String);

type Server = Result<Arc<ProxyServer>, Unusable>;

/// The proxies of a run.
#[derive(Debug, Default)]
pub struct Proxies {
    http: Option<Server>,
    https: Option<Server>,
    bypass: Bypass,
}

/// The hosts that are connected to directly.
#[derive(Debug, Default)]
enum Bypass {
    /// None.
    #[default]
    Nothing,
    /// Those of this machine, and those that `NO_PROXY` lists: for every port, and for one.
    Listed(Box<Listed>),
}

/// What `NO_PROXY` lists.
#[derive(Debug)]
struct Listed {
    everything: bool,
    anywhere: Matcher,
    on_port: Vec<(u16, Matcher)>,
}

impl fmt::Display for ProxyServer {
    /// Without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}")
        } else {
            write!(f, "http://{host}:{port}")
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ProxyServer {
    /// The proxy of a URL, `http://` where it names no scheme.
    pub fn parse(typed: &str, named_by: impl Into<Cow<'static, str>>) -> Result<Self, Unusable> {
        let named_by = named_by.into();
        let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
        let wrong = |why: String| Unusable(format!("{named_by}: `{}` {why}", credentials::hidden(&whole)));
        // What follows would be taken for the path behind another host. A proxy has no path.
        if credentials::is_raw(&whole) {
            return Err(wrong(format!("is not the URL of a proxy; {}", credentials::ENCODE)));
        }
        let mut url =
            Url::parse(&whole).map_err(|error| wrong(format!("is not the URL of a proxy: {error}")))?;
        if url.scheme() != "http" {
            return Err(wrong(format!(
                "is a proxy over `{}`; loadgate speaks with one over `http`",
                url.scheme()
            )));
        }
        let found = Credentials::take(&mut url);
        let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']').to_owned();
        let (authorization, secrets) = found.map(|it| (it.authorization, it.secrets)).unzip();
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self { host, port, authorization, named_by, secrets: secrets.unwrap_or_default() })
    }
}

impl Proxies {
    /// Those of a choice; `variable` answers what an environment variable says. An upper-case `HTTP_PROXY` says nothing
    /// in a CGI script, where a client sets it by a header `Proxy` (CVE-2016-5385).
    pub fn of(choice: &ProxyChoice, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        match choice {
            ProxyChoice::Direct => Self::default(),
            ProxyChoice::Server(server) => {
                let both = || Some(Ok(server.clone()));
                Self { http: both(), https: both(), bypass: Bypass::Nothing }
            }
            ProxyChoice::OfEnvironment => {
                let said = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
                let server = |name: &str| {
                    let upper = (name != "http_proxy" || variable("REQUEST_METHOD").is_none())
                        .then(|| name.to_uppercase());
                    let found = upper.into_iter().chain([name.to_owned()]);
                    let mut found = found.filter_map(|name| said(&name).map(|value| (name, value)));
                    let (name, value) = found.next()?;
                    Some(ProxyServer::parse(value.trim(), name).map(Arc::new))
                };
                let no_proxy = said("NO_PROXY").or_else(|| said("no_proxy")).unwrap_or_default();
                Self {
                    http: server("http_proxy").or_else(|| server("all_proxy")),
                    https: server("https_proxy").or_else(|| server("all_proxy")),
                    bypass: Bypass::listed(&no_proxy),
                }
            }
        }
    }

    /// The proxy for an origin: its scheme (`http` or `https`), its host without brackets, and its port. None where it
    /// is connected to directly.
    pub fn for_origin(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
    ) -> Option<Result<&Arc<ProxyServer>, &Unusable>> {
        let server = if scheme == "https" { &self.https } else { &self.http };
        server.as_ref().filter(|_| !self.bypass.holds(host, port)).map(Result::as_ref)
    }

    /// The proxy for the target, where it is a host.
    pub fn for_target(&self, target: &Target) -> Option<Result<&Arc<ProxyServer>, &Unusable>> {
        let Target::Host(url) = target else { return None };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        self.for_origin(url.scheme(), host, url.port_or_known_default()?)
    }
}

impl Bypass {
    fn listed(no_proxy: &str) -> Self {
        let entries = || {
            let typed = no_proxy.split([',', ' ']).map(str::trim);
            typed.map(|entry| entry.trim_end_matches('.')).filter(|entry| !entry.is_empty())
        };
        let with_port = |entry: &'_ str| -> Option<(String, u16)> {
            let (host, port) = entry.rsplit_once(':')?;
            // An IPv6 address without brackets has more than one colon, and no port.
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = bare.or_else(|| (!host.contains(':')).then_some(host))?;
            Some((listed_name(host), port.parse().ok()?))
        };
        let anywhere = entries().filter(|entry| with_port(entry).is_none()).map(listed_name);
        let anywhere = matcher(&anywhere.collect::<Vec<_>>().join(","));
        let on_port = entries().filter_map(with_port).map(|(host, port)| (port, matcher(&host)));
        let everything = entries().any(|entry| entry == "*");
        Self::Listed(Box::new(Listed { everything, anywhere, on_port: on_port.collect() }))
    }

    /// Whether a host is connected to directly.
    fn holds(&self, host: &str, port: u16) -> bool {
        let Self::Listed(list) = self else { return false };
        let Listed { everything, anywhere, on_port } = &**list;
        let host = &*uniform(host);
        *everything
            || is_loopback(host)
            || listed(anywhere, host)
            || on_port.iter().any(|(listed_port, matcher)| *listed_port == port && listed(matcher, host))
    }
}

/// A host of a list as the matcher reads it: an address without brackets, a name without its last dot, and `.name` for
/// `*.name`.
fn listed_name(host: &str) -> String {
    let host = host.trim_end_matches('.').replace(['[', ']'], "");
    let name = host.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    let name = name.map_or(&*host, |name| name);
    uniform(name).into_owned()
}

/// An IPv4 address that is written as one of IPv6 (`::ffff:10.0.0.1`) as itself, since either may be in a list; anything
/// else as it is.
fn uniform(host: &str) -> Cow<'_, str> {
    match host.parse::<IpAddr>().map(|address| (address, address.to_canonical())) {
        Ok((written, meant)) if written != meant => meant.to_string().into(),
        _ => host.into(),
    }
}

/// Decides by a list as curl does: names with all that end in them, addresses, networks, `*`.
fn matcher(list: &str) -> Matcher {
    Matcher::builder().http("http://proxy").no(list).build()
}

fn listed(matcher: &Matcher, host: &str) -> bool {
    let authority =
        if host.contains(':') { format!("[{host}]") } else { host.trim_end_matches('.').to_owned() };
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query("/").build();
    uri.is_ok_and(|uri| matcher.intercept(&uri).is_none())
}

/// Whether a host is this machine: nobody means a proxy for that, least of all for a target that loadgate starts.
fn is_loopback(host: &str) -> bool {
    let parsed = if host.contains(':') { Host::parse(&format!("[{host}]")) } else { Host::parse(host) };
    match parsed {
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Ok(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Ok(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        Err(_) => false,
    }
}

impl Plan {
    /// Chooses the proxies of the plan. `variable` answers what an environment variable says. A proxy that the target
    /// would be reached through and that cannot be used is a problem.
    pub fn choose_proxies(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), Problem> {
        let proxies = Proxies::of(&self.http.proxy, variable);
        match proxies.for_target(&self.target) {
            Some(Ok(server)) if self.http.proxy == ProxyChoice::OfEnvironment => self.notes.push(format!(
                "the target is reached through the proxy {server} (`{}`), which is measured with it; \
                 `http: {{proxy: none}}` connects directly",
                server.named_by
            )),
            Some(Err(unusable)) => {
                return Err(Problem::general(unusable.to_string()).hint(
                    "write `http: {proxy: none}` to connect directly, or `http: {proxy: http://HOST:PORT}`",
                ));
            }
            _ => {}
        }
        let servers = [&proxies.http, &proxies.https].into_iter().flatten().flatten();
        self.secrets = Arc::new(self.secrets.with(servers.flat_map(|server| server.secrets.clone())));
        self.proxies = Arc::new(proxies);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let said = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::of(&ProxyChoice::OfEnvironment, &said)
    }

    fn used(proxies: &Proxies, url: &str) -> String {
        match proxies.for_target(&Target::Host(Url::parse(url).unwrap())) {
            Some(Ok(server)) => server.to_string(),
            Some(Err(unusable)) => unusable.to_string(),
            None => "direct".into(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_is_for_both() {
        let both = proxies(&[("HTTP_PROXY", "http://a:1"), ("https_proxy", "b:2")]);
        assert_eq!(used(&both, "http://x.test"), "http://a:1");
        assert_eq!(used(&both, "https://x.test"), "http://b:2");
        let all = proxies(&[("ALL_PROXY", "http://c:3"), ("HTTPS_PROXY", " ")]);
        assert_eq!(
            (used(&all, "http://x.test"), used(&all, "https://x.test")),
            ("http://c:3".into(), "http://c:3".into())
        );
        let cgi = [("HTTP_PROXY", "http://a:1"), ("http_proxy", "http://b:2"), ("REQUEST_METHOD", "GET")];
        assert_eq!(used(&proxies(&cgi), "http://x.test"), "http://b:2");
        assert_eq!(used(&proxies(&[cgi[0], cgi[2]]), "http://x.test"), "direct");
        assert_eq!(used(&proxies(&[]), "http://x.test"), "direct");
    }

    #[test]
    fn this_machine_and_what_no_proxy_lists_is_reached_directly() {
        let list = "example.com, .dot.test,10.0.0.0/8 ,192.168.1.1,api.test:8080,[::2]:99,fd00::/8";
        let some = proxies(&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", list)]);
        for (url, direct) in [
            ("http://localhost:8000", true),
            ("http://app.localhost", true),
            ("http://127.0.0.9", true),
            ("http://[::1]:1", true),
            ("http://0.0.0.0:1", true),
            ("http://example.com", true),
            ("https://sub.example.com", true),
            ("http://badexample.com", false),
            ("http://dot.test", true),
            ("http://a.dot.test", true),
            ("http://10.1.2.3", true),
            ("http://11.1.2.3", false),
            ("http://192.168.1.1:5", true),
            ("http://api.test:8080", true),
            ("http://api.test", false),
            ("http://[::2]:99", true),
            ("http://[::2]:98", false),
            ("http://[fd00::1]", true),
            ("http://other.test", false),
        ] {
            assert_eq!(used(&some, url) == "direct", direct, "{url}");
        }
        let none = proxies(&[("ALL_PROXY", "http://a:1"), ("no_proxy", "*")]);
        for url in ["http://x.test", "http://10.0.0.1", "https://[2001:db8::1]:8443"] {
            assert_eq!(used(&none, url), "direct", "{url}");
        }
    }

    #[test]
    fn one_host_is_the_same_however_it_is_written() {
        let list = "dots.test.,[2001:db8::1],10.0.0.1,::ffff:10.0.0.2,*.star.test,[2001:db8:1::]/48";
        let some = proxies(&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", list)]);
        for (url, direct) in [
            ("http://dots.test", true),
            ("http://dots.test.", true),
            ("http://[2001:db8::1]", true),
            ("http://[2001:db8::2]", false),
            ("http://[2001:db8:1::9]", true),
            ("http://[::ffff:10.0.0.1]", true),
            ("http://10.0.0.2", true),
            ("http://10.0.0.3", false),
            ("http://a.star.test", true),
            ("http://[::ffff:127.0.0.1]", true),
        ] {
            assert_eq!(used(&some, url) == "direct", direct, "{url}");
        }
    }

    #[test]
    fn a_password_that_is_not_encoded_is_neither_shown_nor_taken_for_a_port() {
        for typed in ["http://user:12#34@proxy", "user:pa/s34@proxy:8080", "http://user:12?34@proxy:8080"] {
            let why = ProxyServer::parse(typed, "HTTP_PROXY").unwrap_err().0;
            assert!(why.starts_with("HTTP_PROXY: `http://***@proxy"), "{why}");
            assert!(why.contains("percent-encode the user and the password") && !why.contains("34"), "{why}");
        }
    }

    #[test]
    fn a_proxy_that_is_configured_wins_and_one_that_cannot_be_used_says_why() {
        let server = Arc::new(ProxyServer::parse("http://u:p%40@p:3128", "`http.proxy`").unwrap());
        assert_eq!(server.authorization.as_deref(), Some("Basic dTpwQA=="));
        assert_eq!(server.secrets, ["p%40", "p@"]);
        let said = |_: &str| Some("http://of-environment:1".to_owned());
        let configured = Proxies::of(&ProxyChoice::Server(server), &said);
        assert_eq!(
            used(&configured, "http://127.0.0.1"),
            "http://p:3128",
            "also for this machine: somebody means it"
        );
        assert_eq!(used(&Proxies::of(&ProxyChoice::Direct, &said), "http://x.test"), "direct");
        let socks = proxies(&[("ALL_PROXY", "socks5://u:secret@s:1080")]);
        let why = used(&socks, "http://x.test");
        assert!(why.starts_with("ALL_PROXY: `socks5://s:1080` is a proxy over `socks5`"), "{why}");
        assert_eq!(used(&socks, "http://localhost"), "direct", "it is of no interest there");
    }
}
