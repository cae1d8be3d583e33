//! The load that is wanted now, as one worker sees it, and the news that it has changed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::plan::load::{Load, Model};

/// A load and when it began.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Counts the assignments.
    pub generation: u64,
    /// The load.
    pub load: Load,
    /// The moment zero of its shape.
    pub origin: Instant,
}

/// The current assignment of one worker.
#[derive(Debug)]
pub struct Control {
    current: RefCell<Rc<Assignment>>,
    changed: Notify,
}

impl Control {
    /// Begins with an assignment.
    pub fn new(assignment: Assignment) -> Self {
        Self { current: RefCell::new(Rc::new(assignment)), changed: Notify::new() }
    }

    /// What is wanted now.
    pub fn current(&self) -> Rc<Assignment> {
        self.current.borrow().clone()
    }

    /// Something else is wanted; all who wait for news hear of it.
    pub fn assign(&self, assignment: Assignment) {
        *self.current.borrow_mut() = Rc::new(assignment);
        self.changed.notify_waiters();
    }

    /// The load ends at a moment, perhaps before its time.
    pub fn end_at(&self, at: Instant) {
        let mut assignment = Assignment::clone(&self.current());
        assignment.generation += 1;
        assignment.load.shape = assignment.load.shape.until(at.saturating_duration_since(assignment.origin));
        self.assign(assignment);
    }

    /// Ends at the next change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Assignment {
    /// When the load ends.
    pub fn end(&self) -> Instant {
        self.origin + self.load.shape.duration()
    }

    /// From when to when user number `index` (from 0) of the closed model is wanted next, at `now` or
    /// later.
    pub fn next_turn(&self, index: usize, now: Instant) -> Option<(Instant, Instant)> {
        if self.load.model != Model::Closed {
            return None;
        }
        let turns = self
            .load
            .shape
            .active(index)
            .into_iter()
            .map(|span| (self.origin + span.start, self.origin + span.end));
        turns.into_iter().find(|(_, end)| *end > now)
    }
}
