//! Reads CSV (RFC 4180): a line of column names, then rows. Spaces around a cell are part of it where it is in
//! quotes, and left out where it is not. Read here rather than by a library, for a library does not tell which
//! cells were in quotes, nor where quotes do not match.

use std::collections::HashMap;

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

/// Reads a table; `separator` is what the configuration says, else a comma.
pub(super) fn read(text: &str, separator: Option<u8>) -> Result<Csv, Defect> {
    let cut = separator.unwrap_or(b',');
    let mut reader = Reader { text, cut, at: 0, line: 1, cell: String::new() };
    let mut columns = Vec::new();
    while columns.is_empty() && !reader.is_at_end() {
        let line = reader.line;
        reader.record(|name| {
            if columns.len() == MOST_COLUMNS {
                let message = format!("line {line} has more than {MOST_COLUMNS} columns");
                return Err(Defect::new(message, "leave out columns that no template reads"));
            }
            // Nobody writes a space at the end of a name in a template.
            columns.push(name.trim().to_owned());
            Ok(())
        })?;
    }
    check_names(&columns)?;
    if separator.is_none() && columns.len() == 1 {
        other_separator(text)?;
    }
    let cells = text.bytes().filter(|byte| *byte == cut || *byte == b'\n').count() + columns.len();
    let mut table = Table::new(&columns, cells, text.len());
    while !reader.is_at_end() {
        let (line, mut count) = (reader.line, 0);
        reader.record(|cell| {
            count += 1;
            if count > columns.len() {
                return Err(ragged(line, None, columns.len()));
            }
            table.push(cell);
            Ok(())
        })?;
        if count != 0 && count != columns.len() {
            return Err(ragged(line, Some(count), columns.len()));
        }
    }
    Ok(Csv { columns, table: table.finish() })
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

struct Reader<'t> {
    text: &'t str,
    cut: u8,
    at: usize,
    line: usize,
    cell: String,
}

impl Reader<'_> {
    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Hands over the cells of the next record, until one is refused. A line without anything has none.
    fn record(&mut self, mut take: impl FnMut(&str) -> Result<(), Defect>) -> Result<(), Defect> {
        if self.ends_line() {
            return Ok(());
        }
        loop {
            self.skip_to_quote();
            if self.peek() == Some(b'"') {
                self.quoted()?;
                take(&self.cell)?;
            } else {
                take(self.bare().trim())?;
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
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let space = |byte: &&u8| matches!(**byte, b' ' | b'\t') && **byte != self.cut;
        let spaces = rest.iter().take_while(space).count();
        if rest.get(spaces) == Some(&b'"') {
            self.at += spaces;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over the end of a line, where one is here: `\n`, `\r\n` or `\r`.
    fn ends_line(&mut self) -> bool {
        let length = match self.text.as_bytes().get(self.at..).unwrap_or_default() {
            [b'\r', b'\n', ..] => 2,
            [b'\n' | b'\r', ..] => 1,
            _ => return false,
        };
        self.at += length;
        self.line += 1;
        true
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.cut || byte == b'\n' || byte == b'\r'
    }

    /// A cell without quotes. It ends at ASCII, and so between characters.
    fn bare(&mut self) -> &str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| self.ends_cell(*byte)).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        &self.text[start..self.at]
    }

    /// A cell in quotes, which is left in `cell`; a quote in it is written twice.
    fn quoted(&mut self) -> Result<(), Defect> {
        let opened = self.line;
        self.cell.clear();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = rest.find('"') else {
                let message = format!("line {opened} opens a quote that is never closed");
                return Err(Defect::new(message, "close it; write a quote inside of quotes twice: `\"\"`"));
            };
            self.cell.push_str(&rest[..length]);
            self.line += rest[..length].bytes().filter(|byte| *byte == b'\n').count();
            self.at += length + 1;
            if self.peek() != Some(b'"') {
                break;
            }
            self.cell.push('"');
            self.at += 1;
        }
        let behind = self.bare().trim();
        if behind.is_empty() {
            return Ok(());
        }
        let message = format!("line {} has text behind a closing quote", self.line);
        Err(Defect::new(message, "write a quote inside of quotes twice: `\"\"`"))
    }
}
