//! What a server can do wrong over HTTP/1.1, beside the list in `faults.rs`: how responses are framed, what comes
//! before and behind them, and answers that do not wait for the request.

use serde_json::{Value, json};

use crate::fault_server::{FaultServer, Mode, ONE_BYTE_CHUNKS};
use crate::suffering::{Fault, Next, suffer};

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
        fails("/endless-headers", ("protocol", "longer than 64 KiB")),
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
