//! A runner without containers, act, that plays our own workflows with the real action and the real binary, against
//! the GitHub of the tests. In place of the upload of artifacts stands a copy. Knows nothing of what should happen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::job::TOKEN;
use super::mock::GitHub;
use crate::harness::{BINARY, Workspace, alone};

/// Puts what it is to upload where the test finds it.
const UPLOAD: &str = "name: upload
description: copies
inputs: {name: {description: n}, path: {description: p}, overwrite: {description: o}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: \"${{ inputs.name }}\", FILES: \"${{ inputs.path }}\"}
      run: 'mkdir -p \"$UPLOADS/$GITHUB_RUN_ID/$NAME\" && cp -rL \"$FILES/.\" \"$UPLOADS/$GITHUB_RUN_ID/$NAME\"'
";

/// A repository with our action and workflows, checked out nowhere yet.
pub struct Runner<'a> {
    github: &'a GitHub,
    pub repository: Workspace,
    /// What belongs to act and must be no part of the repository, which it copies.
    home: Workspace,
}

/// A workflow to be played.
pub struct Play<'a> {
    pub workflow: &'a str,
    pub event: &'a str,
    pub payload: &'a Value,
    pub run: u64,
    /// Variables of every job.
    pub variables: &'a [(&'a str, &'a str)],
}

/// What came of it.
pub struct Played {
    pub passed: bool,
    /// Everything that act said.
    pub text: String,
    pub summary: String,
    /// The outputs of its steps, the last of each name.
    pub outputs: BTreeMap<String, String>,
}

impl<'a> Runner<'a> {
    /// A repository with this configuration.
    pub fn new(github: &'a GitHub, config: &str) -> Self {
        let runner = Self { github, repository: Workspace::with_config(config), home: Workspace::new() };
        for folder in ["scripts", ".github/workflows"] {
            for entry in fs::read_dir(root().join(folder)).expect("a folder of the repository").flatten() {
                runner.borrow(&format!("{folder}/{}", entry.file_name().to_string_lossy()));
            }
        }
        runner.borrow("action.yml");
        runner.home.write(".config/act/actrc", "");
        runner.home.write("upload/action.yml", UPLOAD);
        runner.home.write("uploads/none", "");
        commit(&runner.home.path("upload"));
        runner
    }

    /// Commits what is there, and plays a workflow to its end.
    pub fn play(&self, play: &Play) -> Played {
        commit(&self.repository.path(""));
        let _alone = alone();
        let cache = tempfile::tempdir().expect("a temporary folder");
        let mut act = Command::new(root().join("target/lint/bin/act"));
        act.current_dir(self.repository.path("")).env_clear().env("PATH", "/usr/bin:/bin");
        act.env("HOME", self.home.path("")).env("XDG_CACHE_HOME", cache.path());
        let payload = self.home.write("event.json", &play.payload.to_string());
        let workflow = format!(".github/workflows/{}.yml", play.workflow);
        act.args([play.event, "-W", &workflow, "-P", "ubuntu-24.04=-self-hosted", "--no-cache-server"]);
        act.arg("-e").arg(payload).arg("--action-cache-path").arg(cache.path());
        act.arg("--local-repository").arg(format!(
            "{}={}",
            self.upload(),
            self.home.path("upload").display()
        ));
        act.args(["-s", &format!("GITHUB_TOKEN={TOKEN}")]);
        for (name, value) in self.variables(play) {
            act.arg("--env").arg(format!("{name}={value}"));
        }
        let ended = act.output().unwrap_or_else(|error| panic!("act: {error}; run ./test.sh once"));
        played(&ended)
    }

    /// The files of an artifact that a run uploaded.
    pub fn uploaded(&self, run: u64, name: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.home.path(&format!("uploads/{run}/{name}"));
        let entries =
            fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_file());
        let read = |path: PathBuf| fs::read(path).expect("a file");
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(entry.path()))).collect()
    }

    fn variables(&self, play: &Play) -> Vec<(String, String)> {
        let own = [
            ("GITHUB_API_URL", self.github.url()),
            ("GITHUB_REPOSITORY", "shop/api".to_owned()),
            ("GITHUB_RUN_ID", play.run.to_string()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("LOADGATE_BINARY", BINARY.to_owned()),
            ("UPLOADS", self.home.path("uploads").to_string_lossy().into_owned()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(play.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
            .collect()
    }

    /// The upload as the action names it, by its commit.
    fn upload(&self) -> String {
        let action = fs::read_to_string(self.repository.path("action.yml")).expect("the action");
        let uses = action.lines().find_map(|line| line.trim().strip_prefix("uses: ")).expect("the upload");
        uses.split(' ').next().unwrap_or_default().to_owned()
    }

    fn borrow(&self, name: &str) {
        let text = fs::read_to_string(root().join(name)).expect("a file of the repository");
        make_program(&self.repository.write(name, &text));
    }
}

/// Lets a file be run.
pub fn make_program(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("made a program");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Makes a folder a repository whose last commit is what is there; expressions read its name from the remote.
fn commit(folder: &Path) {
    let known = folder.join(".git").exists();
    let begin =
        [&["init", "-q", "-b", "main"][..], &["remote", "add", "origin", "https://github.com/shop/api"]];
    let record = [
        &["add", "--all"][..],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ];
    for arguments in begin.into_iter().filter(|_| !known).chain(record) {
        let done = Command::new("git").current_dir(folder).args(arguments).output().expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

fn played(ended: &Output) -> Played {
    let text =
        [&ended.stdout, &ended.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let said = text.lines().filter_map(|line| line.split_once("::set-output:: ")?.1.split_once('='));
    let outputs = said.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Played { passed: ended.status.success(), summary: summary(&text), text, outputs }
}

/// What act read from the files of summaries: it says so, up to the next line that begins with the job.
fn summary(text: &str) -> String {
    let mut lines = text.lines();
    let mut found = String::new();
    while let Some(line) = lines.next() {
        let Some((job, first)) = line.split_once("Summary - ") else { continue };
        let job = job.split(']').next().unwrap_or_default();
        let more = lines.by_ref().take_while(|line| !line.starts_with(job));
        found.extend([first].into_iter().chain(more).map(|line| format!("{line}\n")));
    }
    found
}
