//! Custom metrics beside their past, through the real binary: what a message or a group of requests takes.

use serde_json::Value;

use crate::harness::{Finished, Workspace, unspoilt};

const SERVER: &str = include_str!("fixtures/slow_echo.py");

/// Users who send messages over a socket, or do two requests in a group, at a service that may be slow.
fn configure(workspace: &Workspace, (delay, slow): (&str, &str)) {
    workspace.write("config.yaml", &format!(
        "version: 1\nname: custom\nenvironments:\n  \
           socket: {{target: {{command: [python3, slow_echo.py, '{delay}', '{{{{ address }}}}'], ready: /}}, load: {{users: 4, run_time: 1s}}}}\n  \
           demo: {{target: {{command: [loadgate, demo-api, --listen, '{{{{ address }}}}'{slow}], ready: /health}}, load: {{users: 10, run_time: 1s}}}}\n\
         thresholds: {{error_rate: 1%}}\nbaseline: {{}}\n\
         scenarios:\n  \
           talk:\n    users: {{talker: {{tasks: {{talk: 1}}}}}}\n    tasks:\n      talk:\n        - websocket: /\n          steps:\n            \
             - repeat: 20\n              steps: [{{send: {{text: 'hi'}}}}, {{receive: {{where: \"message == 'hi'\", within: 5s, record: echo}}}}]\n  \
           shop:\n    users:\n      visitor: {{wait: 5ms, on_start: login, headers: {{Authorization: 'Bearer {{{{ token }}}}'}}, tasks: {{order: 1}}}}\n    tasks:\n      \
             login: [{{post: /api/v1/auth/test-token, json: {{user_id: me}}, capture: {{token: $.access_token}}}}]\n      \
             order:\n        - group: ordering\n          steps: [{{get: /api/v1/builds}}, {{get: /api/v1/users/me/stats}}, {{post: /api/v1/builds, json: {{prompt: x, chains: [1]}}}}]\n"
    ));
}

fn worse(finished: &Finished) -> Vec<(String, String, String)> {
    let verdict = finished.result().expect("a result")["verdict"].clone();
    let text = |value: &Value| value.as_str().unwrap_or("all").to_owned();
    let deltas = verdict["deltas"].as_array().expect("deltas").iter();
    let regressions = deltas.filter(|delta| delta["gated"] == true && delta["status"] == "regression");
    regressions.map(|it| (text(&it["scope"]), text(&it["endpoint"]), text(&it["metric"]))).collect()
}

/// So many runs, however many it takes: one whose generator was late is refused, and rightly so.
fn remember(workspace: &Workspace, (runs, flags, folder): (usize, &[&str], &str)) {
    let files = || std::fs::read_dir(workspace.path(folder)).map_or(0, Iterator::count);
    for _ in 0..8 {
        let missing = (runs - files()).to_string();
        workspace.run(
            &[&["baseline", "update", "--allow-busy-machine", "--runs", &missing, "--quiet"], flags].concat(),
        );
        if files() == runs {
            return;
        }
    }
    panic!("only {} runs could be remembered", files());
}

#[test]
fn a_message_that_takes_twenty_times_as_long_fails_and_is_named() {
    let workspace = Workspace::new();
    workspace.write("slow_echo.py", SERVER);
    configure(&workspace, ("0.0015", ""));
    remember(&workspace, (5, &["--scenario", "talk", "-e", "socket"], "baselines/talk.socket"));
    configure(&workspace, ("0.03", ""));
    let slow = unspoilt(|| workspace.run(&["run", "talk", "-e", "socket", "--quiet"]));
    assert_eq!(slow.code(), 4, "{}\n{}", slow.stdout, slow.stderr);
    let named = ("metric".to_owned(), "echo".to_owned(), "p50".to_owned());
    assert!(worse(&slow).contains(&named), "{:?}", worse(&slow));
    assert!(slow.stdout.contains("p50 of echo"), "{}", slow.stdout);
}

#[test]
fn a_group_that_takes_half_as_long_again_fails_and_is_named() {
    let workspace = Workspace::new();
    configure(&workspace, ("0", ""));
    remember(&workspace, (5, &["--scenario", "shop", "-e", "demo"], "baselines/shop.demo"));
    // 40 ms of 67 become 74.
    configure(&workspace, ("0", ", --slow, 'POST /api/v1/builds=+85%'"));
    let slow = unspoilt(|| workspace.run(&["run", "shop", "-e", "demo", "--quiet"]));
    assert_eq!(slow.code(), 4, "{}\n{}", slow.stdout, slow.stderr);
    let named = ("metric".to_owned(), "ordering".to_owned(), "p50".to_owned());
    assert!(worse(&slow).contains(&named), "{:?}", worse(&slow));
}

#[test]
fn a_changed_plan_is_said_first_and_can_be_made_to_fail() {
    let workspace = Workspace::new();
    configure(&workspace, ("0", ""));
    remember(&workspace, (1, &["--scenario", "shop", "-e", "demo"], "baselines/shop.demo"));
    let changed = ["run", "shop", "-e", "demo", "--quiet", "--users", "9"];
    let tolerated = unspoilt(|| workspace.run(&changed));
    assert_eq!(tolerated.code(), 0, "{}\n{}", tolerated.stdout, tolerated.stderr);
    let text = tolerated.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = "INCONCLUSIVE nothing was compared with the baseline: the plan has changed since the 1 run of the \
                 baseline";
    assert!(text.contains(first), "{}", tolerated.stdout);
    assert!(text.contains("if the change of the plan is meant, remember 5 runs like this one"), "{text}");
    assert!(tolerated.stderr.contains("the plan has changed since"), "{}", tolerated.stderr);
    let strict = unspoilt(|| workspace.run(&[&changed[..], &["--set", "baseline.on_missing=fail"]].concat()));
    assert_eq!(strict.code(), 5, "{}\n{}", strict.stdout, strict.stderr);
    assert!(strict.stderr.contains("a run of which nothing is compared exits with 5"), "{}", strict.stderr);
}
