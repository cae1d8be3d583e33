//! Everything that can keep a command from doing its work, its exit status and its remedy.

use std::path::Path;

use thiserror::Error;

use crate::baseline::defect::FolderError;
use crate::commands::before::ConfirmError;
use crate::commands::init::InitError;
use crate::commands::selftest::SelftestError;
use crate::commands::{baseline, demo_api};
use crate::config::file::FileError;
use crate::config::problem::Problem;
use crate::config::render::{Color, render};
use crate::config::source::Sources;
use crate::github::proposal::ProposalError;
use crate::github::relay::error::RelayError;
use crate::load::LoadError;
use crate::load::limits::TooFewFiles;
use crate::load::target::TargetError;
use crate::report::defect;
use crate::report::document::DocumentError;
use crate::report::live::LiveError;
use crate::report::text::printable;
use crate::report::write::OutputError;
use crate::result::file::FileError as ResultError;

/// Why a command could not do its work. A run that fails its objectives is no error.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line is wrong; this says how.
    #[error("{0}")]
    Usage(String),
    /// There is no configuration.
    #[error(transparent)]
    File(FileError),
    /// The configuration is wrong.
    #[error("the configuration has {} problem(s)", problems.len())]
    Config {
        /// Everything wrong with it.
        problems: Vec<Problem>,
        /// The texts the problems point into.
        sources: Sources,
    },
    /// The environment must be allowed by hand.
    #[error("environment `{0}` is protected")]
    Protected(String),
    /// There is nothing to put load on.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No load could be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The result cannot be written.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// A report cannot be made.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// What was asked for does not reach who asked.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The live page cannot be served.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// What is remembered cannot be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Remembered runs do not get into the repository.
    #[error(transparent)]
    Proposal(ProposalError),
    /// Nothing of the kind can be remembered or accepted.
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
    /// The run cannot be the second look at another.
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
    /// There is no place for a first configuration.
    #[error(transparent)]
    Init(#[from] InitError),
    /// No self-test could be made.
    #[error(transparent)]
    Selftest(#[from] SelftestError),
    /// The demo service could not run.
    #[error(transparent)]
    Demo(#[from] demo_api::Error),
    /// What a fork has measured cannot be told.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The verdict has been told; something that follows it could not be done.
    #[error(transparent)]
    AfterVerdict(Box<Error>),
    /// Nothing to publish to.
    #[error("this is no job of GitHub Actions: there is nothing to publish to")]
    NoJob,
    /// The system lets this process have too few files open.
    #[error(transparent)]
    TooFewFiles(#[from] TooFewFiles),
    /// The system refused something.
    #[error("{0}")]
    System(&'static str, #[source] std::io::Error),
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Malformed { problems, sources, .. } => Self::Config { problems, sources },
            other => Self::File(other),
        }
    }
}

impl From<ProposalError> for Error {
    fn from(error: ProposalError) -> Self {
        match error {
            ProposalError::Folder(error) => Self::Folder(error),
            other => Self::Proposal(other),
        }
    }
}

impl Error {
    /// 2 for what the user wrote, 1 for what the world refused.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::File(_)
            | Self::Config { .. }
            | Self::Protected(_)
            | Self::NoJob
            | Self::Baseline(_)
            | Self::Confirm(_) => 2,
            Self::Folder(error) => error.exit_status(),
            Self::Init(error) => error.exit_status(),
            Self::Proposal(error) => error.exit_status(),
            Self::Selftest(error) => error.exit_status(),
            Self::Relay(error) => error.exit_status(),
            Self::AfterVerdict(error) => error.exit_status(),
            Self::Target(_)
            | Self::Load(_)
            | Self::Result(_)
            | Self::Document(_)
            | Self::Output(_)
            | Self::Live(_)
            | Self::Demo(_)
            | Self::TooFewFiles(_)
            | Self::System(..) => 1,
        }
    }

    /// The folder of the run, where it got so far that there is something in it.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Target(error) => error.log().and_then(Path::parent),
            _ => None,
        }
    }

    /// The whole message: what happened, why, and what to do.
    pub fn report(&self, color: Color) -> String {
        if let Self::Config { problems, sources } = self {
            return render(problems, sources, color);
        }
        if let Self::Usage(text) = self {
            return text.clone();
        }
        if let Self::AfterVerdict(error) = self {
            return error.report(color);
        }
        // Most of these name something that comes from files of others.
        let shown = |text: String| match self {
            Self::Target(_) => text,
            _ => printable(&text),
        };
        let mut text = format!("error: {}", shown(self.to_string()));
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let reason = shown(error.to_string());
            if !text.contains(&reason) {
                text.push_str(": ");
                text.push_str(&reason);
            }
            cause = error.source();
        }
        if let Self::Folder(FolderError::Broken(defects)) = self {
            text.push_str(&defect::render(defects));
        }
        if let Some(hint) = self.hint() {
            text.push_str("\nhint: ");
            text.push_str(&hint);
        }
        text
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint().map(str::to_owned),
            Self::NoJob => {
                Some("GitHub sets `GITHUB_ACTIONS=true` there; elsewhere use `loadgate report`".into())
            }
            Self::Protected(_) => Some("start it with `--allow-protected` if you mean it".into()),
            Self::Target(error) => error.hint(),
            Self::Result(error) => error.hint().map(str::to_owned),
            Self::Folder(error) => error.hint().map(str::to_owned),
            Self::Proposal(error) => error.hint(),
            // It lists endpoints by names that come from files.
            Self::Baseline(error) => Some(printable(&error.hint())),
            Self::Confirm(error) => Some(error.hint().into()),
            Self::Init(error) => error.hint().map(str::to_owned),
            Self::Selftest(error) => Some(error.hint()),
            Self::Demo(error) => Some(error.hint().into()),
            Self::Relay(error) => error.hint(),
            Self::AfterVerdict(error) => error.hint(),
            Self::Live(error) => error.hint().map(str::to_owned),
            Self::TooFewFiles(error) => Some(error.hint().into()),
            Self::Usage(_)
            | Self::Config { .. }
            | Self::Load(_)
            | Self::Document(_)
            | Self::Output(_)
            | Self::System(..) => None,
        }
    }
}
