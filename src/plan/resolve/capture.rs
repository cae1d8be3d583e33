//! What is kept of responses and messages.

use hyper::header::HeaderName;
use regex::bytes::{Regex, RegexBuilder};

use crate::config::node::{Key, Node, Span};
use crate::config::problem::Problem;
use crate::plan::secrets::Captures;
use crate::plan::step::{Capture, CaptureMode, Extract, Visibility};
use crate::template::Query;

use super::compilation::Compilation;
use super::{text, unit};

/// The deepest nesting of brackets in a JSONPath, whose parser tries several ways at each of them.
const DEEPEST_PATH: usize = 8;
/// The longest JSONPath, in bytes.
const LONGEST_PATH: usize = 4_096;
/// The most `..` in a JSONPath: each further one finds everything again for every level above it.
const MOST_DESCENDANTS: usize = 2;
/// The most ways that brackets with several choices, such as `[0,1]`, may multiply to.
const MOST_CHOSEN: usize = 100;
/// About how many bytes of memory the regular expressions of a scenario may take in all.
pub(super) const MOST_PATTERNS: usize = 64 << 20;
/// The size that is tried first, in bytes; each further one is four times as large.
const LEAST_PATTERN: usize = 8 << 10;
/// The size that is tried last, in bytes.
const MOST_PATTERN: usize = 10 << 20;

/// A JSONPath that cannot be compiled: what is wrong, and the byte it is wrong at.
#[derive(Debug)]
pub(super) struct BadPath {
    message: String,
    hint: &'static str,
    position: usize,
}

impl BadPath {
    /// The problem, at its place.
    pub fn at(&self, span: Span) -> Problem {
        Problem::at(span, self.message.clone()).hint(self.hint)
    }
}

/// Compiles a JSONPath.
pub(super) fn json_path(path: &str) -> Result<Query, BadPath> {
    let fail = |position: usize| BadPath {
        message: format!("`{path}` is not a JSONPath"),
        hint: "write a JSONPath (RFC 9535) such as `$.items[0].id`",
        position,
    };
    if !path.starts_with('$') {
        return Err(fail(0));
    }
    if path.len() > LONGEST_PATH {
        let message = format!("a JSONPath of {} bytes; at most {LONGEST_PATH}", path.len());
        let hint = "a path names one place: capture a list, and choose from it in a template";
        return Err(BadPath { message, hint, position: 0 });
    }
    if let Some(position) = too_deep(path) {
        let message = format!("a JSONPath whose brackets are nested deeper than {DEEPEST_PATH} levels");
        let hint =
            "leave out parentheses that are not needed, or capture a list and choose from it in a template";
        return Err(BadPath { message, hint, position });
    }
    if let Some(position) = too_wide(path) {
        let message = format!(
            "a JSONPath with more than {MOST_DESCENDANTS} `..`, or whose brackets choose more than {MOST_CHOSEN} ways"
        );
        let hint = "a path names one place: capture a list, and choose from it in a template";
        return Err(BadPath { message, hint, position });
    }
    Query::parse(path).map_err(|error| fail(error.position().saturating_sub(1)))
}

/// A regular expression that cannot be compiled.
#[derive(Debug)]
enum BadPattern {
    Wrong(String),
    TooBig,
}

impl BadPattern {
    fn at(self, span: Span) -> Problem {
        match self {
            Self::Wrong(message) => Problem::at(span, message),
            Self::TooBig => Problem::at(
                span,
                format!(
                    "this regular expression takes too much memory: one may take {} MiB, all of a scenario {} MiB",
                    MOST_PATTERN >> 20,
                    MOST_PATTERNS >> 20
                ),
            )
            .hint("make repetitions such as `{1000}` smaller, or write `*` or `+`; `(?-u)` makes classes such as `\\w` smaller"),
        }
    }
}

/// The byte at which the brackets of a path are nested too deep.
fn too_deep(path: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, byte) in path.bytes().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (_, Some(open)) => quote = Some(open).filter(|_| byte != open),
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'(' | b'[', None) => depth += 1,
            (b')' | b']', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_PATH {
            return Some(at);
        }
    }
    None
}

/// The byte at which a path begins to find too much: what it finds multiplies with every `..` and with every bracket
/// that has several choices.
fn too_wide(path: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    let (mut descendants, mut product, mut open) = (0, 1_usize, Vec::new());
    for (at, byte) in path.bytes().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (_, Some(begun)) => quote = Some(begun).filter(|_| byte != begun),
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'(' | b'[', None) => open.push((byte, 1_usize)),
            (b')' | b']', None) => {
                if let Some((b'[', choices)) = open.pop() {
                    product = product.saturating_mul(choices);
                }
            }
            (b',', None) => open.iter_mut().next_back().into_iter().for_each(|(_, choices)| *choices += 1),
            (b'.', None) => descendants += usize::from(path.as_bytes().get(at + 1) == Some(&b'.')),
            _ => {}
        }
        if descendants > MOST_DESCENDANTS || product > MOST_CHOSEN {
            return Some(at);
        }
    }
    None
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
            self.secret_captures = Captures::Some;
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

    /// Compiles a regular expression. Nobody says how much memory one takes, so it is tried with little at first;
    /// what it was made with is taken from what all may take.
    fn regex(&mut self, text: &str) -> Result<Regex, BadPattern> {
        let mut limit = LEAST_PATTERN;
        loop {
            match RegexBuilder::new(text).size_limit(limit).build() {
                Ok(compiled) => {
                    self.pattern_memory = self.pattern_memory.saturating_sub(limit);
                    return Ok(compiled);
                }
                Err(regex::Error::CompiledTooBig(_)) => {
                    let next = (limit * 4).min(MOST_PATTERN);
                    if limit == MOST_PATTERN || next > self.pattern_memory {
                        return Err(BadPattern::TooBig);
                    }
                    limit = next;
                }
                Err(error) => {
                    let told = error.to_string();
                    let reason = told.lines().last().unwrap_or("").trim_start_matches("error: ");
                    return Err(BadPattern::Wrong(format!("`{text}` is not a regular expression: {reason}")));
                }
            }
        }
    }

    fn pattern(&mut self, node: &Node, pattern: &Node) -> Option<Extract> {
        let text = pattern.scalar()?;
        let compiled = self.regex(text).map_err(|problem| problem.at(pattern.span));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_only_so_much() {
        for path in
            ["$..*..*..*", "$[0,0][0,0][0,0][0,0][0,0][0,0][0,0]", "$..a[?@..b > 1]..c", "$[?@.a[0,1] == 1]"]
        {
            let wide = json_path(path).is_err_and(|error| error.message.contains("more than 2 `..`"));
            assert_eq!(wide, path != "$[?@.a[0,1] == 1]", "{path}");
        }
        for path in
            ["$..a..b", "$['a','b'][0,1,2]", "$['..,..,..']['...']", "$..a[?count(@.b, 1) > 1]", "$[1:2,3]"]
        {
            let wide = json_path(path).is_err_and(|error| error.message.contains("more than 2 `..`"));
            assert!(!wide, "{path}");
        }
    }
}
