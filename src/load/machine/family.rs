//! Some processes and all that descend from them, looked at again and again: what they used in between.
//!
//! How much CPU a family used is more than the sum over its processes. One that ended is gone, and its time is with
//! the parent that waited for it: what the living have collected counts as well, less what was already counted while
//! the dead still lived. A process whose parent ended belongs to the family all the same. Where time is lost – a head
//! of the family ended, or nobody collects what ended – that is told: what is missing here would count as used by
//! others, and excuse the service.
//!
//! Looking must cost next to nothing. Members are read at every look. New ones are looked for only where a process
//! was started since, and then among the numbers that are new; all processes are read seldom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kernel_threads::KernelThreads;
use super::search::Search;
use super::service::Unknown;
use super::tree::{self, Collects, Stat};

/// A family of processes.
#[derive(Debug)]
pub struct Family {
    heads: Vec<Head>,
    kind: Kind,
    members: BTreeMap<i32, Stat>,
    search: Search,
    uncollected: Uncollected,
    debt: Debt,
    kernel: KernelThreads,
}

/// What is at the head of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The service.
    Service,
    /// The guard of loadgate, which is none of it, and below which the service is.
    Guard,
}

/// A process at the head of a family: who ends here was collected by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    pid: i32,
    /// None where it was gone before anybody could look.
    started: Option<u64>,
    name: String,
}

/// What a family did since the last look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// CPU time that it used.
    pub cpu: Duration,
    /// CPU time that threads of the kernel used: nobody's in particular.
    pub kernel: Duration,
    /// Who joined it.
    pub joined: Vec<i32>,
    /// Why nobody knows any more what it used.
    pub lost: Option<Unknown>,
}

impl Family {
    /// A family with these at its head.
    pub fn of(pids: &[i32]) -> Self {
        Self::begin(pids, Kind::Service)
    }

    /// All that is below a guard.
    pub fn guarded(guard: i32) -> Self {
        Self::begin(&[guard], Kind::Guard)
    }

    fn begin(pids: &[i32], kind: Kind) -> Self {
        let (search, all) = Search::begin();
        let by_number: BTreeMap<i32, &Stat> = all.iter().map(|stat| (stat.pid, stat)).collect();
        // Who descends from another one is collected by it, and its like is found below it.
        let heads: Vec<Head> = pids
            .iter()
            .filter(|pid| !descends(**pid, pids, &by_number))
            .map(|pid| Head::of(*pid, by_number.get(pid).copied()))
            .collect();
        let mut members: BTreeMap<i32, Stat> =
            pids.iter().filter_map(|pid| Some((*pid, (*by_number.get(pid)?).clone()))).collect();
        let kernel = KernelThreads::begin(&all);
        let below = tree::below(&members.keys().copied().collect(), all);
        members.extend(below.into_iter().map(|stat| (stat.pid, stat)));
        let (uncollected, debt) = (Uncollected::default(), Debt::default());
        Self { heads, kind, members, search, uncollected, debt, kernel }
    }

    /// The numbers of all that are members at this moment, those among them that joined since the last look. All
    /// processes are read for it.
    pub fn everybody(&self) -> Vec<i32> {
        let members = self.members.keys().copied().collect();
        let joined = tree::below(&members, tree::processes());
        members.into_iter().chain(joined.into_iter().map(|stat| stat.pid)).collect()
    }

    /// The numbers of all members that were there at the last look, those at its head among them.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.members.keys().copied()
    }

    /// Those that are the service.
    pub fn members(&self) -> impl Iterator<Item = i32> + '_ {
        // The guard at the head has a process of the same name below it, which is none of the service either.
        let heads = |pid: i32| self.heads.iter().find(move |head| head.pid == pid);
        let guard = move |stat: &Stat| {
            let above = heads(stat.parent).is_some_and(|head| head.name == stat.name);
            self.kind == Kind::Guard && (above || heads(stat.pid).is_some())
        };
        self.members.values().filter(move |stat| !guard(stat)).map(|stat| stat.pid)
    }

    /// Looks at all of them. `forks` counts the processes and threads that were started on this machine, where that
    /// is known: where it stands still, nobody joined.
    pub fn look(&mut self, forks: Option<u64>) -> Look {
        let since = self.search.since;
        let (mut now, mut others) = (BTreeMap::new(), Vec::new());
        for old in oldest_first(&self.members) {
            match tree::process(old.pid) {
                Some(stat) if stat.started == old.started => drop(now.insert(old.pid, stat)),
                // The number is another process's by now, which may be a child of the family.
                Some(stat) => others.push(stat),
                None => {}
            }
        }
        let found = self.search.run(forks);
        let kernel = self.kernel.look(&found, since);
        let is_new = |stat: &Stat| same(&now, stat).is_none();
        others.extend(found.stats.into_iter().filter(is_new));
        let joined = tree::below(&now.keys().copied().collect(), others);
        let joined: BTreeMap<i32, Stat> = joined.into_iter().map(|stat| (stat.pid, stat)).collect();
        let numbers = joined.keys().copied().collect();
        now.extend(joined);
        let used = self.uncollected.used(&self.members, &now, since);
        let lost = self.lost(&now);
        self.members = now;
        Look { cpu: tree::ticks(used), kernel: tree::ticks(kernel), joined: numbers, lost }
    }

    /// Why nobody knows what the family used until `now`.
    fn lost(&mut self, now: &BTreeMap<i32, Stat>) -> Option<Unknown> {
        let lives = |head: &&Head| now.get(&head.pid).is_some_and(|it| Some(it.started) == head.started);
        if let Some(head) = self.heads.iter().find(|head| !lives(head)) {
            return Some(Unknown::Ended { name: head.name.clone() });
        }
        let owes = self.debt.after(&self.members, now);
        let ignores = || now.values().find(|it| it.collects == Collects::Nothing).map(|it| it.name.clone());
        owes.or_else(ignores).map(|name| Unknown::ChildrenUnaccounted { name })
    }
}

/// Whether a process descends from another one of these.
fn descends(pid: i32, from: &[i32], all: &BTreeMap<i32, &Stat>) -> bool {
    let mut above = pid;
    // The depth of a tree of processes has a bound, and so has a chain that changes meanwhile.
    for _ in 0..1_000 {
        let Some(stat) = all.get(&above) else { return false };
        above = stat.parent;
        if above == pid {
            return false;
        }
        if from.contains(&above) {
            return true;
        }
    }
    false
}

impl Head {
    fn of(pid: i32, stat: Option<&Stat>) -> Self {
        let name = stat.map_or_else(|| format!("process {pid}"), |stat| stat.name.clone());
        Self { pid, started: stat.map(|stat| stat.started), name }
    }
}

/// Parents before their children, which began later. A child that ends while it is looked at its family may then be
/// missing without having been collected by its parent, as far as that was read; it is never both there and collected.
fn oldest_first(members: &BTreeMap<i32, Stat>) -> Vec<&Stat> {
    let mut all: Vec<&Stat> = members.values().collect();
    all.sort_by_key(|it| (it.started, it.pid));
    all
}

/// The ticks of those that were gone at the last look, and that their parents had not collected when they were read.
/// They were counted while the dead still lived, and are collected by the next look: not to be counted again.
#[derive(Debug, Default)]
struct Uncollected(u64);

impl Uncollected {
    /// The ticks that were used between two looks. One that is new and began before `since` was there before, only
    /// not in the family: what it used until now is not known to be new.
    fn used(&mut self, before: &BTreeMap<i32, Stat>, now: &BTreeMap<i32, Stat>, since: u64) -> u64 {
        let (mut own, mut collected) = (0, 0);
        for it in now.values() {
            match same(before, it) {
                Some(old) => {
                    own += it.own_ticks.saturating_sub(old.own_ticks);
                    collected += it.collected_ticks.saturating_sub(old.collected_ticks);
                }
                None if it.started >= since => {
                    own += it.own_ticks;
                    collected += it.collected_ticks;
                }
                None => {}
            }
        }
        let gone: u64 = gone(before, now).map(|old| old.own_ticks + old.collected_ticks).sum();
        let known = gone + self.0;
        // What is older than that nobody collects any more: it is lost, and what the family uses from now on is not
        // to be taken for it.
        self.0 = known.saturating_sub(collected).min(gone);
        own + collected.saturating_sub(known)
    }
}

fn same<'a>(among: &'a BTreeMap<i32, Stat>, it: &Stat) -> Option<&'a Stat> {
    among.get(&it.pid).filter(|other| other.started == it.started)
}

/// Who was there before, and is not any more.
fn gone<'a>(before: &'a BTreeMap<i32, Stat>, now: &'a BTreeMap<i32, Stat>) -> impl Iterator<Item = &'a Stat> {
    before.values().filter(|old| same(now, old).is_none())
}

/// What the dead have left, and their parents have not collected yet, by the number of the parent.
///
/// It is counted in page faults, which a parent collects with the time: every process has some, so that a child of
/// which nobody collects anything is noticed although it used less than a clock tick.
#[derive(Debug, Default)]
struct Debt(BTreeMap<i32, u64>);

impl Debt {
    /// Whose time was lost between two looks, or who collects nothing of its children, by its name. A parent that was
    /// read before it had collected, and a child that was read after it, differ for one look.
    fn after(&mut self, before: &BTreeMap<i32, Stat>, now: &BTreeMap<i32, Stat>) -> Option<String> {
        let earlier = std::mem::take(&mut self.0);
        for old in gone(before, now) {
            // Its parents have ended before it, and a process of the system has collected it.
            let Some(heir) = heir(old, before, now) else { return Some(old.name.clone()) };
            let inherited = earlier.get(&old.pid).copied().unwrap_or(0);
            *self.0.entry(heir).or_default() += old.own_faults + old.collected_faults + inherited;
        }
        for it in now.values() {
            let was = same(before, it).map_or(0, |old| old.collected_faults);
            let collected = it.collected_faults.saturating_sub(was);
            let Some(left) = collected.checked_sub(earlier.get(&it.pid).copied().unwrap_or(0)) else {
                return Some(it.name.clone());
            };
            if let Some(owed) = self.0.get_mut(&it.pid) {
                *owed = owed.saturating_sub(left);
            }
        }
        None
    }
}

/// The living member that will have collected what one that is gone used: its parent, or the next above.
fn heir(old: &Stat, before: &BTreeMap<i32, Stat>, now: &BTreeMap<i32, Stat>) -> Option<i32> {
    let mut parent = before.get(&old.parent)?;
    // No chain of parents is longer than there are processes.
    for _ in 0..before.len() {
        if same(now, parent).is_some() {
            return Some(parent.pid);
        }
        parent = before.get(&parent.parent)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    /// A process: number, parent, start, own and collected ticks, own and collected faults.
    fn stat(pid: i32, parent: i32, started: u64, ticks: [u64; 2], faults: [u64; 2]) -> Stat {
        Stat {
            pid,
            parent,
            group: pid,
            name: format!("p{pid}"),
            own_ticks: ticks[0],
            collected_ticks: ticks[1],
            own_faults: faults[0],
            collected_faults: faults[1],
            started,
            collects: Collects::Time,
        }
    }

    fn members(stats: &[Stat]) -> BTreeMap<i32, Stat> {
        stats.iter().map(|stat| (stat.pid, stat.clone())).collect()
    }

    /// Number, start, own and collected ticks.
    fn family(of: &[(i32, u64, u64, u64)]) -> BTreeMap<i32, Stat> {
        let one = |(pid, started, own, collected): &(i32, u64, u64, u64)| {
            stat(*pid, 1, *started, [*own, *collected], [0, 0])
        };
        members(&of.iter().map(one).collect::<Vec<_>>())
    }

    fn used(before: &BTreeMap<i32, Stat>, now: &BTreeMap<i32, Stat>) -> u64 {
        Uncollected::default().used(before, now, 50)
    }

    #[test]
    fn the_time_of_a_child_that_ended_is_counted_once() {
        let before = family(&[(1, 5, 100, 0), (2, 6, 40, 0)]);
        // The child used 8 more ticks before it ended, and its parent collected all 48 of it.
        assert_eq!(used(&before, &family(&[(1, 5, 103, 48)])), 3 + 8);
        // A child that came and went between two looks.
        assert_eq!(used(&before, &family(&[(1, 5, 100, 9), (2, 6, 40, 0)])), 9);
        // Nobody collected it: what it used is lost, and nothing is counted below zero.
        assert_eq!(used(&before, &family(&[(1, 5, 103, 0)])), 3);
    }

    #[test]
    fn the_time_of_a_child_that_ended_while_they_were_read_is_counted_once() {
        let both = family(&[(1, 5, 100, 0), (2, 6, 5_000, 0)]);
        let parent = |own, collected| family(&[(1, 5, own, collected)]);
        // The parent was read, it collected the child, and then the child was gone.
        let mut uncollected = Uncollected::default();
        assert_eq!(uncollected.used(&both, &parent(103, 0), 50), 3);
        assert_eq!(uncollected.used(&parent(103, 0), &parent(105, 5_008), 70), 2 + 8);
        assert_eq!(uncollected.used(&parent(105, 5_008), &parent(106, 5_017), 90), 1 + 9, "and only once");
        // Another child was collected meanwhile: its time comes late, and is not lost.
        let mut uncollected = Uncollected::default();
        assert_eq!(uncollected.used(&both, &parent(100, 300), 50), 0);
        assert_eq!(uncollected.used(&parent(100, 300), &parent(100, 5_300), 70), 300);
        // Nobody ever collects it. What others leave is not taken for it for ever.
        let mut uncollected = Uncollected::default();
        assert_eq!(uncollected.used(&both, &parent(100, 0), 50), 0);
        assert_eq!(uncollected.used(&parent(100, 0), &parent(100, 0), 70), 0);
        assert_eq!(uncollected.used(&parent(100, 0), &parent(100, 9), 90), 9);
    }

    #[test]
    fn a_parent_is_read_before_its_children_whatever_their_numbers() {
        let members = family(&[(7, 60, 0, 0), (2, 90, 0, 0), (30_000, 5, 0, 0), (8, 60, 0, 0)]);
        let order: Vec<i32> = oldest_first(&members).iter().map(|it| it.pid).collect();
        assert_eq!(order, [30_000, 7, 8, 2]);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let before = family(&[(1, 5, 100, 0), (2, 6, 40, 0)]);
        let after = family(&[(1, 5, 100, 40), (2, 60, 7, 0)]);
        assert_eq!(used(&before, &after), 7);
    }

    #[test]
    fn one_that_was_there_before_and_joins_brings_nothing_with_it() {
        let before = family(&[(1, 5, 100, 0)]);
        assert_eq!(used(&before, &family(&[(1, 5, 100, 0), (9, 3, 5_000, 70)])), 0);
    }

    #[test]
    fn a_child_that_nobody_collects_is_told_by_the_look_after() {
        let head = |collected| stat(1, 0, 5, [9, 0], [700, collected]);
        // Too short for a clock tick.
        let child = stat(2, 1, 6, [0, 0], [40, 3]);
        let both = members(&[head(0), child]);
        let alone = |collected| members(&[head(collected)]);
        // Collected: at once, or after the parent was read.
        let mut debt = Debt::default();
        assert_eq!(debt.after(&both, &alone(45)), None);
        assert_eq!((debt.0.get(&1).copied(), debt.after(&alone(45), &alone(45))), (Some(0), None));
        let mut debt = Debt::default();
        assert_eq!((debt.after(&both, &alone(0)), debt.0.get(&1)), (None, Some(&43)));
        assert_eq!((debt.after(&alone(0), &alone(43)), debt.0.get(&1)), (None, None));
        // Never.
        let mut debt = Debt::default();
        assert_eq!(debt.after(&both, &alone(0)), None);
        assert_eq!(debt.after(&alone(0), &alone(20)).as_deref(), Some("p1"));
    }

    #[test]
    fn what_another_parent_collects_does_not_make_up_for_it() {
        let (head, other) = (stat(1, 0, 5, [9, 0], [700, 0]), |got| stat(3, 1, 6, [0, 0], [9, got]));
        let both = members(&[head.clone(), stat(2, 1, 6, [0, 0], [40, 0]), other(0)]);
        let mut debt = Debt::default();
        assert_eq!(debt.after(&both, &members(&[head.clone(), other(500)])), None);
        let later = members(&[head.clone(), other(900)]);
        assert_eq!(debt.after(&members(&[head, other(500)]), &later).as_deref(), Some("p1"));
    }

    #[test]
    fn who_ends_after_its_parents_is_lost_and_who_ends_with_them_is_not() {
        let head = |got| stat(1, 0, 5, [9, 0], [700, got]);
        let (middle, lowest) = (stat(2, 1, 6, [0, 0], [40, 0]), stat(3, 2, 7, [0, 0], [30, 0]));
        let all = members(&[head(0), middle, lowest.clone()]);
        // The lowest was collected by the middle, and that by the head.
        let mut debt = Debt::default();
        assert_eq!((debt.after(&all, &members(&[head(70)])), debt.0.get(&1)), (None, Some(&0)));
        // It became a child of the system, and ended there.
        let mut debt = Debt::default();
        let orphan = Stat { parent: 900, ..lowest };
        let left = members(&[head(40), orphan]);
        assert_eq!(debt.after(&all, &left), None);
        assert_eq!(debt.after(&left, &members(&[head(5_000)])).as_deref(), Some("p3"));
        // It did both between two looks.
        let mut debt = Debt::default();
        assert_eq!(debt.after(&all, &members(&[head(40)])), None);
        assert_eq!(debt.after(&members(&[head(40)]), &members(&[head(40)])).as_deref(), Some("p1"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_leaves_its_parent_and_ends_is_told() {
        // Each ends as soon as somebody writes to its fifo.
        let folder = tempfile::tempdir().unwrap();
        let [middle, lowest] = ["middle", "lowest"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").args([&middle, &lowest]).status().unwrap().success());
        let script = "sh -c 'sh -c \"read line < lowest\" & read line < middle'; exec sleep 30";
        let mut head = Command::new("sh").args(["-c", script]).current_dir(folder.path()).spawn().unwrap();
        let mut family = Family::of(&[head.id().cast_signed()]);
        let end = Instant::now() + Duration::from_secs(20);
        let mut until = |done: &dyn Fn(&Family, &Look) -> bool| loop {
            let look = family.look(None);
            if done(&family, &look) {
                return;
            }
            assert!(Instant::now() < end, "{family:?}");
        };
        until(&|family, look| {
            assert_eq!(look.lost, None, "nobody has ended");
            family.pids().count() == 3
        });
        std::fs::write(middle, "\n").unwrap();
        until(&|family, look| {
            assert_eq!(look.lost, None, "who ended was collected by the head");
            let is_head = |pid: i32| family.heads.iter().any(|head| head.pid == pid);
            let mut below = family.members.values().filter(|it| !is_head(it.pid));
            below.any(|it| !family.members.contains_key(&it.parent))
        });
        std::fs::write(lowest, "\n").unwrap();
        until(&|_, look| matches!(look.lost, Some(Unknown::ChildrenUnaccounted { .. })));
        head.kill().unwrap();
        head.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    fn sleeper() -> std::process::Child {
        Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().expect("a process")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_head_that_ended_is_told_and_what_comes_after_it_is_not_the_family() {
        let mut child = sleeper();
        let pid = child.id().cast_signed();
        let mut family = Family::of(&[pid]);
        // Between fork and exec it bears the name of this one.
        family.heads[0].name = "sleep".into();
        assert_eq!(family.look(None).lost, None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(family.look(None).lost, Some(Unknown::Ended { name: "sleep".into() }));
        // One that was gone before the first look.
        let lost = Family::of(&[pid]).look(None).lost;
        assert!(matches!(lost, Some(Unknown::Ended { .. })), "{lost:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_number_that_is_used_again_is_no_member() {
        let own = std::process::id().cast_signed();
        let mut child = sleeper();
        let pid = child.id().cast_signed();
        let mut family = Family::of(&[pid]);
        // The number of this very process, as if it had been that of a member that ended.
        let before = Stat { started: 1, parent: pid, ..tree::process(own).unwrap() };
        family.members.insert(own, before);
        family.look(family.search.forks());
        assert!(!family.pids().any(|it| it == own));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn new_members_are_looked_for_where_something_was_started() {
        let own = std::process::id().cast_signed();
        let mut family = Family::of(&[own]);
        family.look(Some(7));
        family.search.all_are_due(false);
        let mut child = sleeper();
        let pid = child.id().cast_signed();
        assert!(!family.look(Some(7)).joined.contains(&pid));
        assert!(!family.pids().any(|it| it == pid) && family.everybody().contains(&pid));
        assert!(family.look(Some(8)).joined.contains(&pid));
        assert!(family.pids().any(|it| it == pid));
        // It is below another one of these, and no head.
        assert_eq!(Family::of(&[own, pid]).heads.len(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_guard_is_no_part_of_the_service() {
        let own = std::process::id().cast_signed();
        let (service, guarded) = (Family::of(&[own]), Family::guarded(own));
        assert!(service.members().any(|pid| pid == own) && !guarded.members().any(|pid| pid == own));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_uses_time() {
        let own = std::process::id().cast_signed();
        let mut family = Family::of(&[own]);
        assert!(family.pids().any(|pid| pid == own));
        let end = Instant::now() + Duration::from_secs(20);
        let mut cpu = Duration::ZERO;
        while cpu.is_zero() && Instant::now() < end {
            cpu += family.look(None).cpu;
        }
        assert!(cpu > Duration::ZERO);
    }
}
