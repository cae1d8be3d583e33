//! Runs of one session count as one.

use super::*;

/// The runs of a past, each in a session.
fn in_sessions(mut baseline: Baseline, sessions: &[&str]) -> Baseline {
    for (run, session) in baseline.runs.values_mut().zip(sessions) {
        run.session = Some((*session).to_owned());
    }
    baseline
}

fn of_session(result: &RunResult, session: &str) -> RunResult {
    let mut result = result.clone();
    result.runner.session = Some(session.to_owned());
    result
}

/// Half the length of the interval of a change.
fn width(verdict: &Verdict) -> f64 {
    let delta = delta(verdict, P95, Some("GET /b"));
    ((1.0 + delta.high.unwrap()) / (1.0 + delta.low.unwrap())).ln() / 2.0
}

/// The numbers of a comparison to the last bit.
fn bits(verdict: &Verdict) -> Vec<[Option<u64>; 8]> {
    let numbers = |it: &Delta| {
        [it.base, it.head, it.change, it.low, it.high, it.budget, it.catch, it.min_detectable]
            .map(|number| number.map(f64::to_bits))
    };
    verdict.deltas.iter().map(numbers).collect()
}

#[test]
fn sessions_of_one_run_and_runs_without_one_are_compared_alike_to_the_last_bit() {
    let deviations: Vec<f64> = LOUD.iter().chain(&QUIET).copied().collect();
    let unsaid = past(&deviations);
    let each = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for head in [all_by(0.015), one_by(0.4), measured([1.3; 6], 400)] {
        let plain = verdict(&rules(), &head, &unsaid);
        let told = verdict(&rules(), &of_session(&head, "new"), &in_sessions(unsaid.clone(), &each));
        assert_eq!(plain.deltas, told.deltas);
        assert_eq!(bits(&plain), bits(&told));
        let sessions = |verdict: &Verdict| verdict.comparison.as_ref().unwrap().sessions;
        assert_eq!((sessions(&plain), sessions(&told)), (None, Some(10)));
    }
}

#[test]
fn runs_repeated_in_their_session_narrow_nothing() {
    let once = in_sessions(past(&LOUD), &["a", "b", "c", "d", "e"]);
    let repeated = past(&LOUD.map(|deviation| [deviation; 4]).concat());
    let names: Vec<_> = ["a", "b", "c", "d", "e"].iter().flat_map(|name| [*name; 4]).collect();
    let head = of_session(&all_by(0.0), "new");
    let [once, independent, repeated] =
        [once, repeated.clone(), in_sessions(repeated, &names)].map(|it| verdict(&rules(), &head, &it));
    assert!((width(&repeated) - width(&once)).abs() < 1e-9, "{} {}", width(&repeated), width(&once));
    assert!(width(&independent) < 0.9 * width(&repeated));
    let comparison = repeated.comparison.unwrap();
    assert_eq!((comparison.runs, comparison.sessions), (20, Some(5)));
}

#[test]
fn runs_of_one_session_decide_with_a_centre_of_one() {
    let one = in_sessions(past(&QUIET), &["a"; 5]);
    let elsewhere = verdict(&rules(), &of_session(&one_by(0.4), "b"), &one);
    assert_eq!(worse(&elsewhere), [("GET /b", "p50"), ("GET /b", "p95")]);
    let comparison = elsewhere.comparison.clone().unwrap();
    assert_eq!((comparison.runs, comparison.needed, comparison.sessions), (5, 5, Some(1)));
    let unsaid = verdict(&rules(), &one_by(0.4), &past(&QUIET));
    // √(1 + 1.57/1.5) instead of √(1 + 1.57/5.5)
    let wider = ((1.0 + 1.57 / 1.5_f64) / (1.0 + 1.57 / 5.5)).sqrt();
    assert!((width(&elsewhere) / width(&unsaid) - wider).abs() < 1e-9);
    // In that session itself, how runs differ there is what is asked for.
    let there = verdict(&rules(), &of_session(&one_by(0.4), "a"), &one);
    assert_eq!(bits(&there), bits(&unsaid));
    assert_eq!(there.comparison.unwrap().sessions, None);
}

#[test]
fn failures_of_one_bad_session_are_one_event() {
    let failures = [0, 0, 0, 0, 60, 60, 0, 0, 0, 0];
    let results: Vec<_> = failures.iter().map(|failures| measured([1.0; 6], *failures)).collect();
    let baseline = Baseline { runs: remembered(&results, None), ..Baseline::default() };
    let names = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"];
    let head = of_session(&measured([1.0; 6], 60), "new");
    let high = |baseline: &Baseline| {
        let verdict = verdict(&rules(), &head, baseline);
        delta(&verdict, Metric::ErrorRate, None).high.unwrap()
    };
    assert!(high(&in_sessions(baseline.clone(), &names)) > high(&baseline));
}
