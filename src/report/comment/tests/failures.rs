//! Where requests failed: what of that a reader sees first, and why others were never made.

use super::*;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Objective, Rules, Scope};
use crate::report::markdown;
use crate::result::fixture::{fail, objective};

/// A healthy endpoint, one that always fails, and one that is only requested after that one.
fn broken_login(objectives: Vec<Objective>) -> RunResult {
    let names = ["GET /health", "GET /orders", "POST /login"];
    let mut recording = Recording::new(names.len(), 1, 1);
    succeed(&mut recording.endpoints[0].steady, 1_000, 10.0, 110.0);
    fail(&mut recording.endpoints[2].steady, FailureKind::Status, 118, 2);
    fail(&mut recording.endpoints[2].steady, FailureKind::Reset, 2, 1);
    recording.sample(2, &Failure::new(FailureKind::Status, "status 503: `no` | @database"));
    let mut result = crate::result::summary::summarise(&plan(&names), &run(recording), context());
    result.verdict = Some(judge(&Rules { objectives, baseline: None }, &result, None));
    result
}

fn p95(endpoint: &str) -> Objective {
    objective(Scope::Endpoint(endpoint.into()), Metric::Response(Percentile::P95), 500.0)
}

#[test]
fn what_was_never_requested_is_told_with_what_failed_before_it() {
    let result = broken_login(vec![p95("GET /orders"), p95("GET /health"), p95("POST /login")]);
    let text = spaced(&render(&result, &about())).replace('\u{200b}', "");
    insta::assert_snapshot!(text[..text.find("p95 of all").or(text.find("<details>")).unwrap()], @r"
    ### ⚠️ INVALID: ` build_flow ` on ` demo `

    2 objectives cannot be judged, first: p95 of GET /orders: it was never requested; POST /login failed 120 of 120 times, and what follows a failed step is not requested

    Next: look at the failures of POST /login

    ` hyperkit ` · commit abc1234 · [the whole summary](https://github.com/shop/api/actions/runs/42#summary-7) (the artifact of that run has the whole report)

    |  | number | value | limit | how sure | decides |
    |---|---|--:|--:|--:|--:|
    | ⚠️ invalid | ` p95 of POST /login ` | – | ≤ 500 ms | 0 samples | yes |
    | ⚠️ invalid | ` p95 of GET /orders ` | – | ≤ 500 ms | 0 samples | yes |

    **120 of 1,120 requests failed in the whole run**:

    | count | kind | endpoint | a sample |
    |---|---|---|---|
    | 118 | ` status ` | ` POST /login ` | `` status 503: `no` \| @database `` |
    | 2 | ` reset ` | ` POST /login ` | – |

    - p95 of POST /login: nothing was recorded for it in the steady phase. To do: look at the failures, or let the run last longer.
    - never requested, after POST /login failed 120 of 120 times: p95 of GET /orders
    - 120 of 1,120 requests failed, and no objective is about that. To do: add an \`error\_rate\` to \`thresholds\`, or take its \`null\` away.

    ");
    let endpoints = &text[text.find("| endpoint | ok |").unwrap()..];
    let first = endpoints.lines().nth(2).unwrap();
    assert!(first.starts_with("| \\! ` POST /login ` | 0 | 120 (100 %) |"), "{endpoints}");
    assert_eq!(text.matches("no response").count() + text.matches("status 503").count(), 1, "{text}");
}

#[test]
fn a_broken_error_rate_shows_failures_openly_and_a_pass_folds_them() {
    let all = objective(Scope::Total, Metric::ErrorRate, 0.01);
    let text = render(&broken_login(vec![all.clone(), p95("GET /health")]), &about());
    let above = &text[..text.find("<details>").unwrap()];
    assert!(above.contains("**120 of 1,120 requests failed in the whole run**:\n\n| count |"), "{above}");
    let fine = render(&broken_login(vec![Objective { limit: 0.5, ..all }, p95("GET /health")]), &about());
    assert!(fine.starts_with("### ✅ PASSED"), "{fine}");
    let (above, folds) = fine.split_at(fine.find("<details>").unwrap());
    assert!(!above.contains("| count |"), "{above}");
    assert!(folds.contains("<summary>120 of 1,120 requests failed in the whole run</summary>"), "{folds}");
}

#[test]
fn of_many_kinds_of_failures_five_are_above_and_all_are_below() {
    let mut result = broken_login(vec![p95("POST /login")]);
    let failure = result.failures[0].clone();
    result.failures =
        (0..9).map(|n| crate::result::schema::Failure { count: 10 - n, ..failure.clone() }).collect();
    let text = render(&result, &about());
    let above = &text[..text.find("<details>").unwrap()];
    assert!(above.contains(", the most frequent of it (4 more below):\n"), "{above}");
    let rows: Vec<_> = shapes(&text).into_iter().filter(|(_, columns)| *columns == 4).collect();
    assert_eq!(rows, [(5, 4), (9, 4)], "{text}");
}

#[test]
fn the_summary_has_them_before_its_endpoints_where_they_say_something() {
    let at = |result: &RunResult, part: &str| markdown::render(result).find(part).unwrap();
    let failed = broken_login(vec![p95("POST /login")]);
    assert!(at(&failed, "## Objectives") < at(&failed, "## Failures"));
    assert!(at(&failed, "## Failures") < at(&failed, "## Endpoints"));
    let fine = broken_login(vec![p95("GET /health")]);
    assert!(at(&fine, "## Failures") > at(&fine, "## Endpoints"));
}
