//! A service that stops answering, and requests that the end of a run cuts off.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::external::{count, whole};
use crate::fault_server::{FaultServer, Mode};
use crate::harness::{Finished, Workspace};
use crate::recording_server::RecordingServer;

/// Answers at once until `hangs_at` after its first connection, and then not any more. What is asked of `/slow` it never
/// answers.
fn serve(hangs_at: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let mut first = None;
        for stream in listener.incoming().flatten() {
            let first = *first.get_or_insert_with(Instant::now);
            thread::spawn(move || answer(&stream, first + hangs_at));
        }
    });
    address
}

/// The requests of one connection, which have no body. What hangs does so until the connection is closed.
fn answer(stream: &TcpStream, until: Instant) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut silent = false;
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        silent |= Instant::now() >= until || request.contains("/slow");
        if !silent {
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            (&mut &*stream).write_all(response).ok()?;
        }
    }
}

fn run(address: SocketAddr, load: &str, thresholds: &str) -> Finished {
    let config = format!(
        "version: 1\nname: silence\n\
         environments: {{here: {{host: 'http://{address}', load: {{users: 5, {load}}}}}}}\nthresholds: {thresholds}\n\
         scenarios: {{s: {{users: {{asks: {{weight: 4, wait: 5ms, tasks: {{ask: 1}}}}, \
         hangs: {{weight: 1, tasks: {{wait: 1}}}}}}, \
         tasks: {{ask: [{{get: /ask}}], wait: [{{get: /slow}}]}}}}}}\n"
    );
    Workspace::with_config(&config).run(&["run", "--quiet"])
}

fn found(finished: &Finished, kind: &str) -> Option<Value> {
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    let findings = result["verdict"]["findings"].as_array()?.clone();
    findings.into_iter().find(|finding| finding["kind"] == kind)
}

#[test]
fn a_service_that_hangs_for_most_of_a_run_is_no_pass() {
    let finished = run(serve(Duration::from_secs(2)), "run_time: 8s, drain: 1s", "{p95: 1s}");
    assert_eq!(finished.code(), 6, "{}", finished.stdout);
    let silence = found(&finished, "no_answer").expect("it is told");
    assert!(silence["length_s"].as_f64() > Some(5.0), "{silence}");
    assert!(finished.stdout.contains("no request was answered for"), "{}", finished.stdout);
    let result = finished.result().expect("a result");
    let of_all = &result["whole_run"];
    assert_eq!(of_all["unfinished"], 5, "{of_all}");
    let placed = |name: &str| {
        let endpoints = of_all["endpoints"].as_array().into_iter().flatten();
        endpoints.filter(|it| it["name"] == name).find_map(|it| it["unfinished_time"]["n"].as_u64())
    };
    assert_eq!((placed("GET /ask"), placed("GET /slow")), (Some(4), Some(1)));
}

#[test]
fn a_request_that_is_cut_off_is_tolerated_where_few_are_and_breaks_what_it_took_longer_than() {
    // One user waits until the end of the drain, the others ask hundreds of times.
    let ask = |limits: &str| {
        run(
            serve(Duration::from_mins(1)),
            "run_time: 2s, drain: 500ms",
            &format!("{{p95: 1s, endpoints: {{GET /ask: {{max: 10s, mean: 1s}}}}{limits}}}"),
        )
    };
    let finished = ask("");
    assert!(finished.ended_with(0), "{}", finished.stdout);
    let result = finished.result().expect("a result");
    assert_eq!(result["verdict"]["status"], "passed", "{}", finished.stdout);
    assert_eq!(found(&finished, "no_answer"), None);
    let finished = ask(", max: 10s");
    let result = finished.result().expect("a result");
    assert_eq!(result["verdict"]["status"], "inconclusive", "{}", finished.stdout);
    assert!(finished.stdout.contains("1 request was cut off at the end"), "{}", finished.stdout);
    let check = result["verdict"]["checks"].as_array().into_iter().flatten();
    let because: Vec<_> = check.map(|check| check["because"].clone()).filter(|it| !it.is_null()).collect();
    assert_eq!(because, [json!({"kind": "cut_off", "unfinished": 1})]);
    assert_eq!(ask(", max: 2s").code(), 3);
}

#[test]
fn a_group_or_a_poll_that_the_drain_cuts_off_took_at_least_as_long_as_it_went_on() {
    let config = |stop: &str| {
        let address = serve(Duration::from_mins(1));
        format!(
            "version: 1\nname: cut\n\
             environments: {{here: {{host: 'http://{address}', load: {{users: 2, run_time: 1s, drain: 500ms, stop: {stop}}}}}}}\n\
             thresholds: {{error_rate: null}}\n\
             scenarios: {{s: {{users: {{\
             u: {{steps: [{{group: whole, steps: [{{get: /a}}, {{get: /slow, record: once}}]}}]}}, \
             p: {{steps: [{{get: /slow, record: polled, poll: {{until: 'false', every: 10ms, timeout: 60s}}}}]}}}}}}}}\n"
        )
    };
    // A user that stops after its request stops in the middle of a group: there, only the request was cut off.
    for (stop, wanted) in [("iteration", json!(1)), ("request", Value::Null)] {
        let finished = Workspace::with_config(&config(stop)).run(&["run", "--quiet"]);
        let result = finished.result().expect("a result");
        let cut = |name: &str| {
            let all = result["metrics"].as_array().into_iter().flatten();
            all.clone().find(|it| it["name"] == name).map(|it| it["response_time"]["timed_out"].clone())
        };
        for name in ["whole", "once", "polled"] {
            assert_eq!(cut(name).unwrap_or_default(), wanted, "{stop} {name}: {}", result["metrics"]);
        }
    }
}

#[test]
fn a_poll_that_is_still_repeated_at_the_end_took_at_least_as_long_as_it_went_on() {
    // The last repetition lies within the drain, or beyond it.
    for every in ["100ms", "30s"] {
        let address = serve(Duration::from_mins(1));
        let config = format!(
            "version: 1\nname: polls\n\
             environments: {{here: {{host: 'http://{address}', load: {{users: 2, run_time: 500ms, drain: 500ms, stop: iteration}}}}}}\n\
             thresholds: {{error_rate: null}}\n\
             scenarios: {{s: {{users: {{u: {{steps: [\
             {{get: /ask, record: polled, poll: {{until: 'false', every: {every}, timeout: 60s}}}}]}}}}}}}}\n"
        );
        let result = Workspace::with_config(&config).run(&["run", "--quiet"]).result().expect("a result");
        let polled = &result["metrics"][0];
        let told = (&polled["name"], &polled["response_time"]["timed_out"]);
        assert_eq!(told, (&json!("polled"), &json!(2)), "{every}: {polled}");
    }
}

#[test]
fn what_an_interruption_cuts_off_says_nothing_of_how_long_it_takes() {
    let (asked, was_asked) = mpsc::channel();
    let server = RecordingServer::start(move |request| match request.target() {
        "/slow" => {
            asked.send(()).expect("the test waits for it");
            loop {
                thread::park();
            }
        }
        _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(),
    });
    let config = format!(
        "version: 1\nname: interrupted\n\
         environments: {{here: {{host: '{}', load: {{users: 1, run_time: 60s, drain: 10s, stop: iteration}}}}}}\n\
         thresholds: {{error_rate: null}}\n\
         scenarios: {{s: {{users: {{u: {{steps: [{{group: whole, steps: [{{get: /a}}]}}, \
         {{group: cut, steps: [{{get: /slow}}]}}]}}}}}}}}\n",
        server.url("")
    );
    let workspace = Workspace::with_config(&config);
    let mut command = workspace.command(&["run", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    was_asked.recv_timeout(Duration::from_secs(30)).expect("it is asked");
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process number");
    kill_process(pid, Signal::INT).expect("signalled");
    assert_eq!(child.wait().expect("collected").code(), Some(130));
    let text = std::fs::read(workspace.path("reports/latest/result.json")).expect("a result");
    let result: Value = serde_json::from_slice(&text).expect("JSON");
    let times = |name: &str| {
        let found = result["metrics"].as_array().into_iter().flatten().find(|it| it["name"] == name);
        found.map(|it| it["response_time"].clone()).unwrap_or_default()
    };
    assert_eq!((&times("whole")["n"], times("cut")), (&json!(1), Value::Null), "{}", result["metrics"]);
    assert_eq!(result["whole_run"]["unfinished"], 1, "the request was cut off");
}

#[test]
fn a_group_that_a_pause_of_the_plan_ends_is_not_counted() {
    let address = serve(Duration::from_mins(1));
    let config = format!(
        "version: 1\nname: paused\n\
         environments: {{here: {{host: 'http://{address}', load: {{users: 2, run_time: 500ms, drain: 5s, stop: iteration}}}}}}\n\
         thresholds: {{error_rate: null}}\n\
         scenarios: {{s: {{users: {{u: {{steps: [{{group: paused, steps: [{{get: /a}}, {{wait: 1h}}]}}]}}}}}}}}\n"
    );
    let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
    let result = finished.result().expect("a result");
    assert!(
        result["metrics"].as_array().is_some_and(|all| all.iter().all(|it| it["response_time"].is_null())),
        "{}",
        result["metrics"]
    );
}

/// Three users who hold a socket that nothing comes over, for 2 s and a drain of half a second.
fn deaf(server: &FaultServer, steps: &str) -> Finished {
    let config = format!(
        "version: 1\nname: awaited\n\
         environments: {{here: {{host: 'http://{}', load: {{users: 3, run_time: 2s, drain: 500ms}}}}}}\n\
         thresholds: {{missing_messages: 0, error_rate: 10%, metrics: {{echo: {{max: 500ms}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{steps: [{{websocket: /deaf, steps: [{steps}]}}]}}}}}}}}\n",
        server.address
    );
    Workspace::with_config(&config).run(&["run", "--quiet"])
}

#[test]
fn an_answer_that_is_still_waited_for_at_the_end_is_none_and_a_feed_may_be_silent() {
    let server = FaultServer::start(Mode::ByPath);
    let finished = deaf(&server, "{send: {text: hi}}, {receive: {within: 60s, record: echo}}");
    let result = finished.result().expect("a result");
    let counts = |result: &Value| result["whole_run"]["endpoints"][0]["websocket"].clone();
    let told = counts(&result);
    assert_eq!((&told["missing_messages"], &told["unfinished_messages"]), (&json!(0), &json!(3)));
    assert_eq!(result["metrics"][0]["response_time"]["timed_out"], 3, "{}", result["metrics"]);
    let checks = result["verdict"]["checks"].as_array().into_iter().flatten();
    let outcome = |metric: &str| {
        let check = checks.clone().find(|check| check["metric"] == metric).expect("a check");
        (check["status"].clone(), check["because"].clone())
    };
    assert_eq!(
        outcome("missing_messages"),
        (json!("invalid"), json!({"kind": "no_sample"})),
        "none ever came"
    );
    let open = json!({"kind": "cut_off", "unfinished": 3});
    assert_eq!(outcome("error_rate"), (json!("undecided"), open));
    // All of them took longer than 0.5 s, and nobody knows by how much.
    assert_eq!(outcome("max").0, "fail", "{}", finished.stdout);

    // Of a feed that may be silent for a minute, 2.5 s say nothing; of one that may be for three seconds, they do.
    for (within, unfinished) in [("60s", Value::Null), ("3s", json!(3))] {
        let result = deaf(&server, &format!("{{receive: {{within: {within}, record: echo}}}}")).result();
        let told = counts(&result.expect("a result"));
        assert_eq!(
            (&told["missing_messages"], &told["unfinished_messages"]),
            (&json!(0), &unfinished),
            "{within}"
        );
    }
}

#[test]
fn what_takes_longer_than_an_objective_allows_is_counted_however_the_run_ends() {
    let cut = |limit: &str| {
        let address = serve(Duration::from_mins(1));
        let config = format!(
            "version: 1\nname: polls\n\
             environments: {{here: {{host: 'http://{address}', load: {{users: 4, run_time: 1500ms}}}}}}\n\
             thresholds: {{metrics: {{polled: {{max: {limit}}}, whole: {{max: {limit}}}}}}}\n\
             scenarios: {{s: {{users: {{\
             done: {{weight: 3, wait: 20ms, steps: [{{group: whole, steps: [\
             {{get: /ask, record: polled, poll: {{until: 'true', every: 100ms, timeout: 60s}}}}]}}]}}, \
             never: {{weight: 1, steps: [{{group: whole, steps: [\
             {{get: /ask, record: polled, poll: {{until: 'false', every: 100ms, timeout: 60s}}}}]}}]}}}}}}}}\n"
        );
        let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let metrics = result["metrics"].as_array().into_iter().flatten();
        let cut: Vec<_> =
            metrics.map(|it| it["response_time"]["timed_out"].as_u64().unwrap_or_default()).collect();
        (finished.code(), cut)
    };
    assert_eq!(cut("800ms"), (3, vec![1; 2]));
    // Every user stops in the middle of an iteration, which says nothing of those that end.
    assert_eq!(cut("1m"), (0, vec![0; 2]));
}

/// A body of a few kilobytes that takes long to unpack: 48 MiB of JSON.
fn slow_to_unpack(status: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"[").expect("memory");
    for _ in 0..48 {
        encoder.write_all(&b"0,".repeat(512 * 1024)).expect("memory");
    }
    encoder.write_all(b"0]").expect("memory");
    let body = encoder.finish().expect("memory");
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), body].concat()
}

#[test]
fn what_was_answered_counts_also_where_the_end_of_the_run_cuts_off_what_is_made_of_it() {
    for (status, failed) in [("200 OK", false), ("500 Internal Server Error", true)] {
        let response = slow_to_unpack(status);
        let server = RecordingServer::start(move |_| response.clone());
        let config = format!(
            "version: 1\nname: unpacks\n\
             environments: {{here: {{host: 'http://{}', load: {{users: 12, run_time: 1s, drain: 0}}}}}}\n\
             max_memory: 4GiB\nthresholds: {{error_rate: 1%}}\n\
             scenarios: {{s: {{users: {{u: {{steps: [{{get: /, expect: {{json: {{'$[0]': 0}}}}}}]}}}}}}}}\n",
            server.address
        );
        let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let of_all = &result["whole_run"];
        let failures: u64 =
            of_all["failed"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
        let [ok, unfinished] = ["ok", "unfinished"].map(|name| of_all[name].as_u64().unwrap_or_default());
        let seen = server.requests().len() as u64;
        assert!(seen >= 12 && ok + failures + unfinished >= seen, "{seen} of {of_all}");
        if failed {
            assert!(failures >= 12, "whatever its body is: {of_all}");
            assert_ne!(finished.code(), 0, "{}", finished.stdout);
        } else {
            assert_eq!(failures, 0, "{of_all}");
            assert!(unfinished > 0, "{of_all}");
        }
    }
}

#[test]
fn what_fails_between_requests_is_counted_at_the_request_that_it_keeps_from_being_made() {
    let server = RecordingServer::fine();
    let login = json!({"get": "/login"});
    let capt = json!({"get": "/capt", "capture": {"y": {"regex": "(.)"}}});
    let nothing = json!({"set": {"x": "{{ y }}"}});
    let condition = json!({"when": "y.z", "set": {"x": "1"}});
    for (steps, endpoint, says) in [
        (json!([login, nothing, capt]), "GET /capt", "`set`: `y`"),
        (json!([login, {"group": "g", "steps": [nothing]}, capt]), "GET /capt", "`set`: `y`"),
        (json!([{"group": "g", "steps": [login, nothing]}, capt]), "GET /capt", "`set`: `y`"),
        (json!([{"repeat": 2, "steps": [login, nothing]}, capt]), "GET /login", "`set`: `y`"),
        (json!([nothing, login, {"repeat": 2, "steps": [capt]}]), "GET /login", "`set`: `y`"),
        (json!([login, condition, capt]), "GET /capt", "y.z"),
        (json!([{"wait": "1ms", "when": "y.z"}, login, capt]), "GET /login", "y.z"),
        (
            json!([login, {"get": "/capt", "when": "false", "capture": {"y": {"regex": "(.)"}}}, nothing]),
            "GET /capt",
            "`y`",
        ),
    ] {
        let config = json!({
            "version": 1, "name": "between",
            "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "1s"}},
            "scenarios": {"s": {"users": {"u": {"wait": "200ms", "steps": steps}}}},
        });
        let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let failed = &whole(&result, endpoint)["failed"];
        assert!(count(&failed["capture"]) > 0, "{steps}: {endpoint}: {}", result["whole_run"]);
        assert!(result["failures"].to_string().contains(says), "{steps}: {}", result["failures"]);
        assert_eq!(finished.code(), 3, "{steps}\n{}", finished.stdout);
    }
}
