//! HTTP/1.1: what a request asks for, and the answer that is wrong in the way its path names.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{After, ENOUGH_TIME, Shared, idle, leave, repeat, reset};

/// Chunks of one byte in `/one-byte-chunks`.
pub const ONE_BYTE_CHUNKS: usize = 10_000;

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
/// What an HTTP/2 server says first: an empty SETTINGS frame.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// What is read of a request.
pub struct Request {
    pub path: String,
    /// Of the handshake of a WebSocket.
    pub key: Option<String>,
}

/// The next request. Its body, if it announces one, is read and dropped, unless the answer comes before it.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("sec-websocket-key") => {
                key = Some(value.trim().to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    if !path.starts_with("/early") {
        io::copy(&mut reader.take(length), &mut io::sink())?;
    }
    Ok(Some(Request { path, key }))
}

/// An answer as it should be.
pub fn answer(mut out: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    out.write_all(&[head.as_bytes(), body].concat())
}

/// The answer that the path names, to the request with this number on its connection.
pub fn misbehave(stream: &TcpStream, (path, nth): (&str, u64), shared: &Shared) -> io::Result<After> {
    let mut out = stream;
    match path {
        // What a client sees whose request meets the close of an idle connection. The first request on a connection
        // is answered.
        "/kept-close" if nth > 0 => leave(stream)?,
        "/kept-reset" if nth > 0 => reset(stream.try_clone()?),
        "/kept-408" if nth > 0 => {
            out.write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
            leave(stream)?;
        }
        "/kept-byte" if nth > 0 => {
            out.write_all(b"H")?;
            leave(stream)?;
        }
        "/408" => {
            out.write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
            leave(stream)?;
        }
        "/kept-408-and-stay" if nth > 0 => {
            return answer(stream, "408 Request Timeout", b"").map(|()| After::KeepAlive);
        }
        "/reset" | "/early-reset" => reset(stream.try_clone()?),
        "/garbage" => out.write_all(&[0x16, 0x03, 0x01, 0x00, 0xff, 0xfe, b'\n', 0x80, 0x00, b'\n'])?,
        "/endless-chunks" => endless(out, CHUNKED, chunk().as_bytes(), shared)?,
        "/endless-headers" => endless(out, b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n", shared)?,
        "/endless-chunk-line" => endless(out, &[CHUNKED, b"5;"].concat(), b"name=value;", shared)?,
        "/endless-trailer" => endless(out, &[CHUNKED, b"0\r\n"].concat(), b"x-more: and more\r\n", shared)?,
        "/endless-interim" => endless(out, b"", b"HTTP/1.1 102 Processing\r\n\r\n", shared)?,
        "/silent" | "/early-silence" => idle(shared),
        "/events" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: tick\n\n")?;
            idle(shared);
        }
        "/drip" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
            drip(out, (b".", usize::MAX), Duration::from_millis(50), shared)?;
        }
        "/slow-head" => {
            drip(
                out,
                (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 1),
                Duration::from_millis(1),
                shared,
            )?;
            return Ok(After::KeepAlive);
        }
        "/huge-header" => {
            let value = "h".repeat(1 << 20);
            write!(out, "HTTP/1.1 200 OK\r\nx-huge: {value}\r\ncontent-length: 2\r\n\r\nok")?;
        }
        // Promises to stay, and leaves: the next request meets a closed connection.
        "/close-after" => answer(stream, "200 OK", b"ok")?,
        "/reset-after" => {
            answer(stream, "200 OK", b"ok")?;
            reset(stream.try_clone()?);
        }
        "/early" => {
            out.write_all(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
            leave(stream)?;
        }
        // Leaves what it has not read: the system resets the connection behind the answer.
        "/early-and-rude" => {
            out.write_all(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
        }
        "/after-pong" if after_pong(shared) => {
            return answer(stream, "200 OK", b"ok").map(|()| After::KeepAlive);
        }
        "/close" | "/after-pong" => {}
        "/503" => return answer(stream, "503 Service Unavailable", b"later").map(|()| After::KeepAlive),
        "/wrong" => return answer(stream, "200 OK", b"{\"wrong\":").map(|()| After::KeepAlive),
        _ => return scripted(stream, path),
    }
    Ok(After::Close)
}

/// An answer with a body of this type.
fn with_type(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The answers that are always the same bytes.
fn scripted(mut stream: &TcpStream, path: &str) -> io::Result<After> {
    let (after, bytes): (After, Vec<u8>) = match path {
        "/truncated" => (After::Close, b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this".into()),
        "/malformed" => (After::Close, b"HTTP/9.9 two hundred fine\r\n\r\n".into()),
        "/cut-head" => (After::Close, b"HTTP/1.1 200 OK\r\ncontent-le".into()),
        "/http2" => (After::Close, [SETTINGS, b"more of it"].concat()),
        "/bomb" => (After::KeepAlive, gzipped(&vec![b'x'; 2 << 20])),
        "/latin-1-in-gzip-twice" => {
            let body = gzip(&gzip(b"Gr\xf6\xdfe"));
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-encoding: x-gzip\r\n\
                 content-type: text/plain; charset=ISO-8859-1\r\nx-d: a\r\nx-d: b\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            (After::KeepAlive, [head.into_bytes(), body].concat())
        }
        "/redirect-in-brotli" => {
            let head = "HTTP/1.1 302 Found\r\nlocation: /fine\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\n";
            (After::KeepAlive, [head.as_bytes(), b"br!"].concat())
        }
        "/csv" => (After::KeepAlive, with_type("text/csv", "1,2,3\n".repeat(100_000).as_bytes())),
        "/servlet" => {
            let json = "{\"name\": \"Größe\"}".as_bytes();
            (After::KeepAlive, with_type("application/json;charset=ISO-8859-1", json))
        }
        "/cut-chunk" => (After::Close, [CHUNKED, b"a\r\nonly"].concat()),
        "/cut-before-last-chunk" => (After::Close, [CHUNKED, b"4\r\nonly\r\n"].concat()),
        "/bad-chunk" => (After::KeepAlive, [CHUNKED, b"four\r\nfour\r\n0\r\n\r\n"].concat()),
        "/long-chunk" => (After::KeepAlive, [CHUNKED, b"4\r\nlonger\r\n0\r\n\r\n"].concat()),
        "/huge-chunk" => (After::KeepAlive, [CHUNKED, b"fffffffffffffffff\r\nx"].concat()),
        "/one-byte-chunks" => {
            let chunks = b"1\r\nx\r\n".repeat(ONE_BYTE_CHUNKS);
            (After::KeepAlive, [CHUNKED, &chunks, b"0\r\n\r\n"].concat())
        }
        "/trailing-garbage" => {
            (After::KeepAlive, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more than that".into())
        }
        "/body-of-204" => {
            (After::KeepAlive, b"HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody".into())
        }
        "/same-length-twice" => {
            (After::KeepAlive, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok".into())
        }
        "/two-lengths" => {
            (After::KeepAlive, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!".into())
        }
        "/negative-length" => (After::KeepAlive, b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".into()),
        "/length-and-chunks" => (
            After::KeepAlive,
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".into(),
        ),
        "/interim" => (
            After::KeepAlive,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into(),
        ),
        _ => return answer(stream, "200 OK", b"ok").map(|()| After::KeepAlive),
    };
    stream.write_all(&bytes)?;
    Ok(after)
}

/// A whole answer with this body, compressed.
fn gzipped(body: &[u8]) -> Vec<u8> {
    let body = gzip(body);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("a buffer takes it");
    encoder.finish().expect("a buffer takes it")
}

fn endless(mut out: &TcpStream, beginning: &[u8], more: &[u8], shared: &Shared) -> io::Result<()> {
    out.write_all(beginning)?;
    repeat(out, more, shared)
}

fn chunk() -> String {
    format!("1000\r\n{}\r\n", "c".repeat(0x1000))
}

/// Sends so many rounds of these bytes, one by one.
fn drip(
    mut out: &TcpStream,
    (bytes, rounds): (&[u8], usize),
    pause: Duration,
    shared: &Shared,
) -> io::Result<()> {
    let end = Instant::now() + ENOUGH_TIME;
    for _ in 0..rounds {
        for byte in bytes {
            if Instant::now() >= end || shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            out.write_all(&[*byte])?;
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// Asks the WebSocket at `/ping-on-demand` for a ping, and waits for its pong; false where none comes.
fn after_pong(shared: &Shared) -> bool {
    let wanted = shared.pings.fetch_add(1, Ordering::SeqCst) + 1;
    let end = Instant::now() + ENOUGH_TIME;
    while shared.pongs.load(Ordering::SeqCst) < wanted {
        if Instant::now() >= end || shared.stop.load(Ordering::Relaxed) {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}
