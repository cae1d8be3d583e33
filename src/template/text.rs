//! Null in texts. The language writes `None`, so that a header `{{ 'Bearer ' ~ token }}` would be sent before there is a
//! token. So what a template makes a text of is handed to a filter first, which refuses null as it is refused everywhere
//! else in a template. Conditions are left alone: to them null is a value.

use minijinja::machinery::ast::{BinOpKind, Expr};
use minijinja::machinery::parse_expr;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::tree::{self, argument};

/// The filter that refuses null. It cannot be typed.
const NOT_NULL: &str = "__text";
/// Why null is refused.
const REFUSED: &str = "what is made a text is null: nothing was captured yet";
/// The filters that make a text of whatever they are handed.
const WRITE: [&str; 11] =
    ["capitalize", "e", "escape", "indent", "lower", "replace", "safe", "string", "title", "trim", "upper"];

/// Whether a filter is the one behind what is made a text. Its value is what it is handed.
pub(super) fn is_check(name: &str) -> bool {
    name == NOT_NULL
}

/// Adds the filter that refuses null.
pub(super) fn register(language: &mut Environment<'static>) {
    language.add_filter(NOT_NULL, |value: Value| {
        if value.is_none() { Err(Error::new(ErrorKind::InvalidOperation, REFUSED)) } else { Ok(value) }
    });
}

/// The source of an expression that refuses to make a text of null; none where it makes no text of what could be null.
pub(super) fn checked(source: &str) -> Option<String> {
    let expression = parse_expr(source).ok()?;
    let mut marks = Vec::new();
    within(&expression, &mut marks);
    (!marks.is_empty()).then(|| tree::with_marks(source, marks))
}

fn within(expression: &Expr, marks: &mut Vec<(usize, &'static str)>) {
    match expression {
        Expr::BinOp(binary) if matches!(binary.op, BinOpKind::Concat) => {
            written(&binary.left, marks);
            written(&binary.right, marks);
        }
        Expr::Filter(filter) if WRITE.contains(&filter.name) => {
            let texts = if filter.name == "replace" { &filter.args[..] } else { &[] };
            filter.expr.iter().chain(texts.iter().map(argument)).for_each(|value| written(value, marks));
        }
        _ => {}
    }
    for part in tree::parts(expression) {
        within(part, marks);
    }
}

/// Marks whatever the value of an expression that becomes a text may come from, where that may be null.
fn written(expression: &Expr, marks: &mut Vec<(usize, &'static str)>) {
    match expression {
        Expr::Filter(filter) if WRITE.contains(&filter.name) => {}
        Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Call(_) | Expr::Filter(_) => {
            marks.push((tree::end(expression), "|__text"));
        }
        Expr::Const(constant) if constant.value.is_none() => marks.push((tree::end(expression), "|__text")),
        Expr::BinOp(binary) => match binary.op {
            // Null on the left is not the value.
            BinOpKind::ScOr => written(&binary.right, marks),
            BinOpKind::ScAnd => {
                written(&binary.left, marks);
                written(&binary.right, marks);
            }
            _ => {}
        },
        Expr::IfExpr(choice) => {
            written(&choice.true_expr, marks);
            choice.false_expr.iter().for_each(|other| written(other, marks));
        }
        Expr::Const(_)
        | Expr::Slice(_)
        | Expr::UnaryOp(_)
        | Expr::Compare(_)
        | Expr::Test(_)
        | Expr::List(_)
        | Expr::Tuple(_)
        | Expr::Map(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Expression, Scope, Template};

    fn scope() -> Scope {
        let text = r#"{"nothing": null, "s": "abc", "n": 2, "l": [null], "yes": true, "long": 0.1234567890123456789}"#;
        Scope::with("x", text)
    }

    #[test]
    fn a_template_makes_no_text_of_null() {
        let scope = scope();
        let filters = WRITE.iter().map(|name| match *name {
            "replace" => "x.nothing | replace('a', 'b')".to_owned(),
            name => format!("x.nothing | {name}"),
        });
        let others = [
            "'Bearer ' ~ x.nothing",
            "x.nothing ~ ''",
            "'a' ~ (x.nothing) ~ 'b'",
            "'a' ~ x.l[0]",
            "'a' ~ (x.l | first)",
            "'a' ~ x.l | first",
            "'a' ~ (x.s if x.n > 5 else x.nothing)",
            "'a' ~ (x.nothing and x.s)",
            "'a' ~ (x.nothing or none)",
            "'a' ~ pick(x.l)",
            "[x.nothing ~ 1]",
            "{'k': x.nothing | upper}",
            "(x.nothing | default('') or x.nothing) | lower",
            "'a' | replace('a', x.nothing)",
            "x.nothing | string | length",
            "x.long * 2 ~ x.nothing",
        ];
        for source in filters.chain(others.map(str::to_owned)) {
            let wanted = format!("`{source}`: {REFUSED}");
            let template = Template::compile(&format!("{{{{ {source} }}}}")).unwrap();
            assert_eq!(template.render(&scope).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn long_chains_of_texts_are_compiled_and_written() {
        let scope = scope();
        for (source, length) in [
            (format!("x.s{}", " | upper".repeat(190)), 3),
            (format!("x.s{}", " | default('', true)|string".repeat(60)), 3),
            (format!("x.s{}", " ~ x.s".repeat(95)), 288),
        ] {
            let template = Template::compile(&format!("{{{{ {source} }}}}")).unwrap();
            assert_eq!(template.render(&scope).map(|text| text.len()), Ok(length), "{source}");
        }
    }

    #[test]
    fn what_is_not_null_is_written_as_before() {
        let scope = scope();
        for (source, wanted) in [
            ("'a' ~ x.s ~ x.n", "aabc2"),
            ("(x.nothing or x.s) ~ '!'", "abc!"),
            ("x.nothing | default('-', true) ~ '!'", "-!"),
            ("(x.y | default(x.s)) ~ '!' if x.nothing is none else x.nothing ~ '?'", "abc!"),
            ("x.l | tojson ~ x.s | upper", "[null]ABC"),
            ("x.long ~ ' ' ~ x.long * 2", "0.1234567890123456789 0.24691357802469135"),
            ("x.long | string", "0.1234567890123456789"),
            ("x.n * 2 ~ 'a' * x.n", "4aa"),
            ("-x.n ~ x.s[1:]", "-2bc"),
            ("x.s | replace('b', x.n) | title | trim", "A2c"),
        ] {
            let found = Template::compile(&format!("{{{{ {source} }}}}")).unwrap().render(&scope);
            assert_eq!(found.as_deref(), Ok(wanted), "{source}");
        }
        for source in ["x.nothing | lower != 'done'", "'a' ~ x.nothing != 'ab'", "x.nothing | string != 'x'"]
        {
            assert_eq!(Expression::compile(source).unwrap().holds(&scope), Ok(true), "{source}");
        }
        let message = Template::compile("{{ 'a' ~ x.y }}").unwrap().render(&scope).unwrap_err().message;
        assert!(message.contains("undefined"), "{message}");
    }
}
