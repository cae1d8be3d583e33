//! How things look on the wire: as in GitHub's own examples, changed where ours differ. Changes nothing.

use serde_json::{Map, Value, json};

use super::super::contract::CONTRACT;
use super::identity::ACTIONS_BOT;

/// The example of an operation with these changes; of a list, its first item.
pub fn like((method, path): (&str, &str), changes: &Value) -> Value {
    let mut example = CONTRACT.example(method, path);
    if let Some(items) = example.as_array_mut() {
        example = items.remove(0);
    }
    merge(&mut example, changes);
    example
}

/// A user, or null for one who has left.
pub fn user(login: Option<&str>) -> Value {
    let Some(login) = login else { return Value::Null };
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    // The number of the real one.
    let id = if login == ACTIONS_BOT { 41_898_282 } else { 1_000 + login.len() };
    let comment = like(("GET", "/issues/{issue_number}/comments"), &json!({}));
    let page = match login.strip_suffix("[bot]") {
        Some(app) => format!("https://github.com/apps/{app}"),
        None => format!("https://github.com/{login}"),
    };
    let mut user = comment["user"].clone();
    merge(&mut user, &json!({"login": login, "id": id, "type": kind, "html_url": page}));
    user
}

/// A moment, so many seconds into a day of ours.
pub fn moment(second: u64) -> String {
    let (hours, minutes, seconds) = (second / 3600 % 24, second / 60 % 60, second % 60);
    format!("2026-11-{:02}T{hours:02}:{minutes:02}:{seconds:02}Z", 1 + second / 86_400 % 28)
}

/// Objects are merged, whatever else is replaced.
fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => merge_objects(into, changes),
        (into, changes) => *into = changes.clone(),
    }
}

fn merge_objects(into: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (key, change) in changes {
        merge(into.entry(key.clone()).or_insert(Value::Null), change);
    }
}
