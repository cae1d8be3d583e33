//! Every event that GitHub gives as an example, read as a job would read it: none of them is a surprise.

use loadgate::github::context::Context;
use loadgate::github::event::Event;
use serde_json::Value;

use super::contract::EVENTS;
use crate::harness::Workspace;

/// What a job knows that this event started.
fn context(name: &str, payload: &Value) -> Context {
    let workspace = Workspace::new();
    let path = workspace.write("event.json", &payload.to_string()).to_string_lossy().into_owned();
    Context::of(&|variable| match variable {
        "GITHUB_ACTIONS" => Some("true".to_owned()),
        "GITHUB_EVENT_NAME" => Some(name.to_owned()),
        "GITHUB_EVENT_PATH" => Some(path.clone()),
        "GITHUB_SHA" => Some("merge".to_owned()),
        _ => None,
    })
}

#[test]
fn every_example_of_a_pull_request_is_understood() {
    for payload in &EVENTS["pull_request"] {
        let context = context("pull_request", payload);
        assert_eq!(context.warnings, Vec::<String>::new());
        let Event::PullRequest(pull) = &context.event else { panic!("{payload:#}") };
        let (head, base) = (&payload["pull_request"]["head"], &payload["pull_request"]["base"]);
        assert_eq!((&pull.head.sha, pull.number.into()), (&text(&head["sha"]), payload["number"].clone()));
        assert_eq!(context.git.sha.as_deref(), head["sha"].as_str(), "not the merge");
        assert_eq!(context.git.fork, head["repo"]["full_name"] != base["repo"]["full_name"]);
        assert_eq!(context.default_branch, Some(text(&payload["repository"]["default_branch"])));
    }
}

#[test]
fn every_example_of_another_event_is_understood() {
    for payload in &EVENTS["workflow_run"] {
        let context = context("workflow_run", payload);
        assert_eq!(context.warnings, Vec::<String>::new());
        let Event::WorkflowRun(run) = &context.event else { panic!("{payload:#}") };
        let said = &payload["workflow_run"];
        assert_eq!(
            (Value::from(run.id), Value::from(run.head_sha.clone())),
            (said["id"].clone(), said["head_sha"].clone())
        );
        assert_eq!(run.head_branch.as_deref(), said["head_branch"].as_str());
    }
    for name in ["workflow_dispatch", "push"] {
        for payload in &EVENTS[name] {
            let context = context(name, payload);
            assert_eq!((context.event, context.git.fork), (Event::Other(name.to_owned()), false));
            assert_eq!(context.warnings, Vec::<String>::new());
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
