//! The folder of one baseline: one small file a run, one a deliberate change. Files are added and removed,
//! never changed, so that branches merge. Decides nothing about numbers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Baseline;
use super::bound::{self, Absurd};
use super::defect::{Defect, FolderError, MOST_FILES};
use super::document::{self, EXTENSION};
use super::epoch::Epoch;
use super::file::{self, LARGEST};
use super::prune;
use super::run::Run;
use crate::result::file::{safe_name, write_atomic};

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
        Self { path: plain(dir).join(format!("{}.{}", safe_name(scenario), safe_name(environment))) }
    }

    /// The folders below `dir`, sorted; none where it is not there.
    pub fn all(dir: &Path) -> Result<Vec<Self>, FolderError> {
        let mut paths = entries(dir)?;
        paths.retain(|path| path.is_dir() && !hidden(path));
        Ok(paths.into_iter().map(|path| Self { path: plain(&path).to_owned() }).collect())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is called: scenario and environment.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads all of it; everything broken is told at once.
    pub fn load(&self) -> Result<Baseline, FolderError> {
        let mut baseline = Baseline::default();
        let mut defects: Vec<Defect> = Vec::new();
        for path in entries(&self.path)? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((kind, name)) = document::kind(&file) else { continue };
            match file::read(&path, (kind, name)) {
                Ok(document) => baseline.insert(name, document),
                Err(found) => defects.extend(found),
            }
        }
        defects.truncate(MOST_DEFECTS);
        if defects.is_empty() { Ok(baseline) } else { Err(FolderError::Broken(defects)) }
    }

    /// The file of the newest of these runs that is one of `alike`, and its text; none where there is none.
    pub fn newest(&self, baseline: &Baseline, alike: impl Fn(&Run) -> bool) -> Option<(PathBuf, String)> {
        let (name, _) = baseline.runs.iter().rfind(|(_, run)| alike(run))?;
        let path = self.file(name);
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
        self.write(&path, &document::run_text(run)?)?;
        Ok(Appended { path, novelty: Novelty::New })
    }

    /// Begins an epoch; returns its file.
    pub fn begin(&self, epoch: &Epoch, at: Timestamp) -> Result<PathBuf, FolderError> {
        refuse(&bound::of_epoch(epoch))?;
        let path = self.file(&document::epoch_name(epoch, at)?);
        self.write(&path, &document::epoch_text(epoch)?)?;
        Ok(path)
    }

    /// Removes what is too many of these runs, which were read from here; returns the names.
    pub fn prune(&self, baseline: &Baseline, keep_runs: usize) -> Result<Vec<String>, FolderError> {
        let names = prune::surplus(&baseline.runs, keep_runs);
        for name in &names {
            let path = self.file(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(FolderError::Io { doing: "remove", path, source });
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{EXTENSION}"))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), FolderError> {
        if text.len() as u64 > LARGEST {
            return Err(FolderError::Absurd(format!(
                "it has {} bytes, and at most 1 MiB is read",
                text.len()
            )));
        }
        let failed = |source| FolderError::Io { doing: "create", path: self.path.clone(), source };
        fs::create_dir_all(&self.path).map_err(failed)?;
        Ok(write_atomic(path, text.as_bytes())?)
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
