//! Whether a verdict follows from its own parts. Asked of results that others hand over; what a run writes
//! always does.

use crate::metric::{Better, Metric};
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, CheckStatus, Status, Verdict};

use super::{reasons, status_of, untolerated};

/// What does not follow, in words; none where everything does, or nothing was judged.
pub fn contradiction(result: &RunResult) -> Option<String> {
    let verdict = result.verdict.as_ref()?;
    if let Some(check) = verdict.checks.iter().find(|check| passes_in_vain(check)) {
        return Some(format!("a check of `{}` passes beyond its limit", check.metric));
    }
    let reasons = reasons(result, verdict);
    if reasons != verdict.reasons {
        return Some(format!("the reasons are {:?}, and {reasons:?} by the checks", verdict.reasons));
    }
    let status = status_of(&reasons);
    if status != verdict.status {
        return Some(format!("the status is {:?}, and {status:?} by the reasons", verdict.status));
    }
    let exit_status = untolerated(result, verdict);
    let fits = verdict.exit_status == exit_status || tolerated(verdict);
    (!fits).then(|| format!("the exit status is {}, and {exit_status} by the status", verdict.exit_status))
}

/// Whether the policies of whoever judged let it pass.
fn tolerated(verdict: &Verdict) -> bool {
    verdict.status == Status::Inconclusive && verdict.exit_status == 0
}

/// Whether a check passes with a number that breaks its limit, or with none.
fn passes_in_vain(check: &Check) -> bool {
    let better = Metric::named(&check.metric).map(Metric::better);
    let value = match (check.value, check.unanswered) {
        // With what had no answer counted as slowest: a null here is a number without a bound.
        (Some(_), Some(unanswered)) => unanswered.at_most,
        (value, _) => value,
    };
    let holds = match (value, better) {
        (Some(value), Some(Better::Lower)) => value <= check.limit,
        (Some(value), Some(Better::Higher)) => value >= check.limit,
        // A number of a later version: nobody here knows on which side of its limit is good.
        (Some(_), None) => true,
        (None, _) => false,
    };
    check.status == CheckStatus::Pass && !holds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::rules::Scope;
    use crate::result::fixture::{objective, rich, small};
    use crate::result::schema::Signal;
    use crate::result::verdict::{CheckSeverity, Finding, Reason};
    use crate::result::window::Unanswered;

    /// A run that is judged by a p95 of this many milliseconds.
    fn judged(mut result: RunResult, limit_ms: f64) -> RunResult {
        let rules = crate::plan::rules::Rules {
            objectives: vec![objective(Scope::Total, Metric::named("p95").unwrap(), limit_ms)],
            ..Default::default()
        };
        result.verdict = Some(super::super::judge(&rules, &result, None));
        result
    }

    #[test]
    fn every_verdict_of_the_gate_follows_from_its_parts() {
        for limit_ms in [1.0, 1e6] {
            for mut result in [small(), rich()] {
                assert_eq!(contradiction(&judged(result.clone(), limit_ms)), None);
                (result.interrupted, result.signal) = (true, Some(Signal::Sigterm));
                assert_eq!(contradiction(&judged(result, limit_ms)), None);
            }
        }
    }

    #[test]
    fn a_verdict_that_was_made_up_is_told() {
        type Edit = fn(&mut Verdict);
        const NOTHING_KNOWN: Unanswered = Unanswered {
            timed_out: 1,
            failed: 0,
            unfinished: 0,
            not_started: 0,
            at_least: true,
            at_most: None,
        };
        let passed: [(Edit, &str); 6] = [
            (|it| it.checks[0].unanswered = Some(NOTHING_KNOWN), "passes beyond its limit"),
            (|it| it.checks[0].value = Some(1e7), "passes beyond its limit"),
            (|it| it.checks[0].value = None, "passes beyond its limit"),
            (|it| it.status = Status::Failed, "the status is Failed, and Passed"),
            (|it| it.exit_status = 3, "the exit status is 3, and 0"),
            (|it| it.findings.push(Finding::TargetEnded), "the reasons are [], and [InvalidRun]"),
        ];
        let failed: [(Edit, &str); 4] = [
            (|it| (it.status, it.reasons, it.exit_status) = (Status::Passed, vec![], 0), "and [Sla]"),
            (|it| it.exit_status = 0, "the exit status is 0, and 3"),
            (|it| it.checks.clear(), "the reasons are [Sla], and []"),
            (|it| it.checks[0].severity = CheckSeverity::Warn, "the reasons are [Sla], and []"),
        ];
        for (limit_ms, edits) in [(1e6, passed.as_slice()), (1.0, failed.as_slice())] {
            for (edit, told) in edits {
                let mut result = judged(small(), limit_ms);
                edit(result.verdict.as_mut().unwrap());
                let said = contradiction(&result).unwrap_or_default();
                assert!(said.contains(told), "{said:?} for {told}");
            }
        }
    }

    #[test]
    fn an_inconclusive_run_may_have_been_tolerated_and_no_other() {
        let mut result = judged(small(), 1e6);
        result.verdict.as_mut().unwrap().checks[0].status = CheckStatus::Undecided;
        for (exit_status, fits) in [(0, true), (5, true), (3, false)] {
            let verdict = result.verdict.as_mut().unwrap();
            (verdict.status, verdict.reasons) = (Status::Inconclusive, vec![Reason::Undecided]);
            verdict.exit_status = exit_status;
            assert_eq!(contradiction(&result).is_none(), fits, "{exit_status}");
        }
    }
}
