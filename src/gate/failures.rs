//! Failures that nobody asks about. Times are of requests that were answered, so a run that is judged by times alone
//! may pass while most of it fails; then it must at least be said.

use crate::metric::Metric;
use crate::result::endpoint::{EndpointCounts, ended, failures};
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, CheckScope, CheckSeverity, CheckStatus, Finding};

/// Failures at endpoints that no error rate decides about; none where there are none.
pub(super) fn unjudged(checks: &[Check], result: &RunResult) -> Option<Finding> {
    let is_about = |severity: CheckSeverity, endpoint: &EndpointCounts| {
        checks.iter().any(|it| {
            let applies = it.severity == severity && it.status != CheckStatus::NotApplicable;
            let scope = it.scope == CheckScope::Total || it.endpoint.as_ref() == Some(&endpoint.name);
            it.metric == Metric::ErrorRate.name() && applies && scope
        })
    };
    let endpoints = result.whole_run.endpoints.iter();
    let unjudged: Vec<_> = endpoints.filter(|it| !is_about(CheckSeverity::Fail, it)).collect();
    let mut failing = unjudged.iter().filter(|it| failures(&it.failed) > 0).peekable();
    failing.peek()?;
    let only_warned = failing.all(|it| is_about(CheckSeverity::Warn, it));
    let add = |(a, b): (u64, u64), (c, d): (u64, u64)| (a.saturating_add(c), b.saturating_add(d));
    let counts = unjudged.iter().map(|it| (failures(&it.failed), ended(it.ok, &it.failed)));
    let (failed, ended) = counts.fold((0, 0), add);
    Some(Finding::UnjudgedFailures { failed, ended, only_warned })
}
