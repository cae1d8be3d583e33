//! The control groups that may hold loadgate back: its own and those that one is in, of which any may have a quota.
//!
//! A quota that holds for the service as well excuses nothing: the service may have used it up itself. So where the
//! processes of the service are known, the groups that one of them is in, or below, are left out.

use std::fs;
use std::path::{Path, PathBuf};

use super::text;

const ROOT: &str = "/sys/fs/cgroup";

/// Groups of loadgate.
#[derive(Debug)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// Whether what they say may be said of the service as well.
    shared: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Group {
    folder: PathBuf,
    holds_service: bool,
}

/// Periods in which each group was throttled, and all of its periods.
pub(super) type Throttled = Vec<Option<[u64; 2]>>;

impl Groups {
    /// Those of this process. Without a service on this machine they are loadgate's alone; where nobody knows which
    /// processes the service is, it may be in each of them.
    pub(super) fn begin(service: Where<'_>) -> Self {
        let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::of(&cgroup, service, Path::exists)
    }

    fn of(cgroup: &str, service: Where<'_>, exists: impl Fn(&Path) -> bool) -> Self {
        let folders = text::group_folders(cgroup).into_iter().map(PathBuf::from);
        let own = folders.into_iter().find(|folder| exists(&folder.join("cpu.stat")));
        let above = own.iter().flat_map(|own| own.ancestors().take_while(|it| it.starts_with(ROOT)));
        let all = above.filter(|folder| exists(&folder.join("cpu.stat")));
        let all = all.map(|folder| Group { folder: folder.to_owned(), holds_service: false }).collect();
        let mut groups = Self { all, shared: false };
        match service {
            Where::Elsewhere => {}
            Where::Unknown => groups.shared = true,
            Where::In(cgroups) => {
                for cgroup in cgroups {
                    groups.mark(cgroup);
                }
                let seen = !cgroups.is_empty();
                groups.shared = !seen || groups.all.iter().all(|group| group.holds_service);
            }
        }
        groups
    }

    /// A process of the service is in this group, by its `/proc/PID/cgroup`. Where that was not so before, nobody
    /// knows since when.
    pub(super) fn holds(&mut self, cgroup: &str) {
        let before = self.left_out();
        self.mark(cgroup);
        self.shared |= self.left_out() > before;
    }

    fn mark(&mut self, cgroup: &str) {
        for folder in text::group_folders(cgroup) {
            for group in &mut self.all {
                group.holds_service |= Path::new(&folder).starts_with(&group.folder);
            }
        }
    }

    fn left_out(&self) -> usize {
        self.all.iter().filter(|group| group.holds_service).count()
    }

    /// Whether what holds loadgate back may hold the service back as well.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The counters of all of them.
    pub(super) fn read(&self) -> Throttled {
        let read = |group: &Group| text::throttled(&fs::read_to_string(group.folder.join("cpu.stat")).ok()?);
        self.all.iter().map(read).collect()
    }

    /// Periods in which loadgate was held back between two readings, and all periods: of the group that was held back
    /// most, of those that are loadgate's alone where there are such.
    pub(super) fn most_throttled(&self, last: &Throttled, now: &Throttled) -> Option<[f64; 2]> {
        let alone = self.all.iter().any(|group| !group.holds_service);
        let counted = |group: &Group| !alone || !group.holds_service;
        let pairs = self.all.iter().zip(last.iter().zip(now)).filter(|(group, _)| counted(group));
        let passed = pairs.filter_map(|(_, (last, now))| {
            let ([throttled, periods], [last_throttled, last_periods]) = ((*now)?, (*last)?);
            Some([throttled.saturating_sub(last_throttled), periods.saturating_sub(last_periods)])
        });
        passed.max_by_key(|it| it[0]).map(|it| it.map(|count| count as f64))
    }
}

/// Where the service is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Where<'a> {
    /// On another machine.
    Elsewhere,
    /// Nobody knows.
    Unknown,
    /// In these groups, each the text of a `/proc/PID/cgroup`.
    In(&'a [String]),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All groups are there.
    fn groups(own: &str, service: &[&str]) -> Groups {
        let service: Vec<String> = service.iter().map(|it| (*it).to_owned()).collect();
        Groups::of(own, Where::In(&service), |_| true)
    }

    fn alone(groups: &Groups) -> Vec<&str> {
        let alone = groups.all.iter().filter(|group| !group.holds_service);
        alone.map(|group| group.folder.to_str().unwrap()).collect()
    }

    #[test]
    fn a_group_above_that_holds_the_service_as_well_is_left_out() {
        // A pod of two containers, each with its own group.
        let pod = groups("0::/pod7/loadgate\n", &["0::/pod7/service\n"]);
        let folder = "/sys/fs/cgroup/unified/pod7/loadgate";
        assert_eq!((alone(&pod), pod.is_shared()), (vec![folder], false));
        let same = groups("0::/pod7/loadgate\n", &["0::/pod7/service\n", "0::/pod7/loadgate/below\n"]);
        assert_eq!((alone(&same), same.is_shared()), (vec![], true));
        let old = groups("4:cpu,cpuacct:/docker/ab\n", &["4:cpu,cpuacct:/docker/cd\n"]);
        assert_eq!(alone(&old), ["/sys/fs/cgroup/cpu,cpuacct/docker/ab"]);
        // As seen from inside of the container that both are in.
        let inside = groups("0::/\n", &["0::/\n"]);
        assert!(inside.is_shared() && !inside.all.is_empty());
    }

    #[test]
    fn only_groups_of_loadgate_alone_tell_of_throttling_where_there_are_such() {
        let pod = groups("0::/pod7/loadgate\n", &["0::/pod7/service\n"]);
        let (last, now) = (vec![Some([0, 10]); 4], vec![Some([1, 20]), Some([9, 20]), None, None]);
        assert_eq!(pod.most_throttled(&last, &now), Some([1.0, 10.0]));
        let same = groups("0::/pod7\n", &["0::/pod7\n"]);
        assert_eq!(same.most_throttled(&last, &now), Some([9.0, 10.0]));
        assert_eq!(same.most_throttled(&Vec::new(), &Vec::new()), None);
    }

    #[test]
    fn a_group_that_the_service_joins_may_have_held_it_back_before() {
        let mut pod = groups("0::/pod7/loadgate\n", &["0::/pod7/service\n"]);
        pod.holds("0::/pod7/service\n");
        assert!(!pod.is_shared());
        pod.holds("0::/pod7/loadgate\n");
        assert!(pod.is_shared());
    }

    #[test]
    fn where_nobody_knows_the_service_any_group_may_hold_it() {
        let of = |service| Groups::of("0::/a\n", service, |_| true).is_shared();
        assert_eq!((of(Where::Unknown), of(Where::In(&[])), of(Where::Elsewhere)), (true, true, false));
        assert!(!Groups::of("0::/a\n", Where::Elsewhere, |_| false).all.iter().any(|_| true));
    }
}
