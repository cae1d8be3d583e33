//! What a fork has measured, told by a job of the base: only to the pull request that GitHub names, only about
//! its present head, and nothing at all where the artifact is not what a run leaves.

mod hostile;

use std::time::Duration;

use loadgate::gate::judge;
use loadgate::metric::Metric;
use loadgate::plan::rules::{Applies, Objective, Origin, Over, Rules, Scope, Severity};
use loadgate::result::file::to_json;
use loadgate::result::schema::{Git, RunResult};
use serde_json::{Value, json};

use super::contract::EVENTS;
use super::job::{HEAD, Job, RUN, Step, TOKEN};
use super::mock::GitHub;
use super::mock::artifact::archive;
use super::mock::comment::Comment;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::mock::repository::Repository;
use crate::reports::rich_result;

/// What artifacts are called, unless a workflow says otherwise.
const ARTIFACT: &str = "loadgate-report";
pub const FORK: &str = "alice/api";
pub const BRANCH: &str = "faster";
/// A commit that came later.
const LATER: &str = "3333333333333333333333333333333333333333";
/// The page of the run that was measured.
const MEASURED: &str = "https://github.com/shop/api/actions/runs/77/attempts/2";
/// All that the workflow of a relay needs.
const PERMISSIONS: [(Area, Access); 2] = [(Area::Actions, Access::Read), (Area::Pulls, Access::Write)];

/// A GitHub with a pull request of a fork, and a run of it that has ended.
struct Scene {
    github: GitHub,
    pull: u64,
}

impl Scene {
    fn new() -> Self {
        let github = GitHub::start();
        github.admit(TOKEN, Identity::permitted(&PERMISSIONS));
        let pull = github.with(|repository| repository.open_pull(Some(FORK), BRANCH, HEAD));
        Self { github, pull }
    }

    /// With this result in the artifact of the run.
    fn measured(result: &RunResult) -> Self {
        let scene = Self::new();
        scene.upload(RUN, &document(result));
        scene
    }

    /// With this archive as the artifact of the run.
    fn left(zip: Vec<u8>) -> Self {
        let scene = Self::new();
        scene.github.with(|repository| repository.upload(RUN, ARTIFACT, zip).id);
        scene
    }

    fn upload(&self, run: u64, text: &str) {
        let zip = archive(&[("report.html", b"<p>".as_slice()), ("result.json", text.as_bytes())]);
        self.github.with(|repository| repository.upload(run, ARTIFACT, zip).id);
    }

    /// A job that follows the run, of which something may be different.
    fn job(&self, edit: impl FnOnce(&mut Value)) -> Job {
        Job::new(&self.github, "workflow_run", &event(edit)).with("GITHUB_RUN_ID", 900)
    }

    fn relay(&self, arguments: &[&str]) -> Step {
        let run = RUN.to_string();
        self.job(|_| ()).step(&[&["publish", "--run-id", &run], arguments].concat())
    }

    /// Relays in vain, for a reason that is no error.
    fn skip(&self, job: &Job) -> String {
        let step = job.step(&["publish", "--run-id", &RUN.to_string()]);
        assert_eq!(step.code, 0, "{}", step.stderr);
        assert!(step.log.commands.is_empty() && step.outputs.is_empty(), "{}", step.stderr);
        self.assert_silent();
        step.stderr
    }

    /// Relays in vain, and fails.
    fn fail(&self, job: &Job) -> Step {
        let step = job.step(&["publish", "--run-id", &RUN.to_string()]);
        self.assert_silent();
        assert_eq!(step.outputs["verdict"], "error", "{}", step.stderr);
        step
    }

    fn comments(&self) -> Vec<Comment> {
        self.github.with(|repository| repository.comments_of(self.pull))
    }

    fn assert_silent(&self) {
        let asked = self.github.asked();
        // The question who one is is asked of the other API in this way.
        let changed = asked.iter().find(|asked| asked.method != "GET" && asked.path != "/graphql");
        assert!(changed.is_none(), "{changed:?}");
    }

    /// Lets somebody push while the artifact is downloaded.
    fn push_meanwhile(&self) {
        let number = self.pull;
        let push = move |repository: &mut Repository| head(repository, number, LATER);
        self.github.inject(Fault::new("GET", "/zip", Effect::Meanwhile(Box::new(push))));
    }
}

fn head(repository: &mut Repository, number: u64, sha: &str) {
    let pull = repository.issues.get_mut(&number).and_then(|issue| issue.pull.as_mut());
    sha.clone_into(&mut pull.expect("a pull request").sha);
}

/// The end of a run of a pull request of a fork, as GitHub documents it, of which something may be different.
pub fn event(edit: impl FnOnce(&mut Value)) -> Value {
    let known = EVENTS["workflow_run"].iter().find(|event| event["action"] == "completed");
    let mut event = known.expect("such an event").clone();
    let run = &mut event["workflow_run"];
    (run["id"], run["run_attempt"]) = (json!(RUN), json!(2));
    (run["event"], run["head_sha"], run["head_branch"]) = (json!("pull_request"), json!(HEAD), json!(BRANCH));
    (run["run_started_at"], run["pull_requests"]) = (json!("2026-11-01T10:00:00Z"), json!([]));
    run["head_repository"]["full_name"] = json!(FORK);
    run["repository"]["full_name"] = json!("shop/api");
    edit(run);
    event["repository"]["full_name"] = json!("shop/api");
    event
}

/// A run that is judged by a p95 of so many milliseconds.
fn judged(limit_ms: f64) -> RunResult {
    let objective = Objective {
        scope: Scope::Total,
        metric: Metric::named("p95").expect("a metric"),
        limit: limit_ms,
        severity: Severity::Fail,
        over: Over::Steady,
        window: None,
        abort_after: None,
        message: None,
        applies: Applies::Here,
        origin: Origin::Written,
        line: Some(41),
    };
    let mut result = rich_result();
    (result.interrupted, result.signal, result.aborted) = (false, None, None);
    let rules = Rules { objectives: vec![objective], ..Rules::default() };
    result.verdict = Some(judge(&rules, &result, None));
    result
}

fn failed() -> RunResult {
    judged(0.001)
}

fn document(result: &RunResult) -> String {
    to_json(result).expect("JSON")
}

/// The document with something different in it.
fn edited(edit: impl FnOnce(&mut Value)) -> String {
    let mut document = serde_json::to_value(failed()).expect("JSON");
    edit(&mut document);
    document.to_string()
}

#[test]
fn the_pull_request_of_the_fork_is_told_once_and_then_kept_up_to_date() {
    let scene = Scene::measured(&failed());
    let other = scene.github.with(|repository| repository.open_pull(Some("bob/api"), BRANCH, HEAD));
    let step = scene.relay(&[]);
    assert_eq!(step.code, 0, "{}", step.stderr);
    let first = scene.comments();
    assert_eq!((first.len(), first[0].author.as_deref()), (1, Some(ACTIONS_BOT)), "{}", step.stderr);
    // The run that was measured, not the one that tells of it.
    let line = format!("<!-- loadgate:v1 id=fork-loadgate-report run=77.2 sha={HEAD} -->");
    assert_eq!(first[0].body.lines().next(), Some(line.as_str()));
    for said in ["> **Reported by a fork.**", "FAILED", &format!("]({MEASURED}"), &HEAD[..7]] {
        assert!(first[0].body.contains(said), "{said}: {}", first[0].body);
    }
    assert!(step.outputs.is_empty() && step.summary.is_empty() && step.log.commands.is_empty());
    // What a later run of the same pull request says replaces it; what an older one says comes too late.
    scene.upload(78, &document(&judged(1e9)));
    scene.upload(76, &document(&failed()));
    for (run, marker) in [(78_u64, "run=78.2"), (76, "run=78.2")] {
        let step = scene.job(|it| it["id"] = json!(run)).step(&["publish", "--run-id", &run.to_string()]);
        assert_eq!(step.code, 0, "{}", step.stderr);
        let now = scene.comments();
        assert_eq!((now.len(), now[0].id), (1, first[0].id));
        assert!(now[0].body.lines().next().is_some_and(|line| line.contains(marker)), "{}", now[0].body);
    }
    assert_eq!(scene.github.with(|repository| repository.comments_of(other).len()), 0);
}

#[test]
fn the_artifact_lies_elsewhere_and_the_token_does_not_go_there() {
    let scene = Scene::measured(&failed());
    assert_eq!(scene.relay(&[]).code, 0);
    let downloads = scene.github.downloads();
    assert_eq!(downloads.len(), 1);
    assert_eq!(downloads[0].header("authorization"), None);
}

#[test]
fn nothing_in_the_artifact_says_whom_to_tell_and_about_what() {
    let scene = Scene::new();
    let victim = scene.github.with(|repository| repository.open_pull(Some("bob/api"), "other", LATER));
    let result = RunResult {
        git: Git {
            sha: Some(LATER.into()),
            reference: Some(format!("refs/pull/{victim}/merge")),
            fork: false,
        },
        ..failed()
    };
    let mut forged = serde_json::to_value(result).expect("JSON");
    forged["pull_requests"] = json!([{ "number": victim }]);
    forged["number"] = json!(victim);
    scene.upload(RUN, &forged.to_string());
    let step = scene.relay(&[]);
    assert_eq!((step.code, scene.comments().len()), (0, 1), "{}", step.stderr);
    assert_eq!(scene.github.with(|repository| repository.comments_of(victim).len()), 0);
    assert!(!scene.comments()[0].body.contains(&LATER[..7]), "{}", scene.comments()[0].body);
}

#[test]
fn no_artifact_takes_the_place_of_another_comment() {
    let scene = Scene::new();
    let line = |id: &str| format!("<!-- loadgate:v1 id={id} run=5.1 sha=- -->\nours");
    let result =
        RunResult { name: "shop".into(), scenario: "browse".into(), environment: "ci".into(), ..failed() };
    scene.upload(RUN, &document(&result));
    scene.github.with(|repository| {
        repository.comment(scene.pull, Some(ACTIONS_BOT), &line("shop-browse-ci"));
        repository.comment(scene.pull, Some("mallory"), &line("fork-loadgate-report"));
    });
    assert_eq!(scene.relay(&[]).code, 0);
    let comments = scene.comments();
    assert_eq!(comments.len(), 3);
    assert!(comments[..2].iter().all(|comment| comment.body.ends_with("ours")), "{comments:#?}");
    // What the workflow itself asks for is another matter.
    assert_eq!(scene.relay(&["--comment-id", "shop-browse-ci"]).code, 0);
    assert!(scene.comments()[0].body.starts_with("<!-- loadgate:v1 id=shop-browse-ci run=77.2 "));
}

#[test]
fn a_plain_pass_of_a_fork_needs_no_comment_unless_one_is_wanted() {
    let scene = Scene::measured(&judged(1e9));
    assert!(scene.relay(&[]).stderr.contains("no comment: a plain pass needs none"));
    assert!(scene.relay(&["--comment", "never"]).stderr.contains("no comment: none is wanted"));
    scene.assert_silent();
    assert_eq!(scene.relay(&["--comment", "always"]).code, 0);
    assert_eq!(scene.comments().len(), 1);
}

#[test]
fn a_commit_that_is_no_longer_the_head_is_told_to_nobody() {
    let scene = Scene::measured(&failed());
    scene.github.with(|repository| head(repository, scene.pull, LATER));
    assert!(scene.skip(&scene.job(|_| ())).contains("no comment: the result is superseded"));
    assert_eq!(scene.github.downloads().len(), 0);
    let scene = Scene::measured(&failed());
    scene.push_meanwhile();
    assert!(scene.skip(&scene.job(|_| ())).contains("no comment: the result is superseded"));
    assert_eq!(scene.github.downloads().len(), 1);
}

#[test]
fn where_it_is_not_certain_whom_to_tell_nobody_is_told() {
    type Change = fn(&mut Repository, u64);
    let changes: [(Change, &str); 4] = [
        (|it, pull| it.issues.get_mut(&pull).expect("it").open = false, "no open pull request"),
        (|it, _| _ = it.open_pull(Some(FORK), BRANCH, HEAD), "2 pull requests"),
        (
            |it, pull| it.issues.get_mut(&pull).expect("it").pull.as_mut().expect("it").repository = None,
            "no open",
        ),
        (
            |it, pull| it.issues.get_mut(&pull).expect("it").pull.as_mut().expect("it").branch = "x".into(),
            "no open",
        ),
    ];
    for (change, said) in changes {
        let scene = Scene::measured(&failed());
        scene.github.with(|repository| change(repository, scene.pull));
        let stderr = scene.skip(&scene.job(|_| ()));
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn a_run_that_has_nothing_to_relay_is_a_note() {
    type Edit = fn(&mut Value);
    let edits: [(Edit, &str); 5] = [
        (|run| run["event"] = json!("push"), "started by `push`"),
        (|run| run["event"] = json!("x\n::error::pwned"), "not by a pull request"),
        (|run| run["head_repository"] = Value::Null, "the fork or its branch is gone"),
        (|run| run["head_branch"] = Value::Null, "the fork or its branch is gone"),
        (|run| run["head_repository"]["full_name"] = json!("shop/api"), "its job writes the comment itself"),
    ];
    let scene = Scene::measured(&failed());
    for (edit, said) in edits {
        let stderr = scene.skip(&scene.job(edit));
        assert!(stderr.contains(said), "{stderr}");
    }
    assert_eq!(scene.github.asked().len(), 0, "nobody needs to be asked for that");
}

#[test]
fn another_event_than_the_end_of_that_run_is_an_error_of_the_workflow() {
    type Edit = fn(&mut Value);
    let scene = Scene::measured(&failed());
    let edits: [(Edit, &str); 2] = [
        (|run| run["id"] = json!(78), "the event is about run 78, not about run 77"),
        (|run| run["repository"]["full_name"] = json!("mallory/api"), "a run of `mallory/api`"),
    ];
    let jobs = edits.map(|(edit, said)| (scene.job(edit), said));
    let others = [
        (Job::pull_request(&scene.github, scene.pull, FORK), "started by a pull request"),
        (Job::new(&scene.github, "push", &json!({})), "started by `push`"),
        (Job::new(&scene.github, "workflow_run", &json!({})), "started by an event that cannot be read"),
    ];
    for (job, said) in jobs.into_iter().chain(others) {
        let step = scene.fail(&job);
        assert_eq!(step.code, 2, "{}", step.stderr);
        assert!(step.stderr.contains(said) && step.stderr.contains("hint: "), "{}", step.stderr);
    }
    assert_eq!(scene.github.asked().len(), 0);
}

#[test]
fn a_run_without_an_artifact_of_this_attempt_has_nothing_to_tell() {
    let scene = Scene::new();
    assert!(scene.skip(&scene.job(|_| ())).contains("has left no artifact `loadgate-report`"));
    scene.upload(RUN + 1, &document(&failed()));
    assert!(scene.skip(&scene.job(|_| ())).contains("has left no artifact"));
    scene.upload(RUN, &document(&failed()));
    let later = scene.job(|run| run["run_started_at"] = json!("2026-11-02T10:00:00Z"));
    assert!(scene.skip(&later).contains("the last attempt of run 77 has left no artifact"));
}

#[test]
fn a_run_that_was_stopped_is_told_to_nobody() {
    let mut result = failed();
    result.interrupted = true;
    result.verdict = Some(judge(&Rules::default(), &result, None));
    let scene = Scene::measured(&result);
    assert!(scene.skip(&scene.job(|_| ())).contains("the run was stopped before its end"));
}

#[test]
fn a_missing_permission_is_named() {
    for (permissions, code, said) in [
        (&[(Area::Pulls, Access::Write)][..], 1, "actions: read"),
        (&[(Area::Actions, Access::Read)][..], 1, "pull-requests: write"),
        (&[(Area::Actions, Access::Read), (Area::Pulls, Access::Read)][..], 0, "pull-requests: write"),
    ] {
        let scene = Scene::measured(&failed());
        scene.github.admit(TOKEN, Identity::permitted(permissions));
        let step = scene.relay(&[]);
        assert_eq!((step.code, scene.comments().len()), (code, 0), "{}", step.stderr);
        assert!(step.stderr.contains(said), "{said}: {}", step.stderr);
    }
}

#[test]
fn a_pause_of_github_does_not_lose_the_comment() {
    let scene = Scene::measured(&failed());
    scene.github.inject(Fault::new("GET", "/artifacts", Effect::Delay(Duration::from_millis(50))));
    assert_eq!(scene.relay(&[]).code, 0);
    assert_eq!(scene.comments().len(), 1);
}
