//! What the mock keeps: a repository with its issues, pull requests, comments, objects and artifacts, and the
//! hands of everybody else on it. Answers no requests.

use std::collections::BTreeMap;

use super::artifact::Artifact;
use super::comment::Comment;
use super::git::Git;
use super::identity::Identity;
use super::view;

/// The repository.
pub struct Repository {
    /// Where its API is.
    pub url: String,
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub tokens: BTreeMap<String, Identity>,
    /// Pull requests are issues too.
    pub issues: BTreeMap<u64, Issue>,
    pub tracker: Tracker,
    pub comments: Vec<Comment>,
    pub git: Git,
    pub artifacts: Vec<Artifact>,
    /// Moves on with everything that happens.
    second: u64,
}

/// Whether the repository has issues at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracker {
    On,
    Off,
}

/// An issue or a pull request.
#[derive(Debug, Clone)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub open: bool,
    /// None: the account is gone.
    pub author: Option<String>,
    pub labels: Vec<String>,
    pub created: u64,
    pub updated: u64,
    pub pull: Option<Pull>,
}

/// Where a pull request comes from, and where it goes.
#[derive(Debug, Clone)]
pub struct Pull {
    /// None: the fork is gone.
    pub repository: Option<String>,
    pub branch: String,
    pub sha: String,
    pub base: String,
}

impl Repository {
    /// `shop/api` with a commit on `main`.
    pub fn new(url: &str) -> Self {
        let mut repository = Self {
            url: url.to_owned(),
            id: 1_296_269,
            owner: "shop".into(),
            name: "api".into(),
            tokens: BTreeMap::new(),
            issues: BTreeMap::new(),
            tracker: Tracker::On,
            comments: Vec::new(),
            git: Git::default(),
            artifacts: Vec::new(),
            second: 36_000,
        };
        repository.push("main", &[("README.md", Some("An API.\n"))]);
        repository
    }

    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Where something of the repository is.
    pub fn at(&self, path: &str) -> String {
        format!("{}/repos/{}{path}", self.url, self.full_name())
    }

    /// The next second.
    pub fn now(&mut self) -> u64 {
        self.second += 1;
        self.second
    }

    /// Commits files onto a branch, which is made where there is none; a file without content is removed.
    pub fn push(&mut self, branch: &str, files: &[(&str, Option<&str>)]) -> String {
        let date = self.now();
        let parent = self.git.branches.get(branch).cloned();
        let base = parent.as_deref().and_then(|sha| self.git.tree_of(sha));
        let mut tree = base;
        for (path, content) in files {
            let blob = content.map(|content| self.git.store_blob(content.as_bytes()));
            let entry = blob.map(|sha| ("100644".to_owned(), sha));
            tree = Some(self.git.with_entry(tree.as_deref(), path, entry));
        }
        let parents: Vec<String> = parent.into_iter().collect();
        let tree = tree.expect("a first commit has files");
        let sha = self.git.store_commit(&tree, &parents, ("a commit", &view::moment(date)));
        self.point(branch, &sha);
        sha
    }

    /// Lets a branch be a commit, and with it the pull requests from it.
    pub fn point(&mut self, branch: &str, sha: &str) {
        self.git.branches.insert(branch.to_owned(), sha.to_owned());
        let own = Some(self.full_name());
        for pull in
            self.issues.values_mut().filter(|issue| issue.open).filter_map(|issue| issue.pull.as_mut())
        {
            if pull.branch == branch && pull.repository == own {
                sha.clone_into(&mut pull.sha);
            }
        }
    }

    /// Removes a branch, which closes the pull requests from it.
    pub fn remove(&mut self, branch: &str) -> Option<String> {
        let own = Some(self.full_name());
        let removed = self.git.branches.remove(branch);
        for issue in self.issues.values_mut() {
            if issue.pull.as_ref().is_some_and(|pull| pull.branch == branch && pull.repository == own) {
                issue.open = false;
            }
        }
        removed
    }

    /// Opens an issue.
    pub fn open_issue(&mut self, author: Option<&str>, title: &str, body: Option<&str>) -> &mut Issue {
        let created = self.now();
        let number = self.issues.keys().next_back().unwrap_or(&6) + 1;
        let issue = Issue {
            number,
            title: title.to_owned(),
            body: body.map(str::to_owned),
            open: true,
            author: author.map(str::to_owned),
            labels: Vec::new(),
            created,
            updated: created,
            pull: None,
        };
        self.issues.entry(number).or_insert(issue)
    }

    /// Opens a pull request to `main` from a branch of this repository, or of that one.
    pub fn open_pull(&mut self, repository: Option<&str>, branch: &str, sha: &str) -> u64 {
        let pull = Pull {
            repository: repository.map(str::to_owned),
            branch: branch.to_owned(),
            sha: sha.to_owned(),
            base: "main".to_owned(),
        };
        let issue = self.open_issue(Some("octocat"), "A change", None);
        issue.pull = Some(pull);
        issue.number
    }
}
