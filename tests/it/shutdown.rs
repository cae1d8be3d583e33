//! Signals to a real process: the first is a request, the second is the end.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadgate::load::shutdown::{Interruption, Shutdown};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Workspace, poll_until};

const PATIENCE: Duration = Duration::from_secs(20);
const FOLDER: &str = "SHUTDOWN_TEST_FOLDER";

#[test]
fn the_first_signal_is_a_request_and_the_second_ends_the_process_by_that_signal() {
    for (first, second, number) in [(Signal::INT, Signal::INT, 2), (Signal::INT, Signal::TERM, 15)] {
        let workspace = Workspace::new();
        let mut process = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "shutdown::plays_the_run_that_is_interrupted", "--ignored"])
            .env(FOLDER, workspace.path(""))
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let pid = Pid::from_child(&process);
        poll_until(PATIENCE, "it listens", || workspace.path("listens").exists());
        kill_process(pid, first).expect("signalled");
        poll_until(PATIENCE, "it heard", || workspace.path("heard").exists());
        kill_process(pid, second).expect("signalled");
        assert_eq!(process.wait().expect("collected").signal(), Some(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by another test, which signals it"]
async fn plays_the_run_that_is_interrupted() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let shutdown = Shutdown::listen().expect("handlers");
    std::fs::write(folder.join("listens"), "").expect("written");
    assert_eq!(shutdown.requested().await, Interruption::Sigint);
    assert_eq!(shutdown.now(), Some(Interruption::Sigint));
    std::fs::write(folder.join("heard"), "").expect("written");
    tokio::time::sleep(PATIENCE).await;
}

/// The first process of a PID namespace: signals that it does not handle have no effect on it.
#[cfg(target_os = "linux")]
#[test]
fn the_second_signal_ends_the_first_process_of_a_container_with_its_status() {
    let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let may = Command::new("unshare").args(namespace).arg("true").stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine does not let users make a PID namespace");
        return;
    }
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let workspace = Workspace::new();
        let mut outside = Command::new("unshare")
            .args(namespace)
            .arg(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "shutdown::plays_the_run_that_is_interrupted", "--ignored"])
            .env(FOLDER, workspace.path(""))
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        poll_until(PATIENCE, "it listens", || workspace.path("listens").exists());
        let children = format!("/proc/{0}/task/{0}/children", outside.id());
        let first = std::fs::read_to_string(children).expect("its child");
        let first = first.trim().parse().ok().and_then(Pid::from_raw).expect("one child");
        kill_process(first, Signal::INT).expect("signalled");
        poll_until(PATIENCE, "it heard", || workspace.path("heard").exists());
        kill_process(first, signal).expect("signalled");
        assert_eq!(outside.wait().expect("collected").code(), Some(status));
    }
}
