//! WebSockets by hand: a handshake, and frames as RFC 6455 draws them. What is wrong is wrong as soon as the first
//! message has come, in the way the path names.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::http1::answer;
use super::{ENOUGH_TIME, Shared, idle, leave, repeat, reset};

/// Messages in `/flood`.
pub const FLOOD: usize = 100_000;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const FIN: u8 = 0x80;

/// A connection, and what is read from it.
type Line<'a, R> = (&'a TcpStream, R);

struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

/// Answers a handshake with this key, and what follows.
pub fn serve<R: BufRead>(
    (stream, mut reader): Line<'_, R>,
    path: &str,
    key: &str,
    shared: &Shared,
) -> io::Result<()> {
    let mut out = stream;
    match path {
        "/401" => return answer(stream, "401 Unauthorized", b"who are you"),
        "/404" => return answer(stream, "404 Not Found", b"nothing"),
        "/500" => return answer(stream, "500 Internal Server Error", b"sorry"),
        "/200" => return answer(stream, "200 OK", b"a page"),
        "/302" => return answer(stream, "302 Found", b""),
        "/circle" => {
            let redirect =
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: /circle\r\ncontent-length: 0\r\n\r\n";
            return out.write_all(redirect.as_bytes());
        }
        "/wrong-accept" => {
            out.write_all(agreement(&derive_accept_key(b"another key")).as_bytes())?;
            return leave(stream);
        }
        "/no-upgrade" => {
            out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: close\r\n\r\n")?;
            return leave(stream);
        }
        "/garbage-for-a-handshake" => {
            out.write_all(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n")?;
            return leave(stream);
        }
        "/no-handshake" => return leave(stream),
        "/silent" => {
            idle(shared);
            return Ok(());
        }
        "/endless-handshake" => {
            out.write_all(b"HTTP/1.1 101 Switching Protocols\r\n")?;
            return repeat(stream, b"x-more: and more\r\n", shared);
        }
        _ => {}
    }
    let agreed = agreement(&derive_accept_key(key.as_bytes()));
    if path == "/eager" {
        return out.write_all(&[agreed.as_bytes(), &frame(FIN | TEXT, b"already")].concat());
    }
    if path == "/announced-at-once" {
        out.write_all(&[agreed.as_bytes(), &announced()].concat())?;
        idle(shared);
        return Ok(());
    }
    out.write_all(&agreement_of(path, agreed))?;
    if path == "/ticks" {
        return tick((stream, reader), shared);
    }
    if path == "/ping-on-demand" {
        return ping_on_demand((stream, reader), shared);
    }
    while let Some(Frame { opcode, payload }) = read(&mut reader)? {
        match opcode {
            TEXT if !converse((stream, &mut reader), path, &payload, shared)? => return Ok(()),
            CLOSE => {
                if path == "/parting-flood" {
                    // Nobody has read them when the client gives up.
                    out.write_all(&frame(FIN | TEXT, &b"x".repeat(30_000)).repeat(300))?;
                }
                send(stream, FIN | CLOSE, &payload)?;
                return leave(stream);
            }
            PING => send(stream, FIN | PONG, &payload)?,
            _ => {}
        }
    }
    Ok(())
}

fn agreement(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// Agrees to a handshake with this key.
pub fn agree(mut stream: &TcpStream, key: &str) -> io::Result<()> {
    stream.write_all(agreement(&derive_accept_key(key.as_bytes())).as_bytes())
}

/// Sends a text.
pub fn say(stream: &TcpStream, text: &[u8]) -> io::Result<()> {
    send(stream, FIN | TEXT, text)
}

/// Sends a close.
pub fn bye(stream: &TcpStream, code: u16) -> io::Result<()> {
    send(stream, FIN | CLOSE, &code.to_be_bytes())
}

/// Whether a text has come; a close is answered, and is the end.
pub fn heard_text(stream: &TcpStream, reader: &mut impl BufRead) -> io::Result<bool> {
    while let Some(Frame { opcode, payload }) = read(reader)? {
        match opcode {
            TEXT => return Ok(true),
            CLOSE => return send(stream, FIN | CLOSE, &payload).map(|()| false),
            _ => {}
        }
    }
    Ok(false)
}

/// An agreement in the words that the path asks for.
fn agreement_of(path: &str, agreed: String) -> Vec<u8> {
    match path {
        "/any-case" => agreed
            .replace("connection: Upgrade", "CONNECTION: keep-alive, Upgrade")
            .replace("upgrade: websocket", "UPGRADE: WebSocket")
            .replace("sec-websocket-accept", "SEC-WEBSOCKET-ACCEPT"),
        "/extension" => {
            agreed.replace("\r\n\r\n", "\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n")
        }
        "/subprotocol" => agreed.replace("\r\n\r\n", "\r\nsec-websocket-protocol: chat\r\n\r\n"),
        _ => agreed,
    }
    .into_bytes()
}

/// Sends a message every few milliseconds until the client says something, which here can only be its goodbye, and
/// counts them.
fn tick<R: BufRead>((stream, mut reader): Line<'_, R>, shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + ENOUGH_TIME;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) && !is_over(stream)? {
        send(stream, FIN | TEXT, b"tick")?;
        shared.messages.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
    }
    if let Some(Frame { opcode: CLOSE, payload }) = read(&mut reader)? {
        send(stream, FIN | CLOSE, &payload)?;
    }
    leave(stream)
}

/// Answers a text; false at the end of the connection.
fn converse<R: BufRead>(
    (stream, reader): Line<'_, &mut R>,
    path: &str,
    said: &[u8],
    shared: &Shared,
) -> io::Result<bool> {
    if let Some(code) = path.strip_prefix("/bye-") {
        send(
            stream,
            FIN | CLOSE,
            &[&code.parse::<u16>().unwrap_or(0).to_be_bytes(), b"so be it".as_slice()].concat(),
        )?;
        return leave(stream).map(|()| false);
    }
    match path {
        "/half-open" | "/deaf" => idle(shared),
        "/bye" => send(stream, FIN | CLOSE, &[]).and_then(|()| leave(stream))?,
        "/cut" => leave(stream)?,
        "/cut-frame" => {
            let whole = frame(FIN | TEXT, b"only this much");
            (&*stream).write_all(&whole[..whole.len() - 5])?;
            leave(stream)?;
        }
        "/reset" => reset(stream.try_clone()?),
        "/flood" => {
            (0..FLOOD / 100)
                .try_for_each(|_| (&*stream).write_all(&frame(FIN | TEXT, b"drop in the sea").repeat(100)))?;
            return Ok(true);
        }
        // What is said next tells whether the pong came before it.
        "/ping" if said != b"go" => return Ok(true),
        "/ping" => {
            send(stream, FIN | PING, b"are you there")?;
            let early =
                read(reader)?.is_some_and(|next| next.opcode == PONG && next.payload == b"are you there");
            send(stream, FIN | TEXT, if early { b"a pong came first" } else { b"no pong came first" })?;
            return Ok(true);
        }
        "/fragments-and-pings" => {
            let pieces =
                [frame(TEXT, b"hello "), frame(FIN | PING, b"p"), frame(FIN | CONTINUATION, b"world")];
            return (&*stream).write_all(&pieces.concat()).map(|()| true);
        }
        "/any-case" | "/echo" => return send(stream, FIN | TEXT, said).map(|()| true),
        _ => {
            break_rules(stream, path)?;
            // The client is free to say why it leaves.
            io::copy(reader, &mut io::sink())?;
        }
    }
    Ok(false)
}

/// Sends what the protocol or `max_body`, 1 MiB, forbids.
fn break_rules(mut stream: &TcpStream, path: &str) -> io::Result<()> {
    let fragment = vec![b'x'; 300 << 10];
    let bytes = match path {
        "/oversize" => frame(FIN | TEXT, &vec![b'x'; (1 << 20) + 1]),
        // A length of 2^62, and nothing behind it.
        "/oversize-announced" => [&[FIN | TEXT, 127, 0x40][..], &[0; 7]].concat(),
        "/announced" => announced(),
        // A length of 2^63, which no frame may have.
        "/impossible-length" => [&[FIN | TEXT, 127, 0x80][..], &[0; 7]].concat(),
        "/oversize-in-fragments" => {
            [frame(TEXT, &fragment), frame(CONTINUATION, &fragment).repeat(3)].concat()
        }
        "/endless-fragments" => {
            [frame(TEXT, b"x"), frame(CONTINUATION, &[b'x'; 100]).repeat(20_000)].concat()
        }
        "/reserved-bit" => frame(FIN | 0x40 | TEXT, b"compressed?"),
        "/reserved-opcode" => frame(FIN | 0x3, b"what"),
        "/masked" => [&[FIN | TEXT, FIN | 2][..], &[1, 2, 3, 4], b"hi"].concat(),
        "/long-ping" => frame(FIN | PING, &[b'x'; 126]),
        "/fragmented-ping" => frame(PING, b"half"),
        "/not-utf8" => frame(FIN | TEXT, b"\xff\xfe"),
        "/not-utf8-in-fragments" => [frame(TEXT, b"\xf0\x9f"), frame(FIN | CONTINUATION, b"xx")].concat(),
        "/stray-continuation" => frame(FIN | CONTINUATION, b"of what"),
        "/text-within-text" => [frame(TEXT, b"half"), frame(FIN | TEXT, b"whole")].concat(),
        "/short-close" => frame(FIN | CLOSE, b"x"),
        other => panic!("no such fault: {other}"),
    };
    stream.write_all(&bytes)
}

/// The header of a frame of 1 MiB, which is allowed, and nothing behind it.
fn announced() -> Vec<u8> {
    [&[FIN | TEXT, 127][..], &(1_u64 << 20).to_be_bytes()].concat()
}

/// Pings whenever an HTTP request has asked for it, and counts the pongs.
fn ping_on_demand<R: BufRead>((stream, mut reader): Line<'_, R>, shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + ENOUGH_TIME;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        if shared.pings.load(Ordering::SeqCst) <= shared.pongs.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
            if is_over(stream)? {
                return Ok(());
            }
            continue;
        }
        send(stream, FIN | PING, b"on demand")?;
        match read(&mut reader)? {
            Some(Frame { opcode: PONG, payload }) if payload == b"on demand" => {
                shared.pongs.fetch_add(1, Ordering::SeqCst);
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Whether the client has said something, which here can only be its goodbye, or has gone.
fn is_over(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    match seen {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn send(mut stream: &TcpStream, first: u8, payload: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(first, payload))
}

/// First byte, length, payload: unmasked, as servers send (RFC 6455, 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = match length {
        0..=125 => vec![first, length as u8],
        126..=0xffff => [&[first, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    [&head, payload].concat()
}

/// The next frame of the client, which must be masked; none at the end.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut head = [0; 2];
    if reader.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut head[1..])?;
    if head[1] & 0x80 == 0 {
        return Err(io::Error::other("a client masks its frames"));
    }
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            u64::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            reader.read_exact(&mut length)?;
            u64::from_be_bytes(length)
        }
        length => u64::from(length),
    };
    let mut mask = [0; 4];
    reader.read_exact(&mut mask)?;
    let mut payload = Vec::new();
    reader.take(length).read_to_end(&mut payload)?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(Some(Frame { opcode: head[0] & 0xf, payload }))
}
