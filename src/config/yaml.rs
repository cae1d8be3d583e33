//! Reads YAML into the spanned tree. It keeps the text of every scalar as typed, expands aliases and
//! merge keys within limits, and explains the traps of YAML. It knows no key of the configuration.

mod scalar;
mod trap;
mod tree;

use granit_parser::{Event, Parser, Span as Place, options};

use super::node::{Node, Span, Value};
use super::problem::Problem;
use crate::units::ByteSize;
use tree::Tree;

/// The most text that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// The most values a text may stand for once its aliases are expanded.
pub const MAX_NODES: usize = 20_000;
/// The deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 64;

/// Reads one document that must hold something.
pub fn parse(source: u32, text: &str) -> Result<Node, Vec<Problem>> {
    let (node, problems) = read(source, text);
    match node {
        Some(node) if problems.is_empty() => Ok(node),
        _ => Err(problems),
    }
}

/// Reads one document as far as it goes: the tree, where the text has one at all, and everything
/// wrong with the text. Without a tree there is always a problem.
pub fn read(source: u32, text: &str) -> (Option<Node>, Vec<Problem>) {
    let (node, mut problems) = document(source, text);
    let nothing = node.as_ref().is_none_or(|node| node.value == Value::Null);
    if nothing && problems.is_empty() {
        let start = Span { source, start: 0, end: 0 };
        problems.push(
            Problem::at(start, "there is nothing in this file")
                .hint("a configuration begins with `version: 1`, `environments:` and `scenarios:`"),
        );
    }
    (node.filter(|_| !nothing), problems)
}

/// Reads a value that stands inside another text, `offset` bytes from its start; nothing is null.
pub fn value(source: u32, text: &str, offset: usize) -> Result<Node, Vec<Problem>> {
    let (node, mut problems) = document(source, text);
    let by = u32::try_from(offset).unwrap_or(u32::MAX);
    if !problems.is_empty() {
        for span in problems.iter_mut().filter_map(|problem| problem.span.as_mut()) {
            shift(span, by);
        }
        return Err(problems);
    }
    let start = Span { source, start: 0, end: u32::try_from(text.len()).unwrap_or(u32::MAX) };
    let mut node = node.unwrap_or(Node { span: start, value: Value::Null });
    shift_all(&mut node, by);
    Ok(node)
}

/// A plain scalar: null, a boolean, a number or text.
pub fn plain(text: &str) -> Value {
    scalar::plain(text)
}

fn document(source: u32, text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > MAX_BYTES {
        let start = Span { source, start: 0, end: 0 };
        return (None, vec![Problem::at(start, format!("the text {}", too_large(text.len() as u64)))]);
    }
    let options = options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut tree = Tree::new(source, text);
    for event in Parser::new_from_str_with_options(text, options) {
        let flow = match event {
            Ok((event, place)) => step(&mut tree, event, place),
            Err(error) => {
                tree.problem(trap::explain(source, text, &error));
                return (None, tree.into_problems());
            }
        };
        if flow.is_break() {
            return (None, tree.into_problems());
        }
    }
    tree.finish()
}

fn step(tree: &mut Tree, event: Event, place: Place) -> std::ops::ControlFlow<()> {
    if event.tag().is_some() {
        tree.refuse_tag(place);
    }
    match event {
        Event::DocumentStart(..) => return tree.open_document(place),
        Event::Scalar(text, style, anchor, _) => return tree.scalar(&text, (style, anchor), place),
        Event::SequenceStart(style, anchor, _) => return tree.open_list(style, anchor, place),
        Event::MappingStart(style, anchor, _) => return tree.open_map(style, anchor, place),
        Event::SequenceEnd | Event::MappingEnd => return tree.close(place),
        Event::Alias(anchor) => return tree.alias(anchor, place),
        Event::UnresolvedAlias(name) => return tree.unknown_alias(&name, place),
        Event::Anchor(_, name) => tree.name_anchor(&name),
        _ => {}
    }
    std::ops::ControlFlow::Continue(())
}

/// What is wrong with a text of this many bytes.
pub(super) fn too_large(bytes: u64) -> String {
    format!("is {}; at most {}", ByteSize(bytes), ByteSize(MAX_BYTES as u64))
}

fn shift_all(node: &mut Node, by: u32) {
    shift(&mut node.span, by);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift_all(item, by)),
        Value::Map(entries) => {
            for (key, node) in entries {
                shift(&mut key.span, by);
                shift_all(node, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

fn shift(span: &mut Span, by: u32) {
    span.start = span.start.saturating_add(by);
    span.end = span.end.saturating_add(by);
}

#[cfg(test)]
mod tests;
