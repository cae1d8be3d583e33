//! A server that misbehaves on purpose: over HTTP/1.1 and on WebSockets in the way its path names, over HTTP/2
//! in the way it was started for. It speaks raw TCP, one thread a connection, and whatever is endless here ends
//! with the server or after a bound.

mod chaos;
mod http1;
mod http2;
mod tests;
mod websocket;

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use self::chaos::{ChaosServer, Speaks, Temper};
pub use self::http1::ONE_BYTE_CHUNKS;
pub use self::websocket::FLOOD;

/// Where an endless answer ends after all.
const ENOUGH_BYTES: usize = 256 << 20;
const ENOUGH_TIME: Duration = Duration::from_secs(30);
const MOST_CONNECTIONS: usize = 512;

/// How the server treats whoever connects.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// The path of each request decides.
    ByPath,
    /// Speaks HTTP/2 by prior knowledge; every other request, beginning with the first, meets this fault.
    Http2(&'static str),
    /// Every connection is reset as soon as it is accepted.
    ResetOnAccept,
    /// Answers within a millisecond, but nothing during the last `length` of every `period`.
    Freeze { length: Duration, period: Duration },
}

impl Mode {
    /// Blocked for one second of every five.
    pub const FREEZE: Self = Self::Freeze { length: Duration::from_secs(1), period: Duration::from_secs(5) };
}

/// A running server; it stops when dropped.
pub struct FaultServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mode,
    begin: Instant,
    stop: AtomicBool,
    open: AtomicUsize,
    most_open: AtomicUsize,
    requests: AtomicUsize,
    /// Pings that an HTTP request has asked for, and their pongs.
    pings: AtomicUsize,
    pongs: AtomicUsize,
    /// Messages sent at `/ticks`.
    messages: AtomicUsize,
}

/// Whether the connection can take another request.
enum After {
    KeepAlive,
    Close,
}

impl FaultServer {
    pub fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            mode,
            begin: Instant::now(),
            stop: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            pings: AtomicUsize::new(0),
            pongs: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
        });
        let server = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || accept(&listener, &shared));
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests read so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Messages sent at `/ticks`.
    pub fn messages(&self) -> usize {
        self.shared.messages.load(Ordering::SeqCst)
    }

    /// The most connections that were open at once.
    pub fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::Relaxed)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The accepting thread looks at the flag only when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if matches!(shared.mode, Mode::ResetOnAccept)
            || shared.open.load(Ordering::Relaxed) >= MOST_CONNECTIONS
        {
            reset(stream);
            continue;
        }
        let open = shared.open.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most_open.fetch_max(open, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client that goes away is what most of these answers are for.
            let _ = serve(&stream, &shared);
            shared.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ENOUGH_TIME))?;
    stream.set_write_timeout(Some(ENOUGH_TIME))?;
    if let Mode::Http2(fault) = shared.mode {
        return http2::serve(stream, fault, shared);
    }
    let mut reader = BufReader::new(stream);
    for nth in 0.. {
        let Some(request) = http1::read_request(&mut reader)? else { return Ok(()) };
        shared.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(key) = &request.key {
            return websocket::serve((stream, reader), &request.path, key, shared);
        }
        let after = if let Mode::Freeze { length, period } = shared.mode {
            thread::sleep(frozen(shared.begin.elapsed(), length, period));
            http1::answer(stream, "200 OK", b"ok").map(|()| After::KeepAlive)
        } else {
            http1::misbehave(stream, (&request.path, nth), shared)
        };
        if matches!(after?, After::Close) {
            return Ok(());
        }
    }
    Ok(())
}

/// How long a request that comes this far into the run must wait.
fn frozen(elapsed: Duration, length: Duration, period: Duration) -> Duration {
    let into = Duration::from_nanos((elapsed.as_nanos() % period.as_nanos()) as u64);
    let left = period.saturating_sub(into);
    if left <= length { left } else { Duration::ZERO }
}

/// Says no more, and listens until the other side has gone: what was said last is not lost in a reset.
fn leave(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    listen(stream)
}

/// Says nothing, and listens until the other side has gone.
fn listen(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Zero linger turns the close into a reset.
fn reset(stream: TcpStream) {
    let socket = socket2::Socket::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
    let _ = socket.shutdown(std::net::Shutdown::Read);
}

fn repeat(mut out: &TcpStream, bytes: &[u8], shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + ENOUGH_TIME;
    let mut sent = 0;
    while sent < ENOUGH_BYTES && Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        out.write_all(bytes)?;
        sent += bytes.len();
    }
    Ok(())
}

fn idle(shared: &Shared) {
    let end = Instant::now() + ENOUGH_TIME;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
}
