//! Where a job runs, as GitHub Actions says it in variables and in the file of the event: the commit, the
//! event, the API, the files it reads afterwards. Only reads. What cannot be read is a warning.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::event::{self, Event};
use super::repository::{Repository, RunNumber};
use super::token::Credential;
use crate::result::schema::Git;

/// The API of github.com.
const API: &str = "https://api.github.com";
/// The pages of github.com.
const SERVER: &str = "https://github.com";

/// Where a job runs.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The commit.
    pub git: Git,
    /// What could not be found out.
    pub warnings: Vec<String>,
    /// Whether this is a job of Actions at all.
    pub place: Place,
    /// What started it.
    pub event: Event,
    /// Where the API is, and what for.
    pub host: Host,
    /// This run of the workflow.
    pub run: Option<RunNumber>,
    /// The job, by its key in the workflow.
    pub job: Option<String>,
    /// The files that the runner reads after the step.
    pub files: Files,
    /// The folder that the repository is checked out to.
    pub workspace: Option<PathBuf>,
    /// The branch or tag that the job runs on, without what comes before its name.
    pub ref_name: Option<String>,
    /// The branch that the repository calls its default.
    pub default_branch: Option<String>,
}

/// Whether a process runs in a job of Actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// At somebody's desk, or in another CI.
    #[default]
    Elsewhere,
    /// In Actions.
    Actions,
}

/// A GitHub, and a repository on it.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// The base of its API, without a slash at its end.
    pub api: String,
    /// The base of its pages, likewise.
    pub server: String,
    /// The repository, where one is named that could be one.
    pub repository: Option<Repository>,
    /// What it lets this job in by.
    pub credential: Credential,
}

/// The files that the runner reads after a step; none where it named none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
}

impl Context {
    /// The context of this process.
    pub fn read() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// The context that these variables describe.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name| variable(name).filter(|value| !value.is_empty());
        let mut context = Self {
            git: Git { sha: given("GITHUB_SHA"), reference: given("GITHUB_REF"), fork: false },
            warnings: Vec::new(),
            place: Place::of(&given),
            event: Event::Other(String::new()),
            host: Host::of(&given),
            run: run_number(&given),
            job: given("GITHUB_JOB"),
            files: Files {
                output: path(&given, "GITHUB_OUTPUT"),
                summary: path(&given, "GITHUB_STEP_SUMMARY"),
            },
            workspace: path(&given, "GITHUB_WORKSPACE"),
            ref_name: given("GITHUB_REF_NAME"),
            default_branch: None,
        };
        if context.place == Place::Actions {
            let path = given("GITHUB_EVENT_PATH").unwrap_or_default();
            context.take(&given("GITHUB_EVENT_NAME").unwrap_or_default(), Path::new(&path));
        }
        context
    }

    fn take(&mut self, name: &str, path: &Path) {
        let told = event::read(name, path);
        match &told.event {
            Event::PullRequest(pull) => {
                self.git.fork = pull.is_of_fork();
                // Of a pull request, GITHUB_SHA is a merge that nobody made.
                if name == "pull_request" {
                    self.git.sha = Some(pull.head.sha.clone());
                }
            }
            Event::Unreadable => {
                // Whoever cannot say where it comes from may not decide what is normal.
                self.git.fork = true;
                let why = told.trouble.as_ref().map_or_else(String::new, ToString::to_string);
                self.warnings.push(format!(
                    "the event of this pull request cannot be read, so it counts as one of a fork: {why}"
                ));
            }
            Event::WorkflowRun(_) | Event::Other(_) => {}
        }
        self.event = told.event;
        self.default_branch = told.default_branch;
    }

    /// Whether the token of this job can only read: GitHub gives such to forks.
    pub fn is_read_only(&self) -> bool {
        self.git.fork
    }

    /// The page of this run; none outside of Actions.
    pub fn run_url(&self) -> Option<String> {
        self.host.run_url(self.run?)
    }

    /// What tells this job from every other; none outside of Actions.
    pub fn job_id(&self) -> Option<String> {
        let run = self.run?;
        Some(format!("{} {} {}", run.id, run.attempt, self.job.as_deref().unwrap_or("")))
    }

    /// The path of a file or folder, there or not, as the repository calls it; none for one outside of it.
    pub fn in_repository(&self, path: &Path) -> Option<String> {
        let path = canonical(path)?;
        let below = path.strip_prefix(self.checkout(&path)?).ok()?;
        let parts: Option<Vec<_>> = below.components().map(|part| part.as_os_str().to_str()).collect();
        Some(parts?.join("/"))
    }

    /// The folder that the repository of this path is checked out to: a job may do so below its workspace,
    /// and without git.
    fn checkout(&self, path: &Path) -> Option<PathBuf> {
        let workspace = self.workspace.as_deref().and_then(|folder| folder.canonicalize().ok());
        let begun = path.ancestors().find(|folder| folder.join(".git").exists());
        let inside = |folder: &&Path| workspace.as_deref().is_none_or(|it| folder.starts_with(it));
        begun.filter(inside).map(Path::to_owned).or(workspace)
    }
}

/// A path without links, also where its end is not there yet.
fn canonical(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|folder| folder.exists())?;
    let rest = path.strip_prefix(there).ok()?;
    let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| Some(there.canonicalize().ok()?.join(rest)))?
}

impl Place {
    /// The place of this process.
    pub fn read() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(given: &dyn Fn(&'static str) -> Option<String>) -> Self {
        match given("GITHUB_ACTIONS").as_deref() {
            Some("true") => Self::Actions,
            _ => Self::Elsewhere,
        }
    }
}

impl Host {
    /// The page of a run of the repository.
    pub fn run_url(&self, run: RunNumber) -> Option<String> {
        let repository = self.repository.as_ref()?;
        Some(format!("{}/{repository}/actions/runs/{}/attempts/{}", self.server, run.id, run.attempt))
    }

    fn of(given: &dyn Fn(&'static str) -> Option<String>) -> Self {
        let base = |name, default: &str| {
            given(name).unwrap_or_else(|| default.to_owned()).trim_end_matches('/').to_owned()
        };
        let token = token_variable(given).and_then(given);
        Self {
            api: base("GITHUB_API_URL", API),
            server: base("GITHUB_SERVER_URL", SERVER),
            repository: given("GITHUB_REPOSITORY").and_then(|name| Repository::parse(&name)),
            credential: token.map_or(Credential::Missing, |text| Credential::of(&text)),
        }
    }
}

/// The variables of this process that hold a token of the job: what is measured may be what a pull request proposes, and
/// has no use for them.
pub fn held_tokens() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_token(&name.to_string_lossy())).collect()
}

/// `GITHUB_TOKEN`, `GH_TOKEN`, `ACTIONS_RUNTIME_TOKEN`, `ACTIONS_ID_TOKEN_REQUEST_TOKEN`, `LOADGATE_TOKEN`, `INPUT_TOKEN`,
/// and what else begins and ends like them.
fn is_token(name: &str) -> bool {
    const OWNERS: [&str; 5] = ["GITHUB_", "GH_", "ACTIONS_", "LOADGATE_", "INPUT_"];
    let name = name.to_ascii_uppercase();
    name.ends_with("TOKEN") && OWNERS.iter().any(|owner| name.starts_with(owner))
}

fn token_variable(given: &dyn Fn(&'static str) -> Option<String>) -> Option<&'static str> {
    ["LOADGATE_TOKEN", "GITHUB_TOKEN"].into_iter().find(|name| given(name).is_some())
}

fn run_number(given: &dyn Fn(&'static str) -> Option<String>) -> Option<RunNumber> {
    let id = given("GITHUB_RUN_ID")?.parse().ok()?;
    let attempt = given("GITHUB_RUN_ATTEMPT").and_then(|text| text.parse().ok()).unwrap_or(1);
    Some(RunNumber { id, attempt })
}

fn path(given: &dyn Fn(&'static str) -> Option<String>, name: &'static str) -> Option<PathBuf> {
    given(name).map(PathBuf::from)
}

#[cfg(test)]
mod tests;
