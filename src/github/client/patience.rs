//! How long GitHub is waited for: a limited number of attempts with growing pauses, within a time for
//! everything. What may have been done already is not done again here.

use std::time::{Duration, Instant};

use rand::TryRng;
use rand::rngs::SysRng;

use crate::clock;

/// For everything that a command asks of GitHub.
const IN_ALL: Duration = Duration::from_secs(90);
/// For what is not worth waiting for.
const BRIEF: Duration = Duration::from_secs(5);
/// The longest pause that GitHub may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Attempts at one request.
pub(super) const ATTEMPTS: u32 = 3;
/// The first pause; every further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The time that is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    until: Instant,
}

impl Patience {
    pub(super) fn begin() -> Self {
        Self { until: clock::now() + IN_ALL }
    }

    /// For somebody who looks at a prompt.
    pub(super) fn brief() -> Self {
        Self { until: clock::now() + BRIEF }
    }

    /// What is left of it.
    pub(super) fn left(self) -> Duration {
        self.until.saturating_duration_since(clock::now())
    }

    /// A pause, if there is time for it.
    fn affordable(self, pause: Duration) -> Option<Duration> {
        (pause < self.left()).then_some(pause)
    }

    /// How long to wait before the attempt after this one, counted from 1; none if it was the last.
    pub(super) fn after(self, attempt: u32) -> Option<Duration> {
        let pause = FIRST_PAUSE * 2_u32.pow(attempt.saturating_sub(1)) + jitter();
        if attempt < ATTEMPTS { self.affordable(pause) } else { None }
    }

    /// How long GitHub asks to wait after this attempt; none if that is too long or was the last.
    pub(super) fn as_asked(self, asked: Duration, attempt: u32) -> Option<Duration> {
        if attempt < ATTEMPTS && asked <= LONGEST_PAUSE { self.affordable(asked) } else { None }
    }
}

/// So that jobs that failed together do not come back together: up to a quarter of a second.
fn jitter() -> Duration {
    // Without randomness they come back together.
    Duration::from_millis(u64::from(SysRng.try_next_u32().unwrap_or(0) % 250))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let patience = Patience::begin();
        let seconds = |attempt| patience.after(attempt).map(|pause| pause.as_secs());
        assert_eq!((seconds(1), seconds(2), seconds(3)), (Some(1), Some(2), None));
        let asked = |seconds| patience.as_asked(Duration::from_secs(seconds), 1).is_some();
        assert!(asked(0) && asked(60) && !asked(61));
        assert!(patience.as_asked(Duration::ZERO, ATTEMPTS).is_none());
        let spent = Patience { until: clock::now() };
        assert!(spent.after(1).is_none() && spent.left() == Duration::ZERO);
    }
}
