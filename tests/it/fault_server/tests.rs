//! The fault server does what its paths say.

use std::io::Read;

use super::*;

fn connect(server: &FaultServer) -> TcpStream {
    let stream = TcpStream::connect(server.address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream
}

fn ask(mut stream: &TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
}

/// At most `most` bytes of the answer, and how it ended.
fn read(stream: &TcpStream, most: u64) -> (Vec<u8>, io::Result<usize>) {
    let mut bytes = Vec::new();
    let end = stream.take(most).read_to_end(&mut bytes);
    (bytes, end)
}

fn fetch(path: &str, most: u64) -> (String, io::Result<usize>) {
    let server = FaultServer::start(Mode::ByPath);
    let stream = connect(&server);
    ask(&stream, path);
    let (bytes, end) = read(&stream, most);
    assert_eq!(server.requests(), 1);
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

fn is_reset(end: &io::Result<usize>) -> bool {
    end.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

#[test]
fn a_reset_is_a_reset_and_a_close_is_a_close() {
    assert!(is_reset(&fetch("/reset", 100).1));
    let (text, end) = fetch("/close", 100);
    assert_eq!((text.as_str(), end.expect("a clean end")), ("", 0));
}

#[test]
fn a_server_that_resets_on_accept_reads_nothing() {
    let server = FaultServer::start(Mode::ResetOnAccept);
    let (bytes, end) = read(&connect(&server), 100);
    assert!(bytes.is_empty() && is_reset(&end));
    assert_eq!(server.requests(), 0);
}

#[test]
fn broken_answers_are_broken_in_the_way_their_path_says() {
    let (truncated, end) = fetch("/truncated", 1000);
    assert!(truncated.contains("content-length: 1000") && truncated.ends_with("only this"));
    assert!(end.is_ok());
    assert!(fetch("/malformed", 1000).0.starts_with("HTTP/9.9 two"));
    assert!(!fetch("/garbage", 1000).0.contains("HTTP"));
    assert!(fetch("/huge-header", 2 << 20).0.len() > 1 << 20);
}

#[test]
fn endless_answers_go_on_as_long_as_they_are_read() {
    assert_eq!(fetch("/endless-chunks", 1 << 20).0.len(), 1 << 20);
    let (headers, _) = fetch("/endless-headers", 1 << 20);
    assert!(headers.len() == 1 << 20 && !headers.contains("\r\n\r\n"));
    assert!(fetch("/drip", 53).0.ends_with('.'));
}

#[test]
fn a_silent_server_has_read_the_request_and_answers_nothing() {
    let server = FaultServer::start(Mode::ByPath);
    let stream = connect(&server);
    ask(&stream, "/silent");
    crate::harness::poll_until(Duration::from_secs(10), "the request is read", || server.requests() == 1);
    stream.set_nonblocking(true).expect("nonblocking");
    let end = (&stream).read(&mut [0; 1]).expect_err("nothing to read");
    assert_eq!(end.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_kept_connection_takes_the_next_request_until_a_path_closes_it() {
    let server = FaultServer::start(Mode::ByPath);
    let stream = connect(&server);
    for path in ["/503", "/wrong", "/"] {
        ask(&stream, path);
    }
    ask(&stream, "/close-after");
    let (bytes, _) = read(&stream, 10_000);
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("HTTP/1.1 200").count(), 3, "{text}");
    assert!(text.contains("503") && text.contains("{\"wrong\":"), "{text}");
    assert_eq!(server.requests(), 4);
}

#[test]
fn a_freeze_blocks_the_last_second_of_every_five() {
    let wait = |ms| frozen(Duration::from_millis(ms), Duration::from_secs(1), Duration::from_secs(5));
    // 0 … 3999 ms answer at once; 4000 ms waits the whole second; 9500 ms is 4500 ms into its period.
    assert_eq!(wait(3999), Duration::ZERO);
    assert_eq!(wait(4000), Duration::from_secs(1));
    assert_eq!(wait(9500), Duration::from_millis(500));
}

#[test]
fn a_freezing_server_answers_between_its_freezes() {
    let server = FaultServer::start(Mode::FREEZE);
    let stream = connect(&server);
    ask(&stream, "/anything");
    assert!(String::from_utf8_lossy(&read(&stream, 15).0).starts_with("HTTP/1.1 200 OK"));
    assert!(server.url("/x").ends_with("/x"));
}
