//! That no run is lost on its way, and none comes twice.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::baseline::folder::Folder;
use crate::plan::rules::BaselineRules;
use crate::result::fixture::small;

static RUN: LazyLock<Run> = LazyLock::new(|| Run {
    scenario: Some("browse".into()),
    environment: Some("here".into()),
    ..Run::of(&small(), None)
});

const HERE: &str = "baselines/browse.here";
const ELSEWHERE: &str = "other/checkout.there";

/// The home of [`HERE`]; of [`ELSEWHERE`] the configuration says nothing.
fn homes(keep_runs: usize) -> Vec<Home> {
    let folder = Folder::of("baselines".as_ref(), "browse", "here");
    let rules = BaselineRules { keep_runs, ..BaselineRules::default() };
    vec![Home { path: HERE.into(), name: "browse on here".into(), rules, folder }]
}

fn name(index: u8) -> String {
    format!("run-202611{:02}T101500Z-0000000{}", index + 1, index % 10)
}

fn spot(folder: &str, index: u8) -> Spot {
    Spot { folder: folder.to_owned(), name: name(index) }
}

fn waiting(folder: &str, index: u8) -> Waiting {
    let document = Document::Run(Box::new(RUN.clone()));
    Waiting { spot: spot(folder, index), sha: format!("git's name of {index}"), document }
}

fn pending(waiting: Vec<Waiting>, withdrawn: &[Spot]) -> Pending {
    Pending { waiting, withdrawn: withdrawn.iter().cloned().collect(), ..Pending::default() }
}

fn new(index: u8) -> New {
    New { spot: spot(HERE, index), run: RUN.clone(), text: format!("the text of {index}") }
}

fn base(runs: impl IntoIterator<Item = u8>) -> Base {
    let mut baseline = Baseline::default();
    for index in runs {
        baseline.insert(&name(index), Document::Run(Box::new(RUN.clone())));
    }
    Base::from([(HERE.to_owned(), baseline)])
}

#[test]
fn what_is_new_and_what_waits_come_together() {
    let pending = pending(vec![waiting(HERE, 3), waiting(ELSEWHERE, 9)], &[spot(HERE, 0)]);
    let change = Change::of(&homes(20), &base(0..3), &pending, &[new(2), new(4)]);
    let added: Vec<_> = change.added.iter().map(|(spot, content)| (spot.clone(), content.clone())).collect();
    assert_eq!(
        added,
        [
            (spot(HERE, 3), Content::Known("git's name of 3".into())),
            (spot(HERE, 4), Content::Text("the text of 4".into())),
            (spot(ELSEWHERE, 9), Content::Known("git's name of 9".into())),
        ]
    );
    assert_eq!(change.removed, BTreeSet::from([spot(HERE, 0)]));
    let told = change.altered.iter().map(|it| (it.name.as_str(), it.rules.is_some(), it.runs().count()));
    let told: Vec<_> = told.collect();
    assert_eq!(told, [("browse on here", true, 2), (ELSEWHERE, false, 1)]);
    assert!(!change.is_on(&pending));
}

#[test]
fn what_the_branch_holds_already_is_no_change_of_it() {
    let pending = pending(vec![waiting(HERE, 3)], &[]);
    let again = Change::of(&homes(20), &base(0..3), &pending, &[new(3), new(0)]);
    assert!(again.is_on(&pending) && again.added.len() == 1);
    let pruned = Change::of(&homes(3), &base(0..3), &pending, &[]);
    assert!(!pruned.is_on(&pending), "one must go that the branch still has");
    assert_eq!(pruned.removed, BTreeSet::from([spot(HERE, 0)]));
    let strange = Pending { strange: vec!["something".into()], ..pending };
    assert!(!again.is_on(&strange), "what does not belong there is to go");
}

#[test]
fn nothing_is_altered_where_everything_is_there() {
    assert_eq!(Change::of(&homes(20), &base(0..3), &Pending::default(), &[new(1)]), Change::default());
    assert_eq!(Change::of(&homes(20), &Base::new(), &Pending::default(), &[]), Change::default());
    // One that is older than all that are kept comes and goes at once.
    let change = Change::of(&homes(3), &base(1..4), &Pending::default(), &[new(0)]);
    assert_eq!(change, Change::default());
}

proptest! {
    #[test]
    fn every_run_is_on_the_base_or_comes_or_was_too_many(
        there in prop::collection::btree_set(0_u8..20, 0..20),
        waits in prop::collection::btree_set(0_u8..20, 0..20),
        comes in prop::collection::btree_set(0_u8..20, 0..5),
        keep in 3_usize..25,
    ) {
        // What is on the base does not wait.
        let waits: Vec<u8> = waits.difference(&there).copied().collect();
        let pending = pending(waits.iter().map(|index| waiting(HERE, *index)).collect(), &[]);
        let new: Vec<New> = comes.iter().map(|index| new(*index)).collect();
        let change = Change::of(&homes(keep), &base(there.iter().copied()), &pending, &new);
        let spots = |all: &BTreeSet<u8>| -> BTreeSet<Spot> { all.iter().map(|it| spot(HERE, *it)).collect() };
        let there = spots(&there);
        let added: BTreeSet<Spot> = change.added.keys().cloned().collect();
        prop_assert!(added.is_disjoint(&there) && change.removed.is_subset(&there));
        let after: BTreeSet<Spot> = there.union(&added).filter(|it| !change.removed.contains(*it)).cloned().collect();
        let touched = !waits.is_empty() || !comes.is_empty();
        let all: BTreeSet<Spot> =
            there.iter().cloned().chain(waits.iter().map(|it| spot(HERE, *it))).chain(spots(&comes)).collect();
        let most = if touched { all.len().min(keep) } else { there.len() };
        prop_assert_eq!(after.len(), most);
        prop_assert!(after.is_subset(&all));
    }
}
