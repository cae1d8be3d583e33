//! What one objective needs of recordings, added up over a stretch of the run, and the number it makes.
//! Times and throughput are of requests that were due in the steady phase, unless the objective asks for the whole run;
//! what counts failures, of everything that ended.

use std::time::Duration;

use crate::load::measure::censored::CensoredTimes;
use crate::load::measure::recording::{MetricTally, Recording, Split, Tally};
use crate::metric::Metric;
use crate::plan::rules::{Objective, Scope};
use crate::plan::{EndpointKind, Plan};
use crate::result::window::WindowPoint;

use crate::gate::times::Missing;
use crate::gate::{decision, whole_run};
use crate::stats::histogram;
use crate::stats::quantile::normal_upper;
use crate::stats::significance::proves_share_above;

/// Below so many times nothing is said about how much their mean varies.
const LEAST_OF_MEAN: u64 = 30;

/// Adds up one objective.
#[derive(Debug, Clone)]
pub struct Count {
    metric: Metric,
    limit: f64,
    source: Source,
    /// Whether what was due outside the steady phase counts as well.
    whole_run: bool,
    /// WebSockets that were opened since the start of the run.
    opened: u64,
    sum: Sum,
}

/// Where in a recording to look.
#[derive(Debug, Clone)]
enum Source {
    Endpoints(Vec<usize>),
    Metrics(Vec<usize>),
}

/// A stretch of the run. What an objective is not about stays empty.
#[derive(Debug, Clone, Default)]
struct Sum {
    length: Duration,
    n: u64,
    bad: u64,
    times: CensoredTimes,
    /// Requests without a time, of what the times are about.
    missing: Missing,
}

impl Count {
    /// Nothing yet of an objective.
    pub fn of(objective: &Objective, plan: &Plan) -> Self {
        Self {
            metric: objective.metric,
            limit: objective.limit,
            source: source(objective, plan),
            whole_run: objective.over.is_whole_run(),
            opened: 0,
            sum: Sum::default(),
        }
    }

    /// Begins a new stretch.
    pub fn restart(&mut self) {
        self.sum = Sum::default();
    }

    /// How much of the stretch is there.
    pub fn length(&self) -> Duration {
        self.sum.length
    }

    /// Sees what is remembered of the whole run, wherever the stretch begins: every recording, once.
    pub fn see(&mut self, recording: &Recording) {
        if let Source::Endpoints(indexes) = &self.source
            && matches!(self.metric, Metric::MissingMessages | Metric::UnexpectedCloses)
        {
            let endpoints = indexes.iter().filter_map(|index| recording.endpoints.get(*index));
            self.opened += endpoints.map(|split| split.steady.ok + split.rest.ok).sum::<u64>();
        }
    }

    /// Adds a recording to the stretch, which gets longer by `length`.
    pub fn add(&mut self, recording: &Recording, length: Duration) {
        let Self { metric, source, whole_run, sum, .. } = self;
        sum.length += length;
        match source {
            Source::Endpoints(indexes) => {
                for split in indexes.iter().filter_map(|index| recording.endpoints.get(*index)) {
                    sum.endpoint(*metric, split);
                    if *whole_run && !metric.is_share() {
                        sum.timed(*metric, &split.rest);
                    }
                }
            }
            Source::Metrics(indexes) => {
                for split in indexes.iter().filter_map(|index| recording.metrics.get(*index)) {
                    sum.custom(*metric, &split.steady);
                    if *whole_run {
                        sum.custom(*metric, &split.rest);
                    }
                }
            }
        }
    }

    /// The number of the stretch, as the value of a window that began at `at`.
    pub fn point(&self, at: Duration) -> WindowPoint {
        let Sum { length, n, bad, .. } = self.sum;
        let (n, value) = match self.metric {
            Metric::ErrorRate => (n, (n > 0).then(|| bad as f64 / n as f64)),
            Metric::Throughput => (n, (!length.is_zero()).then(|| n as f64 / length.as_secs_f64())),
            Metric::MissingMessages => (n, (self.opened > 0).then_some(bad as f64)),
            Metric::UnexpectedCloses => (self.opened, (self.opened > 0).then_some(bad as f64)),
            _ => return self.time(at),
        };
        WindowPoint { n, value, ..nothing(at) }
    }

    /// Whether the stretch so far proves, at error rate `alpha`, that the true number is beyond the limit. What
    /// only ever grows, or what is no sum of chances, needs no proof.
    pub fn proves_breach(&self, alpha: f64) -> bool {
        let Sum { length, n, bad, times, .. } = &self.sum;
        match self.metric {
            Metric::ErrorRate => proves_share_above(*bad, *n, self.limit, alpha),
            // Independent successes vary as a Poisson count does, and those of users who wait vary less.
            Metric::Throughput => {
                let expected = self.limit * length.as_secs_f64();
                expected - *n as f64 > normal_upper(alpha) * expected.sqrt()
            }
            Metric::Mean => times.all.histogram().is_some_and(|all| {
                let error = all.stdev() / (all.len() as f64).sqrt();
                all.len() >= LEAST_OF_MEAN && all.mean() - normal_upper(alpha) * error > self.limit * 1e3
            }),
            metric => decision::percentile(metric).is_none_or(|percentile| {
                times.all.histogram().is_some_and(|all| {
                    let above = whole_run::slower(&all, self.limit);
                    proves_share_above(above, all.len(), 1.0 - percentile.quantile(), alpha)
                })
            }),
        }
    }

    fn time(&self, at: Duration) -> WindowPoint {
        let Sum { times, missing, .. } = &self.sum;
        let Some(all) = times.all.histogram() else { return nothing(at) };
        let timed_out = times.timed_out.histogram();
        let percentile = decision::percentile(self.metric);
        let us = match (percentile, self.metric) {
            (Some(percentile), _) => all.value_at_quantile(percentile.quantile()) as f64,
            (None, Metric::Mean) => all.mean(),
            (None, _) => all.max() as f64,
        };
        let above = percentile.map(|_| whole_run::slower(&all, self.limit));
        let value = us / 1e3;
        let missing = Missing { timed_out: times.timed_out.count(), ..*missing };
        let at_most = |failed: u64| match percentile {
            Some(percentile) => {
                let rank = histogram::rank(percentile.quantile(), all.len() + failed);
                let us = histogram::value_at_rank(&all, timed_out.as_deref(), rank);
                us.map(|us| us as f64 / 1e3)
            }
            None => (missing.timed_out == 0 && failed == 0).then_some(value),
        };
        let unanswered = missing.leave_open(value, at_most);
        WindowPoint { n: all.len(), value: Some(value), above, unanswered, ..nothing(at) }
    }
}

/// The value of a window in which there was nothing.
fn nothing(at: Duration) -> WindowPoint {
    WindowPoint { t_s: at.as_secs_f64(), n: 0, value: None, above: None, unanswered: None, of: 1 }
}

impl Sum {
    fn endpoint(&mut self, metric: Metric, split: &Split<Tally>) {
        let Split { steady, rest } = split;
        match metric {
            Metric::ErrorRate => {
                self.n += steady.total() + rest.total();
                self.bad += steady.failures() + rest.failures();
            }
            Metric::MissingMessages => {
                let missing = steady.missing_messages + rest.missing_messages;
                self.n += steady.messages_in + rest.messages_in + missing;
                self.bad += missing;
            }
            Metric::UnexpectedCloses => self.bad += steady.unexpected_closes + rest.unexpected_closes,
            _ => self.timed(metric, steady),
        }
    }

    /// Adds times, or successes of a throughput.
    fn timed(&mut self, metric: Metric, tally: &Tally) {
        if metric == Metric::Throughput {
            self.n += tally.ok;
        } else {
            self.times.merge(&tally.response);
            self.missing.failed += tally.without_time();
            self.missing.not_started += tally.not_started;
        }
    }

    fn custom(&mut self, metric: Metric, tally: &MetricTally) {
        if metric == Metric::Throughput {
            self.n += tally.ok;
        } else {
            self.times.merge(&tally.response);
            self.missing.failed += tally.failed;
        }
    }
}

/// Which endpoints or custom metrics an objective is about: of WebSockets alone, where only they have it.
fn source(objective: &Objective, plan: &Plan) -> Source {
    let sockets =
        matches!(objective.metric, Metric::Connect(_) | Metric::MissingMessages | Metric::UnexpectedCloses);
    let endpoints = |named: Option<&String>| {
        let about = plan.endpoints.iter().enumerate().filter(|(_, endpoint)| {
            named.is_none_or(|name| endpoint.name == *name)
                && (!sockets || endpoint.kind == EndpointKind::WebSocket)
        });
        Source::Endpoints(about.map(|(index, _)| index).collect())
    };
    match &objective.scope {
        Scope::Total => endpoints(None),
        Scope::Endpoint(name) => endpoints(Some(name)),
        Scope::Metric(name) => {
            let about = plan.metrics.iter().enumerate().filter(|(_, metric)| *metric == name);
            Source::Metrics(about.map(|(index, _)| index).collect())
        }
    }
}
