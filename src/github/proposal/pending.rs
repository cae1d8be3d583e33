//! What waits on the branch of the pull request: remembered runs that are not on the base yet. Whoever may
//! push can put anything there, so that only files that are plainly of a baseline count.

use std::collections::BTreeSet;
use std::path::Path;

use super::contents::{Contents, Difference, Entry, Head};
use super::error::ProposalError;
use crate::baseline::document::{self, EXTENSION, Kind};
use crate::baseline::file::{self, Document};
use crate::baseline::key::is_folder_name;

/// The place of a file of a baseline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The folder of the baseline, as the repository calls it.
    pub(super) folder: String,
    /// The name of the file, without what follows it.
    pub(super) name: String,
}

impl Spot {
    /// The whole path.
    pub(super) fn path(&self) -> String {
        format!("{}/{}{EXTENSION}", self.folder, self.name)
    }

    /// The name of what is in this folder; none of what is in another.
    pub(super) fn name_in(&self, folder: &str) -> Option<&str> {
        (self.folder == folder).then_some(&self.name)
    }

    /// The spot at a path, with what a file there holds; none where no baseline has a file.
    fn parse(path: &str) -> Option<(Self, Kind)> {
        let (folder, file) = path.rsplit_once('/')?;
        let (kind, name) = document::kind(file)?;
        document::stamp(kind, name)?;
        let of = folder.rsplit('/').next().unwrap_or_default();
        is_folder_name(of).then(|| (Self { folder: folder.to_owned(), name: name.to_owned() }, kind))
    }
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    pub(super) spot: Spot,
    /// Its name in git.
    pub(super) sha: String,
    pub(super) document: Document,
}

/// What the branch has that the base has not, and the other way round.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pending {
    /// The files that wait.
    pub(super) waiting: Vec<Waiting>,
    /// Those that are on the base, and removed on the branch.
    pub(super) withdrawn: BTreeSet<Spot>,
    /// What does not belong there, as sentences.
    pub(super) strange: Vec<String>,
    /// What the base has got in the meantime.
    pub(super) landed: usize,
}

impl Pending {
    /// Whether the branch holds nothing but what waits.
    pub(super) fn is_clean(&self) -> bool {
        self.strange.is_empty() && self.landed == 0
    }

    /// Compares a branch with what it was made from, and what differs with the base.
    pub(super) fn read(
        contents: &Contents,
        (branch, origin): (&Head, &Head),
        base: &Head,
    ) -> Result<Self, ProposalError> {
        let mut pending = Self::default();
        for difference in contents.differences(&origin.tree, &branch.tree)? {
            pending.sort(contents, difference, base)?;
        }
        Ok(pending)
    }

    fn sort(
        &mut self,
        contents: &Contents,
        difference: Difference,
        base: &Head,
    ) -> Result<(), ProposalError> {
        let Difference { path, before, after } = difference;
        let Some((spot, kind)) = Spot::parse(&path) else {
            self.strange.push(format!("`{path}` is no file of a baseline"));
            return Ok(());
        };
        let there = contents.find(&base.tree, &path)?.is_some();
        match (before, after) {
            (None, Some(_)) if there => self.landed += 1,
            (None, Some(entry)) if entry.is_plain() => self.take(contents, (spot, kind), &entry)?,
            (Some(_), None) if there => drop(self.withdrawn.insert(spot)),
            (Some(_), None) => self.landed += 1,
            _ => self.strange.push(format!("`{path}` was changed, and runs never are")),
        }
        Ok(())
    }

    fn take(
        &mut self,
        contents: &Contents,
        (spot, kind): (Spot, Kind),
        entry: &Entry,
    ) -> Result<(), ProposalError> {
        let path = spot.path();
        let bytes = contents.bytes(entry)?;
        let text = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text else {
            self.strange.push(format!("`{path}` is too large, or no text"));
            return Ok(());
        };
        match file::of_text(Path::new(&path), text, (kind, &spot.name)) {
            Ok(document) => self.waiting.push(Waiting { spot, sha: entry.sha.clone(), document }),
            Err(defects) => {
                self.strange.extend(defects.iter().take(1).map(|it| format!("`{path}` {}", it.what)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_a_baseline_could_have_are_of_one() {
        let name = "run-20261124T101500Z-0a1b2c3d";
        for path in ["baselines/browse.here/", "browse.here/", "a b/c/x-y_z.staging.eu/"] {
            let (spot, kind) = Spot::parse(&format!("{path}{name}.json")).unwrap();
            assert_eq!((spot.path(), kind), (format!("{path}{name}.json"), Kind::Run));
        }
        for path in [
            "run-20261124T101500Z-0a1b2c3d.json",
            "baselines/run-20261124T101500Z-0a1b2c3d.json",
            "baselines/.git.hub/run-20261124T101500Z-0a1b2c3d.json",
            "baselines/a;b.c/run-20261124T101500Z-0a1b2c3d.json",
            "baselines/browse.here/run-1.json",
            "baselines/browse.here/README.md",
            "baselines/browse.here/run-20261124T101500Z-0a1b2c3d.json/x",
            ".github/workflows/ci.yml",
        ] {
            assert_eq!(Spot::parse(path), None, "{path}");
        }
    }
}
