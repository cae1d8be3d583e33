//! The live metrics: counted from windows, written as the text that Prometheus reads. Pure; it serves nothing.

use std::time::Duration;

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::{Recording, Split, Tally};
use crate::load::measure::times::Times;
use crate::plan::Plan;
use crate::result::verdict::Status;

/// What the text is.
pub const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of the buckets, in microseconds: 1 ms to 60 s, five to seven a decade, so that a quantile
/// read from them is at most some 20 % to 50 % off.
pub const BUCKETS_US: [u64; 25] = [
    1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 50_000, 70_000, 100_000, 150_000,
    200_000, 300_000, 500_000, 700_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000,
];

/// The live metrics of one run.
#[derive(Debug, Clone)]
pub struct Metrics {
    scenario: String,
    environment: String,
    endpoints: Vec<(String, Counts)>,
    users: u64,
    lag: Duration,
    cpu: f64,
    wake: Duration,
    stalled: f64,
    verdict: Option<Status>,
}

/// One endpoint since the start of the load.
#[derive(Debug, Clone, Default)]
struct Counts {
    ok: u64,
    failed: [u64; FailureKind::ALL.len()],
    response: Buckets,
    service: Buckets,
}

/// Times, counted by bucket; the last is of those above all bounds.
#[derive(Debug, Clone, Default)]
struct Buckets {
    counts: [u64; BUCKETS_US.len() + 1],
    sum_us: u64,
}

impl Metrics {
    /// Those of a run of this plan, before its load begins.
    pub fn of(plan: &Plan) -> Self {
        Self {
            scenario: plan.scenario.clone(),
            environment: plan.environment.clone(),
            endpoints: plan.endpoints.iter().map(|it| (it.name.clone(), Counts::default())).collect(),
            users: 0,
            lag: Duration::ZERO,
            cpu: 0.0,
            wake: Duration::ZERO,
            stalled: 0.0,
            verdict: None,
        }
    }

    /// Adds what was counted in a window, whatever its phase.
    pub fn add(&mut self, recording: &Recording) {
        for ((_, counts), Split { steady, rest }) in self.endpoints.iter_mut().zip(&recording.endpoints) {
            counts.add(steady);
            counts.add(rest);
        }
    }

    /// How things are in the newest window; `cpu` is the share of the generator's cores that was busy, `stalled`
    /// the share of the window in which its workers stood still.
    pub fn now(&mut self, recording: &Recording, cpu: f64, stalled: f64) {
        let wake = &recording.health.wake;
        self.wake = p99(&wake.steady).max(p99(&wake.rest));
        self.stalled = stalled;
        self.users = recording.users;
        self.lag = p99(&recording.health.lag);
        self.cpu = cpu;
    }

    /// The load is over: there are no users any more.
    pub fn over(&mut self) {
        self.users = 0;
    }

    /// The run was judged.
    pub fn judged(&mut self, status: Status) {
        self.verdict = Some(status);
    }

    /// The text.
    pub fn render(&self) -> String {
        let families: Vec<_> = self.families().into_iter().filter(|it| !it.get_metric().is_empty()).collect();
        // Every family has a name and a metric, which is all that can be wrong with one.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    fn families(&self) -> [MetricFamily; 10] {
        let each = |metrics: fn(&Counts, &[LabelPair]) -> Vec<Metric>| {
            let all = self.endpoints.iter();
            all.flat_map(|(name, counts)| metrics(counts, &self.labels(name))).collect::<Vec<_>>()
        };
        let counters = |it: &Counts, labels: &[LabelPair]| it.outcomes(labels);
        let response = |it: &Counts, labels: &[LabelPair]| vec![it.response.metric(labels)];
        let service = |it: &Counts, labels: &[LabelPair]| vec![it.service.metric(labels)];
        let dropped = self.endpoints.iter().map(|(_, it)| it.failed[FailureKind::Dropped.index()]).sum();
        let (count, gauges, times) = (MetricType::COUNTER, MetricType::GAUGE, MetricType::HISTOGRAM);
        [
            family(count, REQUESTS, each(counters)),
            family(times, RESPONSE_TIME, each(response)),
            family(times, SERVICE_TIME, each(service)),
            family(gauges, USERS, vec![gauge(self.users as f64)]),
            family(count, DROPPED, vec![counter(dropped)]),
            family(gauges, LAG, vec![gauge(self.lag.as_secs_f64())]),
            family(gauges, CPU, vec![gauge(self.cpu)]),
            family(gauges, WAKE, vec![gauge(self.wake.as_secs_f64())]),
            family(gauges, STALLED, vec![gauge(self.stalled)]),
            family(gauges, VERDICT, self.verdict()),
        ]
    }

    fn labels(&self, endpoint: &str) -> Vec<LabelPair> {
        let pairs =
            [("scenario", &*self.scenario), ("environment", &*self.environment), ("endpoint", endpoint)];
        pairs.map(|(name, value)| label(name, value)).into()
    }

    /// 1 for the status, 0 for the others; nothing before there is a verdict.
    fn verdict(&self) -> Vec<Metric> {
        let Some(verdict) = self.verdict else { return Vec::new() };
        let of = |status: Status| {
            let mut metric = gauge(f64::from(u8::from(status == verdict)));
            metric.set_label(vec![label("status", status.name())]);
            metric
        };
        Status::ALL.map(of).into()
    }
}

/// A name and its help.
type Told = (&'static str, &'static str);
const REQUESTS: Told = (
    "loadgate_requests_total",
    "Requests and WebSocket connects that ended, by outcome: ok, or how it failed.",
);
const RESPONSE_TIME: Told = (
    "loadgate_response_time_seconds",
    "From when a request was due to its end, of those that were ok or timed out.",
);
const SERVICE_TIME: Told = (
    "loadgate_service_time_seconds",
    "From when a request was sent to its end, of those that were ok or timed out.",
);
const USERS: Told = ("loadgate_users", "Virtual users, the most at once in the newest window.");
const DROPPED: Told = ("loadgate_dropped_total", "Arrivals that found no user.");
const LAG: Told = (
    "loadgate_schedule_lag_seconds",
    "How late iterations of the newest window began that had a free user, 99th percentile.",
);
const CPU: Told =
    ("loadgate_generator_cpu_ratio", "Share of the generator's cores that was busy in the newest window.");
const WAKE: Told = (
    "loadgate_wake_lateness_seconds",
    "How late the generator's sleepers of the newest window ran, 99th percentile.",
);
const STALLED: Told = (
    "loadgate_generator_stalled_ratio",
    "Share of the newest window in which the generator's workers stood still.",
);
const VERDICT: Told = ("loadgate_verdict", "1 for the status of the verdict, once there is one.");

impl Counts {
    fn add(&mut self, tally: &Tally) {
        self.ok += tally.ok;
        for (ours, theirs) in self.failed.iter_mut().zip(tally.failed) {
            *ours += theirs;
        }
        self.response.add(&tally.response.all);
        self.service.add(&tally.service.all);
    }

    fn outcomes(&self, labels: &[LabelPair]) -> Vec<Metric> {
        let failed = FailureKind::ALL.map(|kind| (kind.name(), self.failed[kind.index()]));
        let all = [("ok", self.ok)].into_iter().chain(failed);
        let of = |(outcome, count)| {
            let mut metric = counter(count);
            metric.set_label(labels.iter().cloned().chain([label("outcome", outcome)]).collect());
            metric
        };
        all.map(of).collect()
    }
}

impl Buckets {
    /// Few times are counted as they are. Many are a histogram of three digits: next to a bound, a time may be
    /// counted one bucket too low.
    fn add(&mut self, times: &Times) {
        match times {
            Times::Few(times) => times.iter().for_each(|time| self.count(u64::from(*time), 1)),
            Times::Many(histogram) => {
                for value in histogram.iter_recorded() {
                    let lowest = histogram.lowest_equivalent(value.value_iterated_to());
                    self.count(lowest, value.count_at_value());
                }
            }
        }
    }

    fn count(&mut self, time_us: u64, times: u64) {
        self.counts[BUCKETS_US.partition_point(|bound| *bound < time_us)] += times;
        self.sum_us += time_us * times;
    }

    fn metric(&self, labels: &[LabelPair]) -> Metric {
        let mut cumulative = 0;
        let bucket = |(bound, count): (&u64, &u64)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(*bound));
            bucket.set_cumulative_count(cumulative);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(BUCKETS_US.iter().zip(&self.counts).map(bucket).collect());
        histogram.set_sample_count(self.counts.iter().sum());
        histogram.set_sample_sum(seconds(self.sum_us));
        let mut metric = Metric::from_label(labels.to_vec());
        metric.set_histogram(histogram);
        metric
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn p99(times: &Times) -> Duration {
    let p99 = times.histogram().map(|times| times.value_at_quantile(0.99));
    Duration::from_micros(p99.unwrap_or_default())
}

fn family(kind: MetricType, (name, help): Told, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.into());
    pair.set_value(value.into());
    pair
}

fn counter(value: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value as f64);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    metric
}

fn gauge(value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    Metric::from_gauge(gauge)
}

#[cfg(test)]
mod tests;
