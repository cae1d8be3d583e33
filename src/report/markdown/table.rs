//! Tables, lists and blocks of markdown. Pure; what is put into them is escaped already, but the lines of a
//! list and what is to be copied.

use crate::report::next::Next;
use crate::report::text::printable;

use super::escape::plain;

/// A table, of which the first columns hold words and the others numbers, which no line end parts from their
/// units; nothing where it has no row. Cells are markdown.
pub fn table<const N: usize>(
    head: [&str; N],
    words: usize,
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let kept = |mut cells: [String; N]| {
        cells.iter_mut().skip(words).for_each(|cell| *cell = whole(cell));
        cells
    };
    let rows: String = rows.map(|cells| line(kept(cells))).collect();
    let sides: String = (0..N).map(|column| if column < words { "---|" } else { "--:|" }).collect();
    if rows.is_empty() { rows } else { format!("{}|{sides}\n{rows}", line(head.map(str::to_owned))) }
}

/// Numbers that stay together, but for a line end after a comma.
fn whole(cell: &str) -> String {
    cell.replace(' ', "\u{a0}").replace(",\u{a0}", ", ")
}

/// What to do, with its command to be copied.
pub fn next(next: &Next) -> String {
    match &next.command {
        Some(command) => format!("Next: {}:\n\n{}", plain(&next.say), verbatim(command)),
        None => format!("Next: {}\n", plain(&next.say)),
    }
}

/// Sentences, one an item.
pub fn list(lines: &[String]) -> String {
    lines.iter().map(|line| ["- ", &plain(line), "\n"].concat()).collect()
}

/// Two blocks, either of which may be empty.
pub fn below(above: String, below: &str) -> String {
    match (above.is_empty(), below.is_empty()) {
        (_, true) => above,
        (true, false) => below.to_owned(),
        (false, false) => format!("{above}\n{below}"),
    }
}

/// A line to be copied, as it is but for what no terminal should be given.
pub fn verbatim(line: &str) -> String {
    format!("    {}\n", printable(line))
}
