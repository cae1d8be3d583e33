//! What is on a branch, as git has it: commits, folders, files. Only reads. A folder is asked for by its
//! name in git, so that equal ones are asked for once, and in large repositories only those that matter.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;

use super::error::ProposalError;
use crate::baseline::file::LARGEST;
use crate::baseline::folder::Folder;
use crate::github::client::{Client, ClientError};

/// Folders that are looked into.
const MOST_FOLDERS: usize = 500;
/// Differences between two branches.
const MOST_DIFFERENCES: usize = 2_000;
/// How git calls what is in a folder.
const FOLDER: &str = "tree";
const FILE: &str = "blob";
/// A file that is no program and no link.
pub(super) const PLAIN: &str = "100644";

/// The newest commit of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The commit.
    pub(super) sha: String,
    /// Its root folder.
    pub(super) tree: String,
    /// What it follows.
    pub(super) parents: Vec<String>,
    /// What it says.
    pub(super) message: String,
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    path: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    /// Its name in git.
    pub(super) sha: String,
    size: Option<u64>,
}

impl Entry {
    /// Whether it is a file that nothing is special about.
    pub(super) fn is_plain(&self) -> bool {
        self.kind == FILE && self.mode == PLAIN
    }
}

/// A file that is not the same on two branches; none on a side that lacks it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) before: Option<Entry>,
    pub(super) after: Option<Entry>,
}

#[derive(Deserialize)]
struct Named {
    sha: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Named,
}

#[derive(Deserialize)]
struct Commit {
    tree: Named,
    parents: Vec<Named>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Tree {
    tree: Vec<Entry>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct Blob {
    content: String,
}

/// What was read so far.
pub(super) struct Contents<'c> {
    client: &'c Client,
    folders: RefCell<BTreeMap<String, Rc<[Entry]>>>,
    texts: RefCell<BTreeMap<String, Rc<[u8]>>>,
}

impl<'c> Contents<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, folders: RefCell::default(), texts: RefCell::default() }
    }

    /// The newest commit of a branch; none where there is no such branch.
    pub(super) fn head(&self, branch: &str) -> Result<Option<Head>, ProposalError> {
        let parts = ["git", "ref", "heads"].into_iter().chain(branch.split('/'));
        let found = self.client.get::<Reference>(&self.client.route(&parts.collect::<Vec<_>>()));
        match found {
            Ok(Reference { object }) => self.commit(&object.sha).map(Some),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(ProposalError::client("find the branch")(error)),
        }
    }

    /// A commit that somebody named; none where there is no such commit.
    pub(super) fn commit_if_there(&self, sha: &str) -> Result<Option<Head>, ProposalError> {
        match self.commit(sha) {
            Err(ProposalError::Client { source, .. }) if matches!(source.status(), Some(404 | 422)) => {
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// A commit by its name.
    pub(super) fn commit(&self, sha: &str) -> Result<Head, ProposalError> {
        let commit: Commit = self
            .client
            .get(&self.client.route(&["git", "commits", sha]))
            .map_err(ProposalError::client("read a commit"))?;
        let parents = commit.parents.into_iter().map(|parent| parent.sha).collect();
        Ok(Head { sha: sha.to_owned(), tree: commit.tree.sha, parents, message: commit.message })
    }

    /// Remembers the files of a folder on this machine, so that equal ones need not be asked for.
    pub(super) fn know(&self, folder: &Folder) {
        let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        // What cannot be read here is read there.
        let plain = files.filter(|file| file.metadata().is_ok_and(|it| it.is_file() && it.len() <= LARGEST));
        let texts = plain.filter_map(|file| fs::read(file.path()).ok());
        self.texts.borrow_mut().extend(texts.map(|text| (name_of(&text), text.into())));
    }

    /// What is at a path; none where nothing is.
    pub(super) fn find(&self, root: &str, path: &str) -> Result<Option<Entry>, ProposalError> {
        let mut folder = root.to_owned();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let entries = self.folder(&folder)?;
            match entries.iter().find(|entry| entry.path == part) {
                Some(entry) if parts.peek().is_none() => return Ok(Some(entry.clone())),
                Some(entry) if entry.kind == FOLDER => entry.sha.clone_into(&mut folder),
                _ => break,
            }
        }
        Ok(None)
    }

    /// The files directly in the folder at a path.
    pub(super) fn files(&self, root: &str, path: &str) -> Result<Vec<(String, Entry)>, ProposalError> {
        let Some(folder) = self.find(root, path)?.filter(|entry| entry.kind == FOLDER) else {
            return Ok(Vec::new());
        };
        let entries = self.folder(&folder.sha)?;
        let files = entries.iter().filter(|entry| entry.kind != FOLDER);
        Ok(files.map(|entry| (entry.path.clone(), entry.clone())).collect())
    }

    /// The bytes of a file; none of one that is larger than a remembered run can be.
    pub(super) fn bytes(&self, file: &Entry) -> Result<Option<Rc<[u8]>>, ProposalError> {
        if let Some(known) = self.texts.borrow().get(&file.sha) {
            return Ok(Some(Rc::clone(known)));
        }
        if file.size.is_none_or(|size| size > LARGEST) {
            return Ok(None);
        }
        let blob: Result<Blob, ClientError> =
            self.client.get(&self.client.route(&["git", "blobs", &file.sha]));
        let blob = blob.map_err(ProposalError::client("read a file"))?;
        let text: String = blob.content.split_ascii_whitespace().collect();
        // What is no base64 is no document either, and told as such.
        let bytes: Rc<[u8]> = STANDARD.decode(text).unwrap_or_default().into();
        self.texts.borrow_mut().insert(file.sha.clone(), Rc::clone(&bytes));
        Ok(Some(bytes))
    }

    /// What is not the same below two folders.
    pub(super) fn differences(&self, before: &str, after: &str) -> Result<Vec<Difference>, ProposalError> {
        let mut found = Vec::new();
        self.compare((Some(before), Some(after)), "", &mut found)?;
        Ok(found)
    }

    fn compare(
        &self,
        (before, after): (Option<&str>, Option<&str>),
        path: &str,
        found: &mut Vec<Difference>,
    ) -> Result<(), ProposalError> {
        if before == after {
            return Ok(());
        }
        let read = |tree: Option<&str>| tree.map_or_else(|| Ok(Rc::default()), |tree| self.folder(tree));
        let (before, after) = (read(before)?, read(after)?);
        let by_name = |entries: &Rc<[Entry]>| -> BTreeMap<String, Entry> {
            entries.iter().map(|entry| (entry.path.clone(), entry.clone())).collect()
        };
        let (mut before, mut after) = (by_name(&before), by_name(&after));
        let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
        for name in names {
            let (before, after) = (before.remove(&name), after.remove(&name));
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if before != after {
                self.differ((before, after), &path, found)?;
            }
        }
        Ok(())
    }

    /// Two entries of one name that are not the same.
    fn differ(
        &self,
        sides: (Option<Entry>, Option<Entry>),
        path: &str,
        found: &mut Vec<Difference>,
    ) -> Result<(), ProposalError> {
        let folder = |entry: &Option<Entry>| {
            entry.as_ref().filter(|entry| entry.kind == FOLDER).map(|entry| entry.sha.clone())
        };
        let (before, after) = (folder(&sides.0), folder(&sides.1));
        self.compare((before.as_deref(), after.as_deref()), path, found)?;
        let file = |entry: Option<Entry>| entry.filter(|entry| entry.kind != FOLDER);
        let (before, after) = (file(sides.0), file(sides.1));
        if before.is_some() || after.is_some() {
            found.push(Difference { path: path.to_owned(), before, after });
        }
        if found.len() > MOST_DIFFERENCES { Err(ProposalError::TooMuch(path.to_owned())) } else { Ok(()) }
    }

    /// What is directly in a folder.
    fn folder(&self, tree: &str) -> Result<Rc<[Entry]>, ProposalError> {
        if let Some(known) = self.folders.borrow().get(tree) {
            return Ok(Rc::clone(known));
        }
        if self.folders.borrow().len() >= MOST_FOLDERS {
            return Err(ProposalError::TooMuch("the branch".to_owned()));
        }
        let read: Result<Tree, ClientError> = self.client.get(&self.client.route(&["git", "trees", tree]));
        let Tree { tree: entries, truncated } = read.map_err(ProposalError::client("read a folder"))?;
        if truncated {
            return Err(ProposalError::TooMuch("a folder".to_owned()));
        }
        let entries: Rc<[Entry]> = entries.into();
        self.folders.borrow_mut().insert(tree.to_owned(), Rc::clone(&entries));
        Ok(entries)
    }
}

/// The name that git gives a file.
fn name_of(bytes: &[u8]) -> String {
    let whole = [format!("{FILE} {}\0", bytes.len()).as_bytes(), bytes].concat();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(name_of(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(name_of(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }
}
