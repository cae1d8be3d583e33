//! A result that a stranger hands over, such as a job of a fork: read within limits that no honest run meets,
//! so that neither reading nor showing it costs much, and refused where it contradicts itself. Whether its
//! verdict follows from its numbers is the gate's to say; that the numbers are true, nobody can.

mod bounds;

use std::path::Path;

use thiserror::Error;

use super::file::{self, FileError, RESULT_FILE};
use super::schema::RunResult;

/// Why a stranger's result is not read.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// Beyond what a run writes, or no JSON.
    #[error("`{RESULT_FILE}` is nothing that a run writes")]
    Bounds(#[source] serde_json::Error),
    /// Not a result, or one that contradicts itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to tell.
    #[error("`{RESULT_FILE}` has no verdict")]
    NotJudged,
}

/// Reads a stranger's result. Fields that this version does not know are not looked at, here as elsewhere: a
/// fork may be ahead of its base, and what is not read does nothing.
pub fn read(bytes: &[u8]) -> Result<RunResult, ForeignError> {
    // First, for a list of a million nothings takes more memory than the text of it.
    bounds::check(bytes).map_err(ForeignError::Bounds)?;
    let mut result = file::parse(bytes, Path::new(RESULT_FILE))?;
    // They hold whatever somebody likes, until there is something for them to hold.
    (result.ab, result.capacity) = (None, None);
    if result.verdict.is_none() {
        return Err(ForeignError::NotJudged);
    }
    Ok(result)
}

#[cfg(test)]
mod tests;
