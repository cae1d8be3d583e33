//! The check of single values: durations, rates, words, numbers.

use crate::config::node::{Node, Span, Value};
use crate::config::problem::{Problem, suggestion};
use crate::config::schema::Kind;
use crate::metric::Metric;
use crate::units::{ByteSize, Rate, Ratio, UnitError, parse_duration};

/// Whether a value is of a kind of scalars, and if not, what would be.
pub(super) fn check(kind: &Kind, node: &Node) -> Result<(), Problem> {
    let Some(text) = node.scalar() else { return Err(super::expected(&describe(kind), node)) };
    let unit = |error: UnitError| Problem::at(node.span, error.to_string()).hint(error.hint());
    match kind {
        Kind::Duration => parse_duration(text).map(drop).map_err(unit),
        Kind::Ratio => Ratio::written(text).map(drop).map_err(unit),
        Kind::Rate => text.parse::<Rate>().map(drop).map_err(unit),
        Kind::Size => text.parse::<ByteSize>().map(drop).map_err(unit),
        Kind::Range => range(text).map_err(|(error, hint)| Problem::at(node.span, error).hint(hint)),
        Kind::Integer { min, max } => integer(node, text, (*min, *max)),
        Kind::Bool if matches!(node.value, Value::Bool(_)) => Ok(()),
        Kind::Bool => Err(not_a("true or false", node).hint("write `true` or `false`")),
        Kind::True if node.value == Value::Bool(true) => Ok(()),
        Kind::True => Err(not_a("`true`", node).hint("write `true`, or remove the key")),
        Kind::OneOf(words) if words.contains(&text) => Ok(()),
        Kind::OneOf(words) if text.trim().is_empty() => {
            Err(Problem::at(node.span, "a word is missing").hint(suggestion("", words.iter().copied())))
        }
        Kind::OneOf(words) => Err(Problem::at(node.span, format!("unknown word `{text}`"))
            .hint(suggestion(text, words.iter().copied()))),
        Kind::Metric => metric(text, node.span),
        Kind::Expression if text.trim().is_empty() => {
            Err(Problem::at(node.span, "an expression is missing")
                .hint("write such as `response.status == 200`"))
        }
        Kind::Status => status(node, text),
        _ => Ok(()),
    }
}

/// Whether this is the name of a judged number.
pub(super) fn metric(name: &str, span: Span) -> Result<(), Problem> {
    let unknown = || Problem::at(span, format!("unknown metric `{name}`"));
    let hint = || suggestion(name, Metric::ALL.iter().map(|metric| metric.name()));
    Metric::named(name).map(drop).ok_or_else(|| unknown().hint(hint()))
}

/// The kind in words, with its article.
pub(super) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Template => "a text".into(),
        Kind::Expression => "an expression".into(),
        Kind::Duration => "a duration".into(),
        Kind::Ratio => "a ratio".into(),
        Kind::Rate => "a rate".into(),
        Kind::Size => "a size".into(),
        Kind::Range => "a duration or a range of durations".into(),
        Kind::Integer { .. } => "a whole number".into(),
        Kind::Bool => "`true` or `false`".into(),
        Kind::True => "`true`".into(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::Metric => "a metric".into(),
        Kind::Status => "a status".into(),
        Kind::Nothing => "nothing".into(),
        Kind::Any => "a value".into(),
        Kind::List(_) => "a list".into(),
        Kind::Object(_) | Kind::Choice(_) | Kind::Map(_) | Kind::Named(_) | Kind::PerMetric(_) => {
            "a mapping".into()
        }
        Kind::Either(kinds) => describe_any(*kinds),
    }
}

/// Several kinds in words, joined by `or`.
pub(super) fn describe_any<'a>(kinds: impl IntoIterator<Item = &'a Kind>) -> String {
    kinds.into_iter().map(describe).collect::<Vec<_>>().join(" or ")
}

const RANGE_HINT: &str = "write a range such as `1s..3s`, or one duration";

/// What is wrong with a range, and what would be valid.
fn range(text: &str) -> Result<(), (String, String)> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    // What is meant by a number without a unit, or by a duration that is too long, is known, and it is told as such.
    let wrong = |error: UnitError| {
        if error.is_understood() {
            return (error.to_string(), error.hint().to_owned());
        }
        (format!("`{text}` is not a range of durations"), RANGE_HINT.to_owned())
    };
    let (low, high) = (parse_duration(low).map_err(wrong)?, parse_duration(high).map_err(wrong)?);
    if low > high {
        return Err((format!("the range `{text}` runs backwards"), RANGE_HINT.to_owned()));
    }
    Ok(())
}

fn integer(node: &Node, text: &str, (min, max): (u64, u64)) -> Result<(), Problem> {
    let number = match &node.value {
        Value::Number(raw) => raw.parse::<u64>().ok(),
        _ => None,
    };
    match number {
        Some(number) if (min..=max).contains(&number) => Ok(()),
        Some(_) if min == max => {
            Err(Problem::at(node.span, format!("`{text}` is not known here")).hint(format!("write `{min}`")))
        }
        Some(_) => Err(Problem::at(node.span, format!("`{text}` is out of range"))
            .hint(format!("write a whole number from {min} to {max}"))),
        None => Err(not_a("a whole number", node)
            .hint("write a whole number, without quotes and without a leading zero")),
    }
}

fn status(node: &Node, text: &str) -> Result<(), Problem> {
    let code = matches!(node.value, Value::Number(_))
        && text.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    let class = matches!(text, "1xx" | "2xx" | "3xx" | "4xx" | "5xx");
    if code || class {
        Ok(())
    } else {
        Err(not_a("a status", node).hint("write a code such as `200`, or `2xx`"))
    }
}

fn not_a(what: &str, node: &Node) -> Problem {
    Problem::at(node.span, format!("{} is not {what}", node.describe()))
}
