//! Faults while it runs: counted by kind, the run goes on, nothing is lost and nothing is left behind.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{Finished, Workspace, poll_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// A run of two seconds in which two users ask for `/` and for one thing that goes wrong.
fn suffer(server: &FaultServer, path: &str) -> (Finished, Value) {
    let config = format!(
        "version: 1\nname: faults\ntimeout: 400ms\nmax_body: 4MiB\n\
         environments: {{here: {{host: 'http://{}', users: 2, run_time: 2s}}}}\nthresholds: {{error_rate: 1%}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 5ms, steps: [{{get: /fine}}, {{get: {path}}}]}}}}}}}}\n",
        server.address
    );
    let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
    let result = finished.result().expect("a result");
    (finished, result)
}

#[test]
fn every_fault_is_counted_under_its_kind_and_the_run_goes_on() {
    let server = FaultServer::start(Mode::ByPath);
    for (path, kind) in [
        ("/reset", "reset"),
        ("/close", "reset"),
        ("/truncated", "reset"),
        ("/malformed", "protocol"),
        ("/garbage", "protocol"),
        ("/endless-chunks", "protocol"),
        ("/endless-headers", "protocol"),
        ("/huge-header", "protocol"),
        ("/silent", "timeout"),
        ("/drip", "timeout"),
        ("/503", "status"),
    ] {
        let (finished, result) = suffer(&server, path);
        assert!(finished.ended_with(3), "{path}\n{}", finished.stdout);
        let failed = result["whole_run"]["failed"].as_object().expect("kinds");
        assert_eq!(failed.keys().collect::<Vec<_>>(), [kind], "{path}: {}", result["failures"]);
        assert!(result["whole_run"]["ok"].as_u64() > Some(1), "{path}: the run went on");
        assert!(result["generator"]["rss_mb"].as_f64() < Some(150.0), "{path}: {}", result["generator"]);
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_is_opened_again_and_is_no_failure() {
    let (finished, result) = suffer(&FaultServer::start(Mode::ByPath), "/close-after");
    assert!(finished.ended_with(0), "{}", finished.stdout);
    assert_eq!(result["whole_run"]["failed"], serde_json::json!({}));
}

#[test]
fn a_poll_that_never_holds_counts_no_request_that_the_server_has_not_seen() {
    let server = FaultServer::start(Mode::ByPath);
    let config = format!(
        "version: 1\nname: poll\nenvironments: {{here: {{host: 'http://{}', users: 3, run_time: 1s}}}}\n\
         thresholds: {{error_rate: 1%}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 1ms, steps: [{{get: /fine, \
         poll: {{until: 'response.status == 500', every: 20ms, timeout: 100ms}}}}]}}}}}}}}\n",
        server.address
    );
    let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
    assert!(finished.ended_with(3), "{}", finished.stdout);
    let whole = finished.result().expect("a result")["whole_run"].clone();
    let count = |value: &Value| value.as_u64().expect("a count");
    let (ok, timeouts) = (count(&whole["ok"]), count(&whole["failed"]["timeout"]));
    assert_eq!(ok + timeouts, server.requests() as u64, "{whole}");
    assert!(timeouts > 0 && ok > timeouts, "the last of several repetitions fails: {whole}");
}

#[test]
fn a_host_that_cannot_be_reached_is_told_before_the_ramp() {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    for (host, says) in [
        (format!("http://127.0.0.1:{port}"), "connection refused"),
        ("http://no-such-host.invalid".to_owned(), "cannot resolve `no-such-host.invalid`"),
    ] {
        let config = format!(
            "version: 1\nname: x\nenvironments: {{e: {{host: '{host}', users: 1, run_time: 60s}}}}\n\
             scenarios: {{s: {{users: {{u: {{wait: 1s, steps: [{{get: /}}]}}}}}}}}\n"
        );
        let finished = Workspace::with_config(&config).run(&["run"]);
        assert_eq!(finished.code(), 1);
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    }
}

#[test]
fn a_target_that_dies_shows_its_last_lines() {
    let config = "version: 1\nname: x\nenvironments: {e: {target: {command: [sh, -c, 'echo no database; exit 3']}, users: 1, run_time: 9s}}\n\
                  scenarios: {s: {users: {u: {wait: 1s, steps: [{get: /}]}}}}\n";
    let finished = Workspace::with_config(config).run(&["run"]);
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.contains("exit status 3") && finished.stderr.contains("no database"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_target_that_dies_during_the_run_makes_it_invalid_and_shows_its_last_lines() {
    let config = format!(
        "version: 1\nname: x\nenvironments: {{e: {{target: {{command: [sh, -c, \
         '(sleep 2; echo collapsed; kill -9 $$) & exec \"$0\" demo-api --listen \"$1\"', '{}', '{{{{ address }}}}'], \
         ready: /health}}, users: 3, run_time: 5s}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 10ms, steps: [{{get: /health}}]}}}}}}}}\n",
        crate::harness::BINARY
    );
    let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
    assert_eq!(finished.code(), 6, "{}\n{}", finished.stdout, finished.stderr);
    assert!(
        finished.stdout.contains("signal 9") && finished.stdout.contains("collapsed"),
        "{}",
        finished.stdout
    );
    let result = finished.result().expect("a result");
    assert_eq!(result["verdict"]["status"], "invalid");
    let failed = result["whole_run"]["failed"].as_object().expect("kinds");
    assert!(failed.keys().all(|kind| kind == "connect" || kind == "reset"), "{failed:?}");
}

#[test]
fn a_full_disk_is_told_before_any_traffic() {
    let server = FaultServer::start(Mode::ByPath);
    let config = format!(
        "version: 1\nname: x\nenvironments: {{e: {{host: 'http://{}', users: 1, run_time: 9s}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 1s, steps: [{{get: /}}]}}}}}}}}\n",
        server.address
    );
    let workspace = Workspace::with_config(&config);
    // A limit on the size of files refuses a write as a full disk does, and needs no mount.
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -f 64; trap '' XFSZ; exec \"$0\" run", crate::harness::BINARY])
        .current_dir(workspace.path(""));
    let finished = workspace.finish(command);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("cannot write `./reports/"), "{}", finished.stderr);
    assert_eq!(server.requests(), 0);
    let left = std::fs::read_dir(workspace.path("reports")).expect("the folder of the reports");
    assert_eq!(left.count(), 0, "the folder of the run was taken away again");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_any_traffic() {
    let server = FaultServer::start(Mode::ByPath);
    let config = format!(
        "version: 1\nname: x\nenvironments: {{e: {{host: 'http://{}', users: 1, run_time: 9s}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 1s, steps: [{{get: /}}]}}}}}}}}\n",
        server.address
    );
    let workspace = Workspace::with_config(&config);
    workspace.write("taken", "a file");
    let finished = workspace.run(&["run", "--output-dir", "taken"]);
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("taken"), "{}", finished.stderr);
    assert_eq!(server.requests(), 0);
}

/// A long run on the demo service, as a child that can be sent signals.
struct Long {
    workspace: Workspace,
    child: Child,
}

const LONG: &str = "version: 1\nname: long\n\
    environments: {e: {target: {command: [loadgate, demo-api, --listen, '{{ address }}'], ready: /health}, users: 5, run_time: 80s}}\n\
    scenarios: {s: {users: {u: {wait: 10ms, steps: [{get: /health}]}}}}\n";

/// The same with a target that ignores the request to end, as does the child it started.
const STUBBORN: &str = "version: 1\nname: long\n\
    environments: {e: {target: {command: [sh, -c, 'trap \"\" TERM; setsid sh -c \"trap : TERM; echo \\$\\$ > leftover; while :; do sleep 1; done\" & \
    exec \"$0\" demo-api --listen \"$1\"', BINARY, '{{ address }}'], ready: /health}, users: 5, run_time: 80s}}\n\
    scenarios: {s: {users: {u: {wait: 10ms, steps: [{get: /health}]}}}}\n";

impl Long {
    /// Starts it and waits until its target answers requests: the log of the target is there, and it is up.
    fn start() -> Self {
        Self::with(LONG)
    }

    fn with(config: &str) -> Self {
        let workspace = Workspace::with_config(config);
        let mut command = workspace.command(&["run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the binary starts");
        let long = Self { workspace, child };
        poll_until(PATIENCE, "the target has connections", || {
            // Its listener, two for signals, and one a user.
            long.target().is_some_and(|target| sockets(target) >= 8)
        });
        long
    }

    /// The process of the target: the child of the guard, which is the child of the overseer.
    fn target(&self) -> Option<i32> {
        let only_child = |pid: i32| children(pid).into_iter().next();
        only_child(self.child.id().cast_signed()).and_then(only_child).and_then(only_child)
    }

    /// The process that a stubborn target started.
    fn leftover(&self) -> i32 {
        let text = || std::fs::read_to_string(self.workspace.path("leftover")).unwrap_or_default();
        poll_until(PATIENCE, "the target's child says who it is", || text().ends_with('\n'));
        text().trim().parse().expect("a process number")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process number");
        kill_process(pid, signal).expect("sent");
    }

    fn result(&self) -> Value {
        let text = std::fs::read(self.workspace.path("reports/latest/result.json")).expect("a result");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The sockets a process holds.
fn sockets(pid: i32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

fn gone(pid: i32) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_signal_ends_the_run_with_a_partial_result() {
    for (signal, exit_status, name) in [(Signal::INT, 130, "sigint"), (Signal::TERM, 143, "sigterm")] {
        let mut long = Long::start();
        let target = long.target().expect("a target");
        let sent = Instant::now();
        long.signal(signal);
        let status = long.child.wait().expect("an end");
        assert!(sent.elapsed() < Duration::from_secs(5), "a runner kills what takes longer");
        assert_eq!(status.code(), Some(exit_status));
        let result = long.result();
        assert_eq!((&result["interrupted"], &result["signal"]), (&Value::Bool(true), &Value::from(name)));
        assert_eq!(result["verdict"]["status"], "interrupted");
        assert!(gone(target), "the target was stopped");
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_still_nothing_is_left() {
    let mut long = Long::with(&STUBBORN.replace("BINARY", crate::harness::BINARY));
    let (target, leftover) = (long.target().expect("a target"), long.leftover());
    long.signal(Signal::INT);
    // The result is written before the target is stopped, and this target takes its time.
    poll_until(PATIENCE, "the first signal was heard", || {
        long.workspace.path("reports/latest/result.json").exists()
    });
    long.signal(Signal::TERM);
    let status = long.child.wait().expect("an end");
    assert_eq!(status.signal(), Some(15), "{status}");
    poll_until(PATIENCE, "nothing is left", || gone(target) && gone(leftover));
}

#[test]
fn a_signal_ends_all_that_the_target_started() {
    let mut long = Long::with(&STUBBORN.replace("BINARY", crate::harness::BINARY));
    let leftover = long.leftover();
    long.signal(Signal::INT);
    assert_eq!(long.child.wait().expect("an end").code(), Some(130));
    assert!(gone(leftover), "what left for a session of its own was ended too");
}

#[test]
fn a_killed_loadgate_takes_its_target_with_it() {
    let mut long = Long::start();
    let target = long.target().expect("a target");
    long.signal(Signal::KILL);
    long.child.wait().expect("an end");
    poll_until(PATIENCE, "the target is gone", || gone(target));
}

#[test]
fn a_service_that_is_killed_and_comes_back_is_counted_as_both() {
    let address = loadgate::load::target::free_address().expect("a port").to_string();
    let serve = || {
        let mut command = Command::new(crate::harness::BINARY);
        command
            .args(["demo-api", "--listen", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("the service starts")
    };
    let up = || std::net::TcpStream::connect(&address).is_ok();
    let mut first = serve();
    poll_until(PATIENCE, "the service is up", up);
    // Without a wait a request is always under way when the service dies.
    let config = format!(
        "version: 1\nname: x\nenvironments: {{e: {{host: 'http://{address}', users: 4, run_time: 6s}}}}\n\
         thresholds: {{error_rate: 0%}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 0ms, steps: [{{get: /health}}]}}}}}}}}\n"
    );
    let workspace = Workspace::with_config(&config);
    let mut command = workspace.command(&["run", "--quiet"]);
    let busy = |service: &Child, idle: usize| sockets(service.id().cast_signed()) >= idle + 4;
    let idle = sockets(first.id().cast_signed());
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    poll_until(PATIENCE, "requests arrive", || busy(&first, idle));
    first.kill().expect("killed");
    first.wait().expect("an end");
    let mut second = serve();
    poll_until(PATIENCE, "requests arrive again", || busy(&second, idle - 1));
    let status = run.wait().expect("an end");
    second.kill().expect("killed");
    second.wait().expect("an end");
    assert_eq!(status.code(), Some(3));
    let text = std::fs::read(workspace.path("reports/latest/result.json")).expect("a result");
    let result: Value = serde_json::from_slice(&text).expect("JSON");
    let failed = result["whole_run"]["failed"].as_object().expect("kinds");
    assert!(failed.contains_key("connect") || failed.contains_key("reset"), "{failed:?}");
    assert!(failed.keys().all(|kind| kind == "connect" || kind == "reset"), "{failed:?}");
    assert!(result["whole_run"]["ok"].as_u64() > Some(50));
}
