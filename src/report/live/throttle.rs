//! When the page may be made again: once a second at most, and never more than a twentieth of the time.
//! Pure: it is told what time it is.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
/// A page that took so long is made again after so many times that.
const REST: u32 = 20;

/// Knows when the next page is due.
#[derive(Debug, Clone, Copy)]
pub struct Throttle {
    next: Instant,
}

impl Throttle {
    /// The first page is due from `now` on.
    pub fn begin(now: Instant) -> Self {
        Self { next: now }
    }

    /// The moment from which a page is due.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// A page was begun and took so long.
    pub fn made(&mut self, begun: Instant, took: Duration) {
        self.next = begun + EVERY.max(took * REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_made_once_a_second_or_in_a_twentieth_of_the_time() {
        let begun = Instant::now();
        let mut throttle = Throttle::begin(begun);
        assert_eq!(throttle.next(), begun);
        for (took_ms, next_ms) in [(0, 1_000), (50, 1_000), (51, 1_020), (400, 8_000)] {
            throttle.made(begun, Duration::from_millis(took_ms));
            assert_eq!(throttle.next() - begun, Duration::from_millis(next_ms));
        }
    }
}
