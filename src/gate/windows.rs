//! An objective that must hold in every window, judged on the values that were stored during the run.

use std::cmp::Ordering;

use crate::plan::rules::Objective;
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, CheckStatus};
use crate::result::window::{CheckWindow, Unanswered, WindowPoint, WindowSeries};

use super::decision::{CutOff, Decision, Number, badness, decide, needed};
use super::{looks, objective, validity};

/// How all windows came out: as the worst of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worst {
    /// What that means.
    pub decision: Decision,
    /// The worst window's value.
    pub value: Option<f64>,
    /// Of how many samples.
    pub n: u64,
    /// What requests without an answer leave open of it.
    pub unanswered: Option<Unanswered>,
    /// Which one, and how the others came out.
    pub window: CheckWindow,
}

/// Judges every window of this length: one that broke is a breach, else one that is undecided leaves the
/// whole open. Windows without anything in any of them are no sample at all.
pub fn judge(objective: &Objective, length_s: u64, result: &RunResult) -> Worst {
    let Some(series) = stored(objective, length_s, result) else {
        return nothing(length_s, Because::NotStored { length_s });
    };
    let judged = judged(series);
    let decided = decided(objective, series, result);
    // Of equals, the first: what came later may be its consequence.
    let Some((worst, point)) = decided.iter().rev().max_by(|a, b| compare(objective, a, b)) else {
        return nothing(length_s, Because::NoWindow { length_s, steady_s: result.steady_s });
    };
    let count = |status| decided.iter().filter(|(decision, _)| decision.status == status).count() as u64;
    let window = CheckWindow {
        length_s,
        t_s: Some(point.t_s),
        broken: count(CheckStatus::Fail),
        undecided: count(CheckStatus::Undecided),
        judged,
    };
    let empty = window.broken == 0 && series.points.iter().all(|point| point.n == 0);
    let decision = if empty { Decision::invalid(Because::NoSample) } else { *worst };
    Worst { decision, value: point.value, n: point.n, unanswered: point.unanswered, window }
}

/// The windows that broke.
pub fn broken(objective: &Objective, length_s: u64, result: &RunResult) -> Vec<WindowPoint> {
    let Some(series) = stored(objective, length_s, result) else { return Vec::new() };
    let decided = decided(objective, series, result).into_iter();
    decided.filter(|(decision, _)| decision.status == CheckStatus::Fail).map(|(_, point)| point).collect()
}

/// Every window with how it came out.
fn decided(objective: &Objective, series: &WindowSeries, result: &RunResult) -> Vec<(Decision, WindowPoint)> {
    let cut_off = validity::cut_off(result);
    let alpha = looks::of_windows(judged(series));
    let decide = |point: &WindowPoint| decide_point(objective, series.limit, *point, cut_off, alpha);
    series.points.iter().map(|point| (decide(point), *point)).collect()
}

fn judged(series: &WindowSeries) -> u64 {
    series.points.iter().fold(0_u64, |sum, point| sum.saturating_add(point.of))
}

/// Decides about one window, or about another number that was measured during the run. How many samples
/// lie above the limit was counted at `counted_at`: at a stricter limit it is at least as many, at a looser
/// one nobody knows.
pub fn decide_point(
    objective: &Objective,
    counted_at: f64,
    point: WindowPoint,
    cut_off: CutOff,
    alpha: f64,
) -> Decision {
    let Some(value) = point.value else {
        return Decision::undecided(Because::TooFew { needed: needed(objective.metric) });
    };
    let known = objective.limit <= counted_at;
    let above = || point.above.filter(|_| known).unwrap_or(0);
    decide(objective, Number { value, n: point.n, unanswered: point.unanswered }, cut_off, alpha, above)
}

/// The windows of an objective in a result.
fn stored<'a>(objective: &Objective, length_s: u64, result: &'a RunResult) -> Option<&'a WindowSeries> {
    let (scope, endpoint) = objective::place(&objective.scope);
    result.windows.iter().find(|series| {
        series.scope == scope
            && series.endpoint == endpoint
            && series.metric == objective.metric.name()
            && series.length_s == length_s
    })
}

fn nothing(length_s: u64, because: Because) -> Worst {
    let window = CheckWindow { length_s, t_s: None, broken: 0, undecided: 0, judged: 0 };
    Worst { decision: Decision::undecided(because), value: None, n: 0, unanswered: None, window }
}

/// Which of two windows is worse: by how it came out, then by its value.
fn compare(objective: &Objective, a: &(Decision, WindowPoint), b: &(Decision, WindowPoint)) -> Ordering {
    let rank = |decision: Decision| match decision.status {
        CheckStatus::Fail => 2,
        CheckStatus::Undecided => 1,
        _ => 0,
    };
    let bad = |point: WindowPoint| point.value.map_or(f64::NEG_INFINITY, |it| badness(objective.metric, it));
    rank(a.0).cmp(&rank(b.0)).then(bad(a.1).total_cmp(&bad(b.1)))
}
