//! What a summary keeps of a run.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::fixture::{context, fail, plan, rich, run, succeed};
use super::schema::{RunResult, Stage};
use super::summary::summarise;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::Recording;
use crate::load::measure::run::Health;
use crate::load::shutdown::Interruption;
use crate::plan::load::{Distribution, Model, Segment, Shape};
use crate::result::file::to_json;
use crate::result::schema::Signal;

fn summary_of(recording: Recording) -> RunResult {
    summarise(&plan(&["GET /a", "WS /b"]), &run(recording), context())
}

/// Requests as (endpoint, steady, how they ended, milliseconds).
type Request = (usize, bool, Option<usize>, u64);

fn recorded(requests: &[Request]) -> Recording {
    let mut recording = Recording::new(2, 1, 1);
    for (endpoint, steady, failure, ms) in requests {
        let split = &mut recording.endpoints[*endpoint];
        let tally = if *steady { &mut split.steady } else { &mut split.rest };
        match failure {
            None => succeed(tally, 1, *ms as f64, *ms as f64),
            Some(kind) => fail(tally, FailureKind::ALL[*kind], 1, *ms),
        }
        recording.tasks[0].iterations += 1;
    }
    recording
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let failure = proptest::option::weighted(0.3, 0..FailureKind::ALL.len());
    proptest::collection::vec((0..2_usize, any::<bool>(), failure, 0..40_000_u64), 0..12)
}

fn merged(parts: &[&Recording]) -> Recording {
    let mut sum = Recording::new(2, 1, 1);
    for part in parts {
        sum.merge(part);
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn workers_may_be_merged_in_any_order_and_grouping(a in requests(), b in requests(), c in requests()) {
        let [a, b, c] = [&a, &b, &c].map(|requests| recorded(requests));
        let forth = summary_of(merged(&[&a, &b, &c]));
        prop_assert_eq!(&forth, &summary_of(merged(&[&c, &a, &b])));
        prop_assert_eq!(&forth, &summary_of(merged(&[&a, &merged(&[&b, &c])])));
    }

    #[test]
    fn whatever_is_measured_is_read_back_from_the_document(requests in requests()) {
        let written = summary_of(recorded(&requests));
        let text = to_json(&written).unwrap();
        prop_assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), written);
    }
}

#[test]
fn a_timeout_counts_in_the_percentiles_and_a_fast_failure_does_not() {
    // 98 requests of 10 ms, 2 timeouts of 30 s: p99 is a timeout; 1,000 refusals of 1 ms change nothing.
    let mut recording = Recording::new(2, 1, 1);
    let tally = &mut recording.endpoints[0].steady;
    succeed(tally, 98, 10.0, 10.0);
    fail(tally, FailureKind::Timeout, 2, 30_000);
    fail(tally, FailureKind::Status, 1_000, 1);
    let endpoint = summary_of(recording).endpoints.remove(0);
    let times = endpoint.response_time.unwrap();
    assert_eq!((times.n, times.p50_ms.round(), times.p99_ms > 29_000.0), (100, 10.0, true));
    assert_eq!(endpoint.failed_response_time.unwrap().n, 1_000);
    assert_eq!(endpoint.error_rate, Some(1_002.0 / 1_100.0));
}

#[test]
fn times_are_of_the_steady_phase_and_errors_of_the_whole_run() {
    let mut recording = Recording::new(2, 1, 1);
    succeed(&mut recording.endpoints[0].rest, 5, 900.0, 900.0);
    fail(&mut recording.endpoints[0].rest, FailureKind::Status, 5, 1);
    succeed(&mut recording.endpoints[0].steady, 28, 1.0, 1.0);
    succeed(&mut recording.endpoints[1].steady, 28, 3.0, 3.0);
    recording.unfinished = 100;
    let result = summary_of(recording);
    assert_eq!((result.totals.ok, result.totals.error_rate), (56, Some(0.0)));
    assert!(result.totals.response_time.is_some_and(|times| times.max_ms < 4.0));
    assert_eq!(Some(result.totals.requests_per_second), Some(2.0), "56 successes in 28 s");
    assert_eq!(result.whole_run.error_rate, Some(5.0 / 66.0), "unfinished requests are neither");
    assert_eq!(result.whole_run.endpoints[0].error_rate, Some(5.0 / 38.0));
    assert_eq!(result.whole_run.failed.get("status"), Some(&5));
}

#[test]
fn nothing_recorded_is_null_and_never_nan() {
    let mut run = run(Recording::new(2, 1, 1));
    run.steady = Duration::ZERO;
    run.health = Health {
        cpu_us_per_request: f64::NAN,
        cpu_utilisation: f64::INFINITY,
        achieved_ratio: f64::NEG_INFINITY,
        ..Health::default()
    };
    let result = summarise(&plan(&["GET /a", "WS /b"]), &run, context());
    assert_eq!(result.totals.response_time, None);
    assert_eq!(result.totals.error_rate, None);
    assert_eq!(Some(result.totals.requests_per_second), Some(0.0));
    let text = to_json(&result).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), result);
}

#[test]
fn no_secret_leaves_in_a_message() {
    let text = to_json(&rich()).unwrap();
    assert!(!text.contains("hunter2"));
    assert!(text.contains("token *** refused"));
}

#[test]
fn an_address_keeps_no_credentials_and_a_command_all_its_words() {
    for (target, shown) in [
        ("https://user:secret@api.example.org/v1", "https://api.example.org/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("loadgate demo-api --listen 127.0.0.1:80", "loadgate demo-api --listen 127.0.0.1:80"),
    ] {
        let context = super::summary::Context { target: target.into(), ..context() };
        let result = summarise(&plan(&[]), &run(Recording::new(0, 1, 1)), context);
        assert_eq!(result.target, shown);
    }
}

#[test]
fn a_load_is_told_in_its_own_words() {
    let recording = || run(Recording::new(0, 1, 1));
    let mut plan = plan(&[]);
    let closed = summarise(&plan, &recording(), context()).load;
    assert_eq!((closed.users, closed.spawn_rate_per_s, closed.stages), (Some(100), Some(50.0), vec![]));

    plan.load.model = Model::Open { distribution: Distribution::Poisson, max_users: 2_000 };
    plan.load.shape = Shape::constant_at(200.0, Duration::from_mins(1));
    let open = summarise(&plan, &recording(), context()).load;
    insta::assert_snapshot!(serde_json::to_string(&open).unwrap(), @r#"{"model":"open","arrivals_per_s":200.0,"distribution":"poisson","max_users":2000,"run_time_s":60.0,"warmup_s":0.0,"saturating":false}"#);

    let up = Segment { over: Duration::from_mins(1), from: 0.0, to: 50.0 };
    plan.load.shape = Shape(vec![up, Segment { from: 50.0, to: 0.0, ..up }]);
    let stages = summarise(&plan, &recording(), context()).load.stages;
    assert_eq!(stages[1], Stage { from: 50.0, to: 0.0, over_s: 60.0 });
}

#[test]
fn a_signal_is_kept() {
    for (interrupted, expected) in [
        (None, None),
        (Some(Interruption::Sigint), Some(Signal::Sigint)),
        (Some(Interruption::Sigterm), Some(Signal::Sigterm)),
        (Some(Interruption::StopButton), Some(Signal::StopButton)),
    ] {
        let run = crate::load::measure::run::RunData { interrupted, ..run(Recording::new(2, 1, 1)) };
        let result = summarise(&plan(&["GET /a", "WS /b"]), &run, context());
        assert_eq!((result.signal, result.interrupted), (expected, expected.is_some()));
    }
}

#[test]
fn a_result_from_before_windows_is_read() {
    let mut value = serde_json::to_value(rich()).unwrap();
    for field in ["windows", "aborted"] {
        assert!(value.as_object_mut().unwrap().remove(field).is_some(), "{field}");
    }
    let read: RunResult = serde_json::from_value(value).unwrap();
    assert_eq!(read, rich());
}

/// One line an object: its place, then its keys. Of a list, the last element speaks for all.
fn outline(value: &Value, path: &str, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let keys: Vec<_> = fields.keys().map(String::as_str).collect();
            lines.push(format!("{path}: {}", keys.join(" ")));
            for (key, field) in fields {
                outline(field, &format!("{path}.{key}"), lines);
            }
        }
        Value::Array(elements) => {
            if let Some(last) = elements.last() {
                outline(last, &format!("{path}[]"), lines);
            }
        }
        _ => {}
    }
}

#[test]
fn the_document_has_the_names_of_its_schema() {
    let mut result = rich();
    result.endpoints.truncate(5);
    result.whole_run.endpoints.truncate(5);
    result.series[1].endpoints.retain(|name, _| name.starts_with("WS"));
    let mut lines = Vec::new();
    outline(&serde_json::to_value(&result).unwrap(), "", &mut lines);
    insta::assert_snapshot!(lines.join("\n"), @r"
    : ab aborted capacity confirms duration_s endpoints environment failures generator git inactive interrupted load machine metrics mode name plan_digest runner scenario schema seed series signal started_at steady_s target target_ended tasks tool totals verdict warnings whole_run windows
    .endpoints[]: bytes_in bytes_out error_rate failed failed_response_time kind name ok phases requests_per_second response_time retried_on_close retried_on_refusal service_time websocket
    .endpoints[].failed: 
    .endpoints[].phases: connect_ms dns_ms first_byte_ms tls_ms
    .endpoints[].phases.first_byte_ms: max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms
    .endpoints[].response_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms
    .endpoints[].service_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms
    .endpoints[].websocket: messages_in messages_out missing_messages unexpected_closes
    .failures[]: count endpoint kind samples
    .generator: achieved_ratio cpu_us_per_request cpu_utilisation exhausted rss_mb schedule_lag_max_ms schedule_lag_p99_ms stalled_share steal wake_lateness_max_ms wake_lateness_p99_ms worst_second
    .git: fork ref sha
    .load: model run_time_s saturating spawn_rate_per_s users warmup_s
    .metrics[]: name ok response_time
    .metrics[].response_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms timed_out timed_out_histogram
    .runner: arch cpu_class cpu_model cpus image os session
    .series[]: endpoints failed length_s ok p50_ms p95_ms p99_ms phase stalled_share t_s timed_out users wake_lateness_max_ms
    .series[].endpoints: WS /ws/builds/{id}
    .series[].endpoints.WS /ws/builds/{id}: failed ok p50_ms p95_ms p99_ms
    .tasks[]: failed iterations skipped task user_class
    .tool: name version
    .totals: bytes_in bytes_out error_rate failed failed_response_time kind name ok phases requests_per_second response_time retried_on_close retried_on_refusal service_time unfinished_time websocket
    .totals.failed: status timeout
    .totals.failed_response_time: max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms
    .totals.phases: connect_ms dns_ms first_byte_ms tls_ms
    .totals.phases.first_byte_ms: max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms
    .totals.response_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms timed_out timed_out_histogram
    .totals.service_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms timed_out timed_out_histogram
    .totals.unfinished_time: histogram max_ms mean_ms min_ms n p50_ms p75_ms p90_ms p95_ms p999_ms p99_ms timed_out timed_out_histogram
    .whole_run: endpoints error_rate failed ok retried_on_close retried_on_refusal unfinished
    .whole_run.endpoints[]: error_rate failed name ok retried_on_close retried_on_refusal websocket
    .whole_run.endpoints[].failed: 
    .whole_run.endpoints[].websocket: messages_in messages_out missing_messages unexpected_closes
    .whole_run.failed: status timeout
    ");
}
