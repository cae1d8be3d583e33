//! YAML as a tree, by loadgate's own reader.

use std::path::{Path, PathBuf};

use loadgate::config::file;
use loadgate::config::node::Node;

use crate::sandbox::root;

/// A file of this repository.
pub fn read(name: &str) -> Node {
    let text = std::fs::read_to_string(root().join(name)).expect("a file of the repository");
    file::parse(name, &text, root()).unwrap_or_else(|error| panic!("{name}: {error:?}")).root
}

/// Something that is there.
#[track_caller]
pub fn at<'a>(node: &'a Node, keys: &[&str]) -> &'a Node {
    let step = |node: &'a Node, key: &&str| node.get(key).unwrap_or_else(|| panic!("no {key} in {keys:?}"));
    keys.iter().fold(node, step)
}

/// Names and values of a mapping.
pub fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    node.entries().iter().map(|(key, value)| (key.name.as_str(), value))
}

/// The workflows of this repository, and those that others copy.
pub fn workflows() -> Vec<String> {
    let mut found: Vec<String> =
        [".github/workflows", "templates/workflows"].iter().flat_map(|folder| files(folder)).collect();
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder").flatten();
    let path = |entry: std::fs::DirEntry| PathBuf::from(folder).join(entry.file_name());
    entries.map(|entry| path(entry).to_string_lossy().into_owned()).filter(|name| is_yaml(name)).collect()
}

fn is_yaml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// The text so far to the right.
pub fn indented(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    text.lines().flat_map(|line| [&margin, line, "\n"]).collect()
}
