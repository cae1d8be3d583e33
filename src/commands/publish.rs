//! `loadgate publish`, and what `loadgate run` does at its end in a job of GitHub Actions: outputs, summary,
//! annotations, then the comment. Best effort: what cannot be told is a warning and changes no verdict.

mod failure;

use std::path::Path;

use crate::baseline::folder::Folder;
use crate::baseline::run::Run;
use crate::cli::ConfigArgs;
use crate::cli::publish::{CommentPolicy, PublicationArgs, PublishArgs};
use crate::commands::plan;
use crate::config::file::locate;
use crate::config::render::Color;
use crate::error::Error;
use crate::github::annotation::{self, Annotation, Places};
use crate::github::client::{Client, ClientError};
use crate::github::command::{Command, Level};
use crate::github::comment::{News, Policy, Post, Posted, Room};
use crate::github::context::{Context, Place};
use crate::github::event::Event;
use crate::github::marker::Marker;
use crate::github::output::{Ended, Outputs, Paths};
use crate::github::repository::{RunNumber, Slug};
use crate::github::summary;
use crate::github::trail::Step;
use crate::report::document::Document;
use crate::report::markdown;
use crate::report::markdown::section::Room as SectionRoom;
use crate::report::write::{self, Reader};
use crate::result::file;
use crate::result::schema::RunResult;
use crate::result::verdict::{Status, Verdict};

/// What a comment needs.
const PERMISSION: &str = "pull-requests: write";

/// Publishes a stored result. Exit status 0: the verdict has been told by the run itself.
pub fn run(args: &PublishArgs) -> Result<u8, Error> {
    let job = Context::read();
    let Some(path) = &args.result else { return Ok(0) };
    if job.place == Place::Elsewhere {
        return Err(Error::NoJob);
    }
    let result = file::read(path)?;
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let publication = Publication { job, args: &args.publication, source: &args.source };
    publication.tell(&result, folder.unwrap_or(Path::new("")));
    publication.post(&result);
    Ok(0)
}

/// In a job of Actions, makes sure that the runner obeys nothing of what is printed but commands of ours.
pub fn begin() {
    write::begin(match Place::read() {
        Place::Actions => Reader::Runner,
        Place::Elsewhere => Reader::Anybody,
    });
}

/// Hides secrets from the log of a job, before anything is printed.
pub fn mask(secrets: &[String]) {
    if Place::read() == Place::Actions {
        secrets.iter().filter_map(|secret| Command::mask(secret)).for_each(|command| command.say());
    }
}

/// A command line that is wrong, where this is a job of Actions: an error like any other. Elsewhere, and asked
/// for help, the parser says it best.
pub fn usage(said: &clap::Error) -> Option<Error> {
    let told = said.use_stderr() && Place::read() == Place::Actions;
    told.then(|| Error::Usage(said.to_string().trim_end().to_owned()))
}

/// Tells that a command could not do its work, and why, where this is a job of Actions.
pub fn failed(error: &Error) {
    let job = Context::read();
    if job.place == Place::Elsewhere {
        return;
    }
    outputs(&job, &Outputs::without_result(Ended::Error, error.exit_status()));
    let text = error.report(Color::Never);
    summarise(&job, &|room| failure::summary(&text, room));
    say(&annotation::limited(&failure::annotations(error, &job)));
}

/// How a result is told, and where.
pub struct Publication<'a> {
    job: Context,
    args: &'a PublicationArgs,
    source: &'a ConfigArgs,
}

impl<'a> Publication<'a> {
    /// That of a run, where this is a job of Actions; outside of one nothing is told.
    pub fn of_job(args: &'a PublicationArgs, source: &'a ConfigArgs) -> Option<Self> {
        let job = Context::read();
        (job.place == Place::Actions).then_some(Self { job, args, source })
    }

    /// Tells what a job can be told about a result without a network.
    pub fn tell(&self, result: &RunResult, folder: &Path) {
        outputs(&self.job, &Outputs::of(result, &paths(folder)));
        summarise(&self.job, &|room| markdown::render_within(result, SectionRoom::of_bytes(room)));
        say(&annotation::of(result, &self.places(result)));
    }

    /// Tells that a run was stopped before its load began.
    pub fn stopped(&self, exit_status: u8) {
        outputs(&self.job, &Outputs::without_result(Ended::Interrupted, exit_status));
        summarise(&self.job, &|_| "# INTERRUPTED\n\nstopped before the load began\n".to_owned());
    }

    /// Brings what GitHub keeps about it up to date.
    pub fn post(&self, result: &RunResult) {
        self.comment(result);
    }

    /// Where annotations point; what is not known points nowhere.
    fn places(&self, result: &RunResult) -> Places {
        let config = locate(self.source.config.as_deref()).filter(|_| !self.source.demo);
        let Some(config) = config else { return Places::default() };
        Places { config: self.job.in_repository(&config), baseline: self.newest(result) }
    }

    /// The newest run that a result could be compared with.
    fn newest(&self, result: &RunResult) -> Option<(String, String)> {
        let config = plan::configuration(self.source, self.source.overrides()).ok()?;
        let rules = plan::rules(&config, &result.environment, &result.scenario).ok()?.baseline?;
        let folder = Folder::of(&rules.dir, &result.scenario, &result.environment);
        let class = &result.runner.cpu_class;
        let alike = |run: &Run| run.plan_digest == result.plan_digest && run.cpu_class == *class;
        let (path, text) = folder.newest(&folder.load().ok()?, alike)?;
        Some((self.job.in_repository(&path)?, text))
    }

    fn comment(&self, result: &RunResult) {
        let Event::PullRequest(pull) = &self.job.event else { return };
        let (policy, Some(verdict)) = (policy(self.args.comment), &result.verdict) else { return };
        if policy == Policy::Never || result.interrupted {
            return;
        }
        if self.job.is_read_only() {
            announce(
                Level::Notice,
                "no comment: the token of a fork's or Dependabot's pull request can only read; \
                 the result is in the summary, and a workflow that follows this one can comment \
                 with `loadgate publish --run-id`",
            );
            return;
        }
        let post = Post {
            number: pull.number,
            marker: self.marker(result),
            status: verdict.status,
            news: news(verdict),
            body: &|trail, room| body(result, trail, room),
        };
        let posted = Client::open(&self.job.host).and_then(|client| post.publish(&client, policy));
        told(posted);
    }

    fn marker(&self, result: &RunResult) -> Marker {
        let of_result = || format!("{}-{}-{}", result.name, result.scenario, result.environment);
        Marker {
            id: Slug::of(&self.args.comment_id.clone().unwrap_or_else(of_result)),
            run: self.job.run.unwrap_or(RunNumber { id: 0, attempt: 1 }),
            sha: self.job.git.sha.clone(),
        }
    }
}

fn outputs(job: &Context, outputs: &Outputs) {
    let Some(path) = &job.files.output else { return };
    if let Err(error) = outputs.append(path) {
        announce(Level::Warning, &format!("the outputs of this step are not written: {error}"));
    }
}

fn summarise(job: &Context, render: &dyn Fn(usize) -> String) {
    let Some(path) = &job.files.summary else { return };
    if let Err(error) = summary::append(path, render) {
        announce(Level::Warning, &format!("the summary of this step is not written: {error}"));
    }
}

/// Says what became of a comment.
pub fn told(posted: Result<Posted, ClientError>) {
    let note = |what: &str, url: &str| write::note(&format!("{what}: {}", write::plain(url)));
    match posted {
        Ok(Posted::Created(url)) => note("comment", &url),
        Ok(Posted::Updated(url)) => note("comment, brought up to date", &url),
        Ok(Posted::Unchanged(url)) => note("comment, as it was", &url),
        Ok(Posted::NothingToSay) => write::note("no comment: a plain pass needs none"),
        Ok(Posted::Newer(run)) => write::note(&format!("no comment: run {run} is later, and has written it")),
        Err(error) => {
            let level = if error.is_forbidden() { Level::Notice } else { Level::Warning };
            let hint = error.hint(PERMISSION).map_or_else(String::new, |hint| format!(". To do: {hint}"));
            announce(level, &format!("no comment: {error}{hint}"));
        }
    }
}

fn say(annotations: &[Annotation]) {
    for annotation in annotations {
        annotation.command().say();
    }
}

fn body(result: &RunResult, _trail: &[Step], room: Room) -> String {
    markdown::render_within(result, SectionRoom::of_bytes(if room == Room::Whole { 60_000 } else { 30_000 }))
}

/// An annotation about publishing itself.
fn announce(level: Level, message: &str) {
    Annotation::general(level, "loadgate", message).command().say();
}

/// What a result has to tell where nothing was told yet.
fn news(verdict: &Verdict) -> News {
    match verdict.status {
        Status::Passed => News::None,
        _ => News::Some,
    }
}

fn policy(given: CommentPolicy) -> Policy {
    match given {
        CommentPolicy::Auto => Policy::Auto,
        CommentPolicy::Always => Policy::Always,
        CommentPolicy::Never => Policy::Never,
    }
}

/// Later steps may run in another folder, so that paths are absolute.
fn paths(folder: &Path) -> Paths {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let named = |document: Document| folder.join(document.file_name());
    let there = |path: &Path| if path.exists() { path.display().to_string() } else { String::new() };
    Paths {
        folder: folder.display().to_string(),
        result: there(&named(Document::Json)),
        report: there(&named(Document::Html)),
    }
}
