//! Every kind of verdict, and two comments as they are.

use super::*;
use crate::plan::rules::Rules;
use crate::result::fixture::small;
use crate::result::salvage::Salvaged;
use crate::result::schema::Signal;
use crate::result::verdict::CheckScope;
use crate::result::window::Aborted;

/// A small run that something happened to, judged by one objective that holds.
fn after(change: impl Fn(&mut RunResult)) -> RunResult {
    let mut result = small();
    change(&mut result);
    let rules = Rules { baseline: None, ..rules(Confirmation::Off) };
    result.verdict = Some(judge(&rules, &result, None));
    result
}

fn aborted() -> Aborted {
    Aborted {
        scope: CheckScope::Total,
        endpoint: None,
        metric: "p95".into(),
        length_s: None,
        limit: 50.0,
        at_s: 12.0,
        value: 105.0,
        n: 400,
        above: None,
        unanswered: None,
    }
}

fn half_written() -> RunResult {
    let salvaged = Salvaged { missing: vec!["series".into()], ..Salvaged::default() };
    RunResult { salvaged: Some(salvaged), ..after(|_| {}) }
}

fn of_no_objective() -> RunResult {
    let mut result = small();
    result.verdict = Some(judge(&Rules { objectives: Vec::new(), baseline: None }, &result, None));
    result
}

#[test]
fn every_kind_of_verdict_has_its_sign_its_word_and_what_to_do() {
    let off = Confirmation::Off;
    let stop = |result: &mut RunResult| {
        (result.interrupted, result.signal) = (true, Some(Signal::Sigterm));
    };
    let noisy = [0.0, 0.2, -0.2, 0.25, -0.15];
    let cases = vec![
        (compared(off, &[0.0, 0.01, -0.01, 0.02, -0.02]), "✅ PASSED", "none of 3 numbers got worse"),
        (judged(), "❌ FAILED", "the limit stands in line 41"),
        (compared(off, &FASTER), "❌ FAILED", "    loadgate baseline accept --scenario build_flow"),
        (compared(Confirmation::Required, &FASTER), "❔ INCONCLUSIVE", "-e demo --confirm RESULT"),
        (compared(off, &noisy), "❔ INCONCLUSIVE", "run longer, on a quieter machine"),
        (after(|it| it.generator.cpu_utilisation = 0.99), "⚠️ INVALID", "Next: use a larger runner"),
        (after(stop), "⏹️ INTERRUPTED", "Next: run it again to the end"),
        (of_no_objective(), "⚪ PASSED", "add \\`thresholds\\` to the configuration"),
        (after(|it| it.aborted = Some(aborted())), "❔ INCONCLUSIVE", "find out what broke it"),
        (half_written(), "⚠️ PASSED", "Half-written: it lacks series"),
        (small(), "❔ NOT JUDGED", "holds no verdict"),
    ];
    for (result, title, said) in cases {
        for text in [render(&result, &about()), issue(&result, &about())] {
            assert!(text.contains(&format!("### {title}: ` build_flow ` on ` demo `\n")), "{title}: {text}");
            assert!(text.contains(said), "{title}, {said}: {text}");
            assert_eq!(text.contains("a part of a run"), result.is_partial(), "{text}");
            assert!(!text.contains("\n\n\n"), "{text}");
            let once = text.matches("it was the limit, not the service").count() <= 1;
            assert!(once, "what the verdict says is no note: {text}");
        }
    }
}

#[test]
fn whoever_begins_is_told_what_decides_and_what_comes_next() {
    let update = |runs: u8| {
        format!("    loadgate baseline update --scenario build_flow -e demo --runs {runs} --pull-request\n")
    };
    let none = compared(Confirmation::Off, &[]);
    let one = compared(Confirmation::Off, &[0.0]);
    let cases = vec![
        (judged(), "the SLA, by 3 objectives", "    baseline: {budget: 10%}\n", update(5)),
        (none, "the SLA, by 1 objective", "There is no baseline yet", update(5)),
        (one, "the SLA, by 1 objective", "has 1 of 5 runs", update(4)),
        (
            of_no_objective(),
            "nothing: the configuration has no objective",
            "says nothing of a baseline",
            update(5),
        ),
    ];
    for (result, decides, next, command) in cases {
        let text = render(&result, &about());
        let (above, folds) = text.split_at(text.find("<details>").unwrap());
        // What fails is not pushed down by what comes next.
        let failed = result.verdict.as_ref().unwrap().status == Status::Failed;
        let place = if failed { folds } else { above };
        assert_eq!(above.contains("What decides now"), !failed, "{above}");
        assert!(place.contains(&format!("**What decides now:** {decides}")), "{text}");
        assert!(place.contains(next) && place.contains(&command), "{text}");
        let later = render(&result, &About { trail: vec![past(Status::Passed, "def5678")], ..about() });
        let folded = "<details><summary>What decides now, and what comes next</summary>";
        assert!(later.contains(folded), "{later}");
    }
    for result in [compared(Confirmation::Off, &FASTER), after(|it| it.interrupted = true)] {
        assert!(!render(&result, &about()).contains("What decides now"));
    }
}

#[test]
fn the_issue_of_a_run_that_passed_is_closed_by_no_later_one() {
    let text = issue(&compared(Confirmation::Off, &[0.0, 0.01, -0.01, 0.02, -0.02]), &about());
    assert!(text.contains("### ✅ PASSED") && !text.contains("closes this issue"), "{text}");
}

#[test]
fn a_nightly_issue_has_a_title_of_its_own_and_a_trail_with_days() {
    let former = Past { day: "2026-11-23".parse().ok(), ..past(Status::Passed, "def5678") };
    let mut result = judged();
    let body = issue(&result, &About { trail: vec![former], ..about() });
    assert_eq!(title(&result), "loadgate: build_flow on demo: failed");
    assert!(body.contains("\n✅ 2026-11-23 def5678 → ❌ 2026-11-24 abc1234\n"), "{body}");
    assert!(body.contains("The next run that passes closes this issue."), "{body}");
    result.scenario = "a\n@you #1".into();
    assert_eq!(title(&result), "loadgate: a\\n@\u{200b}you #\u{200b}1 on demo: failed");
}

#[test]
fn a_regression_as_a_comment() {
    let mut result = compared(Confirmation::Off, &FASTER);
    let p95: Vec<_> = (0..28).map(|second| Some(if second == 20 { 190.0 } else { 100.0 })).collect();
    result.series = run_of(&p95).series;
    let trail = vec![past(Status::Failed, "def5678def5678"), past(Status::Passed, "0123456789")];
    insta::assert_snapshot!(spaced(&render(&result, &About { trail, ..about() })), @r"
    ### ❌ FAILED: ` build_flow ` on ` demo `

    2 numbers got worse, first: p50 of GET /health is 60.0 ms, \+42.8 % on 42.0 ms \(10 % tolerated\)

    ` hyperkit ` · commit abc1234 · compared with 5 runs on this CPU \(5 in all\) · [the whole summary](https://github.com/shop/api/actions/runs/42#summary-7) (the artifact of that run has the whole report)

    ❌ def5678 → ✅ 0123456 → ❌ abc1234

    |  | number | value | limit | how sure | decides |
    |---|---|--:|--:|--:|--:|
    | ❌ worse | ` p50 of GET /health ` | 42.0 ms → 60.0 ms, +42.8 % | ≤ +10 % | +37.3 … +48.6 % | yes |
    | ❌ worse | ` p95 of GET /health ` | 73.5 ms → 105 ms, +42.8 % | ≤ +10 % | +37.2 … +48.6 % | yes |

    Find out what changed. **If it is meant**, accept it on this branch, and commit the folder of the baseline:

        loadgate baseline accept --scenario build_flow -e demo --metric 'p50 of GET /health' --metric 'p95 of GET /health' --reason '…'

    What is accepted starts anew: from runs with the change in place, once they are remembered (loadgate baseline update).

    p95 of all requests while it was judged: `▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▇▃▃▃▃▃▃▃` 100 ms … 190 ms

    <details><summary>1 objective without a breach</summary>

    |  | objective | value | limit | samples |
    |---|---|--:|--:|--:|
    | ✓ pass | ` p95 of all requests ` | 105 ms | ≤ 2 s | 1,000 |

    </details>

    <details><summary>3 numbers compared, 1 without a change that matters</summary>

    3 numbers compared with 5 runs on this CPU \(5 in all\); false alarms: at most 5 % of runs; tolerated: 10 %, must not slip through: 30 %

    | number | baseline | now | change lies in | limit | found from |
    |---|--:|--:|--:|--:|--:|
    | ` error_rate of all requests ` | 0 % | 0 % | −0.05 … +0.27 pp | ≤ +0.5 pp | 0.73 pp |

    </details>

    <details><summary>1 endpoint</summary>

    | endpoint | ok | failed | p95 | p99 | p95 over time |
    |---|--:|--:|--:|--:|--:|
    | ` GET /health ` | 1,000 | 0 | 105 ms | 109 ms | `▃▃▃▃▃▃▃▃▃▃▃▇▃▃▃▃` |
    | ` all ` | 1,000 | 0 | 105 ms | 109 ms | `▃▃▃▃▃▃▃▃▃▃▃▇▃▃▃▃` |

    </details>

    <details><summary>The same run again</summary>

        loadgate run build_flow -e demo --users 100 --spawn-rate 50/s --run-time 30s

    Configuration and target must be the same: add --config, --demo, --host and --set as they were given. The plan is the same if its digest is 0f1e2d.

    </details>
    ");
}

#[test]
fn the_first_comment_of_a_new_adopter() {
    insta::assert_snapshot!(spaced(&render(&compared(Confirmation::Off, &[]), &about())), @r"
    ### ❔ INCONCLUSIVE: ` build_flow ` on ` demo ` — the objective holds, no baseline yet

    The objective holds; only the comparison is undecided: there is no baseline yet, so the SLA decides alone

    ` hyperkit ` · commit abc1234 · [the whole summary](https://github.com/shop/api/actions/runs/42#summary-7) (the artifact of that run has the whole report)

    **What decides now:** the SLA, by 1 objective

    - p95 of all requests ≤ 2 s

    **What comes next:** There is no baseline yet.

    Remember 5 runs on this kind of machine, so in a job like this one, on the default branch. Runs of several jobs, one a night, say more than many of one: only they tell how machines differ. This makes them and opens a pull request with what is to be committed:

        loadgate baseline update --scenario build_flow -e demo --runs 5 --pull-request

    From then on a number that gets worse than the baseline, by more than chance does, fails this job too, with exit status 4.

    <details><summary>1 objective without a breach</summary>

    |  | objective | value | limit | samples |
    |---|---|--:|--:|--:|
    | ✓ pass | ` p95 of all requests ` | 105 ms | ≤ 2 s | 1,000 |

    </details>

    <details><summary>1 endpoint</summary>

    | endpoint | ok | failed | p95 | p99 | p95 over time |
    |---|--:|--:|--:|--:|--:|
    | ` GET /health ` | 1,000 | 0 | 105 ms | 109 ms | – |
    | ` all ` | 1,000 | 0 | 105 ms | 109 ms | – |

    </details>

    <details><summary>The same run again</summary>

        loadgate run build_flow -e demo --users 100 --spawn-rate 50/s --run-time 30s

    Configuration and target must be the same: add --config, --demo, --host and --set as they were given. The plan is the same if its digest is 0f1e2d.

    </details>
    ");
}
