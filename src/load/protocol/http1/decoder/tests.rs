//! Tables of responses, each read in every way it can be cut.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::load::memory::Budget;
use crate::load::protocol::incoming::{Keep, Wants};
use crate::load::protocol::response::Response;

struct Read {
    response: Response,
    reuse: Reuse,
    left: usize,
}

/// Feeds a response in pieces cut at these places, then ends the connection where it is not complete.
fn read(method: &Method, bytes: &[u8], cuts: &[usize]) -> Result<Read, Failure> {
    let (budget, events) = (Budget::new(1 << 20), Cell::new(None));
    let wants =
        Wants { headers: Headers::All, body: Keep::Whole, limit: 1 << 20, budget: &budget, events: &events };
    let (mut decoder, mut sieve) = (Decoder::new(method, Headers::All), Sieve::new(wants));
    let (mut rest, mut fed) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        rest.extend_from_slice(&bytes[fed..end]);
        fed = end;
        let used = decoder.feed(&rest, &mut sieve)?;
        rest.drain(..used);
    }
    if !decoder.is_done() {
        decoder.end()?;
    }
    let (reuse, status) = (decoder.reuse(), decoder.status);
    Ok(Read { response: sieve.end(status, decoder.headers), reuse, left: rest.len() })
}

fn whole(text: &str) -> Result<Read, Failure> {
    read(&Method::GET, text.as_bytes(), &[])
}

#[test]
fn every_way_to_delimit_a_body_is_read() {
    use Reuse::{Again, Never};
    let head = "HTTP/1.1 200 OK\r\n";
    for (text, body, reuse) in [
        ("content-length: 5\r\n\r\nhello", "hello", Again),
        ("Content-Length: 5, 5\r\n\r\nhello", "hello", Again),
        ("content-length: 0\r\n\r\n", "", Again),
        ("\r\nhello", "hello", Never),
        ("connection: Close\r\ncontent-length: 2\r\n\r\nhi", "hi", Never),
        ("transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", Again),
        ("Transfer-Encoding: gzip, Chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n", "hi", Again),
        ("transfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "hi", Never),
        ("transfer-encoding: identity\r\n\r\nhi", "hi", Never),
    ] {
        let read = whole(&format!("{head}{text}")).unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
        assert_eq!((&read.response.body[..], read.reuse), (body.as_bytes(), reuse), "{text}");
        assert_eq!(read.left, 0, "{text}");
    }
}

#[test]
fn a_head_is_read_however_real_servers_write_it() {
    let body = "content-length: 2\r\n\r\nok";
    for (head, name, value) in [
        ("HTTP/1.1 200\r\n", "content-length", "2"),
        ("HTTP/1.1 200 \r\n", "content-length", "2"),
        ("HTTP/1.1  200  OK\r\n", "content-length", "2"),
        ("HTTP/1.1 200 Größe ✓\r\n", "content-length", "2"),
        ("HTTP/1.1 200 OK\nx-a: 1\n", "x-a", "1"),
        ("HTTP/1.1 200 OK\r\nx-a: 1\r\n  folded\r\n\tonce more \r\n", "x-a", "1 folded once more"),
        ("HTTP/1.1 200 OK\r\nx-a:\r\n folded\r\n", "x-a", "folded"),
        ("HTTP/1.1 200 OK\r\nX-A : bar\r\n", "x-a", "bar"),
        ("HTTP/1.1 200 OK\r\nx-a:\t a b \t\r\n", "x-a", "a b"),
        ("HTTP/1.1 200 OK\r\nx-a:\r\n", "x-a", ""),
        ("HTTP/1.1 200 OK\r\nx-a: Jürgen\r\n", "x-a", "Jürgen"),
    ] {
        let read = whole(&format!("{head}{body}")).unwrap_or_else(|failure| panic!("{head}: {failure:?}"));
        let found = read.response.headers.get(name).map(hyper::header::HeaderValue::as_bytes);
        assert_eq!((found, &read.response.body[..]), (Some(value.as_bytes()), &b"ok"[..]), "{head}");
        assert_eq!(read.reuse, Reuse::Again, "{head}");
    }
    // What says where the body ends counts on several lines, too.
    let folded = "HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(whole(folded).unwrap().response.body, "hi");
}

#[test]
fn many_and_long_headers_are_read() {
    let many = (0..5_000).map(|number| format!("x-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
    let read = whole(&format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\nok")).unwrap();
    assert_eq!((read.response.headers.len(), read.left), (5_001, 0));
    assert_eq!(read.response.headers["x-4999"], "4999");
    let long = "x".repeat(200_000);
    let read = whole(&format!("HTTP/1.1 200 OK\r\nset-cookie: a={long}\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(read.unwrap().response.headers["set-cookie"].len(), 200_002);
}

#[test]
fn some_responses_have_no_body_whatever_they_say() {
    let head = read(&Method::HEAD, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", &[]).unwrap();
    assert_eq!((head.response.body.len(), head.reuse), (0, Reuse::Again));
    for status in ["204 No Content", "304 Not Modified"] {
        let read = whole(&format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n")).unwrap();
        assert_eq!((read.response.body.len(), read.reuse), (0, Reuse::Again), "{status}");
    }
}

#[test]
fn interim_responses_are_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok";
    let read = whole(text).unwrap();
    assert_eq!((read.response.status, &read.response.body[..]), (201, &b"ok"[..]));
    assert!(read.response.headers.get("link").is_none());
    let many = "HTTP/1.1 102 Processing\r\n\r\n".repeat(101);
    assert!(whole(&many).err().unwrap().message.contains("more than 100 interim responses"));
}

#[test]
fn an_old_server_closes_unless_it_says_otherwise() {
    let old =
        |header: &str| whole(&format!("HTTP/1.0 200 OK\r\n{header}content-length: 2\r\n\r\nhi")).unwrap();
    assert_eq!(old("").reuse, Reuse::Never);
    assert_eq!(old("connection: keep-alive\r\n").reuse, Reuse::Again);
}

#[test]
fn what_comes_behind_a_response_is_left() {
    assert_eq!(whole("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi!!").unwrap().left, 2);
}

#[test]
fn what_is_cut_off_is_a_reset_and_what_is_wrong_a_breach_of_protocol() {
    use FailureKind::{Protocol, Reset};
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(LONGEST_HEAD));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(MOST_HEADERS + 1));
    for (text, kind, message) in [
        ("", Reset, "closed before the response"),
        ("HTTP/1.1 200 OK\r\nconten", Reset, "closed before the response"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", Reset, "before the end of the response"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Reset, "before the end"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi!!\r\n",
            Protocol,
            "longer than it says",
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", Protocol, "hexadecimal"),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Protocol, "`content-length: -1`"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nhi", Protocol, "two different"),
        ("HTTP/1.1 000 What\r\n\r\n", Protocol, "000 is no status"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", Protocol, "no HTTP/1.1"),
        ("\0\0\x12\x04\0\0\0\0\0", Protocol, "`http: {version: 2}`"),
        (&long, Protocol, "the head of the response is longer than 256 KiB"),
        (&many, Protocol, "more than 8192 headers"),
    ] {
        let failure = whole(text).err().unwrap_or_else(|| panic!("{text} was read"));
        assert!(failure.kind == kind && failure.message.contains(message), "{text}: {failure:?}");
    }
}

const CHUNKED: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n";

proptest! {
    #[test]
    fn it_does_not_matter_how_a_response_is_cut(mut cuts in prop::collection::vec(0..CHUNKED.len(), 0..12)) {
        cuts.sort_unstable();
        let read = read(&Method::GET, CHUNKED.as_bytes(), &cuts).unwrap();
        prop_assert_eq!(&read.response.body[..], b"hello0123456789");
        prop_assert_eq!((read.response.headers.len(), read.left, read.reuse), (2, 0, Reuse::Again));
    }

    #[test]
    fn no_bytes_make_it_panic_or_use_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &bytes[..]].concat();
        drop(read(&Method::GET, &text, &[]));
        drop(read(&Method::GET, &bytes, &[]));
    }
}
