//! Requests that did not end, and arrivals that were not started: no data is never a pass.

use super::*;

#[test]
fn too_many_unfinished_requests_leave_percentiles_open() {
    let mut result = small();
    result.whole_run.unfinished = 20;
    let ratio = 20.0 / 1_020.0;
    let open = (CheckStatus::Undecided, Some(Because::Unfinished { ratio }));
    assert_eq!(check(total(P95, 1_000.0), &result), open);
    assert_eq!(check(total(P95, 50.0), &result).0, CheckStatus::Fail, "6 in 10 are slower: proven anyway");
    let cut_off = (CheckStatus::Undecided, Some(Because::CutOff { unfinished: 20 }));
    assert_eq!(check(total(Metric::ErrorRate, 0.01), &result), cut_off, "20 of 1,020 may have failed");
    assert_eq!(check(total(Metric::ErrorRate, 0.02), &result).0, CheckStatus::Pass);
    let verdict = judge(&rules(vec![total(P95, 1_000.0)]), &result);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Inconclusive, 0));
    result.whole_run.unfinished = 10;
    assert_eq!(check(total(P95, 1_000.0), &result), (CheckStatus::Pass, None), "10 of 1,010 is below 1 %");
    // An earlier version does not say where they were and how long, and any of them may be the longest.
    for metric in [Metric::Max, Metric::Mean] {
        let open = (CheckStatus::Undecided, Some(Because::CutOff { unfinished: 10 }));
        assert_eq!(check(total(metric, 1e6), &result), open, "{metric:?}");
        assert_eq!(check(of("GET /health", metric, 1e6), &result), open, "{metric:?}");
    }
}

/// 1,000 requests of 50 ms and one of 1 ms at another endpoint, and so many that were cut off after 5.2 s.
fn with_cut_off(n: u64) -> RunResult {
    let mut recording = Recording::new(2, 1, 1);
    succeed(&mut recording.endpoints[0].steady, 1_000 - n, 50.0, 50.0);
    cut_off(&mut recording.endpoints[0].steady, n, 5_200);
    succeed(&mut recording.endpoints[1].steady, 1, 1.0, 1.0);
    recording.unfinished = n;
    summarise(&plan(&["GET /a", "GET /b"]), &run(recording), context())
}

#[test]
fn a_request_that_was_cut_off_took_at_least_as_long_as_it_was_in_flight() {
    use CheckStatus::{Fail, Pass, Undecided};
    let open = |unfinished| (Undecided, Some(Because::CutOff { unfinished }));
    for (metric, limit, n, expected) in [
        // A few of them, as in an ordinary run: a percentile tolerates them, and an error rate.
        (P95, 60.0, 3, (Pass, None)),
        (Metric::ErrorRate, 0.01, 3, (Pass, None)),
        (Metric::ErrorRate, 0.01, 11, open(11)),
        // They took longer than this.
        (Metric::Max, 1_000.0, 3, (Fail, None)),
        (Metric::Max, 10_000.0, 3, open(3)),
        // (3 · 5,200 + 997 · 50) ÷ 1,000 = 65.5
        (Metric::Mean, 65.0, 3, (Fail, None)),
        (Metric::Mean, 66.0, 3, open(3)),
        (Metric::Mean, 66.0, 0, (Pass, None)),
        // Ranks are exact, however many they are.
        (P95, 60.0, 50, (Pass, None)),
        (P95, 6_000.0, 51, open(51)),
        (P95, 5_000.0, 51, (Fail, None)),
        (Metric::Response(Percentile::P50), 60.0, 400, (Pass, None)),
    ] {
        let result = with_cut_off(n);
        assert_eq!(check(of("GET /a", metric, limit), &result), expected, "{metric:?} {limit} {n}");
        assert_eq!(check(of("GET /b", Metric::Max, 10.0), &result), (Pass, None), "{n}");
        let all = Objective { over: Over::WholeRun, ..of("GET /a", metric, limit) };
        assert_eq!(check(all, &result).0, expected.0, "whole run: {metric:?} {limit} {n}");
    }
    // Of which custom metric a request was is not known.
    let mut recording = Recording::new(1, 1, 1);
    succeed(&mut recording.endpoints[0].steady, 1_000, 1.0, 1.0);
    cut_off(&mut recording.endpoints[0].rest, 2, 5_200);
    record(&mut recording.metrics[0].steady, 1_000, 1.0, 2.0);
    recording.unfinished = 2;
    let result = summarise(&plan(&["GET /a"]), &run(recording), context());
    let metric = |metric| objective(Scope::Metric("build_created".into()), metric, 1e6);
    assert_eq!(check(metric(Metric::Max), &result), open(2));
    assert_eq!(check(metric(P95), &result), (Pass, None));
    assert_eq!(check(total(Metric::Max, 10.0), &result), (Pass, None), "it was due in the ramp");
}

#[test]
fn arrivals_that_were_not_started_may_have_been_the_slowest() {
    let mut result = of_requests(10_000);
    let p999 = || total(Metric::Response(Percentile::P999), 1_000.0);
    assert_eq!(check(p999(), &result), (CheckStatus::Pass, None));
    // In the ramp, they say nothing of the steady phase.
    result.whole_run.endpoints[0].not_started = 90;
    assert_eq!(check(p999(), &result), (CheckStatus::Pass, None));
    // 0.9 % of all: as `dropped` they would leave both open.
    (result.totals.not_started, result.endpoints[0].not_started) = (90, 90);
    let open = (CheckStatus::Undecided, Some(Because::NotStarted { count: 90 }));
    for objective in [p999(), total(Metric::Max, 1e6), total(Metric::Mean, 1e6)] {
        assert_eq!(check(objective, &result), open);
    }
    assert_eq!(check(total(P95, 1_000.0), &result), (CheckStatus::Pass, None));
}

#[test]
fn arrivals_that_the_generator_was_too_late_for_break_nothing_and_are_no_pass_either() {
    let at_most = |limit| total(Metric::ErrorRate, limit);
    let mut result = small();
    assert_eq!(result.whole_run.error_rate, Some(0.0));
    let n = result.whole_run.ok;
    result.whole_run.endpoints[0].not_started = n / 99;
    // One of a hundred: it holds at 2 % with them as well, at 0.5 % only without them.
    assert_eq!(check(at_most(0.02), &result), (CheckStatus::Pass, None));
    let because = Some(Because::NotStarted { count: n / 99 });
    assert_eq!(check(at_most(0.005), &result), (CheckStatus::Invalid, because));
    let name = result.whole_run.endpoints[0].name.clone();
    assert_eq!(check(of(&name, Metric::ErrorRate, 0.005), &result), (CheckStatus::Invalid, because));
    // What is broken without them is broken.
    result.whole_run.error_rate = Some(0.03);
    assert_eq!(check(at_most(0.02), &result), (CheckStatus::Fail, None));
}
