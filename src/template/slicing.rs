//! Slices of null. The language makes an empty list of them, so that `never[:1] == []` would hold before anything was
//! captured. So what is sliced is handed to a filter first, which refuses null as it is refused everywhere else.

use minijinja::machinery::ast::{BinOpKind, Expr, Slice, Spanned, Test};
use minijinja::machinery::parse_expr;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::tree;

/// The filter that refuses null. It cannot be typed.
const NOT_NULL: &str = "__sliced";
/// Why null is refused.
const REFUSED: &str = "what is sliced is null: nothing was captured yet";

/// Whether a filter is the one around what is sliced. Its value is what it is handed.
pub(super) fn is_check(name: &str) -> bool {
    name == NOT_NULL
}

/// Adds the filter that refuses null.
pub(super) fn register(language: &mut Environment<'static>) {
    language.add_filter(NOT_NULL, |value: Value| {
        // The kind says that there is nothing yet, as it is said of an attribute of null.
        if value.is_none() { Err(Error::new(ErrorKind::UndefinedError, REFUSED)) } else { Ok(value) }
    });
}

/// The source of an expression that refuses to slice null; none where nothing is sliced that could be null.
pub(super) fn checked(source: &str) -> Option<String> {
    let expression = parse_expr(source).ok()?;
    let mut places = Vec::new();
    within(source, &expression, &mut places);
    // In the order in which they were found: a bracket that opens stands in front of what it is around.
    places.sort_by_key(|(at, _)| *at);
    (!places.is_empty()).then(|| tree::inserted(source, &places))
}

fn within(source: &str, expression: &Expr, places: &mut Vec<(usize, &'static str)>) {
    if let Expr::Slice(slice) = expression
        && may_be_null(&slice.expr)
    {
        places.push((start(expression), "("));
        places.push((bracket(source, slice), "|__sliced)"));
    }
    let before = places.len();
    for part in tree::parts(expression) {
        within(source, part, places);
    }
    // `is in a[1:]` takes no argument that begins with a bracket, but one in brackets.
    if let Expr::Test(test) = expression
        && let [argument] = &test.args[..]
        && let Some(start) = bare_argument(source, test)
        && places[before..].iter().any(|(at, _)| *at == start)
    {
        places.push((start, "("));
        places.push((tree::end(tree::argument(argument)), ")"));
    }
}

/// Where the argument of a test begins that has no brackets around it.
fn bare_argument(source: &str, test: &Spanned<Test>) -> Option<usize> {
    let behind = source.get(test.span().start_offset as usize..)?.strip_prefix(test.name)?.trim_start();
    (!behind.starts_with('(')).then_some(source.len() - behind.len())
}

/// Whether the value of an expression may be null, as far as its kind tells.
fn may_be_null(expression: &Expr) -> bool {
    match expression {
        Expr::Const(constant) => constant.value.is_none(),
        Expr::BinOp(binary) => matches!(binary.op, BinOpKind::ScAnd | BinOpKind::ScOr),
        Expr::Var(_)
        | Expr::GetAttr(_)
        | Expr::GetItem(_)
        | Expr::Call(_)
        | Expr::Filter(_)
        | Expr::IfExpr(_) => true,
        Expr::Slice(_)
        | Expr::UnaryOp(_)
        | Expr::Compare(_)
        | Expr::Test(_)
        | Expr::List(_)
        | Expr::Tuple(_)
        | Expr::Map(_) => false,
    }
}

/// Where what stands in front of the brackets of an expression begins, with the brackets around it. The parser says of
/// the first of `.x`, `[x]` and `(x)` behind each other where that is, and of each other one where the one before it
/// begins.
fn start(expression: &Expr) -> usize {
    let begins = |expression: &Expr| expression.span().start_offset as usize;
    let inner = match expression {
        Expr::GetAttr(attribute) => &attribute.expr,
        Expr::GetItem(item) => &item.expr,
        Expr::Slice(slice) => &slice.expr,
        Expr::Call(call) => &call.expr,
        _ => return begins(expression),
    };
    let is_behind = matches!(inner, Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Slice(_) | Expr::Call(_));
    if is_behind && begins(inner) < begins(expression) { start(inner) } else { begins(expression) }
}

/// Where the bracket of a slice opens: only brackets that close, and spaces, stand between what is sliced and it.
fn bracket(source: &str, slice: &Spanned<Slice>) -> usize {
    let end = tree::end(&slice.expr);
    source[end..].find('[').map_or(end, |at| end + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Expression, Scope, Template};

    fn scope() -> Scope {
        let text = r#"{"nothing": null, "l": [1, null, [3]], "m": {"k": null}, "s": "abc", "yes": true, "no": false,
            "long": [0.1234567890123456789, null]}"#;
        Scope::with("x", text)
    }

    #[test]
    fn a_slice_of_null_is_refused_as_null_is() {
        let scope = scope();
        for source in [
            "x.nothing[1:]",
            "x['nothing'][:1]",
            "(x.nothing)[::-1]",
            "((x) . nothing) [ : ]",
            "x.l[1][:1]",
            "x.l[1:][0][1:]",
            "x.m.k[0:][1:]",
            "(x.l | last)[1:][0:] ~ (x.l[1])[:1]",
            "(x.nothing | default(5))[1:]",
            "(x.y | default(none))[1:]",
            "(x.nothing if x.yes else 1)[:1]",
            "(x.no or x.nothing)[:1]",
            "(x.yes and x.nothing)[:1]",
            "pick([x.nothing])[:1]",
            "dict(k=x.nothing).k[:1]",
            "none[1:]",
            "[x.nothing[1:]]",
            "{'k': x.nothing[1:]}",
            "x.s | replace('b', x.nothing[:1] | string)",
            "x.s[(x.nothing[1:] | length):]",
            "x.nothing[1:] | length",
            "x.nothing[1:] | default([])",
            "x.s is in x.nothing[1:]",
            "x.nothing[1:] is sequence",
            "x.long[1][1:] == [x.long[0] * 2]",
        ] {
            let wanted = format!("`{source}`: what is sliced is null: nothing was captured yet");
            let template = Template::compile(&format!("[{{{{ {source} }}}}]")).unwrap();
            assert_eq!(template.render(&scope).unwrap_err().to_string(), wanted);
            let source = format!("({source}) == []");
            let condition = Expression::compile(&source).unwrap();
            let message = condition.holds(&scope).unwrap_err().message;
            assert_eq!(message, REFUSED, "{source}");
            // What is null by now may be a list later.
            assert_eq!(condition.holds_by_now(&scope), Ok(false), "{source}");
        }
    }

    #[test]
    fn what_is_not_null_is_sliced_as_before() {
        let scope = scope();
        for source in [
            "x.l[:1] == [1]",
            "x.l[2:][0][:1] == [3]",
            "x.l[1:2] == [none]",
            "x.s[::-1] == 'cba' and -x.l[:1][0] == -1",
            "(x.s)[1:][1:] == 'c' and ((x.s | upper))[:1] == 'A' and 'é' 'ü'[1:] == 'ü'",
            "(x.nothing or x.s)[1:] == 'bc'",
            "(x.nothing | default([], true))[1:] == []",
            "(x.y | default([]))[1:] | length == 0",
            "[x.nothing][:1] == [none] and (x.nothing, 1)[1:] == (1,)",
            "(x.nothing[1:] if x.nothing is not none else [2]) == [2]",
            "x.nothing is none or x.nothing[:1] == [1]",
            "range(5)[1:2] | list == [1] and dict(k=x.s).k[1:] == 'bc'",
            "x.long[:1][0] == 0.12345678901234568 and x.long[:1][0] * 2 > 0.24",
            "x.l[:1] * 2 == [1, 1] and (x.l[:1] * 2)[1:] == [1] and 'c' is in x.s[2:]",
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds(&scope), Ok(true), "{source}");
        }
        let kept = Template::compile("{{ x.long[:1][0] }}").unwrap().render(&scope);
        assert_eq!(kept.as_deref(), Ok("0.1234567890123456789"));
        // What is not there is refused as before.
        for source in ["x.y[1:]", "y[1:]", "(x.l if x.no)[1:]", "x.l[9][1:]"] {
            let message = Expression::compile(source).unwrap().holds(&scope).unwrap_err().message;
            assert!(message.contains("undefined"), "{source}: {message}");
        }
    }

    #[test]
    fn only_what_is_sliced_is_put_into_brackets() {
        for (source, wanted) in [
            ("a[1]", None),
            ("[a][1:]", None),
            ("a[1:]", Some("(a|__sliced)[1:]")),
            (" a.b [c[1:]:] ", Some(" (a.b |__sliced)[(c|__sliced)[1:]:] ")),
            ("a[1:][2:]", Some("(a|__sliced)[1:][2:]")),
            ("a[1:][0][2:]", Some("((a|__sliced)[1:][0]|__sliced)[2:]")),
            ("- ( a.b )[1:].c", Some("- (( a.b )|__sliced)[1:].c")),
            ("x + (a)[0]['['](b)[1:]", Some("x + ((a)[0]['['](b)|__sliced)[1:]")),
            ("x is eq a[1:]|f", Some("x is eq ((a|__sliced)[1:])|f")),
            ("x is eq (a[1:])", Some("x is eq ((a|__sliced)[1:])")),
            ("x is eq [a[1:]]", Some("x is eq [(a|__sliced)[1:]]")),
            ("a[1:] is not in -b[1:][0]", Some("(a|__sliced)[1:] is not in -(b|__sliced)[1:][0]")),
            ("a not in (b if c else d)[1:]", Some("a not in ((b if c else d)|__sliced)[1:]")),
        ] {
            assert_eq!(checked(source).as_deref(), wanted, "{source}");
        }
    }

    #[test]
    fn the_longest_chains_of_slices_are_compiled() {
        let scope = scope();
        for (source, holds) in [
            (format!("x.s{} == 'abc'", "[0:]".repeat(95)), true),
            (format!("x.s{} == 'a'", "[0][:1]".repeat(63)), true),
            (format!("{}x.s{} == 'abc'", "(".repeat(49), ")[0:]".repeat(49)), true),
        ] {
            assert_eq!(
                Expression::compile(&source).map(|it| it.holds(&scope)).unwrap(),
                Ok(holds),
                "{source}"
            );
        }
    }
}
