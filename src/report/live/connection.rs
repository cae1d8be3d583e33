//! One connection to the live page: a request, its answer, the end. Everything is bounded: the size of a
//! request, how long it may take to come, how long an answer may wait to be read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::hall::{Hall, Stopped};
use super::page::Stage;
use super::request::{Asked, Head};

/// Bytes of a request.
const LARGEST: usize = 8 * 1024;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a viewer may go without reading.
const UNREAD: Duration = Duration::from_secs(10);
/// How often a silent stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(10);
/// Bytes the kernel keeps for a viewer that does not read.
const UNREAD_BYTES: usize = 128 * 1024;

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
/// What a page cannot say of itself; the rest of its policy is in it.
const FRAMES: &str = "frame-ancestors 'none'";

/// Answers one request. An error means that the other side is gone or does not read; nobody needs to know.
pub async fn answer(mut stream: TcpStream, hall: Arc<Hall>) -> io::Result<()> {
    let socket = socket2::SockRef::from(&stream);
    // Without either it only costs more, and is later.
    let _ = socket.set_send_buffer_size(UNREAD_BYTES);
    let _ = stream.set_nodelay(true);
    let asked = match timeout(PATIENCE, read(&mut stream)).await.map_err(|_| io::ErrorKind::TimedOut)?? {
        Ok(head) => (head.asked(hall.address), head.token),
        Err(status) => (Asked::Refused(status), None),
    };
    match asked {
        (Asked::Events, _) => events(&mut stream, &hall).await?,
        (Asked::Page, _) => {
            let page = hall.page().await;
            send(&mut stream, &whole(200, HTML, &page.document)).await?;
        }
        (Asked::Stop, token) => {
            let (status, text) = match hall.stop(token.as_deref()) {
                Stopped::Stopping => (202, "the run is being stopped\n"),
                Stopped::OverAlready => (409, "the run is over\n"),
                Stopped::WrongToken => (403, "the token is wrong: it stands in the terminal of the run\n"),
            };
            send(&mut stream, &whole(status, PLAIN, text)).await?;
        }
        (Asked::Refused(status), _) => refuse(&mut stream, status).await?,
    }
    stream.shutdown().await
}

/// The head of a request, or the status it deserves.
async fn read(stream: &mut TcpStream) -> io::Result<Result<Head, u16>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match Head::parse(&bytes) {
            Ok(Some(head)) => return Ok(Ok(head)),
            Ok(None) if bytes.len() < LARGEST => {}
            Ok(None) => return Ok(Err(431)),
            Err(status) => return Ok(Err(status)),
        }
    }
}

/// The present state at once, then every newer one, until the last.
async fn events(stream: &mut TcpStream, hall: &Arc<Hall>) -> io::Result<()> {
    let Some(_viewer) = hall.enter() else { return refuse(stream, 503).await };
    let mut pages = hall.pages();
    send(stream, &format!("{}\r\nretry: 1000\n\n", head(200, "text/event-stream"))).await?;
    loop {
        let page = pages.borrow_and_update().clone();
        send(stream, &page.event).await?;
        if page.stage == Stage::Ended {
            return Ok(());
        }
        news(stream, &mut pages).await?;
    }
}

/// Until there is a newer page; says now and then that this is alive, and sees when nobody is there.
async fn news(
    stream: &mut TcpStream,
    pages: &mut tokio::sync::watch::Receiver<super::page::Page>,
) -> io::Result<()> {
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            changed = pages.changed() => return changed.map_err(|_| io::ErrorKind::BrokenPipe.into()),
            read = stream.read(&mut rest) => {
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            () = tokio::time::sleep(ALIVE) => send(stream, ": still here\n\n").await?,
        }
    }
}

async fn refuse(stream: &mut TcpStream, status: u16) -> io::Result<()> {
    send(stream, &whole(status, PLAIN, &format!("{}\n", reason(status)))).await
}

/// Writes all of it to somebody who reads.
async fn send(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    timeout(UNREAD, stream.write_all(text.as_bytes())).await.map_err(|_| io::ErrorKind::TimedOut)?
}

fn whole(status: u16, kind: &str, body: &str) -> String {
    format!("{}Content-Length: {}\r\n\r\n{body}", head(status, kind), body.len())
}

fn head(status: u16, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Security-Policy: {FRAMES}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
         Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n",
        reason(status)
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}
