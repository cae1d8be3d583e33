//! Results that reports must withstand: everything at once, long, wide, empty, cut off, hostile. Made of
//! the same parts a run has, so that they agree with themselves. It opens and renders nothing.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use loadgate::load::measure::times::LONGEST_US;
use loadgate::result::endpoint::{
    CustomMetric, Endpoint, EndpointCounts, Failed, Kind, Phases, Times, WebSocketCounts, failures,
};
use loadgate::result::schema::{
    EndpointPoint, Failure, Generator, Git, Load, LoadModel, Mode, Point, RunResult, Runner, SCHEMA, Signal,
    Task, Tool, WholeRun,
};

use super::verdicts;

/// A result and what its page must show.
pub struct Case {
    pub name: &'static str,
    pub result: RunResult,
    /// At least so many charts.
    pub charts: usize,
}

/// Every case, by the name of its page.
pub fn all() -> Vec<Case> {
    let case = |name, charts, result| Case { name, result, charts };
    vec![
        case("rich", 2, rich()),
        case("long", 2, long()),
        case("wide", 2, wide()),
        case("nothing", 0, nothing()),
        case("interrupted", 1, interrupted()),
        case("hostile", 1, hostile()),
    ]
}

/// A comparison with every outcome, failures, a WebSocket, a custom metric.
pub fn rich() -> RunResult {
    let names = [
        "GET /api/v1/builds",
        "GET /api/v1/builds/{id}/code",
        "POST /api/v1/auth/test-token",
        "POST /api/v1/builds",
        "DELETE /api/v1/builds/{id}",
        "GET /health",
        "WS /ws/builds/{id}",
    ];
    let mut result = run(&names.map(String::from), 60);
    let created = histogram(3, 40);
    result.metrics = vec![CustomMetric {
        name: "build_created".into(),
        ok: 40,
        failed: 0,
        response_time: Times::complete(&created, None),
    }];
    result.verdict = Some(verdicts::rich(&names));
    result
}

/// Thirty endpoints over thirty minutes.
pub fn long() -> RunResult {
    let mut result = run(&numbered(30), 1_800);
    result.verdict = Some(verdicts::passed());
    result
}

/// Five hundred endpoints.
fn wide() -> RunResult {
    let mut result = run(&numbered(500), 60);
    result.verdict = Some(verdicts::passed());
    result
}

/// Three hundred endpoints with long names, each with something wrong.
pub fn heavy() -> RunResult {
    let names: Vec<String> = numbered(300).iter().map(|name| format!("{name}/{}", "x".repeat(80))).collect();
    RunResult { verdict: Some(verdicts::hostile(&names)), ..run(&names, 30) }
}

/// Not one request.
fn nothing() -> RunResult {
    let mut result = run(&[], 10);
    result.verdict = Some(verdicts::nothing());
    result
}

/// Stopped from outside in its third second.
fn interrupted() -> RunResult {
    let mut result = run(&numbered(3), 3);
    result.interrupted = true;
    result.signal = Some(Signal::Sigterm);
    result.verdict = Some(verdicts::interrupted());
    result
}

/// Texts from outside that try to be something else than text.
pub fn hostile_texts() -> Vec<String> {
    let texts = [
        "<script>window.pwned=1</script>",
        "\"><img src=x onerror=window.pwned=1>",
        "</script><script>window.pwned=1</script>",
        "'-window.pwned=1-'",
        "javascript:window.pwned=1",
        "<!--<script>",
        "](javascript:window.pwned=1) **bold** `code` | cell | # title <b>",
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "a\r\nb,\"c\"",
        "{{ 7*7 }}{% raw %}",
        "\u{202e}txt.exe\u{2066}x",
        "مرحبا بالعالم",
        "👩‍👩‍👧‍👦🔥 é",
        " ",
        "&lt;b&gt; &amp; ]]> \u{1b}[31mred",
        "::error title=pwned::pwned",
        "GET ##[error]pwned",
        "a\n::add-mask::pwned\r::stop-commands::pwned\nloadgate_0<<pwned",
    ];
    let long = "x".repeat(10_000);
    texts.into_iter().map(String::from).chain([long]).collect()
}

/// Those texts wherever a text may stand.
pub fn hostile() -> RunResult {
    let texts = hostile_texts();
    let mut result = run(&texts, 30);
    result.name.clone_from(&texts[2]);
    result.scenario.clone_from(&texts[1]);
    result.environment.clone_from(&texts[6]);
    result.target = format!("http://127.0.0.1/{}", texts[1]);
    result.git.reference = Some(texts[0].clone());
    result.git.sha = Some(texts[1].clone());
    result.runner.cpu_model.clone_from(&texts[2]);
    result.runner.image = Some(texts[15].clone());
    result.warnings.clone_from(&texts);
    result.inactive.clone_from(&texts);
    result.failures = texts.iter().map(|text| failure(text, &texts)).collect();
    result.metrics = texts.iter().enumerate().map(|(rank, text)| metric(text, rank)).collect();
    result.tasks = texts.iter().map(|text| task(text, text)).collect();
    result.verdict = Some(verdicts::hostile(&texts));
    result
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|rank| format!("GET /api/v1/resource-{rank:03}/{{id}}")).collect()
}

/// A run of so many seconds with these endpoints.
fn run(names: &[String], seconds: u16) -> RunResult {
    let steady_s = f64::from(seconds);
    let endpoints: Vec<Endpoint> =
        names.iter().enumerate().map(|(rank, name)| endpoint(name, rank, steady_s)).collect();
    RunResult {
        machine: None,
        salvaged: None,
        left_out: None,
        schema: SCHEMA,
        tool: Tool { name: "loadgate".into(), version: "0.1.0".into() },
        mode: Mode::Run,
        name: "hyperkit".into(),
        scenario: "build_flow".into(),
        environment: "demo".into(),
        target: "http://127.0.0.1:8000".into(),
        plan_digest: "0f1e2d".into(),
        seed: 42,
        started_at: "2026-11-24T10:15:00Z".into(),
        duration_s: steady_s,
        steady_s,
        interrupted: false,
        signal: None,
        git: Git { sha: Some("c0ffee".into()), reference: Some("refs/heads/main".into()), fork: false },
        runner: runner(),
        load: load(steady_s),
        whole_run: whole_run(&endpoints),
        totals: totals(&endpoints, steady_s),
        metrics: Vec::new(),
        tasks: vec![task("primary", "create_build")],
        failures: names
            .iter()
            .step_by(3)
            .map(|name| failure(name, &["status 503: too busy".into()]))
            .collect(),
        series: (0..seconds).map(|second| point(second, seconds, names)).collect(),
        windows: Vec::new(),
        aborted: None,
        generator: generator(),
        warnings: vec!["the port 9090 is taken: no live metrics".into()],
        target_ended: false,
        inactive: Vec::new(),
        verdict: None,
        confirms: None,
        ab: None,
        capacity: None,
        endpoints,
    }
}

/// Skewed as response times are, slower with the rank, and every sixth endpoint in two groups.
fn histogram(rank: usize, count: u32) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds that fit");
    let fastest = 400.0 * 1.35_f64.powf((rank % 24) as f64);
    for index in 0..count {
        let share = (f64::from(index) + 0.5) / f64::from(count);
        let group = if rank % 6 == 5 && index % 3 == 0 { 8.0 } else { 1.0 };
        histogram.saturating_record((group * fastest * (1.0 + 0.5 * share / (1.01 - share))) as u64);
    }
    histogram
}

fn endpoint(name: &str, rank: usize, steady_s: f64) -> Endpoint {
    let socket = name.starts_with("WS ");
    let failed = if rank.is_multiple_of(3) {
        Failed::from([("status".into(), 4), ("timeout".into(), 2)])
    } else {
        Failed::new()
    };
    let count = 60 + 10 * (rank as u32 % 40);
    let timeouts = failed.get("timeout").copied().unwrap_or(0);
    let times = histogram(rank, count);
    let counts = WebSocketCounts {
        messages_in: 120,
        messages_out: 60,
        missing_messages: 2,
        unexpected_closes: 1,
        ..WebSocketCounts::default()
    };
    Endpoint {
        name: name.into(),
        kind: if socket { Kind::Websocket } else { Kind::Http },
        ok: u64::from(count) - timeouts,
        requests_per_second: (u64::from(count) - timeouts) as f64 / steady_s,
        error_rate: error_rate(u64::from(count) - timeouts, &failed),
        failed_response_time: (!failed.is_empty()).then(|| Times::of(&histogram(0, 4))).flatten(),
        unfinished_time: None,
        failed,
        bytes_in: 500 * u64::from(count),
        bytes_out: 80 * u64::from(count),
        retried_on_close: 0,
        retried_on_refusal: 0,
        not_started: 0,
        response_time: Times::complete(&times, None),
        service_time: Times::complete(&times, None),
        phases: Phases {
            connect_ms: Times::of(&histogram(0, 10)),
            first_byte_ms: Times::of(&times),
            ..Phases::default()
        },
        websocket: socket.then_some(counts),
    }
}

/// All endpoints together; with one distribution of as many times as they have.
fn totals(endpoints: &[Endpoint], steady_s: f64) -> Endpoint {
    let ok = endpoints.iter().map(|endpoint| endpoint.ok).sum();
    let failed = sum_of(endpoints.iter().map(|endpoint| &endpoint.failed));
    let count = ok + failed.get("timeout").copied().unwrap_or(0);
    let times = histogram(5, u32::try_from(count).expect("a small run"));
    Endpoint {
        name: "total".into(),
        kind: Kind::All,
        ok,
        requests_per_second: ok as f64 / steady_s,
        error_rate: error_rate(ok, &failed),
        failed,
        bytes_in: endpoints.iter().map(|endpoint| endpoint.bytes_in).sum(),
        bytes_out: endpoints.iter().map(|endpoint| endpoint.bytes_out).sum(),
        retried_on_close: 0,
        retried_on_refusal: 0,
        not_started: 0,
        response_time: Times::complete(&times, None),
        service_time: Times::complete(&times, None),
        failed_response_time: None,
        unfinished_time: None,
        phases: Phases::default(),
        websocket: None,
    }
}

fn whole_run(endpoints: &[Endpoint]) -> WholeRun {
    let ok = endpoints.iter().map(|endpoint| endpoint.ok).sum();
    let failed = sum_of(endpoints.iter().map(|endpoint| &endpoint.failed));
    let counts = |it: &Endpoint| EndpointCounts {
        name: it.name.clone(),
        ok: it.ok,
        failed: it.failed.clone(),
        error_rate: it.error_rate,
        not_started: 0,
        unfinished_time: None,
        retried_on_close: it.retried_on_close,
        retried_on_refusal: it.retried_on_refusal,
        websocket: it.websocket,
        response_time: None,
    };
    WholeRun {
        ok,
        error_rate: error_rate(ok, &failed),
        failed,
        retried_on_close: 0,
        retried_on_refusal: 0,
        unfinished: 3,
        endpoints: endpoints.iter().map(counts).collect(),
        response_time: None,
        metrics: Vec::new(),
        never_ready: None,
    }
}

fn sum_of<'a>(all: impl Iterator<Item = &'a Failed>) -> Failed {
    let mut sum = Failed::new();
    for (kind, count) in all.flatten() {
        *sum.entry(kind.clone()).or_default() += count;
    }
    sum
}

fn error_rate(ok: u64, failed: &Failed) -> Option<f64> {
    let all = ok + failures(failed);
    (all > 0).then(|| failures(failed) as f64 / all as f64)
}

/// A second: a ramp first, a drain last, a wave and a gap in between.
fn point(second: u16, of: u16, names: &[String]) -> Point {
    let phase = match second {
        0 | 1 => "ramp",
        2..5 => "warmup",
        _ if second + 1 == of => "drain",
        _ => "steady",
    };
    let gap = names.is_empty() || second % 17 == 9;
    let wave = 1.0 + 0.4 * (f64::from(second) / 7.0).sin();
    let some = |ms: f64| (!gap).then_some((ms * wave * 1e3).round() / 1e3);
    let of_endpoint = |rank: usize| EndpointPoint {
        ok: 4,
        failed: 0,
        p50_ms: some(2.0 + rank as f64),
        p95_ms: some(5.0 + rank as f64),
        p99_ms: some(9.0 + rank as f64),
        timed_out: 0,
        longest_ms: some(9.5 + rank as f64),
    };
    let endpoints: BTreeMap<_, _> =
        names.iter().enumerate().map(|(rank, name)| (name.clone(), of_endpoint(rank))).collect();
    Point {
        machine: None,
        endpoints_of_next: 0,
        t_s: f64::from(second),
        length_s: 1.0,
        phase: phase.into(),
        users: u64::from(second.min(5)) * 10,
        ok: if gap { 0 } else { 4 * names.len() as u64 },
        failed: u64::from(!gap && second % 10 == 3),
        p50_ms: some(12.0),
        p95_ms: some(60.0),
        p99_ms: some(300.0),
        timed_out: 0,
        wake_lateness_max_ms: Some(0.4),
        stalled_share: 0.0,
        endpoints: if gap { BTreeMap::new() } else { endpoints },
    }
}

fn failure(endpoint: &str, samples: &[String]) -> Failure {
    Failure { endpoint: endpoint.into(), kind: "status".into(), count: 4, samples: samples.to_vec() }
}

fn metric(name: &str, rank: usize) -> CustomMetric {
    CustomMetric {
        name: name.into(),
        ok: 20,
        failed: 0,
        response_time: Times::complete(&histogram(rank, 20), None),
    }
}

fn task(user_class: &str, task: &str) -> Task {
    Task {
        user_class: user_class.into(),
        task: task.into(),
        iterations: 2_334,
        skipped: 2,
        failed: 34,
        on_start: false,
    }
}

fn runner() -> Runner {
    Runner {
        session: None,
        cpu_model: "AMD EPYC 7763 64-Core Processor".into(),
        cpus: 4,
        arch: "x86_64".into(),
        os: "linux".into(),
        image: Some("ubuntu24 20261101.1.0".into()),
        cpu_class: "amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24".into(),
    }
}

fn load(run_time_s: f64) -> Load {
    Load {
        model: LoadModel::Closed,
        users: Some(50),
        spawn_rate_per_s: Some(25.0),
        arrivals_per_s: None,
        distribution: None,
        max_users: None,
        stages: Vec::new(),
        run_time_s,
        warmup_s: 3.0,
        saturating: false,
    }
}

fn generator() -> Generator {
    Generator {
        cpu_us_per_request: 9.13,
        cpu_utilisation: 0.204,
        schedule_lag_p99_ms: Some(0.12),
        schedule_lag_max_ms: Some(0.3),
        achieved_ratio: 1.0,
        steal: Some(0.0),
        rss_mb: Some(20.4),
        exhausted: 0,
        wake_lateness_p99_ms: Some(0.11),
        wake_lateness_max_ms: Some(0.4),
        stalled_share: 0.0,
        worst_second: None,
    }
}
