//! What one looks up in a comment: folded, and the first to give way. Pure.

use crate::report::comparison::{self, Standing};
use crate::report::course::Course;
use crate::report::markdown::escape::{cell, plain};
use crate::report::markdown::table::{below, table};
use crate::report::markdown::{again, marks};
use crate::report::model::{self, EndpointRow, Failing, Rank};
use crate::report::sparkline::sparkline;
use crate::report::{note, number, sentence};
use crate::result::endpoint::{Endpoint, Kind};
use crate::result::schema::RunResult;

use super::{About, Source, failure, row};

/// Bars of a line that has the width of the comment.
const WIDE: usize = 40;
/// Bars of a line in a table, in each of its rows.
const NARROW: usize = 16;

/// Each with its heading; nothing of what is empty.
pub fn all(result: &RunResult, about: &About) -> Vec<(String, String)> {
    let (more, rest) = row::rest(result);
    vec![
        (format!("{} more of what says something", number::count(more as u64)), rest),
        objectives(result),
        unchanged(result),
        (number::counted(result.endpoints.len() as u64, "endpoint"), endpoints(result)),
        failure::all(result),
        ("The same run again".to_owned(), reproduced(result, about)),
    ]
}

/// How p95 went, in one line; nothing of a moment.
pub fn course(result: &RunResult) -> String {
    let course = Course::of(result, WIDE, |_| true);
    let line = course.and_then(|course| sparkline(&course.highest(|point| point.p95_ms)));
    line.map_or_else(String::new, |line| {
        format!("p95 of all requests while it was judged: `{}` {}\n", line.bars, plain(&line.range))
    })
}

fn objectives(result: &RunResult) -> (String, String) {
    let checks: Vec<_> =
        model::checks(result).into_iter().filter(|check| model::rank(check) >= Rank::Fine).collect();
    let elsewhere = checks.iter().filter(|check| model::rank(check) == Rank::Elsewhere).count() as u64;
    let holds = number::counted(checks.len() as u64 - elsewhere, "objective");
    let elsewhere = match elsewhere {
        0 => String::new(),
        n => format!(", {} not of this scenario", number::count(n)),
    };
    let rows = checks.iter().map(|check| {
        let mark = plain(note::mark(check));
        let subject = cell(&sentence::subject(check));
        [mark, subject, note::value(check), note::limit(check), number::count(check.n)]
    });
    (
        format!("{holds} without a breach{elsewhere}"),
        table(["", "objective", "value", "limit", "samples"], 2, rows),
    )
}

/// How it was compared, and what did not change; without the change itself, which is but chance.
fn unchanged(result: &RunResult) -> (String, String) {
    let compared = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
    let Some(compared) = compared.filter(|compared| compared.checks > 0) else { return Default::default() };
    let mut same = comparison::deltas(result);
    same.retain(|delta| comparison::standing(delta) == Standing::Same);
    let rows = same.iter().map(|delta| {
        [
            cell(&comparison::subject(delta)),
            comparison::value(delta, delta.base),
            comparison::value(delta, delta.head),
            comparison::interval(delta),
            comparison::budget(delta),
            comparison::size(delta, delta.min_detectable),
        ]
    });
    let head = ["number", "baseline", "now", "change lies in", "limit", "found from"];
    let of = number::counted(compared.checks, "number");
    let tolerance = comparison::tolerance(result).map_or_else(String::new, |text| format!("; {text}"));
    let said = plain(&format!("{}{tolerance}", comparison::state(compared)));
    (
        format!("{of} compared, {} without a change that matters", number::count(same.len() as u64)),
        below(format!("{said}\n"), &table(head, 1, rows)),
    )
}

fn endpoints(result: &RunResult) -> String {
    let course = Course::of(result, NARROW, |_| true);
    let rows = model::endpoints(result).into_iter().map(|row| {
        let mark = if row.stands_out() { "\\! " } else { "" };
        let name = format!("{mark}{}", cell(&row.name));
        let failed = failed(&row);
        [name, row.ok, failed, row.p95, row.p99, over_time(course.as_ref(), row.of)]
    });
    let table = table(["endpoint", "ok", "failed", "p95", "p99", "p95 over time"], 1, rows);
    below(table, &marks(model::endpoint_times(result)))
}

/// How many failed, and what share of all that is, where it is more than elsewhere.
fn failed(row: &EndpointRow) -> String {
    let share = row.of.error_rate.filter(|_| row.failing < Failing::Few);
    share.map_or_else(|| row.failed.clone(), |share| format!("{} ({})", row.failed, number::ratio(share)))
}

fn over_time(course: Option<&Course>, endpoint: &Endpoint) -> String {
    let heights = |course: &Course| match endpoint.kind {
        Kind::All => course.highest(|point| point.p95_ms),
        Kind::Http | Kind::Websocket => course.highest_of(&endpoint.name, |endpoint| endpoint.p95_ms),
    };
    let line = course.and_then(|course| sparkline(&heights(course)));
    line.map_or_else(|| number::NOTHING.to_owned(), |line| format!("`{}`", line.bars))
}

/// Nothing to be copied where a name from a fork would be read as a flag.
fn reproduced(result: &RunResult, about: &About) -> String {
    if is_safe(result, about) { again(result) } else { String::new() }
}

/// Whether a command with the names of the result in it can be copied.
pub fn is_safe(result: &RunResult, about: &About) -> bool {
    let flag = [&result.scenario, &result.environment].into_iter().any(|name| name.starts_with('-'));
    !flag || about.source == Source::Own
}
