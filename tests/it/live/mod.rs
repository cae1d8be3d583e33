//! The live page through the real binary and real sockets: it is there during the run, becomes the report, and
//! stops the run for whoever has the token; nobody who looks on can hold anything up.

mod run;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Workspace, poll_until};
use run::{PATIENCE, Run, config};

fn main_of(document: &str) -> &str {
    let start = document.find("<main").expect("a main part");
    &document[start..document.rfind("</main>").expect("its end")]
}

#[test]
fn the_page_is_there_during_the_run_and_becomes_the_report_on_disk() {
    let mut run = Run::start("3s");
    let page = run.ask(&format!("GET {}", run.path), "");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for part in [
        "<main",
        "EventSource",
        "connect-src 'self'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "content-security-policy: frame-ancestors 'none'",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let mut events = run.events();
    let mut seen = Vec::new();
    while let Some(event) = events.next() {
        seen.push(event);
    }
    let (last, pages) = seen.split_last().expect("events");
    assert!(pages.len() >= 2 && pages.iter().all(|(name, _)| name == "page"), "{}", pages.len());
    assert!(pages.iter().any(|(_, data)| data.contains("2 s of 3 s")), "{pages:?}");
    assert_eq!(last.0, "end");
    assert_eq!(run.code(), 0);
    let report = std::fs::read_to_string(run.latest("report.html")).expect("a report");
    assert_eq!(main_of(&last.1), main_of(&report));
    assert!(main_of(&report).contains("PASSED") && !last.1.contains("EventSource"));
    let said = std::fs::read_to_string(run.workspace.path("stderr")).expect("its words");
    assert_eq!(said.matches(&run.token).count(), 1, "the token is shown once");
    for text in [report, run.result().to_string(), page, last.1.clone()] {
        assert!(!text.contains(&run.token), "and nowhere else");
    }
}

#[test]
fn whoever_comes_back_gets_the_present_state_at_once() {
    let run = Run::start("60s");
    let mut first = run.events();
    poll_until(PATIENCE, "a page of a later moment", || {
        first.next().is_some_and(|(_, data)| data.contains("2 s of"))
    });
    drop(first);
    let (name, data) = run.events().next().expect("an event");
    assert_eq!(name, "page");
    assert!(!data.contains(">0 s of") && !data.contains(">1 s of"), "{data}");
}

#[test]
fn a_viewer_that_never_reads_holds_up_nobody() {
    let mut run = Run::start("3s");
    let stuck: Vec<_> = (0..3).map(|_| run.stuck()).collect();
    let mut events = run.events();
    let names: Vec<_> = std::iter::from_fn(|| events.next()).map(|(name, _)| name).collect();
    assert_eq!(names.last().map(String::as_str), Some("end"), "{names:?}");
    assert_eq!(run.code(), 0, "the run ends although they are there");
    drop(stuck);
}

#[test]
fn only_the_token_of_the_terminal_stops_the_run() {
    let mut run = Run::start("60s");
    let mut events = run.events();
    poll_until(PATIENCE, "load", || events.next().is_some_and(|(_, data)| data.contains("1 s of")));
    for headers in ["", "X-Loadgate-Token: \r\n", "X-Loadgate-Token: 00000000000000000000000000000000\r\n"] {
        assert!(run.ask("POST /stop", headers).starts_with("HTTP/1.1 403 "), "{headers}");
    }
    assert_eq!(events.next().map(|(name, _)| name).as_deref(), Some("page"), "it goes on");
    let token = format!("X-Loadgate-Token: {}\r\n", run.token);
    let from = |origin: &str| run.ask("POST /stop", &format!("{token}Origin: {origin}\r\n"));
    assert!(from("http://evil.example").starts_with("HTTP/1.1 403 "));
    assert!(from(&format!("http://{}", run.address)).starts_with("HTTP/1.1 202 "));
    let last = std::iter::from_fn(|| events.next()).last().expect("an event");
    assert_eq!(last.0, "end");
    assert!(last.1.contains("stopped by the stop button of the live page"), "{}", last.1);
    assert_eq!(run.code(), 130);
    let result = run.result();
    assert_eq!((&result["interrupted"], &result["signal"]), (&Value::Bool(true), &"stop_button".into()));
    assert_eq!(result["verdict"]["status"], "interrupted");
}

#[test]
fn foreign_names_and_unknown_places_are_refused() {
    let run = Run::start("60s");
    for (line, headers, status) in [
        ("GET /", "Host: evil.example\r\n", 421),
        ("GET RUN", "Host: evil.example\r\n", 421),
        ("GET RUNevents", "Host: evil.example:8089\r\n", 421),
        ("POST /stop", "Host: evil.example\r\n", 421),
        ("GET /nowhere", "Host: evil.example\r\n", 421),
        ("GET RUNevents", "Origin: http://evil.example\r\n", 403),
        ("GET /result.json", "", 404),
        ("GET RUN../result.json", "", 404),
        ("DELETE RUN", "", 405),
        ("GET /stop", "", 405),
    ] {
        let answer = run.ask(&line.replace("RUN", &run.path), headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert!(!answer.contains("<main") && answer.contains("x-frame-options: DENY"), "{line}");
        assert_eq!(status == 421, answer.contains("Open it by the IP address"), "{answer}");
    }
}

#[test]
fn only_so_many_may_look_on_and_who_leaves_makes_room() {
    let run = Run::start("60s");
    let mut inside: Vec<_> = (0..16).map(|_| run.events()).collect();
    for events in &mut inside {
        assert!(events.next().is_some());
    }
    assert_eq!(run.events().next().map(|(name, _)| name).as_deref(), Some("full"));
    assert!(run.ask(&format!("GET {}", run.path), "").starts_with("HTTP/1.1 503 "));
    inside.pop();
    poll_until(PATIENCE, "room", || run.events().next().is_some_and(|(name, _)| name == "page"));
}

#[test]
fn viewers_that_never_read_are_cut_off() {
    let run = Run::start("120s");
    let stuck: Vec<_> = (0..16).map(|_| run.stuck()).collect();
    let first = || run.events().next().map(|(name, _)| name);
    poll_until(PATIENCE, "nobody else finds room", || first().as_deref() == Some("full"));
    poll_until(Duration::from_secs(90), "room again", || first().as_deref() == Some("page"));
    drop(stuck);
}

#[test]
fn a_page_is_renewed_by_its_own_run_alone() {
    let mut run = Run::start("60s");
    let (earlier, mut events) = (run.path.clone(), run.events());
    assert_eq!(events.next().map(|(name, _)| name).as_deref(), Some("page"));
    run.replace();
    assert_ne!(run.path, earlier);
    assert!(run.ask(&format!("GET {earlier}"), "").contains("location: /\r\n"));
    let path = std::mem::replace(&mut run.path, earlier);
    let mut told = run.events();
    assert_eq!(told.next().map(|(name, _)| name).as_deref(), Some("other"));
    assert!(told.next().is_none(), "and nothing of the other run");
    run.path = path;
    assert_eq!(run.events().next().map(|(name, _)| name).as_deref(), Some("page"));
}

#[test]
fn what_is_served_everywhere_is_found_by_every_number_and_by_localhost() {
    let run = Run::start_at("[::]:0", "60s");
    let port = run.address.strip_prefix("[::1]:").expect("an address that can be opened");
    for host in ["[::1]", "127.0.0.1", "localhost", "192.0.2.7", "[2001:db8::7]"] {
        let answer = run.ask("GET /", &format!("Host: {host}:{port}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 303 "), "{host}: {answer}");
    }
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_ok(), "over the other version of IP too");
    let said = std::fs::read_to_string(run.workspace.path("stderr")).expect("its words");
    let warning = format!("listens on every interface: whoever reaches port {port}");
    assert!(said.contains(&warning), "{said}");
}

#[test]
fn a_variable_can_switch_it_off() {
    let workspace = Workspace::with_config(&config("1s"));
    for value in ["false", ""] {
        let mut command = workspace.command(&["run"]);
        command.env("LOADGATE_LIVE", value);
        let finished = workspace.finish(command);
        assert_eq!((finished.code(), finished.stderr.contains("live:")), (0, false), "{}", finished.stderr);
    }
    let mut command = workspace.command(&["run"]);
    command.env("LOADGATE_LIVE", "no");
    let refused = workspace.finish(command);
    assert_eq!(refused.code(), 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("or `true`, or `false`"), "{}", refused.stderr);
}

#[test]
fn a_taken_port_is_an_error_before_any_traffic() {
    let run = Run::start("60s");
    let second = Workspace::with_config(&config("1s"));
    let output = second.command(&["run", "--live", &run.address]).output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot serve the live page at `{}`", run.address)), "{said}");
    assert!(said.contains("--live 0") && !second.path("reports").exists(), "{said}");
}

/// Follows the page in a browser to its end, and says what it found wrong.
fn browser(run: &Run, arguments: &[&str]) -> std::process::Output {
    follower(run, arguments).output().expect("node starts")
}

fn follower(run: &Run, arguments: &[&str]) -> Command {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/live.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(format!("http://{}/#token={}", run.address, run.token)).args(arguments);
    command
}

#[test]
fn a_reader_in_a_real_browser_keeps_what_was_typed_opened_and_sorted_and_ends_with_the_report() {
    let mut run = Run::start("25s");
    let seen = browser(&run, &[]);
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    assert_eq!(run.code(), 0);
}

#[test]
fn the_stop_button_in_a_real_browser_stops_the_run() {
    let mut run = Run::start("60s");
    let seen = browser(&run, &["--stop"]);
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    assert_eq!(run.code(), 130);
    assert_eq!(run.result()["signal"], "stop_button");
}

#[test]
fn a_page_in_a_real_browser_says_that_its_run_is_gone_and_that_another_has_its_place() {
    let mut run = Run::start("120s");
    let mut command = follower(&run, &["--killed"]);
    let mut seen = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("node starts");
    let mut steps = BufReader::new(seen.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let mut step = |name: &str| steps.any(|line| line == name);
    if step("connected") {
        run.kill();
    }
    if step("gone") {
        run.replace();
    }
    let output = seen.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
