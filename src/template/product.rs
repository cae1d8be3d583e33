//! Lists that are repeated by values of the run. The language makes nothing of a repeated list until somebody looks at its
//! items, and not everything that does counts its steps: comparisons, for one. So behind each product stands a filter
//! that counts the items of its value, and refuses too many before anybody else looks at them. What a product is made
//! of, and whether it is calculated at all, only the run knows.

use minijinja::machinery::ast::{BinOpKind, Expr};
use minijinja::machinery::parse_expr;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::repetition::{MOST_REPEATED, count};
use super::tree;

/// The filter that refuses what has too many items. It cannot be typed.
const SMALL: &str = "__small";
/// What the language says of a list that it does not even begin to repeat.
pub(super) const REFUSED: &str = "repeated sequence is too large";

/// Whether a filter is the one behind products.
pub(super) fn is_bound(name: &str) -> bool {
    name == SMALL
}

/// Adds the filter that refuses what has too many items.
pub(super) fn register(language: &mut Environment<'static>) {
    language.add_filter(SMALL, |value: Value| {
        let few = count(&value, MOST_REPEATED + 1) <= MOST_REPEATED;
        if few { Ok(value) } else { Err(Error::new(ErrorKind::InvalidOperation, too_many())) }
    });
}

/// Why a product is refused.
pub(super) fn too_many() -> String {
    format!("a list is repeated to more than {MOST_REPEATED} items, which is the most in one expression")
}

/// The source of an expression with the items of its products counted; none where it has none. A product within a
/// product is a part of it, and what is constant has been counted before.
pub(super) fn bounded(source: &str) -> Option<String> {
    let expression = parse_expr(source).ok()?;
    let mut marks = Vec::new();
    within(&expression, Place::Alone, &mut marks);
    (!marks.is_empty()).then(|| tree::with_marks(source, marks))
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is a factor of a product.
    Factor,
    /// It is none.
    Alone,
}

fn within(expression: &Expr, place: Place, marks: &mut Vec<(usize, &'static str)>) {
    let product = match expression {
        Expr::BinOp(binary) if matches!(binary.op, BinOpKind::Mul) => Some(binary.span()),
        _ => None,
    };
    let inner = if product.is_some() { Place::Factor } else { Place::Alone };
    for part in tree::parts(expression) {
        within(part, inner, marks);
    }
    if let Some(span) = product.filter(|_| place == Place::Alone && expression.as_const().is_none()) {
        marks.push((span.start_offset as usize, "("));
        marks.push((span.end_offset as usize, ")|__small"));
    }
}

#[cfg(test)]
mod tests {
    use crate::template::{Expression, Scope};

    #[test]
    fn a_text_is_repeated_as_often_as_without_anybody_counting() {
        let scope = Scope::with("x", &format!(r#"{{"n": 6000000, "text": "{}"}}"#, "x".repeat(6_000_000)));
        for source in ["'x' * x.n == x.text", "'x' * 6000000 != ''", "x.text != '' and x.text is string"] {
            assert_eq!(Expression::compile(source).unwrap().holds(&scope), Ok(true), "{source}");
        }
        let error = Expression::compile("'x' * (x.n * 10) != ''").unwrap().holds(&scope).unwrap_err();
        assert!(error.message.contains("too much text"), "{}", error.message);
    }

    #[test]
    fn a_list_is_repeated_by_values_only_so_often() {
        let text = r#"{"l": [1, [2]], "n": 100000000, "m": 3000, "few": 3, "price": 2.5, "s": "ab", "long": 1.23456789012345678901, "none": null, "zero": 0, "minus": -4}"#;
        let scope = Scope::with("x", text);
        for source in [
            "x.l * x.m * x.m == x.l * x.m * x.m",
            "x.l * x.n == x.l",
            "(x.l * (x.m * x.m)) | tojson",
            "(x.m * x.l * x.m) | string",
            "([x.l * x.m] * x.m) | pprint",
            "([[x.few] * x.m] * x.m) is eq x.l",
            "([0] * x.n) | length",
            "5 in x.l * x['n']",
            "dict(a=x.l * x.m * x.m) == x.l",
            "pick(x.l * x.m * x.m)",
            "((x.l | list) * x.n) == x.l",
            "x.l * (x.n | int) == x.l",
            "x.l * (x.n if x.few else 1) != x.l",
            "(x.none or x.l) * x.n != x.l",
            "(x.l if x.few else x.s) * (x.n - 1) != x.l",
            "([x.few] + x.l) * x.n == x.l",
            "x.l[:1] * x.n == x.l",
            "((x.l | reverse | list) * x.few * x.m * x.m) != []",
            "(x.l | map('string') | list) * (x.s | length * x.n) != []",
            "-x.minus * x.l * x.n != x.l",
            "x.l * rand_int(100000, 100001) == []",
            "[x.l * x.m, x.l * x.n] | length == 2",
            "false == (x.l * x.n == 1)",
            "(x.l * x.n) is defined",
            "not x.l * x.n",
            "{'a': (x.l | list) * x.n}.a",
            "(x.l | list) * x.n if x.few else 1",
        ] {
            let message = Expression::compile(source).unwrap().holds(&scope).expect_err(source).message;
            assert!(
                message.starts_with("a list is repeated to more than 100000 items"),
                "{source}: {message}"
            );
        }
        for (source, wanted) in [
            ("(x.l * x.few) | length == 6", true),
            ("x.few * x.l == x.l * x.few", true),
            ("x.n * x.n == 10000000000000000", true),
            ("x.price * x.n == 250000000", true),
            ("x.s * x.few == 'ababab'", true),
            ("x.l * x.zero == [] and x.l * x.minus == []", true),
            ("([{'id': x.few}] * rand_int(3, 3)) | length == x.few", true),
            ("x.zero > 1 and x.n * 2 > 1", false),
            ("x.zero > 1 and x.l * x.n == 1", false),
            ("x.few == 3 or x.l * x.n == 1", true),
            ("(x.l * x.n if x.zero else x.l) == x.l", true),
            ("(x.l if x.few else x.l * x.n) == x.l", true),
            ("((x.l | list) * x.few) | length == 6", true),
            ("x.few * x.m + 1 == 9001 and -x.few * 2 == -6", true),
            ("2 ** x.few * 3 == 24 and x.m // 2 * 2 == 3000", true),
            ("(x.few * 2) * (x.m * 2) == 36000", true),
            ("(x.l * 2) + (x.l * 3) == x.l * 5", true),
            ("[x.few * 2, x.m * 2] == [6, 6000]", true),
            ("x.few * 2 is even and x.few * (2 if x.zero else 3) == 9", true),
            ("'=' * x.few ~ 'a' * 2 == '===aa'", true),
            ("x.long * 2 > 2.4 and x.long * x.few < 3.8", true),
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds(&scope), Ok(wanted), "{source}");
        }
    }
}
