//! Objectives over the whole run: what they read, where a result does not hold it, and what the watch makes of them.

use super::*;
use crate::load::measure::outcome::FailureKind::{Status as BadStatus, Timeout};
use crate::load::measure::recording::{MetricTally, Split};
use crate::plan::Plan;
use crate::plan::rules::Over;
use crate::result::consistency;
use crate::result::file::{parse, to_json};
use crate::result::fixture::{busy, on_machine};
use crate::result::schema::EndpointPoint;
use crate::result::verdict::Check;

const LOGIN: &str = "POST /login";
const PAGE: &str = "GET /page";
const SOCKET: &str = "WS /s";

fn over(objective: Objective) -> Objective {
    Objective { over: Over::WholeRun, ..objective }
}

fn plan_of(objectives: &[Objective]) -> Plan {
    let mut plan = plan(&[LOGIN, PAGE, SOCKET]);
    plan.rules = rules(objectives.to_vec());
    plan
}

/// A login that only the ramp has, a page that both halves have, a socket that only the steady phase has; as read from
/// the file of the run.
fn measured(objectives: &[Objective], change: impl FnOnce(&mut Recording)) -> RunResult {
    let mut recording = Recording::new(3, 1, 1);
    succeed(&mut recording.endpoints[0].rest, 400, 4.0, 24.0);
    succeed(&mut recording.endpoints[1].steady, 900, 10.0, 10.0);
    succeed(&mut recording.endpoints[1].rest, 100, 90.0, 90.0);
    succeed(&mut recording.endpoints[2].steady, 400, 7.0, 7.0);
    change(&mut recording);
    let result = summarise(&plan_of(objectives), &run(recording), context());
    assert_eq!(consistency::contradiction(&result), None);
    parse(to_json(&result).unwrap().as_bytes(), "r.json".as_ref()).unwrap()
}

fn judged(objective: &Objective, change: impl FnOnce(&mut Recording)) -> Check {
    let result = measured(std::slice::from_ref(objective), change);
    judge(&rules(vec![objective.clone()]), &result).checks.remove(0)
}

fn metric(metric: Metric, limit: f64) -> Objective {
    objective(Scope::Metric("build_created".into()), metric, limit)
}

fn recorded(tally: &mut MetricTally, n: u64, ms: u64) {
    tally.ok += n;
    (0..n).for_each(|_| tally.response.record(Duration::from_millis(ms)));
}

#[test]
fn what_only_the_ramp_has_is_judged_on_its_true_value() {
    for (limit, status) in [(23.5, CheckStatus::Pass), (22.5, CheckStatus::Fail)] {
        let check = judged(&over(of(LOGIN, P95, limit)), |_| ());
        assert_eq!((check.status, check.n, check.whole_run), (status, 400, true), "{check:?}");
        assert!((check.value.unwrap() - 23.0).abs() < 0.1, "{check:?}");
    }
    let steady = judged(&of(LOGIN, P95, 1e9), |_| ());
    assert_eq!((steady.because, steady.whole_run), (Some(Because::OutsideSteady { ended: 400 }), false));
}

#[test]
fn both_halves_count_together_for_everything_that_is_timed() {
    for (objective, value, n) in [
        (of(PAGE, Metric::Max, 1e3), 90.0, 1_000),
        (of(PAGE, Metric::Mean, 1e3), 18.0, 1_000),
        (of(PAGE, Metric::Throughput, 1.0), 1_000.0 / 30.0, 1_000),
        (total(Metric::Max, 1e3), 90.0, 1_800),
        (total(Metric::Throughput, 1.0), 60.0, 1_800),
        (of(SOCKET, Metric::Connect(Percentile::P95), 1e3), 7.0, 400),
        (total(Metric::Connect(Percentile::P95), 1e3), 7.0, 400),
        (metric(Metric::Max, 1e3), 60.0, 50),
        (metric(Metric::Throughput, 1.0), 50.0 / 30.0, 50),
    ] {
        let check = judged(&over(objective), |recording| {
            recorded(&mut recording.metrics[0].steady, 20, 30);
            recorded(&mut recording.metrics[0].rest, 30, 60);
        });
        assert_eq!((check.status, check.n), (CheckStatus::Pass, n), "{check:?}");
        assert!((check.value.unwrap() - value).abs() < value * 1e-3, "{check:?}");
    }
    assert_eq!(
        judged(&of(PAGE, Metric::Max, 50.0), |_| ()).status,
        CheckStatus::Pass,
        "the steady phase alone"
    );
    let connects = over(total(Metric::Connect(Percentile::P95), 50.0));
    let slow = judged(&connects, |recording| succeed(&mut recording.endpoints[2].rest, 100, 99.0, 99.0));
    assert_eq!((slow.status, slow.n), (CheckStatus::Fail, 500));
}

#[test]
fn what_was_not_answered_in_the_ramp_never_helps_to_pass() {
    let login = over(of(LOGIN, P95, 100.0));
    let timed_out = |n| judged(&login, |it| fail(&mut it.endpoints[0].rest, Timeout, n, 50)).because;
    assert_eq!(timed_out(21), None);
    assert_eq!(timed_out(22), Some(Because::TimedOut { timed_out: 22, failed: 0 }));
    let failed = |n| judged(&login, |it| fail(&mut it.endpoints[0].rest, BadStatus, n, 1)).because;
    assert_eq!(failed(21), None);
    assert_eq!(failed(22), Some(Because::Failed { failed: 22 }));
    let only_failed = judged(&over(of(SOCKET, P95, 1e9)), |it| {
        it.endpoints[2] = Split::default();
        fail(&mut it.endpoints[2].rest, BadStatus, 400, 1);
    });
    assert_eq!((only_failed.status, only_failed.because), (CheckStatus::Invalid, Some(Because::NoSample)));
    let metric = judged(&over(metric(P95, 100.0)), |it| {
        recorded(&mut it.metrics[0].rest, 380, 20);
        it.metrics[0].rest.failed = 21;
    });
    assert_eq!(metric.because, Some(Because::Failed { failed: 21 }));
}

#[test]
fn a_result_without_the_times_of_the_whole_run_is_invalid_and_never_a_pass() {
    let mut old = measured(&[], |it| recorded(&mut it.metrics[0].rest, 400, 20));
    old.whole_run.endpoints.iter_mut().for_each(|endpoint| endpoint.response_time = None);
    old.whole_run.metrics.clear();
    for objective in [of(LOGIN, P95, 1e9), of(PAGE, Metric::Mean, 1e9), total(P95, 1e9)] {
        let verdict = judge(&rules(vec![over(objective)]), &old);
        assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6));
        assert_eq!(verdict.checks[0].because, Some(Because::TimesNotStored));
    }
    assert_eq!(check(over(metric(P95, 1e9)), &old), (CheckStatus::Invalid, Some(Because::NoSample)));
    // All of it ended in the steady phase, so its times are known.
    assert_eq!(check(over(of(SOCKET, P95, 8.0)), &old), (CheckStatus::Pass, None));
    assert_eq!(check(over(of(SOCKET, P95, 6.0)), &old), (CheckStatus::Fail, None));
}

#[test]
fn times_of_the_whole_run_are_kept_only_where_a_verdict_needs_them() {
    let kept = |objectives: &[Objective]| {
        let result = measured(objectives, |it| recorded(&mut it.metrics[0].steady, 40, 20));
        let whole = result.whole_run;
        let endpoints = whole.endpoints.iter().filter(|it| it.response_time.is_some());
        let endpoints: Vec<_> = endpoints.map(|it| it.name.clone()).collect();
        (endpoints, whole.response_time.is_some(), whole.metrics.len())
    };
    assert_eq!(kept(&[]), (vec![LOGIN.to_owned()], false, 0), "the steady phase has none of it");
    assert_eq!(kept(&[of(PAGE, P95, 1.0), total(P95, 1.0), metric(P95, 1.0)]).0, [LOGIN]);
    assert_eq!(kept(&[over(of(PAGE, P95, 1.0))]), (vec![LOGIN.to_owned(), PAGE.to_owned()], false, 0));
    assert_eq!(kept(&[over(total(P95, 1.0)), over(metric(P95, 1.0))]), (vec![LOGIN.to_owned()], true, 1));
    let elsewhere = Objective { applies: Applies::Elsewhere, ..over(of(PAGE, P95, 1.0)) };
    assert_eq!(kept(&[elsewhere]).0, [LOGIN]);
}

#[test]
fn a_custom_metric_of_the_ramp_alone_is_judged_or_said_to_be_elsewhere() {
    let only_ramp = |it: &mut Recording| recorded(&mut it.metrics[0].rest, 400, 20);
    assert_eq!(judged(&over(metric(P95, 25.0)), only_ramp).status, CheckStatus::Pass);
    assert_eq!(judged(&over(metric(P95, 15.0)), only_ramp).status, CheckStatus::Fail);
    let steady = judged(&metric(P95, 25.0), only_ramp);
    assert_eq!(steady.because, Some(Because::OutsideSteady { ended: 400 }));
}

#[test]
fn only_the_seconds_in_which_it_was_requested_excuse_a_breach() {
    let login = over(of(LOGIN, P95, 20.0));
    let made = EndpointPoint {
        ok: 200,
        failed: 0,
        p50_ms: None,
        p95_ms: None,
        p99_ms: None,
        timed_out: 0,
        longest_ms: None,
    };
    let status = |busy_at: std::ops::Range<usize>| {
        let machine: Vec<_> = (0..12)
            .map(|at| if busy_at.contains(&at) { busy(Some(0.8), 0.0) } else { busy(Some(0.0), 0.8) })
            .collect();
        let mut result = on_machine(measured(std::slice::from_ref(&login), |_| ()), &machine);
        result.series.iter_mut().for_each(|point| point.endpoints.clear());
        for point in &mut result.series[..2] {
            point.phase = "ramp".into();
            point.endpoints = [(LOGIN.to_owned(), made.clone())].into();
        }
        check(login.clone(), &result).0
    };
    assert_eq!(status(0..0), CheckStatus::Fail);
    assert_eq!(status(0..2), CheckStatus::Undecided, "the machine was busy when users logged in");
    assert_eq!(status(3..12), CheckStatus::Fail, "and not when it was busy later");
}
