//! Broken files: all of them are told at once, with their places, before anything is done.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use super::{FOLDER, ended};
use crate::harness::Workspace;

/// A name, what is written over a good run, and what is said after the name.
fn spoilt(good: &str) -> Vec<(&'static str, String, &'static str)> {
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        good.replacen(from, to, 1)
    };
    vec![
        ("00000001", good[..good.len() / 2].to_owned(), "is cut off: it ends in the middle of the document"),
        (
            "00000002",
            replaced("  \"env\"", "<<<<<<< HEAD\n  \"env\""),
            ":3:1\n     holds the marks of a merge conflict",
        ),
        ("00000003", "<html>\n".into(), ":1:1\n     is not JSON"),
        ("00000004", replaced("\"p95_ms\":", "\"p95_ms\":NaN,\"x\":"), "has `NaN`, which is no number"),
        ("00000005", replaced("\"p95_ms\":", "\"p95_ms\":Infinity,\"x\":"), "has `Infinity`"),
        ("00000006", replaced("\"p95_ms\":", "\"p95_ms\":1e400,\"x\":"), "has `1e400`"),
        ("00000007", replaced("\"p95_ms\":", "\"p95_ms\":-"), "as `p95_ms` of `GET /health`"),
        ("00000008", replaced("\"p50_ms\":", "\"p50_ms\":9"), "that fall"),
        ("00000009", replaced("\"error_rate\":", "\"error_rate\":1"), "`error_rate`"),
        ("0000000a", replaced("\"schema\": 1", "\"schema\": \"one\""), "has no version"),
        ("0000000b", replaced("\"GET /health\"", "\"\""), "a name of 0 characters"),
        (
            "0000000c",
            replaced("2026-11-24T10:00:00Z", "2027-01-01T10:00:00Z"),
            ":16:11\n     is of `2027-01-01",
        ),
        ("0000000d", replaced("\"cpu_class\"", "\"cpu_klass\""), "unknown field `cpu_klass`"),
    ]
}

#[test]
fn every_broken_file_is_told_at_once_and_nothing_is_touched() {
    let workspace = Workspace::with_results(0..2);
    workspace.update(&["0"]);
    let good = workspace.remembered().into_values().next().expect("a run");
    let cases = spoilt(&good);
    for (digest, text, _) in &cases {
        workspace.write(&format!("{FOLDER}/run-20261124T100000Z-{digest}.json"), text);
    }
    let path = |file: &str| workspace.path(&format!("{FOLDER}/{file}"));
    workspace.write("outside.json", &good);
    symlink("../../outside.json", path("run-20261124T100000Z-11111111.json")).expect("a link");
    symlink("/nowhere", path("epoch-20261124T100000Z-11111111.json")).expect("a link");
    let fifo = std::process::Command::new("mkfifo").arg(path("run-20261124T100000Z-22222222.json")).status();
    assert!(fifo.expect("mkfifo").success());
    fs::create_dir(path("run-20261124T100000Z-33333333.json")).expect("a folder");
    let huge = File::create(path("run-20261124T100000Z-44444444.json")).expect("a file");
    huge.set_len(100 << 20).expect("a sparse file");
    workspace.write(&format!("{FOLDER}/run-1.json"), &good);
    for ignored in ["README.md", ".gitkeep", "run-1.json~", ".run-1.json.swp"] {
        workspace.write(&format!("{FOLDER}/{ignored}"), "<<<<<<< not read");
    }
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(workspace.path(folder))
            .expect("a folder")
            .map(|it| it.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let before = names(FOLDER);
    for arguments in [&["baseline", "update", "1.json"][..], &["baseline", "update", "--runs", "1"], &["run"]]
    {
        let finished = workspace.run(arguments);
        ended(
            &finished,
            2,
            &["error: 19 files of the baseline cannot be used", "git checkout COMMIT -- FILE"],
        );
        let told = |part: &str, what: &str| {
            let block = finished.stderr.split(" --> ").find(|block| block.contains(part));
            assert!(block.is_some_and(|block| block.contains(what)), "{part}: {what}\n{}", finished.stderr);
        };
        for (digest, _, what) in &cases {
            told(digest, what);
        }
        for (part, what) in [
            ("run-20261124T100000Z-11111111", "is a symbolic link"),
            ("epoch-20261124T100000Z-11111111", "is a symbolic link"),
            ("22222222", "is not a regular file"),
            ("33333333", "is not a regular file"),
            ("44444444", "has 100 MiB"),
            ("run-1.json", "has a name that loadgate does not give"),
        ] {
            told(part, what);
        }
        assert!(!finished.stderr.contains("not read"));
    }
    assert_eq!(names(FOLDER), before);
    assert!(!workspace.path("reports").exists(), "there was traffic");
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    let workspace = Workspace::with_results(0..5);
    let newer = workspace
        .write(&format!("{FOLDER}/run-20200101T000000Z-00000000.json"), "{\"schema\": 2, \"new\": []}");
    let few = [
        "baseline",
        "update",
        "0.json",
        "1.json",
        "2.json",
        "3.json",
        "4.json",
        "--set",
        "baseline.keep_runs=3",
    ];
    ended(&workspace.run(&few), 0, &["browse.here: 3 runs"]);
    assert!(newer.exists());
    ended(&workspace.run(&["baseline", "list"]), 0, &["1 file of a later version, not used"]);
}

#[test]
fn a_folder_that_cannot_be_is_the_systems_refusal() {
    let workspace = Workspace::with_results(0..1);
    workspace.write(FOLDER, "a file");
    ended(&workspace.update(&["0"]), 1, &["cannot list `", FOLDER, "baseline.dir"]);
    let finished = workspace.run(&["baseline", "update", "0.json", "--set", "baseline.dir=/proc/none"]);
    ended(&finished, 1, &["/proc/none"]);
}
