//! A server that keeps every request as it came, and answers each path with the bytes that the test gave it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a client may be silent before it is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, byte for byte.
    pub target: Vec<u8>,
    /// In the order of their arrival, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The values of a header.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// What is answered, by path and query; everything else is answered with an empty 200.
pub type Answers = HashMap<Vec<u8>, Vec<u8>>;

/// A running server; it stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Answers,
    requests: Mutex<Vec<Request>>,
    stopped: AtomicBool,
}

impl Server {
    /// Listens on `listener`, which the answers may name.
    pub fn start(listener: TcpListener, answers: Answers) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared =
            Arc::new(Shared { answers, requests: Mutex::default(), stopped: AtomicBool::new(false) });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), shared) = (stream, serving.clone()) else { continue };
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// What has come since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().expect("a lock"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

/// One request a connection: whatever the answer is, its end is plain.
fn serve(stream: &TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let Some(request) = read(&mut BufReader::new(stream)) else { return };
    let answer = shared.answers.get(&request.target).cloned();
    let answer = answer.unwrap_or_else(|| plain(200, &[], b""));
    shared.requests.lock().expect("a lock").push(request);
    let mut stream = stream;
    // A client may well refuse to read all of it.
    let _ = stream.write_all(&answer).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read(&mut [0; 1]);
}

fn read(from: &mut impl BufRead) -> Option<Request> {
    let first = line(from)?;
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let method = String::from_utf8_lossy(words.next()?).into_owned();
    let target = words.next()?.strip_suffix(b" HTTP/1.1")?.to_vec();
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.values("content-length").next().and_then(|text| std::str::from_utf8(text).ok());
    request.body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
    from.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn line(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).ok().filter(|length| *length > 0)?;
    Some(line.trim_ascii_end().to_vec())
}

/// An answer with these lines in its head, and a length.
pub fn plain(status: u16, lines: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Any\r\n").into_bytes();
    for line in lines {
        answer.extend_from_slice(line);
        answer.extend_from_slice(b"\r\n");
    }
    answer
        .extend_from_slice(format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(body);
    answer
}
