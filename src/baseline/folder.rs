//! The folder of one baseline: one small file a run, one a deliberate change. Files are added and removed,
//! never changed, so that branches merge. Decides nothing about numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::Baseline;
use super::bound::{self, Absurd};
use super::defect::{Defect, FolderError, MOST_FILES};
use super::document::{self, EXTENSION};
use super::epoch::Epoch;
use super::file::{self, LARGEST};
use super::key::{Key, Owner};
use super::prune;
use super::run::Run;
use crate::clock;
use crate::result::file::atomic::{self, Creation};
use crate::result::file::create;

/// As many runs as are kept where nothing else is configured.
const KEPT: usize = 20;

/// How long another process may hold the lock of a folder. An update takes milliseconds.
const LOCK: Duration = Duration::from_secs(10);
/// Before the lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The most that is told about one folder.
const MOST_DEFECTS: usize = 50;

/// Everything remembered of a scenario in an environment; nothing where there is no folder yet.
pub fn load(dir: &Path, scenario: &str, environment: &str) -> Result<Baseline, FolderError> {
    Folder::of(dir, scenario, environment).load()
}

/// The folder of one baseline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    path: PathBuf,
    /// What it is the baseline of; none where that is not asked.
    key: Option<Key>,
    /// Where an earlier version kept it, if that is another place.
    earlier: Option<PathBuf>,
}

/// What moved on from the folder that an earlier version named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// That folder.
    pub from: PathBuf,
    /// How many files are in the new one now.
    pub files: usize,
    /// Whether the old one is still there: it may be that of another baseline.
    pub shared: bool,
}

/// What became of a run that was to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its file.
    pub path: PathBuf,
    /// Whether it is new.
    pub novelty: Novelty,
}

/// Whether a run was remembered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is now.
    New,
    /// It was, and nothing was written.
    Known,
}

impl Folder {
    /// The folder of a scenario in an environment, whether it is there or not.
    pub fn of(dir: &Path, scenario: &str, environment: &str) -> Self {
        let (dir, key) = (plain(dir), Key::new(scenario, environment));
        let earlier = key.earlier_folder().map(|name| dir.join(name));
        Self { path: dir.join(key.folder()), key: Some(key), earlier }
    }

    /// The folders below `dir`, sorted; none where it is not there.
    pub fn all(dir: &Path) -> Result<Vec<Self>, FolderError> {
        let mut paths = entries(dir)?;
        paths.retain(|path| path.is_dir() && !hidden(path));
        Ok(paths.iter().map(|path| Self::at(path)).collect())
    }

    fn at(path: &Path) -> Self {
        Self { path: plain(path).to_owned(), key: None, earlier: None }
    }

    /// What it is the baseline of; none where that was not asked.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is called: scenario and environment.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads all of it; everything broken is told at once. What an earlier version kept elsewhere is read there.
    pub fn load(&self) -> Result<Baseline, FolderError> {
        let mut baseline = self.read()?;
        if let Some(earlier) = &self.earlier {
            let found = Self::at(earlier).read()?;
            let here = baseline.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
            let moved = self.moved_plans(&baseline);
            for (name, run) in found.runs.into_iter().filter(|(name, _)| !here.contains(name)) {
                if self.says_whose(&run) || !moved.contains(&run.plan_digest) {
                    baseline.earlier.insert(name.clone());
                    baseline.runs.insert(name, run);
                }
            }
            for (name, epoch) in found.epochs.into_iter().filter(|(name, _)| !here.contains(name)) {
                baseline.earlier.insert(name.clone());
                baseline.epochs.insert(name, epoch);
            }
            baseline.unknown.extend(found.unknown.into_iter().filter(|name| !here.contains(name)));
        }
        if let Some(key) = &self.key {
            baseline.keep_only(key);
        }
        Ok(baseline)
    }

    fn read(&self) -> Result<Baseline, FolderError> {
        let mut baseline = Baseline::default();
        let mut defects: Vec<Defect> = Vec::new();
        for path in entries(&self.path)? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((kind, name)) = document::kind(&file) else { continue };
            match file::read(&path, (kind, name)) {
                Ok(document) => baseline.insert(name, document),
                // It was pruned since the folder was listed.
                Err(_) if is_gone(&path) => {}
                Err(found) => defects.extend(found),
            }
        }
        defects.truncate(MOST_DEFECTS);
        if defects.is_empty() { Ok(baseline) } else { Err(FolderError::Broken(defects)) }
    }

    /// The plans whose runs have moved on from where an earlier version kept them: this folder has a run of them that
    /// does not say whose it is, as only those do that moved, or so many of its own that none of the old ones would be
    /// kept. What is left of them there may be too old and pruned here, or of another baseline, and is not read any
    /// more; it would come back with every update.
    fn moved_plans(&self, baseline: &Baseline) -> BTreeSet<String> {
        let mut own: BTreeMap<&str, usize> = BTreeMap::new();
        for run in baseline.runs.values() {
            *own.entry(&run.plan_digest).or_default() += match self.owner(run) {
                Owner::This => 1,
                Owner::Unsaid => KEPT,
                Owner::Other => 0,
            };
        }
        own.into_iter().filter(|(_, runs)| *runs >= KEPT).map(|(plan, _)| plan.to_owned()).collect()
    }

    fn owner(&self, run: &Run) -> Owner {
        self.key.as_ref().map_or(Owner::Unsaid, |key| key.owner(run))
    }

    fn says_whose(&self, run: &Run) -> bool {
        self.owner(run) != Owner::Unsaid
    }

    /// Brings what is of this baseline on from where an earlier version kept it; none where nothing was. Runs that
    /// do not say whose they are belong here if they are of this plan; they move once, before the first run of this
    /// version is remembered beside them. Files are added and removed, never changed.
    pub fn move_on(&self, baseline: &mut Baseline, plan_digest: &str) -> Result<Option<Moved>, FolderError> {
        let Some(earlier) = &self.earlier else { return Ok(None) };
        let there = Self::at(earlier);
        let found = there.read()?;
        let is_ours = |run: &Run| match self.owner(run) {
            Owner::This => true,
            Owner::Unsaid => run.plan_digest == plan_digest,
            Owner::Other => false,
        };
        let ours: Vec<(&String, &Run)> = found.runs.iter().filter(|(_, run)| is_ours(run)).collect();
        let is_new = |name: &str| baseline.earlier.contains(name);
        let names: Vec<String> = {
            let runs = ours.iter().map(|(name, _)| *name).filter(|name| is_new(name));
            let epochs = found.epochs.keys().filter(|name| is_new(name));
            if runs.clone().next().is_none() { Vec::new() } else { runs.chain(epochs).cloned().collect() }
        };
        if names.is_empty() {
            return Ok(None);
        }
        let shared = ours.len() < found.runs.len() || !found.unknown.is_empty();
        for name in &names {
            let from = there.file(name);
            let failed = |source| FolderError::Io { doing: "read", path: from.clone(), source };
            let text = fs::read_to_string(&from).map_err(failed)?;
            self.write(&self.file(name), &text)?;
            baseline.earlier.remove(name);
        }
        // Of a shared folder, only what says that it is ours is ours to remove.
        let says_ours =
            |name: &&String| !shared || found.runs.get(*name).is_some_and(|run| self.says_whose(run));
        let done = ours.iter().map(|(name, _)| *name).chain(found.epochs.keys()).filter(says_ours);
        for name in done.filter(|name| self.file(name).exists()) {
            remove(&there.file(name))?;
        }
        if !shared {
            // Something of somebody else may be in it.
            let _ = fs::remove_dir(earlier);
        }
        Ok(Some(Moved { from: earlier.clone(), files: names.len(), shared }))
    }

    /// The file of the newest of these runs that is one of `alike`, and its text; none where there is none.
    pub fn newest(&self, baseline: &Baseline, alike: impl Fn(&Run) -> bool) -> Option<(PathBuf, String)> {
        let (name, _) = baseline.runs.iter().rfind(|(_, run)| alike(run))?;
        let path = self.place(baseline, name);
        let text = fs::read_to_string(&path).ok()?;
        Some((path, text))
    }

    /// Remembers a run, once.
    pub fn append(&self, run: &Run) -> Result<Appended, FolderError> {
        refuse(&bound::of_run(run))?;
        let named = document::run_name(run)?.ok_or_else(|| FolderError::Absurd("it has no time".into()))?;
        let path = self.file(&named);
        // A link counts too: what it leads to is told by the next who reads the folder.
        if fs::symlink_metadata(&path).is_ok() {
            return Ok(Appended { path, novelty: Novelty::Known });
        }
        let novelty = match self.write(&path, &document::run_text(run)?)? {
            Creation::Created => Novelty::New,
            Creation::Existed => Novelty::Known,
        };
        Ok(Appended { path, novelty })
    }

    /// Begins an epoch; returns its file.
    pub fn begin(&self, epoch: &Epoch, at: Timestamp) -> Result<PathBuf, FolderError> {
        refuse(&bound::of_epoch(epoch))?;
        let path = self.file(&document::epoch_name(epoch, at)?);
        self.write(&path, &document::epoch_text(epoch)?)?;
        Ok(path)
    }

    /// Removes what is too many of these runs, as far as they lie here; returns the names.
    pub fn prune(&self, baseline: &Baseline, keep_runs: usize) -> Result<Vec<String>, FolderError> {
        // What lies where another baseline may have its runs too is not ours to remove, and takes no place.
        let here = baseline.runs.iter().filter(|(name, _)| !baseline.earlier.contains(*name));
        let names = prune::surplus(here, keep_runs);
        names.iter().try_for_each(|name| remove(&self.file(name)))?;
        Ok(names)
    }

    /// Where a run of this baseline lies.
    fn place(&self, baseline: &Baseline, name: &str) -> PathBuf {
        match &self.earlier {
            Some(earlier) if baseline.earlier.contains(name) => Self::at(earlier).file(name),
            _ => self.file(name),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{EXTENSION}"))
    }

    /// Creates a file; one of this name says the same, for its name is a digest of it, and stays.
    fn write(&self, path: &Path, text: &str) -> Result<Creation, FolderError> {
        if text.len() as u64 > LARGEST {
            return Err(FolderError::Absurd(format!(
                "it has {} bytes, and at most 16 MiB are read",
                text.len()
            )));
        }
        self.make()?;
        Ok(create(path, text.as_bytes())?)
    }

    fn make(&self) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io { doing: "create", path: self.path.clone(), source };
        fs::create_dir_all(&self.path).map_err(failed)
    }

    /// Waits until no other process changes this folder, and keeps others from it until the lock is dropped. What killed
    /// processes left is removed. No name is written twice, so where nothing can be locked, or somebody holds the lock
    /// for too long, nothing is lost but order: `keep_runs` may be exceeded until the next update.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        self.make()?;
        let folder = File::open(&self.path).ok();
        let end = clock::now() + LOCK;
        let busy =
            |folder: &File| flock(folder, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK);
        while folder.as_ref().is_some_and(busy) && clock::now() < end {
            thread::sleep(LOCK_PAUSE);
        }
        atomic::sweep(&self.path, |name, found| {
            let written = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
            found.is_file() && written.is_some_and(|file| document::kind(file).is_some())
        });
        Ok(Lock { _folder: folder })
    }
}

/// As long as it lives, no other process changes the folder.
#[derive(Debug)]
pub struct Lock {
    _folder: Option<File>,
}

fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Removes a file that may have gone already.
fn remove(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// What could not be read back is not written.
fn refuse(absurd: &[Absurd]) -> Result<(), FolderError> {
    match absurd.first() {
        Some(first) => Err(FolderError::Absurd(format!("it {} (valid: {})", first.what, first.valid))),
        None => Ok(()),
    }
}

/// What is in a folder, sorted; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    at_most(MOST_FILES, folder)
}

fn at_most(most: usize, folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let refused = |source| FolderError::Io { doing: "list", path: folder.to_owned(), source };
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(refused)?,
    };
    let mut paths = Vec::new();
    for entry in found {
        paths.push(entry.map_err(refused)?.path());
        if paths.len() > most {
            return Err(FolderError::TooMany { path: folder.to_owned() });
        }
    }
    paths.sort();
    Ok(paths)
}

/// Without a needless `./` before it.
fn plain(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests;
