//! Where the live page is served, as it is typed. Pure: nothing is looked up and nothing is bound here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// Where it is served when nobody says otherwise.
pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8089);

/// What was said about the live page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nobody wants it.
    Nowhere,
    /// Served at this address; port 0 is any free one.
    At(SocketAddr),
}

/// Why it is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected an address with a port, such as `{DEFAULT}`, `:9000` or `9000`; or `true`, or `false`")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    /// `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`; `:9000` and `9000` are on this machine alone. As a
    /// variable is switched on and off: `1` and `true`, `false` and nothing at all.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" => return Ok(Self::At(DEFAULT)),
            "" | "false" => return Ok(Self::Nowhere),
            _ => {}
        }
        let port = text.strip_prefix("localhost").unwrap_or(text);
        let port = port.strip_prefix(':').unwrap_or(if port == text { text } else { "" });
        if let Some(port) = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(Self::At(SocketAddr::new(DEFAULT.ip(), port)));
        }
        text.parse().map(Self::At).map_err(|_| PlaceError)
    }
}

/// How this machine reaches what is served at an address: what is served on every interface, by its loopback.
pub fn from_here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_only_a_port() {
        for (text, address) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("9000", "127.0.0.1:9000"),
            ("0", "127.0.0.1:0"),
            (":1", "127.0.0.1:1"),
            ("2", "127.0.0.1:2"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9000", "[::1]:9000"),
        ] {
            assert_eq!(text.parse(), Ok(Place::At(address.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn a_variable_switches_it_on_and_off() {
        for text in ["1", "true", "True", "127.0.0.1:8089"] {
            assert_eq!(text.parse(), Ok(Place::At(DEFAULT)), "{text}");
        }
        for text in ["false", "FALSE", ""] {
            assert_eq!(text.parse(), Ok(Place::Nowhere), "{text}");
        }
    }

    #[test]
    fn what_has_no_port_is_no_address() {
        for text in [
            ":",
            "localhost",
            "localhost9000",
            "127.0.0.1",
            "example.org:80",
            "70000",
            "+9",
            "-1",
            "::1",
            "yes",
            "build_flow",
        ] {
            assert_eq!(text.parse::<Place>(), Err(PlaceError), "{text}");
        }
    }

    #[test]
    fn what_is_served_everywhere_is_reached_by_the_loopback() {
        for (address, here) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(from_here(address.parse().unwrap()), here.parse().unwrap(), "{address}");
        }
    }
}
