//! How a run is judged: thresholds, the baseline, base against head.

use super::{Key, Kind, Shape, key};

/// The objectives of a run, of endpoints and of custom metrics.
pub(super) static THRESHOLDS: Shape = Shape {
    name: "thresholds",
    doc: "What must hold. Every line is the good condition; a breach fails the job.",
    keys: &[
        &METRICS,
        &[
            key(
                "endpoints",
                Kind::Map(&Kind::Object(&OBJECTIVES)),
                "Objectives of single endpoints, by their name.",
            ),
            key(
                "metrics",
                Kind::Map(&Kind::Object(&OBJECTIVES)),
                "Objectives of custom metrics, which `record` makes.",
            ),
        ],
    ],
    rules: &[],
};

static OBJECTIVES: Shape = Shape {
    name: "objectives",
    doc: "Objectives of one endpoint or custom metric.",
    keys: &[&METRICS],
    rules: &[],
};

/// One objective for each judged number.
pub(super) static METRICS: [Key; 18] = [
    time("p50", "Half of the requests are at least this fast."),
    time("p75", "75 % of the requests are at least this fast."),
    time("p90", "90 % of the requests are at least this fast."),
    time("p95", "95 % of the requests are at least this fast."),
    time("p99", "99 % of the requests are at least this fast."),
    time("p999", "99.9 % of the requests are at least this fast."),
    time("max", "No request is slower."),
    time("mean", "The mean response time is at most this."),
    key(
        "error_rate",
        Kind::Either(&[Kind::Ratio, Kind::Object(&RATIO_LIMIT)]),
        "At most this share of requests fails (default 1%; null takes it away).",
    ),
    key(
        "throughput",
        Kind::Either(&[Kind::Rate, Kind::Object(&RATE_LIMIT)]),
        "At least this many requests succeed per second.",
    ),
    time("connect_p50", "Half of the WebSockets open at least this fast."),
    time("connect_p75", "75 % of the WebSockets open at least this fast."),
    time("connect_p90", "90 % of the WebSockets open at least this fast."),
    time("connect_p95", "95 % of the WebSockets open at least this fast."),
    time("connect_p99", "99 % of the WebSockets open at least this fast."),
    time("connect_p999", "99.9 % of the WebSockets open at least this fast."),
    count("missing_messages", "At most this many WebSocket messages are waited for in vain."),
    count("unexpected_closes", "At most this many WebSockets close when nobody wants them to."),
];

const fn time(name: &'static str, doc: &'static str) -> Key {
    key(name, Kind::Either(&TIME), doc)
}

const fn count(name: &'static str, doc: &'static str) -> Key {
    key(name, Kind::Either(&COUNT), doc)
}

static TIME: [Kind; 2] = [Kind::Duration, Kind::Object(&TIME_LIMIT)];
static COUNT: [Kind; 2] = [Kind::COUNT, Kind::Object(&COUNT_LIMIT)];

const BELOW: &str = "The limit, which still passes.";

static TIME_LIMIT: Shape = Shape {
    name: "time_limit",
    doc: "The long form of an objective about times.",
    keys: &[&[key("below", Kind::Duration, BELOW)], &LIMIT],
    rules: &[],
};

static RATIO_LIMIT: Shape = Shape {
    name: "ratio_limit",
    doc: "The long form of an objective about a share.",
    keys: &[&[key("below", Kind::Ratio, BELOW)], &LIMIT],
    rules: &[],
};

static COUNT_LIMIT: Shape = Shape {
    name: "count_limit",
    doc: "The long form of an objective about a count.",
    keys: &[&[key("below", Kind::COUNT, BELOW)], &LIMIT],
    rules: &[],
};

static RATE_LIMIT: Shape = Shape {
    name: "rate_limit",
    doc: "The long form of an objective about a throughput.",
    keys: &[&[key("above", Kind::Rate, BELOW)], &LIMIT],
    rules: &[],
};

static LIMIT: [Key; 6] = [
    key(
        "over",
        Kind::OneOf(&["steady", "whole_run"]),
        "What part of the run counts. Times and throughput: the steady phase (default; the whole run where only \
         `on_start` makes it). What counts failures: always the whole run.",
    ),
    key(
        "window",
        Kind::Duration,
        "Must hold in every window of this length, whole seconds, of the steady phase.",
    ),
    key("abort", Kind::Bool, "Stop the run as soon as it is broken."),
    key("after", Kind::Duration, "With `abort`: not before this time since the start of the load."),
    key("severity", Kind::OneOf(&["fail", "warn"]), "Whether a breach fails the job (default) or warns."),
    key("message", Kind::Text, "What to tell the reader about a breach."),
];

/// Comparison with remembered runs.
pub(super) static BASELINE: Shape = Shape {
    name: "baseline",
    doc: "Comparison with earlier runs of the same scenario and environment. Without it nothing is compared.",
    keys: &[&[
        key("dir", Kind::Text, "The folder of baselines."),
        key("gate_on", Kind::List(&Kind::Metric), "The metrics that can fail the job; the others are shown."),
        key(
            "budget",
            Kind::Either(&[Kind::Ratio, Kind::PerMetric(&Kind::Ratio)]),
            "The tolerated worsening, for all metrics or for each.",
        ),
        key("catch", Kind::Ratio, "A worsening that must not slip through."),
        key("min_change", Kind::Duration, "Smaller changes of a time are never a regression."),
        key("confidence", Kind::Ratio, "How sure a regression must be."),
        key(
            "confirmation",
            Kind::OneOf(&["off", "required"]),
            "Whether a second job on a fresh machine decides.",
        ),
        key(
            "keep_runs",
            Kind::Integer { min: 3, max: u32::MAX as u64 },
            "How many runs are remembered per class of machines and epoch; at least 3.",
        ),
        key(
            "on_inconclusive",
            Kind::OneOf(&["pass", "fail"]),
            "What an inconclusive comparison does to the job.",
        ),
        key("on_missing", Kind::OneOf(&["pass", "fail"]), "What a missing baseline does to the job."),
    ]],
    rules: &[],
};

/// Base and head on one machine.
pub(super) static AB: Shape = Shape {
    name: "ab",
    doc: "Comparison of two versions under interleaved load on one machine.",
    keys: &[&[
        key("budget", Kind::Ratio, "The tolerated worsening."),
        key("catch", Kind::Ratio, "A worsening that must not slip through."),
        key("confidence", Kind::Ratio, "How sure a regression must be."),
        key("window", Kind::Duration, "How long each version is under load before the other has its turn."),
        key("max_time", Kind::Duration, "When to stop without a decision."),
        key("restart_every", Kind::COUNT, "Restart both versions after so many pairs of windows."),
    ]],
    rules: &[],
};
