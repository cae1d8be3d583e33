//! Who listens on an address of this machine: the socket that the kernel would hand a connection to, and the
//! processes that hold it. On Linux only; elsewhere nobody is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::{text, tree, unix_peer};

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
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    held_by(&text::unix_listeners(&text, &path.to_string_lossy()).into_iter().collect())
}

/// The other end, on this machine, of a connection that these processes have open: whatever works for them here.
/// `own` are the processes whose ends do not count.
pub fn back_end(of: &[i32], own: &[i32]) -> Option<String> {
    let inodes = |pids: &[i32]| pids.iter().flat_map(|pid| inodes_of(*pid)).collect::<BTreeSet<u64>>();
    let (ours, known) = (inodes(of), inodes(own));
    let tcp = || tcp_back_ends(&ours, &known).into_iter().next().map(|address| address.to_string());
    tcp().or_else(|| unix_back_end(&unix_peer::connected(), &ours, &known))
}

/// Where a process of neither took a connection to a Unix socket that `ours` opened: an end that was accepted has
/// the name of its listener, one that was opened has none, and neither have pairs. Logs and buses of the system are
/// open in any service, and do not work for it.
fn unix_back_end(
    ends: &BTreeMap<u32, unix_peer::End>,
    ours: &BTreeSet<u64>,
    known: &BTreeSet<u64>,
) -> Option<String> {
    let accepted = ends.iter().filter_map(|(inode, end)| Some((*inode, end.peer, end.name.as_deref()?)));
    let is_back_end = |(inode, peer, name): &(u32, u32, &str)| {
        let is = |among: &BTreeSet<u64>, inode: u32| among.contains(&u64::from(inode));
        is(ours, *peer) && !is(ours, *inode) && !is(known, *inode) && !serves_all(name)
    };
    accepted.into_iter().find(is_back_end).map(|(_, _, name)| format!("unix:{name}"))
}

/// Whether a socket is that of a service of the system, which has connections to nearly everything.
fn serves_all(name: &str) -> bool {
    let folders = ["systemd/", "dbus/", "user/", "nscd/", "avahi-daemon/"];
    let folder = name.strip_prefix("/run/").or_else(|| name.strip_prefix("/var/run/"));
    folder.is_some_and(|rest| folders.iter().any(|folder| rest.starts_with(folder)))
        || ["/dev/log", "/var/lib/sss/", "/tmp/.X11-unix/", "@/tmp/.X11-unix/", "@/tmp/dbus-", "/tmp/dbus-"]
            .iter()
            .any(|start| name.starts_with(start))
}

fn tcp_back_ends(ours: &BTreeSet<u64>, known: &BTreeSet<u64>) -> Vec<SocketAddr> {
    let all = tcp_sockets();
    let listens =
        |port: u16| all.iter().any(|it| it.listens && it.local.port() == port && ours.contains(&it.inode));
    // Whoever connects to them is a client of theirs.
    let opened = |it: &&text::Socket| it.established && ours.contains(&it.inode) && !listens(it.local.port());
    let connected = all.iter().filter(opened);
    let is_known = |inode: &u64| known.contains(inode) || ours.contains(inode);
    let elsewhere = connected.filter(|socket| {
        let other = |end: &&text::Socket| end.local == socket.remote && end.remote == socket.local;
        match all.iter().find(other) {
            // Not accepted yet, an end is nobody's: it will be whose who listens there.
            Some(end) if end.inode == 0 => !listening(&all, socket.remote).iter().any(is_known),
            Some(end) => !is_known(&end.inode),
            // No other end in this network: of another machine, or of a container on this one.
            None => socket.remote.ip().is_loopback() || is_next_door(socket.remote.ip()),
        }
    });
    elsewhere.map(|socket| socket.remote).collect()
}

/// Whether an address, though not one of this machine's own, may be that of a container or a virtual machine on
/// it: it is reached without a gateway, through an interface that no device stands behind, or from inside of a
/// container.
pub fn is_next_door(ip: IpAddr) -> bool {
    let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
    let interface = match ip.to_canonical() {
        IpAddr::V4(ip) => text::on_link(&read("/proc/net/route"), ip),
        IpAddr::V6(ip) => text::on_link_v6(&read("/proc/net/ipv6_route"), ip),
    };
    interface.is_some_and(|interface| {
        let folder = Path::new("/sys/class/net").join(interface);
        // Where the interfaces cannot be seen, nobody knows what they are.
        folder.exists() && is_virtual(&folder) || is_contained()
    })
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

fn tcp_sockets() -> Vec<text::Socket> {
    let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|name| text::sockets(&read(name))).collect()
}

/// The inodes of the sockets that take connections to an address: those bound to it; without any, those bound to
/// all addresses of its family; without any, those of IPv6 that take IPv4 as well.
fn listening(all: &[text::Socket], address: SocketAddr) -> BTreeSet<u64> {
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
fn inodes_of(pid: i32) -> Vec<u64> {
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_within_one_process_has_no_back_end() {
        let own = std::process::id().cast_signed();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let _connection = std::net::TcpStream::connect(address).unwrap();
        let ours: BTreeSet<u64> = inodes_of(own).into_iter().collect();
        assert!(!tcp_back_ends(&ours, &BTreeSet::new()).contains(&address));
    }

    #[test]
    fn who_accepted_a_connection_to_a_unix_socket_is_a_back_end() {
        let end = |peer, name: Option<&str>| unix_peer::End { peer, name: name.map(str::to_owned) };
        let of = |name: Option<&str>, ours: &[u64], known: &[u64]| {
            let ends = BTreeMap::from([(7, end(8, name)), (8, end(7, None))]);
            let set = |inodes: &[u64]| inodes.iter().copied().collect::<BTreeSet<u64>>();
            unix_back_end(&ends, &set(ours), &set(known))
        };
        let database = Some("/run/postgresql/.s.PGSQL.5432");
        assert_eq!(of(database, &[8], &[]).as_deref(), Some("unix:/run/postgresql/.s.PGSQL.5432"));
        assert_eq!((of(database, &[7, 8], &[]), of(database, &[8], &[7])), (None, None), "ours at both ends");
        assert_eq!(of(database, &[7], &[]), None, "a client of ours");
        assert_eq!(of(None, &[8], &[]), None, "a pair, as standard output may be");
        for system in ["/run/systemd/journal/stdout", "/run/dbus/system_bus_socket", "/run/user/7/bus"] {
            assert_eq!(of(Some(system), &[8], &[]), None, "{system}");
        }
    }
}
