//! What a request and an answer are, before and after the wire. Knows nothing of repositories.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// A request as it arrived, below the prefix of the API.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Decoded, without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// Null where there is none, a string where it is no JSON.
    pub body: Value,
    /// What it was answered with.
    pub status: u16,
}

/// What a request is answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A field of the body that is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body[field].as_str()
    }

    /// The parts of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub fn created(body: Value) -> Self {
        Self::new(201, body)
    }

    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// An answer of GitHub that is only a message.
    pub fn error(status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        let body =
            json!({"message": message, "documentation_url": documentation, "status": status.to_string()});
        Self::new(status, body)
    }

    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// One field of what was sent is wrong: GitHub says so below the message, not in it.
    pub fn invalid(resource: &str, field: &str, message: &str) -> Self {
        let mut answer = Self::error(422, "Validation Failed");
        let code = if field == "data" { "unprocessable" } else { "custom" };
        answer.body["errors"] = json!([
            {"resource": resource, "code": code, "field": field, "message": message}
        ]);
        answer
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}
