//! Two jobs, on two machines, look at one change.

use super::*;
use crate::result::schema::Confirms;

#[test]
fn a_candidate_waits_for_the_second_job_which_decides() {
    let required = with(|rules| rules.confirmation = Confirmation::Required);
    let baseline = past(&QUIET);
    let mut first = one_by(0.4);
    let waiting = verdict(&required, &first, &baseline);
    assert_eq!((waiting.status, waiting.exit_status), (Status::Inconclusive, 0));
    assert_eq!(waiting.reasons, [Reason::Unconfirmed]);
    assert!(waiting.comparison.as_ref().unwrap().confirm);
    first.verdict = Some(waiting);
    let second = |ratio: f64| RunResult { confirms: Confirms::of(&first), ..one_by(ratio) };
    let again = verdict(&required, &second(0.3), &baseline);
    assert_eq!((again.status, again.exit_status), (Status::Failed, 4));
    assert_eq!(delta(&again, P95, Some("GET /b")).confirmed, Some(true));
    let not_again = verdict(&required, &second(0.02), &baseline);
    assert_eq!((not_again.status, not_again.comparison.unwrap().confirm), (Status::Passed, false));
    let elsewhere = measured([1.0, 1.0, 1.4, 1.0, 1.0, 1.0], 0);
    let elsewhere = RunResult { confirms: Confirms::of(&first), ..elsewhere };
    let elsewhere = verdict(&required, &elsewhere, &baseline);
    assert_eq!(elsewhere.status, Status::Inconclusive);
    assert_eq!(delta(&elsewhere, P95, Some("GET /c")).because, Some(Because::NotSeenBefore));
}

#[test]
fn what_the_second_job_could_not_look_at_stays_open() {
    let required = with(|rules| rules.confirmation = Confirmation::Required);
    let mut first = one_by(0.4);
    first.verdict = Some(verdict(&required, &first, &past(&QUIET)));
    let mut second = RunResult { confirms: Confirms::of(&first), ..all_by(0.0) };
    for endpoint in second.endpoints.iter_mut().filter(|it| it.name == "GET /b") {
        endpoint.response_time.as_mut().unwrap().n = 195;
    }
    let mut rare = past(&QUIET);
    rare.runs.values_mut().for_each(|run| run.metrics.get_mut("GET /b").unwrap().n = 205);
    let open = verdict(&required, &second, &rare);
    let p95 = delta(&open, P95, Some("GET /b"));
    assert_eq!((p95.status, p95.confirmed, p95.gated), (DeltaStatus::Inconclusive, Some(false), true));
    assert_eq!(open.status, Status::Inconclusive);
}
