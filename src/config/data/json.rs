//! Reads JSON: a list, or a value a line.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use crate::template::{Rows, json_value};

use super::canonical::Canonical;
use super::{Data, Defect};

/// Rows of shorter files are values from the start; those of longer ones are read when their turn comes, for a
/// value takes several times the memory of its text.
const AT_HAND: usize = 4 << 20;
/// With more names than these in its rows, nothing is said about names that are not among them.
const MOST_NAMES: usize = 16_384;

/// The most rows: where each of them stands takes memory, however short it is.
const MOST_ROWS: usize = 5_000_000;

/// The most values in one row: a value takes many times the memory of its text.
const MOST_VALUES: usize = 1_000_000;

const HINT: &str = "a `.json` file holds a list, a `.jsonl` file a value on each line";

/// The items of a list.
pub(super) fn list(text: String, canonical: &mut dyn FnMut(&[u8])) -> Result<Data, Defect> {
    bounded(&text, Layout::List)?;
    let mut survey = Survey::new(canonical);
    let mut parser = serde_json::Deserializer::from_str(&text);
    let parsed = parser.deserialize_any(Items(&mut survey)).and_then(|()| parser.end());
    parsed.map_err(|error| Defect::new(told(&error), HINT))?;
    let count = survey.rows;
    let columns = survey.finish();
    let places = items(&text, count);
    data(text, places, columns)
}

/// A value on each line that is not empty.
pub(super) fn lines(text: String, canonical: &mut dyn FnMut(&[u8])) -> Result<Data, Defect> {
    bounded(&text, Layout::Lines)?;
    let mut survey = Survey::new(canonical);
    let most = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
    let (mut rows, mut at) = (Vec::with_capacity(most.min(MOST_ROWS)), 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = at + line.len() as u32;
        if !line.trim().is_empty() {
            let wrong = |error: String| Defect::new(format!("line {}: {error}", index + 1), HINT);
            // Without its end: an error behind the last sign is not on the next line.
            let mut parser = serde_json::Deserializer::from_str(line.trim_end_matches(['\r', '\n']));
            let read = survey.read(&mut parser).and_then(|()| parser.end());
            read.map_err(|error| wrong(told_in_line(&error)))?;
            survey.add().map_err(wrong)?;
            rows.push(at..end);
        }
        at = end;
    }
    let columns = survey.finish();
    data(text, rows, columns)
}

fn data(text: String, mut rows: Vec<Range<u32>>, columns: Option<Vec<String>>) -> Result<Data, Defect> {
    if text.len() > AT_HAND {
        rows.shrink_to_fit();
        return Ok(Data { rows: Rows::Texts { text, rows }, columns });
    }
    let value = |row: Range<u32>| json_value(&text[row.start as usize..row.end as usize]);
    let values: Result<Vec<_>, String> = rows.into_iter().map(value).collect();
    values
        .map(|values| Data { rows: Rows::Values(values), columns })
        .map_err(|error| Defect::new(error, HINT))
}

/// How the rows of a text stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// As items of a list.
    List,
    /// A line each.
    Lines,
}

/// Refuses a text with a row of too many values, looked at before it is parsed; the text need not be JSON.
fn bounded(text: &str, layout: Layout) -> Result<(), Defect> {
    let (mut depth, mut row, mut values, mut at) = (0_usize, 1, 0, 0);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if layout == Layout::Lines => (depth, row, values) = (0, row + 1, 0),
            b',' if layout == Layout::List && depth == 1 => (row, values) = (row + 1, 0),
            b',' => values += 1,
            _ => {}
        }
        if values > MOST_VALUES {
            let message =
                format!("row {row} has more than {MOST_VALUES} values, which is the most that is read");
            return Err(Defect::new(message, "split it into several rows"));
        }
        at += 1;
    }
    Ok(())
}

/// What the parser says, with the limit where one was exceeded.
fn told(error: &serde_json::Error) -> String {
    let told = error.to_string();
    match told.strip_prefix("recursion limit exceeded") {
        Some(place) => format!("nested deeper than 127 levels{place}"),
        None => told,
    }
}

/// The same of a text that is one line: of its place, the column.
fn told_in_line(error: &serde_json::Error) -> String {
    let column = format!(" column {}", error.column());
    told(error).replace(&format!(" at line {}{column}", error.line()), &format!(" at{column}"))
}

/// Where the items of a list stand, in a text that is known to be one of so many.
fn items(text: &str, count: usize) -> Vec<Range<u32>> {
    let bytes = text.as_bytes();
    let (mut places, mut depth, mut start, mut at) = (Vec::with_capacity(count), 0_usize, 0, 0);
    let mut note = |start: usize, end: usize| {
        if !text[start..end].trim().is_empty() {
            places.push(start as u32..end as u32);
        }
    };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'[' | b'{' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    note(start, at);
                }
            }
            b',' if depth == 1 => {
                note(start, at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    places
}

/// Reads the items of a list one by one, so that never more than one of them takes memory.
struct Items<'s, 'c>(&'s mut Survey<'c>);

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            self.0.row.clear();
            if items.next_element_seed(&mut self.0.row)?.is_none() {
                return Ok(());
            }
            self.0.add().map_err(A::Error::custom)?;
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("the JSON is not a list"))
    }
}

/// What is known of all rows: their canonical form is handed on, and their names are kept while all are objects.
struct Survey<'c> {
    canonical: &'c mut dyn FnMut(&[u8]),
    /// The row at hand.
    row: Canonical,
    rows: usize,
    seen: HashSet<String>,
    listed: Option<Vec<String>>,
}

impl<'c> Survey<'c> {
    fn new(canonical: &'c mut dyn FnMut(&[u8])) -> Self {
        canonical(b"[");
        Self { canonical, row: Canonical::default(), rows: 0, seen: HashSet::new(), listed: Some(Vec::new()) }
    }

    fn finish(self) -> Option<Vec<String>> {
        (self.canonical)(b"]");
        self.listed
    }

    /// Reads the next row.
    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.row.clear();
        self.row.deserialize(deserializer)
    }

    /// Takes the row that was read. An error says that there are too many.
    fn add(&mut self) -> Result<(), String> {
        self.rows += 1;
        if self.rows > MOST_ROWS {
            return Err(format!("more than {MOST_ROWS} rows, which is the most that is read"));
        }
        if self.rows > 1 {
            (self.canonical)(b",");
        }
        (self.canonical)(self.row.text());
        let (Some(names), Some(listed)) = (self.row.names(), &mut self.listed) else {
            self.listed = None;
            return Ok(());
        };
        for name in names {
            if listed.len() > MOST_NAMES {
                self.listed = None;
                return Ok(());
            }
            if !self.seen.contains(name) {
                self.seen.insert(name.to_owned());
                listed.push(name.to_owned());
            }
        }
        Ok(())
    }
}
