//! The processes of this machine, from `/proc`. Elsewhere than on Linux there are none.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

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
    pub(super) own_ticks: u64,
    /// The same of the children it has collected.
    pub(super) collected_ticks: u64,
    /// Page faults of the process itself. Every process has some as soon as it runs.
    pub(super) own_faults: u64,
    /// Those of the children it has collected.
    pub(super) collected_faults: u64,
    /// When it began, since the start of the machine. With the number it tells a process from all others: a number
    /// alone is used again.
    pub(super) started: u64,
    /// What becomes of the time of children that end.
    pub(super) collects: Collects,
}

/// What becomes of the time of children that end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collects {
    /// It is added to that of the parent.
    Time,
    /// It is lost: the parent ignores their end (SIGCHLD).
    Nothing,
}

/// Every process that descends from `root`, which is not part of it.
pub fn descendants(root: i32) -> Vec<Stat> {
    below(&BTreeSet::from([root]), processes())
}

/// A process; none that is not there.
pub fn process(pid: i32) -> Option<Stat> {
    // A process may be named in any bytes.
    parse_stat(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// The numbers of all processes that can be seen.
pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub(super) fn processes() -> Vec<Stat> {
    pids().into_iter().filter_map(process).collect()
}

/// Those among `others` that descend from these processes.
pub(super) fn below(roots: &BTreeSet<i32>, mut others: Vec<Stat>) -> Vec<Stat> {
    let mut found = Vec::new();
    let mut parents = roots.clone();
    others.retain(|process| !roots.contains(&process.pid));
    while !parents.is_empty() {
        let children: Vec<Stat> =
            others.extract_if(.., |process| parents.contains(&process.parent)).collect();
        parents = children.iter().map(|process| process.pid).collect();
        found.extend(children);
    }
    found
}

/// The name, in parentheses, may hold blanks and parentheses itself: fields are counted from the last one.
pub(super) fn parse_stat(text: &str) -> Option<Stat> {
    let (head, tail) = text.rsplit_once(')')?;
    let (pid, name) = head.split_once(" (")?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of proc(5).
    let count = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // SIGCHLD is 17 on every architecture but MIPS.
    let ignores_children = count(33).is_some_and(|ignored| ignored & (1 << 16) != 0);
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        name: name.to_owned(),
        own_ticks: count(14)? + count(15)?,
        collected_ticks: count(16)? + count(17)?,
        own_faults: count(10)?,
        collected_faults: count(11)?,
        started: count(22)?,
        collects: if ignores_children { Collects::Nothing } else { Collects::Time },
    })
}

/// The time since the start of the machine, in ticks.
#[cfg(target_os = "linux")]
pub(super) fn now_ticks() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let per_second = rustix::param::clock_ticks_per_second();
    time.tv_sec.unsigned_abs() * per_second + time.tv_nsec.unsigned_abs() * per_second / 1_000_000_000
}

#[cfg(not(target_os = "linux"))]
pub(super) fn now_ticks() -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "4321 (web (v2) x) S 17 4321 4320 0 -1 4194560 21 8 0 0 250 50 30 7 20 0 4 0 99 1 2 3 4 5 6 \
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
            own_faults: 21,
            collected_faults: 8,
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
    }

    #[test]
    fn descendants_are_found_through_any_number_of_generations() {
        let process = |pid, parent| Stat { pid, parent, ..parse_stat(LINE).unwrap() };
        let all = vec![process(5, 4), process(2, 1), process(4, 2), process(3, 9), process(1, 0)];
        let of = |roots: &[i32]| {
            let found = below(&roots.iter().copied().collect(), all.clone());
            found.iter().map(|process| process.pid).collect::<Vec<i32>>()
        };
        assert_eq!((of(&[1]), of(&[1, 2, 9])), (vec![2, 4, 5], vec![4, 3, 5]));
    }
}
