//! The target of the load: a command that loadgate starts, waits for, watches and stops, or a given host.
//! It sends no load, and knows nothing of what is measured.

mod ended;
mod error;
mod guard;
mod host;
mod ready;
mod tail;
mod tree;
mod watch;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Client;
use url::Url;

pub use ended::Ended;
pub use error::TargetError;
pub use guard::guard;
pub use host::{free_address, preflight};
pub use ready::Answer;
pub use tail::LastLines;
pub use tree::Usage;

use tail::Log;
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
    /// Where everything it writes goes; appended to.
    pub log: PathBuf,
    /// The loadgate binary, which guards the command: `std::env::current_exe()`.
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
        *program = command.binary.to_string_lossy().into_owned();
    }
    if !command.folder.is_dir() {
        return Err(TargetError::NoFolder { path: command.folder });
    }
    let client = ready::client().map_err(|source| TargetError::Client { source })?;
    let running = launch(&command)?;
    running.until_started(&command.argv[0]).await?;
    running.until_ready(&command, &client).await?;
    Ok(running)
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

    /// What the command and everything it started use by now.
    pub fn usage(&self) -> Usage {
        tree::usage(self.watched.guard())
    }

    /// The last lines it wrote.
    pub fn last_lines(&self) -> LastLines {
        self.log.last_lines()
    }

    /// Ends the command and everything it started, within five seconds.
    pub async fn stop(self) -> Result<(), TargetError> {
        self.watched.stop().await.map_err(|_| TargetError::Survived)
    }

    async fn until_started(&self, program: &str) -> Result<(), TargetError> {
        match self.watched.started().await {
            Life::Refused(errno) => Err(TargetError::Start {
                program: program.to_owned(),
                source: io::Error::from_raw_os_error(errno),
            }),
            _ => Ok(()),
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
    let (file, log) = Log::open(command.log.clone())
        .map_err(|source| TargetError::Log { path: command.log.clone(), source })?;
    let guard =
        GuardCommand { binary: &command.binary, folder: &command.folder, argv: &command.argv, log: file };
    let watched = Watched::start(guard).map_err(|source| TargetError::Guard { source })?;
    Ok(Running { watched, log })
}
