//! `loadgate publish`, and what `loadgate run` does at its end in a job of GitHub Actions: outputs, summary,
//! annotations, then the comment. Best effort: what cannot be told is a warning and changes no verdict.

pub(super) mod comment;
mod failure;
mod issue;
mod subject;

use std::path::{Path, PathBuf};

use crate::baseline::folder::Folder;
use crate::baseline::run::Run;
use crate::cli::publish::{PublicationArgs, PublishArgs};
use crate::cli::{ConfigArgs, RunArgs};
use crate::commands::{plan, relay};
use crate::config::file::locate;
use crate::config::render::Color;
use crate::error::Error;
use crate::github::annotation::{self, Annotation, Places};
use crate::github::client::Client;
use crate::github::command::{Command, Level};
use crate::github::context::{Context, Place};
use crate::github::marker::{Marker, Series};
use crate::github::output::{Ended, Outputs, Paths};
use crate::github::repository::{RunNumber, is_sha};
use crate::github::summary;
use crate::report::comment::{About, Source};
use crate::report::document::Document;
use crate::report::markdown::escape::code;
use crate::report::markdown::{self, section};
use crate::report::write::{self, Reader};
use crate::result::file;
use crate::result::schema::RunResult;

pub(super) use subject::Subject;

/// Publishes a stored result. Exit status 0: the verdict has been told by the run itself.
pub fn run(args: &PublishArgs) -> Result<u8, Error> {
    let job = Context::read();
    if job.place == Place::Elsewhere {
        return Err(Error::NoJob);
    }
    if let Some(id) = args.run_id {
        return relay::run(args, id, &job);
    }
    let Some(path) = &args.result else { return Ok(0) };
    let result = file::read(path)?;
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let publication = Publication { job, args: &args.publication, source: &args.source };
    publication.tell(&result, folder.unwrap_or(Path::new("")), None);
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

/// Tells that a command could not do its work, and why, where this is a job of Actions. Where a result was told
/// already, that stays.
pub fn failed(error: &Error) {
    let job = Context::read();
    if job.place == Place::Elsewhere {
        return;
    }
    if let Error::AfterVerdict(error) = error {
        return announce(Level::Error, error.report(Color::Never).trim_start_matches("error: "));
    }
    let folder = error.folder().map_or_else(String::new, |folder| absolute(folder).display().to_string());
    outputs(&job, &Outputs::without_result(Ended::Error, error.exit_status(), &folder));
    let text = error.report(Color::Never);
    summarise(&job, &|room| failure::summary(&text, room));
    say(&annotation::limited(&failure::annotations(error, &job)));
}

/// Tells pull request or issue that a run could not do its work, and why.
pub fn missed(args: &RunArgs, error: &Error) {
    let publication = Publication::of_job(&args.publication, &args.plan.source);
    let Some(publication) = publication.filter(|_| !matches!(error, Error::AfterVerdict(_))) else { return };
    match Subject::of_error(args, error) {
        Some(subject) => publication.keep(&subject),
        None => write::note("no comment, no issue: nothing says what this run is called"),
    }
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

    /// Tells what a job can be told about a result without a network. `elsewhere` is where the result is that could not be
    /// written to the folder.
    pub fn tell(&self, result: &RunResult, folder: &Path, elsewhere: Option<&Path>) {
        let mut paths = paths(folder);
        if let Some(elsewhere) = elsewhere {
            paths.result = absolute(elsewhere).display().to_string();
        }
        outputs(&self.job, &Outputs::of(result, &paths));
        summarise(&self.job, &|room| markdown::render_within(result, section::Room::of_bytes(room)));
        say(&annotation::of(result, &self.places(result)));
    }

    /// Tells that a run was stopped before its load began.
    pub fn stopped(&self, exit_status: u8) {
        outputs(&self.job, &Outputs::without_result(Ended::Interrupted, exit_status, ""));
        summarise(&self.job, &|_| "# INTERRUPTED\n\nstopped before the load began\n".to_owned());
    }

    /// Brings what GitHub keeps about it up to date. Nothing of a run that was stopped from outside.
    pub fn post(&self, result: &RunResult) {
        if !result.interrupted {
            self.keep(&Subject::of_result(result));
        }
    }

    fn keep(&self, subject: &Subject) {
        let (number, issue) = (comment::wanted(self), issue::wanted(self));
        if number.is_none() && !issue {
            return;
        }
        let client = match Client::open(&self.job.host) {
            Ok(client) => client,
            Err(error) => {
                let what = if number.is_some() { "no comment" } else { "no issue" };
                return comment::failed(what, &error, error.hint(comment::PERMISSION));
            }
        };
        if let Some(number) = number {
            comment::keep(self, &client, number, subject);
        }
        if issue {
            issue::keep(self, &client, subject);
        }
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

    fn about(&self, subject: &Subject) -> About {
        About {
            summary_url: self.job.run_url(),
            head: self.sha(subject),
            trail: Vec::new(),
            source: Source::Own,
        }
    }

    fn marker(&self, subject: &Subject) -> Marker {
        let [project, scenario, environment] = &subject.called;
        let of_run = || {
            let heading = format!(": {} on {}", code(scenario), code(environment));
            Series::of_run([project, scenario, environment], heading)
        };
        Marker {
            series: self.args.comment_id.as_deref().map_or_else(of_run, Series::chosen),
            run: self.job.run.unwrap_or(RunNumber { id: 0, attempt: 1 }),
            sha: self.sha(subject),
        }
    }

    /// The commit that was measured; a stored result may be of another than this job.
    fn sha(&self, subject: &Subject) -> Option<String> {
        subject.sha.clone().filter(|sha| is_sha(sha)).or_else(|| self.job.git.sha.clone())
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

fn say(annotations: &[Annotation]) {
    for annotation in annotations {
        annotation.command().say();
    }
}

/// Says where something is on GitHub, and what became of it.
fn note(what: &str, url: &str) {
    write::note(&format!("{what}: {}", write::plain(url)));
}

/// An annotation about publishing itself.
fn announce(level: Level, message: &str) {
    Annotation::general(level, "loadgate", message).command().say();
}

/// Later steps may run in another folder.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

fn paths(folder: &Path) -> Paths {
    let folder = absolute(folder);
    let named = |document: Document| folder.join(document.file_name());
    let there = |path: &Path| if path.exists() { path.display().to_string() } else { String::new() };
    Paths {
        folder: folder.display().to_string(),
        result: there(&named(Document::Json)),
        report: there(&named(Document::Html)),
    }
}
