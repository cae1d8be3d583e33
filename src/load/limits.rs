//! The limits that the system sets to this process: how many files it may have open, and how large they may become.

use std::sync::OnceLock;

use rlimit::Resource;
use rustix::process::Signal;
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The soft limit of open files that this process was started with; none where it is not known.
static AT_START: OnceLock<Option<u64>> = OnceLock::new();

/// With fewer files not even the event loop, the guard of a target and one connection have what they need.
const FEWEST_OPEN_FILES: u64 = 24;

/// The limit of open files is too low for any run.
#[derive(Debug, Error)]
#[error(
    "this process may have only {limit} files open, and needs at least {FEWEST_OPEN_FILES} beside one per user"
)]
pub struct TooFewFiles {
    limit: u64,
}

impl TooFewFiles {
    /// The remedy.
    pub fn hint(&self) -> &'static str {
        "raise the limit: `ulimit -n 65536` before loadgate, or `LimitNOFILE` of a service, or `--ulimit nofile` of docker"
    }
}

/// Lets this process have as many files open as it may. With fewer than wanted it still works, and what runs out is
/// counted; with next to none it does not.
pub fn raise_open_files() -> Result<(), TooFewFiles> {
    open_files_at_start();
    // What it is raised to is looked at below.
    let _ = rlimit::increase_nofile_limit(rlimit::INFINITY);
    match Resource::NOFILE.get_soft() {
        Ok(limit) if limit < FEWEST_OPEN_FILES => Err(TooFewFiles { limit }),
        _ => Ok(()),
    }
}

/// The soft limit of open files that this process was started with, which is what the commands it starts should have: a
/// program that uses `select`, or closes every possible file before it starts another, does not expect a million.
pub fn open_files_at_start() -> Option<u64> {
    *AT_START.get_or_init(|| Resource::NOFILE.get_soft().ok())
}

/// Sets the soft limit of open files of this process, as far as its hard limit allows.
pub fn set_open_files(soft: u64) -> std::io::Result<()> {
    let hard = Resource::NOFILE.get_hard()?;
    Resource::NOFILE.set(soft.min(hard), hard)
}

/// From now on a file that would become larger than this process may write (`ulimit -f`) is an error of the write. The
/// kernel would end the process otherwise, without a word.
pub fn report_large_files() {
    if Resource::FSIZE.get_soft().is_ok_and(|soft| soft == rlimit::INFINITY) {
        return;
    }
    // The handler stays when the runtime is gone; and what this process starts does not inherit it.
    if let Ok(runtime) = Builder::new_current_thread().enable_io().build() {
        let _inside = runtime.enter();
        let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
    }
}
