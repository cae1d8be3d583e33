//! Texts of the kernel as values. Pure; what cannot be read is none and never zero.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// CPU time in clock ticks, of one CPU or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticks {
    /// User, nice and system time. What a guest of this machine used is part of it already.
    pub busy: u64,
    /// Idle, with or without waiting for a disk.
    pub idle: u64,
    /// Interrupts: of the network above all, and nobody's in particular.
    pub interrupts: u64,
    /// Taken by a hypervisor.
    pub steal: u64,
}

impl Ticks {
    /// All of it: the time that passed on every CPU.
    pub fn total(&self) -> u64 {
        self.busy + self.idle + self.interrupts + self.steal
    }
}

/// `/proc/stat`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stat {
    /// All CPUs.
    pub(super) all: Ticks,
    /// Each of those that are online, with its number.
    pub(super) each: Vec<(usize, Ticks)>,
    /// Processes and threads that were started since the start of the machine.
    pub(super) forks: Option<u64>,
}

/// user nice system idle iowait irq softirq steal; kernels before 2.6.11 have no steal.
pub(super) fn stat(text: &str) -> Option<Stat> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?.strip_prefix("cpu")?.to_owned();
        let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        let at = |index: usize| ticks.get(index).copied();
        let busy = at(0)? + at(1)? + at(2)?;
        let interrupts = at(5).unwrap_or(0) + at(6).unwrap_or(0);
        let steal = at(7).unwrap_or(0);
        Some((name, Ticks { busy, idle: at(3)? + at(4).unwrap_or(0), interrupts, steal }))
    };
    let (mut all, mut each) = (None, Vec::new());
    for (name, ticks) in text.lines().take_while(|line| line.starts_with("cpu")).filter_map(line) {
        match name.parse() {
            Ok(number) => each.push((number, ticks)),
            Err(_) => all = Some(ticks),
        }
    }
    let forks = text.lines().find_map(|line| line.strip_prefix("processes ")?.trim().parse().ok());
    Some(Stat { all: all?, each, forks })
}

/// Microseconds in which some task waited: `/proc/pressure/cpu`.
pub(super) fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_ascii_whitespace().find_map(|field| field.strip_prefix("total=")?.parse().ok())
}

/// Periods in which a control group was throttled, and all of its periods: `cpu.stat`, alike in both versions.
pub(super) fn throttled(text: &str) -> Option<[u64; 2]> {
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some([field("nr_throttled")?, field("nr_periods")?])
}

/// The folders, of which the first that is there holds `cpu.stat` of the group of a process, by its
/// `/proc/PID/cgroup`: those of version 1, of version 2 beside it, of version 2 alone; as seen from the machine,
/// then as seen from inside a container.
pub(super) fn group_folders(cgroup: &str) -> Vec<String> {
    const ROOT: &str = "/sys/fs/cgroup";
    let (mut first, mut second, mut inside) = (Vec::new(), Vec::new(), Vec::new());
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_end_matches('/');
        if controllers.split(',').any(|name| name == "cpu") {
            for name in [controllers, "cpu"] {
                first.push(format!("{ROOT}/{name}{path}"));
                // The path is that of the machine, and what is mounted is the group of the container.
                inside.push(format!("{ROOT}/{name}"));
            }
        } else if controllers.is_empty() {
            second.push(format!("{ROOT}/unified{path}"));
            second.push(format!("{ROOT}{path}"));
        }
    }
    inside.push(ROOT.to_owned());
    [first, second, inside].concat()
}

/// The CPUs that a process may use, of `/proc/PID/status`: `0-3,8`.
pub(super) fn allowed(status: &str) -> Option<BTreeSet<usize>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let mut cpus = BTreeSet::new();
    for range in list.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(from.parse::<usize>().ok()?..=to.parse::<usize>().ok()?);
    }
    Some(cpus)
}

/// A socket of `/proc/net/tcp` or `/proc/net/tcp6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) listens: bool,
    /// Whether both ends are connected.
    pub(super) established: bool,
    pub(super) inode: u64,
}

/// All sockets of such a file.
pub(super) fn sockets(text: &str) -> Vec<Socket> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        Some(Socket {
            local: address(fields.get(1)?)?,
            remote: address(fields.get(2)?)?,
            listens: *fields.get(3)? == "0A",
            established: *fields.get(3)? == "01",
            inode: fields.get(9)?.parse().ok()?,
        })
    };
    text.lines().skip(1).filter_map(socket).collect()
}

/// `0100007F:1F90`: words of 32 bits in the order of this machine, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words: Option<Vec<[u8; 4]>> = (0..ip.len())
        .step_by(8)
        .map(|at| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes()))
        .collect();
    let bytes = words?.concat();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    // An IPv4 connection of an IPv6 socket.
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

/// A socket of `/proc/net/unix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnixSocket<'a> {
    pub(super) inode: u64,
    pub(super) listens: bool,
    /// Whether it is one end of a connection, as those of streams are.
    pub(super) connected: bool,
    /// Where it listens, or was accepted: the end of a client has none, and neither have pairs.
    pub(super) name: Option<&'a str>,
}

/// All sockets of that file: address, references, protocol, flags, type, state, inode, name.
pub(super) fn unix_sockets(text: &str) -> impl Iterator<Item = UnixSocket<'_>> {
    const ACCEPTS: u64 = 0x1_0000;
    /// `SOCK_STREAM` and `SOCK_SEQPACKET`.
    const OF_CONNECTIONS: [u64; 2] = [1, 5];
    const CONNECTED: u64 = 3;
    let socket = |line| {
        let mut rest: &str = line;
        let mut fields = [""; 7];
        for field in &mut fields {
            rest = rest.trim_start_matches(' ');
            (*field, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        }
        let [_, _, _, flags, kind, state, inode] = fields;
        let [flags, kind, state] = [flags, kind, state].map(|field| u64::from_str_radix(field, 16).ok());
        let listens = flags? & ACCEPTS != 0;
        Some(UnixSocket {
            inode: inode.parse().ok()?,
            listens,
            connected: !listens && OF_CONNECTIONS.contains(&kind?) && state? == CONNECTED,
            // A name may have blanks in it, and before it.
            name: rest.strip_prefix(' ').filter(|name| !name.is_empty()),
        })
    };
    text.lines().skip(1).filter_map(socket)
}

/// The inode that a link of `/proc/PID/fd` names.
pub(super) fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The interface through which an address is reached without a gateway, of `/proc/net/route`; none where there
/// is a gateway, or no route.
pub(super) fn on_link(route: &str, to: Ipv4Addr) -> Option<String> {
    let number = |text: &str| Some(u32::from_be_bytes(u32::from_str_radix(text, 16).ok()?.to_ne_bytes()));
    let routes = route.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (destination, gateway) = (number(fields.get(1)?)?, number(fields.get(2)?)?);
        let mask = number(fields.get(7)?)?;
        (u32::from(to) & mask == destination).then(|| (mask, gateway, (*fields[0]).to_owned()))
    });
    let (_, gateway, interface) = routes.max_by_key(|(mask, ..)| *mask)?;
    (gateway == 0).then_some(interface)
}

/// The same of IPv6, of `/proc/net/ipv6_route`: destination, length of its prefix, source, length of that, gateway,
/// metric, two counters, flags, interface.
pub(super) fn on_link_v6(route: &str, to: Ipv6Addr) -> Option<String> {
    /// Of a route that refuses what takes it.
    const REJECTS: u32 = 0x200;
    let number = |text: &str| u128::from_str_radix(text, 16).ok();
    let routes = route.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (destination, gateway) = (number(fields.first()?)?, number(fields.get(4)?)?);
        let length = u32::from_str_radix(fields.get(1)?, 16).ok().filter(|length| *length <= 128)?;
        let flags = u32::from_str_radix(fields.get(8)?, 16).ok()?;
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        let leads_there = flags & REJECTS == 0 && u128::from(to) & mask == destination & mask;
        leads_there.then_some((length, gateway, (*fields.get(9)?).to_owned()))
    });
    let (_, gateway, interface) = routes.max_by_key(|(length, ..)| *length)?;
    (gateway == 0).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 6.8, two CPUs of a virtual machine, one guest among them.
    const STAT: &str = "cpu  61340 7 6183 13593 263 0 75 54 900 0\ncpu0 29944 3 2775 7894 83 0 10 28 900 0\n\
        cpu1 31396 4 3407 5699 179 0 65 26 0 0\nintr 1 2 3\nctxt 5\nbtime 1764470000\nprocesses 4242\n";

    #[test]
    fn busy_is_what_processes_used_and_a_guest_is_not_counted_twice() {
        let found = stat(STAT).unwrap();
        assert_eq!(found.all, Ticks { busy: 67_530, idle: 13_856, interrupts: 75, steal: 54 });
        assert_eq!((found.each.len(), found.each[1].0, found.each[1].1.busy), (2, 1, 34_807));
        // The first line adds up, and the CPUs beside it are part of it.
        assert_eq!((found.all.total(), found.forks), (67_530 + 13_856 + 75 + 54, Some(4_242)));
    }

    #[test]
    fn a_cpu_that_is_offline_leaves_a_gap_and_an_old_kernel_has_no_steal() {
        let found = stat("cpu 4 0 4 8\ncpu0 2 0 2 4\ncpu3 2 0 2 4\n").unwrap();
        assert_eq!(found.each.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(found.all, Ticks { busy: 8, idle: 8, interrupts: 0, steal: 0 });
        assert_eq!((stat(""), stat("cpu0 1 2 3 4\n"), stat("cpu x\n")), (None, None, None));
    }

    #[test]
    fn pressure_is_the_time_in_which_some_task_waited() {
        let text = "some avg10=14.61 avg60=12.26 avg300=10.24 total=54562636\nfull avg10=0.00 total=0\n";
        assert_eq!((pressure(text), pressure("full total=3"), pressure("")), (Some(54_562_636), None, None));
    }

    #[test]
    fn throttling_is_read_of_both_versions() {
        let two =
            "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 40\nnr_throttled 7\nthrottled_usec 9\n";
        let one = "nr_periods 40\nnr_throttled 7\nthrottled_time 9000\n";
        assert_eq!([throttled(two), throttled(one)], [Some([7, 40]); 2]);
        // The root of version 2 has no quota, and says nothing of one.
        assert_eq!(throttled("usage_usec 5\n"), None);
    }

    #[test]
    fn a_group_is_looked_for_where_each_version_has_it() {
        let hybrid = "9:name=systemd:/\n2:cpuacct:/\n1:cpu:/jobs/7\n0::/\n";
        assert_eq!(
            group_folders(hybrid),
            [
                "/sys/fs/cgroup/cpu/jobs/7",
                "/sys/fs/cgroup/cpu/jobs/7",
                "/sys/fs/cgroup/unified",
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/cpu",
                "/sys/fs/cgroup/cpu",
                "/sys/fs/cgroup"
            ]
        );
        let contained = group_folders("4:cpu,cpuacct:/docker/ab\n");
        assert_eq!(contained[0], "/sys/fs/cgroup/cpu,cpuacct/docker/ab");
        // Version 1 in a container: the path is that of the machine, and not mounted.
        assert_eq!(contained[2..], ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup"]);
        let unified = group_folders("0::/system.slice/actions.runner.service\n");
        assert!(unified.contains(&"/sys/fs/cgroup/system.slice/actions.runner.service".to_owned()));
    }

    #[test]
    fn allowed_cpus_are_a_list_of_ranges() {
        assert_eq!(allowed("Name:\tx\nCpus_allowed_list:\t0-2,8\n"), Some([0, 1, 2, 8].into()));
        assert_eq!((allowed("Cpus_allowed_list:\t\n"), allowed("")), (None, None));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn sockets_of_both_families_have_the_same_addresses() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 52713 1 0 100 0\n   \
            1: 0100007F:D431 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 52999 1 0 20 4\n";
        let found = sockets(tcp);
        assert_eq!(found[0].local, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((found[0].listens, found[0].inode, found[1].established), (true, 52_713, true));
        assert_eq!(found[1].remote, "127.0.0.1:5432".parse().unwrap());
        let tcp6 = "  sl  local_address                         remote_address                        st tx_queue\n   \
            0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 7 1\n   \
            1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:D431 01 0:0 00:0 0     0        0 8 1\n   \
            2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 9 1\n";
        let found = sockets(tcp6);
        assert_eq!(found[0].local, "[::]:80".parse().unwrap());
        assert_eq!(found[1].local, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(found[2].local, "[::1]:8080".parse().unwrap());
        assert_eq!(sockets("header\n 0: zz:1 00:0 0A\n\n"), []);
    }

    #[test]
    fn a_unix_socket_that_listens_is_told_from_its_connections() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 30542 /run/my app.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 30543 /run/my app.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03   544\n\
            0000000000000000: 00000003 00000000 00000000 0002 03 30545 /run/log\n\
            0000000000000000: 00000003 00000000 00000000 0005 03 30546 @bus\n\
            0000000000000000: 00000003\n\n";
        let found: Vec<UnixSocket<'_>> = unix_sockets(text).collect();
        let listens = |it: &UnixSocket<'_>| (it.inode, it.listens, it.connected, it.name.map(str::to_owned));
        let app = || Some("/run/my app.sock".to_owned());
        assert_eq!(
            found.iter().map(listens).collect::<Vec<_>>(),
            [
                (30_542, true, false, app()),
                (30_543, false, true, app()),
                (544, false, true, None),
                (30_545, false, false, Some("/run/log".to_owned())),
                (30_546, false, true, Some("@bus".to_owned())),
            ]
        );
        assert_eq!((socket_inode("socket:[42]"), socket_inode("pipe:[42]")), (Some(42), None));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn an_address_without_a_gateway_is_next_door() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(on_link(text, "172.17.0.2".parse().unwrap()).as_deref(), Some("docker0"));
        assert_eq!(on_link(text, "93.184.216.34".parse().unwrap()), None);
        assert_eq!(on_link("", "10.0.0.1".parse().unwrap()), None);
        assert_eq!(on_link("Iface\n\nx\n", "10.0.0.1".parse().unwrap()), None, "a line that says nothing");
    }

    #[test]
    fn an_address_of_ipv6_without_a_gateway_is_next_door() {
        let zeros = "00000000000000000000000000000000";
        let text = format!(
            "fd000017000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001 docker0\n\
             {zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\n"
        );
        let of = |text: &str, to: &str| on_link_v6(text, to.parse().unwrap());
        assert_eq!(of(&text, "fd00:17::2").as_deref(), Some("docker0"));
        assert_eq!((of(&text, "2606:2800::1"), of("", "::2"), of("x y", "::2")), (None, None, None));
    }
}
