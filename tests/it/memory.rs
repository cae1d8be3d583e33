//! What a service can make a run hold is bounded for the whole run, and what does not fit fails alone.

use serde_json::{Value, json};

use crate::external::{count, whole};
use crate::fault_server::{FaultServer, Mode};
use crate::harness::Workspace;
use crate::suffering::{Fault, Next, suffer};

const SAYS: &str = "of `max_memory` (";

fn looked_at(path: &str) -> Value {
    json!({"get": path, "expect": {"contains": "nothing like it"}})
}

fn too_much(path: &str) -> Fault {
    Fault::fails(path, looked_at(path), "/fine".into(), ("memory", SAYS))
}

#[test]
fn bodies_that_do_not_fit_fail_and_the_run_goes_on() {
    let faults = [
        too_much("/endless-chunks"),
        // It has ended when it turns out what it becomes, so its connection stays.
        Fault::fails_apart("/bomb", looked_at("/bomb"), "/fine".into(), ("memory", SAYS)),
        // What nobody looks at is not held.
        Fault::no_failure("passes", json!({"get": "/bomb"}), "/fine".into(), Next::Keeps),
    ];
    let more = json!({"max_memory": "1MiB", "max_body": "1GiB"});
    suffer(&FaultServer::start(Mode::ByPath), more, &faults);
}

#[test]
fn what_is_captured_counts_as_long_as_it_is_kept() {
    let captured = json!({"get": "/bomb", "capture": {"all": {"regex": "(x+)"}}});
    let part = json!({"get": "/bomb", "capture": {"all": {"regex": "(xxx)"}}});
    let all =
        Fault::fails_apart("all", captured, "/fine".into(), ("memory", "needed to keep a value of 2.0 MiB"));
    let part = Fault::no_failure("part", part, "/fine".into(), Next::Keeps);
    // The body has 2 MiB.
    let more = json!({"max_memory": "3MiB", "max_body": "1GiB"});
    for fault in [all, part] {
        suffer(&FaultServer::start(Mode::ByPath), more.clone(), &[fault]);
    }
}

#[test]
fn a_message_becomes_no_more_than_there_is_room_for() {
    let receive = json!({"receive": {"within": "5s", "capture": {"all": {"json": "$[0].a"}}}});
    // 8 bytes each, which become some 800.
    let objects = "[{{ '{\"a\":0},' * 20000 }}0]";
    let step = json!({"websocket": "/echo", "steps": [{"send": {"text": objects}}, receive]});
    let fault =
        Fault::fails_once_open("objects", step, "/fine".into(), ("memory", "needed to parse 156.3 KiB"));
    suffer(&FaultServer::start(Mode::ByPath), json!({"max_memory": "5MiB"}), &[fault]);
}

#[test]
fn what_is_no_json_and_what_nobody_looks_at_is_no_failure() {
    let faults = [
        Fault::no_failure(
            "csv",
            json!({"get": "/csv", "expect": {"that": "response.status == 200"}}),
            "/fine".into(),
            Next::Keeps,
        ),
        Fault::no_failure(
            "redirect",
            json!({"get": "/redirect-in-brotli", "expect": {"contains": "o"}}),
            "/fine".into(),
            Next::Keeps,
        ),
        Fault::no_failure(
            "servlet",
            json!({"get": "/servlet", "expect": {"json": {"$.name": "Größe"}}}),
            "/fine".into(),
            Next::Keeps,
        ),
    ];
    suffer(&FaultServer::start(Mode::ByPath), json!({"max_memory": "2MiB"}), &faults);
}

#[test]
fn a_message_that_never_ends_closes_its_socket_for_want_of_memory() {
    let step = json!({"websocket": "/endless-fragments", "steps": [
        {"send": {"text": "go"}}, {"receive": {"within": "5s"}},
    ]});
    let fault = Fault::fails_once_open("endless fragments", step, "/fine".into(), ("memory", SAYS));
    let more = json!({"max_memory": "512KiB", "max_body": "1GiB"});
    suffer(&FaultServer::start(Mode::ByPath), more, &[fault]);
}

#[test]
fn a_socket_that_is_given_up_fails_once_also_where_no_step_needs_it() {
    let server = FaultServer::start(Mode::ByPath);
    // Between its steps, and where the end of the run comes first.
    for wait in ["1s", "1m"] {
        let steps = json!([{"send": {"text": "go"}}, {"wait": wait}]);
        let config = json!({
            "version": 1, "name": "given-up", "max_memory": "512KiB", "max_body": "1GiB",
            "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "2s"}},
            "thresholds": {"error_rate": "1%"},
            "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [
                {"websocket": "/endless-fragments", "steps": steps},
            ]}}}},
        });
        let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let failed = &whole(&result, "WS /endless-fragments")["failed"];
        assert_eq!(count(&failed["memory"]), 1, "{wait}: {failed}");
        assert_eq!(finished.code(), 3, "{wait}: {}", finished.stdout);
    }
}

#[test]
fn a_frame_counts_as_soon_as_it_is_announced() {
    let server = FaultServer::start(Mode::ByPath);
    // Behind the handshake, and in one segment with it.
    for path in ["/announced", "/announced-at-once"] {
        let steps = json!([{"send": {"text": "go"}}, {"receive": {"within": "1s"}}]);
        // There is room for two of three.
        let config = json!({
            "version": 1, "name": "announced", "max_memory": "2500KiB",
            "environments": {"here": {"host": server.url(""), "users": 3, "run_time": "3s"}},
            "thresholds": {"error_rate": "1%"},
            "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [{"websocket": path, "steps": steps}]}}}},
        });
        let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let failed = &whole(&result, &format!("WS {path}"))["failed"];
        assert_eq!((count(&failed["memory"]), count(&failed["missing_message"])), (1, 2), "{path}: {failed}");
    }
}

#[test]
fn a_socket_that_is_given_up_while_it_closes_is_counted_and_leaves_nothing_behind() {
    let server = FaultServer::start(Mode::ByPath);
    let config = json!({
        "version": 1, "name": "closes", "max_memory": "2MiB",
        "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "2s"}},
        "thresholds": {"error_rate": "1%"},
        "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [
            {"websocket": "/parting-flood", "on_failure": "continue", "steps": [{"ping": true}]},
            // Of no socket any more.
            {"set": {"known": "{{ nothing }}"}},
            {"get": "/fine", "capture": {"nothing": {"regex": "(.)"}}},
        ]}}}},
    });
    let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    let failed = |endpoint: &str| whole(&result, endpoint)["failed"].clone();
    assert_eq!(failed("WS /parting-flood"), json!({"memory": 1}), "{}", result["failures"]);
    assert_eq!(failed("GET /fine"), json!({"capture": 1}), "{}", result["failures"]);
}

#[test]
fn what_a_server_does_not_read_counts_as_well() {
    let server = FaultServer::start(Mode::ByPath);
    let send = |length: u32| json!({"send": {"text": format!("{{{{ 'x' * {length} }}}}")}, "on_failure": "continue"});
    // Neither fits, and the socket goes on without them.
    let steps = json!([{"send": {"text": "go"}}, send(3_000_000), send(3_000_000)]);
    let config = json!({
        "version": 1, "name": "unsent", "timeout": "100ms", "max_memory": "2MiB",
        "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "2s"}},
        "thresholds": {"error_rate": "1%"},
        "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [{"websocket": "/deaf", "steps": steps}]}}}},
    });
    let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    let failed = &whole(&result, "WS /deaf")["failed"];
    assert_eq!((count(&failed["memory"]), failed["timeout"].as_u64()), (2, None), "{failed}");
}

#[test]
fn a_body_is_compared_without_its_codings_and_in_utf_8() {
    let step = json!({
        "get": "/latin-1-in-gzip-twice",
        "expect": {"contains": "Größe", "header": {"x-d": "a, b"}, "that": "response.headers['x-d'] == 'a, b'"},
        "capture": {"size": {"regex": "(Größe)"}},
    });
    let fault = Fault::no_failure("compared", step, "/fine".into(), Next::Keeps);
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &[fault]);
}

#[test]
fn a_stream_of_events_that_does_not_end_is_called_by_its_name() {
    let step = json!({"get": "/events", "expect": {"contains": "done"}});
    let fault = Fault::fails("events", step, "/fine".into(), ("timeout", "`text/event-stream`"));
    suffer(&FaultServer::start(Mode::ByPath), Value::Null, &[fault]);
}
