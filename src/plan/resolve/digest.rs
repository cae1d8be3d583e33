//! The digest of a plan: SHA-256 over the canonical JSON of what shapes the numbers.

use std::sync::LazyLock;

use regex::Regex;
use ring::digest::{Context, SHA256, digest};
use serde_json::{Map, Value as Json, json};

use crate::config::node::{Node, Value};
use crate::plan::Limits;
use crate::plan::connection::Http;
use crate::plan::credentials;
use crate::plan::load::{Load, StopAfter};

use super::compilation::Compilation;

static ENVIRONMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\benv\s*\(\s*(?:"[^"]*"|'[^']*')\s*\)"#).ok());

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(digest(&SHA256, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// SHA-256 of something that is handed over piece by piece.
pub(super) struct Sha256(Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Sha256 {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// In hexadecimal.
    pub fn finish(self) -> String {
        hexadecimal(self.0.finish().as_ref())
    }
}

/// The digest of a scenario under a load: tasks that are run, user classes, data, load, limits.
/// Hosts, seeds, rules, reports, descriptions and the names of environment variables are not in it.
pub(super) fn of(compilation: &Compilation, load: &Load, (limits, http): (&Limits, &Http)) -> String {
    let part = |key: &str| compilation.scenario.get(key).map_or(Json::Null, canonical);
    let users = compilation.scenario.get("users").map_or(Json::Null, |users| {
        each(users, &|_, class| {
            each(class, &|key, value| if key == "steps" { steps(value) } else { canonical(value) })
        })
    });
    let tasks = compilation.scenario.get("tasks").map_or(&[][..], Node::entries).iter();
    let used = tasks.filter(|(key, _)| compilation.used.contains(key.name.as_str()));
    let tasks: Map<String, Json> = used.map(|(key, list)| (key.name.clone(), steps(list))).collect();
    let shape: Vec<Json> = load
        .shape
        .0
        .iter()
        .map(|segment| json!([segment.over.as_secs_f64(), segment.from, segment.to]))
        .collect();
    let mut whole = json!({
        "users": users,
        "tasks": tasks,
        "data": part("data"),
        "files": compilation.contents,
        "load": {
            "model": format!("{:?}", load.model),
            "shape": shape,
            "warmup_s": load.warmup.as_secs_f64(),
            "drain_s": load.drain.as_secs_f64(),
        },
        "timeout_s": limits.timeout.as_secs_f64(),
        "max_body": limits.max_body,
        "http": {
            "version": format!("{:?}", http.version),
            "keep_alive": format!("{:?}", http.keep_alive),
            "redirects": http.redirects,
            "cookies": format!("{:?}", http.cookies),
            "accept_encoding": http.accept_encoding,
        },
    });
    // What was not there in earlier versions is only in the digest where it is not as it was in them.
    if load.stop == StopAfter::Iteration {
        whole["load"]["stop"] = "iteration".into();
    }
    sha256(whole.to_string().as_bytes())
}

/// Steps, and the steps in them. Neither a password in the address of one nor whether a captured value is masked changes
/// what is measured.
fn steps(list: &Node) -> Json {
    let Value::List(items) = &list.value else { return canonical(list) };
    let step = |step: &Node| each(step, &|key, value| step_entry(key, value));
    items.iter().map(step).collect()
}

fn step_entry(key: &str, value: &Node) -> Json {
    match key {
        "steps" => steps(value),
        "request" => each(value, &|key, value| if key == "path" { address(value) } else { canonical(value) }),
        "get" | "post" | "put" | "patch" | "delete" | "head" | "options" | "websocket" => address(value),
        "capture" | "append" => each(value, &|_, capture| without_secrecy(canonical(capture))),
        _ => canonical(value),
    }
}

fn address(node: &Node) -> Json {
    match canonical(node) {
        Json::String(text) => Json::String(credentials::without(&text).into_owned()),
        other => other,
    }
}

/// A mapping as JSON, each value made by `canonical` of its key and itself; anything else as [`self::canonical`] has it.
fn each(node: &Node, canonical: &dyn Fn(&str, &Node) -> Json) -> Json {
    let Value::Map(entries) = &node.value else { return self::canonical(node) };
    entries.iter().map(|(key, value)| (key.name.clone(), canonical(&key.name, value))).collect()
}

fn without_secrecy(capture: Json) -> Json {
    let Json::Object(mut keys) = capture else { return capture };
    let was_told = keys.remove("secret").is_some();
    match (keys.len(), keys.get("json")) {
        // The long form is only there for that.
        (1, Some(path)) if was_told => path.clone(),
        _ => Json::Object(keys),
    }
}

/// A tree as JSON: keys sorted, comments, anchors, descriptions and names of environment variables gone.
fn canonical(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(raw) => serde_json::from_str(raw).unwrap_or_else(|_| Json::String(raw.clone())),
        Value::Text(text) => Json::String(match ENVIRONMENT.as_ref() {
            Some(pattern) => pattern.replace_all(text, "env()").into_owned(),
            None => text.clone(),
        }),
        Value::List(items) => items.iter().map(canonical).collect(),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.name.clone(), canonical(value)))
                .collect::<Map<String, Json>>(),
        ),
    }
}
