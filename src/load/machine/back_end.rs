//! Who works for a service on this machine: the other ends of the connections that its processes have open.
//!
//! A regression of a database is one of its service. So where there may be one, others cannot be told from the
//! service; and where there is none, a service must not lose its excuse. What is read here one after the other is no
//! snapshot: a connection that is opened meanwhile is seen at one end only.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::listener::{self, Routes};
use super::service::is_here;
use super::text::{self, Socket, UnixSocket};
use super::unix_peer;

/// Where an address is, as seen from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is one of its own. What a port of it is forwarded to, as that of a container is, is on it as well.
    Here,
    /// It may be that of a container or a virtual machine on it.
    NextDoor,
    /// On another machine.
    Elsewhere,
}

/// Whose the ends of connections are, by their inodes.
#[derive(Debug, Default)]
struct Whose {
    ours: BTreeSet<u64>,
    /// Those of loadgate, which do not count.
    known: BTreeSet<u64>,
}

/// All sockets, read one after the other.
#[derive(Debug)]
struct Seen {
    tcp: Vec<Socket>,
    /// `/proc/net/unix`.
    unix: String,
    /// None where the kernel does not tell who is at the other end.
    peers: Option<BTreeMap<u32, unix_peer::End>>,
}

/// The other end, on this machine, of a connection that these processes have open: whatever works for them here.
/// `own` are the processes whose ends do not count. Where there seems to be one, `everybody` says which processes the
/// service has by now.
pub(super) fn address(of: &[i32], own: &[i32], everybody: impl FnOnce() -> Vec<i32>) -> Option<String> {
    let whose = Whose::read(of, own);
    let seen =
        Seen { tcp: listener::tcp_sockets(), unix: listener::unix_text(), peers: unix_peer::connected() };
    seen.confirmed(whose, || Whose::read(&everybody(), own))
}

impl Whose {
    fn read(of: &[i32], own: &[i32]) -> Self {
        let inodes = |pids: &[i32]| pids.iter().flat_map(|pid| listener::inodes_of(*pid)).collect();
        Self { ours: inodes(of), known: inodes(own) }
    }

    /// Whether an end is of the service or of loadgate.
    fn has(&self, inode: u64) -> bool {
        self.ours.contains(&inode) || self.known.contains(&inode)
    }
}

impl Seen {
    /// A back end. Who seems to be one may have taken a connection after its own ends were read, or joined the
    /// service: they are read again, after the sockets were.
    fn confirmed(&self, mut whose: Whose, again: impl FnOnce() -> Whose) -> Option<String> {
        self.back_end(&whose)?;
        let now = again();
        whose.ours.extend(now.ours);
        whose.known.extend(now.known);
        self.back_end(&whose)
    }

    fn back_end(&self, whose: &Whose) -> Option<String> {
        let routes = LazyCell::new(Routes::read);
        let place = |ip: IpAddr| {
            if is_here(ip) {
                Place::Here
            } else if routes.lead_next_door(ip) {
                Place::NextDoor
            } else {
                Place::Elsewhere
            }
        };
        let tcp = || tcp_back_end(&self.tcp, whose, place).map(|address| address.to_string());
        tcp().or_else(|| {
            let sockets: Vec<UnixSocket<'_>> = text::unix_sockets(&self.unix).collect();
            match &self.peers {
                Some(peers) => unix_back_end(peers, &sockets, whose),
                None => possible_unix_back_end(&sockets, whose),
            }
        })
    }
}

fn tcp_back_end(all: &[Socket], whose: &Whose, place: impl Fn(IpAddr) -> Place) -> Option<SocketAddr> {
    // A service has tens of thousands of sockets: everything is looked up, and nothing is searched for each of them.
    let mut listeners: BTreeMap<u16, Vec<Socket>> = BTreeMap::new();
    for socket in all.iter().filter(|it| it.listens) {
        listeners.entry(socket.local.port()).or_default().push(*socket);
    }
    let ours = |sockets: &[Socket]| sockets.iter().any(|it| whose.ours.contains(&it.inode));
    let ports: BTreeSet<u16> = listeners.iter().filter(|(_, its)| ours(its)).map(|(port, _)| *port).collect();
    // Whoever connects to them is a client of theirs.
    let opened =
        |it: &&Socket| it.established && whose.ours.contains(&it.inode) && !ports.contains(&it.local.port());
    let opened: Vec<&Socket> = all.iter().filter(opened).collect();
    let mut other_ends: BTreeMap<(SocketAddr, SocketAddr), Option<u64>> =
        opened.iter().map(|it| ((it.remote, it.local), None)).collect();
    for it in all {
        if let Some(end) = other_ends.get_mut(&(it.local, it.remote)) {
            *end = (*end).max(Some(it.inode));
        }
    }
    // An end may not be accepted yet, and one that was may have been seen too late or not at all: it will be whose, or
    // was whose, who listens there.
    let is_taken = |address: SocketAddr| {
        let sockets = listeners.get(&address.port()).map_or(&[][..], Vec::as_slice);
        listener::listening(sockets, address).into_iter().any(|inode| whose.has(inode))
    };
    let mut places: BTreeMap<IpAddr, Place> = BTreeMap::new();
    let mut is_back_end = |it: &&Socket| match other_ends.get(&(it.remote, it.local)).copied().flatten() {
        Some(inode) => !whose.has(inode) && !is_taken(it.remote),
        // No other end in this network: of another machine, or of a container on this one. A listener of the service
        // takes what comes to this machine, and nothing that goes next door.
        None => match *places.entry(it.remote.ip()).or_insert_with_key(|ip| place(*ip)) {
            Place::Here => !is_taken(it.remote),
            Place::NextDoor => true,
            Place::Elsewhere => false,
        },
    };
    opened.into_iter().find(|it| is_back_end(it)).map(|it| it.remote)
}

/// Where a process of neither took a connection to a Unix socket that `ours` opened: an end that was accepted has
/// the name of its listener, one that was opened has none, and neither have pairs. Logs and buses of the system are
/// open in any service, and do not work for it.
fn unix_back_end(
    ends: &BTreeMap<u32, unix_peer::End>,
    sockets: &[UnixSocket<'_>],
    whose: &Whose,
) -> Option<String> {
    let taken = taken_by(sockets, whose);
    let accepted =
        ends.iter().filter_map(|(inode, end)| Some((u64::from(*inode), end.peer, end.name.as_deref()?)));
    let is_back_end = |(inode, peer, name): &(u64, u32, &str)| {
        let opened = whose.ours.contains(&u64::from(*peer));
        opened && !whose.has(*inode) && !taken.contains(name) && !serves_all(name)
    };
    accepted.into_iter().find(is_back_end).map(|(_, _, name)| format!("unix:{name}"))
}

/// Where the kernel does not tell which ends belong together: a socket at which another process took a connection, if
/// the service has opened any that loadgate has not handed on to it.
fn possible_unix_back_end(sockets: &[UnixSocket<'_>], whose: &Whose) -> Option<String> {
    let opened = |it: &UnixSocket<'_>| {
        it.connected
            && it.name.is_none()
            && whose.ours.contains(&it.inode)
            && !whose.known.contains(&it.inode)
    };
    if !sockets.iter().any(opened) {
        return None;
    }
    let taken = taken_by(sockets, whose);
    let accepted = sockets.iter().filter(|it| it.connected && !whose.has(it.inode));
    let mut names = accepted.filter_map(|it| it.name);
    let name = names.find(|name| !taken.contains(name) && !serves_all(name))?;
    Some(format!("unix:{name} (perhaps: this system does not tell who is connected there)"))
}

/// The names of the Unix sockets at which the service or loadgate listens: an end with such a name, of whomever it
/// was when it was read, is theirs.
fn taken_by<'a>(sockets: &[UnixSocket<'a>], whose: &Whose) -> BTreeSet<&'a str> {
    sockets.iter().filter(|it| it.listens && whose.has(it.inode)).filter_map(|it| it.name).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(ours: &[u64], known: &[u64]) -> Whose {
        let set = |inodes: &[u64]| inodes.iter().copied().collect();
        Whose { ours: set(ours), known: set(known) }
    }

    fn listens(local: &str, inode: u64) -> Socket {
        let (local, remote) = (local.parse().unwrap(), "0.0.0.0:0".parse().unwrap());
        Socket { local, remote, listens: true, established: false, inode }
    }

    fn end(local: &str, remote: &str, inode: u64) -> Socket {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        Socket { local, remote, listens: false, established: true, inode }
    }

    /// Loopback and 10.1.0.4 are of this machine, 172.17.0.2 is a container on it.
    fn place(ip: IpAddr) -> Place {
        match ip.to_string().as_str() {
            "127.0.0.1" | "::1" | "10.1.0.4" => Place::Here,
            "172.17.0.2" => Place::NextDoor,
            _ => Place::Elsewhere,
        }
    }

    fn tcp(all: &[Socket], ours: &[u64]) -> Option<String> {
        tcp_back_end(all, &whose(ours, &[90]), place).map(|address| address.to_string())
    }

    const CACHE: &str = "127.0.0.1:6379";
    const API: &str = "127.0.0.1:41000";

    #[test]
    fn who_takes_a_connection_of_the_service_works_for_it() {
        let both = [listens(CACHE, 1), end(API, CACHE, 2), end(CACHE, API, 3)];
        assert_eq!(tcp(&both, &[2]).as_deref(), Some(CACHE));
        assert_eq!(
            (tcp(&both, &[2, 1, 3]), tcp(&both, &[1, 3])),
            (None, None),
            "of the service itself, a client"
        );
        let waits = [listens(CACHE, 1), end(API, CACHE, 2), end(CACHE, API, 0)];
        assert_eq!(
            (tcp(&waits, &[2]).as_deref(), tcp(&waits, &[1, 2])),
            (Some(CACHE), None),
            "not accepted yet"
        );
        let of_loadgate = [listens(CACHE, 90), end(API, CACHE, 2), end(CACHE, API, 3)];
        assert_eq!(tcp(&of_loadgate, &[2]), None);
    }

    #[test]
    fn a_connection_within_the_service_that_is_opened_while_it_is_read_has_no_back_end() {
        // The end of the cache was not among its own yet, or was gone already, or was not there yet.
        let (listener, api) = (listens(CACHE, 1), end(API, CACHE, 2));
        assert_eq!(tcp(&[listener, api, end(CACHE, API, 3)], &[1, 2]), None);
        assert_eq!(tcp(&[listener, api], &[1, 2]), None);
        assert_eq!(tcp(&[listens("0.0.0.0:6379", 1), api], &[1, 2]), None);
        assert_eq!(tcp(&[listener, api], &[2]).as_deref(), Some(CACHE), "the cache is another's");
        let through = end("10.1.0.4:41000", "10.1.0.4:6379", 2);
        assert_eq!(tcp(&[listens("[::]:6379", 1), through], &[1, 2]), None);
    }

    #[test]
    fn a_port_of_this_machine_that_is_forwarded_leads_to_a_back_end() {
        // A published port of a container: the other end is in the network of that.
        let forwarded = end("10.1.0.4:41000", "10.1.0.4:5432", 2);
        assert_eq!(tcp(&[forwarded], &[2]).as_deref(), Some("10.1.0.4:5432"));
        let proxy = listens("0.0.0.0:5432", 8);
        assert_eq!(tcp(&[proxy, forwarded], &[2]).as_deref(), Some("10.1.0.4:5432"));
        assert_eq!(tcp(&[end("10.1.0.4:41000", "93.184.216.34:5432", 2)], &[2]), None, "another machine");
        // The service has the same port, and not that of the container.
        let next_door = end("172.17.0.1:41000", "172.17.0.2:8080", 2);
        assert_eq!(
            tcp(&[listens("0.0.0.0:8080", 1), next_door], &[1, 2]).as_deref(),
            Some("172.17.0.2:8080")
        );
    }

    #[test]
    fn the_sockets_of_many_users_are_looked_up() {
        let mut all = vec![listens("[::]:80", 1)];
        for port in 20_000_u16..30_000 {
            let client = format!("127.0.0.1:{port}");
            all.extend([
                end("127.0.0.1:80", &client, 100_000 + u64::from(port)),
                end(&client, "127.0.0.1:80", 0),
            ]);
        }
        let ours: Vec<u64> = all.iter().map(|it| it.inode).filter(|inode| *inode > 0).collect();
        assert_eq!(tcp(&all, &ours), None);
        all.push(end(API, CACHE, 2));
        assert_eq!(tcp(&all, &[&ours[..], &[2]].concat()).as_deref(), Some(CACHE));
    }

    #[test]
    fn who_seems_to_work_for_the_service_is_asked_once_more_who_it_is() {
        // Nobody listens any more.
        let tcp = vec![end(API, CACHE, 2), end(CACHE, API, 3)];
        let seen = Seen { tcp, unix: String::new(), peers: Some(BTreeMap::new()) };
        let of = |again: &[u64]| seen.confirmed(whose(&[2], &[]), || whose(again, &[]));
        assert_eq!(of(&[]).as_deref(), Some(CACHE));
        assert_eq!((of(&[3]), of(&[2, 3])), (None, None), "it was taken, or its process joined, since");
        let nobody = || -> Whose { unreachable!("there is nothing to ask") };
        assert_eq!(seen.confirmed(whose(&[2, 3], &[]), nobody), None);
    }

    fn unix(inode: u64, listens: bool, name: Option<&str>) -> UnixSocket<'_> {
        UnixSocket { inode, listens, connected: !listens, name }
    }

    const DATABASE: &str = "/run/postgresql/.s.PGSQL.5432";
    const SYSTEM: [&str; 3] =
        ["/run/systemd/journal/stdout", "/run/dbus/system_bus_socket", "/run/user/7/bus"];

    #[test]
    fn who_accepted_a_connection_to_a_unix_socket_is_a_back_end() {
        let of = |name: Option<&str>, ours: &[u64], known: &[u64]| {
            let end = |peer, name: Option<&str>| unix_peer::End { peer, name: name.map(str::to_owned) };
            let ends = BTreeMap::from([(7, end(8, name)), (8, end(7, None))]);
            let sockets = [unix(6, true, name), unix(7, false, name), unix(8, false, None)];
            unix_back_end(&ends, &sockets, &whose(ours, known))
        };
        let (database, found) = (Some(DATABASE), Some(format!("unix:{DATABASE}")));
        assert_eq!(of(database, &[8], &[]), found);
        assert_eq!((of(database, &[7, 8], &[]), of(database, &[8], &[7])), (None, None), "ours at both ends");
        assert_eq!(of(database, &[6, 8], &[]), None, "ours will be at both ends");
        assert_eq!(of(database, &[7], &[]), None, "a client of ours");
        assert_eq!(of(None, &[8], &[]), None, "a pair, as standard output may be");
        for system in SYSTEM {
            assert_eq!(of(Some(system), &[8], &[]), None, "{system}");
        }
    }

    #[test]
    fn where_the_kernel_does_not_tell_who_is_connected_a_back_end_is_possible() {
        let of = |name: Option<&str>, ours: &[u64], known: &[u64]| {
            let sockets = [unix(6, true, name), unix(7, false, name), unix(8, false, None)];
            possible_unix_back_end(&sockets, &whose(ours, known))
        };
        let database = Some(DATABASE);
        let found = of(database, &[8], &[]).unwrap();
        assert!(found.starts_with(&format!("unix:{DATABASE} (perhaps")), "{found}");
        assert_eq!(
            (of(database, &[8, 7], &[]), of(database, &[8, 6], &[])),
            (None, None),
            "ours at both ends"
        );
        assert_eq!((of(database, &[7], &[]), of(database, &[], &[])), (None, None), "nothing was opened");
        assert_eq!(of(database, &[8], &[8]), None, "handed on by loadgate");
        assert_eq!(of(None, &[8], &[]), None, "pairs alone");
        for system in SYSTEM {
            assert_eq!(of(Some(system), &[8], &[]), None, "{system}");
        }
        // What is read decides which way is taken.
        let line = |fields: &str| format!("0000000000000000: 00000003 00000000 00000000 {fields}\n");
        let text = format!("header\n{}{}", line(&format!("0001 03 7 {DATABASE}")), line("0001 03 8"));
        let seen = |peers| Seen { tcp: Vec::new(), unix: text.clone(), peers };
        let again = || whose(&[8], &[]);
        assert!(seen(None).confirmed(whose(&[8], &[]), again).is_some());
        assert_eq!(seen(Some(BTreeMap::new())).confirmed(whose(&[8], &[]), again), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_within_one_process_has_no_back_end() {
        let own = std::process::id().cast_signed();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let connection = std::net::TcpStream::connect(address).unwrap();
        let client = connection.local_addr().unwrap();
        let ends = [(address, client), (client, address)];
        let is_of_this =
            |it: &Socket| ends.contains(&(it.local, it.remote)) || it.listens && it.local == address;
        // While others come and go, one may be missing in what is read.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let sockets = loop {
            let sockets: Vec<Socket> = listener::tcp_sockets().into_iter().filter(is_of_this).collect();
            if sockets.len() == 3 {
                break sockets;
            }
            assert!(std::time::Instant::now() < end, "{sockets:?}");
        };
        let place = |_| Place::Here;
        assert_eq!(tcp_back_end(&sockets, &Whose::read(&[own], &[]), place), None);
        let opened = sockets.iter().find(|it| it.local == client).unwrap().inode;
        assert_eq!(tcp_back_end(&sockets, &whose(&[opened], &[]), place), Some(address));
    }
}
