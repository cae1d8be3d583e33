//! `result.json`, schema 1: the versioned document, never an internal type. Names, units and nulls
//! here are an interface; fields are added, never renamed. Every number is finite. Where nothing was
//! recorded, a block of times is null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::comparison::DeltaStatus;
use super::endpoint::{
    CustomMetric, Endpoint, EndpointCounts, Failed, Times, WebSocketCounts, ended, is_none,
};
use super::left_out::LeftOut;
use super::machine::{Machine, MachinePoint};
use super::salvage::Salvaged;
use super::verdict::{CheckScope, Verdict};
use super::window::{Aborted, WindowSeries};
use crate::metric::Metric;

/// The version of the document that this program writes and reads.
pub const SCHEMA: u32 = 1;

/// Everything known about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What wrote it.
    pub tool: Tool,
    /// What kind of run it was.
    pub mode: Mode,
    /// The project.
    pub name: String,
    /// The scenario.
    pub scenario: String,
    /// The environment.
    pub environment: String,
    /// What the load was put on, for people.
    #[serde(default)]
    pub target: String,
    /// SHA-256 of what shapes the numbers.
    pub plan_digest: String,
    /// What every random choice derived from.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From the start of the load to its end.
    pub duration_s: f64,
    /// How much of it is judged.
    pub steady_s: f64,
    /// Whether it was stopped from outside; then `signal` says by what.
    pub interrupted: bool,
    /// What stopped it.
    #[serde(default)]
    pub signal: Option<Signal>,
    /// The commit.
    pub git: Git,
    /// The machine.
    pub runner: Runner,
    /// The load that was planned.
    pub load: Load,
    /// Counts of the whole run, ramps and drain included.
    pub whole_run: WholeRun,
    /// All endpoints together, in the steady phase.
    pub totals: Endpoint,
    /// Each endpoint in the steady phase.
    pub endpoints: Vec<Endpoint>,
    /// Custom metrics in the steady phase.
    pub metrics: Vec<CustomMetric>,
    /// Tasks over the whole run.
    pub tasks: Vec<Task>,
    /// What failed, over the whole run.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// The run over time.
    pub series: Vec<Point>,
    /// The values of objectives that have a `window`.
    #[serde(default)]
    pub windows: Vec<WindowSeries>,
    /// The objective that stopped the load early; null where it ran to its end.
    #[serde(default)]
    pub aborted: Option<Aborted>,
    /// The generator of the load.
    pub generator: Generator,
    /// The machine that the load was made on; null where nothing of it was measured.
    #[serde(default)]
    pub machine: Option<Machine>,
    /// Told to the user before or during the run.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Whether the command that was measured ended by itself during the run.
    #[serde(default)]
    pub target_ended: bool,
    /// Configured, understood, and not done by this version.
    #[serde(default)]
    pub inactive: Vec<String>,
    /// How it was judged; null until it was.
    pub verdict: Option<Verdict>,
    /// The first job, where this run is the second look at what that one flagged.
    #[serde(default)]
    pub confirms: Option<Confirms>,
    /// What is lost, where it was made from a half-written file; a run never writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salvaged: Option<Salvaged>,
    /// What followed from the endpoints of the points, which are left out where the document is too large with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Filled by a comparison of two versions.
    pub ab: Option<serde_json::Value>,
    /// Filled by a search for the knee.
    pub capacity: Option<serde_json::Value>,
}

impl RunResult {
    /// Whether this is not the whole of a run: stopped from outside, by an objective, by the end of the command
    /// that was measured, or half-written.
    pub fn is_partial(&self) -> bool {
        self.interrupted || self.target_ended || self.aborted.is_some() || self.salvaged.is_some()
    }

    /// Whether anything was measured in the steady phase: a request that ended, a message on an open socket, or a custom
    /// metric. Sockets that were opened in the ramp and are held make no request there.
    pub fn measured_steadily(&self) -> bool {
        let messages = |it: &WebSocketCounts| it.messages_in > 0 || it.messages_out > 0 || it.pongs > 0;
        ended(self.totals.ok, &self.totals.failed) > 0
            || self.endpoints.iter().filter_map(|endpoint| endpoint.websocket.as_ref()).any(messages)
            || self.metrics.iter().any(|metric| metric.ok > 0)
    }

    /// Whether the service gave any answer in the steady phase. A message that was only sent is none.
    pub fn answered_steadily(&self) -> bool {
        let answers = |it: WebSocketCounts| it.messages_in > 0 || it.pongs > 0;
        self.totals.ok > 0
            || self.endpoints.iter().filter_map(|endpoint| endpoint.websocket).any(answers)
            || self.metrics.iter().any(|metric| metric.ok > 0)
    }

    /// Whether all of a field is there: of a half-written result some are lost.
    pub fn has(&self, field: &str) -> bool {
        self.salvaged.as_ref().is_none_or(|salvaged| salvaged.kept(field))
    }
}

/// A first job that found something worse, and wants a second opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirms {
    /// When the first job's run began.
    pub started_at: String,
    /// What had got worse there.
    pub flagged: Vec<Flag>,
}

/// A number that had got worse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// What it is about; earlier versions knew of no custom metrics, and did not say it.
    #[serde(default)]
    pub scope: Option<CheckScope>,
    /// Its endpoint or custom metric; null for all requests.
    pub endpoint: Option<String>,
    /// The number.
    pub metric: String,
}

impl Confirms {
    /// What a first result has to confirm; none where it found nothing worse.
    pub fn of(first: &RunResult) -> Option<Self> {
        let deltas = first.verdict.iter().flat_map(|verdict| &verdict.deltas);
        let flagged: Vec<Flag> = deltas
            .filter(|delta| delta.gated && delta.candidate && delta.status != DeltaStatus::Invalid)
            .map(|delta| Flag {
                scope: Some(delta.scope),
                endpoint: delta.endpoint.clone(),
                metric: delta.metric.clone(),
            })
            .collect();
        (!flagged.is_empty()).then(|| Self { started_at: first.started_at.clone(), flagged })
    }

    /// Whether a number had got worse there.
    pub fn flagged(&self, metric: Metric, scope: CheckScope, name: Option<&str>) -> bool {
        self.flagged.iter().any(|flag| {
            let same_scope = flag.scope.is_none_or(|flagged| flagged == scope);
            same_scope && flag.metric == metric.name() && flag.endpoint.as_deref() == name
        })
    }
}

/// The program that wrote a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What kind of run a result is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One version, one load.
    Run,
    /// Two versions, interleaved.
    Ab,
    /// A staircase.
    Capacity,
}

/// What stopped a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Ctrl-C.
    Sigint,
    /// What a cancelled job sends.
    Sigterm,
    /// The stop button of the live page.
    StopButton,
}

/// The commit that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Git {
    /// Its hash.
    pub sha: Option<String>,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Whether it is of a pull request from a fork.
    #[serde(default)]
    pub fork: bool,
}

/// The machine that made the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
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
    /// Machines of one class may be compared.
    pub cpu_class: String,
    /// Which stretch of which machine's life it was, hashed: runs of one session say nothing about how machines
    /// differ. Null where nothing tells.
    #[serde(default)]
    pub session: Option<String>,
}

/// The load that was planned. What a model does not have is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Who decides when the next iteration starts.
    pub model: LoadModel,
    /// Closed: users, at the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Closed: how fast users are added; absent where all start at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn_rate_per_s: Option<f64>,
    /// Open: iterations started per second, at the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals_per_s: Option<f64>,
    /// Open: how they are spaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Open: users there may be at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_users: Option<usize>,
    /// The level over time, where it is more than one ramp and one plateau.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Of the whole plan.
    #[serde(default)]
    pub run_time_s: f64,
    /// Not judged, after the first ramp.
    #[serde(default)]
    pub warmup_s: f64,
    /// Whether the service sets the pace: users who never wait. Only then can a throughput tell anything.
    #[serde(default)]
    pub saturating: bool,
}

/// Who decides when the next iteration starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadModel {
    /// The user, after its last one.
    Closed,
    /// A schedule.
    Open,
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly.
    Even,
    /// Independently of each other.
    Poisson,
}

/// A straight line from one level to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Level at its start.
    pub from: f64,
    /// Level at its end.
    pub to: f64,
    /// How long.
    pub over_s: f64,
}

/// Counts of the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WholeRun {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: Failed,
    /// Cut off at the end: neither ok nor failed.
    pub unfinished: u64,
    /// Failed ÷ (ok + failed); null where nothing ended.
    pub error_rate: Option<f64>,
    /// Requests that were sent again because the connection, idle before, was closed before a byte of the response.
    #[serde(default)]
    pub retried_on_close: u64,
    /// Requests that were sent again because the server said that it had not processed them.
    #[serde(default)]
    pub retried_on_refusal: u64,
    /// By endpoint.
    pub endpoints: Vec<EndpointCounts>,
    /// Response time of all requests; only where an objective is judged on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time: Option<Times>,
    /// Custom metrics; only those that an objective is judged on over the whole run, and those of which the steady
    /// phase has no time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<CustomMetric>,
    /// Users that never got through `on_start`; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never_ready: Option<NeverReady>,
}

/// Users that never came to their first iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverReady {
    /// How many.
    pub users: u64,
    /// How many users began.
    pub of: u64,
}

/// A task of a user class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The class.
    pub user_class: String,
    /// The task.
    pub task: String,
    /// Iterations that began, those included that the end of the load has cut off.
    pub iterations: u64,
    /// Iterations whose first condition did not hold.
    pub skipped: u64,
    /// Iterations that a failed step ended.
    pub failed: u64,
    /// Whether it is what users do before their first iteration; earlier versions do not say it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_start: bool,
}

/// One way in which one endpoint failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The endpoint.
    pub endpoint: String,
    /// The kind of failure.
    pub kind: String,
    /// How often, in the whole run.
    pub count: u64,
    /// A few messages about it.
    pub samples: Vec<String>,
}

/// A moment of the run: a second as a rule, longer late in a long run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its start, since the start of the load.
    pub t_s: f64,
    /// How long it lasted.
    #[serde(default)]
    pub length_s: f64,
    /// `ramp`, `warmup`, `steady` or `drain`.
    pub phase: String,
    /// Users, the most at once.
    pub users: u64,
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// Response time.
    pub p50_ms: Option<f64>,
    /// Response time.
    pub p95_ms: Option<f64>,
    /// Response time.
    pub p99_ms: Option<f64>,
    /// How many of these times are timeouts, and lower bounds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub timed_out: u64,
    /// The latest that a sleeper of the generator ran; null where nobody slept.
    #[serde(default)]
    pub wake_lateness_max_ms: Option<f64>,
    /// Share of its length in which the workers of the generator stood still.
    #[serde(default)]
    pub stalled_share: f64,
    /// The machine meanwhile; absent where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachinePoint>,
    /// The same by endpoint, of those that had something; empty where an earlier point has them. See
    /// [`stretches`](super::stretch::stretches).
    pub endpoints: BTreeMap<String, EndpointPoint>,
    /// How many of the next points the endpoints are counted of as well: in a run of very many endpoints.
    #[serde(default, skip_serializing_if = "is_none")]
    pub endpoints_of_next: u64,
}

/// One endpoint at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointPoint {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// Response time.
    pub p50_ms: Option<f64>,
    /// Response time.
    pub p95_ms: Option<f64>,
    /// Response time.
    pub p99_ms: Option<f64>,
    /// How many of these times are timeouts, and lower bounds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub timed_out: u64,
    /// The longest that any request took that ended, failures of all kinds included; absent where that is below one second,
    /// and in results of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ms: Option<f64>,
}

/// The generator: could it do what it was asked for?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Microseconds of CPU per request.
    pub cpu_us_per_request: f64,
    /// Share of its cores that was busy.
    pub cpu_utilisation: f64,
    /// How late scheduled iterations began; null where nothing is scheduled.
    pub schedule_lag_p99_ms: Option<f64>,
    /// The latest of them; earlier versions do not say it.
    #[serde(default)]
    pub schedule_lag_max_ms: Option<f64>,
    /// The share of the iterations due that were started, or found no user.
    pub achieved_ratio: f64,
    /// Share of the machine's time that a hypervisor took away; null where the system does not tell.
    pub steal: Option<f64>,
    /// Resident memory at its highest; null where the system does not tell.
    pub rss_mb: Option<f64>,
    /// Times that file descriptors or ports ran out.
    #[serde(default)]
    pub exhausted: u64,
    /// How late its sleepers ran in the steady phase, 99 %; null where nobody slept or it was not measured.
    #[serde(default)]
    pub wake_lateness_p99_ms: Option<f64>,
    /// The latest of them.
    #[serde(default)]
    pub wake_lateness_max_ms: Option<f64>,
    /// Share of the steady phase in which its workers stood still.
    #[serde(default)]
    pub stalled_share: f64,
    /// The second of the steady phase in which they stood still the most; null where they never did.
    #[serde(default)]
    pub worst_second: Option<WorstSecond>,
}

/// A second in which the workers of the generator stood still.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstSecond {
    /// Its start, since the start of the load.
    pub t_s: f64,
    /// The share of it.
    pub stalled_share: f64,
}
