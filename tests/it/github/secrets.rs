//! Secrets of a configuration in a job: the runner is told to hide them before it hears anything that could hold
//! one, and nothing that a run leaves does.

use std::fs;
use std::path::Path;

use super::job::{HEAD, Job, TOKEN};
use super::mock::GitHub;
use super::mock::identity::Identity;
use crate::fault_server::{FaultServer, Mode};
use crate::harness::Demo;

/// With what the runner's commands and lines are made of.
const SECRET: &str = "hunter2::%0A,of\nseveral##[error]lines";

fn config(host: &str) -> String {
    format!(
        "version: 1\nname: shop\n\
         environments: {{here: {{host: '{host}', load: {{users: 2, run_time: 1s}}}}}}\n\
         thresholds: {{error_rate: 1%}}\n\
         scenarios:\n  browse:\n    users: {{visitor: {{wait: 10ms, tasks: {{look: 1}}}}}}\n    tasks:\n      look:\n        \
         - {{post: /nowhere, json: {{key: \"{{{{ env('KEY') }}}}\"}}, expect: {{status: 200}}}}\n        \
         - {{get: \"/nowhere?key={{{{ env('KEY') }}}}\", name: GET /nowhere, expect: {{status: 200}}}}\n"
    )
}

/// That no part of the secret stands in a text.
fn without(text: &str, what: &str) {
    for part in SECRET.lines().chain([TOKEN]) {
        assert!(!text.contains(part), "{part} is in {what}: {text}");
    }
}

fn every_file(folder: &Path, look: &dyn Fn(&str, &str)) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            every_file(&path, look);
        } else {
            look(&String::from_utf8_lossy(&fs::read(&path).expect("a file")), &path.to_string_lossy());
        }
    }
}

#[test]
fn a_secret_is_hidden_before_anything_is_said_and_is_in_nothing_that_is_left() {
    let (github, demo) = (GitHub::start(), Demo::start(&[]));
    github.admit(TOKEN, Identity::workflow());
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", super::job::HEAD));
    let job = Job::pull_request(&github, pull, "shop/api").with("KEY", SECRET);
    job.workspace.write("config.yaml", &config(&demo.url));
    let step = job.step(&["run"]);
    assert_eq!((step.code, &*step.outputs["verdict"]), (3, "failed"), "{}", step.stderr);
    assert!(step.stderr.starts_with("::add-mask::"), "{}", step.stderr);
    let masks: Vec<&str> = step.log.commands("add-mask").iter().map(|mask| &*mask.data).collect();
    assert_eq!(masks, [SECRET]);
    without(&step.stdout, "standard output");
    step.log.shown.iter().for_each(|line| without(line, "the log"));
    every_file(&job.workspace.path("reports"), &without);
    for text in [&step.summary, &github.with(|repository| repository.comments_of(pull))[0].body] {
        without(text, "what is told");
    }
    assert!(
        github.asked().iter().all(|asked| asked.header("authorization") == Some(&format!("Bearer {TOKEN}")))
    );
}

#[test]
fn outside_of_a_job_no_secret_is_printed_to_be_hidden() {
    let (github, target) = (GitHub::start(), FaultServer::start(Mode::FREEZE));
    let job = Job::pull_request(&github, 7, "shop/api").with("KEY", SECRET).with("GITHUB_ACTIONS", "false");
    job.workspace.write("config.yaml", &config(&target.url("")));
    let step = job.step(&["run"]);
    assert_eq!((step.outputs.len(), step.summary.len(), github.asked().len()), (0, 0, 0));
    without(&format!("{}{}", step.stdout, step.stderr), "what is printed");
}

/// A service that tells its secret in every way, and ends: before it is ready, or never.
fn talkative(script: &str) -> String {
    format!(
        "version: 1\nname: shop\nenvironments:\n  here:\n    users: 1\n    run_time: 1s\n    target:\n      \
         ready_timeout: 500ms\n      command: [sh, -c, {}, \"{{{{ env('KEY') }}}}\"]\n\
         scenarios: {{browse: {{users: {{visitor: {{steps: [{{get: /}}]}}}}}}}}\n",
        serde_json::Value::from(script)
    )
}

#[test]
fn a_target_that_tells_its_secret_and_is_of_no_use_tells_it_to_nobody_else() {
    for ends in ["exit 3", "exec sleep 600"] {
        let github = GitHub::start();
        github.admit(TOKEN, Identity::workflow());
        let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
        let job = Job::pull_request(&github, pull, "shop/api").with("KEY", SECRET);
        let script =
            format!("echo \"key: $0\"; printf %s \"$0\" | base64 -w0; echo; env | grep -A9 ^KEY=; {ends}");
        job.workspace.write("config.yaml", &talkative(&script));
        let step = job.step(&["run"]);
        assert_eq!((step.code, &*step.outputs["verdict"]), (1, "error"), "{}", step.stderr);
        let printed = step.stderr.lines().filter(|line| !line.starts_with("::add-mask::"));
        let printed = printed.collect::<Vec<_>>().join("\n");
        assert!(printed.contains("| key: ***"), "{printed}");
        let told = github.with(|repository| {
            let bodies = repository.comments_of(pull).into_iter().map(|comment| comment.body);
            bodies.collect::<Vec<_>>().join("\n")
        });
        assert!(told.contains("key: ***"), "{told}");
        for text in [&printed, &step.stdout, &step.summary, &told] {
            without(text, "what is told");
            assert!(!text.contains("aHVudGVyMj"), "{text}");
        }
        every_file(&job.workspace.path("reports"), &|text, path| {
            assert!(path.ends_with("target.log") && text.contains("KEY=***"), "{path}: {text}");
            without(text, path);
        });
    }
}
