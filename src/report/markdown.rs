//! The report as GitHub-flavoured markdown: for a job summary, and for people. Pure.

use crate::result::schema::RunResult;

use super::sentence;

/// The report of a result.
pub fn render(result: &RunResult) -> String {
    let headline = sentence::headline(result);
    format!("# {}\n\n{}\n", headline.word, headline.sentence)
}
