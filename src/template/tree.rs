//! The tree of an expression, as the parser of the language makes it: what an expression is made of, and where its parts
//! stand in the source.

use std::collections::BTreeSet;

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

/// The names that an expression reads, each with the attributes read of it; functions are none.
pub(super) fn paths(source: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    // What is wrong with the grammar has been told before.
    if let Ok(expression) = parse_expr(source) {
        gather_paths(&expression, &mut paths);
    }
    paths
}

fn gather_paths(expression: &Expr, paths: &mut BTreeSet<String>) {
    match attributes(expression) {
        Some(path) => {
            paths.insert(path);
        }
        None => parts(expression).into_iter().for_each(|part| gather_paths(part, paths)),
    }
}

/// A name with attributes of it; none where an expression is anything else.
fn attributes(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Var(name) => Some(name.id.to_owned()),
        Expr::GetAttr(attribute) => Some(format!("{}.{}", attributes(&attribute.expr)?, attribute.name)),
        _ => None,
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
    inserted(source, &marks)
}

/// The source with these texts at their places, which are in order.
pub(super) fn inserted(source: &str, texts: &[(usize, &str)]) -> String {
    let added: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let (mut out, mut copied) = (String::with_capacity(source.len() + added), 0);
    for (at, text) in texts {
        out.push_str(&source[copied..*at]);
        out.push_str(text);
        copied = *at;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::template::function::{NAMES, language};
    use crate::template::{Expression, slicing};

    /// Each kind of expression, where `@` stands for any other one.
    const KINDS: &[&str] = &[
        "(@)[1:]",
        "(@)[:2]",
        "(@)[::-1]",
        "(@)[(@):(@):(@)]",
        "(@)[1:][:2]",
        "(@)[1:].k",
        "(@)[1:][0]",
        "(@)[(@)[1:]:]",
        "(@)[1:] | first",
        "'a' | replace((@)[1:], (@))",
        "(@) | join(d=(@)[1:])",
        "(@)[1:] is in((@)[:1])",
        "[(@)[1:]]",
        "{'k': (@)[1:], (@)[:1]: 2}",
        "pick((@)[1:])",
        "dict(**(@)[1:])",
        "(@)[1:] if (@)[2:] else (@)[3:]",
        "(@)[1:] == [1]",
        "-(@)[1:]",
        "( @ ) [1:] [0] [:2]",
        "(@) is in [1][0][(@)[1:]:]",
        "(@) is not eq -[1][0][1:][(@)] | default((@)[1:])",
        "uuid()[1:] ~ [(@)][0][1:].k[1:]",
        "(@)",
        "(@).k",
        "(@)[(@)]",
        "not (@)",
        "-(@)",
        "(@) ~ (@) + (@) * 2",
        "(@) and (@) or (@)",
        "1 < (@) <= (@) in (@)",
        "(@) not in (@)",
        "(@) if (@) else (@)",
        "(@) if (@)",
        "(@) | default((@)) | join(d=(@))",
        "(@) | sort(*(@)) | map(**(@)) | list",
        "(@) is not eq (@)",
        "pick((@))",
        "dict(k=(@), **(@))",
        "hmac(*(@))",
        "[(@), 1, (@)]",
        "((@), (@))",
        "{(@): (@), 'k': 'a.b'}",
    ];

    /// An expression, the paths that it reads, and the path that it is, if it is one.
    #[derive(Debug, Clone)]
    struct Sample {
        source: String,
        paths: BTreeSet<String>,
        path: Option<String>,
    }

    impl Sample {
        fn new(source: &str, read: Option<&str>) -> Self {
            let path = read.filter(|read| source == *read).map(str::to_owned);
            Self { source: source.into(), paths: read.map(str::to_owned).into_iter().collect(), path }
        }

        /// A kind of expression with other ones in it.
        fn of(kind: &str, parts: &[Self]) -> Self {
            let (mut source, mut paths) = (String::new(), BTreeSet::new());
            for (index, piece) in kind.split('@').enumerate() {
                if let Some(before) = index.checked_sub(1) {
                    source.push_str(&parts[before].source);
                    paths.extend(parts[before].paths.iter().cloned());
                }
                source.push_str(piece);
            }
            let attribute = kind.strip_prefix("(@)").filter(|rest| ["", ".k"].contains(rest));
            let path = attribute.and_then(|rest| Some(format!("{}{rest}", parts[0].path.as_ref()?)));
            let paths = path.clone().map_or(paths, |path| BTreeSet::from([path]));
            Self { source, paths, path }
        }
    }

    fn expression() -> impl Strategy<Value = Sample> {
        let leaf = prop::sample::select(vec![
            ("a", Some("a")),
            ("_c1", Some("_c1")),
            ("b.k", Some("b.k")),
            ("response.json.l", Some("response.json.l")),
            ("a[1:]", Some("a")),
            ("b.k [0] [:2].l[-1:]", Some("b.k")),
            ("1", None),
            ("'a.b'", None),
            ("none", None),
            ("env('A')", None),
            ("uuid()", None),
        ]);
        let leaf = leaf.prop_map(|(source, read)| Sample::new(source, read));
        leaf.prop_recursive(3, 12, 3, |inner| {
            (prop::sample::select(KINDS), prop::collection::vec(inner, 4))
                .prop_map(|(kind, parts)| Sample::of(kind, &parts))
        })
    }

    fn first(paths: &BTreeSet<String>) -> BTreeSet<String> {
        paths.iter().map(|path| path.split('.').next().unwrap().to_owned()).collect()
    }

    /// An expression without what stands around what is sliced.
    fn shape(expression: &Expr) -> String {
        let own = match expression {
            Expr::Filter(filter) if slicing::is_check(filter.name) => {
                return shape(filter.expr.as_ref().unwrap());
            }
            Expr::Var(name) => name.id.to_owned(),
            Expr::Const(constant) => format!("{:?}", constant.value),
            Expr::GetAttr(attribute) => attribute.name.to_owned(),
            Expr::Filter(filter) => filter.name.to_owned(),
            Expr::Test(test) => test.name.to_owned(),
            Expr::BinOp(binary) => format!("{:?}", std::mem::discriminant(&binary.op)),
            other => format!("{:?}", std::mem::discriminant(other)),
        };
        let parts: Vec<String> = parts(expression).into_iter().map(shape).collect();
        format!("{own}({})", parts.join(","))
    }

    proptest! {
        #[test]
        fn a_check_of_what_is_sliced_changes_nothing_else(Sample { source, .. } in expression()) {
            let checked = slicing::checked(&source).unwrap_or_default();
            let plain = shape(&parse_expr(&source).unwrap());
            let marked = parse_expr(if checked.is_empty() { &source } else { &checked });
            prop_assert!(marked.is_ok_and(|marked| shape(&marked) == plain), "{}: {}", source, checked);
        }

        #[test]
        fn every_name_is_known_that_an_expression_reads(Sample { source, paths, .. } in expression()) {
            let compiled = Expression::compile_at(&source, 0).unwrap();
            prop_assert_eq!(&compiled.paths(), &paths, "{}", source);
            prop_assert_eq!(compiled.names(), first(&paths), "{}", source);
            // The language sees the same, but for what is sliced.
            let mut seen = language().compile_expression(&source).unwrap().undeclared_variables(true);
            seen.retain(|name| !NAMES.contains(&name.as_str()));
            let seen: BTreeSet<String> = seen.into_iter().collect();
            if source.contains(':') {
                prop_assert!(seen.is_subset(&paths), "{}: {:?}", source, seen);
            } else {
                prop_assert_eq!(&seen, &paths, "{}", source);
            }
        }
    }

    #[test]
    fn every_kind_of_expression_tells_what_it_reads() {
        for kind in KINDS {
            let places = kind.matches('@').count();
            let mut source = (*kind).to_owned();
            for place in 0..places {
                source = source.replacen('@', &format!("n{place}"), 1);
            }
            let names: BTreeSet<String> = (0..places).map(|place| format!("n{place}")).collect();
            assert_eq!(Expression::compile_at(&source, 0).unwrap().names(), names, "{source}");
        }
    }
}
