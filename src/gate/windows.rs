//! An objective that must hold in every window, judged on the values that were stored during the run.

use std::cmp::Ordering;

use crate::metric::Metric;
use crate::plan::rules::{Objective, Over, Scope};
use crate::result::endpoint::{Failed, without_time};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, CheckScope, CheckStatus};
use crate::result::window::{CheckWindow, Unanswered, WindowPoint, WindowSeries};
use crate::stats::histogram;

use super::decision::{CutOff, Decision, Number, badness, decide, needed, percentile};
use super::times::Missing;
use super::{looks, objective, times, validity};

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
    // Where it is known which requests those were, each window is held against them below.
    let cut_off = validity::unplaced(result);
    let alpha = looks::of_windows(judged(series));
    let hidden = unanswered_elsewhere(series, result).filter(|_| objective.metric.is_time());
    let missing = in_no_window(objective, series, result);
    let more = missing.unfinished.saturating_add(missing.without_time());
    let decide = |point: &WindowPoint| {
        let decision = decide_point(objective, series.limit, *point, cut_off, alpha);
        let holds = || hidden.is_none() && holds_with(objective, series.limit, *point, more);
        if decision.status != CheckStatus::Pass || holds() {
            return decision;
        }
        let open = missing.leave_open(0.0, |_| None).unwrap_or_default();
        Decision::undecided(hidden.unwrap_or_else(|| times::why_open(open)))
    };
    series.points.iter().map(|point| (decide(point), *point)).collect()
}

/// Requests that no window counts. Those that were cut off at the end of the run ended in none. Arrivals that did not
/// start are counted with their endpoint, in the window in which that was seen, and at the end of the run in none; any
/// of them may have made a custom metric. Of what the end cut off, a message that was waited for, a group or a poll, a custom
/// metric knows, and no window does. Windows of an error rate do not say what is in them, and all of it together is held against the worst.
/// Where windows have been merged, what they say is only that of the worst of each, and nothing is subtracted from.
fn in_no_window(objective: &Objective, series: &WindowSeries, result: &RunResult) -> Missing {
    let scope = &objective.scope;
    let missing = Missing { not_started: 0, ..times::never_ended(scope, result) };
    if !objective.metric.is_time() {
        let unfinished = missing.unfinished.saturating_add(times::awaited(scope, result));
        return Missing { unfinished, ..missing };
    }
    if series.points.iter().any(|point| point.of > 1) {
        return missing;
    }
    let in_windows = |count: fn(&Unanswered) -> u64| {
        let open = series.points.iter().filter_map(|point| point.unanswered.as_ref());
        open.fold(0, |sum: u64, open| sum.saturating_add(count(open)))
    };
    let not_started = times::not_started(scope, Over::Steady, result);
    let awaited = match scope {
        Scope::Metric(name) => {
            let times = times::metric(name, result).and_then(|metric| metric.response_time.as_ref());
            let timed_out = times.map_or(0, |times| times.timed_out);
            timed_out.saturating_sub(in_windows(|open| open.timed_out))
        }
        Scope::Total | Scope::Endpoint(_) => 0,
    };
    Missing {
        unfinished: missing.unfinished.saturating_add(awaited),
        not_started: not_started.saturating_sub(in_windows(|open| open.not_started)),
        ..missing
    }
}

/// Whether a window that holds would do so with so many requests more that were never answered: had what is in no window
/// ended in this one, it might have broken it.
fn holds_with(objective: &Objective, counted_at: f64, point: WindowPoint, more: u64) -> bool {
    if more == 0 || !(objective.metric.is_time() || objective.metric == Metric::ErrorRate) {
        return true;
    }
    if objective.metric == Metric::ErrorRate {
        let (n, more) = (point.n as f64, more as f64);
        return point.value.is_some_and(|rate| (rate * n + more) / (n + more) <= objective.limit);
    }
    let Some((percentile, above)) = percentile(objective.metric).zip(point.above) else { return false };
    let Unanswered { timed_out, failed, not_started, .. } = point.unanswered.unwrap_or_default();
    let without_time = [failed, not_started, more].into_iter().fold(0, u64::saturating_add);
    let all = point.n.saturating_add(without_time);
    let slow = above.saturating_add(timed_out).saturating_add(without_time);
    // Above a looser limit there are no more than were counted.
    objective.limit >= counted_at && histogram::rank(percentile.quantile(), all).saturating_add(slow) <= all
}

/// Why windows say nothing of requests without an answer although there were some: an earlier version wrote them. In
/// which windows those requests ended is not known.
fn unanswered_elsewhere(series: &WindowSeries, result: &RunResult) -> Option<Because> {
    let told = series.tells_unanswered || series.points.iter().any(|point| point.unanswered.is_some());
    let whole = &result.whole_run;
    let failed = match series.scope {
        // Of which request a custom metric is, a result does not say.
        CheckScope::Total | CheckScope::Metric => Some(&whole.failed),
        CheckScope::Endpoint => {
            let counts = whole.endpoints.iter().find(|it| Some(&it.name) == series.endpoint.as_ref());
            counts.map(|counts| &counts.failed)
        }
    };
    let timed_out = |failed: &Failed| failed.get("timeout").copied().unwrap_or(0);
    let unanswered = failed.map_or(0, |failed| without_time(failed).saturating_add(timed_out(failed)));
    (!told && unanswered > 0).then_some(Because::UnansweredNotStored { unanswered })
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
