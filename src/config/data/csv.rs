//! Reads CSV (RFC 4180): a line of column names, then rows. Spaces around a cell are part of it where it is in
//! quotes, and left out where it is not. Read here rather than by a library, for a library does not tell which
//! cells were in quotes, nor where quotes do not match.

use std::collections::HashMap;
use std::ops::Range;

use crate::template::Table;

use super::Defect;

/// The most columns of a table, as many as a spreadsheet has.
const MOST_COLUMNS: usize = 16_384;
/// What else than a comma separates cells in files that programs write.
const SEPARATORS: [char; 3] = [';', '\t', '|'];

/// A table and its columns.
#[derive(Debug)]
pub(super) struct Csv {
    pub columns: Vec<String>,
    pub table: Table,
}

/// Reads a table; `separator` is what the configuration says, else a comma. The cells are moved together where the text
/// stands, so that no more than the text is held.
pub(super) fn read(text: String, separator: Option<u8>) -> Result<Csv, Defect> {
    let cut = separator.unwrap_or(b',');
    let other = other_separator(&text);
    let most = memchr::memchr2_iter(cut, b'\n', text.as_bytes()).count() + 1;
    let mut reader = Reader { bytes: text.into_bytes(), cut, at: 0, line: 1, kept: 0 };
    let mut columns = Vec::new();
    while columns.is_empty() && !reader.is_at_end() {
        let line = reader.line;
        reader.record(|name| {
            if columns.len() == MOST_COLUMNS {
                let message = format!("line {line} has more than {MOST_COLUMNS} columns");
                return Err(Defect::new(message, "leave out columns that no template reads"));
            }
            // Nobody writes a space at the end of a name in a template.
            columns.push(String::from_utf8_lossy(name).trim().to_owned());
            Ok(Keep::No)
        })?;
    }
    check_names(&columns)?;
    if separator.is_none() && columns.len() == 1 {
        other?;
    }
    let (mut ends, mut end) = (Vec::with_capacity(most), 0_u32);
    while !reader.is_at_end() {
        let (line, mut count) = (reader.line, 0);
        reader.record(|cell| {
            count += 1;
            if count > columns.len() {
                return Err(ragged(line, None, columns.len()));
            }
            // A file is much shorter than 4 GiB.
            end = end.saturating_add(cell.len() as u32);
            ends.push(end);
            Ok(Keep::Yes)
        })?;
        if count != 0 && count != columns.len() {
            return Err(ragged(line, Some(count), columns.len()));
        }
    }
    let table = Table::new(&columns, reader.cells()?, ends);
    Ok(Csv { columns, table })
}

/// The problem of a line that has `found` cells, or more than `wanted` where nobody counted the rest.
fn ragged(line: usize, found: Option<usize>, wanted: usize) -> Defect {
    let counted = |count: usize, what: &str| {
        if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
    };
    let cells = match found {
        Some(found) => counted(found, "cell"),
        None => format!("more than {}", counted(wanted, "cell")),
    };
    let columns = counted(wanted, "column");
    Defect::new(
        format!("line {line} has {cells}, and the first line names {columns}"),
        "give every row a cell for each column; put cells with separators or line breaks into quotes",
    )
}

fn check_names(columns: &[String]) -> Result<(), Defect> {
    let mut first = HashMap::new();
    for (place, name) in columns.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(before) = first.insert(name, place + 1) {
            let message = format!("the columns {before} and {} are both named `{name}`", place + 1);
            return Err(Defect::new(message, "rename one of them: a template reads columns by name"));
        }
    }
    Ok(())
}

/// Whether a file of one column looks as if something else than a comma separates its cells: the second line has
/// it at least as often as the first.
fn other_separator(text: &str) -> Result<(), Defect> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let count = |line: &str, wanted: char| line.chars().filter(|c| *c == wanted).count();
    let found = SEPARATORS.into_iter().find(|wanted| {
        let here = count(first, *wanted);
        here > 0 && here <= count(second, *wanted)
    });
    let Some(found) = found else { return Ok(()) };
    let written = found.escape_default();
    let message = format!("the cells seem to be separated by `{written}`");
    let hint = format!(
        "write `separator: \"{written}\"` beside `file`, or `separator: \",\"` if this is one column"
    );
    Err(Defect::new(message, hint))
}

/// Whether a cell is one of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

struct Reader {
    /// The cells that are kept, one after another, then what is of no use any more, then from `at` on what is to be read.
    bytes: Vec<u8>,
    cut: u8,
    at: usize,
    line: usize,
    /// Where the cells that are kept end.
    kept: usize,
}

impl Reader {
    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// All cells that were kept.
    fn cells(mut self) -> Result<String, Defect> {
        self.bytes.truncate(self.kept);
        self.bytes.shrink_to_fit();
        // They begin and end between characters of a text.
        String::from_utf8(self.bytes).map_err(|_| Defect::new("it is not UTF-8", "save it as UTF-8"))
    }

    /// Hands over the cells of the next record, until one is refused. A line without anything has none.
    fn record(&mut self, mut take: impl FnMut(&[u8]) -> Result<Keep, Defect>) -> Result<(), Defect> {
        if self.ends_line() {
            return Ok(());
        }
        loop {
            self.skip_to_quote();
            let length = if self.peek() == Some(b'"') { self.quoted()? } else { self.unquoted() };
            let end = self.kept + length;
            if take(&self.bytes[self.kept..end])? == Keep::Yes {
                self.kept = end;
            }
            if self.is_at_end() || self.ends_line() {
                return Ok(());
            }
            // What ends a cell and is no end of a line is a separator.
            self.at += 1;
        }
    }

    /// Steps over the spaces before an opening quote: `1, "x"` holds `x`.
    fn skip_to_quote(&mut self) {
        let rest = self.rest();
        let space = |byte: &&u8| matches!(**byte, b' ' | b'\t') && **byte != self.cut;
        let spaces = rest.iter().take_while(space).count();
        if rest.get(spaces) == Some(&b'"') {
            self.at += spaces;
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over the end of a line, where one is here: `\n`, `\r\n` or `\r`.
    fn ends_line(&mut self) -> bool {
        let length = match self.rest() {
            [b'\r', b'\n', ..] => 2,
            [b'\n' | b'\r', ..] => 1,
            _ => return false,
        };
        self.at += length;
        self.line += 1;
        true
    }

    /// Where a cell without quotes stands, without the spaces around it. It ends at ASCII, and so between characters.
    fn bare(&mut self) -> Range<usize> {
        let rest = self.rest();
        let length = memchr::memchr3(self.cut, b'\n', b'\r', rest).unwrap_or(rest.len());
        let cell = self.at..self.at + length;
        self.at = cell.end;
        self.trimmed(cell)
    }

    fn trimmed(&self, cell: Range<usize>) -> Range<usize> {
        let bytes = &self.bytes[cell.clone()];
        if bytes.is_ascii() {
            // To a text, a vertical tab is a space as well.
            let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
            let before = bytes.iter().take_while(|byte| is_space(byte)).count();
            let behind = bytes[before..].iter().rev().take_while(|byte| is_space(byte)).count();
            return cell.start + before..cell.end - behind;
        }
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let before = text.len() - text.trim_start().len();
        cell.start + before..cell.start + before + text.trim().len()
    }

    /// Moves a cell without quotes to those that are kept. Its length.
    fn unquoted(&mut self) -> usize {
        let cell = self.bare();
        let length = cell.len();
        self.bytes.copy_within(cell, self.kept);
        length
    }

    /// The same with a cell in quotes; a quote in it is written twice.
    fn quoted(&mut self) -> Result<usize, Defect> {
        let (opened, mut end) = (self.line, self.kept);
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(length) = memchr::memchr(b'"', rest) else {
                let message = format!("line {opened} opens a quote that is never closed");
                return Err(Defect::new(message, "close it; write a quote inside of quotes twice: `\"\"`"));
            };
            self.line += memchr::memchr_iter(b'\n', &rest[..length]).count();
            self.bytes.copy_within(self.at..self.at + length, end);
            end += length;
            self.at += length + 1;
            if self.peek() != Some(b'"') {
                break;
            }
            self.bytes[end] = b'"';
            end += 1;
            self.at += 1;
        }
        if self.bare().is_empty() {
            return Ok(end - self.kept);
        }
        let message = format!("line {} has text behind a closing quote", self.line);
        Err(Defect::new(message, "write a quote inside of quotes twice: `\"\"`"))
    }
}
