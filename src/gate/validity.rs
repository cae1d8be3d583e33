//! Whether the numbers of a run can be trusted at all: was there anything to judge, and was it the
//! service or the generator that set the pace?

use crate::metric::Metric;
use crate::plan::rules::Scope;
use crate::result::endpoint::ended;
use crate::result::schema::{Generator, NeverReady, RunResult, Task};
use crate::result::verdict::{Because, Finding};

use super::decision::{CutOff, percentile};
use super::{silence, times};

/// The most of its cores that a generator may need.
pub const MOST_CPU: f64 = 0.9;
/// The least of the due iterations that must have been started.
pub const LEAST_ACHIEVED: f64 = 0.98;
/// The most of the steady phase in which the generator may stand still: what it may leave out of a schedule.
pub const MOST_STALLED: f64 = 1.0 - LEAST_ACHIEVED;
/// Less than this is one hiccup of a machine, whatever share of a short run it is.
const LEAST_STALLED_S: f64 = 0.1;
/// A second of which more than this is lost is told by itself.
pub const MOST_OF_A_SECOND: f64 = 0.5;
/// The most that a hypervisor may take, in failing checks of times.
pub const MOST_STEAL: f64 = 0.05;
/// The most that may be cut off at the end.
pub const MOST_UNFINISHED: f64 = 0.01;
/// A schedule lag below this never matters.
const LAG_FLOOR_MS: f64 = 5.0;
/// Nor one below this share of the judged p99.
const LAG_SHARE: f64 = 0.1;
/// The quantile of lateness that is known.
const LATEST: f64 = 0.99;
/// A request may be sent late, and its response read late.
const TIMES_LATE: f64 = 2.0;

/// What is to be said about the run as a whole.
pub fn findings(result: &RunResult) -> Vec<Finding> {
    let found = |holds: bool, finding: Finding| holds.then_some(finding);
    let generator = &result.generator;
    let steady = ended(result.totals.ok, &result.totals.failed);
    // A run that was stopped in its ramp has an objective that says why.
    let aborted = result.aborted.as_ref().map(|aborted| aborted.at_s);
    let most_stalled = if result.steady_s > 0.0 {
        MOST_STALLED.max(LEAST_STALLED_S / result.steady_s)
    } else {
        MOST_STALLED
    };
    let never_ready = result.whole_run.never_ready.unwrap_or(NeverReady { users: 0, of: 0 });
    let skipped = skipped_alone(&result.tasks);
    [
        found(result.target_ended, Finding::TargetEnded),
        found(
            !result.measured_steadily() && aborted.is_none(),
            Finding::NoSteadyRequest { steady_s: result.steady_s },
        ),
        found(
            result.measured_steadily() && !result.answered_steadily() && aborted.is_none(),
            Finding::NothingSucceeded { failed: steady, elsewhere: result.whole_run.ok },
        ),
        found(
            never_ready.users as f64 > (1.0 - LEAST_ACHIEVED) * never_ready.of as f64,
            Finding::NeverReady { users: never_ready.users, of: never_ready.of },
        ),
        skipped.filter(|_| aborted.is_none()).map(|skipped| Finding::NoIteration { skipped }),
        found(
            generator.cpu_utilisation > MOST_CPU,
            Finding::GeneratorCpu { utilisation: generator.cpu_utilisation, limit: MOST_CPU },
        ),
        found(
            generator.achieved_ratio < LEAST_ACHIEVED,
            Finding::BehindPlan { achieved_ratio: generator.achieved_ratio, limit: LEAST_ACHIEVED },
        ),
        found(
            generator.stalled_share > most_stalled,
            Finding::StoodStill { stalled_share: generator.stalled_share, limit: most_stalled },
        ),
        lost_second(generator),
        found(generator.exhausted > 0, Finding::Exhausted { count: generator.exhausted }),
        silence::longest(result).filter(|_| aborted.is_none()),
        found(
            unfinished_ratio(result) > MOST_UNFINISHED,
            Finding::Unfinished { ratio: unfinished_ratio(result), limit: MOST_UNFINISHED },
        ),
        aborted.map(|at_s| Finding::Aborted { at_s }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where no iteration of any task began, how many were skipped. A load that is made of `on_start` alone has no task.
/// Earlier versions did not count iterations that were cut off at the end: without `on_start`, what was measured was
/// measured by iterations.
fn skipped_alone(tasks: &[Task]) -> Option<u64> {
    let iterated = || tasks.iter().filter(|task| !task.on_start);
    let none = iterated().next().is_some() && iterated().all(|task| task.iterations == 0);
    let skipped = iterated().fold(0, |sum: u64, task| sum.saturating_add(task.skipped));
    (none && (skipped > 0 || tasks.iter().any(|task| task.on_start))).then_some(skipped)
}

/// A second that the generator mostly lost.
fn lost_second(generator: &Generator) -> Option<Finding> {
    let worst = generator.worst_second.filter(|worst| worst.stalled_share > MOST_OF_A_SECOND)?;
    Some(Finding::LostSecond { t_s: worst.t_s, stalled_share: worst.stalled_share })
}

/// What was cut off at the end and is not among the times: all of it, where an earlier version wrote the result.
pub fn unplaced(result: &RunResult) -> CutOff {
    let placed = times::never_ended(&Scope::Total, result).unplaced == 0;
    if placed { CutOff::default() } else { cut_off(result) }
}

/// What was cut off at the end.
fn cut_off(result: &RunResult) -> CutOff {
    CutOff { requests: result.whole_run.unfinished, ratio: unfinished_ratio(result) }
}

/// Unfinished requests as a share of all.
pub fn unfinished_ratio(result: &RunResult) -> f64 {
    let unfinished = result.whole_run.unfinished;
    let all = ended(result.whole_run.ok, &result.whole_run.failed).saturating_add(unfinished);
    if all == 0 { 0.0 } else { unfinished as f64 / all as f64 }
}

/// A number that is worse than it may be, as far as the generator's lateness can have a say in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess {
    /// How much longer than allowed a time is, in milliseconds.
    pub ms: f64,
    /// The p99 of the times that it is a number of, in milliseconds.
    pub p99_ms: f64,
    /// Which of the requests make the number.
    pub made_by: MadeBy,
}

/// Which requests make a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// So many that the latest hundredth of all starts has no say in it, or all of them, as a mean.
    Many,
    /// A few, each of which may be the latest of all: a maximum, a percentile from p99 on, a window.
    Few,
}

impl MadeBy {
    /// What makes a number of a whole run.
    pub fn of(metric: Metric) -> Self {
        let many = match percentile(metric) {
            Some(percentile) => percentile.quantile() < LATEST,
            None => metric == Metric::Mean,
        };
        if many { Self::Many } else { Self::Few }
    }
}

/// Why a number that is worse than it may be may be the generator's own doing. A late schedule, late wake-ups and a
/// stolen CPU only ever make times longer, so a passing check needs no such excuse; and lateness explains no more
/// than it can have added.
pub fn excuse(result: &RunResult, excess: Excess) -> Option<Because> {
    late(result, excess).or_else(|| stolen(result))
}

/// Whether the schedule was too late for the times of a run to be remembered. Users without a schedule are not late:
/// what they send is timed from when it is sent.
pub fn doubt(result: &RunResult, p99_ms: f64) -> Option<Because> {
    let limit_ms = late_limit_ms(p99_ms);
    let lag = result.generator.schedule_lag_p99_ms.filter(|lag| *lag > limit_ms);
    lag.map(|lag_ms| Because::GeneratorLate { lag_ms, limit_ms }).or_else(|| stolen(result))
}

fn late(result: &RunResult, Excess { ms, p99_ms, made_by }: Excess) -> Option<Because> {
    let limit_ms = late_limit_ms(p99_ms);
    let generator = &result.generator;
    let lags = [generator.schedule_lag_p99_ms, generator.wake_lateness_p99_ms];
    let lag_ms = lags.into_iter().flatten().reduce(f64::max).filter(|lag| *lag > limit_ms)?;
    // Earlier versions do not say how late the latest start of a schedule was: it may have been any time.
    let latest = |p99: Option<f64>, max: Option<f64>| max.or(p99.map(|_| f64::INFINITY));
    let most_ms = match made_by {
        MadeBy::Many => lag_ms,
        MadeBy::Few => [
            latest(generator.schedule_lag_p99_ms, generator.schedule_lag_max_ms),
            latest(generator.wake_lateness_p99_ms, generator.wake_lateness_max_ms),
        ]
        .into_iter()
        .flatten()
        .fold(lag_ms, f64::max),
    };
    (ms <= TIMES_LATE * most_ms).then_some(Because::GeneratorLate { lag_ms, limit_ms })
}

/// The lateness from which on times are in doubt whose p99 is this.
fn late_limit_ms(p99_ms: f64) -> f64 {
    LAG_FLOOR_MS.max(LAG_SHARE * p99_ms)
}

/// Whether a hypervisor took so much of the machine away that nothing slow can be blamed on the service.
pub fn stolen(result: &RunResult) -> Option<Because> {
    let steal = result.generator.steal?;
    (steal > MOST_STEAL).then_some(Because::Steal { ratio: steal, limit: MOST_STEAL })
}
