//! What may not enter a baseline, and that nothing of it is written.

use std::process::Command;

use serde_json::{Value, json};

use super::{CONFIG, at, ended, minutes};
use crate::harness::{Finished, Workspace};

/// A name, what is changed, and what is said.
type Case = (&'static str, fn(&mut Value), &'static str);

const CASES: [Case; 16] = [
    ("ab", |it| it["mode"] = json!("ab"), "it is an A/B comparison"),
    ("capacity", |it| it["mode"] = json!("capacity"), "it is a search for capacity"),
    ("interrupted", |it| it["interrupted"] = json!(true), "the run was interrupted"),
    ("fork", |it| it["git"]["fork"] = json!(true), "a pull request of a fork"),
    ("cpu", |it| it["generator"]["cpu_utilisation"] = json!(0.99), "the generator used 99 % of its cores"),
    (
        "late",
        |it| it["generator"]["schedule_lag_p99_ms"] = json!(60_000.0),
        "the generator itself was 60.0 s late",
    ),
    ("stalled", |it| it["generator"]["stalled_share"] = json!(0.3), "the generator stood still for 30 %"),
    ("steal", |it| it["generator"]["steal"] = json!(0.5), "the machine was taken away 50 %"),
    ("ended", |it| it["target_ended"] = json!(true), "the target command ended"),
    ("time", |it| it["started_at"] = json!("last tuesday"), "started_at is `last tuesday`, which is no time"),
    ("class", |it| it["runner"]["cpu_class"] = json!(""), "has nothing in `cpu_class`"),
    ("name", |it| it["endpoints"][0]["name"] = json!("\u{1b}[2J".repeat(200)), "a name of 800 characters"),
    ("confirming", |it| it["confirms"] = json!({"started_at": "", "flagged": []}), "it is the second look"),
    ("busy", beside_a_neighbour, "the machine was busy with something else"),
    ("newer", |it| it["schema"] = json!(2), "has schema 2"),
    ("edited", |it| it["totals"]["ok"] = json!(7), "contradicts itself"),
];

/// Other processes use most of the machine, all the time.
fn beside_a_neighbour(result: &mut Value) {
    for point in result["series"].as_array_mut().expect("a series") {
        point["machine"] = json!({"others_cpu": 0.6, "idle": 0.1, "contention": 1.0});
    }
}

#[test]
fn a_run_of_a_busy_machine_is_remembered_where_that_is_asked_for() {
    let workspace = Workspace::with_results(0..1);
    let mut busy = at(1);
    beside_a_neighbour(&mut busy);
    workspace.store("busy", &busy);
    ended(&workspace.update(&["busy"]), 1, &["not remembered: `busy.json`", "`--allow-busy-machine`"]);
    assert!(workspace.remembered().is_empty());
    let allowed = workspace.run(&["baseline", "update", "busy.json", "--allow-busy-machine"]);
    ended(&allowed, 0, &["remembered: "]);
    assert_eq!(minutes(&workspace.remembered()), ["01"]);
}

#[test]
fn each_doubtful_result_is_refused_with_its_reason_and_the_good_ones_are_kept() {
    let workspace = Workspace::with_results(0..2);
    let mut names = vec!["0"];
    for (name, change, _) in CASES {
        let mut result = at(30);
        change(&mut result);
        workspace.store(name, &result);
        names.push(name);
    }
    workspace.write("cut.json", &at(31).to_string()[..500]);
    names.extend(["cut", "missing", "1"]);
    let finished = workspace.update(&names);
    ended(&finished, 1, &["`cut.json` is cut off", "cannot read `missing.json`", "browse.here: 2 runs"]);
    for (name, _, why) in CASES {
        let start = format!("not remembered: `{name}.json`: ");
        let line = finished.stderr.lines().find(|line| line.starts_with(&start));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why}\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains('\u{1b}'), "nothing moves the cursor");
    assert_eq!(minutes(&workspace.remembered()), ["00", "01"]);
}

#[test]
fn a_result_is_judged_by_the_rules_of_today() {
    let workspace = Workspace::with_results(0..1);
    let strict = ["baseline", "update", "0.json", "--set", "thresholds.max=1us"];
    ended(
        &workspace.run(&strict),
        1,
        &["not remembered: `0.json`: the run failed: 1 objective is broken: max"],
    );
    let spoilt = CONFIG.replace("{get: /health}", "{get: /health}, {when: \"false\", get: /never}");
    let never = workspace
        .write("never.yaml", &spoilt.replace("error_rate: 5%", "endpoints: {GET /never: {p95: 1s}}"));
    let refused = workspace.run(&["baseline", "update", "0.json", "--config", &never.to_string_lossy()]);
    ended(
        &refused,
        1,
        &["not remembered: `0.json`: the run is invalid: ", "GET /never: it was never requested"],
    );
    assert!(!workspace.path("baselines").exists());
    // Once remembered, it stays: rules change what may enter.
    workspace.update(&["0"]);
    ended(&workspace.run(&strict), 0, &["remembered already"]);
}

#[test]
fn a_result_of_a_scenario_that_is_gone_is_told_before_anything_is_written() {
    let workspace = Workspace::with_results(0..1);
    let mut gone = at(1);
    gone["scenario"] = json!("../../browes");
    workspace.store("gone", &gone);
    ended(
        &workspace.update(&["0", "gone"]),
        2,
        &["looking at `gone.json`", "unknown scenario `../../browes`"],
    );
    assert!(!workspace.path("baselines").exists());
}

/// Runs the binary as a job of this pull request does.
fn in_pull_request(workspace: &Workspace, arguments: &[&str], head: &str) -> Finished {
    let base = json!({"sha": "base", "repo": {"full_name": "shop/api"}});
    let head = json!({"sha": "5ca1ab1e", "repo": {"full_name": head}});
    let event = json!({"pull_request": {"head": head, "base": base}}).to_string();
    let path = workspace.write("event.json", &event);
    let mut command: Command = workspace.command(arguments);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "pull_request").env("GITHUB_SHA", "merge");
    workspace.finish({
        command.env("GITHUB_EVENT_PATH", path);
        command
    })
}

#[test]
fn a_fork_decides_nothing_about_the_baseline() {
    let workspace = Workspace::with_config(CONFIG);
    let update = ["baseline", "update", "--runs", "1"];
    ended(
        &in_pull_request(&workspace, &update, "eve/api"),
        1,
        &["no run is made", "a pull request of a fork"],
    );
    assert!(!workspace.path("reports").exists(), "there was traffic");

    let run = in_pull_request(&workspace, &["run", "--quiet"], "eve/api").result().expect("a result");
    assert_eq!((&run["git"]["sha"], &run["git"]["fork"]), (&json!("5ca1ab1e"), &json!(true)));
    // Judged again elsewhere, it is still of a fork.
    ended(&workspace.run(&["baseline", "update"]), 1, &["not remembered", "a pull request of a fork"]);
    assert!(workspace.remembered().is_empty());

    let run = in_pull_request(&workspace, &["run", "--quiet"], "shop/api").result().expect("a result");
    assert_eq!((&run["git"]["sha"], &run["git"]["fork"]), (&json!("5ca1ab1e"), &json!(false)));
}
