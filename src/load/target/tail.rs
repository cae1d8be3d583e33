//! The last lines of the target's log, for a message: bounded, and harmless wherever they are printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

const LINES: usize = 20;
const BYTES: u64 = 8 * 1024;
const LINE_CHARS: usize = 400;

/// The log of one command, from where it began to write.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
    begin: u64,
}

impl Log {
    /// Opens the file for the command to append to, and remembers where that begins.
    pub(super) fn open(path: PathBuf) -> io::Result<(File, Self)> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let begin = fs::metadata(&path)?.len();
        Ok((file, Self { path, begin }))
    }

    /// The last lines written so far; none when the file cannot be read.
    pub(super) fn last_lines(&self) -> LastLines {
        let bytes = self.last_bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        LastLines { path: self.path.clone(), lines: last.iter().map(|line| harmless(line)).collect() }
    }

    fn last_bytes(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES).max(self.begin)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The end of a log. Shown, it is an ending to a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLines {
    /// The whole log.
    pub path: PathBuf,
    lines: Vec<String>,
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
    use std::io::Write;

    use super::*;

    fn log(bytes: &[u8]) -> (tempfile::TempDir, LastLines) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut file, log) = Log::open(folder.path().join("target.log")).expect("a log");
        file.write_all(bytes).expect("written");
        let lines = log.last_lines();
        (folder, lines)
    }

    #[test]
    fn only_the_last_twenty_lines_are_kept() {
        let text = (1..=50).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let (_folder, last) = log(text.as_bytes());
        assert_eq!(last.lines.len(), LINES);
        assert_eq!(last.lines[0], "line 31");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (_folder, last) = log(&vec![b'x'; 100_000]);
        assert_eq!(last.lines, ["x".repeat(LINE_CHARS)]);
    }

    #[test]
    fn what_a_terminal_or_a_workflow_would_obey_is_only_shown() {
        let (_folder, last) = log(b"\x1b[31mred\n::error::x\n##[error]y\n\xff\n");
        let expected = "; its last lines:\n  | \\u{1b}[31mred\n  | ::error::x\n  | # #[error]y\n  | \u{fffd}";
        assert_eq!(last.to_string(), expected);
    }

    #[test]
    fn what_an_earlier_command_wrote_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        fs::write(&path, "earlier\n").expect("written");
        let (_file, log) = Log::open(path).expect("a log");
        assert_eq!(log.last_lines().to_string(), "; it wrote nothing");
    }
}
