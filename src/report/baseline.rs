//! Baselines in words: what is remembered, how much runs spread, and what change would be found. As text
//! for a terminal and as markdown. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::gate::regression::panel::LEAST_SIGMA;
use crate::gate::regression::past::{Past, Standing};
use crate::gate::regression::survey::{Known, survey};
use crate::plan::rules::BaselineRules;

use super::comparison::few_sessions;
use super::markdown;
use super::number;
use super::terminal::table::{self, Column};
use super::text::{printable, wrap};

/// Characters of a commit that tell it from others.
const SHORT_SHA: usize = 7;
/// Of a plan digest.
const SHORT_DIGEST: usize = 8;
/// Columns of the text.
const WIDTH: usize = 100;
/// What is told of each number.
pub(super) const COLUMNS: [&str; 4] = ["number", "usual", "spread", "found from"];

/// One baseline, described.
#[derive(Debug, Clone)]
pub struct Description<'a> {
    name: &'a str,
    baseline: &'a Baseline,
    /// The plan of the newest run.
    digest: &'a str,
    classes: Vec<Class<'a>>,
}

/// The runs of one plan on one class of machines.
#[derive(Debug, Clone)]
pub(super) struct Class<'a> {
    name: &'a str,
    standing: Standing,
    runs: Vec<&'a Run>,
    known: Vec<Known>,
}

impl<'a> Description<'a> {
    /// The baseline named `SCENARIO.ENVIRONMENT`, by the rules it is compared by.
    pub fn of(name: &'a str, baseline: &'a Baseline, rules: &BaselineRules) -> Self {
        let newest = baseline.runs.values().next_back();
        let digest = newest.map_or("", |run| run.plan_digest.as_str());
        let mut classes: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
        for run in baseline.runs.values().filter(|run| run.plan_digest == digest) {
            classes.entry(&run.cpu_class).or_default().push(run);
        }
        let class = |(name, runs): (&'a str, Vec<&'a Run>)| {
            let past = Past::of(baseline, digest, name);
            Class { name, standing: past.standing_of_plan(), runs, known: survey(rules, &past) }
        };
        Self { name, baseline, digest, classes: classes.into_iter().map(class).collect() }
    }

    /// What there is of each class of machines, if it is of the same plan as that of another.
    pub(super) fn classes_beside(&self, other: &Self) -> &[Class<'a>] {
        if self.digest == other.digest { &self.classes } else { &[] }
    }

    fn summary(&self) -> String {
        let Some(newest) = self.baseline.runs.values().next_back() else {
            return "No run is remembered yet.".to_owned();
        };
        let compared: usize = self.classes.iter().map(|class| class.runs.len()).sum();
        let mut text = format!(
            "{} of plan {} on {}, the newest of {}{}.",
            number::counted(compared as u64, "run"),
            short(self.digest, SHORT_DIGEST),
            number::counted_as(self.classes.len() as u64, "class of machines", "classes of machines"),
            newest.time.split('T').next().unwrap_or_default(),
            newest.sha.as_deref().map_or_else(String::new, |sha| format!(" (commit {})", commit(sha))),
        );
        let others = self.baseline.runs.len() - compared;
        if others > 0 {
            let _ = write!(
                text,
                " {} of earlier plans: no longer compared.",
                number::counted(others as u64, "run")
            );
        }
        if !self.baseline.unknown.is_empty() {
            let _ = write!(
                text,
                " {} of a later version of loadgate: kept, not used.",
                number::counted(self.baseline.unknown.len() as u64, "file")
            );
        }
        text
    }

    /// Every deliberate change, the newest first.
    fn changes(&self) -> impl Iterator<Item = String> {
        self.baseline
            .epochs
            .iter()
            .rev()
            .map(|(name, epoch)| format!("{}: {} ({})", date(name), epoch.reason, epoch.metrics.join(", ")))
    }
}

impl Class<'_> {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// What can be decided on it, in words.
    pub(super) fn summary(&self) -> String {
        let failed: u64 = self.runs.iter().map(|run| run.whole_run.failed).fold(0, u64::saturating_add);
        let ended: u64 = self.runs.iter().map(|run| run.whole_run.ended()).fold(0, u64::saturating_add);
        let failures = format!("{} of {} requests failed", number::count(failed), number::count(ended));
        let runs = number::counted(self.runs.len() as u64, "run");
        let Standing { here, needed, sessions } = self.standing;
        if self.known.is_empty() && !self.standing.decides() {
            return format!(
                "{runs}; {failures}. {} needed before anything is compared: {} missing.",
                number::counted(needed, "run"),
                needed.saturating_sub(here)
            );
        }
        let sizes = || self.known.iter().map(|known| known.min_detectable);
        let found = match (sizes().reduce(f64::min), sizes().reduce(f64::max)) {
            (Some(least), Some(most)) => {
                let [least, most] = [least, most].map(number::ratio);
                if least == most {
                    format!(" A number that gets worse by {least} or more is noticed.")
                } else {
                    format!(
                        " What gets worse is noticed from {least} on at the steadiest number, and from {most} on at \
                         the noisiest one."
                    )
                }
            }
            _ => String::new(),
        };
        let few =
            few_sessions(here, needed, sessions).map_or_else(String::new, |told| format!(" Note: {told}."));
        format!("{runs}; {failures}.{found}{few}")
    }

    /// A row a number, in [`COLUMNS`].
    pub(super) fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        self.known.iter().map(|known| {
            let wanted = Some(known.catch).filter(|catch| known.min_detectable > *catch);
            let wanted =
                wanted.map_or_else(String::new, |catch| format!(" ({} wanted)", number::ratio(catch)));
            [
                format!("{} of {}", known.metric.name(), known.endpoint),
                number::milliseconds(known.centre_ms),
                spread(known),
                format!("{}{wanted}", number::change(known.min_detectable)),
            ]
        })
    }
}

/// Baselines for a terminal.
pub fn text(descriptions: &[Description]) -> String {
    let [name, numbers @ ..] = COLUMNS;
    let columns: Vec<_> =
        [Column::name(name)].into_iter().chain(numbers.into_iter().map(Column::number)).collect();
    let mut text = String::new();
    for description in descriptions {
        line(&mut text, &printable(description.name));
        paragraph(&mut text, "  ", &description.summary());
        for class in &description.classes {
            paragraph(&mut text, "\n  ", &format!("{}: {}", class.name, class.summary()));
            let rows: Vec<_> = class.rows().map(|row| row.map(|cell| printable(&cell)).to_vec()).collect();
            if !rows.is_empty() {
                for row in table::render(&columns, rows, WIDTH) {
                    line(&mut text, &row);
                }
            }
        }
        for change in description.changes() {
            paragraph(&mut text, "  accepted ", &change);
        }
        text.push('\n');
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn paragraph(text: &mut String, lead: &str, paragraph: &str) {
    for (index, words) in wrap(&printable(paragraph), WIDTH - 4).iter().enumerate() {
        line(text, &format!("{}{words}", if index == 0 { lead } else { "    " }));
    }
}

/// What stands above the baselines in markdown.
const HEAD: &str = "# Baselines

Runs that later ones are compared with, written by `loadgate baseline show --format markdown`. ";

/// What the columns mean.
pub(super) const MEANING: &str = "*Usual* is the median of
the runs, *spread* how much one differs from the next (standard deviation), and *found from* the smallest change for
the worse that four of five runs show. Where that is more than `baseline.catch`, which is then beside it as *wanted*,
only more runs or a quieter machine help.
";

/// Baselines as markdown, fit for a README beside them.
pub fn markdown(descriptions: &[Description]) -> String {
    let mut text = [HEAD, MEANING].concat();
    for description in descriptions {
        let _ = writeln!(text, "\n## {}\n\n{}", plain(description.name), plain(&description.summary()));
        for class in &description.classes {
            let _ = writeln!(text, "\n### {}\n\n{}", plain(class.name), plain(&class.summary()));
            let rows = class.rows().map(|[number, rest @ ..]| {
                let [usual, spread, found] = rest;
                [plain(&number), usual, spread, found]
            });
            let table = markdown::table::table(COLUMNS, 1, rows);
            if !table.is_empty() {
                let _ = write!(text, "\n{table}");
            }
        }
        let changes: Vec<_> = description.changes().collect();
        if !changes.is_empty() {
            text.push_str("\nAccepted changes:\n\n");
        }
        for change in changes {
            let _ = writeln!(text, "- {}", plain(&change));
        }
    }
    text
}

/// Foreign text that markdown takes for nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention of a person would be one.
            '@' => plain.push_str("&#64;"),
            // Between two of them would be a formula.
            '$' => plain.push_str("&#36;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    plain
}

/// The spread of a number; what is smaller than what is believed is not told.
pub fn spread(known: &Known) -> String {
    let least = if known.spread > LEAST_SIGMA { "" } else { "≤ " };
    format!("{least}{}", number::ratio(known.spread))
}

/// `2026-11-24` of `epoch-20261124T101500Z-…`.
fn date(epoch: &str) -> String {
    let stamp = epoch.split('-').nth(1).unwrap_or_default();
    match (stamp.get(..4), stamp.get(4..6), stamp.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => stamp.to_owned(),
    }
}

/// As much of a commit as tells it apart.
pub(super) fn commit(sha: &str) -> &str {
    short(sha, SHORT_SHA)
}

fn short(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::epoch::Epoch;
    use crate::result::fixture::small;

    fn baseline() -> Baseline {
        let mut baseline = Baseline::default();
        for (index, factor) in [1.0, 1.01, 0.99, 1.02, 0.98].into_iter().enumerate() {
            let mut run = Run::of(&small(), None);
            run.metrics.values_mut().for_each(|numbers| numbers.p50_ms *= factor);
            baseline.runs.insert(format!("run-{index}"), run);
        }
        let mut other = Run::of(&small(), None);
        other.cpu_class = "another_2-cpu".into();
        baseline.runs.insert("run-5".into(), other);
        let epoch = Epoch {
            schema: 1,
            from_sha: None,
            metrics: vec!["p99".into()],
            reason: "a |new| <hash> by @someone".into(),
        };
        baseline.epochs.insert("epoch-20261124T101500Z-00c0ffee".into(), epoch);
        baseline
    }

    #[test]
    fn a_baseline_in_words() {
        let baseline = baseline();
        let description = Description::of("browse.demo", &baseline, &BaselineRules::default());
        insta::assert_snapshot!(text(&[description]), @r"
        browse.demo
          6 runs of plan 0f1e2d on 2 classes of machines, the newest of 2026-11-24 (commit c0ffee).

          amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24: 5 runs; 0 of 5,000 requests failed. What
            gets worse is noticed from 11.1 % on at the steadiest number, and from 11.7 % on at the noisiest
            one.
          number                usual  spread  found from
         ─────────────────────────────────────────────────
          p50 of GET /health  60.0 ms   1.6 %     +11.7 %
          p95 of GET /health   105 ms   ≤ 1 %     +11.1 %

          another_2-cpu: 1 run; 0 of 1,000 requests failed. 5 runs needed before anything is compared: 4
            missing.
          accepted 2026-11-24: a |new| <hash> by @someone (p99)
        ");
    }

    #[test]
    fn a_baseline_as_markdown_keeps_foreign_text_harmless() {
        let baseline = baseline();
        let description = Description::of("browse.demo", &baseline, &BaselineRules::default());
        insta::assert_snapshot!(markdown(&[description]).replace('\u{a0}', " "), @r"
        # Baselines

        Runs that later ones are compared with, written by `loadgate baseline show --format markdown`. *Usual* is the median of
        the runs, *spread* how much one differs from the next (standard deviation), and *found from* the smallest change for
        the worse that four of five runs show. Where that is more than `baseline.catch`, which is then beside it as *wanted*,
        only more runs or a quieter machine help.

        ## browse.demo

        6 runs of plan 0f1e2d on 2 classes of machines, the newest of 2026-11-24 (commit c0ffee).

        ### amd-epyc-7763-64-core-processor\_4-cpu\_x86-64\_ubuntu24

        5 runs; 0 of 5,000 requests failed. What gets worse is noticed from 11.1 % on at the steadiest number, and from 11.7 % on at the noisiest one.

        | number | usual | spread | found from |
        |---|--:|--:|--:|
        | p50 of GET /health | 60.0 ms | 1.6 % | +11.7 % |
        | p95 of GET /health | 105 ms | ≤ 1 % | +11.1 % |

        ### another\_2-cpu

        1 run; 0 of 1,000 requests failed. 5 runs needed before anything is compared: 4 missing.

        Accepted changes:

        - 2026-11-24: a \|new\| &lt;hash&gt; by &#64;someone (p99)
        ");
    }
}
