//! A run with a live page, and its viewers on bare sockets.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Workspace, alone, poll_until};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn config(run_time: &str) -> String {
    format!(
        "version: 1\nname: live\nthresholds: {{p95: 5s}}\nreporting: {{formats: [json, html]}}\n\
         environments: {{e: {{target: {{command: [loadgate, demo-api, --listen, '{{{{ address }}}}'], ready: /health}}, users: 3, run_time: {run_time}}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 20ms, steps: [{{get: /health}}, {{get: /health, name: another}}, {{get: /health, name: other}}]}}}}}}}}\n"
    )
}

/// A run with a live page.
pub struct Run {
    pub workspace: Workspace,
    pub child: Child,
    pub address: String,
    /// Of the page.
    pub path: String,
    pub token: String,
    _alone: std::sync::MutexGuard<'static, ()>,
}

impl Run {
    /// On a free port.
    pub fn start(run_time: &str) -> Self {
        Self::start_at("0", run_time)
    }

    pub fn start_at(place: &str, run_time: &str) -> Self {
        let alone = alone();
        let workspace = Workspace::with_config(&config(run_time));
        let (child, [address, token]) = begin(&workspace, place);
        let mut run = Self { workspace, child, address, path: String::new(), token, _alone: alone };
        run.path = run.home();
        run
    }

    /// Kills it, and starts another at the same address.
    pub fn replace(&mut self) {
        self.kill();
        let (child, [address, token]) = begin(&self.workspace, &self.address);
        assert_eq!(address, self.address);
        (self.child, self.token) = (child, token);
        self.path = self.home();
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
    }

    /// Where `/` leads.
    pub fn home(&self) -> String {
        let answer = self.ask("GET /", "");
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        location.expect("a location").to_owned()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream
    }

    /// Sends a request with these headers beside `Host`, and reads the whole answer.
    pub fn ask(&self, line: &str, headers: &str) -> String {
        let host =
            if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        let mut stream = self.connect();
        stream.write_all(format!("{line} HTTP/1.1\r\n{host}{headers}\r\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    pub fn events(&self) -> Events {
        let mut stream = self.connect();
        stream.write_all(self.wish().as_bytes()).expect("sent");
        Events(BufReader::new(stream))
    }

    /// The request for the stream of events.
    pub fn wish(&self) -> String {
        format!("GET {}events HTTP/1.1\r\nHost: {}\r\n\r\n", self.path, self.address)
    }

    /// A viewer that asks for the stream and never reads it.
    pub fn stuck(&self) -> TcpStream {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(1024).expect("a small buffer");
        let address: std::net::SocketAddr = self.address.parse().expect("an address");
        socket.connect(&address.into()).expect("connected");
        let mut stream = TcpStream::from(socket);
        stream.write_all(self.wish().as_bytes()).expect("sent");
        stream
    }

    pub fn code(&mut self) -> i32 {
        let mut status = None;
        poll_until(PATIENCE, "the run ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.and_then(|status| status.code()).expect("an exit status")
    }

    pub fn latest(&self, name: &str) -> PathBuf {
        self.workspace.path(&format!("reports/latest/{name}"))
    }

    pub fn result(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.latest("result.json")).expect("a result")).expect("JSON")
    }
}

/// The binary with a live page there; its address and its token.
fn begin(workspace: &Workspace, place: &str) -> (Child, [String; 2]) {
    let log = workspace.path("stderr");
    let mut command = workspace.command(&["run", "--live", place]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a file"));
    let child = command.spawn().expect("the binary starts");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    poll_until(PATIENCE, "the address is told", || said().lines().count() > 0 && said().contains('\n'));
    let said = said();
    let line = said.lines().find_map(|line| line.strip_prefix("live: http://")).expect("an address");
    let (address, token) = line.split_once("/#token=").expect("a token");
    (child, [address, token].map(str::to_owned))
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A stream of events, and the head before it.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// Name and data of the next event; none where the stream has ended.
    pub fn next(&mut self) -> Option<(String, String)> {
        let (mut name, mut data) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => data.push(value.to_owned()),
                None if !name.is_empty() => return Some((name, data.join("\n"))),
                _ => {}
            }
        }
    }
}
