//! YAML in the documentation: the workflows are the templates, what is a configuration is a right one.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{BINARY, Sandbox, finish, root};
use crate::yaml::{at, entries, indented, read};

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole workflow.
    Workflow,
    /// Steps of a job.
    JobSteps,
    /// A configuration, or a part of one.
    Config,
    /// Of another program.
    Foreign,
}

/// A block of YAML.
pub struct Block {
    /// The file, and the line it begins on.
    pub place: String,
    pub text: String,
}

impl Block {
    pub fn kind(&self) -> Kind {
        let says = |key: &str| self.text.lines().any(|line| line.starts_with(key));
        if says("jobs:") {
            Kind::Workflow
        } else if says("scrape_configs:") {
            Kind::Foreign
        } else if says("- ") && (self.text.contains(" uses: ") || self.text.contains(" run: |")) {
            Kind::JobSteps
        } else {
            Kind::Config
        }
    }
}

/// Every block of YAML of README.md, CONTRIBUTING.md and docs.
pub fn blocks() -> Vec<Block> {
    let docs = fs::read_dir(root().join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let pages = ["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into_iter().chain(docs);
    let mut pages: Vec<PathBuf> =
        pages.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    pages.sort();
    pages.iter().flat_map(blocks_of).collect()
}

fn blocks_of(path: &PathBuf) -> Vec<Block> {
    let text = fs::read_to_string(path).expect("a page");
    let name = path.strip_prefix(root()).expect("below").display();
    let mut lines = text.lines().enumerate();
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line == "```yaml" {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text = inside.flat_map(|line| [line, "\n"]).collect();
            found.push(Block { place: format!("{name}:{}", number + 1), text });
        } else {
            assert!(!line.contains("```y"), "{name}:{}: write ```yaml, without indentation", number + 1);
        }
    }
    found
}

/// Where the top-level keys of a text begin; alternatives repeat a key.
fn documents(text: &str) -> Vec<String> {
    let key = |line: &str| line.split_once(':').map(|(key, _)| key.to_owned());
    let top: Vec<String> =
        text.lines().filter(|line| line.starts_with(|c: char| c.is_alphabetic())).filter_map(key).collect();
    let repeated = top.len() > 1 && top.iter().all(|name| *name == top[0]);
    if repeated { text.lines().map(|line| format!("{line}\n")).collect() } else { vec![text.to_owned()] }
}

/// A whole configuration around a part of one: what the part needs beside it, and no more.
fn whole(part: &str) -> String {
    let says = |key: &str| part.lines().any(|line| line.starts_with(key));
    if says("version:") {
        return part.to_owned();
    }
    let load = if says("load:") { "" } else { "load: {users: 1}\n" };
    let top = format!("version: 1\n{load}");
    let environments = "environments: {docs: {host: \"http://localhost:8000\"}}\n";
    if says("- ") {
        return format!(
            "{top}{environments}{SCENARIO}    users:\n      docs:\n        steps:\n{}",
            steps(part)
        );
    }
    if says("users:") {
        return format!("{top}{environments}{SCENARIO}{TASKS}{}", indented(part, 4));
    }
    let environments = if says("environments:") { "" } else { environments };
    let scenarios = if says("scenarios:") { "" } else { ENDPOINTS };
    format!("{top}{part}{environments}{scenarios}")
}

/// A scenario with what parts of one read.
const SCENARIO: &str = "scenarios:
  docs:
    data: {token: [a], build_id: [a], builds: [a]}
";
/// Tasks that parts of a scenario name.
const TASKS: &str = "    tasks: {login: [{get: /}], browse: [{get: /}], buy: [{get: /}]}\n";
/// A scenario with what objectives are about.
const ENDPOINTS: &str = "scenarios:
  docs:
    tasks: {login: [{post: /login}]}
    users:
      docs:
        on_start: login
        steps:
          - get: /api/v1/builds
          - {websocket: /ws, name: \"WS /ws/builds/{id}\", steps: [{hold: 1ms}], record: build_done}
";

/// Steps of a user; messages, on a socket that is open.
fn steps(part: &str) -> String {
    if part.starts_with("- send:") || part.starts_with("- receive:") {
        let socket = "          - websocket: /ws\n            steps:\n              - repeat: 2\n                steps:\n";
        return format!("{socket}{}", indented(part, 18));
    }
    indented(part, 10)
}

/// What `loadgate check` says against a configuration; nothing where it is right.
fn complaint(text: &str) -> Option<String> {
    let sandbox = Sandbox::new();
    sandbox.write("config.yaml", text);
    sandbox.write("report.pdf", "");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
    for name in ["certs/internal-ca.pem", "certs/ci.pem"] {
        sandbox.write(name, &certificate.pem());
    }
    sandbox.write("certs/ci.key", &key.serialize_pem());
    let finished = finish(sandbox.command(BINARY, &[]).arg("check"));
    (finished.code != 0).then_some(finished.text)
}

#[test]
fn every_configuration_of_the_documentation_is_a_right_one() {
    let blocks = blocks();
    let configs = blocks.iter().filter(|block| block.kind() == Kind::Config);
    let texts =
        configs.flat_map(|block| documents(&block.text).into_iter().map(move |text| (&block.place, text)));
    let complaints: Vec<String> = texts
        .filter_map(|(place, text)| Some(format!("{place}\n{}\n{text}", complaint(&whole(&text))?)))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_is_wrong_in_the_documentation_would_be_found() {
    assert!(
        complaint(&whole("thresholds: {p96: 1s}\n"))
            .is_some_and(|text| text.contains("unknown key or metric `p96`"))
    );
    assert!(complaint(&whole("- gett: /x\n")).is_some());
    assert!(complaint(&whole("users:\n  a: {wait: soon, steps: [{get: /}]}\n")).is_some());
}

#[test]
fn the_workflows_of_the_documentation_are_the_templates() {
    let page = fs::read_to_string(root().join("docs/github.md")).expect("a page");
    let shown: Vec<Block> = blocks().into_iter().filter(|block| block.kind() == Kind::Workflow).collect();
    let mut templates: Vec<String> = fs::read_dir(root().join("templates/workflows"))
        .expect("templates")
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).expect("a template"))
        .collect();
    let mut texts: Vec<String> = shown.into_iter().map(|block| block.text).collect();
    templates.sort();
    texts.sort();
    assert_eq!(texts, templates);
    let pin = format!("@{} # v{}", "0".repeat(40), env!("CARGO_PKG_VERSION"));
    let uses = |text: &str| text.lines().filter(|line| line.contains("uses: loadgate/")).count();
    assert!(uses(&page) > 4 && page.matches(&pin).count() == uses(&page), "{pin}");
}

#[test]
fn every_input_and_output_is_explained() {
    let page = fs::read_to_string(root().join("docs/github.md")).expect("a page");
    let section = |title: &str| {
        let (_, rest) = page.split_once(&format!("\n## {title}\n")).expect("a section");
        rest.split("\n## ").next().unwrap_or_default().to_owned()
    };
    let named = |rows: &str| {
        let rows = rows.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.map(|row| row.split('|').nth(1).unwrap_or_default());
        let mut names: Vec<String> = cells
            .flat_map(|cell| cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()))
            .collect();
        names.sort();
        names
    };
    for (title, key) in [("Inputs", "inputs"), ("Outputs", "outputs")] {
        let action = read("action.yml");
        let mut known: Vec<String> = entries(at(&action, &[key])).map(|(name, _)| name.to_owned()).collect();
        known.sort();
        assert_eq!(named(&section(title)), known);
    }
}
