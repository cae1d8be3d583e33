//! A session: workers that live on between windows. `generate` wraps it; whatever needs windows of its
//! own (two versions in turn, a staircase) drives it directly.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::LoadError;
use super::arrivals::Share;
use super::control::Assignment;
use super::measure::recording::Recording;
use super::tls::Trust;
use super::worker::{self, Command, Setup};
use crate::clock;
use crate::plan::Plan;
use crate::plan::load::Load;

/// From a new load to its moment zero: all workers have heard of it by then.
const LEAD: Duration = Duration::from_millis(20);

/// Workers putting load on one target.
pub struct Session {
    plan: Arc<Plan>,
    workers: Vec<Hand>,
    generation: u64,
    origin: Instant,
    mark: Instant,
}

struct Hand {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<Result<(), LoadError>>,
}

impl Session {
    /// Starts the workers and, with the plan's own load, the traffic.
    pub fn start(plan: Arc<Plan>, target: &url::Url, workers: usize) -> Result<Self, LoadError> {
        let origin = clock::now() + LEAD;
        let assignment = Assignment { generation: 0, load: plan.load.clone(), origin };
        let of = workers.max(1);
        let trust = Arc::new(Trust::of(plan.clone()));
        let identifiers = worker::identifiers(&plan)?;
        if target.scheme() == "https" {
            // What can be done before is not measured as the handshake of the first user.
            let _ = trust.clients();
        }
        let workers = (0..of)
            .map(|worker| {
                let (commands, orders) = mpsc::channel(4);
                let setup = Setup {
                    plan: plan.clone(),
                    target: target.clone(),
                    share: Share { worker, of },
                    assignment: assignment.clone(),
                    trust: trust.clone(),
                    identifiers,
                };
                let thread = std::thread::Builder::new()
                    .name(format!("worker-{worker}"))
                    .spawn(move || worker::run(setup, orders))?;
                Ok(Hand { commands, thread })
            })
            .collect::<Result<_, LoadError>>()?;
        Ok(Self { plan, workers, generation: 0, origin, mark: origin })
    }

    /// The moment zero of the current load.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Changes the load; users and connections live on.
    pub async fn set_load(&mut self, load: Load) -> Result<(), LoadError> {
        self.generation += 1;
        self.origin = clock::now() + LEAD;
        self.mark = self.origin;
        for hand in &self.workers {
            let assignment =
                Assignment { generation: self.generation, load: load.clone(), origin: self.origin };
            hand.commands.send(Command::Assign(assignment)).await.map_err(|_| LoadError::WorkerGone)?;
        }
        Ok(())
    }

    /// Waits until `length` after the end of the last window, and hands over what was counted since.
    pub async fn window(&mut self, length: Duration) -> Result<Recording, LoadError> {
        self.mark += length;
        tokio::time::sleep_until(self.mark.into()).await;
        self.collect(Command::Window).await
    }

    /// Ends the load: requests in flight get `drain`, then they are cut off.
    pub async fn stop(self, drain: Duration) -> Result<Recording, LoadError> {
        let rest = self.collect(|reply| Command::Finish(drain, reply)).await;
        let ended = self.workers.into_iter().map(|Hand { commands, thread }| {
            // A worker that was not reached ends when nobody can reach it any more.
            drop(commands);
            thread.join().map_err(|_| LoadError::WorkerGone)?
        });
        // Why a worker ended says more than that its answer is missing.
        ended.collect::<Result<(), LoadError>>().and(rest)
    }

    async fn collect(
        &self,
        command: impl Fn(oneshot::Sender<Recording>) -> Command,
    ) -> Result<Recording, LoadError> {
        let mut answers = Vec::new();
        for hand in &self.workers {
            let (reply, answer) = oneshot::channel();
            hand.commands.send(command(reply)).await.map_err(|_| LoadError::WorkerGone)?;
            answers.push(answer);
        }
        let mut all =
            Recording::new(self.plan.endpoints.len(), self.plan.metrics.len(), self.plan.tasks.len());
        for answer in answers {
            all.merge(&answer.await.map_err(|_| LoadError::WorkerGone)?);
        }
        Ok(all)
    }
}
