//! One worker: a thread with its own runtime, its virtual users, their connections, one recorder.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use super::LoadError;
use super::arrivals::{self, Share};
use super::aside::Aside;
use super::control::{Assignment, Control};
use super::deck::Deck;
use super::generate;
use super::heartbeat;
use super::lobby::Lobby;
use super::measure::phases::Phases;
use super::measure::recorder::Recorder;
use super::measure::recording::Recording;
use super::memory::{Budget, Lasting};
use super::pool::{Arrival, Inbox, Pool};
use super::protocol::connect::Connector;
use super::protocol::name;
use super::protocol::origin::Base;
use super::timer::Timer;
use super::tls::Trust;
use super::trace::Journal;
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::load::Model;
use crate::plan::step::{Action, EndpointId, Step};
use crate::plan::user::{TaskId, split_by_weight};
use crate::plan::{Plan, SeedOrigin, Target};

/// How late after the end of the load an arrival that was due before it may still begin.
pub const GRACE: Duration = Duration::from_millis(100);

/// The most threads of a worker that do something else than look names up, however long lookups take: what is done aside,
/// and what is left of it where nobody waits for it any more.
const THREADS_ASIDE: usize = 32;

/// The part of the budget, one in so many, that servers may fill with what has not been read yet over HTTP/2.
const AHEAD: u64 = 8;

/// What the session asks of a worker.
#[derive(Debug)]
pub enum Command {
    /// Something else is wanted from now on.
    Assign(Assignment),
    /// What was counted since the last time.
    Window(oneshot::Sender<Recording>),
    /// End: wait so long for what is in flight, then cut it off and hand over the rest.
    Finish(Duration, oneshot::Sender<Recording>),
}

/// What a worker needs to begin.
pub struct Setup {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The target's URL.
    pub target: url::Url,
    /// Which worker it is.
    pub share: Share,
    /// What is wanted at first.
    pub assignment: Assignment,
    /// The TLS clients of the run.
    pub trust: Arc<Trust>,
    /// What the identifiers of the run derive from.
    pub identifiers: u64,
    /// What it shares with the other workers.
    pub pool: Arc<Pool>,
    /// What the run may hold of what services send.
    pub budget: Arc<Budget>,
}

/// What the users of a worker share.
pub struct Worker {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The target.
    pub base: Base,
    /// Opens connections.
    pub connector: Connector,
    /// Sleeps.
    pub timer: Timer,
    /// Counts.
    pub recorder: RefCell<Recorder>,
    /// What is wanted now.
    pub control: Control,
    /// Which worker it is.
    pub share: Share,
    /// What happens, for a trace.
    pub journal: Journal,
    /// What the identifiers of its users derive from, see [`identifiers`].
    pub identifiers: u64,
    /// What it shares with the other workers.
    pub pool: Arc<Pool>,
    /// What the run may hold of what services send.
    pub budget: Arc<Budget>,
    /// What the captured secrets hold that are remembered for the whole run.
    pub remembered: RefCell<Lasting>,
    /// Work that takes long.
    pub aside: Aside,
    /// Whether what was under way at the end of the load got time to end. Nothing does in a run that is interrupted.
    pub gave_time: Cell<bool>,
    decks: RefCell<Vec<Deck>>,
    tasks: RefCell<JoinSet<io::Result<()>>>,
    present: Cell<u64>,
    busy: Cell<u64>,
    idle: Notify,
}

impl Worker {
    /// Makes what a worker needs. Must be called inside a [`tokio::runtime::LocalRuntime`].
    pub fn new(setup: Setup, journal: Journal) -> Result<Self, LoadError> {
        let Setup { plan, target, share, assignment, trust, identifiers, pool, budget } = setup;
        let phases = Phases::of_load(&assignment.load, assignment.origin);
        let timer = Timer::new(phases.clone())?;
        let mut tasks = JoinSet::new();
        tasks.spawn_local(timer.clone().run());
        let base = Base::new(&target, plan.authorization.clone()).map_err(LoadError::Target)?;
        let started = matches!(plan.target, Target::Command(_)).then(|| base.origin.clone());
        Ok(Self {
            base,
            connector: Connector::new(trust, timer.clone(), plan.proxies.clone())
                .directly_to(started)
                .sharing(budget.limit() / AHEAD, generate::users(&plan)),
            timer,
            recorder: RefCell::new(Recorder::new(&plan, phases)),
            control: Control::new(assignment),
            pool,
            budget,
            remembered: RefCell::default(),
            aside: Aside::default(),
            decks: RefCell::new(arrivals::tasks(&plan.classes, plan.seed)),
            tasks: RefCell::new(tasks),
            present: Cell::new(0),
            busy: Cell::new(0),
            idle: Notify::new(),
            gave_time: Cell::new(false),
            plan,
            share,
            journal,
            identifiers,
        })
    }

    /// The next task of a class in the closed model: all workers deal from the same decks, so that together they
    /// have the mix, however unequal their shares are.
    pub fn deal(&self, class: usize) -> Option<TaskId> {
        let tasks = &self.plan.classes[class].tasks;
        // One task is the commonest and needs no deck, and so nothing that is shared.
        if let [(task, 1..)] = tasks.as_slice() {
            return Some(*task);
        }
        let card = self.decks.borrow_mut()[class].card(self.pool.next_card(class))?;
        tasks.get(card).map(|(task, _)| *task)
    }

    /// Lets something be done beside. If it ends with an error, or panics, so does the worker.
    pub fn spawn(&self, task: impl Future<Output = io::Result<()>> + 'static) {
        self.tasks.borrow_mut().spawn_local(task);
    }

    /// Ends when a task fails: whoever waits for the users of this worker would wait for fewer than planned.
    pub(super) async fn failed(&self) -> LoadError {
        poll_fn(|context| {
            loop {
                match self.tasks.borrow_mut().poll_join_next(context) {
                    Poll::Ready(Some(ended)) => {
                        if let Err(error) = outcome(ended) {
                            return Poll::Ready(error);
                        }
                    }
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Ends all tasks.
    async fn dismiss(&self) -> Result<(), LoadError> {
        let mut tasks = self.tasks.take();
        tasks.abort_all();
        let mut ended = Ok(());
        while let Some(task) = tasks.join_next().await {
            ended = ended.and(outcome(task));
        }
        ended
    }

    /// Counts an iteration in progress until the guard is dropped.
    pub fn busy(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(self.clone())
    }

    /// A user comes (+1) or goes (−1).
    pub fn presence(&self, change: i64) {
        self.present.set(self.present.get().saturating_add_signed(change));
        self.recorder.borrow_mut().users(self.present.get());
    }

    fn take(&self) -> Recording {
        let mut recorder = self.recorder.borrow_mut();
        for _ in 0..self.connector.take_exhausted() {
            recorder.exhausted();
        }
        let mut recording = recorder.take();
        recording.health.wake = self.timer.take_lateness();
        recorder.users(self.present.get());
        recording
    }

    /// Counts an arrival that was due and that the generator did not start.
    pub(super) fn not_started(&self, arrival: &Arrival) {
        let endpoint = arrival.task.and_then(|task| self.first_endpoint(task));
        self.recorder.borrow_mut().not_started(endpoint, arrival.due);
    }

    /// The first endpoint that a task would hit.
    pub(super) fn first_endpoint(&self, task: TaskId) -> Option<EndpointId> {
        first_endpoint(&self.plan.tasks[task.0].steps)
    }

    async fn quiet(&self) {
        while self.busy.get() > 0 {
            self.idle.notified().await;
        }
    }
}

/// How a task ended: one that was told to has done nothing wrong.
fn outcome(ended: Result<io::Result<()>, JoinError>) -> Result<(), LoadError> {
    match ended {
        Ok(ended) => ended.map_err(LoadError::System),
        Err(error) if error.is_panic() => Err(LoadError::of_panic(&*error.into_panic())),
        Err(_) => Ok(()),
    }
}

/// An iteration in progress.
pub struct Busy(Rc<Worker>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        if self.0.busy.get() == 0 {
            self.0.idle.notify_one();
        }
    }
}

/// The life of a worker's thread. It ends with a `Finish`, or when the session is gone.
pub fn run(setup: Setup, commands: mpsc::Receiver<Command>, inbox: Inbox) -> Result<(), LoadError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let worker = Rc::new(Worker::new(setup, Journal::default())?);
        let crew = Crew::new(worker.clone(), inbox);
        tokio::select! {
            biased;
            error = worker.failed() => Err(error),
            ended = obey(crew, commands) => ended,
        }
    });
    // A name that is still being looked up must not keep an interrupted job waiting.
    runtime.shutdown_background();
    ended
}

/// The runtime of one worker. Its users sleep on a timer of their own, so it needs none where that works.
pub fn runtime() -> std::io::Result<LocalRuntime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io().max_blocking_threads(name::MOST_THREADS + THREADS_ASIDE);
    if cfg!(not(target_os = "linux")) {
        builder.enable_time();
    }
    builder.build_local(LocalOptions::default())
}

async fn obey(mut crew: Crew, mut commands: mpsc::Receiver<Command>) -> Result<(), LoadError> {
    let worker = crew.worker.clone();
    crew.begin();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Assign(assignment) => {
                let phases = Phases::of_load(&assignment.load, assignment.origin);
                worker.timer.begin(phases.clone());
                worker.recorder.borrow_mut().begin(phases);
                worker.control.assign(assignment);
                crew.begin();
            }
            // A session that is gone wants no answer.
            Command::Window(reply) => drop(reply.send(worker.take())),
            Command::Finish(drain, reply) => {
                crew.stop_in_time(drain).await;
                worker.gave_time.set(!drain.is_zero());
                // Either way it is over: what is still in flight is cut off and counted as such.
                let _ = worker.timer.deadline().within(drain, pin!(worker.quiet())).await;
                // What was cut off is counted as it is dropped, which has happened once all tasks have ended.
                worker.dismiss().await?;
                drop(reply.send(worker.take()));
                break;
            }
        }
    }
    Ok(())
}

/// The tasks of one worker: its closed users, and those that let arrivals in.
struct Crew {
    worker: Rc<Worker>,
    hired: usize,
}

impl Crew {
    fn new(worker: Rc<Worker>, inbox: Inbox) -> Self {
        let lobby = Lobby::new(worker.clone());
        worker.spawn(lobby.clone().open());
        worker.spawn(lobby.receive(inbox));
        worker.spawn(heartbeat::beat(worker.clone()));
        Self { worker, hired: 0 }
    }

    /// Makes the users that the current load needs and that are not there yet.
    fn begin(&mut self) {
        let assignment = self.worker.control.current();
        if assignment.load.model == Model::Closed {
            self.hire(assignment.load.shape.peak().ceil() as usize);
        }
    }

    fn hire(&mut self, users: usize) {
        let weights: Vec<u32> = self.worker.plan.classes.iter().map(|class| class.weight).collect();
        let share = self.worker.share;
        for (index, class) in seats(users, &weights).into_iter().enumerate().skip(self.hired) {
            if index % share.of == share.worker {
                let user = VirtualUser::new(self.worker.clone(), class, index, index as u64);
                self.worker.spawn(user.live());
            }
        }
        self.hired = self.hired.max(users);
    }

    /// Lets nothing more begin. Where the load has run its course, and there is time for it, arrivals that were due
    /// before its end still begin. What was due and does not is counted as it is dropped.
    async fn stop_in_time(&self, drain: Duration) {
        let assignment = self.worker.control.current();
        if clock::now() < assignment.end() {
            self.worker.control.end_at(clock::now());
        } else if assignment.load.model != Model::Closed && !drain.is_zero() {
            self.worker.timer.sleep_until(assignment.end() + GRACE).await;
        }
    }
}

/// The class of every user: exactly by weight, and mixed, so that a ramp has the mix as well. The
/// smooth weighted round robin of nginx, over the exact counts.
fn seats(users: usize, weights: &[u32]) -> Vec<usize> {
    let counts: Vec<i64> = split_by_weight(users, weights)
        .into_iter()
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
        .collect();
    let (total, mut credit) = (counts.iter().sum::<i64>(), vec![0; counts.len()]);
    (0..users)
        .filter_map(|_| {
            credit.iter_mut().zip(&counts).for_each(|(credit, count)| *credit += count);
            let next = (0..counts.len()).rev().max_by_key(|class| credit[*class])?;
            credit[next] -= total;
            Some(next)
        })
        .collect()
}

/// What the identifiers of a run derive from: the seed where somebody chose one, else new random bits, so that no
/// run repeats the identifiers of another. A service that is already there refuses an identifier that it has seen.
pub fn identifiers(plan: &Plan) -> Result<u64, LoadError> {
    match plan.seed_origin {
        SeedOrigin::Chosen => Ok(plan.seed),
        SeedOrigin::Default => SysRng.try_next_u64().map_err(|error| std::io::Error::other(error).into()),
    }
}

/// The first endpoint that steps would hit.
pub fn first_endpoint(steps: &[Step]) -> Option<EndpointId> {
    steps.iter().find_map(|step| match &step.action {
        Action::Request(request) => Some(request.endpoint),
        Action::WebSocket(socket) => Some(socket.endpoint),
        Action::Repeat { steps, .. } | Action::Group { steps, .. } | Action::Run(steps) => {
            first_endpoint(steps)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
