//! What every report shows, in the order it is shown: what is broken comes first.

use crate::metric::{Better, Metric};
use crate::result::endpoint::{CustomMetric, Endpoint, failures};
use crate::result::schema::{Failure, RunResult};
use crate::result::verdict::{Check, CheckScope, CheckSeverity, CheckStatus};

use super::number;
use super::text::printable;

/// One endpoint as text.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRow<'a> {
    /// Its numbers.
    pub of: &'a Endpoint,
    /// Its name; `all` in the last row.
    pub name: String,
    /// How bad its objectives stand.
    pub rank: Rank,
    /// Successes.
    pub ok: String,
    /// Failures.
    pub failed: String,
    /// Successes per second.
    pub rate: String,
    /// Response time.
    pub p50: String,
    /// Response time.
    pub p95: String,
    /// Response time.
    pub p99: String,
    /// Response time.
    pub max: String,
    /// Service time.
    pub service_p95: String,
}

/// How bad a check stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Broken, and decides.
    Broken,
    /// Cannot be judged.
    Invalid,
    /// Too little to say.
    Undecided,
    /// Broken, and only shown.
    Warned,
    /// Holds, or has none.
    Fine,
    /// Not of this scenario.
    Elsewhere,
}

/// On which side of the limit is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Up to it.
    AtMost,
    /// From it on.
    AtLeast,
}

/// Every endpoint, broken ones first; all of them together in the last row, where that is not lost.
pub fn endpoints(result: &RunResult) -> Vec<EndpointRow<'_>> {
    let checks = checks(result);
    let rank = |endpoint: &Endpoint| {
        let about = |check: &&&Check| {
            check.scope == CheckScope::Endpoint && check.endpoint.as_deref() == Some(&endpoint.name)
        };
        checks
            .iter()
            .filter(about)
            .map(|check| self::rank(check))
            .min()
            .map_or(Rank::Fine, |rank| rank.min(Rank::Fine))
    };
    let mut rows: Vec<_> = result
        .endpoints
        .iter()
        .map(|endpoint| endpoint_row(printable(&endpoint.name), rank(endpoint), endpoint))
        .collect();
    rows.sort_by_key(|row| row.rank);
    if result.has("totals") {
        rows.push(endpoint_row("all".to_owned(), Rank::Fine, &result.totals));
    }
    rows
}

fn endpoint_row(name: String, rank: Rank, endpoint: &Endpoint) -> EndpointRow<'_> {
    let [response, service] = [&endpoint.response_time, &endpoint.service_time].map(Option::as_ref);
    EndpointRow {
        of: endpoint,
        name,
        rank,
        ok: number::count(endpoint.ok),
        failed: number::count(failures(&endpoint.failed)),
        rate: number::significant(endpoint.requests_per_second),
        p50: time(response.map(|times| times.p50_ms)),
        p95: time(response.map(|times| times.p95_ms)),
        p99: time(response.map(|times| times.p99_ms)),
        max: time(response.map(|times| times.max_ms)),
        service_p95: time(service.map(|times| times.p95_ms)),
    }
}

/// Every custom metric: its name, its count, p50, p95, p99 and the longest.
pub fn metrics(result: &RunResult) -> Vec<[String; 6]> {
    let row = |metric: &CustomMetric| {
        let times = metric.response_time.as_ref();
        let times = times.map_or([None; 4], |it| [it.p50_ms, it.p95_ms, it.p99_ms, it.max_ms].map(Some));
        let [p50, p95, p99, max] = times.map(time);
        [printable(&metric.name), number::count(metric.ok), p50, p95, p99, max]
    };
    result.metrics.iter().map(row).collect()
}

fn time(value: Option<f64>) -> String {
    value.map_or_else(|| number::NOTHING.to_owned(), number::milliseconds)
}

/// Every check, broken ones first, else in the order written.
pub fn checks(result: &RunResult) -> Vec<&Check> {
    let mut checks: Vec<_> = result.verdict.iter().flat_map(|verdict| &verdict.checks).collect();
    checks.sort_by_key(|check| rank(check));
    checks
}

/// How bad a check stands.
pub fn rank(check: &Check) -> Rank {
    match (check.status, check.severity) {
        (CheckStatus::Fail, CheckSeverity::Fail) => Rank::Broken,
        (CheckStatus::Fail, CheckSeverity::Warn) => Rank::Warned,
        (CheckStatus::Invalid, _) => Rank::Invalid,
        (CheckStatus::Undecided, _) => Rank::Undecided,
        (CheckStatus::Pass, _) => Rank::Fine,
        (CheckStatus::NotApplicable, _) => Rank::Elsewhere,
    }
}

/// Whether a check has a say in the verdict.
pub fn decides(check: &Check) -> bool {
    check.severity == CheckSeverity::Fail && check.status != CheckStatus::NotApplicable
}

/// On which side of its limit a check is good.
pub fn bound(check: &Check) -> Bound {
    match Metric::named(&check.metric).map(Metric::better) {
        Some(Better::Higher) => Bound::AtLeast,
        Some(Better::Lower) | None => Bound::AtMost,
    }
}

/// Every way in which something failed, the most frequent first.
pub fn failed(result: &RunResult) -> impl Iterator<Item = &Failure> {
    result.failures.iter()
}
