//! How remembered runs get into the repository: where they belong there is found out before they are made,
//! GitHub is told afterwards.

use crate::baseline::folder::Folder;
use crate::baseline::run::Run;
use crate::cli::baseline::UpdateArgs;
use crate::commands::plan;
use crate::config::Config;
use crate::error::Error as CommandError;
use crate::github::context::Context as Job;
use crate::github::output::Outputs;
use crate::github::proposal::{self, Home, Outcome, Proposal, ProposalError, Told, base};
use crate::github::summary;
use crate::report::number;
use crate::report::text::shorten;
use crate::report::write::{data, note, plain};

use super::error::Error;

/// Files that are told one by one: whoever may push can put many there.
const MOST_TOLD: usize = 20;
/// Characters of what is told of one.
const LONGEST: usize = 300;

/// A way into the repository.
pub struct Way {
    end: End,
    job: Job,
    /// The branch; none for the default one.
    base: Option<String>,
    homes: Vec<Home>,
}

/// Where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    PullRequest,
    Commit,
}

impl Way {
    /// The way that was asked for; none where the files stay on this machine.
    pub fn of(args: &UpdateArgs) -> Result<Option<Self>, CommandError> {
        let end = match (args.way.pull_request, args.way.commit) {
            (false, false) => return Ok(None),
            (true, true) => return Err(Error::TwoWays.into()),
            (true, false) => End::PullRequest,
            (false, true) => End::Commit,
        };
        let job = Job::read();
        let base = base::of(&job)?;
        proposal::admits(&job.host)?;
        let config = plan::configuration(&args.plan.source, args.plan.overrides())?;
        let homes = homes(&config, &job)?;
        Ok(Some(Self { end, job, base, homes }))
    }

    /// Brings runs there.
    pub fn bring(&self, runs: Vec<(Folder, Run)>) -> Result<(), CommandError> {
        let home = |folder: &Folder| self.homes.iter().find(|home| home.folder == *folder);
        let placed = runs.into_iter().map(|(folder, run)| match home(&folder) {
            Some(home) => Ok((home.path.clone(), run)),
            None => Err(ProposalError::Outside(folder.path().to_owned())),
        });
        let runs: Vec<_> = placed.collect::<Result<_, _>>()?;
        let proposal =
            Proposal { homes: &self.homes, runs: &runs, base: self.base.as_deref(), job: self.job.run };
        let client = proposal::client(&self.job.host)?;
        let told = match self.end {
            End::PullRequest => proposal.propose(&client)?,
            End::Commit => proposal.commit(&client)?,
        };
        self.tell(&told)
    }

    fn tell(&self, told: &Told) -> Result<(), CommandError> {
        for strange in told.strange.iter().take(MOST_TOLD) {
            let strange = shorten(&plain(strange), LONGEST);
            note(&format!("note: left out of the pull request: {strange}"));
        }
        if let Some(more) = told.strange.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            note(&format!(
                "note: left out of the pull request: {}",
                number::counted_as(more as u64, "more file", "more files")
            ));
        }
        let runs = number::counted(told.runs, "run");
        let said = match &told.outcome {
            Outcome::Nothing => "nothing to propose: GitHub has every run".to_owned(),
            Outcome::Opened(url) => format!("proposed: {runs}, in a new pull request: {url}"),
            Outcome::Updated(url) => format!("proposed: {runs}, in {url}"),
            Outcome::Unchanged(url) => format!("proposed already: {runs}, in {url}"),
            Outcome::Closed(url) => format!("closed, for nothing is left to merge: {url}"),
            Outcome::Committed(branch) => format!("committed: {runs}, to {branch}"),
        };
        data(&(plain(&said) + "\n"))?;
        self.summary(&said);
        if let Outcome::Opened(url) | Outcome::Updated(url) | Outcome::Unchanged(url) = &told.outcome {
            self.output(url);
        }
        Ok(())
    }

    /// For whoever opens the job. A link is found in it by the page.
    fn summary(&self, said: &str) {
        let Some(path) = &self.job.files.summary else { return };
        if let Err(error) = summary::append(path, &|_| format!("# Baseline\n\n{}\n", plain(said))) {
            note(&plain(&format!("warning: no summary is written: {error}")));
        }
    }

    /// For later steps of the job. They can do without.
    fn output(&self, url: &str) {
        let Some(path) = &self.job.files.output else { return };
        if let Err(error) = Outputs::of_pull_request(url).append(path) {
            note(&plain(&format!("warning: no output is set: {error}")));
        }
    }
}

/// Every baseline of the configuration, each once.
fn homes(config: &Config, job: &Job) -> Result<Vec<Home>, CommandError> {
    let mut homes: Vec<Home> = Vec::new();
    for scenario in plan::names(config, "scenarios") {
        for environment in plan::names(config, "environments") {
            let Some(rules) = plan::rules(config, environment, scenario)?.baseline else { continue };
            let folder = Folder::of(&rules.dir, scenario, environment);
            let outside = || ProposalError::Outside(rules.dir.clone());
            let path = job.in_repository(folder.path()).ok_or_else(outside)?;
            if homes.iter().all(|home| home.path != path) {
                homes.push(Home { path, name: format!("{scenario} on {environment}"), rules, folder });
            }
        }
    }
    if homes.is_empty() { Err(Error::NotConfigured.into()) } else { Ok(homes) }
}
