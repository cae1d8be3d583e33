//! What a self-test found, as tables: simulated baselines, and runs of one commit against itself. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::baseline::Baseline;
use crate::gate::regression::past::Past;
use crate::gate::regression::survey::{Known, survey};
use crate::gate::simulation::{Custom, Setting, Tally, Told};
use crate::plan::rules::BaselineRules;
use crate::result::comparison::{Delta, DeltaStatus};
use crate::result::schema::RunResult;
use crate::result::verdict::Status;

use super::terminal::table::{self, Column};
use super::{baseline, comparison, number, sentence};

/// Wide enough for every table here.
const WIDTH: usize = 120;

fn remarks(setting: &Setting) -> String {
    let custom = match setting.custom {
        Custom::None => "",
        Custom::Some => ", and 6 custom metrics",
    };
    let sessions = match (setting.runs.div_ceil(setting.per_session), setting.told) {
        (sessions, _) if sessions == setting.runs => String::new(),
        (sessions, Told::Yes) => format!(", of {}", number::counted(sessions as u64, "session")),
        (sessions, Told::No) => format!(", of {}, not told", number::counted(sessions as u64, "session")),
    };
    format!("{custom}{sessions}")
}

/// The table of simulated baselines.
pub fn simulated(rows: &[(Setting, Tally)]) -> String {
    let columns = [
        Column::text("sd, runs of each class"),
        Column::number("false\nalarms"),
        Column::number("no change:\ninconclusive"),
        Column::number("one endpoint slower\nby 10 / 20 / 30 %"),
        Column::number("all slower\nby 10 / 20 / 30 %"),
    ];
    let cells = rows.iter().map(|(setting, tally)| {
        let share = |count: u32| number::ratio(f64::from(count) / f64::from(tally.repetitions.max(1)));
        let three = |counts: [u32; 3]| counts.map(share).join(" / ").replace(" % /", " /");
        vec![
            format!("{}, {}{}", number::ratio(setting.sd), setting.runs, remarks(setting)),
            share(tally.false_alarms),
            share(tally.inconclusive),
            three(tally.one),
            three(tally.all),
        ]
    });
    lines(&columns, cells.collect())
}

/// What is done to the service in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Nothing.
    Unchanged,
    /// One endpoint is slowed down.
    Slowed,
}

impl Trial {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Slowed => "slowed",
        }
    }
}

/// A number: its metric and its endpoint, empty for all requests.
type Number = (String, String);

/// What a series of runs came to.
#[derive(Debug, Default)]
struct Series {
    statuses: Vec<Status>,
    /// By run, the numbers that got worse.
    worse: Vec<Vec<Number>>,
    /// By number, the changes of all runs.
    changes: BTreeMap<Number, Vec<f64>>,
}

/// What the runs of a self-test came to.
#[derive(Debug)]
pub struct Found {
    slow: String,
    known: Vec<Known>,
    unchanged: Series,
    slowed: Series,
}

impl Found {
    /// Nothing yet; `slow` is what is slowed down, as `ENDPOINT=+DELAY`.
    pub fn new(slow: &str, rules: Option<&BaselineRules>, baseline: &Baseline) -> Self {
        let newest = baseline.runs.values().next_back();
        let known = newest.zip(rules);
        // Its runs are made here and now, as those were.
        let known = known.map(|(run, rules)| {
            let past = Past::of(baseline, &run.plan_digest, &run.cpu_class).beside(run.session.as_deref());
            survey(rules, &past)
        });
        Self {
            slow: slow.to_owned(),
            known: known.unwrap_or_default(),
            unchanged: Series::default(),
            slowed: Series::default(),
        }
    }

    /// Adds a judged run.
    pub fn add(&mut self, trial: Trial, result: &RunResult) {
        match trial {
            Trial::Unchanged => self.unchanged.add(result),
            Trial::Slowed => self.slowed.add(result),
        }
    }

    /// How often the gate was right, and how the numbers moved.
    pub fn report(&self) -> String {
        let endpoint = self.slow.rsplit_once('=').map_or(self.slow.as_str(), |(endpoint, _)| endpoint);
        let named = |worse: &&Vec<Number>| worse.iter().any(|(_, of)| of == endpoint);
        let another = |worse: &&Vec<Number>| worse.iter().any(|(_, of)| of != endpoint);
        let count = |series: &Series, what: &dyn Fn(&&Vec<Number>) -> bool| {
            series.worse.iter().filter(|worse| what(worse)).count()
        };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "unchanged: {}", self.unchanged.summary());
        let alarms = count(&self.unchanged, &|worse| !worse.is_empty());
        let _ = writeln!(text, "           {alarms} of {} raised a false alarm", self.unchanged.worse.len());
        let _ = writeln!(text, "slowed:    {} ({})", self.slowed.summary(), self.slow);
        let _ = writeln!(
            text,
            "           {} of {} named {endpoint}; {} named another",
            count(&self.slowed, &named),
            self.slowed.worse.len(),
            count(&self.slowed, &another)
        );
        text.push('\n');
        text.push_str(&self.table());
        text
    }

    fn table(&self) -> String {
        let columns = [
            Column::name("number"),
            Column::number("usual"),
            Column::number("spread"),
            Column::number("found\nfrom"),
            Column::number("unchanged runs\nlay in"),
            Column::number("slowed runs\nlay in"),
            Column::number("slowed:\nworse"),
        ];
        let row = |known: &Known| {
            let number = (known.metric.name().to_owned(), known.endpoint.clone());
            vec![
                format!("{} of {}", number.0, number.1),
                number::milliseconds(known.centre_ms),
                baseline::spread(known),
                number::change(known.min_detectable),
                self.unchanged.range(&number),
                self.slowed.range(&number),
                self.slowed.worse.iter().filter(|worse| worse.contains(&number)).count().to_string(),
            ]
        };
        lines(&columns, self.known.iter().map(row).collect())
    }
}

impl Series {
    fn add(&mut self, result: &RunResult) {
        let Some(verdict) = &result.verdict else { return };
        let number = |delta: &Delta| (delta.metric.clone(), delta.endpoint.clone().unwrap_or_default());
        let gated = || verdict.deltas.iter().filter(|delta| delta.gated);
        self.statuses.push(verdict.status);
        let worse = gated().filter(|delta| delta.status == DeltaStatus::Regression);
        self.worse.push(worse.map(number).collect());
        for delta in gated() {
            self.changes.entry(number(delta)).or_default().extend(delta.change);
        }
    }

    fn summary(&self) -> String {
        let all = [Status::Passed, Status::Failed, Status::Inconclusive, Status::Invalid];
        let count = |status: Status| self.statuses.iter().filter(|it| **it == status).count();
        let counts = all.map(|status| (count(status), sentence::word(status).to_lowercase()));
        let told: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{} runs: {}", self.statuses.len(), told.join(", "))
    }

    /// From the smallest change to the largest.
    fn range(&self, number: &Number) -> String {
        let changes = || self.changes.get(number).into_iter().flatten().copied();
        match (changes().reduce(f64::min), changes().reduce(f64::max)) {
            (Some(least), Some(most)) => format!("{} … {}", number::change(least), number::change(most)),
            _ => number::NOTHING.to_owned(),
        }
    }
}

/// A line about one run, as it ends.
pub fn progress(label: &str, result: &RunResult) -> String {
    let Some(verdict) = &result.verdict else { return label.to_owned() };
    let deltas = verdict.deltas.iter();
    let worse: Vec<String> = deltas
        .filter(|delta| delta.gated && delta.status == DeltaStatus::Regression)
        .map(|delta| format!("{} {}", comparison::subject(delta), comparison::change(delta, delta.change)))
        .collect();
    let told = if worse.is_empty() { String::new() } else { format!(": {}", worse.join(", ")) };
    let requests = number::count(result.totals.ok);
    format!("{label}: {requests} requests, {}{told}", sentence::word(verdict.status).to_lowercase())
}

fn lines(columns: &[Column], rows: Vec<Vec<String>>) -> String {
    table::render(columns, rows, WIDTH).into_iter().fold(String::new(), |text, line| text + &line + "\n")
}
