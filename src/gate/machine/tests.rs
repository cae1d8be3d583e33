use proptest::prelude::*;

use super::*;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Objective, Rules, Scope};
use crate::result::fixture::{busy as point, objective, on_machine, small};
use crate::result::machine::{LimitedPoint, TargetLocation};
use crate::result::verdict::{CheckStatus, Status};

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

fn explained(result: &RunResult, metric: Metric, ratio: f64) -> bool {
    Excuses::beside(result, &[&remembered(|_| ())]).explains(metric, ratio).is_some()
}

#[test]
fn where_nothing_is_left_beside_others_any_time_is_explained() {
    let starved = run(&[point(Some(0.6), 0.0); 10]);
    // A queue that grew for a second: p95 was 126 times as long beside busy loops that came and went.
    assert!(explained(&starved, P50, 27.0) && explained(&starved, P95, 130.0));
    // The others used (.15 − .05), and the service all of the rest: (.02 + .1) ÷ .02 = 6.
    let close = run(&[point(Some(0.15), 0.0); 10]);
    assert!(explained(&close, P50, 5.9) && !explained(&close, P50, 6.1));
    let alone = Excuses::of(&starved);
    assert!(matches!(alone.explains(P95, 3.0), Some(Because::MachineBusy { remembered: None, .. })));
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
    assert_eq!(Excuses::of(&result).explains_in((0.0, 10.0), P95, 1.01), None);
    // Earlier versions did not say where the service was, and what they wrote is judged as before.
    result.machine.as_mut().unwrap().target_location = None;
    assert!(explained(&result, P95, 3.0));
}

#[test]
fn with_half_of_the_machine_left_little_is_explained() {
    let neighbour = run(&[point(Some(0.1), 0.5); 10]);
    // (.5 + .05) ÷ .5 = 1.1
    assert!(explained(&neighbour, P95, 1.09) && !explained(&neighbour, P95, 1.2));
}

#[test]
fn a_service_that_uses_the_whole_machine_itself_has_no_excuse() {
    for others in [Some(0.0), Some(0.03), None] {
        let mut heavy =
            run(&[MachinePoint { contention: Some(4.0), speed: Some(0.8), ..point(others, 0.0) }; 10]);
        heavy.machine.as_mut().unwrap().target_cpu = Some(0.9);
        assert!(!explained(&heavy, P50, 1.05), "{others:?}");
        assert_eq!(Excuses::of(&heavy).explains(P95, 1.01), None, "{others:?}");
    }
}

#[test]
fn what_others_always_used_explains_nothing() {
    let usual = remembered(|it| it.others_cpu = Some(0.6));
    let result = run(&[point(Some(0.6), 0.0); 10]);
    assert_eq!(Excuses::beside(&result, &[&usual]).explains(P95, 1.1), None);
    let old = Run { machine: None, ..usual };
    assert!(Excuses::beside(&result, &[&old]).explains(P95, 2.0).is_some(), "without memory, limits decide");
}

#[test]
fn a_few_bad_seconds_explain_the_slowest_requests_and_no_median() {
    let mut seconds = vec![point(Some(0.0), 0.6); 40];
    seconds[7] = point(Some(0.9), 0.0);
    let result = run(&seconds);
    // One second, and the next: 2 of 40 are the worst 2.5 %, and far from 25 %.
    assert!(explained(&result, P95, 5.0) && !explained(&result, P50, 1.1));
    let excuses = Excuses::of(&result);
    assert!(excuses.explains_in((5.0, 10.0), P95, 5.0).is_some());
    assert_eq!(excuses.explains_in((20.0, 25.0), P95, 1.1), None, "another window had a quiet machine");
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
    assert!(!explained(&run(&[own; 10]), P50, 1.2));
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
        Excuses::beside(result, &[&remembered(|it| it.speed = Some(1.0))]).explains(P50, ratio)
    };
    assert!(matches!(cause(&slow(0.37), 1.5), Some(Because::MachineSlow { .. })));
    assert_eq!((cause(&slow(0.37), 1.6), cause(&slow(0.5), 1.1)), (None, None));
    assert_eq!(Excuses::of(&slow(0.37)).explains(P50, 1.1), None, "without memory nothing is slower");
}

#[test]
fn a_quota_of_loadgate_alone_explains_anything_and_one_of_both_nothing() {
    let held = MachinePoint { throttled: Some(0.9), ..point(Some(0.0), 0.8) };
    let mut result = run(&[held; 10]);
    assert_eq!(Excuses::of(&result).explains(P50, 1.1), None);
    result.machine.as_mut().unwrap().quota_shared = false;
    assert!(matches!(Excuses::of(&result).explains(P50, 50.0), Some(Because::MachineThrottled { .. })));
}

fn judged(result: &RunResult, objectives: &[Objective]) -> crate::result::verdict::Verdict {
    let rules = Rules { objectives: objectives.to_vec(), ..Rules::default() };
    crate::gate::judge(&rules, result, None)
}

#[test]
fn failures_that_came_too_late_are_excused_and_others_never() {
    let limit = [objective(Scope::Total, Metric::ErrorRate, 0.01)];
    let failing = |kind: &str, machine: MachinePoint| {
        let mut result = run(&[machine; 10]);
        result.whole_run.failed.insert(kind.into(), 100);
        result.whole_run.error_rate = Some(100.0 / 1_100.0);
        result.series.iter_mut().for_each(|point| point.failed = 10);
        judged(&result, &limit).checks[0].status
    };
    let (starved, quiet) = (point(Some(0.8), 0.0), point(Some(0.0), 0.6));
    assert_eq!(failing("timeout", starved), CheckStatus::Undecided);
    assert_eq!(failing("dropped", starved), CheckStatus::Undecided);
    for kind in ["status", "expectation", "reset", "connect"] {
        assert_eq!(failing(kind, starved), CheckStatus::Fail, "{kind}");
    }
    assert_eq!(failing("timeout", quiet), CheckStatus::Fail);
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
        let factor = |others: f64, idle: f64| {
            second(&run(&[point(Some(others), idle)]).series[0], &Conditions::default(), true).unwrap().factor
        };
        prop_assert!(factor((others + more).min(1.0), idle) >= factor(others, idle));
        prop_assert!(factor(others, idle * less) + 1e-9 >= factor(others, idle));
        prop_assert!((factor(0.0, idle) - 1.0).abs() < 1e-12);
    }
}
