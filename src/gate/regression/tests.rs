//! The comparison on documents: what is compared, what is told, and what can never happen.

mod confirmation;
mod custom;
mod machine;
mod missing;
mod property;
mod sessions;

use std::collections::BTreeMap;
use std::time::Duration;

use super::past::Past;
use super::survey::survey;
use crate::baseline::Baseline;
use crate::baseline::epoch::Epoch;
use crate::baseline::run::Run;
use crate::gate::agreement::contradiction;
use crate::gate::judge;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::Recording;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{BaselineRules, Confirmation, Policy, Rules};
use crate::result::comparison::{ComparisonState, Delta, DeltaStatus};
use crate::result::fixture::{context, cut_off, fail, plan, record, run, succeed};
use crate::result::schema::RunResult;
use crate::result::summary::summarise;
use crate::result::verdict::{Because, CheckUnit, Reason, Status, Verdict};
use crate::units::Ratio;

const P50: Metric = Metric::Response(Percentile::P50);
const P95: Metric = Metric::Response(Percentile::P95);
const NAMES: [&str; 6] = ["GET /a", "GET /b", "GET /c", "GET /d", "GET /e", "GET /f"];
/// Deviations of runs, in ratio: their median is 0.
const QUIET: [f64; 5] = [0.0, 0.01, -0.01, 0.02, -0.02];
const LOUD: [f64; 5] = [0.0, 0.16, -0.15, 0.22, -0.19];

fn rules() -> Rules {
    Rules { objectives: Vec::new(), baseline: Some(BaselineRules::default()) }
}

fn with(change: impl FnOnce(&mut BaselineRules)) -> Rules {
    let mut baseline = BaselineRules::default();
    change(&mut baseline);
    Rules { objectives: Vec::new(), baseline: Some(baseline) }
}

/// A run of six endpoints, each 1,000 requests from 10 to 110 ms times its factor, and so many failures.
fn measured(factors: [f64; 6], failures: u64) -> RunResult {
    let mut recording = Recording::new(NAMES.len(), 1, 1);
    for (endpoint, factor) in recording.endpoints.iter_mut().zip(factors) {
        succeed(&mut endpoint.steady, 1_000, 10.0 * factor, 110.0 * factor);
    }
    fail(&mut recording.endpoints[0].steady, FailureKind::Status, failures, 2);
    summarise(&plan(&NAMES), &run(recording), context())
}

/// A run in which everything took longer by a ratio.
fn all_by(ratio: f64) -> RunResult {
    measured([1.0 + ratio; 6], 0)
}

/// A run in which the second endpoint took longer by a ratio.
fn one_by(ratio: f64) -> RunResult {
    measured([1.0, 1.0 + ratio, 1.0, 1.0, 1.0, 1.0], 0)
}

fn remembered(results: &[RunResult], epoch: Option<&str>) -> BTreeMap<String, Run> {
    let named = |(index, result)| (format!("run-{index:04}"), Run::of(result, epoch));
    results.iter().enumerate().map(named).collect()
}

/// Runs that deviate by so much, all endpoints alike.
fn past(deviations: &[f64]) -> Baseline {
    let results: Vec<_> = deviations.iter().map(|deviation| all_by(*deviation)).collect();
    Baseline { runs: remembered(&results, None), ..Baseline::default() }
}

fn verdict(rules: &Rules, result: &RunResult, baseline: &Baseline) -> Verdict {
    let verdict = judge(rules, result, Some(baseline));
    let judged = RunResult { verdict: Some(verdict.clone()), ..result.clone() };
    assert_eq!(contradiction(&judged), None);
    verdict
}

fn delta<'v>(verdict: &'v Verdict, metric: Metric, endpoint: Option<&str>) -> &'v Delta {
    let about = |delta: &&Delta| delta.metric == metric.name() && delta.endpoint.as_deref() == endpoint;
    verdict.deltas.iter().find(about).unwrap()
}

fn worse(verdict: &Verdict) -> Vec<(&str, &str)> {
    let regressions = verdict.deltas.iter().filter(|delta| delta.status == DeltaStatus::Regression);
    regressions
        .filter(|delta| delta.gated)
        .map(|delta| (delta.endpoint.as_deref().unwrap_or("all"), delta.metric.as_str()))
        .collect()
}

fn state(verdict: &Verdict) -> ComparisonState {
    verdict.comparison.as_ref().unwrap().state
}

#[test]
fn a_quiet_baseline_passes_what_did_not_change_and_finds_what_did() {
    let baseline = past(&QUIET);
    let same = verdict(&rules(), &all_by(0.015), &baseline);
    assert_eq!((same.status, same.exit_status, state(&same)), (Status::Passed, 0, ComparisonState::Compared));
    let slower = verdict(&rules(), &one_by(0.4), &baseline);
    assert_eq!((slower.status, slower.exit_status), (Status::Failed, 4));
    assert_eq!(slower.reasons, [Reason::Regression]);
    assert_eq!(worse(&slower), [("GET /b", "p50"), ("GET /b", "p95")]);
    let found = delta(&slower, P95, Some("GET /b"));
    assert!((found.change.unwrap() - 0.4).abs() < 0.01 && found.low.unwrap() > 0.3, "{found:?}");
    assert!((found.base.unwrap() - 105.0).abs() < 0.2 && (found.head.unwrap() - 147.0).abs() < 0.3);
    assert_eq!((found.n, found.gated, found.confirmed), (5, true, None));
    let comparison = slower.comparison.unwrap();
    assert_eq!((comparison.checks, comparison.runs, comparison.needed), (12 + 1 + 6, 5, 5));
}

#[test]
fn what_is_within_the_budget_or_tiny_is_no_regression() {
    let within = verdict(&rules(), &all_by(0.08), &past(&QUIET));
    assert_eq!(within.status, Status::Passed);
    let tiny = with(|rules| rules.min_change = Duration::from_millis(60));
    let verdict = verdict(&tiny, &one_by(0.4), &past(&QUIET));
    assert_eq!(verdict.status, Status::Passed, "40 ms more of 105 ms is less than 60 ms");
}

#[test]
fn what_is_not_gated_is_shown_and_fails_nothing() {
    let only_errors = with(|rules| rules.gate_on = vec![Metric::ErrorRate]);
    let verdict = verdict(&only_errors, &one_by(0.4), &past(&QUIET));
    assert_eq!(verdict.status, Status::Passed);
    let shown = delta(&verdict, P95, Some("GET /b"));
    assert!(!shown.gated && shown.status == DeltaStatus::Regression);
}

#[test]
fn noise_makes_it_inconclusive_and_says_what_could_have_been_found() {
    let verdict = verdict(&rules(), &all_by(0.0), &past(&LOUD));
    assert_eq!((verdict.status, verdict.exit_status), (Status::Inconclusive, 0));
    assert_eq!(verdict.reasons, [Reason::TooNoisy]);
    let open = delta(&verdict, P50, Some("GET /a"));
    assert!(matches!(open.because, Some(Because::AboveCatch { bound, .. }) if bound > 0.3), "{open:?}");
    assert!(open.min_detectable.unwrap() > 0.3);
    assert_eq!(
        judge(&with(|rules| rules.on_inconclusive = Policy::Fail), &all_by(0.0), Some(&past(&LOUD)))
            .exit_status,
        5
    );
}

#[test]
fn better_is_told_and_passes() {
    let verdict = verdict(&rules(), &one_by(-0.4), &past(&QUIET));
    assert_eq!(verdict.status, Status::Passed);
    assert_eq!(delta(&verdict, P95, Some("GET /b")).status, DeltaStatus::Improved);
}

#[test]
fn few_runs_decide_nothing_and_a_policy_decides_about_that() {
    let fail = with(|rules| rules.on_inconclusive = Policy::Fail);
    let one = verdict(&fail, &one_by(0.4), &past(&QUIET[..1]));
    assert_eq!(
        (one.status, one.exit_status, state(&one)),
        (Status::Inconclusive, 5, ComparisonState::Building)
    );
    let shown = delta(&one, P95, Some("GET /b"));
    assert_eq!(shown.because, Some(Because::Building { runs: 1, needed: 5 }));
    assert!((shown.change.unwrap() - 0.4).abs() < 0.01 && shown.high.is_none());
    assert_eq!(verdict(&rules(), &one_by(0.4), &past(&QUIET[..4])).status, Status::Inconclusive);
}

#[test]
fn three_runs_are_enough_where_other_machines_tell_the_spread() {
    let mut baseline = past(&QUIET[..3]);
    for (index, mut run) in past(&[QUIET, QUIET].concat()).runs.into_values().enumerate() {
        run.cpu_class = "another".into();
        baseline.runs.insert(format!("run-other-{index}"), run);
    }
    let verdict = verdict(&rules(), &one_by(0.4), &baseline);
    assert_eq!((verdict.status, verdict.comparison.as_ref().unwrap().needed), (Status::Failed, 3));
    assert_eq!(delta(&verdict, P95, Some("GET /b")).n, 3);
}

#[test]
fn without_a_comparable_run_nothing_is_compared_and_nothing_passes() {
    let missing = with(|rules| rules.on_missing = Policy::Fail);
    let empty = verdict(&missing, &all_by(0.0), &Baseline::default());
    assert_eq!((empty.status, empty.exit_status), (Status::Inconclusive, 5));
    assert_eq!(
        (empty.reasons.as_slice(), state(&empty)),
        (&[Reason::NoBaseline][..], ComparisonState::Missing)
    );
    let mut other = past(&QUIET);
    other.runs.values_mut().for_each(|run| run.plan_digest = "another".into());
    let other = verdict(&rules(), &all_by(0.0), &other);
    assert_eq!((state(&other), other.exit_status), (ComparisonState::OtherPlan, 0));
    assert_eq!(other.comparison.unwrap().other_plans, 5);
    let strict = with(|rules| rules.on_inconclusive = Policy::Fail);
    let first = verdict(&strict, &all_by(0.0), &Baseline::default());
    assert_eq!(first.exit_status, 0, "a baseline that is not there yet has a policy of its own");
    let mut here = past(&QUIET);
    here.runs.values_mut().for_each(|run| run.cpu_class = "another".into());
    let here = verdict(&missing, &all_by(0.0), &here);
    assert_eq!((state(&here), here.exit_status), (ComparisonState::Building, 5), "nothing of it is compared");
}

#[test]
fn an_endpoint_that_vanished_is_invalid_and_a_rare_one_inconclusive() {
    let mut gone = all_by(0.0);
    gone.endpoints.retain(|endpoint| endpoint.name != "GET /b");
    gone.whole_run.endpoints.retain(|endpoint| endpoint.name != "GET /b");
    let verdict_of_gone = verdict(&rules(), &gone, &past(&QUIET));
    assert_eq!((verdict_of_gone.status, verdict_of_gone.exit_status), (Status::Invalid, 6));
    assert_eq!(delta(&verdict_of_gone, P95, Some("GET /b")).because, Some(Because::NeverHit));
    let mut rare = all_by(0.0);
    for times in
        rare.endpoints.iter_mut().filter(|it| it.name == "GET /b").filter_map(|it| it.response_time.as_mut())
    {
        times.n = 150;
    }
    let verdict = verdict(&rules(), &rare, &past(&QUIET));
    assert_eq!(verdict.reasons, [Reason::TooNoisy]);
    assert_eq!(delta(&verdict, P95, Some("GET /b")).because, Some(Because::Rarer { n: 150, usual: 1_000 }));
    assert_eq!(delta(&verdict, P50, Some("GET /b")).status, DeltaStatus::Pass);
}

#[test]
fn an_endpoint_that_only_fails_or_vanished_after_an_accepted_change_is_invalid() {
    let mut failing = all_by(0.0);
    failing.endpoints[1].response_time = None;
    let verdict_of_failing = verdict(&rules(), &failing, &past(&QUIET));
    assert_eq!(delta(&verdict_of_failing, P95, Some("GET /b")).because, Some(Because::NoSample));
    let mut baseline = past(&QUIET);
    let metrics = vec!["p50 of GET /b".into(), "p95 of GET /b".into()];
    baseline
        .epochs
        .insert("epoch-1".into(), Epoch { schema: 1, from_sha: None, metrics, reason: "x".into() });
    failing.whole_run.endpoints.retain(|endpoint| endpoint.name != "GET /b");
    let gone = verdict(&rules(), &failing, &baseline);
    assert_eq!(
        (gone.status, delta(&gone, P95, Some("GET /b")).because),
        (Status::Invalid, Some(Because::NeverHit))
    );
}

#[test]
fn what_only_the_ramp_has_is_not_compared_and_fails_nothing() {
    let with_login = || {
        let mut recording = Recording::new(NAMES.len(), 1, 1);
        succeed(&mut recording.endpoints[0].rest, 400, 10.0, 20.0);
        recording.endpoints.iter_mut().skip(1).for_each(|it| succeed(&mut it.steady, 1_000, 10.0, 110.0));
        summarise(&plan(&NAMES), &run(recording), context())
    };
    let runs: Vec<_> = (0..5).map(|_| with_login()).collect();
    let baseline = Baseline { runs: remembered(&runs, None), ..Baseline::default() };
    let verdict = verdict(&rules(), &with_login(), &baseline);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Passed, 0));
    for delta in verdict
        .deltas
        .iter()
        .filter(|it| it.endpoint.as_deref() == Some("GET /a") && it.unit == CheckUnit::Ms)
    {
        assert_eq!(
            (delta.status, delta.because),
            (DeltaStatus::NotComparable, Some(Because::NoSample)),
            "{delta:?}"
        );
    }
}

#[test]
fn an_endpoint_around_the_fewest_requests_is_left_out_or_waits_for_runs() {
    let with_n = |run: &mut Run, n: u64| run.metrics.get_mut("GET /b").unwrap().n = n;
    let mut rare = past(&QUIET);
    rare.runs.values_mut().for_each(|run| with_n(run, 199));
    let left_out = verdict(&rules(), &all_by(0.0), &rare);
    let p95 = delta(&left_out, P95, Some("GET /b"));
    assert_eq!((p95.status, p95.gated, left_out.status), (DeltaStatus::NotComparable, false, Status::Passed));
    let mut nearly = past(&QUIET);
    with_n(nearly.runs.values_mut().next().unwrap(), 199);
    let waits = verdict(&rules(), &all_by(0.0), &nearly);
    assert_eq!(delta(&waits, P95, Some("GET /b")).because, Some(Because::Building { runs: 4, needed: 5 }));
    assert_eq!(waits.status, Status::Inconclusive);
}

#[test]
fn where_no_gated_number_can_be_compared_it_is_no_pass() {
    let throughput = with(|rules| rules.gate_on = vec![Metric::Throughput]);
    let mut paced = all_by(0.0);
    paced.load.saturating = false;
    let nothing = verdict(&throughput, &paced, &past(&QUIET));
    assert_eq!(nothing.reasons, [Reason::NothingCompared]);
    assert_eq!((nothing.status, state(&nothing)), (Status::Inconclusive, ComparisonState::NothingCompared));
}

#[test]
fn a_late_generator_is_no_regression_and_no_pass_suffers() {
    let mut late = one_by(0.4);
    late.generator.schedule_lag_p99_ms = Some(90.0);
    let verdict = verdict(&rules(), &late, &past(&QUIET));
    assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6));
    assert!(matches!(delta(&verdict, P95, Some("GET /b")).because, Some(Because::GeneratorLate { .. })));
    assert_eq!(delta(&verdict, P95, Some("GET /a")).status, DeltaStatus::Pass);
}

#[test]
fn a_rise_of_failures_is_a_regression() {
    let verdict = verdict(&rules(), &measured([1.0; 6], 400), &past(&QUIET));
    assert_eq!(worse(&verdict), [("all", "error_rate"), ("GET /a", "error_rate")]);
    let found = delta(&verdict, Metric::ErrorRate, None);
    assert!((found.head.unwrap() - 400.0 / 6_400.0).abs() < 1e-9 && found.budget == Some(0.005));
}

#[test]
fn throughput_is_compared_only_where_the_service_sets_the_pace() {
    let gate = with(|rules| rules.gate_on = vec![Metric::Throughput, Metric::ErrorRate]);
    let mut slow = all_by(0.0);
    slow.totals.requests_per_second *= 0.7;
    slow.load.saturating = false;
    let paced = verdict(&gate, &slow, &past(&QUIET));
    assert_eq!(delta(&paced, Metric::Throughput, None).because, Some(Because::Paced));
    assert_eq!(paced.status, Status::Passed);
    slow.load.saturating = true;
    let found = verdict(&gate, &slow, &past(&QUIET));
    assert_eq!(worse(&found), [("all", "throughput")]);
    let mut stolen = slow.clone();
    stolen.generator.steal = Some(0.2);
    assert_eq!(verdict(&gate, &stolen, &past(&QUIET)).status, Status::Invalid);
    let change = delta(&found, Metric::Throughput, None);
    assert!((change.change.unwrap() + 0.3).abs() < 0.01 && change.high.unwrap() < 0.0);
}

#[test]
fn an_accepted_change_has_a_new_centre_and_keeps_the_spread() {
    let mut baseline = past(&QUIET);
    let reason = "a slower and safer hash".to_owned();
    let epoch = Epoch { schema: 1, from_sha: None, metrics: vec!["p95 of GET /b".into()], reason };
    baseline.epochs.insert("epoch-1".into(), epoch);
    let building = verdict(&rules(), &one_by(0.4), &baseline);
    assert_eq!(worse(&building), [("GET /b", "p50")], "only what was accepted has a new normal");
    let open = delta(&building, P95, Some("GET /b"));
    assert_eq!(open.because, Some(Because::Building { runs: 0, needed: 5 }));
    let later: Vec<_> = QUIET.iter().map(|ratio| one_by(0.4 + ratio)).collect();
    for (index, run) in remembered(&later, Some("epoch-1")).into_values().enumerate() {
        baseline.runs.insert(format!("run-later-{index}"), run);
    }
    let accepted = verdict(&rules(), &one_by(0.4), &baseline);
    let p95 = delta(&accepted, P95, Some("GET /b"));
    assert_eq!((p95.status, p95.n), (DeltaStatus::Pass, 5), "{p95:?}");
    assert_eq!(delta(&accepted, P95, Some("GET /a")).n, 10, "the others go on");
}

#[test]
fn slow_drift_is_seen_against_the_first_runs_of_the_epoch() {
    let drifting: Vec<f64> = (0..20).map(|index| f64::from(index) * 0.01).collect();
    let verdict = verdict(&rules(), &all_by(0.19), &past(&drifting));
    let drift = delta(&verdict, P50, Some("GET /a")).drift.unwrap();
    // the middle of 0 … 19 % against the middle of 0 … 4 %
    assert!((drift - (1.095 / 1.02 - 1.0)).abs() < 0.005, "{drift}");
}

#[test]
fn a_partial_run_is_compared_with_nothing() {
    let mut partial = one_by(0.4);
    partial.interrupted = true;
    let verdict = verdict(&rules(), &partial, &past(&QUIET));
    assert_eq!((verdict.status, state(&verdict)), (Status::Interrupted, ComparisonState::Partial));
    assert!(verdict.deltas.is_empty());
}

#[test]
fn a_baseline_tells_what_it_knows() {
    let run = all_by(0.0);
    let known = |deviations: &[f64]| {
        let baseline = past(deviations);
        survey(&BaselineRules::default(), &Past::of(&baseline, &run.plan_digest, &run.runner.cpu_class))
    };
    let quiet = known(&QUIET);
    assert_eq!(quiet.len(), 12);
    let p95 = quiet.iter().find(|known| known.metric == P95 && known.endpoint == "GET /b").unwrap();
    assert!((p95.centre_ms - 105.0).abs() < 0.2 && (0.01..0.03).contains(&p95.spread), "{p95:?}");
    assert!(p95.min_detectable > 0.1 && p95.min_detectable < 0.15 && (p95.catch - 0.3).abs() < 1e-9);
    assert!(known(&LOUD)[0].min_detectable > quiet[0].min_detectable);
    assert!(known(&QUIET[..4]).is_empty(), "nothing is known of too few runs");
}
