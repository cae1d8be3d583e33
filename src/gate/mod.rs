//! How a result is judged. Pure: no clock, no files. Every check is always evaluated; the headline
//! is the worst. No data is never a pass.

mod decision;
mod merged;
pub mod objective;
pub mod validity;
pub mod watch;
mod whole_run;
mod windows;

use crate::plan::rules::{Policy, Rules};
use crate::result::schema::{RunResult, Signal};
use crate::result::verdict::{Check, CheckSeverity, CheckStatus, Finding, Reason, Status, Verdict};

/// Judges a run by its rules.
pub fn judge(rules: &Rules, result: &RunResult) -> Verdict {
    let mut findings = validity::findings(result);
    if rules.objectives.is_empty() {
        findings.push(Finding::NoObjective);
    }
    let checks: Vec<_> =
        rules.objectives.iter().map(|objective| objective::check(objective, result)).collect();
    let reasons = reasons(result, &findings, &checks);
    let status = reasons.first().map_or(Status::Passed, |reason| status(*reason));
    let exit_status = exit_status(rules, result, status);
    Verdict { status, reasons, exit_status, findings, checks, deltas: Vec::new() }
}

/// Everything that speaks against a pass, the heaviest first.
fn reasons(result: &RunResult, findings: &[Finding], checks: &[Check]) -> Vec<Reason> {
    let broken =
        |status| checks.iter().any(|check| check.severity == CheckSeverity::Fail && check.status == status);
    [
        (Reason::Interrupted, result.interrupted),
        (Reason::InvalidRun, findings.iter().any(|finding| finding.invalidates())),
        (Reason::Sla, broken(CheckStatus::Fail)),
        (Reason::InvalidCheck, broken(CheckStatus::Invalid)),
        (Reason::Aborted, result.aborted.is_some()),
        (Reason::Undecided, broken(CheckStatus::Undecided)),
    ]
    .into_iter()
    .filter_map(|(reason, holds)| holds.then_some(reason))
    .collect()
}

fn status(heaviest: Reason) -> Status {
    match heaviest {
        Reason::Interrupted => Status::Interrupted,
        Reason::InvalidRun | Reason::InvalidCheck => Status::Invalid,
        Reason::Sla | Reason::Regression => Status::Failed,
        Reason::Undecided | Reason::Aborted => Status::Inconclusive,
    }
}

fn exit_status(rules: &Rules, result: &RunResult, status: Status) -> u8 {
    let on_inconclusive = rules.baseline.as_ref().map_or(Policy::Pass, |baseline| baseline.on_inconclusive);
    match status {
        Status::Passed => 0,
        Status::Failed => 3,
        Status::Inconclusive => match on_inconclusive {
            Policy::Pass => 0,
            Policy::Fail => 5,
        },
        Status::Invalid => 6,
        Status::Interrupted => match result.signal {
            Some(Signal::Sigterm) => 143,
            Some(Signal::Sigint) | None => 130,
        },
    }
}

#[cfg(test)]
mod tests;
