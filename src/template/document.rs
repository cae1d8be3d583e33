//! A JSON text as services send it and files hold it: queried as a tree, and read as values of the language.
//!
//! The tree that paths are asked of rounds numbers to 64 bits and sorts keys. So what is found in it is only a
//! place wherever that would change the value, and the value itself is read again from the text: numbers keep
//! their digits, objects the order of their keys.

use std::cell::OnceCell;
use std::fmt;

use super::query::Query;
use bytes::Bytes;
use minijinja::Value;
use minijinja::value::ValueKind;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::number;
use super::place::{Step, locate, walk};

/// What a text that is wanted as JSON begins with in the other encodings that Unicode names.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The deepest nesting of lists and objects that is read; the limit of the parser.
const DEEPEST: usize = 127;
/// Begins a string that stands for something else in a text that was rewritten. It is no character, and a string
/// that begins with it all the same is marked as well.
const MARK: &str = "\u{FDD0}";

/// A JSON text. It is parsed once for each kind of question, when it is first asked.
#[derive(Debug)]
pub struct Document {
    text: Bytes,
    long_numbers: bool,
    rewritten: OnceCell<Option<Bytes>>,
    tree: OnceCell<Result<Json, String>>,
    value: OnceCell<Result<Value, String>>,
    /// What paths found that were asked ahead: the first of it, or nothing.
    answers: Vec<(Query, Option<Vec<Step>>)>,
}

/// What a path found.
#[derive(Debug)]
pub struct Found<'d> {
    document: &'d Document,
    node: &'d Json,
    /// Where it is, if that is known.
    place: Option<&'d [Step]>,
    value: OnceCell<Value>,
}

impl Document {
    /// A text, not parsed yet. A byte order mark is skipped. An error says why the text cannot be JSON.
    pub fn new(text: Bytes) -> Result<Self, String> {
        let text = match text.get(..2) {
            Some(b"\xEF\xBB") if text.starts_with(BYTE_ORDER_MARK) => text.slice(BYTE_ORDER_MARK.len()..),
            Some(b"\xFF\xFE" | b"\xFE\xFF") => {
                return Err("it is UTF-16, and JSON is sent as UTF-8 (RFC 8259)".to_owned());
            }
            _ => text,
        };
        let long_numbers = has_long_numbers(&text);
        let (rewritten, tree, value) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Ok(Self { text, long_numbers, rewritten, tree, value, answers: Vec::new() })
    }

    /// Parses it for paths now, and asks these, so that nothing is left to be parsed or searched for when it is asked.
    /// What is wrong with it is told then.
    pub fn prepare<'p>(&mut self, paths: impl IntoIterator<Item = &'p Query>) {
        let _ = self.is_usual();
        let Ok(tree) = self.tree() else { return };
        let answer = |path: &Query| {
            let place = path.first(tree).and_then(|node| {
                let mut place = Vec::new();
                locate(tree, node, &mut place).then_some(place)
            });
            (path.clone(), place)
        };
        self.answers = paths.into_iter().map(answer).collect();
    }

    /// Whether a path was asked ahead.
    pub fn has_asked(&self, path: &Query) -> bool {
        self.answers.iter().any(|(asked, _)| asked == path)
    }

    /// Whether the value of what a path finds has to be read from the whole text, which parses it as a value.
    pub fn reads_again(&self, path: &Query) -> bool {
        let found = self.first(path).ok().flatten();
        found.is_some_and(|found| match found.node {
            Json::Null | Json::Bool(_) => false,
            Json::String(_) | Json::Number(_) => !self.is_usual(),
            Json::Array(_) | Json::Object(_) => true,
        })
    }

    /// The whole text as a value of the language. An error names the reason and the place.
    pub fn value(&self) -> Result<&Value, &str> {
        let read = || {
            let marked = || self.rewritten().and_then(|text| read(text, Marks::Some).ok());
            if let Some(value) = self.long_numbers.then(marked).flatten() {
                return Ok(value);
            }
            read(&self.text, Marks::None).or_else(|error| marked().ok_or_else(|| explain(&self.text, &error)))
        };
        self.value.get_or_init(read).as_ref().map_err(String::as_str)
    }

    /// The first thing that a path finds. An error names the reason and the place why the text is not JSON.
    pub fn first<'d>(&'d self, path: &Query) -> Result<Option<Found<'d>>, &'d str> {
        let tree = self.tree()?;
        let (node, place) = match self.answers.iter().find(|(asked, _)| asked == path) {
            Some((_, place)) => (place.as_ref().and_then(|place| walk(tree, place)), place.as_deref()),
            None => (path.first(tree), None),
        };
        Ok(node.map(|node| Found { document: self, node, place, value: OnceCell::new() }))
    }

    fn tree(&self) -> Result<&Json, &str> {
        let read = || {
            serde_json::from_slice(&self.text).or_else(|error| {
                let again = self.rewritten().and_then(|text| serde_json::from_slice(text).ok());
                again.ok_or_else(|| explain(&self.text, &error))
            })
        };
        self.tree.get_or_init(read).as_ref().map_err(String::as_str)
    }

    /// The text with everything marked that the parser would round or refuse; none where there is nothing.
    fn rewritten(&self) -> Option<&Bytes> {
        self.rewritten.get_or_init(|| rewrite(&self.text).map(Bytes::from)).as_ref()
    }

    /// Whether the tree holds all numbers and strings as they are.
    pub fn is_usual(&self) -> bool {
        match self.rewritten.get() {
            Some(rewritten) => rewritten.is_none(),
            None => !self.long_numbers || self.rewritten().is_none(),
        }
    }
}

impl Found<'_> {
    /// It as a value of the language.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| match self.node {
            Json::Null => Value::from(()),
            Json::Bool(value) => Value::from(*value),
            Json::String(text) if self.document.is_usual() => Value::from(text.as_str()),
            Json::Number(number) if self.document.is_usual() => number
                .as_i64()
                .map(Value::from)
                .or_else(|| number.as_u64().map(Value::from))
                .unwrap_or_else(|| Value::from(number.as_f64())),
            _ => self.read_again().unwrap_or_default(),
        })
    }

    /// Whether it is the same JSON as the whole of another text: numbers by their value, a wanted fraction of 64 bits
    /// as rounded to them, objects whatever the order of their keys.
    pub fn is_same_as(&self, wanted: &Document) -> bool {
        if self.document.is_usual() && wanted.is_usual() {
            return wanted.tree().is_ok_and(|wanted| same_json(self.node, wanted));
        }
        wanted.value().is_ok_and(|wanted| same_value(self.value(), wanted))
    }

    fn read_again(&self) -> Option<Value> {
        let tree = self.document.tree().ok()?;
        let mut located = Vec::new();
        let place = match self.place {
            Some(place) => place,
            None => locate(tree, self.node, &mut located).then_some(&*located)?,
        };
        let mut value = self.document.value().ok()?.clone();
        for step in place {
            value = match step {
                Step::Name(name) => value.get_attr(name).ok()?,
                Step::Index(index) => value.get_item_by_index(*index).ok()?,
            };
        }
        Some(value)
    }
}

/// The value of a JSON text. An error names the reason and the place.
pub fn json_value(text: &str) -> Result<Value, String> {
    Document::new(Bytes::copy_from_slice(text.as_bytes()))?.value().cloned().map_err(str::to_owned)
}

fn same_json(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            left == right || number::is_wanted(&left.to_string(), &right.to_string())
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_json(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            let same = |(key, left): (&String, &Json)| right.get(key).is_some_and(|it| same_json(left, it));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

fn same_value(left: &Value, right: &Value) -> bool {
    if let (Some(left), Some(right)) = (number_text(left), number_text(right)) {
        return number::is_wanted(&left, &right);
    }
    match (left.kind(), right.kind()) {
        (ValueKind::Seq, ValueKind::Seq) => {
            let items = |value: &Value| value.try_iter().into_iter().flatten().collect::<Vec<_>>();
            let (left, right) = (items(left), items(right));
            left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| same_value(left, right))
        }
        (ValueKind::Map, ValueKind::Map) => {
            let same = |(key, item): (Value, Value)| {
                right.get_item(&key).is_ok_and(|other| !other.is_undefined() && same_value(&item, &other))
            };
            left.len() == right.len() && number::entries(left).all(same)
        }
        (left_kind, right_kind) => left_kind == right_kind && left == right,
    }
}

fn number_text(value: &Value) -> Option<String> {
    if value.is_number() {
        return serde_json::to_string(value).ok();
    }
    number::exact_text(value).map(str::to_owned)
}

/// Whether somewhere in a text stands a number that 64 bits may not hold: so many digits together, or one that is so
/// close to 0 that the parser takes it for that. Every run of 16 digits covers a position that is looked at.
fn has_long_numbers(text: &[u8]) -> bool {
    const RUN: usize = 16;
    let part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    // `1e-400`.
    let tiny = |at: usize| {
        let exponent = text.get(at + 1..at + 4).is_some_and(|it| it.iter().all(u8::is_ascii_digit));
        let before = text[..at].last_chunk::<2>();
        exponent && before.is_some_and(|[digit, e]| digit.is_ascii_digit() && matches!(e, b'e' | b'E'))
    };
    if memchr::memchr_iter(b'-', text).any(tiny) {
        return true;
    }
    (RUN - 1..text.len()).step_by(RUN).filter(|at| part(&&text[*at])).any(|at| {
        let before = text[..at].iter().rev().take(RUN).take_while(part).count();
        let behind = text[at..].iter().take(RUN).take_while(part).count();
        before + behind >= RUN
    })
}

/// Marks the numbers that 64 bits do not hold, and reads a lone surrogate as the replacement character, as
/// everybody must who keeps text in UTF-8 (ECMAScript and Python pass it on). None where the text has neither.
fn rewrite(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut copied, mut at, mut changed) = (Vec::new(), 0, 0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at + 1);
                let inside = &text[at + 1..end];
                if starts_with_mark(inside) {
                    out.extend_from_slice(&text[copied..=at]);
                    out.extend_from_slice(MARK.as_bytes());
                    out.push(b's');
                    copied = at + 1;
                }
                for lone in lone_surrogates(inside) {
                    out.extend_from_slice(&text[copied..at + 1 + lone]);
                    out.extend_from_slice(b"\\ufffd");
                    copied = at + 1 + lone + 6;
                    changed = true;
                }
                at = end + 1;
            }
            b'-' | b'0'..=b'9' => {
                let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = at + text[at..].iter().take_while(part).count();
                let token = std::str::from_utf8(&text[at..end]).unwrap_or("");
                if is_number(token) && !number::is_usual(token) {
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(format!("\"{MARK}n{token}\"").as_bytes());
                    copied = end;
                    changed = true;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if !changed {
        return None;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// The position of the quote that ends a string whose inside begins at `start`, or the end of the text.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn starts_with_mark(inside: &[u8]) -> bool {
    let escaped = inside.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"\\ufdd0"));
    escaped || inside.starts_with(MARK.as_bytes())
}

/// Where in a string the escapes of surrogates stand that are no pair.
fn lone_surrogates(inside: &[u8]) -> Vec<usize> {
    let unit = |at: usize| {
        let digits = inside.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut lone, mut at) = (Vec::new(), 0);
    while let Some(byte) = inside.get(at) {
        if *byte != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                lone.push(at);
                at += 6;
            }
            _ => at += 2,
        }
    }
    lone
}

/// The grammar of a number (RFC 8259, section 6): `-`? integer fraction? exponent?
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, power) = match rest.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, Some(power)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && power.is_none_or(|power| digits(power.strip_prefix(['+', '-']).unwrap_or(power)))
}

/// Why a text is not JSON, and where.
fn explain(text: &[u8], error: &serde_json::Error) -> String {
    let told = error.to_string();
    if told.starts_with("recursion limit exceeded") {
        let place = told.trim_start_matches("recursion limit exceeded");
        return format!("nested deeper than {DEEPEST} levels{place}; at most {DEEPEST} are read");
    }
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let behind = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    // The parser stops within a word: at its first letter, or behind the sign.
    let word = ["NaN", "Infinity"].into_iter().find(|word| behind.starts_with(word.as_bytes()));
    match word {
        Some(word) => {
            format!("`{word}` is not a value in JSON, at line {} column {}", error.line(), error.column())
        }
        None => told,
    }
}

/// Whether strings that begin with [`MARK`] stand for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    None,
    Some,
}

fn read(text: &[u8], marks: Marks) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Reader(marks).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads a value of the language: of keys that stand twice the last one counts, as in ECMAScript.
#[derive(Clone, Copy)]
struct Reader(Marks);

impl Reader {
    fn text(self, text: &str) -> Value {
        match text.strip_prefix(MARK).filter(|_| self.0 == Marks::Some) {
            Some(marked) => match marked.strip_prefix('n') {
                Some(digits) => number::value(digits),
                None => Value::from(marked.strip_prefix('s').unwrap_or(marked)),
            },
            None => Value::from(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::from(()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(self.text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::from(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            pairs.push((key, entries.next_value_seed(self)?));
        }
        Ok(Value::from_pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::json_text;

    fn document(text: &str) -> Document {
        Document::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn found(text: &str, path: &str) -> String {
        let (document, path) = (document(text), Query::parse(path).unwrap());
        let found = document.first(&path).unwrap().unwrap();
        json_text(found.value())
    }

    fn is(text: &str, path: &str, wanted: &str) -> bool {
        let (text, path) = (document(text), Query::parse(path).unwrap());
        text.first(&path).unwrap().unwrap().is_same_as(&document(wanted))
    }

    #[test]
    fn numbers_of_any_length_come_out_as_they_went_in() {
        for number in [
            "2733382000000000049",
            "18446744073709551615",
            "18446744073709551616",
            "123456789012345678901234567890",
            "1234567890123456789012345678901234567890123456789",
            "0.1234567890123456789",
            "-9223372036854775808",
            "1e400",
            "1e-400",
            "-12.5E-324",
            "10",
            "0.5",
        ] {
            let text = format!(r#"{{"z": [{{"n": {number}, "s": "{number}"}}], "a": {number}}}"#);
            assert_eq!(found(&text, "$.a"), number);
            assert_eq!(found(&text, "$.z[0].n"), number);
            assert_eq!(found(&text, "$.z"), format!(r#"[{{"n":{number},"s":"{number}"}}]"#));
        }
    }

    #[test]
    fn objects_keep_the_order_of_their_keys_and_the_last_of_two() {
        assert_eq!(
            found(r#"{"o": {"z": 1, "a": 2, "m": {"y": 1, "b": 2}}}"#, "$.o"),
            r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#
        );
        assert_eq!(found(r#"{"z": 1, "a": 2, "z": 3}"#, "$"), r#"{"z":3,"a":2}"#);
    }

    #[test]
    fn json_is_the_same_by_value() {
        for (text, path, wanted, same) in [
            (r#"{"n": 10.0}"#, "$.n", "10", true),
            (r#"{"n": 1e1}"#, "$.n", "10", true),
            (r#"{"l": [{"n": 7}, 1.50]}"#, "$.l", r#"[{"n": 7.0}, 15e-1]"#, true),
            (r#"{"l": [{"n": 7}]}"#, "$.l", r#"[{"n": 8}]"#, false),
            (r#"{"a": 1, "b": 2}"#, "$", r#"{"b": 2.0, "a": 1}"#, true),
            (r#"{"a": 1, "b": 2}"#, "$", r#"{"b": 2}"#, false),
            (r#"{"n": 9007199254740993}"#, "$.n", "9007199254740992", false),
            (r#"{"n": 9007199254740993}"#, "$.n", "9007199254740993.0", true),
            (r#"{"n": 123456789012345678901234567890}"#, "$.n", "123456789012345678901234567891", false),
            (r#"{"n": [0.1234567890123456789]}"#, "$.n", "[0.12345678901234567890]", true),
            (r#"{"n": [0.1234567890123456789]}"#, "$.n", "[0.12345678901234568]", true),
            (r#"{"n": [0.1234567890123456789]}"#, "$.n", "[0.12345678901234567891]", false),
            (r#"{"p": 0.10000000000000001}"#, "$.p", "0.1", true),
            (r#"{"p": 0.10000000000000001, "n": 123456789012345678901}"#, "$.p", "0.1", true),
            (r#"{"n": "10"}"#, "$.n", "10", false),
            (r#"{"n": true}"#, "$.n", "1", false),
        ] {
            assert_eq!(is(text, path, wanted), same, "{text} {path} {wanted}");
        }
    }

    #[test]
    fn filters_of_paths_compare_long_numbers_as_numbers() {
        let text = r#"{"l": [{"p": 0.1234567890123456789, "i": 1}, {"p": 0.9, "i": 2}]}"#;
        assert_eq!(found(text, "$.l[?@.p > 0.5].i"), "2");
        assert_eq!(found(text, "$.l[?@.p < 0.5].p"), "0.1234567890123456789");
        assert_eq!(found(r#"[{"n": 10.0, "i": 1}]"#, "$[?@.n == 10].i"), "1");
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_a_lone_surrogate_is_replaced() {
        assert_eq!(found("\u{feff}{\"a\": 1}", "$.a"), "1");
        let text = "{\"s\": \"a\\ud83d b\\ude00\\ud83d\\ude00 \\\\ud83d\", \"z\": 1}";
        assert_eq!(found(text, "$.z"), "1");
        assert_eq!(found(text, "$.s"), "\"a\u{fffd} b\u{fffd}😀 \\\\ud83d\"");
    }

    #[test]
    fn what_looks_like_a_mark_is_text() {
        let text = format!(r#"{{"a": "{MARK}n5", "b": "\ufdd0s", "n": 18446744073709551616}}"#);
        assert_eq!(found(&text, "$.a"), format!("\"{MARK}n5\""));
        assert_eq!(found(&text, "$.b"), format!("\"{MARK}s\""));
    }

    #[test]
    fn what_is_not_json_says_why_and_where() {
        let why = |text: &[u8]| {
            let document = Document::new(Bytes::copy_from_slice(text));
            document.and_then(|document| document.value().cloned().map_err(str::to_owned)).unwrap_err()
        };
        assert_eq!(why(b"{\"z\": NaN}"), "`NaN` is not a value in JSON, at line 1 column 7");
        assert_eq!(why(b"\xFF\xFE{\0"), "it is UTF-16, and JSON is sent as UTF-8 (RFC 8259)");
        let deep = [b"[".repeat(200), b"]".repeat(200)].concat();
        assert_eq!(why(&deep), "nested deeper than 127 levels at line 1 column 128; at most 127 are read");
        assert!(why(b"{\"a\": 1,}").contains("line 1 column 9"), "{}", why(b"{\"a\": 1,}"));
        assert!(why(b"{\"a\": 1}\n{\"a\": 2}").contains("trailing characters at line 2"));
    }
}
