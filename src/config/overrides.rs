//! Flags and environment variables: keys set over the file.

use super::node::{Key, Node, Span, Value};
use super::problem::Problem;
use super::schema::OVERRIDES;
use super::yaml::MAX_DEPTH;
use super::{Config, yaml};

/// One key set from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What set it, for messages: `--users`, `LOADGATE_USERS`.
    pub from: String,
    /// The keys on the way to it.
    pub path: Vec<String>,
    /// The text as typed, for messages: the value alone, or `KEY=VALUE`.
    pub text: String,
    /// Where in it the value starts, which is YAML.
    pub value_at: usize,
}

impl Override {
    /// A key set by a flag of its own.
    pub fn new(from: &str, path: &[&str], value: &str) -> Self {
        Self {
            from: from.into(),
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            text: value.into(),
            value_at: 0,
        }
    }
}

/// Sets all keys, in order: later ones win. Every problem is reported, at its flag; what is wrong with the
/// form of what comes out is told by whoever asks what it means.
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
        if path.len() > MAX_DEPTH {
            return Err(format!(
                "a key of more than {MAX_DEPTH} parts: a configuration is not nested deeper"
            ));
        }
        match (character, quote) {
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => quote = Some(character),
            ('.', None) => path.push(String::new()),
            ('=', None) => {
                return if path.iter().any(String::is_empty) {
                    Err(format!("`{text}` has an empty key"))
                } else {
                    Ok(Override { from: "--set".into(), path, text: text.to_owned(), value_at: at + 1 })
                };
            }
            _ => push(&mut path, character),
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
    let source = config.sources.add(set.from.as_str(), set.text.as_str());
    let value = yaml::value(source, set.text.get(set.value_at..).unwrap_or(""), set.value_at)?;
    // A variable that holds only spaces would take away what the file says; a flag can still do that with the word.
    if set.value_at == 0 && value.value == Value::Null && !is_null(&set.text) {
        let place = Span { source, start: 0, end: u32::try_from(set.text.len()).unwrap_or(u32::MAX) };
        let problem = Problem::at(place, format!("`{}` has no value", set.from));
        return Err(vec![problem.hint("give it one, or leave it out for what the configuration says")]);
    }
    // A key is where it was typed; a flag for one key has no other text than the value.
    let end = if set.value_at > 0 { set.value_at - 1 } else { set.text.len() };
    let place = Span { source, start: 0, end: u32::try_from(end).unwrap_or(u32::MAX) };
    // Keys that may stand in an environment beat every environment and scenario.
    let layered = set.path.first().is_some_and(|key| OVERRIDES.key(key).is_some());
    let root = if layered { &mut config.overrides } else { &mut config.root };
    insert(root, &set.path, value, place).map_err(|message| vec![Problem::at(place, message)])
}

/// Whether null is what a text says.
fn is_null(text: &str) -> bool {
    matches!(text.trim(), "null" | "Null" | "NULL" | "~")
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
                entries.push((Key { span: place, name: key.clone(), is_override: false }, empty));
                entries.len() - 1
            });
            let (found, node) = &mut entries[at];
            found.is_override |= rest.is_empty();
            insert(node, rest, value, place)
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
    use crate::config::render::{Color, render};
    use crate::config::{file, shape};

    fn with(sets: &[&str]) -> Config {
        let text = "version: 1\nenvironments: {}\n\
            scenarios: {a: {users: {u: {weight: 1, steps: []}}, data: {list: [1, 2]}}}
";
        let mut config = file::parse("config.yaml", text, Path::new(".")).unwrap();
        let overrides: Vec<Override> = sets.iter().map(|set| parse_set(set).unwrap()).collect();
        apply(&mut config, &overrides).unwrap();
        config
    }

    #[test]
    fn quoted_keys_hold_dots_and_equal_signs() {
        let set = parse_set("thresholds.endpoints.\"GET /x?a=1.2\".p95=1s=2").unwrap();
        assert_eq!(set.path, ["thresholds", "endpoints", "GET /x?a=1.2", "p95"]);
        assert_eq!(&set.text[set.value_at..], "1s=2");
        assert!(parse_set("no value").is_err());
        assert!(parse_set(".x=1").is_err());
    }

    #[test]
    fn keys_of_an_environment_go_above_all_layers_and_others_into_the_tree() {
        let config = with(&[
            "thresholds.p95=1s",
            "scenarios.a.users.u.weight=3",
            "scenarios.a.data.list.1=7",
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
        assert_eq!(scenario.get("data").unwrap().get("list").unwrap().items()[1].scalar(), Some("7"));
    }

    #[test]
    fn null_from_outside_takes_away_what_the_file_asks_for() {
        let text = "version: 1\nenvironments: {e: {host: x}}\n\
            scenarios: {a: {users: {u: {steps: [{get: /, expect: {status: 200}, when: x}]}}}}\n";
        let step = "scenarios.a.users.u.steps.0";
        for (set, told) in [
            ("expect=null", &[][..]),
            ("when=", &[]),
            ("expect.contains=null", &[]),
            ("expect={that: }", &["`that` has no value"]),
        ] {
            let mut config = file::parse("config.yaml", text, Path::new(".")).unwrap();
            apply(&mut config, &[parse_set(&format!("{step}.{set}")).unwrap()]).unwrap();
            let problems = shape::check(&config.root);
            assert_eq!(problems.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(), told, "{set}");
        }
    }

    #[test]
    fn values_are_yaml() {
        let config = with(&["load={arrivals: 10/s}", "name=\"010\""]);
        assert_eq!(config.overrides.get("load").unwrap().get("arrivals").unwrap().scalar(), Some("10/s"));
        assert_eq!(config.root.get("name").unwrap().value, Value::Text("010".into()));
    }

    #[test]
    fn mistakes_point_into_the_flag() {
        let mut config = file::demo().unwrap();
        let overrides = [
            Override::new("--users", &["users"], "many"),
            Override::new("LOADGATE_RUN_TIME", &["run_time"], "5 parsecs"),
            Override::new("LOADGATE_ARRIVALS", &["arrivals"], " "),
            Override::new("LOADGATE_SEED", &["seed"], "null"),
            Override::new("--formats", &["reporting", "formats"], "[html, jsn]"),
            parse_set("thresholds.p95={{ x }}").unwrap(),
            parse_set("thresholds.p59=1s").unwrap(),
            parse_set("sed=1").unwrap(),
            parse_set("scenarios.build_flow.data.chains.9=1").unwrap(),
        ];
        let mut problems = apply(&mut config, &overrides).unwrap_err();
        problems.extend(shape::check(&config.root));
        problems.extend(shape::check_overrides(&config.overrides));
        insta::assert_snapshot!(render(&problems, &config.sources, Color::Never), @r#"
        error: the text `many` is not a whole number
         --> --users:1:1
          |
        1 | many
          | ^^^^
        hint: write a whole number, without quotes and without a leading zero

        error: `5 parsecs` is not a duration
         --> LOADGATE_RUN_TIME:1:1
          |
        1 | 5 parsecs
          | ^^^^^^^^^
        hint: write a duration such as `500ms`, `2s`, `5m` or `1h30m`

        error: `LOADGATE_ARRIVALS` has no value
         --> LOADGATE_ARRIVALS:1:1
          |
        1 |  
          | ^
        hint: give it one, or leave it out for what the configuration says

        error: unknown word `jsn`
         --> --formats:1:8
          |
        1 | [html, jsn]
          |        ^^^
        hint: did you mean `json`? known: html, json, csv, markdown, junit

        error: `{{ x }}` without quotes is a mapping to YAML
         --> --set:1:16
          |
        1 | thresholds.p95={{ x }}
          |                ^^^^^^^
        hint: quote the template: "{{ x }}"

        error: unknown key or metric `p59`
         --> --set:1:1
          |
        1 | thresholds.p59=1s
          | ^^^^^^^^^^^^^^
        hint: did you mean `p50`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes, endpoints, metrics

        error: unknown key `sed`
         --> --set:1:1
          |
        1 | sed=1
          | ^^^
        hint: did you mean `seed`? known: version, name, description, seed, defaults, environments, scenarios, thresholds, load, baseline, reporting, timeout, max_body, max_memory, http, tls, ab, users, spawn_rate, run_time, arrivals

        error: `9` is no place in a list of 3, counted from 0
         --> --set:1:1
          |
        1 | scenarios.build_flow.data.chains.9=1
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        8 problems
        "#);
    }

    #[test]
    fn flags_may_set_pieces_of_what_the_file_makes_whole() {
        let config = with(&["thresholds.p95.abort=true", "load.staircase.until=9", "target.ready=/up"]);
        assert_eq!(config.overrides.entries().len(), 3);
    }
}
