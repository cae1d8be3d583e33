//! The traps of YAML: what the parser stumbles over, said in words that help.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::MAX_DEPTH;
use crate::config::node::Span;
use crate::config::problem::Problem;

/// The parser's error as a problem, with a hint where the trap is a known one.
pub(super) fn explain(source: u32, text: &str, error: &ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    if let Some(tab) = tab_indent(text, at, error.kind()) {
        let problem = Problem::at(span(source, text, tab..tab + 1), "a tab in the indentation");
        return problem.hint("indent with spaces");
    }
    if let Some(template) = unquoted_template(text, line_around(text, at)) {
        return template_problem(source, text, template);
    }
    let is_flow = matches!(
        error.kind(),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator
    );
    if let Some(brace) = is_flow.then(|| brace_in_word(text, at)).flatten() {
        let place = span(source, text, brace..brace + 1);
        return Problem::at(place, "a brace inside a key or text that is not quoted")
            .hint("inside `{ … }` quote the key: \"GET /x/{id}\"");
    }
    let problem = Problem::at(span(source, text, at..at), message(error));
    match hint(error.kind()) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// The problem of a mapping in the place of a key, where it is a template without quotes.
pub(super) fn unquoted(text: &str, place: Span) -> Option<Problem> {
    let template = template_at(text, (place.start as usize).checked_sub(1)?)?;
    Some(template_problem(place.source, text, template))
}

/// A span of ours; offsets inside of a character move outwards.
pub(super) fn span(source: u32, text: &str, range: Range<usize>) -> Span {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.clamp(start, text.len()));
    Span { source, start: start as u32, end: end as u32 }
}

fn template_problem(source: u32, text: &str, template: Range<usize>) -> Problem {
    let typed = &text[template.clone()];
    let before = text[..template.start].chars().next_back();
    let alone = before.is_none_or(|c| c.is_whitespace() || "[{,".contains(c))
        && matches!(
            text[template.end..].trim_start_matches(' ').chars().next(),
            None | Some('\n' | '\r' | ',' | ']' | '}' | '#')
        );
    let hint = if alone {
        format!("quote the template: \"{}\"", typed.replace('"', "'"))
    } else {
        "quote the whole text: \"… {{ … }} …\"".to_owned()
    };
    Problem::at(span(source, text, template), format!("`{typed}` without quotes is a mapping to YAML"))
        .hint(hint)
}

/// The template that starts at `start`: up to `}}` on the same line, or to its end.
fn template_at(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..).filter(|rest| rest.starts_with("{{"))?;
    let line = rest.lines().next().unwrap_or(rest);
    let length = line.find("}}").map_or(line.trim_end().len(), |end| end + 2);
    Some(start..start + length)
}

/// The first `{{` of a line that stands outside of quotes and comments.
fn unquoted_template(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let mut quote = None;
    let mut previous = ' ';
    for (at, c) in text[line.clone()].char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c && previous != '\\' => quote = None,
            (None, '"' | '\'') if !previous.is_alphanumeric() => quote = Some(c),
            (None, '#') if previous.is_whitespace() => return None,
            (None, '{') if text[line.start + at..].starts_with("{{") => {
                return template_at(text, line.start + at);
            }
            _ => {}
        }
        previous = c;
    }
    None
}

/// The brace that ended a plain text inside a flow mapping: the one at or just after `at`.
fn brace_in_word(text: &str, at: usize) -> Option<usize> {
    let brace = text[at..].starts_with(['{', '}']).then_some(at)?;
    let before = text[..brace].chars().next_back()?;
    (!before.is_whitespace() && !"{[,:".contains(before)).then_some(brace)
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end
}

/// The tab in the indentation of the line of the error or, for an error about a tab, of the next one.
fn tab_indent(text: &str, at: usize, kind: &ErrorKind) -> Option<usize> {
    let about_tabs = matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabAtBlockScalarStart
    );
    let here = line_around(text, at);
    let next = line_around(text, (here.end + 1).min(text.len()));
    let lines = if about_tabs { vec![here, next] } else { vec![here] };
    lines.into_iter().find_map(|line| {
        let indent = text[line.clone()].len() - text[line.clone()].trim_start().len();
        text[line.start..line.start + indent].find('\t').map(|tab| line.start + tab)
    })
}

fn message(error: &ScanError) -> String {
    match error.kind() {
        ErrorKind::MappingValueNotAllowed => "a `: ` where no key can be".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "a quote that is never closed".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("a `{open}` that is never closed"),
        ErrorKind::UnexpectedCharacter { character } => format!("a text cannot start with `{character}`"),
        ErrorKind::RecursionLimitExceeded => format!("nested deeper than {MAX_DEPTH} levels"),
        ErrorKind::ExpectedBlockMappingKey => "expected a key here".to_owned(),
        ErrorKind::ExpectedBlockSequenceEntry => "expected `- ` here".to_owned(),
        ErrorKind::InvalidColonPlacement => "a `:` that belongs to no key".to_owned(),
        _ => error.info(),
    }
}

fn hint(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::MappingValueNotAllowed => {
            Some("quote a text that holds `: `; check the indentation of this line and the one before")
        }
        ErrorKind::UnexpectedCharacter { .. } => Some("quote the text"),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry => {
            Some("check the indentation of this line and the one before")
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            Some("separate entries with commas, quote a text that holds brackets or braces")
        }
        ErrorKind::InvalidColonPlacement | ErrorKind::UnclosedFlowCollection { .. } => {
            Some("close the bracket or brace that was opened before")
        }
        ErrorKind::UnclosedQuotedScalar => Some("close it on the same line"),
        _ => None,
    }
}
