//! What stops a run, when, and what becomes of its verdict.

use super::*;
use crate::plan::rules::Over;
use crate::result::verdict::{Finding, Reason, Status};

fn abort(after: u64, objective: Objective) -> Objective {
    Objective { abort_after: Some(Duration::from_secs(after)), ..objective }
}

#[test]
fn what_stops_a_run_stops_it_as_soon_as_it_is_broken() {
    let slow = |recording: &mut Recording, n| succeed(http(recording), n, 900.0, 900.0);
    let bad = |recording: &mut Recording, n| fail(http(recording), FailureKind::Status, n, 1);
    // Good until the second `from`, then bad.
    let run = |objective: Objective, from: u64, n: u64| {
        let mut run = Run::over(vec![objective]);
        run.steady(|at, recording| match at {
            _ if at < from => succeed(http(recording), n, 10.0, 10.0),
            _ if at % 2 == 0 => slow(recording, n),
            _ => {
                slow(recording, n);
                bad(recording, n);
            }
        })
    };
    let p95 = |limit| objective(P95, limit);
    for (name, stopped, expected) in [
        ("all are slow from the start: 2 of 2 are proof", run(abort(0, p95(100.0)), 2, 2), Some(3)),
        ("one of one is none", run(abort(0, p95(100.0)), 2, 1), Some(4)),
        // 18 good seconds of 100: 100 more are above 5 % of 1,900 by chance, 200 of 2,000 are not
        ("ten in a hundred of all so far", run(abort(0, p95(100.0)), 20, 100), Some(22)),
        ("not before its time", run(abort(12, p95(100.0)), 2, 300), Some(12)),
        ("not at the end, where nothing is left to stop", run(abort(30, p95(100.0)), 2, 300), None),
        ("never without `abort`", run(p95(100.0), 2, 300), None),
        ("never where it holds", run(abort(0, p95(1e4)), 2, 300), None),
        // the second 5 is the first with failures: 300 of 5 × 300
        ("errors so far", run(abort(0, objective(Metric::ErrorRate, 0.1)), 4, 300), Some(6)),
        ("in a window", run(abort(0, every(4, p95(100.0))), 2, 300), Some(6)),
        ("in the window that breaks", run(abort(0, every(4, p95(100.0))), 15, 300), Some(18)),
        ("a window that broke before its time", run(abort(11, every(4, p95(100.0))), 2, 300), Some(11)),
        ("a throughput", run(abort(0, objective(Metric::Throughput, 500.0)), 30, 300), Some(3)),
    ] {
        assert_eq!(stopped, expected, "{name}");
    }
}

#[test]
fn times_of_the_ramp_stop_a_run_where_the_objective_is_over_the_whole_run() {
    let stopped = |over| {
        let scope = Scope::Endpoint("GET /a".into());
        let mut run = Run::over(vec![abort(0, Objective { over, ..fixture::objective(scope, P95, 100.0) })]);
        let wish = run.second(|recording| succeed(&mut recording.endpoints[0].rest, 300, 900.0, 900.0));
        (wish == Wish::Stop, run.judged())
    };
    assert!(!stopped(Over::Steady).0);
    let (stopped, (verdict, result)) = stopped(Over::WholeRun);
    assert!(stopped);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Failed, 3));
    let aborted = result.aborted.unwrap();
    assert_eq!((aborted.at_s, aborted.n, verdict.checks[0].aborted_at_s), (1.0, 300, Some(1.0)));
}

#[test]
fn failures_of_the_ramp_stop_a_run_and_fail_it() {
    let mut run = Run::over(vec![abort(0, objective(Metric::ErrorRate, 0.01)), objective(P95, 1e3)]);
    let wish = run.second(|recording| fail(&mut recording.endpoints[0].rest, FailureKind::Status, 3, 1));
    assert_eq!(wish, Wish::Stop);
    let (verdict, result) = run.judged();
    let aborted = result.aborted.unwrap();
    assert_eq!((aborted.at_s, aborted.value, aborted.n, aborted.length_s), (1.0, 1.0, 3, None));
    assert_eq!((verdict.status, verdict.exit_status), (Status::Failed, 3));
    assert_eq!(verdict.findings, [Finding::Aborted { at_s: 1.0 }], "not: nothing in the steady phase");
    assert_eq!(verdict.reasons, [Reason::Sla, Reason::InvalidCheck, Reason::Aborted]);
    assert_eq!(verdict.checks[0].aborted_at_s, Some(1.0));
    assert_eq!(verdict.checks[1].aborted_at_s, None);
}

#[test]
fn what_stopped_a_run_fails_whatever_was_still_in_flight() {
    let mut run = Run::over(vec![abort(0, objective(Metric::ErrorRate, 0.1))]);
    run.steady(|at, recording| {
        succeed(http(recording), 80, 1.0, 1.0);
        fail(http(recording), FailureKind::Status, if at == 4 { 60 } else { 0 }, 1);
    });
    // 60 of 300 were broken when it stopped; 900 more came in well.
    succeed(&mut run.total.endpoints[0].steady, 900, 1.0, 1.0);
    let (rules, result) = run.end();
    let verdict = judge(&rules, &result, None);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Failed, 3));
    let check = &verdict.checks[0];
    assert_eq!((check.value, check.n, check.aborted_at_s), (Some(0.2), 300, Some(5.0)));

    // Judged again: what the value does not break says nothing, for the run is partial.
    for (again, status, reasons) in [
        (objective(Metric::ErrorRate, 0.15), Status::Failed, vec![Reason::Sla, Reason::Aborted]),
        (objective(Metric::ErrorRate, 0.3), Status::Inconclusive, vec![Reason::Aborted]),
        (objective(P95, 1e3), Status::Inconclusive, vec![Reason::Aborted]),
        (objective(Metric::Max, 1e3), Status::Inconclusive, vec![Reason::Aborted, Reason::Undecided]),
        (
            every(5, objective(Metric::ErrorRate, 0.15)),
            Status::Inconclusive,
            vec![Reason::Aborted, Reason::Undecided],
        ),
    ] {
        let said = format!("{again:?}");
        let verdict = judge(&Rules { objectives: vec![again], baseline: None }, &result, None);
        assert_eq!((verdict.status, verdict.reasons), (status, reasons), "{said}");
    }
}

#[test]
fn a_window_that_stopped_a_run_fails_it_even_if_percentiles_are_open_now() {
    let mut run = Run::over(vec![abort(0, every(2, objective(P95, 100.0)))]);
    let stopped = run.steady(|_, recording| succeed(http(recording), 150, 10.0, 120.0));
    assert_eq!(stopped, Some(4), "18 % are slower");
    run.total.unfinished = 1_000;
    let (verdict, result) = run.judged();
    assert_eq!(result.aborted.as_ref().and_then(|aborted| aborted.length_s), Some(2));
    assert_eq!(verdict.checks[0].status, CheckStatus::Fail);
    assert_eq!(verdict.exit_status, 3);
}

#[test]
fn a_window_that_breaks_by_chance_stops_no_run_and_fails_it_at_the_end() {
    // 6 % of 300 are slower than the limit, and 5 % may be: 18 where 15 are expected.
    let near = |_: u64, recording: &mut Recording| succeed(http(recording), 150, 10.0, 106.0);
    let mut run = Run::over(vec![abort(0, every(2, objective(P95, 100.0)))]);
    assert_eq!(run.steady(near), None);
    let (verdict, result) = run.judged();
    assert_eq!(result.aborted, None);
    assert_eq!((verdict.status, verdict.checks[0].window.unwrap().broken), (Status::Failed, 14));
    // An error rate of 6 % likewise; the longest time needs no proof.
    let some_fail = |_: u64, recording: &mut Recording| {
        succeed(http(recording), 141, 10.0, 10.0);
        fail(http(recording), FailureKind::Status, 9, 1);
    };
    let stopped =
        |objective, fill: fn(u64, &mut Recording)| Run::over(vec![abort(0, objective)]).steady(fill);
    assert_eq!(stopped(every(2, objective(Metric::ErrorRate, 0.05)), some_fail), None);
    assert_eq!(stopped(every(2, objective(Metric::ErrorRate, 0.005)), some_fail), Some(4));
    assert_eq!(stopped(every(2, objective(Metric::Max, 100.0)), near), Some(4));
}

#[test]
fn an_objective_of_another_scenario_is_not_watched() {
    let elsewhere = Objective { applies: Applies::Elsewhere, ..abort(0, objective(Metric::Throughput, 1e9)) };
    let mut run = Run::over(vec![elsewhere, objective(P95, 1e3)]);
    assert_eq!(run.steady(|_, recording| succeed(http(recording), 10, 1.0, 1.0)), None);
    let (_, result) = run.end();
    assert_eq!((result.windows, result.aborted), (Vec::new(), None));
}
