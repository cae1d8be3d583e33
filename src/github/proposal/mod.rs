//! How remembered runs get into the repository without a checkout: as the one pull request of a fixed
//! branch, to which every update adds, or as a commit on the branch of the job. Asks and tells GitHub;
//! what a proposal says is `report::proposal`'s.

pub mod base;
mod branch;
mod change;
mod contents;
mod error;
mod pending;
mod pull;
mod request;

use std::path::Path;

use super::client::Client;
use super::context::Host;
use super::marker::{Marker, Series};
use super::repository::RunNumber;
use crate::baseline::Baseline;
use crate::baseline::defect::{Defect, FolderError};
use crate::baseline::document;
use crate::baseline::file;
use crate::baseline::folder::Folder;
use crate::baseline::run::Run;
use crate::plan::rules::BaselineRules;
use crate::report::proposal as words;
use branch::Move;
use change::{Base, Change, New};
use contents::{Contents, Head};
use pending::{Pending, Spot};
use pull::Words;

pub use error::ProposalError;

/// The branch of the pull request.
pub const BRANCH: &str = "loadgate/baseline";
/// What its first line calls it.
const SERIES: &str = "baseline";
/// What would be valid.
const FEW: &str = "a remembered run, which has a few KiB";
/// How often it is tried where others change the branch meanwhile. Whoever loses lost to somebody who won, so
/// that this many jobs may end at once.
const ATTEMPTS: u32 = 10;
/// Where the runs of one baseline are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Home {
    /// Its folder as the repository calls it.
    pub path: String,
    /// Scenario and environment, in words.
    pub name: String,
    /// How its runs are compared, and how many are kept.
    pub rules: BaselineRules,
    /// The folder on this machine.
    pub folder: Folder,
}

/// Runs to bring into the repository.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// Every baseline of the configuration.
    pub homes: &'a [Home],
    /// What was remembered just now: the path of its folder, and the run.
    pub runs: &'a [(String, Run)],
    /// The branch that they are for; none for the default one.
    pub base: Option<&'a str>,
    /// The run of the workflow; none outside of Actions.
    pub job: Option<RunNumber>,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing to propose.
    Nothing,
    /// There is a pull request now, at this address.
    Opened(String),
    /// It was brought up to date.
    Updated(String),
    /// It says so already.
    Unchanged(String),
    /// There was nothing left in it.
    Closed(String),
    /// The branch has these runs now.
    Committed(String),
}

/// An outcome, and what is to be told besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What became of it.
    pub outcome: Outcome,
    /// How many runs it brings.
    pub runs: u64,
    /// What was found on the branch and is not carried over, as sentences.
    pub strange: Vec<String>,
}

/// Whether this host is one to propose something on; nothing is asked.
pub fn admits(host: &Host) -> Result<(), ProposalError> {
    Client::admits(host).map_err(ProposalError::client("use the API of GitHub"))
}

/// A client for the repository of a job.
pub fn client(host: &Host) -> Result<Client, ProposalError> {
    Client::open(host).map_err(ProposalError::client("use the API of GitHub"))
}

/// A look at the repository: the base, and the new runs as files.
struct Look<'c> {
    contents: &'c Contents<'c>,
    base: Head,
    new: Vec<New>,
}

impl Proposal<'_> {
    /// Opens the pull request, adds to the one there is, or closes it.
    pub fn propose(&self, client: &Client) -> Result<Told, ProposalError> {
        let (base, contents) = (self.base(client)?, self.contents(client));
        persistently(BRANCH, || request::propose(client, (self, &contents), &base))
    }

    /// Commits the runs to the branch itself.
    pub fn commit(&self, client: &Client) -> Result<Told, ProposalError> {
        let (base, contents) = (self.base(client)?, self.contents(client));
        persistently(&base, || self.commit_once(client, &contents, &base))
    }

    fn base(&self, client: &Client) -> Result<String, ProposalError> {
        self.base.map_or_else(|| base::default(client), |base| Ok(base.to_owned()))
    }

    /// What is known without being asked for.
    fn contents<'c>(&self, client: &'c Client) -> Contents<'c> {
        let contents = Contents::new(client);
        self.homes.iter().for_each(|home| contents.know(&home.folder));
        contents
    }

    fn commit_once(&self, client: &Client, contents: &Contents, base: &str) -> Result<Told, ProposalError> {
        let look = self.look(contents, base)?;
        let change = self.change(&look, &Pending::default())?;
        let runs = words::count(&change.altered);
        let told = |outcome| Told { outcome, runs, strange: Vec::new() };
        if change.added.is_empty() {
            return Ok(told(Outcome::Nothing));
        }
        let parents = [&look.base.sha];
        let commit = branch::commit(client, (&look.base, &parents), &change, &words::title(&change.altered))?;
        match branch::advance(client, base, (&commit, Move::Forward)) {
            Err(ProposalError::Client { source, .. })
                if matches!(source.status(), Some(403 | 409 | 422)) && !source.is_forbidden() =>
            {
                Err(ProposalError::Protected { branch: base.to_owned(), source })
            }
            moved => moved.map(|()| told(Outcome::Committed(base.to_owned()))),
        }
    }

    fn look<'c>(&self, contents: &'c Contents<'c>, base: &str) -> Result<Look<'c>, ProposalError> {
        let missing = || ProposalError::Place(format!("`{base}`, which is no branch on GitHub"));
        let base = contents.head(base)?.ok_or_else(missing)?;
        let new = self.runs.iter().map(|(folder, run)| new(folder, run)).collect::<Result<_, _>>()?;
        Ok(Look { contents, base, new })
    }

    /// What is to be different, beside what the base remembers of the same scenarios.
    fn change(&self, look: &Look, pending: &Pending) -> Result<Change, ProposalError> {
        let folders = change::folders(pending, &look.new);
        let homes = self.homes.iter().filter(|home| folders.contains(home.path.as_str()));
        let base: Result<Base, ProposalError> =
            homes.map(|home| Ok((home.path.clone(), look.remembered(&home.path)?))).collect();
        Ok(Change::of(self.homes, &base?, pending, &look.new))
    }

    fn words(&self, change: &Change, base: &str, head: &Head) -> Words {
        let run = self.job.unwrap_or(RunNumber { id: 0, attempt: 0 });
        let marker = Marker { series: Series::named(SERIES), run, sha: Some(head.sha.clone()) };
        let body = format!("{marker}\n{}", words::body(&change.altered, base));
        Words { title: words::title(&change.altered), body }
    }
}

impl Look<'_> {
    /// What the base remembers in a folder.
    fn remembered(&self, folder: &str) -> Result<Baseline, ProposalError> {
        let mut baseline = Baseline::default();
        let mut defects = Vec::new();
        for (file, entry) in self.contents.files(&self.base.tree, folder)? {
            let Some(named) = document::kind(&file) else { continue };
            let path = format!("{folder}/{file}");
            let Some(bytes) = self.contents.bytes(&entry)? else {
                let what = format!("is larger than {} MiB", file::LARGEST >> 20);
                defects.push(Defect::whole(Path::new(&path), what, FEW));
                continue;
            };
            match file::of_text(Path::new(&path), &String::from_utf8_lossy(&bytes), named) {
                Ok(document) => baseline.insert(named.1, document),
                Err(found) => defects.extend(found),
            }
        }
        if defects.is_empty() { Ok(baseline) } else { Err(FolderError::Broken(defects).into()) }
    }
}

/// A run as a file of a folder.
fn new(folder: &str, run: &Run) -> Result<New, ProposalError> {
    let name = document::run_name(run).map_err(FolderError::from)?;
    let name = name.ok_or_else(|| FolderError::Absurd("it has no time".into()))?;
    let text = document::run_text(run).map_err(FolderError::from)?;
    Ok(New { spot: Spot { folder: folder.to_owned(), name }, run: run.clone(), text })
}

/// Tries again where somebody else was faster.
fn persistently<T>(branch: &str, attempt: impl Fn() -> Result<T, ProposalError>) -> Result<T, ProposalError> {
    for _ in 0..ATTEMPTS {
        match attempt() {
            Err(ProposalError::Lost(_)) => {}
            outcome => return outcome,
        }
    }
    Err(branch::lost(branch))
}
