//! Every status, every reason, every precedence; and that no data is never a pass.

mod held;
mod left_out;
mod missing;
mod over;
mod property;
mod silence;

use std::time::Duration;

use proptest::prelude::*;

use super::agreement::contradiction;
use super::validity::MOST_STALLED;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::{Recording, StartTally};
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Applies, BaselineRules, Objective, Over, Policy, Rules, Scope, Severity};
use crate::result::fixture::{
    busy, context, cut_off, fail, objective, of_requests, on_machine, plan, record, rich, run, small, succeed,
};
use crate::result::schema::{RunResult, Signal, Task, WorstSecond};
use crate::result::summary::summarise;
use crate::result::verdict::{Because, CheckScope, CheckStatus, Finding, Reason, Status, Verdict};
use crate::result::window::Aborted;

const P95: Metric = Metric::Response(Percentile::P95);

/// With nothing remembered.
fn judge(rules: &Rules, result: &RunResult) -> Verdict {
    let verdict = super::judge(rules, result, None);
    let judged = RunResult { verdict: Some(verdict.clone()), ..result.clone() };
    assert_eq!(contradiction(&judged), None);
    verdict
}

fn total(metric: Metric, limit: f64) -> Objective {
    objective(Scope::Total, metric, limit)
}

fn of(name: &str, metric: Metric, limit: f64) -> Objective {
    objective(Scope::Endpoint(name.into()), metric, limit)
}

fn rules(objectives: Vec<Objective>) -> Rules {
    Rules { objectives, baseline: None }
}

fn check(objective: Objective, result: &RunResult) -> (CheckStatus, Option<Because>) {
    let check = judge(&rules(vec![objective]), result).checks.remove(0);
    (check.status, check.because)
}

fn baseline(on_inconclusive: Policy) -> BaselineRules {
    BaselineRules { on_inconclusive, ..BaselineRules::default() }
}

/// `slow` requests of 1 s among `n`, the others of 10 ms.
fn with_slow(n: u64, slow: u64) -> RunResult {
    let mut recording = Recording::new(1, 1, 1);
    succeed(&mut recording.endpoints[0].steady, n - slow, 10.0, 10.0);
    succeed(&mut recording.endpoints[0].steady, slow, 1_000.0, 1_000.0);
    summarise(&plan(&["GET /health"]), &run(recording), context())
}

#[test]
fn every_metric_is_judged_on_what_it_is_about() {
    use CheckStatus::{Fail, Pass};
    let run = rich();
    let builds = "POST /api/v1/builds";
    let socket = "WS /ws/builds/{id}";
    let done = || Scope::Metric("build_created".into());
    for (objective, expected) in [
        (total(P95, 4_000.0), Pass),
        (of(builds, P95, 3_000.0), Fail),
        (of(builds, P95, 3_500.0), Pass),
        (of(builds, Metric::Max, 3_500.0), Fail),
        (of(builds, Metric::Mean, 2_000.0), Fail),
        // 23 timeouts and 11 refusals of 2,334, and 7 that were cut off
        (of(builds, Metric::ErrorRate, 0.014), Fail),
        (of(builds, Metric::ErrorRate, 0.018), Pass),
        (total(Metric::ErrorRate, 0.01), Pass),
        // 2,300 in 28 s = 82.1/s
        (of(builds, Metric::Throughput, 82.0), Pass),
        (of(builds, Metric::Throughput, 83.0), Fail),
        (of(socket, Metric::Connect(Percentile::P95), 10.0), Pass),
        (total(Metric::Connect(Percentile::P95), 5.0), Fail),
        (of(socket, Metric::MissingMessages, 1.0), Fail),
        (of(socket, Metric::MissingMessages, 2.0), Pass),
        (total(Metric::UnexpectedCloses, 0.0), Pass),
        (objective(done(), P95, 3_200.0), Pass),
        (objective(done(), P95, 2_000.0), Fail),
        (objective(done(), Metric::Throughput, 82.0), Pass),
    ] {
        let said = format!("{objective:?}");
        assert_eq!(check(objective, &run), (expected, None), "{said}");
    }
}

/// `timed_out` of 200 ms and `failed` beside successes of 50 ms, of 1,000 requests.
fn with_unanswered(timed_out: u64, failed: u64) -> RunResult {
    let mut recording = Recording::new(1, 1, 1);
    let tally = &mut recording.endpoints[0].steady;
    succeed(tally, 1_000 - timed_out - failed, 50.0, 50.0);
    fail(tally, FailureKind::Timeout, timed_out, 200);
    fail(tally, FailureKind::Status, failed, 1);
    summarise(&plan(&["GET /health"]), &run(recording), context())
}

#[test]
fn a_timeout_is_a_lower_bound_and_never_keeps_a_limit_beyond_it() {
    use CheckStatus::{Fail, Pass, Undecided};
    let open = |timed_out, failed| (Undecided, Some(Because::TimedOut { timed_out, failed }));
    for (metric, limit, timed_out, failed, expected) in [
        (P95, 1_000.0, 1_000, 0, open(1_000, 0)),
        (P95, 199.0, 1_000, 0, (Fail, None)),
        // Up to 5 % may be slower than the limit, whatever they would have taken.
        (P95, 1_000.0, 50, 0, (Pass, None)),
        (P95, 60.0, 50, 0, (Pass, None)),
        (P95, 1_000.0, 51, 0, open(51, 0)),
        (P95, 199.0, 51, 0, (Fail, None)),
        // Failures of another kind have no time; with them 51 of 1,000 had no answer.
        (P95, 1_000.0, 1, 49, (Pass, None)),
        (P95, 1_000.0, 1, 50, open(1, 50)),
        (P95, 1_000.0, 0, 50, (Pass, None)),
        (P95, 1_000.0, 0, 51, (Undecided, Some(Because::Failed { failed: 51 }))),
        (P95, 49.0, 0, 51, (Fail, None)),
        // One request of unknown length leaves these open.
        (Metric::Max, 1_000.0, 1, 0, open(1, 0)),
        (Metric::Max, 199.0, 1, 0, (Fail, None)),
        (Metric::Mean, 1_000.0, 1, 0, open(1, 0)),
        (Metric::Mean, 50.1, 1, 0, (Fail, None)),
        (Metric::Max, 1_000.0, 0, 1, (Undecided, Some(Because::Failed { failed: 1 }))),
        (Metric::Max, 1_000.0, 0, 0, (Pass, None)),
    ] {
        let result = with_unanswered(timed_out, failed);
        let said = format!("{metric:?} {limit} {timed_out} {failed}");
        assert_eq!(check(total(metric, limit), &result), expected, "{said}");
        assert_eq!(check(of("GET /health", metric, limit), &result), expected, "{said}");
    }
}

#[test]
fn a_run_in_which_nothing_succeeded_is_invalid_unless_it_breaks_an_objective() {
    let nothing = |ramp: u64, steady: u64| {
        let mut recording = Recording::new(1, 1, 1);
        succeed(&mut recording.endpoints[0].rest, ramp, 1.0, 1.0);
        fail(&mut recording.endpoints[0].steady, FailureKind::Status, steady, 1);
        summarise(&plan(&["GET /a"]), &run(recording), context())
    };
    for ramp in [0, 100] {
        let finding = Finding::NothingSucceeded { failed: 50, elsewhere: ramp };
        let judged = |rules| judge(&rules, &nothing(ramp, 50));
        let verdict = judged(Rules::default());
        assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6), "{ramp}");
        assert!(verdict.findings.contains(&finding), "{:?}", verdict.findings);
        // An objective that it breaks says what is wrong with the service.
        let verdict = judged(rules(vec![total(Metric::ErrorRate, 0.01)]));
        assert_eq!((verdict.status, verdict.exit_status), (Status::Failed, 3), "{ramp}");
        assert!(!verdict.findings.contains(&finding), "{:?}", verdict.findings);
    }
    // A run that was stopped says why itself, and never passes either.
    let mut aborted = with_slow(100, 0);
    (aborted.totals.ok, aborted.aborted) = (0, None);
    assert_ne!(judge(&Rules::default(), &aborted).status, Status::Passed);
}

#[test]
fn failures_that_no_objective_is_about_are_told() {
    let mut recording = Recording::new(2, 1, 1);
    for (endpoint, failed) in recording.endpoints.iter_mut().zip([300, 20]) {
        succeed(&mut endpoint.steady, 500, 1.0, 1.0);
        fail(&mut endpoint.steady, FailureKind::Status, failed, 1);
    }
    let result = summarise(&plan(&["GET /a", "GET /b"]), &run(recording), context());
    let p50 = || total(Metric::Response(Percentile::P50), 1e6);
    let rate = |severity| Objective { severity, ..total(Metric::ErrorRate, 0.5) };
    let told = |objectives| {
        let findings = judge(&rules(objectives), &result).findings;
        findings.into_iter().find(|it| matches!(it, Finding::UnjudgedFailures { .. }))
    };
    let unjudged =
        |failed, ended, only_warned| Some(Finding::UnjudgedFailures { failed, ended, only_warned });
    assert_eq!(told(vec![p50()]), unjudged(320, 1_320, false));
    assert_eq!(
        told(vec![p50(), rate(Severity::Warn)]),
        unjudged(320, 1_320, true),
        "a warning decides nothing"
    );
    assert_eq!(told(vec![p50(), rate(Severity::Fail)]), None);
    let of_a = of("GET /a", Metric::ErrorRate, 0.5);
    let warning = |name| Objective { severity: Severity::Warn, ..of(name, Metric::ErrorRate, 0.5) };
    assert_eq!(told(vec![of_a.clone()]), unjudged(20, 520, false));
    assert_eq!(told(vec![warning("GET /a")]), unjudged(320, 1_320, false));
    assert_eq!(told(vec![of_a.clone(), warning("GET /b")]), unjudged(20, 520, true));
    assert_eq!(told(vec![of_a, of("GET /b", Metric::ErrorRate, 0.5)]), None);
}

#[test]
fn users_that_never_get_ready_make_the_run_invalid() {
    for (never_ready, invalid) in [(100, true), (0, false), (2, false), (3, true)] {
        let mut recording = Recording::new(1, 1, 1);
        succeed(&mut recording.endpoints[0].steady, 1_000, 10.0, 10.0);
        recording.starts = StartTally { begun: 100, never_ready };
        let result = summarise(&plan(&["GET /a"]), &run(recording), context());
        let verdict = judge(&rules(vec![total(P95, 1e3)]), &result);
        let status = if invalid { Status::Invalid } else { Status::Passed };
        assert_eq!(verdict.status, status, "{never_ready}: {:?}", verdict.findings);
    }
}

#[test]
fn a_run_in_which_no_task_began_is_invalid_unless_it_breaks_an_objective() {
    let judged = |on_start, skipped, limit| {
        let mut result = small();
        result.tasks[0].iterations = 0;
        result.tasks[0].skipped = skipped;
        result.tasks.push(Task { task: "login".into(), iterations: 9, on_start, ..result.tasks[0].clone() });
        judge(&rules(vec![total(P95, limit)]), &result)
    };
    // Requests of `on_start` alone, as fast as may be; also where every iteration was skipped.
    for skipped in [0, 7] {
        let verdict = judged(true, skipped, 1e3);
        assert_eq!(
            (verdict.status, &verdict.findings[..]),
            (Status::Invalid, &[Finding::NoIteration { skipped }][..])
        );
        assert_eq!(judged(true, skipped, 1.0).status, Status::Failed);
    }
    // Another task began; or nobody says which of them is `on_start`, as in an older result.
    assert_eq!(judged(false, 0, 1e3).status, Status::Passed);
    // Earlier versions did not count an iteration that was cut off at the end, and what was measured was measured by one.
    let mut result = small();
    result.tasks[0].iterations = 0;
    assert_eq!(judge(&rules(vec![total(P95, 1e3)]), &result).status, Status::Passed);
    // A load that is made of `on_start` alone.
    let mut result = small();
    result.tasks[0].on_start = true;
    assert_eq!(judge(&rules(vec![total(P95, 1e3)]), &result).status, Status::Passed);
}

#[test]
fn a_custom_metric_whose_steps_fail_is_no_pass() {
    let of_metric = |timed_out: u64, failed: u64| {
        let mut recording = Recording::new(1, 1, 1);
        succeed(&mut recording.endpoints[0].steady, 1_000, 10.0, 10.0);
        let metric = &mut recording.metrics[0].steady;
        metric.ok = 400 - timed_out - failed;
        for _ in 0..metric.ok {
            metric.response.record(Duration::from_millis(20));
        }
        for _ in 0..timed_out {
            metric.response.record_at_least(Duration::from_millis(300));
        }
        metric.failed = failed;
        let result = summarise(&plan(&["GET /a"]), &run(recording), context());
        check(objective(Scope::Metric("build_created".into()), P95, 1e3), &result)
    };
    assert_eq!(of_metric(10, 10), (CheckStatus::Pass, None));
    let open = |because| (CheckStatus::Undecided, Some(because));
    assert_eq!(of_metric(21, 0), open(Because::TimedOut { timed_out: 21, failed: 0 }));
    assert_eq!(of_metric(0, 21), open(Because::Failed { failed: 21 }));
    assert_eq!(of_metric(400, 0), open(Because::TimedOut { timed_out: 400, failed: 0 }));
    assert_eq!(of_metric(0, 400), (CheckStatus::Invalid, Some(Because::NoSample)));
}

#[test]
fn a_result_of_an_older_version_never_passes_by_its_timeouts() {
    let mut result = with_unanswered(30, 0);
    let limit = |limit| total(P95, limit);
    assert_eq!(check(limit(100.0), &result).0, CheckStatus::Pass);
    let times = result.totals.response_time.as_mut().unwrap();
    times.timed_out_histogram = None;
    // Which of the times are those of timeouts is not known: 30 of the shortest may be.
    assert_eq!(check(limit(100.0), &result).0, CheckStatus::Undecided);
    assert_eq!(check(limit(250.0), &result).0, CheckStatus::Pass, "980 of 1,000 are there and shorter");
    assert_eq!(check(limit(49.0), &result).0, CheckStatus::Fail);
}

#[test]
fn no_data_is_never_a_pass() {
    use CheckStatus::Invalid;
    let run = rich();
    let unhit = "DELETE /api/v1/builds/{id}";
    let ramp_only = "POST /api/v1/auth/test-token";
    let http = "GET /api/v1/users/me/stats";
    for (objective, because) in [
        (of(unhit, P95, 1e9), Because::NeverHit),
        (of(unhit, Metric::ErrorRate, 1.0), Because::NeverHit),
        (of(unhit, Metric::Throughput, 0.0), Because::NeverHit),
        (of("GET /no/such", P95, 1e9), Because::NeverHit),
        (of(ramp_only, P95, 1e9), Because::OutsideSteady { ended: 100 }),
        (of(ramp_only, Metric::Max, 1e9), Because::OutsideSteady { ended: 100 }),
        (of(http, Metric::MissingMessages, 0.0), Because::NoSample),
        (of(http, Metric::Connect(Percentile::P50), 1e9), Because::NoSample),
        (objective(Scope::Metric("no such".into()), P95, 1e9), Because::NoSample),
        (objective(Scope::Metric("build_created".into()), Metric::ErrorRate, 1.0), Because::NotMeasured),
    ] {
        let said = format!("{objective:?}");
        assert_eq!(check(objective.clone(), &run), (Invalid, Some(because)), "{said}");
        let verdict = judge(&rules(vec![objective]), &run);
        assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6), "{said}");
    }
    let empty = summarise(&plan(&["GET /a"]), &self::run(Recording::new(1, 1, 1)), context());
    for metric in Metric::ALL {
        assert_eq!(check(total(metric, 0.0), &empty).0, Invalid, "{metric:?}");
    }
    for rules in [Rules::default(), rules(vec![total(P95, 1e9)])] {
        let verdict = judge(&rules, &empty);
        assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6));
        assert_eq!(verdict.reasons.first(), Some(&Reason::InvalidRun));
    }
}

#[test]
fn failures_alone_give_no_percentile_to_pass() {
    let mut recording = Recording::new(1, 1, 1);
    fail(&mut recording.endpoints[0].steady, FailureKind::Status, 500, 1);
    let result = summarise(&plan(&["GET /a"]), &run(recording), context());
    assert_eq!(check(total(P95, 1e9), &result), (CheckStatus::Invalid, Some(Because::NoSample)));
    assert_eq!(check(total(Metric::ErrorRate, 0.01), &result).0, CheckStatus::Fail);
}

#[test]
fn an_objective_of_another_scenario_does_not_apply() {
    let elsewhere = Objective { applies: Applies::Elsewhere, ..of("GET /other", P95, 1.0) };
    let verdict = judge(&rules(vec![elsewhere, total(P95, 1_000.0)]), &small());
    assert_eq!(verdict.checks[0].status, CheckStatus::NotApplicable);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Passed, 0));
}

#[test]
fn a_percentile_of_few_requests_fails_only_on_proof() {
    use CheckStatus::{Fail, Pass, Undecided};
    let few = Some(Because::TooFew { needed: 200 });
    // p95 below 100 ms, with `slow` of `n` above it. Of 20: P(X ≥ 3) = .075, P(X ≥ 4) = .016.
    for (n, slow, expected) in [
        (199, 0, (Undecided, few)),
        (200, 0, (Pass, None)),
        (20, 3, (Undecided, few)),
        (20, 4, (Fail, None)),
        (1, 1, (Undecided, few)),
        (2, 2, (Fail, None)),
        (200, 11, (Fail, None)),
        (200, 10, (Pass, None)),
    ] {
        assert_eq!(check(total(P95, 100.0), &with_slow(n, slow)), expected, "{slow} of {n}");
    }
}

/// Makes a good result bad.
type Spoil = fn(&mut RunResult);

#[test]
fn a_generator_that_was_the_limit_makes_the_run_invalid() {
    let spoil: [(Spoil, Option<Finding>); 9] = [
        (|_| (), None),
        (|run| run.generator.cpu_utilisation = 0.9, None),
        (
            |run| run.generator.cpu_utilisation = 0.91,
            Some(Finding::GeneratorCpu { utilisation: 0.91, limit: 0.9 }),
        ),
        (|run| run.generator.achieved_ratio = 0.98, None),
        (
            |run| run.generator.achieved_ratio = 0.97,
            Some(Finding::BehindPlan { achieved_ratio: 0.97, limit: 0.98 }),
        ),
        (|run| run.generator.stalled_share = 0.02, None),
        (
            |run| run.generator.stalled_share = 0.03,
            Some(Finding::StoodStill { stalled_share: 0.03, limit: MOST_STALLED }),
        ),
        (|run| run.generator.exhausted = 3, Some(Finding::Exhausted { count: 3 })),
        (|run| run.totals.ok = 0, Some(Finding::NoSteadyRequest { steady_s: 28.0 })),
    ];
    for (spoil, finding) in spoil {
        let mut result = small();
        spoil(&mut result);
        let verdict = judge(&rules(vec![total(P95, 1_000.0)]), &result);
        assert_eq!(verdict.findings.first().cloned(), finding);
        let expected = if finding.is_some() { (Status::Invalid, 6) } else { (Status::Passed, 0) };
        assert_eq!((verdict.status, verdict.exit_status), expected);
        assert_eq!(verdict.checks.len(), 1, "checks are evaluated all the same");
    }
}

#[test]
fn a_second_that_the_generator_mostly_lost_is_told_and_decides_nothing() {
    let mut result = small();
    result.generator.worst_second = Some(WorstSecond { t_s: 12.0, stalled_share: 0.5 });
    assert_eq!(judge(&rules(vec![total(P95, 1_000.0)]), &result).findings, []);
    result.generator.worst_second = Some(WorstSecond { t_s: 12.0, stalled_share: 0.51 });
    let verdict = judge(&rules(vec![total(P95, 1_000.0)]), &result);
    assert_eq!(verdict.findings, [Finding::LostSecond { t_s: 12.0, stalled_share: 0.51 }]);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Passed, 0));
}

#[test]
fn a_late_or_stolen_generator_excuses_only_broken_times() {
    use CheckStatus::{Fail, Invalid, Pass};
    let mut late = small();
    // p99 is 109 ms: the limit is 10.9 ms. p95 is 105 ms.
    let excused = |limit, late: &RunResult| {
        let (status, because) = check(total(P95, limit), late);
        status == Invalid && matches!(because, Some(Because::GeneratorLate { lag_ms: 11.0, .. }))
    };
    late.generator.schedule_lag_p99_ms = Some(11.0);
    assert!(excused(90.0, &late));
    assert_eq!(check(total(P95, 1_000.0), &late), (Pass, None));
    // What it is late by, twice, is all that it explains.
    assert_eq!(check(total(P95, 50.0), &late), (Fail, None));
    // A mean of 60 ms was made by all of its requests: it is no more than that late either.
    assert_eq!(check(total(Metric::Mean, 50.0), &late).0, Invalid);
    assert_eq!(check(total(Metric::Mean, 30.0), &late), (Fail, None));
    late.generator.schedule_lag_p99_ms = Some(10.8);
    assert_eq!(check(total(P95, 90.0), &late), (Fail, None));

    // Wake-ups that came late excuse as a late schedule does, in every load model.
    late.generator.schedule_lag_p99_ms = None;
    late.generator.wake_lateness_p99_ms = Some(11.0);
    late.generator.wake_lateness_max_ms = Some(20.0);
    assert!(excused(90.0, &late));
    assert_eq!(check(total(P95, 1_000.0), &late), (Pass, None));
    // The longest time may be that of the latest wake-up.
    assert_eq!(check(total(Metric::Max, 80.0), &late).0, Invalid);
    assert_eq!(check(total(Metric::Max, 50.0), &late), (Fail, None));
    // Or that of the latest start of a schedule, whichever is later.
    late.generator.schedule_lag_p99_ms = Some(11.0);
    for (started, woken, status) in [(25.0, 20.0, Invalid), (20.0, 25.0, Invalid), (20.0, 20.0, Fail)] {
        late.generator.schedule_lag_max_ms = Some(started);
        late.generator.wake_lateness_max_ms = Some(woken);
        for metric in [Metric::Max, Metric::Response(Percentile::P99)] {
            let highest = check(total(metric, 1e6), &late);
            assert_eq!(highest.0, Pass);
            assert_eq!(check(total(metric, 65.0), &late).0, status, "{started} {woken} {metric:?}");
        }
    }
    // An earlier version does not say how late that was.
    late.generator.schedule_lag_max_ms = None;
    assert_eq!(check(total(Metric::Max, 1.0), &late).0, Invalid);

    let mut stolen = small();
    stolen.generator.steal = Some(0.06);
    let excuse = Some(Because::Steal { ratio: 0.06, limit: 0.05 });
    for (metric, limit) in [(P95, 5.0), (Metric::Max, 5.0), (Metric::Mean, 5.0), (Metric::Throughput, 1e6)] {
        assert_eq!(check(total(metric, limit), &stolen), (Invalid, excuse), "{metric:?}");
    }
    stolen.generator.steal = Some(0.05);
    assert_eq!(check(total(P95, 50.0), &stolen), (Fail, None));
}

#[test]
fn a_warning_never_decides() {
    let warn = |objective| Objective { severity: Severity::Warn, ..objective };
    let verdict = judge(
        &rules(vec![
            warn(total(P95, 1.0)),
            warn(of("GET /no/such", P95, 1.0)),
            warn(total(Metric::Response(Percentile::P999), 1e6)),
        ]),
        &small(),
    );
    let statuses: Vec<_> = verdict.checks.iter().map(|check| check.status).collect();
    assert_eq!(statuses, [CheckStatus::Fail, CheckStatus::Invalid, CheckStatus::Undecided]);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Passed, 0));
}

#[test]
fn the_heaviest_reason_is_the_headline() {
    use Reason::{Interrupted, InvalidCheck, InvalidRun, Sla, Undecided};
    let sla = || total(P95, 1.0);
    let invalid = || of("GET /no/such", P95, 1.0);
    let undecided = || total(Metric::Response(Percentile::P999), 1e6);
    let good = || total(P95, 1e6);
    let stopped = |signal| RunResult { interrupted: true, signal, ..small() };
    let overloaded = |mut result: RunResult| {
        result.generator.cpu_utilisation = 1.0;
        result
    };
    let all = || vec![sla(), invalid(), undecided(), good()];
    for (objectives, result, status, exit, reasons) in vec![
        (
            all(),
            overloaded(stopped(Some(Signal::Sigint))),
            Status::Interrupted,
            130,
            vec![Interrupted, InvalidRun, Sla, InvalidCheck, Undecided],
        ),
        (vec![good()], stopped(Some(Signal::Sigterm)), Status::Interrupted, 143, vec![Interrupted]),
        (vec![good()], stopped(None), Status::Interrupted, 130, vec![Interrupted]),
        (all(), overloaded(small()), Status::Invalid, 6, vec![InvalidRun, Sla, InvalidCheck, Undecided]),
        (all(), small(), Status::Failed, 3, vec![Sla, InvalidCheck, Undecided]),
        (vec![invalid(), undecided(), good()], small(), Status::Invalid, 6, vec![InvalidCheck, Undecided]),
        (vec![undecided(), good()], small(), Status::Inconclusive, 0, vec![Undecided]),
        (vec![good()], small(), Status::Passed, 0, vec![]),
        (vec![], small(), Status::Passed, 0, vec![]),
    ] {
        let verdict = judge(&rules(objectives), &result);
        assert_eq!((verdict.status, verdict.exit_status, verdict.reasons), (status, exit, reasons));
    }
}

#[test]
fn a_policy_changes_the_exit_status_and_not_the_state() {
    for (policy, exit) in [(Policy::Pass, 0), (Policy::Fail, 5)] {
        let undecided = vec![total(Metric::Response(Percentile::P999), 1e6)];
        let rules = Rules { objectives: undecided, baseline: Some(baseline(policy)) };
        let verdict = judge(&rules, &small());
        assert_eq!((verdict.status, verdict.exit_status), (Status::Inconclusive, exit));
    }
}

#[test]
fn a_breach_that_stopped_a_run_is_excused_like_any_other() {
    let mut result = small();
    result.aborted = Some(Aborted {
        scope: CheckScope::Total,
        endpoint: None,
        metric: P95.name().to_owned(),
        length_s: None,
        limit: 50.0,
        at_s: 12.0,
        value: 105.0,
        n: 1_000,
        above: Some(600),
        unanswered: None,
    });
    let on_inconclusive =
        |policy| Rules { baseline: Some(baseline(policy)), ..rules(vec![total(P95, 50.0)]) };
    let judged = |rules: &Rules, others| {
        let verdict = judge(rules, &on_machine(result.clone(), &[busy(Some(others), 0.1); 20]));
        (verdict.status, verdict.exit_status)
    };
    assert_eq!(judged(&rules(vec![total(P95, 50.0)]), 0.02), (Status::Failed, 3));
    assert_eq!(judged(&rules(vec![total(P95, 50.0)]), 0.6), (Status::Inconclusive, 0));
    assert_eq!(judged(&on_inconclusive(Policy::Pass), 0.6), (Status::Inconclusive, 0));
    assert_eq!(judged(&on_inconclusive(Policy::Fail), 0.6), (Status::Inconclusive, 5));
}

#[test]
fn without_objectives_traffic_passes_with_a_note() {
    let verdict = judge(&Rules::default(), &small());
    assert_eq!((verdict.status, verdict.findings), (Status::Passed, vec![Finding::NoObjective]));
}

#[test]
fn a_damaged_histogram_proves_nothing() {
    let mut result = with_slow(20, 20);
    assert_eq!(check(total(P95, 100.0), &result).0, CheckStatus::Fail);
    for text in [None, Some("hostile".to_owned())] {
        result.totals.response_time.as_mut().unwrap().histogram = text;
        assert_eq!(check(total(P95, 100.0), &result).0, CheckStatus::Undecided);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_stricter_limit_never_turns_a_failure_into_a_pass(n in 1_u64..600, limit in 0.0..150.0_f64, less in 0.0..1.0_f64) {
        let result = of_requests(n);
        let loose = check(total(P95, limit), &result).0;
        let strict = check(total(P95, limit * less), &result).0;
        prop_assert!(!(loose == CheckStatus::Fail && strict == CheckStatus::Pass));
        prop_assert!(n >= 200 || strict != CheckStatus::Pass);
    }
}
