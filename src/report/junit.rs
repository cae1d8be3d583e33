//! Checks and gated numbers as test cases, for whatever lists test results. Pure.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::result::schema::RunResult;
use crate::result::verdict::CheckStatus;

use super::{model, sentence};

/// One case per check and gated number.
pub fn render(result: &RunResult) -> Result<String, SerializeError> {
    let mut report = Report::new("loadgate");
    let mut suite = TestSuite::new("objectives");
    for check in model::checks(result) {
        let status = match check.status {
            CheckStatus::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
            _ => TestCaseStatus::success(),
        };
        suite.add_test_case(TestCase::new(sentence::subject(check), status));
    }
    report.add_test_suite(suite);
    report.to_string()
}
