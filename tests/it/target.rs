//! Target commands as real processes: whatever happens to loadgate, nothing of them is left.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use loadgate::load::target::{Ended, Running, StartCommand, TargetError, start};
use loadgate::plan::secrets::{Captures, Secrets};
use rustix::process::{Pid, Signal, kill_process};

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{BINARY, Finished, Workspace, poll_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// Deaf to the request to end, with a grandchild that left for a session of its own.
const STUBBORN: &str = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > grandchild; while :; do sleep 60; done' & \
    echo $$ > child; while :; do sleep 60; done";

/// Names the folder in which the test that plays a parent starts its target.
const PARENT_FOLDER: &str = "TARGET_TEST_PARENT_FOLDER";

/// Names what that target does, where it is not the stubborn one.
const PARENT_SCRIPT: &str = "TARGET_TEST_PARENT_SCRIPT";

fn shell(script: &str, workspace: &Workspace, ready_url: &str) -> StartCommand {
    StartCommand {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        folder: workspace.path(""),
        ready_url: ready_url.parse().expect("a URL"),
        ready_timeout: PATIENCE,
        log: workspace.path("target.log"),
        binary: BINARY.into(),
        secrets: std::sync::Arc::default(),
        variables: Vec::new(),
        withheld: Vec::new(),
        stray: Vec::new(),
        open_files: None,
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

/// The binary as a user who is not root runs it; root may read everything.
fn ordinary(workspace: &Workspace) -> Command {
    if !rustix::process::geteuid().is_root() {
        return workspace.program(BINARY);
    }
    // Nobody may be kept out of the folder of this checkout.
    std::fs::copy(BINARY, workspace.path("loadgate")).expect("a copy");
    std::fs::set_permissions(workspace.path(""), Permissions::from_mode(0o777)).expect("for everybody");
    let mut command = workspace.program("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(workspace.path("loadgate"));
    command
}

/// A service that writes down what it can find out, in `environment`, `guard`, `overseer` and `loadgate`.
const CURIOUS: &str = "above() { sed -n 's/^PPid:[^0-9]*//p' /proc/$1/status; }; \
    env > environment; cat /proc/$PPID/environ > guard; \
    overseer=$(above $PPID); cat /proc/$overseer/environ > overseer; \
    parent=$(above $overseer); cat /proc/$parent/status > parent; \
    cat /proc/$parent/environ > loadgate.environment 2> refused; \
    exec \"$(readlink /proc/$PPID/exe)\" demo-api --listen \"$0\"";

/// Runs the curious service as an ordinary user would, with these variables; and what it found, in all.
fn found_out(workspace: &Workspace, variables: &[(&str, &str)]) -> (Finished, String) {
    let mut run = ordinary(workspace);
    run.args(["run", "--quiet"]).envs(variables.iter().copied());
    let finished = workspace.finish(run);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    let found = ["environment", "guard", "overseer", "parent", "loadgate.environment", "refused"];
    let texts = found.map(|file| std::fs::read_to_string(workspace.path(file)).expect("what it found"));
    (finished, texts.join("\n"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_target_gets_the_environment_of_the_job_but_a_token_only_by_name() {
    let config = |env: &str| {
        format!(
            "version: 1\nenvironments: {{ci: {{users: 1, run_time: 1s, \
             target: {{ready: /health, {env} command: [sh, -c, {}, '{{{{ address }}}}']}}}}}}\n\
             scenarios: {{s: {{users: {{u: {{wait: 10ms, steps: [{{get: /health}}]}}}}}}}}\n",
            serde_json::Value::from(CURIOUS)
        )
    };
    let workspace = Workspace::with_config(&config(""));
    let tokens = [
        "LOADGATE_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "INPUT_TOKEN",
    ];
    let all: Vec<_> =
        tokens.map(|name| (name, "a-secret")).into_iter().chain([("DATABASE_URL", "there")]).collect();
    let (finished, found) = found_out(&workspace, &all);
    assert!(!found.contains("a-secret") && found.contains("Permission denied"), "{found}");
    for given in ["DATABASE_URL=there", "Name:\tloadgate"] {
        assert!(found.contains(given), "{found}");
    }
    workspace.write(
        "config.yaml",
        &config("env: {GITHUB_TOKEN: '{{ env(\"GITHUB_TOKEN\") }}', AT: 'http://{{ address }}/x'},"),
    );
    let (_, found) = found_out(&workspace, &[("LOADGATE_TOKEN", "a-secret"), ("GITHUB_TOKEN", "of-the-job")]);
    assert!(!found.contains("a-secret") && found.contains("GITHUB_TOKEN=of-the-job"), "{found}");
    assert!(found.contains("AT=http://127.0.0.1:"), "{found}");
    // A variable of the target is none of its guards: LD_PRELOAD would be loaded into them.
    for guard in ["guard", "overseer"] {
        let variables = std::fs::read_to_string(workspace.path(guard)).expect("its environment");
        assert!(!variables.split('\0').any(|it| it.starts_with("AT=")), "{guard}: {variables:?}");
    }
    assert!(!found.lines().any(|line| line.starts_with("LOADGATE_TARGET_ENV_")), "{found}");
    workspace.write("config.yaml", &config(""));
    // A process that hides still sees itself.
    let generator = finished.result().expect("a result")["generator"].clone();
    assert!(generator["rss_mb"].as_f64() > Some(1.0), "{generator}");
    assert!(generator["cpu_us_per_request"].as_f64() > Some(0.0), "{generator}");
    let stray = ("LOADGATE_TARGET_ENV_STRAY", "a-secret");
    let (_, found) = found_out(&workspace, &[("GITHUB_TOKEN", "a-secret"), ("DATABASE_URL", "there"), stray]);
    assert!(!found.contains("a-secret") && found.contains("DATABASE_URL=there"), "{found}");
}

#[tokio::test]
async fn what_is_told_of_a_target_that_dies_and_its_log_hold_no_secret() {
    let workspace = Workspace::new();
    let ready = FaultServer::start(Mode::ByPath);
    let script = "echo \"connecting to p4ssw0rd\"; echo $$ > child; exec sleep 600";
    let mut command = shell(script, &workspace, &ready.url("/"));
    command.secrets = Arc::new(Secrets::new(vec!["p4ssw0rd".to_owned()], Captures::Never));
    let running = start(command).await.expect("it runs");
    kill(pid(&workspace.path(""), "child"));
    running.died().await;
    assert_eq!(running.last_lines().to_string(), "; its last lines:\n  | connecting to ***");
    assert!(!workspace.path("target.log").exists());
    running.stop().await.expect("stopped");
    assert_eq!(std::fs::read_to_string(workspace.path("target.log")).unwrap(), "connecting to ***\n");
}

#[tokio::test]
async fn the_log_of_a_target_that_is_never_ready_is_complete_when_that_is_told() {
    let workspace = Workspace::new();
    let unready = FaultServer::start(Mode::ByPath);
    let script = "trap 'echo bye p4ssw0rd; exit' TERM; echo p4ssw0rd; while :; do sleep 0.01; done";
    let mut command = shell(script, &workspace, &unready.url("/503"));
    command.ready_timeout = Duration::from_millis(500);
    command.secrets = Arc::new(Secrets::new(vec!["p4ssw0rd".to_owned()], Captures::Never));
    let error = start(command).await.expect_err("not ready");
    assert!(error.to_string().ends_with("; its last lines:\n  | ***"), "{error}");
    let log = error.log().expect("the log");
    assert_eq!(log, workspace.path("target.log"));
    let kept = std::fs::read_to_string(log).unwrap();
    // A shell may tell of its `sleep` in between.
    assert!(kept.starts_with("***\n") && kept.ends_with("bye ***\n"), "{kept}");
}

#[tokio::test]
async fn a_program_that_is_missing_is_named_without_secrets() {
    let workspace = Workspace::new();
    let mut command = shell("", &workspace, "http://127.0.0.1:1/");
    command.argv = vec!["no-such-p4ssw0rd".into()];
    command.secrets = Arc::new(Secrets::new(vec!["p4ssw0rd".to_owned()], Captures::Never));
    let error = start(command).await.expect_err("missing");
    assert!(error.to_string().starts_with("cannot start the target command `no-such-***`: "), "{error}");
    assert_eq!(error.log(), None);
}

#[tokio::test]
async fn a_target_that_ignores_the_request_is_gone_after_stop_with_all_it_started() {
    let workspace = Workspace::new();
    let running = running(STUBBORN, &workspace).await;
    let folder = workspace.path("");
    let (child, grandchild) = (pid(&folder, "child"), pid(&folder, "grandchild"));
    assert!(alive(child) && alive(grandchild));
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
    assert_eq!(error.log(), Some(&*workspace.path("target.log")));
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
    let script = std::env::var(PARENT_SCRIPT).unwrap_or_else(|_| STUBBORN.to_owned());
    let mut command = shell(&script, &Workspace::new(), "http://127.0.0.1:1/");
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

/// An update of loadgate during a run, or a workspace that is cleaned, must not keep the target from starting.
#[cfg(target_os = "linux")]
#[test]
fn a_target_is_started_by_a_binary_that_is_no_longer_there() {
    let workspace = Workspace::with_config(
        "version: 1\nenvironments: {ci: {users: 1, run_time: 1s, target: \
         {ready: /health, command: [loadgate, demo-api, --listen, '{{ address }}']}}}\n\
         scenarios: {s: {users: {u: {wait: 10ms, steps: [{get: /health}]}}}}\n",
    );
    std::fs::copy(BINARY, workspace.path("gone")).expect("a copy");
    let mut shell = workspace.program("sh");
    shell.args(["-c", "exec 3< gone; rm gone; exec /proc/self/fd/3 run --quiet"]);
    let finished = workspace.finish(shell);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
}

/// A process that cannot be started for want of numbers is not told as a command that is missing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_guard_that_cannot_be_started_is_told_as_that() {
    let workspace = Workspace::new();
    let mut command = shell("", &workspace, "http://127.0.0.1:1/");
    // A first stage that can start nothing: the second one is gone when it is started.
    std::fs::write(workspace.path("stage"), "#!/bin/sh\necho unguarded 11 >&0\n").expect("a script");
    std::fs::set_permissions(workspace.path("stage"), Permissions::from_mode(0o755)).expect("executable");
    command.binary = workspace.path("stage");
    let error = start(command).await.expect_err("no guard");
    assert_eq!(error.to_string(), "cannot start the guard of the target command");
    assert!(matches!(error, TargetError::Guard { source } if source.raw_os_error() == Some(11)));
}

/// The number of the parent of a process.
#[cfg(target_os = "linux")]
fn parent(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("a parent");
    line.trim().parse().expect("a number")
}

/// What a process is called in lists of processes.
#[cfg(target_os = "linux")]
fn called(pid: i32) -> (String, String) {
    let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it lives");
    let line = read("cmdline");
    (read("comm").trim().to_owned(), line.split('\0').next().unwrap_or_default().to_owned())
}

/// Above the command are guard, overseer and loadgate; whichever of them are killed, by number or by name, nothing is left.
#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_target_is_left_whoever_of_loadgate_and_its_guards_is_killed() {
    for (killed, script) in [
        (&["parent"][..], STUBBORN),
        (&["guard"], STUBBORN),
        (&["parent", "guard"], STUBBORN),
        (&["parent", "overseer"], STUBBORN),
        // Who leaves the group and is deaf survives this; the command itself does not.
        (
            &["overseer", "guard", "parent"],
            "echo $$ > grandchild; echo $$ > child; while :; do sleep 60; done",
        ),
    ] {
        let workspace = Workspace::new();
        let folder = workspace.path("");
        let mut parent_process = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "target::plays_the_parent_that_is_killed", "--ignored"])
            .env(PARENT_FOLDER, &folder)
            .env(PARENT_SCRIPT, script)
            .stdout(Stdio::null())
            .spawn()
            .expect("a parent");
        let (child, grandchild) = (pid(&folder, "child"), pid(&folder, "grandchild"));
        let guard = parent(child);
        let overseer = parent(guard);
        assert_eq!(parent(overseer), Pid::from_child(&parent_process).as_raw_pid());
        for process in [guard, overseer] {
            assert_eq!(called(process), ("target-guard".into(), "target-guard".into()));
        }
        let pids: Vec<i32> = killed
            .iter()
            .map(|name| match *name {
                "guard" => guard,
                "overseer" => overseer,
                _ => parent(overseer),
            })
            .collect();
        pids.into_iter().for_each(kill);
        poll_until(PATIENCE, "nothing is left", || !alive(child) && !alive(grandchild));
        poll_until(PATIENCE, "no guard is left", || !alive(guard) && !alive(overseer));
        let _ = parent_process.kill();
        parent_process.wait().expect("collected");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_launcher_whose_guard_has_died_before_it_could_ask_to_die_with_it_starts_nothing() {
    let workspace = Workspace::new();
    for (guard_lives, started) in [(false, false), (true, true)] {
        let (guards, launchers) = std::io::pipe().expect("a pipe");
        // The end of a guard that has died is closed.
        let guards = guard_lives.then_some(guards);
        let status = Command::new(BINARY)
            .args(["target-guard", "--stage", "launcher", "--", "touch"])
            .arg(workspace.path("started"))
            .stdin(std::os::fd::OwnedFd::from(launchers))
            .status()
            .expect("a launcher");
        drop(guards);
        assert_eq!(status.success(), started);
        assert_eq!(workspace.path("started").exists(), started);
    }
}

/// What a target finds of what this process was started with.
#[cfg(target_os = "linux")]
#[test]
fn a_target_gets_the_limit_of_open_files_that_loadgate_was_started_with_and_no_signals_or_files_of_it() {
    const LOOK: &str = "grep -E 'SigBlk|SigIgn' /proc/self/status > signals; ls /proc/self/fd > files";
    let script =
        format!("ulimit -Sn > limit; {LOOK}; exec \"$(readlink /proc/$PPID/exe)\" demo-api --listen \"$0\"");
    let workspace = Workspace::with_config(&format!(
        "version: 1\nenvironments: {{ci: {{users: 1, run_time: 1s, \
         target: {{ready: /health, command: [sh, -c, {}, '{{{{ address }}}}']}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 10ms, steps: [{{get: /health}}]}}}}}}}}\n",
        serde_json::Value::from(script)
    ));
    let mut limited = workspace.program("sh");
    limited.args(["-c", &format!("ulimit -Sn 256; exec {BINARY} run --quiet")]);
    let finished = workspace.finish(limited);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    let found = |file| std::fs::read_to_string(workspace.path(file)).expect("what it found");
    assert_eq!(found("limit"), "256\n");
    let below_loadgate = [found("signals"), found("files")];
    // Whoever started this test may ignore signals; nothing is added to that.
    let mut plain = workspace.program("sh");
    plain.args(["-c", LOOK]);
    assert_eq!(workspace.finish(plain).code(), 0);
    assert_eq!(below_loadgate, [found("signals"), found("files")]);
}
