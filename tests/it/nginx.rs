//! Against nginx: connections kept and closed, every way to end a body, methods, faults, TLS. What nginx wrote
//! into its own log is what the result must count.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use loadgate::load::target::free_address;
use rcgen::CertificateParams;
use serde_json::Value;

use crate::external::{
    Server, Trust, certify, count, kinds, names, never_fails, only_fails, opened, result, run, samples,
    steady, whole,
};
use crate::harness::{Workspace, poll_until};

const CONFIG: &str = include_str!("fixtures/nginx.conf");
const SUITE: &str = include_str!("fixtures/nginx.yaml");
const LARGE: usize = 8 << 20;
const USERS: u64 = 3;

/// nginx with files to serve, plain and over TLS.
struct Nginx {
    workspace: Workspace,
    _server: Server,
    plain: u16,
    tls: u16,
}

impl Nginx {
    fn start(keep: &str, protocol: &str, certificate: &CertificateParams) -> Self {
        let workspace = Workspace::new();
        certify(&workspace, certificate);
        workspace.write("www/page.txt", &"a page\n".repeat(20_000));
        workspace.write("www/included.txt", "<!--# echo var=\"request_method\" --> included");
        workspace.write("www/files/about.txt", "made and deleted by the test");
        let large = "x".repeat(LARGE);
        workspace.write("www/large.bin", &large);
        workspace.write("large.bin", &large);
        let (plain, tls) = (free_address().expect("a port"), free_address().expect("a port"));
        let config = CONFIG
            .replace("@ROOT@", workspace.path("").to_str().expect("a path").trim_end_matches('/'))
            .replace("@PLAIN@", &plain.to_string())
            .replace("@TLS@", &tls.to_string())
            .replace("@KEEP@", keep)
            .replace("@PROTOCOL@", protocol);
        let mut command = Command::new(program());
        command.arg("-c").arg(workspace.write("nginx.conf", &config));
        let server = Server::start(command, plain.to_string());
        Self { workspace, _server: server, plain: plain.port(), tls: tls.port() }
    }

    fn plain(keep: &str) -> Self {
        Self::start(keep, "TLSv1.2 TLSv1.3", &names(&["localhost"]))
    }

    /// Runs a scenario in plain text.
    fn run(&self, scenario: &str, code: i32) -> Value {
        self.run_on(&format!("http://127.0.0.1:{}", self.plain), (scenario, Trust::Machine), code)
    }

    fn run_on(&self, host: &str, (scenario, trust): (&str, Trust), code: i32) -> Value {
        self.workspace.write("config.yaml", &SUITE.replace("@HOST@", host));
        result(&run(&self.workspace, scenario, trust), code)
    }

    /// Waits until nginx has logged as many requests as the result counts, and compares them one by one.
    fn agrees_with(&self, result: &Value) -> Log {
        assert_eq!(result["whole_run"]["unfinished"], 0);
        let failed = result["whole_run"]["failed"].as_object().expect("kinds").values().map(count);
        let sent = count(&result["whole_run"]["ok"]) + failed.sum::<u64>();
        poll_until(Duration::from_secs(10), "nginx has logged the last request", || {
            self.log().requests.values().sum::<u64>() >= sent
        });
        let log = self.log();
        assert_eq!(log.requests.values().sum::<u64>(), sent, "{:?}", log.requests);
        log
    }

    fn log(&self) -> Log {
        let text = std::fs::read_to_string(self.workspace.path("access.log")).unwrap_or_default();
        let mut log = Log::default();
        for line in text.lines() {
            let (connection, request) = line.split_once(' ').expect("a line of the log");
            log.connections.insert(connection.to_owned());
            *log.requests.entry(request.to_owned()).or_default() += 1;
        }
        log
    }
}

/// What nginx has seen.
#[derive(Default)]
struct Log {
    connections: BTreeSet<String>,
    /// By `STATUS METHOD /path`.
    requests: BTreeMap<String, u64>,
}

/// Not on the path of every user where Debian installs it.
fn program() -> &'static str {
    let debian = "/usr/sbin/nginx";
    if std::path::Path::new(debian).exists() { debian } else { "nginx" }
}

fn sent(result: &Value) -> u64 {
    let failed = result["whole_run"]["failed"].as_object().expect("kinds").values().map(count);
    count(&result["whole_run"]["ok"]) + failed.sum::<u64>()
}

#[test]
fn a_user_keeps_one_connection_whatever_answers_look_like() {
    let nginx = Nginx::plain("");
    let result = nginx.run("pages", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    let log = nginx.agrees_with(&result);
    assert_eq!(log.connections.len() as u64, USERS);
    assert_eq!(opened(&result, "connect_ms"), USERS);
    assert_eq!(opened(&result, "tls_ms"), 0);
    for (name, logged) in [
        ("GET /chunked/included.txt", "200 GET /chunked/included.txt"),
        ("GET /proxied/included.txt", "200 GET /proxied/included.txt"),
        ("HEAD /page.txt", "200 HEAD /page.txt"),
        ("GET unmodified", "304 GET /page.txt"),
        ("GET part", "206 GET /page.txt"),
        ("GET /moved", "301 GET /moved"),
        ("OPTIONS /nothing", "204 OPTIONS /nothing"),
        ("POST /nothing", "204 POST /nothing"),
    ] {
        never_fails(&result, name);
        assert_eq!(whole(&result, name)["ok"], log.requests[logged], "{name}");
    }
    for name in ["PUT /files/{}.txt", "GET /files/{}.txt", "DELETE /files/{}.txt", "GET deleted"] {
        never_fails(&result, name);
    }
}

#[test]
fn a_connection_that_the_server_closes_after_five_requests_is_opened_again() {
    let nginx = Nginx::plain("keepalive_requests 5;");
    let result = nginx.run("pages", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    let connections = nginx.agrees_with(&result).connections.len() as u64;
    // Every user fills its connections one after the other; only its last may hold fewer than five.
    let fewest = sent(&result).div_ceil(5);
    assert!((fewest..fewest + USERS).contains(&connections), "{connections} for {}", sent(&result));
    // What the last requests opened may have ended after the steady phase.
    assert!((connections - USERS..=connections).contains(&opened(&result, "connect_ms")));
}

#[test]
fn a_connection_that_the_server_closes_while_idle_is_no_failure() {
    let nginx = Nginx::plain("keepalive_timeout 50ms;");
    let result = nginx.run("idle", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    assert!(nginx.agrees_with(&result).connections.len() as u64 > USERS);
}

#[test]
fn faults_are_counted_by_kind_as_often_as_nginx_saw_them() {
    let nginx = Nginx::plain("");
    let result = nginx.run("faults", 3);
    assert_eq!(kinds(&result), ["reset", "status"]);
    // As many log lines as failures: nothing was sent a second time.
    let log = nginx.agrees_with(&result);
    for (name, kind, logged) in [
        ("GET /dead", "status", "502 GET /dead"),
        ("GET /gone", "reset", "444 GET /gone"),
        ("GET /missing", "status", "404 GET /missing"),
        ("POST /too-large", "status", "413 POST /too-large"),
    ] {
        only_fails(&result, name, kind);
        assert_eq!(whole(&result, name)["failed"][kind], log.requests[logged], "{name}");
    }
    assert!(samples(&result, "GET /dead").contains("status 502"), "{}", result["failures"]);
    never_fails(&result, "GET /page.txt");
    never_fails(&result, "GET /nothing");
}

#[test]
fn a_large_body_is_read_whole_unless_it_is_larger_than_allowed() {
    let nginx = Nginx::plain("");
    let result = nginx.run("large", 0);
    never_fails(&result, "GET /large.bin");
    let page = steady(&result, "GET /large.bin");
    assert!(count(&page["bytes_in"]) >= count(&page["ok"]) * LARGE as u64, "{page}");
    let limited = nginx.run("small_only", 3);
    only_fails(&limited, "GET /large.bin", "protocol");
    assert!(samples(&limited, "GET /large.bin").contains("max_body"), "{}", limited["failures"]);
    never_fails(&limited, "GET /page.txt");
}

#[test]
fn an_authority_that_is_trusted_is_enough_for_each_version_of_tls() {
    for (protocol, host) in [("TLSv1.2", "localhost"), ("TLSv1.3", "127.0.0.1")] {
        let nginx = Nginx::start("keepalive_requests 5;", protocol, &names(&[host]));
        let url = format!("https://{host}:{}", nginx.tls);
        let result = nginx.run_on(&url, ("pages", Trust::Ours), 0);
        assert!(kinds(&result).is_empty(), "{protocol}: {}", result["failures"]);
        assert!(opened(&result, "tls_ms") > USERS, "{protocol}: handshakes have their own times");
        assert_eq!(opened(&result, "tls_ms"), opened(&result, "connect_ms"), "{protocol}");
        nginx.agrees_with(&result);
    }
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_a_failure_of_tls() {
    let mut expired = names(&["localhost"]);
    expired.not_before = rcgen::date_time_ymd(2001, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2002, 1, 1);
    for (certificate, trust, says) in [
        (names(&["localhost"]), Trust::Machine, "UnknownIssuer"),
        (names(&["another.example"]), Trust::Ours, "not valid for name"),
        (expired, Trust::Ours, "expired"),
    ] {
        let nginx = Nginx::start("", "TLSv1.2 TLSv1.3", &certificate);
        let result = nginx.run_on(&format!("https://localhost:{}", nginx.tls), ("idle", trust), 3);
        only_fails(&result, "GET /page.txt", "tls");
        assert!(samples(&result, "GET /page.txt").contains(says), "{}", result["failures"]);
        assert_eq!(nginx.log().requests.len(), 0, "nothing was asked of a server that is not trusted");
    }
}
