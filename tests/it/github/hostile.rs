//! Texts from outside that would be commands of the runner, through the whole binary in a job: whatever is printed,
//! the runner obeys our own annotations and nothing else.

use loadgate::result::file::{parse, to_json};
use serde_json::json;

use super::job::{Job, Step};
use super::mock::GitHub;
use crate::harness::Demo;
use crate::reports::hostile_result;

/// Every way to say something to the runner, as it would stand in a shell or in YAML between double quotes.
const COMMANDS: &str = "::error::pwned\\n  ::warning file=pwned::pwned\\r::add-mask::pwned\\n##[error]pwned\\n\
    a ##[add-mask]pwned\\n::stop-commands::pwned\\n::set-output name=verdict::pwned\\nloadgate_0<<E\\n\
    ##[group]pwned \\x1b[31mred\\n::debug::pwned";

fn job(github: &GitHub) -> Job {
    Job::new(github, "push", &json!({"ref": "refs/heads/main"}))
}

/// That every command is an annotation of ours: it has a title, and says nothing that was planted.
fn only_ours(step: &Step) {
    for command in &step.log.commands {
        let annotation = ["error", "warning", "notice"].contains(&command.name.as_str());
        let planted = command.data.starts_with("pwned") || command.properties.contains_key("pwned");
        let titled = command.properties.contains_key("title");
        let place = command.properties.get("file").is_none_or(|file| !file.contains("pwned"));
        assert!(annotation && titled && place && !planted, "{command:?}\n{}\n{}", step.stdout, step.stderr);
    }
    let names = [
        "compared",
        "confirm",
        "exit-status",
        "folder",
        "regressions",
        "report",
        "result",
        "sla-violations",
        "verdict",
    ];
    let found: Vec<&str> = step.outputs.keys().map(String::as_str).collect();
    assert!(found == names || found.is_empty(), "{found:?}");
}

#[test]
fn a_stored_result_full_of_commands_is_only_told_about() {
    let github = GitHub::start();
    let job = job(&github);
    job.workspace.write("result.json", &to_json(&hostile_result()).expect("JSON"));
    let step = job.step(&["publish", "result.json"]);
    assert_eq!(step.code, 0, "{}", step.stderr);
    assert!(!step.log.commands.is_empty(), "{}", step.stderr);
    only_ours(&step);
    for format in ["terminal", "markdown", "csv", "series-csv", "junit", "html", "json"] {
        let step = job.step(&["report", "result.json", "--format", format]);
        assert_eq!(step.code, 0, "{}", step.stderr);
        assert_eq!(step.log.commands, [], "{format}");
        if format == "json" {
            let told: serde_json::Value = serde_json::from_str(&step.stdout).expect("JSON");
            // As it is read: what an earlier version did not write is filled in.
            let text = to_json(&hostile_result()).expect("JSON");
            let read = parse(text.as_bytes(), "result.json".as_ref()).expect("a result");
            assert_eq!(told, serde_json::to_value(read).expect("JSON"));
        }
    }
}

#[test]
fn names_that_are_commands_go_through_a_whole_run_as_names() {
    let (github, demo) = (GitHub::start(), Demo::start(&[]));
    let job = job(&github);
    job.workspace.write(
        "config.yaml",
        &format!(
            "version: 1\nname: \"{COMMANDS}\"\n\
             environments: {{demo: {{host: '{}', load: {{users: 5, run_time: 1s}}}}}}\n\
             thresholds: {{error_rate: 1%}}\n\
             scenarios:\n  shop:\n    users: {{visitor: {{wait: 10ms, tasks: {{look: 1}}}}}}\n    tasks:\n      look:\n        \
             - {{get: /health, name: \"{COMMANDS}\"}}\n        \
             - {{get: /nowhere, name: \"GET ::error::pwned ##[error]pwned\", expect: {{status: 200}}}}\n",
            demo.url
        ),
    );
    let step = job.step(&["run", "shop"]);
    only_ours(&step);
    assert_eq!(step.code, 3, "{}\n{}", step.stdout, step.stderr);
    assert_eq!(step.outputs["exit-status"], step.code.to_string());
}

#[test]
fn what_a_target_prints_before_it_ends_is_only_shown() {
    let github = GitHub::start();
    let job = job(&github);
    job.workspace.write(
        "config.yaml",
        &format!(
            "version: 1\nname: api\n\
             environments: {{here: {{target: {{command: [printf, \"{COMMANDS}\\n\"], ready: /}}, users: 1, run_time: 1s}}}}\n\
             scenarios: {{shop: {{users: {{visitor: {{tasks: {{look: 1}}}}}}, tasks: {{look: [{{get: /}}]}}}}}}\n"
        ),
    );
    let step = job.step(&["run", "shop"]);
    assert_eq!((step.code, step.outputs["verdict"].as_str()), (1, "error"), "{}", step.stderr);
    assert!(step.log.shown.iter().any(|line| line.contains("pwned")), "{}", step.stderr);
    assert_eq!(step.log.commands.len(), 1, "{:#?}", step.log.commands);
    only_ours(&step);
}

#[test]
fn a_configuration_that_is_wrong_in_a_hostile_way_is_named_without_being_obeyed() {
    let github = GitHub::start();
    let job = job(&github);
    job.workspace
        .write("config.yaml", &format!("version: 1\nname: api\n\"{COMMANDS}\": 1\nscenarios: {{}}\n"));
    let step = job.step(&["run"]);
    assert_eq!((step.code, step.outputs["verdict"].as_str()), (2, "error"), "{}", step.stderr);
    assert!(step.summary.contains("config.yaml"), "{}", step.summary);
    assert!(
        step.log
            .annotations("error")
            .iter()
            .any(|error| error.properties.get("file").is_some_and(|file| file == "config.yaml")),
        "{}",
        step.stderr
    );
    only_ours(&step);
}

#[test]
fn arguments_that_are_wrong_are_told_like_any_other_error() {
    let github = GitHub::start();
    let planted = "x\n::add-mask::pwned\n##[error]pwned";
    for step in [
        job(&github).step(&["run", "--comment", planted]),
        job(&github).with("LOADGATE_COMMENT", planted).step(&["run"]),
        job(&github).step(&["run", "a", "b", planted]),
    ] {
        assert_eq!(step.code, 2, "{}", step.stderr);
        only_ours(&step);
        assert_eq!(step.outputs.get("verdict").map(String::as_str), Some("error"), "{}", step.stderr);
    }
}
