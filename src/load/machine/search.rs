//! Finds processes that were not there before. Looking for new numbers is cheap; all processes are read seldom.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::tree::{self, Stat};
use crate::clock;

/// Reading all processes takes at most this share of the time.
const SEARCH_SHARE: u32 = 2_000;

/// Looks for them again and again.
#[derive(Debug)]
pub(super) struct Search {
    /// When it was last looked for new ones, by the clock of the machine's start.
    pub(super) since: u64,
    /// The count of forks by then.
    forks: Option<u64>,
    /// The numbers that there were.
    seen: BTreeSet<i32>,
    /// When all processes were read, and how long that took.
    all: (Instant, Duration),
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) stats: Vec<Stat>,
    /// Whether these are all processes.
    pub(super) all: bool,
}

impl Search {
    /// A search, and all processes that there are. The next search reads all of them once more: which threads of the
    /// kernel are busy is only seen by what they used in between.
    pub(super) fn begin() -> (Self, Vec<Stat>) {
        let at = clock::now();
        let mut search = Self { since: 0, forks: None, seen: BTreeSet::new(), all: (at, Duration::ZERO) };
        let all = search.all();
        search.all = (at, Duration::ZERO);
        (search, all)
    }

    fn all(&mut self) -> Vec<Stat> {
        let begun = clock::now();
        self.since = tree::now_ticks();
        let all = tree::processes();
        self.seen = all.iter().map(|stat| stat.pid).collect();
        let now = clock::now();
        self.all = (now, now.saturating_duration_since(begun));
        all
    }

    /// All that have come since the last search, and perhaps others. `forks` counts the processes and threads that
    /// were started on this machine, where that is known: where it stands still, nobody came.
    pub(super) fn run(&mut self, forks: Option<u64>) -> Found {
        let (at, took) = self.all;
        let still = forks.is_some() && forks == self.forks;
        self.forks = forks;
        // A number that was used again meanwhile is found here alone, and so is a thread of the kernel that became
        // busy, for which nothing has to be started.
        if clock::now().saturating_duration_since(at) >= took * SEARCH_SHARE {
            return Found { stats: self.all(), all: true };
        }
        if still {
            return Found::default();
        }
        self.since = tree::now_ticks();
        let numbers: BTreeSet<i32> = tree::pids().into_iter().collect();
        let stats = numbers.difference(&self.seen).filter_map(|pid| tree::process(*pid)).collect();
        self.seen = numbers;
        Found { stats, all: false }
    }

    /// The count of forks at the last search.
    #[cfg(test)]
    pub(super) fn forks(&self) -> Option<u64> {
        self.forks
    }

    /// Makes the next time at which all are read come now, or never.
    #[cfg(test)]
    pub(super) fn all_are_due(&mut self, due: bool) {
        /// Times `SEARCH_SHARE`, many years.
        const LONG: Duration = Duration::from_secs(1_000_000);
        self.all = (clock::now(), if due { Duration::ZERO } else { LONG });
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn all_are_read_at_the_first_look_and_then_where_that_is_due_though_nothing_was_started() {
        let (mut search, all) = Search::begin();
        assert!(!all.is_empty());
        assert!(search.run(Some(7)).all, "the first look");
        search.all_are_due(false);
        let found = search.run(Some(7));
        assert!(!found.all && found.stats.is_empty(), "nothing was started");
        assert!(!search.run(Some(8)).all, "only new numbers");
        search.all_are_due(true);
        let found = search.run(Some(8));
        assert!(found.all && !found.stats.is_empty(), "it is due");
    }
}
