//! What speaks above the fold: checks and compared numbers that say something, the worst first, and why. What
//! holds or did not change is not here. Pure.

use crate::report::comparison::{self, Standing};
use crate::report::markdown::escape::cell;
use crate::report::markdown::table::{below, list, table as drawn};
use crate::report::model::{self, Failing, Rank};
use crate::report::text::shorten;
use crate::report::{note, number, sentence, sign};
use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::Check;

use super::and_more;

/// Rows above the fold; the rest are in the details.
const MOST_ROWS: usize = 20;
/// Sentences below them, and how long one may be.
const MOST_NOTES: usize = 8;
const LONGEST_NOTE: usize = 300;

const HEAD: [&str; 6] = ["", "number", "value", "limit", "how sure", "decides"];

const DECIDES: &str = "yes";
const SHOWN: &str = "no, only shown";

/// What says something.
#[derive(Clone, Copy)]
enum Row<'a> {
    Check(&'a Check),
    Delta(&'a Delta),
}

/// How much it says, the most first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Broken,
    Worse,
    Invalid,
    Unconfirmed,
    Open,
    Shown,
    Better,
}

/// The first rows.
pub fn table(result: &RunResult) -> String {
    let rows = rows(result);
    let more = and_more(rows.len().saturating_sub(MOST_ROWS));
    let more = more.map_or_else(String::new, |more| format!("{more}: below\n"));
    below(drawn(HEAD, 2, rows.iter().take(MOST_ROWS).map(Row::cells)), &more)
}

/// The rows that have no room above the fold, and how many they are.
pub fn rest(result: &RunResult) -> (usize, String) {
    let rows = rows(result);
    let rest = rows.get(MOST_ROWS..).unwrap_or_default();
    (rest.len(), drawn(HEAD, 2, rest.iter().map(Row::cells)))
}

/// Why some rows are as they are, and what the run was told.
pub fn notes(result: &RunResult) -> String {
    let said = sentence::headline(result).sentence;
    let of_run = note::of_run(result).into_iter().filter(|note| !note.starts_with(&said));
    let notes: Vec<_> =
        note::of_checks(result).into_iter().chain(comparison::notes(result)).chain(of_run).collect();
    let shown = notes.iter().take(MOST_NOTES).map(|note| shorten(note, LONGEST_NOTE));
    list(&shown.chain(and_more(notes.len().saturating_sub(MOST_NOTES))).collect::<Vec<_>>())
}

fn rows(result: &RunResult) -> Vec<Row<'_>> {
    let checks = model::checks(result).into_iter().map(Row::Check);
    let deltas = comparison::deltas(result).into_iter().map(Row::Delta);
    let mut rows: Vec<_> = checks.chain(deltas).filter(|row| row.weight().is_some()).collect();
    let failing = failing(result);
    rows.sort_by_cached_key(|row| (row.weight(), failing(row)));
    rows
}

/// How much of what a row is about failed.
fn failing(result: &RunResult) -> impl Fn(&Row<'_>) -> Failing + '_ {
    let of = model::failing(result);
    let known: Vec<_> = result.endpoints.iter().map(|it| (it.name.as_str(), of(it))).collect();
    move |row| {
        let name = match row {
            Row::Check(check) => check.endpoint.as_deref(),
            Row::Delta(delta) => delta.endpoint.as_deref(),
        };
        known.iter().find(|(known, _)| Some(*known) == name).map_or(Failing::Few, |(_, failing)| *failing)
    }
}

impl Row<'_> {
    /// None of what says nothing.
    fn weight(&self) -> Option<Weight> {
        match self {
            Self::Check(check) => match model::rank(check) {
                Rank::Broken => Some(Weight::Broken),
                Rank::Invalid => Some(Weight::Invalid),
                Rank::Undecided => Some(Weight::Open),
                Rank::Warned => Some(Weight::Shown),
                Rank::Fine | Rank::Elsewhere => None,
            },
            Self::Delta(delta) => match comparison::standing(delta) {
                Standing::Worse => Some(Weight::Worse),
                Standing::Invalid => Some(Weight::Invalid),
                Standing::Unconfirmed => Some(Weight::Unconfirmed),
                Standing::Open => Some(Weight::Open),
                Standing::WorseShown => Some(Weight::Shown),
                Standing::Better => Some(Weight::Better),
                Standing::Building | Standing::Same | Standing::Aside => None,
            },
        }
    }

    fn cells(&self) -> [String; 6] {
        match self {
            Self::Check(check) => [
                sign::of_check(check),
                cell(&sentence::subject(check)),
                note::value(check),
                note::limit(check),
                number::counted(check.n, "sample"),
                if model::decides(check) { DECIDES } else { SHOWN }.to_owned(),
            ],
            Self::Delta(delta) => [
                sign::of_delta(delta),
                cell(&comparison::subject(delta)),
                moved(delta),
                comparison::budget(delta),
                comparison::interval(delta),
                if delta.gated { DECIDES } else { SHOWN }.to_owned(),
            ],
        }
    }
}

/// From where to where, and by how much if that is more than chance.
fn moved(delta: &Delta) -> String {
    let [base, head] = [delta.base, delta.head].map(|value| comparison::value(delta, value));
    let change = comparison::certain(delta).map_or_else(String::new, |change| format!(", {change}"));
    format!("{base} → {head}{change}")
}
