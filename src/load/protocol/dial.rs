//! Connecting to a service that has several addresses: the first connection that is made is the one (Happy
//! Eyeballs, RFC 8305).
//!
//! A name may lead to an address that swallows connections, a broken IPv6 route as a rule. Whoever waits for it
//! before the next one is tried waits for minutes, and no real client does. So the next attempt begins while the
//! last is still under way, and at once where it has failed. Where all fail, the error that says most about the
//! service is told: that the machine has no IPv6 says nothing about a service that refuses over IPv4.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::io::Errno;

/// From the start of one attempt to the start of the next (RFC 8305, section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts that failed, each with its address, in the order in which they did.
pub type Failed = Vec<(SocketAddr, io::Error)>;

/// The addresses in the order in which user number `user` tries them: families in turn, beginning with that of the
/// first address, for the system puts the family first that it prefers; within a family, every user begins with
/// another one, so that the load is spread, and always with the same.
pub fn in_order(addresses: &[SocketAddr], user: usize) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let family = |v6: bool| {
        let mut members: Vec<SocketAddr> =
            addresses.iter().copied().filter(|address| address.is_ipv6() == v6).collect();
        // Name servers rotate their answers; a user must meet the same server again all the same.
        members.sort_unstable();
        members.dedup();
        let begin = user % members.len().max(1);
        members.rotate_left(begin);
        members
    };
    let (first, second) = (family(first_is_v6), family(!first_is_v6));
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|index| [first.get(index), second.get(index)]).flatten().copied().collect()
}

/// The first connection to one of these addresses. `pause` ends after [`ATTEMPT_DELAY`]. Attempts that lose are
/// dropped.
pub async fn race<T, C, P>(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> C,
    pause: impl Fn() -> P,
) -> Result<T, Failed>
where
    C: Future<Output = io::Result<T>>,
    P: Future<Output = ()>,
{
    if let [only] = addresses {
        return connect(*only).await.map_err(|error| vec![(*only, error)]);
    }
    let connect = &connect;
    let (mut left, mut failed) = (addresses.iter().copied(), Failed::new());
    let mut attempts = FuturesUnordered::new();
    loop {
        if let Some(address) = left.next() {
            attempts.push(async move { connect(address).await.map_err(|error| (address, error)) });
        }
        let more = left.len() > 0;
        tokio::select! {
            biased;
            ended = attempts.next() => match ended {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(attempt)) => failed.push(attempt),
                None => return Err(failed),
            },
            () = pause(), if more => {}
        }
    }
}

/// The error that says most about the service.
pub fn most_telling(failed: Failed) -> io::Error {
    let most = failed.into_iter().map(|(_, error)| error).rev().max_by_key(weight);
    most.unwrap_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address"))
}

/// Whether this machine had no descriptor or no local port left, which is no fault of the service. An address of a
/// family that this machine does not have cannot be assigned either, so ports are only short where the same
/// address can be reached with another protocol, and nobody has refused.
pub fn ran_out(failed: &Failed, reachable: impl Fn(SocketAddr) -> bool) -> bool {
    let refused = || failed.iter().any(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused);
    let no_port =
        |(address, error): &(SocketAddr, io::Error)| is(error, Errno::ADDRNOTAVAIL) && reachable(*address);
    failed.iter().any(|(_, error)| no_descriptor(error)) || (failed.iter().any(no_port) && !refused())
}

/// Whether this process or this machine has no descriptor left.
pub fn no_descriptor(error: &io::Error) -> bool {
    is(error, Errno::MFILE) || is(error, Errno::NFILE)
}

/// Whether this machine has an address from which the other can be reached. Nothing is sent: to connect a UDP
/// socket only chooses a route and an address of its own, and its ports are not those of TCP.
pub fn has_local_address(remote: SocketAddr) -> bool {
    let any: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(any).and_then(|socket| socket.connect(remote)).is_ok()
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// How much an error says about the service: that it is not there, that something on the way is wrong, that this
/// machine has no such address.
fn weight(error: &io::Error) -> u8 {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => 4,
        Kind::ConnectionReset | Kind::ConnectionAborted => 3,
        _ if is(error, Errno::AFNOSUPPORT) || is(error, Errno::ADDRNOTAVAIL) => 0,
        Kind::AddrNotAvailable | Kind::Unsupported => 0,
        // The other family may well have a route.
        Kind::NetworkUnreachable => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{pending, ready};

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn os(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    fn failed(attempts: &[(&str, Errno)]) -> Failed {
        attempts.iter().map(|(address, errno)| (address.parse().unwrap(), os(*errno))).collect()
    }

    const V6: &str = "[::1]:80";
    const V4: &str = "127.0.0.1:80";

    #[test]
    fn families_take_turns_and_every_user_begins_with_another_address() {
        let found =
            addresses(&["[::1]:1", "[::2]:1", "127.0.0.3:1", "127.0.0.1:1", "127.0.0.2:1", "127.0.0.1:1"]);
        assert_eq!(
            in_order(&found, 0),
            addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "127.0.0.3:1"])
        );
        // 4 mod 2 addresses of IPv6 is 0, 4 mod 3 of IPv4 is 1.
        assert_eq!(
            in_order(&found, 4),
            addresses(&["[::1]:1", "127.0.0.2:1", "[::2]:1", "127.0.0.3:1", "127.0.0.1:1"])
        );
        let mut rotated = found.clone();
        rotated[2..].rotate_left(2);
        assert_eq!(in_order(&rotated, 4), in_order(&found, 4), "the order of the answer does not matter");
        let first_v4 = addresses(&["127.0.0.1:1", "[::1]:1"]);
        assert_eq!(in_order(&first_v4, 7), first_v4, "the system prefers a family");
        assert!(in_order(&[], 3).is_empty());
    }

    /// What was tried, in order, where each address behaves as its port says: 1 connects, 2 fails, 3 swallows.
    async fn tried<P: Future<Output = ()>>(
        texts: &[&str],
        pause: impl Fn() -> P,
    ) -> (Result<SocketAddr, usize>, Vec<SocketAddr>) {
        let tried = RefCell::new(Vec::new());
        let connect = |address: SocketAddr| {
            tried.borrow_mut().push(address);
            async move {
                match address.port() {
                    1 => Ok(address),
                    2 => Err(os(Errno::CONNREFUSED)),
                    _ => pending().await,
                }
            }
        };
        let ended = race(&addresses(texts), connect, pause).await;
        (ended.map_err(|failed| failed.len()), tried.into_inner())
    }

    #[tokio::test]
    async fn the_next_address_is_tried_after_a_pause_while_the_last_one_swallows() {
        let pauses = Cell::new(0);
        let pause = || {
            pauses.set(pauses.get() + 1);
            ready(())
        };
        let (ended, order) = tried(&["[::1]:3", "127.0.0.1:3", "[::2]:1", "127.0.0.2:1"], pause).await;
        assert_eq!(ended.map(|address| address.to_string()), Ok("[::2]:1".into()));
        assert_eq!(order.len(), 3, "the first success ends it");
        assert!(pauses.get() >= 2);
    }

    #[tokio::test]
    async fn the_next_address_is_tried_at_once_where_the_last_one_failed() {
        let never = pending::<()>;
        let (ended, order) = tried(&["[::1]:2", "127.0.0.1:2", "127.0.0.2:1"], never).await;
        assert!(ended.is_ok());
        assert_eq!(order.len(), 3);
        let (ended, order) = tried(&["[::1]:2", "127.0.0.1:2"], never).await;
        assert_eq!((ended, order.len()), (Err(2), 2));
        assert_eq!(tried(&["127.0.0.1:2"], never).await.0, Err(1));
    }

    #[tokio::test]
    async fn a_slow_address_still_wins_where_the_others_fail() {
        let connect = |address: SocketAddr| async move {
            if address.is_ipv4() {
                return Err(os(Errno::CONNREFUSED));
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            Ok(address)
        };
        let both = addresses(&[V6, V4]);
        assert_eq!(race(&both, connect, || ready(())).await.ok(), Some(both[0]));
    }

    #[test]
    fn the_error_that_is_told_is_the_one_that_says_most_about_the_service() {
        for (attempts, told) in [
            (vec![(V6, Errno::ADDRNOTAVAIL), (V4, Errno::CONNREFUSED)], Errno::CONNREFUSED),
            (vec![(V4, Errno::CONNREFUSED), (V6, Errno::ADDRNOTAVAIL)], Errno::CONNREFUSED),
            (vec![(V4, Errno::CONNREFUSED), (V6, Errno::TIMEDOUT)], Errno::CONNREFUSED),
            (vec![(V6, Errno::NETUNREACH), (V4, Errno::TIMEDOUT)], Errno::TIMEDOUT),
            (vec![(V6, Errno::ADDRNOTAVAIL), (V4, Errno::HOSTUNREACH)], Errno::HOSTUNREACH),
            (vec![(V6, Errno::AFNOSUPPORT), (V4, Errno::NETUNREACH)], Errno::NETUNREACH),
        ] {
            let error = most_telling(failed(&attempts));
            assert_eq!(error.raw_os_error(), Some(told.raw_os_error()), "{attempts:?}");
        }
        assert!(most_telling(Failed::new()).to_string().contains("no address"));
    }

    #[test]
    fn only_a_shortage_of_our_own_counts_as_one() {
        let no_ipv6 = |address: SocketAddr| address.is_ipv4();
        for (attempts, ours) in [
            // A service that has crashed, on a machine without IPv6.
            (vec![(V6, Errno::ADDRNOTAVAIL), (V4, Errno::CONNREFUSED)], false),
            (vec![(V6, Errno::ADDRNOTAVAIL)], false),
            (vec![(V6, Errno::ADDRNOTAVAIL), (V4, Errno::TIMEDOUT)], false),
            (vec![(V4, Errno::ADDRNOTAVAIL)], true),
            (vec![(V6, Errno::ADDRNOTAVAIL), (V4, Errno::ADDRNOTAVAIL)], true),
            (vec![(V4, Errno::ADDRNOTAVAIL), ("127.0.0.2:80", Errno::CONNREFUSED)], false),
            (vec![(V4, Errno::MFILE)], true),
            (vec![(V4, Errno::CONNREFUSED), (V6, Errno::NFILE)], true),
            (vec![(V4, Errno::CONNREFUSED)], false),
        ] {
            assert_eq!(ran_out(&failed(&attempts), no_ipv6), ours, "{attempts:?}");
        }
    }

    #[test]
    fn this_machine_has_an_address_to_reach_itself() {
        assert!(has_local_address(V4.parse().unwrap()));
    }

    #[tokio::test]
    async fn nothing_to_connect_to_is_a_failure() {
        let none = race(&[], |_| ready(Ok(())), pending::<()>).await;
        assert!(none.is_err_and(|failed| failed.is_empty()));
    }
}
