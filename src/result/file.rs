//! `result.json` on disk, and the folder a run writes into. Files are replaced whole or not at all;
//! a file that comes from elsewhere is read within limits.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use super::consistency::contradiction;
use super::salvage::salvage;
use super::schema::{RunResult, SCHEMA};
use crate::clock::file_stamp;

/// The name of the result in its folder.
pub const RESULT_FILE: &str = "result.json";

/// What is tried of a result that is there already.
const READING: &str = "read";
/// What is tried of a place that somebody named for one report.
const NAMED: &str = "write to";
const LARGEST: u64 = 64 << 20;
const PROBE_BYTES: usize = 1 << 20;
const MOST_COLLISIONS: u32 = 1_000;
/// Characters of a name that are kept in a path.
const LONGEST_NAME: usize = 80;

/// Why a result could not be read or a folder not be written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than a result can be.
    #[error("`{}` is larger than {} MiB", path.display(), LARGEST >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Ends too early.
    #[error("`{}` is cut off: it ends in the middle of the document", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// Something else altogether.
    #[error("`{}` is not JSON", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        source: serde_json::Error,
    },
    /// JSON without a version.
    #[error("`{}` is not a result: it has no number `schema`", path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version of the program.
    #[error("`{}` has schema {found}, this version reads schema {SCHEMA}", path.display())]
    UnknownSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The right version with the wrong fields.
    #[error("`{}` does not follow schema {SCHEMA}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it does not.
        source: serde_json::Error,
    },
    /// Its numbers do not agree: it was edited, or damaged.
    #[error("`{}` contradicts itself: {what}", path.display())]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// Which number does not follow from which.
        what: String,
    },
    /// The document could not be made.
    #[error("cannot write a result as JSON")]
    Serialise(#[source] serde_json::Error),
}

impl FileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { doing: READING, .. } => Some("pass the folder of a run, or its result.json"),
            Self::Io { doing: NAMED, .. } => Some("make the folder, or choose another file with `-o`"),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free some space, or choose another disk with `--output-dir`")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("choose a folder that can be written with `--output-dir`")
                }
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
                    Some("choose another folder with `--output-dir`")
                }
                _ => None,
            },
            Self::Truncated { .. } => Some(
                "download it again; `loadgate report` shows what is there of a file that holds a scenario",
            ),
            Self::UnknownSchema { .. } => Some("use the version of loadgate that wrote it"),
            Self::TooLarge { .. } | Self::NotJson { .. } | Self::NoSchema { .. } | Self::Damaged { .. } => {
                Some("pass the result.json that a run wrote")
            }
            Self::Contradicts { .. } => Some(
                "it was edited or damaged; pass the file as the run wrote it, and change limits in the configuration",
            ),
            Self::Serialise(_) => None,
        }
    }
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    output_dir: PathBuf,
    path: PathBuf,
}

/// What a run folder is named after.
#[derive(Debug, Clone, Copy)]
pub struct RunName<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// When the run began.
    pub at: Timestamp,
}

impl RunFolder {
    /// Makes the folder, and proves by writing that a report will fit. To be called before any traffic.
    pub fn open(output_dir: &Path, name: RunName) -> Result<Self, FileError> {
        fs::create_dir_all(output_dir).map_err(io_error("create", output_dir))?;
        let path = create_unique(output_dir, &folder_name(name))?;
        let folder = Self { output_dir: output_dir.to_owned(), path };
        folder.probe().inspect_err(|_| {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_dir_all(&folder.path);
        })?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file of the run, whole or not at all.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let path = self.path.join(file);
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// Points `latest` beside the folder at it.
    pub fn point_latest(&self) -> Result<(), FileError> {
        let latest = self.output_dir.join("latest");
        let fresh = self.output_dir.join(format!(".latest-{}", std::process::id()));
        let name = self.path.file_name().map(PathBuf::from).unwrap_or_default();
        symlink(name, &fresh).map_err(io_error("create", &fresh))?;
        fs::rename(&fresh, &latest).map_err(|source| {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_file(&fresh);
            io_error("replace", &latest)(source)
        })
    }

    fn probe(&self) -> Result<(), FileError> {
        let path = self.path.join(".probe");
        write_synced(&path, &vec![0x5a; PROBE_BYTES]).map_err(io_error("write", &path))?;
        fs::remove_file(&path).map_err(io_error("remove", &path))
    }
}

/// The document as text, with a line break at its end.
pub fn to_json(result: &RunResult) -> Result<String, FileError> {
    let mut text = serde_json::to_string_pretty(result).map_err(FileError::Serialise)?;
    text.push('\n');
    Ok(text)
}

/// Reads a whole result; `path` is the file or the folder of a run.
pub fn read(path: &Path) -> Result<RunResult, FileError> {
    let (bytes, path) = bytes(path)?;
    parse(&bytes, &path)
}

/// Reads a result to show it: of a half-written one, what is there.
pub fn read_what_is_there(path: &Path) -> Result<RunResult, FileError> {
    let (bytes, path) = bytes(path)?;
    what_is_there(&bytes, &path)
}

/// A result from bytes to show it: of a half-written one, what is there; `path` is for messages.
pub fn what_is_there(bytes: &[u8], path: &Path) -> Result<RunResult, FileError> {
    let result = match parsed(bytes, path) {
        Err(FileError::Truncated { path }) => salvage(bytes).ok_or(FileError::Truncated { path })?,
        other => other?,
    };
    agreeing(result, path)
}

fn bytes(path: &Path) -> Result<(Vec<u8>, PathBuf), FileError> {
    let path = if path.is_dir() { path.join(RESULT_FILE) } else { path.to_owned() };
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(io_error(READING, &path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::TooLarge { path });
    }
    Ok((bytes, path))
}

/// Reads a whole result from bytes; `path` is for messages.
pub fn parse(bytes: &[u8], path: &Path) -> Result<RunResult, FileError> {
    let result = parsed(bytes, path)?;
    // What was lost once is not whole because it was written again.
    if result.salvaged.is_some() {
        return Err(FileError::Truncated { path: path.to_owned() });
    }
    agreeing(result, path)
}

fn parsed(bytes: &[u8], path: &Path) -> Result<RunResult, FileError> {
    let wrong = |source: serde_json::Error| syntax_error(source, bytes, path);
    let head: Head = serde_json::from_slice(bytes).map_err(wrong)?;
    match head.schema.as_ref().and_then(serde_json::Value::as_u64) {
        None => Err(FileError::NoSchema { path: path.to_owned() }),
        Some(found) if found != u64::from(SCHEMA) => {
            Err(FileError::UnknownSchema { path: path.to_owned(), found })
        }
        Some(_) => serde_json::from_slice(bytes).map_err(wrong),
    }
}

/// The result, if it agrees with itself.
fn agreeing(result: RunResult, path: &Path) -> Result<RunResult, FileError> {
    match contradiction(&result) {
        Some(what) => Err(FileError::Contradicts { path: path.to_owned(), what }),
        None => Ok(with_timeouts(result)),
    }
}

/// Older versions do not say how many times are those of timeouts; it follows from the counts.
fn with_timeouts(mut result: RunResult) -> RunResult {
    for endpoint in result.endpoints.iter_mut().chain([&mut result.totals]) {
        let ok = endpoint.ok;
        for times in [&mut endpoint.response_time, &mut endpoint.service_time].into_iter().flatten() {
            times.timed_out = times.n.saturating_sub(ok);
        }
    }
    result
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Head {
    schema: Option<serde_json::Value>,
}

fn syntax_error(source: serde_json::Error, bytes: &[u8], path: &Path) -> FileError {
    use serde_json::error::Category;
    let path = path.to_owned();
    match source.classify() {
        Category::Eof => FileError::Truncated { path },
        // `30.` is no number, and may have become one.
        Category::Syntax if is_at_end(&source, bytes) => FileError::Truncated { path },
        Category::Data => FileError::Damaged { path, source },
        Category::Syntax | Category::Io => FileError::NotJson { path, source },
    }
}

fn is_at_end(error: &serde_json::Error, bytes: &[u8]) -> bool {
    let last = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).zip(1..).last();
    last == Some((error.column(), error.line()))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }
}

/// A name made fit for a part of a path: it cannot leave its folder, hide, or be nothing.
pub fn safe_name(text: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = text.trim_start_matches('.').chars().map(safe).take(LONGEST_NAME).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

fn folder_name(name: RunName) -> String {
    format!("{}-{}-{}", safe_name(name.scenario), safe_name(name.environment), file_stamp(name.at))
}

fn create_unique(parent: &Path, name: &str) -> Result<PathBuf, FileError> {
    let mut path = parent.join(name);
    for number in 2..=MOST_COLLISIONS {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = parent.join(format!("{name}-{number}"));
            }
            outcome => return outcome.map(|()| path.clone()).map_err(io_error("create", &path)),
        }
    }
    fs::create_dir(&path).map(|()| path.clone()).map_err(io_error("create", &path))
}

/// Beside its place first, then renamed: a reader sees the old file or the new one.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_beside(path, bytes).map_err(io_error("write", path))
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.tmp"));
    write_synced(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).inspect_err(|_| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&fresh);
    })
}

/// Writes a file that somebody named: what a link points at is replaced whole; into what is no file, such as
/// a pipe, it is written.
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = match path.canonicalize() {
        Ok(target) if target.is_file() => write_beside(&target, bytes),
        Ok(target) if target.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes)),
        Err(_) => write_beside(path, bytes),
    };
    written.map_err(io_error(NAMED, path))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
