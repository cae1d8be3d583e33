//! The verdict as data: made by the gate, told by reports. Reasons are values; their text is made
//! where they are shown.

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Unit};

/// How a run was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The true state.
    pub status: Status,
    /// Everything that speaks against a pass, the heaviest first.
    pub reasons: Vec<Reason>,
    /// What the process returns: the state under the configured policies.
    pub exit_status: u8,
    /// What was found about the run as a whole.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Every objective, in the order written.
    pub checks: Vec<Check>,
    /// Every comparison with the past.
    pub deltas: Vec<Delta>,
    /// What there was to compare with; null where nothing was to be compared.
    #[serde(default)]
    pub comparison: Option<Comparison>,
}

/// The headline of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every objective holds.
    Passed,
    /// An objective is broken, or something got slower.
    Failed,
    /// Too little to decide.
    Inconclusive,
    /// The numbers cannot be trusted.
    Invalid,
    /// Stopped from outside.
    Interrupted,
}

/// One thing that speaks against a pass, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The run was stopped from outside.
    Interrupted,
    /// The run as a whole says nothing.
    InvalidRun,
    /// An objective is broken.
    Sla,
    /// Something got slower.
    Regression,
    /// A check has no numbers to trust.
    InvalidCheck,
    /// Something got slower here, and a second machine has not looked yet.
    Unconfirmed,
    /// A check has too few.
    Undecided,
    /// A comparison is too noisy to rule out a change that must not slip through.
    TooNoisy,
    /// The baseline has too few runs of this class of machine.
    BuildingBaseline,
    /// There is no run to compare with.
    NoBaseline,
}

/// Something about the run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// Invalid: nothing ended in the steady phase.
    NoSteadyRequest {
        /// How long that phase was.
        steady_s: f64,
    },
    /// Invalid: the generator had no CPU left.
    GeneratorCpu {
        /// Share of its cores that was busy.
        utilisation: f64,
        /// The most that is trusted.
        limit: f64,
    },
    /// Invalid: the generator started too little of what was due.
    BehindPlan {
        /// Share that was started.
        achieved_ratio: f64,
        /// The least that is trusted.
        limit: f64,
    },
    /// Invalid: the generator had no file descriptors or ports left.
    Exhausted {
        /// How often.
        count: u64,
    },
    /// Percentiles are undecided: too much was cut off at the end.
    Unfinished {
        /// Share of all requests.
        ratio: f64,
        /// The most that is trusted.
        limit: f64,
    },
    /// Invalid: the command that was measured ended by itself.
    TargetEnded,
    /// A note: there was nothing to judge by.
    NoObjective,
}

impl Finding {
    /// Whether the run is invalid because of it.
    pub fn invalidates(self) -> bool {
        !matches!(self, Self::Unfinished { .. } | Self::NoObjective)
    }
}

/// One objective, evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What it is about.
    pub scope: CheckScope,
    /// The name of the endpoint or custom metric; null for all requests.
    pub endpoint: Option<String>,
    /// The judged number.
    pub metric: String,
    /// The unit of limit and value.
    pub unit: CheckUnit,
    /// Good up to and including it; for a throughput, from it on.
    pub limit: f64,
    /// What was measured; null without a sample.
    pub value: Option<f64>,
    /// How many samples that is of.
    pub n: u64,
    /// What a breach does.
    pub severity: CheckSeverity,
    /// How it came out.
    pub status: CheckStatus,
    /// Why it is neither a pass nor a fail.
    #[serde(default)]
    pub because: Option<Because>,
    /// The user's words for a breach.
    #[serde(default)]
    pub message: Option<String>,
    /// Line in the configuration.
    pub line: Option<usize>,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckScope {
    /// All requests.
    Total,
    /// One endpoint.
    Endpoint,
    /// A custom metric.
    Metric,
}

/// The unit of a check's limit and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckUnit {
    /// Milliseconds.
    Ms,
    /// A share from 0 to 1.
    Ratio,
    /// Events per second.
    PerSecond,
    /// A plain count.
    Count,
}

impl From<Metric> for CheckUnit {
    fn from(metric: Metric) -> Self {
        match metric.unit() {
            Unit::Milliseconds => Self::Ms,
            Unit::Ratio => Self::Ratio,
            Unit::PerSecond => Self::PerSecond,
            Unit::Count => Self::Count,
        }
    }
}

/// What a broken check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSeverity {
    /// Fails the run.
    Fail,
    /// Is shown.
    Warn,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The objective holds.
    Pass,
    /// It is broken.
    Fail,
    /// Too little to say.
    Undecided,
    /// Nothing to say, or nothing to trust.
    Invalid,
    /// This scenario does not make it.
    NotApplicable,
}

/// Why a check neither passed nor failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Because {
    /// Undecided: this percentile needs more requests.
    TooFew {
        /// The fewest that say anything.
        needed: u64,
    },
    /// Undecided: too much was cut off at the end.
    Unfinished {
        /// Share of all requests.
        ratio: f64,
    },
    /// Invalid: never requested in the whole run.
    NeverHit,
    /// Invalid: nothing was recorded in the steady phase.
    NoSample,
    /// Invalid: this is not measured of its scope.
    NotMeasured,
    /// Invalid breach: the generator itself was late.
    GeneratorLate {
        /// How late, p99.
        lag_ms: f64,
        /// The most that is trusted here.
        limit_ms: f64,
    },
    /// Invalid breach: a hypervisor took the machine away.
    Steal {
        /// Share of its time.
        ratio: f64,
        /// The most that is trusted.
        limit: f64,
    },
    /// Not applicable: another scenario makes it.
    OtherScenario,
    /// Building: the baseline has too few runs of this class of machine and epoch.
    Building {
        /// What it has.
        runs: u64,
        /// What it needs.
        needed: u64,
    },
    /// Inconclusive: a change that must not slip through cannot be ruled out.
    AboveCatch {
        /// What can be ruled out: the 90 % bound, of error rates 95 %.
        bound: f64,
        /// What would have to be.
        catch: f64,
    },
    /// Inconclusive: it got worse here, and a second job on another machine decides.
    Unconfirmed,
    /// Inconclusive: it got worse in this second job, and had not in the first.
    NotSeenBefore,
    /// Inconclusive: requested far more rarely than in the baseline.
    Rarer {
        /// How often it was.
        n: u64,
        /// What is usual.
        usual: u64,
    },
    /// Not comparable: the load sets the pace, not the service.
    Paced,
}

/// One comparison with the past. Ratios are of the base: 0.1 is 10 % more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// What it is about.
    pub scope: CheckScope,
    /// The endpoint; null for all requests.
    pub endpoint: Option<String>,
    /// The compared number.
    pub metric: String,
    /// The unit of base and head.
    pub unit: CheckUnit,
    /// The baseline's: the median of its runs on this class of machine; of error rates, of all their
    /// requests.
    pub base: Option<f64>,
    /// This run's.
    pub head: Option<f64>,
    /// Head ÷ base − 1; of error rates, head − base.
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
    /// Not compared: too few requests for this number, or a load that does not let it vary.
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
    /// Runs of this plan on all classes of machines.
    pub runs_in_all: u64,
    /// Runs of another plan, which say nothing about this one.
    pub other_plans: u64,
    /// Files of a later version, which were not used.
    pub unknown: u64,
    /// Gated comparisons: the false-alarm rate is shared among them.
    pub checks: u64,
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
    /// There are runs, all of another plan.
    OtherPlan,
    /// There is no run at all.
    Missing,
    /// The run is partial, and compared with nothing.
    Partial,
}
