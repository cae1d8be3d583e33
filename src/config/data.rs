//! Data files: rows that templates draw from. They are kept in about as much memory as the file has bytes.

mod canonical;
mod csv;
mod json;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::template::{Rows, Table};

/// The longest data file that is read.
pub const LONGEST: u64 = 64 << 20;

/// About how many bytes of the canonical form are handed over at once.
const PIECE: usize = 64 << 10;

/// Why a data file cannot be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// It is not there, or not ours to read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is too long to keep in memory.
    #[error("data file `{}` is {} MiB", path.display(), length >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        length: u64,
    },
    /// It has no rows.
    #[error("data file `{}` has no rows", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is not what its name says.
    #[error("data file `{}`: {}", path.display(), defect.message)]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        defect: Defect,
    },
}

/// What is wrong with the content of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What, and on which line.
    message: String,
    /// What would be valid.
    hint: String,
}

impl Defect {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl DataError {
    /// What would be valid.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unreadable { .. } => "paths are relative to the configuration file",
            Self::TooLong { .. } => "at most 64 MiB are read: a run seldom needs more rows than iterations",
            Self::Empty { .. } => "a CSV file needs a line of column names and at least one row",
            Self::Malformed { defect, .. } => &defect.hint,
        }
    }
}

/// The content of a data file.
#[derive(Debug)]
pub struct Data {
    /// The rows; at least one.
    pub rows: Rows,
    /// The names that every row that is a mapping may have; none where a row is something else.
    pub columns: Option<Vec<String>>,
}

/// Reads a `.csv` file (each row a mapping of column to text, separated by `separator`, else by commas), a `.json`
/// file (a list of anything) or a `.jsonl` or `.ndjson` file (anything, a line each). At least one row. `canonical`
/// is handed the rows as JSON, piece by piece, with keys sorted and spaces around cells left out, so that how a
/// file is written makes no difference.
pub fn load(path: &Path, separator: Option<u8>, canonical: &mut dyn FnMut(&[u8])) -> Result<Data, DataError> {
    let bytes = bytes(path)?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let read = text(bytes).and_then(|text| match extension.as_deref() {
        Some("json") => json::list(text, canonical),
        Some("jsonl" | "ndjson") => json::lines(text, canonical),
        _ => csv::read(text, separator).map(|csv| table(csv, canonical)),
    });
    match read {
        Ok(data) if data.rows.is_empty() => Err(DataError::Empty { path: path.into() }),
        Ok(data) => Ok(data),
        Err(defect) => Err(DataError::Malformed { path: path.into(), defect }),
    }
}

/// Reads a file that is kept in memory whole.
pub fn bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.into(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > LONGEST {
        return Err(DataError::TooLong { path: path.into(), length });
    }
    std::fs::read(path).map_err(unreadable)
}

/// The text of a file, without a byte order mark.
fn text(mut bytes: Vec<u8>) -> Result<String, Defect> {
    if matches!(bytes.get(..2), Some(b"\xFF\xFE" | b"\xFE\xFF")) {
        return Err(Defect::new("it is UTF-16", "save it as UTF-8"));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, byte) = (&error.as_bytes()[..at], error.as_bytes().get(at).copied().unwrap_or_default());
        let line = before.iter().copied().filter(|byte| *byte == b'\n').count() + 1;
        let message = format!("line {line} is not UTF-8: a character begins with the byte 0x{byte:02X}");
        Defect::new(message, "save it as UTF-8: it may be in Latin-1 or Windows-1252")
    })
}

fn table(csv: csv::Csv, canonical: &mut dyn FnMut(&[u8])) -> Data {
    let csv::Csv { columns, table } = csv;
    describe(&columns, &table, canonical);
    Data { rows: Rows::Table(Arc::new(table)), columns: Some(columns) }
}

fn describe(columns: &[String], table: &Table, canonical: &mut dyn FnMut(&[u8])) {
    let quote = |text: &str, out: &mut Vec<u8>| {
        // Writing text into memory does not fail.
        let _ = serde_json::to_writer(out, text);
    };
    let mut sorted: Vec<(String, usize)> =
        columns.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
    sorted.sort();
    // Of columns that have the same name, none, the last one counts.
    sorted.reverse();
    sorted.dedup_by(|later, earlier| later.0 == earlier.0);
    sorted.reverse();
    let names = sorted.into_iter().map(|(name, place)| {
        let mut text = Vec::new();
        quote(&name, &mut text);
        (text, place)
    });
    let names: Vec<(Vec<u8>, usize)> = names.collect();
    let mut text = vec![b'['];
    for row in 0..table.len() {
        text.extend_from_slice(if row > 0 { b",{" } else { b"{" });
        for (index, (name, place)) in names.iter().enumerate() {
            text.extend_from_slice(if index > 0 { b"," } else { b"" });
            text.extend_from_slice(name);
            text.push(b':');
            quote(table.cell(row, *place).trim(), &mut text);
        }
        text.push(b'}');
        if text.len() >= PIECE {
            canonical(&text);
            text.clear();
        }
    }
    text.push(b']');
    canonical(&text);
}

#[cfg(test)]
mod tests;
