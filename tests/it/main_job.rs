//! The three scenarios of the repository's own configuration, on the demo service that loadgate starts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Finished, Workspace};

const CONFIG: &str = include_str!("../../config.yaml");

fn run(scenario: &str) -> Finished {
    let workspace = Workspace::with_config(CONFIG);
    let finished =
        workspace.run(&["run", scenario, "-e", "demo", "--users", "100", "--run-time", "8s", "--seed", "7"]);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    finished
}

fn result(finished: &Finished) -> Value {
    finished.result().expect("a result")
}

/// Iterations drawn, by class and task; skipped ones were drawn too.
fn drawn(result: &Value) -> BTreeMap<(String, String), u64> {
    let tasks = result["tasks"].as_array().expect("tasks");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let count =
        |task: &Value| task["iterations"].as_u64().unwrap_or(0) + task["skipped"].as_u64().unwrap_or(0);
    tasks.iter().map(|task| ((text(&task["user_class"]), text(&task["task"])), count(task))).collect()
}

/// Every worker deals whole decks but the last: the counts of a class are the weights to within one deck a worker.
fn follow_the_weights(result: &Value, class: &str, weights: &[(&str, u64)]) {
    let drawn = drawn(result);
    let count = |task: &str| drawn[&(class.to_owned(), task.to_owned())];
    let deck: u64 = weights.iter().map(|(_, weight)| weight).sum();
    let all: u64 = weights.iter().map(|(task, _)| count(task)).sum();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    assert!(all > deck, "{class} drew only {all}");
    for (task, weight) in weights {
        let (found, wanted) = (count(task) * deck, all * weight);
        assert!(
            found.abs_diff(wanted) <= workers * weight * deck,
            "{class} {task}: {} of {all}",
            count(task)
        );
    }
}

fn nothing_failed(result: &Value) {
    assert_eq!(result["whole_run"]["failed"], serde_json::json!({}), "{}", result["failures"]);
    assert_eq!(result["whole_run"]["error_rate"], 0.0);
    assert!(result["whole_run"]["ok"].as_u64() > Some(100));
}

#[test]
fn build_flow_runs_without_a_failure_in_the_configured_mix() {
    let result = result(&run("build_flow"));
    nothing_failed(&result);
    let tasks = [
        ("create_build", 10),
        ("check_build_status", 5),
        ("list_builds", 3),
        ("dashboard_stats", 2),
        ("download_code", 1),
    ];
    follow_the_weights(&result, "heavy", &tasks);
}

#[test]
fn api_stress_keeps_its_pace_in_the_configured_mix() {
    let result = result(&run("api_stress"));
    nothing_failed(&result);
    follow_the_weights(
        &result,
        "stress",
        &[("health", 10), ("list_builds", 5), ("stats", 3), ("create_build", 1)],
    );
    // 100 users at 10 a second for the 6 s after the ramp of 2 s; a second of it may be late on a busy machine.
    let steady = result["totals"]["ok"].as_u64().expect("a count");
    assert!((5_000..=6_100).contains(&steady), "{steady}");
}

#[test]
fn websocket_load_misses_no_message() {
    let result = result(&run("websocket_load"));
    nothing_failed(&result);
    follow_the_weights(&result, "watcher", &[("follow_build", 3), ("echo", 1)]);
    for endpoint in result["endpoints"].as_array().expect("endpoints") {
        if endpoint["kind"] == "websocket" {
            assert_eq!(endpoint["websocket"]["missing_messages"], 0);
            assert_eq!(endpoint["websocket"]["unexpected_closes"], 0);
            assert!(endpoint["websocket"]["messages_in"].as_u64() > Some(0));
        }
    }
    let metric = |name: &str| {
        result["metrics"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name)).cloned()
    };
    assert!(metric("build_done").is_some_and(|metric| metric["ok"].as_u64() > Some(0)));
}

#[test]
fn a_seed_reproduces_the_plan_and_thresholds_do_not_change_it() {
    let digest = |arguments: &[&str]| {
        let workspace = Workspace::with_config(CONFIG);
        let finished = workspace.run(arguments);
        result(&finished)["plan_digest"].as_str().expect("a digest").to_owned()
    };
    let base = digest(&["run", "--quiet", "--users", "2", "--run-time", "1s", "--seed", "1"]);
    assert_eq!(
        base,
        digest(&[
            "run",
            "--quiet",
            "--users",
            "2",
            "--run-time",
            "1s",
            "--seed",
            "2",
            "--set",
            "thresholds.p95=1s"
        ])
    );
    assert_ne!(base, digest(&["run", "--quiet", "--users", "3", "--run-time", "1s", "--seed", "1"]));
}

#[test]
fn a_trace_shows_every_request_of_every_task() {
    let finished = Workspace::with_config(CONFIG).run(&["check", "websocket_load", "--trace"]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    for line in ["watcher · follow_build", "/api/v1/builds → 200", "WS 127.0.0.1", "watcher · echo"] {
        assert!(finished.stdout.contains(line), "{line}\n{}", finished.stdout);
    }
}

#[test]
fn flags_beat_variables_and_variables_beat_the_file() {
    let workspace = Workspace::with_config(CONFIG);
    let users = |flags: &[&str]| {
        let mut command = workspace.command(&["run", "--quiet", "--run-time", "1s"]);
        command.args(flags).env("LOADGATE_USERS", "3");
        result(&workspace.finish(command))["load"]["users"].as_u64()
    };
    assert_eq!(users(&[]), Some(3));
    assert_eq!(users(&["--users", "2"]), Some(2));
}

/// In the repository itself.
fn here(arguments: &[&str]) -> Finished {
    let workspace = Workspace::new();
    let mut command = workspace.command(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let finished = workspace.finish(command);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished
}

#[test]
fn the_page_beside_the_baselines_is_what_show_prints() {
    let shown = here(&["baseline", "show", "--format", "markdown"]).stdout;
    let page = include_str!("../../baselines/README.md");
    assert_eq!(shown, page, "write it anew: loadgate baseline show --format markdown > baselines/README.md");
}

#[test]
fn the_committed_baselines_are_of_the_plans_that_run() {
    let shown = here(&["baseline", "show"]).stdout;
    for scenario in ["build_flow", "api_stress", "websocket_load"] {
        let plan = here(&["check", scenario, "-e", "demo"]).stdout;
        let digest = plan.lines().find_map(|line| line.strip_prefix("digest: ")).expect("a digest");
        let name = format!("{scenario}.demo\n");
        let described = shown.split(&name).nth(1).and_then(|text| text.lines().next()).unwrap_or_default();
        assert!(described.contains(&format!("of plan {}", &digest[..8])), "{scenario}: {described}");
    }
}
