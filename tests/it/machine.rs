//! The machine during a run, and a target that is not there to its end or was never the one that was started.

use std::time::Duration;

use loadgate::load::target::{Ownership, StartCommand, TargetError, free_address, start};

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{BINARY, Demo, Workspace, poll_until};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(target: &str, run_time: &str) -> Workspace {
    Workspace::with_config(&format!(
        "version: 1\nenvironments: {{ci: {{users: 2, run_time: {run_time}, {target}}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 5ms, steps: [{{get: /health}}]}}}}}}}}\n"
    ))
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_says_how_the_machine_was_and_who_used_it() {
    let demo = Demo::start(&[]);
    let target = "target: {ready: /health, command: [loadgate, demo-api, --listen, '{{ address }}']}";
    for target in [target.to_owned(), format!("host: '{}'", demo.url)] {
        let workspace = config(&target, "2s");
        let finished = workspace.run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("{}", finished.stderr));
        let machine = &result["machine"];
        let known = ["speed", "contention", "others_cpu", "target_cpu", "generator_cpu", "idle", "steal"];
        for name in known {
            assert!(machine[name].is_f64(), "{name} of {target}: {machine}");
        }
        assert!(machine["others_unknown"].is_null() && machine["worst_second"].is_object(), "{machine}");
        let points = result["series"].as_array().expect("a series");
        assert!(points.iter().any(|point| point["machine"]["idle"].is_f64()), "{points:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_of_the_process_that_started_loadgate_is_not_told_from_others() {
    let server = FaultServer::start(Mode::ByPath);
    let workspace = config(&format!("host: '{}'", server.url("")), "1s");
    let machine = workspace.run(&["run", "--quiet"]).result().expect("a result")["machine"].clone();
    assert!(machine["others_cpu"].is_null(), "{machine}");
    assert_eq!(machine["others_unknown"]["kind"], "parent", "{machine}");
}

#[test]
fn a_target_that_dies_ends_the_run_at_once() {
    let script = "{ sleep 1; echo out of luck; kill -9 $$; } & exec \\\"$0\\\" demo-api --listen \\\"$1\\\"";
    let target = format!(
        "target: {{ready: /health, command: [sh, -c, \"{script}\", '{BINARY}', '{{{{ address }}}}']}}"
    );
    let finished = config(&target, "60s").run(&["run", "--quiet"]);
    assert_eq!(finished.code(), 6, "{}\n{}", finished.stdout, finished.stderr);
    assert!(finished.took < Duration::from_secs(30), "{:?}", finished.took);
    let result = finished.result().expect("a result");
    assert_eq!((&result["target_ended"], &result["interrupted"]), (&true.into(), &false.into()));
    assert!(result["duration_s"].as_f64() < Some(30.0), "{}", result["duration_s"]);
    let told = result["warnings"].to_string();
    assert!(told.contains("signal 9") && told.contains("out of luck"), "{told}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_that_was_there_before_is_not_taken_for_the_target() {
    let stale = Demo::start(&[]);
    let workspace = Workspace::new();
    let own = free_address().expect("a free port");
    let command = StartCommand {
        argv: [BINARY, "demo-api", "--listen", &own.to_string()].map(str::to_owned).to_vec(),
        folder: workspace.path(""),
        ready_url: format!("http://{own}/health").parse().expect("a URL"),
        ready_timeout: PATIENCE,
        log: workspace.path("target.log"),
        binary: BINARY.into(),
        secrets: std::sync::Arc::default(),
        variables: Vec::new(),
        withheld: Vec::new(),
        stray: Vec::new(),
        open_files: None,
    };
    let running = start(command).await.expect("it runs");
    assert_eq!(running.owns(own).expect("known"), Ownership::Ours);
    let error = running.owns(stale.address().parse().expect("an address")).expect_err("another's");
    let TargetError::Stranger { pid, command, .. } = &error else { panic!("{error}") };
    assert!(*pid > 0 && command.ends_with("loadgate demo-api"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("end that process")));
    let nobody = free_address().expect("a free port");
    assert!(matches!(running.owns(nobody), Ok(Ownership::Unverified(_))));
    running.stop().await.expect("stopped");
}

#[cfg(target_os = "linux")]
#[test]
fn a_stranger_on_the_port_of_the_target_ends_the_run_before_it_begins() {
    // The command starts nothing: it tells its address to somebody else.
    let script = "echo $0 > address.new; mv address.new address; echo $$ > child; exec sleep 600";
    let workspace = config(
        &format!("target: {{ready: /health, command: [sh, -c, '{script}', '{{{{ address }}}}']}}"),
        "60s",
    );
    let told = workspace.path("address");
    let stranger = std::thread::spawn(move || {
        poll_until(PATIENCE, "the address", || told.exists());
        let address = std::fs::read_to_string(told).expect("an address");
        Demo::start_on(address.trim().parse().expect("an address"), &[])
    });
    let finished = workspace.run(&["run", "--quiet"]);
    let stranger = stranger.join().expect("a stranger");
    assert_eq!(finished.code(), 1, "{}\n{}", finished.stdout, finished.stderr);
    let said = format!("answers on {}, and was not started by the target command", stranger.address());
    assert!(
        finished.stderr.contains("loadgate demo-api") && finished.stderr.contains(&said),
        "{}",
        finished.stderr
    );
    assert!(finished.stderr.contains("end that process"), "{}", finished.stderr);
    assert!(finished.result().is_none(), "nothing was measured");
    let child = std::fs::read_to_string(workspace.path("child")).expect("a process number");
    assert!(!std::path::Path::new(&format!("/proc/{}", child.trim())).exists(), "the command has ended");
}
