//! What every kind of night does to the issue, through the library: also those that get to no verdict, and
//! those that decide nothing.

use loadgate::github::client::{Client, ClientError};
use loadgate::github::comment::Room;
use loadgate::github::context::Host;
use loadgate::github::issue::{Notice, Told};
use loadgate::github::marker::Marker;
use loadgate::github::repository::{Repository as Name, RunNumber, Slug};

use loadgate::github::token::Credential;
use loadgate::github::trail::Step;
use loadgate::result::verdict::Status;

use super::job::TOKEN;
use super::mock::GitHub;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::{ACTIONS_BOT, Identity};
use super::mock::repository::Issue;
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
    Marker { id: Slug::of("nightly"), run: RunNumber { id, attempt: 1 }, sha: Some(SHA.into()) }
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
    // An error is no verdict, so that it leaves none behind.
    assert_eq!(scene.issues(), [(true, "run 5, after [3], long".to_owned())]);
    assert_eq!(scene.tells(5, INCONCLUSIVE), Told::Unchanged(url(7)));
    assert_eq!(scene.tells(6, PASSED), Told::Closed(url(7)));
    assert_eq!(scene.issues(), [(false, "run 6, after [3 5], long".to_owned())]);
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
fn that_all_is_well_is_said_once_although_the_answer_was_an_error() {
    let scene = Scene::new();
    scene.tells(1, FAILED);
    let broken = Effect::After(Answer::error(502, "Bad gateway"));
    scene.github.inject(Fault::new("POST", "/issues/7/comments", broken));
    assert_eq!(scene.tells(2, PASSED), Told::Closed(url(7)));
    assert_eq!(scene.github.with(|repository| repository.comments_of(7)).len(), 1);
}

#[test]
fn a_server_of_ones_own_has_issues_too() {
    let scene = Scene::on(GitHub::enterprise());
    scene.tells(1, FAILED);
    assert_eq!(scene.tells(2, PASSED), Told::Closed(url(7)));
}
