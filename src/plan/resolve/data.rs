//! The data of a scenario: lists in the configuration, rows of files.

use minijinja::Value as Row;
use minijinja::value::Serde;
use serde_json::Value as Json;

use crate::config::data::{self, DataError};
use crate::config::node::{Key, Node, Value};
use crate::config::problem::Problem;
use crate::plan::user::{DataOrder, DataSet};

use super::compilation::{Compilation, Files};
use super::digest::sha256;
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
            let list = Row::from(Serde(json(node)));
            let named = self.names.data(key, Shape::List, Some(list));
            self.keep(named);
            return None;
        }
        let file = node.get("file")?;
        let rows = if self.files == Files::Read { Some(self.rows(file)?) } else { None };
        let shape = rows.as_ref().map_or(Shape::Unknown, |rows| columns(rows));
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
        let rows = rows?.into_iter().map(|row| Row::from(Serde(row))).collect();
        Some(DataSet { name: key.name.clone(), slot, rows, order })
    }

    fn rows(&mut self, file: &Node) -> Option<Vec<Json>> {
        let path = file.scalar()?;
        let read = data::load(&self.folder.join(path)).map_err(|error| at(file, &error));
        let rows = self.keep(read)?;
        self.contents.insert(path.to_owned(), sha256(Json::from(rows.clone()).to_string().as_bytes()));
        Some(rows)
    }
}

/// The problem of a file, at the place that names it.
fn at(node: &Node, error: &DataError) -> Problem {
    Problem::at(node.span, error.to_string()).hint(error.hint())
}

/// The columns that rows have, where each is an object.
fn columns(rows: &[Json]) -> Shape {
    let mut columns: Vec<String> = Vec::new();
    for row in rows {
        let Json::Object(row) = row else { return Shape::Unknown };
        for name in row.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    Shape::Record(columns)
}

/// A tree as plain JSON.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(raw) => serde_json::from_str(raw).unwrap_or_else(|_| Json::String(raw.clone())),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.name.clone(), json(value))).collect())
        }
    }
}
