//! A pull request that brings remembered runs into the repository: its title, and what it says of them and
//! of what they change. Pure; numbers and words are those of `baseline show`.

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::plan::rules::BaselineRules;

use super::baseline::{COLUMNS, Class, Description, MEANING, commit};
use super::comment::ROOM;
use super::markdown::escape::{cell, code, plain};
use super::markdown::section::{Importance, Section, joined_of};
use super::markdown::table::{below, table};
use super::number;
use super::text::{printable, shorten};

/// Characters of a title that name a baseline.
const LONGEST_NAME: usize = 100;
/// Runs that are listed.
const MOST_ROWS: usize = 100;
/// Where what is left out can be seen.
const FILES: &str = "the files of this pull request";

/// One baseline, as it is and as it would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Altered {
    /// Scenario and environment, in words.
    pub name: String,
    /// How its runs are compared; none where the configuration does not say.
    pub rules: Option<BaselineRules>,
    /// Without the proposal.
    pub before: Baseline,
    /// With it.
    pub after: Baseline,
    /// The files that go.
    pub removed: Vec<String>,
}

impl Altered {
    /// The runs that come, the oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.after.runs.iter().filter(|(name, _)| !self.before.runs.contains_key(*name)).map(|(_, run)| run)
    }

    /// Everything else that comes.
    fn others(&self) -> impl Iterator<Item = &String> {
        let epochs = self.after.epochs.keys().filter(|name| !self.before.epochs.contains_key(*name));
        epochs.chain(self.after.unknown.iter().filter(|name| !self.before.unknown.contains(name)))
    }
}

/// The title, which is also the first line of the commit: it mentions nobody and closes nothing.
pub fn title(altered: &[Altered]) -> String {
    let of = match altered.iter().filter(|it| it.runs().next().is_some()).collect::<Vec<_>>()[..] {
        [one] => shorten(&printable(&one.name), LONGEST_NAME),
        ref several => number::counted(several.len() as u64, "baseline"),
    };
    let of = of.replace('@', "@\u{200b}").replace('#', "#\u{200b}");
    format!("loadgate: baseline, {} of {of}", number::counted(count(altered), "run"))
}

/// How many runs come.
pub fn count(altered: &[Altered]) -> u64 {
    altered.iter().map(|it| it.runs().count() as u64).sum()
}

/// What the pull request says, below its first line.
pub fn body(altered: &[Altered], base: &str) -> String {
    let of = |importance, heading: &str, body| Section::new(importance, heading, body);
    let mut effects: Vec<_> = altered.iter().map(|it| (plain(&it.name), effect(it))).collect();
    // What the columns mean is said once.
    if let Some((_, first)) = effects.iter_mut().find(|(_, effect)| effect.contains("\n|")) {
        *first = below(std::mem::take(first), &format!("{}\n", MEANING.trim_end().replace('\n', " ")));
    }
    let effects = effects
        .into_iter()
        .map(|(name, effect)| of(Importance::Measured, &format!("What it does to {name}"), effect));
    let first = [
        of(Importance::Verdict, "Baseline", introduction(altered, base)),
        of(Importance::Judged, "Runs", runs(altered)),
    ];
    let last = [
        of(Importance::Measured, "Other files", others(altered)),
        of(Importance::Measured, "Removed", removed(altered)),
    ];
    let sections: Vec<_> = first.into_iter().chain(effects).chain(last).flatten().collect();
    joined_of(&sections, ROOM, FILES)
}

fn introduction(altered: &[Altered], base: &str) -> String {
    format!(
        "With this merged, `loadgate` remembers {} more on {}: later runs are compared with them, too.\n\n\
         To reject them, close this pull request without merging: its runs are not proposed again, and the next \
         update begins anew. To leave out a single run, delete its file on this branch. As long as it is open, \
         later updates add to it.\n",
        number::counted(count(altered), "run"),
        code(base)
    )
}

/// A row a run; of very many the first.
fn runs(altered: &[Altered]) -> String {
    let all = altered.iter().flat_map(|it| it.runs().map(move |run| (it, run)));
    let rows = all.take(MOST_ROWS).map(|(it, run)| {
        let sha = run.sha.as_deref().map_or_else(|| number::NOTHING.to_owned(), |sha| cell(commit(sha)));
        [cell(&it.name), plain(&number::moment(&run.time)), sha, cell(&run.cpu_class)]
    });
    let table = table(["baseline", "when", "commit", "CPU class"], 4, rows);
    match count(altered).saturating_sub(MOST_ROWS as u64) {
        0 => table,
        more => below(table, &format!("and {} more in {FILES}\n", number::count(more))),
    }
}

fn others(altered: &[Altered]) -> String {
    files(altered, &|it| it.others().collect())
}

fn removed(altered: &[Altered]) -> String {
    let files = files(altered, &|it| it.removed.iter().collect());
    let why = "More than `baseline.keep_runs`, or deleted on this branch:\n";
    if files.is_empty() { files } else { below(why.to_owned(), &files) }
}

fn files(altered: &[Altered], of: &dyn Fn(&Altered) -> Vec<&String>) -> String {
    let lines = altered.iter().flat_map(|it| {
        let files = of(it).into_iter();
        files.map(|name| format!("- {} of {}\n", code(name), code(&it.name))).collect::<Vec<_>>()
    });
    lines.collect()
}

/// What is known of each number before and after.
fn effect(altered: &Altered) -> String {
    let Some(rules) = &altered.rules else {
        return "The configuration of this job does not have it: its runs wait here for the job that has.\n"
            .into();
    };
    let [before, after] =
        [&altered.before, &altered.after].map(|it| Description::of(&altered.name, it, rules));
    let comparable = before.classes_beside(&after);
    let classes = after.classes_beside(&after).iter().map(|class| {
        let before = comparable.iter().find(|before| before.name() == class.name());
        of_class(before, class)
    });
    classes.collect::<Vec<_>>().join("\n")
}

fn of_class(before: Option<&Class>, after: &Class) -> String {
    let old: Vec<[String; 4]> = before.into_iter().flat_map(Class::rows).collect();
    let rows = after.rows().map(|[number, now @ ..]| {
        let old = old.iter().find(|[subject, ..]| *subject == number).map(|[_, rest @ ..]| rest);
        let [usual, spread, found] =
            std::array::from_fn(|column| change(old.map(|old| &old[column]), &now[column]));
        [cell(&number), usual, spread, found]
    });
    let summary = format!("{}: {}\n", code(after.name()), plain(&after.summary()));
    below(summary, &table(COLUMNS, 1, rows))
}

/// A value, with the one it had before where that was another.
fn change(before: Option<&String>, after: &str) -> String {
    match before {
        Some(before) if before == after => after.to_owned(),
        Some(before) => format!("{before} → {after}"),
        None => format!("{} → {after}", number::NOTHING),
    }
}

#[cfg(test)]
mod tests;
