//! The addresses at which a machine in a cloud finds its own credentials. They are reached from that machine alone, so a
//! service that redirects its clients there would have them fetch what is theirs: server-side request forgery. After a
//! redirect they are refused, also where a name leads there, unless the plan names that origin.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::origin::{Origin, Place};
use crate::load::measure::outcome::{Failure, FailureKind};

/// The metadata service of Google's cloud, by its names.
const GOOGLE: [&str; 2] = ["metadata.google.internal", "metadata.goog"];
/// What it is called on its machines in short. Elsewhere a service may be called so, as on the network of a compose
/// file: only its address says which one it is.
const GOOGLE_IN_SHORT: &str = "metadata";
/// That of Google's, over IPv6.
const GOOGLE_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
/// What the addresses of Amazon's services for a machine begin with, over IPv6.
const AMAZON: [u16; 2] = [0xfd00, 0x0ec2];
/// The addresses of those that are not link-local: Alibaba's, Azure's and Oracle's.
const OTHERS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// What stands before an IPv4 address that is reached by way of NAT64 (RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Whether this is one of the addresses: link-local (RFC 3927, RFC 4291), or that of a metadata service.
pub fn is_refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || OTHERS.contains(&address),
        IpAddr::V6(address) => {
            let segments = address.segments();
            let nat64 = segments[..6] == NAT64;
            let embedded = nat64.then(|| {
                let [high, low] = [segments[6], segments[7]].map(u16::to_be_bytes);
                Ipv4Addr::new(high[0], high[1], low[0], low[1])
            });
            let inner = address.to_ipv4_mapped().or(embedded);
            address.is_unicast_link_local()
                || segments[..2] == AMAZON
                || address == GOOGLE_IPV6
                || inner.is_some_and(|address| is_refused(IpAddr::V4(address)))
        }
    }
}

/// Whether an origin is known to be one of them before its name is resolved.
pub fn is_named(origin: &Origin) -> bool {
    let Place::Network { host, .. } = &origin.place else { return false };
    let name = host.trim_end_matches('.');
    GOOGLE.iter().any(|known| name.eq_ignore_ascii_case(known))
        || host.parse::<IpAddr>().is_ok_and(is_refused)
}

/// Whether an origin may be one of them, as far as its name says, where nobody here knows its address.
pub fn may_be_named(origin: &Origin) -> bool {
    let Place::Network { host, .. } = &origin.place else { return false };
    host.trim_end_matches('.').eq_ignore_ascii_case(GOOGLE_IN_SHORT)
}

/// The failure of a request that was sent there.
pub fn refused(origin: &Origin) -> Failure {
    let message = format!(
        "the redirect leads to {origin}, a link-local address, where a machine may find its own credentials; \
         `http: {{redirects: {{to: [{origin}]}}}}` lets it go there"
    );
    Failure::new(FailureKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_known_in_every_form() {
        for (address, refuses) in [
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("169.253.255.255", false),
            ("100.100.100.200", true),
            ("100.100.100.201", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("fd00:ec2::254", true),
            ("fd00:ec2::23", true),
            ("fd00:ec3::254", false),
            ("fd20:ce::254", true),
            ("168.63.129.16", true),
            ("192.0.0.192", true),
            ("::ffff:169.254.169.254", true),
            ("64:ff9b::169.254.169.254", true),
            ("64:ff9b::8.8.8.8", false),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_refused(address.parse().unwrap()), refuses, "{address}");
        }
    }
}
