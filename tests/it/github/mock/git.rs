//! Objects and branches as git has them, down to their names: what is the same has the same name. Knows nothing
//! of requests.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// All objects, by their names.
#[derive(Debug, Default)]
pub struct Git {
    objects: BTreeMap<String, Object>,
    /// The commit of each branch.
    pub branches: BTreeMap<String, String>,
}

/// One object.
#[derive(Debug, Clone)]
pub enum Object {
    Blob(Vec<u8>),
    Tree(BTreeMap<String, Entry>),
    Commit(Commit),
}

/// A mode and the name of an object.
pub type Entry = (String, String);

/// A commit.
#[derive(Debug, Clone)]
pub struct Commit {
    pub tree: String,
    pub parents: Vec<String>,
    pub message: String,
    pub date: String,
}

/// The mode of a folder.
pub const FOLDER: &str = "040000";

impl Git {
    pub fn object(&self, sha: &str) -> Option<&Object> {
        self.objects.get(sha)
    }

    pub fn commit(&self, sha: &str) -> Option<&Commit> {
        if let Some(Object::Commit(commit)) = self.object(sha) { Some(commit) } else { None }
    }

    pub fn blob(&self, sha: &str) -> Option<&[u8]> {
        if let Some(Object::Blob(bytes)) = self.object(sha) { Some(bytes) } else { None }
    }

    /// The tree of a commit, of a branch, or of the tree itself.
    pub fn tree_of(&self, name: &str) -> Option<String> {
        let sha = self.branches.get(name).map_or(name, String::as_str);
        match self.object(sha)? {
            Object::Commit(commit) => Some(commit.tree.clone()),
            Object::Tree(_) => Some(sha.to_owned()),
            Object::Blob(_) => None,
        }
    }

    pub fn store_blob(&mut self, bytes: &[u8]) -> String {
        self.store("blob", bytes, Object::Blob(bytes.to_vec()))
    }

    pub fn store_commit(&mut self, tree: &str, parents: &[String], (message, date): (&str, &str)) -> String {
        let parents_text =
            parents.iter().fold(String::new(), |text, parent| text + "parent " + parent + "\n");
        let text = format!("tree {tree}\n{parents_text}author A <a@example.com> {date}\n\n{message}");
        let (tree, message, date) = (tree.to_owned(), message.to_owned(), date.to_owned());
        self.store(
            "commit",
            text.as_bytes(),
            Object::Commit(Commit { tree, parents: parents.to_vec(), message, date }),
        )
    }

    /// The tree with something else at a path, or nothing; folders come and go as needed.
    pub fn with_entry(&mut self, tree: Option<&str>, path: &str, entry: Option<Entry>) -> String {
        let mut entries = self.entries(tree);
        match (path.split_once('/'), entry) {
            (None, Some(entry)) => {
                entries.insert(path.to_owned(), entry);
            }
            (None, None) => {
                entries.remove(path);
            }
            (Some((folder, below)), entry) => {
                let inner =
                    entries.get(folder).filter(|(mode, _)| mode == FOLDER).map(|(_, sha)| sha.clone());
                let sha = self.with_entry(inner.as_deref(), below, entry);
                if self.entries(Some(&sha)).is_empty() {
                    entries.remove(folder);
                } else {
                    entries.insert(folder.to_owned(), (FOLDER.to_owned(), sha));
                }
            }
        }
        self.store_tree(entries)
    }

    /// Everything below a tree by its whole path: folders too.
    pub fn flat(&self, tree: &str) -> BTreeMap<String, Entry> {
        let mut all = BTreeMap::new();
        for (name, (mode, sha)) in self.entries(Some(tree)) {
            if mode == FOLDER {
                let below = self.flat(&sha);
                all.extend(below.into_iter().map(|(path, entry)| (format!("{name}/{path}"), entry)));
            }
            all.insert(name, (mode, sha));
        }
        all
    }

    /// What is directly in a tree.
    pub fn entries(&self, tree: Option<&str>) -> BTreeMap<String, Entry> {
        match tree.and_then(|sha| self.object(sha)) {
            Some(Object::Tree(entries)) => entries.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// The text of a file on a branch.
    pub fn file(&self, branch: &str, path: &str) -> Option<String> {
        let (_, sha) = self.flat(&self.tree_of(branch)?).remove(path)?;
        self.blob(&sha).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether a commit is another, or comes after it.
    pub fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut todo, mut seen) = (vec![from.to_owned()], BTreeSet::new());
        while let Some(sha) = todo.pop() {
            if sha == to {
                return true;
            }
            if let Some(commit) = self.commit(&sha).filter(|_| seen.insert(sha.clone())) {
                todo.extend(commit.parents.iter().cloned());
            }
        }
        false
    }

    fn store_tree(&mut self, entries: BTreeMap<String, Entry>) -> String {
        // Git orders folders as if their names ended with a slash.
        let place =
            |name: &str, mode: &str| if mode == FOLDER { format!("{name}/") } else { name.to_owned() };
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|(name, (mode, _))| place(name, mode));
        let mut bytes = Vec::new();
        for (name, (mode, sha)) in ordered {
            bytes.extend(format!("{} {name}\0", mode.trim_start_matches('0')).bytes());
            let digits = |at: usize| u8::from_str_radix(&sha[at..at + 2], 16).expect("a name of git");
            bytes.extend((0..40).step_by(2).map(digits));
        }
        self.store("tree", &bytes, Object::Tree(entries))
    }

    fn store(&mut self, kind: &str, bytes: &[u8], object: Object) -> String {
        let whole = [format!("{kind} {}\0", bytes.len()).as_bytes(), bytes].concat();
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole);
        let sha = hash.as_ref().iter().fold(String::new(), |sha, byte| sha + &format!("{byte:02x}"));
        self.objects.insert(sha.clone(), object);
        sha
    }
}
