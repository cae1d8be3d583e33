//! Numbers of JSON, which has one kind of number and no limit of digits (RFC 8259, section 6): which of them the
//! language holds as they are, how the others are kept, and when two are the same.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use minijinja::Value;
use minijinja::value::{DynObject, Object, ObjectRepr, ValueKind};

/// Whether this process has met a number that needs [`Exact`].
static MET: AtomicBool = AtomicBool::new(false);

/// A number with more digits than the numbers of the language: written as it came, and rounded for arithmetic
/// and comparisons, which know nothing of it.
#[derive(Debug)]
struct Exact(Box<str>);

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        Decimal::of(&self.0).is_some_and(|number| !number.digits.is_empty())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        Some(Decimal::of(&self.0)?.cmp(&Decimal::of(&other.0)?))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a number in JSON's syntax, whatever its length.
pub(super) fn value(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<i128>() {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<u128>() {
        return Value::from(number);
    }
    match text.parse::<f64>() {
        Ok(number) if keeps(number, text) => Value::from(number),
        _ => {
            MET.store(true, Atomic::Relaxed);
            Value::from_object(Exact(text.into()))
        }
    }
}

/// Whether the usual trees of JSON hold this number as it is: in 64 bits, whole or floating.
pub(super) fn is_usual(text: &str) -> bool {
    text.parse::<i64>().is_ok()
        || text.parse::<u64>().is_ok()
        || text.parse::<f64>().is_ok_and(|number| keeps(number, text))
}

fn keeps(number: f64, text: &str) -> bool {
    // Up to 15 significant digits come back from a floating number of 64 bits as they went in.
    let few = text.len() <= 15 && !text.contains(['e', 'E']);
    number.is_finite() && (few || Decimal::of(text) == Decimal::of(&format!("{number:e}")))
}

/// The text of a number that is kept as it came.
pub(super) fn exact_text(value: &Value) -> Option<&str> {
    if value.kind() != ValueKind::Plain {
        return None;
    }
    value.downcast_object_ref::<Exact>().map(|exact| &*exact.0)
}

/// Whether there can be a value that is kept as it came. Until there is one, nothing is searched for them.
pub(super) fn met_exact() -> bool {
    MET.load(Atomic::Relaxed)
}

/// The value with every exact number in it rounded to what the language can calculate with.
pub(super) fn rounded(value: Value) -> Value {
    if holds_exact(&value) { round(&value) } else { value }
}

/// Whether a value is, or has in it, a number that is kept as it came.
pub(super) fn holds_exact(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Plain => exact_text(value).is_some(),
        ValueKind::Seq => value.try_iter().is_ok_and(|mut items| items.any(|item| holds_exact(&item))),
        ValueKind::Map => entries(value).any(|(_, item)| holds_exact(&item)),
        _ => false,
    }
}

fn round(value: &Value) -> Value {
    replaced(value, &|text| Value::from(text.parse::<f64>().unwrap_or(f64::NAN)))
}

/// The value with every exact number in it replaced by what is made of its text.
fn replaced(value: &Value, by: &dyn Fn(&str) -> Value) -> Value {
    match value.kind() {
        ValueKind::Plain => exact_text(value).map_or_else(|| value.clone(), by),
        ValueKind::Seq => value.try_iter().into_iter().flatten().map(|item| replaced(&item, by)).collect(),
        ValueKind::Map => Value::from_pairs(entries(value).map(|(key, item)| (key, replaced(&item, by)))),
        _ => value.clone(),
    }
}

/// What a text begins with that stands for an exact number. It is no character.
const MARK: &str = "\u{FDD1}";

/// The value with every exact number in it as a text that [`unmarked`] finds in JSON.
pub(super) fn marked(value: &Value) -> Value {
    replaced(value, &|text| Value::from(format!("{MARK}{text}{MARK}")))
}

/// JSON with the texts that stand for exact numbers made numbers.
pub(super) fn unmarked(json: &str) -> String {
    json.replace(&format!("\"{MARK}"), "").replace(&format!("{MARK}\""), "")
}

/// The keys and values of a mapping, in its order.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (Value, Value)> + '_ {
    let keys = value.try_iter().into_iter().flatten();
    keys.map(|key| {
        let item = value.get_item(&key).unwrap_or_default();
        (key, item)
    })
}

/// Whether two numbers in JSON's syntax are the same number, however they are written.
pub(super) fn same(left: &str, right: &str) -> bool {
    left == right || Decimal::of(left).is_some_and(|left| Some(left) == Decimal::of(right))
}

/// Whether a number that was found is the one that is wanted: by value, or, where the wanted one has a fraction and
/// fits into 64 bits, as rounded to them. Services send the same fraction with more digits or fewer.
pub(super) fn is_wanted(found: &str, wanted: &str) -> bool {
    let rounds = || is_usual(wanted) && Decimal::of(wanted).is_some_and(|wanted| wanted.has_fraction());
    let rounded = || found.parse::<f64>().ok() == wanted.parse::<f64>().ok();
    same(found, wanted) || (rounds() && rounded())
}

/// A decimal number in lowest terms: 0.digits × 10^exponent, the digits beginning and ending with something
/// other than 0; nothing has no digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    exponent: i64,
    digits: String,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, exponent: 0, digits: String::new() });
        }
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let power: i64 = power.trim_start_matches('+').parse().ok()?;
        let exponent = i64::try_from(whole.len()).ok()?.checked_add(power)?.checked_sub(leading)?;
        Some(Self { negative, exponent, digits: significant.trim_end_matches('0').to_owned() })
    }

    fn has_fraction(&self) -> bool {
        i64::try_from(self.digits.len()).is_ok_and(|digits| digits > self.exponent)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |it: &Self| if it.digits.is_empty() { 0 } else { 1 - 2 * i8::from(it.negative) };
        let size = |it: &Self| (it.exponent, it.digits.clone());
        sign(self).cmp(&sign(other)).then_with(|| {
            let size = size(self).cmp(&size(other));
            if self.negative { size.reverse() } else { size }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_by_value_however_they_are_written() {
        for (left, right, wanted) in [
            ("10", "10.0", true),
            ("10", "1e1", true),
            ("100", "0.1E+3", true),
            ("-0", "0.00", true),
            ("0.1", "0.10000000000000001", false),
            ("123456789012345678901234567890", "1.2345678901234567890123456789e29", true),
            ("9007199254740993", "9007199254740992", false),
            ("1", "-1", false),
        ] {
            assert_eq!(same(left, right), wanted, "{left} {right}");
        }
    }

    #[test]
    fn a_wanted_fraction_is_found_as_rounded_and_everything_else_exactly() {
        for (found, wanted, is) in [
            ("0.10000000000000001", "0.1", true),
            ("0.1000000000000000055511151231257827", "0.1", true),
            ("0.1000000000000001", "0.1", false),
            ("0.1", "0.10000000000000000001", false),
            ("9007199254740993", "9007199254740992", false),
            ("9007199254740993", "9007199254740992.0", false),
            ("1.0000000000000000001", "1", false),
            ("1e400", "0.5", false),
        ] {
            assert_eq!(is_wanted(found, wanted), is, "{found} {wanted}");
        }
    }

    #[test]
    fn only_what_64_bits_hold_is_usual() {
        for text in
            ["0", "-9223372036854775808", "18446744073709551615", "0.1", "1e300", "0.30000000000000004"]
        {
            assert!(is_usual(text), "{text}");
        }
        for text in ["18446744073709551616", "0.1234567890123456789", "1e400", "1e-400"] {
            assert!(!is_usual(text), "{text}");
        }
    }

    #[test]
    fn exact_numbers_have_an_order_and_are_rounded_for_arithmetic() {
        let exact = |text: &str| value(text);
        assert!(exact("0.1234567890123456789") < exact("0.1234567890123456790"));
        assert!(exact("-0.1234567890123456789") > exact("-0.1234567890123456790"));
        assert_eq!(exact("0.1234567890123456789"), exact("0.12345678901234567890"));
        assert_eq!(exact("0.1234567890123456789").to_string(), "0.1234567890123456789");
        let list: Value = [exact("0.1234567890123456789"), Value::from(1)].into_iter().collect();
        assert_eq!(
            rounded(list),
            [Value::from(0.123_456_789_012_345_68), Value::from(1)].into_iter().collect()
        );
        // What fits into 128 bits is a number like any other.
        assert!(exact("123456789012345678901234567890").is_number());
    }
}
