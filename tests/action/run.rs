//! scripts/run.sh: from inputs to the binary, with nothing in between that understands more than blanks.

use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::{Finished, Sandbox, root};

/// Says what it was given.
const ECHO: &str =
    "#!/bin/bash\nprintf '[%s]' \"$@\"\necho\npwd\nenv | grep ^LOADGATE_ | sort\necho pid $$\n";

fn script() -> PathBuf {
    root().join("scripts/run.sh")
}

fn run(variables: &[(&str, &str)]) -> Finished {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("a folder")).expect("a folder");
    let binary = sandbox.program("loadgate", ECHO);
    let given = [&[("LOADGATE_BINARY", binary.to_str().expect("text"))], variables].concat();
    let finished = sandbox.run(script(), &given);
    let folder = sandbox.path("").to_string_lossy().trim_end_matches('/').to_owned();
    Finished { text: finished.text.replace(&folder, "HERE"), ..finished }
}

#[test]
fn the_command_is_split_at_blanks_and_nothing_in_it_means_anything() {
    for (command, arguments) in [
        ("run", "[run]"),
        ("", "[run]"),
        (" \t\n", "[run]"),
        ("baseline update  --runs 5\n--pull-request\n", "[baseline][update][--runs][5][--pull-request]"),
        ("run *.yaml ~ ; true & # {a,b}", "[run][*.yaml][~][;][true][&][#][{a,b}]"),
        ("-x --", "[-x][--]"),
    ] {
        let text = run(&[("LOADGATE_COMMAND", command)]).ended(0);
        assert_eq!(text.lines().next(), Some(arguments), "{command}");
    }
}

#[test]
fn what_only_a_shell_would_understand_is_refused() {
    for word in ["'a b'", "\"a", "$HOME", "`id`", "a\\"] {
        let text = run(&[("LOADGATE_COMMAND", &format!("run {word}"))]).ended(2);
        let error =
            "::error title=loadgate::`command` is split at blanks, without quotes or variables of a shell: ";
        assert!(text.starts_with(error), "{text}");
    }
}

#[test]
fn inputs_that_nobody_gave_are_no_variables() {
    let text = run(&[
        ("LOADGATE_SCENARIO", ""),
        ("LOADGATE_CONFIG", "x.yaml"),
        ("LOADGATE_USERS", "5"),
        ("LOADGATE_ARTIFACT", ""),
        ("LOADGATE_COMMAND", "run"),
        ("LOADGATE_WORKING_DIRECTORY", ""),
    ]);
    let text = text.ended(0);
    let variables: Vec<&str> = text.lines().filter(|line| line.starts_with("LOADGATE_")).collect();
    assert_eq!(variables, ["LOADGATE_CONFIG=x.yaml", "LOADGATE_USERS=5"]);
}

#[test]
fn it_runs_in_the_folder_that_was_asked_for() {
    assert_eq!(run(&[]).ended(0).lines().nth(1), Some("HERE"));
    let text = run(&[("LOADGATE_WORKING_DIRECTORY", "a folder")]).ended(0);
    assert_eq!(text.lines().nth(1), Some("HERE/a folder"));
    let text = run(&[("LOADGATE_WORKING_DIRECTORY", "no%such\nfolder")]).ended(2);
    assert_eq!(text, "::error title=loadgate::`working-directory` is no folder: no%25such%0Afolder\n");
}

#[test]
fn comparing_two_versions_is_refused_rather_than_ignored() {
    for name in ["LOADGATE_BASE", "LOADGATE_HEAD"] {
        let text = run(&[(name, "main")]).ended(2);
        assert!(text.contains("the inputs `base` and `head` are not in this version"), "{text}");
    }
}

#[test]
fn the_binary_takes_the_place_of_the_script() {
    let sandbox = Sandbox::new();
    let binary = sandbox.program("loadgate", ECHO);
    // As a runner starts a step.
    let step = sandbox.write("step.sh", "echo pid $$\nexec \"$SCRIPT\"\n");
    let (script, binary) = (script(), binary.to_str().expect("text").to_owned());
    let variables = [("SCRIPT", script.to_str().expect("text")), ("LOADGATE_BINARY", binary.as_str())];
    let mut command: Command = sandbox.command("bash", &variables);
    command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(step);
    let text = crate::sandbox::finish(&mut command).ended(0);
    let processes: Vec<&str> = text.lines().filter(|line| line.starts_with("pid ")).collect();
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[0], processes[1], "a signal to the step would not reach the binary");
}
