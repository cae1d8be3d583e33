//! The comparison with the past as data: made by the gate, told by reports.

use serde::{Deserialize, Serialize};

use super::verdict::{Because, CheckScope, CheckUnit};

/// One comparison with the past. Ratios are of the base: 0.1 is 10 % more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// What it is about.
    pub scope: CheckScope,
    /// The endpoint or custom metric; null for all requests.
    pub endpoint: Option<String>,
    /// The compared number.
    pub metric: String,
    /// The unit of base and head; of missing messages and unexpected closes, a share.
    pub unit: CheckUnit,
    /// The baseline's: the median of its runs on this class of machine; of error rates, of all their
    /// requests.
    pub base: Option<f64>,
    /// This run's.
    pub head: Option<f64>,
    /// Head ÷ base − 1; of error rates and other shares, head − base.
    pub change: Option<f64>,
    /// Its one-sided 90 % bound from below.
    pub low: Option<f64>,
    /// Its one-sided 90 % bound from above, which decides a pass; of error rates, 95 %.
    pub high: Option<f64>,
    /// The change that is tolerated.
    pub budget: Option<f64>,
    /// The change that must not slip through: a pass has `high` below it.
    #[serde(default)]
    pub catch: Option<f64>,
    /// The smallest change that is found in four of five runs.
    pub min_detectable: Option<f64>,
    /// More runs until that is below `catch`; null where it is, or where no number of runs would do.
    #[serde(default)]
    pub runs_missing: Option<u64>,
    /// How far the centre has moved since the first runs of the epoch, in ratio.
    #[serde(default)]
    pub drift: Option<f64>,
    /// Runs of this class of machine and epoch.
    pub n: u64,
    /// Whether it can fail the job.
    pub gated: bool,
    /// Whether this run alone says that it got worse.
    #[serde(default)]
    pub candidate: bool,
    /// Whether a second run on another machine said the same; null where none looked.
    pub confirmed: Option<bool>,
    /// Whether `baseline.gate_on` names it, and it could not be compared.
    #[serde(default)]
    pub left_out: bool,
    /// How it came out.
    pub status: DeltaStatus,
    /// Why it is neither a pass nor a regression.
    #[serde(default)]
    pub because: Option<Because>,
}

/// How a comparison came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaStatus {
    /// Nothing to trust.
    Invalid,
    /// No change that matters.
    Pass,
    /// Worse.
    Regression,
    /// Better.
    Improved,
    /// Too noisy to say, or not confirmed yet.
    Inconclusive,
    /// Not compared: too few requests for this number, no memory of it, or a load that does not let it vary.
    NotComparable,
    /// Too few runs yet.
    Building,
}

/// What there was to compare with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// How far it went.
    pub state: ComparisonState,
    /// The class of this machine.
    pub cpu_class: String,
    /// The newest deliberate change.
    pub epoch: Option<String>,
    /// Runs of this plan on this class of machine, in the epoch of the number that has the fewest.
    pub runs: u64,
    /// Of these, so many are needed.
    pub needed: u64,
    /// The sessions that these runs were made in; null where no run says it, and where this one was made in theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Runs of this plan on all classes of machines.
    pub runs_in_all: u64,
    /// Runs of another plan, which say nothing about this one.
    pub other_plans: u64,
    /// Files of a later version, which were not used.
    pub unknown: u64,
    /// Runs of another baseline in the same folder, which were not used.
    #[serde(default)]
    pub foreign: u64,
    /// Gated numbers that were compared: they share the false-alarm rate. Before the run, those that have
    /// enough runs.
    pub checks: u64,
    /// Numbers that `baseline.gate_on` names and that were not compared; each delta says why.
    #[serde(default)]
    pub not_compared: u64,
    /// One minus that rate.
    pub confidence: f64,
    /// Whether a second job on another machine is to decide.
    pub confirm: bool,
}

/// How far a comparison went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonState {
    /// Everything that is gated was compared.
    Compared,
    /// Some of it, or nothing yet: the baseline is being built.
    Building,
    /// There are enough runs, and no gated number could be compared: too few requests, or a load that sets
    /// the pace.
    NothingCompared,
    /// There are runs, all of another plan.
    OtherPlan,
    /// There is no run at all.
    Missing,
    /// The run is partial, and compared with nothing.
    Partial,
}
