//! How a result is judged. Pure: no clock, no files. Every check is always evaluated; the headline
//! is the worst. No data is never a pass.

pub mod agreement;
mod decision;
mod failures;
mod looks;
pub mod machine;
pub mod objective;
pub mod regression;
mod silence;
pub mod simulation;
mod times;
pub mod validity;
pub mod watch;
mod whole_run;
mod windows;

pub use silence::longest_of_endpoints as silence_of_endpoints;

use crate::baseline::Baseline;
use crate::plan::rules::{Policy, Rules};
use crate::result::comparison::{ComparisonState, Delta, DeltaStatus};
use crate::result::schema::{RunResult, Signal};
use crate::result::verdict::{Because, Check, CheckSeverity, CheckStatus, Finding, Reason, Status, Verdict};

/// Judges a run by its rules, beside what is remembered. Without a baseline nothing is compared, even
/// where the rules want it; then that is told.
pub fn judge(rules: &Rules, result: &RunResult, baseline: Option<&Baseline>) -> Verdict {
    let mut findings = validity::findings(result);
    let checks: Vec<_> =
        rules.objectives.iter().map(|objective| objective::check(objective, result)).collect();
    let nothing = Baseline::default();
    let compared = rules.baseline.as_ref();
    let compared = compared.map(|rules| regression::compare(rules, result, baseline.unwrap_or(&nothing)));
    let (deltas, comparison) = compared.unzip();
    let deltas = deltas.unwrap_or_default();
    let decides =
        |check: &Check| check.severity == CheckSeverity::Fail && check.status != CheckStatus::NotApplicable;
    if !checks.iter().any(decides) && !deltas.iter().any(|delta| delta.gated && delta.high.is_some()) {
        findings.push(Finding::NoObjective);
    }
    findings.extend(failures::unjudged(&checks, result));
    // A service that breaks answers nothing and keeps users out: which objective it broke says more than that, and
    // the numbers can be trusted.
    let fails = |check: &Check| check.severity == CheckSeverity::Fail && check.status == CheckStatus::Fail;
    if checks.iter().any(fails) {
        let told = |finding: &Finding| {
            matches!(
                finding,
                Finding::NeverReady { .. }
                    | Finding::NoIteration { .. }
                    | Finding::NothingSucceeded { .. }
                    | Finding::NoAnswer { .. }
            )
        };
        findings.retain(|finding| !told(finding));
    }
    let mut verdict = Verdict {
        status: Status::Passed,
        reasons: Vec::new(),
        exit_status: 0,
        findings,
        checks,
        deltas,
        comparison,
    };
    verdict.reasons = reasons(result, &verdict);
    verdict.status = status_of(&verdict.reasons);
    verdict.exit_status = exit_status(rules, result, &verdict);
    verdict
}

/// Everything that speaks against a pass, the heaviest first.
fn reasons(result: &RunResult, verdict: &Verdict) -> Vec<Reason> {
    let Verdict { findings, checks, deltas, .. } = verdict;
    let broken =
        |status| checks.iter().any(|check| check.severity == CheckSeverity::Fail && check.status == status);
    let compared = |holds: fn(&Delta) -> bool| deltas.iter().any(|delta| delta.gated && holds(delta));
    let unconfirmed = |delta: &Delta| delta.because == Some(Because::Unconfirmed);
    let state = verdict.comparison.as_ref().map(|comparison| comparison.state);
    // Of a partial run that its end does not speak against, such as half of a file, nothing is known to be as it was.
    let unexplained = result.salvaged.is_some() && state == Some(ComparisonState::Partial);
    let nothing_compared = state == Some(ComparisonState::NothingCompared) || unexplained;
    [
        (Reason::Interrupted, result.interrupted),
        (Reason::InvalidRun, findings.iter().any(Finding::invalidates)),
        (Reason::Sla, broken(CheckStatus::Fail)),
        (Reason::Regression, compared(|delta| delta.status == DeltaStatus::Regression)),
        (
            Reason::InvalidCheck,
            broken(CheckStatus::Invalid) || compared(|delta| delta.status == DeltaStatus::Invalid),
        ),
        (Reason::Unconfirmed, compared(unconfirmed)),
        (Reason::Aborted, result.aborted.is_some()),
        (Reason::Undecided, broken(CheckStatus::Undecided)),
        (
            Reason::TooNoisy,
            compared(|delta| {
                delta.status == DeltaStatus::Inconclusive && delta.because != Some(Because::Unconfirmed)
            }),
        ),
        (Reason::BuildingBaseline, state == Some(ComparisonState::Building)),
        (Reason::NothingCompared, nothing_compared),
        (Reason::NoBaseline, matches!(state, Some(ComparisonState::Missing | ComparisonState::OtherPlan))),
    ]
    .into_iter()
    .filter_map(|(reason, holds)| holds.then_some(reason))
    .collect()
}

/// The heaviest reason makes the status.
fn status_of(reasons: &[Reason]) -> Status {
    let Some(heaviest) = reasons.first() else { return Status::Passed };
    match heaviest {
        Reason::Interrupted => Status::Interrupted,
        Reason::InvalidRun | Reason::InvalidCheck => Status::Invalid,
        Reason::Sla | Reason::Regression => Status::Failed,
        Reason::Unconfirmed
        | Reason::Aborted
        | Reason::Undecided
        | Reason::TooNoisy
        | Reason::BuildingBaseline
        | Reason::NothingCompared
        | Reason::NoBaseline => Status::Inconclusive,
    }
}

fn exit_status(rules: &Rules, result: &RunResult, verdict: &Verdict) -> u8 {
    match verdict.status {
        Status::Inconclusive if tolerated(rules, verdict) => 0,
        _ => untolerated(result, verdict),
    }
}

/// The exit status where no policy lets anything pass.
fn untolerated(result: &RunResult, verdict: &Verdict) -> u8 {
    match verdict.status {
        Status::Passed => 0,
        Status::Failed if verdict.reasons.first() == Some(&Reason::Regression) => 4,
        Status::Failed => 3,
        Status::Inconclusive => 5,
        Status::Invalid => 6,
        Status::Interrupted => match result.signal {
            Some(Signal::Sigterm) => 143,
            Some(Signal::Sigint | Signal::StopButton) | None => 130,
        },
    }
}

/// Whether the policies let an inconclusive run pass. A baseline that is not there is the matter of `on_missing`
/// alone: else nobody could begin with one. That nothing was compared is a matter of it too, whatever the reason:
/// whoever wants no gate that is silently off says so with that key.
fn tolerated(rules: &Rules, verdict: &Verdict) -> bool {
    let Some(baseline) = &rules.baseline else { return true };
    let compared = verdict.comparison.as_ref().is_some_and(|comparison| comparison.checks > 0);
    let strict = !compared && baseline.on_missing == Policy::Fail;
    let policy = |reason: &Reason| match reason {
        Reason::NoBaseline => baseline.on_missing,
        _ => baseline.on_inconclusive,
    };
    !strict && verdict.reasons.iter().all(|reason| policy(reason) == Policy::Pass)
}

#[cfg(test)]
mod tests;
