//! The guard process: it starts the target command, and ends it with everything the command started as
//! soon as loadgate asks for that or is gone, however loadgate came to its end.
//!
//! Its standard input is one end of a socket whose other end only loadgate holds: end of file means stop.
//! It must not outlive its command, and its command must not outlive it. It knows nothing of readiness.
//!
//! Whoever kills loadgate often means everything of that name (`killall -9 loadgate`), and a guard that is killed
//! with it guards nothing. So there are three stages, all of them this program, under a name of their own:
//!
//! 1. The *overseer* starts the guard and does nothing while that lives. On Linux orphans come home to it, so when the
//!    guard is killed, it ends whatever the guard has left.
//! 2. The *guard* talks with loadgate, starts the command, and ends it.
//! 3. The *launcher* asks the kernel to kill it when the guard dies, sets the limits that loadgate was started with, and
//!    becomes the command. Should overseer and guard be killed at once, the command ends all the same.
//!
//! Elsewhere than on Linux no orphan comes home and no kernel is asked: there the guard is the first stage.

use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, Read, Write};
#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{self as sys, Pid, WaitOptions, WaitStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout};

use super::ended::{Ended, Report};
use crate::load::limits;
use crate::load::machine::tree;

/// What overseer and guard are called in lists of processes.
pub const NAME: &str = "target-guard";
/// What the names of variables begin with on their way to the command.
const HANDED_OVER: &str = "LOADGATE_TARGET_ENV_";
/// The exit status of an overseer whose guard was killed.
const GUARD_KILLED: i32 = 1;
/// How long the command may take to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(3);
/// How long killed processes may take to disappear.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often the remaining processes are looked at during the sweep.
const LOOK: Duration = Duration::from_millis(20);

/// Names and values of environment variables.
pub type Environment = [(OsString, OsString)];

/// What one process does for a target command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Ends what a guard that was killed has left.
    Overseer,
    /// Starts the command and ends it.
    Guard,
    /// Becomes the command.
    Launcher,
}

impl Stage {
    /// The one that loadgate starts.
    pub const FIRST: Self = if cfg!(target_os = "linux") { Self::Overseer } else { Self::Guard };

    /// How it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overseer => "overseer",
            Self::Guard => "guard",
            Self::Launcher => "launcher",
        }
    }

    /// The stage of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Overseer, Self::Guard, Self::Launcher].into_iter().find(|stage| stage.name() == name)
    }
}

/// The command line of a stage.
pub(super) fn stage<A: AsRef<OsStr>>(
    binary: &Path,
    stage: Stage,
    open_files: Option<u64>,
    argv: &[A],
) -> Command {
    let mut command = Command::new(binary);
    command.arg0(NAME).args(["target-guard", "--stage", stage.name()]);
    if let Some(open_files) = open_files {
        command.args(["--open-files", &open_files.to_string()]);
    }
    command.arg("--").args(argv);
    command
}

/// Runs `argv` under guard until it ends or loadgate is gone; nothing of it is left afterwards. As the launcher, becomes
/// `argv` with so many files that it may have open. `environment` is that of this process.
pub fn guard(
    stage: Stage,
    open_files: Option<u64>,
    argv: &[OsString],
    environment: &Environment,
) -> io::Result<Ended> {
    if stage == Stage::Launcher {
        return Err(launch(open_files, argv, environment));
    }
    // Before anything is started: whoever kills loadgate by its name from now on does not mean this process.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"target-guard");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = Launch { open_files, argv };
    match stage {
        Stage::Overseer => runtime.block_on(oversee(&plan)),
        Stage::Guard | Stage::Launcher => runtime.block_on(keep(&plan)),
    }
}

/// What is started below a guard.
struct Launch<'a> {
    open_files: Option<u64>,
    argv: &'a [OsString],
}

impl Launch<'_> {
    fn stage(&self, stage: Stage) -> io::Result<Command> {
        Ok(self::stage(&this_binary()?, stage, self.open_files, self.argv))
    }
}

/// What starts this very program again. On Linux that is not its name, which may be another version's by now, or nobody's.
pub fn this_binary() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Hands variables over to the command alone: a library to be loaded into it must not be loaded into its guards.
pub(super) fn set_variables(first: &mut Command, variables: &[(String, String)]) {
    first.envs(variables.iter().map(|(name, value)| (format!("{HANDED_OVER}{name}"), value)));
}

/// The variables of an environment that a guard would take for what it is to hand over. Nobody who starts loadgate
/// says with them what its command gets.
pub fn stray(environment: &Environment) -> Vec<OsString> {
    let names = environment.iter().map(|(name, _)| name);
    names.filter(|name| handed_over(name).is_some()).cloned().collect()
}

/// A variable that is meant for the command, by the name it has there; none for any other.
fn handed_over(name: &OsStr) -> Option<&OsStr> {
    name.as_bytes().strip_prefix(HANDED_OVER.as_bytes()).map(OsStr::from_bytes)
}

/// Until the guard is gone, and then until nothing of it is left.
async fn oversee(plan: &Launch<'_>) -> io::Result<Ended> {
    let _swallowed = swallow_signals()?;
    let children = signal(SignalKind::child())?;
    detach();
    let guard = match plan.stage(Stage::Guard).and_then(|mut guard| guard.spawn()) {
        Ok(guard) => guard,
        Err(error) => {
            tell(&mut owner()?, unguarded(&error)).await;
            return Err(error);
        }
    };
    // The end of the socket is the guard's alone: that it closes it tells loadgate something.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let mut command = Guarded { leader: Pid::from_child(&guard), children, ended: None };
    while command.ended.is_none() {
        command.children.recv().await;
        command.reap();
    }
    // A guard that was killed has left everything, and one that ended by itself mostly nothing.
    if command.reap() == Left::Something {
        command.kill().await;
    }
    match command.ended {
        Some(Ended::Exited(status)) => Ok(Ended::Exited(status)),
        _ => Ok(Ended::Exited(GUARD_KILLED)),
    }
}

async fn keep(plan: &Launch<'_>) -> io::Result<Ended> {
    let mut owner = owner()?;
    let _swallowed = swallow_signals()?;
    let children = signal(SignalKind::child())?;
    detach();
    let leader = match spawn(plan) {
        Ok(leader) => leader,
        Err(NotStarted::Command(error)) => {
            tell(&mut owner, Report::Refused(errno(&error))).await;
            return Err(error);
        }
        Err(NotStarted::Launcher(error)) => {
            tell(&mut owner, unguarded(&error)).await;
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

fn unguarded(error: &io::Error) -> Report {
    Report::Unguarded(errno(error))
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error())
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

/// Why there is no command.
enum NotStarted {
    /// It cannot be started.
    Command(io::Error),
    /// What would have become it cannot be.
    Launcher(io::Error),
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self::Launcher(error)
    }
}

/// Starts the launcher, and waits until it has become the command.
fn spawn(plan: &Launch) -> Result<Pid, NotStarted> {
    let (mut errors, theirs) = io::pipe()?;
    let mut launcher = plan.stage(Stage::Launcher)?;
    let child = launcher.stdin(OwnedFd::from(theirs)).process_group(0).spawn()?;
    // It holds the other end of the pipe.
    drop(launcher);
    match refusal(&mut errors)? {
        None => Ok(Pid::from_child(&child)),
        Some(error) => {
            let _ = sys::waitpid(Some(Pid::from_child(&child)), WaitOptions::empty());
            Err(NotStarted::Command(error))
        }
    }
}

/// Why a launcher could not become the command; none where it has.
fn refusal(errors: &mut PipeReader) -> io::Result<Option<io::Error>> {
    let mut told = Vec::new();
    errors.take(4).read_to_end(&mut told)?;
    Ok(<[u8; 4]>::try_from(told).ok().map(|errno| io::Error::from_raw_os_error(i32::from_ne_bytes(errno))))
}

/// Becomes the command; returns why it cannot. Standard input is a pipe to the guard, which is told that.
fn launch(open_files: Option<u64>, argv: &[OsString], environment: &Environment) -> io::Error {
    // Closed when the command begins, as everything is that Rust opens.
    let guard = io::stdin().as_fd().try_clone_to_owned();
    let error = become_command(open_files, argv, environment);
    if let Ok(guard) = guard {
        let _ = std::fs::File::from(guard).write_all(&errno(&error).to_ne_bytes());
    }
    error
}

fn become_command(open_files: Option<u64>, argv: &[OsString], environment: &Environment) -> io::Error {
    let Some((program, arguments)) = argv.split_first() else { return io::ErrorKind::InvalidInput.into() };
    #[cfg(target_os = "linux")]
    {
        // Some sandboxes refuse it. Then the command is ended by its guard or the overseer, unless both are killed at once.
        let _ = sys::set_parent_process_death_signal(Some(sys::Signal::KILL));
        // Asked only now: a guard that died before has closed its end of the pipe, and one that dies later takes this
        // process with it.
        if !has_reader(io::stdin().as_fd()) {
            return io::ErrorKind::BrokenPipe.into();
        }
    }
    if let Some(open_files) = open_files {
        // One that cannot be set is no reason to measure nothing.
        let _ = limits::set_open_files(open_files);
    }
    let mut command = Command::new(program);
    for (name, value) in environment {
        if let Some(own) = handed_over(name) {
            command.env(own, value).env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).exec()
}

/// Whether somebody holds the other end of a pipe that is written to.
#[cfg(target_os = "linux")]
fn has_reader(pipe: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(pipe, PollFlags::empty())];
    // Told unasked. Where nothing can be told, the guard most likely lives.
    let told = rustix::event::poll(&mut asked, Some(&Timespec::default()));
    told.is_err() || !asked[0].revents().contains(PollFlags::ERR)
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
        self.kill().await
    }

    /// Ends everything at once; whether nothing is left.
    async fn kill(&mut self) -> bool {
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
