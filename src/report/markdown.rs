//! The report as GitHub-flavoured markdown: for a job summary, and for people. Pure.

mod chart;
pub mod escape;
pub mod section;
pub mod table;
#[cfg(test)]
pub mod tests;

use crate::result::endpoint::Times;
use crate::result::schema::{Failure, RunResult};

use super::load;
use super::sentence::Headline;
use super::{comparison, machine, model, note, number, reproduce, sentence, sign};
use escape::{cell, code, plain};
use section::{Importance, Room, Section, joined};
use table::{below, list, table, verbatim};

/// GitHub drops a job summary of more than 1 MiB as a whole, and counts bytes.
const ROOM: Room = Room::of_bytes(1_000_000);

/// Above the numbers of a run that did not get to its end.
pub(super) const PART: &str = "**These are the numbers of a part of a run.**\n\n";

/// The report of a result: the verdict first, what one looks up last.
pub fn render(result: &RunResult) -> String {
    render_within(result, ROOM)
}

/// The same in so much room.
pub fn render_within(result: &RunResult, room: Room) -> String {
    joined(&sections(result), room)
}

/// The parts of the report, to be cut to the room there is.
pub fn sections(result: &RunResult) -> Vec<Section> {
    let headline = sentence::headline(result);
    let judged = [
        Section::new(Importance::Judged, "Objectives", objectives(result)),
        Section::new(Importance::Judged, "Baseline", baseline(result)),
    ];
    let [decided, other] = if comparison::decides(result) {
        let [objectives, baseline] = judged;
        [baseline, objectives]
    } else {
        judged
    };
    let failed = Section::new(Importance::Measured, "Failures (whole run)", failures(model::failed(result)));
    let (high, low) = if model::failures_speak(result) { (failed, None) } else { (None, failed) };
    let all = [
        Section::new(Importance::Verdict, &heading(result, &headline), verdict(result, &headline)),
        decided,
        high,
        other,
        Section::new(Importance::Measured, "Endpoints (response time, steady phase)", endpoints(result)),
        Section::new(Importance::Picture, "Response time while it was judged", chart::chart(result)),
        low,
        Section::new(Importance::Measured, "Custom metrics", metrics(result)),
        Section::new(Importance::Detail, "The same run again", again(result)),
        Section::new(Importance::Detail, "The run and its generator", facts(result)),
        Section::new(Importance::Detail, "Every endpoint: more times", times(result)),
        Section::new(Importance::Detail, "More samples of failures", samples(result)),
    ];
    all.into_iter().flatten().collect()
}

/// `❌ FAILED`.
fn heading(result: &RunResult, headline: &Headline) -> String {
    format!("{} {}{}", sign::of_run(result), headline.word, aside(headline))
}

/// What stands in a heading behind the word of the verdict.
pub(super) fn aside(headline: &Headline) -> String {
    headline.aside.as_ref().map_or_else(String::new, |aside| format!(" — {}", plain(aside)))
}

fn verdict(result: &RunResult, headline: &Headline) -> String {
    let [name, scenario, environment] =
        [&result.name, &result.scenario, model::environment(result)].map(code);
    let partial = if result.is_partial() { PART } else { "" };
    let next = headline.next.as_ref().map_or_else(String::new, |next| format!("\n{}", table::next(next)));
    let notices = list(&note::of_run(result));
    let notices = if notices.is_empty() { notices } else { format!("\n{notices}") };
    let sentence = plain(&headline.sentence);
    format!("{partial}{sentence}\n{next}\n{name}: {scenario} on {environment}\n{notices}")
}

fn objectives(result: &RunResult) -> String {
    let rows = model::checks(result).into_iter().map(|check| {
        let about = (plain(note::mark(check)), plain(&sentence::metric(check)), cell(sentence::scope(check)));
        [about.0, about.1, about.2, note::value(check), note::limit(check), number::count(check.n)]
    });
    let table = table(["", "metric", "of", "value", "limit", "n"], 3, rows);
    below(table, &list(&note::of_checks(result)))
}

fn baseline(result: &RunResult) -> String {
    let said = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
    let Some(said) = said else { return String::new() };
    let rows = comparison::deltas(result).into_iter().map(|delta| {
        [
            plain(note::standing(delta)),
            cell(&comparison::subject(delta)),
            format!("{} → {}", comparison::value(delta, delta.base), comparison::value(delta, delta.head)),
            comparison::change(delta, delta.change),
            comparison::interval(delta),
            comparison::size(delta, delta.budget),
        ]
    });
    let table = table(["", "number", "baseline → now", "change", "lies in", "budget"], 2, rows);
    let tolerance = comparison::tolerance(result).map_or_else(String::new, |text| format!("; {text}"));
    let said = plain(&format!("{}{tolerance}", comparison::state(said)));
    below(below(format!("{said}\n"), &table), &list(&comparison::notes(result)))
}

fn endpoints(result: &RunResult) -> String {
    let rows = model::endpoints(result).into_iter().map(|row| {
        let mark = if row.stands_out() { "\\! " } else { "" };
        [format!("{mark}{}", cell(&row.name)), row.ok, row.failed, row.rate, row.p95, row.p99]
    });
    let table = table(["endpoint", "ok", "failed", "ok/s", "p95", "p99"], 1, rows);
    below(table, &marks(model::endpoint_times(result)))
}

/// What the marks in a table of these times mean.
pub(super) fn marks<'a>(times: impl Iterator<Item = &'a Times>) -> String {
    note::of_percentiles(times).map_or_else(String::new, |note| format!("{note}\n"))
}

fn times(result: &RunResult) -> String {
    let rows = model::endpoints(result)
        .into_iter()
        .map(|row| [cell(&row.name), row.p50, row.p95, row.p99, row.max, row.service_p95]);
    let table = table(["endpoint", "p50", "p95", "p99", "max", "service p95"], 1, rows);
    below(table, &marks(model::endpoint_times(result)))
}

/// These failures.
pub(super) fn failures<'a>(failures: impl Iterator<Item = &'a Failure>) -> String {
    let rows = failures.map(|it| {
        let sample = it.samples.first().map_or_else(|| number::NOTHING.to_owned(), |sample| cell(sample));
        [number::count(it.count), cell(&it.kind), cell(&it.endpoint), sample]
    });
    table(["count", "kind", "endpoint", "a sample"], 4, rows)
}

/// All samples but the first of each, which stands in the table.
fn samples(result: &RunResult) -> String {
    let more = model::failed(result).flat_map(|it: &Failure| {
        let line =
            |sample: &String| format!("- {} of {}: {}\n", code(&it.kind), code(&it.endpoint), code(sample));
        it.samples.iter().skip(1).map(line)
    });
    more.collect()
}

fn metrics(result: &RunResult) -> String {
    let rows = model::metrics(result).into_iter().map(|[name, rest @ ..]| {
        let [count, p50, p95, p99, max] = rest;
        [cell(&name), count, p50, p95, p99, max]
    });
    let table = table(["metric", "count", "p50", "p95", "p99", "max"], 1, rows);
    below(table, &marks(model::metric_times(result)))
}

/// The command that makes the run again.
pub(super) fn again(result: &RunResult) -> String {
    let condition = plain(&reproduce::condition(result));
    format!("{}\n{condition}\n", verbatim(&reproduce::command(result)))
}

fn facts(result: &RunResult) -> String {
    let status = result.verdict.as_ref().map(|verdict| verdict.exit_status.to_string());
    let commit = result.git.sha.iter().chain(&result.git.reference).map(|it| cell(it)).collect::<Vec<_>>();
    let rows = [
        // It says itself what of it is lost.
        ("scenario", "load", plain(&load::describe(result))),
        ("generator", "generator", plain(&load::generator(&result.generator))),
        ("runner", "machine", plain(&format!("{} CPUs, {}", result.runner.cpus, result.runner.cpu_model))),
        ("environment", "environment", cell(&result.environment)),
        ("target", "target", cell(&result.target)),
        ("started_at", "began", cell(&number::moment(&result.started_at))),
        ("seed", "seed", result.seed.to_string()),
        ("plan_digest", "plan digest", cell(&result.plan_digest)),
        ("git", "commit", if commit.is_empty() { number::NOTHING.to_owned() } else { commit.join(", ") }),
        ("verdict", "exit status", status.unwrap_or_else(|| number::NOTHING.to_owned())),
        ("tool", "loadgate", cell(&result.tool.version)),
    ];
    let machine = result.machine.as_ref().and_then(machine::notable);
    let machine = machine.map(|machine| ("machine", "who used the machine", plain(&machine)));
    let there = rows.into_iter().chain(machine).filter(|(field, ..)| result.has(field));
    table(["", "of the run"], 2, there.map(|(_, what, value)| [what.to_owned(), value]))
}
