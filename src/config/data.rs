//! Data files: rows that templates draw from.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

/// The longest data file that is read.
pub const LONGEST: u64 = 64 << 20;

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
    #[error("data file `{}`: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and on which line.
        message: String,
    },
}

impl DataError {
    /// What would be valid.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "paths are relative to the configuration file",
            Self::TooLong { .. } => "at most 64 MiB are read: a run seldom needs more rows than iterations",
            Self::Empty { .. } => "a CSV file needs a line of column names and at least one row",
            Self::Malformed { .. } => {
                "a `.csv` file with a line of column names, or a `.json` file with a list"
            }
        }
    }
}

/// Reads a `.csv` file (each row a mapping of column to text) or a `.json` file (a list of anything).
/// At least one row.
pub fn load(path: &Path) -> Result<Vec<Value>, DataError> {
    let bytes = bytes(path)?;
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let rows = if json { json_rows(&bytes) } else { csv_rows(&bytes) };
    match rows {
        Ok(rows) if rows.is_empty() => Err(DataError::Empty { path: path.into() }),
        Ok(rows) => Ok(rows),
        Err(message) => Err(DataError::Malformed { path: path.into(), message }),
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

fn json_rows(bytes: &[u8]) -> Result<Vec<Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(rows)) => Ok(rows),
        Ok(_) => Err("the JSON is no list".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn csv_rows(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let columns = reader.headers().map_err(|error| error.to_string())?.clone();
    reader
        .records()
        .map(|record| {
            let record = record.map_err(|error| error.to_string())?;
            let fields =
                columns.iter().zip(&record).map(|(column, field)| (column.to_owned(), Value::from(field)));
            Ok(Value::Object(fields.collect::<Map<_, _>>()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(name: &str, text: &str) -> Result<Vec<Value>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        load(&folder.path().join(name))
    }

    #[test]
    fn csv_rows_are_mappings_of_their_columns() {
        let rows = loaded("a.csv", "email,id\na@b.c, 007\n\"x,y\",2\n").unwrap();
        assert_eq!(rows[0], serde_json::json!({"email": "a@b.c", "id": "007"}));
        assert_eq!(rows[1]["email"], "x,y");
    }

    #[test]
    fn json_rows_keep_their_types() {
        assert_eq!(loaded("a.json", "[{\"n\": 1}, 2]").unwrap(), [serde_json::json!({"n": 1}), 2.into()]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let message = |name, text| loaded(name, text).unwrap_err().to_string();
        assert!(message("a.csv", "a,b\n1\n").contains("line: 2"), "{}", message("a.csv", "a,b\n1\n"));
        assert!(message("a.csv", "a,b\n").contains("no rows"));
        assert!(message("a.json", "{}").contains("no list"));
        assert!(message("a.json", "[1,").contains("line 1"));
        assert!(load(Path::new("/nowhere.csv")).unwrap_err().to_string().contains("/nowhere.csv"));
    }
}
