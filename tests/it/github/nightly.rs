//! The issue of a nightly run through the whole binary, against a GitHub that misbehaves: one while it fails, none
//! when all is well, never somebody else's, and never a reason to fail.

use loadgate::result::file::to_json;
use loadgate::result::schema::RunResult;
use serde_json::json;

use super::job::{Job, RUN, Step, TOKEN};
use super::mock::GitHub;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::mock::repository::{Issue, Repository, Tracker};
use super::mock::wire::Answer;
use crate::reports::{heavy_result, passed_result, rich_result};

const SERIES: &str = "nightly";

fn github() -> GitHub {
    let github = GitHub::start();
    github.admit(TOKEN, Identity::permitted(&[(Area::Issues, Access::Write)]));
    github
}

/// A scheduled job that keeps an issue.
fn job(github: &GitHub, run: u64) -> Job {
    let payload = json!({"schedule": "23 3 * * *", "repository": {"default_branch": "main"}});
    let job = Job::new(github, "schedule", &payload).with("GITHUB_RUN_ID", run);
    job.with("LOADGATE_ISSUE", "true").with("LOADGATE_COMMENT_ID", SERIES)
}

/// Publishes a result in a job, which works out whatever happens.
fn publish(job: &Job, result: &RunResult) -> Step {
    job.workspace.write("result.json", &to_json(result).expect("JSON"));
    let step = job.step(&["publish", "result.json"]);
    assert_eq!(step.code, 0, "{}", step.stderr);
    step
}

fn issues(github: &GitHub) -> Vec<Issue> {
    github.with(|repository| repository.issues.values().cloned().collect())
}

fn open(github: &GitHub) -> Vec<Issue> {
    issues(github).into_iter().filter(|issue| issue.open).collect()
}

fn body(issue: &Issue) -> &str {
    issue.body.as_deref().unwrap_or_default()
}

/// The beginning of an issue of ours.
fn marker(run: &str) -> String {
    format!("<!-- loadgate:v1 id={SERIES} run={run}")
}

/// An issue of ours as a run of this number left it.
fn earlier(run: &str) -> String {
    format!("{} sha={} -->\n<!-- loadgate:trail -->\nslow", marker(run), "0".repeat(40))
}

#[test]
fn an_issue_is_opened_by_the_first_failure_kept_up_to_date_and_closed_by_a_pass() {
    let github = github();
    publish(&job(&github, RUN), &passed_result());
    assert_eq!(issues(&github).len(), 0);
    publish(&job(&github, RUN + 1), &rich_result());
    publish(&job(&github, RUN + 2), &rich_result());
    let failing = issues(&github);
    assert_eq!((failing.len(), failing[0].open, failing[0].author.as_deref()), (1, true, Some(ACTIONS_BOT)));
    assert!(body(&failing[0]).starts_with(&marker("79.1")), "{}", body(&failing[0]));
    publish(&job(&github, RUN + 3), &passed_result());
    let comments = github.with(|repository| repository.comments_of(failing[0].number));
    assert_eq!((open(&github).len(), comments.len()), (0, 1));
    assert!(comments[0].body.contains("/actions/runs/80"), "{}", comments[0].body);
    // What was closed stays closed; another failure is another issue.
    publish(&job(&github, RUN + 4), &passed_result());
    publish(&job(&github, RUN + 5), &rich_result());
    let all: Vec<bool> = issues(&github).iter().map(|issue| issue.open).collect();
    assert_eq!(all, [false, true]);
}

#[test]
fn the_issue_is_found_among_those_of_others_and_nothing_else_is_touched() {
    let github = github();
    let ours = github.with(|repository| {
        let ours = repository.open_issue(Some(ACTIONS_BOT), "Nightly", Some(&earlier("70.1"))).number;
        for number in 0..130 {
            let author = if number % 2 == 0 { Some(ACTIONS_BOT) } else { Some("octocat") };
            repository.open_issue(author, "Another", Some(&format!("issue {number}")));
        }
        for author in [Some("eve"), None] {
            repository.open_issue(author, "Nightly", Some(&earlier("71.1")));
        }
        let pull = repository.open_pull(Some("shop/api"), "change", super::job::HEAD);
        let pull = repository.issues.get_mut(&pull).expect("just made");
        (pull.author, pull.body) = (Some(ACTIONS_BOT.to_owned()), Some(earlier("72.1")));
        ours
    });
    let before = issues(&github);
    publish(&job(&github, RUN), &rich_result());
    let after = issues(&github);
    assert_eq!(after.len(), before.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.number == ours, before.open), (body(before) != body(after), after.open));
    }
}

#[test]
fn an_older_run_that_ends_late_changes_nothing() {
    for state in [true, false] {
        let github = github();
        github.with(|repository| {
            let issue = repository.open_issue(Some(ACTIONS_BOT), "Nightly", Some(&earlier("78.1")));
            issue.open = state;
        });
        for result in [rich_result(), passed_result()] {
            publish(&job(&github, RUN), &result);
            let issues = issues(&github);
            assert_eq!(
                (issues.len(), body(&issues[0]), issues[0].open),
                (1, earlier("78.1").as_str(), state)
            );
        }
    }
}

#[test]
fn of_two_jobs_that_both_opened_an_issue_one_stays_open() {
    let github = github();
    let other = |repository: &mut Repository| {
        _ = repository.open_issue(Some(ACTIONS_BOT), "Nightly", Some(&earlier("76.1"))).number;
    };
    github.inject(Fault::new("POST", "/issues", Effect::Meanwhile(Box::new(other))));
    publish(&job(&github, RUN), &rich_result());
    let open = open(&github);
    assert_eq!((issues(&github).len(), open.len()), (2, 1));
    assert!(body(&open[0]).starts_with(&marker("77.1")), "{}", body(&open[0]));
}

#[test]
fn an_issue_that_was_opened_before_the_server_broke_is_not_opened_twice() {
    for (answer, posts) in [
        (Effect::After(Answer::error(502, "Server Error")), 1),
        (Effect::Instead(Answer::error(502, "Server Error")), 2),
    ] {
        let github = github();
        github.inject(Fault::new("POST", "/issues", answer));
        publish(&job(&github, RUN), &rich_result());
        assert_eq!((issues(&github).len(), github.count("POST", "/issues")), (1, posts));
    }
}

#[test]
fn what_keeps_an_issue_from_being_told_is_a_warning_that_says_what_to_do() {
    let github = github();
    github.with(|repository| repository.tracker = Tracker::Off);
    let step = publish(&job(&github, RUN), &rich_result());
    assert!(step.said("warning").contains("no issue"), "{}", step.stderr);
    github.with(|repository| repository.tracker = Tracker::On);
    github.inject(Fault::status(
        "POST",
        "/issues",
        Answer::error(410, "Issues has been disabled in this repository."),
    ));
    let step = publish(&job(&github, RUN), &rich_result());
    assert!(step.said("warning").contains("switch issues on"), "{}", step.stderr);
    github.admit(TOKEN, Identity::read_only());
    let step = publish(&job(&github, RUN), &rich_result());
    assert!(
        step.log.commands.iter().any(|command| command.data.contains("issues: write")),
        "{}",
        step.stderr
    );
    assert_eq!(issues(&github).len(), 0);
}

#[test]
fn a_result_of_any_size_fits_into_an_issue() {
    let github = github();
    publish(&job(&github, RUN), &heavy_result());
    assert_eq!((issues(&github).len(), github.count("POST", "/issues")), (1, 1));
}

#[test]
fn a_run_that_could_not_begin_opens_the_issue_too_and_keeps_its_exit_status() {
    let github = github();
    let job = job(&github, RUN);
    job.workspace.write(
        "config.yaml",
        "version: 1\nname: shop\n\
         environments: {here: {target: {command: [\"false\"], ready: /}, users: 1, run_time: 1s}}\n\
         scenarios: {browse: {users: {visitor: {tasks: {look: 1}}}, tasks: {look: [{get: /}]}}}\n",
    );
    let step = job.step(&["run"]);
    let open = open(&github);
    assert_eq!((step.code, open.len()), (1, 1), "{}", step.stderr);
    assert!(body(&open[0]).starts_with(&marker("77.1")), "{}", body(&open[0]));
    publish(&job.with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    assert!(issues(&github).iter().all(|issue| !issue.open));
}
