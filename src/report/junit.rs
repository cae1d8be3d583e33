//! The run, its checks and its gated numbers as test cases, for whatever lists test results. Pure.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, CheckSeverity, CheckStatus, Status};

use super::comparison::{self, Standing};
use super::text::printable;
use super::{model, sentence};

/// A case of the run itself, one per check, and one per number that is compared.
pub fn render(result: &RunResult) -> Result<String, SerializeError> {
    let mut report = Report::new("loadgate");
    let mut suite = TestSuite::new(clean(&format!("{} on {}", result.scenario, result.environment)));
    let length = Duration::try_from_secs_f64(result.duration_s).unwrap_or_default();
    report.set_time(length);
    suite.set_time(length);
    // Of a half-written result the time may be lost.
    report.timestamp = result.started_at.parse().ok();
    suite.timestamp = report.timestamp;
    for (name, value) in properties(result) {
        suite.add_property((name, clean(&value).as_str()));
    }
    let checks = model::checks(result).into_iter().map(|it| (sentence::subject(it), check(it), "objectives"));
    let deltas = comparison::deltas(result);
    let deltas = deltas.into_iter().map(|it| (comparison::subject(it), delta(it), "baseline"));
    let run = ("the run".to_owned(), run(result), "run");
    for (name, status, class) in std::iter::once(run).chain(checks).chain(deltas) {
        let mut case = TestCase::new(clean(&name), status);
        case.set_classname(clean(&format!("{}.{}.{class}", result.scenario, result.environment)));
        case.set_time(Duration::ZERO);
        suite.add_test_case(case);
    }
    report.add_test_suite(suite);
    report.to_string()
}

fn properties(result: &RunResult) -> [(&'static str, String); 5] {
    let verdict = result.verdict.as_ref();
    [
        ("verdict", sentence::headline(result).word.to_owned()),
        ("exit_status", verdict.map_or_else(String::new, |verdict| verdict.exit_status.to_string())),
        ("seed", result.seed.to_string()),
        ("plan_digest", result.plan_digest.clone()),
        ("environment", result.environment.clone()),
    ]
}

/// Never green where the run as a whole says nothing.
fn run(result: &RunResult) -> TestCaseStatus {
    let headline = sentence::headline(result);
    let said = format!("{}: {}", headline.word, headline.sentence);
    let ends_the_job = result.verdict.as_ref().is_some_and(|verdict| verdict.exit_status != 0);
    match result.verdict.as_ref().map(|verdict| verdict.status) {
        _ if result.is_partial() => not_passed(NonSuccessKind::Error, &said),
        None | Some(Status::Invalid | Status::Interrupted) => not_passed(NonSuccessKind::Error, &said),
        Some(Status::Failed) => not_passed(NonSuccessKind::Failure, &said),
        Some(Status::Inconclusive) if ends_the_job => not_passed(NonSuccessKind::Failure, &said),
        Some(Status::Inconclusive) => skipped(&said),
        Some(Status::Passed) => TestCaseStatus::success(),
    }
}

fn check(check: &Check) -> TestCaseStatus {
    let said = sentence::outcome(check);
    match (check.status, check.severity) {
        (CheckStatus::Pass, _) => TestCaseStatus::success(),
        (CheckStatus::Fail, CheckSeverity::Fail) => not_passed(NonSuccessKind::Failure, &said),
        (CheckStatus::Fail, CheckSeverity::Warn) => skipped(&format!("broken, and only a warning: {said}")),
        (CheckStatus::Undecided | CheckStatus::NotApplicable, _) => skipped(&said),
        (CheckStatus::Invalid, CheckSeverity::Warn) => {
            skipped(&format!("invalid, and only a warning: {said}"))
        }
        (CheckStatus::Invalid, CheckSeverity::Fail) => not_passed(NonSuccessKind::Error, &said),
    }
}

fn delta(delta: &Delta) -> TestCaseStatus {
    let said = comparison::outcome(delta);
    match comparison::standing(delta) {
        Standing::Worse => not_passed(NonSuccessKind::Failure, &said),
        Standing::Invalid => not_passed(NonSuccessKind::Error, &said),
        Standing::WorseShown => skipped(&format!("worse, and only shown: {said}")),
        Standing::Unconfirmed | Standing::Open | Standing::Building | Standing::Aside => skipped(&said),
        Standing::Better | Standing::Same => TestCaseStatus::success(),
    }
}

fn not_passed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(clean(message));
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(clean(message));
    status
}

/// Only characters that XML 1.0 allows.
fn clean(text: &str) -> String {
    printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests;
