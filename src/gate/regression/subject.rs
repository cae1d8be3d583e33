//! What a compared number is about, and where it stands in a result and in a remembered run. Judges nothing.

use crate::baseline::run::{Numbers, Run};
use crate::metric::Metric;
use crate::plan::rules::Scope;
use crate::result::verdict::CheckScope;

/// Below so many samples a mean or a maximum is mostly luck: as many as the median needs.
const FEWEST: u64 = 20;
/// Below so many a throughput varies by a tenth by the count alone: √100 of 100.
const FEWEST_OF_RATE: u64 = 100;
/// No time is told from a shorter one: a microsecond.
const SHORTEST_MS: f64 = 0.001;

/// What a number is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject<'a> {
    /// All requests.
    Total,
    /// An endpoint.
    Endpoint(&'a str),
    /// A custom metric.
    Custom(&'a str),
}

impl<'a> Subject<'a> {
    /// Its name; none for all requests.
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::Total => None,
            Self::Endpoint(name) | Self::Custom(name) => Some(name),
        }
    }

    /// As an objective names it.
    pub fn place(self) -> Scope {
        match self {
            Self::Total => Scope::Total,
            Self::Endpoint(name) => Scope::Endpoint(name.to_owned()),
            Self::Custom(name) => Scope::Metric(name.to_owned()),
        }
    }

    /// As a result says it.
    pub fn scope(self) -> CheckScope {
        match self {
            Self::Total => CheckScope::Total,
            Self::Endpoint(_) => CheckScope::Endpoint,
            Self::Custom(_) => CheckScope::Metric,
        }
    }

    /// What is remembered of it in a run.
    pub fn numbers(self, run: &Run) -> Option<&Numbers> {
        match self {
            Self::Total => None,
            Self::Endpoint(name) => run.metrics.get(name),
            Self::Custom(name) => run.custom_metrics.get(name),
        }
    }

    /// y of a time or of a throughput in a remembered run; none where there were too few samples for it.
    pub fn y(self, metric: Metric, run: &Run) -> Option<f64> {
        let value = match (metric, self) {
            (Metric::Throughput, Self::Total) => Some(run.requests_per_second),
            (metric, subject) => {
                // A lower bound would pull the centre down to where the timeout is.
                let numbers = subject
                    .numbers(run)
                    .filter(|numbers| numbers.n >= fewest(metric) && numbers.is_exact(metric))?;
                match metric {
                    Metric::Throughput => Some(numbers.requests_per_second),
                    time => numbers.time_ms(time),
                }
            }
        };
        value.and_then(|value| y(metric, value))
    }
}

/// The fewest samples of which a time or a throughput says anything.
pub fn fewest(metric: Metric) -> u64 {
    match metric {
        Metric::Response(percentile) | Metric::Connect(percentile) => percentile.enough(),
        Metric::Throughput => FEWEST_OF_RATE,
        _ => FEWEST,
    }
}

/// y: the logarithm of a value, turned so that more is worse; none where a value has none.
pub fn y(metric: Metric, value: f64) -> Option<f64> {
    let y = match metric {
        Metric::Throughput => -value.ln(),
        // A step that took no time at all has got slower when it takes some.
        _ => value.max(SHORTEST_MS).ln(),
    };
    (value >= 0.0 && y.is_finite()).then_some(y)
}

/// The value that a y stands for.
pub fn value(metric: Metric, y: f64) -> f64 {
    if metric == Metric::Throughput { (-y).exp() } else { y.exp() }
}
