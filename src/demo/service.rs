//! The service behind the routes: what it remembers, and the one path every request takes: queue, worker,
//! latency, freeze, fate, answer.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::response::Response;
use tokio::sync::watch;

use super::{
    Endpoint, Freeze, Settings,
    answer::Refusal,
    auth::Keyring,
    builds::{Build, Builds},
    capacity::Queue,
    script::{Outcome, Script},
    timer::Timer,
};
use crate::clock;

/// Builds kept before the oldest is forgotten.
const BUILDS_KEPT: usize = 100_000;

/// One running service, shared by all its requests and sockets.
#[derive(Debug)]
pub(super) struct Service {
    started: Instant,
    script: Script,
    queue: Queue,
    freeze: Option<Freeze>,
    builds: Mutex<Builds>,
    pub(super) keyring: Keyring,
    /// Wakes requests and sockets; someone must run it.
    pub(super) timer: Arc<Timer>,
    /// Changes when the service shuts down.
    pub(super) stopping: watch::Receiver<()>,
}

/// How handlers hold the service.
pub(super) type Shared = Arc<Service>;

impl Service {
    /// A service whose uptime begins now.
    pub(super) fn new(settings: &Settings, stopping: watch::Receiver<()>) -> io::Result<Self> {
        Ok(Self {
            started: clock::now(),
            script: Script::new(settings),
            queue: Queue::new(settings.capacity),
            freeze: settings.freeze,
            builds: Mutex::new(Builds::new(settings.seed, BUILDS_KEPT)),
            keyring: Keyring::new(),
            timer: Arc::new(Timer::new()?),
            stopping,
        })
    }

    /// Time since the service started.
    pub(super) fn uptime(&self) -> Duration {
        clock::now().saturating_duration_since(self.started)
    }

    /// The builds; hold them briefly.
    pub(super) fn builds(&self) -> MutexGuard<'_, Builds> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user's build.
    pub(super) fn build(&self, user: &str, id: &str) -> Result<Arc<Build>, Refusal> {
        self.builds().find(user, id).cloned().ok_or(Refusal::NoBuild)
    }

    /// Works on a request as the script demands; `work` is done at the end, just before the answer.
    pub(super) async fn perform(
        &self,
        endpoint: Endpoint,
        work: impl FnOnce() -> Result<Response, Refusal>,
    ) -> Result<Response, Refusal> {
        let Ok(_worker) = self.queue.admit().await else {
            self.thaw().await;
            return Err(Refusal::Full);
        };
        let fate = self.script.next(endpoint);
        self.wait_until(self.uptime() + fate.latency).await;
        match fate.outcome {
            Outcome::Answer => work(),
            Outcome::Fail => Err(Refusal::Scripted),
        }
    }

    /// Waits for the end of the freeze, if there is one.
    pub(super) async fn thaw(&self) {
        self.wait_until(self.uptime()).await;
    }

    /// Waits until an uptime, and beyond it to the end of the freeze it falls into.
    pub(super) async fn wait_until(&self, uptime: Duration) {
        let due = self.freeze.map_or(uptime, |freeze| freeze.answer_at(uptime));
        if due > self.uptime() {
            self.timer.sleep_until(self.started + due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn service(freeze: Option<Freeze>) -> Service {
        Service::new(&Settings { freeze, ..Settings::default() }, watch::channel(()).1).unwrap()
    }

    #[tokio::test]
    async fn what_falls_into_a_freeze_waits_and_what_is_due_does_not() {
        // Frozen from the first millisecond to the end of the day.
        let frozen = service(Some("86399999ms/24h".parse().unwrap()));
        assert!(frozen.wait_until(Duration::from_millis(1)).now_or_never().is_none());
        assert!(service(None).wait_until(Duration::ZERO).now_or_never().is_some());
    }
}
