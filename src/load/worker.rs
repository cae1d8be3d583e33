//! One worker: a thread with its own runtime, its virtual users, their connections, one recorder.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

use super::LoadError;
use super::arrivals::Share;
use super::control::{Assignment, Control};
use super::deck::{Deck, derive_seed};
use super::lobby::Lobby;
use super::measure::recorder::Recorder;
use super::measure::recording::Recording;
use super::protocol::connect::Connector;
use super::protocol::origin::Base;
use super::timer::Timer;
use super::tls::Trust;
use super::trace::Journal;
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::load::Model;
use crate::plan::step::{Action, EndpointId, Step};
use crate::plan::user::{TaskId, split_by_weight};
use crate::plan::{Plan, SeedOrigin};

/// How late after the end of the load an arrival that was due before it may still begin.
pub const GRACE: Duration = Duration::from_millis(100);

/// How long it may take to drop what was cut off.
const CUT_OFF: Duration = Duration::from_secs(1);

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
    tasks: RefCell<Vec<Deck>>,
    rows: RefCell<Vec<u64>>,
    present: Cell<u64>,
    busy: Cell<u64>,
    idle: Notify,
}

impl Worker {
    /// Makes what a worker needs. Must be called inside a [`tokio::runtime::LocalRuntime`].
    pub fn new(setup: Setup, journal: Journal) -> Result<Self, LoadError> {
        let Setup { plan, target, share, assignment, trust, identifiers } = setup;
        let tasks = plan.classes.iter().enumerate().map(|(class, users)| {
            let weights: Vec<u32> = users.tasks.iter().map(|(_, weight)| *weight).collect();
            Deck::new(&weights, derive_seed(plan.seed, &[1, share.worker as u64, class as u64]))
        });
        Ok(Self {
            base: Base::new(&target).map_err(LoadError::Target)?,
            connector: Connector::new(trust),
            timer: Timer::start()?,
            recorder: RefCell::new(Recorder::new(&plan, assignment.origin)),
            control: Control::new(assignment),
            tasks: RefCell::new(tasks.collect()),
            rows: RefCell::new(vec![0; plan.data.len()]),
            present: Cell::new(0),
            busy: Cell::new(0),
            idle: Notify::new(),
            plan,
            share,
            journal,
            identifiers,
        })
    }

    /// The next task of a class.
    pub fn deal(&self, class: usize) -> Option<TaskId> {
        let card = self.tasks.borrow_mut().get_mut(class)?.deal()?;
        self.plan.classes[class].tasks.get(card).map(|(task, _)| *task)
    }

    /// The number of the next row of a data set that is read in order: every worker reads its share.
    pub fn next_row(&self, set: usize) -> u64 {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get_mut(set) else { return 0 };
        *row += 1;
        (*row - 1) * self.share.of as u64 + self.share.worker as u64
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
        let recording = recorder.take();
        recorder.users(self.present.get());
        recording
    }

    async fn quiet(&self) {
        while self.busy.get() > 0 {
            self.idle.notified().await;
        }
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
pub fn run(setup: Setup, commands: mpsc::Receiver<Command>) -> Result<(), LoadError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let worker = Rc::new(Worker::new(setup, Journal::default())?);
        obey(&worker, commands).await;
        Ok(())
    });
    // A name that is still being looked up must not keep an interrupted job waiting.
    runtime.shutdown_background();
    ended
}

/// The runtime of one worker. Its users sleep on a timer of their own, so it needs none where that works.
pub fn runtime() -> std::io::Result<LocalRuntime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io();
    if cfg!(not(target_os = "linux")) {
        builder.enable_time();
    }
    builder.build_local(LocalOptions::default())
}

async fn obey(worker: &Rc<Worker>, mut commands: mpsc::Receiver<Command>) {
    let mut crew = Crew::new(worker.clone());
    crew.begin();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Assign(assignment) => {
                worker.recorder.borrow_mut().begin(&assignment.load, assignment.origin);
                worker.control.assign(assignment);
                crew.begin();
            }
            // A session that is gone wants no answer.
            Command::Window(reply) => drop(reply.send(worker.take())),
            Command::Finish(drain, reply) => {
                crew.stop_in_time(drain).await;
                // Either way it is over: what is still in flight is cut off and counted as such.
                let _ = worker.timer.deadline().within(drain, pin!(worker.quiet())).await;
                crew.dismiss().await;
                // What was cut off is counted as it is dropped, which happens task by task.
                let _ = worker.timer.deadline().within(CUT_OFF, pin!(worker.quiet())).await;
                drop(reply.send(worker.take()));
                break;
            }
        }
    }
}

/// The tasks of one worker: its closed users, and the one that lets arrivals in.
struct Crew {
    worker: Rc<Worker>,
    tasks: JoinSet<()>,
    hired: usize,
}

impl Crew {
    fn new(worker: Rc<Worker>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn_local(Lobby::new(worker.clone()).open());
        Self { worker, tasks, hired: 0 }
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
                let user = VirtualUser::new(self.worker.clone(), class, index);
                self.tasks.spawn_local(user.live());
            }
        }
        self.hired = self.hired.max(users);
    }

    /// Lets nothing more begin. Where the load has run its course, arrivals that were due before its end
    /// still begin, or are counted as never started.
    async fn stop_in_time(&self, drain: Duration) {
        let assignment = self.worker.control.current();
        if clock::now() < assignment.end() {
            self.worker.control.end_at(clock::now());
        } else if assignment.load.model != Model::Closed && !drain.is_zero() {
            self.worker.timer.sleep_until(assignment.end() + GRACE).await;
        }
    }

    async fn dismiss(mut self) {
        self.tasks.shutdown().await;
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
mod tests {
    use super::*;

    #[test]
    fn users_are_seated_exactly_by_weight_and_mixed_from_the_start() {
        // 1:1:3 of 10 users: 2, 2, 6; every five in a row hold one, one and three.
        let seats = seats(10, &[1, 1, 3]);
        for five in seats.chunks(5) {
            assert_eq!([0, 1, 2].map(|class| five.iter().filter(|seat| **seat == class).count()), [1, 1, 3]);
        }
    }
}
