//! What is wrong with what was asked for.

use std::path::PathBuf;

use thiserror::Error;

use crate::baseline::bound::LONGEST_REASON;
use crate::config::problem::suggestion;

/// Why nothing can be remembered, accepted or listed. All of it is for the user to put right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The configuration compares nothing.
    #[error("the configuration has no `baseline`: nothing is remembered or compared")]
    NotConfigured,
    /// No run was made here yet.
    #[error("there is no newest run: `{}` leads nowhere", .0.display())]
    NoLatest(PathBuf),
    /// Without a run there is no old normal.
    #[error("there is nothing to accept: no run of `{0}` is remembered")]
    NothingRemembered(String),
    /// A metric that is not remembered.
    #[error("unknown metric `{typed}`")]
    UnknownMetric {
        /// What was typed.
        typed: String,
        /// What would be valid.
        known: String,
    },
    /// An endpoint that nothing is known of.
    #[error("unknown endpoint `{typed}`")]
    UnknownEndpoint {
        /// What was typed.
        typed: String,
        /// What would be valid.
        known: String,
    },
    /// A scenario or environment that there is not.
    #[error("there is no `{typed}` among the {list}")]
    UnknownName {
        /// Which list.
        list: String,
        /// What was typed.
        typed: String,
        /// What would be valid.
        known: String,
    },
    /// No reason.
    #[error("the reason is empty")]
    NoReason,
    /// A reason like a book.
    #[error("the reason has {0} characters, at most {LONGEST_REASON} are kept")]
    LongReason(usize),
    /// A pull request and a commit at once.
    #[error("`--pull-request` and `--commit` exclude each other")]
    TwoWays,
    /// A text that is not one line.
    #[error("`--{flag}` holds a control character")]
    Control {
        /// The flag.
        flag: &'static str,
    },
}

impl Error {
    /// A scenario or environment that there is not, with those there are.
    pub fn unknown(list: &str, typed: &str, all: &[&str]) -> Self {
        let known = suggestion(typed, all.iter().copied());
        Self::UnknownName { list: list.to_owned(), typed: typed.to_owned(), known }
    }

    /// The remedy.
    pub fn hint(&self) -> String {
        match self {
            Self::NotConfigured => "add `baseline: {budget: 10%}` to the configuration".into(),
            Self::NoLatest(_) => "make one with `loadgate run`, name a run folder, or use `--runs N`".into(),
            Self::NothingRemembered(_) => "remember runs with `loadgate baseline update --runs 5`, and later of other jobs too, one a night".into(),
            Self::UnknownMetric { known, .. }
            | Self::UnknownEndpoint { known, .. }
            | Self::UnknownName { known, .. } => known.clone(),
            Self::NoReason | Self::LongReason(_) => {
                "say in a sentence why it has a new normal: the next reader will ask".into()
            }
            Self::TwoWays => "use one of them; each is also set by a variable, `LOADGATE_PULL_REQUEST` and \
                              `LOADGATE_COMMIT`"
                .into(),
            Self::Control { .. } => "write it on one line, in plain characters".into(),
        }
    }
}
