//! Objectives in windows, and runs that they stopped, as they look.

use super::*;
use crate::result::verdict::CheckScope;
use crate::result::window::{Aborted, WindowPoint, WindowSeries};

/// A small run whose p95 was measured in windows of 10 s.
fn windowed(points: &[(u64, f64)]) -> RunResult {
    let point = |(index, (n, value)): (usize, &(u64, f64))| WindowPoint {
        t_s: 2.0 + 10.0 * index as f64,
        n: *n,
        value: Some(*value),
        above: Some(0),
        unanswered: None,
        of: 1,
    };
    let series = WindowSeries {
        scope: CheckScope::Total,
        endpoint: None,
        metric: "p95".into(),
        length_s: 10,
        limit: 500.0,
        points: points.iter().enumerate().map(point).collect(),
        tells_unanswered: true,
    };
    RunResult { windows: vec![series], ..small() }
}

fn every_10_s(limit: f64) -> Objective {
    let window = Some(std::time::Duration::from_secs(10));
    Objective { window, ..objective(Scope::Total, p(Percentile::P95), limit) }
}

/// From the objectives on.
fn end(result: &RunResult) -> String {
    let text = render(result, &Screen { width: 100, color: Color::Never, folder: None });
    text.split_once("\nObjectives\n").map(|(_, end)| end.to_owned()).unwrap_or_default()
}

#[test]
fn a_check_of_windows_tells_which_one_broke() {
    let result = windowed(&[(400, 81.0), (400, 612.0), (90, 95.0)]);
    let short = RunResult { steady_s: 8.0, ..windowed(&[]) };
    insta::assert_snapshot!(end(&judged(vec![every_10_s(500.0)], result.clone())), @r"
                metric             of             value  limit       n
     ──────────────────────────────────────────────────────────────────
      ✗ broken  p95 in every 10 s  all requests  612 ms  ≤ 500 ms  400
      > p95 of all requests in every 10 s: 1 of 3 windows broke, the worst from 12 s to 22 s

    FAILED  1 objective is broken: p95 of all requests in every 10 s is 612 ms from 12 s to 22 s, limit
            500 ms
    next: find out what changed; the limit stands in line 41 of the configuration
    ");
    insta::assert_snapshot!(end(&judged(vec![every_10_s(700.0)], result)), @r"
                   metric             of              value  limit      n
     ─────────────────────────────────────────────────────────────────────
      ? undecided  p95 in every 10 s  all requests  95.0 ms  ≤ 700 ms  90
      > p95 of all requests in every 10 s: 90 requests from 22 s to 32 s, and p95 needs 200
      > p95 of all requests in every 10 s: 1 of 3 windows had too little to say

    INCONCLUSIVE  1 objective is undecided: p95 of all requests in every 10 s: 90 requests from 22 s to
                  32 s, and p95 needs 200
    next: take longer windows, or more load
    ");
    insta::assert_snapshot!(end(&judged(vec![every_10_s(700.0)], short)), @r"
                   metric             of            value  limit     n
     ──────────────────────────────────────────────────────────────────
      ? undecided  p95 in every 10 s  all requests      –  ≤ 700 ms  0
      > p95 of all requests in every 10 s: no window of 10 s fits into the 8 s of constant load. To do:
        run longer, or take shorter windows.

    INCONCLUSIVE  1 objective is undecided: p95 of all requests in every 10 s: no window of 10 s fits
                  into the 8 s of constant load
    next: run longer, or take shorter windows
    ");
    insta::assert_snapshot!(end(&judged(vec![every_10_s(700.0)], small())), @r"
                   metric             of            value  limit     n
     ──────────────────────────────────────────────────────────────────
      ? undecided  p95 in every 10 s  all requests      –  ≤ 700 ms  0
      > p95 of all requests in every 10 s: the result holds no windows of 10 s. To do: run it again:
        windows are measured while the load runs.

    INCONCLUSIVE  1 objective is undecided: p95 of all requests in every 10 s: the result holds no
                  windows of 10 s
    next: run it again: windows are measured while the load runs
    ");
}

#[test]
fn a_run_that_was_stopped_says_by_what_and_when() {
    let aborted = Aborted {
        scope: CheckScope::Endpoint,
        endpoint: Some("GET /health".into()),
        metric: "p95".into(),
        length_s: None,
        limit: 50.0,
        at_s: 12.0,
        value: 105.2,
        n: 421,
        above: Some(240),
        unanswered: None,
    };
    let of = |limit| objective(Scope::Endpoint("GET /health".into()), p(Percentile::P95), limit);
    let stopped = RunResult { aborted: Some(aborted), duration_s: 12.1, ..small() };
    let broken = judged(vec![of(50.0)], stopped.clone());
    assert!(plain(&broken, 200).contains(
        "warning: the run was stopped early, after 12 s: p95 of GET /health was 105 ms so far, limit 50 ms. To do: "
    ));
    insta::assert_snapshot!(end(&broken), @r"
                metric  of            value  limit      n
     ─────────────────────────────────────────────────────
      ✗ broken  p95     GET /health  105 ms  ≤ 50 ms  421

    FAILED  1 objective is broken: p95 of GET /health is 105 ms, limit 50 ms; it stopped the run after
            12 s
    next: find out what changed; the limit stands in line 41 of the configuration
    ");
    insta::assert_snapshot!(end(&judged(vec![of(200.0)], stopped)), @r"
              metric  of            value  limit         n
     ──────────────────────────────────────────────────────
      ✓ pass  p95     GET /health  105 ms  ≤ 200 ms  1,000

    INCONCLUSIVE  the run was stopped early, after 12 s: p95 of GET /health was 105 ms so far, limit
                  50 ms; what came after is not known
    next: find out what broke it, and run it again to the end
    ");
}
