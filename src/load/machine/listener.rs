//! Who listens on an address of this machine: the socket that the kernel would hand a connection to, and the
//! processes that hold it. On Linux only; elsewhere nobody is found.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::{text, tree};

/// Words of a command that are shown, and characters of each.
const MOST_WORDS: usize = 2;
const LONGEST_WORD: usize = 80;

/// Who listens on an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// No socket here: another network, as that of a container, or another system.
    None,
    /// A socket, and nobody who may be looked at holds it.
    Hidden,
    /// These processes hold it.
    Held(Vec<i32>),
}

/// Who listens on a TCP address.
pub fn of_address(address: SocketAddr) -> Listener {
    let all: Vec<text::Socket> = tcp_sockets();
    held_by(&listening(&all, address))
}

/// Who listens on a Unix socket.
pub fn of_path(path: &Path) -> Listener {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (text, path) = (unix_text(), path.to_string_lossy());
    let listening = text::unix_sockets(&text).filter(|it| it.listens && it.name == Some(&*path));
    held_by(&listening.map(|it| it.inode).collect())
}

/// Whether an address, though not one of this machine's own, may be that of a container or a virtual machine on
/// it: it is reached without a gateway, through an interface that no device stands behind, or from inside of a
/// container.
pub fn is_next_door(ip: IpAddr) -> bool {
    Routes::read().lead_next_door(ip)
}

/// The routes of this machine, to be asked of any number of addresses.
#[derive(Debug)]
pub(super) struct Routes {
    v4: String,
    v6: String,
}

impl Routes {
    pub(super) fn read() -> Self {
        let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
        Self { v4: read("/proc/net/route"), v6: read("/proc/net/ipv6_route") }
    }

    /// As [`is_next_door`].
    pub(super) fn lead_next_door(&self, ip: IpAddr) -> bool {
        let interface = match ip.to_canonical() {
            IpAddr::V4(ip) => text::on_link(&self.v4, ip),
            IpAddr::V6(ip) => text::on_link_v6(&self.v6, ip),
        };
        interface.is_some_and(|interface| {
            let folder = Path::new("/sys/class/net").join(interface);
            // Where the interfaces cannot be seen, nobody knows what they are.
            folder.exists() && is_virtual(&folder) || is_contained()
        })
    }
}

/// Whether what is reached through an interface is on this machine: a bridge, the end of a virtual cable. What
/// stands on top of a device, as a VLAN does, leads out of the machine, and so does a tunnel.
fn is_virtual(interface: &Path) -> bool {
    /// `ARPHRD_NONE`: that of `tun` and of `wg`.
    const NO_LINK: &str = "65534";
    let entries = fs::read_dir(interface).into_iter().flatten().flatten();
    let stacked = entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("lower_"));
    let kind = fs::read_to_string(interface.join("type")).unwrap_or_default();
    interface.join("bridge").exists()
        || !interface.join("device").exists() && !stacked && kind.trim() != NO_LINK
}

/// Whether this process itself runs in a container.
fn is_contained() -> bool {
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let named = ["docker", "kubepods", "containerd", "libpod", "lxc"];
    Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
        || named.iter().any(|name| group.contains(name))
}

pub(super) fn tcp_sockets() -> Vec<text::Socket> {
    let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|name| text::sockets(&read(name))).collect()
}

/// `/proc/net/unix`. A socket may be named in any bytes.
pub(super) fn unix_text() -> String {
    String::from_utf8_lossy(&fs::read("/proc/net/unix").unwrap_or_default()).into_owned()
}

/// The inodes of the sockets that take connections to an address: those bound to it; without any, those bound to
/// all addresses of its family; without any, those of IPv6 that take IPv4 as well.
pub(super) fn listening(all: &[text::Socket], address: SocketAddr) -> BTreeSet<u64> {
    let ip = address.ip().to_canonical();
    let any = |v4: bool| if v4 { IpAddr::from([0; 4]) } else { IpAddr::from([0_u8; 16]) };
    [ip, any(ip.is_ipv4()), any(false)]
        .into_iter()
        .map(|bound| {
            let here = |it: &&text::Socket| {
                it.listens && it.local.port() == address.port() && it.local.ip() == bound
            };
            all.iter().filter(here).map(|it| it.inode).collect::<BTreeSet<u64>>()
        })
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn held_by(inodes: &BTreeSet<u64>) -> Listener {
    if inodes.is_empty() {
        return Listener::None;
    }
    let holds = |pid: &i32| inodes_of(*pid).iter().any(|inode| inodes.contains(inode));
    let holders: Vec<i32> = tree::pids().into_iter().filter(holds).collect();
    if holders.is_empty() { Listener::Hidden } else { Listener::Held(holders) }
}

/// The sockets that a process holds; none of one that may not be looked at.
pub(super) fn inodes_of(pid: i32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| text::socket_inode(link.to_str()?)).collect()
}

/// The program of a process and what it was given first, for people: what follows may be nobody's business.
pub fn command_of(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .take(MOST_WORDS)
        .map(|word| String::from_utf8_lossy(word).chars().take(LONGEST_WORD).collect())
        .collect();
    if words.is_empty() { tree::process(pid).map_or_else(String::new, |it| it.name) } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(local: &str, inode: u64) -> text::Socket {
        let (local, remote) = (local.parse().unwrap(), "0.0.0.0:0".parse().unwrap());
        text::Socket { local, remote, listens: true, established: false, inode }
    }

    #[test]
    fn the_most_exact_socket_takes_the_connection() {
        let mut all = vec![socket("0.0.0.0:80", 1), socket("[::]:80", 2), socket("127.0.0.1:81", 3)];
        let of = |all: &[text::Socket], address: &str| {
            listening(all, address.parse().unwrap()).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&all, "127.0.0.1:80"), [1]);
        assert_eq!(of(&all, "[::1]:80"), [2]);
        assert_eq!(of(&all, "127.0.0.1:82"), [0; 0]);
        all.extend([socket("127.0.0.1:80", 4), socket("127.0.0.1:80", 5)]);
        assert_eq!(of(&all, "127.0.0.1:80"), [4, 5], "several share a port");
        assert_eq!(of(&[socket("[::]:9", 6)], "127.0.0.1:9"), [6]);
    }

    #[test]
    fn an_interface_without_a_device_is_virtual() {
        let folder = tempfile::tempdir().unwrap();
        let interface = |name: &str, entries: &[&str], kind: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            for entry in entries {
                fs::create_dir(path.join(entry)).unwrap();
            }
            fs::write(path.join("type"), format!("{kind}\n")).unwrap();
            is_virtual(&path)
        };
        assert!(!interface("eth0", &["device"], "1"));
        assert!(interface("cali1a2b", &[], "1") && interface("vboxnet0", &[], "1"));
        assert!(interface("docker0", &["bridge"], "1") && interface("br0", &["bridge", "lower_eth0"], "1"));
        assert!(!interface("bond0", &["lower_eth0"], "1"), "it stands on a device");
        assert!(!interface("wg0", &[], "65534"), "a tunnel");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_listens_where_it_does() {
        let own = std::process::id().cast_signed();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(of_address(tcp.local_addr().unwrap()), Listener::Held(vec![own]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        assert_eq!(of_path(&path), Listener::None);
        let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(of_path(&path), Listener::Held(vec![own]));
        assert!(command_of(own).contains("loadgate"));
    }
}
