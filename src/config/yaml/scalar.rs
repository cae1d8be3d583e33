//! What a plain scalar means: few words and JSON's numbers, everything else is text.

use crate::config::node::Value;

/// `null`, `~` and nothing; `true` and `false`; a finite number in JSON's syntax; else text.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

/// The grammar of RFC 8259, section 6: `-`? integer fraction? exponent?
fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (integer, rest) = digits(rest);
    if integer.is_empty() || (integer.len() > 1 && integer.starts_with('0')) {
        return false;
    }
    fraction(rest).and_then(exponent).is_some_and(str::is_empty)
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn fraction(text: &str) -> Option<&str> {
    let Some(rest) = text.strip_prefix('.') else { return Some(text) };
    let (decimals, rest) = digits(rest);
    (!decimals.is_empty()).then_some(rest)
}

fn exponent(text: &str) -> Option<&str> {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return Some(text) };
    let (power, rest) = digits(rest.strip_prefix(['+', '-']).unwrap_or(rest));
    (!power.is_empty()).then_some(rest)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_syntax_of_json_makes_a_number() {
        for text in ["0", "-1", "10", "1.5", "1e3", "-0.25E-2", "0.0"] {
            assert_eq!(plain(text), Value::Number(text.into()), "{text}");
        }
        for text in
            ["010", "1e", ".5", "1.", "+1", "0x1f", "1_000", "NaN", "1e999", "-", "yes", "off", "True"]
        {
            assert_eq!(plain(text), Value::Text(text.into()), "{text}");
        }
    }
}
