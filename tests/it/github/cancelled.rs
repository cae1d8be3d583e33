//! A job that is cancelled: the runner signals the first process of a step alone, which is bash until it becomes
//! loadgate.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::job::{Job, TOKEN};
use super::mock::GitHub;
use super::mock::identity::Identity;
use crate::fault_server::{FaultServer, Mode};
use crate::harness::{BINARY, poll_until};

/// How long a run may take to get going.
const START: Duration = Duration::from_secs(30);
/// Three times what is promised; GitHub itself would kill after ten seconds.
const END: Duration = Duration::from_secs(15);

#[test]
fn a_cancelled_job_leaves_a_summary_and_a_partial_result_and_no_comment() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (github, target) = (GitHub::start(), FaultServer::start(Mode::FREEZE));
        github.admit(TOKEN, Identity::workflow());
        let pull =
            github.with(|repository| repository.open_pull(Some("shop/api"), "change", super::job::HEAD));
        let job = Job::pull_request(&github, pull, "shop/api")
            .with("LOADGATE_COMMENT", "always")
            .with("BINARY", BINARY);
        job.workspace.write(
            "config.yaml",
            &format!(
                "version: 1\nname: api\nenvironments: {{here: {{host: '{}', load: {{users: 2, run_time: 10m}}}}}}\n\
                 scenarios: {{shop: {{users: {{visitor: {{wait: 10ms, tasks: {{look: 1}}}}}}, tasks: {{look: [{{get: /}}]}}}}}}\n",
                target.url("")
            ),
        );
        // As the runner runs a step, and as the action ends one.
        let script = job.workspace.write("step.sh", "true\nexec \"$BINARY\" run shop\n");
        let mut command = job.workspace.command(&[]);
        let environment: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        command = Command::new("bash");
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        job.prepare(&mut command);
        let stream = |name: &str| File::create(job.workspace.path(name)).expect("a file");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
        command
            .current_dir(job.workspace.path(""))
            .stdin(Stdio::null())
            .stdout(stream("stdout"))
            .stderr(stream("stderr"));
        let mut step = command.spawn().expect("bash");
        poll_until(START, "the run is under way", || target.requests() > 20);
        kill_process(Pid::from_child(&step), signal).expect("signalled");
        let mut status = None;
        poll_until(END, "the step ends", || {
            status = step.try_wait().expect("a child");
            status.is_some()
        });
        let text = |name: &str| fs::read_to_string(job.workspace.path(name)).expect("a stream");
        let ended = status.and_then(|status| status.code()).expect("an exit status");
        let step = job.left((ended, text("stdout"), text("stderr")));
        assert_eq!(step.code, code, "{}", step.stderr);
        let result = fs::read(job.workspace.path("reports/latest/result.json")).expect("a result");
        let result: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
        assert_eq!(result["interrupted"], true);
        assert_eq!(
            (step.outputs["verdict"].as_str(), step.outputs["exit-status"].as_str()),
            ("interrupted", code.to_string().as_str())
        );
        assert!(step.summary.to_lowercase().contains("interrupted"), "{}", step.summary);
        assert_eq!(github.asked().len(), 0, "{}", step.stderr);
    }
}
