//! What is wrong with a file of a baseline: where, and what would be valid. All of them are collected; how
//! they are shown is not decided here.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::place::Place;
use crate::result::file::FileError;

/// The most files a folder may hold.
pub const MOST_FILES: usize = 10_000;

/// One thing wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The file.
    pub path: PathBuf,
    /// Where in it; none where the file as a whole is meant.
    pub place: Option<Place>,
    /// What is wrong, as the end of a sentence that begins with the file.
    pub what: String,
    /// What would be valid.
    pub valid: String,
    /// Who refused it.
    pub origin: Origin,
}

/// Who refused a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We did, for what it says.
    Content,
    /// The system.
    System,
}

impl Defect {
    /// A defect of a file as a whole.
    pub fn whole(path: &Path, what: impl Into<String>, valid: impl Into<String>) -> Self {
        let (what, valid) = (what.into(), valid.into());
        Self { path: path.to_owned(), place: None, what, valid, origin: Origin::Content }
    }

    /// A file that the system does not give.
    pub fn system(path: &Path, error: &io::Error) -> Self {
        let what = format!("cannot be read: {error}");
        Self { origin: Origin::System, ..Self::whole(path, what, "a file that can be read") }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }
}

/// Why a baseline could not be read or written.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than a baseline can have.
    #[error("`{}` holds more than {MOST_FILES} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Some files are broken: nothing can be said without knowing what they held.
    #[error("{} of the baseline cannot be used", problems(.0))]
    Broken(Vec<Defect>),
    /// The new file cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The document could not be made.
    #[error("cannot write a remembered run as JSON")]
    Serialise(#[from] serde_json::Error),
    /// What was to be remembered could not be read back.
    #[error("this cannot be remembered: {0}")]
    Absurd(String),
}

impl FolderError {
    /// 2 for what files say, 1 for what the system refused.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::TooMany { .. } | Self::Absurd(_) => 2,
            Self::Broken(defects) if defects.iter().any(|it| it.origin == Origin::Content) => 2,
            Self::Broken(_) | Self::Io { .. } | Self::Write(_) | Self::Serialise(_) => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broken(_) => Some(
                "take each file from a commit in which it was whole, `git checkout COMMIT -- FILE`, or delete it: \
                 every file stands for itself",
            ),
            Self::TooMany { .. } => {
                Some("is `baseline.dir` the right folder? a baseline holds a few dozen files")
            }
            Self::Io { .. } => Some("look at `baseline.dir` and who may read and write it"),
            Self::Write(_) => Some("look at `baseline.dir` and who may write it"),
            Self::Serialise(_) | Self::Absurd(_) => None,
        }
    }
}

fn problems(defects: &[Defect]) -> String {
    let mut files: Vec<&Path> = defects.iter().map(|defect| defect.path.as_path()).collect();
    files.dedup();
    if files.len() == 1 { "one file".to_owned() } else { format!("{} files", files.len()) }
}
