//! Numbers that a run has fewer samples of than usual, or of which some are missing: that never makes a pass.

use super::*;
use crate::result::schema::Point;

/// Which of the endpoints the tests are about.
const B: usize = 1;

/// A run in which `fill` says what the second endpoint had; the others had 1,000 requests.
pub fn second(fill: impl Fn(&mut Recording)) -> RunResult {
    let mut recording = Recording::new(NAMES.len(), 1, 1);
    for (index, endpoint) in recording.endpoints.iter_mut().enumerate().filter(|(index, _)| *index != B) {
        let _ = index;
        succeed(&mut endpoint.steady, 1_000, 10.0, 110.0);
    }
    fill(&mut recording);
    summarise(&plan(&NAMES), &run(recording), context())
}

/// One in which it had so many requests, times a factor.
pub fn of_count(n: u64, factor: f64) -> RunResult {
    second(|recording| succeed(&mut recording.endpoints[B].steady, n, 10.0 * factor, 110.0 * factor))
}

/// Runs in which it had so many requests each.
pub fn past_of_counts(counts: &[u64]) -> Baseline {
    let results: Vec<_> =
        counts.iter().zip(QUIET.iter().cycle()).map(|(n, deviation)| of_count(*n, 1.0 + deviation)).collect();
    Baseline { runs: remembered(&results, None), ..Baseline::default() }
}

/// The same run, with the failures of the second endpoint by second, and the other endpoints a hundred times as often
/// in the whole run: all of them together tell nothing of it.
pub fn failing(mut result: RunResult, per_second: &[u64]) -> RunResult {
    let like = result.series[1].clone();
    let point = |(second, failed): (u32, &u64)| {
        let mut point = Point { t_s: f64::from(second), failed: *failed, ..like.clone() };
        point.endpoints.values_mut().for_each(|it| it.failed = 0);
        point.endpoints.entry(NAMES[B].to_owned()).and_modify(|it| it.failed = *failed);
        point
    };
    result.series = (2..).zip(per_second).map(point).collect();
    for (index, counts) in result.whole_run.endpoints.iter_mut().enumerate() {
        if index != B {
            counts.ok *= 100;
            result.whole_run.ok += counts.ok / 100 * 99;
        }
    }
    result
}

fn status_of(verdict: &Verdict, metric: Metric) -> (DeltaStatus, Option<Because>) {
    let delta = delta(verdict, metric, Some(NAMES[B]));
    (delta.status, delta.because)
}

#[test]
fn a_slower_endpoint_with_fewer_requests_than_usual_is_never_passed() {
    let only_p95 = with(|rules| rules.gate_on = vec![P95]);
    let baseline = past_of_counts(&[205; 5]);
    let slow = verdict(&only_p95, &of_count(205, 2.0), &baseline);
    assert_eq!(slow.status, Status::Failed);
    let rarer = |n| (DeltaStatus::Inconclusive, Some(Because::Rarer { n, usual: 205 }));
    // Six of them fail: 199 are left, one too few for a p95.
    let lost = second(|recording| {
        succeed(&mut recording.endpoints[B].steady, 199, 20.0, 220.0);
        fail(&mut recording.endpoints[B].steady, FailureKind::Status, 6, 1);
    });
    let lost = verdict(&only_p95, &lost, &baseline);
    assert_eq!((lost.status, status_of(&lost, P95)), (Status::Inconclusive, rarer(199)));
    // Users who wait for a slower service make fewer requests.
    for n in [199, 110, 20, 1] {
        let fewer = verdict(&only_p95, &of_count(n, 2.0), &baseline);
        assert_eq!((fewer.status, status_of(&fewer, P95)), (Status::Inconclusive, rarer(n)), "{n}");
    }
    assert_eq!(verdict(&only_p95, &of_count(0, 2.0), &baseline).status, Status::Invalid);
}

#[test]
fn where_a_run_has_too_few_requests_as_a_rule_only_lost_ones_are_told() {
    // The middle one of eleven runs has 190.
    let baseline = past_of_counts(&[190, 190, 190, 190, 190, 190, 210, 210, 210, 210, 210]);
    let only_p95 = with(|rules| rules.gate_on = vec![P95]);
    let few = verdict(&only_p95, &of_count(195, 1.0), &baseline);
    let too_few = (DeltaStatus::NotComparable, Some(Because::TooFew { needed: 200 }));
    assert_eq!((few.status, status_of(&few, P95)), (Status::Passed, too_few));
    let lost = second(|recording| {
        succeed(&mut recording.endpoints[B].steady, 195, 10.0, 110.0);
        fail(&mut recording.endpoints[B].steady, FailureKind::Status, 5, 1);
    });
    assert_eq!(verdict(&only_p95, &lost, &baseline).status, Status::Inconclusive);
}

#[test]
fn more_failures_in_one_second_do_not_hide_those_of_all_others() {
    let base = failing(of_count(1_000, 1.0), &[0; 28]);
    let baseline = Baseline { runs: remembered(&vec![base; 5], None), ..Baseline::default() };
    let head = |per_second: &[u64]| {
        let failed = per_second.iter().sum();
        let run = second(|recording| {
            succeed(&mut recording.endpoints[B].steady, 1_000 - failed, 10.0, 110.0);
            fail(&mut recording.endpoints[B].steady, FailureKind::Status, failed, 1);
        });
        verdict(&rules(), &failing(run, per_second), &baseline)
    };
    let spread: [u64; 28] = std::array::from_fn(|second| u64::from(second % 4 == 1));
    // 7 of 1,000 are 0.7 %.
    let found = head(&spread);
    assert_eq!((found.status, worse(&found)), (Status::Failed, vec![(NAMES[B], "error_rate")]));
    let mut clumped = spread;
    clumped[20] += 28;
    let clumped = head(&clumped);
    assert_eq!(clumped.status, Status::Inconclusive);
    let (status, because) = status_of(&clumped, Metric::ErrorRate);
    assert_eq!(status, DeltaStatus::Inconclusive);
    assert!(matches!(because, Some(Because::AboveCatch { .. })), "{because:?}");
    // Where no usual run could pass, an endpoint is not compared, and a rise is still found.
    let rare = failing(of_count(60, 1.0), &[0; 28]);
    let rarely = Baseline { runs: remembered(&vec![rare.clone(); 5], None), ..Baseline::default() };
    let told = verdict(&rules(), &rare, &rarely);
    assert_eq!(status_of(&told, Metric::ErrorRate).0, DeltaStatus::NotComparable);
}

#[test]
fn an_error_rate_is_compared_with_fewer_requests_than_usual() {
    let base = failing(of_count(1_000, 1.0), &[0; 28]);
    let baseline = Baseline { runs: remembered(&vec![base; 5], None), ..Baseline::default() };
    let fewer = verdict(&rules(), &failing(of_count(100, 1.0), &[0; 28]), &baseline);
    assert_eq!(status_of(&fewer, Metric::ErrorRate).0, DeltaStatus::Inconclusive);
}

#[test]
fn a_service_that_always_leaves_requests_unfinished_is_no_slower_than_itself() {
    // A long poll: 60 of 1,000 are in flight at the end of every run.
    let run = || {
        second(|recording| {
            succeed(&mut recording.endpoints[B].steady, 940, 10.0, 110.0);
            cut_off(&mut recording.endpoints[B].steady, 60, 5_200);
            recording.unfinished = 60;
        })
    };
    let runs: Vec<RunResult> = (0..5).map(|_| run()).collect();
    let mut baseline = Baseline { runs: remembered(&runs, None), ..Baseline::default() };
    let p95 = |baseline: &Baseline| status_of(&verdict(&rules(), &run(), baseline), P95).0;
    assert_eq!(p95(&baseline), DeltaStatus::NotComparable, "all that is known of it is a lower bound");
    let told = baseline.runs.values().map(|run| run.metrics[NAMES[B]]).next().unwrap();
    assert_eq!((told.n, told.unfinished, told.p95_ms > 5_000.0), (1_000, Some(60), true));
    // As an earlier version remembered the same runs, without those requests.
    for numbers in baseline.runs.values_mut().flat_map(|run| run.metrics.values_mut()) {
        (numbers.n, numbers.p95_ms, numbers.unfinished) = (940, 105.0, None);
    }
    assert_eq!(p95(&baseline), DeltaStatus::Inconclusive);
    let verdict = verdict(&rules(), &run(), &baseline);
    assert_eq!((verdict.status, worse(&verdict).len()), (Status::Inconclusive, 0));
}

#[test]
fn requests_that_did_not_end_are_no_pass_of_what_they_would_change() {
    let baseline = past(&QUIET);
    let cut = |n: u64, ms: u64| {
        let run = second(|recording| {
            succeed(&mut recording.endpoints[B].steady, 1_000 - n, 10.0, 110.0);
            cut_off(&mut recording.endpoints[B].steady, n, ms);
            recording.unfinished = n;
        });
        verdict(&rules(), &run, &baseline)
    };
    // A few, as in an ordinary run, change nothing.
    assert_eq!(cut(2, 5_200).status, Status::Passed);
    // With 30 of 1,000 as failures the error rate has risen.
    let some = cut(30, 5_200);
    let because = Some(Because::CutOff { unfinished: 30 });
    assert_eq!(
        (some.status, status_of(&some, Metric::ErrorRate)),
        (Status::Inconclusive, (DeltaStatus::Inconclusive, because))
    );
    assert_eq!(status_of(&some, P95).0, DeltaStatus::Pass);
    // With 60 of them the p95 is at least 5.2 s, and with 60 that were just sent, nobody knows.
    assert!(worse(&cut(60, 5_200)).contains(&(NAMES[B], "p95")));
    assert_eq!(
        status_of(&cut(60, 1), P95),
        (DeltaStatus::Inconclusive, Some(Because::CutOff { unfinished: 60 }))
    );
    // Arrivals that the generator was too late for.
    let mut late = of_count(1_000, 1.0);
    late.whole_run.endpoints[B].not_started = 60;
    late.endpoints[B].not_started = 60;
    let late = verdict(&rules(), &late, &baseline);
    let because = (DeltaStatus::Inconclusive, Some(Because::NotStarted { count: 60 }));
    assert_eq!((late.status, status_of(&late, P95)), (Status::Inconclusive, because));
    assert_eq!(status_of(&late, Metric::ErrorRate), because);
}
