//! The threads of the kernel: what they use is nobody's in particular, and may be work for the service, as writing to
//! a disk is. From inside a container there are none to be seen.

use std::collections::BTreeMap;

use super::search::Found;
use super::tree::{self, Stat};

/// The number of `kthreadd`, whose children are the threads of the kernel.
const KTHREADD: i32 = 2;
/// Of how many threads the time is read at every look: those that used most when all were read.
const MOST_BUSY: usize = 8;
/// And of how many of those that have come since: a queue of work that is busy gets new threads.
const MOST_NEW: usize = 8;

/// All of them, looked at again and again.
#[derive(Debug, Default)]
pub(super) struct KernelThreads {
    /// Start and ticks, by number.
    known: BTreeMap<i32, (u64, u64)>,
    busiest: Vec<i32>,
    new: Vec<i32>,
}

impl KernelThreads {
    /// Those among all processes.
    pub(super) fn begin(all: &[Stat]) -> Self {
        let visible = all.iter().any(|it| it.pid == KTHREADD && it.parent == 0 && it.name == "kthreadd");
        let threads = all.iter().filter(|it| visible && it.parent == KTHREADD);
        Self { known: threads.map(|it| (it.pid, (it.started, it.own_ticks))).collect(), ..Self::default() }
    }

    /// The ticks they used since the last look, of those that were read: all, or the busiest and the new ones.
    pub(super) fn look(&mut self, found: &Found, since: u64) -> u64 {
        if self.known.is_empty() {
            return 0;
        }
        let read: Vec<Stat> = if found.all {
            Vec::new()
        } else {
            self.busiest.iter().chain(&self.new).filter_map(|pid| tree::process(*pid)).collect()
        };
        let threads = found.stats.iter().chain(&read).filter(|it| counts(it));
        // One that used nothing lately, and much before, is likelier to be busy soon than one that never did anything.
        let mut used: Vec<(u64, u64, i32)> =
            threads.map(|it| (self.used(it, since), it.own_ticks, it.pid)).collect();
        if found.all {
            used.sort_unstable_by(|a, b| b.cmp(a));
            let most = used.iter().filter(|(_, ever, _)| *ever > 0).take(MOST_BUSY);
            self.busiest = most.map(|(_, _, pid)| *pid).collect();
            self.new.clear();
        } else {
            self.new.extend(found.stats.iter().filter(|it| counts(it)).map(|it| it.pid));
            self.new.drain(..self.new.len().saturating_sub(MOST_NEW));
        }
        used.iter().map(|(used, ..)| used).sum()
    }

    fn used(&mut self, it: &Stat, since: u64) -> u64 {
        match self.known.insert(it.pid, (it.started, it.own_ticks)) {
            Some((started, ticks)) if started == it.started => it.own_ticks.saturating_sub(ticks),
            _ if it.started >= since => it.own_ticks,
            _ => 0,
        }
    }
}

/// Whether the time of a process is that of a thread of the kernel, and part of what the kernel calls busy. Soft
/// interrupts are no part of that, and `ksoftirqd` does nothing else: taken off, its time would be missing from that
/// of others.
fn counts(it: &Stat) -> bool {
    it.parent == KTHREADD && !it.name.starts_with("ksoftirqd/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::machine::tree::Collects;

    /// A thread of the kernel, or what its parent makes of it: number, parent, start, ticks.
    fn stat(pid: i32, parent: i32, started: u64, own_ticks: u64) -> Stat {
        Stat {
            pid,
            parent,
            group: 0,
            name: format!("kworker/{pid}:0"),
            own_ticks,
            collected_ticks: 0,
            own_faults: 0,
            collected_faults: 0,
            started,
            collects: Collects::Time,
        }
    }

    fn thread(pid: i32, own_ticks: u64) -> Stat {
        stat(pid, KTHREADD, 3, own_ticks)
    }

    fn kthreadd() -> Stat {
        Stat { name: "kthreadd".into(), ..stat(KTHREADD, 0, 1, 0) }
    }

    fn found(stats: &[Stat]) -> Found {
        Found { stats: stats.to_vec(), all: true }
    }

    #[test]
    fn the_time_of_threads_of_the_kernel_is_counted_once() {
        let mut kernel = KernelThreads::begin(&[kthreadd(), thread(17, 100), stat(18, 1, 3, 7)]);
        let come = stat(19, KTHREADD, 60, 5);
        assert_eq!(kernel.look(&found(&[thread(17, 108), come.clone(), stat(18, 1, 3, 50)]), 50), 13);
        assert_eq!(kernel.look(&found(&[thread(17, 108), come]), 70), 0);
        // In a container, the second process is anything.
        let mut none = KernelThreads::begin(&[stat(KTHREADD, 1, 1, 0), thread(17, 1)]);
        assert_eq!(none.look(&found(&[thread(17, 50)]), 0), 0);
    }

    #[test]
    fn those_that_used_most_lately_are_read_at_every_look_and_then_those_that_ever_used_most() {
        let threads = |used: u64| -> Vec<Stat> {
            let idle = (100..120).map(|pid| thread(pid, u64::from(pid.unsigned_abs())));
            [kthreadd(), thread(17, 5 + used), thread(18, 0)].into_iter().chain(idle).collect()
        };
        let mut kernel = KernelThreads::begin(&threads(0));
        assert_eq!(kernel.look(&found(&threads(3)), 50), 3);
        assert_eq!(kernel.busiest, [17, 119, 118, 117, 116, 115, 114, 113]);
        let mut quiet = KernelThreads::begin(&[kthreadd(), thread(17, 5), thread(18, 0)]);
        quiet.look(&found(&[thread(17, 5), thread(18, 0)]), 50);
        assert_eq!(quiet.busiest, [17], "one that never used anything");
    }

    #[test]
    fn threads_that_come_are_read_until_all_are() {
        let mut kernel = KernelThreads::begin(&[kthreadd(), thread(17, 5)]);
        let come =
            |pid| Found { stats: vec![stat(pid, KTHREADD, 60, 4), stat(pid + 1_000, 1, 60, 9)], all: false };
        assert_eq!(kernel.look(&come(5_000_001), 50), 4);
        for pid in 5_000_002..5_000_010 {
            kernel.look(&come(pid), 50);
        }
        assert_eq!(kernel.new, (5_000_002..5_000_010).collect::<Vec<_>>(), "as many as are read");
        kernel.look(&found(&[thread(17, 5)]), 50);
        assert_eq!(kernel.new, [0; 0]);
    }

    #[test]
    fn soft_interrupts_are_no_part_of_what_is_busy() {
        let soft = |ticks| Stat { name: "ksoftirqd/0".into(), ..thread(14, ticks) };
        let mut kernel = KernelThreads::begin(&[kthreadd(), soft(100), thread(17, 5)]);
        assert_eq!(kernel.look(&found(&[soft(160), thread(17, 6)]), 50), 1);
        assert_eq!(kernel.busiest, [17]);
    }
}
