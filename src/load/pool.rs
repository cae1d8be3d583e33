//! What the workers of a run share, because the plan names it once: the places of `max_users`, the users that are
//! free, the cards and rows that were dealt. All of it is counted, nothing is locked, and nothing of it is touched
//! while a request is under way.
//!
//! A limit of a plan holds for the run. So an arrival whose worker has no free user goes to one that has; and where
//! every place is taken and only users of other classes are free, one of them gives up its place. Which arrivals
//! find no user then depends on the service and on `max_users`, and not on the number of cores.
//!
//! What workers count by themselves lies on cache lines of its own: else a worker that counts would slow down the
//! others, which count something else.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;

use super::heartbeat::STANDSTILL;
use crate::clock;
use crate::plan::user::TaskId;

/// An arrival of the open model, and what it is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it was due.
    pub due: Instant,
    /// Which class it is of.
    pub class: usize,
    /// What it does; none where the class has no task.
    pub task: Option<TaskId>,
}

/// An arrival for a free user of another worker, which has been claimed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The arrival.
    pub arrival: Arrival,
    /// The class of the user that was claimed. Where the arrival is of another, that user gives up its place.
    pub claimed: usize,
}

/// Alone on its cache lines: processors fetch them in pairs of 64 bytes.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Shared by the workers of a run.
#[derive(Debug)]
pub struct Pool {
    /// Users that were made and hold a place.
    places: Apart<AtomicUsize>,
    /// Users that were made in all.
    made: Apart<AtomicU64>,
    /// Free users that nobody has claimed, by worker and class.
    free: Vec<Apart<Vec<Apart<AtomicUsize>>>>,
    /// Until when iterations under way that began late may be an excuse, by worker, in microseconds since `begun`: they
    /// hold users which would be free by now.
    late_until_us: Vec<Apart<AtomicU64>>,
    /// Until when a worker has not read what came in while it stood still, likewise.
    settled_us: AtomicU64,
    begun: Instant,
    /// The next card of the tasks of a class, in the closed model.
    cards: Vec<Apart<AtomicU64>>,
    /// The next row of a data set that is read in order.
    rows: Vec<Apart<AtomicU64>>,
    inboxes: Vec<mpsc::Sender<Sent>>,
}

/// Where arrivals of other workers come in: never more than there are users claimed for them.
pub type Inbox = mpsc::Receiver<Sent>;

/// So many arrivals may be under way to a worker. One that has more to take in does not keep up.
const UNDER_WAY: usize = 1_024;

impl Pool {
    /// For a plan of so many classes and data sets, and so many workers; with the inbox of each.
    pub fn new(classes: usize, sets: usize, workers: usize) -> (Arc<Self>, Vec<Inbox>) {
        let (inboxes, receivers) = (0..workers).map(|_| mpsc::channel(UNDER_WAY)).unzip();
        let pool = Self {
            places: Apart::default(),
            made: Apart::default(),
            free: (0..workers).map(|_| Apart((0..classes).map(|_| Apart::default()).collect())).collect(),
            late_until_us: (0..workers).map(|_| Apart::default()).collect(),
            settled_us: AtomicU64::new(0),
            begun: clock::now(),
            cards: (0..classes).map(|_| Apart::default()).collect(),
            rows: (0..sets).map(|_| Apart::default()).collect(),
            inboxes,
        };
        (Arc::new(pool), receivers)
    }

    /// A place for one user more, from 0, if there may be so many.
    pub fn place(&self, most: usize) -> Option<usize> {
        let next = |places: usize| (places < most).then_some(places + 1);
        self.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
    }

    /// The number of a user that is made now, from 0: no other of the run has it.
    pub fn make(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// A user of this worker is free.
    pub fn free(&self, worker: usize, class: usize) {
        self.free[worker][class].fetch_add(1, Ordering::Relaxed);
    }

    /// Claims a free user of a worker; false where it has none.
    pub fn claim(&self, worker: usize, class: usize) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        self.free[worker][class].fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// Claims a free user of a class of whichever worker, this one before the others.
    pub fn claim_anywhere(&self, worker: usize, class: usize) -> Option<usize> {
        let workers = self.free.len();
        (0..workers).map(|offset| (worker + offset) % workers).find(|worker| self.claim(*worker, class))
    }

    /// Claims a free user of any other class: of the one that has most of them where it can be had.
    pub fn claim_other(&self, worker: usize, class: usize) -> Option<(usize, usize)> {
        let free = |class: usize| {
            self.free.iter().map(|classes| classes[class].load(Ordering::Relaxed)).sum::<usize>()
        };
        let classes = self.free.first().map_or(0, |classes| classes.len());
        let mut others: Vec<usize> = (0..classes).filter(|other| *other != class).collect();
        others.sort_by_key(|other| std::cmp::Reverse(free(*other)));
        others.into_iter().find_map(|other| Some((self.claim_anywhere(worker, other)?, other)))
    }

    /// Sends an arrival to the worker whose user was claimed for it; false where that worker does not keep up, or
    /// has ended. Then the user is free again.
    pub fn send(&self, worker: usize, sent: Sent) -> bool {
        let under_way = self.inboxes[worker].try_send(sent).is_ok();
        if !under_way {
            self.free(worker, sent.claimed);
        }
        under_way
    }

    /// Until when those iterations of a worker may be an excuse that are under way and began late; never where there
    /// are none.
    pub fn late_until(&self, worker: usize, until: Option<Instant>) {
        let until_us = until.map_or(0, |until| self.since(until));
        self.late_until_us[worker].store(until_us, Ordering::Relaxed);
    }

    /// A worker stood still until now. It has not read what came in meanwhile, nor perhaps have the others.
    pub fn stood_still(&self, until: Instant) {
        self.settled_us.fetch_max(self.since(until + STANDSTILL), Ordering::Relaxed);
    }

    /// Whether users may be busy only because the generator was late: an iteration is under way that began late, not
    /// long ago as measured by its lateness; or a worker has just begun to run again.
    pub fn catches_up(&self, now: Instant) -> bool {
        let before = |until_us: &AtomicU64| self.since(now) < until_us.load(Ordering::Relaxed);
        self.late_until_us.iter().any(|until_us| before(until_us)) || before(&self.settled_us)
    }

    fn since(&self, at: Instant) -> u64 {
        clock::micros(at.saturating_duration_since(self.begun))
    }

    /// The number of the next card of a class, from 0.
    pub fn next_card(&self, class: usize) -> u64 {
        self.cards[class].fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next row of a data set, from 0.
    pub fn next_row(&self, set: usize) -> u64 {
        self.rows[set].fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_the_plan_says_for_all_workers_together() {
        let (pool, _) = Pool::new(1, 0, 4);
        let places: Vec<_> = (0..5).map(|_| pool.place(3)).collect();
        assert_eq!(places, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn a_free_user_is_claimed_once_here_before_elsewhere() {
        let (pool, _) = Pool::new(3, 0, 3);
        pool.free(1, 0);
        pool.free(2, 0);
        assert_eq!([0, 1, 2].map(|_| pool.claim_anywhere(2, 0)), [Some(2), Some(1), None]);
        // Of another class: of the one that has most of them, wherever they are.
        for (worker, class) in [(0, 1), (1, 2), (2, 2)] {
            pool.free(worker, class);
        }
        let claimed = [0, 1, 2, 3].map(|_| pool.claim_other(0, 0));
        assert_eq!(claimed, [Some((1, 2)), Some((0, 1)), Some((2, 2)), None]);
    }

    #[test]
    fn the_generator_catches_up_right_after_a_standstill_and_while_any_worker_has_a_late_iteration() {
        let (pool, _) = Pool::new(1, 0, 2);
        let (now, ms) = (clock::now(), std::time::Duration::from_millis);
        assert!(!pool.catches_up(now));
        pool.stood_still(now);
        assert!(pool.catches_up(now + ms(19)) && !pool.catches_up(now + ms(20)));
        for worker in [0, 1] {
            pool.late_until(worker, Some(now + ms(600)));
            assert!(pool.catches_up(now + ms(599)) && !pool.catches_up(now + ms(601)));
            // One worker has none any more; the other still has one, which is an excuse for less long.
            pool.late_until(1 - worker, Some(now + ms(300)));
            pool.late_until(worker, None);
            assert!(pool.catches_up(now + ms(299)) && !pool.catches_up(now + ms(301)));
            pool.late_until(1 - worker, None);
            assert!(!pool.catches_up(now + ms(25)));
        }
    }
}
