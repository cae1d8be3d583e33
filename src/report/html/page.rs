//! Everything the template shows, as text and places; the template decides nothing.

use serde::Serialize;

use crate::report::text::{glued, printable, shorten};
use crate::report::{comparison, load, model, note, number, reproduce, sentence};
use crate::result::endpoint::{Endpoint, Kind, Times, failures};
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, Status};

use super::contents::{Part, contents};
use super::distribution::{Distribution, distribution};
use super::interval::{self, Group};
use super::plot::percent;
use super::timeline::{Timeline, timeline};
use super::{LONGEST_NAME, facts, model_name};

/// The most distributions that are drawn; the rest is in the table.
const MOST_DISTRIBUTIONS: usize = 48;
/// Characters of a foreign sentence.
const LONGEST_TEXT: usize = 400;

/// A result as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    title: String,
    scenario: String,
    environment: String,
    subtitle: String,
    verdict: VerdictView,
    contents: Vec<Part>,
    tiles: Vec<facts::Fact>,
    notices: Vec<String>,
    checks: Vec<CheckRow>,
    check_notes: Vec<String>,
    comparison: Option<ComparisonView>,
    timeline: Option<Timeline>,
    endpoints: Vec<EndpointView>,
    /// Why there is none.
    no_endpoint: Option<&'static str>,
    endpoints_note: Option<&'static str>,
    distributions: Vec<Distribution>,
    distributions_left: usize,
    failures: Vec<KindView>,
    failures_lost: bool,
    metrics: Vec<[String; 6]>,
    metrics_note: Option<&'static str>,
    tasks: Vec<TaskView>,
    generator: Vec<facts::Fact>,
    about: Vec<facts::Fact>,
    reproduce: String,
    reproduce_condition: String,
}

#[derive(Debug, Clone, Serialize)]
struct VerdictView {
    status: &'static str,
    class: &'static str,
    word: String,
    sentence: String,
    next: Option<String>,
    partial: bool,
}

#[derive(Debug, Clone, Serialize)]
struct CheckRow {
    class: &'static str,
    standing: &'static str,
    metric: String,
    scope: String,
    value: String,
    limit: String,
    n: String,
    /// The value as a share of the axis; none without one.
    at: Option<String>,
    /// The limit as a share of the axis.
    limit_at: String,
}

#[derive(Debug, Clone, Serialize)]
struct ComparisonView {
    state: String,
    tolerance: Option<String>,
    groups: Vec<Group>,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct EndpointView {
    class: &'static str,
    /// How its objectives stand, where that is to be said.
    word: Option<&'static str>,
    /// All of them together.
    all: bool,
    name: String,
    cells: Vec<Cell>,
}

/// A cell that can be sorted by.
#[derive(Debug, Clone, Serialize)]
struct Cell {
    text: String,
    /// Empty where there is no number.
    value: String,
}

#[derive(Debug, Clone, Serialize)]
struct KindView {
    kind: String,
    count: String,
    rows: Vec<FailureView>,
}

#[derive(Debug, Clone, Serialize)]
struct FailureView {
    endpoint: String,
    count: String,
    samples: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct TaskView {
    class: String,
    task: String,
    iterations: String,
    skipped: String,
    failed: String,
}

impl Page {
    /// The page of a result; of one that is still going on with how far it is.
    pub fn of(result: &RunResult, progress: Option<&str>) -> Self {
        let drawn = distributions(result);
        let recorded = result.endpoints.iter().filter(|endpoint| endpoint.response_time.is_some()).count();
        Self {
            title: name(&result.name),
            scenario: name(&result.scenario),
            environment: name(model::environment(result)),
            subtitle: glued(&load::describe(result)),
            verdict: verdict(result, progress),
            contents: contents(result),
            tiles: facts::tiles(result),
            notices: note::of_run(result).iter().map(|notice| foreign(notice)).collect(),
            checks: model::checks(result).into_iter().map(check_row).collect(),
            check_notes: note::of_checks(result).iter().map(|note| foreign(note)).collect(),
            comparison: comparison_view(result),
            timeline: timeline(result),
            endpoints: model::endpoints(result).into_iter().map(endpoint_view).collect(),
            no_endpoint: no_endpoint(result),
            endpoints_note: note::of_percentiles(model::endpoint_times(result)),
            // The first of them is of all requests.
            distributions_left: (recorded + 1).saturating_sub(drawn.len().max(1)),
            distributions: drawn,
            failures: kinds(result),
            failures_lost: !result.has("failures"),
            metrics: metrics(result),
            metrics_note: note::of_percentiles(model::metric_times(result)),
            tasks: tasks(result),
            generator: facts::of_machine(result),
            about: facts::about(result),
            reproduce: printable(&reproduce::command(result)),
            reproduce_condition: printable(&reproduce::condition(result)),
        }
    }
}

/// A foreign name; one that is empty is still to be seen.
pub fn name(text: &str) -> String {
    match shorten(&printable(text), LONGEST_NAME) {
        empty if empty.is_empty() => number::NOTHING.to_owned(),
        name => name,
    }
}

fn foreign(text: &str) -> String {
    shorten(&printable(text), LONGEST_TEXT)
}

fn verdict(result: &RunResult, progress: Option<&str>) -> VerdictView {
    if let Some(progress) = progress {
        return running(progress);
    }
    let headline = sentence::headline(result);
    let status = result.verdict.as_ref().map(|verdict| verdict.status);
    let class = match status {
        Some(Status::Passed) => "pass",
        Some(Status::Failed) => "fail",
        _ => "warn",
    };
    VerdictView {
        status: status.map_or("not_judged", Status::name),
        class,
        word: headline.word.to_owned(),
        sentence: glued(&printable(&headline.sentence)),
        next: headline.next.map(|next| printable(&next.to_string())),
        partial: result.is_partial(),
    }
}

fn running(progress: &str) -> VerdictView {
    VerdictView {
        status: "running",
        class: "quiet",
        word: "RUNNING".to_owned(),
        sentence: format!("{progress}; every number is so far, and none is a verdict"),
        next: None,
        partial: false,
    }
}

fn no_endpoint(result: &RunResult) -> Option<&'static str> {
    match (result.endpoints.is_empty(), result.has("endpoints")) {
        (false, _) => None,
        (true, true) => Some("The plan has no endpoint."),
        (true, false) => Some("The endpoints are lost."),
    }
}

/// How what stands so is drawn.
pub fn class(rank: model::Rank) -> &'static str {
    match rank {
        model::Rank::Broken => "fail",
        model::Rank::Invalid | model::Rank::Undecided | model::Rank::Warned => "warn",
        model::Rank::Fine => "pass",
        model::Rank::Elsewhere => "quiet",
    }
}

fn check_row(check: &Check) -> CheckRow {
    // The axis reaches a quarter beyond the larger of both.
    let end = check.value.unwrap_or(0.0).max(check.limit) * 1.25;
    let share = |value: f64| percent(if end > 0.0 && end.is_finite() { value / end } else { 0.0 });
    CheckRow {
        class: class(model::rank(check)),
        standing: note::word(note::mark(check)),
        metric: name(&sentence::metric(check)),
        scope: name(sentence::scope(check)),
        value: note::value(check),
        limit: note::limit(check),
        n: number::count(check.n),
        at: check.value.map(share),
        limit_at: share(check.limit),
    }
}

fn comparison_view(result: &RunResult) -> Option<ComparisonView> {
    let said = result.verdict.as_ref()?.comparison.as_ref()?;
    Some(ComparisonView {
        state: foreign(&comparison::state(said)),
        tolerance: comparison::tolerance(result),
        groups: interval::groups(result),
        notes: comparison::notes(result).iter().map(|note| foreign(note)).collect(),
    })
}

fn endpoint_view(row: model::EndpointRow) -> EndpointView {
    let plain = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let of = row.of;
    let word = match row.rank {
        model::Rank::Broken => Some("broken"),
        model::Rank::Invalid => Some("invalid"),
        model::Rank::Undecided => Some("undecided"),
        model::Rank::Warned => Some("warning"),
        model::Rank::Fine | model::Rank::Elsewhere => None,
    };
    let time = |times: &Option<Times>, pick: fn(&Times) -> f64| {
        times.as_ref().map(pick).map_or_else(String::new, plain)
    };
    let cells = [
        (row.ok, of.ok.to_string()),
        (row.failed, failures(&of.failed).to_string()),
        (row.rate, plain(of.requests_per_second)),
        (row.p50, time(&of.response_time, |times| times.p50_ms)),
        (row.p95, time(&of.response_time, |times| times.p95_ms)),
        (row.p99, time(&of.response_time, |times| times.p99_ms)),
        (row.max, time(&of.response_time, |times| times.max_ms)),
        (row.service_p95, time(&of.service_time, |times| times.p95_ms)),
    ];
    EndpointView {
        class: if word.is_some() { class(row.rank) } else { "" },
        word,
        all: of.kind == Kind::All,
        name: name(model_name(of)),
        cells: cells.into_iter().map(|(text, value)| Cell { text, value }).collect(),
    }
}

/// All requests, then the endpoints in the order of the table.
fn distributions(result: &RunResult) -> Vec<Distribution> {
    let rows = model::endpoints(result);
    let place = |endpoint: &Endpoint| result.endpoints.iter().position(|it| std::ptr::eq(it, endpoint));
    let each = rows.iter().filter_map(|row| Some((row.of, place(row.of)?.to_string())));
    let all = std::iter::once((&result.totals, "all".to_owned()));
    all.chain(each).filter_map(|(endpoint, id)| distribution(endpoint, id)).take(MOST_DISTRIBUTIONS).collect()
}

/// Failures by kind, the most frequent first.
fn kinds(result: &RunResult) -> Vec<KindView> {
    let mut kinds: Vec<(&str, u64, Vec<FailureView>)> = Vec::new();
    for failure in model::failed(result) {
        let row = FailureView {
            endpoint: name(&failure.endpoint),
            count: number::count(failure.count),
            samples: failure.samples.iter().map(|sample| foreign(sample)).collect(),
        };
        match kinds.iter_mut().find(|(kind, _, _)| *kind == failure.kind) {
            Some((_, count, rows)) => {
                *count = count.saturating_add(failure.count);
                rows.push(row);
            }
            None => kinds.push((&failure.kind, failure.count, vec![row])),
        }
    }
    kinds.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let view = |(kind, count, rows): (&str, u64, Vec<FailureView>)| KindView {
        kind: name(kind),
        count: number::count(count),
        rows,
    };
    kinds.into_iter().map(view).collect()
}

fn metrics(result: &RunResult) -> Vec<[String; 6]> {
    let shown = |[metric, rest @ ..]: [String; 6]| {
        let [count, p50, p95, p99, max] = rest;
        [name(&metric), count, p50, p95, p99, max]
    };
    model::metrics(result).into_iter().map(shown).collect()
}

fn tasks(result: &RunResult) -> Vec<TaskView> {
    let view = |task: &crate::result::schema::Task| TaskView {
        class: name(&task.user_class),
        task: name(&task.task),
        iterations: number::count(task.iterations),
        skipped: number::count(task.skipped),
        failed: number::count(task.failed),
    };
    result.tasks.iter().map(view).collect()
}
