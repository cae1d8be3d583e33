//! What failed: the most frequent of it above the fold where it is a part of the verdict, and all of it in the
//! details. Pure.

use crate::report::markdown::failures;
use crate::report::markdown::table::below;
use crate::report::model;
use crate::report::number;
use crate::result::endpoint::{ended, failures as sum};
use crate::result::schema::RunResult;

/// Rows above the fold.
const MOST_ROWS: usize = 5;

/// The most frequent, openly; nothing of a run that passed although something failed.
pub fn first(result: &RunResult) -> String {
    if !model::failures_speak(result) {
        return String::new();
    }
    let said = match more(result) {
        0 => format!("**{}**:\n", how_many(result)),
        more => format!(
            "**{}**, the most frequent of it ({} more below):\n",
            how_many(result),
            number::count(more)
        ),
    };
    below(said, &failures(model::failed(result).take(MOST_ROWS)))
}

/// All of it, with its heading; nothing where it stands above.
pub fn all(result: &RunResult) -> (String, String) {
    let shown = model::failures_speak(result) && more(result) == 0;
    let table = if shown { String::new() } else { failures(model::failed(result)) };
    (how_many(result), table)
}

fn more(result: &RunResult) -> u64 {
    result.failures.len().saturating_sub(MOST_ROWS) as u64
}

/// `34 of 2,334 requests failed in the whole run`.
fn how_many(result: &RunResult) -> String {
    let counted = model::failed(result).map(|failure| failure.count).fold(0, u64::saturating_add);
    let run = &result.whole_run;
    // What else can fail, and what is lost of a half-written result, would make it a wrong share.
    if result.has("whole_run") && counted == sum(&run.failed) {
        let of = number::counted(ended(run.ok, &run.failed), "request");
        format!("{} of {of} failed in the whole run", number::count(counted))
    } else {
        format!("{} in the whole run", number::counted(counted, "failure"))
    }
}
