mod merged;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Objective, Rules, Scope};
use crate::result::endpoint::{EndpointCounts, WebSocketCounts};
use crate::result::fixture::{busy as point, objective, on_machine, small};
use crate::result::machine::{LimitedPoint, TargetLocation};
use crate::result::schema::EndpointPoint;
use crate::result::verdict::{CheckScope, CheckStatus, Status};
use crate::result::window::{Unanswered, WindowPoint, WindowSeries};

const P50: Metric = Metric::Response(Percentile::P50);
const P95: Metric = Metric::Response(Percentile::P95);

/// A run of one steady second each.
fn run(seconds: &[MachinePoint]) -> RunResult {
    on_machine(small(), seconds)
}

/// A remembered run of a quiet machine of two CPUs.
fn remembered(change: impl Fn(&mut Conditions)) -> Run {
    let mut run = Run::of(&run(&[point(Some(0.02), 0.58)]), None);
    change(run.machine.as_mut().expect("conditions"));
    run
}

fn steady() -> Made<'static> {
    Made::in_steady()
}

fn explained(result: &RunResult, metric: Metric, ratio: f64) -> bool {
    Excuses::beside(result, &[&remembered(|_| ())]).explains(steady(), metric, ratio).is_some()
}

/// The ratio up to which it is explained is this one.
fn bound(result: &RunResult, metric: Metric, ratio: f64) {
    let holds = |ratio| explained(result, metric, ratio);
    assert!(holds(ratio * 0.999) && !holds(ratio * 1.001), "{metric:?} {ratio}");
}

#[test]
fn where_nothing_is_left_beside_others_any_time_is_explained() {
    let starved = run(&[point(Some(0.6), 0.0); 10]);
    // A queue that grew for a second: p95 was 126 times as long beside busy loops that came and went.
    assert!(explained(&starved, P50, 27.0) && explained(&starved, P95, 130.0));
    assert!(explained(&starved, P50, f64::INFINITY), "a queue has no bound, and so nor has its lower bound");
    let alone = Excuses::of(&starved);
    assert!(matches!(
        alone.explains(steady(), P95, 3.0),
        Some(Because::MachineBusy { remembered: None, .. })
    ));
}

#[test]
fn a_busy_machine_is_no_excuse_for_a_service_on_another_one() {
    // A build on the laptop that loads a service elsewhere.
    let laptop = MachinePoint { throttled: Some(0.5), contention: Some(4.0), ..point(Some(0.6), 0.0) };
    let mut result = run(&[laptop; 10]);
    result.machine.as_mut().unwrap().quota_shared = false;
    assert!(explained(&result, P95, 3.0));
    result.machine.as_mut().unwrap().target_location = Some(TargetLocation::AnotherMachine);
    assert!(!explained(&result, P95, 1.01) && !explained(&result, P50, 1.01));
    assert_eq!(Excuses::of(&result).explains(steady(), Metric::Max, 1.01), None);
    // Earlier versions did not say where the service was, and what they wrote is judged as before.
    result.machine.as_mut().unwrap().target_location = None;
    assert!(explained(&result, P95, 3.0));
}

#[test]
fn with_half_of_the_machine_left_little_is_explained() {
    let neighbour = run(&[point(Some(0.1), 0.5); 10]);
    // Without others .5 + .05 are left; in one half of each second they may have taken .1: .55 ÷ .45.
    bound(&neighbour, P95, 0.55 / 0.45);
    // The mean is of both halves, or of seconds that are all alike.
    assert!(!explained(&neighbour, P50, 0.55 / 0.45 + 0.01));
    bound(&neighbour, Metric::Mean, f64::midpoint(0.55 / 0.45, 0.55 / 0.5));
    assert!(!explained(&neighbour, P95, f64::INFINITY), "what is only known from below may be anything");
}

/// A heavier version that uses all there is, and threads of its own that wait for each other.
fn heavy(others: Option<f64>) -> RunResult {
    let mut heavy =
        run(&[MachinePoint { contention: Some(4.0), speed: Some(0.8), ..point(others, 0.0) }; 10]);
    heavy.machine.as_mut().unwrap().target_cpu = Some(0.9);
    heavy
}

#[test]
fn a_service_that_uses_the_whole_machine_itself_has_no_excuse() {
    for others in [Some(0.0), Some(0.03), None] {
        assert!(!explained(&heavy(others), P50, 1.05), "{others:?}");
        assert_eq!(Excuses::of(&heavy(others)).explains(steady(), P95, 1.01), None, "{others:?}");
    }
}

#[test]
fn others_that_are_always_there_explain_no_service_that_uses_the_machine_itself() {
    // .3 ÷ (.3 − 2x), and of a thread that waits 3 times as long as it runs, the share x of it.
    for (others, most) in [(0.06, 1.1), (0.08, 1.31), (0.1, 1.6), (0.12, 2.0), (0.14, 2.7)] {
        let heavy = heavy(Some(others));
        assert!(!explained(&heavy, P95, most) && explained(&heavy, P95, most * 0.95), "{others}");
        assert!(!explained(&heavy, Metric::Max, most) && !explained(&heavy, P50, most), "{others}");
    }
    // Others that leave a service less than half of the machine, and one that would need more than that.
    assert!(explained(&heavy(Some(0.5)), P95, 100.0));
}

#[test]
fn a_neighbour_that_comes_and_goes_within_a_second_leaves_nothing_in_a_part_of_it() {
    // Beside a service that is half busy, a loop took .3 in a second and left .2: 14 times as long was measured.
    let result = run(&[point(Some(0.3), 0.2); 10]);
    assert!(explained(&result, P95, 100.0) && explained(&result, Metric::Mean, 100.0));
}

#[test]
fn what_others_always_used_explains_nothing() {
    let usual = remembered(|it| it.others_cpu = Some(0.6));
    let result = run(&[point(Some(0.6), 0.0); 10]);
    assert_eq!(Excuses::beside(&result, &[&usual]).explains(steady(), P95, 1.1), None);
    let old = Run { machine: None, ..usual };
    assert!(
        Excuses::beside(&result, &[&old]).explains(steady(), P95, 2.0).is_some(),
        "without memory, limits decide"
    );
}

/// `n` seconds of a quiet machine, except that in some of them nothing was left.
fn starved_in(n: usize, at: &[usize]) -> RunResult {
    let mut seconds = vec![point(Some(0.0), 0.6); n];
    for at in at {
        seconds[*at] = point(Some(0.9), 0.0);
    }
    run(&seconds)
}

#[test]
fn a_few_bad_seconds_explain_the_slowest_requests_and_no_median() {
    // One second and the next: 2 of 40 can be all of the slowest 5 %, and hardly move a median.
    let result = starved_in(40, &[7]);
    assert!(explained(&result, P95, 1e6) && explained(&result, Metric::Max, 1e6));
    bound(&result, P50, 0.5 * 0.95 / 0.45);
    // 2 of 60 are 3.3 %: at least 1.7 % of 96.7 % were as slow without them.
    bound(&starved_in(60, &[7]), P95, 0.05 * (58.0 / 60.0) / (1.0 / 60.0));
    // 2 of 100: p95 was at least what p96.9 is without them.
    bound(&starved_in(100, &[7]), P95, 0.05 * 0.98 / 0.03);
    let excuses = Excuses::of(&result);
    assert!(excuses.explains(steady().between(5.0, 10.0), P95, 5.0).is_some());
    let other = steady().between(20.0, 25.0);
    assert_eq!(excuses.explains(other, P95, 1.1), None, "another window had a quiet machine");
}

#[test]
fn a_mean_and_a_throughput_are_explained_by_all_seconds_together() {
    // Others took .2 beyond the usual in one second of 60: .7 ÷ .3 in half of it, .7 ÷ .5 in the other.
    let mut seconds = vec![point(Some(0.0), 0.7); 60];
    seconds[9] = point(Some(0.25), 0.5);
    let result = run(&seconds);
    let halves = [0.7 / 0.3, 0.7 / 0.5];
    bound(&result, Metric::Mean, (59.0 + halves.iter().sum::<f64>() / 2.0) / 60.0);
    bound(&result, Metric::Throughput, 60.0 / (59.0 + halves.iter().map(|it| 1.0 / it).sum::<f64>() / 2.0));
    assert!(!explained(&result, Metric::Mean, 2.0), "one second in a minute");
    assert!(explained(&result, Metric::Max, 2.0), "the longest of all may be of that second");
    // Without a bound in a quarter of the time: a throughput can have lost that quarter, and a mean anything.
    let quarter = starved_in(40, &[4, 5, 6, 7, 8, 9, 10, 11, 12]);
    bound(&quarter, Metric::Throughput, 40.0 / 30.0);
    assert!(explained(&quarter, Metric::Mean, 1e6));
}

#[test]
fn seconds_in_which_an_endpoint_was_not_made_explain_nothing_of_it() {
    let mut result = starved_in(40, &[20, 21, 22, 23, 24]);
    for (at, second) in result.series.iter_mut().enumerate() {
        second.endpoints.clear();
        let name = if at < 10 { "GET /early" } else { "GET /late" };
        second.endpoints.insert(name.into(), small().series[1].endpoints["GET /health"].clone());
    }
    let excuses = Excuses::of(&result);
    let by = |name| excuses.explains(steady().by(Some(name)), P95, 2.0).is_some();
    assert!(by("GET /late") && !by("GET /early") && !by("GET /never"));
}

#[test]
fn those_that_are_limited_to_a_busy_cpu_have_no_other_one() {
    let pinned = MachinePoint {
        limited: Some(LimitedPoint { idle: 0.0, others_cpu: Some(0.5) }),
        ..point(Some(0.25), 0.5)
    };
    assert!(explained(&run(&[pinned; 10]), P50, 5.0));
    // Its own CPU is full, and by itself.
    let own = MachinePoint {
        limited: Some(LimitedPoint { idle: 0.0, others_cpu: Some(0.0) }),
        ..point(Some(0.1), 0.5)
    };
    // .05 of all CPUs beyond the usual: .55 ÷ .45.
    bound(&run(&[own; 10]), P95, 0.55 / 0.45);
}

#[test]
fn what_others_always_used_of_the_limited_cpus_explains_nothing() {
    // One of eight CPUs, of which others always use 40 %: 5 % of all.
    let limited = |others| LimitedPoint { idle: 0.1, others_cpu: Some(others) };
    let at =
        |others: f64| run(&[MachinePoint { limited: Some(limited(others)), ..point(Some(0.05), 0.6) }; 10]);
    let usual = Run::of(&at(0.4), None);
    assert_eq!(usual.machine.and_then(|it| it.limited_others_cpu), Some(0.4));
    let explained = |others: f64, ratio: f64| {
        Excuses::beside(&at(others), &[&usual]).explains(steady(), P95, ratio).is_some()
    };
    assert!(!explained(0.4, 1.01) && explained(0.7, 5.0));
    let text = serde_json::to_string(&usual.machine).unwrap();
    let older: Conditions = serde_json::from_str(&text.replace(r#""limited_others_cpu":0.4,"#, "")).unwrap();
    assert_eq!(older.limited_others_cpu, None, "{text}");
}

#[test]
fn a_slower_processor_explains_what_it_makes_slower() {
    let slow = |service: f64| {
        let mut result = run(&[MachinePoint { speed: Some(0.8), ..point(Some(0.0), 0.5) }; 10]);
        result.machine.as_mut().unwrap().target_cpu = Some(service);
        result
    };
    // 1.25 times as slow, half of the machine idle: 1.25² = 1.56
    let cause = |result: &RunResult, ratio| {
        Excuses::beside(result, &[&remembered(|it| it.speed = Some(1.0))]).explains(steady(), P50, ratio)
    };
    assert!(matches!(cause(&slow(0.37), 1.5), Some(Because::MachineSlow { .. })));
    assert_eq!((cause(&slow(0.37), 1.6), cause(&slow(0.5), 1.1)), (None, None));
    assert_eq!(
        Excuses::of(&slow(0.37)).explains(steady(), P50, 1.1),
        None,
        "without memory nothing is slower"
    );
}

#[test]
fn a_quota_of_loadgate_alone_explains_anything_and_one_of_both_nothing() {
    let held = MachinePoint { throttled: Some(0.9), ..point(Some(0.0), 0.8) };
    let mut result = run(&[held; 10]);
    assert_eq!(Excuses::of(&result).explains(steady(), P50, 1.1), None);
    result.machine.as_mut().unwrap().quota_shared = false;
    assert!(matches!(
        Excuses::of(&result).explains(steady(), P50, 50.0),
        Some(Because::MachineThrottled { .. })
    ));
}

fn judged(result: &RunResult, objectives: &[Objective]) -> crate::result::verdict::Verdict {
    let rules = Rules { objectives: objectives.to_vec(), ..Rules::default() };
    crate::gate::judge(&rules, result, None)
}

/// A second: what the machine was like, and what failed in it.
fn failing(result: &mut RunResult, at: usize, of: &str, failed: u64, timed_out: u64) {
    let second = &mut result.series[at];
    (second.failed, second.timed_out) = (second.failed + failed, second.timed_out + timed_out);
    let point = EndpointPoint { failed, timed_out, ..small().series[1].endpoints["GET /health"].clone() };
    second.endpoints.insert(of.into(), point);
}

#[test]
fn failures_that_came_too_late_are_excused_and_others_never() {
    let limit = [objective(Scope::Total, Metric::ErrorRate, 0.01)];
    let of = |kind: &str, machine: MachinePoint| {
        let mut result = run(&[machine; 10]);
        result.whole_run.failed.insert(kind.into(), 100);
        result.whole_run.error_rate = Some(100.0 / 1_100.0);
        result.series.iter_mut().for_each(|point| point.failed = 10);
        judged(&result, &limit).checks[0].status
    };
    let (starved, quiet) = (point(Some(0.8), 0.0), point(Some(0.0), 0.6));
    for kind in LATE {
        assert_eq!(of(kind, starved), CheckStatus::Undecided, "{kind}");
        assert_eq!(of(kind, quiet), CheckStatus::Fail, "{kind}");
    }
    for kind in ["status", "expectation", "reset", "connect"] {
        assert_eq!(of(kind, starved), CheckStatus::Fail, "{kind}");
    }
}

#[test]
fn only_what_failed_in_starved_seconds_is_explained() {
    use CheckStatus::{Fail, Undecided};
    let (starved, calm) = (1, 7);
    let status = |kinds: &[(&str, u64)], seconds: &[(usize, u64)]| {
        let mut result = starved_in(10, &[starved]);
        result.series.iter_mut().for_each(|point| point.failed = 0);
        let all: u64 = kinds.iter().map(|(_, n)| n).sum();
        result.whole_run.failed = kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect();
        result.whole_run.ok = 1_000 - all;
        result.whole_run.error_rate = Some(all as f64 / 1_000.0);
        for (at, n) in seconds {
            failing(&mut result, *at, "GET /health", *n, 0);
        }
        judged(&result, &[objective(Scope::Total, Metric::ErrorRate, 0.01)]).checks[0].status
    };
    // The limit is 10 of 1,000. What is left of 40 must be within it.
    for (expected, kinds, seconds) in [
        (Undecided, vec![("timeout", 40)], vec![(starved, 40)]),
        (Undecided, vec![("timeout", 40)], vec![(starved, 30), (calm, 10)]),
        (Fail, vec![("timeout", 40)], vec![(starved, 29), (calm, 11)]),
        (Fail, vec![("timeout", 40)], vec![(starved, 20), (calm, 20)]),
        // Eight others may be among those of the starved second.
        (Undecided, vec![("dropped", 32), ("status", 8)], vec![(starved, 40)]),
        (Fail, vec![("dropped", 32), ("status", 8)], vec![(starved, 37), (calm, 3)]),
        (Fail, vec![("dropped", 29), ("status", 11)], vec![(starved, 40)]),
        // Nobody knows when they were.
        (Fail, vec![("timeout", 40)], vec![]),
    ] {
        assert_eq!(status(&kinds, &seconds), expected, "{kinds:?} {seconds:?}");
    }
}

#[test]
fn of_endpoints_that_are_counted_together_what_must_have_failed_in_a_starved_second_is_explained() {
    let explained = |failed_then: u64| {
        let mut result = starved_in(12, &[6]);
        let of_one = EndpointPoint { failed: 40, ..small().series[1].endpoints["GET /health"].clone() };
        for (at, second) in result.series.iter_mut().enumerate() {
            (second.failed, second.timed_out) = (0, 0);
            second.endpoints.clear();
            if at == 4 {
                second.endpoints_of_next = 3;
                second.endpoints.insert("GET /health".into(), of_one.clone());
            }
        }
        // Of all endpoints: three times as much in these seconds.
        (result.series[6].failed, result.series[4].failed) = (3 * failed_then, 120 - 3 * failed_then);
        let among: Failed = [("timeout".to_owned(), 40)].into();
        let late = TooMany { count: 40, among: &among, late: &LATE };
        let by = |name| Made::in_whole_run().by(Some(name));
        let excuses = Excuses::of(&result);
        assert!(excuses.explains_failures(by("GET /never"), late, |_| true).is_none());
        (0..=40).rev().find(|most| {
            excuses.explains_failures(by("GET /health"), late, |left| left <= 40 - most).is_some()
        })
    };
    // All that failed in the other seconds may have been of this endpoint.
    assert_eq!([40, 30, 27].map(explained), [Some(40), Some(10), Some(1)]);
    assert_eq!([26, 1, 0].map(explained), [None; 3]);
}

#[test]
fn what_times_out_while_the_load_drains_is_explained_by_how_the_load_ended() {
    let status = |last: MachinePoint| {
        let mut result = run(&[vec![point(Some(0.8), 0.0); 9], vec![last]].concat());
        let drain = Point { t_s: 10.0, phase: "drain".into(), machine: None, ..result.series[9].clone() };
        result.series.push(drain);
        result.whole_run.failed = [("timeout".to_owned(), 60)].into();
        result.whole_run.ok = 540;
        result.whole_run.error_rate = Some(0.1);
        for (at, failed) in [(4, 50), (10, 10)] {
            failing(&mut result, at, "GET /health", failed, failed);
        }
        judged(&result, &[objective(Scope::Total, Metric::ErrorRate, 0.01)]).checks[0].status
    };
    assert_eq!(status(point(Some(0.8), 0.0)), CheckStatus::Undecided);
    // The machine was free again before the end: 10 of 600 are the service's.
    assert_eq!(status(point(Some(0.0), 0.6)), CheckStatus::Fail);
}

#[test]
fn failures_of_one_endpoint_are_no_excuse_of_another_and_the_ramp_counts() {
    let mut result = starved_in(10, &[1]);
    result.series[0].phase = "ramp".into();
    result.series[1].phase = "ramp".into();
    let counts = result.whole_run.endpoints[0].clone();
    let endpoint = |name: &str, kind: &str| EndpointCounts {
        name: name.into(),
        ok: 1_000,
        failed: [(kind.to_owned(), 200)].into(),
        error_rate: Some(200.0 / 1_200.0),
        ..counts.clone()
    };
    result.whole_run.endpoints = vec![endpoint("GET /a", "timeout"), endpoint("GET /b", "dropped")];
    failing(&mut result, 7, "GET /a", 200, 200);
    failing(&mut result, 1, "GET /b", 200, 0);
    let limits =
        ["GET /a", "GET /b"].map(|name| objective(Scope::Endpoint(name.into()), Metric::ErrorRate, 0.01));
    let statuses: Vec<_> = judged(&result, &limits).checks.iter().map(|check| check.status).collect();
    assert_eq!(statuses, [CheckStatus::Fail, CheckStatus::Undecided]);
}

#[test]
fn missing_messages_that_came_too_late_are_excused_as_other_failures_are() {
    let status = |at: usize, others: u64| {
        let mut result = starved_in(10, &[1]);
        let counts = &mut result.whole_run.endpoints[0];
        counts.websocket =
            Some(WebSocketCounts { messages_in: 900, missing_messages: 5, ..WebSocketCounts::default() });
        let name = counts.name.clone();
        counts.failed = [("missing_message".to_owned(), 5), ("status".to_owned(), others)].into();
        result.series.iter_mut().for_each(|point| point.endpoints.clear());
        failing(&mut result, at, &name, 5, 0);
        let limit = objective(Scope::Endpoint(name), Metric::MissingMessages, 2.0);
        judged(&result, &[limit]).checks[0].status
    };
    // Of five, three or more must be explained.
    assert_eq!((status(1, 0), status(1, 2)), (CheckStatus::Undecided, CheckStatus::Undecided));
    assert_eq!((status(1, 3), status(7, 0)), (CheckStatus::Fail, CheckStatus::Fail));
}

fn windowed(metric: Metric, limit: f64, points: &[(f64, f64)]) -> (Objective, WindowSeries) {
    let rule = Objective { window: Some(Duration::from_secs(2)), ..objective(Scope::Total, metric, limit) };
    let (unanswered, above, of) = (None, None, 1);
    let point = |(t_s, value): &(f64, f64)| WindowPoint {
        t_s: *t_s,
        n: 500,
        value: Some(*value),
        above,
        unanswered,
        of,
    };
    let series = WindowSeries {
        scope: CheckScope::Total,
        endpoint: None,
        metric: metric.name().to_owned(),
        length_s: 2,
        limit,
        tells_unanswered: true,
        points: points.iter().map(point).collect(),
    };
    (rule, series)
}

#[test]
fn every_kind_of_window_is_explained_by_its_own_seconds() {
    use CheckStatus::{Fail, Undecided};
    let status = |metric: Metric, limit: f64, points: &[(f64, f64)], change: fn(&mut RunResult)| {
        let mut result = starved_in(10, &[2, 3, 4]);
        result.whole_run.failed.insert("timeout".into(), 100);
        result.series.iter_mut().for_each(|point| point.failed = 0);
        for (at, n) in [(3, 60), (8, 40)] {
            failing(&mut result, at, "GET /health", n, 0);
        }
        let (rule, series) = windowed(metric, limit, points);
        result.windows = vec![series];
        change(&mut result);
        judged(&result, &[rule]).checks[0].status
    };
    let calm = |_: &mut RunResult| ();
    assert_eq!(status(P95, 100.0, &[(2.0, 500.0), (6.0, 50.0)], calm), Undecided);
    assert_eq!(status(P95, 100.0, &[(2.0, 500.0), (6.0, 500.0)], calm), Fail);
    // 60 of 500 while nothing was left, and 40 of 500 while there was.
    assert_eq!(status(Metric::ErrorRate, 0.1, &[(2.0, 0.12), (8.0, 0.08)], calm), Undecided);
    assert_eq!(status(Metric::ErrorRate, 0.05, &[(2.0, 0.12), (8.0, 0.08)], calm), Fail);
    assert_eq!(status(Metric::Throughput, 200.0, &[(2.0, 50.0), (6.0, 250.0)], calm), Undecided);
    assert_eq!(status(Metric::Throughput, 200.0, &[(2.0, 250.0), (6.0, 50.0)], calm), Fail);
    // A hypervisor that took the CPU away explains a throughput as it does a time.
    let stolen = |result: &mut RunResult| result.generator.steal = Some(0.2);
    assert_eq!(status(Metric::Throughput, 200.0, &[(6.0, 50.0)], stolen), CheckStatus::Invalid);
    // What is only known from below may be anything.
    let from_below = |result: &mut RunResult| {
        result.series.iter_mut().for_each(|point| point.machine = Some(busy_by_half()));
        let unanswered = Unanswered { timed_out: 100, at_least: true, ..Unanswered::default() };
        result.windows[0].points[0].unanswered = Some(unanswered);
    };
    let exact = |result: &mut RunResult| {
        result.series.iter_mut().for_each(|point| point.machine = Some(busy_by_half()));
    };
    assert_eq!(status(P95, 100.0, &[(2.0, 150.0)], exact), Undecided);
    assert_eq!(status(P95, 100.0, &[(2.0, 150.0)], from_below), Fail);
}

/// Others explain (.5 + .2) ÷ (.5 − .2) of a percentile.
fn busy_by_half() -> MachinePoint {
    point(Some(0.25), 0.5)
}

fn any_point() -> impl Strategy<Value = MachinePoint> {
    let share = || prop_oneof![Just(None), (0.0..1.0_f64).prop_map(Some)];
    (share(), share(), share(), 0.2..8.0_f64, 0.2..4.0_f64, share()).prop_map(
        |(others_cpu, idle, throttled, contention, speed, limited)| MachinePoint {
            speed: Some(speed),
            contention: Some(contention),
            others_cpu,
            idle,
            steal: Some(0.0),
            throttled,
            limited: limited.map(|idle| LimitedPoint { idle, others_cpu: others_cpu.map(|it| 1.0 - it) }),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What the machine says never makes a verdict better than undecided, and never touches a good number.
    #[test]
    fn an_excuse_is_never_a_pass_and_a_good_number_needs_none(
        seconds in prop::collection::vec(any_point(), 1..40),
        limit_ms in 1.0..300.0_f64,
        quota_shared in any::<bool>(),
    ) {
        let objectives = [P50, P95, Metric::Max].map(|metric| objective(Scope::Total, metric, limit_ms));
        let mut result = run(&seconds);
        result.machine.as_mut().unwrap().quota_shared = quota_shared;
        let with = judged(&result, &objectives);
        let without = judged(&RunResult { machine: None, series: Vec::new(), ..result.clone() }, &objectives);
        for (with, without) in with.checks.iter().zip(&without.checks) {
            match without.status {
                CheckStatus::Fail => prop_assert!(
                    with.status == CheckStatus::Fail
                        || with.status == CheckStatus::Undecided && with.because.is_some_and(Because::is_of_the_machine)
                ),
                status => prop_assert_eq!(with.status, status),
            }
        }
        prop_assert_eq!(with.status == Status::Passed, without.status == Status::Passed);
        prop_assert!(!(without.status == Status::Failed && with.exit_status == 0 && with.status != Status::Inconclusive));
    }

    /// More others, or less left, never explain less; and without others nothing but a quota does.
    #[test]
    fn what_is_explained_grows_with_what_others_used(
        others in 0.0..1.0_f64, more in 0.0..1.0_f64, idle in 0.0..1.0_f64, less in 0.0..1.0_f64,
    ) {
        let plain = run(&[point(None, 1.0)]).series.remove(0);
        let factor = |others: f64, idle: f64| {
            let second = Point { machine: Some(point(Some(others), idle)), ..plain.clone() };
            let Longer { worse_half, other_half } =
                Second::of(&second, &Conditions::default(), true).unwrap().longer;
            [worse_half, other_half]
        };
        let half = |at: usize| {
            let factor = |others: f64, idle: f64| factor(others, idle)[at];
            assert!(factor((others + more).min(1.0), idle) >= factor(others, idle));
            assert!(factor(others, idle * less) + 1e-9 >= factor(others, idle));
            assert!((factor(0.0, idle) - 1.0).abs() < 1e-12);
        };
        half(0);
        half(1);
    }
}
