//! Whole workflows: ours, with our action and the real binary, from the event to what is then on GitHub.

use serde_json::Value;

use super::act::{Play, Played, Runner};
use super::job::{self, HEAD, TOKEN};
use super::mock::GitHub;
use super::mock::artifact::archive;
use super::mock::comment::Comment;
use super::mock::identity::{ACTIONS_BOT, Identity};
use super::relay;
use crate::harness::{Demo, Workspace};

/// Runs of a second. What is worse is worse beyond any chance, for this machine may be busy.
const CONFIG: &str = "version: 1
name: shop
defaults: {environment: demo, scenario: browse}
environments: {demo: {host: 'http://127.0.0.1:9', users: 3, run_time: 1s}}
baseline: {budget: 300%, catch: 900%, min_change: 10ms, gate_on: [p50]}
scenarios:
  browse:
    users: {visitor: {wait: 5ms, tasks: {look: 1}}}
    tasks: {look: [{get: /health}]}
";

/// The service as it is, and as it is after a change that should not be merged.
struct Services {
    usual: Demo,
    slow: Demo,
}

impl Services {
    fn start() -> Self {
        Self { usual: Demo::start(&[]), slow: Demo::start(&["--slow", "GET /health=+100ms"]) }
    }
}

/// A repository with a baseline of the usual service.
fn runner<'a>(github: &'a GitHub, services: &Services) -> Runner<'a> {
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(github, CONFIG);
    remember(&runner.repository, &services.usual);
    runner
}

fn remember(workspace: &Workspace, service: &Demo) {
    let mut command =
        workspace.command(&["baseline", "update", "--runs", "5", "--quiet", "--host", &service.url]);
    // What act calls its machine: runs of another kind would not count.
    command.env("ImageOS", "ubuntu24");
    let done = workspace.finish(command);
    assert_eq!(done.code(), 0, "{}", done.stderr);
}

/// The pull request's workflow, against one of the services.
fn check(runner: &Runner, (event, run): (&Value, u64), service: &Demo) -> Played {
    let variables = [("LOADGATE_HOST", service.url.as_str())];
    runner.play(&Play {
        workflow: "pull-request",
        event: "pull_request",
        payload: event,
        run,
        variables: &variables,
    })
}

fn comments(github: &GitHub, pull: u64) -> Vec<Comment> {
    github.with(|repository| repository.comments_of(pull))
}

#[test]
fn a_pull_request_that_makes_things_worse_gets_a_comment_that_turns_green() {
    let (github, services) = (GitHub::start(), Services::start());
    let runner = runner(&github, &services);
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
    let event = job::pull_request_event(pull, "shop/api");
    let mut seen = Vec::new();
    for (run, service, status, verdict) in [
        (100, &services.usual, "0", "passed"),
        (101, &services.slow, "4", "failed"),
        (102, &services.slow, "4", "failed"),
        (103, &services.usual, "0", "passed"),
    ] {
        let played = check(&runner, (&event, run), service);
        assert_eq!(
            (&*played.outputs["verdict"], &*played.outputs["exit-status"]),
            (verdict, status),
            "{}",
            played.text
        );
        assert_eq!(played.passed, status == "0", "{}", played.text);
        assert!(!played.summary.is_empty());
        let uploaded = runner.uploaded(run, "loadgate-report");
        assert!(uploaded.contains_key("result.json"), "{:?}", uploaded.keys());
        let comments = comments(&github, pull);
        if run == 100 {
            assert_eq!(comments.len(), 0, "a plain pass needs no comment");
            continue;
        }
        assert_eq!(comments.len(), 1);
        assert_eq!(comments[0].author.as_deref(), Some(ACTIONS_BOT));
        let line = format!("<!-- loadgate:v1 id=shop-browse-demo run={run}.1 sha={HEAD} -->");
        assert_eq!(comments[0].body.lines().next(), Some(line.as_str()));
        seen.push((comments[0].id, comments[0].body.clone()));
    }
    assert!(seen.iter().all(|(id, _)| *id == seen[0].0), "the same comment all along");
    let trail = seen[2].1.lines().nth(1).unwrap_or_default();
    let steps: Vec<&str> =
        trail.split(' ').filter_map(|step| step.split_once('@')).map(|(step, _)| step).collect();
    assert_eq!(steps, ["101.1=failed", "102.1=failed", "103.1=passed"]);
}

#[test]
fn a_pull_request_of_a_fork_has_a_summary_and_its_exit_status_and_is_told_by_the_relay() {
    let (github, services) = (GitHub::start(), Services::start());
    let runner = runner(&github, &services);
    github.admit(TOKEN, Identity::read_only());
    let pull = github.with(|repository| repository.open_pull(Some("eve/api"), "change", HEAD));
    let played = check(&runner, (&job::pull_request_event(pull, "eve/api"), 100), &services.slow);
    assert_eq!((played.passed, &*played.outputs["exit-status"]), (false, "4"), "{}", played.text);
    assert!(!played.summary.is_empty());
    assert!(played.text.contains("no comment: the token of a fork"), "{}", played.text);
    assert_eq!((comments(&github, pull).len(), github.asked().len()), (0, 0));
    let files = runner.uploaded(100, "loadgate-report");
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    github.with(|repository| repository.upload(100, "loadgate-report", archive(&files)).id);
    github.admit(TOKEN, Identity::permitted(&relay::PERMISSIONS));
    let event = relay::event(|run| {
        (run["id"], run["run_attempt"]) = (100.into(), 1.into());
        (run["head_repository"]["full_name"], run["head_branch"]) = ("eve/api".into(), "change".into());
    });
    let relayed = runner.play(&Play {
        workflow: "comment",
        event: "workflow_run",
        payload: &event,
        run: 101,
        variables: &[],
    });
    assert!(relayed.passed, "{}", relayed.text);
    let comments = comments(&github, pull);
    assert_eq!(comments.len(), 1, "{}", relayed.text);
    let line = format!("<!-- loadgate:v1 id=fork-loadgate-report run=100.1 sha={HEAD} -->");
    assert_eq!(comments[0].body.lines().next(), Some(line.as_str()));
    for said in ["Reported by a fork", "FAILED", "/actions/runs/100/attempts/1"] {
        assert!(comments[0].body.contains(said), "{said}: {}", comments[0].body);
    }
}

#[test]
fn a_configuration_that_is_wrong_fails_the_job_and_says_where() {
    let github = GitHub::start();
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(&github, &CONFIG.replace("run_time", "runtime"));
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
    let event = job::pull_request_event(pull, "shop/api");
    let play =
        Play { workflow: "pull-request", event: "pull_request", payload: &event, run: 100, variables: &[] };
    let played = runner.play(&play);
    assert_eq!(
        (played.passed, &*played.outputs["verdict"], &*played.outputs["exit-status"]),
        (false, "error", "2"),
        "{}",
        played.text
    );
    assert!(played.text.contains("::error file=config.yaml,line=4"), "{}", played.text);
    assert!(played.summary.contains("config.yaml:4"), "{}", played.summary);
    assert_eq!(github.asked().len(), 0);
}

#[test]
fn a_run_that_is_cancelled_fails_the_job_and_says_so_in_its_summary_alone() {
    let (github, service) = (GitHub::start(), Demo::start(&[]));
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(&github, &CONFIG.replace("run_time: 1s", "run_time: 10m"));
    // A run of ten minutes that is asked to end after a second, as the runner would.
    let script = runner.repository.write(
        "cancel.sh",
        "#!/bin/bash\n[ \"$1\" != --version ] || exec \"$LOADGATE_REAL\" \"$@\"\n\
         exec timeout --preserve-status --foreground -s INT 1 \"$LOADGATE_REAL\" \"$@\"\n",
    );
    super::act::make_program(&script);
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
    let event = job::pull_request_event(pull, "shop/api");
    let variables = [
        ("LOADGATE_HOST", service.url.as_str()),
        ("LOADGATE_BINARY", "cancel.sh"),
        ("LOADGATE_REAL", crate::harness::BINARY),
    ];
    let play = Play {
        workflow: "pull-request",
        event: "pull_request",
        payload: &event,
        run: 100,
        variables: &variables,
    };
    let played = runner.play(&play);
    assert_eq!(
        (played.passed, &*played.outputs["verdict"], &*played.outputs["exit-status"]),
        (false, "interrupted", "130"),
        "{}",
        played.text
    );
    assert!(played.summary.to_lowercase().contains("interrupted"), "{}", played.summary);
    assert!(runner.uploaded(100, "loadgate-report").contains_key("result.json"));
    assert_eq!(github.asked().len(), 0);
}
