//! A server that misbehaves on purpose, in the way its path names. It speaks raw TCP, one thread a
//! connection, and whatever is endless here ends with the server or after a bound.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where an endless answer ends after all.
const ENOUGH_BYTES: usize = 256 << 20;
const ENOUGH_TIME: Duration = Duration::from_secs(30);
const MOST_CONNECTIONS: usize = 512;

/// How the server treats whoever connects.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// The path of each request decides.
    ByPath,
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
    requests: AtomicUsize,
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
            requests: AtomicUsize::new(0),
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
        shared.open.fetch_add(1, Ordering::Relaxed);
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
    let mut reader = BufReader::new(stream);
    while let Some(path) = read_request(&mut reader)? {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let after = match shared.mode {
            Mode::Freeze { length, period } => {
                thread::sleep(frozen(shared.begin.elapsed(), length, period));
                answer(stream, "200 OK", b"ok").map(|()| After::KeepAlive)
            }
            Mode::ByPath | Mode::ResetOnAccept => misbehave(stream, &path, shared),
        };
        if matches!(after?, After::Close) {
            return Ok(());
        }
    }
    Ok(())
}

/// The path of the next request; its body, if it announces one, is read and dropped.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    io::copy(&mut io::Read::take(reader, length), &mut io::sink())?;
    Ok(Some(path))
}

fn misbehave(stream: &TcpStream, path: &str, shared: &Shared) -> io::Result<After> {
    let mut out = stream;
    match path {
        "/reset" => reset(stream.try_clone()?),
        "/close" => {}
        "/truncated" => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")?,
        "/malformed" => out.write_all(b"HTTP/9.9 two hundred fine\r\n\r\n")?,
        "/garbage" => out.write_all(&[0x16, 0x03, 0x01, 0x00, 0xff, 0xfe, b'\n', 0x80, 0x00, b'\n'])?,
        "/endless-chunks" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            repeat(out, chunk().as_bytes(), shared)?;
        }
        "/endless-headers" => {
            out.write_all(b"HTTP/1.1 200 OK\r\n")?;
            repeat(out, b"x-more: and more\r\n", shared)?;
        }
        "/silent" => idle(shared),
        "/drip" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
            drip(out, shared)?;
        }
        "/huge-header" => {
            let value = "h".repeat(1 << 20);
            write!(out, "HTTP/1.1 200 OK\r\nx-huge: {value}\r\ncontent-length: 2\r\n\r\nok")?;
        }
        // Promises to stay, and leaves: the next request meets a closed connection.
        "/close-after" => answer(stream, "200 OK", b"ok")?,
        "/503" => return answer(stream, "503 Service Unavailable", b"later").map(|()| After::KeepAlive),
        "/wrong" => return answer(stream, "200 OK", b"{\"wrong\":").map(|()| After::KeepAlive),
        _ => return answer(stream, "200 OK", b"ok").map(|()| After::KeepAlive),
    }
    Ok(After::Close)
}

fn answer(mut out: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    out.write_all(&[head.as_bytes(), body].concat())
}

/// Zero linger turns the close into a reset.
fn reset(stream: TcpStream) {
    let socket = socket2::Socket::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
    let _ = socket.shutdown(std::net::Shutdown::Read);
}

fn chunk() -> String {
    format!("1000\r\n{}\r\n", "c".repeat(0x1000))
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

fn drip(mut out: &TcpStream, shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + ENOUGH_TIME;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        out.write_all(b".")?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn idle(shared: &Shared) {
    let end = Instant::now() + ENOUGH_TIME;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// How long a request that comes this far into the run must wait.
fn frozen(elapsed: Duration, length: Duration, period: Duration) -> Duration {
    let into = Duration::from_nanos((elapsed.as_nanos() % period.as_nanos()) as u64);
    let left = period.saturating_sub(into);
    if left <= length { left } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
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
}
