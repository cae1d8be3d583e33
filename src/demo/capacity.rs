//! A bounded queue in front of a number of workers: who waits, who works, who is turned away.

use std::str::FromStr;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::SettingError;

/// Requests that may wait for each worker.
const WAITING_PER_WORKER: usize = 16;

/// The most workers that can be asked for.
const MOST_WORKERS: usize = 10_000;

/// How many requests are worked on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capacity {
    /// All of them.
    #[default]
    Unlimited,
    /// This many, at least one; sixteen times as many may wait, the others are turned away.
    Workers(usize),
}

impl FromStr for Capacity {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let workers = text.trim().parse().ok().filter(|workers| (1..=MOST_WORKERS).contains(workers));
        workers.map(Self::Workers).ok_or_else(|| SettingError::Capacity(text.into()))
    }
}

/// The queue and its workers.
#[derive(Debug)]
pub(super) struct Queue {
    crew: Option<Crew>,
}

/// `places` counts everyone inside, waiting or at work; `workers` those at work, first come first served.
#[derive(Debug)]
struct Crew {
    places: Semaphore,
    workers: Semaphore,
}

/// No place is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A worker, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Worker<'a>(#[expect(dead_code, reason = "held for its drop")] Option<Held<'a>>);

/// The worker itself and the place of the request inside.
type Held<'a> = (SemaphorePermit<'a>, SemaphorePermit<'a>);

impl Queue {
    pub(super) fn new(capacity: Capacity) -> Self {
        let crew = match capacity {
            Capacity::Unlimited => None,
            Capacity::Workers(workers) => Some(Crew {
                places: Semaphore::new(workers.saturating_mul(1 + WAITING_PER_WORKER)),
                workers: Semaphore::new(workers),
            }),
        };
        Self { crew }
    }

    /// Waits for a worker, or returns at once when too many wait already.
    pub(super) async fn admit(&self) -> Result<Worker<'_>, Full> {
        let Some(crew) = &self.crew else {
            return Ok(Worker(None));
        };
        let place = crew.places.try_acquire().map_err(|_| Full)?;
        let worker = crew.workers.acquire().await.map_err(|_| Full)?;
        Ok(Worker(Some((worker, place))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_worker_has_sixteen_waiting_and_the_next_is_turned_away() {
        let queue = Queue::new(Capacity::Workers(1));
        let working = queue.admit().now_or_never().unwrap().unwrap();
        let mut waiting: Vec<_> = (0..16).map(|_| Box::pin(queue.admit())).collect();
        for request in &mut waiting {
            assert!(request.now_or_never().is_none());
        }
        assert_eq!(queue.admit().now_or_never().unwrap().unwrap_err(), Full);
        drop(working);
        assert!(waiting[1].as_mut().now_or_never().is_none(), "the first in the queue is served first");
        assert!(waiting[0].as_mut().now_or_never().unwrap().is_ok());
    }

    #[test]
    fn who_gives_up_waiting_makes_room() {
        let queue = Queue::new(Capacity::Workers(1));
        let _working = queue.admit().now_or_never().unwrap().unwrap();
        let mut waiting: Vec<_> = (0..16).map(|_| Box::pin(queue.admit())).collect();
        for request in &mut waiting {
            assert!(request.now_or_never().is_none());
        }
        waiting.pop();
        assert!(queue.admit().now_or_never().is_none(), "waits, is not turned away");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let queue = Queue::new(Capacity::Unlimited);
        let all: Vec<_> = (0..1000).map(|_| queue.admit().now_or_never()).collect();
        assert!(all.iter().all(|worker| matches!(worker, Some(Ok(_)))));
    }

    #[test]
    fn capacities_are_whole_numbers_from_one() {
        assert_eq!("8".parse(), Ok(Capacity::Workers(8)));
        for text in ["0", "-1", "many", "1.5", "10001", ""] {
            assert!(text.parse::<Capacity>().is_err(), "{text}");
        }
    }
}
