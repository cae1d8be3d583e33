//! What the machine explains of a comparison, and what it never does.

use super::*;
use crate::result::fixture::{busy, on_machine};

/// Five remembered runs on a quiet machine.
fn quiet_past() -> Baseline {
    let results: Vec<_> =
        QUIET.iter().map(|deviation| on_machine(all_by(*deviation), &[busy(Some(0.02), 0.6); 10])).collect();
    Baseline { runs: remembered(&results, None), ..Baseline::default() }
}

#[test]
fn what_got_worse_beside_busy_neighbours_is_open_and_said_with_the_numbers() {
    let starved = on_machine(all_by(1.5), &[busy(Some(0.6), 0.0); 10]);
    let found = verdict(&rules(), &starved, &quiet_past());
    assert_eq!(
        (found.status, found.reasons.as_slice()),
        (Status::Inconclusive, [Reason::TooNoisy].as_slice())
    );
    let p95 = delta(&found, P95, Some("GET /b"));
    let Some(Because::MachineBusy { others, remembered, idle, times_as_busy }) = p95.because else {
        panic!("{p95:?}")
    };
    assert!((others - 0.6).abs() < 1e-9 && remembered == Some(0.02) && idle.abs() < 1e-9);
    // 100 % busy now, 40 % then.
    assert!(times_as_busy.is_some_and(|times| (times - 2.5).abs() < 1e-9));
    assert!(p95.candidate, "it still says that it got worse, so that nobody remembers it");
}

#[test]
fn a_heavier_version_on_a_quiet_machine_fails_however_busy_it_keeps_it() {
    for machine in [busy(Some(0.02), 0.6), busy(Some(0.03), 0.0), busy(None, 0.0)] {
        let heavy = on_machine(one_by(0.4), &[machine; 10]);
        assert_eq!(verdict(&rules(), &heavy, &quiet_past()).status, Status::Failed, "{machine:?}");
    }
}

#[test]
fn a_small_neighbour_does_not_hide_a_large_regression() {
    let beside = on_machine(one_by(2.0), &[busy(Some(0.15), 0.5); 10]);
    assert_eq!(verdict(&rules(), &beside, &quiet_past()).status, Status::Failed);
}

#[test]
fn failures_that_came_too_late_are_open_and_others_fail() {
    let failing = |kind: &str, machine| {
        let mut result = on_machine(measured([1.0; 6], 120), &[machine; 10]);
        let counts = result.whole_run.endpoints.iter_mut().map(|endpoint| &mut endpoint.failed);
        for failed in counts.chain([&mut result.whole_run.failed]) {
            if let Some(count) = failed.remove("status") {
                failed.insert(kind.to_owned(), count);
            }
        }
        result.series.iter_mut().for_each(|point| point.failed = 12);
        judge(&rules(), &result, Some(&quiet_past())).status
    };
    let (starved, quiet) = (busy(Some(0.6), 0.0), busy(Some(0.0), 0.6));
    assert_eq!(failing("dropped", starved), Status::Inconclusive);
    assert_eq!((failing("status", starved), failing("dropped", quiet)), (Status::Failed, Status::Failed));
}

#[test]
fn what_is_only_known_from_below_is_explained_by_nothing_that_has_a_bound() {
    // A fifth of the requests of one endpoint hang: its p95 is at least 150 ms, 1.43 times what it was.
    let hanging = || {
        let mut recording = Recording::new(NAMES.len(), 1, 1);
        for (index, endpoint) in recording.endpoints.iter_mut().enumerate() {
            let lost = if index == 1 { 200 } else { 0 };
            succeed(&mut endpoint.steady, 1_000 - lost, 10.0, 110.0);
            fail(&mut endpoint.steady, FailureKind::Timeout, lost, 150);
        }
        summarise(&plan(&NAMES), &run(recording), context())
    };
    let status =
        |result: &RunResult| delta(&verdict(&rules(), result, &quiet_past()), P95, Some("GET /b")).status;
    // Others explain (.5 + .2) ÷ (.5 − .2).
    let neighbour = [busy(Some(0.25), 0.5); 10];
    assert_eq!(status(&on_machine(hanging(), &neighbour)), DeltaStatus::Regression);
    assert_eq!(status(&on_machine(one_by(0.43), &neighbour)), DeltaStatus::Inconclusive);
    assert_eq!(status(&on_machine(hanging(), &[busy(Some(0.6), 0.0); 10])), DeltaStatus::Inconclusive);
    let late = |result: RunResult| {
        let mut result = on_machine(result, &[busy(Some(0.02), 0.6); 10]);
        result.generator.schedule_lag_p99_ms = Some(60.0);
        result
    };
    assert_eq!(status(&late(hanging())), DeltaStatus::Regression);
    assert_eq!(status(&late(one_by(0.43))), DeltaStatus::Invalid);
}

#[test]
fn seconds_in_which_an_endpoint_was_not_made_are_no_excuse_of_it() {
    let mut seconds = vec![busy(Some(0.02), 0.6); 20];
    seconds[10..].fill(busy(Some(0.6), 0.0));
    let mut result = on_machine(one_by(1.5), &seconds);
    let status =
        |result: &RunResult| delta(&verdict(&rules(), result, &quiet_past()), P95, Some("GET /b")).status;
    assert_eq!(status(&result), DeltaStatus::Inconclusive);
    for point in &mut result.series[10..] {
        point.endpoints.remove("GET /b");
    }
    assert_eq!(status(&result), DeltaStatus::Regression);
}
