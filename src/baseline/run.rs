//! One remembered run: the numbers that are compared, rounded, and where they come from. A versioned
//! document; no histograms.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Percentile};
use crate::result::endpoint::{Endpoint, Times, failures};
use crate::result::machine::Machine;
use crate::result::merged::merge;
use crate::result::schema::{Point, RunResult, Runner, Tool};
use crate::stats::histogram::rank;

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
    /// The scenario; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The environment; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
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
    /// Which stretch of which machine's life it was, hashed; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How that machine was; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Conditions>,
    /// That machine, for people.
    pub env: Env,
    /// Each endpoint in the steady phase.
    pub metrics: BTreeMap<String, Numbers>,
    /// Each custom metric in the steady phase; files of earlier versions have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_metrics: BTreeMap<String, Numbers>,
    /// Counts of the whole run.
    pub whole_run: Counts,
    /// Successes per second of all endpoints, in the steady phase.
    pub requests_per_second: f64,
    /// Says nothing: it makes files unlike each other, see [`run_text`](super::document::run_text).
    #[serde(default, skip_serializing)]
    pub unique: IgnoredAny,
}

/// How the machine was during the steady phase of a remembered run; as in [`Machine`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// The speed of its processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// How much longer than its CPU time a computation took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contention: Option<f64>,
    /// Used by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_cpu: Option<f64>,
    /// Used by others of the CPUs that the service or loadgate was limited to; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_others_cpu: Option<f64>,
    /// Used by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_cpu: Option<f64>,
    /// Used by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// Taken away by a hypervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal: Option<f64>,
    /// Share of periods in which loadgate was held back by a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<f64>,
}

impl Conditions {
    fn of(machine: &Machine, series: &[Point]) -> Self {
        let Machine { speed, contention, others_cpu, target_cpu, idle, steal, throttled, .. } = machine;
        let [speed, contention, others_cpu, target_cpu, idle, steal, throttled] =
            [speed, contention, others_cpu, target_cpu, idle, steal, throttled].map(|it| it.map(rounded));
        // Where the whole of it is not known after all, nothing of a part is.
        let limited_others_cpu = others_cpu.and_then(|_| limited_others(series)).map(rounded);
        Self { speed, contention, others_cpu, limited_others_cpu, target_cpu, idle, steal, throttled }
    }
}

/// The mean of what others used of the CPUs that something was limited to, in the steady phase; none where nothing was
/// limited, or where it is not known of all of it.
fn limited_others(series: &[Point]) -> Option<f64> {
    let steady = series.iter().filter(|point| point.phase == "steady");
    let limited = steady.filter_map(|point| Some((point.length_s, point.machine?.limited?.others_cpu)));
    let (length_s, used) = limited.fold((0.0, Some(0.0)), |(length_s, used), (more_s, others)| {
        (length_s + more_s, used.zip(others).map(|(used, others)| used + others * more_s))
    });
    used.filter(|_| length_s > 0.0).map(|used| used / length_s)
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The numbers of one endpoint or custom metric. Those that are optional are not in files of earlier versions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Median of the response time.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 75 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p75_ms: Option<f64>,
    /// 90 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_ms: Option<f64>,
    /// 99.9 %, where there were enough for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_ms: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<f64>,
    /// The longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Successes per second.
    pub requests_per_second: f64,
    /// Failed ÷ (ok + failed) in the steady phase; a custom metric has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// How many times: of an endpoint, those of successes, of timeouts, and of requests that were cut off.
    pub n: u64,
    /// How many of them are timeouts, whose true time is at least what they were waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timed_out: u64,
    /// How many of them were cut off at the end of the run, whose true time is at least what they were in flight. In
    /// files of earlier versions, which do not say it, those are not among the times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<u64>,
    /// What its requests came to in the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_run: Option<Counts>,
    /// What went wrong on its sockets in the whole run; only a WebSocket endpoint has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Sockets>,
}

/// Counts of open sockets over a whole run. How many sockets were opened, the endpoint's counts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sockets {
    /// Messages read.
    pub messages_in: u64,
    /// Messages that were waited for in vain.
    pub missing_messages: u64,
    /// Sockets that closed when nobody wanted them to.
    pub unexpected_closes: u64,
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
    /// What is remembered of a distribution that was recorded so often a second.
    fn of(times: &Times, requests_per_second: f64) -> Self {
        Self {
            p50_ms: rounded(times.p50_ms),
            p95_ms: rounded(times.p95_ms),
            p99_ms: rounded(times.p99_ms),
            p75_ms: Some(rounded(times.p75_ms)),
            p90_ms: Some(rounded(times.p90_ms)),
            p999_ms: (times.n >= Percentile::P999.enough()).then(|| rounded(times.p999_ms)),
            mean_ms: Some(rounded(times.mean_ms)),
            max_ms: Some(rounded(times.max_ms)),
            requests_per_second: rounded(requests_per_second),
            error_rate: None,
            n: times.n,
            timed_out: times.timed_out,
            unfinished: None,
            whole_run: None,
            sockets: None,
        }
    }

    fn of_endpoint(endpoint: &Endpoint, result: &RunResult) -> Option<Self> {
        let ended = endpoint.response_time.as_ref()?;
        // As a later run is compared: there they are among the times.
        let times = merge([ended].into_iter().chain(&endpoint.unfinished_time));
        let cut_off = times.as_ref().map(|_| endpoint.unfinished_time.as_ref().map_or(0, |times| times.n));
        let counts = result.whole_run.endpoints.iter().find(|counts| counts.name == endpoint.name);
        let sockets = counts.and_then(|counts| counts.websocket).map(|sockets| Sockets {
            messages_in: sockets.messages_in,
            missing_messages: sockets.missing_messages,
            unexpected_closes: sockets.unexpected_closes,
        });
        Some(Self {
            error_rate: Some(rounded(endpoint.error_rate.unwrap_or(0.0))),
            whole_run: counts.map(|counts| Counts { ok: counts.ok, failed: failures(&counts.failed) }),
            timed_out: ended.timed_out,
            unfinished: cut_off,
            sockets,
            ..Self::of(times.as_deref().unwrap_or(ended), endpoint.requests_per_second)
        })
    }

    /// Whether a time is known, and not only a lower bound: whether its rank is among those that came to their end.
    pub fn is_exact(&self, metric: Metric) -> bool {
        let exact = self.ended();
        match metric {
            Metric::Response(percentile) | Metric::Connect(percentile) => {
                rank(percentile.quantile(), self.n) <= exact
            }
            Metric::Mean | Metric::Max => exact == self.n,
            _ => true,
        }
    }

    /// How many times are of requests that came to their end.
    fn ended(&self) -> u64 {
        self.n.saturating_sub(self.timed_out).saturating_sub(self.unfinished.unwrap_or(0))
    }

    /// A time, in milliseconds; none for what is no time, or is not remembered.
    pub fn time_ms(&self, metric: Metric) -> Option<f64> {
        use Percentile::{P50, P75, P90, P95, P99, P999};
        match metric {
            Metric::Response(percentile) | Metric::Connect(percentile) => match percentile {
                P50 => Some(self.p50_ms),
                P75 => self.p75_ms,
                P90 => self.p90_ms,
                P95 => Some(self.p95_ms),
                P99 => Some(self.p99_ms),
                P999 => self.p999_ms,
            },
            Metric::Mean => self.mean_ms,
            Metric::Max => self.max_ms,
            Metric::ErrorRate | Metric::Throughput | Metric::MissingMessages | Metric::UnexpectedCloses => {
                None
            }
        }
    }
}

impl Run {
    /// What is remembered of a result, in the epoch that is the newest now.
    pub fn of(result: &RunResult, epoch: Option<&str>) -> Self {
        let Runner { cpu_model, cpus, arch, os, image, cpu_class, session } = result.runner.clone();
        let endpoints = result
            .endpoints
            .iter()
            .filter_map(|endpoint| Some((endpoint.name.clone(), Numbers::of_endpoint(endpoint, result)?)));
        let custom = result.metrics.iter().filter_map(|metric| {
            let rate = if result.steady_s > 0.0 { metric.ok as f64 / result.steady_s } else { 0.0 };
            Some((metric.name.clone(), Numbers::of(metric.response_time.as_ref()?, rate)))
        });
        let whole = &result.whole_run;
        Self {
            schema: SCHEMA,
            tool: result.tool.clone(),
            scenario: Some(result.scenario.clone()),
            environment: Some(result.environment.clone()),
            plan_digest: result.plan_digest.clone(),
            sha: result.git.sha.clone(),
            time: result.started_at.clone(),
            epoch: epoch.map(str::to_owned),
            cpu_class,
            session,
            machine: result.machine.as_ref().map(|machine| Conditions::of(machine, &result.series)),
            env: Env { cpu_model, cpus, arch, os, image },
            metrics: endpoints.collect(),
            custom_metrics: custom.collect(),
            whole_run: Counts { ok: whole.ok, failed: failures(&whole.failed) },
            requests_per_second: rounded(result.totals.requests_per_second),
            unique: IgnoredAny,
        }
    }

    /// Whether it is the memory of this result, in whatever epoch and by whatever version: a run is known by
    /// when it began, what it ran where, and what it came to. What else is remembered grows with versions.
    pub fn is_of(&self, result: &RunResult) -> bool {
        let other = Self::of(result, None);
        let known_by = |run: &Self| {
            let endpoints: Vec<_> =
                run.metrics.iter().map(|(name, numbers)| (name.clone(), numbers.ended())).collect();
            (run.time.clone(), run.plan_digest.clone(), run.sha.clone(), run.whole_run, endpoints)
        };
        known_by(self) == known_by(&other) && self.env == other.env
    }
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
