//! The gate on the demo service, through the real binary: every exit status from a real run, a verdict that
//! can be reached again, and a second job that decides.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{BINARY, Demo, Finished, Workspace, unspoilt};

/// Ten users who do the same four things all the time, and a service that may be slowed down.
fn workspace(slow: &str, baseline: &str) -> Workspace {
    let workspace = Workspace::new();
    configure(&workspace, slow, baseline);
    workspace
}

fn configure(workspace: &Workspace, slow: &str, baseline: &str) {
    workspace.write("config.yaml", &format!(
        "version: 1\nname: gate\nenvironments:\n  demo:\n    target:\n      command: [loadgate, demo-api, --listen, '{{{{ address }}}}'{slow}]\n      \
         ready: /health\n    load: {{users: 10, run_time: 4s, warmup: 500ms}}\n\
         thresholds: {{error_rate: 1%}}\nbaseline: {baseline}\n\
         scenarios:\n  shop:\n    users:\n      visitor: {{wait: 20ms, on_start: login, headers: {{Authorization: 'Bearer {{{{ token }}}}'}}, tasks: {{buy: 1}}}}\n    \
         tasks:\n      login: [{{post: /api/v1/auth/test-token, json: {{user_id: me}}, capture: {{token: $.access_token}}}}]\n      \
         buy: [{{get: /health}}, {{get: /api/v1/builds}}, {{get: /api/v1/users/me/stats}}, {{post: /api/v1/builds, json: {{prompt: x, chains: [1]}}}}]\n"
    ));
}

const SLOWER: &str = ", --slow, 'POST /api/v1/builds=+100%'";

fn verdict(finished: &Finished) -> Value {
    finished.result().expect("a result")["verdict"].clone()
}

/// The gated numbers that got worse.
fn worse(verdict: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("all").to_owned();
    let deltas = verdict["deltas"].as_array().expect("deltas").iter();
    deltas
        .filter(|delta| delta["gated"] == true && delta["status"] == "regression")
        .map(|delta| (text(&delta["endpoint"]), text(&delta["metric"])))
        .collect()
}

fn exits(finished: &Finished, code: i32) {
    assert_eq!(finished.code(), code, "{}\n{}", finished.stdout, finished.stderr);
}

/// Five runs, however many it takes: one whose machine was taken away is refused, and rightly so.
fn remember_five(workspace: &Workspace) {
    let files = || std::fs::read_dir(workspace.path("baselines/shop.demo")).map_or(0, Iterator::count);
    for _ in 0..4 {
        let missing = (5 - files()).to_string();
        let made =
            workspace.run(&["baseline", "update", "--allow-busy-machine", "--runs", &missing, "--quiet"]);
        assert!(made.code() == 0 || made.stderr.contains("not remembered"), "{}", made.stderr);
        if files() == 5 {
            return;
        }
    }
    panic!("only {} runs could be remembered", files());
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Finished {
    unspoilt(|| workspace.run(&[&["run", "--quiet"], arguments].concat()))
}

#[test]
fn a_baseline_of_five_runs_passes_what_is_the_same_and_fails_what_is_slower() {
    let workspace = workspace("", "{}");
    remember_five(&workspace);

    // On a busy machine a run may well be 10 % slower than five others: here it may be three times as slow.
    let generous = ["--set", "baseline.budget=200%", "--set", "baseline.catch=900%"];
    let same = run(&workspace, &generous);
    exits(&same, 0);
    assert_eq!(verdict(&same)["status"], "passed", "{}", same.stdout);
    assert!(same.stderr.contains("this run is compared with 5 runs on this CPU"), "{}", same.stderr);

    configure(&workspace, SLOWER, "{}");
    let slower = run(&workspace, &[]);
    exits(&slower, 4);
    let stored = verdict(&slower);
    assert_eq!((&stored["reasons"][0], &stored["exit_status"]), (&json!("regression"), &json!(4)));
    let both = ["p50", "p95"].map(|metric| ("POST /api/v1/builds".to_owned(), metric.to_owned()));
    let found = worse(&stored);
    assert!(both.iter().all(|number| found.contains(number)), "{found:?}");
    for said in ["✗ worse", "POST /api/v1/builds", "loadgate baseline accept"] {
        assert!(slower.stdout.contains(said), "{said}\n{}", slower.stdout);
    }

    // Judged again, it is the same in every number; with other limits it is not.
    let again = workspace.run(&["judge", "reports/latest", "--format", "json"]);
    exits(&again, 4);
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).expect("JSON"), stored);
    assert!(again.stderr.contains("the stored verdict, in every number"), "{}", again.stderr);
    let tolerant = workspace.run(&[&["judge", "reports/latest"], &generous[..]].concat());
    exits(&tolerant, 0);
    assert!(tolerant.stderr.contains("the stored verdict was another"), "{}", tolerant.stderr);
    let stricter = workspace.run(&["judge", "reports/latest", "--set", "thresholds.p50=1ms"]);
    exits(&stricter, 3);

    a_second_job_decides(&workspace);
}

/// With the baseline and the slow service that are there.
fn a_second_job_decides(workspace: &Workspace) {
    configure(workspace, SLOWER, "{confirmation: required}");
    let first = run(workspace, &[]);
    exits(&first, 0);
    let waiting = verdict(&first);
    assert_eq!((&waiting["status"], &waiting["reasons"][0]), (&json!("inconclusive"), &json!("unconfirmed")));
    assert_eq!(waiting["comparison"]["confirm"], true);
    let path = std::fs::read_link(workspace.path("reports/latest")).expect("a link");
    let path = format!("reports/{}", path.display());

    let second = run(workspace, &["--confirm", &path]);
    exits(&second, 4);
    let decided = verdict(&second);
    let confirmed = |delta: &Value| delta["status"] == "regression" && delta["confirmed"] == true;
    assert!(decided["deltas"].as_array().expect("deltas").iter().any(confirmed), "{decided}");
    assert_eq!(decided["comparison"]["confirm"], false);

    let refused = workspace.run(&["baseline", "update", "reports/latest"]);
    exits(&refused, 1);
    assert!(refused.stderr.contains("it is the second look at a run that was flagged"), "{}", refused.stderr);

    let other = run(workspace, &["--confirm", &path, "--users", "11"]);
    exits(&other, 2);
    assert!(other.stderr.contains("the first run is no run of this plan"), "{}", other.stderr);

    configure(workspace, "", "{confirmation: required, budget: 100%, catch: 900%}");
    let third = run(workspace, &["--confirm", &path]);
    exits(&third, 0);
    let not_again = verdict(&third);
    let builds = |delta: &&Value| delta["endpoint"] == "POST /api/v1/builds" && delta["gated"] == true;
    let looked_at: Vec<_> = not_again["deltas"].as_array().expect("deltas").iter().filter(builds).collect();
    assert!(looked_at.iter().any(|delta| delta["confirmed"] == false), "{looked_at:?}");
    assert!(worse(&not_again).is_empty(), "{not_again}");
    let nothing = run(workspace, &["--confirm", "reports/latest"]);
    exits(&nothing, 2);
    assert!(nothing.stderr.contains("there is nothing to confirm"), "{}", nothing.stderr);
}

#[test]
fn a_baseline_of_one_run_is_inconclusive_which_may_fail() {
    let workspace = workspace("", "{on_inconclusive: fail}");
    let missing = run(&workspace, &[]);
    exits(&missing, 0);
    assert_eq!(verdict(&missing)["reasons"], json!(["no_baseline"]));
    exits(&workspace.run(&["baseline", "update", "--allow-busy-machine"]), 0);
    let one = run(&workspace, &[]);
    exits(&one, 5);
    assert_eq!(verdict(&one)["reasons"], json!(["building_baseline"]));
    let text = one.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("the baseline has 1 of 5 runs on this CPU"), "{}", one.stdout);
    assert!(text.contains("loadgate baseline update --scenario shop -e demo --runs 4"), "{}", one.stdout);
    assert!(one.stderr.contains("nothing will be compared, the SLA decides alone"), "{}", one.stderr);
    // Judged beside others, not beside itself: it is no part of its own baseline.
    exits(&workspace.run(&["baseline", "update", "--allow-busy-machine"]), 0);
    let again = workspace.run(&["judge", "reports/latest"]);
    exits(&again, 5);
    assert!(again.stderr.contains("the stored verdict, in every number"), "{}", again.stderr);
}

#[test]
fn an_objective_that_is_broken_is_three_and_a_run_without_a_steady_phase_six() {
    let workspace = workspace("", "{}");
    exits(&run(&workspace, &["--set", "thresholds.p50=1ms", "--run-time", "2s"]), 3);
    let ramp = run(&workspace, &["--spawn-rate", "1/s", "--run-time", "2s"]);
    exits(&ramp, 6);
    assert_eq!(verdict(&ramp)["findings"][0]["kind"], "no_steady_request");
}

#[test]
fn a_generator_without_the_cpu_for_its_arrivals_is_six() {
    let demo = Demo::start(&[]);
    let config = "version: 1\nname: pinned\nenvironments: {here: {host: 'http://localhost'}}\n\
                  thresholds: {error_rate: 1%}\nscenarios: {s: {users: {v: {steps: [{get: /health}]}}}}\n";
    let workspace = Workspace::with_config(config);
    // A load that one core cannot make, for so short that nobody minds.
    let flags = ["run", "--quiet", "--arrivals", "60000/s", "--run-time", "2s", "--host", &demo.url];
    let inner = workspace.command(&flags);
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0", BINARY]).args(flags).current_dir(workspace.path(""));
    pinned.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    pinned.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let finished = workspace.finish(pinned);
    exits(&finished, 6);
    let kinds: Vec<_> = verdict(&finished)["findings"].as_array().expect("findings").clone();
    let limit = |finding: &Value| finding["kind"] == "generator_cpu" || finding["kind"] == "behind_plan";
    assert!(kinds.iter().any(limit), "{kinds:?}");
}

#[test]
fn what_is_no_result_is_refused_by_judge_and_says_why() {
    let workspace = workspace("", "{}");
    let finished = run(&workspace, &["--run-time", "2s"]);
    exits(&finished, 0);
    let whole = std::fs::read_to_string(workspace.path("reports/latest/result.json")).expect("a result");
    let faster = whole.replacen("\"p95_ms\": ", "\"p95_ms\": 1", 1);
    let later = whole.replacen("\"schema\": 1", "\"schema\": 2", 1);
    for (text, told) in [
        (faster.as_str(), "contradicts itself: p95 of"),
        (&later, "has schema 2, this version reads schema 1"),
        (&whole[..whole.len() / 2], "is cut off"),
        ("<html>", "is not JSON"),
    ] {
        let path = workspace.write("other.json", text);
        let judged = workspace.run(&["judge", path.to_str().expect("text")]);
        exits(&judged, 1);
        assert!(judged.stderr.contains(told), "{told}\n{}", judged.stderr);
    }
    // What was interrupted is judged as that, and compared with nothing.
    let interrupted = whole.replacen("\"interrupted\": false", "\"interrupted\": true", 1);
    let path = workspace.write("interrupted.json", &interrupted);
    let judged = workspace.run(&["judge", path.to_str().expect("text")]);
    exits(&judged, 130);
    assert!(judged.stdout.contains("a partial run is compared with nothing"), "{}", judged.stdout);
    exits(&workspace.run(&["baseline", "update", path.to_str().expect("text")]), 1);
}
