//! Whether the service, or one of its endpoints, stopped answering for a large part of the run, while it was being
//! asked.
//!
//! Counts of requests do not show it in the closed model. Twenty users who wait for twenty answers send nothing else: a
//! service that answers 5,000 requests in ten seconds and none in the next twenty has 20 requests without an answer, or
//! as many as time out meanwhile, which is less than any usual limit of percentiles and error rates. The requests that
//! users would have sent are missing, so the load was not the one that was planned. Arrivals go on whatever the service
//! does and are counted, so what they say stands.
//!
//! A health check that goes on does not make up for it, so each endpoint is looked at by itself; nor does a hundredth of
//! the usual answers.

use std::collections::BTreeSet;

use crate::plan::rules::Scope;
use crate::result::endpoint::{self, Endpoint, Kind, Times};
use crate::result::schema::RunResult;
use crate::result::stretch::{Stretch, stretches};
use crate::result::verdict::Finding;

use super::times;

/// The least that is told: shorter ones are what a percentile or a maximum is for.
const LEAST_S: f64 = 5.0;
/// Of it, so much lies in the steady phase: users who still wait while the load drains ask for nothing else.
const LEAST_STEADY_S: f64 = 2.0;
/// Of the steady phase, so much.
const LARGE: f64 = 0.2;
/// So many requests that usually are answered in that part of the steady phase: else they may just be rare.
const LEAST_USUAL: f64 = 20.0;
/// Of the usual answers, so many are as good as none.
const NEXT_TO_NONE: f64 = 0.01;
/// Failures that are more than this share of them are a load of their own, and an error rate judges them.
const FEW_FAILED: f64 = 0.5;
/// In so much of the rest of the phase requests are answered, where nobody waits for each other.
const OFTEN: f64 = 0.5;
/// A request takes no more than this share of it in the median, where it is more than one slow answer.
const USUALLY: f64 = 1.0 / 3.0;
/// One that takes more than this share of it shows that the service was asked.
const ASKED: f64 = 0.5;
/// What was in flight in a silence is answered in so many seconds after it.
const AFTER: usize = 2;

/// What may have stopped answering.
#[derive(Debug, Clone)]
struct Subject<'a> {
    result: &'a RunResult,
    /// What it did over time.
    moments: Vec<Moment<'a>>,
    /// One endpoint; none stands for the whole service.
    name: Option<&'a str>,
    /// What was measured of it in the steady phase.
    steady: &'a Endpoint,
    /// So many answers per second are as good as none.
    most_per_s: f64,
}

/// What one of them did in a second, or in a longer stretch where no more is known of it.
#[derive(Debug, Clone, Copy)]
struct Moment<'a> {
    phase: &'a str,
    t_s: f64,
    length_s: f64,
    ok: u64,
    /// Requests that failed, at least: what goes wrong on an open socket is no request.
    failed: u64,
    /// Whether any did, as far as is known.
    may_have_failed: bool,
    /// The longest that any request took that ended in it.
    longest_s: Option<f64>,
}

/// Seconds of the steady phase, one after the other, in which next to no request was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Silence {
    t_s: f64,
    length_s: f64,
    failed: u64,
    seconds_with_failures: u64,
    /// Nothing came after it, not even in the drain.
    at_the_end: bool,
}

/// The longest such time that says that the service did not answer; none where there is none. Of an endpoint it is only
/// told where it says more than that of the whole service.
pub fn longest(result: &RunResult) -> Option<Finding> {
    let service = Subject::of(result, None, &result.totals);
    service.longest().map(|(finding, _)| finding).or_else(|| longest_of_endpoints(result))
}

/// The longest such time of any endpoint; none where there is none. Where the result was written without the endpoints of
/// its points, it is the one that was found before.
pub fn longest_of_endpoints(result: &RunResult) -> Option<Finding> {
    if let Some(left_out) = &result.left_out {
        return left_out.silence.clone();
    }
    let endpoints = result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Http);
    let endpoints = endpoints.map(|steady| Subject::of(result, Some(&steady.name), steady));
    let longest = endpoints.filter_map(|subject| subject.longest()).max_by(|a, b| a.1.total_cmp(&b.1));
    longest.map(|(finding, _)| finding)
}

impl<'a> Subject<'a> {
    fn of(result: &'a RunResult, name: Option<&'a str>, steady: &'a Endpoint) -> Self {
        let moments = match name {
            None => of_service(result),
            Some(name) => stretches(&result.series).map(|stretch| of_endpoint(&stretch, name)).collect(),
        };
        let subject = Self { result, moments, name, steady, most_per_s: 0.0 };
        Self { most_per_s: NEXT_TO_NONE * subject.usual_per_s(|_| true), ..subject }
    }

    fn longest(&self) -> Option<(Finding, f64)> {
        let silences = self.silences();
        let told = silences.iter().filter_map(|silence| self.told(silence));
        told.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Every stretch without an answer.
    fn silences(&self) -> Vec<Silence> {
        let mut all: Vec<Silence> = Vec::new();
        let mut open = false;
        for point in &self.moments {
            let (silent, failed) = (point.phase == "steady" && self.is_silent(point), point.failed);
            if let Some(last) = all.last_mut().filter(|_| silent && open) {
                last.length_s += point.length_s;
                last.failed = last.failed.saturating_add(failed);
                last.seconds_with_failures += u64::from(point.may_have_failed);
            } else if silent {
                all.push(Silence {
                    t_s: point.t_s,
                    length_s: point.length_s,
                    failed,
                    seconds_with_failures: u64::from(point.may_have_failed),
                    at_the_end: false,
                });
            }
            open = silent || (open && point.phase == "drain" && self.is_silent(point));
        }
        if let Some(last) = all.last_mut() {
            last.at_the_end = open;
        }
        all
    }

    /// What is said of one of them, and how long it was.
    fn told(&self, silence: &Silence) -> Option<(Finding, f64)> {
        let unfinished_s = self.unfinished().map(|times| times.p50_ms / 1e3).fold(0.0, f64::max);
        // What hangs until the end does so through the drain as well.
        let hangs =
            silence.at_the_end && unfinished_s > silence.length_s && silence.length_s >= LEAST_STEADY_S;
        let length_s = if hangs { unfinished_s } else { silence.length_s };
        let least_s = if hangs { LEAST_S } else { LEAST_S.max(LARGE * self.result.steady_s) };
        // Most silences are a second or two of an endpoint that is rare.
        if length_s <= least_s {
            return None;
        }
        let others = |point: &Moment| point.t_s < silence.t_s || point.t_s >= silence.t_s + silence.length_s;
        let steady = self.moments.iter().filter(|point| point.phase == "steady" && others(point));
        let answering = steady.clone().filter(|point| !self.is_silent(point));
        let rest_s: f64 = steady.map(|point| point.length_s).sum();
        let answering_s: f64 = answering.map(|point| point.length_s).sum();
        let usual_per_s = self.usual_per_s(others);
        let usual = usual_per_s * silence.length_s;
        let answered = self.steady.response_time.as_ref();
        let median_s = answered.map_or(0.0, |times| times.p50_ms / 1e3);
        let holds = usual >= LEAST_USUAL
            && silence.failed as f64 <= FEW_FAILED * usual
            && answering_s >= OFTEN * rest_s
            && median_s <= USUALLY * length_s
            && (silence.seconds_with_failures > 1 || self.was_asked(silence, length_s));
        let endpoint = self.name.map(str::to_owned);
        let usual = (usual_per_s * length_s) as u64;
        holds.then_some((Finding::NoAnswer { endpoint, t_s: silence.t_s, length_s, usual }, length_s))
    }

    /// Whether requests were in flight for much of a silence. Of the whole service, any request that was under way for
    /// so long says it: there is always somebody who asks it. Of an endpoint, only one that was under way then.
    fn was_asked(&self, silence: &Silence, length_s: f64) -> bool {
        let much = |times: &Times| times.max_ms / 1e3 >= ASKED * length_s;
        if self.name.is_none() {
            let ended = [&self.steady.response_time, &self.steady.failed_response_time].into_iter().flatten();
            let unplaced = silence.at_the_end && times::never_ended(&Scope::Total, self.result).unplaced > 0;
            return unplaced || ended.chain(self.unfinished()).any(much);
        }
        let end_s = silence.t_s + silence.length_s;
        let then = self.moments.iter().filter(|point| point.t_s >= silence.t_s);
        let after = then.clone().filter(|point| point.t_s >= end_s).take(AFTER);
        let ended_s = then.filter(|point| point.t_s < end_s).chain(after).filter_map(|point| {
            // What ends early in a silence was mostly under way before it.
            Some(point.longest_s?.min(point.t_s + point.length_s - silence.t_s))
        });
        silence.at_the_end && self.unfinished().any(much) || ended_s.fold(0.0, f64::max) >= ASKED * length_s
    }

    fn is_silent(&self, point: &Moment) -> bool {
        point.ok as f64 <= self.most_per_s * point.length_s
    }

    /// Answers per second in these seconds of the steady phase.
    fn usual_per_s(&self, within: impl Fn(&Moment) -> bool) -> f64 {
        let steady = self.moments.iter().filter(|point| point.phase == "steady" && within(point));
        let (ok, length_s) = steady
            .fold((0.0, 0.0), |(ok, length_s), point| (ok + point.ok as f64, length_s + point.length_s));
        if length_s > 0.0 { ok / length_s } else { 0.0 }
    }

    fn unfinished(&self) -> impl Iterator<Item = &'a Times> + use<'a> {
        let (name, counts) = (self.name, self.result.whole_run.endpoints.iter());
        let counts = counts.filter(move |counts| name.is_none_or(|name| counts.name == name));
        counts.filter_map(|counts| counts.unfinished_time.as_ref())
    }
}

/// The whole service, point by point. Where the endpoints are counted together, or left out, nobody knows whose failures
/// those of one point were: as few were of requests as there can have been, so that none of a socket hides a silence, and
/// any of them shows that the service was asked.
fn of_service(result: &RunResult) -> Vec<Moment<'_>> {
    let failures = |kind: Kind, stretch: &Stretch| {
        let of_kind = result.endpoints.iter().filter(|endpoint| endpoint.kind == kind);
        if result.left_out.is_some() {
            let names: BTreeSet<&str> = of_kind.map(|of| of.name.as_str()).collect();
            let counts = result.whole_run.endpoints.iter().filter(|it| names.contains(it.name.as_str()));
            counts.fold(0, |sum: u64, it| sum.saturating_add(endpoint::failures(&it.failed)))
        } else {
            let counts = of_kind.filter_map(|of| stretch.endpoints.get(&of.name));
            counts.fold(0, |sum: u64, it| sum.saturating_add(it.failed))
        }
    };
    let of_run = result.left_out.as_ref().and_then(|_| stretches(&result.series).next());
    let of_run = of_run.map(|stretch| [Kind::Http, Kind::Websocket].map(|kind| failures(kind, &stretch)));
    let mut moments = Vec::with_capacity(result.series.len());
    for stretch in stretches(&result.series) {
        let counted = || [Kind::Http, Kind::Websocket].map(|kind| failures(kind, &stretch));
        let [requests, sockets] = of_run.unwrap_or_else(counted);
        let known = stretch.is_one_point() && of_run.is_none();
        moments.extend(stretch.points.iter().map(|point| {
            let at_most = if known { requests } else { point.failed.min(requests) };
            Moment {
                phase: &point.phase,
                t_s: point.t_s,
                length_s: point.length_s,
                ok: point.ok,
                failed: if known { requests } else { at_most.min(point.failed.saturating_sub(sockets)) },
                may_have_failed: at_most > 0,
                longest_s: None,
            }
        }));
    }
    moments
}

/// One endpoint, in as short stretches as are known.
fn of_endpoint<'a>(stretch: &Stretch<'a>, name: &str) -> Moment<'a> {
    let made = stretch.endpoints.get(name);
    Moment {
        phase: &stretch.first.phase,
        t_s: stretch.first.t_s,
        length_s: stretch.length_s(),
        ok: made.map_or(0, |it| it.ok),
        failed: made.map_or(0, |it| it.failed),
        may_have_failed: made.is_some_and(|it| it.failed > 0),
        longest_s: made.and_then(|it| it.longest_ms.or(it.p99_ms)).map(|ms| ms / 1e3),
    }
}
