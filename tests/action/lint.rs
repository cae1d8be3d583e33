//! Four linters on everything that GitHub or a shell reads: action.yml, the workflows, the templates, what
//! `loadgate init` writes, the documentation, the scripts. test.sh installs them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::docs::{Kind, blocks};
use crate::init;
use crate::sandbox::{Finished, Sandbox, finish, root};
use crate::yaml::{indented, workflows};

/// Where test.sh installs them.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/lint/bin");
/// Everything that bash reads.
const SCRIPTS: [&str; 6] =
    ["scripts/install.sh", "scripts/run.sh", "scripts/error.sh", "scripts/release.sh", "test.sh", ".ci/run"];
/// In front of steps that stand alone.
const JOB: &str = "name: docs
on: push
permissions: {}
concurrency: docs
jobs:
  docs:
    name: docs
    runs-on: ubuntu-24.04
    permissions: {contents: read}
    steps:
";

/// One of the programs, in this folder.
pub fn program(name: &str, folder: &Sandbox) -> Command {
    let path = PathBuf::from(PROGRAMS).join(name);
    assert!(path.exists(), "{} is not there: ./test.sh installs it", path.display());
    folder.command(path, &[("PATH", &format!("{PROGRAMS}:/usr/bin:/bin"))])
}

/// A repository with the action at its root and these workflows, which use it from there: so what they give it is
/// held against the inputs that there are.
struct Repository {
    sandbox: Sandbox,
    names: Vec<String>,
}

impl Repository {
    fn new(workflows: &[(String, String)]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.borrow("action.yml");
        sandbox.borrow(".github/zizmor.yml");
        finish(sandbox.command("git", &[]).args(["init", "--quiet"])).ended(0);
        let local = |line: &str| match line.split_once("loadgate/loadgate@") {
            Some((before, _)) => format!("{before}./\n"),
            None => format!("{line}\n"),
        };
        let mut names = Vec::new();
        for (name, text) in workflows {
            let here = format!(".github/workflows/{name}.yml");
            sandbox.write(&here, &text.lines().map(local).collect::<String>());
            names.push(here);
            // Where others see it, with the commit that is pinned.
            sandbox.write(&format!("pinned/.github/workflows/{name}.yml"), text);
        }
        Self { sandbox, names }
    }

    fn zizmor(&self) -> Finished {
        let mut zizmor = program("zizmor", &self.sandbox);
        finish(zizmor.args(["--offline", "--no-progress", "--config", ".github/zizmor.yml", "."]))
    }

    fn actionlint(&self) -> Finished {
        finish(program("actionlint", &self.sandbox).args(["-no-color"]).args(&self.names))
    }

    fn schema(&self) -> Finished {
        let mut check = program("check-jsonschema", &self.sandbox);
        finish(check.args(["--builtin-schema", "vendor.github-workflows"]).args(&self.names))
    }

    #[track_caller]
    fn is_clean(&self) {
        assert!(!self.names.is_empty());
        for finished in [self.zizmor(), self.actionlint(), self.schema()] {
            finished.ended(0);
        }
    }
}

fn named(name: &str) -> (String, String) {
    let text = fs::read_to_string(root().join(name)).expect("a workflow");
    (name.trim_end_matches(".yml").replace(['/', '.'], "-"), text)
}

#[test]
fn nothing_is_found_in_the_workflows_of_this_repository_and_the_templates() {
    let all: Vec<(String, String)> = workflows().iter().map(|name| named(name)).collect();
    // A workflow of the repository that calls another by its name.
    let texts = all
        .into_iter()
        .map(|(name, text)| (name, text.replace("workflows/ci.yml", "workflows/-github-workflows-ci.yml")));
    Repository::new(&texts.collect::<Vec<_>>()).is_clean();
}

#[test]
fn nothing_is_found_in_the_action() {
    let sandbox = Sandbox::new();
    let action = sandbox.borrow("action.yml");
    let mut schema = program("check-jsonschema", &sandbox);
    finish(schema.args(["--builtin-schema", "vendor.github-actions"]).arg(&action)).ended(0);
    finish(program("zizmor", &sandbox).args(["--offline", "--no-progress"]).arg(&action)).ended(0);
}

#[test]
fn nothing_is_found_in_the_updates_of_dependencies() {
    let sandbox = Sandbox::new();
    let file = sandbox.borrow(".github/dependabot.yml");
    let mut schema = program("check-jsonschema", &sandbox);
    finish(schema.args(["--builtin-schema", "vendor.dependabot"]).arg(&file)).ended(0);
    finish(program("zizmor", &sandbox).args(["--offline", "--no-progress", "."])).ended(0);
}

#[test]
fn nothing_is_found_in_the_workflows_and_steps_of_the_documentation() {
    let blocks = blocks();
    let texts = blocks.iter().filter_map(|block| match block.kind() {
        Kind::Workflow => Some(block.text.clone()),
        Kind::JobSteps => {
            let steps = indented(&block.text, 6);
            let first =
                if steps.contains("steps.load.") { "      - id: load\n        uses: ./\n" } else { "" };
            Some(format!("{JOB}{first}{steps}"))
        }
        Kind::Config | Kind::Foreign => None,
    });
    let named: Vec<(String, String)> =
        texts.enumerate().map(|(at, text)| (format!("block-{at}"), text)).collect();
    assert!(named.len() >= 6);
    Repository::new(&named).is_clean();
}

#[test]
fn nothing_is_found_in_what_init_writes() {
    let written = init::FORMS.map(init::written);
    let written = written.into_iter().chain([init::written_twice()]);
    let named: Vec<(String, String)> =
        written.enumerate().map(|(at, text)| (format!("form-{at}"), text)).collect();
    let repository = Repository::new(&named);
    // Where no commit could be looked up it names a tag, and says so beside it.
    repository.sandbox.write(
        ".github/zizmor.yml",
        "rules:\n  self-repository: {disable: true}\n  unpinned-uses:\n    config:\n      policies: {\"loadgate/*\": ref-pin, \"*\": hash-pin}\n",
    );
    repository.is_clean();
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let sandbox = Sandbox::new();
    let scripts = SCRIPTS;
    finish(program("shellcheck", &sandbox).current_dir(root()).args(scripts)).ended(0);
    let below = fs::read_dir(root().join("scripts")).expect("scripts").count();
    assert_eq!(below, SCRIPTS.iter().filter(|name| name.starts_with("scripts/")).count());
}

#[test]
fn the_linters_find_what_is_wrong() {
    let wrong = |steps: &str| Repository::new(&[("wrong".to_owned(), format!("{JOB}{steps}"))]);
    let found = |finished: Finished, what: &str| {
        assert!(finished.code != 0 && finished.text.contains(what), "{}", finished.text);
    };
    found(wrong("      - uses: ./\n        with: {comand: run}\n").actionlint(), "comand");
    found(wrong("      - run: echo ${{ github.head_ref }}\n").zizmor(), "template-injection");
    found(wrong("      - uses: actions/checkout@v7\n").zizmor(), "unpinned-uses");
    found(wrong("      - runs: echo\n").schema(), "runs");
    let sandbox = Sandbox::new();
    let script = sandbox.write("x.sh", "#!/bin/bash\nrm $1/*\n");
    found(finish(program("shellcheck", &sandbox).arg(script)), "SC2086");
}
