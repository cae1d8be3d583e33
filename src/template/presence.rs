//! What a condition hands on without looking at it. The language puts a value that is not there into a list like any
//! other, and some filters make text of it, so that `[x.state] != ['done']` would hold before there is a state. In a
//! condition such a value is marked, and is an error there as it is to every operator.

use minijinja::machinery::ast::{Call, CallArg, Expr};
use minijinja::machinery::parse_expr;
use minijinja::{Environment, Error, ErrorKind, Value};

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
    if marks.ends.is_empty() {
        return None;
    }
    marks.ends.sort_unstable();
    let (mut out, mut copied) = (String::with_capacity(source.len() + 16 * marks.ends.len()), 0);
    for end in marks.ends {
        out.push_str(&source[copied..end]);
        out.push('|');
        out.push_str(MARK);
        copied = end;
    }
    out.push_str(&source[copied..]);
    Some(out)
}

/// The places behind what is handed on.
struct Marks<'s> {
    source: &'s str,
    ends: Vec<usize>,
}

impl Marks<'_> {
    fn within(&mut self, expression: &Expr) {
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.within(&slice.expr);
                for bound in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.within(bound);
                }
            }
            Expr::UnaryOp(unary) => self.within(&unary.expr),
            Expr::BinOp(binary) => {
                self.within(&binary.left);
                self.within(&binary.right);
            }
            Expr::Compare(compare) => {
                self.within(&compare.expr);
                compare.ops.iter().for_each(|operation| self.within(&operation.expr));
            }
            Expr::IfExpr(choice) => {
                self.within(&choice.test_expr);
                self.within(&choice.true_expr);
                choice.false_expr.iter().for_each(|other| self.within(other));
            }
            Expr::Filter(filter) => {
                let accepts = ACCEPT.contains(&filter.name);
                for value in filter.expr.iter().chain(filter.args.iter().map(argument)) {
                    if accepts { self.handed(value) } else { self.within(value) }
                }
            }
            Expr::Test(test) => {
                self.within(&test.expr);
                test.args.iter().map(argument).for_each(|value| self.within(value));
            }
            Expr::GetAttr(attribute) => self.within(&attribute.expr),
            Expr::GetItem(item) => {
                self.within(&item.expr);
                self.within(&item.subscript_expr);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.handed(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.handed(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.handed(item)),
        }
    }

    fn call(&mut self, call: &Call) {
        let is_dict = matches!(&call.expr, Expr::Var(name) if name.id == "dict");
        for value in call.args.iter().map(argument) {
            if is_dict { self.handed(value) } else { self.within(value) }
        }
    }

    /// A value that goes into a list, a mapping or a filter as it is. Whatever is calculated has been looked at.
    fn handed(&mut self, expression: &Expr) {
        self.within(expression);
        let Some(start) = path_start(expression) else { return };
        let end = expression.span().end_offset as usize;
        // Brackets around a part of it are no part of a place that the parser tells.
        if self.source.get(start..end).is_some_and(|path| parse_expr(path).is_ok()) {
            self.ends.push(end);
        }
    }
}

/// The value of an argument.
pub(super) fn argument<'e, 'a>(argument: &'e CallArg<'a>) -> &'e Expr<'a> {
    match argument {
        CallArg::Pos(value)
        | CallArg::Kwarg(_, value)
        | CallArg::PosSplat(value)
        | CallArg::KwargSplat(value) => value,
    }
}

/// Where a name, or an attribute or item of one, begins.
pub(super) fn path_start(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Var(name) => Some(name.span().start_offset as usize),
        Expr::GetAttr(attribute) => path_start(&attribute.expr),
        Expr::GetItem(item) => path_start(&item.expr),
        _ => None,
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
