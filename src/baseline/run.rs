//! One remembered run: the numbers that are compared, rounded, and where they come from. A versioned
//! document; no histograms.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Percentile};
use crate::result::endpoint::{ended, failures};
use crate::result::schema::{RunResult, Runner, Tool};

/// The version of the documents of a baseline that this program writes and reads.
pub const SCHEMA: u32 = 1;

/// Digits that are kept of a number: four say 0.05 %.
const DIGITS: i32 = 4;

/// A run as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What measured it.
    pub tool: Tool,
    /// SHA-256 of what shapes the numbers: only equal ones are compared.
    pub plan_digest: String,
    /// The commit; null where unknown.
    pub sha: Option<String>,
    /// When it began: RFC 3339, UTC.
    pub time: String,
    /// The newest epoch at the time; null before the first.
    pub epoch: Option<String>,
    /// The class of its machine.
    pub cpu_class: String,
    /// That machine, for people.
    pub env: Env,
    /// Each endpoint in the steady phase.
    pub metrics: BTreeMap<String, Numbers>,
    /// Counts of the whole run.
    pub whole_run: Counts,
    /// Successes per second of all endpoints, in the steady phase.
    pub requests_per_second: f64,
    /// Says nothing: it makes files unlike each other, see [`run_text`](super::document::run_text).
    #[serde(default, skip_serializing)]
    pub unique: IgnoredAny,
}

/// The machine of a remembered run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// The processor.
    pub cpu_model: String,
    /// Logical CPUs.
    pub cpus: usize,
    /// Architecture.
    pub arch: String,
    /// Operating system.
    pub os: String,
    /// Runner image.
    pub image: Option<String>,
}

/// The numbers of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Median of the response time.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// Successes per second.
    pub requests_per_second: f64,
    /// Failed ÷ (ok + failed).
    pub error_rate: f64,
    /// How many response times: successes and timeouts.
    pub n: u64,
}

/// Counts of a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
}

impl Counts {
    /// Everything that ended.
    pub fn ended(self) -> u64 {
        self.ok.saturating_add(self.failed)
    }
}

impl Numbers {
    /// The percentile, in milliseconds; none for one that is not remembered.
    pub fn percentile_ms(&self, percentile: Percentile) -> Option<f64> {
        match percentile {
            Percentile::P50 => Some(self.p50_ms),
            Percentile::P95 => Some(self.p95_ms),
            Percentile::P99 => Some(self.p99_ms),
            Percentile::P75 | Percentile::P90 | Percentile::P999 => None,
        }
    }
}

/// The percentiles that are remembered.
pub const PERCENTILES: [Percentile; 3] = [Percentile::P50, Percentile::P95, Percentile::P99];

/// Whether runs are compared by this metric: those percentiles, the error rate and the throughput.
pub fn is_remembered(metric: Metric) -> bool {
    Metric::REMEMBERED.contains(&metric)
}

impl Run {
    /// What is remembered of a result, in the epoch that is the newest now.
    pub fn of(result: &RunResult, epoch: Option<&str>) -> Self {
        let Runner { cpu_model, cpus, arch, os, image, cpu_class } = result.runner.clone();
        let metrics = result.endpoints.iter().filter_map(|endpoint| {
            let times = endpoint.response_time.as_ref()?;
            let numbers = Numbers {
                p50_ms: rounded(times.p50_ms),
                p95_ms: rounded(times.p95_ms),
                p99_ms: rounded(times.p99_ms),
                requests_per_second: rounded(endpoint.requests_per_second),
                error_rate: rounded(endpoint.error_rate.unwrap_or(0.0)),
                n: times.n,
            };
            Some((endpoint.name.clone(), numbers))
        });
        let whole = &result.whole_run;
        Self {
            schema: SCHEMA,
            tool: result.tool.clone(),
            plan_digest: result.plan_digest.clone(),
            sha: result.git.sha.clone(),
            time: result.started_at.clone(),
            epoch: epoch.map(str::to_owned),
            cpu_class,
            env: Env { cpu_model, cpus, arch, os, image },
            metrics: metrics.collect(),
            whole_run: Counts { ok: whole.ok, failed: failures(&whole.failed) },
            requests_per_second: rounded(result.totals.requests_per_second),
            unique: IgnoredAny,
        }
    }

    /// Whether it is the memory of this result, in whatever epoch.
    pub fn is_of(&self, result: &RunResult) -> bool {
        *self == Self { epoch: self.epoch.clone(), tool: self.tool.clone(), ..Self::of(result, None) }
    }
}

/// Whether anything of a result ended, so that there is something to remember.
pub fn is_empty(result: &RunResult) -> bool {
    ended(result.totals.ok, &result.totals.failed) == 0
}

/// To four digits that matter.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    // Through text, which gives the shortest number that reads the same.
    format!("{value:.*e}", DIGITS as usize - 1).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;

    #[test]
    fn numbers_keep_four_digits() {
        for (value, kept) in
            [(12.345_678, 12.35), (0.000_123_456, 0.000_123_5), (123_456.0, 123_500.0), (0.0, 0.0)]
        {
            assert!((rounded(value) - kept).abs() <= f64::EPSILON * kept, "{value}");
        }
        assert!(rounded(f64::NAN) == 0.0);
    }

    #[test]
    fn a_run_is_remembered_with_what_is_compared() {
        let result = fixture::small();
        let run = Run::of(&result, Some("epoch-1"));
        assert!(run.is_of(&result));
        assert_eq!(run.metrics["GET /health"].n, 1_000);
        assert_eq!(
            (run.whole_run.ok, run.whole_run.failed, run.epoch.as_deref()),
            (1_000, 0, Some("epoch-1"))
        );
        assert!(!run.is_of(&fixture::rich()));
    }
}
