//! A job that is cancelled: the runner signals the first process of a step alone, which is bash until it becomes
//! loadgate.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use loadgate::result::file::to_json;
use rustix::process::{Pid, Signal, kill_process};

use super::job::{HEAD, Job, Step, TOKEN};
use super::mock::GitHub;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::Identity;
use crate::fault_server::{FaultServer, Mode};
use crate::harness::{BINARY, poll_until};
use crate::reports::rich_result;

/// How long a step may take to get going.
const START: Duration = Duration::from_secs(30);
/// Three times what is promised; GitHub itself would kill after ten seconds.
const END: Duration = Duration::from_secs(15);
/// Longer than any test waits.
const FOREVER: Duration = Duration::from_mins(5);

/// A step under way.
struct Running {
    process: Child,
    job: Job,
}

impl Running {
    /// Starts one as the runner does, and ends the script as the action does.
    fn start(job: Job, arguments: &str) -> Self {
        let script = job.workspace.write("step.sh", &format!("true\nexec {BINARY} {arguments}\n"));
        let stream = |name: &str| File::create(job.workspace.path(name)).expect("a file");
        let mut command = job.workspace.program("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
        job.prepare(&mut command);
        command.stdin(Stdio::null()).stdout(stream("stdout")).stderr(stream("stderr"));
        Self { process: command.spawn().expect("bash"), job }
    }

    /// Signals its first process, and waits for the end.
    fn cancel(mut self, signal: Signal) -> (Job, Step) {
        kill_process(Pid::from_child(&self.process), signal).expect("signalled");
        let mut status = None;
        poll_until(END, "the step ends", || {
            status = self.process.try_wait().expect("a child");
            status.is_some()
        });
        let text = |name: &str| fs::read_to_string(self.job.workspace.path(name)).expect("a stream");
        let code = status.and_then(|status| status.code()).expect("an exit status");
        let step = self.job.left((code, text("stdout"), text("stderr")));
        (self.job, step)
    }
}

/// A GitHub with a pull request, and a job of that.
fn scene() -> (GitHub, u64, Job) {
    let github = GitHub::start();
    github.admit(TOKEN, Identity::workflow());
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
    let job = Job::pull_request(&github, pull, "shop/api").with("LOADGATE_COMMENT", "always");
    (github, pull, job)
}

/// Ten minutes of load on a service.
fn configure(job: &Job, target: &FaultServer) {
    job.workspace.write(
        "config.yaml",
        &format!(
            "version: 1\nname: api\n\
             environments: {{here: {{host: '{}', load: {{users: 2, run_time: 10m}}}}}}\n\
             scenarios: {{shop: {{users: {{visitor: {{wait: 10ms, tasks: {{look: 1}}}}}}, \
             tasks: {{look: [{{get: /}}]}}}}}}\n",
            target.url("")
        ),
    );
}

#[test]
fn a_cancelled_run_leaves_a_summary_and_a_partial_result_and_no_comment() {
    for (signal, code) in [(Signal::INT, "130"), (Signal::TERM, "143")] {
        let ((github, _, job), target) = (scene(), FaultServer::start(Mode::FREEZE));
        let job = job.with("LOADGATE_ISSUE", "true");
        configure(&job, &target);
        let running = Running::start(job, "run shop");
        poll_until(START, "the run is under way", || target.requests() > 20);
        let (job, step) = running.cancel(signal);
        assert_eq!(step.code.to_string(), code, "{}", step.stderr);
        let result = fs::read(job.workspace.path("reports/latest/result.json")).expect("a result");
        let result: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
        assert_eq!(result["interrupted"], true);
        assert_eq!((&*step.outputs["verdict"], &*step.outputs["exit-status"]), ("interrupted", code));
        assert!(step.summary.to_lowercase().contains("interrupted"), "{}", step.summary);
        assert_eq!(github.asked().len(), 0, "{}", step.stderr);
    }
}

#[test]
fn a_job_that_is_cancelled_while_github_takes_its_time_waits_for_no_comment() {
    let (github, pull, job) = scene();
    for path in [format!("/issues/{pull}/comments"), "/user".to_owned()] {
        github.inject(Fault::new("GET", &path, Effect::Delay(FOREVER)));
    }
    job.workspace.write("result.json", &to_json(&rich_result()).expect("JSON"));
    let running = Running::start(job, "publish result.json");
    poll_until(START, "it waits for an answer", || github.arrived() > 0);
    let (_, step) = running.cancel(Signal::INT);
    assert!(!step.summary.is_empty() && !step.outputs["verdict"].is_empty(), "{}", step.stderr);
    assert_eq!(github.count("POST", "/comments"), 0, "{}", step.stderr);
}

#[test]
fn a_night_that_is_cancelled_leaves_its_issue_alone() {
    let (github, target) = (GitHub::start(), FaultServer::start(Mode::FREEZE));
    github.admit(TOKEN, Identity::workflow());
    let payload = serde_json::json!({"schedule": "23 3 * * *", "repository": {"default_branch": "main"}});
    let job = Job::new(&github, "schedule", &payload).with("LOADGATE_ISSUE", "true");
    configure(&job, &target);
    let running = Running::start(job, "run shop");
    poll_until(START, "the run is under way", || target.requests() > 20);
    let (_, step) = running.cancel(Signal::INT);
    assert_eq!((step.code, github.asked().len()), (130, 0), "{}", step.stderr);
}
