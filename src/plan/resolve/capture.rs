//! What is kept of responses and messages.

use hyper::header::HeaderName;
use serde_json_path::JsonPath;

use crate::config::node::{Key, Node, Span};
use crate::config::problem::Problem;
use crate::plan::step::{Capture, CaptureMode, Extract, Visibility};

use super::compilation::Compilation;
use super::{text, unit};

/// A JSONPath that cannot be compiled: what is wrong, and the byte it is wrong at.
#[derive(Debug)]
pub(super) struct BadPath {
    message: String,
    position: usize,
}

impl BadPath {
    /// The problem, at its place.
    pub fn at(&self, span: Span) -> Problem {
        Problem::at(span, self.message.clone()).hint("write a JSONPath (RFC 9535) such as `$.items[0].id`")
    }
}

/// Compiles a JSONPath.
pub(super) fn json_path(path: &str) -> Result<JsonPath, BadPath> {
    let fail = |position: usize| BadPath { message: format!("`{path}` is not a JSONPath"), position };
    if !path.starts_with('$') {
        return Err(fail(0));
    }
    JsonPath::parse(path).map_err(|error| fail(error.position().saturating_sub(1)))
}

impl Compilation<'_> {
    /// What a step or a `receive` captures and appends.
    pub fn captures(&mut self, node: &Node) -> Vec<Capture> {
        let mut captures = Vec::new();
        for (word, mode) in [("capture", CaptureMode::Set), ("append", CaptureMode::Append)] {
            for (key, value) in node.get(word).map_or(&[][..], Node::entries) {
                captures.extend(self.capture(key, value, mode));
            }
        }
        captures
    }

    fn capture(&mut self, key: &Key, node: &Node, mode: CaptureMode) -> Option<Capture> {
        let from = self.extract(node)?;
        let slot = self.names.slot(&key.name)?;
        let is_secret = unit::parsed(node.get("secret")) == Some(true);
        let visibility = if is_secret { Visibility::Secret } else { Visibility::Shown };
        if visibility == Visibility::Secret {
            self.names.table.mark_secret(slot);
        }
        Some(Capture { slot, name: key.name.clone(), mode, from, visibility })
    }

    fn extract(&mut self, node: &Node) -> Option<Extract> {
        if let Some(pattern) = node.get("regex") {
            return self.pattern(node, pattern);
        }
        if let Some(header) = node.get("header") {
            let text = header.scalar()?;
            let name = HeaderName::from_bytes(text.as_bytes())
                .map_err(|_| Problem::at(header.span, format!("`{text}` is not the name of a header")));
            return self.keep(name).map(Extract::Header);
        }
        let node = node.get("json").unwrap_or(node);
        let text = node.scalar()?;
        let path = json_path(text).map_err(|fault| {
            let end = text.len().max(fault.position);
            fault.at(text::place(self.sources, node, &(fault.position..end)))
        });
        self.keep(path).map(|path| Extract::Json { path, text: text.into() })
    }

    fn pattern(&mut self, node: &Node, pattern: &Node) -> Option<Extract> {
        let text = pattern.scalar()?;
        let compiled = regex::bytes::Regex::new(text).map_err(|error| {
            let reason =
                error.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            Problem::at(pattern.span, format!("`{text}` is not a regular expression: {reason}"))
        });
        let compiled = self.keep(compiled)?;
        let groups = compiled.captures_len() - 1;
        let group = unit::parsed(node.get("group")).unwrap_or(groups.min(1));
        if group > groups {
            let span = node.get("group").map_or(pattern.span, |group| group.span);
            let problem = Problem::at(span, format!("`{text}` has no group {group}"));
            self.problems.push(problem.hint(match groups {
                0 => "it has no groups: put `(…)` around the part to keep, or take group 0, the whole match".into(),
                count => format!("it has {count}; group 0 is the whole match"),
            }));
        }
        Some(Extract::Regex { pattern: compiled, group })
    }
}
