//! Flags and environment variables: keys set over the file.

use super::Config;
use super::node::{Key, Node, Span, Value};
use super::problem::Problem;
use super::yaml;

/// Keys that may stand in an environment. Set from outside they beat every environment and scenario;
/// any other key is set in the file's own tree.
const LAYERED: &[&str] = &[
    "users",
    "spawn_rate",
    "run_time",
    "arrivals",
    "load",
    "host",
    "target",
    "thresholds",
    "baseline",
    "ab",
    "reporting",
    "timeout",
    "max_body",
];

/// One key set from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What set it, for messages: `--users`, `LOADGATE_USERS`.
    pub from: String,
    /// The keys on the way to it.
    pub path: Vec<String>,
    /// Its value, as YAML.
    pub value: String,
}

impl Override {
    /// A key set by a flag of its own.
    pub fn new(from: &str, path: &[&str], value: &str) -> Self {
        Self {
            from: from.into(),
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            value: value.into(),
        }
    }
}

/// Sets all keys, in order: later ones win. Every problem is reported, at its flag.
pub fn apply(config: &mut Config, overrides: &[Override]) -> Result<(), Vec<Problem>> {
    let problems: Vec<Problem> =
        overrides.iter().filter_map(|set| apply_one(config, set).err()).flatten().collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Reads `KEY=VALUE` of `--set`: split at the first `=` outside quotes, keys separated by dots, odd keys
/// quoted.
pub fn parse_set(text: &str) -> Result<Override, String> {
    let mut path = vec![String::new()];
    let mut quote = None;
    let mut characters = text.char_indices();
    for (at, character) in &mut characters {
        match (character, quote) {
            (_, Some(open)) if character == open => quote = None,
            (_, Some(_)) => push(&mut path, character),
            ('"' | '\'', None) => quote = Some(character),
            ('.', None) => path.push(String::new()),
            ('=', None) => {
                let value = text[at + 1..].to_owned();
                return if path.iter().any(String::is_empty) {
                    Err(format!("`{text}` has an empty key"))
                } else {
                    Ok(Override { from: "--set".into(), path, value })
                };
            }
            (_, None) => push(&mut path, character),
        }
    }
    Err(format!("`{text}` is not KEY=VALUE"))
}

fn push(path: &mut [String], character: char) {
    if let Some(last) = path.last_mut() {
        last.push(character);
    }
}

fn apply_one(config: &mut Config, set: &Override) -> Result<(), Vec<Problem>> {
    let source = config.sources.add(set.from.clone(), set.value.clone());
    let value = yaml::value(source, &set.value, 0)?;
    let layered = set.path.first().is_some_and(|key| LAYERED.contains(&key.as_str()));
    let root = if layered { &mut config.overrides } else { &mut config.root };
    let place = Span { source, start: 0, end: u32::try_from(set.value.len()).unwrap_or(u32::MAX) };
    insert(root, &set.path, value, place)
        .map_err(|message| vec![Problem::at(place, format!("{}: {message}", set.path.join(".")))])
}

fn insert(node: &mut Node, path: &[String], value: Node, place: Span) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    match &mut node.value {
        Value::List(items) => {
            let count = items.len();
            let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            let item =
                item.ok_or_else(|| format!("`{key}` is no place in a list of {count}, counted from 0"))?;
            insert(item, rest, value, place)
        }
        Value::Map(entries) => {
            let at = entries.iter().position(|(found, _)| found.name == *key).unwrap_or_else(|| {
                let empty = Node { span: place, value: Value::Null };
                entries.push((Key { span: place, name: key.clone() }, empty));
                entries.len() - 1
            });
            insert(&mut entries[at].1, rest, value, place)
        }
        // What was short for something longer makes room for the longer form.
        _ => {
            *node = Node { span: place, value: Value::Map(Vec::new()) };
            insert(node, path, value, place)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file;

    fn with(sets: &[&str]) -> Config {
        let text = "name: x\nscenarios: {a: {users: {u: {weight: 1}}, list: [1, 2]}}\n".to_owned();
        let mut config = file::parse("config.yaml", text, Path::new(".")).unwrap();
        let overrides: Vec<Override> = sets.iter().map(|set| parse_set(set).unwrap()).collect();
        apply(&mut config, &overrides).unwrap();
        config
    }

    #[test]
    fn quoted_keys_hold_dots_and_equal_signs() {
        let set = parse_set("thresholds.endpoints.\"GET /x?a=1.2\".p95=1s=2").unwrap();
        assert_eq!(set.path, ["thresholds", "endpoints", "GET /x?a=1.2", "p95"]);
        assert_eq!(set.value, "1s=2");
        assert!(parse_set("no value").is_err());
        assert!(parse_set(".x=1").is_err());
    }

    #[test]
    fn keys_of_an_environment_go_above_all_layers_and_others_into_the_tree() {
        let config = with(&[
            "thresholds.p95=1s",
            "scenarios.a.users.u.weight=3",
            "scenarios.a.list.1=7",
            "users=5",
            "users=6",
        ]);
        assert_eq!(config.overrides.get("thresholds").unwrap().get("p95").unwrap().scalar(), Some("1s"));
        assert_eq!(config.overrides.get("users").unwrap().scalar(), Some("6"));
        let scenario = config.root.get("scenarios").unwrap().get("a").unwrap();
        assert_eq!(
            scenario.get("users").unwrap().get("u").unwrap().get("weight").unwrap().scalar(),
            Some("3")
        );
        assert_eq!(scenario.get("list").unwrap().items()[1].scalar(), Some("7"));
    }

    #[test]
    fn values_are_yaml() {
        let config = with(&["load={arrivals: 10/s}", "name=\"010\""]);
        assert_eq!(config.overrides.get("load").unwrap().get("arrivals").unwrap().scalar(), Some("10/s"));
        assert_eq!(config.root.get("name").unwrap().value, Value::Text("010".into()));
    }
}
