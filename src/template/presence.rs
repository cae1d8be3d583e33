//! What a condition hands on without looking at it. The language puts a value that is not there into a list like any
//! other, and some filters make text of it, so that `[x.state] != ['done']` would hold before there is a state. In a
//! condition such a value is marked, and is an error there as it is to every operator.

use minijinja::machinery::ast::Expr;
use minijinja::machinery::parse_expr;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::tree;

/// The filter behind what is marked. It is none of those that can be typed.
pub(super) const MARK: &str = "__there";
/// The filters that accept what is not there, and do not ask for it.
const ACCEPT: [&str; 7] = ["chain", "e", "escape", "indent", "pprint", "tojson", "zip"];

/// Adds the filter that refuses what is not there.
pub(super) fn register(language: &mut Environment<'static>) {
    language.add_filter(MARK, |value: Value| {
        if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
    });
}

/// The source of a condition with every name and attribute marked that would be handed on although it is not there;
/// none where there is nothing to mark.
pub(super) fn marked(source: &str) -> Option<String> {
    let expression = parse_expr(source).ok()?;
    let mut marks = Marks { source, ends: Vec::new() };
    marks.within(&expression);
    (!marks.ends.is_empty()).then(|| tree::with_filter(source, marks.ends, MARK))
}

/// The places behind what is handed on.
struct Marks<'s> {
    source: &'s str,
    ends: Vec<usize>,
}

impl Marks<'_> {
    fn within(&mut self, expression: &Expr) {
        let hands_on = match expression {
            Expr::Filter(filter) => ACCEPT.contains(&filter.name),
            Expr::Call(call) => matches!(&call.expr, Expr::Var(name) if name.id == "dict"),
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => true,
            _ => false,
        };
        for part in tree::parts(expression) {
            if hands_on { self.handed(part) } else { self.within(part) }
        }
    }

    /// A value that goes into a list, a mapping or a filter as it is. Whatever is calculated has been looked at.
    fn handed(&mut self, expression: &Expr) {
        self.within(expression);
        if tree::path(self.source, expression).is_some() {
            self.ends.push(tree::end(expression));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_handed_on_is_marked() {
        for (source, wanted) in [
            ("a == 'x'", None),
            ("a | default('x') == 'x'", None),
            ("[a.b] != [1]", Some("[a.b|__there] != [1]")),
            ("(a, b[0]) != (1, 2)", Some("(a|__there, b[0]|__there) != (1, 2)")),
            ("{'k': a['b'], c: 1}", Some("{'k': a['b']|__there, c|__there: 1}")),
            ("dict(a=x.y).a", Some("dict(a=x.y|__there).a")),
            ("x.y | tojson != '1'", Some("x.y|__there | tojson != '1'")),
            ("[a is defined, a | default(1), a + 1]", None),
            ("[[a]] | length", Some("[[a|__there]] | length")),
            ("[(a), ( a ).b]", Some("[(a|__there), ( a ).b]")),
        ] {
            assert_eq!(marked(source).as_deref(), wanted, "{source}");
        }
    }
}
