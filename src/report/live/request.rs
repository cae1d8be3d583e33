//! What a request to the live page asks for, and whether it may. Pure.

use std::net::{IpAddr, SocketAddr};

/// As much of a request as matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Every `Host` there is.
    pub hosts: Vec<String>,
    /// Every `Origin` there is.
    pub origins: Vec<String>,
    /// The first `X-Loadgate-Token`.
    pub token: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The page.
    Page,
    /// The stream of events.
    Events,
    /// The end of the run.
    Stop,
    /// Something that there is not, or that may not be: a status.
    Refused(u16),
}

impl Head {
    /// Reads the head of a request, once all of it is in `bytes`; a status where it is none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, u16> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(431),
            Err(_) => return Err(400),
        }
        let all = |name: &str| -> Vec<String> {
            let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect()
        };
        Ok(Some(Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            hosts: all("host"),
            origins: all("origin"),
            token: all("x-loadgate-token").into_iter().next(),
        }))
    }

    /// What it asks of a page that is served at `address`.
    pub fn asked(&self, address: SocketAddr) -> Asked {
        let [host] = self.hosts.as_slice() else { return Asked::Refused(400) };
        if !is_ours(host, address) {
            return Asked::Refused(421);
        }
        let own = |origin: &String| origin.strip_prefix("http://").is_some_and(|host| is_ours(host, address));
        if !self.origins.iter().all(own) {
            return Asked::Refused(403);
        }
        let (asked, method) = match self.target.as_str() {
            "/" => (Asked::Page, "GET"),
            "/events" => (Asked::Events, "GET"),
            "/stop" => (Asked::Stop, "POST"),
            _ => return Asked::Refused(404),
        };
        if self.method == method { asked } else { Asked::Refused(405) }
    }
}

/// Whether a name is of this very server. A name that somebody else's name server knows is not: it may lead
/// here today and elsewhere tomorrow (DNS rebinding). A number leads to one place.
fn is_ours(host: &str, address: SocketAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    let ip: Option<IpAddr> = name.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let here = match ip {
        Some(ip) => ip == address.ip() || address.ip().is_unspecified(),
        None => name.eq_ignore_ascii_case("localhost"),
    };
    here && port == Some(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: &str, address: &str) -> Asked {
        let head = Head::parse(request.as_bytes()).unwrap().unwrap();
        head.asked(address.parse().unwrap())
    }

    #[test]
    fn only_what_there_is_can_be_asked_for() {
        for (line, expected) in [
            ("GET /", Asked::Page),
            ("GET /events", Asked::Events),
            ("POST /stop", Asked::Stop),
            ("GET /stop", Asked::Refused(405)),
            ("POST /", Asked::Refused(405)),
            ("HEAD /", Asked::Refused(405)),
            ("GET /?token=1", Asked::Refused(404)),
            ("GET //", Asked::Refused(404)),
            ("GET /../etc/passwd", Asked::Refused(404)),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:8089\r\n\r\n");
            assert_eq!(asked(&request, "127.0.0.1:8089"), expected, "{line}");
        }
    }

    #[test]
    fn a_name_that_is_not_of_this_server_is_refused() {
        for (host, address, ours) in [
            ("127.0.0.1:8089", "127.0.0.1:8089", true),
            ("localhost:8089", "127.0.0.1:8089", true),
            ("[::1]:8089", "[::1]:8089", true),
            ("192.0.2.7:8089", "0.0.0.0:8089", true),
            ("127.0.0.1", "127.0.0.1:80", true),
            ("[::1]", "[::1]:80", true),
            ("127.0.0.1:8090", "127.0.0.1:8089", false),
            ("127.0.0.1", "127.0.0.1:8089", false),
            ("192.0.2.7:8089", "127.0.0.1:8089", false),
            ("evil.example:8089", "127.0.0.1:8089", false),
            ("evil.example:8089", "0.0.0.0:8089", false),
            ("localhost.evil.example:8089", "127.0.0.1:8089", false),
            ("", "127.0.0.1:8089", false),
        ] {
            assert_eq!(is_ours(host, address.parse().unwrap()), ours, "{host} at {address}");
        }
        let twice = "GET / HTTP/1.1\r\nHost: localhost:8089\r\nHost: localhost:8089\r\n\r\n";
        assert_eq!(asked(twice, "127.0.0.1:8089"), Asked::Refused(400));
        assert_eq!(asked("GET / HTTP/1.1\r\n\r\n", "127.0.0.1:8089"), Asked::Refused(400));
    }

    #[test]
    fn a_page_from_elsewhere_may_not_press_the_button() {
        for (origin, expected) in [
            ("Origin: http://127.0.0.1:8089\r\n", Asked::Stop),
            ("Origin: http://localhost:8089\r\n", Asked::Stop),
            ("", Asked::Stop),
            ("Origin: http://evil.example\r\n", Asked::Refused(403)),
            ("Origin: https://127.0.0.1:8089\r\n", Asked::Refused(403)),
            ("Origin: null\r\n", Asked::Refused(403)),
        ] {
            let request = format!("POST /stop HTTP/1.1\r\nHost: 127.0.0.1:8089\r\n{origin}\r\n");
            assert_eq!(asked(&request, "127.0.0.1:8089"), expected, "{origin}");
        }
    }

    #[test]
    fn a_head_that_is_none_has_a_status() {
        assert_eq!(Head::parse(b"GET / HTTP/1.1\r\nHost: a"), Ok(None));
        assert_eq!(Head::parse(b"\x16\x03\x01\x00\xa5\x01\x00\x00"), Err(400));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(Head::parse(many.as_bytes()), Err(431));
    }
}
