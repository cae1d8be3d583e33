//! Which remembered runs are too many. A pure decision: nothing is deleted here.

use std::collections::BTreeMap;

use super::run::Run;

/// Runs that are kept although they are the oldest: without them a slow drift could not be seen.
pub const ANCHORS: usize = 5;
/// From so many runs on there is room for those, and something to tell from them.
pub const ROOM_FOR_ANCHORS: usize = 10;

/// The names of the runs that go, so that each class of machines has at most `keep` in each epoch: first
/// those of another plan than the newest, then the oldest behind the first five.
pub fn surplus<'a>(runs: impl IntoIterator<Item = (&'a String, &'a Run)>, keep: usize) -> Vec<String> {
    let mut groups: BTreeMap<_, Vec<(&str, &Run)>> = BTreeMap::new();
    for (name, run) in runs {
        groups.entry((&run.cpu_class, &run.epoch)).or_default().push((name, run));
    }
    let mut names: Vec<String> = groups.values().flat_map(|group| of_group(group, keep)).collect();
    names.sort();
    names
}

/// The group is of one class and epoch, the oldest first.
fn of_group(group: &[(&str, &Run)], keep: usize) -> Vec<String> {
    let excess = group.len().saturating_sub(keep);
    let newest = group.last().map(|(_, run)| run.plan_digest.as_str());
    let (same, other): (Vec<_>, Vec<_>) =
        group.iter().partition(|(_, run)| Some(run.plan_digest.as_str()) == newest);
    let anchors = if keep >= ROOM_FOR_ANCHORS { ANCHORS } else { 0 };
    let order = other.iter().chain(same.iter().skip(anchors));
    order.take(excess).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;
    use proptest::prelude::*;

    /// A run an entry: class, epoch, plan; named in order.
    fn runs(written: &[(u8, u8, u8)]) -> BTreeMap<String, Run> {
        let run = Run::of(&fixture::small(), None);
        let one = |(index, (class, epoch, plan)): (usize, &(u8, u8, u8))| {
            let run = Run {
                cpu_class: class.to_string(),
                epoch: (*epoch > 0).then(|| epoch.to_string()),
                plan_digest: plan.to_string(),
                ..run.clone()
            };
            (format!("{index:03}"), run)
        };
        written.iter().enumerate().map(one).collect()
    }

    fn gone(plans: &[u8], keep: usize) -> String {
        let written: Vec<_> = plans.iter().map(|plan| (1, 0, *plan)).collect();
        let names = surplus(&runs(&written), keep);
        names.iter().map(|name| name.trim_start_matches('0')).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_goes_is_of_another_plan_or_old_and_no_anchor() {
        let twelve = [1; 12];
        for (plans, keep, expected) in [
            (&[1, 1, 1][..], 3, ""),
            // Too few are kept for anchors: plainly the oldest.
            (&twelve, 9, " 1 2"),
            // 0 to 4 stay.
            (&twelve, 10, "5 6"),
            (&twelve, 11, "5"),
            (&twelve, 12, ""),
            // The newest run is of plan 1: 0 and 2 are not, and go first.
            (&[2, 1, 3, 1, 1], 4, ""),
            (&[2, 1, 3, 1, 1], 3, " 2"),
            (&[2, 1, 3, 1, 1], 2, " 1 2"),
            // A new plan: the old ones go as it comes.
            (&[1, 1, 1, 2], 3, ""),
        ] {
            assert_eq!(gone(plans, keep), expected, "{plans:?}, {keep} are kept");
        }
    }

    #[test]
    fn classes_and_epochs_are_counted_apart() {
        let written = [(1, 0, 1), (2, 0, 1), (1, 0, 1), (1, 1, 1), (2, 0, 1), (1, 0, 1), (1, 1, 1)];
        assert_eq!(surplus(&runs(&written), 2), ["000"]);
        assert_eq!(surplus(&runs(&written), 1), ["000", "001", "002", "003"]);
    }

    proptest! {
        #[test]
        fn every_group_keeps_what_it_may_and_its_newest(
            written in prop::collection::vec((0_u8..3, 0_u8..2, 0_u8..3), 0..80),
            keep in 3_usize..20,
        ) {
            let before = runs(&written);
            let mut after = before.clone();
            for name in surplus(&before, keep) {
                prop_assert!(after.remove(&name).is_some());
            }
            prop_assert_eq!(surplus(&after, keep), Vec::<String>::new());
            let group = |runs: &BTreeMap<String, Run>, of: &Run| -> Vec<String> {
                let same = runs.iter().filter(|(_, it)| (&it.cpu_class, &it.epoch) == (&of.cpu_class, &of.epoch));
                same.map(|(name, _)| name.clone()).collect()
            };
            for run in before.values() {
                let (was, is) = (group(&before, run), group(&after, run));
                prop_assert_eq!(is.len(), was.len().min(keep));
                prop_assert_eq!(is.last(), was.last());
            }
        }
    }
}
