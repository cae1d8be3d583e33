//! Users that are held up in `on_start` make no load: a run of them says nothing about the service.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fault_server::{FaultServer, Mode};
use crate::harness::{Finished, Workspace};
use crate::stateful::{Stateful, said};

/// What a service says of itself, to one question after the other; the last answer is repeated.
#[derive(Debug, Clone, Copy)]
enum Says {
    Broken,
    NotYet,
    Ready,
}

/// 20 users wait in `on_start` until the service is ready, and then ask for something, for two seconds.
fn waited_for(answers: &'static [Says], thresholds: &str) -> Finished {
    let service = Stateful::start(0_usize, move |asked: &mut usize, path, _| {
        if path != "/status" {
            return said(StatusCode::OK, &Value::Null);
        }
        let says = answers[(*asked).min(answers.len() - 1)];
        *asked += 1;
        match says {
            Says::Broken => said(StatusCode::SERVICE_UNAVAILABLE, &Value::Null),
            Says::NotYet => said(StatusCode::OK, &json!({"ready": false})),
            Says::Ready => said(StatusCode::OK, &json!({"ready": true})),
        }
    });
    let config = format!(
        "version: 1\nname: slow start\n\
         environments: {{here: {{host: 'http://{}', users: 20, run_time: 2s}}}}\nthresholds: {thresholds}\n\
         scenarios: {{s: {{users: {{u: {{wait: 10ms, on_start: begin, tasks: {{ask: 1}}}}}}, tasks: {{\
         begin: [{{get: /status, poll: {{until: response.json.ready, every: 20ms, timeout: 1m}}}}], \
         ask: [{{get: /ask}}]}}}}}}\n",
        service.address
    );
    Workspace::with_config(&config).run(&["run", "--quiet"])
}

fn findings(finished: &Finished) -> Vec<Value> {
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    result["verdict"]["findings"].as_array().cloned().unwrap_or_default()
}

const FAST: &str = "{p50: 10s, error_rate: null}";

#[test]
fn users_that_never_get_through_on_start_make_the_run_invalid() {
    // Each answer to a poll is a success, in time.
    let finished = waited_for(&[Says::NotYet], FAST);
    assert_eq!(finished.code(), 6, "{}", finished.stdout);
    let found = findings(&finished);
    assert!(found.contains(&json!({"kind": "never_ready", "users": 20, "of": 20})), "{found:?}");
    assert!(found.contains(&json!({"kind": "no_iteration", "skipped": 0})), "{found:?}");
    assert!(finished.stdout.contains("20 of 20 users never got through `on_start`"), "{}", finished.stdout);
}

#[test]
fn a_second_try_at_on_start_that_the_end_cuts_off_is_no_success() {
    // The first try of each user fails, after a second the next one begins, and that one does not end.
    const ANSWERS: [Says; 21] = {
        let mut answers = [Says::Broken; 21];
        answers[20] = Says::NotYet;
        answers
    };
    let finished = waited_for(&ANSWERS, FAST);
    assert_eq!(finished.code(), 6, "{}", finished.stdout);
    let found = findings(&finished);
    assert!(found.contains(&json!({"kind": "never_ready", "users": 20, "of": 20})), "{found:?}");
    // Where an objective is broken, it says more.
    let finished = waited_for(&[Says::Broken], "{p50: 10s}");
    assert_eq!(finished.code(), 3, "{}", finished.stdout);
}

#[test]
fn users_that_wait_for_a_service_which_gets_ready_are_no_reason_to_doubt_the_run() {
    let finished = waited_for(&[Says::NotYet, Says::NotYet, Says::Ready], FAST);
    assert!(finished.ended_with(0), "{}", finished.stdout);
    let whole = finished.result().expect("a result")["whole_run"].clone();
    assert!(whole["never_ready"].is_null(), "{whole}");
}

#[test]
fn one_class_of_users_that_hangs_in_on_start_makes_the_run_invalid_beside_one_that_works() {
    // Four requests that never end are less than a hundredth of all.
    let server = FaultServer::start(Mode::ByPath);
    let config = format!(
        "version: 1\nname: half a load\n\
         environments: {{here: {{host: '{}', load: {{users: 8, run_time: 2s, drain: 100ms}}}}}}\n\
         thresholds: {{p50: 10s}}\n\
         scenarios: {{s: {{users: {{works: {{wait: 5ms, tasks: {{ask: 1}}}}, \
         hangs: {{on_start: begin, tasks: {{ask: 1}}}}}}, \
         tasks: {{begin: [{{get: /silent}}], ask: [{{get: /ask}}]}}}}}}\n",
        server.url("")
    );
    let finished = Workspace::with_config(&config).run(&["run", "--quiet"]);
    assert_eq!(finished.code(), 6, "{}", finished.stdout);
    let found = findings(&finished);
    assert!(found.contains(&json!({"kind": "never_ready", "users": 4, "of": 8})), "{found:?}");
    // An iteration that the end has cut off is one that began.
    let tasks = finished.result().expect("a result")["tasks"].clone();
    let begun = tasks.as_array().into_iter().flatten().find(|task| task["on_start"] == true);
    assert_eq!(begun.map(|task| &task["iterations"]), Some(&json!(4)), "{tasks}");
}
