//! What other languages write in an expression, and what does the same in this one. Looked for only where an expression
//! cannot be read.

use std::ops::Range;

use super::TemplateError;

/// Operators of other languages, the longest of a kind first, and what does the same here.
const OPERATORS: [(&str, &str); 10] = [
    ("!==", "!="),
    ("===", "=="),
    ("=>", ">="),
    ("=<", "<="),
    ("<>", "!="),
    ("&&", "and"),
    ("||", "or"),
    ("&", "and"),
    ("!", "not"),
    ("=", "=="),
];
/// Those of this language that begin like one of them.
const KNOWN: [&str; 4] = ["==", "!=", "<=", ">="];
/// Words that are operators only in small letters.
const WORDS: [(&str, &str); 3] = [("AND", "and"), ("OR", "or"), ("NOT", "not")];

/// The error with what to write, where the source has something that other languages write; else the error as it is.
/// The source begins at byte `offset` of a larger one.
pub(super) fn explained((source, offset): (&str, usize), error: TemplateError) -> TemplateError {
    let Some(mut found) = find(source) else { return error };
    found.range = offset + found.range.start..offset + found.range.end;
    found
}

/// The first text in quotes of an expression that looks like a template, which none is there: `'{{ id }}'`.
pub(super) fn quoted_template(source: &str) -> Option<&str> {
    let mut open = None;
    let mut is_escaped = false;
    for (at, sign) in source.char_indices() {
        match open {
            _ if is_escaped => is_escaped = false,
            Some(_) if sign == '\\' => is_escaped = true,
            Some((start, quote)) if sign == quote => {
                let text = &source[start..=at];
                let is_template = text.find("{{").is_some_and(|begin| text[begin..].contains("}}"));
                if is_template {
                    return Some(text);
                }
                open = None;
            }
            None if matches!(sign, '"' | '\'') => open = Some((at, sign)),
            _ => {}
        }
    }
    None
}

/// The first thing in a source that other languages write.
fn find(source: &str) -> Option<TemplateError> {
    let (mut at, mut quote) = (0, None);
    // The last sign before a name that could be the name of an argument, as in `map(attribute='id')`.
    let mut behind = None;
    while let Some(next) = source.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &source[at..];
        let mut length = next.len_utf8();
        match (next, quote) {
            ('\\', Some(_)) => length += rest.chars().nth(1).map_or(0, char::len_utf8),
            (_, Some(open)) => quote = Some(open).filter(|_| next != open),
            ('"' | '\'', None) => quote = Some(next),
            _ if next.is_alphanumeric() || next == '_' => {
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let word = WORDS.iter().find(|(word, _)| *word == &rest[..length] && behind != Some('.'));
                if let Some((typed, meant)) = word {
                    return Some(operator(typed, meant, at));
                }
            }
            _ if next.is_whitespace() => {}
            _ if rest.starts_with("{{") || rest.starts_with("{%") => return Some(braces(source, at)),
            ('?', None) => return Some(choice(at)),
            _ => {
                if let Some(known) = KNOWN.iter().find(|known| rest.starts_with(*known) && !is_longer(rest)) {
                    length = known.len();
                } else if let Some((typed, meant)) =
                    OPERATORS.iter().find(|(typed, _)| rest.starts_with(typed))
                {
                    let names_argument = *typed == "=" && matches!(behind, Some('(' | ','));
                    if !names_argument {
                        return Some(operator(typed, meant, at));
                    }
                }
                behind = Some(next);
            }
        }
        at += length;
    }
    None
}

/// Whether an operator is one of three characters, which another language has.
fn is_longer(rest: &str) -> bool {
    rest.starts_with("===") || rest.starts_with("!==")
}

fn operator(typed: &str, meant: &str, at: usize) -> TemplateError {
    TemplateError::new(format!("unknown operator `{typed}`"), at..at + typed.len())
        .hint(format!("write `{meant}`"))
}

fn choice(at: usize) -> TemplateError {
    TemplateError::new("unknown operator `?`", at..at + 1).hint("write `x if y else z`")
}

/// What is said of braces: an expression as it is written without them, where they stand around all of it.
fn braces(source: &str, at: usize) -> TemplateError {
    let trimmed = source.trim();
    let inner = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let inner = inner.filter(|inner| !inner.contains("{{") && !inner.trim().is_empty());
    let hint = match inner {
        Some(inner) => format!("write `{}`", inner.trim()),
        None => "write it without braces, as in `a == 2`".to_owned(),
    };
    let place: Range<usize> = at..at + 2;
    TemplateError::new("an expression stands here as it is, without `{{ }}` and `{% %}`", place).hint(hint)
}

#[cfg(test)]
mod tests {
    use crate::template::{Remedy, Template, condition};

    fn told(source: &str) -> (String, String, String) {
        let error = condition(source).unwrap_err();
        let place = source.get(error.range).unwrap_or_default().to_owned();
        let Some(Remedy::Words(hint)) = error.remedy else { return (error.message, place, String::new()) };
        (error.message, place, hint)
    }

    #[test]
    fn operators_of_other_languages_are_answered_with_those_of_this_one() {
        for (source, typed, meant) in [
            ("a = 2", "=", "=="),
            ("a === 2", "===", "=="),
            ("a !== 2", "!==", "!="),
            ("a && b", "&&", "and"),
            ("a & b", "&", "and"),
            ("a || b", "||", "or"),
            ("!a", "!", "not"),
            ("a == '=' and !b", "!", "not"),
            ("a <> 2", "<>", "!="),
            ("a => 2", "=>", ">="),
            ("a AND b == 'x && y'", "AND", "and"),
            ("NOT a", "NOT", "not"),
            ("a | map(attribute='id') = 2", "=", "=="),
            ("list | select('eq', 1, x = 2) && a", "&&", "and"),
            ("('\\'' == a) || b", "||", "or"),
            ("é = 2", "=", "=="),
        ] {
            let wanted =
                (format!("unknown operator `{typed}`"), typed.to_owned(), format!("write `{meant}`"));
            assert_eq!(told(source), wanted, "{source}");
        }
        assert_eq!(told("a ? 1 : 2").2, "write `x if y else z`");
    }

    #[test]
    fn an_expression_in_braces_is_told_without_them() {
        let message = "an expression stands here as it is, without `{{ }}` and `{% %}`";
        for (source, hint) in [
            ("{{ a == 2 }}", "write `a == 2`"),
            (" {{a}}", "write `a`"),
            ("{{ a }} == {{ b }}", "write it without braces, as in `a == 2`"),
            ("'x' in {{ a }}", "write it without braces, as in `a == 2`"),
            ("{% if a %}", "write it without braces, as in `a == 2`"),
        ] {
            let (told, place, told_hint) = told(source);
            assert!(["{{", "{%"].contains(&place.as_str()), "{source}: {place}");
            assert_eq!((told.as_str(), told_hint.as_str()), (message, hint), "{source}");
        }
    }

    #[test]
    fn a_template_in_quotes_is_found() {
        for (source, found) in [
            ("a != '{{ id }}'", Some("'{{ id }}'")),
            ("'{' ~ \"x {{ id }}'\" == a", Some("\"x {{ id }}'\"")),
            ("'{{' in a or a == '}}'", None),
            ("{'a': {'b': 1}}.a.b == '\\'{{'", None),
        ] {
            assert_eq!(super::quoted_template(source), found, "{source}");
        }
    }

    #[test]
    fn another_mistake_is_told_as_it_is_and_a_template_says_where() {
        for source in ["a ==", "(a", "a b", "a | ", "a == 'x && y", "a.AND b", "map(attribute='x'"] {
            assert!(!told(source).0.contains("operator"), "{source}: {:?}", told(source));
        }
        for source in
            ["a | map(attribute='&&') | list", "a != '{{' and a == '!x' or 'AND'", "{'a': {'b': 1}}.a.b"]
        {
            assert!(condition(source).is_ok(), "{source}");
        }
        let error = Template::compile("/x/{{ a || 'b' }}").unwrap_err();
        assert_eq!((error.message.as_str(), error.range), ("unknown operator `||`", 8..10));
    }
}
