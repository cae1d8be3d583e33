//! Signs that a reader finds before having read a word. They say nothing that the word beside them does not,
//! and none is of a change that chance explains. Pure.

use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, Finding, Status};

use super::comparison::{self, Standing};
use super::model::{self, Rank};
use super::note;

const GOOD: &str = "✅";
const BAD: &str = "❌";
const OPEN: &str = "❔";
const WARNING: &str = "⚠️";
const STOPPED: &str = "⏹️";
/// Nothing was judged, so nothing is good.
const NEITHER: &str = "⚪";

/// The sign of a verdict.
pub fn of_status(status: Status) -> &'static str {
    match status {
        Status::Passed => GOOD,
        Status::Failed => BAD,
        Status::Inconclusive => OPEN,
        Status::Invalid => WARNING,
        Status::Interrupted => STOPPED,
    }
}

/// The sign of a run.
pub fn of_run(result: &RunResult) -> &'static str {
    match &result.verdict {
        None => OPEN,
        Some(verdict) if verdict.status == Status::Passed && result.is_partial() => WARNING,
        Some(verdict)
            if verdict.status == Status::Passed && verdict.findings.contains(&Finding::NoObjective) =>
        {
            NEITHER
        }
        Some(verdict) => of_status(verdict.status),
    }
}

/// How a check came out, as a sign and a word.
pub fn of_check(check: &Check) -> String {
    let sign = match model::rank(check) {
        Rank::Broken => BAD,
        Rank::Invalid | Rank::Warned => WARNING,
        Rank::Undecided => OPEN,
        Rank::Fine => GOOD,
        Rank::Elsewhere => "",
    };
    beside(sign, note::word(note::mark(check)))
}

/// How a number stands beside its past, as a sign and a word; only the word, where chance explains it.
pub fn of_delta(delta: &Delta) -> String {
    let sign = match comparison::standing(delta) {
        Standing::Worse => BAD,
        Standing::Invalid | Standing::WorseShown => WARNING,
        Standing::Unconfirmed | Standing::Open => OPEN,
        Standing::Better => GOOD,
        Standing::Building | Standing::Same | Standing::Aside => "",
    };
    beside(sign, note::word(note::standing(delta)))
}

fn beside(sign: &str, word: &str) -> String {
    // They stay on one line.
    if sign.is_empty() { word.to_owned() } else { format!("{sign}\u{a0}{word}") }
}
