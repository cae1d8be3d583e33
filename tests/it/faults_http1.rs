//! What a server can do wrong over HTTP/1.1, beside the list in `faults.rs`: how responses are framed, what comes
//! before and behind them, and answers that do not wait for the request.

use serde_json::{Value, json};

use crate::external::{count, named, samples, steady, whole};
use crate::fault_server::{FaultServer, Mode, ONE_BYTE_CHUNKS};
use crate::harness::Workspace;
use crate::suffering::{Fault, Next, suffer};

/// How often a step is repeated behind one that is fine.
const ROUNDS: u64 = 5;

fn get(path: &str) -> Value {
    json!({"get": path})
}

/// A body that does not fit into what the system buffers.
fn upload(path: &str) -> Value {
    json!({"post": path, "raw": "{{ 'upload ' * 600000 }}"})
}

fn fails(path: &str, (kind, says): (&'static str, &'static str)) -> Fault {
    Fault::fails(path, get(path), "/fine".into(), (kind, says))
}

fn no_failure(path: &str, next: Next) -> Fault {
    Fault::no_failure(path, get(path), "/fine".into(), next)
}

#[test]
fn responses_that_are_framed_wrongly_are_told_from_those_that_are_cut_off() {
    let faults = [
        fails("/cut-head", ("reset", "closed before the response")),
        fails("/cut-chunk", ("reset", "before the end of the response")),
        fails("/cut-before-last-chunk", ("reset", "before the end of the response")),
        fails("/bad-chunk", ("protocol", "size of a chunk is no hexadecimal number")),
        fails("/long-chunk", ("protocol", "a chunk is longer than it says")),
        fails("/huge-chunk", ("protocol", "size of a chunk")),
        fails("/two-lengths", ("protocol", "two different values of `content-length`")),
        fails("/negative-length", ("protocol", "`content-length: -1` is no length")),
        fails("/endless-headers", ("protocol", "longer than 256 KiB")),
        fails("/endless-chunk-line", ("protocol", "longer than 64 KiB")),
        fails("/endless-trailer", ("protocol", "trailer")),
        fails("/endless-interim", ("protocol", "more than 100 interim responses")),
        fails("/http2", ("protocol", "`http: {version: 2}` speaks it")),
        fails("/truncated", ("reset", "before the end of the response")),
        fails("/endless-chunks", ("protocol", "`max_body`")),
    ];
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &faults);
}

#[test]
fn odd_responses_are_no_failures_and_what_lies_behind_one_is_not_the_next() {
    let all = json!({"get": "/one-byte-chunks", "expect": {"contains": "x".repeat(ONE_BYTE_CHUNKS)}});
    let faults = [
        no_failure("/slow-head", Next::Keeps),
        no_failure("/interim", Next::Keeps),
        no_failure("/same-length-twice", Next::Keeps),
        Fault::no_failure("/one-byte-chunks", all, "/fine".into(), Next::Keeps),
        no_failure("/length-and-chunks", Next::Opens),
        no_failure("/trailing-garbage", Next::Opens),
        no_failure("/body-of-204", Next::Opens),
        no_failure("/close-after", Next::Opens),
        no_failure("/reset-after", Next::Opens),
    ];
    // Nothing here is about time: on a machine that is busy otherwise, a slow head is slower.
    suffer(&FaultServer::start(Mode::ByPath), json!({"timeout": "5s"}), &faults);
}

/// Rounds of one user: something fine, which leaves a connection, and then this.
fn behind_a_fine_one(server: &FaultServer, step: &Value) -> Value {
    let mut step = step.clone();
    step["name"] = "step".into();
    step["on_failure"] = "continue".into();
    let steps = json!([{"repeat": ROUNDS, "steps": [{"get": "/fine"}, step]}]);
    let config = json!({
        "version": 1, "name": "again",
        "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "1s"}},
        "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": steps}}}},
    });
    let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
    finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr))
}

#[test]
fn a_request_that_meets_the_close_of_an_idle_connection_is_sent_again() {
    let again = |path: &str, method: &str| {
        let step = json!({method: path});
        Fault::sent_again(
            &format!("{method} {path}"),
            step,
            "/fine".into(),
            ("retried_on_close", Next::Keeps),
        )
    };
    let faults = [
        again("/kept-close", "get"),
        again("/kept-reset", "get"),
        again("/kept-408", "get"),
        again("/kept-close", "put"),
        again("/kept-reset", "delete"),
        again("/kept-reset", "options"),
    ];
    suffer(&FaultServer::start(Mode::ByPath), json!({"timeout": "5s"}), &faults);
}

#[test]
fn nothing_is_sent_again_that_may_have_had_an_effect_or_was_answered() {
    for (step, failed, says) in [
        (
            json!({"post": "/kept-close", "json": {"a": 1}}),
            json!({"reset": ROUNDS}),
            "closed before the response",
        ),
        (json!({"patch": "/kept-reset", "json": {"a": 1}}), json!({"reset": ROUNDS}), "the connection broke"),
        (json!({"post": "/kept-408"}), json!({"status": ROUNDS}), "status 408"),
        (json!({"get": "/kept-byte"}), json!({"reset": ROUNDS}), "closed before the response"),
        (json!({"get": "/kept-408-and-stay"}), json!({"status": ROUNDS}), "status 408"),
    ] {
        let server = FaultServer::start(Mode::ByPath);
        let result = behind_a_fine_one(&server, &step);
        assert_eq!(whole(&result, "step")["failed"], failed, "{step}: {}", result["failures"]);
        assert!(samples(&result, "step").contains(says), "{step}: {}", result["failures"]);
        assert_eq!(result["whole_run"]["retried_on_close"], 0, "{step}");
        assert_eq!(server.requests() as u64, 2 * ROUNDS, "{step}: each was sent once");
    }
}

#[test]
fn a_server_that_closes_every_time_fails_after_the_second_try() {
    for path in ["/close", "/reset", "/408"] {
        let server = FaultServer::start(Mode::ByPath);
        let result = behind_a_fine_one(&server, &json!({"get": path}));
        let step = whole(&result, "step");
        let kind = if path == "/408" { "status" } else { "reset" };
        assert_eq!((&step["ok"], &step["failed"][kind]), (&json!(0), &json!(ROUNDS)), "{path}");
        assert_eq!(step["retried_on_close"], ROUNDS, "{path}");
        // Those that were fine, those that were lost, and each of the latter once more.
        assert_eq!(server.requests() as u64, 3 * ROUNDS, "{path}");
    }
}

#[test]
fn both_tries_are_in_the_response_time_and_in_the_bytes() {
    let server = FaultServer::start(Mode::ByPath);
    let result = behind_a_fine_one(&server, &json!({"get": "/kept-close"}));
    let step = &named(&result["endpoints"], "step");
    let (again, fine) = (&step["bytes_out"], &steady(&result, "GET /fine")["bytes_out"]);
    // The paths have 11 and 5 bytes, and each request was sent twice.
    assert_eq!(count(again), 2 * (count(fine) + ROUNDS * 6), "{again} {fine}");
}

#[test]
fn a_request_that_timed_out_has_moved_bytes_all_the_same() {
    let step = json!({"get": "/drip", "timeout": "100ms"});
    let result = behind_a_fine_one(&FaultServer::start(Mode::ByPath), &step);
    let slow = steady(&result, "step");
    let timeouts = count(&slow["failed"]["timeout"]);
    assert!(timeouts > 0, "{slow}");
    assert!(count(&slow["bytes_out"]) >= timeouts * 30, "{slow}");
    assert!(count(&slow["bytes_in"]) >= 40, "the head came at once: {slow}");
}

#[test]
fn an_answer_that_does_not_wait_for_the_request_is_seen() {
    let early = |path: &str, how| Fault::fails(path, upload(path), "/fine".into(), how);
    let faults = [
        early("/early", ("status", "status 413")),
        early("/early-and-rude", ("status", "status 413")),
        early("/early-silence", ("timeout", "no complete response within 300ms")),
        early("/early-reset", ("reset", "")),
    ];
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &faults);
}
