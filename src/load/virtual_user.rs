//! One virtual user: its values, its connections, its place in its iteration.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use minijinja::Value;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::control::Assignment;
use super::deck::derive_seed;
use super::kept::Kept;
use super::masking::Masking;
use super::measure::recorder::Iteration;
use super::memory::Hold;
use super::pacing::{self, Start};
use super::perform::{End, Failures, SocketInUse};
use super::protocol::cookie::Jar;
use super::protocol::http::Connection;
use super::protocol::websocket::Lines;
use super::timer::Deadline;
use super::trace::Event;
use super::worker::{GRACE, Worker};
use crate::clock;
use crate::plan::load::StopAfter;
use crate::plan::step::EndpointId;
use crate::plan::user::{DataOrder, TaskId};
use crate::template::{Scope, Seeds};

/// From a failed `on_start` to the next try.
const RETRY: Duration = Duration::from_secs(1);

/// A virtual user.
pub struct VirtualUser {
    /// What it shares with the others of its worker.
    pub(super) worker: Rc<Worker>,
    /// What its templates see.
    pub(super) scope: Scope,
    /// Its waits draw from it.
    pub(super) random: Xoshiro256PlusPlus,
    /// Kept-alive connections that are free.
    pub(super) connections: Vec<Connection>,
    /// Limits what it does.
    pub(super) deadline: Rc<Deadline>,
    /// Its cookies.
    pub(super) jar: Jar,
    /// What the last response holds that its templates see.
    pub(super) seen: Hold,
    /// What the last message holds that its templates see.
    pub(super) heard: Hold,
    /// What it has captured as secrets; none where it has captured none.
    pub(super) masking: Option<Box<Masking>>,
    /// What its values hold.
    pub(super) kept: Kept,
    /// How long its responses and messages have waited to be decoded and parsed, and were: time of this machine, which
    /// is in no metric.
    pub(super) unpacking: Duration,
    /// Open WebSockets, the innermost last.
    pub(super) sockets: Vec<SocketInUse>,
    /// Where it is in the plan: the endpoint of the request that comes next, else of the last one. None where the plan has
    /// no requests.
    pub(super) place: Option<EndpointId>,
    /// The endpoint of the request that comes next behind the steps that it performs.
    pub(super) next: Option<EndpointId>,
    /// Their connections.
    pub(super) lines: Lines,
    /// When the schedule wanted the next request, where there is one.
    pub(super) due: Option<Instant>,
    /// Its number, over all workers.
    pub(super) index: usize,
    class: usize,
    /// What failed of what it did.
    pub(super) failures: Failures,
    beginning: Beginning,
    /// Since when the load has wanted this user, which is in `on_start`.
    begins_at: Instant,
    /// Whether it was in `on_start` for so long that it made no load that was planned.
    missed: bool,
    /// Whether the rows that `on_start` saw are those of the next iteration as well: who logs in with a row goes on
    /// with it.
    keeps_rows: bool,
    turn: Turn,
    /// How long after its turn it may go on with what it is at: an iteration that the plan lets end.
    grace: Duration,
    /// Whether a pause of the plan goes on. Dropped in one, the user leaves it so.
    pub(super) pausing: Rc<Cell<bool>>,
}

/// How far a user is on its way to its first iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// It has not begun.
    NotYet,
    /// It is in its first `on_start`, which has not ended.
    Begun,
    /// A try at `on_start` failed.
    KeptOut,
    /// It iterates.
    Ready,
}

/// How long a user is wanted.
#[derive(Debug, Clone, Copy)]
struct Turn {
    generation: u64,
    until: Instant,
}

impl VirtualUser {
    /// A user of a class. `index`, from 0 over all workers, is its place among those there may be; `number` is its
    /// own, which no other user of the run has, not even one that has taken its place.
    pub fn new(worker: Rc<Worker>, class: usize, index: usize, number: u64) -> Self {
        let plan = &worker.plan;
        let seeds = Seeds {
            choices: derive_seed(plan.seed, &[4, number]),
            identifiers: derive_seed(worker.identifiers, &[6, number]),
        };
        let scope = Scope::new(plan.names.clone(), seeds);
        let name = Value::from(plan.classes[class].name.as_str());
        scope.set(plan.builtin.user, Value::from_pairs([("id", Value::from(index + 1)), ("class", name)]));
        let turn = Turn { generation: 0, until: clock::now() };
        Self {
            scope,
            random: Xoshiro256PlusPlus::seed_from_u64(derive_seed(plan.seed, &[5, number])),
            connections: Vec::new(),
            deadline: worker.timer.deadline(),
            jar: Jar::default(),
            seen: Hold::default(),
            heard: Hold::default(),
            masking: None,
            kept: Kept::default(),
            unpacking: Duration::ZERO,
            sockets: Vec::new(),
            next: None,
            place: (!plan.endpoints.is_empty()).then_some(EndpointId(0)),
            lines: Lines::default(),
            due: None,
            class,
            index,
            failures: Failures::default(),
            beginning: Beginning::NotYet,
            begins_at: clock::now(),
            missed: false,
            keeps_rows: false,
            turn,
            grace: Duration::ZERO,
            pausing: Rc::default(),
            worker,
        }
    }

    /// The closed model: iteration after iteration, whenever the load wants this user.
    pub async fn live(mut self) -> io::Result<()> {
        loop {
            let assignment = self.worker.control.current();
            let Some((from, until)) = assignment.next_turn(self.index, clock::now()) else {
                self.worker.control.changed().await;
                continue;
            };
            self.turn = Turn { generation: assignment.generation, until };
            let worker = self.worker.clone();
            tokio::select! {
                () = worker.timer.sleep_until(from) => {}
                () = worker.control.changed() => continue,
            }
            worker.presence(1);
            self.take_turn().await;
            worker.presence(-1);
        }
    }

    /// The open model: one iteration of a task, due at `at`.
    pub async fn visit(&mut self, at: Instant, task: Option<TaskId>) {
        let assignment = self.worker.control.current();
        self.turn = Turn { generation: assignment.generation, until: assignment.end() + GRACE };
        // The arrival is what makes a new user, so the first request of its `on_start` is the one due.
        self.due = Some(at);
        if self.get_ready().await {
            let scheduled = self.due.take();
            self.iterate(Start { at, scheduled }, task).await;
        }
    }

    /// Every task of its class once, in order, for a trace.
    pub(super) async fn trace(mut self, until: Instant) {
        let worker = self.worker.clone();
        self.turn = Turn { generation: worker.control.current().generation, until };
        let class = &worker.plan.classes[self.class];
        for task in class.on_start.into_iter().chain(class.tasks.iter().map(|(task, _)| *task)) {
            self.turn_rows();
            worker.journal.note(|| Event::Task(task));
            let ended = self.run(task).await;
            worker.journal.note(|| Event::Ended(ended));
        }
    }

    /// Whether the load still wants this user.
    pub(super) fn wanted(&mut self) -> bool {
        self.wanted_at(clock::now())
    }

    /// Whether a moment is one at which the load wants this user, the time for its iteration to end left out.
    pub(super) fn is_in_load(&self, at: Instant) -> bool {
        at < self.turn.until
    }

    /// Until when the load wants this user, the time for its iteration to end left out.
    pub(super) fn load_until(&self) -> Instant {
        self.turn.until
    }

    /// Whether its iteration may go on after the load.
    pub(super) fn has_time_to_end(&self) -> bool {
        self.grace > Duration::ZERO
    }

    fn wanted_at(&mut self, now: Instant) -> bool {
        let assignment = self.worker.control.current();
        if assignment.generation != self.turn.generation {
            self.turn =
                Turn { generation: assignment.generation, until: self.wanted_until(&assignment, now) };
        }
        now < self.turn.until + self.grace
    }

    /// A pause of the plan, see [`sleep_until`](Self::sleep_until).
    pub(super) async fn pause_until(&mut self, at: Instant) -> bool {
        self.pausing.set(true);
        let slept = self.sleep_until(at).await;
        self.pausing.set(false);
        slept
    }

    /// Sleeps until `at`; false where the load ceases to want this user before. In an iteration that may end after the
    /// load, that is at once where `at` lies beyond the time for it: the iteration cannot end in time.
    pub(super) async fn sleep_until(&mut self, at: Instant) -> bool {
        let worker = self.worker.clone();
        loop {
            let now = clock::now();
            if !self.wanted_at(now) {
                return false;
            }
            if now >= at {
                return true;
            }
            let last = self.turn.until + self.grace;
            if at > last && now >= self.turn.until {
                return false;
            }
            let end = at.min(if at > last { self.turn.until } else { last });
            tokio::select! {
                () = worker.timer.sleep_until(end) => {}
                () = worker.control.changed() => {}
            }
        }
    }

    fn wanted_until(&self, assignment: &Assignment, now: Instant) -> Instant {
        match assignment.next_turn(self.index, now) {
            Some((from, until)) if from <= now => until,
            Some(_) => now,
            None if assignment.load.model == crate::plan::load::Model::Closed => now,
            None => assignment.end(),
        }
    }

    async fn take_turn(&mut self) {
        if !self.get_ready().await {
            return;
        }
        let worker = self.worker.clone();
        let wait = &worker.plan.classes[self.class].wait;
        let mut start = pacing::first_start(wait, clock::now(), &mut self.random);
        let mut ended = clock::now();
        while self.sleep_until(start.at).await {
            let on_time = start.scheduled.filter(|slot| *slot > ended);
            let lag = on_time.map(|slot| clock::now().saturating_duration_since(slot));
            worker.recorder.borrow_mut().started(lag);
            self.iterate(start, worker.deal(self.class)).await;
            ended = clock::now();
            start = pacing::next_start(wait, start, ended, &mut self.random);
            // Where nothing makes it wait, nothing else might ever let the others have their turn.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Runs `on_start` until it succeeds; false where the load ceases to want this user before.
    async fn get_ready(&mut self) -> bool {
        if self.beginning == Beginning::Ready {
            return true;
        }
        let worker = self.worker.clone();
        if self.beginning == Beginning::NotYet {
            self.beginning = Beginning::Begun;
            worker.recorder.borrow_mut().starts().begun += 1;
        }
        let Some(task) = worker.plan.classes[self.class].on_start else {
            self.beginning = Beginning::Ready;
            return true;
        };
        self.begins_at = clock::now();
        while self.beginning != Beginning::Ready && self.wanted() {
            let busy = worker.busy();
            self.turn_rows();
            let ended = self.run(task).await;
            drop(busy);
            self.has_tried(ended);
            match ended {
                Iteration::Done | Iteration::Skipped => self.keeps_rows = true,
                Iteration::Failed => {
                    self.sleep_until(clock::now() + RETRY).await;
                }
                // It has not got through `on_start`, and is not wanted any more.
                Iteration::Stopped => {}
            }
        }
        self.missed |= self.misses_load();
        self.beginning == Beginning::Ready
    }

    /// What a try at `on_start` says: one that the end of the load has cut off says nothing.
    fn has_tried(&mut self, ended: Iteration) {
        match ended {
            Iteration::Done | Iteration::Skipped => self.beginning = Beginning::Ready,
            Iteration::Failed => self.beginning = Beginning::KeptOut,
            Iteration::Stopped => {}
        }
    }

    /// Whether it has been in `on_start` for so long that it has made no load that was planned. Who began shortly
    /// before the end had no time for it.
    fn misses_load(&self) -> bool {
        let until = self.turn.until.min(self.worker.control.current().end());
        self.beginning != Beginning::Ready
            && self.worker.recorder.borrow().most_of_a_stretch(self.begins_at, until)
    }

    async fn iterate(&mut self, start: Start, task: Option<TaskId>) {
        let _busy = self.worker.busy();
        let Some(task) = task else { return };
        if !std::mem::take(&mut self.keeps_rows) {
            self.turn_rows();
        }
        self.due = start.scheduled;
        self.grace = time_to_end(&self.worker);
        self.run(task).await;
        self.grace = Duration::ZERO;
    }

    async fn run(&mut self, task: TaskId) -> Iteration {
        let worker = self.worker.clone();
        let steps = &worker.plan.tasks[task.0].steps;
        self.next = None;
        let mut under_way = UnderWay { worker: &worker, task, ended: Iteration::Stopped };
        under_way.ended = match self.applies(steps) {
            Ok(false) => Iteration::Skipped,
            Ok(true) => match self.perform_from(steps, 1).await {
                Ok(()) => Iteration::Done,
                Err(End::Stopped | End::Paused) => Iteration::Stopped,
                Err(End::Failed) => Iteration::Failed,
            },
            Err(_) => Iteration::Failed,
        };
        self.lines.clear();
        self.sockets.clear();
        under_way.ended
    }

    /// Gives every data set its row for this iteration.
    fn turn_rows(&mut self) {
        for (set, data) in self.worker.plan.data.iter().enumerate() {
            let count = data.rows.len().max(1);
            let row = match data.order {
                DataOrder::Sequential => {
                    usize::try_from(self.worker.pool.next_row(set) % count as u64).unwrap_or(0)
                }
                DataOrder::Random => self.random.random_range(0..count),
                DataOrder::PerUser => self.index % count,
            };
            if let Some(row) = data.rows.get(row) {
                self.scope.set(data.slot, row);
            }
        }
    }
}

/// How long an iteration may go on after its user is not wanted any more.
fn time_to_end(worker: &Worker) -> Duration {
    let assignment = worker.control.current();
    match assignment.load.stop {
        StopAfter::Request => Duration::ZERO,
        StopAfter::Iteration => assignment.load.drain,
    }
}

impl Drop for VirtualUser {
    /// A user that has not got ready by its end is counted then: whether its `on_start` failed, or did not end.
    fn drop(&mut self) {
        let never_ready = match self.beginning {
            Beginning::NotYet | Beginning::Ready => false,
            Beginning::Begun => self.missed || self.misses_load(),
            Beginning::KeptOut => true,
        };
        if never_ready {
            self.worker.recorder.borrow_mut().starts().never_ready += 1;
        }
    }
}

/// A task that a user is at. It is counted as it ends, also where it is cut off.
struct UnderWay<'a> {
    worker: &'a Worker,
    task: TaskId,
    ended: Iteration,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.worker.recorder.borrow_mut().iteration(self.task, self.ended);
    }
}
