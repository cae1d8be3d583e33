//! The comparable runs of a baseline as numbers: those of the same plan, each in the group of its class of
//! machine and of the newest deliberate change that its number has seen.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::metric::{Metric, Percentile};

use super::panel::{Tolerance, Track};

/// A group of one class can be judged with so many runs, where other groups tell the spread.
const FEWEST: u64 = 3;
/// Without them it needs so many.
pub const FEWEST_ALONE: u64 = 5;
/// So many runs in all groups tell the spread.
const ENOUGH_IN_ALL: u64 = 12;

/// Runs of one plan, seen from one class of machine.
#[derive(Debug, Clone)]
pub struct Past<'a> {
    baseline: &'a Baseline,
    class: &'a str,
    runs: Vec<&'a Run>,
}

/// How many runs a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// In the group of this class and epoch.
    pub here: u64,
    /// Of these, so many are needed.
    pub needed: u64,
}

impl Standing {
    /// Whether it can be judged: 5 runs of the group, or 3 with 12 in all.
    pub fn decides(self) -> bool {
        self.here >= self.needed
    }

    fn new(here: u64, in_all: u64) -> Self {
        let needed = if in_all >= ENOUGH_IN_ALL { FEWEST } else { FEWEST_ALONE };
        Self { here, needed }
    }
}

impl<'a> Past<'a> {
    /// The runs of this plan; `class` is that of the machine they are compared with.
    pub fn of(baseline: &'a Baseline, plan_digest: &str, class: &'a str) -> Self {
        let runs = baseline.runs.values().filter(|run| run.plan_digest == plan_digest).collect();
        Self { baseline, class, runs }
    }

    /// The class of machines it is seen from.
    pub fn class(&self) -> &'a str {
        self.class
    }

    /// Runs on all classes of machines.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, the oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().copied()
    }

    /// Every endpoint that any run has.
    pub fn endpoints(&self) -> BTreeSet<&'a str> {
        self.runs.iter().flat_map(|run| run.metrics.keys()).map(String::as_str).collect()
    }

    /// The runs of this class that have seen the newest change of this number, the oldest first.
    pub fn here(&self, metric: Metric, endpoint: Option<&str>) -> Vec<&'a Run> {
        let (groups, here) = self.groups(metric, endpoint);
        self.runs.iter().zip(groups).filter(|(_, group)| *group == here).map(|(run, _)| *run).collect()
    }

    /// How many runs a number has, with what it needs.
    pub fn standing(&self, metric: Metric, endpoint: Option<&str>) -> Standing {
        Standing::new(self.here(metric, endpoint).len() as u64, self.runs.len() as u64)
    }

    /// A percentile of an endpoint in every run that had enough requests for it.
    pub fn percentile(&self, percentile: Percentile, endpoint: &str, tolerance: Tolerance) -> Track {
        let value = |run: &Run| {
            let numbers = run.metrics.get(endpoint).filter(|numbers| numbers.n >= percentile.enough())?;
            numbers.percentile_ms(percentile).map(f64::ln)
        };
        self.track((Metric::Response(percentile), Some(endpoint)), tolerance, value)
    }

    /// The throughput of every run that had any: less is worse.
    pub fn throughput(&self, tolerance: Tolerance) -> Track {
        let value = |run: &Run| Some(-run.requests_per_second.ln()).filter(|y| y.is_finite());
        self.track((Metric::Throughput, None), tolerance, value)
    }

    /// The group of each run in the finest division: class of machine and every epoch.
    pub fn fine(&self) -> Vec<usize> {
        numbered(self.runs.iter().map(|run| (run.cpu_class.as_str(), run.epoch.as_deref())))
    }

    fn track(
        &self,
        (metric, endpoint): (Metric, Option<&str>),
        tolerance: Tolerance,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Track {
        let (group, here) = self.groups(metric, endpoint);
        Track { past: self.runs.iter().map(|run| value(run)).collect(), group, here, tolerance }
    }

    /// The group of each run for one number, and that of a run made now.
    fn groups(&self, metric: Metric, endpoint: Option<&str>) -> (Vec<usize>, usize) {
        let changes: Vec<&str> = self
            .baseline
            .epochs
            .iter()
            .filter(|(_, epoch)| epoch.covers(metric, endpoint))
            .map(|(name, _)| name.as_str())
            .collect();
        // The names of epochs sort by their time.
        let seen = |epoch: Option<&str>| {
            epoch.and_then(|epoch| changes.iter().rev().find(|change| **change <= epoch).copied())
        };
        let now = (self.class, changes.last().copied());
        let of_runs = self.runs.iter().map(|run| (run.cpu_class.as_str(), seen(run.epoch.as_deref())));
        let mut groups = numbered(of_runs.chain([now]));
        let here = groups.pop().unwrap_or(0);
        (groups, here)
    }
}

impl Track {
    /// How many runs it has values of.
    pub fn standing(&self) -> Standing {
        let in_all = self.past.iter().flatten().count();
        Standing::new(self.values_here().len() as u64, in_all as u64)
    }
}

/// Equal keys get equal numbers, from 0 in the order they appear.
fn numbered<K: Eq + Hash>(keys: impl Iterator<Item = K>) -> Vec<usize> {
    let mut known: HashMap<K, usize> = HashMap::new();
    keys.map(|key| {
        let next = known.len();
        *known.entry(key).or_insert(next)
    })
    .collect()
}
