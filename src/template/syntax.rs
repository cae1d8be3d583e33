//! What an expression consists of, looked at before the run: functions, filters and tests that do not exist,
//! numbers of arguments, variables of the environment. The language itself would only tell when it meets them.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Filter, Spanned, Test, UnaryOpKind};
use minijinja::machinery::{Span, parse_expr};

use super::TemplateError;
use super::function::{self, language};
use super::predicate::TESTS;
use super::repetition::Repetition;
use super::{presence, product, rounding, slicing, text};

/// The filters, by name.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// Filters that hand a number on as it is.
const KEEPS_NUMBERS: &[&str] = &[
    "attr",
    "count",
    "d",
    "default",
    "first",
    "join",
    "last",
    "length",
    "list",
    "reverse",
    "string",
    "tojson",
    "urlencode",
];
/// Tests that do not look at the value of a number.
const KEEPS_TESTED: &[&str] = &["defined", "none", "undefined"];

/// What is known of an expression.
pub(super) struct Meaning {
    /// The environment variables it asks for.
    pub environment: BTreeSet<String>,
    /// Those of them whose value is written as it is, not handed to a function or a filter.
    pub written: BTreeSet<String>,
    /// Whether it calculates or compares.
    pub calculates: bool,
}

/// Looks at every part of an expression. What is wrong with its grammar is left to the compiler.
pub(super) fn meaning(source: &str) -> Result<Meaning, TemplateError> {
    let meaning = Meaning { environment: BTreeSet::new(), written: BTreeSet::new(), calculates: false };
    let mut walk = Walk { source, meaning, repetition: Repetition::default() };
    if let Ok(expression) = parse_expr(source) {
        walk.expression(&expression)?;
        written(&expression, &mut walk.meaning.written);
    }
    Ok(walk.meaning)
}

/// Whether a filter calculates with the numbers that it is handed, or compares them.
pub(super) fn filter_calculates(name: &str) -> bool {
    !KEEPS_NUMBERS.contains(&name) && !is_internal(name)
}

/// Whether a test looks at the value of a number.
pub(super) fn test_calculates(name: &str) -> bool {
    !KEEPS_TESTED.contains(&name)
}

struct Walk<'s> {
    source: &'s str,
    meaning: Meaning,
    repetition: Repetition,
}

impl Walk<'_> {
    fn expression(&mut self, expression: &Expr) -> Result<(), TemplateError> {
        match expression {
            Expr::Var(name) if function::NAMES.contains(&name.id) => {
                let message = format!("`{}` is a function", name.id);
                Err(TemplateError::new(message, range(name.span()))
                    .hint(format!("call it: `{}(…)`", name.id)))
            }
            Expr::Var(_) | Expr::Const(_) => Ok(()),
            Expr::Slice(slice) => {
                self.expression(&slice.expr)?;
                self.all([&slice.start, &slice.stop, &slice.step].into_iter().flatten())
            }
            Expr::UnaryOp(unary) => {
                let negates = matches!(unary.op, UnaryOpKind::Neg) && unary.expr.as_const().is_none();
                self.meaning.calculates |= negates;
                self.expression(&unary.expr)
            }
            Expr::BinOp(binary) => {
                let passes = matches!(binary.op, BinOpKind::Concat | BinOpKind::ScAnd | BinOpKind::ScOr);
                self.meaning.calculates |= !passes;
                self.all([&binary.left, &binary.right])?;
                // The parts come first: a product is only calculated once its parts are known to be small.
                self.repetition.check(binary)
            }
            Expr::Compare(compare) => {
                self.meaning.calculates = true;
                self.expression(&compare.expr)?;
                self.all(compare.ops.iter().map(|operation| &operation.expr))
            }
            Expr::IfExpr(choice) => {
                self.all([&choice.test_expr, &choice.true_expr].into_iter().chain(&choice.false_expr))
            }
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test),
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => self.all([&item.expr, &item.subscript_expr]),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.all(&list.items),
            Expr::Tuple(tuple) => self.all(&tuple.items),
            Expr::Map(map) => self.all(map.keys.iter().chain(&map.values)),
        }
    }

    fn all<'e, 'a: 'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e Expr<'a>>,
    ) -> Result<(), TemplateError> {
        expressions.into_iter().try_for_each(|expression| self.expression(expression))
    }

    fn arguments(&mut self, arguments: &[CallArg]) -> Result<(), TemplateError> {
        self.all(arguments.iter().map(|argument| match argument {
            CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value) => value,
        }))
    }

    fn filter(&mut self, filter: &Spanned<Filter>) -> Result<(), TemplateError> {
        if let Some(value) = &filter.expr {
            self.expression(value)?;
        }
        self.known_filter(filter.name, filter.span())?;
        self.meaning.calculates |= filter_calculates(filter.name);
        // These are told the name of another filter or test.
        match (filter.name, named(&filter.args, 0), named(&filter.args, 1)) {
            ("map", Some(name), _) => self.known_filter(&name, filter.span())?,
            ("select" | "reject", Some(name), _) | ("selectattr" | "rejectattr", _, Some(name)) => {
                self.known_test(&name, filter.span())?;
            }
            _ => {}
        }
        self.arguments(&filter.args)
    }

    fn test(&mut self, test: &Spanned<Test>) -> Result<(), TemplateError> {
        self.expression(&test.expr)?;
        self.known_test(test.name, test.span())?;
        self.meaning.calculates |= test_calculates(test.name);
        self.arguments(&test.args)
    }

    fn known_filter(&self, name: &str, span: Span) -> Result<(), TemplateError> {
        if FILTERS.contains(&name) || exists(name, "filter") {
            return Ok(());
        }
        Err(TemplateError::new(format!("unknown filter `{name}`"), self.place(name, span))
            .known(name, FILTERS))
    }

    fn known_test(&self, name: &str, span: Span) -> Result<(), TemplateError> {
        if TESTS.contains(&name) || exists(name, "test") {
            return Ok(());
        }
        Err(TemplateError::new(format!("unknown test `{name}`"), self.place(name, span)).known(name, TESTS))
    }

    fn call(&mut self, call: &Spanned<Call>) -> Result<(), TemplateError> {
        match &call.expr {
            Expr::Var(name) => self.function(name.id, name.span(), call)?,
            Expr::GetAttr(method) => {
                self.expression(&method.expr)?;
                let name = method.name;
                let error = TemplateError::new(
                    format!("unknown method `{name}`: values have none"),
                    self.place(name, call.span()),
                );
                return Err(if FILTERS.contains(&name) {
                    error.hint(format!("use the filter: `… | {name}`"))
                } else {
                    error.known(name, FILTERS)
                });
            }
            _ => return Err(TemplateError::new("only a function can be called", range(call.span()))),
        }
        self.arguments(&call.args)
    }

    fn function(&mut self, name: &str, place: Span, call: &Call) -> Result<(), TemplateError> {
        if !function::NAMES.contains(&name) {
            let error = TemplateError::new(format!("unknown function `{name}`"), range(place));
            return Err(error.known(name, function::NAMES));
        }
        if name == "env" {
            let Some(variable) = named(&call.args, 0).filter(|_| call.args.len() == 1) else {
                let message = "`env` takes one quoted name, so that it can be looked up before the run";
                return Err(TemplateError::new(message, range(place)));
            };
            self.meaning.environment.insert(variable);
            return Ok(());
        }
        let positional = call.args.iter().filter(|argument| matches!(argument, CallArg::Pos(_))).count();
        let Some(wanted) = function::arguments(name) else { return Ok(()) };
        if positional < call.args.len() || wanted.contains(&positional) {
            return Ok(());
        }
        let words = match (*wanted.start(), *wanted.end()) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            (low, high) if low == high => format!("{low} arguments"),
            (low, high) => format!("{low} to {high} arguments"),
        };
        Err(TemplateError::new(format!("`{name}` takes {words}, not {positional}"), range(place)))
    }

    /// Where a name stands within something larger: what comes last is its name.
    fn place(&self, name: &str, span: Span) -> Range<usize> {
        let whole = range(span);
        let text = self.source.get(whole.clone()).unwrap_or_default();
        match text.rfind(name) {
            Some(at) => whole.start + at..whole.start + at + name.len(),
            None => whole,
        }
    }
}

/// The environment variables that reach the text of an expression unchanged.
fn written(expression: &Expr, names: &mut BTreeSet<String>) {
    match expression {
        Expr::Call(call) if matches!(&call.expr, Expr::Var(name) if name.id == "env") => {
            names.extend(named(&call.args, 0));
        }
        Expr::BinOp(binary)
            if matches!(
                binary.op,
                BinOpKind::Concat | BinOpKind::ScAnd | BinOpKind::ScOr | BinOpKind::Add
            ) =>
        {
            written(&binary.left, names);
            written(&binary.right, names);
        }
        Expr::IfExpr(choice) => {
            written(&choice.true_expr, names);
            choice.false_expr.iter().for_each(|other| written(other, names));
        }
        _ => {}
    }
}

/// A positional argument that is a quoted text.
fn named(arguments: &[CallArg], index: usize) -> Option<String> {
    match arguments.get(index)? {
        CallArg::Pos(Expr::Const(value)) => value.value.as_str().map(str::to_owned),
        _ => None,
    }
}

/// Whether the language has a filter or test of this name that is not among those that are listed.
fn exists(name: &str, kind: &str) -> bool {
    if is_internal(name) {
        return false;
    }
    let question = format!("{} is {kind}", serde_json::Value::from(name));
    let asked = language().compile_expression_owned(question);
    asked.and_then(|asked| asked.eval(())).is_ok_and(|answer| answer.is_true())
}

/// Whether a filter is one that is put into expressions, and cannot be typed.
fn is_internal(name: &str) -> bool {
    presence::is_mark(name)
        || product::is_bound(name)
        || slicing::is_check(name)
        || text::is_check(name)
        || name == rounding::ROUND
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Expression, Remedy, Template};

    fn wrong(source: &str) -> (String, String) {
        let error = Expression::compile(source).unwrap_err();
        (error.message, source.get(error.range).unwrap_or_default().to_owned())
    }

    #[test]
    fn every_name_that_is_told_exists() {
        assert_eq!(FILTERS.iter().find(|name| !exists(name, "filter")), None);
        assert_eq!(TESTS.iter().find(|name| !exists(name, "test")), None);
        assert!(!exists("nope", "filter") && !exists("nope", "test"));
    }

    #[test]
    fn what_does_not_exist_is_told_before_the_run_wherever_it_stands() {
        for (source, message, place) in [
            ("a | uper", "unknown filter `uper`", "uper"),
            ("[1, {'k': (b.c | uper) ~ 'x'}]", "unknown filter `uper`", "uper"),
            ("a if b is evn else c", "unknown test `evn`", "evn"),
            ("a is not evn", "unknown test `evn`", "evn"),
            ("list | map('uper') | first", "unknown filter `uper`", "uper"),
            ("list | selectattr('n', 'equl', 1) | list", "unknown test `equl`", "equl"),
            ("list | reject('od') | list", "unknown test `od`", "od"),
            ("token.upper()", "unknown method `upper`: values have none", "upper"),
            ("pick(list | sortt)", "unknown filter `sortt`", "sortt"),
            ("nope(1)", "unknown function `nope`", "nope"),
            ("a and debug()", "unknown function `debug`", "debug"),
            ("uuid", "`uuid` is a function", "uuid"),
            ("rand_int(5)", "`rand_int` takes 2 arguments, not 1", "rand_int"),
            ("uuid(1)", "`uuid` takes no arguments, not 1", "uuid"),
            ("hmac('a')", "`hmac` takes 2 to 3 arguments, not 1", "hmac"),
            ("env(name)", "`env` takes one quoted name, so that it can be looked up before the run", "env"),
        ] {
            assert_eq!(wrong(source), (message.to_owned(), place.to_owned()), "{source}");
        }
        let error = Template::compile("x{{ a | uper }}").unwrap_err();
        assert_eq!(error.range, 8..12);
        assert_eq!(error.remedy, Some(Remedy::Known { typed: "uper".into(), names: FILTERS }));
    }

    #[test]
    fn what_exists_is_no_mistake() {
        for source in [
            "a | length > 2 and b is defined",
            "list | map(attribute='id') | join(',')",
            "list | selectattr('n') | map('upper') | list",
            "{'a': [1, 2]}.a[0]",
            "a.b['c'][0:2] | default('x') | urlencode",
            "dict(a=1).a + range(3) | length",
            "x | e",
        ] {
            assert!(Expression::compile(source).is_ok(), "{source}: {:?}", Expression::compile(source));
        }
    }

    #[test]
    fn the_environment_is_known_wherever_it_is_asked() {
        let asked = |source: &str| Expression::compile(source).unwrap().environment();
        assert_eq!(asked("[env('A'), {'x': env(\"B\") | upper}]"), ["A".into(), "B".into()].into());
        assert_eq!(asked("'env(\"C\")'"), BTreeSet::new());
    }

    #[test]
    fn what_is_written_of_the_environment_is_known_apart() {
        let written = |source: &str| Expression::compile(source).unwrap().written_environment();
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(written("env('A')"), all(&["A"]));
        assert_eq!(
            written("'x' ~ env('A') ~ (env('B') if env('C') == 'y' else env('D'))"),
            all(&["A", "B", "D"])
        );
        assert_eq!(written("hmac(env('A'), id)"), all(&[]));
        assert_eq!(written("env('A') | urlencode"), all(&[]));
        assert_eq!(written("base64(env('A')) ~ env('B')"), all(&["B"]));
    }
}
