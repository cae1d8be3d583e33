//! The part of `result.json` about endpoints: counts and distributions of times.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::metric::Percentile;
use crate::stats::histogram;

/// Failures by the name of their kind; kinds without any are left out.
pub type Failed = BTreeMap<String, u64>;

/// All failures; a hostile file cannot make it overflow.
pub fn failures(failed: &Failed) -> u64 {
    failed.values().fold(0, |sum, count| sum.saturating_add(*count))
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
    /// What only a WebSocket has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub websocket: Option<WebSocketCounts>,
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
    /// From when it was due to its end: successes and timeouts.
    pub response_time: Option<Times>,
    /// From when it was sent to its end: successes and timeouts.
    pub service_time: Option<Times>,
    /// Response times of the other failures.
    #[serde(default)]
    pub failed_response_time: Option<Times>,
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
}

impl Times {
    /// A percentile, in milliseconds.
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

    /// The numbers of a histogram of microseconds; none where it is empty.
    pub fn of(values: &Histogram<u64>) -> Option<Self> {
        let ms = |micros: u64| micros as f64 / 1e3;
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
        })
    }

    /// The same with the histogram itself, so that it can be merged and counted later.
    pub fn complete(values: &Histogram<u64>) -> Option<Self> {
        Self::of(values).map(|times| Self { histogram: histogram::encode(values), ..times })
    }
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
    /// Sockets that closed when nobody wanted them to.
    pub unexpected_closes: u64,
}

/// A custom metric in the steady phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// Its name.
    pub name: String,
    /// How often it was recorded.
    pub ok: u64,
    /// What it measured.
    pub response_time: Option<Times>,
}
