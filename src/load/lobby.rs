//! The open model: arrivals are let in as they are due, and find a free user of their class or none.
//!
//! After a standstill of the generator all arrivals that were due meanwhile come at once. Between them the worker
//! reads what has come in, for a user whose response is there is free, and was when the arrival was due. Those that
//! find no user all the same would perhaps have found one in time: nobody can know. So they are neither failures of
//! the service nor anything else than iterations that the generator did not start.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::arrivals::{ArrivalTasks, Arrivals, Due, due_before};
use super::control::Assignment;
use super::deck::derive_seed;
use super::heartbeat::STANDSTILL;
use super::latecomers::Latecomers;
use super::measure::outcome::{Failure, FailureKind};
use super::pool::{Arrival, Inbox, Sent};
use super::virtual_user::VirtualUser;
use super::worker::{GRACE, Worker};
use crate::clock;
use crate::plan::load::Model;
use crate::plan::user::TaskId;

/// An arrival that is later than this lets others have their turn first. One that is less late came with the same
/// wake-up as the one before it.
const CATCHES_UP: Duration = Duration::from_millis(1);

/// What a user that waits is called for.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// An arrival.
    Serve {
        due: Instant,
        task: Option<TaskId>,
        /// Until when it holds up others, where it begins so late.
        late_until: Option<Instant>,
    },
    /// Another user is to have its place.
    Leave,
}

/// How an arrival reaches a user that waits.
struct Visitor {
    /// Its place among `max_users`.
    place: usize,
    call: Cell<Option<Call>>,
    waker: Cell<Option<Waker>>,
}

impl Visitor {
    fn new(place: usize) -> Rc<Self> {
        Rc::new(Self { place, call: Cell::default(), waker: Cell::default() })
    }

    fn call(&self, call: Call) {
        self.call.set(Some(call));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn called(&self) -> Call {
        poll_fn(|context| {
            let call = self.call.take();
            if call.is_none() {
                self.waker.set(Some(context.waker().clone()));
            }
            call.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The life of a user of the open model: visit after visit.
    async fn serve(self: Rc<Self>, mut user: VirtualUser, class: usize, lobby: Rc<Lobby>) -> io::Result<()> {
        let worker = lobby.worker.clone();
        while let Call::Serve { due, task, late_until } = self.called().await {
            user.visit(due, task).await;
            if let Some(until) = late_until {
                lobby.late(|latecomers| latecomers.ends(until));
            }
            lobby.waiting.borrow_mut()[class].push_back(self.clone());
            worker.pool.free(worker.share.worker, class);
        }
        Ok(())
    }
}

/// Where arrivals find a free user of their class.
pub(super) struct Lobby {
    worker: Rc<Worker>,
    /// The users that are free, by class; the one that was busy last is the next, and the one that was busy first
    /// the first to give up its place. Some of them may be claimed for an arrival that another worker has sent.
    waiting: RefCell<Vec<VecDeque<Rc<Visitor>>>>,
    tasks: RefCell<ArrivalTasks>,
    latecomers: RefCell<Latecomers>,
}

impl Lobby {
    /// An empty one.
    pub(super) fn new(worker: Rc<Worker>) -> Rc<Self> {
        let classes = &worker.plan.classes;
        Rc::new(Self {
            waiting: RefCell::new(classes.iter().map(|_| VecDeque::new()).collect()),
            tasks: RefCell::new(ArrivalTasks::new(classes, worker.plan.seed)),
            latecomers: RefCell::default(),
            worker,
        })
    }

    /// Lets arrivals in as they are due, load after load.
    pub(super) async fn open(self: Rc<Self>) -> io::Result<()> {
        let mut opened: Option<Rc<Assignment>> = None;
        let mut first = 0;
        loop {
            let (worker, assignment) = (self.worker.clone(), self.worker.control.current());
            // A load that was cut short is the same load: it is not admitted again.
            if opened.as_ref().is_none_or(|last| last.origin != assignment.origin) {
                // Arrivals are numbered over all loads, on every worker alike, whatever each has come to.
                first += opened.replace(assignment.clone()).map_or(0, |last| self.passed(&last, &assignment));
                tokio::select! {
                    () = self.admit(&assignment, first) => {}
                    () = worker.control.changed() => continue,
                }
            }
            while worker.control.current().generation == assignment.generation {
                worker.control.changed().await;
            }
        }
    }

    /// Lets in what other workers send for users that are free here. What has not been let in by the time that this
    /// is dropped was due, and not started.
    pub(super) fn receive(self: Rc<Self>, inbox: Inbox) -> impl Future<Output = io::Result<()>> {
        let mut door = Door { inbox, worker: self.worker.clone() };
        async move {
            while let Some(sent) = door.inbox.recv().await {
                self.take_in(sent);
            }
            Ok(())
        }
    }

    /// How many arrivals of a load were due when the next one began.
    fn passed(&self, last: &Assignment, next: &Assignment) -> u64 {
        let Model::Open { distribution, .. } = last.load.model else { return 0 };
        let lasted = next.origin.saturating_duration_since(last.origin);
        due_before(&last.load.shape, distribution, self.seed(), lasted)
    }

    fn seed(&self) -> u64 {
        derive_seed(self.worker.plan.seed, &[3])
    }

    async fn admit(self: &Rc<Self>, assignment: &Assignment, first: u64) {
        let Model::Open { distribution, max_users } = assignment.load.model else { return };
        let shape = assignment.load.shape.clone();
        let arrivals = Arrivals::new(shape, distribution, self.seed(), self.worker.share);
        let mut schedule =
            Schedule { lobby: self, origin: assignment.origin, first, arrivals, at_hand: None };
        while let Some(next) = schedule.next() {
            let due = assignment.origin + next.at;
            self.worker.timer.sleep_until(due).await;
            if clock::now().saturating_duration_since(due) > CATCHES_UP {
                tokio::task::yield_now().await;
            }
            if clock::now() > assignment.end() + GRACE {
                break;
            }
            let Some(arrival) = self.arrival(first + next.number, due) else { break };
            self.arrive(arrival, max_users).await;
        }
    }

    /// The arrival with this number over all loads; none where no class has a weight.
    fn arrival(&self, number: u64, due: Instant) -> Option<Arrival> {
        self.tasks.borrow_mut().of(number).map(|(class, task)| Arrival { due, class, task })
    }

    async fn arrive(self: &Rc<Self>, arrival: Arrival, most: usize) {
        if self.find_user(arrival, most) {
            return;
        }
        // A user whose response has come in but has not been read is not busy.
        tokio::task::yield_now().await;
        if !self.find_user(arrival, most) {
            self.turn_away(arrival);
        }
    }

    /// Finds a user for an arrival: one that is free here, a new one, one that is free on another worker, or one
    /// in the place of a user of another class. False where all are busy.
    fn find_user(self: &Rc<Self>, arrival: Arrival, most: usize) -> bool {
        let (pool, here, class) = (&self.worker.pool, self.worker.share.worker, arrival.class);
        if pool.claim(here, class) {
            self.take_in(Sent { arrival, claimed: class });
            return true;
        }
        if let Some(place) = pool.place(most) {
            self.make(place, arrival);
            return true;
        }
        let same = || pool.claim_anywhere(here, class).map(|worker| (worker, class));
        let Some((worker, claimed)) = same().or_else(|| pool.claim_other(here, class)) else { return false };
        let sent = Sent { arrival, claimed };
        if worker == here {
            self.take_in(sent);
        } else if !pool.send(worker, sent) {
            self.worker.not_started(&arrival);
        }
        true
    }

    /// An arrival takes the user that was claimed for it, or its place.
    fn take_in(self: &Rc<Self>, Sent { arrival, claimed }: Sent) {
        let free = |of: &mut VecDeque<Rc<Visitor>>| {
            if claimed == arrival.class { of.pop_back() } else { of.pop_front() }
        };
        let visitor = free(&mut self.waiting.borrow_mut()[claimed]);
        debug_assert!(visitor.is_some(), "who is claimed is there");
        let Some(visitor) = visitor else { return self.worker.not_started(&arrival) };
        if claimed == arrival.class {
            self.begin(&visitor, arrival);
        } else {
            // It is gone from now on, although it hears of it only when it has its turn.
            visitor.call(Call::Leave);
            self.worker.presence(-1);
            self.make(visitor.place, arrival);
        }
    }

    fn make(self: &Rc<Self>, place: usize, arrival: Arrival) {
        let worker = &self.worker;
        worker.presence(1);
        let visitor = Visitor::new(place);
        let user = VirtualUser::new(worker.clone(), arrival.class, place, worker.pool.make());
        worker.spawn(visitor.clone().serve(user, arrival.class, self.clone()));
        self.begin(&visitor, arrival);
    }

    fn begin(&self, visitor: &Visitor, arrival: Arrival) {
        let now = clock::now();
        let lag = now.saturating_duration_since(arrival.due);
        self.worker.recorder.borrow_mut().started(Some(lag));
        let late_until = (lag > STANDSTILL).then(|| self.late(|latecomers| latecomers.begins(now, lag)));
        visitor.call(Call::Serve { due: arrival.due, task: arrival.task, late_until });
    }

    /// Something changes among the iterations under way that began late, and the other workers are to know of it.
    fn late<T>(&self, change: impl FnOnce(&mut Latecomers) -> T) -> T {
        let mut latecomers = self.latecomers.borrow_mut();
        let changed = change(&mut latecomers);
        self.worker.pool.late_until(self.worker.share.worker, latecomers.until());
        changed
    }

    /// Nobody was free. Where the generator was late, now or with those who are busy, that is its own doing.
    fn turn_away(&self, arrival: Arrival) {
        let (worker, now) = (&self.worker, clock::now());
        if now.saturating_duration_since(arrival.due) > STANDSTILL || worker.pool.catches_up(now) {
            worker.not_started(&arrival);
        } else if let Some(endpoint) = arrival.task.and_then(|task| worker.first_endpoint(task)) {
            let message = "no user was free and no more may be made (`max_users`)";
            let failure = Failure::new(FailureKind::Dropped, message);
            worker.recorder.borrow_mut().failure(endpoint, &failure, arrival.due);
        }
    }
}

/// The arrivals of one load, one after the other. What is due by the time that this is dropped and has not begun was
/// not started: the load is over and the generator behind it, or it was cut short.
struct Schedule<'a> {
    lobby: &'a Lobby,
    /// The moment zero of the load.
    origin: Instant,
    /// The number of its first arrival over all loads.
    first: u64,
    arrivals: Arrivals,
    /// The one that is waited for, or that looks for a user.
    at_hand: Option<Due>,
}

impl Schedule<'_> {
    /// The next one. Whatever there was to do for the last one is done.
    fn next(&mut self) -> Option<Due> {
        self.at_hand = self.arrivals.next();
        self.at_hand
    }
}

impl Drop for Schedule<'_> {
    fn drop(&mut self) {
        let Self { lobby, origin, first, arrivals, at_hand } = self;
        let current = lobby.worker.control.current();
        // A load that was cut short wants nothing after that, and one that another has taken the place of nothing
        // after the start of that.
        let end = if current.origin == *origin { current.end() } else { current.origin };
        let until = clock::now().min(end);
        let left =
            at_hand.take().into_iter().chain(arrivals).map(|next| (*first + next.number, *origin + next.at));
        for (number, due) in left.take_while(|(_, due)| *due <= until) {
            let Some(arrival) = lobby.arrival(number, due) else { break };
            lobby.worker.not_started(&arrival);
        }
    }
}

/// Where arrivals of other workers come in.
struct Door {
    inbox: Inbox,
    worker: Rc<Worker>,
}

impl Drop for Door {
    fn drop(&mut self) {
        // Nobody sends any more; who tries counts it as not started itself.
        self.inbox.close();
        while let Ok(Sent { arrival, .. }) = self.inbox.try_recv() {
            self.worker.not_started(&arrival);
        }
    }
}
