//! Whether the service stopped answering for a large part of the run, while it was being asked.
//!
//! Counts of requests do not show it in the closed model. Twenty users who wait for twenty answers send nothing else: a
//! service that answers 5,000 requests in ten seconds and none in the next twenty has 20 requests without an answer, or
//! as many as time out meanwhile, which is less than any usual limit of percentiles and error rates. The requests that
//! users would have sent are missing, so the load was not the one that was planned. Arrivals go on whatever the service
//! does and are counted, so what they say stands.

use crate::plan::rules::Scope;
use crate::result::endpoint::{Kind, Times};
use crate::result::schema::{Point, RunResult};
use crate::result::verdict::Finding;

use super::times;

/// The least that is told: shorter ones are what a percentile or a maximum is for.
const LEAST_S: f64 = 5.0;
/// Of the steady phase, so much.
const LARGE: f64 = 0.2;
/// So many requests that usually are answered meanwhile: else they may just be rare.
const LEAST_USUAL: f64 = 20.0;
/// Failures that are more than this share of them are a load of their own, and an error rate judges them.
const FEW_FAILED: f64 = 0.5;
/// In so much of the rest of the phase requests are answered, where nobody waits for each other.
const OFTEN: f64 = 0.5;
/// A request takes no more than this share of it in the median, where it is more than one slow answer.
const USUALLY: f64 = 1.0 / 3.0;
/// One that takes more than this share of it shows that the service was asked.
const ASKED: f64 = 0.5;

/// Seconds of the steady phase, one after the other, in which no request was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Silence {
    t_s: f64,
    length_s: f64,
    failed: u64,
    seconds_with_failures: u64,
    /// Nothing came after it, not even in the drain.
    at_the_end: bool,
}

/// The longest such time that says that the service did not answer; none where there is none.
pub fn longest(result: &RunResult) -> Option<Finding> {
    let silences = silences(result);
    let told = silences.iter().filter_map(|silence| told(silence, result));
    told.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(finding, _)| finding)
}

/// Every stretch without an answer.
fn silences(result: &RunResult) -> Vec<Silence> {
    let mut all: Vec<Silence> = Vec::new();
    let mut open = false;
    for point in &result.series {
        let silent = point.phase == "steady" && point.ok == 0;
        if let Some(last) = all.last_mut().filter(|_| silent && open) {
            last.length_s += point.length_s;
            last.failed = last.failed.saturating_add(failed(point, result));
            last.seconds_with_failures += u64::from(failed(point, result) > 0);
        } else if silent {
            all.push(Silence {
                t_s: point.t_s,
                length_s: point.length_s,
                failed: failed(point, result),
                seconds_with_failures: u64::from(failed(point, result) > 0),
                at_the_end: false,
            });
        }
        open = silent || (open && point.phase == "drain" && point.ok == 0);
    }
    if let Some(last) = all.last_mut() {
        last.at_the_end = open;
    }
    all
}

/// Requests that failed: what goes wrong on an open socket is no request.
fn failed(point: &Point, result: &RunResult) -> u64 {
    let http = result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Http);
    let at = http.filter_map(|endpoint| point.endpoints.get(&endpoint.name));
    at.fold(0, |sum: u64, endpoint| sum.saturating_add(endpoint.failed))
}

/// What is said of one of them, and how long it was.
fn told(silence: &Silence, result: &RunResult) -> Option<(Finding, f64)> {
    let others = || {
        let inside = |point: &Point| point.t_s >= silence.t_s && point.t_s < silence.t_s + silence.length_s;
        result.series.iter().filter(move |point| point.phase == "steady" && !inside(point))
    };
    let [rest_s, answering_s] = [0, 1]
        .map(|least| others().filter(|point| point.ok >= least).map(|point| point.length_s).sum::<f64>());
    let usual_per_s = others().map(|point| point.ok as f64).sum::<f64>() / rest_s;
    let usual = usual_per_s * silence.length_s;
    let answered = result.totals.response_time.as_ref();
    let median_s = answered.map_or(0.0, |times| times.p50_ms / 1e3);
    let unfinished_s = unfinished(result).map(|times| times.p50_ms / 1e3).fold(0.0, f64::max);
    // What hangs until the end does so through the drain as well.
    let hangs = silence.at_the_end && unfinished_s > silence.length_s;
    let length_s = if hangs { unfinished_s } else { silence.length_s };
    let least_s = if hangs { LEAST_S } else { LEAST_S.max(LARGE * result.steady_s) };
    let asked = silence.seconds_with_failures > 1
        || longest_s(result) >= ASKED * length_s
        || silence.at_the_end && times::never_ended(&Scope::Total, result).unplaced > 0;
    let holds = length_s > least_s
        && usual >= LEAST_USUAL
        && silence.failed as f64 <= FEW_FAILED * usual
        && answering_s >= OFTEN * rest_s
        && median_s <= USUALLY * length_s
        && asked;
    let usual = (usual_per_s * length_s) as u64;
    holds.then_some((Finding::NoAnswer { t_s: silence.t_s, length_s, usual }, length_s))
}

fn unfinished(result: &RunResult) -> impl Iterator<Item = &Times> {
    result.whole_run.endpoints.iter().filter_map(|endpoint| endpoint.unfinished_time.as_ref())
}

/// The longest that any request was under way.
fn longest_s(result: &RunResult) -> f64 {
    let totals = &result.totals;
    let ended = [&totals.response_time, &totals.failed_response_time].into_iter().flatten();
    ended.chain(unfinished(result)).map(|times| times.max_ms / 1e3).fold(0.0, f64::max)
}
