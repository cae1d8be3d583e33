//! From what was counted to the document. Pure: no clock, no files. Percentiles come from merged
//! histograms; where nothing was counted there is a null, never a zero and never a NaN.

use std::time::Duration;

use crate::clock::micros;
use crate::load::measure::censored::CensoredTimes;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::{MetricTally, Recording, Split, Tally};
use crate::load::measure::run::{EndpointWindow, Health, RunData, TimesSummary, Window};
use crate::load::measure::standstill;
use crate::load::measure::times::Times as Recorded;
use crate::load::shutdown::Interruption;
use crate::plan::load as planned;
use crate::plan::redact::Redactor;
use crate::plan::user::TaskId;
use crate::plan::{EndpointKind, Plan};

use super::endpoint::{CustomMetric, Endpoint, Failed, Kind, Phases, Times, WebSocketCounts};
use super::machine::{Machine, MachinePoint};
use super::schema::{
    Confirms, Distribution, EndpointPoint, Failure, Generator, Git, Load, LoadModel, Mode, Point, RunResult,
    Runner, SCHEMA, Signal, Stage, Task, Tool, WorstSecond,
};
use super::whole_run::{both_failed, whole_run};

/// How many characters of the message of a failure are kept, once secrets are taken out of it.
const LONGEST_MESSAGE: usize = 300;

/// The name of all requests together.
pub const TOTAL: &str = "total";

/// What the plan and the measurement do not know.
#[derive(Debug, Clone)]
pub struct Context {
    /// The program's version.
    pub tool_version: String,
    /// What kind of run it was.
    pub mode: Mode,
    /// What the load was put on, for people, without credentials: a host or a command.
    pub target: String,
    /// The commit.
    pub git: Git,
    /// The machine.
    pub runner: Runner,
    /// Told to the user before or during the run.
    pub warnings: Vec<String>,
    /// Whether the command that was measured ended by itself.
    pub target_ended: bool,
    /// The first job, where this run is to confirm what that one flagged.
    pub confirms: Option<Confirms>,
}

/// Everything known about a run, not judged yet.
pub fn summarise(plan: &Plan, run: &RunData, context: Context) -> RunResult {
    let redactor = plan.secrets.redactor();
    let steady_s = run.steady.as_secs_f64();
    let (totals, endpoints) = steady_phase(plan, &run.total, steady_s);
    RunResult {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: context.tool_version },
        mode: context.mode,
        name: plan.name.clone(),
        scenario: plan.scenario.clone(),
        environment: plan.environment.clone(),
        target: without_credentials(&redactor.clean(&context.target)),
        plan_digest: plan.digest.clone(),
        seed: plan.seed,
        started_at: run.started_at.to_string(),
        duration_s: run.duration.as_secs_f64(),
        steady_s,
        interrupted: run.interrupted.is_some(),
        signal: run.interrupted.map(signal),
        git: context.git,
        runner: context.runner,
        load: load(plan),
        whole_run: whole_run(plan, &run.total),
        totals,
        endpoints,
        metrics: plan.metrics.iter().zip(&run.total.metrics).map(custom_metric).collect(),
        tasks: tasks(plan, &run.total),
        failures: failures(plan, &run.total, &redactor),
        series: run.windows.iter().map(|window| told(point(plan, window, run.health.workers), run)).collect(),
        windows: Vec::new(),
        aborted: None,
        generator: generator(&run.health),
        machine: Machine::of(run),
        target_ended: context.target_ended,
        warnings: context.warnings.iter().map(|warning| redactor.clean(warning)).collect(),
        inactive: plan.inactive.clone(),
        verdict: None,
        confirms: context.confirms,
        salvaged: None,
        left_out: None,
        ab: None,
        capacity: None,
    }
}

/// An address keeps no user and no password; a command is no address.
fn without_credentials(target: &str) -> String {
    match url::Url::parse(target) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // An address that cannot have credentials has none.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        _ => target.to_owned(),
    }
}

fn signal(interruption: Interruption) -> Signal {
    match interruption {
        Interruption::Sigint => Signal::Sigint,
        Interruption::Sigterm => Signal::Sigterm,
        Interruption::StopButton => Signal::StopButton,
    }
}

/// A quotient; none where there is nothing to divide by.
pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole).filter(|value| value.is_finite())
}

/// A number that JSON can hold.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

pub(super) fn kind(kind: EndpointKind) -> Kind {
    match kind {
        EndpointKind::Http => Kind::Http,
        EndpointKind::WebSocket => Kind::Websocket,
    }
}

/// All endpoints together, and each.
fn steady_phase(plan: &Plan, recording: &Recording, steady_s: f64) -> (Endpoint, Vec<Endpoint>) {
    let mut all = Tally::default();
    let mut endpoints = Vec::with_capacity(plan.endpoints.len());
    for (planned, split) in plan.endpoints.iter().zip(&recording.endpoints) {
        all.merge(&split.steady);
        endpoints.push(endpoint(&planned.name, kind(planned.kind), &split.steady, steady_s));
    }
    (endpoint(TOTAL, Kind::All, &all, steady_s), endpoints)
}

fn endpoint(name: &str, kind: Kind, tally: &Tally, steady_s: f64) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        kind,
        ok: tally.ok,
        failed: failed(&tally.failed),
        requests_per_second: ratio(tally.ok as f64, steady_s).unwrap_or(0.0),
        error_rate: ratio(tally.failures() as f64, tally.total() as f64),
        bytes_in: tally.bytes_in,
        bytes_out: tally.bytes_out,
        retried_on_close: tally.retried_on_close,
        retried_on_refusal: tally.retried_on_refusal,
        not_started: tally.not_started,
        response_time: with_histogram(&tally.response),
        service_time: with_histogram(&tally.service),
        failed_response_time: times(&tally.failed_response),
        unfinished_time: at_least(&tally.unfinished),
        phases: Phases {
            dns_ms: times(&tally.dns),
            connect_ms: times(&tally.connect),
            tls_ms: times(&tally.tls),
            first_byte_ms: times(&tally.first_byte),
        },
        websocket: (kind == Kind::Websocket).then(|| websocket(tally)),
    }
}

fn websocket(tally: &Tally) -> WebSocketCounts {
    WebSocketCounts {
        messages_in: tally.messages_in,
        messages_out: tally.messages_out,
        missing_messages: tally.missing_messages,
        unfinished_messages: tally.unfinished_messages,
        unexpected_closes: tally.unexpected_closes,
        pongs: tally.pongs,
    }
}

pub(super) fn failed(counts: &[u64; FailureKind::ALL.len()]) -> Failed {
    FailureKind::ALL
        .into_iter()
        .map(|kind| (kind.name().to_owned(), counts[kind.index()]))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn times(recorded: &Recorded) -> Option<Times> {
    recorded.histogram().and_then(|histogram| Times::of(&histogram))
}

/// Times all of which are lower bounds.
pub(super) fn at_least(recorded: &Recorded) -> Option<Times> {
    let histogram = recorded.histogram()?;
    Times::complete(&histogram, Some(&histogram))
}

pub(super) fn with_histogram(recorded: &CensoredTimes) -> Option<Times> {
    let timed_out = recorded.timed_out.histogram();
    Times::complete(recorded.all.histogram()?.as_ref(), timed_out.as_deref())
}

fn custom_metric((name, split): (&String, &Split<MetricTally>)) -> CustomMetric {
    CustomMetric {
        name: name.clone(),
        ok: split.steady.ok,
        failed: split.steady.failed,
        response_time: with_histogram(&split.steady.response),
    }
}

fn tasks(plan: &Plan, recording: &Recording) -> Vec<Task> {
    let counted = plan.tasks.iter().zip(&recording.tasks).enumerate();
    counted
        .map(|(index, (task, tally))| Task {
            user_class: task.class.clone(),
            task: task.name.clone(),
            iterations: tally.iterations,
            skipped: tally.skipped,
            failed: tally.failed,
            on_start: plan.classes.iter().any(|class| class.on_start == Some(TaskId(index))),
        })
        .collect()
}

/// Every way in which an endpoint failed, the most frequent first.
fn failures(plan: &Plan, recording: &Recording, redactor: &Redactor) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (index, (endpoint, split)) in plan.endpoints.iter().zip(&recording.endpoints).enumerate() {
        for (kind, count) in FailureKind::ALL.into_iter().zip(both_failed(split)).filter(|(_, n)| *n > 0) {
            let messages = recording.samples.get(&(index, kind)).into_iter().flatten();
            let mut samples: Vec<String> = messages
                .map(|message| redactor.clean(message).chars().take(LONGEST_MESSAGE).collect())
                .collect();
            samples.sort();
            samples.dedup();
            failures.push(Failure {
                endpoint: endpoint.name.clone(),
                kind: kind.name().to_owned(),
                count,
                samples,
            });
        }
    }
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}

/// What took less is no sign that a service hung, and is left out of each second of each endpoint.
const LONG: Duration = Duration::from_secs(1);

fn point(plan: &Plan, window: &Window, workers: usize) -> Point {
    let summary = &window.recording_summary;
    let [p50_ms, p95_ms, p99_ms] = percentiles(summary.times);
    let endpoints = plan
        .endpoints
        .iter()
        .zip(&summary.endpoints)
        .filter(|(_, counted)| counted.ok + counted.failed > 0)
        .map(|(planned, counted)| {
            let [p50_ms, p95_ms, p99_ms] = percentiles(counted.times);
            let EndpointWindow { ok, failed, times, longest } = *counted;
            let longest_ms = longest.filter(|it| *it >= LONG).map(|it| it.as_micros() as f64 / 1e3);
            let timed_out = timed_out(times);
            let point = EndpointPoint { ok, failed, p50_ms, p95_ms, p99_ms, timed_out, longest_ms };
            (planned.name.clone(), point)
        })
        .collect();
    Point {
        t_s: window.at.as_secs_f64(),
        length_s: window.length.as_secs_f64(),
        phase: window.phase.name().to_owned(),
        users: window.users,
        ok: summary.ok,
        failed: summary.failed,
        p50_ms,
        p95_ms,
        p99_ms,
        timed_out: timed_out(summary.times),
        wake_lateness_max_ms: summary.wake_lateness_max.map(milliseconds),
        stalled_share: standstill::share_of(window, workers),
        machine: window.machine.as_ref().map(MachinePoint::of),
        endpoints,
        endpoints_of_next: summary.endpoints_of_next,
    }
}

fn milliseconds(time: Duration) -> f64 {
    micros(time) as f64 / 1e3
}

/// A moment as it is told once it is known whose processes were whose.
fn told(point: Point, run: &RunData) -> Point {
    match run.whose.unknown {
        Some(_) => Point { machine: point.machine.map(MachinePoint::without_others), ..point },
        None => point,
    }
}

fn percentiles(times: Option<TimesSummary>) -> [Option<f64>; 3] {
    times.map_or([None; 3], |times| [Some(times.p50_ms), Some(times.p95_ms), Some(times.p99_ms)])
}

fn timed_out(times: Option<TimesSummary>) -> u64 {
    times.map_or(0, |times| times.timed_out)
}

fn generator(health: &Health) -> Generator {
    Generator {
        cpu_us_per_request: finite(health.cpu_us_per_request),
        cpu_utilisation: finite(health.cpu_utilisation),
        schedule_lag_p99_ms: health.schedule_lag.map(|lag| milliseconds(lag.p99)),
        schedule_lag_max_ms: health.schedule_lag.map(|lag| milliseconds(lag.max)),
        achieved_ratio: finite(health.achieved_ratio),
        steal: health.steal.map(finite),
        rss_mb: health.rss_mb.map(finite),
        exhausted: health.exhausted,
        wake_lateness_p99_ms: health.wake_lateness.map(|late| milliseconds(late.p99)),
        wake_lateness_max_ms: health.wake_lateness.map(|late| milliseconds(late.max)),
        stalled_share: finite(health.stalled_share),
        worst_second: health
            .worst_second
            .map(|worst| WorstSecond { t_s: worst.at.as_secs_f64(), stalled_share: finite(worst.share) }),
    }
}

fn load(plan: &Plan) -> Load {
    let planned = &plan.load;
    let (spawn_rate, stages) = shape(&planned.shape);
    let base = Load {
        model: LoadModel::Closed,
        users: None,
        spawn_rate_per_s: None,
        arrivals_per_s: None,
        distribution: None,
        max_users: None,
        stages,
        run_time_s: planned.shape.duration().as_secs_f64(),
        warmup_s: planned.warmup.as_secs_f64(),
        saturating: plan.saturates(),
    };
    let peak = Some(finite(planned.shape.peak()));
    match planned.model {
        planned::Model::Closed => {
            Load { users: peak.map(|peak| peak.ceil() as u64), spawn_rate_per_s: spawn_rate, ..base }
        }
        planned::Model::Open { distribution, max_users } => Load {
            model: LoadModel::Open,
            arrivals_per_s: peak,
            distribution: Some(match distribution {
                planned::Distribution::Even => Distribution::Even,
                planned::Distribution::Poisson => Distribution::Poisson,
            }),
            max_users: Some(max_users),
            ..base
        },
    }
}

/// One ramp and one plateau are told as a rate; everything else as its stages.
#[expect(clippy::float_cmp, reason = "a level is constant only where it was written as the same number")]
fn shape(shape: &planned::Shape) -> (Option<f64>, Vec<Stage>) {
    match shape.0.as_slice() {
        [] => (None, Vec::new()),
        [hold] if hold.from == hold.to => (None, Vec::new()),
        [ramp, hold] if ramp.from == 0.0 && ramp.to == hold.from && hold.from == hold.to => {
            (ratio(ramp.to, ramp.over.as_secs_f64()), Vec::new())
        }
        segments => (None, segments.iter().map(stage).collect()),
    }
}

fn stage(segment: &planned::Segment) -> Stage {
    Stage { from: finite(segment.from), to: finite(segment.to), over_s: segment.over.as_secs_f64() }
}
