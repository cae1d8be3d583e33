//! Texts that are code: templates, expressions, paths and patterns, compiled, with mistakes at their place.

use std::ops::Range;

use crate::config::node::{Node, Span};
use crate::config::problem::{Problem, suggestion};
use crate::config::source::Sources;
use crate::template::{Expression, Remedy, Template, TemplateError, condition};

/// Compiles a scalar as a template.
pub(super) fn template(sources: &Sources, node: &Node) -> Option<Result<Template, Problem>> {
    node.scalar().map(|text| Template::compile(text).map_err(|error| problem(sources, node, &error)))
}

/// Compiles a scalar as an expression. That there is none is left to the check of shapes.
pub(super) fn expression(sources: &Sources, node: &Node) -> Option<Result<Expression, Problem>> {
    node.scalar()
        .filter(|text| !text.trim().is_empty())
        .map(|text| condition(text).map_err(|error| problem(sources, node, &error)))
}

/// The place of some bytes of a scalar's text: exact where the scalar was written on one line without
/// escapes, else the whole scalar.
pub(super) fn place(sources: &Sources, node: &Node, range: &Range<usize>) -> Span {
    let exact = offset(sources, node).map(|offset| {
        let at = |position: usize| u32::try_from(position).map_or(u32::MAX, |bytes| offset + bytes);
        Span { source: node.span.source, start: at(range.start), end: at(range.end).max(at(range.start)) }
    });
    exact.filter(|span| span.end <= node.span.end).unwrap_or(node.span)
}

/// The place of a word in a scalar's text.
pub(super) fn place_of_word(sources: &Sources, node: &Node, word: &str) -> Span {
    let text = node.scalar().unwrap_or("");
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let whole =
        |start: &usize| !text[..*start].ends_with(inside) && !text[start + word.len()..].starts_with(inside);
    let code = text.find("{{").filter(|_| text.contains("}}")).unwrap_or(0);
    let mut found = text.match_indices(word).map(|(start, _)| start).filter(|start| *start >= code);
    match found.find(whole) {
        Some(start) => place(sources, node, &(start..start + word.len())),
        None => node.span,
    }
}

fn problem(sources: &Sources, node: &Node, error: &TemplateError) -> Problem {
    let problem = Problem::at(place(sources, node, &error.range), error.message.clone());
    match &error.remedy {
        Some(Remedy::Known { typed, names }) => problem.hint(suggestion(typed, names.iter().copied())),
        Some(Remedy::Words(words)) => problem.hint(words.clone()),
        None => problem,
    }
}

/// The byte of the source at which a scalar's text begins, where the source has the text as it is.
fn offset(sources: &Sources, node: &Node) -> Option<u32> {
    let text = node.scalar()?;
    let source = &sources.of(node.span)?.text;
    let written = source.get(node.span.start as usize..node.span.end as usize)?;
    if written == text {
        return Some(node.span.start);
    }
    let unquoted = written.strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?;
    (unquoted == text).then_some(node.span.start + 1)
}
