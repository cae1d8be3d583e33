//! What is remembered: runs of a scenario in an environment, and where a deliberate change began a new
//! epoch. Reads and writes the folder of a baseline; judges nothing.

pub mod bound;
pub mod defect;
pub mod document;
pub mod epoch;
pub mod file;
pub mod folder;
pub mod key;
pub mod place;
pub mod prune;
pub mod run;

use std::collections::{BTreeMap, BTreeSet};

use epoch::Epoch;
use file::Document;
use key::{Key, Owner};
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
    /// Runs of another baseline that lie in the same folder: kept, never used.
    pub foreign: BTreeMap<String, Key>,
    /// What lies in the folder that an earlier version named: used, and pruned only once it has moved on.
    pub earlier: BTreeSet<String>,
}

impl Baseline {
    /// Adds what a file of this name holds; what is there already stays as it is.
    pub fn insert(&mut self, name: &str, document: Document) {
        match document {
            Document::Run(run) => drop(self.runs.entry(name.to_owned()).or_insert(*run)),
            Document::Epoch(epoch) => drop(self.epochs.entry(name.to_owned()).or_insert(epoch)),
            Document::Unknown if self.unknown.iter().any(|known| known == name) => {}
            Document::Unknown => self.unknown.push(name.to_owned()),
        }
    }

    /// Takes away what a file of this name holds.
    pub fn remove(&mut self, name: &str) {
        self.runs.remove(name);
        self.epochs.remove(name);
        self.unknown.retain(|known| known != name);
        self.foreign.remove(name);
        self.earlier.remove(name);
    }

    /// Sets aside the runs of every other baseline.
    pub fn keep_only(&mut self, key: &Key) {
        self.runs.retain(|name, run| match (key.owner(run), &run.scenario, &run.environment) {
            (Owner::Other, Some(scenario), Some(environment)) => {
                self.foreign.insert(name.clone(), Key::new(scenario, environment));
                false
            }
            _ => true,
        });
    }

    /// The names of all files.
    pub fn names(&self) -> BTreeSet<&str> {
        let documents = self.runs.keys().chain(self.epochs.keys());
        documents.chain(&self.unknown).chain(self.foreign.keys()).map(String::as_str).collect()
    }

    /// The name of the newest epoch; none before the first deliberate change.
    pub fn epoch(&self) -> Option<&str> {
        self.epochs.keys().next_back().map(String::as_str)
    }
}
