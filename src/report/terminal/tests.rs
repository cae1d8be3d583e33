//! The report as it looks.

pub mod comparison;
mod window;

use super::{Screen, render};
use crate::config::render::Color;
use crate::gate::judge;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Applies, Objective, Rules, Scope, Severity};
use crate::result::fixture::{objective, of_requests, rich, small};
use crate::result::schema::{RunResult, Signal};

fn judged(objectives: Vec<Objective>, mut result: RunResult) -> RunResult {
    result.verdict = Some(judge(&Rules { objectives, baseline: None }, &result, None));
    result
}

fn p(percentile: Percentile) -> Metric {
    Metric::Response(percentile)
}

fn everything() -> RunResult {
    let of = |name: &str| Scope::Endpoint(name.into());
    let seed = Objective {
        message: Some("see runbook 7".into()),
        ..objective(of("POST /api/v1/builds"), p(Percentile::P95), 3_000.0)
    };
    let warn = objective(of("WS /ws/builds/{id}"), Metric::MissingMessages, 0.0);
    let other = objective(of("GET /other"), p(Percentile::P95), 500.0);
    judged(
        vec![
            objective(Scope::Total, p(Percentile::P95), 4_000.0),
            objective(Scope::Total, Metric::ErrorRate, 0.01),
            seed,
            objective(of("GET /api/v1/builds/{id}/code"), p(Percentile::P95), 500.0),
            objective(of("DELETE /api/v1/builds/{id}"), p(Percentile::P95), 500.0),
            Objective { severity: Severity::Warn, ..warn },
            objective(Scope::Metric("build_created".into()), p(Percentile::P95), 10_000.0),
            objective(Scope::Total, Metric::Throughput, 100.0),
            Objective { applies: Applies::Elsewhere, ..other },
        ],
        rich(),
    )
}

fn plain(result: &RunResult, width: usize) -> String {
    let folder = Some("reports/build_flow-demo-20261124T101500Z".to_owned());
    render(result, &Screen { width, color: Color::Never, folder })
}

/// The last paragraph: the verdict.
fn verdict(result: &RunResult) -> String {
    let text = render(result, &Screen { width: 100, color: Color::Never, folder: None });
    text.trim_end().rsplit("\n\n").next().unwrap_or_default().to_owned()
}

#[test]
fn a_small_run_is_a_small_report() {
    let result = judged(vec![objective(Scope::Total, p(Percentile::P95), 2_000.0)], small());
    insta::assert_snapshot!(plain(&result, 80), @r"
    hyperkit: build_flow on demo
    100 users, 50 a second; 30 s, of which 28 s are judged; seed 42
    target: http://127.0.0.1:8000

    Endpoints (response time, steady phase)
      endpoint        ok  failed  ok/s      p50     p95     p99     max  service
                                                                             p95
     ────────────────────────────────────────────────────────────────────────────
      GET /health  1,000       0  35.7  60.0 ms  105 ms  109 ms  110 ms  94.5 ms
      all          1,000       0  35.7  60.0 ms  105 ms  109 ms  110 ms  94.5 ms

    Custom metrics
      metric         count  p50  p95  p99  max
     ──────────────────────────────────────────
      build_created      0    –    –    –    –

    Generator
      9.13 µs of CPU a request, 20.4 % of its cores busy, 100 % of the plan started,
      0.12 ms late at p99, woken 0.11 ms late at p99, 0 % of the CPU stolen, 20.4 MB

    Objectives
              metric  of             value  limit      n
     ────────────────────────────────────────────────────
      ✓ pass  p95     all requests  105 ms  ≤ 2 s  1,000

    PASSED  the objective holds
    files: reports/build_flow-demo-20261124T101500Z
    ");
}

#[test]
fn a_rich_run_at_100_columns() {
    insta::assert_snapshot!(plain(&everything(), 100), @r"
    hyperkit: build_flow on demo
    100 users, 50 a second; 30 s, of which 28 s are judged; seed 42
    target: http://127.0.0.1:8000

    Endpoints (response time, steady phase)
      endpoint                           ok  failed  ok/s      p50      p95      p99       max  service
                                                                                                    p95
     ───────────────────────────────────────────────────────────────────────────────────────────────────
      ! POST /api/v1/builds           2,300      34  82.1   2.11 s   3.30 s   3.40 s  ≥ 30.0 s   2.97 s
      ! DELETE /api/v1/builds/{id}        0       0  0.00        –        –        –         –        –
      ! GET /api/v1/…ilds/{id}/code     150       0  5.36  20.9 ms  38.1 ms  39.6 ms   39.9 ms  34.3 ms
      ! WS /ws/builds/{id}              300       0  10.7  3.49 ms  5.74 ms  5.94 ms   5.99 ms  5.17 ms
      POST /api/v1/auth/test-token        0       0  0.00        –        –        –         –        –
      GET /api/v1/users/me/stats     12,345       0   441  1.15 ms  1.82 ms  1.88 ms   1.90 ms  1.64 ms
      all                            15,095      34   539  1.32 ms   2.57 s   3.26 s  ≥ 30.0 s   2.32 s

    Custom metrics
      metric         count     p50     p95     p99       max
     ────────────────────────────────────────────────────────
      build_created  2,300  1.90 s  2.97 s  3.06 s  ≥ 30.0 s

    Failures (whole run)
           23 × timeout         POST /api/v1/builds
                no response within 30 s
           11 × status          POST /api/v1/builds
                status 503: \u{1b}[31mtoken *** refused

    Generator
      9.13 µs of CPU a request, 20.4 % of its cores busy, 100 % of the plan started, 0.12 ms late at
      p99, woken 0.11 ms late at p99, 0 % of the CPU stolen, 20.4 MB
    warning: the port 9090 is taken: no live metrics

    Objectives
                   metric            of                              value  limit          n
     ────────────────────────────────────────────────────────────────────────────────────────
      ✗ broken     p95               POST /api/v1/builds            3.30 s  ≤ 3 s      2,330
      ! invalid    p95               DELETE /api/v1/builds/{id}          –  ≤ 500 ms       0
      ? undecided  p95               GET /api/v1/builds/{id}/code  38.1 ms  ≤ 500 ms     150
      ! warning    missing_messages  WS /ws/builds/{id}                  2  ≤ 0          600
      ✓ pass       p95               all requests                   2.58 s  ≤ 4 s     15,125
      ✓ pass       error_rate        all requests                   0.22 %  ≤ 1 %     15,229
      ✓ pass       p95               build_created                  2.97 s  ≤ 10 s     2,323
      ✓ pass       throughput        all requests                    539/s  ≥ 100/s   15,095
      - not here   p95               GET /other                          –  ≤ 500 ms       0
      > p95 of POST /api/v1/builds: see runbook 7
      > p95 of DELETE /api/v1/builds/{id}: it was never requested. To do: let the scenario reach it, or
        take the objective out.
      > p95 of GET /api/v1/builds/{id}/code: 150 requests, and p95 needs 200

    FAILED  1 objective is broken: p95 of POST /api/v1/builds is 3.30 s, limit 3 s
    next: find out what changed; the limit stands in line 41 of the configuration
    files: reports/build_flow-demo-20261124T101500Z
    ");
}

#[test]
fn a_rich_run_at_80_columns() {
    insta::assert_snapshot!(plain(&everything(), 80), @r"
    hyperkit: build_flow on demo
    100 users, 50 a second; 30 s, of which 28 s are judged; seed 42
    target: http://127.0.0.1:8000

    Endpoints (response time, steady phase)
      endpoint                          ok  failed  ok/s      p50      p95      p99
     ───────────────────────────────────────────────────────────────────────────────
      ! POST /api/v1/builds          2,300      34  82.1   2.11 s   3.30 s   3.40 s
      ! DELETE /api/v1/builds/{id}       0       0  0.00        –        –        –
      ! GET /api/v1…ilds/{id}/code     150       0  5.36  20.9 ms  38.1 ms  39.6 ms
      ! WS /ws/builds/{id}             300       0  10.7  3.49 ms  5.74 ms  5.94 ms
      POST /api/v1/auth/test-token       0       0  0.00        –        –        –
      GET /api/v1/users/me/stats    12,345       0   441  1.15 ms  1.82 ms  1.88 ms
      all                           15,095      34   539  1.32 ms   2.57 s   3.26 s

    Custom metrics
      metric         count     p50     p95     p99       max
     ────────────────────────────────────────────────────────
      build_created  2,300  1.90 s  2.97 s  3.06 s  ≥ 30.0 s

    Failures (whole run)
           23 × timeout         POST /api/v1/builds
                no response within 30 s
           11 × status          POST /api/v1/builds
                status 503: \u{1b}[31mtoken *** refused

    Generator
      9.13 µs of CPU a request, 20.4 % of its cores busy, 100 % of the plan started,
      0.12 ms late at p99, woken 0.11 ms late at p99, 0 % of the CPU stolen, 20.4 MB
    warning: the port 9090 is taken: no live metrics

    Objectives
                   metric            of                             value  limit
     ───────────────────────────────────────────────────────────────────────────────
      ✗ broken     p95               POST /api/v1/builds           3.30 s  ≤ 3 s
      ! invalid    p95               DELETE /api/v1/builds/{id}         –  ≤ 500 ms
      ? undecided  p95               GET /api/v1/b…lds/{id}/code  38.1 ms  ≤ 500 ms
      ! warning    missing_messages  WS /ws/builds/{id}                 2  ≤ 0
      ✓ pass       p95               all requests                  2.58 s  ≤ 4 s
      ✓ pass       error_rate        all requests                  0.22 %  ≤ 1 %
      ✓ pass       p95               build_created                 2.97 s  ≤ 10 s
      ✓ pass       throughput        all requests                   539/s  ≥ 100/s
      - not here   p95               GET /other                         –  ≤ 500 ms
      > p95 of POST /api/v1/builds: see runbook 7
      > p95 of DELETE /api/v1/builds/{id}: it was never requested. To do: let the
        scenario reach it, or take the objective out.
      > p95 of GET /api/v1/builds/{id}/code: 150 requests, and p95 needs 200

    FAILED  1 objective is broken: p95 of POST /api/v1/builds is 3.30 s, limit 3 s
    next: find out what changed; the limit stands in line 41 of the configuration
    files: reports/build_flow-demo-20261124T101500Z
    ");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [72, 80, 100, 120, 200] {
        for line in plain(&everything(), width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let folder = Some("reports/build_flow-demo-20261124T101500Z".to_owned());
    let colored = render(&everything(), &Screen { width: 100, color: Color::Always, folder });
    let codes = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert_eq!(codes.replace_all(&colored, ""), plain(&everything(), 100));
    assert!(colored.contains("\u{1b}[1;31mFAILED\u{1b}[0m"));
    assert!(colored.contains("\u{1b}[31m✗\u{1b}[0m broken"));
}

#[test]
fn nothing_of_a_response_reaches_the_terminal_raw() {
    let text = plain(&everything(), 100);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(text.contains("status 503: \\u{1b}[31mtoken *** refused"));
}

#[test]
fn what_was_found_about_the_run_is_told_with_its_remedy() {
    let mut result = small();
    result.whole_run.unfinished = 500;
    let text = plain(&judged(vec![], result), 100);
    assert!(text.contains("warning: 33.3 % of all requests were cut off at the end"));
    assert!(text.contains("raise `load.drain`"));
}

#[test]
fn every_verdict_says_what_to_do_next() {
    let p95 = |limit| objective(Scope::Total, p(Percentile::P95), limit);
    let overloaded = |mut result: RunResult| {
        result.generator.cpu_utilisation = 0.97;
        result
    };
    let late = |mut result: RunResult| {
        result.generator.schedule_lag_p99_ms = Some(80.0);
        result
    };
    let stopped = RunResult { interrupted: true, signal: Some(Signal::Sigterm), duration_s: 12.0, ..small() };
    let said: Vec<_> = vec![
        judged(vec![], small()),
        judged(vec![p95(2_000.0), p95(1_000.0)], small()),
        judged(vec![p95(50.0)], small()),
        judged(vec![p95(2_000.0)], of_requests(100)),
        judged(vec![p95(50.0)], late(small())),
        judged(vec![p95(2_000.0)], overloaded(small())),
        judged(vec![p95(2_000.0)], of_requests(0)),
        judged(vec![p95(2_000.0)], stopped),
        small(),
    ]
    .into_iter()
    .map(|result| verdict(&result))
    .collect();
    insta::assert_snapshot!(said.join("\n\n"), @r"
    PASSED  the service was measured, and there is no objective to judge by
    next: add `thresholds` to the configuration

    PASSED  all 2 objectives hold

    FAILED  1 objective is broken: p95 of all requests is 105 ms, limit 50 ms
    next: find out what changed; the limit stands in line 41 of the configuration

    INCONCLUSIVE  1 objective is undecided: p95 of all requests: 100 requests, and p95 needs 200
    next: run longer: with this load, 56 s of constant load

    INVALID  1 objective cannot be judged: p95 of all requests: the generator itself was 80.0 ms late
             (p99, at most 10.9 ms here)
    next: use a larger runner, or less load

    INVALID  the generator used 97 % of its cores, above 90 %: it was the limit, not the service
    next: use a larger runner, or less load

    INVALID  no request ended in the 28 s of constant load
    next: let the run last longer than its ramp and warm-up, and look at the failures

    INTERRUPTED  stopped by a request to terminate after 12 s; the numbers are partial and compared with
                 nothing
    next: run it again to the end

    NOT JUDGED  the result holds no verdict
    ");
}
