//! A half-written `result.json` made readable again: cut back to what is complete, closed, and filled with
//! nothing where something is missing. Bytes in, a marked result out; it reads no file and judges nothing.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema::RunResult;

/// What a half-written result lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Salvaged {
    /// The list that ends too early, of which the first elements are there.
    pub cut_in: Option<String>,
    /// The fields that are lost.
    pub missing: Vec<String>,
}

impl Salvaged {
    /// Whether all of a field is there.
    pub fn kept(&self, field: &str) -> bool {
        self.cut_in.as_deref() != Some(field) && self.missing.iter().all(|missing| missing != field)
    }
}

/// Fields without which nobody can say what the numbers are of.
const VITAL: [&str; 3] = ["schema", "name", "scenario"];

/// The result that is left of a document that ends too early; none where nothing of use is.
pub fn salvage(bytes: &[u8]) -> Option<RunResult> {
    let cut = Cut::of(bytes);
    let text = std::str::from_utf8(bytes.get(..cut.whole)?).ok()?;
    let closed = format!("{text}{}", if cut.list.is_some() { "]}" } else { "}" });
    let mut fields: Map<String, Value> = serde_json::from_str(&closed).ok()?;
    if !VITAL.iter().all(|field| fields.contains_key(*field)) {
        return None;
    }
    let cut_in = cut.list.and_then(|name| serde_json::from_slice(bytes.get(name)?).ok());
    let mut missing = Vec::new();
    for (field, nothing) in nothing() {
        if !fields.contains_key(field) {
            missing.push(field.to_owned());
            fields.insert(field.to_owned(), nothing);
        }
    }
    let result: RunResult = serde_json::from_value(Value::Object(fields)).ok()?;
    Some(RunResult { salvaged: Some(Salvaged { cut_in, missing }), ..result })
}

/// How much of a document is complete.
struct Cut {
    /// So many bytes.
    whole: usize,
    /// Where the name of the list is that is still open there.
    list: Option<Range<usize>>,
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Value,
    Text,
    Escape,
}

impl Cut {
    fn of(bytes: &[u8]) -> Self {
        let mut cut = Self { whole: 0, list: None };
        let mut open: Vec<u8> = Vec::new();
        let mut inside = Inside::Value;
        // The text that began last, and the last one of the document itself: the name of a field.
        let (mut began, mut name) = (0, 0..0);
        for (at, byte) in bytes.iter().enumerate() {
            match (inside, byte) {
                (Inside::Escape, _) => inside = Inside::Text,
                (Inside::Text, b'\\') => inside = Inside::Escape,
                (Inside::Text, b'"') => {
                    inside = Inside::Value;
                    if open.len() == 1 {
                        name = began..at + 1;
                    }
                    cut.ended(&open, at + 1, &name);
                }
                (Inside::Value, b'"') => (inside, began) = (Inside::Text, at),
                (Inside::Value, b'{' | b'[') => {
                    open.push(*byte);
                    cut.ended(&open, at + 1, &name);
                }
                (Inside::Value, b'}' | b']') => {
                    open.pop();
                    cut.ended(&open, at + 1, &name);
                }
                (Inside::Value, b',') if open.len() == 1 => cut = Self { whole: at, list: None },
                (Inside::Text | Inside::Value, _) => {}
            }
        }
        cut
    }

    /// In a list of the document, after its beginning or an element: everything so far is complete.
    fn ended(&mut self, open: &[u8], at: usize, name: &Range<usize>) {
        if let [_, b'['] = open {
            *self = Self { whole: at, list: Some(name.clone()) };
        }
    }
}

/// Every field that a result must have or is told of, empty, in the order of the document.
fn nothing() -> Vec<(&'static str, Value)> {
    let nobody = json!({"cpu_model": "", "cpus": 0, "arch": "", "os": "", "image": null, "cpu_class": ""});
    let counts = json!({"ok": 0, "failed": {}, "unfinished": 0, "error_rate": null, "endpoints": []});
    let totals = json!({
        "name": "total", "kind": "all", "ok": 0, "failed": {}, "requests_per_second": 0.0, "error_rate": null,
        "bytes_in": 0, "bytes_out": 0, "response_time": null, "service_time": null, "phases": {},
        "websocket": null,
    });
    let generator = json!({
        "cpu_us_per_request": 0.0, "cpu_utilisation": 0.0, "schedule_lag_p99_ms": null, "achieved_ratio": 0.0,
        "steal": null, "rss_mb": null,
    });
    vec![
        ("tool", json!({"name": "loadgate", "version": ""})),
        ("mode", json!("run")),
        ("environment", json!("")),
        ("target", json!("")),
        ("plan_digest", json!("")),
        ("seed", json!(0)),
        ("started_at", json!("")),
        ("duration_s", json!(0.0)),
        ("steady_s", json!(0.0)),
        ("interrupted", json!(false)),
        ("signal", Value::Null),
        ("git", json!({"sha": null, "ref": null})),
        ("runner", nobody),
        ("load", json!({"model": "closed"})),
        ("whole_run", counts),
        ("totals", totals),
        ("endpoints", json!([])),
        ("metrics", json!([])),
        ("tasks", json!([])),
        ("failures", json!([])),
        ("series", json!([])),
        ("windows", json!([])),
        ("aborted", Value::Null),
        ("generator", generator),
        ("warnings", json!([])),
        ("verdict", Value::Null),
    ]
}
