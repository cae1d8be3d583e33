//! The action played by act, a runner without containers: what its expressions give the scripts, what comes out, and
//! which steps run after which. In place of loadgate stands a script, in place of others' actions another.

use std::process::Command;

use crate::init::begun;
use crate::lint::program;
use crate::sandbox::{BINARY, Finished, Sandbox, alone, finish, root};
use crate::yaml::indented;

/// As loadgate ends: it writes outputs, then exits with a status.
const LOADGATE: &str = r#"#!/bin/bash
[ "$1" != --version ] || { echo loadgate 0; exit; }
echo "arguments: $*"
env | grep ^LOADGATE_ | sort | sed 's/^/given: /'
printf 'verdict=%s\nexit-status=%s\nfolder=%s\n' "$VERDICT" "$STATUS" "$FOLDER" >>"$GITHUB_OUTPUT"
exit "$STATUS"
"#;
/// What the action is made of.
const ACTION: [&str; 4] = ["action.yml", "scripts/install.sh", "scripts/run.sh", "scripts/error.sh"];
/// Says what it was asked to upload.
const UPLOAD: &str = "name: upload
description: upload
inputs: {name: {description: n}, path: {description: p}, overwrite: {description: o}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: \"${{ inputs.name }}\", FILES: \"${{ inputs.path }}\"}
      run: 'echo \"uploaded: $NAME from $FILES\"'
";

/// A job with the action in it, given these inputs, in which loadgate ends like this.
struct Job<'a> {
    inputs: &'a str,
    environment: &'a [(&'a str, &'a str)],
}

impl Job<'_> {
    /// Runs it.
    fn run(&self) -> Finished {
        let (sandbox, home) = (self.repository(), home());
        finish(act(&sandbox, &home).args(["push", "-W", ".github/workflows/job.yml"]))
    }

    fn repository(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        for name in ACTION {
            sandbox.borrow(name);
        }
        sandbox.program("fake", LOADGATE);
        let line = |(name, value): &(&str, &str)| format!("{name}: \"{value}\"");
        let lines: Vec<String> = self.environment.iter().map(line).collect();
        let environment = indented(&lines.join("\n"), 6);
        sandbox.write(
            ".github/workflows/job.yml",
            &format!(
                "on: push\njobs:\n  job:\n    runs-on: ubuntu-24.04\n    env:\n{environment}    steps:\n\
                 \x20     - uses: actions/checkout@v7\n      - id: load\n        uses: ./\n        with:\n{}\
                 \x20     - if: always()\n        env: {{VERDICT: \"${{{{ steps.load.outputs.verdict }}}}\", STATUS: \"${{{{ steps.load.outputs.exit-status }}}}\"}}\n\
                 \x20       run: 'echo \"outputs: $VERDICT $STATUS\"'\n",
                self.inputs
            ),
        );
        commit(&sandbox, "");
        sandbox
    }
}

/// What is on the machine of a runner: the actions that are used, and a cache. It copies the repository into its
/// cache, so that must not be a part of it.
fn home() -> Sandbox {
    let home = Sandbox::new();
    home.write(".config/act/actrc", "");
    home.write("upload/action.yml", UPLOAD);
    for name in ACTION {
        let text = std::fs::read_to_string(root().join(name)).expect("a file");
        home.program(&format!("action/{name}"), &text);
    }
    commit(&home, "upload");
    commit(&home, "action");
    home
}

/// The runner, which knows where to find others' actions.
fn act(sandbox: &Sandbox, home: &Sandbox) -> Command {
    let upload = format!("actions/upload-artifact@{}={}", pin(), home.path("upload").display());
    let version = env!("CARGO_PKG_VERSION");
    // As `init` names it, and as the templates do.
    let pins = [format!("v{version}"), "0".repeat(40)];
    let actions = pins.map(|pin| format!("loadgate/loadgate@{pin}={}", home.path("action").display()));
    let mut act = program("act", sandbox);
    act.args(["-P", "ubuntu-24.04=-self-hosted", "--no-cache-server", "-s", "GITHUB_TOKEN=a-secret"]);
    for place in actions.iter().chain([&upload]) {
        act.args(["--local-repository", place]);
    }
    act.env("HOME", home.path("")).env("XDG_CACHE_HOME", home.path("cache"));
    act
}

/// Makes a folder a repository with one commit.
fn commit(sandbox: &Sandbox, folder: &str) {
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x"],
    ] {
        let mut git = sandbox.command("git", &[]);
        finish(git.current_dir(sandbox.path(folder)).args(arguments)).ended(0);
    }
}

/// The commit of the upload that the action names.
fn pin() -> String {
    let action = std::fs::read_to_string(root().join("action.yml")).expect("the action");
    let (_, rest) = action.split_once("actions/upload-artifact@").expect("the upload");
    rest.split(' ').next().unwrap_or_default().to_owned()
}

/// What steps said on lines that begin so.
fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.split_once(" | ")?.1.trim_start().strip_prefix(start)).collect()
}

#[test]
fn a_run_that_passes_uploads_its_folder_and_tells_its_verdict() {
    let environment = [("VERDICT", "passed"), ("STATUS", "0"), ("FOLDER", "reports/x")];
    let job = Job {
        inputs: "          binary: fake\n          command: baseline update --runs 5\n",
        environment: &environment,
    };
    let text = job.run().ended(0);
    assert_eq!(lines(&text, "arguments: "), ["baseline update --runs 5"], "{text}");
    assert_eq!(lines(&text, "given: "), ["LOADGATE_ARTIFACT=loadgate-report", "LOADGATE_TOKEN=***"]);
    assert_eq!(lines(&text, "uploaded: "), ["loadgate-report from reports/x"]);
    assert_eq!(lines(&text, "outputs: "), ["passed 0"]);
}

#[test]
fn a_run_that_fails_fails_the_job_and_is_uploaded_and_told_all_the_same() {
    let environment = [("VERDICT", "failed"), ("STATUS", "4"), ("FOLDER", "reports/x")];
    let job = Job { inputs: "          binary: fake\n          artifact: mine\n", environment: &environment };
    let text = job.run().ended(1);
    assert_eq!(lines(&text, "uploaded: "), ["mine from reports/x"], "{text}");
    assert_eq!(lines(&text, "outputs: "), ["failed 4"]);
}

#[test]
fn nothing_is_uploaded_where_nobody_wants_it_or_there_is_nothing() {
    for (inputs, folder) in [
        ("          artifact: \"\"\n", "reports/x"),
        ("          scenario: s\n", ""),
        ("          run-id: 7\n          command: publish\n", "reports/x"),
    ] {
        let environment =
            [("VERDICT", "passed"), ("STATUS", "0"), ("FOLDER", folder), ("LOADGATE_BINARY", "fake")];
        let text = Job { inputs, environment: &environment }.run().ended(0);
        assert_eq!(
            (lines(&text, "uploaded: "), lines(&text, "outputs: ")),
            (vec![], vec!["passed 0"]),
            "{text}"
        );
    }
}

#[test]
fn inputs_go_before_variables_of_the_job_and_an_error_before_the_run_is_a_verdict() {
    let environment = [
        ("VERDICT", "passed"),
        ("STATUS", "0"),
        ("FOLDER", ""),
        ("LOADGATE_BINARY", "fake"),
        ("LOADGATE_ENVIRONMENT", "of-the-job"),
        ("LOADGATE_SCENARIO", "of-the-job"),
    ];
    let inputs = "          scenario: \"$(touch x) ${{ github.event_name }}'\"\n          comment-id: a\n";
    let text = Job { inputs, environment: &environment }.run().ended(0);
    assert_eq!(
        lines(&text, "given: "),
        [
            "LOADGATE_ARTIFACT=loadgate-report",
            "LOADGATE_COMMENT_ID=a",
            "LOADGATE_ENVIRONMENT=of-the-job",
            "LOADGATE_SCENARIO=$(touch x) push'",
            "LOADGATE_TOKEN=***",
        ],
        "{text}"
    );
    let wrong = Job { inputs: "          binary: nowhere\n", environment: &environment };
    assert_eq!(lines(&wrong.run().ended(1), "outputs: "), ["error "]);
}

/// Plays the workflow that `init` wrote for a pull request, with a short load and without a GitHub to comment on.
fn play(sandbox: &Sandbox) -> Finished {
    let _alone = alone();
    commit(sandbox, "");
    let home = home();
    let event = home.write("event.json", PULL_REQUEST);
    let mut act = act(sandbox, &home);
    act.arg("pull_request").arg("-e").arg(event);
    for (name, value) in [
        ("LOADGATE_BINARY", BINARY),
        ("LOADGATE_USERS", "2"),
        ("LOADGATE_RUN_TIME", "2s"),
        ("LOADGATE_COMMENT", "never"),
        ("GITHUB_API_URL", "http://127.0.0.1:9"),
    ] {
        act.arg("--env").arg(format!("{name}={value}"));
    }
    finish(&mut act)
}

const PULL_REQUEST: &str = r#"{"number": 7, "pull_request": {"number": 7,
    "head": {"ref": "a", "sha": "1111111111111111111111111111111111111111", "repo": {"full_name": "a/b"}},
    "base": {"ref": "main", "sha": "2222222222222222222222222222222222222222", "repo": {"full_name": "a/b"}}}}"#;

#[test]
fn the_workflow_that_init_writes_passes_and_uploads_as_it_is() {
    let text = play(&begun()).ended(0);
    let uploaded = lines(&text, "uploaded: ");
    assert!(uploaded.len() == 1 && uploaded[0].starts_with("loadgate-report from /"), "{text}");
    assert!(text.contains("::set-output:: verdict=inconclusive"), "{text}");
}

#[test]
fn the_workflow_that_init_writes_fails_where_an_objective_is_broken() {
    let sandbox = begun();
    let config = sandbox.read("services/shop/config.yaml").replace("get: /health", "get: /nothing-there");
    sandbox.write("services/shop/config.yaml", &config);
    let text = play(&sandbox).ended(1);
    assert!(
        text.contains("::set-output:: exit-status=3") && text.contains("set-output:: verdict=failed"),
        "{text}"
    );
    assert_eq!(lines(&text, "uploaded: ").len(), 1);
}

/// Plays a template with the script in place of loadgate: the commands that it was given, and the runs to publish.
fn commands(template: &str, event: (&str, &str), ends: (&str, &str)) -> Vec<String> {
    let (sandbox, home) = (Sandbox::new(), home());
    sandbox.borrow(&format!("templates/workflows/{template}.yml"));
    commit(&sandbox, "");
    let binary = home.program("fake", LOADGATE);
    let payload = home.write("event.json", event.1);
    let mut act = act(&sandbox, &home);
    act.args([event.0, "-W", "templates/workflows", "-e"]).arg(payload);
    // The repository that the events are of.
    act.args(["--env", "GITHUB_REPOSITORY=a/b", "--env", "FOLDER="]);
    let binary = format!("LOADGATE_BINARY={}", binary.display());
    for variable in [&binary, &format!("VERDICT={}", ends.0), &format!("STATUS={}", ends.1)] {
        act.arg("--env").arg(variable);
    }
    let text = finish(&mut act).text;
    let told = [lines(&text, "arguments: "), lines(&text, "given: LOADGATE_RUN_ID=")].concat();
    told.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_night_is_remembered_if_it_was_good_or_too_little_to_decide_whatever_the_policy() {
    let remembered = ["run", "baseline update --pull-request"];
    for (verdict, status, expected) in [
        ("passed", "0", &remembered[..]),
        ("inconclusive", "5", &remembered),
        ("failed", "4", &remembered[..1]),
        ("invalid", "6", &remembered[..1]),
    ] {
        let given = commands("nightly", ("schedule", "{}"), (verdict, status));
        assert_eq!(given, expected, "{verdict} {status}");
    }
}

#[test]
fn a_baseline_has_as_many_runs_as_were_asked_for() {
    let event = ("workflow_dispatch", r#"{"inputs": {"runs": "7"}}"#);
    assert_eq!(commands("baseline", event, ("passed", "0")), ["baseline update --runs 7 --pull-request"]);
}

#[test]
fn only_pull_requests_whose_runs_may_not_write_are_commented_on_by_the_relay() {
    for (event, repository, branch, expected) in [
        ("pull_request", "eve/b", "x", &["publish", "5"][..]),
        ("pull_request", "a/b", "dependabot/cargo/x", &[]),
        ("pull_request", "a/b", "x", &[]),
        ("push", "eve/b", "x", &[]),
    ] {
        let payload = format!(
            r#"{{"workflow_run": {{"id": 5, "event": "{event}", "head_branch": "{branch}",
            "head_repository": {{"full_name": "{repository}"}}}}}}"#
        );
        let given = commands("comment", ("workflow_run", &payload), ("passed", "0"));
        assert_eq!(given, expected, "{event} {repository} {branch}");
    }
}
