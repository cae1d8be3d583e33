//! The one issue of a nightly run: opened by what is bad, kept up to date, closed by a pass; never somebody
//! else's, never changed by an older run.

use loadgate::github::client::{Client, ClientError};
use loadgate::github::comment::Room;
use loadgate::github::context::Host;
use loadgate::github::issue::{self, Notice, Told};
use loadgate::github::marker::{Marker, Series};
use loadgate::github::repository::{Repository as Name, RunNumber};

use loadgate::github::token::Credential;
use loadgate::github::trail::Step;
use loadgate::result::verdict::Status;

use super::job::TOKEN;
use super::mock::GitHub;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::mock::repository::{Issue, Tracker};
use super::mock::wire::Answer;

const SHA: &str = "c0ffee0000000000000000000000000000000000";
const URL: &str = "https://github.com/shop/api/actions/runs/7/attempts/1";

/// How a night ended, and with which exit status.
type Night = (Option<Status>, u8);

const FAILED: Night = (Some(Status::Failed), 3);
const PASSED: Night = (Some(Status::Passed), 0);
const INCONCLUSIVE: Night = (Some(Status::Inconclusive), 5);
const ERROR: Night = (None, 1);

struct Scene {
    github: GitHub,
}

impl Scene {
    fn new() -> Self {
        Self::on(GitHub::start())
    }

    fn on(github: GitHub) -> Self {
        github.admit(TOKEN, Identity::workflow());
        Self { github }
    }

    /// The run of this number tells how it ended.
    fn told(&self, id: u64, (status, exit_status): Night) -> Result<Told, ClientError> {
        let host = Host {
            api: self.github.url(),
            server: "https://github.com".into(),
            repository: Name::parse("shop/api"),
            credential: Credential::of(TOKEN),
        };
        let body = |trail: &[Step], room: Room| {
            let before: Vec<_> = trail.iter().map(|step| step.run.id.to_string()).collect();
            let long = if room == Room::Whole { "long" } else { "short" };
            format!("run {id}, after [{}], {long}", before.join(" "))
        };
        let notice = Notice {
            marker: marker(id),
            status,
            exit_status,
            title: "Nightly load failed",
            body: &body,
            run_url: Some(URL),
        };
        notice.publish(&Client::open(&host)?)
    }

    fn tells(&self, id: u64, night: Night) -> Told {
        self.told(id, night).expect("GitHub listens")
    }

    /// Every issue, the oldest first: whether it is open, and its text below the first lines.
    fn issues(&self) -> Vec<(bool, String)> {
        let below = |issue: &Issue| {
            issue.body.as_deref().unwrap_or_default().lines().last().unwrap_or_default().to_owned()
        };
        self.github
            .with(|repository| repository.issues.values().map(|issue| (issue.open, below(issue))).collect())
    }
}

fn marker(id: u64) -> Marker {
    Marker { series: Series::named("nightly"), run: RunNumber { id, attempt: 1 }, sha: Some(SHA.into()) }
}

fn url(number: u64) -> String {
    format!("https://github.com/shop/api/issues/{number}")
}

#[test]
fn a_bad_night_opens_an_issue_further_ones_keep_it_and_a_good_one_closes_it() {
    let scene = Scene::new();
    assert_eq!(scene.tells(1, PASSED), Told::Nothing);
    assert_eq!(scene.tells(2, INCONCLUSIVE), Told::Nothing);
    assert_eq!(scene.tells(3, FAILED), Told::Opened(url(7)));
    assert_eq!(scene.tells(4, ERROR), Told::Updated(url(7)));
    assert_eq!(scene.tells(5, INCONCLUSIVE), Told::Updated(url(7)));
    assert_eq!(scene.issues(), [(true, "run 5, after [3 4], long".to_owned())]);
    assert_eq!(scene.tells(5, INCONCLUSIVE), Told::Unchanged(url(7)));
    assert_eq!(scene.tells(6, PASSED), Told::Closed(url(7)));
    assert_eq!(scene.issues(), [(false, "run 6, after [3 4 5], long".to_owned())]);
    let comments = scene.github.with(|repository| repository.comments_of(7));
    let said: Vec<_> = comments.iter().map(|comment| comment.body.as_str()).collect();
    assert_eq!(said, [format!("Green again: [the run]({URL}).")]);
    let closed = scene.github.asked().into_iter().find(|asked| asked.text("state") == Some("closed"));
    assert_eq!(closed.expect("closed").text("state_reason"), Some("completed"));
    // Trouble that comes back is another issue.
    assert_eq!(scene.tells(7, FAILED), Told::Opened(url(8)));
    let first = scene.github.with(|repository| repository.issues[&8].clone());
    assert_eq!((first.title.as_str(), first.author.as_deref()), ("Nightly load failed", Some(ACTIONS_BOT)));
    let begin = format!("{}\n<!-- loadgate:trail 7.1=failed@c0ffee0@20", marker(7));
    assert!(first.body.as_deref().is_some_and(|body| body.starts_with(&begin)), "{first:?}");
}

#[test]
fn an_older_run_that_finishes_late_changes_nothing() {
    let scene = Scene::new();
    scene.tells(5, FAILED);
    let newer = Told::Newer(RunNumber { id: 5, attempt: 1 });
    for night in [FAILED, PASSED, INCONCLUSIVE] {
        assert_eq!(scene.tells(4, night), newer);
    }
    assert_eq!(scene.issues(), [(true, "run 5, after [], long".to_owned())]);
    scene.tells(6, PASSED);
    assert_eq!(scene.tells(4, FAILED), Told::Newer(RunNumber { id: 6, attempt: 1 }));
    assert_eq!(scene.issues().len(), 1, "what was closed by a later run is not opened by an earlier one");
}

#[test]
fn an_issue_of_somebody_else_with_our_line_is_left_alone() {
    let scene = Scene::new();
    let body = format!("{}\nlook here", marker(1));
    scene.github.with(|repository| {
        repository.open_issue(Some("octocat"), "mine", Some(&body));
        repository.open_issue(None, "gone", Some(&body));
        // Ours, but of another series; and a pull request.
        let other = body.replace("id=nightly", "id=nightly-2");
        repository.open_issue(Some(ACTIONS_BOT), "other", Some(&other));
        let number = repository.open_pull(Some("shop/api"), "x", SHA);
        let pull = repository.issues.get_mut(&number).expect("just made");
        (pull.author, pull.body) = (Some(ACTIONS_BOT.to_owned()), Some(body.clone()));
    });
    assert_eq!(scene.tells(2, PASSED), Told::Nothing);
    assert_eq!(scene.tells(2, FAILED), Told::Opened(url(11)));
    let untouched =
        scene.github.with(|repository| repository.issues.values().take(4).all(|issue| issue.open));
    assert!(untouched);
    assert_eq!(scene.github.count("PATCH", ""), 0);
}

#[test]
fn two_jobs_that_opened_one_each_leave_one() {
    let scene = Scene::new();
    let other = format!("{}\n<!-- loadgate:trail -->\nrun 1", marker(1));
    scene.github.inject(Fault::new(
        "POST",
        "/issues",
        Effect::Meanwhile(Box::new(move |repository| {
            repository.open_issue(Some(ACTIONS_BOT), "Nightly load failed", Some(&other));
        })),
    ));
    assert_eq!(scene.tells(2, FAILED), Told::Opened(url(8)));
    let issues = scene.issues();
    assert_eq!(issues[1], (true, "run 2, after [], long".to_owned()));
    assert_eq!(
        issues[0],
        (false, format!("Two jobs ran at once; it is told in [the other issue]({}).", url(8)))
    );
}

#[test]
fn an_issue_that_was_opened_although_the_answer_was_an_error_is_not_opened_twice() {
    let scene = Scene::new();
    scene.github.inject(Fault::new("POST", "/issues", Effect::After(Answer::error(502, "Bad gateway"))));
    assert_eq!(scene.tells(1, FAILED), Told::Opened(url(7)));
    assert_eq!(scene.issues().len(), 1);
    // Neither is it said twice that all is well.
    let comments = "/issues/7/comments";
    scene.github.inject(Fault::new("POST", comments, Effect::After(Answer::error(502, "Bad gateway"))));
    assert_eq!(scene.tells(2, PASSED), Told::Closed(url(7)));
    assert_eq!(scene.github.with(|repository| repository.comments_of(7)).len(), 1);
}

#[test]
fn a_text_that_is_too_long_is_sent_once_more_and_shorter() {
    let scene = Scene::new();
    let refused = Answer::error(422, "Validation Failed: body is too long (maximum is 65536 characters)");
    scene.github.inject(Fault::status("POST", "/issues", refused));
    scene.tells(1, FAILED);
    assert_eq!(scene.issues(), [(true, "run 1, after [], short".to_owned())]);
}

#[test]
fn where_issues_are_off_or_forbidden_it_is_told_how_to_change_that() {
    let scene = Scene::new();
    scene.github.with(|repository| repository.tracker = Tracker::Off);
    let error = scene.told(1, FAILED).expect_err("there are no issues");
    assert!(issue::hint(&error).is_some_and(|hint| hint.contains("switch issues on")), "{error}");
    let scene = Scene::new();
    scene.github.inject(Fault::status(
        "POST",
        "/issues",
        Answer::error(410, "Issues are disabled for this repo"),
    ));
    let error = scene.told(1, FAILED).expect_err("there are no issues");
    assert!(issue::hint(&error).is_some_and(|hint| hint.contains("switch issues on")), "{error}");
    scene.github.admit(TOKEN, Identity::permitted(&[(Area::Issues, Access::Read)]));
    let error = scene.told(1, FAILED).expect_err("it may not");
    assert_eq!(issue::hint(&error).as_deref(), Some("give the job `permissions: issues: write`"));
}

#[test]
fn a_server_of_ones_own_has_issues_too() {
    let scene = Scene::on(GitHub::enterprise());
    scene.tells(1, FAILED);
    assert_eq!(scene.tells(2, PASSED), Told::Closed(url(7)));
}
