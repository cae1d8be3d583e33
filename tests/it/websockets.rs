//! Against the `websockets` of Python: messages of every size and kind, closes on both sides, handshakes that
//! fail, and the same over TLS. What the server heard of every close is in a file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::external::{
    Server, Trust, certify, count, kinds, named, names, never_fails, only_fails, opened, result, run,
    samples, steady, whole,
};
use crate::harness::{Workspace, poll_until};

const SERVER: &str = include_str!("fixtures/websockets.py");
const SUITE: &str = include_str!("fixtures/websockets.yaml");
const USERS: u64 = 3;
const TALKS: [&str; 7] =
    ["WS /token", "WS /large", "WS /large-echo", "WS /fragments", "WS /flood", "WS /agreed", "WS /held"];

/// The server, with the configuration for it.
struct Sockets {
    workspace: Workspace,
    _server: Server,
}

impl Sockets {
    fn plain() -> Self {
        Self::start("http://127.0.0.1", &[])
    }

    fn tls() -> Self {
        Self::start("https://localhost", &["cert.pem", "key.pem"])
    }

    fn start(host: &str, certificate: &[&str]) -> Self {
        let workspace = Workspace::new();
        certify(&workspace, &names(&["localhost"]));
        let paths: Vec<PathBuf> =
            ["closes"].iter().chain(certificate).map(|name| workspace.path(name)).collect();
        let arguments: Vec<&str> = paths.iter().filter_map(|path| path.to_str()).collect();
        let server = Server::python(&workspace, SERVER, &arguments);
        let port = server.address.rsplit(':').next().expect("a port");
        workspace.write("config.yaml", &SUITE.replace("@HOST@", &format!("{host}:{port}")));
        Self { workspace, _server: server }
    }

    fn run(&self, scenario: &str, trust: Trust, code: i32) -> Value {
        result(&run(&self.workspace, scenario, trust), code)
    }

    /// Waits until the server has seen this many sockets of a path close; how each did, without the path.
    fn closes(&self, path: &str, sockets: u64) -> Vec<String> {
        let start = format!("{path} ");
        let seen = || -> Vec<String> {
            let text = fs::read_to_string(self.workspace.path("closes")).unwrap_or_default();
            text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
        };
        poll_until(Duration::from_secs(10), "the server has heard of every close", || {
            seen().len() as u64 >= sockets
        });
        seen()
    }
}

/// Everything that is said and heard when nothing goes wrong.
fn talks(result: &Value) {
    assert!(kinds(result).is_empty(), "{}", result["failures"]);
    for name in TALKS {
        never_fails(result, name);
        let sockets = &whole(result, name)["websocket"];
        assert_eq!(
            (count(&sockets["missing_messages"]), count(&sockets["unexpected_closes"])),
            (0, 0),
            "{name}"
        );
        assert_eq!(steady(result, name)["kind"], "websocket", "{name}");
    }
    for metric in ["opened", "round trip", "flood"] {
        assert!(count(&named(&result["metrics"], metric)["ok"]) > 0, "{metric}");
    }
}

/// Asserts that sockets exchanged so many messages each, but for those that the end of the run cut short.
fn exchanged(result: &Value, name: &str, (sent, heard): (u64, u64)) {
    let (endpoint, sockets) = (whole(result, name), &whole(result, name)["websocket"]);
    for (per_socket, counted) in [(sent, &sockets["messages_out"]), (heard, &sockets["messages_in"])] {
        let most = count(&endpoint["ok"]) * per_socket;
        let least = most.saturating_sub(USERS * per_socket);
        assert!((least..=most).contains(&count(counted)), "{name}: {counted} of {most}");
    }
}

#[test]
fn every_kind_of_message_arrives_whole() {
    let server = Sockets::plain();
    let result = server.run("talking", Trust::Machine, 0);
    talks(&result);
    for (name, messages) in [
        ("WS /token", (5, 5)),
        ("WS /large", (0, 2)),
        ("WS /large-echo", (1, 1)),
        ("WS /fragments", (0, 2)),
        ("WS /flood", (0, 3000)),
        ("WS /agreed", (1, 1)),
        ("WS /held", (1, 1)),
    ] {
        exchanged(&result, name, messages);
    }
    let large = steady(&result, "WS /large");
    let two = count(&large["ok"]).saturating_sub(USERS) * (2 << 20);
    assert!(count(&large["bytes_in"]) >= two, "{large}");
}

#[test]
fn the_server_hears_the_close_that_was_configured() {
    let server = Sockets::plain();
    let result = server.run("talking", Trust::Machine, 0);
    let closes = |path: &str| server.closes(path, count(&whole(&result, &format!("WS {path}"))["ok"]));
    // A socket that the end of the run cut short is closed with 1000.
    let own = |close: &&String| *close == "None 4000 enough";
    let echo = closes("/token");
    assert!(echo.iter().filter(own).count() as u64 + USERS >= echo.len() as u64, "{echo:?}");
    assert!(echo.iter().all(|close| own(&close) || close == "None 1000 "), "{echo:?}");
    assert!(closes("/fragments").iter().all(|close| close == "None 1000 "));
    assert!(closes("/agreed").iter().all(|close| close == "graphql-ws 1000 "));
}

#[test]
fn sockets_that_fail_are_counted_by_kind_and_the_run_goes_on() {
    let result = Sockets::plain().run("failing", Trust::Machine, 3);
    assert_eq!(
        kinds(&result),
        ["capture", "missing_message", "protocol", "status", "timeout", "websocket_close"]
    );
    for (name, kind) in [
        ("WS /forbidden", "status"),
        ("WS /token", "status"),
        ("WS not agreed", "protocol"),
        ("WS /slow", "timeout"),
    ] {
        only_fails(&result, name, kind);
    }
    for (name, kind, counter) in [
        ("WS /leave", "websocket_close", "unexpected_closes"),
        ("WS leave while held", "websocket_close", "unexpected_closes"),
        ("WS /vanish", "websocket_close", "unexpected_closes"),
        ("WS /silence", "missing_message", "missing_messages"),
        ("WS another message", "missing_message", "missing_messages"),
    ] {
        opens_and_fails(&result, name, kind);
        let endpoint = whole(&result, name);
        assert_eq!(endpoint["websocket"][counter], endpoint["failed"][kind], "{name}");
    }
    opens_and_fails(&result, "WS no capture", "capture");
    assert!(samples(&result, "WS /leave").contains("1011 no more"), "{}", result["failures"]);
    assert!(samples(&result, "WS /forbidden").contains("403"), "{}", result["failures"]);
    never_fails(&result, "WS /echo");
}

/// The connect is a success, what follows is a failure of one kind, once per socket.
fn opens_and_fails(result: &Value, name: &str, kind: &str) {
    let endpoint = whole(result, name);
    let failed = endpoint["failed"].as_object().expect("kinds");
    assert_eq!(failed.keys().collect::<Vec<_>>(), [kind], "{name}: {}", result["failures"]);
    let (opened, failures) = (count(&endpoint["ok"]), count(&failed[kind]));
    assert!((opened.saturating_sub(USERS)..=opened).contains(&failures), "{name}: {failures} of {opened}");
    assert!(failures > 0, "{name}");
}

#[test]
fn the_same_holds_over_tls_where_the_authority_is_trusted() {
    let result = Sockets::tls().run("talking", Trust::Ours, 0);
    talks(&result);
    assert_eq!(opened(&result, "tls_ms"), opened(&result, "connect_ms"));
    assert_eq!(opened(&result, "tls_ms"), count(&result["totals"]["ok"]), "every socket is a connection");
}

#[test]
fn a_socket_whose_authority_is_not_trusted_fails_in_tls() {
    let result = Sockets::tls().run("untrusted", Trust::Machine, 3);
    assert_eq!(kinds(&result), ["tls"]);
    only_fails(&result, "WS /echo", "tls");
}
