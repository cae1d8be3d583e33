//! The wish of a person or a runner that the run ends: the first signal asks for a partial report, the
//! second ends the process at once. A stop button asks as the first signal does.

use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::process::getpid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What asked for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Ctrl-C.
    Sigint,
    /// A runner that cancels the job.
    Sigterm,
    /// The stop button of the live page.
    StopButton,
}

impl Interruption {
    /// The exit status of an interrupted run.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Sigint | Self::StopButton => 130,
            Self::Sigterm => 143,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sigint | Self::StopButton => "INT",
            Self::Sigterm => "TERM",
        }
    }
}

/// Tells whether the run shall end. Every clone tells the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    sender: Arc<watch::Sender<Option<Interruption>>>,
    request: watch::Receiver<Option<Interruption>>,
}

impl Shutdown {
    /// Listens from now on; to be called once, within the runtime that lives as long as the process.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let never = Self::never();
        let sender = never.sender.clone();
        tokio::spawn(async move {
            loop {
                let asked = tokio::select! {
                    _ = interrupt.recv() => Interruption::Sigint,
                    _ = terminate.recv() => Interruption::Sigterm,
                };
                if sender.send_replace(Some(asked)).is_some() {
                    end_at_once(asked);
                }
            }
        });
        Ok(never)
    }

    /// One that nobody will ask for.
    pub fn never() -> Self {
        let (sender, request) = watch::channel(None);
        Self { sender: Arc::new(sender), request }
    }

    /// Asks for the end as a first signal does; never ends the process at once, however often it is asked.
    pub fn ask(&self, interruption: Interruption) {
        self.sender.send_if_modified(|asked| {
            let first = asked.is_none();
            *asked = asked.or(Some(interruption));
            first
        });
    }

    /// Until the end is asked for; the future may outlive this value.
    pub fn requested(&self) -> impl Future<Output = Interruption> + Send + use<> {
        let mut request = self.request.clone();
        async move {
            let asked = request.wait_for(Option::is_some).await.ok().and_then(|asked| *asked);
            match asked {
                Some(asked) => asked,
                None => std::future::pending().await,
            }
        }
    }

    /// Whether the end was asked for by now.
    pub fn now(&self) -> Option<Interruption> {
        *self.request.borrow()
    }
}

/// Ends this process by the signal itself, so that whoever waits for it sees the truth. A handler cannot be
/// taken back safely once it is installed, but a fresh program has none: a shell takes this process over
/// and sends itself the signal. Where the signal has no effect, as on the first process of a container, or where there is
/// no shell, the exit status says it. The guard of the target sees its socket close and cleans up.
#[expect(clippy::disallowed_methods, reason = "whoever asks twice wants no report")]
fn end_at_once(asked: Interruption) -> ! {
    let (name, status) = (asked.name(), asked.exit_status());
    if !getpid().is_init() {
        let _ = Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} $$; exit {status}")).exec();
    }
    std::process::exit(status.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_same_request() {
        let shutdown = Shutdown::never();
        let other = shutdown.clone();
        assert_eq!(shutdown.now(), None);
        shutdown.ask(Interruption::Sigterm);
        shutdown.ask(Interruption::StopButton);
        assert_eq!(other.requested().await, Interruption::Sigterm);
        assert_eq!(shutdown.now(), Some(Interruption::Sigterm));
    }

    #[test]
    fn one_that_nobody_asks_for_stays_silent() {
        use futures_util::FutureExt;
        assert_eq!(Shutdown::never().requested().now_or_never(), None);
    }
}
