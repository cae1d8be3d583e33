//! One file of a baseline, read with suspicion: within limits, never waiting, never through a link. What is
//! wrong with it is told with its place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::bound::{self, Absurd};
use super::defect::Defect;
use super::document::{self, Kind};
use super::epoch::Epoch;
use super::place::Place;
use super::run::{Run, SCHEMA};

/// The largest document that is read, and so that is written, in bytes: a run of 10,000 endpoints.
pub const LARGEST: u64 = 16 << 20;
/// The most that is told about one file.
const MOST_DEFECTS: usize = 5;

const REGULAR: &str = "a regular file: replace it by what it stands for, or delete it";
const WHOLE: &str = "a whole document, as loadgate wrote it";

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A remembered run.
    Run(Box<Run>),
    /// A deliberate change.
    Epoch(Epoch),
    /// Something that a later version wrote.
    Unknown,
}

/// Reads a file of this kind and name.
pub fn read(path: &Path, named: (Kind, &str)) -> Result<Document, Vec<Defect>> {
    stamp(path, named)?;
    let text = text(path).map_err(|defect| vec![defect])?;
    of_text(path, &text, named)
}

/// The document of a text that stands in a file of this kind and name; `path` is where that is.
pub fn of_text(path: &Path, text: &str, named: (Kind, &str)) -> Result<Document, Vec<Defect>> {
    let stamp = stamp(path, named)?;
    let document = parse(path, text, named.0)?;
    if let Document::Run(run) = &document
        && document::stamp_of(&run.time).is_some_and(|of| of != stamp)
    {
        let what = format!("is of `{}`, and its name says `{stamp}`", run.time);
        let defect = Defect::whole(path, what, "the name that loadgate gave it");
        return Err(vec![defect.at(Place::under(text, &["time"]))]);
    }
    Ok(document)
}

/// The time in a name.
fn stamp<'a>(path: &Path, (kind, name): (Kind, &'a str)) -> Result<&'a str, Vec<Defect>> {
    document::stamp(kind, name).ok_or_else(|| {
        let valid = format!("a name such as {}; files of other names are left alone", kind.pattern());
        vec![Defect::whole(path, "has a name that loadgate does not give", valid)]
    })
}

/// The text of a regular file of a bounded size.
fn text(path: &Path) -> Result<String, Defect> {
    let refused = |error: io::Error| Defect::system(path, &error);
    let found = fs::symlink_metadata(path).map_err(refused)?.file_type();
    if !found.is_file() {
        let what = if found.is_symlink() { "is a symbolic link" } else { "is not a regular file" };
        return Err(Defect::whole(path, what, REGULAR));
    }
    // What was a file a moment ago may be a pipe by now: opening it must not wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(|error| refused(error.into()))?);
    let metadata = file.metadata().map_err(refused)?;
    if metadata.len() > LARGEST {
        return Err(too_large(path, metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large(path, bytes.len() as u64));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let place = Place::of(&String::from_utf8_lossy(error.as_bytes()), at);
        Defect::whole(path, "is not UTF-8", WHOLE).at(Some(place))
    })
}

fn too_large(path: &Path, bytes: u64) -> Defect {
    let size = crate::units::ByteSize(bytes);
    Defect::whole(path, format!("has {size}"), "at most 16 MiB; a remembered run has a few KiB")
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Head {
    schema: Option<serde_json::Value>,
}

fn parse(path: &Path, text: &str, kind: Kind) -> Result<Document, Vec<Defect>> {
    if let Some(place) = conflict(text) {
        let valid = "what one side had: no two branches write the same file, so no merge has to";
        return Err(vec![Defect::whole(path, "holds the marks of a merge conflict", valid).at(Some(place))]);
    }
    let head: Head = json(path, text, |_| "is JSON, but no document of a baseline".to_owned())?;
    match head.schema.as_ref().and_then(serde_json::Value::as_u64) {
        Some(newer) if newer > u64::from(SCHEMA) => return Ok(Document::Unknown),
        Some(found) if found == u64::from(SCHEMA) => {}
        _ => {
            let valid = format!("`\"schema\": {SCHEMA}`");
            let defect = Defect::whole(path, "has no version that there is in `schema`", valid);
            return Err(vec![defect.at(Place::under(text, &["schema"]))]);
        }
    }
    let (document, absurd) = match kind {
        Kind::Run => {
            let run: Box<Run> = json(path, text, unlike)?;
            let absurd = bound::of_run(&run);
            (Document::Run(run), absurd)
        }
        Kind::Epoch => {
            let epoch: Epoch = json(path, text, unlike)?;
            let absurd = bound::of_epoch(&epoch);
            (Document::Epoch(epoch), absurd)
        }
    };
    if absurd.is_empty() { Ok(document) } else { Err(defects(path, text, &absurd)) }
}

fn defects(path: &Path, text: &str, absurd: &[Absurd]) -> Vec<Defect> {
    let placed = absurd.iter().take(MOST_DEFECTS).map(|it| {
        let keys: Vec<&str> = it.keys.iter().map(String::as_str).collect();
        Defect::whole(path, it.what.as_str(), it.valid).at(Place::under(text, &keys))
    });
    let mut defects: Vec<_> = placed.collect();
    if let Some(more) = absurd.len().checked_sub(MOST_DEFECTS).filter(|more| *more > 0) {
        defects.push(Defect::whole(path, format!("has {more} more such problems"), WHOLE));
    }
    defects
}

/// The first mark that a merge leaves in a text.
fn conflict(text: &str) -> Option<Place> {
    let marks = ["<<<<<<< ", "||||||| ", "=======", ">>>>>>> "];
    let marked = |line: &str| marks.iter().any(|mark| line.starts_with(mark));
    let line = text.lines().position(marked)?;
    Some(Place { line: line + 1, column: 1 })
}

/// A document from its text; `unlike` says what JSON is that is none.
fn json<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    unlike: impl FnOnce(&str) -> String,
) -> Result<T, Vec<Defect>> {
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let (what, valid) = match error.classify() {
            Category::Eof => ("is cut off: it ends in the middle of the document".to_owned(), WHOLE),
            Category::Data => (unlike(said), WHOLE),
            Category::Syntax | Category::Io => match word_at(text, error.line(), error.column()) {
                Some(word) if is_no_number(word) => {
                    (format!("has `{word}`, which is no number"), "a finite number")
                }
                _ => (format!("is not JSON: {said}"), WHOLE),
            },
        };
        let place = Place { line: error.line(), column: error.column().max(1) };
        vec![Defect::whole(path, what, valid).at(Some(place))]
    })
}

fn unlike(said: &str) -> String {
    format!("does not follow schema {SCHEMA}: {said}")
}

/// The word around a place; columns are bytes.
fn word_at(text: &str, line: usize, column: usize) -> Option<&str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let at = column.saturating_sub(1).min(line.len());
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let before = line.as_bytes()[..at].iter().rev().take_while(|byte| part(byte)).count();
    let after = line.as_bytes()[at..].iter().take_while(|byte| part(byte)).count();
    line.get(at - before..at + after)
}

/// Whether a word is one of those that some programs write for what is no number, or beyond all.
fn is_no_number(word: &str) -> bool {
    let lower = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let huge =
        lower.starts_with(|c: char| c.is_ascii_digit()) && lower.parse::<f64>().is_ok_and(f64::is_infinite);
    huge || ["nan", "inf", "infinity"].contains(&lower.as_str())
}

#[cfg(test)]
mod tests;
