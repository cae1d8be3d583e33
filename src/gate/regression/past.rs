//! The comparable runs of a baseline as numbers: those of the same plan, each in the group of its class of
//! machine and of the newest deliberate change that its number has seen.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::metric::Metric;

use super::panel::{Tolerance, Track};
use super::subject::Subject;

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
    /// The session of the run that is compared with them.
    session: Option<&'a str>,
    runs: Vec<&'a Run>,
}

/// How many runs a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// In the group of this class and epoch.
    pub here: u64,
    /// Of these, so many are needed.
    pub needed: u64,
    /// How many sessions they come from, each of which says as much about machines as one run; none where no run
    /// says it, and where the run that is compared is of their session too.
    pub sessions: Option<u64>,
}

impl Standing {
    /// Whether it can be judged: 5 runs of the group, or 3 with 12 in all.
    pub fn decides(self) -> bool {
        self.here >= self.needed
    }

    fn new(here: u64, in_all: u64) -> Self {
        let needed = if in_all >= ENOUGH_IN_ALL { FEWEST } else { FEWEST_ALONE };
        Self { here, needed, sessions: None }
    }
}

impl<'a> Past<'a> {
    /// The runs of this plan; `class` is that of the machine they are compared with.
    pub fn of(baseline: &'a Baseline, plan_digest: &str, class: &'a str) -> Self {
        let runs = baseline.runs.values().filter(|run| run.plan_digest == plan_digest).collect();
        Self { baseline, class, session: None, runs }
    }

    /// The same, compared with a run of this session.
    #[must_use]
    pub fn beside(self, session: Option<&'a str>) -> Self {
        Self { session, ..self }
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

    /// Every custom metric that any run has.
    pub fn custom_metrics(&self) -> BTreeSet<&'a str> {
        self.runs.iter().flat_map(|run| run.custom_metrics.keys()).map(String::as_str).collect()
    }

    /// The runs of this class that have seen the newest change of this number, the oldest first.
    pub fn here(&self, metric: Metric, subject: Subject) -> Vec<&'a Run> {
        self.here_by_session(metric, subject).into_iter().map(|(_, run)| run).collect()
    }

    /// The same, each with its session.
    pub fn here_by_session(&self, metric: Metric, subject: Subject) -> Vec<(usize, &'a Run)> {
        let (groups, here) = self.groups(metric, subject);
        let runs = self.sessions().into_iter().zip(self.runs()).zip(groups);
        runs.filter(|(_, group)| *group == here).map(|(run, _)| run).collect()
    }

    /// How many runs a number has, with what it needs.
    pub fn standing(&self, metric: Metric, subject: Subject) -> Standing {
        self.standing_of(metric, subject, |_| true)
    }

    /// How many runs of this class there are in all epochs of all requests: what a class has as a whole.
    pub fn standing_of_plan(&self) -> Standing {
        self.standing(Metric::ErrorRate, Subject::Total)
    }

    /// How many runs say something that only some of them say.
    pub fn standing_of(&self, metric: Metric, subject: Subject, says: impl Fn(&Run) -> bool) -> Standing {
        let here = self.here_by_session(metric, subject).into_iter().filter(|(_, run)| says(run));
        let (sessions, here): (BTreeSet<_>, Vec<_>) = here.unzip();
        let in_all = self.runs.iter().filter(|run| says(run)).count();
        let told = !self.is_beside_itself() && here.iter().any(|run| run.session.is_some());
        let sessions = told.then_some(sessions.len() as u64);
        Standing { sessions, ..Standing::new(here.len() as u64, in_all as u64) }
    }

    /// A time, or a throughput, in every run that had enough samples for it.
    pub fn track(&self, metric: Metric, subject: Subject, tolerance: Tolerance) -> Track {
        let (group, here) = self.groups(metric, subject);
        let past = self.runs.iter().map(|run| subject.y(metric, run)).collect();
        // A `group` of requests is not independent of them: the mean of all is one of endpoints.
        let in_mean = !matches!(subject, Subject::Custom(_));
        Track { past, group, session: self.sessions(), here, in_mean, tolerance }
    }

    /// The group of each run in the finest division: class of machine and every epoch.
    pub fn fine(&self) -> Vec<usize> {
        numbered(self.runs.iter().map(|run| (run.cpu_class.as_str(), run.epoch.as_deref())))
    }

    /// The session of each run, within its group in the finest division. A run that does not say it is one by itself.
    /// So is each where they and the run that is compared are all of one session: then how runs differ in a session
    /// is what is asked for.
    pub fn sessions(&self) -> Vec<usize> {
        let beside_itself = self.is_beside_itself();
        let shared =
            |run: &'a Run| run.session.as_deref().filter(|_| !beside_itself || run.cpu_class != self.class);
        numbered(self.runs().enumerate().map(|(index, run)| {
            let alone = shared(run).is_none().then_some(index);
            (run.cpu_class.as_str(), run.epoch.as_deref(), shared(run), alone)
        }))
    }

    /// Whether every run of this class is of the session of the run that is compared.
    fn is_beside_itself(&self) -> bool {
        let mut here = self.runs().filter(|run| run.cpu_class == self.class);
        self.session.is_some() && here.all(|run| run.session.as_deref() == self.session)
    }

    /// The group of each run for one number, and that of a run made now.
    fn groups(&self, metric: Metric, subject: Subject) -> (Vec<usize>, usize) {
        let changes: Vec<&str> = self
            .baseline
            .epochs
            .iter()
            .filter(|(_, epoch)| epoch.covers(metric, subject.name()))
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
