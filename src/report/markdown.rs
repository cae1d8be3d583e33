//! The report as GitHub-flavoured markdown: for a job summary, and for people. Pure.

pub mod escape;

use crate::result::schema::RunResult;

use super::{comparison, model, number, reproduce, sentence};
use escape::{code, plain};

/// The report of a result: the verdict first, the command that makes the run again last.
pub fn render(result: &RunResult) -> String {
    let headline = sentence::headline(result);
    let next = headline.next.map_or_else(String::new, |next| format!("\nNext: {}\n", plain(&next)));
    let sections = [
        format!("# {}\n\n{}\n{next}", headline.word, plain(&headline.sentence)),
        list("Objectives", model::checks(result).into_iter().map(sentence::outcome)),
        list("Baseline", comparison::deltas(result).into_iter().map(comparison::outcome)),
        endpoints(result),
        failures(result),
        format!("## The same run again\n\n    {}\n", super::text::printable(&reproduce::command(result))),
    ];
    let shown: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    shown.join("\n")
}

fn list(heading: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("- {}\n", plain(&line))).collect();
    if lines.is_empty() { lines } else { format!("## {heading}\n\n{lines}") }
}

fn endpoints(result: &RunResult) -> String {
    let row = |row: model::EndpointRow| {
        let model::EndpointRow { name, ok, failed, rate, p95, p99, .. } = row;
        format!("| {} | {ok} | {failed} | {rate} | {p95} | {p99} |\n", code(&name))
    };
    let rows: String = model::endpoints(result).into_iter().map(row).collect();
    let head = "| endpoint | ok | failed | ok/s | p95 | p99 |\n|---|--:|--:|--:|--:|--:|\n";
    format!("## Endpoints (response time, steady phase)\n\n{head}{rows}")
}

fn failures(result: &RunResult) -> String {
    let line = |it: &crate::result::schema::Failure| {
        let sample = it.samples.first().map_or_else(String::new, |sample| format!(": {}", code(sample)));
        format!("- {} × {} of {}{sample}\n", number::count(it.count), code(&it.kind), code(&it.endpoint))
    };
    let lines: String = model::failed(result).map(line).collect();
    if lines.is_empty() { lines } else { format!("## Failures (whole run)\n\n{lines}") }
}
