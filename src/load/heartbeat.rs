//! The heartbeat of a worker: a sleeper that does nothing but notice how late it runs.
//!
//! A user in a closed loop without a pause never sleeps, and a stopped process sends nothing that could be late.
//! So every worker wakes at short intervals of its own. What is missing between two beats is a standstill, unless
//! the worker has used the time itself: a burst of work makes sleepers late, which is told as their lateness, but
//! the worker did not stand still meanwhile.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::worker::Worker;
use crate::clock;

/// From one beat to the next. Twenty wake-ups a second cost some 0.07 % of a core, and are one of a hundred that
/// 2,000 arrivals a second need anyway; fifty would cost 0.18 % on a busy machine.
const PERIOD: Duration = Duration::from_millis(50);

/// A shorter standstill is not told from the ordinary: with a few busy neighbours on its core, a scheduler lets a
/// thread wait for some milliseconds each time it wakes.
pub(super) const STANDSTILL: Duration = Duration::from_millis(20);

/// Beats until the worker ends.
pub(super) async fn beat(worker: Rc<Worker>) -> io::Result<()> {
    let mut last = Beat::now();
    loop {
        let at = last.at + PERIOD;
        worker.timer.sleep_until(at).await;
        let beat = Beat::now();
        let stood_still = last.standstill_until(beat);
        if stood_still > STANDSTILL {
            worker.pool.stood_still(beat.at);
            worker
                .recorder
                .borrow_mut()
                .stood_still(beat.at.checked_sub(stood_still).unwrap_or(beat.at), beat.at);
        }
        last = beat;
    }
}

/// A moment, and how much CPU the worker had used by then.
#[derive(Debug, Clone, Copy)]
struct Beat {
    at: Instant,
    cpu: Duration,
}

impl Beat {
    fn now() -> Self {
        Self { at: clock::now(), cpu: clock::thread_cpu() }
    }

    /// How long the worker stood still between this beat and the next: the time beyond a period in which it did
    /// not work. Where it stopped within the period is not known, so the true standstill may be up to a period
    /// longer, and is never shorter.
    fn standstill_until(self, next: Self) -> Duration {
        let passed = next.at.saturating_duration_since(self.at);
        let worked = next.cpu.saturating_sub(self.cpu);
        passed.saturating_sub(worked).min(passed.saturating_sub(PERIOD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_standstill_is_what_lies_beyond_a_period_and_was_not_worked() {
        let begun = clock::now();
        let first = Beat { at: begun, cpu: ms(7) };
        let stood = |passed, worked| first.standstill_until(Beat { at: begun + passed, cpu: ms(7) + worked });
        // On time, whatever was done.
        assert_eq!((stood(ms(50), ms(0)), stood(ms(50), ms(50))), (ms(0), ms(0)));
        // Stopped for 150 ms: idle before, busy before, and busy all the time.
        assert_eq!(stood(ms(200), ms(0)), ms(150));
        assert_eq!(stood(ms(200), ms(46)), ms(150));
        assert_eq!(stood(ms(200), ms(200)), ms(0));
        // A cgroup that gives 5 ms of every 100.
        assert_eq!(stood(ms(100), ms(5)), ms(50));
    }
}
