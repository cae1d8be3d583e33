//! What a comment or an issue is about: a result, or the error that kept a run from having one. What each of
//! them says of it.

use crate::cli::RunArgs;
use crate::commands::plan;
use crate::config::Config;
use crate::config::node::Node;
use crate::config::render::Color;
use crate::error::Error;
use crate::github::comment::{News, Room};
use crate::github::trail::Step;
use crate::plan::Selection;
use crate::report::comment::trail::Past;
use crate::report::comment::{self, About, ROOM};
use crate::report::markdown::escape::code;
use crate::report::markdown::section;
use crate::result::schema::RunResult;
use crate::result::verdict::Status;

use super::failure;

/// What is told.
pub struct Subject<'a> {
    /// Project, scenario and environment.
    pub called: [String; 3],
    /// The commit that was measured, where the result says it.
    pub sha: Option<String>,
    what: What<'a>,
}

enum What<'a> {
    Result(&'a RunResult),
    Error { exit_status: u8, text: String },
}

impl<'a> Subject<'a> {
    /// A result.
    pub fn of_result(result: &'a RunResult) -> Self {
        let called = [&result.name, &result.scenario, &result.environment].map(Clone::clone);
        Self { called, sha: result.git.sha.clone(), what: What::Result(result) }
    }

    /// An error; none where nothing says what the run is called, and so which comment or issue it would be.
    pub fn of_error(args: &RunArgs, error: &Error) -> Option<Self> {
        let what = What::Error { exit_status: error.exit_status(), text: error.report(Color::Never) };
        Some(Self { called: called(args)?, sha: None, what })
    }

    /// How the run ended; none where it did not get to a verdict.
    pub fn status(&self) -> Option<Status> {
        match self.what {
            What::Result(result) => result.verdict.as_ref().map(|verdict| verdict.status),
            What::Error { .. } => None,
        }
    }

    /// What the process returns because of it.
    pub fn exit_status(&self) -> u8 {
        match &self.what {
            What::Result(result) => result.verdict.as_ref().map_or(0, |verdict| verdict.exit_status),
            What::Error { exit_status, .. } => *exit_status,
        }
    }

    /// What it has to tell where nothing was told yet.
    pub fn news(&self) -> News {
        if self.status() == Some(Status::Passed) { News::None } else { News::Some }
    }

    /// What a comment says.
    pub fn comment(&self, about: &About, trail: &[Step], within: Room) -> String {
        match &self.what {
            What::Result(result) => comment::render(result, &after(about, trail), room(within)),
            What::Error { text, .. } => self.failure(text, about, within),
        }
    }

    /// What an issue says.
    pub fn issue(&self, about: &About, trail: &[Step], within: Room) -> String {
        match &self.what {
            What::Result(result) => comment::issue(result, &after(about, trail), room(within)),
            What::Error { text, .. } => self.failure(text, about, within),
        }
    }

    /// The title of an issue that is opened.
    pub fn title(&self) -> String {
        let [_, scenario, environment] = &self.called;
        match self.what {
            What::Result(result) => comment::title(result),
            What::Error { .. } => comment::title_of_error(scenario, environment),
        }
    }

    fn failure(&self, text: &str, about: &About, within: Room) -> String {
        let [_, scenario, environment] = &self.called;
        let run = about.summary_url.as_ref().map_or_else(String::new, |url| format!("\n[The run]({url})\n"));
        let block = failure::block_within(text, room(within).bytes);
        format!("### 💥 COULD NOT RUN: {} on {}\n\n{block}{run}", code(scenario), code(environment))
    }
}

/// What is told, after these earlier verdicts. A run without one is shown as one that cannot be trusted.
fn after(about: &About, trail: &[Step]) -> About {
    let past = |step: &Step| Past {
        status: step.status.unwrap_or(Status::Invalid),
        sha: step.sha.clone(),
        day: step.day,
    };
    About { trail: trail.iter().map(past).collect(), ..about.clone() }
}

/// The room of a text, in a first and in a second attempt.
fn room(room: Room) -> section::Room {
    match room {
        Room::Whole => ROOM,
        Room::Bytes(bytes) => section::Room::of_bytes(bytes),
    }
}

/// Project, scenario and environment of a run, as far as a configuration says them that may be wrong.
fn called(args: &RunArgs) -> Option<[String; 3]> {
    let config = plan::configuration(&args.plan.source, args.plan.overrides()).ok()?;
    let selection = Selection { environment: args.plan.environment.clone(), scenario: args.scenario.clone() };
    match plan::outline(&config, &selection) {
        Ok(plan) => Some([plan.name, plan.scenario, plan.environment]),
        Err(_) => written(&config, &selection),
    }
}

/// The same of one that is wrong.
fn written(config: &Config, selection: &Selection) -> Option<[String; 3]> {
    let of = |node: Option<&Node>| node.and_then(Node::scalar).map(str::to_owned);
    let defaults = |key: &str| of(config.root.get("defaults").and_then(|defaults| defaults.get(key)));
    let only = |list: &str| match plan::names(config, list).as_slice() {
        [only] => Some((*only).to_owned()),
        _ => None,
    };
    Some([
        of(config.root.get("name")).unwrap_or_else(|| "loadgate".to_owned()),
        selection.scenario.clone().or_else(|| defaults("scenario")).or_else(|| only("scenarios"))?,
        selection.environment.clone().or_else(|| defaults("environment")).or_else(|| only("environments"))?,
    ])
}
