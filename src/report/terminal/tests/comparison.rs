//! The section about the baseline.

use super::*;
use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::plan::rules::{BaselineRules, Confirmation};

/// One objective that holds, and a comparison.
pub fn rules(confirmation: Confirmation) -> Rules {
    let baseline = BaselineRules { confirmation, ..BaselineRules::default() };
    let objectives = vec![objective(Scope::Total, p(Percentile::P95), 2_000.0)];
    Rules { objectives, baseline: Some(baseline) }
}

/// Remembered runs of this result, slower by these ratios.
fn past(result: &RunResult, ratios: &[f64]) -> Baseline {
    let slower = |ratio: &f64| {
        let mut run = Run::of(result, None);
        for numbers in run.metrics.values_mut() {
            numbers.p50_ms *= 1.0 + ratio;
            numbers.p95_ms *= 1.0 + ratio;
        }
        run
    };
    let runs = ratios.iter().enumerate().map(|(index, ratio)| (format!("run-{index}"), slower(ratio)));
    Baseline { runs: runs.collect(), ..Baseline::default() }
}

/// A small run beside remembered ones that were slower by these ratios.
pub fn compared(confirmation: Confirmation, ratios: &[f64]) -> RunResult {
    let mut result = small();
    result.verdict = Some(judge(&rules(confirmation), &result, Some(&past(&result, ratios))));
    result
}

/// From the heading of the section on.
fn section(result: &RunResult, width: usize) -> String {
    let text = render(result, &Screen { width, color: Color::Never, folder: None });
    text[text.find("Baseline\n").unwrap()..].to_owned()
}

#[test]
fn nothing_got_worse() {
    let result = compared(Confirmation::Off, &[0.0, 0.01, -0.01, 0.02, -0.02]);
    insta::assert_snapshot!(section(&result, 100), @r"
    Baseline
      3 numbers compared with 5 runs on this CPU (5 in all); false alarms: at most 5 % of runs;
      tolerated: 10 %, must not slip through: 30 %
              number                      baseline      now   change           lies in    found  budget
                                                                                           from
     ───────────────────────────────────────────────────────────────────────────────────────────────────
      ✓ same  p50 of GET /health           60.0 ms  60.0 ms  −0.01 %     −2.7 … +2.8 %   11.7 %    10 %
      ✓ same  p95 of GET /health            105 ms   105 ms  −0.04 %     −2.8 … +2.8 %   11.7 %    10 %
      ✓ same  error_rate of all requests       0 %      0 %    ±0 pp  −0.05 … +0.27 pp  0.73 pp  0.5 pp

    PASSED  the objective holds, and none of 3 numbers got worse than the baseline
    ");
}

#[test]
fn something_got_worse() {
    let result = compared(Confirmation::Off, &[-0.3, -0.31, -0.29, -0.32, -0.28]);
    insta::assert_snapshot!(section(&result, 100), @r"
    Baseline
      3 numbers compared with 5 runs on this CPU (5 in all); false alarms: at most 5 % of runs;
      tolerated: 10 %, must not slip through: 30 %
               number                      baseline      now   change           lies in    found
                                                                                            from
     ────────────────────────────────────────────────────────────────────────────────────────────
      ✗ worse  p50 of GET /health           42.0 ms  60.0 ms  +42.8 %   +37.3 … +48.6 %   12.4 %
      ✗ worse  p95 of GET /health           73.5 ms   105 ms  +42.8 %   +37.2 … +48.6 %   12.4 %
      ✓ same   error_rate of all requests       0 %      0 %    ±0 pp  −0.05 … +0.27 pp  0.73 pp

    FAILED  2 numbers got worse, first: p50 of GET /health is 60.0 ms, +42.8 % on 42.0 ms (10 %
            tolerated)
    next: find out what changed; if it is meant: loadgate baseline accept --scenario build_flow -e demo
          --metric 'p50 of GET /health' --metric 'p95 of GET /health' --reason '…'
    ");
}

#[test]
fn a_second_job_is_to_look() {
    let result = compared(Confirmation::Required, &[-0.3, -0.31, -0.29, -0.32, -0.28]);
    insta::assert_snapshot!(section(&result, 80), @r"
    Baseline
      3 numbers compared with 5 runs on this CPU (5 in all); false alarms: at most
      5 % of runs; tolerated: 10 %, must not slip through: 30 %
                     number                      baseline      now   change
     ───────────────────────────────────────────────────────────────────────
      ? unconfirmed  p50 of GET /health           42.0 ms  60.0 ms  +42.8 %
      ? unconfirmed  p95 of GET /health           73.5 ms   105 ms  +42.8 %
      ✓ same         error_rate of all requests       0 %      0 %    ±0 pp

    INCONCLUSIVE  2 numbers got worse here, first: p50 of GET /health is 60.0 ms,
                  +42.8 % on 42.0 ms (10 % tolerated)
    next: run it on another machine, with the flags of this run and its result.json
          as RESULT: loadgate run build_flow -e demo --confirm RESULT
    ");
}

#[test]
fn too_noisy_to_say() {
    let result = compared(Confirmation::Off, &[0.0, 0.2, -0.2, 0.25, -0.15]);
    insta::assert_snapshot!(section(&result, 100), @r"
    Baseline
      3 numbers compared with 5 runs on this CPU (5 in all); false alarms: at most 5 % of runs;
      tolerated: 10 %, must not slip through: 30 %
              number                      baseline      now   change           lies in    found  budget
                                                                                           from
     ───────────────────────────────────────────────────────────────────────────────────────────────────
      ? open  p50 of GET /health           60.0 ms  60.0 ms  −0.01 %   −29.6 … +41.9 %    151 %    10 %
      ? open  p95 of GET /health            105 ms   105 ms  −0.04 %   −29.6 … +41.9 %    151 %    10 %
      ✓ same  error_rate of all requests       0 %      0 %    ±0 pp  −0.05 … +0.27 pp  0.73 pp  0.5 pp

    INCONCLUSIVE  2 numbers are undecided, first: p50 of GET /health: +41.9 % cannot be ruled out, and
                  30 % must not slip through
    next: no number of runs makes up for this noise: run longer, on a quieter machine, or raise
          `baseline.catch`
    ");
}

#[test]
fn too_few_runs() {
    insta::assert_snapshot!(section(&compared(Confirmation::Off, &[0.0]), 100), @r"
    Baseline
      the baseline has 1 of 5 runs on this CPU (amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24)

    INCONCLUSIVE  the objective holds; only the comparison is undecided: the baseline has 1 of 5 runs on
                  this CPU (amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24), so the SLA decides
                  alone
    next: remember 4 runs like this one, made on this kind of machine with the same flags, if any,
          better one in each of several jobs than all in one; then commit them, or in a CI job add
          --pull-request: loadgate baseline update --scenario build_flow -e demo --runs 4
    ");
    insta::assert_snapshot!(section(&compared(Confirmation::Off, &[]), 100), @r"
    Baseline
      there is no baseline yet

    INCONCLUSIVE  the objective holds; only the comparison is undecided: there is no baseline yet, so
                  the SLA decides alone
    next: remember 5 runs like this one, made on this kind of machine with the same flags, if any,
          better one in each of several jobs than all in one; then commit them, or in a CI job add
          --pull-request: loadgate baseline update --scenario build_flow -e demo --runs 5
    ");
}

#[test]
fn runs_of_one_session_are_told_with_what_helps() {
    let words = |result: &RunResult| {
        let text = render(result, &Screen { width: 100, color: Color::Never, folder: None });
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let of_one = words(&beside(|run| run.session = Some("a".into())));
    assert!(of_one.contains("compared with 5 runs of 1 session on this CPU (5 in all)"), "{of_one}");
    let note =
        "the 5 runs on this kind of machine are of 1 session (a session is one job on one machine): they say";
    assert!(of_one.contains(note) && of_one.contains("remember runs of several jobs"), "{of_one}");
    let mut count = 0;
    let of_five = words(&beside(|run| {
        count += 1;
        run.session = Some(count.to_string());
    }));
    let unsaid = words(&beside(|_| {}));
    assert!(
        unsaid.contains("compared with 5 runs on this CPU (5 in all)") && !unsaid.contains("session"),
        "{unsaid}"
    );
    assert_eq!(of_five, unsaid);
}

/// A run beside five of which this was changed.
fn beside(change: impl FnMut(&mut Run)) -> RunResult {
    let mut result = small();
    let mut baseline = past(&result, &[0.0; 5]);
    baseline.runs.values_mut().for_each(change);
    result.verdict = Some(judge(&rules(Confirmation::Off), &result, Some(&baseline)));
    result
}

#[test]
fn that_nothing_was_compared_is_the_first_thing_said() {
    insta::assert_snapshot!(section(&beside(|run| run.plan_digest = "another".into()), 100), @r"
    Baseline
      the plan has changed since the 5 runs of the baseline, so that no number is comparable

    INCONCLUSIVE  nothing was compared with the baseline: the plan has changed since the 5 runs of the
                  baseline, so that no number is comparable; the objective holds, and the SLA decides
                  alone
    next: if the change of the plan is meant, remember 5 runs like this one, made on this kind of
          machine with the same flags, if any, better one in each of several jobs than all in one; then
          commit them, or in a CI job add --pull-request: loadgate baseline update --scenario build_flow
          -e demo --runs 5
    ");
    let elsewhere = section(&beside(|run| run.cpu_class = "another".into()), 100);
    let words = elsewhere.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = "INCONCLUSIVE nothing was compared with the baseline: none of the 5 runs of the baseline is of this \
                 kind of machine";
    assert!(words.contains(first), "{elsewhere}");
}

#[test]
fn what_was_not_compared_is_counted_and_named() {
    let rare = beside(|run| run.metrics.values_mut().for_each(|numbers| numbers.n = 100));
    let said = section(&rare, 100);
    for part in [
        "2 numbers compared with 5 runs on this CPU (5 in all), 1 more was not compared",
        "not compared, too few requests: p95 of GET /health",
        "none of 2 numbers got worse than the baseline; 1 more was not compared",
    ] {
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "{part}\n{said}");
    }
}
