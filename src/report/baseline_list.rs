//! What is remembered, as a table: a line a baseline, and below it a line a class of machines. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::Baseline;

use super::number::NOTHING;
use super::text::{printable, shorten};

/// One baseline of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Scenario and environment.
    pub name: String,
    /// What is remembered; none where its files are broken.
    pub baseline: Option<Baseline>,
}

const TITLES: [&str; 6] = ["baseline", "runs", "classes", "epochs", "newest run", "plans"];
/// Columns whose text lies on the right.
const NUMBERS: [usize; 3] = [1, 2, 3];
/// Characters of a digest that tell plans apart.
const DIGEST: usize = 8;
/// Plans that are shown; the newest says enough.
const MOST_PLANS: usize = 3;
const LONGEST: usize = 100;
/// Characters of a time down to its minute.
const MINUTE: usize = 16;

/// The table.
pub fn render(entries: &[Entry]) -> String {
    let mut rows: Vec<(Vec<String>, Vec<String>)> = vec![(TITLES.map(str::to_owned).into(), Vec::new())];
    rows.extend(entries.iter().map(|entry| {
        let classes = entry.baseline.iter().flat_map(classes).collect();
        (row(entry), classes)
    }));
    let width = |column: usize| rows.iter().map(|(row, _)| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..TITLES.len()).map(width).collect();
    let line = |row: &[String]| -> String {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if NUMBERS.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().flat_map(|(row, classes)| [line(row)].into_iter().chain(classes.iter().cloned()));
    lines.map(|line| line + "\n").collect()
}

fn row(entry: &Entry) -> Vec<String> {
    let name = shorten(&printable(&entry.name), LONGEST);
    let Some(baseline) = &entry.baseline else {
        let nothing = NOTHING.to_owned();
        return vec![name, nothing.clone(), nothing.clone(), nothing, "broken".to_owned(), String::new()];
    };
    let newest = baseline.runs.values().next_back();
    let classes: BTreeSet<_> = baseline.runs.values().map(|run| &run.cpu_class).collect();
    vec![
        name,
        baseline.runs.len().to_string(),
        classes.len().to_string(),
        baseline.epochs.len().to_string(),
        newest.map_or_else(|| NOTHING.to_owned(), |run| time(&run.time)),
        plans(baseline),
    ]
}

/// A time to the minute: `2026-11-24 10:15`.
fn time(rfc3339: &str) -> String {
    printable(&rfc3339.chars().take(MINUTE).collect::<String>()).replace('T', " ")
}

/// The digests, the newest first.
fn plans(baseline: &Baseline) -> String {
    let mut digests: Vec<String> = Vec::new();
    for run in baseline.runs.values().rev() {
        let short = run.plan_digest.chars().take(DIGEST).collect::<String>();
        let short = printable(&short);
        if !digests.contains(&short) {
            digests.push(short);
        }
    }
    let more = digests.len().saturating_sub(MOST_PLANS);
    digests.truncate(MOST_PLANS);
    let told = digests.join(", ");
    if more > 0 { format!("{told}, {more} more") } else { told }
}

/// Whose the runs are, where a folder has those of several baselines.
fn owners(baseline: &Baseline) -> Option<String> {
    let mut owners: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in baseline.runs.values() {
        if let (Some(scenario), Some(environment)) = (&run.scenario, &run.environment) {
            *owners.entry((scenario, environment)).or_default() += 1;
        }
    }
    let told = owners.iter().map(|((scenario, environment), count)| {
        format!("{count} of {} on {}", printable(scenario), printable(environment))
    });
    let told = told.collect::<Vec<_>>().join(", ");
    (owners.len() > 1).then(|| format!("  of several baselines: {}", shorten(&told, LONGEST)))
}

/// A line a class of machines; and one for what a later version wrote.
fn classes(baseline: &Baseline) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for run in baseline.runs.values() {
        *counts.entry(&run.cpu_class).or_default() += 1;
    }
    let of_class =
        |(class, count): (&str, usize)| format!("  {count} of class {}", shorten(&printable(class), LONGEST));
    let unknown = match baseline.unknown.len() {
        0 => None,
        1 => Some("  1 file of a later version, not used".to_owned()),
        more => Some(format!("  {more} files of a later version, not used")),
    };
    counts.into_iter().map(of_class).chain(owners(baseline)).chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::epoch::Epoch;
    use crate::baseline::run::Run;
    use crate::result::fixture;

    #[test]
    fn a_list_has_a_line_a_baseline_and_below_it_its_classes() {
        let run = Run::of(&fixture::small(), None);
        let mut baseline = Baseline::default();
        for index in 0..12 {
            let other = Run {
                cpu_class: "other\u{1b}[2J".into(),
                plan_digest: format!("{index}abcdef"),
                ..run.clone()
            };
            let run = if index == 4 { other } else { run.clone() };
            baseline.runs.insert(format!("run-{index:02}"), run);
        }
        let epoch = Epoch { schema: 1, from_sha: None, metrics: Vec::new(), reason: String::new() };
        baseline.epochs.insert("epoch-1".into(), epoch);
        baseline.unknown.push("run-9".into());
        let entries = [
            Entry { name: "api_stress.demo".into(), baseline: None },
            Entry { name: "build_flow.demo".into(), baseline: Some(baseline) },
        ];
        insta::assert_snapshot!(render(&entries), @r"
baseline         runs  classes  epochs  newest run        plans
api_stress.demo     –        –       –  broken
build_flow.demo    12        2       1  2026-11-24 10:15  0f1e2d, 4abcdef
  11 of class amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24
  1 of class other\u{1b}[2J
  1 file of a later version, not used
");
    }
}
