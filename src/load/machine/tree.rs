//! A process and all that descend from it, and what they use, from `/proc`. Elsewhere than on Linux the
//! tree is empty.
//!
//! How much CPU a tree used is more than the sum over its processes. One that ended is gone, and its time is
//! with the parent that waited for it: what the living have collected counts as well, less what was already
//! counted while the dead still lived. A number of a process may be used again: it is the same one only with
//! the same start. A process whose parent ended belongs to the tree all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use crate::clock;

/// What a tree of processes uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time since the start, ended processes included.
    pub cpu: Duration,
    /// Resident memory now, in bytes; shared pages count once a process.
    pub rss: u64,
}

/// The fields of `/proc/PID/stat` that are used here; times in clock ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub pid: i32,
    /// That of its parent.
    pub parent: i32,
    /// That of its process group.
    pub group: i32,
    /// The name of its program, cut to 15 bytes.
    pub name: String,
    /// User and system time of the process itself.
    own_ticks: u64,
    /// The same of the children it has collected.
    collected_ticks: u64,
    /// When it began, since the start of the machine.
    started: u64,
    /// Whether it wants to hear nothing of children that end: then nobody gets their time.
    collects: Collects,
}

/// What becomes of the time of children that end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collects {
    /// The parent collects it.
    Time,
    /// It is lost: the parent ignores their end.
    Nothing,
}

impl Stat {
    /// User and system time of the process itself, in clock ticks.
    pub(super) fn own_ticks(&self) -> u64 {
        self.own_ticks
    }
}

/// Every process that descends from `root`, which is not part of it.
pub fn descendants(root: i32) -> Vec<Stat> {
    below(root, processes())
}

/// A process; none that is not there.
pub fn process(pid: i32) -> Option<Stat> {
    stat(pid)
}

/// What the processes below `root` use and used; `root` itself does not count.
pub fn usage(root: i32) -> Usage {
    let below = descendants(root);
    let alive: u64 = below.iter().map(|process| process.own_ticks + process.collected_ticks).sum();
    let collected = stat(root).map_or(0, |root| root.collected_ticks);
    Usage {
        cpu: ticks(alive + collected),
        rss: below.iter().filter_map(|process| resident_pages(process.pid)).sum::<u64>() * page_size(),
    }
}

/// The numbers of all processes that can be seen.
pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn processes() -> Vec<Stat> {
    pids().into_iter().filter_map(stat).collect()
}

fn stat(pid: i32) -> Option<Stat> {
    // A process may be named in any bytes.
    parse_stat(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

fn resident_pages(pid: i32) -> Option<u64> {
    parse_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)
}

/// Some processes and all that descend from them, looked at again and again.
#[derive(Debug)]
pub struct Family {
    roots: Vec<i32>,
    members: BTreeMap<i32, Member>,
    /// When new members were looked for, by the clock of the machine's start and by ours, and how long it took.
    searched: (u64, Instant, Duration),
}

/// What was last seen of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    started: u64,
    own: u64,
    collected: u64,
}

/// What a family did since the last look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// CPU time used.
    pub cpu: Duration,
    /// One of them of whose children nobody gets the time, by name.
    pub unaccounted: Option<String>,
}

/// Searching all processes for new members takes at most this share of the time.
const SEARCH_SHARE: u32 = 200;

impl Family {
    /// A family with these at its head.
    pub fn of(roots: Vec<i32>) -> Self {
        let mut family =
            Self { roots, members: BTreeMap::new(), searched: (0, clock::now(), Duration::ZERO) };
        let all = family.search();
        family.members = all.iter().map(|stat| (stat.pid, Member::of(stat))).collect();
        family
    }

    /// The numbers of all members that were there at the last look, those at its head among them.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.members.keys().copied()
    }

    /// Those that are not at its head; where there are no others, those at its head.
    pub fn members(&self) -> impl Iterator<Item = i32> + '_ {
        let alone = self.members.len() <= self.roots.len();
        self.pids().filter(move |pid| alone || !self.roots.contains(pid))
    }

    /// Looks at all of them.
    pub fn look(&mut self) -> Look {
        let (since, at, took) = self.searched;
        let found = if at.elapsed() >= took * SEARCH_SHARE { self.search() } else { Vec::new() };
        let mut now: BTreeMap<i32, Stat> = found.into_iter().map(|stat| (stat.pid, stat)).collect();
        // Whoever was not found may have another parent by now.
        for pid in self.members.keys() {
            if !now.contains_key(pid)
                && let Some(stat) = stat(*pid)
            {
                now.insert(*pid, stat);
            }
        }
        now.retain(|pid, stat| {
            self.members.get(pid).is_none_or(|it| it.started == stat.started) || stat.started >= since
        });
        let unaccounted = now.values().find(|it| it.collects == Collects::Nothing).map(|it| it.name.clone());
        let now: BTreeMap<i32, Member> = now.values().map(|stat| (stat.pid, Member::of(stat))).collect();
        let used = used(&self.members, &now, since);
        self.members = now;
        Look { cpu: ticks(used), unaccounted }
    }

    /// All members there are now, by their parents.
    fn search(&mut self) -> Vec<Stat> {
        let begun = clock::now();
        let since = now_ticks();
        let all = processes();
        let mut found: Vec<Stat> = self.roots.iter().filter_map(|root| stat(*root)).collect();
        for root in &self.roots {
            found.extend(below(*root, all.clone()));
        }
        self.searched = (since, clock::now(), begun.elapsed());
        found
    }
}

impl Member {
    fn of(stat: &Stat) -> Self {
        Self { started: stat.started, own: stat.own_ticks, collected: stat.collected_ticks }
    }
}

/// The ticks that were used between two looks. One that is new and began before `since` was there before, only
/// not in the family: what it used until now is not known to be new.
fn used(before: &BTreeMap<i32, Member>, now: &BTreeMap<i32, Member>, since: u64) -> u64 {
    let (mut own, mut collected, mut known) = (0, 0, 0);
    let same = |pid: &i32, it: &Member| before.get(pid).filter(|old| old.started == it.started).copied();
    for (pid, it) in now {
        match same(pid, it) {
            Some(old) => {
                own += it.own.saturating_sub(old.own);
                collected += it.collected.saturating_sub(old.collected);
            }
            None if it.started >= since => {
                own += it.own;
                collected += it.collected;
            }
            None => {}
        }
    }
    for (pid, old) in before {
        if now.get(pid).is_none_or(|it| it.started != old.started) {
            known += old.own + old.collected;
        }
    }
    own + collected.saturating_sub(known)
}

fn below(root: i32, mut others: Vec<Stat>) -> Vec<Stat> {
    let mut found = Vec::new();
    let mut parents = BTreeSet::from([root]);
    while !parents.is_empty() {
        let children: Vec<Stat> = others
            .extract_if(.., |process| parents.contains(&process.parent) && process.pid != root)
            .collect();
        parents = children.iter().map(|process| process.pid).collect();
        found.extend(children);
    }
    found
}

/// The name, in parentheses, may hold blanks and parentheses itself: fields are counted from the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (head, tail) = text.rsplit_once(')')?;
    let (pid, name) = head.split_once(" (")?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of proc(5).
    let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // SIGCHLD is 17 on every architecture but MIPS.
    let ignores_children = ticks(33).is_some_and(|ignored| ignored & (1 << 16) != 0);
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        name: name.to_owned(),
        own_ticks: ticks(14)? + ticks(15)?,
        collected_ticks: ticks(16)? + ticks(17)?,
        started: ticks(22)?,
        collects: if ignores_children { Collects::Nothing } else { Collects::Time },
    })
}

/// Pages in memory: the second number.
fn parse_statm(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The time since the start of the machine, in ticks.
#[cfg(target_os = "linux")]
fn now_ticks() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let per_second = rustix::param::clock_ticks_per_second();
    time.tv_sec.unsigned_abs() * per_second + time.tv_nsec.unsigned_abs() * per_second / 1_000_000_000
}

#[cfg(not(target_os = "linux"))]
fn now_ticks() -> u64 {
    0
}

#[cfg(target_os = "linux")]
pub(super) fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ticks(_count: u64) -> Duration {
    Duration::ZERO
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "4321 (web (v2) x) S 17 4321 4320 0 -1 4194560 1 0 0 0 250 50 30 7 20 0 4 0 99 1 2 3 4 5 6 \
        7 8 9 0 65536 17 0";

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let expected = Stat {
            pid: 4321,
            parent: 17,
            group: 4321,
            name: "web (v2) x".into(),
            own_ticks: 300,
            collected_ticks: 37,
            started: 99,
            collects: Collects::Nothing,
        };
        assert_eq!(parse_stat(LINE), Some(expected));
        let hearing = LINE.replace(" 65536 ", " 4096 ");
        assert_eq!(parse_stat(&hearing).map(|it| it.collects), Some(Collects::Time));
    }

    #[test]
    fn a_cut_line_is_no_process() {
        for line in ["", "4321", "4321 (web", "4321 (web) S 17 4321 4320 0 -1"] {
            assert_eq!(parse_stat(line), None, "{line}");
        }
        assert_eq!(parse_statm("900 120 30 4 0 5 0\n"), Some(120));
        assert_eq!(parse_statm("900"), None);
    }

    #[test]
    fn descendants_are_found_through_any_number_of_generations() {
        let process = |pid, parent| Stat { pid, parent, ..parse_stat(LINE).unwrap() };
        let all = vec![process(5, 4), process(2, 1), process(4, 2), process(3, 9), process(1, 0)];
        let pids: Vec<i32> = below(1, all).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [2, 4, 5]);
    }

    fn family(members: &[(i32, u64, u64, u64)]) -> BTreeMap<i32, Member> {
        members
            .iter()
            .map(|(pid, started, own, collected)| {
                (*pid, Member { started: *started, own: *own, collected: *collected })
            })
            .collect()
    }

    #[test]
    fn the_time_of_a_child_that_ended_is_counted_once() {
        let before = family(&[(1, 5, 100, 0), (2, 6, 40, 0)]);
        // The child used 8 more ticks before it ended, and its parent collected all 48 of it.
        assert_eq!(used(&before, &family(&[(1, 5, 103, 48)]), 50), 3 + 8);
        // A child that came and went between two looks.
        assert_eq!(used(&before, &family(&[(1, 5, 100, 9), (2, 6, 40, 0)]), 50), 9);
        // Nobody collected it: what it used is lost, and nothing is counted below zero.
        assert_eq!(used(&before, &family(&[(1, 5, 103, 0)]), 50), 3);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let before = family(&[(1, 5, 100, 0), (2, 6, 40, 0)]);
        let after = family(&[(1, 5, 100, 40), (2, 60, 7, 0)]);
        assert_eq!(used(&before, &after, 50), 7);
    }

    #[test]
    fn one_that_was_there_before_and_joins_brings_nothing_with_it() {
        let before = family(&[(1, 5, 100, 0)]);
        assert_eq!(used(&before, &family(&[(1, 5, 100, 0), (9, 3, 5_000, 70)]), 50), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_uses_memory_and_time() {
        let own = std::process::id().cast_signed();
        let parent = stat(own).expect("own stat").parent;
        assert!(usage(parent).rss > 0);
        let mut family = Family::of(vec![own]);
        assert!(family.pids().any(|pid| pid == own));
        let end = Instant::now() + Duration::from_secs(20);
        let mut cpu = Duration::ZERO;
        while cpu.is_zero() && Instant::now() < end {
            cpu += family.look().cpu;
        }
        assert!(cpu > Duration::ZERO);
    }
}
