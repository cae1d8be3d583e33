//! The verdict as data: made by the gate, told by reports. Reasons are values; their text is made
//! where they are shown.

use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, Delta};
use crate::metric::{Metric, Unit};

use super::window::{CheckWindow, Unanswered};

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

impl Status {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::Passed, Self::Failed, Self::Inconclusive, Self::Invalid, Self::Interrupted];

    /// What machines call it, as in `result.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
            Self::Interrupted => "interrupted",
        }
    }
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
    /// An objective stopped the run early: what came after is not known.
    Aborted,
    /// A check has too few.
    Undecided,
    /// A comparison is too noisy to rule out a change that must not slip through.
    TooNoisy,
    /// The baseline has too few runs of this class of machine.
    BuildingBaseline,
    /// There are runs, and no gated number of this run could be compared with them.
    NothingCompared,
    /// There is no run to compare with.
    NoBaseline,
}

/// Something about the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Invalid: the workers of the generator stood still for too much of the steady phase.
    StoodStill {
        /// The share of it.
        stalled_share: f64,
        /// The most that is trusted.
        limit: f64,
    },
    /// A note: a second of the steady phase was mostly lost, for the generator stood still.
    LostSecond {
        /// Its start, since the start of the load.
        t_s: f64,
        /// The share of it.
        stalled_share: f64,
    },
    /// Invalid: the generator had no file descriptors or ports left.
    Exhausted {
        /// How often.
        count: u64,
    },
    /// A note: much was cut off at the end. What that leaves open, the checks say.
    Unfinished {
        /// Share of all requests.
        ratio: f64,
        /// The most that is trusted.
        limit: f64,
    },
    /// Invalid: the command that was measured ended by itself.
    TargetEnded,
    /// Never a pass: an objective stopped the run early.
    Aborted {
        /// When, since the start of the load.
        at_s: f64,
    },
    /// A note: there was nothing to judge by.
    NoObjective,
    /// Invalid: not one request of the run, or of its steady phase, succeeded.
    NothingSucceeded {
        /// How many failed there.
        failed: u64,
        /// Successes outside the steady phase; zero where there is none at all.
        elsewhere: u64,
    },
    /// Invalid: the service, or one of its endpoints, answered next to nothing for a large part of the steady phase, or
    /// until its end, while requests were in flight. Users who waited meanwhile did not make the load that was planned.
    NoAnswer {
        /// The endpoint; none where no other one was answered either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// When that began, since the start of the load.
        t_s: f64,
        /// How long it lasted.
        length_s: f64,
        /// How many requests are usually answered in that time.
        usual: u64,
    },
    /// Invalid: users that were a part of the load never got through `on_start`, and made no load.
    NeverReady {
        /// How many.
        users: u64,
        /// How many users began.
        of: u64,
    },
    /// Invalid: not one iteration of a task began, so that only `on_start` made requests, or nothing did.
    NoIteration {
        /// Iterations that were skipped, for the first condition of their task did not hold.
        skipped: u64,
    },
    /// A note: requests failed, and no objective that decides is about that.
    UnjudgedFailures {
        /// How many, in the whole run.
        failed: u64,
        /// How many ended at those endpoints.
        ended: u64,
        /// Whether error rates of severity `warn` are about all of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        only_warned: bool,
    },
}

impl Finding {
    /// Whether the run is invalid because of it.
    pub fn invalidates(&self) -> bool {
        !matches!(
            self,
            Self::Unfinished { .. }
                | Self::Aborted { .. }
                | Self::LostSecond { .. }
                | Self::NoObjective
                | Self::UnjudgedFailures { .. }
        )
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
    /// Of a time: what requests without an answer leave open; absent where all had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Unanswered>,
    /// Whether a time or a throughput is of the whole run, and not of the steady phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_run: bool,
    /// Where it must hold in every window: which of them the value is of, and how they came out.
    #[serde(default)]
    pub window: Option<CheckWindow>,
    /// Whether it stopped the load early, and when.
    #[serde(default)]
    pub aborted_at_s: Option<f64>,
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
    /// Whether nobody wrote it: it holds where the configuration says nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
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
    /// Undecided: requests timed out, and the true value may lie beyond the limit.
    TimedOut {
        /// How many timed out.
        timed_out: u64,
        /// How many failed otherwise.
        failed: u64,
    },
    /// Undecided: requests were cut off at the end, and the true value may lie beyond the limit.
    CutOff {
        /// How many.
        unfinished: u64,
    },
    /// Undecided: an earlier version wrote the result, which does not say in which windows requests had no answer.
    UnansweredNotStored {
        /// How many of the whole run had none.
        unanswered: u64,
    },
    /// Undecided: requests failed, and had they been answered slowly the limit would be broken.
    Failed {
        /// How many, none of them a timeout.
        failed: u64,
    },
    /// Undecided: the values of windows of this length are not in the result.
    NotStored {
        /// The length.
        length_s: u64,
    },
    /// Undecided: the steady phase holds no complete window.
    NoWindow {
        /// The length.
        length_s: u64,
        /// How long the steady phase was.
        steady_s: f64,
    },
    /// Invalid: never requested in the whole run.
    NeverHit,
    /// Invalid: nothing was recorded in the steady phase.
    NoSample,
    /// Invalid: it was requested in the run, and never in the steady phase.
    OutsideSteady {
        /// How many requests, or samples of a custom metric, ended elsewhere.
        ended: u64,
    },
    /// Invalid: the result does not hold the times of the whole run.
    TimesNotStored,
    /// Invalid: this is not measured of its scope.
    NotMeasured,
    /// It holds only without the arrivals that the generator was too late for, and would be broken if they had found
    /// no user in time, or had been slow. Invalid for an error rate, undecided for a time or a comparison.
    NotStarted {
        /// How many there were.
        count: u64,
    },
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
    /// Undecided breach: other processes left the machine so little that they explain it.
    MachineBusy {
        /// Share of its CPU that they used, in the steady phase.
        others: f64,
        /// What they used in the remembered runs, where there are any that say so.
        remembered: Option<f64>,
        /// What was left in a second in which they explain it.
        idle: f64,
        /// CPU used by all, as a multiple of that in the remembered runs.
        times_as_busy: Option<f64>,
    },
    /// Undecided breach: the processor was slower than in the remembered runs.
    MachineSlow {
        /// Its speed.
        speed: f64,
        /// That of the remembered runs.
        remembered: f64,
    },
    /// Undecided breach: a quota held loadgate back.
    MachineThrottled {
        /// Share of the periods in which it did.
        ratio: f64,
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
    /// Not comparable: no remembered run has this number, or too few of them do.
    NotRemembered,
}

impl Because {
    /// Whether the machine explains what is bad about a number.
    pub fn is_of_the_machine(self) -> bool {
        matches!(self, Self::MachineBusy { .. } | Self::MachineSlow { .. } | Self::MachineThrottled { .. })
    }
}
