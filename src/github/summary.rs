//! The summary of a job: markdown, appended to the file that the runner names, and never so much that the
//! runner would drop all of it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Beyond 1 MiB in a step the runner shows nothing at all; a step may write more than once.
const MOST_BYTES: usize = 1_000_000;
/// Less is no summary.
const FEWEST_BYTES: usize = 4_096;

/// Appends what `render` makes for so many bytes; says so where there is no room left.
pub fn append(path: &Path, render: &dyn Fn(usize) -> String) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let room = MOST_BYTES.saturating_sub(there);
    if room < FEWEST_BYTES {
        return Err(io::Error::other("what this step wrote before leaves no room"));
    }
    // Whatever stands before it may have no line end.
    let text = format!("\n{}", render(room - 2).trim_end());
    file.write_all(format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_appended_as_long_as_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        append(&path, &|_| "# one\n".to_owned()).unwrap();
        append(&path, &|room| format!("# two {room}")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\n# one\n\n# two 999991\n");
        append(&path, &|room| "x".repeat(room)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1_000_000);
        let full = append(&path, &|_| String::new()).unwrap_err();
        assert_eq!(full.to_string(), "what this step wrote before leaves no room");
    }
}
