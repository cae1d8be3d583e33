//! A job of Actions without a runner: the variables and files that one would give to a step, and what the step
//! left behind, as the runner would read it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::contract::EVENTS;
use super::mock::GitHub;
use super::runner::{self, Log};
use crate::harness::Workspace;

/// The token of every job here, unless a test says otherwise.
pub const TOKEN: &str = "ghs_0123456789abcdef";
/// The number of every run, likewise.
pub const RUN: u64 = 77;
/// The commit that a pull request ends with.
pub const HEAD: &str = "1111111111111111111111111111111111111111";

/// A job, and the folder that its steps run in.
pub struct Job {
    pub workspace: Workspace,
    variables: BTreeMap<&'static str, String>,
}

/// What a step left behind.
pub struct Step {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Both streams, as the runner understands them.
    pub log: Log,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
}

impl Job {
    /// A job that this event started in `shop/api`.
    pub fn new(github: &GitHub, event: &str, payload: &Value) -> Self {
        let workspace = Workspace::new();
        let path = workspace.write(".runner/event.json", &payload.to_string());
        let folder = workspace.path("").to_string_lossy().into_owned();
        let variables = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("GITHUB_API_URL", github.url()),
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_EVENT_PATH", path.to_string_lossy().into_owned()),
            ("GITHUB_REF", "refs/pull/7/merge".to_owned()),
            ("GITHUB_REPOSITORY", "shop/api".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", RUN.to_string()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", "2222222222222222222222222222222222222222".to_owned()),
            ("GITHUB_WORKSPACE", folder),
            ("LOADGATE_TOKEN", TOKEN.to_owned()),
        ];
        Self { workspace, variables: variables.into() }
    }

    /// A job of a pull request of this repository, or of that fork.
    pub fn pull_request(github: &GitHub, number: u64, from: &str) -> Self {
        Self::new(github, "pull_request", &pull_request_event(number, from))
    }

    /// The same job with another variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.variables.insert(name, value.to_string());
        self
    }

    /// Runs a step to its end, with files of its own.
    pub fn step(&self, arguments: &[&str]) -> Step {
        let mut command = self.workspace.command(arguments);
        self.prepare(&mut command);
        let finished = self.workspace.finish(command);
        self.left((finished.code(), finished.stdout, finished.stderr))
    }

    /// Gives a process what a runner would give to a step.
    pub fn prepare(&self, command: &mut Command) {
        let file = |name: &str| self.workspace.write(&format!(".runner/{name}"), "");
        command.envs(&self.variables);
        command.env("GITHUB_OUTPUT", file("output")).env("GITHUB_STEP_SUMMARY", file("summary"));
    }

    /// What a step left behind that ended so.
    pub fn left(&self, (code, stdout, stderr): (i32, String, String)) -> Step {
        let file = |name: &str| self.workspace.path(&format!(".runner/{name}"));
        let read = |name: &str| fs::read_to_string(file(name)).expect("a file of the step");
        let outputs = runner::outputs(&read("output")).expect("outputs that fail no step");
        let summary = read("summary");
        let summary = runner::summary(&summary).expect("a summary that is shown").to_owned();
        let log = Log::of(&format!("{stdout}\n{stderr}"));
        Step { code, stdout, stderr, log, outputs: outputs.into_iter().collect(), summary }
    }
}

impl Step {
    /// What all annotations of this kind say.
    pub fn said(&self, kind: &str) -> String {
        self.log.annotations(kind).into_iter().map(|annotation| annotation.data + "\n").collect()
    }
}

/// The event of a push to a pull request, as GitHub documents it, for a pull request to `shop/api`.
pub fn pull_request_event(number: u64, from: &str) -> Value {
    let known = &EVENTS["pull_request"];
    let pushed = known.iter().find(|event| event["action"] == "synchronize").expect("such an event");
    let mut event = pushed.clone();
    event["number"] = json!(number);
    event["pull_request"]["number"] = json!(number);
    event["pull_request"]["head"]["sha"] = json!(HEAD);
    event["pull_request"]["head"]["repo"]["full_name"] = json!(from);
    event["pull_request"]["base"]["repo"]["full_name"] = json!("shop/api");
    event["repository"]["full_name"] = json!("shop/api");
    event
}
