//! Runs for tests, made the way real ones are: a plan, a recording, a summary.

use std::sync::Arc;
use std::time::Duration;

use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::recording::{MetricTally, Recording, Tally, TaskTally};
use crate::load::measure::run::{Health, Lateness, RunData, Whose, Window, WindowSummary};
use crate::metric::Metric;
use crate::plan::connection::{Http, Tls};
use crate::plan::load::{Load, Model, Phase, Segment, Shape, StopAfter};
use crate::plan::rules::{Applies, Objective, Origin, Over, Rules, Scope, Severity};
use crate::plan::secrets::{Captures, Secrets};
use crate::plan::user::{BuiltinSlots, Task};
use crate::plan::{Endpoint, EndpointKind, Format, Limits, MAX_MEMORY, Plan, Protection, Reporting, Target};
use crate::template::NameTable;

use super::machine::{Machine, MachinePoint, TargetLocation};
use super::schema::{Git, Mode, Point, RunResult, Runner};
use super::summary::{Context, summarise};

/// A plan of these endpoints: 100 users in 2 s, then 28 s.
pub fn plan(endpoints: &[&str]) -> Plan {
    let mut names = NameTable::default();
    let builtin = BuiltinSlots {
        user: names.slot("user"),
        index: names.slot("index"),
        message: names.slot("message"),
        response: names.slot("response"),
    };
    let ramp = Segment { over: Duration::from_secs(2), from: 0.0, to: 100.0 };
    let hold = Segment { over: Duration::from_secs(28), from: 100.0, to: 100.0 };
    Plan {
        name: "hyperkit".into(),
        scenario: "build_flow".into(),
        environment: "demo".into(),
        protection: Protection::Open,
        target: Target::Host("http://127.0.0.1:8000".parse().unwrap()),
        load: Load {
            model: Model::Closed,
            shape: Shape(vec![ramp, hold]),
            warmup: Duration::ZERO,
            drain: Duration::from_secs(5),
            stop: StopAfter::Request,
        },
        classes: Vec::new(),
        tasks: vec![Task { class: "primary".into(), name: "create_build".into(), steps: Arc::from([]) }],
        endpoints: endpoints.iter().map(|name| endpoint(name)).collect(),
        metrics: vec!["build_created".into()],
        data: Vec::new(),
        names: Arc::new(names),
        builtin,
        keeps_response: false,
        keeps_message: false,
        limits: Limits { timeout: Duration::from_secs(30), max_body: 1 << 20, max_memory: MAX_MEMORY },
        authorization: None,
        http: Http::default(),
        proxies: Arc::default(),
        tls: Tls::default(),
        seed: crate::plan::DEFAULT_SEED,
        seed_origin: crate::plan::SeedOrigin::Default,
        digest: "0f1e2d".into(),
        rules: Rules::default(),
        reporting: Reporting { output_dir: "reports".into(), formats: vec![Format::Json], prometheus: None },
        secrets: Arc::new(Secrets::new(vec!["hunter2-hunter2".into()], Captures::Never)),
        notes: Vec::new(),
        inactive: Vec::new(),
    }
}

fn endpoint(name: &str) -> Endpoint {
    let kind = if name.starts_with("WS ") { EndpointKind::WebSocket } else { EndpointKind::Http };
    Endpoint { name: name.into(), kind }
}

/// A healthy run of this recording. Where nobody has counted the iterations of a task, there was one.
pub fn run(mut total: Recording) -> RunData {
    for tally in total.tasks.iter_mut().filter(|tally| **tally == TaskTally::default()) {
        tally.iterations = 1;
    }
    let window = |second: u64, phase| Window {
        at: Duration::from_secs(second),
        length: Duration::from_secs(1),
        phase,
        users: 50 * (second + 1).min(2),
        recording_summary: WindowSummary::of(&total),
        machine: None,
    };
    RunData {
        started_at: "2026-11-24T10:15:00Z".parse().unwrap(),
        windows: vec![window(0, Phase::Ramp), window(2, Phase::Steady)],
        steady: Duration::from_secs(28),
        duration: Duration::from_secs(30),
        interrupted: None,
        health: Health {
            cpu_us_per_request: 9.13,
            cpu_utilisation: 0.204,
            schedule_lag: Some(Lateness { p99: Duration::from_micros(120), max: Duration::from_micros(300) }),
            achieved_ratio: 1.0,
            steal: Some(0.0),
            rss_mb: Some(20.4),
            exhausted: 0,
            workers: 2,
            wake_lateness: Some(Lateness {
                p99: Duration::from_micros(110),
                max: Duration::from_micros(400),
            }),
            stalled_share: 0.0,
            worst_second: None,
        },
        total,
        whose: Whose::default(),
    }
}

/// What the plan and the measurement do not know.
pub fn context() -> Context {
    Context {
        tool_version: "0.1.0".into(),
        mode: Mode::Run,
        target: "http://127.0.0.1:8000".into(),
        git: Git { sha: Some("c0ffee".into()), reference: Some("refs/heads/main".into()), fork: false },
        runner: Runner {
            cpu_model: "AMD EPYC 7763 64-Core Processor".into(),
            cpus: 4,
            arch: "x86_64".into(),
            os: "linux".into(),
            image: Some("ubuntu24 20261101.1.0".into()),
            cpu_class: "amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24".into(),
            session: None,
        },
        warnings: Vec::new(),
        target_ended: false,
        confirms: None,
    }
}

/// Adds `n` successes from `from` to `to` milliseconds, evenly.
pub fn succeed(tally: &mut Tally, n: u64, from: f64, to: f64) {
    for index in 0..n {
        let ms = from + (to - from) * (index as f64 + 0.5) / n as f64;
        let time = Duration::from_secs_f64(ms / 1e3);
        tally.ok += 1;
        tally.bytes_in += 500;
        tally.response.record(time);
        tally.service.record(time.mul_f64(0.9));
        tally.first_byte.record(time.mul_f64(0.8));
    }
}

/// Adds `n` values of a custom metric from `from` to `to` milliseconds, evenly.
pub fn record(tally: &mut MetricTally, n: u64, from: f64, to: f64) {
    for index in 0..n {
        let ms = from + (to - from) * (index as f64 + 0.5) / n as f64;
        tally.ok += 1;
        tally.response.record(Duration::from_secs_f64(ms / 1e3));
    }
}

/// Adds failures that took `ms`, as the engine counts them: only a timeout is a time to judge, and at least so long.
pub fn fail(tally: &mut Tally, kind: FailureKind, n: u64, ms: u64) {
    for _ in 0..n {
        tally.failed[kind.index()] += 1;
        let time = Duration::from_millis(ms);
        if kind == FailureKind::Timeout {
            tally.response.record_at_least(time);
            tally.service.record_at_least(time);
        } else {
            tally.failed_response.record(time);
        }
    }
}

/// Adds requests that were cut off so long after they were due. The recording counts them as well.
pub fn cut_off(tally: &mut Tally, n: u64, ms: u64) {
    (0..n).for_each(|_| tally.unfinished.record(Duration::from_millis(ms)));
}

/// One endpoint, `n` requests from 10 to 110 ms.
pub fn of_requests(n: u64) -> RunResult {
    let mut recording = Recording::new(1, 1, 1);
    succeed(&mut recording.endpoints[0].steady, n, 10.0, 110.0);
    summarise(&plan(&["GET /health"]), &run(recording), context())
}

/// A small run in which nothing went wrong.
pub fn small() -> RunResult {
    of_requests(1_000)
}

/// A run with everything: failures, timeouts, a WebSocket, an endpoint nobody asked for.
pub fn rich() -> RunResult {
    let names = [
        "POST /api/v1/auth/test-token",
        "POST /api/v1/builds",
        "GET /api/v1/builds/{id}/code",
        "GET /api/v1/users/me/stats",
        "WS /ws/builds/{id}",
        "DELETE /api/v1/builds/{id}",
    ];
    let mut recording = Recording::new(names.len(), 1, 1);
    succeed(&mut recording.endpoints[0].rest, 100, 4.0, 9.0);
    succeed(&mut recording.endpoints[1].steady, 2_300, 800.0, 3_400.0);
    fail(&mut recording.endpoints[1].steady, FailureKind::Timeout, 23, 30_000);
    fail(&mut recording.endpoints[1].steady, FailureKind::Status, 11, 2);
    succeed(&mut recording.endpoints[2].steady, 150, 2.0, 40.0);
    succeed(&mut recording.endpoints[3].steady, 12_345, 0.4, 1.9);
    sockets(&mut recording.endpoints[4].steady);
    recording.metrics[0].steady.ok = 2_300;
    recording.metrics[0].steady.response = recording.endpoints[1].steady.service.clone();
    recording.tasks[0].iterations = 2_334;
    recording.tasks[0].failed = 34;
    cut_off(&mut recording.endpoints[1].steady, 7, 5_200);
    recording.unfinished = 7;
    for (kind, message) in [
        (FailureKind::Timeout, "no response within 30 s"),
        (FailureKind::Status, "status 503: \u{1b}[31mtoken hunter2-hunter2 refused\r\n"),
    ] {
        recording.sample(1, &Failure::new(kind, message));
    }
    let context = Context { warnings: vec!["the port 9090 is taken: no live metrics".into()], ..context() };
    let mut plan = plan(&names);
    plan.inactive = vec!["reporting.grafana".into()];
    summarise(&plan, &run(recording), context)
}

fn sockets(tally: &mut Tally) {
    succeed(tally, 300, 1.0, 6.0);
    tally.messages_in = 598;
    tally.messages_out = 300;
    tally.missing_messages = 2;
}

/// An objective of line 41, as most are.
pub fn objective(scope: Scope, metric: Metric, limit: f64) -> Objective {
    Objective {
        scope,
        metric,
        limit,
        severity: Severity::Fail,
        window: None,
        over: Over::Steady,
        abort_after: None,
        message: None,
        applies: Applies::Here,
        origin: Origin::Written,
        line: Some(41),
    }
}

/// A second in which others used so much of the machine, and so much was left.
pub fn busy(others: Option<f64>, idle: f64) -> MachinePoint {
    MachinePoint {
        speed: Some(1.0),
        contention: Some(1.0),
        others_cpu: others,
        idle: Some(idle),
        steal: Some(0.0),
        throttled: Some(0.0),
        limited: None,
    }
}

/// The same run, on a machine that was so in each second of its steady phase.
pub fn on_machine(mut result: RunResult, seconds: &[MachinePoint]) -> RunResult {
    let first = result.series[1].clone();
    result.series = (0_u32..)
        .zip(seconds)
        .map(|(second, machine)| Point {
            t_s: f64::from(second),
            phase: "steady".into(),
            machine: Some(*machine),
            ..first.clone()
        })
        .collect();
    result.machine = Some(machine(seconds));
    result
}

/// What a run says of a machine, this one, that was so in each of its seconds.
pub fn machine(seconds: &[MachinePoint]) -> Machine {
    let mean = |pick: fn(&MachinePoint) -> Option<f64>| {
        seconds.iter().map(pick).sum::<Option<f64>>().map(|sum| sum / seconds.len() as f64)
    };
    Machine {
        speed: mean(|it| it.speed),
        contention: mean(|it| it.contention),
        others_cpu: mean(|it| it.others_cpu),
        others_unknown: None,
        target_location: Some(TargetLocation::ThisMachine),
        target_cpu: Some(0.3),
        generator_cpu: Some(0.1),
        idle: mean(|it| it.idle),
        steal: Some(0.0),
        pressure: None,
        throttled: mean(|it| it.throttled),
        quota_shared: true,
        worst_second: None,
    }
}
