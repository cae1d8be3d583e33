//! The tree of an expression, as the parser of the language makes it: what an expression is made of, and where its parts
//! stand in the source.

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::machinery::parse_expr;

/// The expressions that an expression is made of; the name of a function is none.
pub(super) fn parts<'e, 'a>(expression: &'e Expr<'a>) -> Vec<&'e Expr<'a>> {
    let arguments = |arguments: &'e [CallArg<'a>]| arguments.iter().map(argument);
    match expression {
        Expr::Var(_) | Expr::Const(_) => Vec::new(),
        Expr::Slice(slice) => {
            let bounds = [&slice.start, &slice.stop, &slice.step].into_iter().flatten();
            std::iter::once(&slice.expr).chain(bounds).collect()
        }
        Expr::UnaryOp(unary) => vec![&unary.expr],
        Expr::BinOp(binary) => vec![&binary.left, &binary.right],
        Expr::Compare(compare) => {
            std::iter::once(&compare.expr).chain(compare.ops.iter().map(|it| &it.expr)).collect()
        }
        Expr::IfExpr(choice) => {
            [&choice.test_expr, &choice.true_expr].into_iter().chain(&choice.false_expr).collect()
        }
        Expr::Filter(filter) => filter.expr.iter().chain(arguments(&filter.args)).collect(),
        Expr::Test(test) => std::iter::once(&test.expr).chain(arguments(&test.args)).collect(),
        Expr::GetAttr(attribute) => vec![&attribute.expr],
        Expr::GetItem(item) => vec![&item.expr, &item.subscript_expr],
        Expr::Call(call) => arguments(&call.args).collect(),
        Expr::List(list) => list.items.iter().collect(),
        Expr::Tuple(tuple) => tuple.items.iter().collect(),
        Expr::Map(map) => map.keys.iter().chain(&map.values).collect(),
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

/// Whether an expression is a name, or an attribute or item of one.
pub(super) fn is_path(expression: &Expr) -> bool {
    path_start(expression).is_some()
}

/// The source of a name, or of an attribute or item of one; none where brackets stand around a part of it, which are no
/// part of a place that the parser tells.
pub(super) fn path<'s>(source: &'s str, expression: &Expr) -> Option<&'s str> {
    let path = source.get(path_start(expression)?..end(expression))?;
    parse_expr(path).is_ok().then_some(path)
}

/// Where an expression ends, in bytes of its source.
pub(super) fn end(expression: &Expr) -> usize {
    expression.span().end_offset as usize
}

/// The source with these texts in it, each behind its place; what stands twice is written once.
pub(super) fn with_marks(source: &str, mut marks: Vec<(usize, &str)>) -> String {
    // Behind the same place a filter comes first, and then what begins with a space.
    marks.sort_unstable_by_key(|(end, mark)| (*end, std::cmp::Reverse(*mark)));
    marks.dedup();
    let (mut out, mut copied) = (String::with_capacity(source.len() + 8 * marks.len()), 0);
    for (end, mark) in marks {
        out.push_str(&source[copied..end]);
        out.push_str(mark);
        copied = end;
    }
    out.push_str(&source[copied..]);
    out
}

fn path_start(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Var(name) => Some(name.span().start_offset as usize),
        Expr::GetAttr(attribute) => path_start(&attribute.expr),
        Expr::GetItem(item) => path_start(&item.expr),
        _ => None,
    }
}
