//! A server that keeps every request byte for byte, and answers what the test says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a client may be silent before it is given up.
const ENOUGH_TIME: Duration = Duration::from_secs(30);

/// A request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub method: String,
    /// What stands between the method and the version.
    pub raw_target: Vec<u8>,
    /// In the order of their arrival, names in the letters that were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Recorded {
    /// The target, where it is text.
    pub fn target(&self) -> &str {
        std::str::from_utf8(&self.raw_target).unwrap_or_default()
    }

    /// The first value of a header that is text, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The body, where it is text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

type Answer = dyn Fn(&Recorded) -> Vec<u8> + Send + Sync;

/// A running server. It ends with the test process.
pub struct RecordingServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl RecordingServer {
    /// Answers every request with what `answer` makes of it: the bytes of a whole response. The connection is closed
    /// after a response without bytes, and after one that says `connection: close`.
    pub fn start(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a free port"), answer)
    }

    /// The same on a listener whose address the answers may name.
    pub fn on(listener: TcpListener, answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("an address");
        let requests: Arc<Mutex<Vec<Recorded>>> = Arc::default();
        let (kept, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || serve(&stream, &kept, &*answer));
            }
        });
        Self { address, requests }
    }

    /// Answers everything with 200.
    pub fn fine() -> Self {
        Self::start(|_| ok())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The requests since the last time.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.requests.lock().expect("no panic"))
    }

    /// The first request for a path.
    pub fn first(&self, path: &str) -> Recorded {
        let found = self.requests().into_iter().find(|request| request.target() == path);
        found.unwrap_or_else(|| panic!("nobody asked for {path}: {:?}", self.targets()))
    }

    /// What was asked for.
    pub fn targets(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.target().to_owned()).collect()
    }
}

/// A response that is fine.
pub fn ok() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()
}

/// A response without a body: its status, and more lines of its head.
pub fn head(status: &str, lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{lines}content-length: 0\r\n\r\n").into_bytes()
}

/// A response with these lines in its head and a length, after which the connection is closed.
pub fn closing(status: u16, lines: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 {status} Any\r\n").into_bytes();
    for line in lines {
        response.extend_from_slice(line);
        response.extend_from_slice(b"\r\n");
    }
    let end = format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    response.extend_from_slice(end.as_bytes());
    response.extend_from_slice(body);
    response
}

/// Whether the end of a response is the end of its connection.
fn closes(response: &[u8]) -> bool {
    let mark = b"connection: close";
    response.is_empty() || response.windows(mark.len()).any(|bytes| bytes.eq_ignore_ascii_case(mark))
}

fn serve(mut stream: &TcpStream, kept: &Mutex<Vec<Recorded>>, answer: &Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ENOUGH_TIME))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let response = answer(&request);
        kept.lock().expect("no panic").push(request);
        stream.write_all(&response)?;
        if closes(&response) {
            // The client reads to the end before it sees a reset for what it has sent beyond the request.
            stream.shutdown(Shutdown::Write)?;
            return stream.read(&mut [0; 1]).map(drop);
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Recorded>> {
    let first = line(reader)?;
    let Some((method, rest)) = split(&first, b' ') else { return Ok(None) };
    let raw_target = rest.strip_suffix(b" HTTP/1.1").unwrap_or(rest).to_vec();
    let mut headers = Vec::new();
    loop {
        let header = line(reader)?;
        let Some((name, value)) = split(&header, b':') else { break };
        headers.push((String::from_utf8_lossy(name).into_owned(), value.trim_ascii().to_vec()));
    }
    let method = String::from_utf8_lossy(method).into_owned();
    let mut request = Recorded { method, raw_target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(Some(request))
}

/// What stands on either side of the first such byte.
fn split(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = line.iter().position(|byte| *byte == at)?;
    Some((&line[..place], &line[place + 1..]))
}

fn line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    Ok(line.trim_ascii_end().to_vec())
}
