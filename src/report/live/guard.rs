//! Whether a request may be answered: only one that was meant for this server, and comes from its own page or
//! from no page at all. Pure.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

/// Why it may not: a status, and what to do about it.
pub type Refusal = (StatusCode, &'static str);

const NO_HOST: Refusal = (StatusCode::BAD_REQUEST, "a request needs one `Host`\n");
const A_NAME: Refusal = (
    StatusCode::MISDIRECTED_REQUEST,
    "This server answers to IP addresses and to `localhost`, not to names: whoever owns a name could lead your browser\n\
     here from a page of theirs (DNS rebinding). Open it by the IP address of the machine, with the same port:\n\
     http://192.0.2.7:8089/, or http://[2001:db8::7]:8089/.\n",
);
const A_NAME_FOR_METRICS: Refusal = (
    StatusCode::MISDIRECTED_REQUEST,
    "These metrics are served for this machine, and answer to IP addresses, to `localhost` and to `host.docker.internal`, not\n\
     to other names: whoever owns a name could lead a browser here from a page of theirs (DNS rebinding). Ask for them by\n\
     127.0.0.1:PORT or localhost:PORT, or set `reporting.prometheus.listen` to an address that others reach.\n",
);
/// What containers of Docker call the machine they run on. Nobody else can own a name below `internal`.
const HOST_OF_CONTAINERS: &str = "host.docker.internal";
const ELSEWHERE: Refusal = (StatusCode::FORBIDDEN, "a page from elsewhere may not ask for this\n");

/// What a server may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// An IP address, or `localhost`.
    Fixed,
    /// The same, and what containers of Docker call this machine: there a Prometheus runs, and no browser.
    OfThisMachine,
    /// Anything: whoever asks from another machine may know this one by a name.
    Any,
}

impl Names {
    /// What the live metrics are called that are served at an address: only where they are served to this machine alone,
    /// nobody needs a name for it.
    pub fn of_metrics(address: SocketAddr) -> Self {
        if address.ip().is_loopback() { Self::OfThisMachine } else { Self::Any }
    }
}

/// Refuses what was meant for another server, and what a page from elsewhere asks for.
pub fn admit(headers: &HeaderMap, names: Names) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let host = match (hosts.next(), hosts.next()) {
        (Some(Ok(host)), None) => Some(host),
        // A probe that speaks HTTP/1.0 names none, and where any name will do, none will.
        (None, _) if names == Names::Any => None,
        _ => return Err(NO_HOST),
    };
    match names {
        Names::Fixed if !host.is_some_and(is_fixed) => return Err(A_NAME),
        Names::OfThisMachine if !host.is_some_and(|host| is_fixed(host) || is_host_of_containers(host)) => {
            return Err(A_NAME_FOR_METRICS);
        }
        _ => {}
    }
    let own = host.map(|host| format!("http://{host}")).unwrap_or_default();
    let elsewhere = |origin: &HeaderValue| !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes());
    if headers.get_all(ORIGIN).iter().any(elsewhere) { Err(ELSEWHERE) } else { Ok(()) }
}

/// Whether it leads to one place. A name that somebody else's name server knows may lead here today and
/// elsewhere tomorrow; a number does not. The port says nothing: it may have been forwarded.
fn is_fixed(host: &str) -> bool {
    let name = without_port(host);
    let number: Option<IpAddr> = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    };
    number.is_some() || name.eq_ignore_ascii_case("localhost")
}

fn is_host_of_containers(host: &str) -> bool {
    without_port(host).eq_ignore_ascii_case(HOST_OF_CONTAINERS)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(axum::http::HeaderName, &str)]) -> u16 {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        admit(&headers, Names::Fixed).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn a_number_or_localhost_is_of_this_server_and_any_other_name_is_not() {
        for host in
            ["127.0.0.1:8089", "127.0.0.1", "192.0.2.7:8089", "localhost:9000", "LOCALHOST", "[::1]:8089"]
                .into_iter()
                .chain(["[::1]", "[2001:DB8:0::7]:80", "[::ffff:127.0.0.1]:80"])
        {
            assert_eq!(status(&[(HOST, host)]), 200, "{host}");
        }
        for host in
            ["evil.example", "evil.example:8089", "localhost.evil.example:8089", "127.0.0.1.evil.example"]
                .into_iter()
                .chain(["", ":8089", "localhost:x", "::1", "[::1", "[127.0.0.1]", "127.1", "evil@127.0.0.1"])
        {
            assert_eq!(status(&[(HOST, host)]), 421, "{host}");
        }
    }

    #[test]
    fn metrics_that_other_machines_fetch_answer_to_any_name_but_to_no_page() {
        let named = |address: &str| Names::of_metrics(address.parse().unwrap());
        assert_eq!(["127.0.0.1:9090", "[::1]:9090"].map(named), [Names::OfThisMachine; 2]);
        assert_eq!(["0.0.0.0:9090", "192.0.2.7:9090", "[::]:9090"].map(named), [Names::Any; 3]);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("loadgate.example:9090"));
        assert_eq!((admit(&headers, Names::Any), admit(&headers, Names::Fixed)), (Ok(()), Err(A_NAME)));
        assert_eq!(admit(&headers, Names::OfThisMachine), Err(A_NAME_FOR_METRICS));
        headers.insert(ORIGIN, HeaderValue::from_static("http://evil.example"));
        assert_eq!(admit(&headers, Names::Any), Err(ELSEWHERE));
        headers.remove(HOST);
        assert_eq!(admit(&headers, Names::Any), Err(ELSEWHERE));
        assert_eq!(admit(&HeaderMap::new(), Names::Any), Ok(()), "a probe of HTTP/1.0");
        assert_eq!(admit(&HeaderMap::new(), Names::OfThisMachine), Err(NO_HOST));
    }

    #[test]
    fn a_container_reaches_the_metrics_of_its_machine_by_the_name_it_has_for_it() {
        for host in ["host.docker.internal:9090", "HOST.docker.internal", "localhost:9090", "127.0.0.1:9090"]
        {
            let headers = [(HOST, host.parse().unwrap())].into_iter().collect();
            assert_eq!(admit(&headers, Names::OfThisMachine), Ok(()), "{host}");
        }
        assert_eq!(status(&[(HOST, "host.docker.internal:8089")]), 421, "the page is for browsers");
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(status(&[]), 400);
        let mut twice = HeaderMap::new();
        twice.append(HOST, HeaderValue::from_static("localhost"));
        twice.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(admit(&twice, Names::Any), Err(NO_HOST));
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        for (origin, expected) in [
            ("http://127.0.0.1:8089", 200),
            ("HTTP://127.0.0.1:8089", 200),
            ("http://127.0.0.1:3000", 403),
            ("http://127.0.0.1", 403),
            ("http://localhost:8089", 403),
            ("https://127.0.0.1:8089", 403),
            ("http://evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            assert_eq!(status(&[(HOST, "127.0.0.1:8089"), (ORIGIN, origin)]), expected, "{origin}");
        }
    }
}
