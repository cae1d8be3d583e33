//! Failures that nobody asks about. Times are of requests that were answered, so a run that is judged by times alone
//! may pass while most of it fails; then it must at least be said.

use crate::metric::Metric;
use crate::result::endpoint::{ended, failures};
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, CheckScope, CheckSeverity, CheckStatus, Finding};

/// Failures at endpoints that no error rate decides about; none where there are none.
pub(super) fn unjudged(checks: &[Check], result: &RunResult) -> Option<Finding> {
    let decides = |check: &&Check| {
        check.metric == Metric::ErrorRate.name()
            && check.severity == CheckSeverity::Fail
            && check.status != CheckStatus::NotApplicable
    };
    let judged = checks.iter().filter(decides);
    if judged.clone().any(|check| check.scope == CheckScope::Total) {
        return None;
    }
    let others = result.whole_run.endpoints.iter().filter(|endpoint| {
        !judged.clone().any(|check| check.endpoint.as_deref() == Some(endpoint.name.as_str()))
    });
    let add = |(a, b): (u64, u64), (c, d): (u64, u64)| (a.saturating_add(c), b.saturating_add(d));
    let counts = others.map(|it| (failures(&it.failed), ended(it.ok, &it.failed)));
    let (failed, ended) = counts.fold((0, 0), add);
    (failed > 0).then_some(Finding::UnjudgedFailures { failed, ended })
}
