//! The report on a terminal. Reads well without colour, at 80 columns and at 100; the verdict is the
//! last thing said, where the eye is. Pure.

mod comparison;
pub(super) mod table;

use std::fmt::Write;

use crate::config::render::Color;
use crate::result::endpoint::Times;
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, Status};

use super::text::{printable, shorten, wrap};
use super::{load, machine, model, note, number, sentence};
use table::{Column, Side};

/// What a report is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Whether it shows colour.
    pub color: Color,
    /// Where the files of the run are.
    pub folder: Option<String>,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BOLD: &str = "1";
const DIM: &str = "2";

const INDENT: &str = "  ";
/// The most failures listed; the rest is in the files.
const MOST_FAILURES: usize = 10;

/// The report of a result.
pub fn render(result: &RunResult, screen: &Screen) -> String {
    let mut page = Page { screen, text: String::new() };
    page.title(result);
    page.endpoints(result);
    page.metrics(result);
    page.failures(result);
    page.generator(result);
    page.notices(result);
    page.checks(result);
    page.comparison(result);
    page.verdict(result);
    page.text
}

/// A report as it grows.
struct Page<'a> {
    screen: &'a Screen,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        let heading = self.paint(BOLD, text);
        self.line(&format!("\n{heading}"));
    }

    /// A text over several lines, the later ones under the first.
    fn paragraph(&mut self, lead: &str, text: &str) {
        let indent = lead.chars().count();
        let width = self.screen.width.saturating_sub(indent).max(20);
        for (index, line) in wrap(text, width).iter().enumerate() {
            let lead = if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{lead}{line}"));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.screen.color {
            Color::Never => text.to_owned(),
            Color::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn title(&mut self, result: &RunResult) {
        let [name, scenario, environment] =
            [&result.name, &result.scenario, model::environment(result)].map(printable);
        let title = self.paint(BOLD, &format!("{name}: {scenario} on {environment}"));
        self.line(&title);
        self.paragraph("", &load::describe(result));
        let target = shorten(&printable(&result.target), self.screen.width.saturating_sub(8).max(20));
        if !target.is_empty() {
            self.line(&format!("target: {target}"));
        }
    }

    fn endpoints(&mut self, result: &RunResult) {
        self.heading("Endpoints (response time, steady phase)");
        let columns = [
            Column::name("endpoint"),
            Column::number("ok"),
            Column::number("failed"),
            Column::number("ok/s"),
            Column::number("p50"),
            Column::number("p95"),
            Column::number("p99"),
            Column::optional("max", 1),
            Column::optional("service\np95", 2),
        ];
        let rows = model::endpoints(result)
            .into_iter()
            .map(|row| {
                let mark = if row.stands_out() { "! " } else { "" };
                let name = format!("{mark}{}", row.name);
                vec![name, row.ok, row.failed, row.rate, row.p50, row.p95, row.p99, row.max, row.service_p95]
            })
            .collect::<Vec<_>>();
        if rows.is_empty() {
            // Those of a whole result end with all of them together.
            self.line(&format!("{INDENT}lost"));
            return;
        }
        self.table(&columns, rows);
        self.percentiles(model::endpoint_times(result));
    }

    /// What the marks in a table of these times mean.
    fn percentiles<'a>(&mut self, times: impl Iterator<Item = &'a Times>) {
        if let Some(note) = note::of_percentiles(times) {
            self.paragraph(INDENT, note);
        }
    }

    fn metrics(&mut self, result: &RunResult) {
        if result.metrics.is_empty() {
            return;
        }
        self.heading("Custom metrics");
        let columns = [
            Column::name("metric"),
            Column::number("count"),
            Column::number("p50"),
            Column::number("p95"),
            Column::number("p99"),
            Column::optional("max", 1),
        ];
        self.table(&columns, model::metrics(result).into_iter().map(Vec::from).collect());
        self.percentiles(model::metric_times(result));
    }

    fn failures(&mut self, result: &RunResult) {
        if result.failures.is_empty() {
            return;
        }
        self.heading("Failures (whole run)");
        for failure in model::failed(result).take(MOST_FAILURES) {
            let width = self.screen.width.saturating_sub(30).max(20);
            let name = shorten(&printable(&failure.endpoint), width);
            let kind = printable(&failure.kind);
            self.line(&format!("{INDENT}{:>7} × {kind:<15} {name}", number::count(failure.count)));
            if let Some(sample) = failure.samples.first() {
                let sample = shorten(&printable(sample), self.screen.width.saturating_sub(12).max(20));
                let sample = self.paint(DIM, &sample);
                self.line(&format!("{}{sample}", " ".repeat(12)));
            }
        }
        let rest = result.failures.len().saturating_sub(MOST_FAILURES);
        if rest > 0 {
            self.line(&format!("{INDENT}and {rest} more kinds in the files"));
        }
    }

    fn generator(&mut self, result: &RunResult) {
        // What is lost of a half-written result is not zero.
        if !result.has("generator") {
            return;
        }
        self.heading("Generator");
        self.paragraph(INDENT, &load::generator(&result.generator));
        if let Some(machine) = result.machine.as_ref().and_then(machine::notable) {
            self.paragraph(INDENT, &format!("machine: {}", printable(&machine)));
        }
    }

    fn notices(&mut self, result: &RunResult) {
        for notice in note::of_run(result) {
            self.paragraph("warning: ", &printable(&notice));
        }
    }

    fn checks(&mut self, result: &RunResult) {
        let checks = model::checks(result);
        if checks.is_empty() {
            return;
        }
        self.heading("Objectives");
        let columns = [
            Column::text(""),
            Column::text("metric"),
            Column::name("of"),
            Column::number("value"),
            Column { side: Side::Left, ..Column::number("limit") },
            Column::optional("n", 1),
        ];
        self.table(&columns, checks.iter().map(|check| check_row(check)).collect());
        for note in note::of_checks(result) {
            self.paragraph(&format!("{INDENT}> "), &printable(&note));
        }
    }

    fn verdict(&mut self, result: &RunResult) {
        let headline = sentence::headline(result);
        let color = match result.verdict.as_ref().map(|verdict| verdict.status) {
            Some(Status::Passed) => GREEN,
            Some(Status::Failed) => RED,
            _ => YELLOW,
        };
        let start = self.text.len() + 1;
        self.text.push('\n');
        self.paragraph(&format!("{}  ", headline.word), &printable(&headline.sentence));
        let painted = self.paint(&format!("{BOLD};{color}"), headline.word);
        self.text.replace_range(start..start + headline.word.len(), &painted);
        if let Some(next) = &headline.next {
            self.paragraph("next: ", &printable(&next.to_string()));
        }
        if let Some(folder) = &self.screen.folder {
            self.line(&format!("files: {}", printable(folder)));
        }
    }

    /// A table, with the marks at the beginning of its lines in colour.
    fn table(&mut self, columns: &[Column], rows: Vec<Vec<String>>) {
        for line in table::render(columns, rows, self.screen.width) {
            let painted = self.marked(&line);
            self.line(&painted);
        }
    }

    fn marked(&self, line: &str) -> String {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let code = match rest.chars().next() {
            Some('✗') => RED,
            Some('✓') => GREEN,
            Some('?' | '!') => YELLOW,
            Some('─') => DIM,
            _ => return line.to_owned(),
        };
        let end = rest.find(' ').filter(|_| !rest.starts_with('─')).unwrap_or(rest.len());
        let mut painted = indent.to_owned();
        // Writing to a string cannot fail.
        let _ = write!(painted, "{}{}", self.paint(code, &rest[..end]), &rest[end..]);
        painted
    }
}

fn check_row(check: &Check) -> Vec<String> {
    vec![
        note::mark(check).to_owned(),
        printable(&sentence::metric(check)),
        printable(sentence::scope(check)),
        note::value(check),
        note::limit(check),
        number::count(check.n),
    ]
}

#[cfg(test)]
pub(super) mod tests;
