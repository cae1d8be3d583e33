//! Runs are remembered once, listed, and pruned.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{CONFIG, FOLDER, at, ended, minutes};
use crate::harness::{Workspace, alone, poll_until};

#[test]
fn a_stored_result_is_remembered_once() {
    let workspace = Workspace::with_results(0..2);
    let first = workspace.update(&["0"]);
    ended(&first, 0, &["remembered: ", FOLDER, "browse.here: 1 run of the CPU class "]);
    let before = workspace.remembered();
    assert_eq!((before.len(), minutes(&before)), (1, vec!["00"]));
    let run: Value = serde_json::from_str(before.values().next().expect("a run")).expect("JSON");
    assert_eq!(
        (&run["schema"], &run["epoch"], &run["time"]),
        (&json!(1), &json!(null), &at(0)["started_at"])
    );
    assert!(run["metrics"]["GET /health"]["n"].as_u64() > Some(0));

    ended(&workspace.update(&["0"]), 0, &["remembered already: ", "browse.here: 1 run "]);
    assert_eq!(workspace.remembered(), before);
    let both = workspace.update(&["0", "1", "1"]);
    ended(&both, 0, &["remembered already: ", "remembered: ", "browse.here: 2 runs of "]);
    assert_eq!(minutes(&workspace.remembered()), ["00", "01"]);
}

#[test]
fn a_baseline_keeps_its_first_runs_and_its_newest() {
    let workspace = Workspace::with_results(0..13);
    let all: Vec<String> = (0..13).map(|minute| minute.to_string()).collect();
    let finished = workspace.update(&all.iter().map(String::as_str).collect::<Vec<_>>());
    ended(&finished, 0, &["removed: run-20261124T1005", "too many", "browse.here: 10 runs"]);
    let kept = ["00", "01", "02", "03", "04", "08", "09", "10", "11", "12"];
    assert_eq!(minutes(&workspace.remembered()), kept);
    // An old one comes when there is no room for it.
    let few = ["baseline", "update", "5.json", "--set", "baseline.keep_runs=3"];
    ended(&workspace.run(&few), 0, &["remembered: ", "older than all that are kept", "browse.here: 3 runs"]);
    assert_eq!(minutes(&workspace.remembered()), ["10", "11", "12"]);
}

#[test]
fn new_runs_are_made_judged_and_remembered() {
    let workspace = Workspace::with_config(CONFIG);
    let finished = workspace.run(&["baseline", "update", "--runs", "2", "--quiet", "--users", "1"]);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    // On a busy machine a run may be refused; then it says so.
    let (remembered, refused) =
        (said.matches("\nremembered: ").count(), said.matches("not remembered: ").count());
    let first = usize::from(said.starts_with("remembered: "));
    assert_eq!(remembered + first + refused, 2, "{said}");
    assert_eq!(workspace.remembered().len(), remembered + first, "{said}");
    ended(&finished, i32::from(refused > 0), &["run 1 of 2", "run 2 of 2"]);
    let reports = std::fs::read_dir(workspace.path("reports")).expect("reports").count();
    assert_eq!(reports, 3, "two runs and `latest`");
    let result = finished.result().expect("a result");
    assert_eq!(result["load"]["users"], 1);

    // Without anything, the newest run; it is known, or was refused before.
    let again = workspace.run(&["baseline", "update"]);
    assert!(again.code() <= 1, "{}", again.stderr);
    assert_eq!(workspace.remembered().len(), remembered + first);
}

#[test]
fn an_interruption_ends_the_runs_and_remembers_nothing_partial() {
    let workspace = Workspace::with_config(CONFIG);
    let _alone = alone();
    let mut command =
        workspace.command(&["baseline", "update", "--runs", "3", "--quiet", "--run-time", "60s"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let begun =
        || std::fs::read_dir(workspace.path("reports")).is_ok_and(|mut folders| folders.next().is_some());
    poll_until(Duration::from_secs(20), "the first run begins", begun);
    kill_process(Pid::from_child(&child), Signal::INT).expect("signalled");
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    assert!(workspace.remembered().is_empty());
    let folders = std::fs::read_dir(workspace.path("reports")).expect("reports");
    let runs = folders.filter(|it| it.as_ref().is_ok_and(|it| it.file_name() != "latest")).count();
    assert_eq!(runs, 1, "no further run was begun");
}

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    let workspace = Workspace::with_results(0..1);
    let bare = CONFIG.replace("baseline: {budget: 10%, keep_runs: 10}\n", "");
    workspace.write("bare.yaml", &bare);
    for (arguments, parts) in [
        (&["update", "0.json", "--runs", "2"][..], &["--runs", "[RESULT]"][..]),
        (&["update", "--runs", "0"], &["--runs"]),
        (&["update"], &["there is no newest run", "reports/latest", "loadgate run"]),
        (&["update", "0.json", "--config", "bare.yaml"], &["no `baseline`", "add `baseline: {budget: 10%}`"]),
        (&["update", "--runs", "1", "--config", "bare.yaml"], &["no `baseline`"]),
        (&["list", "--config", "bare.yaml"], &["no `baseline`"]),
        (&["update", "0.json", "--set", "baseline.keep_runs=2"], &["fewer than 3 runs", "--set"]),
        (&["update", "0.json", "--config", "none.yaml"], &["none.yaml"]),
    ] {
        let all: Vec<&str> = ["baseline"].iter().chain(arguments).copied().collect();
        ended(&workspace.run(&all), 2, parts);
    }
    assert!(workspace.remembered().is_empty());
}

#[test]
fn a_folder_that_an_earlier_version_named_is_used_and_moves_on() {
    let workspace = Workspace::with_results(0..1);
    workspace.write("config.yaml", &CONFIG.replace("  browse:\n", "  browse.v2:\n"));
    for minute in [1, 2] {
        let mut result = at(minute);
        result["scenario"] = json!("browse.v2");
        workspace.store(&minute.to_string(), &result);
    }
    ended(&workspace.update(&["1"]), 0, &["remembered: ", "baselines/browse.v2.here~"]);
    let baselines = || -> Vec<_> {
        let folders = std::fs::read_dir(workspace.path("baselines")).expect("baselines");
        folders.map(|folder| folder.expect("a folder").path()).collect()
    };
    // As an earlier version wrote it: under the plain name, and without saying whose it is.
    let earlier = workspace.path("baselines/browse.v2.here");
    std::fs::rename(&baselines()[0], &earlier).expect("renamed");
    let file = std::fs::read_dir(&earlier).expect("files").next().expect("a file").expect("a file").path();
    let text = std::fs::read_to_string(&file).expect("a run");
    let said = |line: &&str| !line.contains("\"scenario\"") && !line.contains("\"environment\"");
    let text: String = text.lines().filter(said).map(|line| line.to_owned() + "\n").collect();
    std::fs::write(&file, text).expect("written");

    let shown = workspace.run(&["baseline", "show"]);
    ended(&shown, 0, &["browse.v2.here~", "1 run of plan"]);
    let second = workspace.update(&["2"]);
    ended(
        &second,
        0,
        &["moved on: 1 file from `baselines/browse.v2.here` to `baselines/browse.v2.here~", ": 2 runs "],
    );
    let folders = baselines();
    assert_eq!(folders.len(), 1, "{folders:?}");
    assert_eq!(std::fs::read_dir(&folders[0]).expect("files").count(), 2);
}

#[test]
fn a_list_shows_every_baseline() {
    let workspace = Workspace::with_results(0..3);
    let empty = workspace.run(&["baseline", "list"]);
    ended(&empty, 0, &["nothing is remembered in", "baselines", "loadgate baseline update --runs 5"]);
    assert_eq!(empty.stdout, "");
    workspace.update(&["0", "1"]);
    let mut there = at(5);
    there["environment"] = json!("there");
    there["runner"]["cpu_class"] = json!("another class");
    workspace.store("there", &there);
    workspace.update(&["there"]);
    let finished = workspace.run(&["baseline", "list"]);
    ended(&finished, 0, &[]);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", finished.stdout);
    assert!(lines[1].starts_with("browse.here      2        1       0  2026-11-24 10:01  "), "{}", lines[1]);
    assert!(lines[2].starts_with("  2 of class "), "{}", lines[2]);
    assert!(lines[3].starts_with("browse.there     1 "), "{}", lines[3]);
    assert_eq!(lines[4], "  1 of class another class");

    workspace.write("baselines/browse.here/run-1.json", "");
    let finished = workspace.run(&["baseline", "list"]);
    ended(&finished, 2, &["browse.here      –        –       –  broken", "browse.there", "run-1.json"]);
}
