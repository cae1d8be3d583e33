//! The memory that a service can make this process hold: bodies that something looks at, decoded or parsed, and what
//! lies unread or unsent on WebSockets. Limits per body and per socket bound one of them; a thousand users at their
//! limits would still end the process. So all of it counts against one budget, which all workers share.
//!
//! What is small is not counted, so that the requests of an ordinary run never touch what all workers share: the first
//! [`FREE`] bytes of every hold are free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::machine;
use super::measure::outcome::{Failure, FailureKind};
use crate::plan::Memory;
use crate::units::ByteSize;

/// Bytes of one hold that are not counted.
const FREE: usize = 16 * 1024;
/// Bytes by which a hold grows and shrinks.
const STEP: usize = 64 * 1024;
/// One part in so many of a budget is for what is of use and not needed.
const SPARE: u64 = 4;
/// Bytes of what is kept until the end of the run that are not counted.
const FREE_LASTING: usize = 4 << 20;

/// How much the whole process may hold, and how much it does.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
}

/// A part of a budget, given back when dropped.
#[derive(Debug, Default)]
pub struct Hold(Option<(Arc<Budget>, usize)>);

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// What a plan asks for, on this machine.
    pub fn of(memory: Memory) -> Arc<Self> {
        Self::new(match memory {
            Memory::Bytes(bytes) => bytes,
            // Where nobody knows how much there is, there is a limit all the same.
            Memory::Share(share) => (machine::memory().unwrap_or(UNKNOWN) as f64 * share) as u64,
        })
    }

    /// The most bytes that are held.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize, limit: u64, what: impl FnOnce() -> String) -> Result<(), Failure> {
        let more = |used: u64| used.checked_add(bytes as u64).filter(|sum| *sum <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|used| self.exceeded(bytes, used, &what()))
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    fn exceeded(&self, bytes: usize, used: u64, what: &str) -> Failure {
        Failure::new(
            FailureKind::Memory,
            format!(
                "about {} more are needed to {what}, and {} of `max_memory` ({}) are free; raise `max_memory`, or have \
                 fewer users, a smaller `max_body`, or expectations of the status alone",
                ByteSize(bytes as u64),
                ByteSize(self.limit.saturating_sub(used)),
                ByteSize(self.limit)
            ),
        )
    }
}

/// Memory of a machine about which nothing is known.
const UNKNOWN: u64 = 4 << 30;

impl Hold {
    /// Bytes that it counts by now; of little, none.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |(_, bytes)| *bytes)
    }

    /// Changes it to so many bytes; fails, and stays as it is, where the budget has no room for more.
    pub fn set(&mut self, budget: &Arc<Budget>, bytes: usize) -> Result<(), Failure> {
        self.set_for(budget, bytes, || "keep what the service sends".to_owned())
    }

    /// The same; a failure says what they are needed to do.
    pub fn set_for(
        &mut self,
        budget: &Arc<Budget>,
        bytes: usize,
        what: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        self.change(budget, bytes, budget.limit, what)
    }

    /// The same for what is of use and not needed: it takes no room from what is, so all that is held must stay within
    /// the first [`SPARE`]th of the budget. Whether it does.
    pub fn set_spare(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        self.change(budget, bytes, budget.limit / SPARE, String::new).is_ok()
    }

    fn change(
        &mut self,
        budget: &Arc<Budget>,
        bytes: usize,
        limit: u64,
        what: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let wanted = if bytes <= FREE { 0 } else { bytes.div_ceil(STEP).saturating_mul(STEP) };
        let has = self.bytes();
        if wanted > has {
            budget.take(wanted - has, limit, what)?;
            self.0 = Some((self.0.take().map_or_else(|| budget.clone(), |(budget, _)| budget), wanted));
        } else if wanted < has
            && let Some((budget, has)) = &mut self.0
        {
            budget.give_back(*has - wanted);
            *has = wanted;
        }
        Ok(())
    }
}

/// What is kept until the end of the run, and so only grows.
#[derive(Debug, Default)]
pub struct Lasting {
    hold: Hold,
    bytes: usize,
}

impl Lasting {
    /// So many bytes more; changes nothing where there is no room for them that others do not need.
    pub fn grow(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        let counted = (self.bytes + bytes).saturating_sub(FREE_LASTING);
        let fits = self.hold.set_spare(budget, counted);
        self.bytes += if fits { bytes } else { 0 };
        fits
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some((budget, bytes)) = &self.0 {
            budget.give_back(*bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_in_steps_and_is_given_back() {
        let budget = Budget::new(3 * STEP as u64);
        let (mut first, mut second) = (Hold::default(), Hold::default());
        first.set(&budget, FREE).unwrap();
        assert_eq!(budget.used(), 0, "what is small is free");
        first.set(&budget, FREE + 1).unwrap();
        second.set(&budget, 2 * STEP).unwrap();
        assert_eq!(budget.used(), 3 * STEP as u64);
        let failure = first.set(&budget, STEP + 1).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Memory);
        let says = "about 64 KiB more are needed to keep what the service sends, and 0 bytes of `max_memory` (192 KiB)";
        assert!(failure.message.starts_with(says), "{}", failure.message);
        let failure = first.set_for(&budget, 9 * STEP, || "parse 9 KiB of JSON".to_owned()).unwrap_err();
        assert!(
            failure.message.starts_with("about 512 KiB more are needed to parse 9 KiB"),
            "{}",
            failure.message
        );
        second.set(&budget, 1).unwrap();
        first.set(&budget, STEP + 1).unwrap();
        assert_eq!(budget.used(), 2 * STEP as u64, "what did not fit has taken nothing");
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_not_needed_takes_no_room_from_what_is() {
        let budget = Budget::new(8 * STEP as u64);
        let (mut first, mut second, mut needed) = (Hold::default(), Hold::default(), Hold::default());
        assert!(first.set_spare(&budget, 2 * STEP));
        assert!(!second.set_spare(&budget, STEP) && first.set_spare(&budget, STEP));
        needed.set(&budget, 7 * STEP).unwrap();
        assert!(!first.set_spare(&budget, 2 * STEP) && first.set_spare(&budget, 0));
        let mut lasting = Lasting::default();
        assert!(lasting.grow(&budget, FREE_LASTING) && !lasting.grow(&budget, STEP));
        drop(needed);
        assert!(
            lasting.grow(&budget, STEP) && lasting.grow(&budget, STEP) && !lasting.grow(&budget, 1 << 20)
        );
        assert_eq!(budget.used(), 2 * STEP as u64);
    }

    #[test]
    fn a_share_is_one_of_the_memory_that_this_process_may_use() {
        let (half, quarter) = (Budget::of(Memory::Share(0.5)), Budget::of(Memory::Share(0.25)));
        assert!(quarter.limit > 0 && half.limit.abs_diff(2 * quarter.limit) <= 2);
        assert_eq!(Budget::of(Memory::Bytes(7)).limit, 7);
    }
}
