//! Why remembered runs do not get into the repository, and the remedy.

use std::path::PathBuf;

use thiserror::Error;

use crate::baseline::defect::FolderError;
use crate::github::client::ClientError;

/// What a job needs for a pull request.
const PERMISSIONS: &str = "{contents: write, pull-requests: write}";
/// What GitHub answers where a setting keeps jobs from opening pull requests.
const NOT_PERMITTED: &str = "not permitted to create";

/// Why nothing was proposed.
#[derive(Debug, Error)]
pub enum ProposalError {
    /// Who runs here may not decide what is normal, or there is no branch to change.
    #[error("a baseline is not changed from {0}")]
    Place(String),
    /// The baselines lie outside of what is checked out.
    #[error("`{}` is not in the checked out repository", .0.display())]
    Outside(PathBuf),
    /// GitHub said no, or nothing.
    #[error("cannot {doing}")]
    Client {
        /// What was tried.
        doing: &'static str,
        /// What GitHub said.
        #[source]
        source: ClientError,
    },
    /// A branch that others must not change.
    #[error("`{branch}` does not take commits from here")]
    Protected {
        /// The branch.
        branch: String,
        /// What GitHub said.
        #[source]
        source: ClientError,
    },
    /// A pull request of somebody else is in the way.
    #[error("pull request #{number} is of the branch `{branch}`, and loadgate did not open it")]
    Foreign {
        /// Its number.
        number: u64,
        /// The branch.
        branch: &'static str,
    },
    /// The open pull request goes somewhere else.
    #[error("pull request #{number} with waiting runs goes into `{base}`")]
    OtherBase {
        /// Its number.
        number: u64,
        /// Where it goes.
        base: String,
    },
    /// Others changed the branch, again and again.
    #[error("`{0}` was changed by others each time")]
    Lost(String),
    /// More than a baseline can be.
    #[error("`{0}` holds more than is read")]
    TooMuch(String),
    /// A file on the base branch is broken, or a new one cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl ProposalError {
    /// An answer of GitHub to something that was tried.
    pub(super) fn client(doing: &'static str) -> impl Fn(ClientError) -> Self {
        move |source| Self::Client { doing, source }
    }

    /// 2 for what was asked for, 1 for what the world refused.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Place(_) | Self::Outside(_) => 2,
            Self::Folder(error) => error.exit_status(),
            Self::Client { .. }
            | Self::Protected { .. }
            | Self::Foreign { .. }
            | Self::OtherBase { .. }
            | Self::Lost(_)
            | Self::TooMuch(_) => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Place(_) => Some(
                "do it in a job that runs on a branch, such as a nightly one on the default branch".into(),
            ),
            Self::Outside(_) => Some("let `baseline.dir` be a folder of the repository".into()),
            Self::Client { source: ClientError::Refused { status: 403, message, .. }, .. }
                if message.contains(NOT_PERMITTED) =>
            {
                Some(format!(
                    "switch on Settings → Actions → General → \"Allow GitHub Actions to create and approve pull \
                     requests\", and give the job `permissions: {PERMISSIONS}`"
                ))
            }
            Self::Client { source, .. } => source.hint(PERMISSIONS),
            Self::Protected { .. } => {
                Some("propose the runs instead: `loadgate baseline update --pull-request`".into())
            }
            Self::Foreign { .. } | Self::OtherBase { .. } => Some("close it, or merge it".into()),
            Self::Lost(_) => Some("start the job again".into()),
            Self::TooMuch(_) => Some(
                "a baseline holds a few dozen files; `loadgate/baseline` may be deleted, it is made anew"
                    .into(),
            ),
            Self::Folder(error) => error.hint().map(str::to_owned),
        }
    }
}
