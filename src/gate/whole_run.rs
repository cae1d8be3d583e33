//! The number an objective is about, of a whole run. Times and throughput are of the steady phase, unless an objective
//! asks for all of the run; what counts failures, of the whole run. Nothing is judged here.

use hdrhistogram::Histogram;

use crate::load::measure::times::LONGEST_US;
use crate::metric::Metric;
use crate::plan::rules::{Objective, Scope};
use crate::result::endpoint::{CustomMetric, EndpointCounts, Failed, Times, WebSocketCounts, ended};
use crate::result::schema::RunResult;
use crate::result::verdict::Because;
use crate::stats::histogram;

use super::decision::Number;
use super::times;

/// Why there is nothing to judge at all.
pub fn absent(scope: &Scope, result: &RunResult) -> Option<Because> {
    match scope {
        Scope::Total => {
            let whole = &result.whole_run;
            (ended(whole.ok, &whole.failed) == 0 && whole.unfinished == 0).then_some(Because::NeverHit)
        }
        Scope::Endpoint(name) => {
            let hit = |counts: &EndpointCounts| {
                ended(counts.ok, &counts.failed) > 0 || counts.unfinished_time.is_some()
            };
            (!counts(name, result).is_some_and(hit)).then_some(Because::NeverHit)
        }
        Scope::Metric(name) => {
            let hit = |metric: &CustomMetric| metric.ok > 0 || metric.response_time.is_some();
            let all = result.metrics.iter().chain(&result.whole_run.metrics);
            let hit = all.filter(|metric| metric.name == *name).any(hit);
            (!hit).then_some(Because::NoSample)
        }
    }
}

/// The number, or why there is none.
pub fn number(objective: &Objective, result: &RunResult) -> Result<Number, Because> {
    let scope = &objective.scope;
    match objective.metric {
        Metric::ErrorRate => error_rate(scope, result),
        Metric::Throughput => throughput(objective, result),
        Metric::MissingMessages | Metric::UnexpectedCloses => sockets(scope, objective.metric, result),
        metric => {
            let judged = times::of(objective, result)?;
            Ok(Number {
                value: judged.times.reading(metric, 0).value_ms,
                n: judged.times.n,
                unanswered: judged.open(metric),
            })
        }
    }
}

/// How many times lie above a limit; none where the histogram does not say.
pub fn slower_than(times: &Times, limit_ms: f64) -> u64 {
    let histogram = times.histogram.as_deref().and_then(|text| histogram::decode(text, LONGEST_US).ok());
    histogram.map_or(0, |histogram| slower(&histogram, limit_ms))
}

/// How many of these microseconds lie above a limit.
pub fn slower(histogram: &Histogram<u64>, limit_ms: f64) -> u64 {
    histogram::count_above(histogram, (limit_ms * 1e3) as u64)
}

/// What failed in the whole run, by kind; none where no requests are counted.
pub fn failed_kinds<'a>(scope: &Scope, result: &'a RunResult) -> Option<&'a Failed> {
    match scope {
        Scope::Total => Some(&result.whole_run.failed),
        Scope::Endpoint(name) => counts(name, result).map(|counts| &counts.failed),
        Scope::Metric(_) => None,
    }
}

pub(super) fn counts<'a>(name: &str, result: &'a RunResult) -> Option<&'a EndpointCounts> {
    result.whole_run.endpoints.iter().find(|endpoint| endpoint.name == name)
}

fn error_rate(scope: &Scope, result: &RunResult) -> Result<Number, Because> {
    let (rate, n) = match scope {
        Scope::Total => {
            let run = &result.whole_run;
            (run.error_rate, ended(run.ok, &run.failed))
        }
        Scope::Endpoint(name) => counts(name, result)
            .map_or((None, 0), |counts| (counts.error_rate, ended(counts.ok, &counts.failed))),
        Scope::Metric(_) => (None, 0),
    };
    let unhit = if matches!(scope, Scope::Metric(_)) { Because::NotMeasured } else { Because::NoSample };
    rate.map(|value| Number::exact(value, n)).ok_or(unhit)
}

fn throughput(objective: &Objective, result: &RunResult) -> Result<Number, Because> {
    let scope = &objective.scope;
    if objective.over.is_whole_run() {
        return throughput_of_all(scope, result);
    }
    let (ok, rate) = match scope {
        Scope::Total => (result.totals.ok, Some(result.totals.requests_per_second)),
        Scope::Endpoint(name) => times::endpoint(name, result)
            .map_or((0, None), |endpoint| (endpoint.ok, Some(endpoint.requests_per_second))),
        Scope::Metric(name) => {
            let ok = result.metrics.iter().find(|metric| metric.name == *name).map_or(0, |metric| metric.ok);
            (ok, Some(ok as f64 / result.steady_s))
        }
    };
    let rate = rate.filter(|rate| result.steady_s > 0.0 && rate.is_finite());
    rate.map(|value| Number::exact(value, ok)).ok_or(Because::NoSample)
}

/// Successes of the whole run in a second of it.
fn throughput_of_all(scope: &Scope, result: &RunResult) -> Result<Number, Because> {
    let ok = match scope {
        Scope::Total => result.whole_run.ok,
        Scope::Endpoint(name) => counts(name, result).map_or(0, |counts| counts.ok),
        Scope::Metric(name) => times::metric_of_all(name, result).ok_or(Because::TimesNotStored)?.ok,
    };
    let rate = Some(ok as f64 / result.duration_s).filter(|rate| result.duration_s > 0.0 && rate.is_finite());
    rate.map(|value| Number::exact(value, ok)).ok_or(Because::NoSample)
}

/// What went wrong on open sockets; where none was ever open, nothing could.
fn sockets(scope: &Scope, metric: Metric, result: &RunResult) -> Result<Number, Because> {
    let sockets = result.whole_run.endpoints.iter().filter(|endpoint| match scope {
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
    let (count, n) = match metric {
        Metric::MissingMessages => {
            (sum.missing_messages, sum.messages_in.saturating_add(sum.missing_messages))
        }
        _ => (sum.unexpected_closes, opened),
    };
    if opened == 0 || n == 0 { Err(Because::NoSample) } else { Ok(Number::exact(count as f64, n)) }
}
