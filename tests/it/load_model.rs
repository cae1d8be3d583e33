//! Open arrivals, stages, staircase and warm-up against a real service: what was planned is what was sent.

use serde_json::Value;

use crate::harness::{Demo, Workspace, unspoilt};

/// Runs `load` on `/health` and returns the result.
fn measured(demo: &Demo, load: &str) -> Value {
    let config = format!(
        "version: 1\nname: models\nenvironments: {{here: {{host: '{}', load: {load}}}}}\n\
         thresholds: {{error_rate: 1%}}\n\
         scenarios: {{health: {{users: {{visitor: {{wait: 20ms, steps: [{{get: /health}}]}}}}}}}}\n",
        demo.url
    );
    let finished = unspoilt(|| Workspace::with_config(&config).run(&["run", "--quiet"]));
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    finished.result().expect("a result")
}

fn sent(result: &Value) -> u64 {
    result["whole_run"]["ok"].as_u64().expect("a count")
}

#[test]
fn even_arrivals_are_all_sent() {
    // 200 a second for 3 s.
    let result = measured(&Demo::start(&[]), "{arrivals: 200/s, run_time: 3s}");
    assert_eq!(sent(&result), 600);
    assert_eq!(result["load"]["model"], "open");
}

#[test]
fn poisson_arrivals_are_as_many_as_the_seed_says() {
    let demo = Demo::start(&[]);
    let counts =
        [(); 2].map(|()| sent(&measured(&demo, "{arrivals: 200/s, run_time: 3s, distribution: poisson}")));
    assert_eq!(counts[0], counts[1], "the same seed");
    // 600 expected with a standard deviation of 24.5.
    assert!((500..700).contains(&counts[0]), "{}", counts[0]);
}

#[test]
fn stages_of_arrivals_follow_the_area_under_them() {
    // 0 → 100/s in 2 s: 100; 100/s for 1 s: 100; 100 → 0 in 1 s: 50.
    let stages = "{stages: [{to: 100/s, over: 2s}, {to: 100/s, over: 1s}, {to: 0/s, over: 1s}]}";
    let result = measured(&Demo::start(&[]), stages);
    assert_eq!(sent(&result), 250);
    assert_eq!(result["totals"]["ok"], 100, "only the constant second is judged");
}

#[test]
fn stages_of_users_have_a_ramp_on_both_sides_of_what_is_judged() {
    // Up to 6 users in 1 s, 2 s of 6, down in 1 s.
    let result =
        measured(&Demo::start(&[]), "{stages: [{to: 6, over: 1s}, {to: 6, over: 2s}, {to: 0, over: 1s}]}");
    let series = result["series"].as_array().expect("a series");
    let phases: Vec<&str> = series.iter().filter_map(|point| point["phase"].as_str()).collect();
    assert_eq!(phases[..4], ["ramp", "steady", "steady", "ramp"]);
    assert_eq!((&series[1]["users"], &series[2]["users"]), (&Value::from(6), &Value::from(6)));
    assert_eq!(result["steady_s"], 2.0);
}

#[test]
fn a_seed_draws_the_same_tasks_again() {
    let demo = Demo::start(&[]);
    // 50 arrivals are no whole number of decks of 7: what is left of the last deck depends on the order.
    let config = format!(
        "version: 1\nname: order\nenvironments: {{here: {{host: '{}', load: {{arrivals: 50/s, run_time: 1s}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{tasks: {{x: 4, y: 2, z: 1}}}}}}, tasks: {{x: [{{get: /health}}], \
         y: [{{get: '/health?y'}}], z: [{{get: '/health?z'}}]}}}}}}\n",
        demo.url
    );
    let tasks = |seed: &str| {
        let finished = Workspace::with_config(&config).run(&["run", "--quiet", "--seed", seed]);
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        finished.result().expect("a result")["tasks"].clone()
    };
    let seeds = ["1", "2", "3", "4"];
    let drawn = seeds.map(tasks);
    assert_eq!(drawn, seeds.map(tasks));
    assert!(drawn.iter().any(|other| *other != drawn[0]), "every seed draws the same: {}", drawn[0]);
}

#[test]
fn a_staircase_holds_every_step() {
    // 2, 4 and 6 users for a second each.
    let result = measured(&Demo::start(&[]), "{staircase: {from: 2, by: 2, every: 1s, until: 6}}");
    let users: Vec<u64> = result["series"]
        .as_array()
        .expect("a series")
        .iter()
        .filter_map(|point| point["users"].as_u64())
        .collect();
    // A second holds the most users it has seen, and may have seen the first moment of the next step.
    let steps = [2..=4, 4..=6, 6..=6];
    assert!(steps.iter().zip(&users).all(|(step, users)| step.contains(users)), "{users:?}");
}

#[test]
fn what_the_warm_up_sends_is_not_judged() {
    let result = measured(&Demo::start(&[]), "{arrivals: 100/s, run_time: 3s, warmup: 1s}");
    assert_eq!((sent(&result), result["totals"]["ok"].as_u64()), (300, Some(200)));
    let phases: Vec<&str> = result["series"]
        .as_array()
        .expect("a series")
        .iter()
        .filter_map(|point| point["phase"].as_str())
        .collect();
    assert_eq!(phases[..3], ["warmup", "steady", "steady"]);
}

#[test]
fn the_truth_survives_a_server_that_freezes() {
    // Frozen for the last second of every five: a fifth of the arrivals waits evenly between 0 and 1 s, so the
    // schedule says p90 500 ms and p99 950 ms; the backlog of the service adds 10 to 30 ms.
    let result = measured(&Demo::start(&["--freeze", "1s/5s"]), "{arrivals: 500/s, run_time: 20s}");
    assert_eq!(sent(&result), 10_000);
    let time = |name: &str| result["totals"]["response_time"][name].as_f64().expect("a time");
    assert!(time("p50_ms") < 3.0, "{}", time("p50_ms"));
    assert!((485.0..540.0).contains(&time("p90_ms")), "{}", time("p90_ms"));
    assert!((time("p99_ms") / 950.0 - 1.0).abs() < 0.03, "{}", time("p99_ms"));
    assert!(result["totals"]["service_time"]["p50_ms"].is_number());
}
