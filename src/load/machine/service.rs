//! Which processes of this machine are the service. Where that cannot be told, it says why: then other
//! processes cannot be told from it, and nothing is claimed about them.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use url::Url;

use super::listener::{self, Listener};
use super::tree;
use crate::load::protocol::origin::socket_path;

/// Programs that hand on what they are sent: whoever works for them may be any process of this machine.
const FORWARDERS: [&str; 27] = [
    "docker-proxy",
    "rootlessport",
    "rootlesskit",
    "slirp4netns",
    "pasta",
    "passt",
    "gvproxy",
    "vpnkit",
    "com.docker.backend",
    "systemd-socket-proxyd",
    "linkerd2-proxy",
    "stunnel",
    "pgbouncer",
    "kubectl",
    "ssh",
    "sshd",
    "sshd-session",
    "socat",
    "nginx",
    "haproxy",
    "envoy",
    "traefik",
    "caddy",
    "varnishd",
    "apache2",
    "httpd",
    "squid",
];
/// Programs that start a service somewhere else on this machine.
const STARTERS: [&str; 6] = ["docker", "docker-compose", "nerdctl", "systemctl", "systemd-run", "kubectl"];

/// Which processes are the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Everything below this process, the guard of a target that loadgate started.
    Started(i32),
    /// These, and everything below them: they listen where the load goes.
    Found(Vec<i32>),
    /// None: the load goes to another machine.
    Elsewhere,
    /// On this machine, as far as is known, and nobody knows which.
    Unknown(Unknown),
}

/// The machine that the service runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The one that the load is made on.
    ThisMachine,
    /// Another one.
    AnotherMachine,
}

/// Why nobody knows which processes the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// Its processes may not be looked at: they are another user's.
    NoPermission,
    /// A program listens that hands on what it is sent.
    Forwarder {
        /// Its name.
        name: String,
    },
    /// It is, or may be, in a container on this machine.
    Container,
    /// It is part of a process that started loadgate.
    Parent {
        /// The name of that.
        name: String,
    },
    /// Another process of this machine works for it.
    BackEnd {
        /// Where that listens.
        address: String,
    },
    /// A process that listened for it ended during the run: who took its place is not known.
    Ended {
        /// Its name.
        name: String,
    },
    /// One of its processes ignores the end of its children, so that nobody knows what those used.
    ChildrenUnaccounted {
        /// The name of that.
        name: String,
    },
}

impl Service {
    /// The service at a URL that somebody else started.
    pub async fn at(url: &Url) -> Self {
        if url.scheme() == "unix" {
            return Self::held(listener::of_path(&socket_path(url)));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Self::Unknown(Unknown::NoPermission);
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let Ok(addresses) = tokio::net::lookup_host((bare, port)).await else {
            return Self::Unknown(Unknown::NoPermission);
        };
        let addresses: Vec<SocketAddr> = addresses.collect();
        let here: Vec<SocketAddr> = addresses.iter().copied().filter(|it| is_here(it.ip())).collect();
        if here.is_empty() {
            let next_door = addresses.iter().any(|it| listener::is_next_door(it.ip()));
            return if next_door { Self::Unknown(Unknown::Container) } else { Self::Elsewhere };
        }
        let listeners = here.into_iter().map(listener::of_address);
        let found = listeners.into_iter().find(|it| *it != Listener::None);
        Self::held(found.unwrap_or(Listener::None))
    }

    /// The service that these processes are.
    fn held(listener: Listener) -> Self {
        let pids = match listener {
            Listener::None => return Self::Unknown(Unknown::Container),
            Listener::Hidden => return Self::Unknown(Unknown::NoPermission),
            Listener::Held(pids) => pids,
        };
        let above = ancestors();
        let named = |pid: &i32| tree::process(*pid).map_or_else(String::new, |it| it.name);
        if let Some(parent) = pids.iter().find(|pid| above.contains(pid)) {
            return Self::Unknown(Unknown::Parent { name: named(parent) });
        }
        match pids.iter().map(named).find(|name| is_among(&FORWARDERS, name)) {
            Some(name) => Self::Unknown(Unknown::Forwarder { name }),
            None => Self::Found(pids),
        }
    }
}

/// Whether a program listens on behalf of others.
pub fn is_forwarder(pid: i32) -> bool {
    tree::process(pid).is_some_and(|it| is_among(&FORWARDERS, &it.name))
}

/// A process below this one that starts services elsewhere on this machine, by name.
pub fn starter_below(root: i32) -> Option<String> {
    tree::descendants(root).into_iter().map(|it| it.name).find(|name| is_among(&STARTERS, name))
}

/// Whether a program is one of these by its name, as the kernel has it: cut to 15 bytes. `pasta` is `pasta.avx2` on
/// processors that can do that, and `stunnel` has its version behind it.
fn is_among(programs: &[&str], name: &str) -> bool {
    const LONGEST: usize = 15;
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(|c: char| c.is_ascii_digit());
    let is = |program: &&str| {
        let known = program.get(..LONGEST).unwrap_or(program);
        known == name || *program == name || !stem.is_empty() && known == stem
    };
    programs.iter().any(is)
}

/// The processes that this one descends from.
fn ancestors() -> Vec<i32> {
    let mut above = Vec::new();
    let mut pid = std::process::id().cast_signed();
    // The depth of a tree of processes has a bound, and so has a chain that changes meanwhile.
    while let Some(stat) = tree::process(pid).filter(|_| above.len() < 1_000) {
        if stat.parent <= 0 {
            break;
        }
        pid = stat.parent;
        above.push(pid);
    }
    above
}

/// Whether an address is one of this machine's.
pub(super) fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_service_in_a_process_above_this_one_cannot_be_told_apart() {
        assert!(ancestors().contains(&rustix::process::getppid().unwrap().as_raw_pid()));
        let parent = ancestors()[0];
        let found = Service::held(Listener::Held(vec![parent]));
        assert!(matches!(found, Service::Unknown(Unknown::Parent { .. })), "{found:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn whoever_listens_on_this_machine_is_found() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", tcp.local_addr().unwrap()).parse().unwrap();
        assert_eq!(Service::at(&url).await, Service::Found(vec![std::process::id().cast_signed()]));
        drop(tcp);
        // Nobody on this machine listens, and the address is this machine's: it is forwarded somewhere.
        assert_eq!(Service::at(&url).await, Service::Unknown(Unknown::Container));
    }

    #[test]
    fn a_forwarder_is_known_by_any_of_its_names() {
        for name in
            ["nginx", "pasta", "pasta.avx2", "com.docker.back", "stunnel4", "linkerd2-proxy", "vpnkit"]
        {
            assert!(is_among(&FORWARDERS, name), "{name}");
        }
        for name in ["", ".", "com", "api", "nginx-api", "4", "sshd-x"] {
            assert!(!is_among(&FORWARDERS, name), "{name}");
        }
        assert!(is_among(&STARTERS, "docker-compose") && is_among(&STARTERS, "docker"));
    }

    #[test]
    fn who_cannot_be_looked_at_is_not_guessed() {
        assert_eq!(Service::held(Listener::Hidden), Service::Unknown(Unknown::NoPermission));
    }
}
