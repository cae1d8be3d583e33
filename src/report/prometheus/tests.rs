//! The live metrics: what is counted where, and that the text is one Prometheus can read.

use super::*;
use crate::load::measure::recording::Recording;
use crate::result::fixture;

fn plan() -> Plan {
    fixture::plan(&["GET /a", "GET \"b\"\\\n{}"])
}

/// The value of a sample as it is written, by everything before it.
fn value<'a>(text: &'a str, sample: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{text}"))
}

fn of_a(rest: &str) -> String {
    format!("{{scenario=\"build_flow\",environment=\"demo\",endpoint=\"GET /a\"{rest}}}")
}

#[test]
fn everything_but_the_verdict_is_there_from_the_start_and_zero() {
    let text = Metrics::of(&plan()).render();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.iter().all(|line| line.ends_with(" 0")), "{text}");
    // Of 2 endpoints: 14 outcomes, 2 histograms of 26 buckets, a sum and a count; and 6 of the generator.
    assert_eq!(samples.len(), 2 * (14 + 2 * (BUCKETS_US.len() + 3)) + 6);
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    assert!(!text.contains("loadgate_verdict"));
}

#[test]
fn both_halves_of_every_window_are_counted() {
    let mut metrics = Metrics::of(&plan());
    let mut recording = Recording::new(2, 1, 1);
    fixture::succeed(&mut recording.endpoints[0].steady, 10, 1.0, 11.0);
    fixture::succeed(&mut recording.endpoints[0].rest, 5, 0.1, 0.9);
    fixture::fail(&mut recording.endpoints[0].steady, FailureKind::Status, 3, 1);
    fixture::fail(&mut recording.endpoints[0].steady, FailureKind::Timeout, 2, 70_000);
    recording.endpoints[1].rest.failed[FailureKind::Dropped.index()] = 4;
    metrics.add(&recording);
    metrics.add(&recording);
    let text = metrics.render();
    let requests = |outcome: &str| {
        value(&text, &format!("loadgate_requests_total{}", of_a(&format!(",outcome=\"{outcome}\""))))
    };
    assert_eq!([requests("ok"), requests("status"), requests("timeout")], ["30", "6", "4"]);
    let times = |suffix: &str, more: &str| {
        value(&text, &format!("loadgate_response_time_seconds_{suffix}{}", of_a(more)))
    };
    // 1.5 ms to 10.5 ms in steps of 1 ms, 5 below 1 ms, and timeouts above every bound; each twice.
    let upto = |bound: &str| times("bucket", &format!(",le=\"{bound}\""));
    assert_eq!([upto("0.001"), upto("0.002"), upto("0.01"), upto("0.015")], ["10", "12", "28", "30"]);
    assert_eq!([upto("60"), upto("+Inf"), times("count", "")], ["30", "34", "34"]);
    let sum: f64 = times("sum", "").parse().unwrap();
    assert!((sum - 2.0 * (0.06 + 0.0025 + 140.0)).abs() < 1e-9);
    assert_eq!(value(&text, "loadgate_dropped_total"), "8");
}

#[test]
fn many_times_are_counted_as_few_are() {
    let (mut few, mut many) = (Buckets::default(), Buckets::default());
    let mut all = Times::default();
    for index in 0..20_000_u64 {
        let time = Duration::from_micros(index * 97 + 1);
        let mut one = Times::default();
        one.record(time);
        few.add(&one);
        all.record(time);
    }
    assert!(matches!(all, Times::Many(_)));
    many.add(&all);
    let total = |buckets: &Buckets| buckets.counts.iter().sum::<u64>();
    assert_eq!((total(&few), total(&many)), (20_000, 20_000));
    // A time next to a bound may change sides: at most a thousandth of the bound, here of 2 s.
    for (few, many) in few.counts.iter().zip(&many.counts) {
        assert!(few.abs_diff(*many) <= 2_000 / 97 + 1, "{few} {many}");
    }
    assert!(few.sum_us.abs_diff(many.sum_us) < few.sum_us / 1_000);
}

#[test]
fn a_time_on_a_bound_is_below_it() {
    let mut buckets = Buckets::default();
    buckets.count(1_000, 1);
    buckets.count(1_001, 1);
    assert_eq!(buckets.counts[..2], [1, 1]);
}

#[test]
fn names_from_outside_are_escaped() {
    let text = Metrics::of(&plan()).render();
    assert!(text.contains(r#"endpoint="GET \"b\"\\\n{}",outcome="ok"} 0"#), "{text}");
}

#[test]
fn the_newest_window_says_how_things_are_and_the_verdict_how_they_were() {
    let mut metrics = Metrics::of(&plan());
    let mut recording = Recording::new(2, 1, 1);
    recording.users = 7;
    recording.health.lag.record(Duration::from_millis(2));
    recording.health.wake.steady.record(Duration::from_millis(4));
    metrics.now(&recording, 0.25, 0.5);
    metrics.judged(Status::Inconclusive);
    let text = metrics.render();
    assert_eq!(value(&text, "loadgate_users"), "7");
    let lag: f64 = value(&text, "loadgate_schedule_lag_seconds").parse().unwrap();
    assert!((lag - 0.002).abs() < 1e-5);
    assert_eq!(value(&text, "loadgate_generator_cpu_ratio"), "0.25");
    let wake: f64 = value(&text, "loadgate_wake_lateness_seconds").parse().unwrap();
    assert!((wake - 0.004).abs() < 1e-5);
    assert_eq!(value(&text, "loadgate_generator_stalled_ratio"), "0.5");
    for (status, name) in Status::ALL.map(|status| (status, status.name())) {
        assert_eq!(serde_json::json!(status), name);
        let shown = value(&text, &format!("loadgate_verdict{{status=\"{name}\"}}"));
        assert_eq!(shown, if status == Status::Inconclusive { "1" } else { "0" });
    }
    metrics.over();
    assert_eq!(value(&metrics.render(), "loadgate_users"), "0");
}
