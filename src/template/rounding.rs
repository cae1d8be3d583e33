//! Which values of an expression are rounded to numbers of the language: those that it calculates with, compares or
//! hands to a filter that does. What is only chosen or handed on keeps its digits.

use minijinja::Environment;
use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};
use minijinja::machinery::parse_expr;

use super::tree::{self, argument, parts};
use super::{number, presence, slicing, syntax, text};

/// The filter that rounds. It is none of those that can be typed.
pub(super) const ROUND: &str = "__rounded";
/// The filters whose result is, or consists of, what they are handed.
const CHOOSE: [&str; 7] = ["attr", "d", "default", "first", "last", "list", "reverse"];

/// Adds the filter that rounds.
pub(super) fn register(language: &mut Environment<'static>) {
    language.add_filter(ROUND, number::rounded);
}

/// The source of an expression in which everything is rounded that it calculates with; none where that cannot be
/// written, so that all that it reads has to be rounded.
pub(super) fn rounded(source: &str) -> Option<String> {
    let mut rounding = Rounding { source, ends: Vec::new() };
    rounding.within(&parse_expr(source).ok()?)?;
    rounding.ends.sort_unstable();
    rounding.ends.dedup();
    let marks = rounding.ends.len();
    let out = tree::with_marks(source, rounding.ends.into_iter().map(|end| (end, "|__rounded")).collect());
    // A filter binds less than a sign, and than what some tests are handed: then it stands in another place.
    (count(&parse_expr(&out).ok()?) == Some(marks)).then_some(out)
}

/// The places behind what is rounded.
struct Rounding<'s> {
    source: &'s str,
    ends: Vec<usize>,
}

impl Rounding<'_> {
    /// Rounds what an expression calculates with; its own value stays as it is. None where that cannot be written.
    fn within(&mut self, expression: &Expr) -> Option<()> {
        match expression {
            Expr::BinOp(binary) if calculates(binary.op) => {
                self.round(&binary.left)?;
                self.round(&binary.right)
            }
            Expr::UnaryOp(unary) if matches!(unary.op, UnaryOpKind::Neg) => self.round(&unary.expr),
            Expr::Compare(compare) => {
                self.round(&compare.expr)?;
                compare.ops.iter().try_for_each(|operation| self.round(&operation.expr))
            }
            Expr::Filter(filter) if syntax::filter_calculates(filter.name) => {
                let mut values = filter.expr.iter().chain(filter.args.iter().map(argument));
                values.try_for_each(|value| self.round(value))
            }
            Expr::Test(test) if syntax::test_calculates(test.name) => {
                self.round(&test.expr)?;
                test.args.iter().map(argument).try_for_each(|value| self.round(value))
            }
            _ => parts(expression).into_iter().try_for_each(|part| self.within(part)),
        }
    }

    /// Rounds the value of an expression.
    fn round(&mut self, expression: &Expr) -> Option<()> {
        if expression.as_const().is_some() {
            return Some(());
        }
        match expression {
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => {
                self.within(expression)?;
                tree::path(self.source, expression)?;
                self.ends.push(tree::end(expression));
                Some(())
            }
            Expr::Filter(filter) if presence::is_mark(filter.name) => {
                filter.expr.iter().try_for_each(|value| self.within(value))?;
                self.ends.push(tree::end(expression));
                Some(())
            }
            Expr::Filter(filter) if hands_on(filter.name) => {
                let mut values = filter.expr.iter().chain(filter.args.iter().map(argument));
                values.try_for_each(|value| self.round(value))
            }
            Expr::Slice(slice) => {
                self.round(&slice.expr)?;
                let mut bounds = [&slice.start, &slice.stop, &slice.step].into_iter().flatten();
                bounds.try_for_each(|bound| self.within(bound))
            }
            Expr::BinOp(binary) if matches!(binary.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.round(&binary.left)?;
                self.round(&binary.right)
            }
            Expr::IfExpr(choice) => {
                self.within(&choice.test_expr)?;
                self.round(&choice.true_expr)?;
                choice.false_expr.iter().try_for_each(|other| self.round(other))
            }
            Expr::Call(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
                parts(expression).into_iter().try_for_each(|part| self.round(part))
            }
            // Calculated of what is rounded already, or a text.
            _ => self.within(expression),
        }
    }
}

fn hands_on(filter: &str) -> bool {
    CHOOSE.contains(&filter) || slicing::is_check(filter) || text::is_check(filter)
}

fn calculates(operator: BinOpKind) -> bool {
    !matches!(operator, BinOpKind::Concat | BinOpKind::ScAnd | BinOpKind::ScOr)
}

/// How many values are rounded in an expression; none where something else is than what was meant to be.
fn count(expression: &Expr) -> Option<usize> {
    let here = match expression {
        Expr::Filter(filter) if filter.name == ROUND => {
            let value = filter.expr.as_ref()?;
            let is_marked = matches!(value, Expr::Filter(inner) if presence::is_mark(inner.name));
            (is_marked || tree::is_path(value)).then_some(1)?
        }
        _ => 0,
    };
    parts(expression).into_iter().try_fold(here, |sum, part| Some(sum + count(part)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::{NameTable, Scope, Seeds, Template, json_value};

    const LONG: &str = "0.1234567890123456789";

    #[test]
    fn only_what_is_calculated_with_is_rounded() {
        for (source, wanted) in [
            ("l[-1]", Some("l[-1]")),
            ("a if n > 3 else b", Some("a if n|__rounded > 3 else b")),
            ("l[n - 1].p", Some("l[n|__rounded - 1].p")),
            ("a.b + (c or d) * 2", Some("a.b|__rounded + (c|__rounded or d|__rounded) * 2")),
            ("(l | first) > 1", Some("(l|__rounded | first) > 1")),
            ("l | sum", Some("l|__rounded | sum")),
            ("x | tojson", Some("x | tojson")),
            ("x is divisibleby(n)", Some("x|__rounded is divisibleby(n|__rounded)")),
            ("x|__there == 1", Some("x|__there|__rounded == 1")),
            // A sign binds more than a filter.
            ("-x", None),
            ("(l | first).p > 1", None),
        ] {
            assert_eq!(rounded(source).as_deref(), wanted, "{source}");
        }
    }

    #[test]
    fn what_is_chosen_keeps_its_digits_and_what_is_calculated_is_rounded() {
        let mut names = NameTable::default();
        let (json, n) = (names.slot("x"), names.slot("n"));
        let scope = Scope::new(Arc::new(names), Seeds::both(1));
        let text = format!(r#"{{"p": {LONG}, "l": [1, {LONG}], "o": [{{"p": {LONG}, "n": 2}}], "t": "<"}}"#);
        scope.set(json, json_value(&text).unwrap());
        scope.set(n, 5.into());
        let object = format!(r#"{{"p":{LONG},"n":2}}"#);
        for (source, wanted) in [
            ("x.l[-1]", LONG),
            ("x.p if n > 3 else 0", LONG),
            ("x.p if x.p > 0.1 else 0", LONG),
            ("0 if x.p > 0.2 else x.p", LONG),
            ("x.l[n - 4]", LONG),
            ("x.p | tojson", LONG),
            ("[x.p, x.t] | tojson", &format!("[{LONG}, \"\\u003c\"]")),
            ("{'a': x.p} | tojson(indent=1)", &format!("{{\n \"a\": {LONG}\n}}")),
            ("x.o | selectattr('n', 'eq', 2) | first | attr('n')", "2"),
            ("x.o[0] if n == 5 else none", &object),
            ("x.p * 2", "0.24691357802469135"),
            ("-x.p", "-0.12345678901234568"),
            ("x.p == 0.12345678901234568", "true"),
            ("x.l | max", "1"),
            ("x.l | sum", "1.1234567890123457"),
            ("x.p | string == '0.1234567890123456789'", "true"),
            ("x.p | round(2)", "0.12"),
            ("0.2 is gt x.p", "true"),
            ("x.p in x.l", "true"),
            ("(x.o | first).p > 0.1", "true"),
        ] {
            let found = Template::compile(&format!("{{{{ {source} }}}}")).unwrap().render(&scope);
            assert_eq!(found.as_deref(), Ok(wanted), "{source}");
        }
    }
}
