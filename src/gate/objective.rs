//! One line of the SLA against a result. Times and throughput are judged on the steady phase; what
//! counts failures, on the whole run.

use std::borrow::Cow;

use crate::load::measure::times::LONGEST_US;
use crate::metric::{Better, Metric, Percentile};
use crate::plan::rules::{Applies, Objective, Scope, Severity};
use crate::result::endpoint::{Endpoint, EndpointCounts, Kind, Times, WebSocketCounts, ended};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, Check, CheckScope, CheckSeverity, CheckStatus};
use crate::stats::histogram;
use crate::stats::significance::proves_share_above;

use super::validity::{self, MOST_UNFINISHED, unfinished_ratio};

/// The error rate of the one-sided bound that proves a breach.
const ALPHA: f64 = 0.05;

/// Evaluates one objective.
pub fn check(objective: &Objective, result: &RunResult) -> Check {
    let (scope, name) = match &objective.scope {
        Scope::Total => (CheckScope::Total, None),
        Scope::Endpoint(name) => (CheckScope::Endpoint, Some(name.clone())),
        Scope::Metric(name) => (CheckScope::Metric, Some(name.clone())),
    };
    let outcome = match objective.applies {
        Applies::Elsewhere => Outcome::empty(CheckStatus::NotApplicable, Because::OtherScenario),
        Applies::Here => evaluate(objective, result),
    };
    Check {
        scope,
        endpoint: name,
        metric: objective.metric.name().to_owned(),
        unit: objective.metric.into(),
        limit: objective.limit,
        value: outcome.value.filter(|value| value.is_finite()),
        n: outcome.n,
        severity: match objective.severity {
            Severity::Fail => CheckSeverity::Fail,
            Severity::Warn => CheckSeverity::Warn,
        },
        status: outcome.status,
        because: outcome.because,
        message: objective.message.clone(),
        line: objective.line,
    }
}

/// How an objective came out, without what it was.
struct Outcome {
    status: CheckStatus,
    because: Option<Because>,
    value: Option<f64>,
    n: u64,
}

impl Outcome {
    fn empty(status: CheckStatus, because: Because) -> Self {
        Self { status, because: Some(because), value: None, n: 0 }
    }

    fn invalid(because: Because) -> Self {
        Self::empty(CheckStatus::Invalid, because)
    }

    /// A value without doubt about it.
    fn plain(objective: &Objective, value: f64, n: u64) -> Self {
        let status = if holds(objective, value) { CheckStatus::Pass } else { CheckStatus::Fail };
        Self { status, because: None, value: Some(value), n }
    }
}

/// A value at the limit is good: `error_rate: 0` can be kept.
fn holds(objective: &Objective, value: f64) -> bool {
    match objective.metric.better() {
        Better::Lower => value <= objective.limit,
        Better::Higher => value >= objective.limit,
    }
}

fn evaluate(objective: &Objective, result: &RunResult) -> Outcome {
    if let Some(because) = absent(&objective.scope, result) {
        return Outcome::invalid(because);
    }
    match objective.metric {
        Metric::Response(percentile) => match times(&objective.scope, result) {
            Some(times) => judge_percentile(objective, percentile, &times, result),
            None => Outcome::invalid(Because::NoSample),
        },
        Metric::Connect(percentile) => match connect_times(&objective.scope, result) {
            Some(times) => judge_percentile(objective, percentile, &times, result),
            None => Outcome::invalid(Because::NoSample),
        },
        Metric::Max => judge_time(objective, |times| times.max_ms, result),
        Metric::Mean => judge_time(objective, |times| times.mean_ms, result),
        Metric::ErrorRate => judge_error_rate(objective, result),
        Metric::Throughput => judge_throughput(objective, result),
        Metric::MissingMessages | Metric::UnexpectedCloses => judge_sockets(objective, result),
    }
}

/// Why there is nothing to judge at all.
fn absent(scope: &Scope, result: &RunResult) -> Option<Because> {
    match scope {
        Scope::Total => {
            (ended(result.whole_run.ok, &result.whole_run.failed) == 0).then_some(Because::NeverHit)
        }
        Scope::Endpoint(name) => {
            let hit = counts(name, result).is_some_and(|counts| ended(counts.ok, &counts.failed) > 0);
            (!hit).then_some(Because::NeverHit)
        }
        Scope::Metric(name) => {
            let hit = result.metrics.iter().any(|metric| metric.name == *name && metric.ok > 0);
            (!hit).then_some(Because::NoSample)
        }
    }
}

fn counts<'a>(name: &str, result: &'a RunResult) -> Option<&'a EndpointCounts> {
    result.whole_run.endpoints.iter().find(|endpoint| endpoint.name == name)
}

fn endpoint<'a>(name: &str, result: &'a RunResult) -> Option<&'a Endpoint> {
    result.endpoints.iter().find(|endpoint| endpoint.name == name)
}

/// The response times of a scope, in the steady phase.
fn times<'a>(scope: &Scope, result: &'a RunResult) -> Option<Cow<'a, Times>> {
    let times = match scope {
        Scope::Total => result.totals.response_time.as_ref(),
        Scope::Endpoint(name) => endpoint(name, result)?.response_time.as_ref(),
        Scope::Metric(name) => {
            result.metrics.iter().find(|metric| metric.name == *name)?.response_time.as_ref()
        }
    };
    times.map(Cow::Borrowed)
}

/// How long WebSockets took to open: the response time of their endpoints, merged for all of them.
fn connect_times<'a>(scope: &Scope, result: &'a RunResult) -> Option<Cow<'a, Times>> {
    let sockets = || result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Websocket);
    match scope {
        Scope::Total => super::merged::merge(sockets().filter_map(|socket| socket.response_time.as_ref())),
        Scope::Endpoint(name) => {
            let socket = sockets().find(|socket| socket.name == *name)?;
            socket.response_time.as_ref().map(Cow::Borrowed)
        }
        Scope::Metric(_) => None,
    }
}

/// Too few samples, or too many that never ended, leave a percentile open. Then it is a breach only if
/// the exact bound proves one, even with all unfinished requests counted as fast.
fn judge_percentile(
    objective: &Objective,
    percentile: Percentile,
    times: &Times,
    result: &RunResult,
) -> Outcome {
    let value = times.percentile_ms(percentile);
    let plain = Outcome::plain(objective, value, times.n);
    let unfinished = unfinished_ratio(result);
    let (doubt, fast) = if unfinished > MOST_UNFINISHED {
        (Because::Unfinished { ratio: unfinished }, result.whole_run.unfinished)
    } else if times.n < percentile.enough() {
        (Because::TooFew { needed: percentile.enough() }, 0)
    } else {
        return excused(plain, times, result);
    };
    let slow = slower_than(times, objective.limit);
    if proves_share_above(slow, times.n.saturating_add(fast), 1.0 - percentile.quantile(), ALPHA) {
        return excused(Outcome { status: CheckStatus::Fail, ..plain }, times, result);
    }
    Outcome { status: CheckStatus::Undecided, because: Some(doubt), ..plain }
}

/// How many times lie above a limit; none where the histogram does not say.
fn slower_than(times: &Times, limit_ms: f64) -> u64 {
    let histogram = times.histogram.as_deref().and_then(|text| histogram::decode(text, LONGEST_US).ok());
    histogram.map_or(0, |histogram| histogram::count_above(&histogram, (limit_ms * 1e3) as u64).min(times.n))
}

fn judge_time(objective: &Objective, value: impl Fn(&Times) -> f64, result: &RunResult) -> Outcome {
    match times(&objective.scope, result) {
        Some(times) => excused(Outcome::plain(objective, value(&times), times.n), &times, result),
        None => Outcome::invalid(Because::NoSample),
    }
}

/// A breach of times is only as good as the generator that measured it.
fn excused(outcome: Outcome, times: &Times, result: &RunResult) -> Outcome {
    match validity::excuse(result, times.p99_ms) {
        Some(because) if outcome.status == CheckStatus::Fail => {
            Outcome { status: CheckStatus::Invalid, because: Some(because), ..outcome }
        }
        _ => outcome,
    }
}

fn judge_error_rate(objective: &Objective, result: &RunResult) -> Outcome {
    let (rate, n) = match &objective.scope {
        Scope::Total => {
            let run = &result.whole_run;
            (run.error_rate, ended(run.ok, &run.failed))
        }
        Scope::Endpoint(name) => counts(name, result)
            .map_or((None, 0), |counts| (counts.error_rate, ended(counts.ok, &counts.failed))),
        Scope::Metric(_) => (None, 0),
    };
    match rate {
        Some(rate) => Outcome::plain(objective, rate, n),
        None => Outcome::invalid(Because::NotMeasured),
    }
}

fn judge_throughput(objective: &Objective, result: &RunResult) -> Outcome {
    let (ok, rate) = match &objective.scope {
        Scope::Total => (result.totals.ok, Some(result.totals.requests_per_second)),
        Scope::Endpoint(name) => endpoint(name, result)
            .map_or((0, None), |endpoint| (endpoint.ok, Some(endpoint.requests_per_second))),
        Scope::Metric(name) => {
            let ok = result.metrics.iter().find(|metric| metric.name == *name).map_or(0, |metric| metric.ok);
            (ok, Some(ok as f64 / result.steady_s))
        }
    };
    match rate.filter(|rate| result.steady_s > 0.0 && rate.is_finite()) {
        Some(rate) => Outcome::plain(objective, rate, ok),
        None => Outcome::invalid(Because::NoSample),
    }
}

/// What went wrong on open sockets; where none was ever open, nothing could.
fn judge_sockets(objective: &Objective, result: &RunResult) -> Outcome {
    let sockets = result.whole_run.endpoints.iter().filter(|endpoint| match &objective.scope {
        Scope::Total => true,
        Scope::Endpoint(name) => endpoint.name == *name,
        Scope::Metric(_) => false,
    });
    let mut opened = 0_u64;
    let mut sum = WebSocketCounts::default();
    for (socket, counts) in sockets.filter_map(|socket| Some((socket, socket.websocket?))) {
        opened = opened.saturating_add(socket.ok);
        sum.messages_in = sum.messages_in.saturating_add(counts.messages_in);
        sum.missing_messages = sum.missing_messages.saturating_add(counts.missing_messages);
        sum.unexpected_closes = sum.unexpected_closes.saturating_add(counts.unexpected_closes);
    }
    if opened == 0 {
        return Outcome::invalid(Because::NoSample);
    }
    if objective.metric == Metric::MissingMessages {
        let n = sum.messages_in.saturating_add(sum.missing_messages);
        if n == 0 {
            return Outcome::invalid(Because::NoSample);
        }
        Outcome::plain(objective, sum.missing_messages as f64, n)
    } else {
        Outcome::plain(objective, sum.unexpected_closes as f64, opened)
    }
}
