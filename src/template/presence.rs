//! What a condition makes of what is not there. To the language a value that is not there can be put into a list, be
//! handed to a function or a filter, or be the end of a `… if …` without `else`, so that `[x.state] != ['done']` would
//! hold before there is a state. In a condition each place where that can happen is marked, and it is an error there as
//! it is to every operator. Only `is defined`, `is undefined` and `default` are asked for something that is not there.

use minijinja::machinery::ast::{
    BinOpKind, Call, CallArg, CompareOpKind, Expr, Filter, IfExpr, Test, UnaryOpKind,
};
use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::tree::{self, argument};
use super::{TemplateError, number, product, slicing};

/// The filter that refuses what is not there. None of these three can be typed.
const THERE: &str = "__there";
/// The filter that refuses a list, too, of which an item is not there.
const ITEMS: &str = "__items";
/// The filter that refuses whatever has something in it that is not there, at any depth.
const WHOLE: &str = "__whole";
/// What stands for the `else` that a `… if …` does not have: something that is not there, and refused.
const ELSE: &str = " else []|first|__there";

/// The filters that ask for a value which may not be there.
const ASK: [&str; 2] = ["d", "default"];
/// The tests that do.
const ASK_TESTS: [&str; 2] = ["defined", "undefined"];
/// The filters that look at the items of a list, and pass over those without an attribute: lists of unlike objects are
/// usual.
const PASS_OVER: [&str; 23] = [
    "attr",
    "batch",
    "chain",
    "count",
    "first",
    "groupby",
    "items",
    "last",
    "length",
    "list",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "slice",
    "sort",
    "sum",
    "unique",
    "zip",
];

/// Whether a filter is one of those behind what is marked.
pub(super) fn is_mark(name: &str) -> bool {
    [THERE, ITEMS, WHOLE].contains(&name)
}

/// Adds the filters that refuse what is not there.
pub(super) fn register(language: &mut Environment<'static>) {
    let mut add = |name, lacks: fn(&Value) -> bool| {
        language.add_filter(name, move |value: Value| {
            if lacks(&value) { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
        });
    };
    add(THERE, Value::is_undefined);
    add(ITEMS, lacks_items);
    add(WHOLE, lacks_anything);
}

/// Whether a value is not there, or something at any depth in it.
pub(super) fn lacks_anything(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Undefined => true,
        ValueKind::Seq | ValueKind::Iterable => items(value).any(|item| lacks_anything(&item)),
        ValueKind::Map => {
            number::entries(value).any(|(key, item)| key.is_undefined() || lacks_anything(&item))
        }
        _ => false,
    }
}

fn lacks_items(value: &Value) -> bool {
    let is_list = matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    value.is_undefined() || is_list && items(value).any(|item| item.is_undefined())
}

fn items(value: &Value) -> impl Iterator<Item = Value> {
    value.try_iter().into_iter().flatten()
}

/// The source of a condition with everything marked that would be handed on although it is not there; none where there
/// is nothing to mark.
pub(super) fn marked(source: &str) -> Result<Option<String>, TemplateError> {
    // What is wrong with the grammar has been told before.
    let Ok(expression) = parse_expr(source) else { return Ok(None) };
    let mut marks = Marks::default();
    marks.visit(&expression, Need::Nothing);
    if marks.at.is_empty() {
        return Ok(None);
    }
    let marked = tree::with_marks(source, marks.at);
    let is_same = parse_expr(&marked).is_ok_and(|marked| same(&expression, &marked));
    if is_same { Ok(Some(marked)) } else { Err(ambiguous(source)) }
}

/// `a if b if c`, to which no `else` can be added.
fn ambiguous(source: &str) -> TemplateError {
    TemplateError::new("`… if … if …` without brackets and `else`", 0..source.len())
        .hint("write `(a if b) if c`, or `a if b and c`")
}

/// What whoever takes the value of an expression needs it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Anything: what is not there does not make the condition hold, or is asked for.
    Nothing,
    /// Something that is there; whoever takes it refuses what is not there, but takes a `… if …` without `else`.
    Known,
    /// Something that is there.
    There,
    /// Something that is there, and so are its items.
    Items,
    /// Something that is there, and so is everything in it.
    Whole,
}

/// The places behind what is handed on, and what is to stand there.
#[derive(Default)]
struct Marks {
    at: Vec<(usize, &'static str)>,
}

impl Marks {
    fn visit(&mut self, expression: &Expr, need: Need) {
        match expression {
            Expr::Const(_) => {}
            Expr::Var(_) => self.mark(expression, need),
            Expr::GetAttr(attribute) => {
                self.visit(&attribute.expr, Need::Known);
                self.mark(expression, need);
            }
            Expr::GetItem(item) => {
                self.visit(&item.expr, Need::Known);
                // What an index that is not there leads to is not there either.
                self.visit(&item.subscript_expr, Need::Nothing);
                self.mark(expression, need);
            }
            Expr::Slice(slice) => {
                let parts = [&slice.start, &slice.stop, &slice.step].into_iter().flatten();
                std::iter::once(&slice.expr).chain(parts).for_each(|part| self.visit(part, Need::Known));
                self.mark(expression, need);
            }
            Expr::Call(call) => self.call(call, expression, need),
            Expr::Filter(filter) => self.filter(filter, expression, need),
            Expr::Test(test) => self.test(test),
            Expr::IfExpr(choice) => self.choice(choice, expression, need),
            Expr::BinOp(binary) => self.operator(binary.op, [&binary.left, &binary.right], need),
            Expr::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not | UnaryOpKind::Neg => self.visit(&unary.expr, Need::Known),
            },
            Expr::Compare(compare) => {
                self.visit(&compare.expr, Need::Whole);
                for operation in &compare.ops {
                    let within = matches!(operation.op, CompareOpKind::In | CompareOpKind::NotIn);
                    self.visit(
                        &operation.expr,
                        if within { container(&operation.expr) } else { Need::Whole },
                    );
                }
            }
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
                let need = if need == Need::Whole { Need::Whole } else { Need::There };
                for part in tree::parts(expression) {
                    self.visit(part, need);
                }
            }
        }
    }

    /// Marks something whose value may not be there.
    fn mark(&mut self, expression: &Expr, need: Need) {
        let mark = match need {
            Need::Nothing | Need::Known => return,
            Need::There => "|__there",
            Need::Items => "|__items",
            Need::Whole => "|__whole",
        };
        self.at.push((tree::end(expression), mark));
    }

    fn call(&mut self, call: &Call, expression: &Expr, need: Need) {
        self.arguments(&call.args, if need == Need::Whole { Need::Whole } else { Need::There });
        self.mark(expression, need);
    }

    fn filter(&mut self, filter: &Filter, expression: &Expr, need: Need) {
        let hands_on = product::is_bound(filter.name) || slicing::is_check(filter.name);
        if let Some(value) = filter.expr.as_ref().filter(|_| hands_on) {
            return self.visit(value, need);
        }
        let asks = ASK.contains(&filter.name);
        if let Some(value) = &filter.expr {
            let need = match filter.name {
                _ if asks => Need::Nothing,
                // They compare the items themselves, and something that is not there would be the least of all.
                "max" | "min" | "sort" if !names_attribute(filter) => Need::Items,
                name if PASS_OVER.contains(&name) => Need::There,
                _ => Need::Whole,
            };
            self.visit(value, need);
        }
        // What stands in for a missing value may be missing as well: then it is up to what is made of it.
        let (stands_in, others) = filter.args.split_at(usize::from(asks).min(filter.args.len()));
        self.arguments(stands_in, Need::Nothing);
        self.arguments(others, Need::There);
        self.mark(expression, need);
    }

    /// The tests themselves refuse what is not there, but for those that ask for it.
    fn test(&mut self, test: &Test) {
        let need = if ASK_TESTS.contains(&test.name) { Need::Nothing } else { Need::Known };
        self.visit(&test.expr, need);
        self.arguments(&test.args, Need::Known);
    }

    fn choice(&mut self, choice: &IfExpr, expression: &Expr, need: Need) {
        self.visit(&choice.test_expr, Need::Known);
        self.visit(&choice.true_expr, need);
        match &choice.false_expr {
            Some(other) => self.visit(other, need),
            None if need == Need::Nothing => {}
            None => self.at.push((tree::end(expression), ELSE)),
        }
    }

    fn operator(&mut self, operator: BinOpKind, [left, right]: [&Expr; 2], need: Need) {
        let (first, second) = match operator {
            BinOpKind::ScAnd | BinOpKind::ScOr => (need, need),
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::Concat => (Need::Whole, Need::Whole),
            // What is found in a list is there, whatever else is not.
            BinOpKind::In if need == Need::Nothing => (Need::Whole, Need::Known),
            BinOpKind::In => (Need::Whole, container(right)),
            // What is made of lists is a list.
            BinOpKind::Add | BinOpKind::Mul if matches!(need, Need::Items | Need::Whole) => (need, need),
            BinOpKind::Add
            | BinOpKind::Sub
            | BinOpKind::Mul
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::Pow => (Need::Known, Need::Known),
        };
        self.visit(left, first);
        self.visit(right, second);
    }

    fn arguments(&mut self, arguments: &[CallArg], need: Need) {
        for value in arguments.iter().map(argument) {
            self.visit(value, need);
        }
    }
}

/// Whether a filter compares items by one of their attributes.
fn names_attribute(filter: &Filter) -> bool {
    filter.args.iter().any(|argument| matches!(argument, CallArg::Kwarg("attribute", _)))
}

/// What is needed of the list in which something is looked for. A list of the run is looked through once.
fn container(expression: &Expr) -> Need {
    if tree::is_path(expression) { Need::Items } else { Need::Whole }
}

/// Whether an expression with marks is the same as the one without.
fn same(plain: &Expr, marked: &Expr) -> bool {
    let marked = unmarked(marked);
    let mut others = tree::parts(marked);
    match (plain, marked) {
        (Expr::IfExpr(plain), Expr::IfExpr(marked))
            if plain.false_expr.is_none() && marked.false_expr.as_ref().is_some_and(is_missing_else) =>
        {
            others.pop();
        }
        (Expr::Filter(plain), Expr::Filter(marked)) if plain.name != marked.name => return false,
        (Expr::Test(plain), Expr::Test(marked)) if plain.name != marked.name => return false,
        (Expr::BinOp(plain), Expr::BinOp(marked))
            if std::mem::discriminant(&plain.op) != std::mem::discriminant(&marked.op) =>
        {
            return false;
        }
        _ => {}
    }
    let parts = tree::parts(plain);
    std::mem::discriminant(plain) == std::mem::discriminant(marked)
        && parts.len() == others.len()
        && parts.into_iter().zip(others).all(|(plain, marked)| same(plain, marked))
}

fn unmarked<'e, 'a>(expression: &'e Expr<'a>) -> &'e Expr<'a> {
    match expression {
        Expr::Filter(filter) if is_mark(filter.name) => filter.expr.as_ref().map_or(expression, unmarked),
        _ => expression,
    }
}

/// Whether an expression is what stands for an `else` that is not there.
fn is_missing_else(expression: &Expr) -> bool {
    let Expr::Filter(first) = unmarked(expression) else { return false };
    first.name == "first" && matches!(&first.expr, Some(Expr::List(list)) if list.items.is_empty())
}

#[cfg(test)]
mod tests;
