//! The open model: arrivals are let in as they are due, and find a free user of their class or none.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use tokio::task::JoinSet;

use super::arrivals::Arrivals;
use super::control::Assignment;
use super::deck::{Deck, derive_seed};
use super::measure::outcome::{Failure, FailureKind};
use super::virtual_user::VirtualUser;
use super::worker::{GRACE, Worker, first_endpoint};
use crate::clock;
use crate::plan::load::Model;

/// The users that are free, by class; the one that was busy last is the next.
type Waiting = Rc<RefCell<Vec<Vec<Rc<Visitor>>>>>;

/// How an arrival reaches a user that waits.
#[derive(Default)]
struct Visitor {
    due: Cell<Option<Instant>>,
    waker: Cell<Option<Waker>>,
}

impl Visitor {
    /// An arrival for this user was due at a moment.
    fn call(&self, due: Instant) {
        self.due.set(Some(due));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn called(&self) -> Instant {
        poll_fn(|context| {
            self.due.take().map_or_else(
                || {
                    self.waker.set(Some(context.waker().clone()));
                    Poll::Pending
                },
                Poll::Ready,
            )
        })
        .await
    }

    /// The life of a user of the open model: visit after visit.
    async fn serve(self: Rc<Self>, mut user: VirtualUser, class: usize, waiting: Waiting) {
        loop {
            let due = self.called().await;
            user.visit(due).await;
            waiting.borrow_mut()[class].push(self.clone());
        }
    }
}

/// Where arrivals find a free user of their class.
pub(super) struct Lobby {
    worker: Rc<Worker>,
    waiting: Waiting,
    guests: JoinSet<()>,
    classes: Deck,
    made: usize,
}

impl Lobby {
    /// An empty one.
    pub(super) fn new(worker: Rc<Worker>) -> Self {
        let weights: Vec<u32> = worker.plan.classes.iter().map(|class| class.weight).collect();
        Self {
            waiting: Rc::new(RefCell::new(weights.iter().map(|_| Vec::new()).collect())),
            guests: JoinSet::new(),
            classes: Deck::new(&weights, derive_seed(worker.plan.seed, &[2, worker.share.worker as u64])),
            made: 0,
            worker,
        }
    }

    /// Lets arrivals in as they are due, load after load.
    pub(super) async fn open(mut self) {
        let mut opened = None;
        loop {
            let (worker, assignment) = (self.worker.clone(), self.worker.control.current());
            // A load that was cut short is the same load: it is not admitted again.
            if opened.replace(assignment.origin) != Some(assignment.origin) {
                tokio::select! {
                    () = self.admit(&assignment) => {}
                    () = worker.control.changed() => continue,
                }
            }
            while worker.control.current().generation == assignment.generation {
                worker.control.changed().await;
            }
        }
    }

    async fn admit(&mut self, assignment: &Assignment) {
        let Model::Open { distribution, max_users } = assignment.load.model else { return };
        let (seed, share) = (derive_seed(self.worker.plan.seed, &[3]), self.worker.share);
        let room = max_users / share.of + usize::from(share.worker < max_users % share.of);
        let mut arrivals = Arrivals::new(assignment.load.shape.clone(), distribution, seed, share);
        while let Some(due) = arrivals.next() {
            let at = assignment.origin + due;
            self.worker.timer.sleep_until(at).await;
            if clock::now() > assignment.end() + GRACE {
                self.worker.recorder.borrow_mut().never_started(1 + arrivals.count() as u64);
                break;
            }
            self.arrive(at, room);
        }
    }

    fn arrive(&mut self, at: Instant, room: usize) {
        let Some(class) = self.classes.deal() else { return };
        let Some(visitor) = self.free_visitor(class, room) else { return self.turn_away(class, at) };
        self.worker.recorder.borrow_mut().started(Some(clock::now().saturating_duration_since(at)));
        visitor.call(at);
    }

    fn free_visitor(&mut self, class: usize, room: usize) -> Option<Rc<Visitor>> {
        if let Some(visitor) = self.waiting.borrow_mut()[class].pop() {
            return Some(visitor);
        }
        if self.made >= room {
            return None;
        }
        let index = self.made * self.worker.share.of + self.worker.share.worker;
        self.made += 1;
        self.worker.presence(1);
        let (visitor, waiting) = (Rc::new(Visitor::default()), self.waiting.clone());
        let user = VirtualUser::new(self.worker.clone(), class, index);
        self.guests.spawn_local(visitor.clone().serve(user, class, waiting));
        Some(visitor)
    }

    fn turn_away(&self, class: usize, at: Instant) {
        let task = self.worker.deal(class).map(|task| &self.worker.plan.tasks[task.0]);
        let Some(endpoint) = task.and_then(|task| first_endpoint(&task.steps)) else { return };
        let failure =
            Failure::new(FailureKind::Dropped, "no user was free and no more may be made (`max_users`)");
        self.worker.recorder.borrow_mut().failure(endpoint, &failure, at);
    }
}
