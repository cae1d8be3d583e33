//! Broken files of a baseline, and what is said about them.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::result::fixture;

const NAME: &str = "run-20261124T101500Z-0a1b2c3d";

fn whole() -> String {
    document::run_text(&Run::of(&fixture::small(), None)).unwrap()
}

fn told(defects: &[Defect]) -> String {
    let line = |it: &Defect| {
        let place = it.place.map_or_else(|| "-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        format!("{place} {} [{}]", it.what, it.valid)
    };
    defects.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is said about a run of this text.
fn said(text: &str) -> String {
    match parse(Path::new("x.json"), text, Kind::Run) {
        Ok(document) => format!("{document:?}").chars().take(40).collect(),
        Err(defects) => told(&defects),
    }
}

fn spoilt(good: &str, bad: &str) -> String {
    let text = whole();
    assert!(text.contains(good), "{good} is not in {text}");
    said(&text.replacen(good, bad, 1))
}

#[test]
fn a_broken_document_is_told_with_its_place() {
    let text = whole();
    let conflict = text.replacen("  \"env\"", "<<<<<<< HEAD\n  \"env\"", 1);
    let all = [
        said(""),
        said("\n \n"),
        said("<html>"),
        said("[]"),
        said("null"),
        said(&text[..text.len() / 2]),
        said(&conflict),
        said(&text.replacen("\n}\n", "\n=======\n}\n", 1)),
        said(&format!("{text}}}")),
        spoilt("\"p50_ms\":", "\"p50_ms\":NaN,\"x\":"),
        spoilt("\"p50_ms\":", "\"p50_ms\":-Infinity,\"x\":"),
        spoilt("\"p50_ms\":", "\"p50_ms\":1e999,\"x\":"),
        spoilt("\"p50_ms\":", "\"p50_ms\":null,\"x\":"),
        spoilt("\"p50_ms\":", "\"p50_ms\":-"),
        spoilt("\"n\":1000", "\"n\":0"),
        spoilt("\"n\":1000", "\"n\":-1"),
        spoilt("\"n\":1000", "\"n\":1000,\"new\":1"),
        spoilt("2026-11-24T10:15:00Z", "yesterday"),
        spoilt("\"schema\": 1", "\"schema\": 0"),
        spoilt("\"schema\": 1", "\"schema\": \"1\""),
        spoilt("  \"schema\": 1,\n", ""),
        spoilt("  \"plan_digest\": \"0f1e2d\",\n", ""),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    1:1 is cut off: it ends in the middle of the document [a whole document, as loadgate wrote it]
    3:1 is cut off: it ends in the middle of the document [a whole document, as loadgate wrote it]
    1:1 is not JSON: expected value [a whole document, as loadgate wrote it]
    1:2 is JSON, but no document of a baseline [a whole document, as loadgate wrote it]
    1:4 is JSON, but no document of a baseline [a whole document, as loadgate wrote it]
    15:11 is cut off: it ends in the middle of the document [a whole document, as loadgate wrote it]
    3:1 holds the marks of a merge conflict [what one side had: no two branches write the same file, so no merge has to]
    18:1 holds the marks of a merge conflict [what one side had: no two branches write the same file, so no merge has to]
    19:1 is not JSON: trailing characters [a whole document, as loadgate wrote it]
    7:86 has `NaN`, which is no number [a finite number]
    7:87 has `-Infinity`, which is no number [a finite number]
    7:90 has `1e999`, which is no number [a finite number]
    7:89 does not follow schema 1: invalid type: null, expected f64 [a whole document, as loadgate wrote it]
    7:86 has -59.97 as `p50_ms` of `GET /health` [a time from 0.001 to 3600000 ms]
    7:72 has 0 as `n` of `GET /health` [a count from 1 on]
    7:73 does not follow schema 1: invalid value: integer `-1`, expected u64 [a whole document, as loadgate wrote it]
    7:81 does not follow schema 1: unknown field `new`, expected one of `p50_ms`, `p95_ms`, `p99_ms`, `p75_ms`, `p90_ms`, `p999_ms`, `mean_ms`, `max_ms`, `requests_per_second`, `error_rate`, `n`, `timed_out`, `unfinished`, `whole_run`, `sockets` [a whole document, as loadgate wrote it]
    14:11 has no time in `time`: `yesterday` [a time such as `2026-11-24T10:15:00Z`]
    12:13 has no version that there is in `schema` [`"schema": 1`]
    12:13 has no version that there is in `schema` [`"schema": 1`]
    - has no version that there is in `schema` [`"schema": 1`]
    17:1 does not follow schema 1: missing field `plan_digest` [a whole document, as loadgate wrote it]
    "#);
}

#[test]
fn a_later_version_is_left_alone() {
    for text in ["{\"schema\": 2}", "{\"schema\": 18446744073709551615, \"metrics\": [{}]}"] {
        assert_eq!(parse(Path::new("x.json"), text, Kind::Run), Ok(Document::Unknown));
        assert_eq!(parse(Path::new("x.json"), text, Kind::Epoch), Ok(Document::Unknown));
    }
}

#[test]
fn a_file_full_of_absurd_numbers_is_told_in_a_few_lines() {
    let numbers =
        "{\"error_rate\":2,\"n\":0,\"p50_ms\":1,\"p95_ms\":1,\"p99_ms\":1,\"requests_per_second\":1}";
    let lines: Vec<_> = (0..40).map(|index| format!("\"GET /{index}\": {numbers}")).collect();
    let text = spoilt("\"GET /health\"", &format!("{},\n\"GET /health\"", lines.join(",\n")));
    assert_eq!(text.lines().count(), 6);
    assert!(text.starts_with("7:29 has 2 as `error_rate` of `GET /0` [a share from 0 to 1]"), "{text}");
    assert!(text.ends_with("has 75 more such problems [a whole document, as loadgate wrote it]"), "{text}");
}

#[test]
fn what_is_no_regular_small_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside.json");
    fs::write(&outside, whole()).unwrap();
    let path = folder.path().join(format!("{NAME}.json"));
    let refused = |prepare: &dyn Fn()| {
        prepare();
        let defects = read(&path, (Kind::Run, NAME)).unwrap_err();
        if path.is_dir() && !path.is_symlink() { fs::remove_dir(&path) } else { fs::remove_file(&path) }
            .unwrap();
        told(&defects)
    };
    let pipe = || {
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::from(0o600), 0)
            .unwrap();
    };
    let all = [
        refused(&|| symlink(&outside, &path).unwrap()),
        refused(&|| symlink("nowhere", &path).unwrap()),
        refused(&|| fs::create_dir(&path).unwrap()),
        refused(&pipe),
        refused(&|| File::create(&path).unwrap().set_len(100 << 20).unwrap()),
        refused(&|| fs::write(&path, vec![b' '; (16 << 20) + 1]).unwrap()),
        refused(&|| fs::write(&path, b"{\n\"a\": \"\xff\"}").unwrap()),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
- is a symbolic link [a regular file: replace it by what it stands for, or delete it]
- is a symbolic link [a regular file: replace it by what it stands for, or delete it]
- is not a regular file [a regular file: replace it by what it stands for, or delete it]
- is not a regular file [a regular file: replace it by what it stands for, or delete it]
- has 100 MiB [at most 16 MiB; a remembered run has a few KiB]
- has 16.0 MiB [at most 16 MiB; a remembered run has a few KiB]
2:7 is not UTF-8 [a whole document, as loadgate wrote it]
");
    fs::write(&path, whole()).unwrap();
    assert!(matches!(read(&path, (Kind::Run, NAME)), Ok(Document::Run(_))));
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str| {
        let path = folder.path().join(format!("{name}.json"));
        fs::write(&path, whole()).unwrap();
        told(&read(&path, (Kind::Run, name)).unwrap_err())
    };
    insta::assert_snapshot!([refused("run-1"), refused("run-20261125T101500Z-0a1b2c3d")].join("\n"), @r"
- has a name that loadgate does not give [a name such as run-<YYYYMMDD>T<HHMMSS>Z-<8 hexadecimal digits>.json; files of other names are left alone]
14:11 is of `2026-11-24T10:15:00Z`, and its name says `20261125T101500Z` [the name that loadgate gave it]
");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0_usize..900, byte in 0_u8..128) {
        let mut text = whole().into_bytes();
        let at = at.min(text.len() - 1);
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        let _ = parse(Path::new("x.json"), &text, Kind::Run);
        let _ = parse(Path::new("x.json"), &text[..at], Kind::Epoch);
    }
}
