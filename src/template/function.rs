//! The functions templates can call, and the language they are part of.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use base64::Engine;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use rand::RngExt;
use ring::hmac;

use super::scope::{ENVIRONMENT, RANDOM, Random};
use super::{number, predicate, presence, product, rounding, slicing, text};

/// Every function, by name.
pub(super) const NAMES: &[&str] =
    &["pick", "rand_int", "uuid", "now_ms", "env", "base64", "hmac", "range", "dict"];

/// How many arguments a function takes; none where it takes any number.
pub(super) fn arguments(name: &str) -> Option<RangeInclusive<usize>> {
    match name {
        "uuid" | "now_ms" => Some(0..=0),
        "pick" | "env" | "base64" => Some(1..=1),
        "rand_int" => Some(2..=2),
        "hmac" => Some(2..=3),
        "range" => Some(1..=3),
        _ => None,
    }
}

/// The most steps one expression may take: a loop in a template cannot hang the generator.
pub(super) const FUEL: u64 = 100_000;

/// How many times as many steps an expression may take into which marks are written. A mark is a filter, and the language
/// charges for the text that a filter takes and for the text that it returns: without this, a text could be only a fifth
/// as long where somebody looks whether it is there.
const MARKED: u64 = 8;

/// Bytes of text that one step of the language writes.
const TEXT_A_STEP: u64 = 64;

/// The language of templates: immutable, the same for every program.
pub(super) fn language() -> &'static Environment<'static> {
    static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut language = Environment::new();
        language.set_undefined_behavior(UndefinedBehavior::Strict);
        language.set_fuel(Some(FUEL));
        language.add_function("pick", pick);
        language.add_function("rand_int", rand_int);
        language.add_function("uuid", uuid);
        language.add_function("now_ms", crate::clock::now_ms);
        language.add_function("env", env);
        language.add_function("base64", |text: &str| base64::engine::general_purpose::STANDARD.encode(text));
        language.add_function("hmac", sign);
        language.add_filter("urlencode", urlencode);
        predicate::register(&mut language);
        presence::register(&mut language);
        product::register(&mut language);
        rounding::register(&mut language);
        slicing::register(&mut language);
        text::register(&mut language);
        language.add_filter("tojson", to_json);
        language
    });
    &LANGUAGE
}

/// The same for expressions into which marks are written.
pub(super) fn language_of_marked() -> &'static Environment<'static> {
    static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut language = language().clone();
        language.set_fuel(Some(MARKED * FUEL));
        language
    });
    &LANGUAGE
}

/// Percent-encodes as `encodeURIComponent` of ECMAScript does, so that the result can stand anywhere in a path or a query:
/// everything but letters, digits and `-_.!~*'()`. An object becomes `name=value&name=value`, each part encoded.
#[expect(clippy::needless_pass_by_value, reason = "the language hands arguments over by value")]
fn urlencode(value: Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Err(invalid("null cannot be encoded")),
        ValueKind::Map => {
            let mut pairs = Vec::new();
            for key in value.try_iter()? {
                let part = value.get_item(&key)?;
                pairs.push(format!("{}={}", component(&text(&key)?), component(&text(&part)?)));
            }
            Ok(pairs.join("&"))
        }
        _ => Ok(component(&text(&value)?)),
    }
}

/// The filter of the language, which knows nothing of numbers with more digits than its own: they are texts to it that
/// are made numbers again afterwards.
#[expect(clippy::needless_pass_by_value, reason = "the language hands arguments over by value")]
fn to_json(
    state: &mut State<'_, '_>,
    value: Value,
    indent: Option<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let indent = indent.or(named.get("indent")?);
    named.assert_all_used()?;
    let exact = number::met_exact() && number::holds_exact(&value);
    let value = if exact { number::marked(&value) } else { value };
    let arguments: Vec<Value> = std::iter::once(value).chain(indent).collect();
    let json = predicate::original().empty_state().apply_filter("tojson", &arguments)?;
    state.consume_fuel(json.as_str().map_or(0, str::len) as u64 / TEXT_A_STEP)?;
    if !exact {
        return Ok(json);
    }
    Ok(Value::from_safe_string(number::unmarked(json.as_str().unwrap_or_default())))
}

/// A value as it is written into a text.
fn text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    super::write::text(value, &mut out).map_err(invalid)?;
    Ok(out)
}

fn component(text: &str) -> String {
    const KEPT: &[u8] = b"-_.!~*'()";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || KEPT.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
    }
    encoded
}

fn random<T>(state: &State<'_, '_>, draw: impl FnOnce(&Random) -> T) -> Result<T, Error> {
    let value = state.lookup(RANDOM).ok_or_else(|| invalid("no random numbers here"))?;
    value.downcast_object_ref::<Random>().map(draw).ok_or_else(|| invalid("no random numbers here"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

#[expect(clippy::needless_pass_by_value, reason = "the language hands arguments over by value")]
fn pick(state: &mut State<'_, '_>, list: Value) -> Result<Value, Error> {
    let length = list.len().unwrap_or(0);
    if length == 0 {
        return Err(invalid("`pick` from an empty list"));
    }
    let index = random(state, |random| random.choices().random_range(0..length))?;
    if list.kind() == ValueKind::Iterable {
        // The items of a repeated list are walked through, one after another.
        state.consume_fuel(u64::try_from(length).unwrap_or(u64::MAX) / predicate::ITEMS_A_STEP)?;
    }
    list.get_item_by_index(index)
}

fn rand_int(state: &mut State<'_, '_>, low: i64, high: i64) -> Result<i64, Error> {
    if low > high {
        return Err(invalid(format!(
            "`rand_int({low}, {high})`: the first number must not be above the second"
        )));
    }
    random(state, |random| random.choices().random_range(low..=high))
}

/// A version 4 UUID (RFC 9562). Its generator is seeded anew for every run, unless the plan names a seed: a
/// service that keeps what it was given refuses an identifier that it has seen in an earlier run.
fn uuid(state: &mut State<'_, '_>) -> Result<String, Error> {
    let bits: u128 = random(state, |random| random.identifiers().random())?;
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn env(state: &mut State<'_, '_>, name: &str) -> Result<Value, Error> {
    let values = state.lookup(ENVIRONMENT).ok_or_else(|| invalid("no environment here"))?;
    values
        .get_attr(name)
        .ok()
        .filter(|value| !value.is_undefined())
        .ok_or_else(|| invalid(format!("environment variable `{name}` is not set")))
}

#[expect(clippy::needless_pass_by_value, reason = "the language hands arguments over by value")]
/// `hmac(key, message)`: HMAC-SHA-256 (RFC 2104) in hexadecimal; `hmac(key, message, "base64")` in base64.
fn sign(key: &str, message: &str, form: Rest<String>) -> Result<String, Error> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message.as_bytes());
    match form.first().map_or("hex", String::as_str) {
        "hex" => Ok(tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))),
        "base64" => Ok(base64::engine::general_purpose::STANDARD.encode(tag.as_ref())),
        other => Err(invalid(format!("`hmac` writes `hex` or `base64`, not `{other}`"))),
    }
}
