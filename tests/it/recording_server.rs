//! A server that keeps every request as it came over the wire, and answers what the test says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Nobody waits longer for a byte.
const ENOUGH_TIME: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET /x HTTP/1.1`.
    pub line: String,
    /// The headers in the order and the letters in which they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Recorded {
    /// What stands between the method and the version.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A running server. It ends with the test process.
pub struct RecordingServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl RecordingServer {
    /// Answers every request with what `answer` makes of it: the bytes of a whole response. A response without bytes
    /// closes the connection.
    pub fn start(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
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

fn serve(
    stream: &TcpStream,
    kept: &Mutex<Vec<Recorded>>,
    answer: &dyn Fn(&Recorded) -> Vec<u8>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ENOUGH_TIME))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let bytes = answer(&request);
        kept.lock().expect("no panic").push(request);
        if bytes.is_empty() {
            return Ok(());
        }
        (&mut &*stream).write_all(&bytes)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Recorded>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Recorded { line: line.trim().to_owned(), headers, body: String::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}
