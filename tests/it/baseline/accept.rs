//! A deliberate change is written down as an epoch.

use serde_json::{Value, json};

use super::{FOLDER, ended};
use crate::harness::Workspace;

#[test]
fn an_accepted_change_begins_an_epoch() {
    let workspace = Workspace::with_results(0..2);
    workspace.update(&["0"]);
    let metrics =
        ["--metric", "p95 of GET /health", "--metric", "p50", "--metric", "error_rate of all requests"];
    let mut command = workspace.command(&["baseline", "accept", "--reason", " a new database "]);
    command.args(metrics).env("GITHUB_SHA", "c0ffee").env("LOADGATE_ENVIRONMENT", "here");
    let finished = workspace.finish(command);
    ended(
        &finished,
        0,
        &[
            "accepted: p95 of GET /health, p50, error_rate",
            "baseline update --scenario browse -e here --runs 5; then commit `",
            FOLDER,
        ],
    );
    let files = workspace.remembered();
    let (name, text) = files.iter().find(|(name, _)| name.starts_with("epoch-")).expect("an epoch");
    let epoch: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        epoch,
        json!({
            "schema": 1,
            "from_sha": "c0ffee",
            "metrics": ["p95 of GET /health", "p50", "error_rate"],
            "reason": "a new database",
        })
    );
    let next = workspace.update(&["1"]);
    ended(&next, 0, &["browse.here: 1 run of the CPU class", "and 1 from before the last accepted change"]);
    let run: Value =
        serde_json::from_str(workspace.remembered().values().last().expect("a run")).expect("JSON");
    assert_eq!(run["epoch"], json!(name.trim_end_matches(".json")));
}

#[test]
fn what_cannot_be_accepted_is_refused_and_nothing_is_written() {
    let workspace = Workspace::with_results(0..1);
    let accept = |metric: &str, reason: &str, more: &[&str]| {
        let mut all = vec!["baseline", "accept", "--metric", metric, "--reason", reason];
        all.extend(more);
        workspace.run(&all)
    };
    ended(&accept("p95", "a cache", &[]), 2, &["nothing to accept", "`browse.here`", "update --runs 5"]);
    workspace.update(&["0"]);
    let before = workspace.remembered();
    let long = "x".repeat(1_001);
    for (metric, reason, more, parts) in [
        ("p96", "a cache", &[][..], &["unknown metric `p96`", "did you mean `p90`", "throughput"][..]),
        (
            "p99 of GET /helth",
            "a cache",
            &[],
            &["unknown endpoint `GET /helth`", "did you mean `GET /health`"],
        ),
        ("maximum", "a cache", &[], &["unknown metric `maximum`"]),
        ("p95", "", &[], &["the reason is empty"]),
        ("p95", " \t ", &[], &["the reason is empty"]),
        ("p95", &long, &[], &["1001 characters"]),
        ("p95", "a\u{1b}[2J", &[], &["control character"]),
        ("p95\n", "a\nb", &[], &["control character"]),
        ("p95", "a cache", &["--scenario", "brwose"], &["did you mean `browse`"]),
        ("p95", "a cache", &["-e", "there"], &["nothing to accept", "`browse.there`"]),
    ] {
        ended(&accept(metric, reason, more), 2, parts);
    }
    ended(&workspace.run(&["baseline", "accept", "--reason", "x"]), 2, &["--metric"]);
    ended(&workspace.run(&["baseline", "accept", "--metric", "p95"]), 2, &["--reason"]);
    assert_eq!(workspace.remembered(), before);
}
