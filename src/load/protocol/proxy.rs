//! A way through an HTTP proxy: a tunnel to a host (`CONNECT`, RFC 9110, 9.3.6), through which anything can be spoken.
//! Plain HTTP/1.1 needs none: its requests name the whole URL (RFC 9112, 3.2.2), see `http1/head`.

use std::cell::Cell;

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::broken;
use super::http1::decoder::Decoder;
use super::incoming::{Headers, Keep, Sieve, Wants};
use super::outgoing::USER_AGENT;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::memory::Budget;
use crate::plan::proxy::ProxyServer;

/// Bytes that are read at once.
const READ: usize = 1024;
/// The most bytes of the answer of a proxy.
const MOST: u64 = 1 << 20;

/// Has the proxy at the other end of a connection connect to a host.
pub async fn tunnel(
    mut tcp: TcpStream,
    proxy: &ProxyServer,
    (host, port): (&str, u16),
) -> Result<TcpStream, Failure> {
    let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let authorization = match &proxy.authorization {
        Some(value) => format!("proxy-authorization: {value}\r\n"),
        None => String::new(),
    };
    let request = format!(
        "CONNECT {place} HTTP/1.1\r\nhost: {place}\r\nuser-agent: {USER_AGENT}\r\n{authorization}\r\n"
    );
    let fail = |what: String| Failure::new(FailureKind::Connect, format!("the proxy {proxy} {what}"));
    let lost =
        |error: &std::io::Error| fail(format!("did not connect to {place}: {}", broken(error).message));
    tcp.write_all(request.as_bytes()).await.map_err(|error| lost(&error))?;
    // What a proxy says is its own affair: it has a small budget of its own.
    let (budget, events) = (Budget::new(MOST), Cell::new(None));
    let (headers, body) = (Headers::Essential, Keep::Excerpt);
    let wants = Wants { headers, body, limit: MOST, budget: &budget, events: &events };
    // As to HEAD, an answer ends with its head: what follows is the tunnel, or the words of a refusal.
    let (mut decoder, mut sieve) = (Decoder::new(&Method::HEAD, wants.headers), Sieve::new(wants));
    let mut rest = Vec::with_capacity(READ);
    while decoder.status == 0 {
        if tcp.read_buf(&mut rest).await.map_err(|error| lost(&error))? == 0 {
            return Err(fail(format!("closed the connection instead of connecting to {place}")));
        }
        let used = decoder.feed(&rest, &mut sieve).map_err(|failure| fail(failure.message))?;
        rest.drain(..used);
    }
    match decoder.status {
        200..300 if rest.is_empty() => Ok(tcp),
        200..300 => Err(fail(format!("said more than that it is connected to {place}"))),
        407 => Err(fail(format!(
            "did not connect to {place}: status 407, it wants a user and a password (`http://USER:PASSWORD@HOST:PORT`)"
        ))),
        status => Err(fail(format!("did not connect to {place}: status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of a tunnel where the proxy answers so.
    async fn answered(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let proxy = ProxyServer::parse(&format!("http://{address}"), "HTTP_PROXY").unwrap();
        let tcp = TcpStream::connect(address).await.unwrap();
        let ended = tunnel(tcp, &proxy, ("a.test", 443)).await;
        server.join().unwrap();
        ended.map(drop).map_err(|failure| failure.message)
    }

    #[tokio::test]
    async fn a_tunnel_begins_behind_the_head_of_the_answer_and_loses_nothing() {
        for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"] {
            assert_eq!(answered(head).await, Ok(()));
        }
        for early in ["HTTP/1.1 200 OK\r\n\r\nearly", "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nearly"] {
            let message = answered(early).await.unwrap_err();
            assert!(message.contains("said more than that it is connected"), "{message}");
        }
        let message = answered("HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno").await.unwrap_err();
        assert!(message.contains("status 403"), "{message}");
    }
}
