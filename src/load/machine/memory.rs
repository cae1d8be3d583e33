//! How much memory this process may use: that of the machine, less where a control group or a limit of the process
//! says so. Elsewhere than on Linux nothing is known.

use std::fs;
use std::path::{Path, PathBuf};

use rlimit::Resource;

use super::text;

const ROOT: &str = "/sys/fs/cgroup";

/// Bytes of memory that this process may use; none where nothing is known.
pub fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = limit(&own, |path| fs::read_to_string(path).ok());
    let address_space = Resource::AS.get_soft().ok().filter(|bytes| *bytes != rlimit::INFINITY);
    [machine, groups, address_space].into_iter().flatten().min()
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the groups that a process is in, and of those that they are in; `max` is none. Version 1 says
/// a number near 2^63 for none, which is more than any machine has.
fn limit(cgroup: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let folders = text::group_folders(cgroup).into_iter().map(PathBuf::from);
    let memory = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let memory = memory.map(|group| PathBuf::from(format!("{ROOT}/memory{group}")));
    let all: Vec<PathBuf> = folders.chain(memory).chain([format!("{ROOT}/memory").into()]).collect();
    let above = all.iter().flat_map(|folder| folder.ancestors().take_while(|it| it.starts_with(ROOT)));
    above
        .flat_map(|folder| ["memory.max", "memory.limit_in_bytes"].map(|name| folder.join(name)))
        .filter_map(|file| read(&file)?.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read_in_bytes() {
        assert_eq!(total("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_lowest_limit_of_all_groups_counts() {
        let files = |known: &'static [(&str, &str)]| {
            move |path: &Path| {
                let found = known.iter().find(|(name, _)| Path::new(name) == path);
                found.map(|(_, text)| (*text).to_owned())
            }
        };
        let new = files(&[
            ("/sys/fs/cgroup/pod/loadgate/memory.max", "max\n"),
            ("/sys/fs/cgroup/pod/memory.max", "1000\n"),
        ]);
        assert_eq!(limit("0::/pod/loadgate\n", new), Some(1000));
        let old = files(&[("/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", "500\n")]);
        assert_eq!(limit("9:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n", old), Some(500));
        let inside = files(&[("/sys/fs/cgroup/memory.max", "700\n")]);
        assert_eq!(limit("0::/\n", inside), Some(700));
        assert_eq!(limit("0::/\n", files(&[])), None);
    }
}
