//! Sockets that every user opens in the ramp and holds until the end: no request ends in the steady phase, and the
//! messages are what is measured.

use serde_json::json;

use crate::external::{count, named, steady, whole};
use crate::fault_server::{FaultServer, Mode};
use crate::harness::{Finished, Workspace, unspoilt};

const SERVER: &str = include_str!("fixtures/slow_echo.py");
const SOCKETS: u64 = 6;

/// Six users start within the first second, open a socket each and exchange messages until the run ends.
fn held(environment: &str, path: &str, rest: &str) -> String {
    format!(
        "version: 1\nname: held\nenvironments: {{here: {{{environment}, \
         load: {{users: {SOCKETS}, spawn_rate: {SOCKETS}/s, run_time: 3s}}}}}}\n{rest}\n\
         scenarios:\n  s:\n    users:\n      u:\n        wait: 0s\n        steps:\n          - websocket: {path}\n            name: feed\n            \
         steps:\n              - repeat: 100000\n                steps:\n                  - send: {{text: hi}}\n                  \
         - receive: {{where: \"message == 'hi'\", within: 5s, record: echo}}\n                  - wait: 2ms\n"
    )
}

/// Nothing but messages in the steady phase.
fn only_messages(finished: &Finished) {
    let result = finished.result().expect("a result");
    assert_eq!(count(&result["totals"]["ok"]), 0, "{}", result["totals"]);
    assert_eq!(count(&whole(&result, "feed")["ok"]), SOCKETS);
    assert_eq!(result["whole_run"]["failed"], json!({}), "{}", result["failures"]);
    assert!(count(&steady(&result, "feed")["websocket"]["messages_in"]) > 100);
    assert!(count(&named(&result["metrics"], "echo")["ok"]) > 100);
}

#[test]
fn a_run_of_held_sockets_is_judged_by_its_messages() {
    let server = FaultServer::start(Mode::ByPath);
    let host = format!("host: 'http://{}'", server.address);
    let run = |objective: &str| {
        let rest = format!("thresholds: {{metrics: {{echo: {{p95: {objective}}}}}}}");
        unspoilt(|| Workspace::with_config(&held(&host, "/echo", &rest)).run(&["run", "--quiet"]))
    };
    let fine = run("1s");
    assert_eq!(fine.code(), 0, "{}\n{}", fine.stdout, fine.stderr);
    only_messages(&fine);
    assert_eq!(fine.result().expect("a result")["verdict"]["status"], "passed");
    let broken = run("1us");
    assert_eq!(broken.code(), 3, "{}\n{}", broken.stdout, broken.stderr);
}

#[test]
fn a_run_of_held_sockets_is_remembered_and_a_slower_message_fails() {
    let workspace = Workspace::new();
    workspace.write("slow_echo.py", SERVER);
    let configure = |delay: &str| {
        let target =
            format!("target: {{command: [python3, slow_echo.py, '{delay}', '{{{{ address }}}}'], ready: /}}");
        workspace.write("config.yaml", &held(&target, "/", "baseline: {}"));
    };
    configure("0.002");
    let files = || std::fs::read_dir(workspace.path("baselines/s.here")).map_or(0, Iterator::count);
    for _ in 0..8 {
        let missing = 5_usize.saturating_sub(files());
        if missing > 0 {
            let made = workspace.run(&[
                "baseline",
                "update",
                "--allow-busy-machine",
                "--quiet",
                "--runs",
                &missing.to_string(),
            ]);
            assert!(made.stdout.contains("remembered: "), "{}\n{}", made.stdout, made.stderr);
        }
    }
    let same = unspoilt(|| workspace.run(&["run", "--quiet"]));
    only_messages(&same);
    assert_ne!(same.code(), 4, "{}\n{}", same.stdout, same.stderr);
    configure("0.01");
    let slow = unspoilt(|| workspace.run(&["run", "--quiet"]));
    assert_eq!(slow.code(), 4, "{}\n{}", slow.stdout, slow.stderr);
    assert!(slow.stdout.contains("p50 of echo"), "{}", slow.stdout);
}
