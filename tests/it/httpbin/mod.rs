//! Against httpbin, which answers with what it was sent: headers, bodies, credentials, and what flows from one
//! answer into the next request.

mod bodies;
mod cookies;
mod redirects;

use serde_json::Value;

use crate::external::{
    Server, count, kinds, named, never_fails, only_fails, opened, result, samples, steady, whole,
};
use crate::harness::{Finished, Workspace};

const SERVER: &str = include_str!("../fixtures/httpbin.py");
const SUITE: &str = include_str!("../fixtures/httpbin.yaml");
const SECRET: &str = "hush-hush-hush";
const ACCOUNTS: &str = "email,id,note\na@example.com,1,plain\nb@example.com,2,\"with, comma\"\n\
                        c@example.com,3,with “quotes”\n";
const USERS: u64 = 3;

/// httpbin in a process of its own.
struct Httpbin {
    workspace: Workspace,
    server: Server,
}

impl Httpbin {
    /// Starts one that speaks this version of HTTP.
    fn start(protocol: &str) -> Self {
        let workspace = Workspace::new();
        let server = Server::python(&workspace, SERVER, &[protocol]);
        workspace.write("accounts.csv", ACCOUNTS);
        workspace.write("body.bin", "the bytes of a file");
        Self { workspace, server }
    }

    /// Runs a scenario and expects this exit status.
    fn run(&self, suite: &str, scenario: &str, code: i32) -> Value {
        result(&self.finish(suite, scenario), code)
    }

    fn finish(&self, suite: &str, scenario: &str) -> Finished {
        self.workspace.write("config.yaml", &suite.replace("@HOST@", &self.server.address));
        let mut command = self.workspace.command(&["run", scenario, "--quiet"]);
        command.env("SUITE_SECRET", SECRET);
        self.workspace.finish(command)
    }

    /// How many lines of its log hold this: `"GET /path`.
    fn asked(&self, what: &str) -> u64 {
        self.server.errors().lines().filter(|line| line.contains(what)).count() as u64
    }
}

/// Runs a scenario on httpbin speaking this version of HTTP.
fn run(protocol: &str, scenario: &str) -> (Httpbin, Finished) {
    let httpbin = Httpbin::start(protocol);
    let finished = httpbin.finish(SUITE, scenario);
    (httpbin, finished)
}

fn all_fine(result: &Value, names: &[&str]) {
    assert!(kinds(result).is_empty(), "{}", result["failures"]);
    for name in names {
        never_fails(result, name);
    }
}

const SENT: [&str; 17] = [
    "GET /get",
    "POST json",
    "POST form",
    "PUT /put",
    "PATCH /patch",
    "DELETE /delete",
    "HEAD /get",
    "GET /bearer",
    "GET /basic-auth/ann/pw",
    "GET /hidden-basic-auth/ann/pw",
    "GET /base64/{}",
    "GET /stream/3",
    "GET /drip",
    "GET /bytes/3000",
    "GET /delay/0",
    "GET redirect",
    "GET redirected",
];

#[test]
fn httpbin_hears_what_was_meant() {
    // Bodies of unknown length end with the connection in the one, and are chunked in the other.
    for protocol in ["HTTP/1.0", "HTTP/1.1"] {
        let result = result(&run(protocol, "sent").1, 0);
        all_fine(&result, &SENT);
        let connections = opened(&result, "connect_ms");
        assert_eq!(connections, count(&result["totals"]["ok"]), "{protocol}: every answer closes");
    }
}

#[test]
fn what_answers_say_flows_into_later_requests() {
    let result = result(&run("HTTP/1.1", "flow").1, 0);
    all_fine(
        &result,
        &[
            "GET entered",
            "GET /uuid",
            "GET /anything/{}/{}",
            "GET repeated",
            "POST grouped",
            "GET /ip",
            "GET polled",
            "GET row",
            "GET own row",
        ],
    );
    let ok = |name: &str| count(&whole(&result, name)["ok"]);
    assert_eq!(ok("GET entered"), USERS, "once per user");
    // An iteration that the end of the run cut short has not sent all of its requests.
    for (more, fewer, times) in
        [("GET /uuid", "GET repeated", 3), ("GET /uuid", "POST grouped", 1), ("POST grouped", "GET /ip", 1)]
    {
        let (most, least) = (ok(more) * times, ok(more).saturating_sub(USERS) * times);
        assert!((least..=most).contains(&ok(fewer)), "{fewer}: {} of {most}", ok(fewer));
    }
    let metric = |name: &str| count(&named(&result["metrics"], name)["ok"]);
    assert!(metric("pair") > 0 && metric("pair") <= ok("POST grouped"));
    assert!(metric("polled") > 0 && metric("polled") < ok("GET polled"), "asked more than once");
    let tasks = result["tasks"].as_array().expect("tasks");
    let never = tasks.iter().find(|task| task["task"] == "never").expect("the task");
    assert_eq!(never["iterations"], 0);
    assert!(count(&never["skipped"]) > 0);
    for name in ["GET never", "GET skipped"] {
        let endpoints = result["whole_run"]["endpoints"].as_array().expect("endpoints");
        assert!(endpoints.iter().all(|endpoint| endpoint["name"] != name || endpoint["ok"] == 0), "{name}");
    }
}

#[test]
fn every_failure_is_of_its_kind_and_the_run_goes_on() {
    let (httpbin, finished) = run("HTTP/1.1", "failing");
    let result = result(&finished, 3);
    assert_eq!(kinds(&result), ["capture", "expectation", "status", "timeout"]);
    for (name, kind) in [
        ("GET /status/503", "status"),
        ("GET /bearer", "status"),
        ("GET unexpected status", "status"),
        ("GET /delay/1", "timeout"),
        ("GET /drip", "timeout"),
        ("GET contains", "expectation"),
        ("GET that", "expectation"),
        ("GET header", "expectation"),
        ("GET no capture", "capture"),
        ("GET /anything/{}", "capture"),
        ("GET /html", "expectation"),
        ("GET secret", "expectation"),
    ] {
        only_fails(&result, name, kind);
    }
    never_fails(&result, "GET fine");
    // The requests of a poll that never held were answered; the poll is the failure.
    let polled = whole(&result, "GET polled");
    assert!(count(&polled["ok"]) > count(&polled["failed"]["timeout"]), "{polled}");
    assert!(count(&polled["failed"]["timeout"]) > 0, "{polled}");
    keeps_the_secret(&httpbin.workspace, &finished, &result);
}

/// The message about the secret is there, without the secret; a timeout is in the percentiles.
fn keeps_the_secret(workspace: &Workspace, finished: &Finished, result: &Value) {
    let said = samples(result, "GET secret");
    assert!(said.contains("***") && said.contains("other"), "{said}");
    let text = std::fs::read_to_string(workspace.path("reports/latest/result.json")).expect("a result");
    for output in [&text, &finished.stdout, &finished.stderr] {
        assert!(!output.contains(SECRET), "{output}");
    }
    let slow = steady(result, "GET /delay/1");
    assert_eq!(slow["response_time"]["n"], slow["failed"]["timeout"]);
}
