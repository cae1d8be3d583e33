//! The file in which GitHub says what started a job. Only the parts that are looked at, each of which may be
//! missing: events differ by kind, server and year. Pure but for reading that file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

/// More than any event; GitHub sends at most 25 MB.
const LARGEST: u64 = 32 << 20;
/// The events of a pull request. The second runs in the base repository, with its secrets.
const PULL_REQUESTS: [&str; 2] = ["pull_request", "pull_request_target"];

/// What started a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Event {
    /// A change of a pull request.
    PullRequest(PullRequest),
    /// The end of another workflow's run.
    WorkflowRun(Box<WorkflowRun>),
    /// Anything else: its name, empty outside of Actions.
    Other(String),
    /// The file of a pull request's event cannot be read.
    #[default]
    Unreadable,
}

/// A pull request: from where to where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    /// Its number.
    #[serde(default)]
    pub number: u64,
    /// What is to be merged.
    pub head: Side,
    /// What it is to be merged into.
    pub base: Side,
}

impl PullRequest {
    /// Whether its head is of another repository, or of one that is gone.
    pub fn is_of_fork(&self) -> bool {
        self.head.repo.is_none() || self.head.repo != self.base.repo
    }
}

/// One side of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Side {
    /// The commit.
    pub sha: String,
    /// Null when a fork was deleted.
    pub repo: Option<NamedRepository>,
}

/// A repository as events and answers name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NamedRepository {
    /// `owner/name`.
    pub full_name: String,
}

/// A run of another workflow that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WorkflowRun {
    /// Its number.
    pub id: u64,
    /// Which attempt of it.
    #[serde(default)]
    pub run_attempt: u64,
    /// What started it.
    pub event: String,
    /// The commit that it ran on.
    pub head_sha: String,
    /// The branch of that commit; null for a tag.
    pub head_branch: Option<String>,
    /// The repository of that branch; null where it was deleted.
    pub head_repository: Option<NamedRepository>,
    /// The repository that it ran in.
    pub repository: NamedRepository,
    /// When this attempt began.
    #[serde(default)]
    pub run_started_at: Option<String>,
}

/// The event, and the branch that its repository calls its default.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) default_branch: Option<String>,
    /// Why the file could not be read.
    pub(super) trouble: Option<io::Error>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    pull_request: Option<PullRequest>,
    workflow_run: Option<Box<WorkflowRun>>,
    repository: Repository,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    default_branch: Option<String>,
}

/// What the file at `path` says about the event of this name.
pub(super) fn read(name: &str, path: &Path) -> Told {
    let expects_pull = PULL_REQUESTS.contains(&name);
    let document = match parsed(path) {
        Ok(document) => document,
        Err(trouble) => {
            let event = if expects_pull { Event::Unreadable } else { Event::Other(name.to_owned()) };
            return Told { event, default_branch: None, trouble: Some(trouble) };
        }
    };
    let missing = || io::Error::other(format!("it holds no `{name}`"));
    let default_branch = document.repository.default_branch;
    let (event, trouble) = match (document.pull_request, document.workflow_run) {
        (Some(pull), _) if expects_pull => (Event::PullRequest(pull), None),
        (None, _) if expects_pull => {
            (Event::Unreadable, Some(io::Error::other("it holds no `pull_request`")))
        }
        (_, Some(run)) if name == "workflow_run" => (Event::WorkflowRun(run), None),
        (_, None) if name == "workflow_run" => (Event::Other(name.to_owned()), Some(missing())),
        _ => (Event::Other(name.to_owned()), None),
    };
    Told { event, default_branch, trouble }
}

fn parsed(path: &Path) -> io::Result<Document> {
    // Opening a pipe would wait for whoever writes it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 32 MiB"));
    }
    Ok(serde_json::from_slice(&bytes)?)
}
