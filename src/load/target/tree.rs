//! A process and all that descend from it, and what they use, from `/proc`. Elsewhere than on Linux the
//! tree is empty.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// What a tree of processes uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time since the start, ended processes included.
    pub cpu: Duration,
    /// Resident memory now, in bytes; shared pages count once a process.
    pub rss: u64,
}

/// The fields of `/proc/PID/stat` that are used here; times in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// User and system time of the process itself.
    own_ticks: u64,
    /// The same of the children it has collected.
    collected_ticks: u64,
}

/// Every process that descends from `root`, which is not part of it.
pub(super) fn descendants(root: i32) -> Vec<Stat> {
    below(root, processes())
}

/// What the processes below `root` use and used; `root` itself does not count.
pub(super) fn usage(root: i32) -> Usage {
    let below = descendants(root);
    let alive: u64 = below.iter().map(|process| process.own_ticks + process.collected_ticks).sum();
    let collected = stat(root).map_or(0, |root| root.collected_ticks);
    Usage {
        cpu: ticks(alive + collected),
        rss: below.iter().filter_map(|process| resident_pages(process.pid)).sum::<u64>() * page_size(),
    }
}

fn processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.filter_map(stat).collect()
}

fn stat(pid: i32) -> Option<Stat> {
    // A process may be named in any bytes.
    parse_stat(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

fn resident_pages(pid: i32) -> Option<u64> {
    parse_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)
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
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of proc(5).
    let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        own_ticks: ticks(14)? + ticks(15)?,
        collected_ticks: ticks(16)? + ticks(17)?,
    })
}

/// Pages in memory: the second number.
fn parse_statm(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
fn ticks(_count: u64) -> Duration {
    Duration::ZERO
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "4321 (web (v2) x) S 17 4321 4320 0 -1 4194560 1 0 0 0 250 50 30 7 20 0 4 0 99 1 2 3";

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let expected = Stat { pid: 4321, parent: 17, group: 4321, own_ticks: 300, collected_ticks: 37 };
        assert_eq!(parse_stat(LINE), Some(expected));
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
        let process = |pid, parent| Stat { pid, parent, group: 1, own_ticks: 0, collected_ticks: 0 };
        let all = vec![process(5, 4), process(2, 1), process(4, 2), process(3, 9), process(1, 0)];
        let pids: Vec<i32> = below(1, all).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [2, 4, 5]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_uses_memory() {
        let parent = stat(std::process::id().cast_signed()).expect("own stat").parent;
        assert!(usage(parent).rss > 0);
    }
}
