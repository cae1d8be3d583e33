//! Results that no run has written.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::result::file::to_json;
use crate::result::fixture::{rich, small};
use crate::result::verdict::{Status, Verdict};

fn judged() -> RunResult {
    let verdict = Verdict {
        status: Status::Passed,
        reasons: Vec::new(),
        exit_status: 0,
        findings: Vec::new(),
        checks: Vec::new(),
        deltas: Vec::new(),
        comparison: None,
    };
    RunResult { verdict: Some(verdict), ..rich() }
}

fn document() -> Value {
    serde_json::to_value(judged()).unwrap()
}

/// Why the document is refused with this value at this place.
fn refusal(pointer: &str, value: Value) -> String {
    let mut document = document();
    *document.pointer_mut(pointer).unwrap() = value;
    told(&document.to_string())
}

fn told(text: &str) -> String {
    use std::error::Error;
    match read(text.as_bytes()) {
        Ok(_) => "nothing".to_owned(),
        Err(error) => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

#[test]
fn what_a_run_writes_is_read_whole() {
    for result in [judged(), RunResult { seed: u64::MAX, verdict: judged().verdict, ..small() }] {
        assert_eq!(read(to_json(&result).unwrap().as_bytes()).unwrap(), result);
    }
}

#[test]
fn no_number_is_so_large_that_a_sum_of_two_is_none() {
    let text = document().to_string();
    for number in ["1e308", "-1e308", "1e16", "1e999", "NaN", "Infinity", "-Infinity", "18446744073709551615"]
    {
        for field in ["\"duration_s\":30.0", "\"rss_mb\":20.4", "\"unfinished\":7"] {
            let name = field.split_once(':').unwrap().0;
            let edited = text.replace(field, &format!("{name}:{number}"));
            assert_ne!(edited, text);
            assert!(told(&edited).contains("is nothing that a run writes"), "{number}: {}", told(&edited));
        }
    }
}

#[test]
fn no_list_is_longer_than_a_run_makes_it() {
    let many = |n: usize, value: &Value| Value::Array(vec![value.clone(); n]);
    let endpoint = document()["endpoints"][0].clone();
    for (pointer, value, most) in [
        ("/endpoints", many(1_000_000, &json!({})), 10_000),
        ("/endpoints", many(10_001, &endpoint), 10_000),
        ("/metrics", many(10_001, &json!(0)), 10_000),
        ("/warnings", many(10_001, &json!("")), 10_000),
        ("/failures", many(50_001, &json!(0)), 50_000),
        ("/verdict/checks", many(50_001, &json!(0)), 50_000),
        ("/series", many(20_001, &json!(0)), 20_000),
        ("/capacity", many(10_001, &json!(0)), 10_000),
        ("/schema", many(10_001, &json!(1)), 10_000),
    ] {
        let said = refusal(pointer, value);
        assert!(said.contains(&format!("more than {most} elements")), "{pointer}: {said}");
    }
    let names: serde_json::Map<_, _> = (0..10_001).map(|n| (n.to_string(), json!(0))).collect();
    assert!(refusal("/totals/failed", names.into()).contains("more than 10000 elements"));
}

#[test]
fn many_short_lists_are_one_long_one() {
    let text = format!("[{}0]", format!("[{}0],", "0,".repeat(1_998)).repeat(1_998));
    assert!(bounds::check(text.as_bytes()).is_ok(), "four million values");
    let text = format!("[{}0]", format!("{text},").repeat(2));
    let said = bounds::check(text.as_bytes()).unwrap_err().to_string();
    assert!(said.starts_with("too many values"), "{said}");
}

#[test]
fn no_text_is_longer_than_a_run_writes_it() {
    for (pointer, longest) in [
        ("/name", 500),
        ("/scenario", 500),
        ("/endpoints/0/name", 500),
        ("/failures/0/endpoint", 500),
        ("/target", 4_000),
        ("/failures/0/samples/0", 4_000),
        ("/totals/response_time/histogram", 1 << 20),
    ] {
        let said = refusal(pointer, "x".repeat(longest + 1).into());
        assert!(said.contains(&format!("a text of more than {longest} bytes")), "{pointer}: {said}");
    }
    let field = document().to_string().replacen('{', &format!("{{\"{}\":0,", "x".repeat(501)), 1);
    assert!(told(&field).contains("a text of more than 500 bytes"));
}

#[test]
fn nothing_is_deeper_than_a_run_makes_it() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let text = document().to_string();
    let with = |value: &str| text.replace("\"capacity\":null", &format!("\"capacity\":{value}"));
    assert_eq!(told(&with(&nested(15))), "nothing");
    assert!(told(&with(&nested(16))).contains("more than 16 levels"));
    assert!(told(&with(&nested(1_000_000))).contains("more than 16 levels"));
    assert!(told(&"{\"a\":".repeat(1_000_000)).contains("more than 16 levels"));
}

#[test]
fn a_field_of_a_later_version_does_nothing() {
    let mut document = document();
    document["later"] = json!({ "markdown": "@everyone" });
    document["capacity"] = json!(["@everyone"]);
    assert_eq!(read(document.to_string().as_bytes()).unwrap(), judged());
}

#[test]
fn what_is_no_whole_result_of_this_version_is_refused() {
    for (pointer, value, said) in [
        ("/schema", json!(2), "`result.json` has schema 2, this version reads schema 1"),
        ("/schema", json!("1"), "`result.json` is not a result: it has no number `schema`"),
        ("/verdict", Value::Null, "`result.json` has no verdict"),
        (
            "/verdict/status",
            json!("great"),
            "`result.json` does not follow schema 1: unknown variant `great`",
        ),
        ("/whole_run/ok", json!(1), "`result.json` contradicts itself: ok in whole_run"),
        ("/totals/response_time/histogram", json!("AAAA"), "`result.json` contradicts itself: the histogram"),
        ("/name", json!(7), "`result.json` does not follow schema 1: invalid type"),
    ] {
        let told = refusal(pointer, value);
        assert!(told.starts_with(said), "{pointer}: {told}");
    }
    let mut salvaged = document();
    salvaged["salvaged"] = json!({ "cut_in": null, "missing": [] });
    assert!(told(&salvaged.to_string()).contains("is cut off"));
    let text = document().to_string();
    for text in ["", "null", "[]", "{}", "PK\u{3}\u{4}", &text[..text.len() - 1], &format!("{text}{{}}")] {
        assert_ne!(told(text), "nothing", "{text:.40}");
    }
    assert!(read(b"{\"schema\":1,\"name\":\"\xff\"}").is_err());
}

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_edit_makes_it_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = TEXT.clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }
}
