//! What every report shows, in the order it is shown: what is broken comes first.

use crate::metric::{Better, Metric, Percentile};
use crate::result::endpoint::{CustomMetric, Endpoint, EndpointCounts, Reading, Times, ended, failures};
use crate::result::schema::{Failure, RunResult};
use crate::result::verdict::{Check, CheckScope, CheckSeverity, CheckStatus, Status};

use super::number;
use super::text::printable;

/// Before a percentile that is but the slowest of few requests; `note::of_percentiles` says so.
pub const FEW: char = '†';
/// The percentiles of the tables of endpoints and custom metrics.
const SHOWN: [Percentile; 3] = [Percentile::P50, Percentile::P95, Percentile::P99];
/// An endpoint fails clearly more than the others where its share of failures is so many times theirs, …
const CLEARLY: f64 = 5.0;
/// … where it is at least this share, …
const LEAST_SHARE: f64 = 0.01;
/// … and where it is no matter of a few.
const LEAST_FAILURES: u64 = 5;

/// One endpoint as text.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRow<'a> {
    /// Its numbers.
    pub of: &'a Endpoint,
    /// Its name; `all` in the last row.
    pub name: String,
    /// How bad its objectives stand.
    pub rank: Rank,
    /// How much of it failed.
    pub failing: Failing,
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

impl EndpointRow<'_> {
    /// Whether a reader is to look at it first.
    pub fn stands_out(&self) -> bool {
        self.rank < Rank::Fine || self.failing < Failing::Few
    }
}

/// How much of an endpoint failed, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failing {
    /// All there was.
    All,
    /// Clearly more than of the others.
    Many,
    /// No more than of others, or nothing.
    Few,
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

/// Whether there are enough requests for a percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// It is a number of its own.
    Well,
    /// It is the slowest of them.
    Slowest,
}

/// On which side of the limit is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Up to it.
    AtMost,
    /// From it on.
    AtLeast,
}

/// Every endpoint, what fails and what is broken first; all of them together in the last row, where that is not lost.
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
    let failing = failing(result);
    for row in &mut rows {
        row.failing = failing(row.of);
    }
    rows.sort_by_key(|row| (row.failing, row.rank));
    if result.has("totals") {
        rows.push(endpoint_row("all".to_owned(), Rank::Fine, &result.totals));
    }
    rows
}

fn endpoint_row(name: String, rank: Rank, endpoint: &Endpoint) -> EndpointRow<'_> {
    let [response, service] = [&endpoint.response_time, &endpoint.service_time].map(Option::as_ref);
    let [p50, p95, p99] = SHOWN.map(|shown| percentile(response, shown));
    EndpointRow {
        of: endpoint,
        name,
        rank,
        failing: Failing::Few,
        ok: number::count(endpoint.ok),
        failed: number::count(failures(&endpoint.failed)),
        rate: number::significant(endpoint.requests_per_second),
        p50,
        p95,
        p99,
        max: reading(response.map(|times| times.max_among(0))),
        service_p95: percentile(service, Percentile::P95),
    }
}

/// How much of an endpoint failed, beside the others.
pub fn failing(result: &RunResult) -> impl Fn(&Endpoint) -> Failing {
    let counts = |it: &Endpoint| (failures(&it.failed), ended(it.ok, &it.failed));
    let add = |(a, b): (u64, u64), (c, d): (u64, u64)| (a.saturating_add(c), b.saturating_add(d));
    let (all_failed, all) = result.endpoints.iter().map(counts).fold((0, 0), add);
    move |endpoint| {
        let (failed, ended) = counts(endpoint);
        let others = all.saturating_sub(ended);
        let of_others = all_failed.saturating_sub(failed) as f64 / others.max(1) as f64;
        let share = failed as f64 / ended.max(1) as f64;
        match () {
            () if failed > 0 && endpoint.ok == 0 => Failing::All,
            () if others == 0 || failed < LEAST_FAILURES || share < LEAST_SHARE => Failing::Few,
            () if share >= CLEARLY * of_others => Failing::Many,
            () => Failing::Few,
        }
    }
}

/// What can have kept others from being requested: the endpoint that failed most and never did anything else.
pub fn in_the_way(result: &RunResult) -> Option<&EndpointCounts> {
    let endpoints = result.whole_run.endpoints.iter().filter(|it| it.ok == 0);
    endpoints.max_by_key(|it| failures(&it.failed)).filter(|it| failures(&it.failed) > 0)
}

/// Whether what failed is a part of what a reader must know first: the run did not pass, or an error rate is
/// broken.
pub fn failures_speak(result: &RunResult) -> bool {
    let passed = result.verdict.as_ref().is_some_and(|verdict| verdict.status == Status::Passed);
    let broken =
        |check: &&Check| check.status == CheckStatus::Fail && check.metric == Metric::ErrorRate.name();
    !result.failures.is_empty() && (!passed || checks(result).iter().any(broken))
}

/// Every custom metric: its name, its count, p50, p95, p99 and the longest.
pub fn metrics(result: &RunResult) -> Vec<[String; 6]> {
    let row = |metric: &CustomMetric| {
        let times = metric.response_time.as_ref();
        let [p50, p95, p99] = SHOWN.map(|shown| percentile(times, shown));
        let max = reading(times.map(|times| times.max_among(0)));
        [printable(&metric.name), number::count(metric.ok), p50, p95, p99, max]
    };
    result.metrics.iter().map(row).collect()
}

/// A number of times as text: `41.2 ms`, or `≥ 203 ms` where timeouts leave it open.
pub fn reading(reading: Option<Reading>) -> String {
    reading.map_or_else(
        || number::NOTHING.to_owned(),
        |reading| at_least(number::milliseconds(reading.value_ms), reading.is_at_least()),
    )
}

/// A percentile as text, marked where so few requests cannot carry it.
pub fn percentile(times: Option<&Times>, percentile: Percentile) -> String {
    let text = reading(times.map(|times| times.percentile(percentile)));
    match times {
        Some(times) => marked(text, carries(times.n, percentile.quantile())),
        None => text,
    }
}

/// What a percentile of so many requests is: a number of its own, or but the slowest of them. An old result may
/// not know how many there were: then nothing is said against it.
pub fn carries(n: u64, quantile: f64) -> Carried {
    // Shares of ten are no round numbers in a computer: ten requests do carry p90.
    if n == 0 || n as f64 * (1.0 - quantile) >= 1.0 - 1e-9 { Carried::Well } else { Carried::Slowest }
}

/// The text of a time, with a sign where timeouts make it a lower bound.
pub fn at_least(text: String, is_lower_bound: bool) -> String {
    if is_lower_bound { format!("≥ {text}") } else { text }
}

/// The text of a percentile, with its mark where it needs one.
pub fn marked(text: String, carried: Carried) -> String {
    match carried {
        Carried::Well => text,
        Carried::Slowest => format!("{FEW}{text}"),
    }
}

/// The times that the table of endpoints shows.
pub fn endpoint_times(result: &RunResult) -> impl Iterator<Item = &Times> {
    let endpoints = result.endpoints.iter().chain([&result.totals]);
    endpoints.flat_map(|it| it.response_time.iter().chain(&it.service_time))
}

/// The times that the table of custom metrics shows.
pub fn metric_times(result: &RunResult) -> impl Iterator<Item = &Times> {
    result.metrics.iter().filter_map(|metric| metric.response_time.as_ref())
}

/// Whether a table of these times marks any of them.
pub fn carried<'a>(mut times: impl Iterator<Item = &'a Times>) -> Carried {
    let slowest = |times: &Times| SHOWN.iter().any(|it| carries(times.n, it.quantile()) == Carried::Slowest);
    if times.any(slowest) { Carried::Slowest } else { Carried::Well }
}

/// Where a result is from; told also where that is lost.
pub fn environment(result: &RunResult) -> &str {
    if result.has("environment") { &result.environment } else { "an unknown environment" }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::outcome::FailureKind;
    use crate::load::measure::recording::Recording;
    use crate::result::fixture::{context, fail, of_requests, plan, run, succeed};
    use crate::result::summary::summarise;

    #[test]
    fn a_percentile_is_carried_where_one_request_at_least_lies_beyond_it() {
        for (n, quantile, carried) in [
            (10, 0.9, Carried::Well),
            (9, 0.9, Carried::Slowest),
            (20, 0.95, Carried::Well),
            (19, 0.95, Carried::Slowest),
            (100, 0.99, Carried::Well),
            (50, 0.99, Carried::Slowest),
            (1_000, 0.999, Carried::Well),
            (999, 0.999, Carried::Slowest),
            (10_000, 0.9999, Carried::Well),
            (1, 0.5, Carried::Slowest),
            (2, 0.5, Carried::Well),
            (0, 0.999, Carried::Well),
        ] {
            assert_eq!(carries(n, quantile), carried, "{quantile} of {n}");
        }
    }

    #[test]
    fn what_so_few_requests_cannot_carry_is_marked_and_nothing_else() {
        let shown = |n: u64| {
            let result = of_requests(n);
            let EndpointRow { p50, p95, p99, max, service_p95, .. } = endpoints(&result).remove(0);
            (
                [p50, p95, p99, max, service_p95].map(|text| text.starts_with(FEW)),
                carried(endpoint_times(&result)),
            )
        };
        assert_eq!(shown(9), ([false, true, true, false, true], Carried::Slowest));
        assert_eq!(shown(50), ([false, false, true, false, false], Carried::Slowest));
        assert_eq!(shown(100), ([false; 5], Carried::Well));
        assert_eq!(shown(0), ([false; 5], Carried::Well));
    }

    #[test]
    fn what_fails_clearly_more_than_the_others_stands_first_and_out() {
        let kind = FailureKind::Status;
        let mut recording = Recording::new(5, 1, 1);
        let counts = [(1_000, 10), (980, 20), (900, 100), (996, 4), (0, 3)];
        for (endpoint, (ok, failed)) in recording.endpoints.iter_mut().zip(counts) {
            succeed(&mut endpoint.steady, ok, 1.0, 2.0);
            fail(&mut endpoint.steady, kind, failed, 1);
        }
        let result = summarise(&plan(&["a", "b", "often", "d", "always"]), &run(recording), context());
        let rows: Vec<_> =
            endpoints(&result).iter().map(|row| (row.name.clone(), row.failing, row.stands_out())).collect();
        let (few, many) = (Failing::Few, Failing::Many);
        let expected = [
            ("always", Failing::All, true),
            ("often", many, true),
            ("a", few, false),
            ("b", few, false),
            ("d", few, false),
            ("all", few, false),
        ];
        assert_eq!(rows, expected.map(|(name, failing, out)| (name.to_owned(), failing, out)));
    }

    #[test]
    fn alone_an_endpoint_fails_no_more_than_others() {
        let mut recording = Recording::new(1, 1, 1);
        succeed(&mut recording.endpoints[0].steady, 50, 1.0, 2.0);
        fail(&mut recording.endpoints[0].steady, FailureKind::Status, 50, 1);
        let result = summarise(&plan(&["a"]), &run(recording), context());
        assert_eq!(endpoints(&result)[0].failing, Failing::Few);
    }
}
