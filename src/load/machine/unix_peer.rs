//! The other ends of connected Unix sockets, which `/proc` does not tell: the kernel is asked (`sock_diag(7)`).
//! Elsewhere than on Linux, and where the kernel does not answer, nothing is known. Some have no such answer: those of
//! small virtual machines, and sandboxes that play the kernel.

use std::collections::BTreeMap;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The inode of the other end.
    pub(super) peer: u32,
    /// Where it was accepted: the end of a client has no name.
    pub(super) name: Option<String>,
}

/// Of a request and of each part of the response.
const HEADER: usize = 16;
/// Of `struct unix_diag_msg`.
const MESSAGE: usize = 16;
const TYPE_SOCK_DIAG: u16 = 20;
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
const ATTRIBUTE_NAME: u16 = 0;
const ATTRIBUTE_PEER: u16 = 2;

/// All connected ends in the network of this process, by inode; none where that is not known.
#[cfg(target_os = "linux")]
pub(super) fn connected() -> Option<BTreeMap<u32, End>> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
        sockopt,
    };
    /// Of one part of the response: the kernel makes them no larger.
    const PART: usize = 64 * 1_024;
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);
    let ask = || {
        let kind = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, kind)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        send(&socket, &request(), SendFlags::empty())?;
        let (mut ends, mut part) = (BTreeMap::new(), vec![0; PART]);
        loop {
            let (length, _) = recv(&socket, &mut part[..], RecvFlags::empty())?;
            match read(part.get(..length).unwrap_or_default(), &mut ends) {
                Part::More => {}
                Part::Last => return rustix::io::Result::Ok(Some(ends)),
                Part::Refused => return Ok(None),
            }
        }
    };
    ask().ok().flatten()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn connected() -> Option<BTreeMap<u32, End>> {
    None
}

/// `struct nlmsghdr`, then `struct unix_diag_req`: all sockets that are connected, with their names and peers.
fn request() -> Vec<u8> {
    const DUMP: u16 = 0x301;
    const UNIX: u8 = 1;
    const ESTABLISHED: u32 = 1 << 1;
    const SHOW_NAME_AND_PEER: u32 = 1 | 4;
    let mut bytes = Vec::new();
    bytes.extend(40_u32.to_ne_bytes());
    bytes.extend(TYPE_SOCK_DIAG.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([UNIX, 0, 0, 0]);
    bytes.extend(ESTABLISHED.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(SHOW_NAME_AND_PEER.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    More,
    Last,
    /// The kernel does not answer, or not in a way that can be read.
    Refused,
}

/// Reads one part of the response: messages, each with a header and attributes.
fn read(mut part: &[u8], ends: &mut BTreeMap<u32, End>) -> Part {
    while let (Some(length), Some(kind)) = (number(part, 0), short(part, 4)) {
        let Some(message) = part.get(HEADER..length as usize) else { return Part::Refused };
        match kind {
            // What went wrong at the end is told with it.
            TYPE_DONE if number(message, 0).is_none_or(|error| error == 0) => return Part::Last,
            TYPE_DONE | TYPE_ERROR => return Part::Refused,
            TYPE_SOCK_DIAG => ends.extend(end(message)),
            _ => {}
        }
        part = part.get(aligned(length as usize)..).unwrap_or_default();
    }
    Part::More
}

fn end(message: &[u8]) -> Option<(u32, End)> {
    let inode = number(message, 4)?;
    let mut attributes = message.get(MESSAGE..)?;
    let (mut peer, mut name) = (None, None);
    while let (Some(length), Some(kind)) = (short(attributes, 0), short(attributes, 2)) {
        let Some(value) = attributes.get(4..usize::from(length)) else { break };
        match kind {
            ATTRIBUTE_PEER => peer = number(value, 0),
            ATTRIBUTE_NAME => name = Some(written(value)),
            _ => {}
        }
        attributes = attributes.get(aligned(usize::from(length))..).unwrap_or_default();
    }
    Some((inode, End { peer: peer?, name: name.filter(|name| !name.is_empty()) }))
}

/// A path; or a name of no file, which begins with a zero and is written with `@`.
fn written(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let text = text.trim_end_matches('\0');
    text.strip_prefix('\0').map_or_else(|| text.to_owned(), |rest| format!("@{rest}"))
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn socket(inode: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[1, 1, 1, 0][..], &inode.to_ne_bytes(), &[0; 8]].concat();
        message(TYPE_SOCK_DIAG, &[head, attributes.concat()].concat())
    }

    #[test]
    fn an_end_has_a_peer_and_a_name_where_it_was_accepted() {
        let peer = |inode: u32| attribute(ATTRIBUTE_PEER, &inode.to_ne_bytes());
        let name = |name: &[u8]| attribute(ATTRIBUTE_NAME, name);
        let part = [
            socket(7, &[name(b"/run/pg.sock\0"), peer(8)]),
            socket(8, &[peer(7)]),
            socket(9, &[name(b"\0bus"), attribute(5, &[1]), peer(10)]),
            socket(11, &[]),
        ];
        let mut ends = BTreeMap::new();
        assert_eq!(read(&part.concat(), &mut ends), Part::More);
        let end = |peer, name: Option<&str>| End { peer, name: name.map(str::to_owned) };
        let expected = [(7, end(8, Some("/run/pg.sock"))), (8, end(7, None)), (9, end(10, Some("@bus")))];
        assert_eq!(ends, BTreeMap::from(expected));
        assert_eq!(read(&message(TYPE_DONE, &[0; 4]), &mut ends), Part::Last);
        // Cut off: nothing that is not there is read.
        assert_eq!(read(&part[0][..20], &mut BTreeMap::new()), Part::Refused);
        assert_eq!(read(&[], &mut BTreeMap::new()), Part::More);
    }

    #[test]
    fn a_kernel_that_does_not_answer_is_told_from_one_that_knows_of_no_connection() {
        let none = &mut BTreeMap::new();
        let no_entry = (-2_i32).to_ne_bytes();
        assert_eq!(read(&message(TYPE_ERROR, &[&no_entry[..], &[0; 16]].concat()), none), Part::Refused);
        assert_eq!(read(&message(TYPE_DONE, &no_entry), none), Part::Refused);
        assert_eq!(read(&message(TYPE_DONE, &[0; 4]), none), Part::Last);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_who_is_at_the_other_end() {
        use std::os::unix::net::{UnixListener, UnixStream};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("back.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let _server = listener.accept().unwrap();
        // A kernel may have no answer to this at all.
        let Some(ends) = connected() else { return };
        let accepted = ends.values().find(|end| end.name.as_deref() == path.to_str()).expect("accepted");
        assert_eq!(ends.get(&accepted.peer).map(|end| &end.name), Some(&None));
    }
}
