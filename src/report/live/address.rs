//! Where the live page is served, as it is typed. Pure: nothing is looked up and nothing is bound here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// Where it is served when nobody says otherwise.
pub const DEFAULT: &str = "127.0.0.1:8089";

/// An address to serve at; port 0 is any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAddress(pub SocketAddr);

/// Why it is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected an address with a port, such as `{DEFAULT}`, `:9000` or `9000`")]
pub struct AddressError;

impl FromStr for LiveAddress {
    type Err = AddressError;

    /// `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`; `:9000` and `9000` are on this machine alone.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let local = |port: u16| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let port = text.strip_prefix("localhost").unwrap_or(text);
        let port = port.strip_prefix(':').unwrap_or(if port == text { text } else { "" });
        if let Some(port) = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(Self(local(port)));
        }
        text.parse().map(Self).map_err(|_| AddressError)
    }
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
            ("localhost:9000", "127.0.0.1:9000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9000", "[::1]:9000"),
            (DEFAULT, "127.0.0.1:8089"),
        ] {
            assert_eq!(
                text.parse::<LiveAddress>().map(|parsed| parsed.0.to_string()),
                Ok(address.to_owned())
            );
        }
    }

    #[test]
    fn what_has_no_port_is_no_address() {
        for text in [
            "",
            ":",
            "localhost",
            "localhost9000",
            "127.0.0.1",
            "example.org:80",
            "70000",
            "+9",
            "-1",
            "::1",
            "build_flow",
        ] {
            assert_eq!(text.parse::<LiveAddress>(), Err(AddressError), "{text}");
        }
    }
}
