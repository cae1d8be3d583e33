//! The times that an objective is about: those of the steady phase, or of the whole run where it asks for that; and
//! what is missing among them. Nothing is judged here.
//!
//! A request that was cut off at the end of the run is among its times, as one that timed out is: it took at least as
//! long as it was in flight. In an ordinary run that is at least the `drain`, and there are few of them. A result of an
//! earlier version says only how many there were in all, so any number may have been of what is judged.

use std::borrow::Cow;

use crate::metric::Metric;
use crate::plan::rules::{Objective, Over, Scope};
use crate::result::endpoint::{
    CustomMetric, Endpoint, EndpointCounts, Failed, Kind, Times, ended, without_time,
};
use crate::result::merged::merge;
use crate::result::schema::RunResult;
use crate::result::verdict::Because;
use crate::result::window::Unanswered;

use super::whole_run::counts;

/// Requests without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Missing {
    /// Timed out: among the times, as lower bounds.
    pub timed_out: u64,
    /// Cut off at the end: among the times, as lower bounds.
    pub unfinished: u64,
    /// Cut off at the end, and nobody knows where and after how long.
    pub unplaced: u64,
    /// Failed otherwise, without a time.
    pub failed: u64,
    /// Arrivals that the generator was too late for.
    pub not_started: u64,
}

impl Missing {
    /// Those that are not among the times.
    pub fn without_time(self) -> u64 {
        self.failed.saturating_add(self.unplaced).saturating_add(self.not_started)
    }

    /// What they leave open of a value; none where there are none. `at_most` is what the number can be with so many
    /// that are not among the times.
    pub fn leave_open(self, value: f64, at_most: impl Fn(u64) -> Option<f64>) -> Option<Unanswered> {
        (self != Self::default()).then(|| Unanswered {
            timed_out: self.timed_out,
            failed: self.failed,
            unfinished: self.unfinished.saturating_add(self.unplaced),
            not_started: self.not_started,
            at_least: at_most(0) != Some(value),
            at_most: at_most(self.without_time()),
        })
    }
}

/// Why a number is open: what is missing the most.
pub(super) fn why_open(open: Unanswered) -> Because {
    let Unanswered { timed_out, failed, unfinished, not_started, .. } = open;
    if unfinished > timed_out.saturating_add(failed) && unfinished >= not_started {
        Because::CutOff { unfinished }
    } else if not_started > timed_out.saturating_add(failed) {
        Because::NotStarted { count: not_started }
    } else if timed_out == 0 {
        Because::Failed { failed }
    } else {
        Because::TimedOut { timed_out, failed }
    }
}

/// Times, and what is missing among them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged<'a> {
    /// The times.
    pub times: Cow<'a, Times>,
    /// What is missing.
    pub missing: Missing,
}

impl Judged<'_> {
    /// What is missing leaves a number open so far; none where nothing is.
    pub fn open(&self, metric: Metric) -> Option<Unanswered> {
        let at_most = |failed| self.times.reading(metric, failed).at_most_ms;
        self.missing.leave_open(self.times.reading(metric, 0).value_ms, at_most)
    }
}

/// The times of one thing, if it has any, and its failures without one.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    times: Option<&'a Times>,
    unfinished: Option<&'a Times>,
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
    let scope = &objective.scope;
    let one = |endpoint: &'a Endpoint| {
        if whole_run { of_all(endpoint, result) } else { Ok(in_steady(endpoint)) }
    };
    let parts = match scope {
        Scope::Total if connects => {
            let sockets = result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Websocket);
            sockets.map(one).collect::<Result<_, _>>()?
        }
        Scope::Total if whole_run => total_of_all(result)?,
        Scope::Total => vec![in_steady(&result.totals)],
        Scope::Endpoint(name) => {
            let named = endpoint(name, result);
            vec![one(named.filter(|it| !connects || it.kind == Kind::Websocket).ok_or(Because::NoSample)?)?]
        }
        Scope::Metric(_) if connects => return Err(Because::NoSample),
        Scope::Metric(name) if whole_run => {
            vec![custom(metric_of_all(name, result).ok_or(Because::TimesNotStored)?)]
        }
        Scope::Metric(name) => vec![custom(metric(name, result).ok_or(Because::NoSample)?)],
    };
    judged(&parts, objective.over, scope, result).ok_or(Because::NoSample)
}

/// The response times of the steady phase, and what is missing among them.
pub(super) fn in_steady_phase<'a>(scope: &Scope, result: &'a RunResult) -> Option<Judged<'a>> {
    judged(&[steady_part(scope, result)?], Over::Steady, scope, result)
}

/// The same without what was cut off at the end, of which only the count is known then: as earlier versions remember
/// their runs.
pub(super) fn ended_in_steady_phase<'a>(scope: &Scope, result: &'a RunResult) -> Option<Judged<'a>> {
    let part = steady_part(scope, result)?;
    let unfinished = part.unfinished.map_or(0, |times| times.n);
    let judged = judged(&[Part { unfinished: None, ..part }], Over::Steady, scope, result)?;
    let unplaced = judged.missing.unplaced.saturating_add(unfinished);
    Some(Judged { missing: Missing { unplaced, ..judged.missing }, ..judged })
}

fn steady_part<'a>(scope: &Scope, result: &'a RunResult) -> Option<Part<'a>> {
    Some(match scope {
        Scope::Total => in_steady(&result.totals),
        Scope::Endpoint(name) => in_steady(endpoint(name, result)?),
        Scope::Metric(name) => custom(metric(name, result)?),
    })
}

/// Requests that did not end, of what an objective of failures is about.
pub(super) fn never_ended(scope: &Scope, result: &RunResult) -> Missing {
    let endpoints = result.whole_run.endpoints.iter().filter(|endpoint| match scope {
        Scope::Total => true,
        Scope::Endpoint(name) => endpoint.name == *name,
        Scope::Metric(_) => false,
    });
    let unfinished = endpoints.filter_map(|endpoint| endpoint.unfinished_time.as_ref());
    let unfinished = unfinished.fold(0, |sum: u64, times| sum.saturating_add(times.n));
    Missing {
        unfinished,
        unplaced: unplaced(scope, result),
        not_started: not_started(scope, Over::WholeRun, result),
        ..Missing::default()
    }
}

/// Messages that were still waited for when the run ended, of what an objective of failures is about: any of them may
/// never have come.
pub(super) fn awaited(scope: &Scope, result: &RunResult) -> u64 {
    let endpoints = result.whole_run.endpoints.iter().filter(|endpoint| match scope {
        Scope::Total => true,
        Scope::Endpoint(name) => endpoint.name == *name,
        Scope::Metric(_) => false,
    });
    let sockets = endpoints.filter_map(|endpoint| endpoint.websocket);
    sockets.fold(0, |sum: u64, socket| sum.saturating_add(socket.unfinished_messages))
}

/// Arrivals that the generator was too late for, of what an objective is about: any of them may have made a custom
/// metric.
pub(super) fn not_started(scope: &Scope, over: Over, result: &RunResult) -> u64 {
    match (scope, over.is_whole_run()) {
        (Scope::Endpoint(name), true) => counts(name, result).map_or(0, |counts| counts.not_started),
        (Scope::Endpoint(name), false) => endpoint(name, result).map_or(0, |it| it.not_started),
        (Scope::Total | Scope::Metric(_), true) => {
            let endpoints = result.whole_run.endpoints.iter();
            endpoints.fold(0, |sum, endpoint| sum.saturating_add(endpoint.not_started))
        }
        (Scope::Total | Scope::Metric(_), false) => result.totals.not_started,
    }
}

/// Requests that were cut off and may have been of what is judged, without a time. An earlier version did not say of
/// which endpoint they were, and no version says of which custom metric.
fn unplaced(scope: &Scope, result: &RunResult) -> u64 {
    let whole = &result.whole_run;
    let endpoints = whole.endpoints.iter().filter_map(|it: &EndpointCounts| it.unfinished_time.as_ref());
    let placed = endpoints.fold(0, |sum: u64, times| sum.saturating_add(times.n));
    match scope {
        Scope::Metric(_) => whole.unfinished,
        Scope::Total | Scope::Endpoint(_) => whole.unfinished.saturating_sub(placed),
    }
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
            (metric(name, result).map_or(0, sum), metric_of_all(name, result).map_or(0, sum))
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

pub(super) fn metric<'a>(name: &str, result: &'a RunResult) -> Option<&'a CustomMetric> {
    result.metrics.iter().find(|metric| metric.name == name)
}

/// A custom metric in the whole run, where that is stored.
pub(super) fn metric_of_all<'a>(name: &str, result: &'a RunResult) -> Option<&'a CustomMetric> {
    result.whole_run.metrics.iter().find(|metric| metric.name == name)
}

/// All parts merged, with what was cut off among them; none where there is no time.
fn judged<'a>(parts: &[Part<'a>], over: Over, scope: &Scope, result: &'a RunResult) -> Option<Judged<'a>> {
    let ended = || parts.iter().filter_map(|part| part.times);
    let cut_off = || parts.iter().filter_map(|part| part.unfinished);
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
    let unfinished = sum(&mut cut_off().map(|times| times.n));
    let missing = Missing {
        timed_out: sum(&mut ended().map(|times| times.timed_out)),
        unfinished,
        unplaced: unplaced(scope, result),
        failed: sum(&mut parts.iter().map(|part| part.failed)),
        not_started: not_started(scope, over, result),
    };
    match merge(ended().chain(cut_off())) {
        Some(times) => Some(Judged { times, missing }),
        // Where a histogram cannot be read, what was cut off is known by its count alone.
        None => merge(ended()).map(|times| {
            let unplaced = missing.unplaced.saturating_add(unfinished);
            Judged { times, missing: Missing { unfinished: 0, unplaced, ..missing } }
        }),
    }
}

fn in_steady(endpoint: &Endpoint) -> Part<'_> {
    Part {
        times: endpoint.response_time.as_ref(),
        unfinished: endpoint.unfinished_time.as_ref(),
        failed: without_time(&endpoint.failed),
    }
}

fn custom(metric: &CustomMetric) -> Part<'_> {
    Part { times: metric.response_time.as_ref(), unfinished: None, failed: metric.failed }
}

fn total_of_all(result: &RunResult) -> Result<Vec<Part<'_>>, Because> {
    let (whole, totals) = (&result.whole_run, &result.totals);
    let steady = ((whole.ok, &whole.failed) == (totals.ok, &totals.failed)).then_some(totals);
    let unfinished = whole.endpoints.iter().map(|endpoint| endpoint.unfinished_time.as_ref());
    let unfinished = unfinished.map(|unfinished| Part { times: None, unfinished, failed: 0 });
    let all = WholeRun { times: whole.response_time.as_ref(), ok: whole.ok, failed: &whole.failed };
    Ok([all.part(steady)?].into_iter().chain(unfinished).collect())
}

fn of_all<'a>(endpoint: &'a Endpoint, result: &'a RunResult) -> Result<Part<'a>, Because> {
    let whole = counts(&endpoint.name, result).ok_or(Because::NeverHit)?;
    let steady = ((whole.ok, &whole.failed) == (endpoint.ok, &endpoint.failed)).then_some(endpoint);
    let all = WholeRun { times: whole.response_time.as_ref(), ok: whole.ok, failed: &whole.failed };
    Ok(Part { unfinished: whole.unfinished_time.as_ref(), ..all.part(steady)? })
}

/// What ended in the whole run.
struct WholeRun<'a> {
    times: Option<&'a Times>,
    ok: u64,
    failed: &'a Failed,
}

impl<'a> WholeRun<'a> {
    /// Its times. Where all of it ended in the steady phase, those of the steady phase are the same; else a result that
    /// does not hold them, as none of an earlier version does, says nothing about them.
    fn part(self, steady: Option<&'a Endpoint>) -> Result<Part<'a>, Because> {
        let untimed = self.ok == 0 && !self.failed.contains_key("timeout");
        let times = match steady {
            Some(steady) if self.times.is_none() => steady.response_time.as_ref(),
            None if self.times.is_none() && !untimed => return Err(Because::TimesNotStored),
            _ => self.times,
        };
        Ok(Part { times, unfinished: None, failed: without_time(self.failed) })
    }
}
