//! A generator that does not run sends less than planned, and says so in every load model.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{Demo, Workspace, alone, poll_until};

/// A third of the time.
const STOPPED: Duration = Duration::from_millis(150);
const RUNNING: Duration = Duration::from_millis(300);
/// Far beyond the two seconds that a run takes.
const DEADLINE: Duration = Duration::from_mins(1);

/// Stops a process again and again until it ends.
fn hold_up(child: &mut Child) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process number");
    let end = Instant::now() + DEADLINE;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > end {
            child.kill().expect("an end");
        }
        kill_process(pid, Signal::STOP).expect("stopped");
        std::thread::sleep(STOPPED);
        kill_process(pid, Signal::CONT).expect("continued");
        std::thread::sleep(RUNNING);
    }
}

#[test]
fn a_generator_that_is_stopped_again_and_again_makes_the_run_invalid_in_every_load_model() {
    let demo = Demo::start(&[]);
    for (load, wait) in [
        ("{users: 4, run_time: 2s}", "0s"),
        ("{users: 4, run_time: 2s}", "{throughput: 20/s}"),
        ("{arrivals: 40/s, run_time: 2s, max_users: 3}", "0s"),
    ] {
        let workspace = Workspace::with_config(&format!(
            "version: 1\nname: stopped\nenvironments: {{here: {{host: '{}', load: {load}}}}}\n\
             thresholds: {{error_rate: 1%}}\n\
             scenarios: {{s: {{users: {{u: {{wait: {wait}, steps: [{{get: /health}}]}}}}}}}}\n",
            demo.url
        ));
        let _alone = alone();
        let mut command = workspace.command(&["run", "--quiet"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        hold_up(&mut child);
        let status = child.wait().expect("an end");
        let text = std::fs::read(workspace.path("reports/latest/result.json")).expect("a result");
        let result: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let (verdict, generator) = (&result["verdict"], &result["generator"]);
        assert_eq!(status.code(), Some(6), "{load} {wait}: {verdict}");
        let findings = verdict["findings"].as_array().expect("findings");
        assert!(findings.iter().any(|it| it["kind"] == "stood_still"), "{load} {wait}: {verdict}");
        // Of every 450 ms 150 are missing, of which up to 50 ms are not seen. More is another's doing.
        assert!(generator["stalled_share"].as_f64() > Some(0.15), "{load} {wait}: {generator}");
        assert!(generator["wake_lateness_max_ms"].as_f64() > Some(100.0), "{load} {wait}: {generator}");
        assert!(
            generator["worst_second"]["stalled_share"].as_f64() > Some(0.15),
            "{load} {wait}: {generator}"
        );
        // No failure of the service is made of it.
        assert_eq!(result["whole_run"]["failed"], serde_json::json!({}), "{load} {wait}");
    }
}

#[test]
fn a_service_that_hangs_behind_one_late_start_is_failed() {
    let server = FaultServer::start(Mode::ByPath);
    let workspace = Workspace::with_config(&format!(
        "version: 1\nname: hanging\ntimeout: 30s\nenvironments: {{here: {{host: '{}', \
         load: {{arrivals: 50/s, run_time: 15s, max_users: 20, drain: 100ms}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{steps: [{{get: /silent}}]}}}}}}}}\n",
        server.url("")
    ));
    let _alone = alone();
    let mut command = workspace.command(&["run", "--quiet"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    poll_until(DEADLINE, "the load begins", || server.requests() > 1);
    // One of the users begins late and is never free again, as all the others.
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process number");
    kill_process(pid, Signal::STOP).expect("stopped");
    std::thread::sleep(Duration::from_millis(60));
    kill_process(pid, Signal::CONT).expect("continued");
    let status = child.wait().expect("an end");
    let text = std::fs::read(workspace.path("reports/latest/result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let told = format!("{} {} {}", result["verdict"], result["generator"], result["whole_run"]);
    assert!(result["generator"]["schedule_lag_max_ms"].as_f64() > Some(20.0), "{told}");
    // 750 arrivals, 20 users; of those that found none as many may have been held up by what began late as come in ten
    // times its lateness, and not a second longer: before, all of them were.
    let lag_s = result["generator"]["schedule_lag_max_ms"].as_f64().expect("a lag") / 1e3;
    let held_up = result["whole_run"]["endpoints"][0]["not_started"].as_u64().unwrap_or(0);
    let dropped = result["whole_run"]["failed"]["dropped"].as_u64().expect("a count");
    assert!((held_up as f64) < 50.0 * (10.0 * lag_s + 1.0) && held_up + dropped > 700, "{told}");
    // Where the machine made it so late that this is much of the plan, nothing more can be said.
    let trusted = result["generator"]["achieved_ratio"].as_f64() >= Some(0.98);
    assert!(status.code() == Some(3) || !trusted, "{told}");
}
