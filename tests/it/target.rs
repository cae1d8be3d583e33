//! Target commands as real processes: whatever happens to loadgate, nothing of them is left.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadgate::load::target::{Ended, Running, StartCommand, TargetError, start};
use loadgate::plan::redact::Redactor;
use rustix::process::{Pid, Signal, kill_process};

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{BINARY, Workspace, poll_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// Deaf to the request to end, with a grandchild that left for a session of its own.
const STUBBORN: &str = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > grandchild; while :; do sleep 60; done' & \
    echo $$ > child; while :; do sleep 60; done";

/// Names the folder in which the test that plays a parent starts its target.
const PARENT_FOLDER: &str = "TARGET_TEST_PARENT_FOLDER";

fn shell(script: &str, workspace: &Workspace, ready_url: &str) -> StartCommand {
    StartCommand {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        folder: workspace.path(""),
        ready_url: ready_url.parse().expect("a URL"),
        ready_timeout: PATIENCE,
        log: workspace.path("target.log"),
        binary: BINARY.into(),
        redactor: Redactor::new(&[]),
        withheld: Vec::new(),
    }
}

async fn running(script: &str, workspace: &Workspace) -> Running {
    let ready = FaultServer::start(Mode::ByPath);
    start(shell(script, workspace, &ready.url("/"))).await.expect("it runs")
}

/// The process number a script wrote into a file.
fn pid(folder: &Path, file: &str) -> i32 {
    let mut pid = None;
    poll_until(PATIENCE, file, || {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        pid = text.trim().parse().ok().filter(|_| text.ends_with('\n'));
        pid.is_some()
    });
    pid.expect("polled for")
}

/// A zombie that nobody collects is not alive.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a process number"), Signal::KILL).expect("killed");
}

#[test]
fn a_target_gets_the_environment_of_the_job_but_not_its_token() {
    let script = format!("env > environment; exec '{BINARY}' demo-api --listen \"$0\"");
    let workspace = Workspace::with_config(&format!(
        "version: 1\nenvironments: {{ci: {{users: 1, target: {{ready: /health, command: [sh, -c, {}, '{{{{ address }}}}']}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{steps: [{{get: /health}}]}}}}}}}}\n",
        serde_json::Value::from(script)
    ));
    let mut check = workspace.command(&["check", "--trace"]);
    check.env("LOADGATE_TOKEN", "a-secret").env("DATABASE_URL", "there");
    let finished = workspace.finish(check);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    let environment = std::fs::read_to_string(workspace.path("environment")).expect("what it got");
    assert!(
        environment.contains("DATABASE_URL=there\n") && !environment.contains("a-secret"),
        "{environment}"
    );
}

#[tokio::test]
async fn a_target_that_ignores_the_request_is_gone_after_stop_with_all_it_started() {
    let workspace = Workspace::new();
    let running = running(STUBBORN, &workspace).await;
    let folder = workspace.path("");
    let (child, grandchild) = (pid(&folder, "child"), pid(&folder, "grandchild"));
    assert!(alive(child) && alive(grandchild));
    assert!(running.usage().rss > 0);
    running.stop().await.expect("stopped");
    assert!(!alive(child) && !alive(grandchild));
}

#[tokio::test]
async fn a_target_that_ends_on_request_is_given_the_chance() {
    let workspace = Workspace::new();
    let script = "trap 'echo bye > farewell; exit 0' TERM; echo $$ > child; while :; do sleep 0.01; done";
    let running = running(script, &workspace).await;
    pid(&workspace.path(""), "child");
    assert_eq!(running.has_died(), None);
    running.stop().await.expect("stopped");
    assert_eq!(std::fs::read_to_string(workspace.path("farewell")).unwrap(), "bye\n");
}

#[tokio::test]
async fn dropping_a_running_target_ends_it() {
    let workspace = Workspace::new();
    let running = running("echo $$ > child; exec sleep 600", &workspace).await;
    let child = pid(&workspace.path(""), "child");
    drop(running);
    poll_until(PATIENCE, "the target is gone", || !alive(child));
}

#[tokio::test]
async fn a_target_that_dies_during_the_run_is_noticed_and_its_leftovers_are_ended() {
    let workspace = Workspace::new();
    let script = "sleep 600 & echo $! > leftover; echo $$ > child; wait";
    let running = running(script, &workspace).await;
    let folder = workspace.path("");
    let (child, leftover) = (pid(&folder, "child"), pid(&folder, "leftover"));
    let died = running.died();
    kill(child);
    assert_eq!(died.await, Ended::Signalled(9));
    assert_eq!(running.has_died(), Some(Ended::Signalled(9)));
    poll_until(PATIENCE, "the leftover is gone", || !alive(leftover));
    running.stop().await.expect("nothing left to stop");
}

#[tokio::test]
async fn a_target_that_dies_before_it_is_ready_is_an_error_with_its_last_lines() {
    let workspace = Workspace::new();
    let script = "echo one; echo '::error::two' >&2; exit 3";
    let never = FaultServer::start(Mode::ByPath);
    let error = start(shell(script, &workspace, &never.url("/503"))).await.expect_err("it died");
    let expected = "the target command ended with exit status 3 before it was ready; its last lines:\n  | one\n  | ::error::two";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().is_some_and(|hint| hint.contains("target.log")));
}

#[tokio::test]
async fn a_target_that_is_not_ready_in_time_is_an_error_with_its_last_answer_and_is_ended() {
    let workspace = Workspace::new();
    let unready = FaultServer::start(Mode::ByPath);
    let mut command =
        shell("echo $$ > child; echo waiting; exec sleep 600", &workspace, &unready.url("/503"));
    command.ready_timeout = Duration::from_millis(500);
    let error = start(command).await.expect_err("not ready").to_string();
    assert!(error.contains("was not ready after 500ms: http://127.0.0.1:"), "{error}");
    assert!(error.ends_with("/503 answered 503; its last lines:\n  | waiting"), "{error}");
    let child = pid(&workspace.path(""), "child");
    poll_until(PATIENCE, "the target is gone", || !alive(child));
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let workspace = Workspace::new();
    let mut command = shell("", &workspace, "http://127.0.0.1:1/");
    command.argv = vec!["no-such-program-anywhere".into()];
    let error = start(command.clone()).await.expect_err("missing");
    assert!(matches!(error, TargetError::Start { .. }));
    assert!(
        error
            .to_string()
            .starts_with("cannot start the target command `no-such-program-anywhere`: No such file")
    );
    command.folder = workspace.path("nowhere");
    assert!(matches!(start(command.clone()).await, Err(TargetError::NoFolder { .. })));
    command.argv.clear();
    assert!(matches!(start(command).await, Err(TargetError::EmptyCommand)));
}

#[tokio::test]
async fn loadgate_as_the_program_is_this_very_binary() {
    let workspace = Workspace::new();
    let ready = FaultServer::start(Mode::ByPath);
    let mut command = shell("", &workspace, &ready.url("/503"));
    command.argv = vec!["loadgate".into(), "--version".into()];
    let error = start(command).await.expect_err("it ends at once").to_string();
    assert!(error.contains("exit status 0") && error.contains("| loadgate 0."), "{error}");
}

#[test]
fn a_target_is_gone_after_its_loadgate_was_killed() {
    let workspace = Workspace::new();
    let folder = workspace.path("");
    let mut parent = Command::new(std::env::current_exe().expect("this test binary"))
        .args(["--exact", "target::plays_the_parent_that_is_killed", "--ignored"])
        .env(PARENT_FOLDER, &folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("a parent");
    let (child, grandchild) = (pid(&folder, "child"), pid(&folder, "grandchild"));
    parent.kill().expect("killed");
    parent.wait().expect("collected");
    poll_until(PATIENCE, "nothing is left", || !alive(child) && !alive(grandchild));
}

#[tokio::test]
#[ignore = "started by another test, which kills it"]
async fn plays_the_parent_that_is_killed() {
    let Some(folder) = std::env::var_os(PARENT_FOLDER) else { return };
    let mut command = shell(STUBBORN, &Workspace::new(), "http://127.0.0.1:1/");
    command.log = Path::new(&folder).join("target.log");
    command.folder = folder.into();
    let _ = start(command).await;
}

#[tokio::test]
async fn a_target_whose_guard_is_killed_is_ended_too() {
    let workspace = Workspace::new();
    let running = running("echo $PPID > guard; echo $$ > child; exec sleep 600", &workspace).await;
    let folder = workspace.path("");
    let (guard, child) = (pid(&folder, "guard"), pid(&folder, "child"));
    kill(guard);
    assert_eq!(running.died().await, Ended::Unseen);
    poll_until(PATIENCE, "the target is gone", || !alive(child));
}
