//! The part of a summary that is about the whole run, ramps and drain included. Its times are kept only where a
//! verdict needs them, so that a result is no larger than it must be.

use crate::load::measure::censored::CensoredTimes;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::{MetricTally, Recording, Split, StartTally, Tally};
use crate::metric::Metric;
use crate::plan::rules::{Applies, Objective, Scope};
use crate::plan::{Endpoint, EndpointKind, Plan};

use super::endpoint::{CustomMetric, EndpointCounts, Kind, Times, WebSocketCounts};
use super::schema::{NeverReady, WholeRun};
use super::summary::{at_least, failed, kind, ratio, with_histogram};

/// Counts of both halves, and times where they are needed: elsewhere no histogram is copied.
pub(super) fn whole_run(plan: &Plan, recording: &Recording) -> WholeRun {
    let endpoints: Vec<_> = plan
        .endpoints
        .iter()
        .zip(&recording.endpoints)
        .map(|(planned, split)| EndpointCounts {
            response_time: endpoint_times(plan, planned, split),
            unfinished_time: unfinished_times(split),
            ..endpoint_counts(&planned.name, kind(planned.kind), split)
        })
        .collect();
    let mut counts = [0; FailureKind::ALL.len()];
    for split in &recording.endpoints {
        for (sum, count) in counts.iter_mut().zip(both_failed(split)) {
            *sum += count;
        }
    }
    let ok: u64 = endpoints.iter().map(|endpoint| endpoint.ok).sum();
    let broken: u64 = counts.iter().sum();
    WholeRun {
        ok,
        failed: failed(&counts),
        unfinished: recording.unfinished,
        error_rate: ratio(broken as f64, (ok + broken) as f64),
        retried_on_close: endpoints.iter().map(|endpoint| endpoint.retried_on_close).sum(),
        retried_on_refusal: endpoints.iter().map(|endpoint| endpoint.retried_on_refusal).sum(),
        response_time: all_times(plan, recording),
        metrics: metrics(plan, recording),
        endpoints,
        never_ready: never_ready(recording.starts),
    }
}

fn never_ready(starts: StartTally) -> Option<NeverReady> {
    let StartTally { begun, never_ready } = starts;
    (never_ready > 0).then_some(NeverReady { users: never_ready, of: begun })
}

fn endpoint_counts(name: &str, kind: Kind, split: &Split<Tally>) -> EndpointCounts {
    let Split { steady, rest } = split;
    let broken = steady.failures() + rest.failures();
    EndpointCounts {
        name: name.to_owned(),
        ok: steady.ok + rest.ok,
        failed: failed(&both_failed(split)),
        error_rate: ratio(broken as f64, (steady.total() + rest.total()) as f64),
        not_started: steady.not_started + rest.not_started,
        retried_on_close: steady.retried_on_close + rest.retried_on_close,
        retried_on_refusal: steady.retried_on_refusal + rest.retried_on_refusal,
        websocket: (kind == Kind::Websocket).then(|| WebSocketCounts {
            messages_in: steady.messages_in + rest.messages_in,
            messages_out: steady.messages_out + rest.messages_out,
            missing_messages: steady.missing_messages + rest.missing_messages,
            unfinished_messages: steady.unfinished_messages + rest.unfinished_messages,
            unexpected_closes: steady.unexpected_closes + rest.unexpected_closes,
            pongs: steady.pongs + rest.pongs,
        }),
        response_time: None,
        unfinished_time: None,
    }
}

/// Requests of both halves that were cut off.
fn unfinished_times(split: &Split<Tally>) -> Option<Times> {
    let mut sum = split.steady.unfinished.clone();
    sum.merge(&split.rest.unfinished);
    at_least(&sum)
}

/// Failures of the whole run.
pub(super) fn both_failed(split: &Split<Tally>) -> [u64; FailureKind::ALL.len()] {
    std::array::from_fn(|index| split.steady.failed[index] + split.rest.failed[index])
}

/// Objectives that are judged on times of the whole run.
fn over_whole_run(plan: &Plan) -> impl Iterator<Item = &Objective> {
    plan.rules.objectives.iter().filter(|it| it.applies == Applies::Here && it.over.is_whole_run())
}

/// The times of both halves together.
fn together<'a>(halves: impl Iterator<Item = &'a CensoredTimes>) -> Option<Times> {
    let mut sum = CensoredTimes::default();
    halves.for_each(|times| sum.merge(times));
    with_histogram(&sum)
}

/// Times of an endpoint, where they are needed and are more than those of the steady phase.
fn endpoint_times(plan: &Plan, endpoint: &Endpoint, split: &Split<Tally>) -> Option<Times> {
    let asked = || {
        over_whole_run(plan).any(|objective| match &objective.scope {
            Scope::Endpoint(name) => *name == endpoint.name,
            Scope::Total => {
                matches!(objective.metric, Metric::Connect(_)) && endpoint.kind == EndpointKind::WebSocket
            }
            Scope::Metric(_) => false,
        })
    };
    let Split { steady, rest } = split;
    let needed = rest.total() > 0 && (steady.response.all.count() == 0 || asked());
    needed.then(|| together([&steady.response, &rest.response].into_iter()))?
}

fn all_times(plan: &Plan, recording: &Recording) -> Option<Times> {
    let needed = over_whole_run(plan).any(|objective| {
        objective.scope == Scope::Total
            && matches!(objective.metric, Metric::Response(_) | Metric::Mean | Metric::Max)
    });
    let halves = || recording.endpoints.iter().flat_map(|it| [&it.steady.response, &it.rest.response]);
    needed.then(|| together(halves()))?
}

fn metrics(plan: &Plan, recording: &Recording) -> Vec<CustomMetric> {
    let all = plan.metrics.iter().zip(&recording.metrics);
    let needed = all.filter(|(name, Split { steady, rest })| {
        let asked = || over_whole_run(plan).any(|it| matches!(&it.scope, Scope::Metric(of) if of == *name));
        let recorded =
            |tally: &MetricTally| tally.ok > 0 || tally.failed > 0 || tally.response.all.count() > 0;
        let only_outside = steady.response.all.count() == 0 && recorded(rest);
        only_outside || asked() && (recorded(steady) || recorded(rest))
    });
    needed
        .map(|(name, Split { steady, rest })| CustomMetric {
            name: name.clone(),
            ok: steady.ok + rest.ok,
            failed: steady.failed + rest.failed,
            response_time: together([&steady.response, &rest.response].into_iter()),
        })
        .collect()
}
