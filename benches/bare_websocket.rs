//! A bare tokio-tungstenite in the conditions loadgate works in: the echo server and the client that
//! `compare.py` measures loadgate's WebSockets beside. It must not measure anything itself.

#![expect(clippy::print_stdout, reason = "it tells its address, and how much it did")]

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{accept_async_with_config, client_async_with_config};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "compare.py runs it: bare_websocket serve | bare_websocket client URL USERS SECONDS";
/// As in `load::protocol::websocket`.
const BUFFER: usize = 4 * 1024;
const MESSAGE: usize = 100;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.as_slice() {
        ["serve"] => LocalSet::new().block_on(&runtime, serve()),
        ["client", url, users, seconds] => {
            let end = Instant::now() + Duration::from_secs(seconds.parse()?);
            let round_trips = LocalSet::new().block_on(&runtime, crowd(url, users.parse()?, end))?;
            println!("{round_trips}");
            Ok(())
        }
        // `cargo bench` starts every benchmark.
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0)
}

async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            // How a client goes away is its own business.
            let _ = echo(stream).await;
        });
    }
}

async fn echo(stream: TcpStream) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let mut socket = accept_async_with_config(stream, Some(config())).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Users side by side until the end; their round trips together.
async fn crowd(url: &str, users: usize, end: Instant) -> Outcome<u64> {
    let mut tasks = JoinSet::new();
    for _ in 0..users {
        let url = url.to_owned();
        tasks.spawn_local(async move { user(&url, end).await.map_err(|error| error.to_string()) });
    }
    let mut round_trips = 0;
    while let Some(ended) = tasks.join_next().await {
        round_trips += ended??;
    }
    Ok(round_trips)
}

async fn user(url: &str, end: Instant) -> Outcome<u64> {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async_with_config(url, stream, Some(config())).await?;
    let text = "x".repeat(MESSAGE);
    let mut round_trips = 0;
    while Instant::now() < end {
        socket.send(Message::text(text.clone())).await?;
        match socket.next().await {
            Some(Ok(Message::Text(echoed))) if echoed.as_str() == text => round_trips += 1,
            other => return Err(format!("no echo but {other:?}").into()),
        }
    }
    socket.close(None).await?;
    Ok(round_trips)
}
