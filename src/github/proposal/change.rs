//! What a proposal changes: which files come, which go, and what each baseline is before and after. A pure
//! decision.

use std::collections::{BTreeMap, BTreeSet};

use super::Home;
use super::pending::{Pending, Spot, Waiting};
use crate::baseline::file::Document;
use crate::baseline::run::Run;
use crate::baseline::{Baseline, prune};
use crate::report::proposal::Altered;

/// What a file that comes holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// This text.
    Text(String),
    /// What git knows by this name.
    Known(String),
}

/// A run that was just remembered, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct New {
    pub(super) spot: Spot,
    pub(super) run: Run,
    /// As it is written.
    pub(super) text: String,
}

/// Everything that is to be on the branch beside the base.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// The files that come.
    pub(super) added: BTreeMap<Spot, Content>,
    /// Those that go.
    pub(super) removed: BTreeSet<Spot>,
    /// The same as people see it.
    pub(super) altered: Vec<Altered>,
}

/// What is on the base, by folder.
pub(super) type Base = BTreeMap<String, Baseline>;

/// The folders that something comes to or goes from.
pub(super) fn folders<'a>(pending: &'a Pending, new: &'a [New]) -> BTreeSet<&'a str> {
    let waiting = pending.waiting.iter().map(|it| &it.spot);
    let spots = waiting.chain(&pending.withdrawn).chain(new.iter().map(|it| &it.spot));
    spots.map(|spot| spot.folder.as_str()).collect()
}

impl Change {
    /// The change that brings what is new together with what waits.
    pub(super) fn of(homes: &[Home], base: &Base, pending: &Pending, new: &[New]) -> Self {
        let mut change = Self::default();
        for folder in folders(pending, new) {
            let home = homes.iter().find(|home| home.path == folder);
            change.alter(folder, home, (base.get(folder), pending, new));
        }
        change
    }

    /// Whether it is what the branch holds already.
    pub(super) fn is_on(&self, pending: &Pending) -> bool {
        let waiting: BTreeSet<&Spot> = pending.waiting.iter().map(|it| &it.spot).collect();
        pending.is_clean()
            && self.added.keys().collect::<BTreeSet<_>>() == waiting
            && self.removed == pending.withdrawn
    }

    fn alter(
        &mut self,
        folder: &str,
        home: Option<&Home>,
        (base, pending, new): (Option<&Baseline>, &Pending, &[New]),
    ) {
        let key = home.and_then(|home| home.folder.key());
        let mut before = base.cloned().unwrap_or_default();
        if let Some(key) = key {
            before.keep_only(key);
        }
        let mut after = before.clone();
        let withdrawn: BTreeSet<&str> =
            pending.withdrawn.iter().filter_map(|spot| spot.name_in(folder)).collect();
        for name in &withdrawn {
            after.remove(name);
        }
        let mut contents = BTreeMap::new();
        for Waiting { spot, sha, document } in &pending.waiting {
            let Some(name) = spot.name_in(folder) else { continue };
            after.insert(name, document.clone());
            contents.insert(name, Content::Known(sha.clone()));
        }
        for New { spot, run, text } in new {
            let Some(name) = spot.name_in(folder) else { continue };
            after.insert(name, Document::Run(Box::new(run.clone())));
            contents.entry(name).or_insert_with(|| Content::Text(text.clone()));
        }
        if let Some(key) = key {
            after.keep_only(key);
        }
        let keep_runs = home.map_or(usize::MAX, |home| home.rules.keep_runs);
        for name in prune::surplus(&after.runs, keep_runs) {
            after.remove(&name);
        }
        self.note(folder, contents, (&before, &after, &withdrawn));
        self.tell(folder, home, (before, after));
    }

    /// Writes down which files come and which go.
    fn note(
        &mut self,
        folder: &str,
        mut contents: BTreeMap<&str, Content>,
        (before, after, withdrawn): (&Baseline, &Baseline, &BTreeSet<&str>),
    ) {
        let spot = |name: &str| Spot { folder: folder.to_owned(), name: name.to_owned() };
        let (was, is) = (before.names(), after.names());
        contents.retain(|name, _| is.contains(name) && !was.contains(name));
        self.added.extend(contents.into_iter().map(|(name, content)| (spot(name), content)));
        let gone = was.union(withdrawn).filter(|name| !is.contains(*name));
        self.removed.extend(gone.map(|name| spot(name)));
    }

    /// The same for people.
    fn tell(&mut self, folder: &str, home: Option<&Home>, (before, after): (Baseline, Baseline)) {
        let gone = self.removed.iter().filter_map(|spot| spot.name_in(folder));
        let removed: Vec<String> = gone.map(str::to_owned).collect();
        if before != after || !removed.is_empty() {
            let name = home.map_or_else(|| folder.to_owned(), |home| home.name.clone());
            let rules = home.map(|home| home.rules.clone());
            self.altered.push(Altered { name, rules, before, after, removed });
        }
    }
}

#[cfg(test)]
mod tests;
