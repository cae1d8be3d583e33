//! What a server can do wrong on a WebSocket.

use serde_json::{Value, json};

use crate::external::{count, named, whole};
use crate::fault_server::{FLOOD, FaultServer, Mode};
use crate::harness::Workspace;
use crate::suffering::{Fault, Next, suffer};

const GO: &str = "go";

/// A socket on which these steps follow the message that makes the server do what its path says.
fn socket(path: &str, steps: Value) -> Value {
    let Value::Array(mut steps) = steps else { panic!("a list of steps") };
    steps.insert(0, json!({"send": {"text": GO}}));
    json!({"websocket": path, "steps": steps})
}

fn receiving(path: &str, how: (&'static str, &'static str)) -> Fault {
    doing("receive", path, json!([{"receive": {"within": "5s"}}]), how)
}

fn doing(what: &str, path: &str, steps: Value, how: (&'static str, &'static str)) -> Fault {
    Fault::fails_once_open(&format!("{what} {path}"), socket(path, steps), "/fine".into(), how)
}

fn refused(path: &str, how: (&'static str, &'static str)) -> Fault {
    let step = json!({"websocket": path, "steps": [{"receive": {"within": "5s"}}]});
    Fault::fails_apart(path, step, "/fine".into(), how)
}

fn no_failure(name: &str, step: Value) -> Fault {
    Fault::no_failure(name, step, "/fine".into(), Next::Keeps)
}

#[test]
fn handshakes_that_fail_are_counted_by_kind() {
    let faults = [
        refused("/401", ("status", "status 401, expected 101")),
        refused("/404", ("status", "status 404, expected 101")),
        refused("/500", ("status", "status 500, expected 101")),
        refused("/200", ("status", "status 200, expected 101")),
        refused("/302", ("status", "status 302, expected 101")),
        refused("/circle", ("protocol", "too many redirects of the handshake")),
        refused("/extension", ("protocol", "`permessage-deflate`, which nobody offered")),
        refused("/subprotocol", ("protocol", "`chat`, which nobody asked for")),
        refused("/wrong-accept", ("protocol", "Sec-WebSocket-Accept")),
        refused("/no-upgrade", ("protocol", "pgrade")),
        refused("/garbage-for-a-handshake", ("protocol", "HTTP/2, not HTTP/1.1")),
        refused("/no-handshake", ("reset", "closed before the answer to the handshake")),
        refused("/silent", ("timeout", "no complete response within 300ms")),
        refused("/endless-handshake", ("protocol", "")),
    ];
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &faults);
}

#[test]
fn a_close_is_told_with_its_code_and_reason_whatever_the_user_was_doing() {
    let send = json!({"send": {"text": "more"}});
    let faults = [
        receiving("/bye-1000", ("websocket_close", "closed by the server: 1000 so be it")),
        receiving("/bye-1001", ("websocket_close", "closed by the server: 1001 so be it")),
        receiving("/bye-1002", ("websocket_close", "closed by the server: 1002 so be it")),
        receiving("/bye-1009", ("websocket_close", "closed by the server: 1009 so be it")),
        receiving("/bye-1011", ("websocket_close", "closed by the server: 1011 so be it")),
        receiving("/bye-4321", ("websocket_close", "closed by the server: 4321 so be it")),
        receiving("/bye", ("websocket_close", "closed by the server: without a code")),
        doing("hold", "/bye-1011", json!([{"hold": "5s"}]), ("websocket_close", "1011 so be it")),
        doing("ping", "/bye-1011", json!([{"ping": true}]), ("websocket_close", "1011 so be it")),
        doing("wait", "/bye-1011", json!([{"wait": "100ms"}, send]), ("websocket_close", "1011 so be it")),
        doing(
            "get",
            "/bye-1011",
            json!([{"get": "/slow-head", "name": "beside"}, {"wait": "50ms"}, send]),
            ("websocket_close", "1011 so be it"),
        ),
        no_failure("close /bye-1011", socket("/bye-1011", json!([{"close": true}]))),
        no_failure("end /bye-1011", socket("/bye-1011", json!([{"wait": "50ms"}]))),
    ];
    // Nothing here is about time, and a busy machine takes its own.
    suffer(&FaultServer::start(Mode::ByPath), json!({"timeout": "5s"}), &faults);
}

#[test]
fn a_connection_that_ends_without_a_close_is_an_unexpected_close() {
    let hold = json!([{"hold": "5s"}]);
    let faults = [
        receiving("/cut", ("websocket_close", "the connection ended without a close")),
        receiving("/cut-frame", ("websocket_close", "the connection ended without a close")),
        receiving("/reset", ("websocket_close", "reset by peer")),
        doing("hold", "/cut", hold.clone(), ("websocket_close", "the connection ended without a close")),
        doing("hold", "/reset", hold, ("websocket_close", "reset by peer")),
        doing("ping", "/cut", json!([{"ping": true}]), ("websocket_close", "ended without a close")),
        doing(
            "wait",
            "/cut",
            json!([{"wait": "50ms"}, {"receive": {"within": "5s"}}]),
            ("websocket_close", "the connection ended without a close"),
        ),
    ];
    // Nothing here is about time, and a busy machine takes its own.
    suffer(&FaultServer::start(Mode::ByPath), json!({"timeout": "5s"}), &faults);
}

#[test]
fn a_server_that_falls_silent_or_deaf_is_waited_for_so_long_and_no_longer() {
    let much: Vec<Value> =
        vec![json!({"repeat": 100, "steps": [{"send": {"text": "{{ 'upload ' * 50000 }}"}}]})];
    let goodbye = json!([{"group": "goodbye", "steps": [{"close": true}]}]);
    let faults = [
        doing(
            "receive",
            "/half-open",
            json!([{"receive": {"within": "100ms"}}]),
            ("missing_message", "no message within 100ms"),
        ),
        doing("ping", "/half-open", json!([{"ping": true}]), ("missing_message", "no pong within 300ms")),
        doing("send", "/deaf", much.into(), ("timeout", "within 300ms")),
        no_failure("close /half-open", socket("/half-open", goodbye)),
    ];
    let result = suffer(&FaultServer::start(Mode::ByPath), json!({"load": {"run_time": "4s"}}), &faults);
    let goodbye = &named(&result["metrics"], "goodbye")["response_time"];
    assert!(goodbye["min_ms"].as_f64() >= Some(999.0), "the server is given a second: {goodbye}");
    assert!(goodbye["p50_ms"].as_f64() < Some(2000.0), "and not more: {goodbye}");
}

#[test]
fn frames_that_break_a_rule_are_a_breach_of_protocol() {
    let faults = [
        receiving("/oversize", ("protocol", "`max_body`")),
        receiving("/oversize-announced", ("protocol", "`max_body`")),
        receiving("/oversize-in-fragments", ("protocol", "`max_body`")),
        receiving("/endless-fragments", ("protocol", "`max_body`")),
        doing("hold", "/oversize", json!([{"hold": "5s"}]), ("protocol", "`max_body`")),
        receiving("/impossible-length", ("protocol", "`max_body`")),
        receiving("/reserved-bit", ("protocol", "eserved bits")),
        receiving("/reserved-opcode", ("protocol", "opcode")),
        receiving("/masked", ("protocol", "masked")),
        receiving("/long-ping", ("protocol", "ontrol frame")),
        receiving("/fragmented-ping", ("protocol", "ontrol frame")),
        receiving("/not-utf8", ("protocol", "UTF-8")),
        receiving("/not-utf8-in-fragments", ("protocol", "UTF-8")),
        receiving("/stray-continuation", ("protocol", "ontinue")),
        receiving("/text-within-text", ("protocol", "fragment")),
        receiving("/short-close", ("protocol", "lose")),
        receiving("/bye-1005", ("websocket_close", "Protocol violation")),
    ];
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &faults);
}

#[test]
fn pings_are_answered_and_messages_stamped_whatever_the_user_is_doing() {
    let said = |text: &str| json!({"receive": {"where": format!("message == '{text}'"), "within": "5s"}});
    // The server pings when it hears the first text; the second one must come behind the pong.
    let meanwhile =
        |step: Value| socket("/ping", json!([step, {"send": {"text": "now"}}, said("a pong came first")]));
    let stamped = json!([
        {"wait": "400ms"},
        {"receive": {"where": "message == 'go'", "within": "5s", "record": "echo"}},
    ]);
    let on_demand = json!({"websocket": "/ping-on-demand", "steps": [{"get": "/after-pong", "name": "beside", "timeout": "5s"}]});
    let flood = json!([
        {"wait": "400ms"},
        {"receive": {"within": "5s"}},
        {"send": {"text": GO}},
    ]);
    let eager = json!({"websocket": "/eager", "steps": [said("already")]});
    let any_case = json!({"websocket": "/any-case", "steps": [{"send": {"text": GO}}, said("go")]});
    let fragments = socket("/fragments-and-pings", json!([said("hello world")]));
    let faults = [
        no_failure("wait", meanwhile(json!({"wait": "300ms"}))),
        no_failure("hold", meanwhile(json!({"hold": "300ms"}))),
        no_failure("get", on_demand),
        no_failure("stamp", socket("/echo", stamped)),
        no_failure("flood", socket("/flood", flood)),
        no_failure("eager", eager),
        no_failure("any case", any_case),
        no_failure("fragments", fragments),
    ];
    let result = suffer(&FaultServer::start(Mode::ByPath), json!({"timeout": "5s"}), &faults);
    let echo = &named(&result["metrics"], "echo")["response_time"];
    assert!(echo["min_ms"].as_f64() < Some(400.0), "stamped when it came: {echo}");
    let heard = &whole(&result, "flood")["websocket"]["messages_in"];
    assert!(count(heard) > FLOOD as u64 / 10, "{heard}");
}

#[test]
fn a_socket_that_the_server_closes_is_an_unexpected_close_once() {
    let receive = json!({"receive": {"within": "5s"}, "on_failure": "continue"});
    let ping = json!({"ping": true, "on_failure": "continue"});
    let lost = json!({"websocket": "/bye-1011", "name": "lost", "steps": [
        {"send": {"text": GO}}, {"wait": "20ms"}, receive, receive, ping]});
    // A request does not look at the socket.
    let around = json!({"websocket": "/bye-1011", "name": "around", "steps": [
        {"send": {"text": GO}}, {"get": "/slow-head", "name": "beside"}, {"wait": "30ms"}, receive, receive]});
    let closed = json!({"websocket": "/echo", "name": "closed", "steps": [
        {"close": true}, {"send": {"text": GO}, "on_failure": "continue"}]});
    let server = FaultServer::start(Mode::ByPath);
    let config = json!({
        "version": 1, "name": "once",
        "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "1s"}},
        "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [lost, around, closed]}}}},
    });
    let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    for (name, failed, closes) in [
        ("lost", json!({"websocket_close": 3}), 1),
        ("around", json!({"websocket_close": 2}), 1),
        // What the plan closed is no fault of the server.
        ("closed", json!({"capture": 1}), 0),
    ] {
        let endpoint = whole(&result, name);
        assert_eq!(endpoint["failed"], failed, "{name}: {}", result["failures"]);
        assert_eq!(endpoint["websocket"]["unexpected_closes"], closes, "{name}");
    }
}
