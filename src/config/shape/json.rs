//! The table of the language as a JSON Schema, for editors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::config::schema::{Choice, Kind, Need, ROOT, Rule, Shape};
use crate::metric::Metric;

/// The JSON Schema (draft 7) of config.yaml.
pub fn json_schema() -> Value {
    let mut definitions = Definitions::default();
    let mut schema = definitions.shape(&ROOT);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("loadgate config.yaml");
    schema["definitions"] = definitions.done.into_iter().collect::<Map<_, _>>().into();
    schema
}

/// The named parts, each written once; a part that is being written is there as null.
#[derive(Default)]
struct Definitions {
    done: BTreeMap<String, Value>,
}

impl Definitions {
    fn shape(&mut self, shape: &'static Shape) -> Value {
        let mut properties = Map::new();
        for key in shape.all() {
            let kind = self.kind(&key.kind);
            // Beside `$ref` draft 7 ignores everything.
            let mut described = if kind.get("$ref").is_some() { json!({"allOf": [kind]}) } else { kind };
            described["description"] = json!(key.doc);
            if let Need::Filled(_) = key.need {
                for least in ["minLength", "minItems", "minProperties"] {
                    described[least] = json!(1);
                }
            }
            properties.insert(key.name.to_owned(), described);
        }
        let required: Vec<_> =
            shape.all().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
        let mut schema = json!({
            "type": "object",
            "description": shape.doc,
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let rules: Vec<_> = shape.rules.iter().flat_map(rule).collect();
        if !rules.is_empty() {
            schema["allOf"] = json!(rules);
        }
        schema
    }

    fn choice(&mut self, choice: &'static Choice) -> Value {
        let mut variants = Vec::new();
        for variant in choice.variants {
            let part = self.reference(variant.shape.name, |definitions| definitions.shape(variant.shape));
            let by: Vec<_> = variant.by.iter().map(|name| json!({"required": [name]})).collect();
            variants.push(json!({"allOf": [part, {"oneOf": by}]}));
        }
        json!({"description": choice.doc, "oneOf": variants})
    }

    fn reference(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.done.contains_key(name) {
            self.done.insert(name.to_owned(), Value::Null);
            let schema = make(self);
            self.done.insert(name.to_owned(), schema);
        }
        json!({"$ref": format!("#/definitions/{name}")})
    }

    fn kind(&mut self, kind: &'static Kind) -> Value {
        match kind {
            Kind::Object(shape) => self.reference(shape.name, |definitions| definitions.shape(shape)),
            Kind::Choice(choice) => self.reference(choice.name, |definitions| definitions.choice(choice)),
            Kind::Map(kind) => json!({"type": "object", "additionalProperties": self.kind(kind)}),
            Kind::Named(kind) => json!({
                "type": "object",
                "additionalProperties": self.kind(kind),
                "propertyNames": {"pattern": "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"},
            }),
            Kind::PerMetric(kind) => json!({
                "type": "object",
                "additionalProperties": self.kind(kind),
                "propertyNames": {"enum": Metric::ALL.map(Metric::name)},
            }),
            Kind::List(kind) => json!({"type": "array", "items": self.kind(kind)}),
            Kind::Either(kinds) => {
                json!({"anyOf": kinds.iter().map(|kind| self.kind(kind)).collect::<Vec<_>>()})
            }
            _ => scalar(kind),
        }
    }
}

const DURATION: &str = r"0|((\d+(\.\d*)?|\.\d+)(h|m|s|ms|us|µs)\s*)+";

fn scalar(kind: &Kind) -> Value {
    let number_or = |pattern: &str| json!({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}]});
    // Of durations, nothing alone needs no unit.
    let none_or = |pattern: &str| json!({"anyOf": [{"const": 0}, {"type": "string", "pattern": pattern}]});
    match kind {
        Kind::Duration => none_or(&format!("^({DURATION})$")),
        Kind::Range => none_or(&format!(r"^({DURATION})(\.\.({DURATION}))?$")),
        Kind::Ratio => json!({"anyOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            {"type": "string", "pattern": r"^(0?(\.\d+)?|\d+(\.\d+)?\s*%)$"},
        ]}),
        Kind::Size => number_or(r"^\d+(\.\d+)?\s*([KMG]iB|[kMG]?B)?$"),
        Kind::Rate => json!({"type": "string", "pattern": r"^\d+(\.\d+)?\s*/\s*[smh]$"}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::True => json!({"const": true}),
        Kind::OneOf(words) => {
            // A word such as `2` may be written without quotes, and is a number then.
            let numbers =
                words.iter().filter_map(|word| serde_json::from_str(word).ok()).filter(Value::is_number);
            json!({"enum": words.iter().map(|word| json!(word)).chain(numbers).collect::<Vec<_>>()})
        }
        Kind::Metric => json!({"enum": Metric::ALL.map(Metric::name)}),
        Kind::Status => json!({"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5]xx$"},
        ]}),
        Kind::Nothing => json!({"type": "null"}),
        Kind::Any => json!({}),
        Kind::Expression => json!({"type": ["string", "number", "boolean"], "minLength": 1}),
        _ => json!({"type": ["string", "number", "boolean"]}),
    }
}

fn rule(rule: &Rule) -> Vec<Value> {
    match rule {
        Rule::ExactlyOne(names) => {
            let each: Vec<_> = names.iter().map(|name| json!({"required": [name]})).collect();
            vec![json!({"oneOf": each})]
        }
        Rule::AtMostOne(names) => {
            let behind = |at: usize| names.iter().skip(at + 1);
            names
                .iter()
                .enumerate()
                .flat_map(|(at, one)| behind(at).map(move |other| not_both(one, other)))
                .collect()
        }
        Rule::Excludes(one, others) => others.iter().map(|other| not_both(one, other)).collect(),
    }
}

fn not_both(one: &str, other: &str) -> Value {
    json!({"not": {"required": [one, other]}})
}
