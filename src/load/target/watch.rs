//! loadgate's side of the guard: starts it, hears its reports, and lets go of it.
//!
//! A thread of its own waits for the reports, so that nothing here depends on a runtime being alive.

use std::fs::File;
use std::future::Future;
use std::io::{self, BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use tokio::time::timeout;

use super::StartCommand;
use super::ended::{Ended, Report};
use super::guard::{self, Stage};

/// More than the guard needs for its grace and what comes after it.
const STOP: Duration = Duration::from_secs(5);

/// How far the command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// The guard has not told yet.
    Starting,
    /// It runs, in this process group.
    Running(i32),
    /// It could not be started, for this `errno`.
    Refused(i32),
    /// Its guard could not be started, for this `errno`.
    Unguarded(i32),
    /// It ended.
    Ended(Ended),
    /// It ended, but not all that it started.
    Survived,
}

/// A command under guard. Dropping it ends the command, without waiting for that.
#[derive(Debug)]
pub(super) struct Watched {
    socket: UnixStream,
    guard: i32,
    life: watch::Receiver<Life>,
}

/// What the guard is started with.
pub(super) struct GuardCommand<'a> {
    pub(super) command: &'a StartCommand,
    pub(super) log: File,
}

impl Watched {
    /// Starts the guard, which starts the command.
    pub(super) fn start(GuardCommand { command, log }: GuardCommand<'_>) -> io::Result<Self> {
        let (socket, guards) = UnixStream::pair()?;
        let reports = socket.try_clone()?;
        let mut guard = guard::stage(&command.binary, Stage::FIRST, command.open_files, &command.argv);
        guard.current_dir(&command.folder);
        for name in command.withheld.iter().chain(&command.stray) {
            guard.env_remove(name);
        }
        guard::set_variables(&mut guard, &command.variables);
        let guard = guard.stdin(OwnedFd::from(guards)).stdout(log.try_clone()?).stderr(log).spawn()?;
        let pid = guard.id().cast_signed();
        let (sender, life) = watch::channel(Life::Starting);
        std::thread::Builder::new()
            .name("target-watch".into())
            .spawn(move || listen(BufReader::new(reports), guard, &sender))?;
        Ok(Self { socket, guard: pid, life })
    }

    /// Until the command runs, or does not.
    pub(super) fn started(&self) -> impl Future<Output = Life> + Send + use<> {
        until(self.life.clone(), |life| life != Life::Starting)
    }

    /// Until the command ended.
    pub(super) fn ended(&self) -> impl Future<Output = Ended> + Send + use<> {
        let over = until(self.life.clone(), |life| !matches!(life, Life::Starting | Life::Running(_)));
        async move { ended(over.await).unwrap_or(Ended::Unseen) }
    }

    /// How the command ended, if it did.
    pub(super) fn has_ended(&self) -> Option<Ended> {
        ended(*self.life.borrow())
    }

    /// The process number of the guard, of which everything else descends.
    pub(super) fn guard(&self) -> i32 {
        self.guard
    }

    /// Lets go, and waits until nothing of the command is left.
    pub(super) async fn stop(self) -> Result<(), StillThere> {
        let mut life = self.life.clone();
        drop(self);
        let gone = async { while life.changed().await.is_ok() {} };
        let in_time = timeout(STOP, gone).await.is_ok();
        let clean = in_time && *life.borrow() != Life::Survived;
        if clean { Ok(()) } else { Err(StillThere) }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Closing is not enough: the listening thread holds the same socket.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Something of the command could not be ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StillThere;

async fn until(mut life: watch::Receiver<Life>, wanted: impl Fn(Life) -> bool + Send) -> Life {
    let found = life.wait_for(|life| wanted(*life)).await.map(|life| *life);
    found.unwrap_or(Life::Ended(Ended::Unseen))
}

fn ended(life: Life) -> Option<Ended> {
    match life {
        Life::Ended(ended) => Some(ended),
        Life::Survived | Life::Refused(_) | Life::Unguarded(_) => Some(Ended::Unseen),
        Life::Starting | Life::Running(_) => None,
    }
}

/// Until the guard is gone; the sender's end tells that.
fn listen(reports: BufReader<UnixStream>, mut guard: Child, life: &watch::Sender<Life>) {
    let mut group = None;
    for line in reports.lines().map_while(Result::ok) {
        let now = match Report::parse(&line) {
            Some(Report::Started(leader)) => Life::Running(*group.insert(leader)),
            Some(Report::Refused(errno)) => Life::Refused(errno),
            Some(Report::Unguarded(errno)) => Life::Unguarded(errno),
            Some(Report::Ended(ended)) => Life::Ended(ended),
            Some(Report::Survived) => Life::Survived,
            None => continue,
        };
        life.send_if_modified(|life| advance(life, now));
    }
    // Whoever ends by itself has collected the command, whose number may be another's by now.
    let killed = guard.wait().is_ok_and(|status| status.signal().is_some());
    life.send_if_modified(|life| {
        let unseen = matches!(life, Life::Starting | Life::Running(_));
        if unseen {
            if killed {
                end_unguarded(group);
            }
            *life = Life::Ended(Ended::Unseen);
        }
        unseen
    });
}

/// That something survived is the last word.
fn advance(life: &mut Life, now: Life) -> bool {
    let changed = *life != Life::Survived;
    if changed {
        *life = now;
    }
    changed
}

/// The guard was killed before its command: what can still be reached is its group.
fn end_unguarded(group: Option<i32>) {
    if let Some(leader) = group.and_then(Pid::from_raw) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}
