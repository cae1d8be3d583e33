//! Checks a tree against the table of the language and collects every problem. It judges the form of
//! values and keys, never whether names refer to something.

mod json;
mod meant;
mod scalar;

use std::collections::HashSet;

pub use json::json_schema;

use super::node::{Key, Node, Span, Value};
use super::problem::{Problem, suggestion};
use super::schema::{self, Choice, Kind, Need, OVERRIDES, ROOT, Rule, Shape};
use crate::metric::Metric;

/// Everything wrong with the form of a whole configuration.
pub fn check(root: &Node) -> Vec<Problem> {
    run(&ROOT, root, Extent::Whole)
}

/// Everything wrong with the form of the layer of flags and environment variables; it may hold pieces
/// of what only the layers below make whole.
pub fn check_overrides(overrides: &Node) -> Vec<Problem> {
    run(&OVERRIDES, overrides, Extent::Piece)
}

/// Whether what is absent is a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Piece,
}

fn run(shape: &'static Shape, node: &Node, extent: Extent) -> Vec<Problem> {
    let mut check = Check { extent, problems: Vec::new(), told: HashSet::new() };
    check.mapping(node, Keys::Known(shape));
    check.problems
}

struct Check {
    extent: Extent,
    problems: Vec<Problem>,
    told: HashSet<Problem>,
}

/// What the keys of a mapping may be.
#[derive(Clone, Copy)]
enum Keys {
    Known(&'static Shape),
    Chosen(&'static Choice),
    Free(&'static Kind),
    Names(&'static Kind),
    Metrics(&'static Kind),
}

impl Check {
    /// The content of an alias is met more than once, its problems are told once.
    fn push(&mut self, problem: Problem) {
        if self.told.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }

    fn value(&mut self, kind: &'static Kind, node: &Node) {
        if node.value == Value::Null {
            return;
        }
        match kind {
            Kind::Any => {}
            Kind::Object(shape) => self.mapping(node, Keys::Known(shape)),
            Kind::Choice(choice) => self.mapping(node, Keys::Chosen(choice)),
            Kind::Map(kind) => self.mapping(node, Keys::Free(kind)),
            Kind::Named(kind) => self.mapping(node, Keys::Names(kind)),
            Kind::PerMetric(kind) => self.mapping(node, Keys::Metrics(kind)),
            Kind::List(kind) => self.list(kind, node),
            Kind::Either(kinds) => self.either(kinds, node),
            _ => {
                if let Err(problem) = scalar::check(kind, node) {
                    self.push(problem);
                }
            }
        }
    }

    fn mapping(&mut self, node: &Node, keys: Keys) {
        let Value::Map(entries) = &node.value else {
            return self.push(expected("a mapping", node));
        };
        match keys {
            Keys::Known(shape) => self.object(shape, node),
            Keys::Chosen(choice) => self.choice(choice, node),
            Keys::Free(kind) => entries.iter().for_each(|(_, node)| self.value(kind, node)),
            Keys::Names(kind) => {
                for (key, node) in entries {
                    self.name(key);
                    self.value(kind, node);
                }
            }
            Keys::Metrics(kind) => {
                for (key, node) in entries {
                    if let Err(problem) = scalar::metric(&key.name, key.span) {
                        self.push(problem);
                    }
                    self.value(kind, node);
                }
            }
        }
    }

    fn list(&mut self, kind: &'static Kind, node: &Node) {
        let Value::List(items) = &node.value else {
            let problem = expected("a list", node);
            return self.push(match node.scalar() {
                Some(text) => problem.hint(format!("write `[{text}]`")),
                None => problem,
            });
        };
        for item in items {
            if item.value == Value::Null && !matches!(kind, Kind::Any) {
                self.push(expected(&scalar::describe(kind), item));
            }
            self.value(kind, item);
        }
    }

    /// The alternative of the value's own form is the one that was meant.
    fn either(&mut self, kinds: &'static [Kind], node: &Node) {
        let fitting: Vec<_> = kinds.iter().filter(|kind| same_form(kind, &node.value)).collect();
        match fitting[..] {
            [] => self.push(expected(&scalar::describe_any(kinds), node)),
            [kind] => self.value(kind, node),
            _ => {
                let wrong: Vec<_> =
                    fitting.iter().filter_map(|kind| scalar::check(kind, node).err()).collect();
                if wrong.len() == fitting.len() {
                    let hints: Vec<_> = wrong.iter().filter_map(|problem| problem.hint.as_deref()).collect();
                    let problem = expected(&scalar::describe_any(fitting), node);
                    self.push(if hints.is_empty() { problem } else { problem.hint(joined(&hints)) });
                }
            }
        }
    }

    fn object(&mut self, shape: &'static Shape, node: &Node) {
        for (key, value) in node.entries() {
            match shape.key(&key.name) {
                Some(known) => {
                    self.emptiness(known, (key, value));
                    self.value(&known.kind, value);
                }
                None => self.push(unknown_key(key, shape)),
            }
        }
        if self.extent == Extent::Whole {
            for key in shape.all().filter(|key| key.need == Need::Required && node.get(key.name).is_none()) {
                let message = format!("`{}` is missing", key.name);
                self.push(Problem::at(head(node), message).hint(format!("`{}`: {}", key.name, key.doc)));
            }
        }
        for rule in shape.rules {
            self.rule(rule, shape, node);
        }
    }

    /// Tells what has no value, or an empty one, where that would look like something that is asked for.
    fn emptiness(&mut self, known: &schema::Key, (key, node): (&Key, &Node)) {
        let (Need::Valued(example) | Need::Filled(example)) = known.need else { return };
        let hint = format!("write such as `{example}`, or leave the key out");
        let is_left_empty = |key: &Key, node: &Node| node.value == Value::Null && !key.is_override;
        let is_empty = match &node.value {
            Value::Text(text) => text.is_empty(),
            // In place of another value, these take it away as null does.
            Value::List(items) => items.is_empty() && !key.is_override,
            Value::Map(entries) => entries.is_empty() && !key.is_override,
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        };
        if is_left_empty(key, node) {
            self.push(Problem::at(key.span, format!("`{}` has no value", key.name)).hint(hint));
        } else if is_empty && matches!(known.need, Need::Filled(_)) {
            self.push(Problem::at(node.span, format!("`{}` is empty", key.name)).hint(hint));
        } else if matches!(&known.kind, Kind::Map(kind) if !matches!(kind, Kind::Any)) {
            for (key, _) in node.entries().iter().filter(|(key, node)| is_left_empty(key, node)) {
                self.push(Problem::at(key.span, format!("`{}` has no value", key.name)).hint(hint.as_str()));
            }
        }
    }

    fn rule(&mut self, rule: &'static Rule, shape: &'static Shape, node: &Node) {
        let present = |names: &[&str]| -> Vec<Key> {
            let entries = node.entries().iter().filter(|(key, _)| names.contains(&key.name.as_str()));
            entries.filter(|(key, node)| is_there(shape, key, node)).map(|(key, _)| key.clone()).collect()
        };
        match rule {
            Rule::ExactlyOne(names) | Rule::AtMostOne(names) => match (&present(names)[..], rule) {
                ([], Rule::ExactlyOne(names)) if self.extent == Extent::Whole => {
                    let message = format!("one of {} is missing", ticked(names));
                    self.push(Problem::at(head(node), message));
                }
                ([first, second, ..], _) => self.push(conflict(first, second, "keep one of them")),
                _ => {}
            },
            Rule::Excludes(one, others) => {
                if let ([one, ..], [other, ..]) = (&present(&[one])[..], &present(others)[..]) {
                    let hint = format!("move `{}` into `{}`", other.name, one.name);
                    self.push(conflict(one, other, &hint));
                }
            }
        }
    }

    fn choice(&mut self, choice: &'static Choice, node: &Node) {
        let actions = || choice.variants.iter().flat_map(|variant| variant.by.iter().copied());
        let found: Vec<_> =
            node.entries().iter().filter(|(key, _)| actions().any(|name| name == key.name)).collect();
        match found[..] {
            [] => self.push(no_action(choice, node)),
            [(key, value)] => {
                if value.value == Value::Null {
                    self.push(Problem::at(key.span, format!("`{}` needs a value", key.name)));
                }
                let by_key = choice.variants.iter().find(|variant| variant.by.contains(&key.name.as_str()));
                if let Some(variant) = by_key {
                    self.object(variant.shape, node);
                }
            }
            [(first, _), (second, _), ..] => {
                self.push(conflict(first, second, "make a step of each"));
            }
        }
    }

    /// Names of environments and scenarios become parts of file names.
    fn name(&mut self, key: &Key) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if key.name.is_empty() || key.name.starts_with('.') || !key.name.chars().all(plain) {
            let problem = Problem::at(key.span, format!("`{}` cannot be a name", key.name));
            self.push(problem.hint("use letters, digits, `_`, `-` and `.`"));
        }
    }
}

/// Whether a key has a value; where anything may stand, null is one.
fn is_there(shape: &Shape, key: &Key, node: &Node) -> bool {
    node.value != Value::Null || shape.key(&key.name).is_some_and(|key| matches!(key.kind, Kind::Any))
}

fn same_form(kind: &Kind, value: &Value) -> bool {
    let is_mapping = matches!(
        kind,
        Kind::Object(_) | Kind::Choice(_) | Kind::Map(_) | Kind::Named(_) | Kind::PerMetric(_)
    );
    match value {
        _ if matches!(kind, Kind::Any | Kind::Either(_)) => true,
        Value::Map(_) => is_mapping,
        Value::List(_) => matches!(kind, Kind::List(_)),
        _ => !is_mapping && !matches!(kind, Kind::List(_) | Kind::Nothing),
    }
}

/// The place of a mapping as a whole: its first key.
fn head(node: &Node) -> Span {
    node.entries().first().map_or(node.span, |(key, _)| key.span)
}

fn expected(what: &str, node: &Node) -> Problem {
    Problem::at(
        if node.scalar().is_some() { node.span } else { head(node) },
        format!("expected {what}, found {}", node.describe()),
    )
}

fn unknown_key(key: &Key, shape: &'static Shape) -> Problem {
    let what =
        if shape.all().any(|known| Metric::named(known.name).is_some()) { "key or metric" } else { "key" };
    let names = shape.all().map(|key| key.name);
    let hint = meant::key(&key.name, shape).unwrap_or_else(|| suggestion(&key.name, names));
    Problem::at(key.span, format!("unknown {what} `{}`", key.name)).hint(hint)
}

fn conflict(first: &Key, second: &Key, hint: &str) -> Problem {
    let message = format!("`{}` and `{}` exclude each other", first.name, second.name);
    Problem::at(second.span, message).hint(hint)
}

/// A step without an action: most often its key is misspelt.
fn no_action(choice: &'static Choice, node: &Node) -> Problem {
    let actions = choice.variants.iter().flat_map(|variant| variant.by.iter().copied());
    let known = |name: &str| choice.variants.iter().any(|variant| variant.shape.key(name).is_some());
    match node.entries().iter().find(|(key, _)| !known(&key.name)) {
        Some((key, _)) => Problem::at(key.span, format!("unknown action `{}`", key.name)).hint(
            meant::action(&key.name, actions.clone()).unwrap_or_else(|| suggestion(&key.name, actions)),
        ),
        None => Problem::at(head(node), "a step without an action")
            .hint(format!("one of: {}", actions.collect::<Vec<_>>().join(", "))),
    }
}

/// What would be valid of one kind or of another, as one sentence.
fn joined(hints: &[&str]) -> String {
    hints.join(", or ").replace(", or write ", ", or ")
}

fn ticked(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
