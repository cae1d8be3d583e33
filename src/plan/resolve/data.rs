//! The data of a scenario: lists in the configuration, rows of files.

use minijinja::Value as Row;

use crate::config::data::{self, Data, DataError};
use crate::config::node::{Key, Node, Value};
use crate::config::problem::Problem;
use crate::plan::user::{DataOrder, DataSet};
use crate::template::json_value;

use super::compilation::{Compilation, Files};
use super::digest::{Sha256, sha256};
use super::names::Shape;

impl Compilation<'_> {
    /// Gives every name of `data` its place, and reads the files of the scenario that runs.
    pub fn data(&mut self) -> Vec<DataSet> {
        let entries = self.scenario.get("data").map_or(&[][..], Node::entries);
        entries.iter().filter_map(|(key, node)| self.data_entry(key, node)).collect()
    }

    /// The bytes of a file that is a request's body.
    pub fn file(&mut self, node: &Node) -> Option<bytes::Bytes> {
        if self.files == Files::Skip {
            return Some(bytes::Bytes::new());
        }
        let path = node.scalar()?;
        let read = data::bytes(&self.folder.join(path)).map_err(|error| at(node, &error));
        let bytes = self.keep(read)?;
        self.contents.insert(path.to_owned(), sha256(&bytes));
        Some(bytes.into())
    }

    fn data_entry(&mut self, key: &Key, node: &Node) -> Option<DataSet> {
        if let Value::List(items) = &node.value {
            if items.is_empty() {
                let problem = Problem::at(key.span, format!("the list `{}` is empty", key.name));
                self.problems.push(problem.hint("there is nothing to draw from it: give it items"));
            }
            let named = self.names.data(key, Shape::List, Some(value(node)));
            self.keep(named);
            return None;
        }
        if let Value::Text(typed) = &node.value {
            let problem =
                Problem::at(node.span, format!("expected a list or a mapping, found {}", node.describe()));
            self.problems.push(problem.hint(format!("write `{{file: {typed}}}` for rows from a file")));
        }
        // Known before the file is read: a file that is wrong is one problem, and its name is not another.
        let named = self.names.data(key, Shape::Unknown, None);
        self.keep(named)?;
        let file = node.get("file")?;
        let separator = match node.get("separator") {
            Some(separator) => Some(self.separator(separator)?),
            None => None,
        };
        let read = if self.files == Files::Read { Some(self.rows(file, separator)?) } else { None };
        let columns = read.as_ref().and_then(|read| read.columns.clone());
        let shape = columns.map_or(Shape::Unknown, Shape::Record);
        let named = self.names.data(key, shape, None);
        let slot = self.keep(named)?;
        let order = match node.get("order").and_then(Node::scalar) {
            Some("random") => DataOrder::Random,
            Some("per_user") => DataOrder::PerUser,
            _ => DataOrder::Sequential,
        };
        if order != DataOrder::PerUser {
            self.moving_data.push(key.name.clone());
        }
        Some(DataSet { name: key.name.clone(), slot, rows: read?.rows, order })
    }

    fn rows(&mut self, file: &Node, separator: Option<u8>) -> Option<Data> {
        let path = file.scalar()?;
        let mut digest = Sha256::default();
        let read = data::load(&self.folder.join(path), separator, &mut |piece| digest.update(piece));
        let read = self.keep(read.map_err(|error| at(file, &error)))?;
        self.contents.insert(path.to_owned(), digest.finish());
        let nameless = read.columns.iter().flatten().position(String::is_empty);
        if let Some(column) = nameless {
            let column = column + 1;
            self.notes.push(format!("column {column} of `{path}` has no name: no template can read it"));
        }
        Some(read)
    }

    /// The one byte that separates cells.
    fn separator(&mut self, node: &Node) -> Option<u8> {
        let text = node.scalar()?;
        let read = match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err(Problem::at(node.span, format!("`{text}` cannot separate cells"))
                .hint("write one character of ASCII other than a quote, such as `\";\"` or `\"\\t\"`")),
        };
        self.keep(read)
    }
}

/// The problem of a file, at the place that names it.
fn at(node: &Node, error: &DataError) -> Problem {
    Problem::at(node.span, error.to_string()).hint(error.hint())
}

/// A tree as a value of the language: numbers with all their digits, keys in their order.
fn value(node: &Node) -> Row {
    match &node.value {
        Value::Null => Row::from(()),
        Value::Bool(value) => Row::from(*value),
        Value::Number(raw) => json_value(raw).unwrap_or_else(|_| Row::from(raw.as_str())),
        Value::Text(text) => Row::from(text.as_str()),
        Value::List(items) => items.iter().map(value).collect(),
        Value::Map(entries) => {
            Row::from_pairs(entries.iter().map(|(key, node)| (key.name.as_str(), value(node))))
        }
    }
}
