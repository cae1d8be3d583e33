//! Whole workflows: ours, with our action and the real binary, from the event to what is then on GitHub.

use std::fs::{self, DirEntry};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::act::{Play, Played, Runner};
use super::job::{self, HEAD, RUN, TOKEN};
use super::mock::GitHub;
use super::mock::artifact::archive;
use super::mock::comment::Comment;
use super::mock::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::mock::repository::Issue;
use super::relay::{self, BRANCH, FORK};
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

/// Where its runs are remembered.
const BASELINE: &str = "baselines/browse.demo";

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
fn runner(github: &GitHub) -> Runner<'_> {
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(github, CONFIG);
    for (name, text) in remembered() {
        runner.repository.write(name, text);
    }
    runner
}

/// The files of a baseline, made once.
fn remembered() -> &'static [(String, String)] {
    static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    let make = || {
        let (workspace, service) = (Workspace::with_config(CONFIG), Demo::start(&[]));
        let mut command = workspace.command(&[
            "baseline",
            "update",
            "--allow-busy-machine",
            "--runs",
            "5",
            "--quiet",
            "--host",
            &service.url,
        ]);
        // What act calls its machine: runs of another kind would not count.
        command.env("ImageOS", "ubuntu24");
        let done = workspace.finish(command);
        assert_eq!(done.code(), 0, "{}", done.stderr);
        let entries = fs::read_dir(workspace.path(BASELINE)).expect("a baseline").flatten();
        let name = |entry: &DirEntry| format!("{BASELINE}/{}", entry.file_name().to_string_lossy());
        entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).expect("a run"))).collect()
    };
    FILES.get_or_init(make)
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
    let runner = runner(&github);
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
fn a_pull_request_of_a_fork_keeps_its_exit_status_and_another_workflow_comments_for_it() {
    let (github, services) = (GitHub::start(), Services::start());
    let runner = runner(&github);
    github.admit(TOKEN, Identity::read_only());
    let pull = github.with(|repository| repository.open_pull(Some(FORK), BRANCH, HEAD));
    let played = check(&runner, (&job::pull_request_event(pull, FORK), RUN), &services.slow);
    assert_eq!((played.passed, &*played.outputs["exit-status"]), (false, "4"), "{}", played.text);
    assert!(!played.summary.is_empty());
    assert!(played.text.contains("no comment: the token of a fork"), "{}", played.text);
    assert_eq!((comments(&github, pull).len(), github.asked().len()), (0, 0));
    // The run has ended; what it left is all that the other workflow gets.
    let left = runner.uploaded(RUN, "loadgate-report");
    let files: Vec<(&str, &[u8])> = left.iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
    github.with(|repository| repository.upload(RUN, "loadgate-report", archive(&files)).id);
    github.admit(TOKEN, Identity::permitted(&[(Area::Actions, Access::Read), (Area::Pulls, Access::Write)]));
    let ended = relay::event(|_| ());
    let play = Play { workflow: "comment", event: "workflow_run", payload: &ended, run: 900, variables: &[] };
    let played = runner.play(&play);
    assert!(played.passed, "{}", played.text);
    let comments = comments(&github, pull);
    assert_eq!(comments.len(), 1, "{}", played.text);
    assert!(comments[0].body.starts_with("<!-- loadgate:v1 id="), "{}", comments[0].body);
    assert!(comments[0].body.contains(&format!(" run={RUN}.")), "{}", comments[0].body);
    assert!(runner.uploaded(900, "loadgate-report").is_empty(), "what was relayed is not uploaded again");
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
    let comments = comments(&github, pull);
    assert_eq!(comments.len(), 1, "{}", played.text);
    assert!(
        comments[0].body.contains("### 💥 COULD NOT RUN: ` browse ` on ` demo `"),
        "{}",
        comments[0].body
    );
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

/// A night, against one of the services.
fn night(runner: &Runner, run: u64, service: &Demo) -> Played {
    let payload =
        json!({"schedule": "23 3 * * *", "repository": {"full_name": "shop/api", "default_branch": "main"}});
    let variables = [("LOADGATE_HOST", service.url.as_str())];
    runner.play(&Play {
        workflow: "nightly",
        event: "schedule",
        payload: &payload,
        run,
        variables: &variables,
    })
}

/// Issues and pull requests, the oldest first.
fn issues(github: &GitHub) -> Vec<Issue> {
    github.with(|repository| repository.issues.values().cloned().collect())
}

/// The names of the runs that are remembered on a branch.
fn runs(github: &GitHub, branch: &str) -> Vec<String> {
    github.with(|repository| {
        let tree = repository.git.tree_of(branch).expect("a branch");
        let paths = repository.git.flat(&tree).into_keys();
        paths.filter(|path| path.starts_with(&format!("{BASELINE}/run-"))).collect()
    })
}

#[test]
fn nights_that_fail_keep_one_issue_open_and_a_good_one_closes_it_and_is_remembered() {
    let (github, services) = (GitHub::start(), Services::start());
    let runner = runner(&github);
    let files: Vec<(&str, Option<&str>)> =
        remembered().iter().map(|(name, text)| (&**name, Some(&**text))).collect();
    github.with(|repository| repository.push("main", &files));
    for run in [200, 201] {
        let played = night(&runner, run, &services.slow);
        assert_eq!((played.passed, &*played.outputs["verdict"]), (false, "failed"), "{}", played.text);
        let issues = issues(&github);
        assert_eq!((issues.len(), issues[0].open, issues[0].author.as_deref()), (1, true, Some(ACTIONS_BOT)));
        let body = issues[0].body.as_deref().unwrap_or_default();
        assert!(body.starts_with(&format!("<!-- loadgate:v1 id=shop-browse-demo run={run}.1 ")), "{body}");
        assert!(issues[0].pull.is_none(), "a run that failed is not remembered");
    }
    for (run, count) in [(202, 6), (203, 7)] {
        let played = night(&runner, run, &services.usual);
        assert!(played.passed, "{}", played.text);
        let issues = issues(&github);
        assert_eq!((issues.len(), issues[0].open), (2, false), "{}", played.text);
        let pull = issues[1].pull.as_ref().expect("a pull request");
        assert_eq!(
            (pull.branch.as_str(), pull.base.as_str(), issues[1].open),
            ("loadgate/baseline", "main", true)
        );
        assert_eq!((runs(&github, "loadgate/baseline").len(), runs(&github, "main").len()), (count, 5));
    }
}

#[test]
fn runs_made_by_hand_are_proposed_as_one_pull_request() {
    let (github, service) = (GitHub::start(), Demo::start(&[]));
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(&github, CONFIG);
    let payload =
        json!({"inputs": {"runs": "2"}, "repository": {"full_name": "shop/api", "default_branch": "main"}});
    let variables = [("LOADGATE_HOST", service.url.as_str())];
    let played = runner.play(&Play {
        workflow: "baseline",
        event: "workflow_dispatch",
        payload: &payload,
        run: 300,
        variables: &variables,
    });
    assert!(played.passed, "{}", played.text);
    let issues = issues(&github);
    assert_eq!((issues.len(), issues[0].pull.is_some()), (1, true), "{}", played.text);
    assert_eq!((runs(&github, "loadgate/baseline").len(), runs(&github, "main").len()), (2, 0));
    assert_eq!(runner.uploaded(300, "loadgate-report").len(), 0);
}

/// Two jobs' worth of the command that remembers the newest run.
const REMEMBER: &str = "name: remember
on: workflow_dispatch
permissions: {}
jobs:
  remember:
    runs-on: ubuntu-24.04
    permissions: {contents: write, pull-requests: write}
    steps:
      - uses: actions/checkout@v7
        with: {persist-credentials: false}
      - uses: ./
        with: {command: baseline update --pull-request --allow-busy-machine, artifact: ''}
";

#[test]
fn without_news_there_is_no_pull_request_and_one_that_has_been_merged_by_hand_is_closed() {
    let (github, service) = (GitHub::start(), Demo::start(&[]));
    github.admit(TOKEN, Identity::workflow());
    let runner = Runner::new(&github, CONFIG);
    runner.repository.write(".github/workflows/remember.yml", REMEMBER);
    let run = runner.repository.run(&["run", "--quiet", "--host", &service.url]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let payload = json!({"repository": {"full_name": "shop/api", "default_branch": "main"}});
    let remember = |run| {
        let play =
            Play { workflow: "remember", event: "workflow_dispatch", payload: &payload, run, variables: &[] };
        let played = runner.play(&play);
        assert!(played.passed, "{}", played.text);
        played.text
    };
    let open = || issues(&github).iter().filter(|issue| issue.open).count();
    assert!(remember(400).contains("in a new pull request"), "news");
    assert!(remember(401).contains("proposed already: 1 run"), "no news since");
    assert_eq!((issues(&github).len(), open()), (1, 1));
    // Somebody takes the file over without the pull request.
    let path = runs(&github, "loadgate/baseline").remove(0);
    let text = github.with(|repository| repository.git.file("loadgate/baseline", &path)).expect("a run");
    github.with(|repository| repository.push("main", &[(&path, Some(&text))]));
    assert!(remember(402).contains("closed, for nothing is left to merge"), "moot");
    assert!(remember(403).contains("nothing to propose: GitHub has every run"), "no news");
    assert_eq!((issues(&github).len(), open()), (1, 0));
}
