//! What a run is judged by: objectives and budgets. Resolvable without secrets or data files, so that
//! a stored result can be judged again anywhere.

use std::path::PathBuf;
use std::time::Duration;

use crate::metric::{Metric, Percentile, Unit};
use crate::units::Ratio;

pub use super::resolve::rules as resolve;

/// The share of all requests that may fail where nothing is said. Without it failing would be free: times are of
/// requests that were answered, and a run in which nearly nothing was would pass by them.
pub const ERROR_RATE: Ratio = Ratio(0.01);

/// The tolerated change of a time, and of a share in points, where nothing is said.
const BUDGET: (Ratio, Ratio) = (Ratio(0.1), Ratio(0.005));

/// The change that must not slip through, in budgets, where nothing is said.
const CATCH: f64 = 3.0;

/// Everything the gate needs beside the result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// The SLA, in the order written.
    pub objectives: Vec<Objective>,
    /// How to compare with the past; without it nothing is compared.
    pub baseline: Option<BaselineRules>,
}

impl Rules {
    /// Whether one time of a custom metric is longer than what an objective allows its times to be.
    pub fn is_too_long(&self, metric: &str, time: Duration) -> bool {
        let milliseconds = time.as_secs_f64() * 1e3;
        self.objectives.iter().any(|it| {
            matches!(&it.scope, Scope::Metric(name) if name == metric)
                && it.metric.unit() == Unit::Milliseconds
                && milliseconds > it.limit
        })
    }
}

/// One line of the SLA: the good condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// What it is about.
    pub scope: Scope,
    /// The number.
    pub metric: Metric,
    /// In the metric's unit: below it, for a throughput above it, is good.
    pub limit: f64,
    /// What a breach does.
    pub severity: Severity,
    /// What part of the run a time or a throughput is of. What counts failures is of the whole run, whatever stands
    /// here.
    pub over: Over,
    /// Must hold in every window of this length.
    pub window: Option<Duration>,
    /// Stops the run when broken, not before this.
    pub abort_after: Option<Duration>,
    /// Said when broken.
    pub message: Option<String>,
    /// Whether this scenario makes it at all.
    pub applies: Applies,
    /// Who says so.
    pub origin: Origin,
    /// Line in the configuration.
    pub line: Option<usize>,
}

/// What an objective is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All requests.
    Total,
    /// One endpoint, by name.
    Endpoint(String),
    /// A custom metric, by name.
    Metric(String),
}

/// The part of a run that an objective looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// The steady phase.
    #[default]
    Steady,
    /// The whole run, since the configuration says so.
    WholeRun,
    /// The whole run, since the configuration says nothing else and only `on_start` makes what is judged: users start
    /// during the ramp, so the steady phase has little of it, or nothing.
    WholeRunOfOnStart,
}

impl Over {
    /// Whether requests of the ramp count as well.
    pub fn is_whole_run(self) -> bool {
        self != Self::Steady
    }
}

/// Whether the scenario that runs has what an objective is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// It does.
    Here,
    /// Another scenario does.
    Elsewhere,
}

/// Who says that an objective must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The configuration.
    #[default]
    Written,
    /// Nobody: it holds where the configuration says nothing else.
    Default,
}

/// What a broken objective does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Fails the run.
    Fail,
    /// Is shown.
    Warn,
}

/// How a run is compared with the baseline; the default is what holds where nothing is said.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineRules {
    /// The folder.
    pub dir: PathBuf,
    /// The gated metrics.
    pub gate_on: Vec<Metric>,
    /// Tolerated change, per metric; of shares such as the error rate in points.
    pub budget: Vec<(Metric, Ratio)>,
    /// The change that must not slip through; where nothing is said, three budgets.
    pub catch: Option<Ratio>,
    /// Widens both for tiny times.
    pub min_change: Duration,
    /// One minus the false-alarm rate of one comparison.
    pub confidence: Ratio,
    /// Who decides a regression.
    pub confirmation: Confirmation,
    /// Runs kept per CPU class and epoch.
    pub keep_runs: usize,
    /// What an inconclusive verdict does to the exit status.
    pub on_inconclusive: Policy,
    /// What a missing baseline does to the exit status.
    pub on_missing: Policy,
}

impl Default for BaselineRules {
    fn default() -> Self {
        use Percentile::{P50, P95};
        Self {
            dir: "baselines".into(),
            gate_on: vec![Metric::Response(P50), Metric::Response(P95), Metric::ErrorRate],
            budget: Vec::new(),
            catch: None,
            min_change: Duration::from_micros(200),
            confidence: Ratio(0.95),
            confirmation: Confirmation::Off,
            keep_runs: 20,
            on_inconclusive: Policy::Pass,
            on_missing: Policy::Pass,
        }
    }
}

impl BaselineRules {
    /// The tolerated change of a metric, gated or only shown; of a share in points.
    pub fn budget_of(&self, metric: Metric) -> Ratio {
        let said = self.budget.iter().find(|(of, _)| *of == metric);
        let default = if metric.is_share() { BUDGET.1 } else { BUDGET.0 };
        said.map_or(default, |(_, budget)| *budget)
    }

    /// The change of a metric that must not slip through.
    pub fn catch_of(&self, metric: Metric) -> Ratio {
        self.catch.unwrap_or(Ratio(CATCH * self.budget_of(metric).0))
    }
}

/// Who decides a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// This run.
    Off,
    /// A second job on a fresh machine.
    Required,
}

/// What a state that is no failure does to the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Exit 0.
    #[default]
    Pass,
    /// Exit 5.
    Fail,
}
