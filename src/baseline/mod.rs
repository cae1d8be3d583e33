//! What is remembered: runs of a scenario in an environment, and where a deliberate change began a new
//! epoch. Reads and writes the folder of a baseline; judges nothing.

pub mod bound;
pub mod defect;
pub mod document;
pub mod epoch;
mod file;
pub mod folder;
pub mod place;
pub mod prune;
pub mod run;

use std::collections::BTreeMap;

use epoch::Epoch;
use run::Run;

/// Everything remembered of one scenario in one environment. Keys are the names of the files without
/// `.json`: they begin with the time, so that they sort by it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// The runs, the oldest first.
    pub runs: BTreeMap<String, Run>,
    /// The deliberate changes, the oldest first.
    pub epochs: BTreeMap<String, Epoch>,
    /// Files that a later version wrote: kept, never used.
    pub unknown: Vec<String>,
}

impl Baseline {
    /// The name of the newest epoch; none before the first deliberate change.
    pub fn epoch(&self) -> Option<&str> {
        self.epochs.keys().next_back().map(String::as_str)
    }
}
