//! Why a relay posts nothing: because there is nothing to post, which is no error, or because it cannot. What
//! comes from an artifact is made fit to be shown here, once.

use std::fmt;

use thiserror::Error;

use crate::github::client::ClientError;
use crate::report::text::{printable, shorten};

/// Characters of a reason: it may quote an artifact.
const LONGEST_REASON: usize = 300;

/// Why nothing is posted.
#[derive(Debug)]
pub enum Stopped {
    /// There is nothing to post.
    Skipped(Skipped),
    /// It cannot be.
    Failed(RelayError),
}

impl From<Skipped> for Stopped {
    fn from(skipped: Skipped) -> Self {
        Self::Skipped(skipped)
    }
}

impl From<RelayError> for Stopped {
    fn from(error: RelayError) -> Self {
        Self::Failed(error)
    }
}

/// Why there is nothing to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// Something else than a pull request started the run.
    OtherEvent(String),
    /// The run could write the comment itself.
    Own,
    /// The fork or its branch was deleted.
    Gone,
    /// Nobody wants to merge the branch, any more or yet.
    NoPullRequest,
    /// Several pull requests have this commit as their head.
    Several(usize),
    /// A later commit was pushed.
    Superseded,
    /// The run was stopped: its numbers are of a part of it.
    Interrupted,
    /// Nobody wants a comment.
    Unwanted,
    /// The run has left nothing to tell, or an earlier attempt of it has.
    NoArtifact {
        /// What was looked for.
        name: String,
        /// Where.
        run: u64,
    },
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEvent(event) => {
                write!(f, "the run was started by `{}`, not by a pull request", printable(event))
            }
            Self::Own => f.write_str("the run is of this repository, and its job writes the comment itself"),
            Self::Gone => f.write_str("the fork or its branch is gone"),
            Self::NoPullRequest => f.write_str("the branch that was measured has no open pull request"),
            Self::Several(count) => {
                write!(f, "{count} pull requests have the measured commit as their head, and one is needed")
            }
            Self::Superseded => {
                f.write_str("the result is superseded: its pull request has moved on to another commit")
            }
            Self::Interrupted => f.write_str("the run was stopped before its end"),
            Self::Unwanted => f.write_str("none is wanted: `--comment never`"),
            Self::NoArtifact { name, run } => {
                write!(f, "the last attempt of run {run} has left no artifact `{}`", printable(name))
            }
        }
    }
}

/// Why it cannot be posted.
#[derive(Debug, Error)]
pub enum RelayError {
    /// Nothing here says which run is meant.
    #[error("this job was started by {found}, and only `workflow_run` says which run to trust")]
    OtherEvent {
        /// What started it, as words.
        found: String,
    },
    /// The event is about another run than was asked for.
    #[error("the event is about run {found}, not about run {asked}")]
    OtherRun {
        /// The run of the event.
        found: u64,
        /// The run that was asked for.
        asked: u64,
    },
    /// The event is about a run elsewhere.
    #[error("the event is about a run of `{found}`, not of this repository")]
    OtherRepository {
        /// The repository of the event.
        found: String,
    },
    /// GitHub did not answer a question.
    #[error("{source}")]
    Asked {
        /// What a job needs to ask it.
        permission: &'static str,
        /// Why.
        source: ClientError,
    },
    /// The artifact is none that a run writes.
    #[error("the artifact `{name}` of run {run} is refused: {reason}")]
    Refused {
        /// Its name.
        name: String,
        /// Its run.
        run: u64,
        /// Why, made fit to be shown.
        reason: String,
    },
}

impl RelayError {
    /// An artifact that is refused for a reason that may quote it.
    pub fn refused(name: &str, run: u64, reason: &str) -> Self {
        let reason = shorten(&printable(reason), LONGEST_REASON);
        Self::Refused { name: name.to_owned(), run, reason }
    }

    /// 2 for what whoever wrote the workflow can put right, 1 for what came from elsewhere.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::OtherEvent { .. } | Self::OtherRun { .. } | Self::OtherRepository { .. } => 2,
            Self::Asked { .. } | Self::Refused { .. } => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OtherEvent { .. } | Self::OtherRepository { .. } => {
                Some("start it in a workflow with `on: workflow_run`, for the runs of this repository".into())
            }
            Self::OtherRun { .. } => Some("pass `--run-id` as `${{ github.event.workflow_run.id }}`".into()),
            Self::Asked { permission, source } => source.hint(permission),
            Self::Refused { .. } => Some("nothing was posted; look at the run before you trust it".into()),
        }
    }
}
