//! The iterations of one worker that are under way and began late: each holds a user which would be free by now, had
//! the generator been in time, and so explains an arrival that finds nobody. Each by itself, and not for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An iteration that began late explains a busy user for so many times its lateness. What is still under way then is
/// slow by itself: a service that hangs must not be excused by one late start for as long as it hangs.
const TIMES_LATE: u32 = 10;

/// How many of them are an excuse until which moment.
#[derive(Debug, Default)]
pub struct Latecomers(BTreeMap<Instant, usize>);

impl Latecomers {
    /// One begins at this moment, and should have begun so long before. Until when it may be an excuse, by which it
    /// is known when it ends.
    pub fn begins(&mut self, at: Instant, by: Duration) -> Instant {
        let until = at + by.saturating_mul(TIMES_LATE);
        *self.0.entry(until).or_default() += 1;
        until
    }

    /// One has ended that was an excuse until this moment.
    pub fn ends(&mut self, until: Instant) {
        let Some(left) = self.0.get_mut(&until) else { return };
        *left -= 1;
        if *left == 0 {
            self.0.remove(&until);
        }
    }

    /// Until when any of them may be an excuse; none where none is under way.
    pub fn until(&self) -> Option<Instant> {
        self.0.last_key_value().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn each_is_an_excuse_for_ten_times_its_own_lateness_whichever_of_the_others_ends() {
        let (now, ms) = (clock::now(), Duration::from_millis);
        let mut latecomers = Latecomers::default();
        assert_eq!(latecomers.until(), None);
        // A standstill of two seconds: what was due first begins two seconds late, and what was due last hangs.
        let quick: Vec<_> = (0..199).map(|due| latecomers.begins(now, ms(2_000 - due * 10))).collect();
        let hangs = latecomers.begins(now, ms(30));
        assert_eq!(latecomers.until(), Some(now + ms(20_000)));
        for until in quick {
            latecomers.ends(until);
        }
        assert_eq!((latecomers.until(), hangs), (Some(now + ms(300)), now + ms(300)));
        latecomers.ends(hangs);
        assert_eq!(latecomers.until(), None);
    }

    #[test]
    fn of_two_that_are_as_late_one_may_end_before_the_other() {
        let (now, ms) = (clock::now(), Duration::from_millis);
        let mut latecomers = Latecomers::default();
        let both = [(); 2].map(|()| latecomers.begins(now, ms(50)));
        latecomers.ends(both[0]);
        assert_eq!(latecomers.until(), Some(now + ms(500)));
        latecomers.ends(both[1]);
        assert_eq!(latecomers.until(), None);
    }
}
