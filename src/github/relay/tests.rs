//! Whom a relay trusts, and whom it tells.

use serde_json::{Value, json};

use super::*;
use crate::github::context::Host;
use crate::github::repository::Repository;

const HEAD: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

fn job(event: Event) -> Context {
    let host = Host { repository: Repository::parse("shop/api"), ..Host::default() };
    Context { event, host, ..Context::default() }
}

/// A run of a pull request from a fork, with something different in it.
fn ended(edit: impl FnOnce(&mut Value)) -> Context {
    let mut run = json!({
        "id": 77, "run_attempt": 2, "event": "pull_request", "head_sha": HEAD, "head_branch": "faster",
        "head_repository": { "full_name": "alice/api" }, "repository": { "full_name": "shop/api" },
        "actor": { "login": "alice" }, "pull_requests": [{ "number": 1 }],
    });
    edit(&mut run);
    job(Event::WorkflowRun(Box::new(serde_json::from_value(run).unwrap())))
}

fn wrong(context: &Context, asked: u64) -> (String, u8) {
    match Measured::of(context, asked) {
        Err(Stopped::Failed(error)) => (error.to_string(), error.exit_status()),
        other => panic!("{other:?}"),
    }
}

fn skipped(context: &Context) -> Option<Skipped> {
    match Measured::of(context, 77) {
        Ok(_) => None,
        Err(Stopped::Skipped(skipped)) => Some(skipped),
        Err(Stopped::Failed(error)) => panic!("{error}"),
    }
}

fn pull(number: u64, repository: Option<&str>, sha: &str) -> PullRequest {
    let repo = |name: Option<&str>| name.map(|name| json!({ "full_name": name }));
    serde_json::from_value(json!({
        "number": number, "head": { "sha": sha, "repo": repo(repository) },
        "base": { "sha": "", "repo": repo(Some("shop/api")) },
    }))
    .unwrap()
}

#[test]
fn only_an_event_about_a_run_of_this_repository_is_trusted() {
    for (event, found) in [
        (Event::Other("push".into()), "started by `push`"),
        (Event::Other(String::new()), "started by nobody in Actions"),
        (Event::Other("workflow_run".into()), "started by an event that cannot be read"),
        (Event::PullRequest(pull(1, None, HEAD)), "started by a pull request"),
        (Event::Unreadable, "started by a pull request"),
    ] {
        let (said, exit_status) = wrong(&job(event), 77);
        assert!(said.contains(found), "{said}");
        assert_eq!(exit_status, 2);
    }
    let said = wrong(&ended(|run| run["repository"]["full_name"] = "mallory/api".into()), 77);
    assert_eq!(said, ("the event is about a run of `mallory/api`, not of this repository".into(), 2));
    assert_eq!(wrong(&ended(|_| ()), 78), ("the event is about run 77, not about run 78".into(), 2));
    let nowhere = Context { host: Host::default(), ..ended(|_| ()) };
    assert!(wrong(&nowhere, 77).0.contains("not of this repository"));
}

#[test]
fn a_run_that_is_no_pull_request_of_another_repository_has_nothing_to_relay() {
    assert_eq!(skipped(&ended(|_| ())), None);
    assert_eq!(skipped(&ended(|run| run["event"] = "push".into())), Some(Skipped::OtherEvent("push".into())));
    assert_eq!(skipped(&ended(|run| run["head_repository"] = Value::Null)), Some(Skipped::Gone));
    assert_eq!(skipped(&ended(|run| run["head_branch"] = Value::Null)), Some(Skipped::Gone));
    let own = |run: &mut Value| run["head_repository"]["full_name"] = "shop/api".into();
    assert_eq!(skipped(&ended(own)), Some(Skipped::Own));
}

#[test]
fn the_pull_request_is_the_one_that_has_the_commit_as_its_head() {
    let context = ended(|_| ());
    let measured = Measured::of(&context, 77).unwrap();
    let ours = Some("alice/api");
    let (other, old) = (Some("bob/api"), "b2".repeat(20));
    for (pulls, found) in [
        (vec![pull(4, ours, HEAD)], Ok(4)),
        (vec![pull(3, other, HEAD), pull(4, ours, HEAD), pull(5, ours, &old), pull(6, None, HEAD)], Ok(4)),
        (vec![pull(4, Some("Alice/API"), HEAD)], Ok(4)),
        (vec![], Err(Skipped::NoPullRequest)),
        (vec![pull(4, other, HEAD), pull(5, None, HEAD)], Err(Skipped::NoPullRequest)),
        (vec![pull(4, ours, &old)], Err(Skipped::Superseded)),
        (vec![pull(4, ours, HEAD), pull(5, ours, HEAD)], Err(Skipped::Several(2))),
    ] {
        assert_eq!(measured.only(&pulls), found);
    }
}

#[test]
fn a_comment_is_called_after_what_was_asked_for_and_of_the_run_that_was_measured() {
    let context = ended(|_| ());
    let measured = Measured::of(&context, 77).unwrap();
    let line = |asked| measured.marker("loadgate-report", asked).to_string();
    assert_eq!(line(None), format!("<!-- loadgate:v1 id=fork-loadgate-report run=77.2 sha={HEAD} -->"));
    assert_eq!(
        line(Some("Nightly")),
        format!("<!-- loadgate:v1 id=nightly run=77.2 sha={HEAD} key=ab6b5a4d586bafeb -->")
    );
}

#[test]
fn a_reason_that_quotes_an_artifact_is_one_short_line() {
    let reason = format!("a\n::error::b\u{1b}[31m{}", "x".repeat(10_000));
    let said = RelayError::refused("report", 77, &reason).to_string();
    assert!(
        said.starts_with("the artifact `report` of run 77 is refused: a\\n::error::b\\u{1b}[31mx"),
        "{said}"
    );
    assert!(said.chars().count() < 400 && !said.contains(char::is_control));
}
