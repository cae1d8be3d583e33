//! Against nginx, whose own log is the witness: what it wrote there is what the result must count.

mod certificate;
mod connection;
mod http2;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use rcgen::CertificateParams;
use serde::Deserialize;
use serde_json::Value;

use crate::external::{Server, Trust, certify, count, names, opened, result, run_with};
use crate::harness::{Finished, Workspace, poll_until};

const CONFIG: &str = include_str!("../fixtures/nginx.conf");
const SUITE: &str = include_str!("../fixtures/nginx.yaml");
const LARGE: usize = 8 << 20;
const USERS: u64 = 3;

/// nginx with files to serve, in every way it can be reached.
struct Nginx {
    workspace: Workspace,
    _server: Server,
    ports: Ports,
}

/// Where it listens, beside two sockets.
struct Ports {
    /// HTTP/1.1 in plain text.
    plain: u16,
    /// HTTP/2 in plain text.
    clear: u16,
    /// HTTP/1.1 over TLS.
    tls: u16,
    /// Either over TLS.
    both: u16,
    /// Either over TLS, for those who show a certificate.
    mutual: u16,
    /// HTTP/1.1 in plain text over IPv6, where the machine has it.
    six: Option<u16>,
}

impl Nginx {
    fn start(keep: &str, protocol: &str, certificate: &CertificateParams) -> Self {
        let workspace = Workspace::new();
        certify(&workspace, certificate);
        workspace.write("www/page.txt", &"a page\n".repeat(20_000));
        workspace.write("www/included.txt", "<!--# echo var=\"request_method\" --> included");
        workspace.write("www/files/about.txt", "made and deleted by the test");
        let large = large();
        workspace.write("www/large.bin", &large);
        workspace.write("large.bin", &large);
        let ports = Ports::free();
        let mut command = Command::new(program());
        let config = configured(&ports, &workspace).replace("@KEEP@", keep).replace("@PROTOCOL@", protocol);
        command.arg("-c").arg(workspace.write("nginx.conf", &config));
        let server = Server::start(command, format!("127.0.0.1:{}", ports.plain));
        Self { workspace, _server: server, ports }
    }

    fn plain(keep: &str) -> Self {
        Self::start(keep, "TLSv1.2 TLSv1.3", &names(&["localhost"]))
    }

    /// Runs a scenario in plain text.
    fn run(&self, scenario: &str, code: i32) -> Value {
        self.run_on(&format!("http://127.0.0.1:{}", self.ports.plain), (scenario, Trust::Machine), code)
    }

    fn run_on(&self, host: &str, (scenario, trust): (&str, Trust), code: i32) -> Value {
        result(&self.finish(host, (scenario, trust), &[]), code)
    }

    /// Runs a scenario, with settings, and forgets what nginx logged before.
    fn run_set(&self, host: &str, run: (&str, Trust, i32), settings: &[&str]) -> Value {
        let (scenario, trust, code) = run;
        self.forget();
        result(&self.finish(host, (scenario, trust), settings), code)
    }

    fn finish(&self, host: &str, (scenario, trust): (&str, Trust), settings: &[&str]) -> Finished {
        self.workspace.write("config.yaml", &self.suite(host));
        let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        run_with(&self.workspace, scenario, &set, trust)
    }

    fn suite(&self, host: &str) -> String {
        suite(host, &self.ports)
    }

    fn forget(&self) {
        self.workspace.write("access.log", "");
    }

    /// Waits until nginx has logged as many requests as the result counts, and compares them one by one.
    fn agrees_with(&self, result: &Value) -> Log {
        assert_eq!(result["whole_run"]["unfinished"], 0);
        let sent = sent(result);
        poll_until(Duration::from_secs(10), "nginx has logged the last request", || {
            self.log().lines.len() as u64 >= sent
        });
        let log = self.log();
        assert_eq!(log.lines.len() as u64, sent, "{:?}", log.requests());
        log
    }

    fn log(&self) -> Log {
        let text = std::fs::read_to_string(self.workspace.path("access.log")).unwrap_or_default();
        // The last line may be half written.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let line = |line| serde_json::from_str(line).expect("a line of the log");
        Log { lines: whole.lines().map(line).collect() }
    }
}

impl Ports {
    fn free() -> Self {
        // Held all at once: one that is given back could be given again.
        let held = [(); 5].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let six = TcpListener::bind("[::1]:0").ok();
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let [plain, clear, tls, both, mutual] = held.each_ref().map(port);
        Self { plain, clear, tls, both, mutual, six: six.as_ref().map(port) }
    }
}

/// What nginx has seen.
struct Log {
    lines: Vec<Line>,
}

/// One request, as nginx names its parts.
#[derive(Debug, Deserialize)]
struct Line {
    connection: String,
    /// The number of the request on its connection, from 1.
    nth: String,
    protocol: String,
    status: String,
    method: String,
    uri: String,
    length: String,
    host: String,
    encoding: String,
    verified: String,
    cookie: String,
}

impl Log {
    fn connections(&self) -> BTreeSet<&str> {
        self.lines.iter().map(|line| line.connection.as_str()).collect()
    }

    /// How often, by `STATUS METHOD /path`.
    fn requests(&self) -> BTreeMap<String, u64> {
        self.tally(|line| format!("{} {} {}", line.status, line.method, line.uri))
    }

    /// How often each of something was seen.
    fn tally(&self, of: impl Fn(&Line) -> String) -> BTreeMap<String, u64> {
        self.lines.iter().fold(BTreeMap::new(), |mut counts, line| {
            *counts.entry(of(line)).or_default() += 1;
            counts
        })
    }

    /// The only one there is of something.
    fn only(&self, of: impl Fn(&Line) -> String) -> String {
        let seen: Vec<String> = self.tally(of).into_keys().collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.concat()
    }
}

/// Several MiB of which no two stretches are alike.
fn large() -> String {
    let mut text = (0..=LARGE / 9).map(|number| format!("{number:08x} ")).collect::<Vec<_>>().concat();
    text.truncate(LARGE);
    text
}

/// The configuration that puts load on this host.
fn suite(host: &str, ports: &Ports) -> String {
    SUITE
        .replace("@HOST@", host)
        .replace("@PLAIN@", &ports.plain.to_string())
        .replace("@TLS@", &ports.tls.to_string())
        .replace("@BOTH@", &ports.both.to_string())
}

fn configured(ports: &Ports, workspace: &Workspace) -> String {
    let six = ports.six.map(|port| format!("listen [::1]:{port};")).unwrap_or_default();
    CONFIG
        .replace("@ROOT@", workspace.path("").to_str().expect("a path").trim_end_matches('/'))
        .replace("@PLAIN@", &ports.plain.to_string())
        .replace("@CLEAR@", &ports.clear.to_string())
        .replace("@TLS@", &ports.tls.to_string())
        .replace("@BOTH@", &ports.both.to_string())
        .replace("@MUTUAL@", &ports.mutual.to_string())
        .replace("@SIX@", &six)
}

/// Not on the path of every user where Debian installs it.
fn program() -> &'static str {
    let debian = "/usr/sbin/nginx";
    if std::path::Path::new(debian).exists() { debian } else { "nginx" }
}

/// Asserts that every request opened a connection. What was due as the run ended is not in the steady phase.
fn all_opened(result: &Value, phase: &str) {
    let (all, opened) = (sent(result), opened(result, phase));
    assert!((all - USERS..=all).contains(&opened), "{phase}: {opened} of {all}");
}

/// What reached the server: a request that was sent again reached it twice.
fn sent(result: &Value) -> u64 {
    let failed = result["whole_run"]["failed"].as_object().expect("kinds").values().map(count);
    let run = &result["whole_run"];
    count(&run["ok"])
        + failed.sum::<u64>()
        + count(&run["retried_on_close"])
        + count(&run["retried_on_refusal"])
}
