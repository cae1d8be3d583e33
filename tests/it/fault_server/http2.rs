//! HTTP/2 by hand: frames as RFC 9113 draws them, and one fault in every other answer. Paths are not read, for
//! that would take HPACK: a server has one fault, which it was started with.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use super::{Shared, leave, listen, repeat, reset};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const NONE: u8 = 0;
/// Of SETTINGS and PING.
const ACK: u8 = 1;
/// Of HEADERS and DATA.
const END_STREAM: u8 = 1;
/// Of HEADERS and CONTINUATION.
const END_HEADERS: u8 = 4;

/// `:status: 200`, in the static table of HPACK.
const OK: &[u8] = &[0x88];
/// `:status: 413`, spelt out.
const TOO_LARGE: &[u8] = &[0x08, 3, b'4', b'1', b'3'];
/// `:status: 103`, spelt out.
const EARLY_HINTS: &[u8] = &[0x08, 3, b'1', b'0', b'3'];
/// `content-length: 100` behind `:status: 200`.
const OK_OF_100: &[u8] = &[0x88, 0x0f, 0x0d, 3, b'1', b'0', b'0'];
/// `content-length: 1` behind `:status: 200`.
const OK_OF_1: &[u8] = &[0x88, 0x0f, 0x0d, 1, b'1'];

/// `SETTINGS_MAX_CONCURRENT_STREAMS` = 0.
const NO_STREAMS: &[u8] = &[0, 3, 0, 0, 0, 0];
/// `SETTINGS_INITIAL_WINDOW_SIZE` = 0.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];
/// `SETTINGS_ENABLE_PUSH` = 7, which is neither on nor off.
const NO_SETTING: &[u8] = &[0, 2, 0, 0, 0, 7];

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;

/// The codes that `RST_STREAM` comes with (RFC 9113, 7), as a fault names them.
const CODES: [(&str, u32); 6] = [
    ("no-error", 0),
    ("protocol-error", 1),
    ("internal-error", 2),
    ("refused", 7),
    ("cancel", 8),
    ("enhance-your-calm", 11),
];

/// Faults that are made when a connection is opened, before anybody has asked for anything.
const AT_ONCE: [&str; 5] = ["no-preface", "http1", "no-streams", "bad-settings", "closed-at-once"];

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Serves one connection.
pub fn serve(stream: &TcpStream, fault: &str, shared: &Shared) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    if fault == "closed-at-once" && is_next(shared) {
        // Counts as the request that would have come.
        shared.requests.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    (&*stream).read_exact(&mut preface)?;
    assert_eq!(preface, PREFACE, "{fault}");
    if AT_ONCE.contains(&fault) && is_next(shared) {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        return at_once(stream, fault);
    }
    let window: &[u8] = if fault == "no-window" { NO_WINDOW } else { &[] };
    send(stream, (SETTINGS, NONE, 0), window)?;
    while let Some(frame) = read(stream)? {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => send(stream, (SETTINGS, ACK, 0), &[])?,
            PING if frame.flags & ACK == 0 => send(stream, (PING, ACK, 0), &[0; 8])?,
            HEADERS if faulty(fault, &frame, shared) => misbehave(stream, fault, frame.stream, shared)?,
            HEADERS => {
                answer(stream, frame.stream)?;
                if AT_ONCE.contains(&fault) {
                    return away(stream, frame.stream, NO_ERROR);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Counts a request, and says whether it meets the fault: every other one as a rule.
fn faulty(fault: &str, frame: &Frame, shared: &Shared) -> bool {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    match fault {
        _ if fault.starts_with("every-") => true,
        // The first on a connection is answered.
        _ if fault.starts_with("kept-") => frame.stream > 1,
        _ => number.is_multiple_of(2),
    }
}

/// Reads the preface and sends settings.
pub fn greet(mut stream: &TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE.len()])?;
    send(stream, (SETTINGS, NONE, 0), &[])
}

/// The stream of the next request that has come whole; none at the end.
pub fn next_request(stream: &TcpStream) -> io::Result<Option<u32>> {
    while let Some(frame) = read(stream)? {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => send(stream, (SETTINGS, ACK, 0), &[])?,
            PING if frame.flags & ACK == 0 => send(stream, (PING, ACK, 0), &[0; 8])?,
            HEADERS | DATA if frame.flags & END_STREAM != 0 => return Ok(Some(frame.stream)),
            _ => {}
        }
    }
    Ok(None)
}

/// Says that a request was not processed.
pub fn refuse(stream: &TcpStream, id: u32) -> io::Result<()> {
    const REFUSED_STREAM: u32 = 7;
    send(stream, (RST_STREAM, NONE, id), &REFUSED_STREAM.to_be_bytes())
}

/// Says that this stream is the last one.
pub fn announce(stream: &TcpStream, last: u32) -> io::Result<()> {
    send(stream, (GOAWAY, NONE, 0), &[last.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

/// Whether the next request meets the fault.
fn is_next(shared: &Shared) -> bool {
    shared.requests.load(Ordering::Relaxed).is_multiple_of(2)
}

fn at_once(mut stream: &TcpStream, fault: &str) -> io::Result<()> {
    match fault {
        "no-preface" => {
            stream.write_all(b"\x16\x03\x01\x00\xff\xfe\n\x80\x00\n and more than a frame's head")?;
        }
        "http1" => stream.write_all(
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\nconnection: close\r\n\r\nno such verb",
        )?,
        "bad-settings" => send(stream, (SETTINGS, NONE, 0), NO_SETTING)?,
        "no-streams" => {
            send(stream, (SETTINGS, NONE, 0), NO_STREAMS)?;
            return listen(stream);
        }
        other => panic!("no such fault: {other}"),
    }
    leave(stream)
}

/// Answers a stream in the way the fault names.
fn misbehave(stream: &TcpStream, fault: &str, id: u32, shared: &Shared) -> io::Result<()> {
    let fault = fault.trim_start_matches("every-").trim_start_matches("kept-");
    if let Some((rest, code)) = CODES.iter().find_map(|(name, code)| Some((fault.strip_suffix(name)?, *code)))
    {
        return match rest {
            "reset-before-" => send(stream, (RST_STREAM, NONE, id), &code.to_be_bytes()),
            "reset-within-" => {
                begin(stream, id)?;
                send(stream, (RST_STREAM, NONE, id), &code.to_be_bytes())
            }
            other => panic!("no such fault: {other}"),
        };
    }
    match fault {
        "silent" | "no-window" => Ok(()),
        "headers-and-silence" => begin(stream, id),
        "early" => {
            send(stream, (HEADERS, END_HEADERS | END_STREAM, id), TOO_LARGE)?;
            send(stream, (RST_STREAM, NONE, id), &NO_ERROR.to_be_bytes())
        }
        "whole-then-reset" => {
            answer(stream, id)?;
            send(stream, (RST_STREAM, NONE, id), &NO_ERROR.to_be_bytes())
        }
        "interim" => {
            send(stream, (HEADERS, END_HEADERS, id), EARLY_HINTS)?;
            answer(stream, id)
        }
        _ => give_up(stream, fault, id, shared),
    }
}

/// Ends the connection, now or soon.
fn give_up(stream: &TcpStream, fault: &str, id: u32, shared: &Shared) -> io::Result<()> {
    match fault {
        "idle-goaway" => {
            answer(stream, id)?;
            away(stream, id, NO_ERROR)
        }
        "idle-close" => {
            answer(stream, id)?;
            leave(stream)
        }
        "goaway-then-the-rest" => {
            begin(stream, id)?;
            announce(stream, id)?;
            send(stream, (DATA, END_STREAM, id), b"the rest")
        }
        "goaway-before" => away(stream, id.saturating_sub(2), NO_ERROR),
        "goaway-error" => away(stream, 0, INTERNAL_ERROR),
        "goaway-within" => {
            begin(stream, id)?;
            away(stream, id, INTERNAL_ERROR)
        }
        "cut-before" => leave(stream),
        "reset-before" => {
            reset(stream.try_clone()?);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        "cut-headers" => cut(stream, (HEADERS, END_HEADERS, id), OK),
        "cut-body" => {
            begin(stream, id)?;
            leave(stream)
        }
        "cut-data" => {
            begin(stream, id)?;
            cut(stream, (DATA, END_STREAM, id), b"half")
        }
        "tcp-reset" => {
            begin(stream, id)?;
            reset(stream.try_clone()?);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        _ => break_rules(stream, fault, id, shared),
    }
}

/// Sends what the protocol forbids.
fn break_rules(mut stream: &TcpStream, fault: &str, id: u32, shared: &Shared) -> io::Result<()> {
    let most = 0x7fff_ffff_u32.to_be_bytes();
    match fault {
        "no-flow-control" => {
            send(stream, (HEADERS, END_HEADERS, id), OK)?;
            repeat(stream, &frame((DATA, NONE, id), &[b'x'; 16 * 1024]), shared)
        }
        // More than `max_body` allows, and less than the window of the client.
        "long-body" => {
            send(stream, (HEADERS, END_HEADERS, id), OK)?;
            (0..80).try_for_each(|_| send(stream, (DATA, NONE, id), &[b'x'; 16 * 1024]))?;
            send(stream, (DATA, END_STREAM, id), &[])
        }
        "window-overflow" => send(stream, (WINDOW_UPDATE, NONE, 0), &most),
        "window-of-nothing" => send(stream, (WINDOW_UPDATE, NONE, 0), &[0; 4]),
        "huge-frame" => {
            begin(stream, id)?;
            send(stream, (DATA, NONE, id), &vec![b'x'; 1 << 20])
        }
        "hpack-garbage" => send(stream, (HEADERS, END_HEADERS | END_STREAM, id), &[0xff; 20]),
        "no-status" => send(stream, (HEADERS, END_HEADERS | END_STREAM, id), &[]),
        "endless-headers" => {
            send(stream, (HEADERS, NONE, id), OK)?;
            // `x-more: and more`, spelt out.
            let field = b"\x00\x06x-more\x08and more".repeat(500);
            repeat(stream, &frame((CONTINUATION, NONE, id), &field), shared)
        }
        "endless-continuation" => {
            send(stream, (HEADERS, NONE, id), OK)?;
            repeat(stream, &frame((CONTINUATION, NONE, id), &[]), shared)
        }
        "data-on-stream-0" => send(stream, (DATA, NONE, 0), b"nobody's"),
        "data-of-an-idle-stream" => send(stream, (DATA, NONE, id + 2), b"nobody's"),
        "data-before-headers" => send(stream, (DATA, NONE, id), b"too early"),
        "push" => send(stream, (PUSH_PROMISE, END_HEADERS, id), &[0, 0, 0, 2, 0x82, 0x84, 0x86]),
        "too-short" => {
            send(stream, (HEADERS, END_HEADERS, id), OK_OF_100)?;
            send(stream, (DATA, END_STREAM, id), b"short")
        }
        "too-long" => {
            send(stream, (HEADERS, END_HEADERS, id), OK_OF_1)?;
            send(stream, (DATA, END_STREAM, id), b"long")
        }
        "pings" => {
            (0..1000).try_for_each(|_| stream.write_all(&frame((PING, NONE, 0), &[7; 8])))?;
            answer(stream, id)
        }
        other => panic!("no such fault: {other}"),
    }
}

/// A whole answer.
pub fn answer(mut stream: &TcpStream, id: u32) -> io::Result<()> {
    stream
        .write_all(&[frame((HEADERS, END_HEADERS, id), OK), frame((DATA, END_STREAM, id), b"fine")].concat())
}

/// The beginning of an answer.
pub fn begin(mut stream: &TcpStream, id: u32) -> io::Result<()> {
    stream.write_all(&[frame((HEADERS, END_HEADERS, id), OK), frame((DATA, NONE, id), b"only this")].concat())
}

/// Says that streams after `last` were not looked at, and leaves.
pub fn away(stream: &TcpStream, last: u32, code: u32) -> io::Result<()> {
    send(stream, (GOAWAY, NONE, 0), &[last.to_be_bytes(), code.to_be_bytes()].concat())?;
    leave(stream)
}

/// Leaves before the last byte of a frame.
fn cut(mut stream: &TcpStream, head: (u8, u8, u32), payload: &[u8]) -> io::Result<()> {
    let whole = frame(head, payload);
    stream.write_all(&whole[..whole.len() - 1])?;
    leave(stream)
}

fn send(mut stream: &TcpStream, head: (u8, u8, u32), payload: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(head, payload))
}

/// Length, type, flags, stream, payload (RFC 9113, 4.1).
fn frame((kind, flags, stream): (u8, u8, u32), payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The next frame, its payload read and dropped; none at the end.
fn read(mut stream: &TcpStream) -> io::Result<Option<Frame>> {
    let mut head = [0; 9];
    if stream.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..])?;
    let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
    io::copy(&mut stream.take(length), &mut io::sink())?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Some(Frame { kind: head[3], flags: head[4], stream }))
}
