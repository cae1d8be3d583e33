//! The one decision about a number and its limit, wherever the number comes from: the whole run, a
//! window of it, or the run so far. Knows neither results nor recordings.

use crate::metric::{Better, Metric, Percentile};
use crate::plan::rules::Objective;
use crate::result::verdict::{Because, CheckStatus};
use crate::result::window::Unanswered;
use crate::stats::significance::proves_share_above;

use super::times::why_open;
use super::validity::MOST_UNFINISHED;

/// The error rate of the one-sided bound that proves a breach, where it is asked for once. Who looks at several
/// windows, or again and again, shares it out: see [`super::looks`].
pub const ALPHA: f64 = 0.05;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// In the metric's unit. Of times, timeouts and requests that were cut off count as what they were waited for: it
    /// may be too small.
    pub value: f64,
    /// Of how many samples.
    pub n: u64,
    /// What requests without an answer leave open of it; none where all had one, or where it is not about times.
    pub unanswered: Option<Unanswered>,
}

impl Number {
    /// A number that is known.
    pub fn exact(value: f64, n: u64) -> Self {
        Self { value, n, unanswered: None }
    }

    /// What it can be at most; none where nobody knows.
    fn at_most(self) -> Option<f64> {
        self.unanswered.map_or(Some(self.value), |unanswered| unanswered.at_most)
    }
}

/// Requests that were cut off at the end and are not among the samples: too many leave percentiles open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CutOff {
    /// How many.
    pub requests: u64,
    /// As a share of all.
    pub ratio: f64,
}

/// How an objective stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The status.
    pub status: CheckStatus,
    /// Why it is neither a pass nor a fail.
    pub because: Option<Because>,
}

impl Decision {
    /// A status that speaks for itself.
    pub fn plain(status: CheckStatus) -> Self {
        Self { status, because: None }
    }

    /// Too little to say, for this reason.
    pub fn undecided(because: Because) -> Self {
        Self { status: CheckStatus::Undecided, because: Some(because) }
    }

    /// Nothing to say, or nothing to trust, for this reason.
    pub fn invalid(because: Because) -> Self {
        Self { status: CheckStatus::Invalid, because: Some(because) }
    }
}

/// Decides. Too few samples, or too many that never ended, leave a percentile open; then it is a breach
/// only if the exact bound proves one at error rate `alpha`, even with all unfinished requests counted as fast. `above` is how
/// many samples are known to lie above the limit; it is asked only then.
pub fn decide(
    objective: &Objective,
    number: Number,
    cut_off: CutOff,
    alpha: f64,
    above: impl FnOnce() -> u64,
) -> Decision {
    let Some((percentile, doubt)) = doubt(objective.metric, number.n, cut_off) else {
        return between(objective, number);
    };
    let fast = if matches!(doubt, Because::Unfinished { .. }) { cut_off.requests } else { 0 };
    let samples = number.n.saturating_add(fast);
    if proves_share_above(above().min(number.n), samples, 1.0 - percentile.quantile(), alpha) {
        Decision::plain(CheckStatus::Fail)
    } else {
        Decision::undecided(doubt)
    }
}

/// Decides by what the number is at least and at most. A request without an answer never helps to pass: it may
/// have been slower than all others. It never breaks a limit either, beyond the time it was waited for.
fn between(objective: &Objective, number: Number) -> Decision {
    if !holds(objective, number.value) {
        return Decision::plain(CheckStatus::Fail);
    }
    if number.at_most().is_some_and(|value| holds(objective, value)) {
        return Decision::plain(CheckStatus::Pass);
    }
    Decision::undecided(why_open(number.unanswered.unwrap_or_default()))
}

/// A value at the limit is good: `error_rate: 0` can be kept.
pub fn holds(objective: &Objective, value: f64) -> bool {
    match objective.metric.better() {
        Better::Lower => value <= objective.limit,
        Better::Higher => value >= objective.limit,
    }
}

/// Why the value of so many samples does not decide by itself; none where it does.
fn doubt(metric: Metric, n: u64, cut_off: CutOff) -> Option<(Percentile, Because)> {
    let percentile = percentile(metric)?;
    let needed = percentile.enough();
    let because = if cut_off.ratio > MOST_UNFINISHED {
        Because::Unfinished { ratio: cut_off.ratio }
    } else if n < needed {
        Because::TooFew { needed }
    } else {
        return None;
    };
    Some((percentile, because))
}

/// A number that is the larger, the worse a value is.
pub fn badness(metric: Metric, value: f64) -> f64 {
    match metric.better() {
        Better::Lower => value,
        Better::Higher => -value,
    }
}

/// The percentile that a metric is, if it is one.
pub fn percentile(metric: Metric) -> Option<Percentile> {
    match metric {
        Metric::Response(percentile) | Metric::Connect(percentile) => Some(percentile),
        _ => None,
    }
}

/// Whether so many samples are enough for a value that decides by itself.
pub fn decides_alone(metric: Metric, n: u64) -> bool {
    doubt(metric, n, CutOff::default()).is_none()
}

/// The fewest samples that say anything about a metric.
pub fn needed(metric: Metric) -> u64 {
    percentile(metric).map_or(1, Percentile::enough)
}
