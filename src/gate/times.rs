//! The times that an objective is about: those of the steady phase, or of the whole run where it asks for that. Nothing
//! is judged here.

use std::borrow::Cow;

use crate::metric::Metric;
use crate::plan::rules::{Objective, Scope};
use crate::result::endpoint::{CustomMetric, Endpoint, Failed, Kind, Times, ended, without_time};
use crate::result::schema::RunResult;
use crate::result::verdict::Because;

use super::merged::merge;
use super::whole_run::counts;

/// Times, and what is missing among them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged<'a> {
    /// The times.
    pub times: Cow<'a, Times>,
    /// Requests that failed without a time of their own.
    pub failed: u64,
}

/// The times of one thing, if it has any, and its failures without one.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    times: Option<&'a Times>,
    failed: u64,
}

/// The times an objective is about, or why there are none.
pub(super) fn of<'a>(objective: &Objective, result: &'a RunResult) -> Result<Judged<'a>, Because> {
    let connects = match objective.metric {
        Metric::Response(_) | Metric::Max | Metric::Mean => false,
        Metric::Connect(_) => true,
        _ => return Err(Because::NotMeasured),
    };
    let whole_run = objective.over.is_whole_run();
    let one = |endpoint: &'a Endpoint| {
        if whole_run { of_all(endpoint, result) } else { Ok(in_steady(endpoint)) }
    };
    let part = match &objective.scope {
        Scope::Total if connects => return sockets(result, one),
        Scope::Total if whole_run => total_of_all(result)?,
        Scope::Total => in_steady(&result.totals),
        Scope::Endpoint(name) => {
            let named = endpoint(name, result);
            one(named.filter(|it| !connects || it.kind == Kind::Websocket).ok_or(Because::NoSample)?)?
        }
        Scope::Metric(_) if connects => return Err(Because::NoSample),
        Scope::Metric(name) if whole_run => {
            custom(metric_of_all(name, result).ok_or(Because::TimesNotStored)?)
        }
        Scope::Metric(name) => {
            let metric = result.metrics.iter().find(|metric| metric.name == *name);
            custom(metric.ok_or(Because::NoSample)?)
        }
    };
    let times = part.times.ok_or(Because::NoSample)?;
    Ok(Judged { times: Cow::Borrowed(times), failed: part.failed })
}

/// How many requests, or samples of a custom metric, ended in the run, where none of them did in the steady phase.
pub(super) fn only_outside_steady(objective: &Objective, result: &RunResult) -> Option<u64> {
    let (steady, all) = match &objective.scope {
        Scope::Total => return None,
        Scope::Endpoint(name) => {
            let steady = endpoint(name, result).map_or(0, |it| requests(it.ok, &it.failed));
            (steady, counts(name, result).map_or(0, |it| requests(it.ok, &it.failed)))
        }
        Scope::Metric(name) => {
            let sum = |metric: &CustomMetric| metric.ok.saturating_add(metric.failed);
            let steady = result.metrics.iter().find(|metric| metric.name == *name).map_or(0, sum);
            (steady, metric_of_all(name, result).map_or(0, sum))
        }
    };
    (steady == 0 && all > 0).then_some(all)
}

/// Requests that ended: all but what went wrong on a socket after it had opened.
fn requests(ok: u64, failed: &Failed) -> u64 {
    let once_open: u64 = ["websocket_close", "missing_message"].iter().filter_map(|it| failed.get(*it)).sum();
    ended(ok, failed).saturating_sub(once_open)
}

/// An endpoint in the steady phase.
pub(super) fn endpoint<'a>(name: &str, result: &'a RunResult) -> Option<&'a Endpoint> {
    result.endpoints.iter().find(|endpoint| endpoint.name == name)
}

/// A custom metric in the whole run, where that is stored.
pub(super) fn metric_of_all<'a>(name: &str, result: &'a RunResult) -> Option<&'a CustomMetric> {
    result.whole_run.metrics.iter().find(|metric| metric.name == name)
}

fn in_steady(endpoint: &Endpoint) -> Part<'_> {
    Part { times: endpoint.response_time.as_ref(), failed: without_time(&endpoint.failed) }
}

fn custom(metric: &CustomMetric) -> Part<'_> {
    Part { times: metric.response_time.as_ref(), failed: metric.failed }
}

/// How long WebSockets took to open: the response time of their endpoints, merged for all of them.
fn sockets<'a>(
    result: &'a RunResult,
    one: impl Fn(&'a Endpoint) -> Result<Part<'a>, Because>,
) -> Result<Judged<'a>, Because> {
    let sockets = result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Websocket);
    let parts: Vec<Part<'a>> = sockets.map(one).collect::<Result<_, _>>()?;
    let times = merge(parts.iter().filter_map(|part| part.times)).ok_or(Because::NoSample)?;
    Ok(Judged { times, failed: parts.iter().fold(0, |sum, part| sum.saturating_add(part.failed)) })
}

fn total_of_all(result: &RunResult) -> Result<Part<'_>, Because> {
    let (whole, totals) = (&result.whole_run, &result.totals);
    let same = (whole.ok, &whole.failed) == (totals.ok, &totals.failed);
    all((whole.response_time.as_ref(), whole.ok, &whole.failed), same.then(|| in_steady(totals)))
}

fn of_all<'a>(endpoint: &'a Endpoint, result: &'a RunResult) -> Result<Part<'a>, Because> {
    let whole = counts(&endpoint.name, result).ok_or(Because::NeverHit)?;
    let same = (whole.ok, &whole.failed) == (endpoint.ok, &endpoint.failed);
    all((whole.response_time.as_ref(), whole.ok, &whole.failed), same.then(|| in_steady(endpoint)))
}

/// The times of the whole run. Where all of it ended in the steady phase, those of the steady phase are the same; else a
/// result that does not hold them, as none of an earlier version does, says nothing about them.
fn all<'a>(
    (times, ok, failed): (Option<&'a Times>, u64, &Failed),
    steady: Option<Part<'a>>,
) -> Result<Part<'a>, Because> {
    let untimed = ok == 0 && !failed.contains_key("timeout");
    let stored = (times.is_some() || untimed).then(|| Part { times, failed: without_time(failed) });
    stored.or(steady).ok_or(Because::TimesNotStored)
}
