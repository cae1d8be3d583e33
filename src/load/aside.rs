//! Work that takes long, kept from holding a worker up. A worker that decodes for a second answers no cancel, and
//! every other user of it is late.
//!
//! What can be done elsewhere is: decoding and parsing of large bodies, by one thread beside each worker, one body
//! after the other. What cannot, since it needs the values of the user, is done in turn: after each such piece of work
//! the worker looks at what the system and the session have for it, before it begins another.

use std::cell::Cell;
use std::panic::resume_unwind;

use tokio::sync::Semaphore;
use tokio::task::{spawn_blocking, yield_now};

/// Bytes from which work on them takes long: some milliseconds.
pub const LARGE: usize = 256 * 1024;

/// The work of one worker that takes long.
#[derive(Debug)]
pub struct Aside {
    turn: Semaphore,
    /// How much work that took long the worker has done itself.
    done: Cell<u64>,
    /// How much it had done when it last looked at what else there is.
    seen: Cell<u64>,
}

impl Default for Aside {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), done: Cell::new(0), seen: Cell::new(0) }
    }
}

impl Aside {
    /// Does something on the thread beside the worker. Dropped before its turn has come, it is never begun.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _turn = self.turn.acquire().await.ok()?;
        match spawn_blocking(work).await {
            Ok(done) => Some(done),
            // A panic is no failure of the service: the worker hears of it.
            Err(error) => error.try_into_panic().map_or(None, |payload| resume_unwind(payload)),
        }
    }

    /// The worker has itself done something that took long.
    pub fn worked(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// Before something that may take long: lets the worker look at what else there is, if it has done such work.
    pub async fn look_up(&self) {
        while self.done.get() != self.seen.get() {
            let before = self.done.get();
            // It ends only after the system was asked for news. Then all who wait here go on, and the first of them
            // may do such work again.
            yield_now().await;
            if self.done.get() == before {
                self.seen.set(before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::runtime::LocalOptions;

    use super::*;

    #[test]
    fn work_that_takes_long_is_done_in_turn_and_others_come_between() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.build_local(LocalOptions::default()).unwrap();
        let (aside, log) = (Rc::new(Aside::default()), Rc::new(RefCell::new(String::new())));
        runtime.block_on(async {
            let users: Vec<_> = (0..5)
                .map(|_| {
                    let (aside, log) = (aside.clone(), log.clone());
                    tokio::task::spawn_local(async move {
                        aside.look_up().await;
                        log.borrow_mut().push('w');
                        aside.worked();
                    })
                })
                .collect();
            // Whoever waits for news of the system, as the commands of the session do.
            while !users.iter().all(tokio::task::JoinHandle::is_finished) {
                log.borrow_mut().push('.');
                yield_now().await;
            }
        });
        let log = log.take();
        assert_eq!(log.matches('w').count(), 5, "{log}");
        assert!(!log.contains("ww"), "{log}");
    }

    #[test]
    fn work_aside_hands_over_what_it_made_and_its_panic() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.build_local(LocalOptions::default()).unwrap();
        let aside = Aside::default();
        assert_eq!(runtime.block_on(aside.run(|| 7)), Some(7));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(aside.run(|| panic!("no body")))
        }));
        assert!(panicked.is_err());
    }
}
