//! A session: workers that live on between windows. `generate` wraps it; whatever needs windows of its
//! own (two versions in turn, a staircase) drives it directly.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::LoadError;
use super::arrivals::Share;
use super::control::Assignment;
use super::measure::recording::Recording;
use super::memory::Budget;
use super::pool::Pool;
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
    /// What workers were asked for and have not handed over.
    answers: VecDeque<oneshot::Receiver<Recording>>,
    /// What they have handed over and nobody has got.
    taken: Recording,
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
        let budget = Budget::of(plan.limits.max_memory);
        let (pool, inboxes) = Pool::new(plan.classes.len(), plan.data.len(), of);
        let workers = inboxes
            .into_iter()
            .enumerate()
            .map(|(worker, inbox)| {
                let (commands, orders) = mpsc::channel(4);
                let setup = Setup {
                    plan: plan.clone(),
                    target: target.clone(),
                    share: Share { worker, of },
                    assignment: assignment.clone(),
                    trust: trust.clone(),
                    identifiers,
                    pool: pool.clone(),
                    budget: budget.clone(),
                };
                let thread = std::thread::Builder::new()
                    .name(format!("worker-{worker}"))
                    .spawn(move || worker::run(setup, orders, inbox))?;
                Ok(Hand { commands, thread })
            })
            .collect::<Result<_, LoadError>>()?;
        let (answers, taken) = (VecDeque::new(), empty(&plan));
        Ok(Self { plan, workers, generation: 0, origin, mark: origin, answers, taken })
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
        let assignment = Assignment { generation: self.generation, load, origin: self.origin };
        for hand in &self.workers {
            if hand.commands.send(Command::Assign(assignment.clone())).await.is_err() {
                return Err(self.cause());
            }
        }
        Ok(())
    }

    /// Waits until `length` after the end of the last window, and hands over what was counted since. Whoever stops
    /// waiting loses nothing: what was taken by then is in what is handed over next.
    pub async fn window(&mut self, length: Duration) -> Result<Recording, LoadError> {
        let end = self.mark + length;
        tokio::time::sleep_until(end.into()).await;
        self.collect(Command::Window).await?;
        self.mark = end;
        Ok(self.deliver())
    }

    /// Ends the load: requests in flight get `drain`, then they are cut off.
    pub async fn stop(mut self, drain: Duration) -> Result<Recording, LoadError> {
        self.collect(|reply| Command::Finish(drain, reply)).await?;
        let rest = self.deliver();
        self.join().map(|()| rest)
    }

    async fn collect(
        &mut self,
        command: impl Fn(oneshot::Sender<Recording>) -> Command,
    ) -> Result<(), LoadError> {
        let collected = async {
            // Of a window that nobody waited for: its number of users was never handed over, and does not count here.
            self.settle().await?;
            self.taken.users = 0;
            for hand in &self.workers {
                let room = hand.commands.reserve().await.map_err(|_| Gone)?;
                let (reply, answer) = oneshot::channel();
                room.send(command(reply));
                self.answers.push_back(answer);
            }
            self.settle().await
        };
        collected.await.map_err(|Gone| self.cause())
    }

    /// Takes in what was asked for. It stays here until it is delivered.
    async fn settle(&mut self) -> Result<(), Gone> {
        while let Some(answer) = self.answers.front_mut() {
            let recording = answer.await.map_err(|_| Gone)?;
            self.answers.pop_front();
            self.taken.merge(&recording);
        }
        Ok(())
    }

    fn deliver(&mut self) -> Recording {
        std::mem::replace(&mut self.taken, empty(&self.plan))
    }

    /// Why a worker is gone says more than that it is.
    fn cause(&mut self) -> LoadError {
        self.join().err().unwrap_or(LoadError::WorkerGone)
    }

    /// Waits for the end of the workers, which nobody can reach any more.
    fn join(&mut self) -> Result<(), LoadError> {
        let threads: Vec<_> = self.workers.drain(..).map(|Hand { commands: _, thread }| thread).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|payload| Err(LoadError::of_panic(&*payload))));
        // All are waited for, whichever has failed.
        ended.fold(Ok(()), Result::and)
    }
}

/// A worker has ended.
struct Gone;

fn empty(plan: &Plan) -> Recording {
    Recording::new(plan.endpoints.len(), plan.metrics.len(), plan.tasks.len())
}
