//! A table that fits: the name column gives way first, then the columns that can be spared.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use crate::report::text::shorten;

/// How a column behaves.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// On which side its text lies.
    pub side: Side,
    /// What happens when there is no room.
    pub room: Room,
}

/// The side a text lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What a column does when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Stays as it is.
    Fixed,
    /// Is shortened.
    Shrinks,
    /// Is left out, the lowest number first.
    Spared(u8),
}

impl Column {
    /// The column that is shortened.
    pub fn name(title: &'static str) -> Self {
        Self { title, side: Side::Left, room: Room::Shrinks }
    }

    /// Words.
    pub fn text(title: &'static str) -> Self {
        Self { title, side: Side::Left, room: Room::Fixed }
    }

    /// Numbers.
    pub fn number(title: &'static str) -> Self {
        Self { title, side: Side::Right, room: Room::Fixed }
    }

    /// Numbers that can be spared; the lowest number goes first.
    pub fn optional(title: &'static str, order: u8) -> Self {
        Self { title, side: Side::Right, room: Room::Spared(order) }
    }
}

/// Before a column is left out, names may be shortened to this.
const NAME_WIDTH: usize = 28;
/// Names are never shorter.
const SHORTEST_NAME: usize = 12;
/// Of every column, left and right.
const PADDING: usize = 2;
/// Before the whole table.
const MARGIN: usize = 1;

/// The lines of a table of at most `width` columns.
pub fn render(columns: &[Column], rows: Vec<Vec<String>>, width: usize) -> Vec<String> {
    let (columns, mut rows) = fitting(columns, rows, width);
    for (index, column) in columns.iter().enumerate().filter(|(_, column)| column.room == Room::Shrinks) {
        let others: usize = (0..columns.len())
            .filter(|other| *other != index)
            .map(|other| size(&columns, &rows, other))
            .sum();
        let room = width.saturating_sub(others + PADDING + MARGIN).max(SHORTEST_NAME).max(column.title.len());
        for row in &mut rows {
            row[index] = shorten(&row[index], room);
        }
    }
    draw(&columns, rows)
}

/// Leaves out columns until the names have room.
fn fitting(columns: &[Column], mut rows: Vec<Vec<String>>, width: usize) -> (Vec<Column>, Vec<Vec<String>>) {
    let mut columns = columns.to_vec();
    loop {
        let total: usize = (0..columns.len())
            .map(|index| match columns[index].room {
                Room::Shrinks => size(&columns, &rows, index).min(NAME_WIDTH + PADDING),
                Room::Fixed | Room::Spared(_) => size(&columns, &rows, index),
            })
            .sum();
        let spare = columns.iter().enumerate().filter_map(|(index, column)| match column.room {
            Room::Spared(order) => Some((order, index)),
            Room::Fixed | Room::Shrinks => None,
        });
        match spare.min() {
            Some((_, index)) if total + MARGIN > width => {
                columns.remove(index);
                for row in &mut rows {
                    row.remove(index);
                }
            }
            _ => return (columns, rows),
        }
    }
}

/// Columns on the screen that one of the table takes.
fn size(columns: &[Column], rows: &[Vec<String>], index: usize) -> usize {
    let cells = rows.iter().map(|row| row[index].chars().count());
    cells.chain(columns[index].title.lines().map(|line| line.chars().count())).max().unwrap_or(0) + PADDING
}

fn draw(columns: &[Column], rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─');
    table.load_style(TableStyle::new().header_separator(rule));
    table.set_header(columns.iter().map(|column| column.title));
    table.add_rows(rows);
    for (drawn, column) in table.column_iter_mut().zip(columns) {
        drawn.set_cell_alignment(match column.side {
            Side::Left => CellAlignment::Left,
            Side::Right => CellAlignment::Right,
        });
    }
    table.lines().map(|line| format!("{}{}", " ".repeat(MARGIN), line.trim_end())).collect()
}
