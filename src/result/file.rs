//! `result.json` on disk, and the folder a run writes into. Files are replaced whole or not at all;
//! a file that comes from elsewhere is read within limits.

pub mod atomic;

use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use atomic::Creation;

use super::consistency::contradiction;
use super::left_out::LeftOut;
use super::salvage::salvage;
use super::schema::{RunResult, SCHEMA};
use super::verdict::Finding;
use crate::clock::file_stamp;

/// The link to the folder of the newest run, beside it.
pub const LATEST: &str = "latest";
/// The name of the result in its folder.
pub const RESULT_FILE: &str = "result.json";

/// What is tried of a result that is there already.
const READING: &str = "read";
/// What is tried of a folder.
const CREATING: &str = "create";
/// What is tried of a file in a folder that is there.
const WRITING: &str = "write";
/// What is tried of a place that somebody named for one report.
const NAMED: &str = "write to";
/// The largest result that is read, and so that is written, in bytes.
pub const LARGEST: u64 = 64 << 20;
/// A larger one is written without line breaks and indentation.
const PRETTY: usize = 1 << 20;
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
    /// Nobody could read it again.
    #[error("the result has {} MiB, and at most {} MiB are read again: `{part}` alone has {} MiB", bytes >> 20, LARGEST >> 20, part_bytes >> 20)]
    Unreadable {
        /// How large it is.
        bytes: usize,
        /// Its largest field.
        part: &'static str,
        /// How large that is.
        part_bytes: usize,
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
            Self::Io { doing, source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free some space, or choose another disk with `--output-dir`")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("choose a folder that can be written with `--output-dir`")
                }
                io::ErrorKind::FileTooLarge => Some(
                    "raise the limit of the size of a file (`ulimit -f`), or let fewer reports be made with `reporting.formats`",
                ),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::NotFound
                    if *doing == CREATING =>
                {
                    Some(
                        "it is a file, or a link that leads nowhere: remove it, or choose another folder with `--output-dir`",
                    )
                }
                io::ErrorKind::NotFound if *doing == WRITING => Some(
                    "its folder was there and has been removed meanwhile: leave it alone until loadgate has ended",
                ),
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
            Self::Unreadable { part: "windows", .. } => {
                Some("let fewer objectives have a `window`, or give requests of one kind one `name`")
            }
            Self::Unreadable { .. } => {
                Some("give requests of one kind one `name`, so that they are counted together")
            }
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
        fs::create_dir_all(output_dir).map_err(io_error(CREATING, output_dir))?;
        sweep(output_dir);
        let path = create_unique(output_dir, &folder_name(name))?;
        atomic::probe(&path, PROBE_BYTES).map_err(io_error(WRITING, &path)).inspect_err(|_| {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_dir(&path);
        })?;
        Ok(Self { output_dir: output_dir.to_owned(), path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file of the run, whole or not at all.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let path = self.path.join(file);
        // What a kill leaves behind is found there by the next run, and is in no folder that is kept.
        atomic::replace_by_way_of(&self.output_dir, &path, bytes).map_err(io_error(WRITING, &path))?;
        Ok(path)
    }

    /// Points `latest` beside the folder at it. That it cannot says nothing about the run.
    pub fn point_latest(&self) -> Result<(), LatestError> {
        let path = self.output_dir.join(LATEST);
        let name = self.path.file_name().map(PathBuf::from).unwrap_or_default();
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            return Err(LatestError::File { path, run: self.path.clone() });
        }
        atomic::replace_link(&name, &path).map_err(|source| {
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                LatestError::Folder { path, run: self.path.clone() }
            } else {
                LatestError::Link { path, run: self.path.clone(), source }
            }
        })
    }
}

/// Why `latest` does not point at the newest run.
#[derive(Debug, Error)]
pub enum LatestError {
    /// Something else has the name.
    #[error("`{}` is a folder and no link, so it does not lead to this run, which is in `{}`", path.display(), run.display())]
    Folder {
        /// That folder.
        path: PathBuf,
        /// The folder of the run.
        run: PathBuf,
    },
    /// A file has the name, which may be somebody's.
    #[error("`{}` is a file and no link, so it does not lead to this run, which is in `{}`", path.display(), run.display())]
    File {
        /// That file.
        path: PathBuf,
        /// The folder of the run.
        run: PathBuf,
    },
    /// The system refused.
    #[error("cannot point `{}` at this run, which is in `{}`: {source}", path.display(), run.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// The folder of the run.
        run: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Removes what killed runs left in a folder of runs. Only what loadgate alone makes: the folder may hold anything else.
fn sweep(output_dir: &Path) {
    /// Folders of runs that are looked into.
    const MOST_FOLDERS: usize = 1_000;
    atomic::sweep(output_dir, |name, found| {
        let process = name.strip_prefix(".latest-");
        found.is_symlink() && process.is_some_and(is_number)
    });
    // Earlier versions wrote beside the file itself.
    let folders = fs::read_dir(output_dir).into_iter().flatten().flatten().filter(is_of_run);
    for folder in folders.take(MOST_FOLDERS).map(|folder| folder.path()) {
        remove_earlier(&folder.join(".probe"), is_probe);
        remove_earlier(&folder.join(".result.json.tmp"), |_, _| true);
    }
}

/// Removes a file that an earlier version was killed over, where it is one.
fn remove_earlier(path: &Path, is_ours: impl Fn(&Path, &Metadata) -> bool) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    if found.is_file() && atomic::is_long_abandoned(&found) && is_ours(path, &found) {
        // Another run may have swept it meanwhile.
        let _ = fs::remove_file(path);
    }
}

/// Whether a file is what earlier versions proved with that a report will fit, or the beginning of that.
fn is_probe(path: &Path, found: &Metadata) -> bool {
    found.len() <= PROBE_BYTES as u64
        && fs::read(path).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == atomic::PROBE_BYTE))
}

/// Whether an entry is a folder, and is called as a folder of a run is.
fn is_of_run(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let is_named = has_stamp(&name)
        || name.rsplit_once('-').is_some_and(|(name, number)| is_number(number) && has_stamp(name));
    is_named && entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// Whether a name ends as `folder_name` ends it.
fn has_stamp(name: &str) -> bool {
    const DATE: usize = 8;
    const TIME: usize = 6;
    let (before, stamp) = name.rsplit_once('-').unwrap_or_default();
    let parts = stamp.strip_suffix('Z').and_then(|stamp| stamp.split_once('T'));
    let digits = |part: &str, count: usize| part.len() == count && is_number(part);
    before.contains('-') && parts.is_some_and(|(date, time)| digits(date, DATE) && digits(time, TIME))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The document as text, with a line break at its end: one that can be read again.
pub fn to_json(result: &RunResult) -> Result<String, FileError> {
    let text = to_text(result)?;
    if text.len() as u64 > LARGEST { Err(unreadable(result, text.len())?) } else { Ok(text) }
}

/// The document as text, however large.
pub fn to_text(result: &RunResult) -> Result<String, FileError> {
    let compact = serde_json::to_string(result).map_err(FileError::Serialise)?;
    let mut text = if compact.len() > PRETTY {
        compact
    } else {
        serde_json::to_string_pretty(result).map_err(FileError::Serialise)?
    };
    text.push('\n');
    Ok(text)
}

/// Says of a result that is so large what makes it so.
pub fn unreadable(result: &RunResult, bytes: usize) -> Result<FileError, FileError> {
    fn size(part: &impl Serialize) -> Result<usize, FileError> {
        serde_json::to_string(part).map(|text| text.len()).map_err(FileError::Serialise)
    }
    let parts = [
        ("series", size(&result.series)?),
        ("windows", size(&result.windows)?),
        ("endpoints", size(&result.endpoints)?),
        ("whole_run", size(&result.whole_run)?),
        ("metrics", size(&result.metrics)?),
        ("verdict", size(&result.verdict)?),
    ];
    let (part, part_bytes) = parts.into_iter().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
    Ok(FileError::Unreadable { bytes, part, part_bytes })
}

/// The result as text that can be read again: without the endpoints of its points where it is too large with them, which
/// is what a result of very many endpoints is so large of, and what a verdict needs least. It says so among its warnings.
/// What a verdict needs of them is kept: `silence` is the longest one of an endpoint. None where that is not enough.
pub fn to_fitting_json(
    result: &RunResult,
    largest: usize,
    silence: impl FnOnce(&RunResult) -> Option<Finding>,
) -> Result<Option<Fitting>, FileError> {
    let text = to_text(result)?;
    if text.len() <= largest {
        return Ok(Some(Fitting { text, warning: None }));
    }
    let warning = format!(
        "the result would have {} MiB, and at most {} MiB are read again: its `series` is without the single endpoints; \
         give requests of one kind one `name`, so that they are counted together",
        text.len() >> 20,
        largest >> 20
    );
    drop(text);
    let mut smaller = result.clone();
    // One that was left out before is still known.
    if smaller.left_out.is_none() {
        smaller.left_out = Some(LeftOut::of(result, silence(result)));
    }
    for point in &mut smaller.series {
        point.endpoints.clear();
        point.endpoints_of_next = 0;
    }
    smaller.warnings.push(warning.clone());
    let text = to_text(&smaller)?;
    Ok((text.len() <= largest).then_some(Fitting { text, warning: Some(warning) }))
}

/// A result as text that can be read again.
#[derive(Debug)]
pub struct Fitting {
    /// The text.
    pub text: String,
    /// What it lacks, where it does: the text holds it as well.
    pub warning: Option<String>,
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
            outcome => return outcome.map(|()| path.clone()).map_err(io_error(CREATING, &path)),
        }
    }
    fs::create_dir(&path).map(|()| path.clone()).map_err(io_error(CREATING, &path))
}

/// Keeps a result that cannot be written to the folder of its run, in another one.
pub fn rescue(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix("loadgate-result-").suffix(".json").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// Creates a file whole, or leaves the one that is there.
pub fn create(path: &Path, bytes: &[u8]) -> Result<Creation, FileError> {
    atomic::create(path, bytes).map_err(io_error(WRITING, path))
}

/// Writes a file that somebody named: what a link leads to is replaced whole; into what is not a file, such as
/// a pipe, it is written.
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // Behind the name of a descriptor is whatever it is open for: a file that is replaced would not reach it.
        Ok(found) if !found.is_file() || names_descriptor(path) => {
            File::options().append(true).open(path).and_then(|mut file| file.write_all(bytes))
        }
        Ok(_) => replace_or_overwrite(&atomic::followed(path), bytes).map(|()| sweep_beside(path)),
        Err(_) => atomic::replace(&atomic::followed(path), bytes).map(|()| sweep_beside(path)),
    };
    written.map_err(io_error(NAMED, path))
}

/// Removes what killed processes left beside a file that was written.
fn sweep_beside(path: &Path) {
    atomic::sweep(atomic::parent(&atomic::followed(path)), |_, _| false);
}

/// Whether a path is the name of a descriptor of a process.
fn names_descriptor(path: &Path) -> bool {
    let link = ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name));
    link || path.starts_with("/dev/fd") || path.starts_with("/proc")
}

/// Replaces a file. One that cannot be replaced, for it is mounted by itself or its folder is read-only, is overwritten
/// as a shell would.
fn replace_or_overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    match atomic::replace(path, bytes) {
        Err(error)
            if [CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy]
                .contains(&error.kind()) =>
        {
            let opened = File::options().write(true).truncate(true).open(path);
            // What keeps it from being replaced says more than what keeps it from being overwritten.
            opened
                .map_err(|_| error)
                .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
