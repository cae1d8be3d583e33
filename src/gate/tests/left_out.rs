//! A result that is too large is written without the endpoints of its points, and judged like the run.

use super::silence::{beside_a_health_check, over_time};
use super::*;
use crate::result::file::to_fitting_json;
use crate::result::left_out::clumping;

/// The result as it is read again, where one byte less than it has is allowed.
pub fn left_out(result: &RunResult) -> RunResult {
    let whole = to_fitting_json(result, usize::MAX, |_| None).unwrap().unwrap();
    let silence = super::super::silence_of_endpoints;
    // What is kept instead, and the warning, is more than the endpoints of so short a run.
    let mut padded = result.clone();
    let point = padded.series.last_mut().unwrap();
    let one = point.endpoints.values().next().unwrap().clone();
    let nothing = crate::result::schema::EndpointPoint { ok: 0, failed: 0, ..one };
    point.endpoints.extend((0..100).map(|index| (format!("GET /{index}"), nothing.clone())));
    assert!(whole.warning.is_none());
    let fitting = to_fitting_json(&padded, whole.text.len() + 2_000, silence).unwrap().unwrap();
    assert!(fitting.warning.is_some());
    let read: RunResult = serde_json::from_str(&fitting.text).unwrap();
    assert!(read.series.iter().all(|point| point.endpoints.is_empty()));
    read
}

/// How far a verdict is from a pass. What failed and what is invalid is refused alike: which of them it is may hang on
/// an excuse of an endpoint, which is not known again.
fn severity(verdict: &Verdict) -> u8 {
    match verdict.status {
        Status::Passed => 0,
        Status::Inconclusive => 1,
        Status::Failed | Status::Invalid | Status::Interrupted => 2,
    }
}

#[test]
fn an_endpoint_that_stopped_answering_is_told_of_a_result_without_endpoints_of_its_points() {
    let hung = over_time(|second| if second < 10 { (40, 0) } else { (0, 0) }, 2, 25_000);
    let hung = beside_a_health_check(hung);
    let rules = rules(vec![total(P95, 1_000.0)]);
    let of_run = judge(&rules, &hung);
    assert_eq!((of_run.status, of_run.exit_status), (Status::Invalid, 6));
    let again = left_out(&hung);
    assert_eq!(judge(&rules, &again), of_run);
    // Nor is it lost where that is written once more.
    assert_eq!(judge(&rules, &left_out(&beside_more(again))), of_run);
}

/// The same result, whose last point has an endpoint again.
fn beside_more(mut result: RunResult) -> RunResult {
    let point = small().series[1].endpoints.values().next().unwrap().clone();
    result.series.last_mut().unwrap().endpoints.insert("GET /more".into(), point);
    result
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever happened, and however busy the machine was.
    #[test]
    fn a_result_without_endpoints_of_its_points_is_never_judged_milder(
        seconds in prop::collection::vec((0_u64..4, 0_u64..4, any::<bool>()), 28),
        silent_from in 2_u64..40,
        unfinished in 0_u64..3,
        limit_ms in 20.0_f64..80.0,
        rate in 0.0_f64..0.4,
    ) {
        let each = |second: u64| {
            let (ok, failed, _) = seconds[second as usize - 2];
            if second < silent_from { (10 * ok, failed) } else { (0, failed / 3) }
        };
        let mut run = beside_a_health_check(over_time(each, unfinished, 25_000));
        let machine: Vec<_> = seconds.iter().map(|(_, _, starved)| *starved).collect();
        run.machine = Some(crate::result::fixture::machine(&[busy(Some(0.0), 0.6)]));
        for (point, starved) in run.series.iter_mut().skip(1).zip(machine) {
            point.machine = Some(if starved { busy(Some(0.9), 0.0) } else { busy(Some(0.0), 0.6) });
        }
        let again = left_out(&run);
        for counts in &run.whole_run.endpoints {
            let [of_run, of_again] = [&run, &again].map(|it| clumping(it, Some(&counts.name)));
            prop_assert!((of_run - of_again).abs() < 1e-9, "{} {of_run} {of_again}", counts.name);
        }
        for objectives in [
            vec![of("GET /a", P95, limit_ms)],
            vec![of("GET /a", Metric::ErrorRate, rate)],
            vec![total(P95, limit_ms), total(Metric::ErrorRate, rate)],
            Vec::new(),
        ] {
            let rules = rules(objectives);
            let [of_run, of_again] = [&run, &again].map(|it| judge(&rules, it));
            prop_assert!(severity(&of_again) >= severity(&of_run), "{of_run:?} {of_again:?}");
        }
    }
}
