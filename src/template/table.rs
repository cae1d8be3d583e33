//! Rows of data files, kept in little more memory than the file: a row becomes a value of the language when its
//! turn comes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::json_value;

/// The rows of a data set.
#[derive(Debug)]
pub enum Rows {
    /// Cells in columns.
    Table(Arc<Table>),
    /// Values that are at hand.
    Values(Vec<Value>),
    /// JSON, read when its turn comes.
    Texts {
        /// The text of all rows.
        text: String,
        /// Where in it each row stands, in bytes.
        rows: Vec<Range<u32>>,
    },
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.len(),
            Self::Values(values) => values.len(),
            Self::Texts { rows, .. } => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row, counted from 0.
    pub fn get(&self, row: usize) -> Option<Value> {
        match self {
            Self::Table(table) => Table::row(table, row),
            Self::Values(values) => values.get(row).cloned(),
            Self::Texts { text, rows } => {
                let place = rows.get(row)?;
                json_value(text.get(place.start as usize..place.end as usize)?).ok()
            }
        }
    }
}

/// Cells in columns. All cells stand in one text, one after another.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Value>,
    places: HashMap<String, usize>,
    cells: String,
    ends: Vec<u32>,
}

impl Table {
    /// A table of these cells, which stand one after another in a text, row by row and column by column, and end there.
    pub fn new(columns: &[String], cells: String, mut ends: Vec<u32>) -> Self {
        ends.shrink_to_fit();
        Self {
            columns: columns.iter().map(|name| Value::from(name.as_str())).collect(),
            places: columns.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect(),
            cells,
            ends,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len() / self.columns.len().max(1)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A cell, by the number of its row and that of its column.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.columns.len() + column;
        let end = |at: usize| self.ends.get(at).copied().unwrap_or_default() as usize;
        let start = at.checked_sub(1).map_or(0, end);
        self.cells.get(start..end(at)).unwrap_or_default()
    }

    fn row(table: &Arc<Self>, row: usize) -> Option<Value> {
        (row < table.len()).then(|| Value::from_object(Row { table: table.clone(), row }))
    }
}

/// A row of a table: a mapping of its columns.
#[derive(Debug)]
struct Row {
    table: Arc<Table>,
    row: usize,
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let column = *self.table.places.get(key)?;
        Some(Value::from(self.table.cell(self.row, column)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.table.columns.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::json_text;

    #[test]
    fn a_row_is_a_mapping_in_the_order_of_the_columns() {
        let table = Table::new(&["z".into(), "a".into()], "1x\"é".into(), vec![1, 1, 3, 5]);
        let rows = Rows::Table(Arc::new(table));
        assert_eq!(rows.len(), 2);
        assert_eq!(json_text(&rows.get(0).unwrap()), r#"{"z":"1","a":""}"#);
        assert_eq!(rows.get(1).unwrap().get_attr("a").unwrap().as_str(), Some("é"));
        assert!(rows.get(1).unwrap().get_attr("b").unwrap().is_undefined());
        assert!(rows.get(2).is_none());
    }

    #[test]
    fn rows_of_json_are_read_when_their_turn_comes() {
        let text = r#"[{"b": 1, "a": 18446744073709551616},2]"#.to_owned();
        let rows = Rows::Texts { rows: vec![1..36, 37..38], text };
        assert_eq!(json_text(&rows.get(0).unwrap()), r#"{"b":1,"a":18446744073709551616}"#);
        assert_eq!(rows.get(1), Some(Value::from(2)));
    }
}
