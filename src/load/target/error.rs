//! Why there is no target to put load on.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::ended::Ended;
use super::ready::Answer;
use super::tail::LastLines;

/// Why a target cannot be used.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error("the target command is empty")]
    EmptyCommand,
    #[error("the target command cannot be rendered: {message}")]
    Unrendered { message: String },
    #[error("the folder `{}` of the target command does not exist", path.display())]
    NoFolder { path: PathBuf },
    #[error("cannot write the log of the target command `{}`", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("cannot keep the token of loadgate from the target command")]
    Exposed { source: io::Error },
    #[error("cannot start the guard of the target command")]
    Guard { source: io::Error },
    #[error("cannot start the target command `{program}`: {source}")]
    Start { program: String, source: io::Error },
    #[error("the target command ended with {ended} before it was ready{lines}")]
    Ended { ended: Ended, lines: LastLines },
    #[error("the target command was not ready after {after:?}: {url} {answer}{lines}")]
    NotReady { url: String, after: Duration, answer: Answer, lines: LastLines },
    #[error("`{command}` (process {pid}) answers on {address}, and was not started by the target command")]
    Stranger { address: SocketAddr, pid: i32, command: String },
    #[error("something answers on {address} before the target command is started")]
    Taken { address: SocketAddr },
    #[error("cannot make a client to ask whether the target is ready")]
    Client { source: reqwest::Error },
    #[error("a part of the target command could not be ended")]
    Survived,
    #[error("no free port for the target")]
    Port { source: io::Error },
    #[error("`{url}` names no host to connect to")]
    NoHost { url: String },
    #[error("cannot resolve `{host}`: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("`{host}` was not resolved within {after:?}")]
    ResolveTimeout { host: String, after: Duration },
    #[error("connection refused by `{host}`")]
    Refused { host: String },
    #[error("no connection to `{host}` within {after:?}")]
    ConnectTimeout { host: String, after: Duration },
    #[error("cannot connect to `{host}`: {source}")]
    Connect { host: String, source: io::Error },
    #[error("the proxy {proxy} ({named_by}) cannot be reached: {source}")]
    Proxy { proxy: String, named_by: String, source: Box<TargetError> },
}

impl TargetError {
    /// The log of a command that was started and is of no use: a file in the folder of the run.
    pub fn log(&self) -> Option<&Path> {
        match self {
            Self::Ended { lines, .. } | Self::NotReady { lines, .. } => Some(&lines.path),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unrendered { .. } => "a target command can use `{{ address }}`, `{{ port }}` and `env(\"NAME\")`".into(),
            Self::EmptyCommand => "write the program and its arguments as a list: `command: [./server, --port, \"{{ port }}\"]`".into(),
            Self::Start { .. } => "the program must be on the PATH, or be written as a path from the folder of the configuration".into(),
            Self::Ended { lines, .. } => format!("what it wrote is in {}", lines.path.display()),
            Self::NotReady { lines, .. } => format!(
                "it must listen on {{{{ address }}}} and answer `ready` with 2xx; `ready_timeout` gives it longer; what it wrote is in {}",
                lines.path.display()
            ),
            Self::Stranger { .. } => "end that process, or let the target command listen on `{{ address }}`, which is free".into(),
            Self::Taken { .. } => "run it again: another program took the port meanwhile".into(),
            Self::Resolve { .. } | Self::ResolveTimeout { .. } | Self::NoHost { .. } => {
                "check the name in `host`, and that this machine can resolve it".into()
            }
            Self::Refused { .. } => "is the service running, and on this port?".into(),
            Self::ConnectTimeout { .. } | Self::Connect { .. } => {
                "check the address in `host`, and that a firewall lets this machine through".into()
            }
            Self::Proxy { .. } => "check the address of the proxy; `http: {proxy: none}` connects directly".into(),
            Self::Survived => "look for processes it left behind; one that runs as another user cannot be ended".into(),
            Self::Exposed { .. } => "start loadgate without `LOADGATE_TOKEN` and `GITHUB_TOKEN`, and publish the result in a step of its own".into(),
            Self::NoFolder { .. } | Self::Log { .. } | Self::Guard { .. } | Self::Client { .. } | Self::Port { .. } => return None,
        })
    }
}
