//! The part of `result.json` about endpoints: counts and distributions of times.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::measure::times::LONGEST_US;
use crate::metric::{Metric, Percentile};
use crate::stats::histogram;

/// Failures by the name of their kind; kinds without any are left out.
pub type Failed = BTreeMap<String, u64>;

/// All failures; a hostile file cannot make it overflow.
pub fn failures(failed: &Failed) -> u64 {
    failed.values().fold(0, |sum, count| sum.saturating_add(*count))
}

/// Failures of requests that would have taken nobody knows how long, had they been answered, and that are not
/// among the times. Timeouts are, and what goes wrong on an open WebSocket came after its connect.
pub fn without_time(failed: &Failed) -> u64 {
    const OTHERS: [&str; 3] = ["timeout", "websocket_close", "missing_message"];
    let counted = failed.iter().filter(|(kind, _)| !OTHERS.contains(&kind.as_str()));
    counted.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// Everything that ended, well or not.
pub fn ended(ok: u64, failed: &Failed) -> u64 {
    ok.saturating_add(failures(failed))
}

/// Counts of one endpoint over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCounts {
    /// Its name.
    pub name: String,
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: Failed,
    /// Failed ÷ (ok + failed); null where nothing ended.
    pub error_rate: Option<f64>,
    /// Arrivals that were not started because the generator was late: neither ok nor failed. Left out where there are
    /// none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub not_started: u64,
    /// Requests that were sent again because the connection, idle before, was closed before a byte of the response.
    #[serde(default)]
    pub retried_on_close: u64,
    /// Requests that were sent again because the server said that it had not processed them.
    #[serde(default)]
    pub retried_on_refusal: u64,
    /// What only a WebSocket has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub websocket: Option<WebSocketCounts>,
    /// From when a request was due to its end; only where an objective is judged on the times of the whole run, or the
    /// steady phase has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time: Option<Times>,
    /// Requests of the whole run that were cut off at its end; absent where there were none, and in results of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished_time: Option<Times>,
}

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Requests.
    Http,
    /// WebSocket connects.
    Websocket,
    /// Both, in the totals.
    All,
}

/// One endpoint, or all of them, in the steady phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `METHOD /path`, `WS /path`, or `total`.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: Failed,
    /// Successes per second.
    pub requests_per_second: f64,
    /// Failed ÷ (ok + failed); null where nothing ended.
    pub error_rate: Option<f64>,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Requests that were sent again because the connection, idle before, was closed before a byte of the response.
    #[serde(default)]
    pub retried_on_close: u64,
    /// Requests that were sent again because the server said that it had not processed them.
    #[serde(default)]
    pub retried_on_refusal: u64,
    /// Arrivals that the generator was too late for, under the first endpoint of their task; left out where there were none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub not_started: u64,
    /// From when it was due to its end: successes, and timeouts as lower bounds.
    pub response_time: Option<Times>,
    /// From when it was sent to its end, likewise.
    pub service_time: Option<Times>,
    /// Response times of the other failures.
    #[serde(default)]
    pub failed_response_time: Option<Times>,
    /// Requests that were cut off at the end of the run, from when each was due to that moment: all of them lower bounds.
    /// Absent where there were none, and in results of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished_time: Option<Times>,
    /// Parts of a request.
    pub phases: Phases,
    /// What only a WebSocket has.
    pub websocket: Option<WebSocketCounts>,
}

/// The parts of a request's time. The first three are of requests that opened a connection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// Name resolution.
    pub dns_ms: Option<Times>,
    /// TCP connect.
    pub connect_ms: Option<Times>,
    /// TLS handshake.
    pub tls_ms: Option<Times>,
    /// From the send to the first byte of the response.
    pub first_byte_ms: Option<Times>,
}

/// A distribution of times, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many.
    #[serde(default)]
    pub n: u64,
    /// The shortest.
    pub min_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 75 %.
    pub p75_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// All of it in microseconds: HDR V2, deflated, base64. Phases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<String>,
    /// How many of them are timeouts, whose true time is at least what stands here. So every number above may be
    /// too small, and none is too large.
    #[serde(default, skip_serializing_if = "is_none")]
    pub timed_out: u64,
    /// Those alone, like `histogram`. An older version did not keep them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed_out_histogram: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(super) fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A number of a distribution, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// With everything that timed out counted as the time it was waited for. The true value is not below it.
    pub value_ms: f64,
    /// With everything that timed out, or failed otherwise, counted as never answered. The true value is not above
    /// it; none where nothing bounds it.
    pub at_most_ms: Option<f64>,
}

impl Reading {
    /// A number that is known.
    fn exact(value_ms: f64) -> Self {
        Self { value_ms, at_most_ms: Some(value_ms) }
    }

    /// Whether the value is a lower bound, and not the number itself.
    pub fn is_at_least(self) -> bool {
        self.at_most_ms != Some(self.value_ms)
    }
}

impl Times {
    /// A percentile, and whether timeouts leave it open.
    pub fn percentile(&self, percentile: Percentile) -> Reading {
        self.percentile_among(percentile, 0)
    }

    /// The same, with so many requests beside these that failed otherwise and are not among them. What they would
    /// have taken is not known, so each of them may be the slowest of all.
    pub fn percentile_among(&self, percentile: Percentile, failed: u64) -> Reading {
        let value_ms = self.percentile_ms(percentile);
        if self.timed_out == 0 && failed == 0 {
            return Reading::exact(value_ms);
        }
        let rank = histogram::rank(percentile.quantile(), self.n.saturating_add(failed));
        Reading { value_ms, at_most_ms: self.longest_exact_ms(rank).map(|ms| ms.max(value_ms)) }
    }

    /// The mean and whether it is known, likewise: one request of unknown length leaves it open.
    pub fn mean_among(&self, failed: u64) -> Reading {
        self.open_with_any(self.mean_ms, failed)
    }

    /// The longest and whether it is known, likewise.
    pub fn max_among(&self, failed: u64) -> Reading {
        self.open_with_any(self.max_ms, failed)
    }

    fn open_with_any(&self, value_ms: f64, failed: u64) -> Reading {
        let at_most_ms = (self.timed_out == 0 && failed == 0).then_some(value_ms);
        Reading { value_ms, at_most_ms }
    }

    /// The time of this rank among those that are exact, in milliseconds; none where it lies beyond them.
    fn longest_exact_ms(&self, rank: u64) -> Option<f64> {
        let all = decoded(self.histogram.as_deref())?;
        let timed_out = decoded(self.timed_out_histogram.as_deref());
        // Where timeouts were not kept apart, any of the shortest times may be one of theirs.
        let hidden = if timed_out.is_some() { 0 } else { self.timed_out };
        let rank = rank.saturating_add(hidden);
        histogram::value_at_rank(&all, timed_out.as_ref(), rank).map(ms)
    }

    /// A percentile, in milliseconds, with timeouts counted as the time they were waited for.
    pub fn percentile_ms(&self, percentile: Percentile) -> f64 {
        match percentile {
            Percentile::P50 => self.p50_ms,
            Percentile::P75 => self.p75_ms,
            Percentile::P90 => self.p90_ms,
            Percentile::P95 => self.p95_ms,
            Percentile::P99 => self.p99_ms,
            Percentile::P999 => self.p999_ms,
        }
    }

    /// The time that a metric is, and what timeouts and so many other failures leave open of it. Of metrics that
    /// are no times, it is the longest.
    pub fn reading(&self, metric: Metric, failed: u64) -> Reading {
        match metric {
            Metric::Response(percentile) | Metric::Connect(percentile) => {
                self.percentile_among(percentile, failed)
            }
            Metric::Mean => self.mean_among(failed),
            _ => self.max_among(failed),
        }
    }

    /// The numbers of a histogram of microseconds; none where it is empty.
    pub fn of(values: &Histogram<u64>) -> Option<Self> {
        let at = |quantile: f64| ms(values.value_at_quantile(quantile));
        (!values.is_empty()).then(|| Self {
            n: values.len(),
            min_ms: ms(values.min()),
            mean_ms: values.mean() / 1e3,
            p50_ms: at(0.5),
            p75_ms: at(0.75),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(values.max()),
            histogram: None,
            timed_out: 0,
            timed_out_histogram: None,
        })
    }

    /// The same with the histogram itself, so that it can be merged and counted later, and with that of those
    /// among them that timed out.
    pub fn complete(values: &Histogram<u64>, timed_out: Option<&Histogram<u64>>) -> Option<Self> {
        let times = Self::of(values)?;
        let timed_out = timed_out.filter(|times| !times.is_empty());
        Some(Self {
            histogram: histogram::encode(values),
            timed_out: timed_out.map_or(0, Histogram::len),
            timed_out_histogram: timed_out.and_then(histogram::encode),
            ..times
        })
    }
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

fn decoded(text: Option<&str>) -> Option<Histogram<u64>> {
    histogram::decode(text?, LONGEST_US).ok()
}

/// What only a WebSocket endpoint counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WebSocketCounts {
    /// Messages read.
    pub messages_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Messages waited for in vain.
    pub missing_messages: u64,
    /// Messages and pongs that were still waited for when the run ended; absent in results of older versions.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unfinished_messages: u64,
    /// Sockets that closed when nobody wanted them to.
    pub unexpected_closes: u64,
    /// Answers to pings; absent in results of older versions.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pongs: u64,
}

/// A custom metric in the steady phase, or in the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// Its name.
    pub name: String,
    /// How often it was recorded in full.
    pub ok: u64,
    /// How often it was begun and not recorded, because a request in it failed. One that timed out is among the
    /// times instead, as a lower bound.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failed: u64,
    /// What it measured.
    pub response_time: Option<Times>,
}
