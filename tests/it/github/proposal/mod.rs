//! Remembered runs on their way into the repository: the pull request of the fixed branch, and the commit.
//! Every night is a job of its own with a fresh checkout.

mod branch;
mod commit;
mod nights;
mod refusal;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::job::{Job, RUN, Step, TOKEN};
use super::mock::GitHub;
use super::mock::fault::{Effect, Fault};
use super::mock::git::{Git, Object};
use super::mock::identity::Identity;
use super::mock::repository::{Issue, Repository};
use crate::baseline::{CONFIG, FOLDER, at};

/// The branch that is proposed on.
const BRANCH: &str = "loadgate/baseline";

/// A GitHub with the configuration on its `main`.
struct Scene {
    github: GitHub,
}

impl Scene {
    fn new() -> Self {
        Self::on(GitHub::start())
    }

    fn on(github: GitHub) -> Self {
        github.admit(TOKEN, Identity::workflow());
        github.with(|repository| repository.push("main", &[("config.yaml", Some(CONFIG))]));
        Self { github }
    }

    /// A nightly job with a fresh checkout of `main`, and stored results of these minutes.
    fn night(&self, minutes: std::ops::Range<u32>) -> Job {
        let event = json!({"schedule": "17 3 * * *", "repository": {"full_name": "shop/api", "default_branch": "main"}});
        let job = Job::new(&self.github, "schedule", &event).with("GITHUB_REF", "refs/heads/main");
        let job = job.with("GITHUB_RUN_ID", RUN + u64::from(minutes.start));
        for (path, text) in self.files("main") {
            job.workspace.write(&path, &text);
        }
        for minute in minutes {
            job.workspace.write(&format!("{minute}.json"), &at(minute).to_string());
        }
        job
    }

    /// A night that remembers the run of this minute and proposes it.
    fn proposed(&self, minute: u32) -> Step {
        propose(&self.night(minute..minute + 1), &format!("{minute}.json"))
    }

    /// The text of every file of a branch.
    fn files(&self, branch: &str) -> BTreeMap<String, String> {
        self.github.with(|repository| files(&repository.git, branch))
    }

    /// The minutes of the runs that a branch remembers.
    fn minutes(&self, branch: &str) -> Vec<String> {
        let all = self.files(branch);
        let runs = all.keys().filter_map(|path| path.strip_prefix(&format!("{FOLDER}/run-20261124T10")));
        runs.map(|rest| rest[..2].to_owned()).collect()
    }

    /// Every pull request, the oldest first.
    fn pulls(&self) -> Vec<Issue> {
        self.github
            .with(|repository| repository.issues.values().filter(|it| it.pull.is_some()).cloned().collect())
    }

    /// The one that is open.
    fn pull(&self) -> Issue {
        let open: Vec<_> = self.pulls().into_iter().filter(|pull| pull.open).collect();
        assert_eq!(open.len(), 1, "{open:#?}");
        open.into_iter().next().expect("one")
    }

    fn head(&self, branch: &str) -> Option<String> {
        self.github.with(|repository| repository.git.branches.get(branch).cloned())
    }

    fn parents(&self, branch: &str) -> Vec<String> {
        let head = self.head(branch).expect("a branch");
        self.github.with(|repository| repository.git.commit(&head).expect("a commit").parents.clone())
    }

    /// Puts the files of the branch on `main`, as a squash does, and ends the pull request.
    fn merge(&self) {
        let files = self.files(BRANCH);
        let number = self.pull().number;
        self.github.with(|repository| {
            let files: Vec<_> =
                files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
            repository.push("main", &files);
            close(repository, number);
        });
    }

    /// Somebody else does something just before a request is answered.
    fn meanwhile(
        &self,
        method: &'static str,
        path: &str,
        change: impl FnMut(&mut Repository) + Send + 'static,
    ) {
        self.github.inject(Fault::new(method, path, Effect::Meanwhile(Box::new(change))));
    }

    /// How often something was changed.
    fn changes(&self) -> usize {
        self.github.asked().iter().filter(|asked| asked.method != "GET").count()
    }
}

fn close(repository: &mut Repository, number: u64) {
    repository.issues.get_mut(&number).expect("a pull request").open = false;
}

fn files(git: &Git, branch: &str) -> BTreeMap<String, String> {
    let tree = git.tree_of(branch).unwrap_or_else(|| panic!("there is no `{branch}`"));
    let blobs = git.flat(&tree).into_iter().filter_map(|(path, (_, sha))| match git.object(&sha) {
        Some(Object::Blob(bytes)) => Some((path, String::from_utf8_lossy(bytes).into_owned())),
        _ => None,
    });
    blobs.collect()
}

/// Remembers a stored result and proposes it, which works out.
fn propose(job: &Job, result: &str) -> Step {
    let step = job.step(&["baseline", "update", result, "--pull-request"]);
    assert_eq!(step.code, 0, "{}{}", step.stdout, step.stderr);
    step
}

/// The path and text of a run of this minute, as another job would write it.
fn written(minute: u32) -> (String, String) {
    let workspace = crate::harness::Workspace::with_config(CONFIG);
    workspace.write("result.json", &at(minute).to_string());
    let finished = workspace.run(&["baseline", "update", "result.json"]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let files = std::fs::read_dir(workspace.path(FOLDER)).expect("a folder");
    let path = files.map(|file| file.expect("a file").path()).next().expect("a run");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    (format!("{FOLDER}/{name}"), std::fs::read_to_string(&path).expect("a text"))
}

fn said(step: &Step, code: i32, parts: &[&str]) {
    let all = format!("{}{}", step.stdout, step.stderr);
    assert_eq!(step.code, code, "{all}");
    for part in parts {
        assert!(all.contains(part), "`{part}` is missing in\n{all}");
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
