//! What one objective needs of recordings, added up over a stretch of the run, and the number it makes.
//! Times and throughput are of requests that were due in the steady phase; what counts failures, of
//! everything that ended.

use std::time::Duration;

use crate::load::measure::recording::{Recording, Split, Tally};
use crate::load::measure::times::Times;
use crate::metric::Metric;
use crate::plan::rules::{Objective, Scope};
use crate::plan::{EndpointKind, Plan};
use crate::result::window::WindowPoint;

use crate::gate::{decision, whole_run};

/// Adds up one objective.
#[derive(Debug, Clone)]
pub struct Count {
    metric: Metric,
    limit: f64,
    source: Source,
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
    times: Times,
}

impl Count {
    /// Nothing yet of an objective.
    pub fn of(objective: &Objective, plan: &Plan) -> Self {
        Self {
            metric: objective.metric,
            limit: objective.limit,
            source: source(objective, plan),
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
        let Self { metric, source, sum, .. } = self;
        sum.length += length;
        match source {
            Source::Endpoints(indexes) => {
                for split in indexes.iter().filter_map(|index| recording.endpoints.get(*index)) {
                    sum.endpoint(*metric, split);
                }
            }
            Source::Metrics(indexes) => {
                for split in indexes.iter().filter_map(|index| recording.metrics.get(*index)) {
                    match metric {
                        Metric::Throughput => sum.n += split.steady.ok,
                        _ => sum.times.merge(&split.steady.response),
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
        WindowPoint { t_s: at.as_secs_f64(), n, value, above: None, of: 1 }
    }

    fn time(&self, at: Duration) -> WindowPoint {
        let nothing = WindowPoint { t_s: at.as_secs_f64(), n: 0, value: None, above: None, of: 1 };
        let Some(histogram) = self.sum.times.histogram() else { return nothing };
        let percentile = decision::percentile(self.metric);
        let us = match (percentile, self.metric) {
            (Some(percentile), _) => histogram.value_at_quantile(percentile.quantile()) as f64,
            (None, Metric::Mean) => histogram.mean(),
            (None, _) => histogram.max() as f64,
        };
        let above = percentile.map(|_| whole_run::slower(&histogram, self.limit));
        WindowPoint { n: histogram.len(), value: Some(us / 1e3), above, ..nothing }
    }
}

impl Sum {
    fn endpoint(&mut self, metric: Metric, split: &Split<Tally>) {
        let Split { steady, rest } = split;
        match metric {
            Metric::ErrorRate => {
                self.n += steady.total() + rest.total();
                self.bad += steady.failures() + rest.failures();
            }
            Metric::Throughput => self.n += steady.ok,
            Metric::MissingMessages => {
                let missing = steady.missing_messages + rest.missing_messages;
                self.n += steady.messages_in + rest.messages_in + missing;
                self.bad += missing;
            }
            Metric::UnexpectedCloses => self.bad += steady.unexpected_closes + rest.unexpected_closes,
            _ => self.times.merge(&steady.response),
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
