//! The only place of this room that prints: stdout is data, stderr is conversation.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::result::schema::RunResult;

/// A line to the user.
pub fn note(line: &str) {
    // A closed stderr is nobody listening, no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Data for whoever reads stdout.
pub fn data(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// What is configured and not done by this version, once.
pub fn inactive(names: &[String]) {
    if !names.is_empty() {
        note(&format!("note: not active yet in this version: {}", names.join(", ")));
    }
}

/// The summary of a run.
pub fn summary(result: &RunResult, folder: &Path) {
    data(&format!(
        "{} {} {:?}\n",
        result.scenario,
        folder.display(),
        result.verdict.as_ref().map(|v| (v.status, &v.reasons))
    ));
    let _ = std::io::stdout().is_terminal();
}

/// Text from outside, on one line and without anything a terminal would obey.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
