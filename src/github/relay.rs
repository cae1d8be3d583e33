//! The trusted half of a relay: what a job of a fork has measured is told by a job of the base, which may
//! write. Whom to tell, and about which commit, comes from the event and the API alone; the artifact of the
//! run says what was measured, and nothing else.

pub mod error;

use super::artifact;
use super::client::{Client, chain};
use super::context::Context;
use super::event::{Event, PullRequest, WorkflowRun};
use super::marker::{Marker, Series};
use super::repository::RunNumber;
use crate::gate::agreement;
use crate::result::file::RESULT_FILE;
use crate::result::foreign;
use crate::result::schema::{Git, RunResult};
use error::{RelayError, Skipped, Stopped};

/// What started a run that is relayed.
const PULL_REQUEST: &str = "pull_request";
/// What a job needs to find a pull request.
const PERMISSION: &str = "pull-requests: write";
/// What the comments of a relay are called, so that they are no others'.
const SERIES: &str = "fork";

/// A run that has ended, and where what it measured came from.
#[derive(Debug)]
pub struct Measured<'a> {
    run: &'a WorkflowRun,
    /// `owner/name`.
    repository: &'a str,
    branch: &'a str,
}

impl<'a> Measured<'a> {
    /// The run that the event of a job is about, if it is the one that was asked for, and one to relay.
    pub fn of(context: &'a Context, asked: u64) -> Result<Self, Stopped> {
        let run = trusted(context, asked)?;
        if run.event != PULL_REQUEST {
            return Err(Skipped::OtherEvent(run.event.clone()).into());
        }
        let (Some(repository), Some(branch)) = (&run.head_repository, &run.head_branch) else {
            return Err(Skipped::Gone.into());
        };
        if *repository == run.repository {
            return Err(Skipped::Own.into());
        }
        Ok(Self { run, repository: &repository.full_name, branch })
    }

    /// The number of the one open pull request that has the measured commit as its head. To be asked again
    /// before anything is posted.
    pub fn pull(&self, client: &Client) -> Result<u64, Stopped> {
        let owner = self.repository.split('/').next().unwrap_or_default();
        let head = format!("{owner}:{}", self.branch);
        let route = client.route(&["pulls"]).with("state", "open").with("head", &head);
        let asked = |source| RelayError::Asked { permission: PERMISSION, source };
        Ok(self.only(&client.pages(&route).map_err(asked)?)?)
    }

    /// Of the pull requests of a branch, the one of the measured commit.
    fn only(&self, pulls: &[PullRequest]) -> Result<u64, Skipped> {
        let is_of_branch = |pull: &&PullRequest| {
            let repository = pull.head.repo.as_ref();
            repository.is_some_and(|it| it.full_name.eq_ignore_ascii_case(self.repository))
        };
        let of_branch: Vec<_> = pulls.iter().filter(is_of_branch).collect();
        let current: Vec<_> = of_branch.iter().filter(|pull| pull.head.sha == self.run.head_sha).collect();
        match current.as_slice() {
            [pull] => Ok(pull.number),
            [] if of_branch.is_empty() => Err(Skipped::NoPullRequest),
            [] => Err(Skipped::Superseded),
            several => Err(Skipped::Several(several.len())),
        }
    }

    /// What the run says it has measured, in the artifact of this name. The commit is the one of the event.
    pub fn result(&self, client: &Client, artifact: &str) -> Result<RunResult, Stopped> {
        let bytes = artifact::file(client, self.run, artifact, RESULT_FILE)?;
        let refused = |reason: &str| RelayError::refused(artifact, self.run.id, reason);
        let result = foreign::read(&bytes).map_err(|error| refused(&chain(&error)))?;
        if let Some(what) = agreement::contradiction(&result) {
            return Err(refused(&format!("`{RESULT_FILE}` contradicts itself: {what}")).into());
        }
        Ok(RunResult { git: self.git(), ..result })
    }

    /// The number of the run.
    pub fn number(&self) -> RunNumber {
        RunNumber { id: self.run.id, attempt: self.run.run_attempt.max(1) }
    }

    /// The first line of the comment. It is called after what the base asked for and not after what the fork
    /// answers: no artifact can choose whose place it takes, or be a new one each time.
    pub fn marker(&self, artifact: &str, asked: Option<&str>) -> Marker {
        let series = asked.map_or_else(|| Series::named(&format!("{SERIES}-{artifact}")), Series::chosen);
        Marker { series, run: self.number(), sha: Some(self.run.head_sha.clone()) }
    }

    fn git(&self) -> Git {
        let (sha, reference) = (self.run.head_sha.clone(), self.branch.to_owned());
        Git { sha: Some(sha), reference: Some(reference), fork: true }
    }
}

/// The run of an event that says who it is about, if that is the one that is asked for.
fn trusted(context: &Context, asked: u64) -> Result<&WorkflowRun, RelayError> {
    let run = match &context.event {
        Event::WorkflowRun(run) => run,
        other => return Err(RelayError::OtherEvent { found: words(other) }),
    };
    let ours = context.host.repository.as_ref();
    if !ours.is_some_and(|ours| ours.is_called(&run.repository.full_name)) {
        return Err(RelayError::OtherRepository { found: run.repository.full_name.clone() });
    }
    if run.id != asked {
        return Err(RelayError::OtherRun { found: run.id, asked });
    }
    Ok(run)
}

fn words(event: &Event) -> String {
    match event {
        Event::PullRequest(_) | Event::Unreadable => "a pull request".to_owned(),
        Event::Other(name) if name.is_empty() => "nobody in Actions".to_owned(),
        Event::Other(name) if name == "workflow_run" => "an event that cannot be read".to_owned(),
        Event::Other(name) => format!("`{name}`"),
        Event::WorkflowRun(_) => "`workflow_run`".to_owned(),
    }
}

#[cfg(test)]
mod tests;
