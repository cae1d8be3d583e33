//! What GitHub publishes about its own API: which operations there are, what each takes, what each gives. Knows
//! nothing of any server; `test.sh` fetches the description.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The description of the API.
pub static CONTRACT: LazyLock<Contract> = LazyLock::new(|| read("api.json"));

/// Examples of events as GitHub sends them, by the name of the event.
pub static EVENTS: LazyLock<BTreeMap<String, Vec<Value>>> = LazyLock::new(|| read("events.json"));

/// The operations that loadgate uses, and the schemas that they share.
#[derive(Deserialize)]
pub struct Contract {
    pub operations: Vec<Operation>,
    schemas: Value,
    #[serde(skip)]
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// One operation: a method on a template of a path.
#[derive(Deserialize)]
pub struct Operation {
    pub method: String,
    pub path: String,
    query: BTreeMap<String, Value>,
    body: Option<Value>,
    answers: BTreeMap<String, Described>,
}

/// What an operation answers with one status.
#[derive(Deserialize)]
struct Described {
    schema: Option<Value>,
    example: Value,
}

/// What is sent: the query as pairs, the body null where there is none.
pub struct Sent<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a [(String, String)],
    pub body: &'a Value,
}

impl Contract {
    /// The operation that a request is for.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let known = self.operations.iter().filter(|operation| operation.method == method);
        known.into_iter().find(|operation| is_of(&operation.path, path))
    }

    /// What GitHub would not understand in a request.
    pub fn complaints(&self, sent: &Sent) -> Vec<String> {
        let Some(operation) = self.operation(sent.method, sent.path) else {
            return vec![format!("{} {} is no operation", sent.method, sent.path)];
        };
        let mut found = unknown_queries(operation, sent.query);
        found.extend(self.body_complaints(operation, sent.body));
        found.into_iter().map(|what| format!("{} {}: {what}", sent.method, sent.path)).collect()
    }

    /// What an answer lacks of what GitHub would send.
    pub fn answer_complaints(&self, operation: &Operation, status: u16, body: &Value) -> Vec<String> {
        let name = format!("{} {} {status}", operation.method, operation.path);
        let Some(described) = operation.answers.get(&status.to_string()) else {
            return vec![format!("{name}: no such answer is described")];
        };
        let Some(schema) = &described.schema else { return Vec::new() };
        self.errors(&name, schema, body).into_iter().map(|what| format!("{name}: {what}")).collect()
    }

    /// How GitHub's own documentation shows the answer of an operation.
    pub fn example(&self, method: &str, path: &str) -> Value {
        let found = self.operations.iter().find(|known| known.method == method && known.path.ends_with(path));
        let answers = &found.unwrap_or_else(|| panic!("{method} {path} is in the contract")).answers;
        let good = answers.iter().find(|(status, _)| status.starts_with('2'));
        good.map(|(_, described)| described.example.clone()).expect("an answer")
    }

    fn body_complaints(&self, operation: &Operation, body: &Value) -> Vec<String> {
        let Some(schema) = &operation.body else {
            return if body.is_null() { Vec::new() } else { vec!["takes no body".to_owned()] };
        };
        let name = format!("{} {}", operation.method, operation.path);
        let mut found = self.errors(&name, schema, body);
        let known = schema["properties"].as_object();
        let given = body.as_object().into_iter().flatten().map(|(key, _)| key);
        let unknown = given.filter(|key| known.is_some_and(|known| !known.contains_key(*key)));
        found.extend(unknown.map(|key| format!("`{key}` is no field of the body")));
        found
    }

    fn errors(&self, name: &str, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(name, schema);
        let errors = validator.iter_errors(value);
        // Of a pull request whose fork is gone it is null all the same.
        let described = errors.filter(|error| !error.instance_path().as_str().ends_with("/head/repo"));
        described.map(|error| format!("at `{}`: {error:.200}", error.instance_path())).collect()
    }

    /// Made once for each schema.
    fn validator(&self, name: &str, schema: &Value) -> Arc<Validator> {
        let mut made = self.validators.lock().expect("no validator panics");
        let build = || {
            let whole = json!({"allOf": [schema], "components": {"schemas": self.schemas}});
            let options = jsonschema::options().with_draft(Draft::Draft7);
            Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("the schema of {name}: {error}")))
        };
        Arc::clone(made.entry(name.to_owned()).or_insert_with(build))
    }
}

fn unknown_queries(operation: &Operation, query: &[(String, String)]) -> Vec<String> {
    let wrong = query.iter().filter(|(key, value)| match operation.query.get(key) {
        None => true,
        Some(schema) => {
            let allowed = schema["enum"].as_array();
            allowed.is_some_and(|allowed| !allowed.contains(&json!(value)))
                || (schema["type"] == "integer" && value.parse::<u64>().is_err())
                || (key == "per_page" && value.parse::<u64>().is_ok_and(|number| number > 100))
        }
    });
    wrong.map(|(key, value)| format!("`{key}={value}` is not understood")).collect()
}

/// Whether a path is of a template. Numbers are numbers, and `{ref}` takes whatever is left.
fn is_of(template: &str, path: &str) -> bool {
    let mut given = path.split('/');
    for part in template.split('/') {
        if part == "{ref}" {
            return given.next().is_some_and(|first| !first.is_empty());
        }
        let Some(found) = given.next() else { return false };
        let number = part.ends_with("_id}") || part.ends_with("_number}");
        let fits = match part.strip_prefix('{') {
            None => part == found,
            Some(_) if number => found.parse::<u64>().is_ok(),
            Some(_) => !found.is_empty(),
        };
        if !fits {
            return false;
        }
    }
    given.next().is_none()
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = folder().join(name);
    let text =
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run ./test.sh once", path.display()));
    serde_json::from_slice(&text).expect("a description")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/github-contract")
}

#[test]
fn a_request_that_github_does_not_know_is_told_from_one_that_it_does() {
    let comments = "/repos/shop/api/issues/7/comments";
    let no = Value::Null;
    let said = |method, path, query: &[(&str, &str)], body: &Value| {
        let query: Vec<_> =
            query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        CONTRACT.complaints(&Sent { method, path, query: &query, body }).len()
    };
    for (method, path, query, body, complaints) in [
        ("GET", comments, &[("per_page", "100"), ("page", "2")][..], &no, 0),
        ("GET", comments, &[("per_page", "101")], &no, 1),
        ("GET", comments, &[("perpage", "100")], &no, 1),
        ("GET", "/repos/shop/api/issues/seven/comments", &[], &no, 1),
        ("POST", comments, &[], &json!({"body": "text"}), 0),
        ("POST", comments, &[], &json!({"body": 5}), 1),
        ("POST", comments, &[], &no, 1),
        // Both a missing and an unknown field.
        ("POST", comments, &[], &json!({"bodyy": "text"}), 2),
        ("PATCH", "/repos/shop/api/issues/comments/12", &[], &json!({"body": "text"}), 0),
        ("POST", "/repos/shop/api/issues/comments/12", &[], &json!({"body": "text"}), 1),
        ("GET", "/repos/shop/api/git/ref/heads/loadgate/baseline", &[], &no, 0),
        ("GET", "/repos/shop/api/pulls", &[("state", "any")], &no, 1),
        ("GET", "/user", &[], &json!({}), 1),
    ] {
        assert_eq!(said(method, path, query, body), complaints, "{method} {path} {query:?} {body}");
    }
}
