//! What is read, written and refused.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use super::*;
use crate::result::endpoint::{Endpoint, EndpointCounts};
use crate::result::fixture;
use crate::result::schema::Point;

fn name() -> RunName<'static> {
    let at: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
    RunName { scenario: "build_flow", environment: "demo", at }
}

fn read_text(text: &str) -> FileError {
    parse(text.as_bytes(), Path::new("r.json")).unwrap_err()
}

#[test]
fn a_result_is_read_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(dir.path(), name()).unwrap();
    let written = fixture::rich();
    let path = folder.write(RESULT_FILE, to_json(&written).unwrap().as_bytes()).unwrap();
    folder.point_latest().unwrap();
    assert_eq!(read(&path).unwrap(), written);
    assert_eq!(read(&dir.path().join("latest")).unwrap(), written);
    let files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["result.json"], "nothing temporary is left");
}

#[test]
fn folders_of_one_second_get_numbers_and_latest_moves_on() {
    let dir = tempfile::tempdir().unwrap();
    for expected in ["", "-2", "-3"] {
        let folder = RunFolder::open(dir.path(), name()).unwrap();
        folder.point_latest().unwrap();
        let file = format!("build_flow-demo-20261124T101500Z{expected}");
        assert_eq!(folder.path(), dir.path().join(&file));
        assert_eq!(fs::read_link(dir.path().join("latest")).unwrap(), Path::new(&file));
    }
}

#[test]
fn a_name_cannot_leave_the_output_folder() {
    let hostile = RunName { scenario: "../../etc", environment: "a/b c", ..name() };
    assert_eq!(folder_name(hostile), "-..-etc-a-b-c-20261124T101500Z");
    for (text, name) in [("", "-"), ("...", "-"), (".hidden", "hidden"), ("a\0b\n", "a-b-")] {
        assert_eq!(safe_name(text), name);
    }
}

#[test]
fn latest_is_a_link_or_a_warning_and_never_replaces_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let latest = dir.path().join(LATEST);
    // Left by a process that was killed, and may have had any number.
    symlink("gone", dir.path().join(format!(".latest-{}", std::process::id()))).unwrap();
    let folder = RunFolder::open(dir.path(), name()).unwrap();
    folder.point_latest().unwrap();
    assert_eq!(fs::read_link(&latest).unwrap(), folder.path().file_name().unwrap());
    fs::remove_file(&latest).unwrap();
    fs::create_dir(&latest).unwrap();
    fs::write(latest.join("mine"), "").unwrap();
    let error = folder.point_latest().unwrap_err();
    assert!(matches!(error, LatestError::Folder { .. }), "{error}");
    assert!(latest.join("mine").is_file());
    fs::remove_dir_all(&latest).unwrap();
    fs::write(&latest, "mine").unwrap();
    let error = folder.point_latest().unwrap_err();
    assert!(matches!(error, LatestError::File { .. }), "{error}");
    assert_eq!(fs::read_to_string(&latest).unwrap(), "mine");
    // Where nothing can be made, links cannot either.
    let nowhere = RunFolder { output_dir: "/proc".into(), path: folder.path().to_owned() };
    let error = nowhere.point_latest().unwrap_err();
    assert!(
        matches!(error, LatestError::Link { .. }) && error.to_string().contains("/proc/latest"),
        "{error}"
    );
    let hidden = |name: &str| name.starts_with('.') && !name.starts_with(".latest-");
    let names = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| hidden(name)).count(), 0, "nothing temporary is left");
}

#[test]
fn a_folder_that_cannot_be_made_is_told_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    fs::write(&file, "").unwrap();
    let error = RunFolder::open(&file, name()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create `{}`", file.display()));
}

#[test]
fn a_folder_that_is_removed_during_the_run_is_told_as_that() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(dir.path(), name()).unwrap();
    fs::remove_dir(folder.path()).unwrap();
    let error = folder.write(RESULT_FILE, b"{}").unwrap_err();
    assert!(
        error.hint().is_some_and(|hint| hint.contains("removed meanwhile")),
        "{error} {:?}",
        error.hint()
    );
    let dangling = dir.path().join("dangling");
    symlink("nowhere/at/all", &dangling).unwrap();
    let error = RunFolder::open(&dangling, name()).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("a link that leads nowhere")), "{error}");
}

#[test]
fn a_full_disk_has_a_hint() {
    let error = io_error("write", Path::new("reports/x"))(io::ErrorKind::StorageFull.into());
    assert!(error.hint().is_some_and(|hint| hint.contains("--output-dir")));
}

#[test]
fn what_is_no_result_says_why() {
    let whole = to_json(&fixture::small()).unwrap();
    let without = whole.replacen("\"scenario\"", "\"szenario\"", 1);
    for (text, message) in [
        ("", "`r.json` is cut off: it ends in the middle of the document"),
        (&whole[..whole.len() / 2], "`r.json` is cut off: it ends in the middle of the document"),
        ("<html>", "`r.json` is not JSON"),
        ("{}", "`r.json` is not a result: it has no number `schema`"),
        (r#"{"schema": "1"}"#, "`r.json` is not a result: it has no number `schema`"),
        (r#"{"schema": 2, "future": []}"#, "`r.json` has schema 2, this version reads schema 1"),
        (&without, "`r.json` does not follow schema 1"),
        (r#"{"schema": 1, "seed": 1e999}"#, "`r.json` is not JSON"),
    ] {
        let error = read_text(text);
        assert_eq!(error.to_string(), message, "{text:.40}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_field_of_a_later_version_is_ignored() {
    let text = to_json(&fixture::small()).unwrap().replacen('{', "{\"new\": 1,", 1);
    assert!(parse(text.as_bytes(), Path::new("r.json")).is_ok());
}

#[test]
fn a_file_beyond_the_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.json");
    File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
    assert!(matches!(read(&path), Err(FileError::TooLarge { .. })));
}

#[test]
fn a_result_of_5000_endpoints_is_compact_and_is_read_again() {
    let mut result = fixture::rich();
    let (endpoint, counts) = (result.endpoints[0].clone(), result.whole_run.endpoints[0].clone());
    let named = |index: usize| format!("GET /items/{index}");
    result.endpoints = (0..5_000).map(|index| Endpoint { name: named(index), ..endpoint.clone() }).collect();
    result.whole_run.endpoints =
        (0..5_000).map(|index| EndpointCounts { name: named(index), ..counts.clone() }).collect();
    let point = result.series[1].clone();
    let of_one = point.endpoints.values().next().unwrap().clone();
    let endpoints: BTreeMap<_, _> = (0..5_000).map(|index| (named(index), of_one.clone())).collect();
    // So many windows are kept of 110 s.
    result.series = (0_u8..38)
        .map(|second| Point { t_s: f64::from(second), endpoints: endpoints.clone(), ..point.clone() })
        .collect();
    let text = to_json(&result).unwrap();
    assert_eq!(text.lines().count(), 1);
    let read: RunResult = serde_json::from_str(&text).unwrap();
    assert_eq!(read, result);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(RESULT_FILE);
    fs::write(&path, &text).unwrap();
    assert!(!matches!(super::read(&path), Err(FileError::TooLarge { .. })), "{} MiB", text.len() >> 20);
    // What could not be read again is not written.
    result.series.extend((0..3).flat_map(|_| result.series.clone()).collect::<Vec<_>>());
    let error = to_json(&result).unwrap_err();
    assert!(error.to_string().contains("`series` alone has") && error.hint().is_some(), "{error}");
    // It is written without the endpoints of the points, and says so.
    let Fitting { text, warning } = to_fitting_json(&result, LARGEST as usize, |_| None).unwrap().unwrap();
    let read: RunResult = serde_json::from_str(&text).unwrap();
    assert!(warning.is_some_and(|warning| read.warnings.contains(&warning)));
    assert_eq!((read.series.len(), read.endpoints.len()), (result.series.len(), 5_000));
    assert!(read.series.iter().all(|point| point.endpoints.is_empty()));
    assert!(
        to_fitting_json(&fixture::rich(), 1 << 10, |_| None).unwrap().is_none(),
        "that is less than any result has"
    );
}

#[test]
fn a_named_link_keeps_pointing_and_what_is_no_file_is_written_into() {
    let dir = tempfile::tempdir().unwrap();
    let [target, link] = ["target.txt", "link.txt"].map(|name| dir.path().join(name));
    fs::write(&target, "old").unwrap();
    symlink("target.txt", &link).unwrap();
    write_named(&link, b"new").unwrap();
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), fs::read_link(&link).is_ok()), ("new", true));
    let dangling = dir.path().join("dangling");
    symlink("made.txt", &dangling).unwrap();
    write_named(&dangling, b"made").unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("made.txt")).unwrap(), "made");
    write_named(Path::new("/dev/null"), b"gone").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert!(write_named(dir.path(), b"no").is_err());
}

#[test]
fn what_killed_processes_left_beside_a_named_file_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join(".loadgate-0123456789ab.tmp");
    fs::write(&left, "half").unwrap();
    let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    File::options().write(true).open(&left).unwrap().set_times(long_ago).unwrap();
    write_named(&dir.path().join("report.html"), b"whole").unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn of_what_lies_in_a_folder_of_runs_only_what_loadgate_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    let put = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
        path
    };
    let probe = [atomic::PROBE_BYTE; 100];
    let run = |name: &str| dir.path().join(name);
    let ours = [
        put(run("a-b-20261124T101500Z/.probe"), &probe),
        put(run("a-b-20261124T101500Z-2/.result.json.tmp"), b"{"),
    ];
    let others = [
        put(run("a-b-20261124T101500Z-3/.probe"), b"health: /"),
        put(run("a-b-20261124T101500Z-x/.probe"), &probe),
        put(run("a-b-20261124/.probe"), &probe),
        put(run("backup/.result.json.tmp"), b"{"),
        put(run(".latest-notes"), b""),
        put(run(".latest-7"), b""),
        put(aside.path().join(".probe"), &probe),
    ];
    symlink(aside.path(), run("a-b-20261124T101501Z")).unwrap();
    sweep(dir.path());
    assert_eq!(ours.map(|path| path.exists()), [false; 2]);
    assert!(others.iter().all(|path| path.exists()), "{others:?}");
}
