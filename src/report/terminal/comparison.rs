//! The section about the baseline: how far the comparison went, and its numbers, the worst first.

use crate::report::comparison::{self, Standing};
use crate::report::note;
use crate::report::text::printable;
use crate::result::comparison::Delta;
use crate::result::schema::RunResult;

use super::table::Column;
use super::{INDENT, Page};

/// The most numbers listed; the rest is in the files.
const MOST_ROWS: usize = 16;
/// The most notes below them.
const MOST_NOTES: usize = 6;

impl Page<'_> {
    /// Nothing where nothing was to be compared.
    pub(super) fn comparison(&mut self, result: &RunResult) {
        let said = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
        let Some(said) = said else { return };
        self.heading("Baseline");
        let tolerance = comparison::tolerance(result).map_or_else(String::new, |text| format!("; {text}"));
        self.paragraph(INDENT, &printable(&format!("{}{tolerance}", comparison::state(said))));
        let deltas = comparison::deltas(result);
        let tested: Vec<_> =
            deltas.into_iter().filter(|delta| comparison::standing(delta) != Standing::Building).collect();
        if !tested.is_empty() {
            let columns = [
                Column::text(""),
                Column::name("number"),
                Column::number("baseline"),
                Column::number("now"),
                Column::number("change"),
                Column::optional("lies in", 3),
                Column::optional("found\nfrom", 2),
                Column::optional("budget", 1),
            ];
            self.table(&columns, tested.iter().take(MOST_ROWS).map(|delta| row(delta)).collect());
            let more = tested.len().saturating_sub(MOST_ROWS);
            if more > 0 {
                self.line(&format!("{INDENT}and {more} more, none worse than these"));
            }
        }
        for note in comparison::notes(result).iter().take(MOST_NOTES) {
            self.paragraph(&format!("{INDENT}> "), &printable(note));
        }
    }
}

fn row(delta: &Delta) -> Vec<String> {
    vec![
        note::standing(delta).to_owned(),
        printable(&comparison::subject(delta)),
        comparison::value(delta, delta.base),
        comparison::value(delta, delta.head),
        comparison::change(delta, delta.change),
        comparison::interval(delta),
        comparison::size(delta, delta.min_detectable),
        comparison::size(delta, delta.budget),
    ]
}
