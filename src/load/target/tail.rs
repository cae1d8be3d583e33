//! The last lines of the target's log, for a message: bounded, and harmless wherever they are printed.

use std::fmt;
use std::path::{Path, PathBuf};

const LINES: usize = 20;
const LINE_CHARS: usize = 400;

/// The end of a log. Shown, it is an ending to a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLines {
    /// The whole log.
    pub path: PathBuf,
    lines: Vec<String>,
}

impl LastLines {
    /// Those of this text, which ends the log at `path`.
    pub(super) fn of(path: &Path, text: &str) -> Self {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        Self { path: path.to_owned(), lines: last.iter().map(|line| harmless(line)).collect() }
    }
}

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return f.write_str("; it wrote nothing");
        }
        f.write_str("; its last lines:")?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

/// Control characters are shown, not obeyed; `##[` inside a line would be a command to a workflow runner.
fn harmless(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars().take(LINE_CHARS) {
        match character {
            '\t' => shown.push(' '),
            c if c.is_control() || is_directional(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown.replace("##[", "# #[")
}

/// Characters that make a line read differently from what it says.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> LastLines {
        LastLines::of(Path::new("target.log"), text)
    }

    #[test]
    fn only_the_last_twenty_lines_are_kept() {
        let text = (1..=50).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let last = last(&text);
        assert_eq!(last.lines.len(), LINES);
        assert_eq!(last.lines[0], "line 31");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        assert_eq!(last(&"x".repeat(8_000)).lines, ["x".repeat(LINE_CHARS)]);
    }

    #[test]
    fn what_a_terminal_or_a_workflow_would_obey_is_only_shown() {
        let expected = "; its last lines:\n  | \\u{1b}[31mred\n  | ::error::x\n  | # #[error]y\n  | \u{fffd}";
        assert_eq!(last("\x1b[31mred\n::error::x\n##[error]y\n\u{fffd}\n").to_string(), expected);
    }
}
