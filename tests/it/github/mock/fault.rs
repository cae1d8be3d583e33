//! What goes wrong on demand: which request it meets, and what happens to it. Knows nothing of the wire.

use std::time::Duration;

use super::repository::Repository;
use super::wire::{Answer, Asked};

/// Something that happens to requests that match.
pub struct Fault {
    method: &'static str,
    path: String,
    skipped: usize,
    times: usize,
    effect: Effect,
}

/// What happens.
pub enum Effect {
    /// Nothing is done; this is the answer.
    Instead(Answer),
    /// What was asked is done, and yet this is the answer.
    After(Answer),
    /// Nothing happens for so long.
    Delay(Duration),
    /// Somebody else was faster.
    Meanwhile(Box<dyn FnMut(&mut Repository) + Send>),
}

impl Fault {
    /// Meets the first request with this method and a path that ends so.
    pub fn new(method: &'static str, path: &str, effect: Effect) -> Self {
        Self { method, path: path.to_owned(), skipped: 0, times: 1, effect }
    }

    /// Nothing is done, and GitHub says why.
    pub fn status(method: &'static str, path: &str, answer: Answer) -> Self {
        Self::new(method, path, Effect::Instead(answer))
    }

    /// Lets some requests pass before.
    #[must_use]
    pub fn after(mut self, skipped: usize) -> Self {
        self.skipped = skipped;
        self
    }

    /// Meets several requests, one after another.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Meets every request from then on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Whether it is this request's turn.
    fn meets(&mut self, asked: &Asked) -> bool {
        if self.times == 0 || asked.method != self.method || !asked.path.ends_with(&self.path) {
            return false;
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// The effect that a request meets: of the first fault whose turn it is.
pub fn met<'a>(faults: &'a mut [Fault], asked: &Asked) -> Option<&'a mut Effect> {
    faults.iter_mut().find_map(|fault| fault.meets(asked).then_some(&mut fault.effect))
}
