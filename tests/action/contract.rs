//! One thing has one name: inputs of the action are flags and variables of the binary, outputs are what it writes.
//! And what no input may do: get into a shell line.

use std::collections::BTreeSet;

use clap::CommandFactory;
use loadgate::cli::Cli;
use loadgate::config::node::Node;
use loadgate::github::output::{Ended, Outputs};

use crate::sandbox::{Sandbox, outputs};
use crate::yaml::{at, entries, read, workflows};

/// What only the action knows of: the scripts act on these, or refuse them.
const OF_THE_SCRIPTS: [&str; 6] = ["command", "version", "binary", "working-directory", "base", "head"];
/// A secret is no flag: anybody on the machine can read those.
const VARIABLE_ONLY: &str = "token";
/// Inputs whose empty value means something, so no variable of the job takes its place.
const NEVER_INHERITED: [&str; 3] = ["command", "token", "artifact"];

fn action() -> Node {
    read("action.yml")
}

fn names(node: &Node) -> BTreeSet<String> {
    entries(node).map(|(name, _)| name.to_owned()).collect()
}

fn variable(input: &str) -> String {
    format!("LOADGATE_{}", input.replace('-', "_").to_uppercase())
}

/// Every variable that a flag or an argument can be set by, with how it is typed.
fn flags(command: &clap::Command) -> Vec<(String, String)> {
    let own = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        Some((variable, argument.get_long().unwrap_or(argument.get_id().as_str()).to_owned()))
    });
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

/// Steps of a job or of an action, wherever they stand.
fn steps(node: &Node) -> Vec<&Node> {
    let below = entries(node).flat_map(|(_, value)| steps(value));
    let own = node.get("steps").into_iter().flat_map(Node::items);
    own.chain(below).collect()
}

fn text<'a>(step: &'a Node, key: &str) -> &'a str {
    step.get(key).and_then(Node::scalar).unwrap_or_default()
}

#[test]
fn every_input_is_the_flag_and_the_variable_of_the_same_name() {
    let flags = flags(&Cli::command());
    let of_the_binary = |input: &String| !OF_THE_SCRIPTS.contains(&input.as_str()) && input != VARIABLE_ONLY;
    for input in names(at(&action(), &["inputs"])).into_iter().filter(of_the_binary) {
        let typed: Vec<&str> = flags
            .iter()
            .filter(|(name, _)| *name == variable(&input))
            .map(|(_, flag)| flag.as_str())
            .collect();
        assert!(!typed.is_empty(), "no flag has the variable {}", variable(&input));
        assert!(typed.iter().all(|flag| *flag == input), "{input} is typed as {typed:?}");
    }
}

#[test]
fn every_input_reaches_the_scripts_as_its_variable_and_in_no_other_way() {
    let action = action();
    for input in names(at(&action, &["inputs"])) {
        let own = format!("${{{{ inputs.{input} }}}}");
        let inherited = format!("${{{{ inputs.{input} || env.{} }}}}", variable(&input));
        let expected = if NEVER_INHERITED.contains(&input.as_str()) { own } else { inherited };
        let given: BTreeSet<&str> = steps(&action)
            .iter()
            .filter_map(|step| step.get("env")?.get(&variable(&input))?.scalar())
            .filter(|value| value.contains("inputs."))
            .collect();
        assert_eq!(given, BTreeSet::from([expected.as_str()]), "{input}");
    }
}

#[test]
fn every_input_says_what_it_is_and_whether_it_must_be_given() {
    for (input, said) in entries(at(&action(), &["inputs"])) {
        assert!(text(said, "description").len() > 10, "{input}");
        assert_eq!(text(said, "required"), "false", "{input}");
        assert!(said.get("default").is_some(), "{input}");
    }
}

#[test]
fn every_output_is_written_by_the_binary_under_the_same_name() {
    let sandbox = Sandbox::new();
    for written in [Outputs::without_result(Ended::Error, 1, ""), Outputs::of_pull_request("https://x")] {
        written.append(&sandbox.path("outputs")).expect("written");
    }
    let written: BTreeSet<String> = outputs(&sandbox.read("outputs")).into_keys().collect();
    let action = action();
    let told = at(&action, &["outputs"]);
    assert_eq!(names(told), written);
    for (name, output) in entries(told) {
        let value = text(output, "value");
        assert!(value.starts_with(&format!("${{{{ steps.run.outputs.{name} ")), "{name}: {value}");
    }
}

#[test]
fn no_expression_stands_in_a_shell_line() {
    for name in workflows().into_iter().chain(["action.yml".to_owned()]) {
        for step in steps(&read(&name)) {
            assert!(!text(step, "run").contains("${{"), "{name}: {}", text(step, "run"));
        }
    }
}

#[test]
fn nothing_is_allowed_that_a_job_does_not_ask_for() {
    for name in workflows() {
        let workflow = read(&name);
        assert_eq!(at(&workflow, &["permissions"]).entries().len(), 0, "{name}");
        for (job, said) in entries(at(&workflow, &["jobs"])) {
            assert!(!at(said, &["permissions"]).entries().is_empty(), "{name}: {job}");
            let called = said.get("uses").is_some();
            assert!(called || said.get("timeout-minutes").is_some(), "{name}: {job} may run for hours");
        }
        assert!(workflow.get("concurrency").is_some(), "{name}");
    }
}

#[test]
fn only_a_pull_request_overtakes_its_own_runs_and_no_entry_of_a_merge_queue_those_of_others() {
    let mut overtaking = 0;
    for name in workflows() {
        let workflow = read(&name);
        let concurrency = at(&workflow, &["concurrency"]);
        if text(concurrency, "cancel-in-progress") == "true" {
            let group = text(concurrency, "group");
            let (_, number) = group.split_once("${{ ").expect("a group of its own");
            // Outside of pull requests the number is empty, and the group would be that of all.
            let otherwise =
                ["ref", "run_id"].map(|it| format!("github.event.pull_request.number || github.{it} }}}}"));
            assert!(otherwise.iter().any(|it| number == it), "{name}: {group}");
            overtaking += 1;
        }
    }
    assert_eq!(overtaking, 3);
}

#[test]
fn an_action_of_others_is_the_same_commit_wherever_it_is_used() {
    let files = workflows().into_iter().chain(["action.yml".to_owned()]);
    let texts = files.map(|name| std::fs::read_to_string(crate::sandbox::root().join(name)).expect("a file"));
    let used: BTreeSet<String> = texts
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.split_once("uses: "))
                .map(|(_, it)| it.to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|used| !used.starts_with("./"))
        .collect();
    let actions: BTreeSet<&str> = used.iter().filter_map(|used| used.split('@').next()).collect();
    assert_eq!(actions.len(), used.len(), "{used:#?}");
    for used in &used {
        let (_, pin) = used.split_once('@').expect("a pin");
        let (commit, version) = pin.split_once(" # v").expect("a version beside the commit");
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{used}");
        assert!(version.split('.').count() == 3, "{used}");
    }
}
