//! `loadgate init`: the first configuration, and the workflow that runs it on pull requests. Checks what it
//! is about to write as `loadgate check` would; never touches a file that is there.

mod config;
mod project;
mod workflow;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::cli::init::InitArgs;
use crate::commands::plan;
use crate::config::file::{self, NAMES};
use crate::error::Error;
use crate::github::client::{Client, ClientError};
use crate::github::context::{Context, Host};
use crate::github::repository::{Repository, is_sha};
use crate::plan::{Selection, describe};
use crate::report::write;

use config::Service;
use workflow::Pin;

/// Where GitHub looks for it, from the root of the repository.
const WORKFLOW: &str = ".github/workflows/loadgate.yml";

/// Where the action lives.
const ACTION: &str = "loadgate/loadgate";

/// Why there is no first configuration.
#[derive(Debug, Error)]
pub enum InitError {
    /// Somebody has been here before.
    #[error("`{}` is there already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// The system refused.
    #[error("cannot write `{}`", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody knows where we are.
    #[error("cannot find the working folder")]
    Nowhere(#[source] io::Error),
}

impl InitError {
    /// 2 for what the user has, 1 for what the world refused.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Exists(_) => 2,
            Self::Unwritable { .. } | Self::Nowhere(_) => 1,
        }
    }

    /// The remedy.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => {
                Some("`loadgate init` only starts from nothing: go on with that file, or move it away")
            }
            Self::Unwritable { .. } | Self::Nowhere(_) => None,
        }
    }
}

/// Writes both files, prints the plan, and says what to do next.
pub fn run(args: &InitArgs) -> Result<u8, Error> {
    let service = Service::of(args);
    let here = std::env::current_dir().map_err(InitError::Nowhere)?;
    let place = Place::of(&here);
    let name = project::name(&here, place.below_root.as_deref()).unwrap_or_else(|| "project".into());
    let config = service.config(&name);
    let plan = plan::outline(&file::parse(NAMES[0], &config, &here)?, &Selection::default())?;
    // Before the network is asked for anything.
    let step_for = place.free()?;
    let pin = pin();
    let mut files = vec![(place.config.clone(), config)];
    if step_for.is_none() {
        files.push((place.workflow.clone(), workflow::pull_request(&pin, place.below_root.as_deref())));
    }
    write_new(&files)?;
    write::data(&describe(&plan))?;
    let written = files.iter().map(|(path, _)| format!("wrote {}", shown(path)));
    let added = step_for.map(|folder| to_add(&place.workflow, &workflow::step(&pin, folder)));
    for line in written.chain(added).chain(pin.doubt()) {
        write::note(&line);
    }
    write::note(service.next());
    Ok(0)
}

/// What is left to do with a workflow that was there.
fn to_add(workflow: &Path, step: &str) -> String {
    format!("left {} as it is; add this step to it:\n{}", shown(workflow), step.trim_end())
}

/// A path, for a terminal.
fn shown(path: &Path) -> String {
    write::plain(&path.display().to_string())
}

/// The commit of the action that this version belongs to.
fn pin() -> Pin {
    let version = env!("CARGO_PKG_VERSION");
    match release(version) {
        Ok(commit) if is_sha(&commit.sha) => Pin::Commit(commit.sha),
        // Without a network, or before the release: the workflow says itself how to pin it.
        _ => Pin::Tag(version.to_owned()),
    }
}

/// A commit, as far as it is looked at.
#[derive(Deserialize)]
struct Commit {
    sha: String,
}

/// The commit of a release of loadgate. Everybody may read it.
fn release(version: &str) -> Result<Commit, ClientError> {
    let host = Host { repository: Repository::parse(ACTION), ..Context::read().host };
    let client = Client::anonymous(&host)?;
    client.get(&client.route(&["commits", &format!("v{version}")]))
}

/// Where the files go, as seen from the working folder where they are below it.
struct Place {
    config: PathBuf,
    workflow: PathBuf,
    /// The way from the root of the repository to here; none at the root.
    below_root: Option<String>,
}

impl Place {
    /// Outside of a repository, this folder will be the root of one.
    fn of(here: &Path) -> Self {
        let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(here);
        let below = here.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let workflow = if below.is_empty() { PathBuf::from(WORKFLOW) } else { root.join(WORKFLOW) };
        Self { config: NAMES[0].into(), workflow, below_root: Some(below).filter(|below| !below.is_empty()) }
    }

    /// Checks that nobody has been here before, under any name; a link that leads nowhere is something, too. Where
    /// the repository has a workflow already, for another of its folders, the folder that a step has to be added for.
    fn free(&self) -> Result<Option<&str>, InitError> {
        let there = |path: &Path| path.symlink_metadata().is_ok();
        if let Some(name) = NAMES.iter().find(|name| there(Path::new(name))) {
            return Err(InitError::Exists(name.into()));
        }
        match &self.below_root {
            _ if !there(&self.workflow) => Ok(None),
            Some(folder) => Ok(Some(folder)),
            None => Err(InitError::Exists(self.workflow.clone())),
        }
    }
}

/// All files or none, and none that is there.
fn write_new(files: &[(PathBuf, String)]) -> Result<(), InitError> {
    for (at, (path, text)) in files.iter().enumerate() {
        if let Err(source) = create(path, text) {
            for (written, _) in &files[..at] {
                // What is ours to take back; the first error is the one to tell.
                let _ = fs::remove_file(written);
            }
            return Err(InitError::Unwritable { path: path.clone(), source });
        }
    }
    Ok(())
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
