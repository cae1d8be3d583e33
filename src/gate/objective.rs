//! One line of the SLA against a result: where its number comes from, and what else has a say in how it
//! comes out. What decides about a number is elsewhere.

use crate::metric::Metric;
use crate::plan::rules::{Applies, Objective, Origin, Scope, Severity};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, Check, CheckScope, CheckSeverity, CheckStatus};
use crate::result::window::{Aborted, CheckWindow, Unanswered, WindowPoint};

use super::decision::{self, ALPHA, CutOff, Decision, decide};
use super::machine::{Excuses, LATE, Made, TooMany};
use super::times::Missing;
use super::validity::{Excess, MadeBy};
use super::{times, validity, whole_run, windows};

/// Evaluates one objective.
pub fn check(objective: &Objective, result: &RunResult) -> Check {
    let (scope, endpoint) = place(&objective.scope);
    let outcome = match objective.applies {
        Applies::Elsewhere => Outcome::empty(CheckStatus::NotApplicable, Because::OtherScenario),
        Applies::Here => evaluate(objective, result),
    };
    Check {
        scope,
        endpoint,
        metric: objective.metric.name().to_owned(),
        unit: objective.metric.into(),
        limit: objective.limit,
        value: outcome.value.filter(|value| value.is_finite()),
        n: outcome.n,
        unanswered: outcome.unanswered,
        whole_run: objective.over.is_whole_run() && !objective.metric.is_share(),
        window: outcome.window,
        aborted_at_s: outcome.aborted_at_s,
        severity: match objective.severity {
            Severity::Fail => CheckSeverity::Fail,
            Severity::Warn => CheckSeverity::Warn,
        },
        status: outcome.decision.status,
        because: outcome.decision.because,
        message: objective.message.clone(),
        line: objective.line,
        default: objective.origin == Origin::Default,
    }
}

/// A scope as a result names it.
pub fn place(scope: &Scope) -> (CheckScope, Option<String>) {
    match scope {
        Scope::Total => (CheckScope::Total, None),
        Scope::Endpoint(name) => (CheckScope::Endpoint, Some(name.clone())),
        Scope::Metric(name) => (CheckScope::Metric, Some(name.clone())),
    }
}

/// How an objective came out, without what it was.
struct Outcome {
    decision: Decision,
    value: Option<f64>,
    n: u64,
    unanswered: Option<Unanswered>,
    window: Option<CheckWindow>,
    aborted_at_s: Option<f64>,
}

impl Outcome {
    fn empty(status: CheckStatus, because: Because) -> Self {
        let decision = Decision { status, because: Some(because) };
        Self { decision, value: None, n: 0, unanswered: None, window: None, aborted_at_s: None }
    }
}

fn evaluate(objective: &Objective, result: &RunResult) -> Outcome {
    if let Some(because) = whole_run::absent(&objective.scope, result) {
        return Outcome::empty(CheckStatus::Invalid, because);
    }
    let outcome = match objective.window {
        Some(length) => in_windows(objective, length.as_secs(), result),
        None => over_the_run(objective, result),
    };
    let outcome = with_abort(objective, elsewhere(objective, outcome, result), result);
    excused(objective, doubted(objective, outcome, result), result)
}

/// Says of what has no sample in the steady phase that the rest of the run has some.
fn elsewhere(objective: &Objective, outcome: Outcome, result: &RunResult) -> Outcome {
    let without = outcome.decision.because == Some(Because::NoSample) && !objective.over.is_whole_run();
    match times::only_outside_steady(objective, result).filter(|_| without) {
        Some(ended) => Outcome { decision: Decision::invalid(Because::OutsideSteady { ended }), ..outcome },
        None => outcome,
    }
}

fn in_windows(objective: &Objective, length_s: u64, result: &RunResult) -> Outcome {
    let worst = windows::judge(objective, length_s, result);
    Outcome {
        decision: worst.decision,
        value: worst.value,
        n: worst.n,
        unanswered: worst.unanswered,
        window: Some(worst.window),
        aborted_at_s: None,
    }
}

fn over_the_run(objective: &Objective, result: &RunResult) -> Outcome {
    let number = match whole_run::number(objective, result) {
        Ok(number) => number,
        Err(because) => return Outcome::empty(CheckStatus::Invalid, because),
    };
    let above = || {
        let judged = times::of(objective, result);
        judged.map_or(0, |judged| whole_run::slower_than(&judged.times, objective.limit))
    };
    Outcome {
        decision: decide(objective, number, validity::unplaced(result), ALPHA, above),
        value: Some(number.value),
        n: number.n,
        unanswered: number.unanswered,
        window: None,
        aborted_at_s: None,
    }
}

/// What stopped the run was broken at that moment, whatever the requests that were still in flight made
/// of it. Of windows, the worst is shown all the same.
fn with_abort(objective: &Objective, outcome: Outcome, result: &RunResult) -> Outcome {
    let Some(aborted) = result.aborted.as_ref().filter(|aborted| is_of(aborted, objective)) else {
        return outcome;
    };
    let Aborted { at_s, value, n, above, unanswered, .. } = *aborted;
    let point = WindowPoint { t_s: at_s, n, value: Some(value), above, unanswered, of: 1 };
    let decision = windows::decide_point(objective, aborted.limit, point, CutOff::default(), ALPHA);
    let aborted_at_s = Some(at_s);
    if decision.status != CheckStatus::Fail {
        outcome
    } else if outcome.window.is_some() && outcome.decision.status == CheckStatus::Fail {
        Outcome { aborted_at_s, ..outcome }
    } else {
        Outcome { decision, value: Some(value), n, unanswered, aborted_at_s, ..outcome }
    }
}

/// Whether this objective is the one that stopped the run, at whatever limit.
fn is_of(aborted: &Aborted, objective: &Objective) -> bool {
    let (scope, endpoint) = place(&objective.scope);
    aborted.scope == scope
        && aborted.endpoint == endpoint
        && aborted.metric == objective.metric.name()
        && aborted.length_s == objective.window.map(|length| length.as_secs())
}

/// What holds of failures without the requests that did not end must hold with them as well, all in one window at worst:
/// that arrivals which the generator was too late for would have found a user in time is not known, nor that requests
/// which were cut off would have been answered, nor that a message which was still waited for would have come.
fn doubted(objective: &Objective, outcome: Outcome, result: &RunResult) -> Outcome {
    let Some(value) = outcome.value.filter(|_| outcome.decision.status == CheckStatus::Pass) else {
        return outcome;
    };
    let awaited = times::awaited(&objective.scope, result);
    let missing = match objective.metric {
        Metric::ErrorRate => times::never_ended(&objective.scope, result),
        Metric::MissingMessages => Missing::default(),
        _ => return outcome,
    };
    let count = missing.not_started;
    let unfinished = missing.unfinished.saturating_add(missing.unplaced).saturating_add(awaited);
    let n = outcome.n as f64;
    let breaks = |more: u64| match objective.metric {
        Metric::ErrorRate => (value * n + more as f64) / (n + more as f64) > objective.limit,
        _ => value + more as f64 > objective.limit,
    };
    let decision = if count > 0 && breaks(count) {
        Decision::invalid(Because::NotStarted { count })
    } else if breaks(unfinished.saturating_add(count)) {
        Decision::undecided(Because::CutOff { unfinished })
    } else {
        outcome.decision
    };
    Outcome { decision, ..outcome }
}

/// A breach of times is only as good as the generator that measured it.
fn excused(objective: &Objective, outcome: Outcome, result: &RunResult) -> Outcome {
    if outcome.decision.status != CheckStatus::Fail {
        return outcome;
    }
    match by_the_generator(objective, &outcome, result) {
        Some(because) => Outcome { decision: Decision::invalid(because), ..outcome },
        None => match by_the_machine(objective, &outcome, result) {
            Some(because) => Outcome { decision: Decision::undecided(because), ..outcome },
            None => outcome,
        },
    }
}

/// Why a breach of times may be the generator's doing. Of a throughput, only what a hypervisor took says anything.
fn by_the_generator(objective: &Objective, outcome: &Outcome, result: &RunResult) -> Option<Because> {
    if objective.metric == Metric::Throughput {
        return validity::stolen(result);
    }
    let judged = times::of(objective, result).ok()?;
    let made_by = match objective.window {
        None => MadeBy::of(objective.metric),
        Some(_) => MadeBy::Few,
    };
    // Where requests timed out, the true number is larger, and nobody knows by how much.
    let ms = if is_at_least(outcome.unanswered) { f64::INFINITY } else { outcome.value? - objective.limit };
    validity::excuse(result, Excess { ms, p99_ms: judged.times.p99_ms, made_by })
}

/// Why a breach may be the machine's doing. Of windows, each that broke must be explained by its own seconds.
fn by_the_machine(objective: &Objective, outcome: &Outcome, result: &RunResult) -> Option<Because> {
    let (excuses, made) = (Excuses::of(result), made(objective)?);
    let Some(length) = objective.window else {
        let (value, n) = (outcome.value?, outcome.n);
        let of_value = Of { value, n, at_least: is_at_least(outcome.unanswered) };
        return explained(objective, &excuses, made, of_value, result);
    };
    let broken = windows::broken(objective, length.as_secs(), result);
    let explained: Option<Vec<Because>> = broken
        .iter()
        .map(|point| {
            let made = made.between(point.t_s, point.t_s + length.as_secs_f64());
            let of_value = Of { value: point.value?, n: point.n, at_least: is_at_least(point.unanswered) };
            explained(objective, &excuses, made, of_value, result)
        })
        .collect();
    explained?.first().copied()
}

/// A value that broke a limit.
#[derive(Debug, Clone, Copy)]
struct Of {
    value: f64,
    n: u64,
    /// Whether it is larger, and nobody knows by how much.
    at_least: bool,
}

fn explained(
    objective: &Objective,
    excuses: &Excuses,
    made: Made,
    Of { value, n, at_least }: Of,
    result: &RunResult,
) -> Option<Because> {
    let (metric, limit) = (objective.metric, objective.limit);
    let late: &[&str] = match metric {
        Metric::ErrorRate => &LATE,
        Metric::MissingMessages => &["missing_message"],
        Metric::UnexpectedCloses => return None,
        Metric::Throughput => {
            let ratio = (value > 0.0).then(|| limit / value)?;
            return excuses.explains(made, metric, ratio);
        }
        Metric::Response(_) | Metric::Connect(_) | Metric::Max | Metric::Mean => {
            // No machine makes a time of nothing.
            let ratio = (limit > 0.0).then(|| if at_least { f64::INFINITY } else { value / limit })?;
            return excuses.explains(made, metric, ratio);
        }
    };
    let of = if metric == Metric::ErrorRate { n as f64 } else { 1.0 };
    let among = whole_run::failed_kinds(&objective.scope, result)?;
    let failed = TooMany { count: (value * of).round() as u64, among, late };
    excuses.explains_failures(made, failed, |others| decision::holds(objective, others as f64 / of))
}

fn is_at_least(unanswered: Option<Unanswered>) -> bool {
    unanswered.is_some_and(|it| it.at_least)
}

/// Where and when it was made. The series says nothing of custom metrics: in the steady phase any request may have made
/// one, and in the whole run nobody knows in which second none was.
fn made(objective: &Objective) -> Option<Made<'_>> {
    let whole_run = match objective.metric {
        Metric::Throughput | Metric::Response(_) | Metric::Connect(_) | Metric::Max | Metric::Mean => {
            objective.over.is_whole_run()
        }
        Metric::ErrorRate | Metric::MissingMessages | Metric::UnexpectedCloses => true,
    };
    let made = if whole_run { Made::in_whole_run() } else { Made::in_steady() };
    match &objective.scope {
        Scope::Total => Some(made),
        Scope::Endpoint(name) => Some(made.by(Some(name))),
        Scope::Metric(_) => (!whole_run).then_some(made),
    }
}
