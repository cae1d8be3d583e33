//! The guard process: it starts the target command, and ends it with everything the command started as
//! soon as loadgate asks for that or is gone, however loadgate came to its end.
//!
//! Its standard input is one end of a socket whose other end only loadgate holds: end of file means stop.
//! It must not outlive its command, and its command must not outlive it. It knows nothing of readiness.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{self as sys, Pid, WaitOptions, WaitStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout};

use super::ended::{Ended, Report};
use crate::load::machine::tree;

/// How long the command may take to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(3);
/// How long killed processes may take to disappear.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often the remaining processes are looked at during the sweep.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `argv` under guard until it ends or loadgate is gone; nothing of it is left afterwards.
pub fn guard(argv: &[OsString]) -> io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(keep(argv))
}

async fn keep(argv: &[OsString]) -> io::Result<Ended> {
    let mut owner = owner()?;
    let _swallowed = swallow_signals()?;
    let children = signal(SignalKind::child())?;
    detach();
    let leader = match spawn(argv) {
        Ok(leader) => leader,
        Err(error) => {
            tell(&mut owner, Report::Refused(error.raw_os_error().unwrap_or_default())).await;
            return Err(error);
        }
    };
    tell(&mut owner, Report::Started(leader.as_raw_pid())).await;
    let mut command = Guarded { leader, children, ended: None };
    command.until_over(&mut owner).await;
    if let Some(ended) = command.ended {
        tell(&mut owner, Report::Ended(ended)).await;
    }
    let told = command.ended.is_some();
    if !command.sweep().await {
        tell(&mut owner, Report::Survived).await;
    }
    let ended = command.ended.unwrap_or(Ended::Unseen);
    if !told {
        tell(&mut owner, Report::Ended(ended)).await;
    }
    Ok(ended)
}

/// The socket that loadgate holds the other end of.
fn owner() -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// A report loadgate no longer reads is no failure.
async fn tell(owner: &mut UnixStream, report: Report) {
    let _ = owner.write_all(report.to_string().as_bytes()).await;
}

/// Handlers rather than "ignore": the command would inherit an ignored signal, but never a handler.
fn swallow_signals() -> io::Result<[Signal; 3]> {
    Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?])
}

/// Its own session, so that a terminal's Ctrl-C reaches loadgate alone; and orphans come home to it.
fn detach() {
    let _ = sys::setsid();
    #[cfg(target_os = "linux")]
    let _ = sys::set_child_subreaper(Some(sys::getpid()));
}

fn spawn(argv: &[OsString]) -> io::Result<Pid> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn()?;
    Ok(Pid::from_child(&child))
}

/// The command and everything it started.
struct Guarded {
    leader: Pid,
    children: Signal,
    ended: Option<Ended>,
}

impl Guarded {
    /// Until the command ends by itself, or loadgate lets go of the socket.
    async fn until_over(&mut self, owner: &mut UnixStream) {
        let mut nothing = [0_u8; 16];
        while self.ended.is_none() {
            tokio::select! {
                read = owner.read(&mut nothing) => if !matches!(read, Ok(1..)) { return },
                _ = self.children.recv() => { self.reap(); }
            }
        }
    }

    /// Ends everything, gently first; whether nothing is left.
    async fn sweep(&mut self) -> bool {
        self.send(sys::Signal::TERM);
        // A stopped process would never see the request to end.
        self.send(sys::Signal::CONT);
        if self.gone_within(GRACE).await {
            return true;
        }
        let end = Instant::now() + AFTERMATH;
        while Instant::now() < end {
            self.send(sys::Signal::KILL);
            if self.gone_within(LOOK).await {
                return true;
            }
        }
        false
    }

    async fn gone_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            if self.reap() == Left::Nothing {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            let _ = timeout(LOOK, self.children.recv()).await;
        }
    }

    /// Collects every process that ended; an orphan of the command is a child of the guard.
    fn reap(&mut self) -> Left {
        loop {
            match sys::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.leader => self.ended = ended(status).or(self.ended),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Left::Something,
                Err(_) => return self.left_in_group(),
            }
        }
    }

    /// Where orphans do not come home, the group is all there is to ask.
    fn left_in_group(&self) -> Left {
        let empty = cfg!(target_os = "linux") || sys::test_kill_process_group(self.leader).is_err();
        if empty { Left::Nothing } else { Left::Something }
    }

    /// To the group as a whole, then to whoever left it.
    fn send(&self, signal: sys::Signal) {
        // Once the leader is collected its number may be another's; its group's is not while it has members.
        if self.ended.is_none() || cfg!(not(target_os = "linux")) {
            let _ = sys::kill_process_group(self.leader, signal);
        }
        let group = self.ended.is_none().then(|| self.leader.as_raw_pid());
        for process in tree::descendants(sys::getpid().as_raw_pid()) {
            if Some(process.group) != group {
                let _ = Pid::from_raw(process.pid).map(|pid| sys::kill_process(pid, signal));
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

fn ended(status: WaitStatus) -> Option<Ended> {
    let exited = status.exit_status().map(Ended::Exited);
    exited.or_else(|| status.terminating_signal().map(Ended::Signalled))
}
