//! Times of which some are only lower bounds. A request that timed out took *at least* as long as it was waited
//! for: its true time is right-censored, in the term of survival analysis. Taken for an exact time, it makes a
//! service that never answers look as fast as the timeout is short, so the two are kept apart from the start.

use std::time::Duration;

use super::times::Times;

/// Exact times and lower bounds.
#[derive(Debug, Clone, Default)]
pub struct CensoredTimes {
    /// All of them, each lower bound as if it were exact: what percentiles are at least.
    pub all: Times,
    /// Those of `all` that are lower bounds. Empty where nothing timed out, and then it costs nothing.
    pub timed_out: Times,
}

impl CensoredTimes {
    /// Adds an exact time.
    pub fn record(&mut self, time: Duration) {
        self.all.record(time);
    }

    /// Adds a time that would have been longer had it been waited for.
    pub fn record_at_least(&mut self, time: Duration) {
        self.all.record(time);
        self.timed_out.record(time);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.timed_out.merge(&other.timed_out);
    }
}
