//! Whether the numbers of a run can be trusted at all: was there anything to judge, and was it the
//! service or the generator that set the pace?

use crate::result::endpoint::ended;
use crate::result::schema::{Generator, NeverReady, RunResult};
use crate::result::verdict::{Because, Finding};

use super::decision::CutOff;

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

/// What is to be said about the run as a whole.
pub fn findings(result: &RunResult) -> Vec<Finding> {
    let generator = &result.generator;
    let steady = ended(result.totals.ok, &result.totals.failed);
    // A run that was stopped in its ramp has an objective that says why.
    let aborted = result.aborted.as_ref().map(|aborted| aborted.at_s);
    let lost = lost_second(generator);
    let most_stalled = if result.steady_s > 0.0 {
        MOST_STALLED.max(LEAST_STALLED_S / result.steady_s)
    } else {
        MOST_STALLED
    };
    let never_ready = result.whole_run.never_ready.unwrap_or(NeverReady { users: 0, of: 0 });
    [
        (result.target_ended, Finding::TargetEnded),
        (steady == 0 && aborted.is_none(), Finding::NoSteadyRequest { steady_s: result.steady_s }),
        (
            steady > 0 && result.totals.ok == 0 && aborted.is_none(),
            Finding::NothingSucceeded { failed: steady, elsewhere: result.whole_run.ok },
        ),
        (
            never_ready.users as f64 > (1.0 - LEAST_ACHIEVED) * never_ready.of as f64,
            Finding::NeverReady { users: never_ready.users, of: never_ready.of },
        ),
        (
            generator.cpu_utilisation > MOST_CPU,
            Finding::GeneratorCpu { utilisation: generator.cpu_utilisation, limit: MOST_CPU },
        ),
        (
            generator.achieved_ratio < LEAST_ACHIEVED,
            Finding::BehindPlan { achieved_ratio: generator.achieved_ratio, limit: LEAST_ACHIEVED },
        ),
        (
            generator.stalled_share > most_stalled,
            Finding::StoodStill { stalled_share: generator.stalled_share, limit: most_stalled },
        ),
        (lost.is_some(), lost.unwrap_or(Finding::NoObjective)),
        (generator.exhausted > 0, Finding::Exhausted { count: generator.exhausted }),
        (
            unfinished_ratio(result) > MOST_UNFINISHED,
            Finding::Unfinished { ratio: unfinished_ratio(result), limit: MOST_UNFINISHED },
        ),
        (aborted.is_some(), Finding::Aborted { at_s: aborted.unwrap_or_default() }),
    ]
    .into_iter()
    .filter_map(|(found, finding)| found.then_some(finding))
    .collect()
}

/// A second that the generator mostly lost.
fn lost_second(generator: &Generator) -> Option<Finding> {
    let worst = generator.worst_second.filter(|worst| worst.stalled_share > MOST_OF_A_SECOND)?;
    Some(Finding::LostSecond { t_s: worst.t_s, stalled_share: worst.stalled_share })
}

/// What was cut off at the end.
pub fn cut_off(result: &RunResult) -> CutOff {
    CutOff { requests: result.whole_run.unfinished, ratio: unfinished_ratio(result) }
}

/// Unfinished requests as a share of all.
pub fn unfinished_ratio(result: &RunResult) -> f64 {
    let unfinished = result.whole_run.unfinished;
    let all = ended(result.whole_run.ok, &result.whole_run.failed).saturating_add(unfinished);
    if all == 0 { 0.0 } else { unfinished as f64 / all as f64 }
}

/// Why a broken limit of times may be the generator's own doing. A late schedule, late wake-ups and a stolen
/// CPU only ever make times longer, so a passing check needs no such excuse.
pub fn excuse(result: &RunResult, judged_p99_ms: f64) -> Option<Because> {
    let limit_ms = LAG_FLOOR_MS.max(LAG_SHARE * judged_p99_ms);
    let generator = &result.generator;
    let lags = [generator.schedule_lag_p99_ms, generator.wake_lateness_p99_ms];
    let lag = lags.into_iter().flatten().reduce(f64::max).filter(|lag| *lag > limit_ms);
    lag.map(|lag_ms| Because::GeneratorLate { lag_ms, limit_ms }).or_else(|| stolen(result))
}

/// Whether a hypervisor took so much of the machine away that nothing slow can be blamed on the service.
pub fn stolen(result: &RunResult) -> Option<Because> {
    let steal = result.generator.steal;
    (steal > MOST_STEAL).then_some(Because::Steal { ratio: steal, limit: MOST_STEAL })
}
