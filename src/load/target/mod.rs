//! The target of the load: a command that loadgate starts, waits for, watches and stops, or a given host.
//! It sends no load, and knows nothing of what is measured.

mod ended;
mod error;
mod guard;
mod host;
mod log;
mod owner;
mod ready;
mod shield;
mod tail;
mod watch;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use url::Url;

use crate::plan::secrets::Secrets;

pub use ended::Ended;
pub use error::TargetError;
pub use guard::{NAME as GUARD_NAME, Stage, guard, stray, this_binary};
pub use host::{answers, free_address, preflight};
pub use owner::Ownership;
pub use ready::Answer;
pub use tail::LastLines;

use log::Log;
use watch::{GuardCommand, Life, Watched};

/// The word that stands for this very binary at the head of a command.
const ITSELF: &str = "loadgate";

/// A command to start, all templates rendered.
#[derive(Debug, Clone)]
pub struct StartCommand {
    /// The program and its arguments; `loadgate` as the program is `binary`.
    pub argv: Vec<String>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// Answers 2xx when the service is ready.
    pub ready_url: Url,
    /// How long that may take.
    pub ready_timeout: Duration,
    /// Where everything it writes is found; appended to, at its end where there are secrets.
    pub log: PathBuf,
    /// What must appear in nothing that is told of the command, nor in its log.
    pub secrets: Arc<Secrets>,
    /// Variables that it gets beside those of this process.
    pub variables: Vec<(String, String)>,
    /// Variables of this process that it does not get, unless `variables` has them.
    pub withheld: Vec<OsString>,
    /// Variables of this process that are for no command: [`stray`].
    pub stray: Vec<OsString>,
    /// How many files it may have open; none where that is as it is for this process.
    pub open_files: Option<u64>,
    /// The loadgate binary, which guards the command: [`this_binary`].
    pub binary: PathBuf,
}

/// A service that was started and is ready. Dropping it ends the service, without waiting for that.
#[derive(Debug)]
pub struct Running {
    watched: Watched,
    log: Log,
}

/// Starts a command under guard and waits until it is ready. Dropping the future ends the command.
pub async fn start(mut command: StartCommand) -> Result<Running, TargetError> {
    let program = command.argv.first_mut().ok_or(TargetError::EmptyCommand)?;
    if program == ITSELF {
        // By its own name in lists of processes; a binary that was replaced meanwhile has none.
        let named = std::fs::canonicalize(&command.binary).unwrap_or_else(|_| command.binary.clone());
        *program = named.to_string_lossy().into_owned();
    }
    if !command.folder.is_dir() {
        return Err(TargetError::NoFolder { path: command.folder });
    }
    let client = ready::client().map_err(|source| TargetError::Client { source })?;
    let running = launch(&command)?;
    match running.until_usable(&command, &client).await {
        Ok(()) => Ok(running),
        Err(error) => {
            // Only then its log is complete. Why it is of no use says more than how it went.
            let _ = running.stop().await;
            Err(error)
        }
    }
}

impl Running {
    /// Until the command ends; the future may outlive this value.
    pub fn died(&self) -> impl Future<Output = Ended> + Send + use<> {
        self.watched.ended()
    }

    /// How the command ended, if it did.
    pub fn has_died(&self) -> Option<Ended> {
        self.watched.has_ended()
    }

    /// The process of which everything that was started descends.
    pub fn guard(&self) -> i32 {
        self.watched.guard()
    }

    /// Whether what listens on an address is the command, or an error that names who else does.
    pub fn owns(&self, address: SocketAddr) -> Result<Ownership, TargetError> {
        owner::of(self.watched.guard(), address)
    }

    /// The last lines it wrote, without secrets.
    pub fn last_lines(&self) -> LastLines {
        self.log.last_lines()
    }

    /// Ends the command and everything it started, within five seconds, and keeps its log.
    pub async fn stop(mut self) -> Result<(), TargetError> {
        let stopped = self.watched.stop().await.map_err(|_| TargetError::Survived);
        let path = self.log.path().to_owned();
        let kept = self.log.keep().map_err(|source| TargetError::Log { path, source });
        stopped.and(kept)
    }

    async fn until_usable(&self, command: &StartCommand, client: &Client) -> Result<(), TargetError> {
        match self.watched.started().await {
            Life::Refused(errno) => Err(TargetError::Start {
                program: command.secrets.redactor().clean(&command.argv[0]),
                source: io::Error::from_raw_os_error(errno),
            }),
            Life::Unguarded(errno) => Err(TargetError::Guard { source: io::Error::from_raw_os_error(errno) }),
            _ => self.until_ready(command, client).await,
        }
    }

    async fn until_ready(&self, command: &StartCommand, client: &Client) -> Result<(), TargetError> {
        let mut answer = Answer::None;
        tokio::select! {
            biased;
            ended = self.died() => return Err(TargetError::Ended { ended, lines: self.last_lines() }),
            () = ready::until_ready(client, &command.ready_url, &mut answer) => return Ok(()),
            () = tokio::time::sleep(command.ready_timeout) => {}
        }
        let url = command.ready_url.to_string();
        Err(TargetError::NotReady { url, after: command.ready_timeout, answer, lines: self.last_lines() })
    }
}

fn launch(command: &StartCommand) -> Result<Running, TargetError> {
    if !command.withheld.is_empty() {
        shield::raise().map_err(|source| TargetError::Exposed { source })?;
    }
    let (file, log) = Log::open(command.log.clone(), command.secrets.clone())
        .map_err(|source| TargetError::Log { path: command.log.clone(), source })?;
    let guard = GuardCommand { command, log: file };
    let watched = Watched::start(guard).map_err(|source| TargetError::Guard { source })?;
    Ok(Running { watched, log })
}
