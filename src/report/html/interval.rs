//! Numbers beside the baseline as intervals: where the change lies, what is tolerated, what must not slip
//! through. One axis for each way of counting changes: shares, and percentage points.

use serde::Serialize;

use crate::report::comparison::{self, Standing};
use crate::report::text::printable;
use crate::report::{note, number};
use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::CheckUnit;

use super::page::name;
use super::plot::{Tick, percent};
use super::scale::Scale;

/// Changes beyond this are drawn at the edge, so that the others can be told apart: so many budgets.
const BUDGETS: f64 = 6.0;
/// The least an axis reaches to, so that noise does not look like change.
const LEAST: f64 = 0.002;

/// Numbers that share an axis.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Of which chart.
    pub id: &'static str,
    /// What its changes are of.
    pub label: &'static str,
    /// How sure each end of an interval is.
    pub bounds: &'static str,
    /// The names on the axis.
    pub ticks: Vec<Tick>,
    /// The numbers, the worst first.
    pub rows: Vec<Row>,
}

/// One number.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// How it is drawn.
    pub class: &'static str,
    /// How it stands.
    pub standing: &'static str,
    /// The number.
    pub metric: String,
    /// Of what.
    pub scope: String,
    /// The baseline.
    pub base: String,
    /// This run.
    pub head: String,
    /// The change.
    pub change: String,
    /// What it lies in.
    pub interval: String,
    /// What is tolerated.
    pub budget: String,
    /// What is found in four of five runs.
    pub found: String,
    /// How it is drawn; none where it was not tested.
    pub mark: Option<Mark>,
}

/// An interval on the axis.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Where it begins.
    pub from: String,
    /// How much of the axis it takes.
    pub width: String,
    /// The change.
    pub at: String,
    /// The tolerated ones: where they begin, and how much of the axis they take.
    pub budget: Option<(String, String)>,
    /// The change that must not slip through.
    pub catch: Option<String>,
}

/// All gated numbers that were tested, by axis.
pub fn groups(result: &RunResult) -> Vec<Group> {
    let deltas = comparison::deltas(result);
    [("deltas", "change"), ("deltas-points", "change in percentage points")]
        .into_iter()
        .zip([false, true])
        .filter_map(|((id, label), points)| {
            let of = |delta: &&Delta| (delta.unit == CheckUnit::Ratio) == points;
            let tested = |delta: &&Delta| comparison::standing(delta) != Standing::Building;
            let shown: Vec<_> = deltas.iter().copied().filter(|delta| of(delta) && tested(delta)).collect();
            (!shown.is_empty()).then(|| group(id, label, &shown))
        })
        .collect()
}

fn group(id: &'static str, label: &'static str, deltas: &[&Delta]) -> Group {
    let axis = Axis::of(deltas);
    let name = |value: f64| match deltas.first() {
        Some(delta) => comparison::change(delta, Some(value)),
        None => number::NOTHING.to_owned(),
    };
    let ticks =
        axis.ticks().into_iter().map(|value| Tick { at: percent(axis.position(value)), text: name(value) });
    // What the gate tests with: see docs/gate.md.
    let bounds = match deltas.first().map(|delta| delta.unit) {
        Some(CheckUnit::Ratio) => "between its one-sided 95 % bounds",
        _ => "between its one-sided 90 % bounds",
    };
    Group {
        id,
        label,
        bounds,
        ticks: ticks.collect(),
        rows: deltas.iter().map(|delta| row(delta, &axis)).collect(),
    }
}

/// Changes, worse ones and better ones alike, around none in the middle.
struct Axis(Scale);

impl Axis {
    fn of(deltas: &[&Delta]) -> Self {
        let largest = |picks: &[fn(&Delta) -> Option<f64>]| {
            let values = deltas.iter().flat_map(|delta| picks.iter().filter_map(|pick| pick(delta)));
            values.map(f64::abs).filter(|value| value.is_finite()).fold(0.0, f64::max)
        };
        let rules = largest(&[|delta| delta.budget, |delta| delta.catch]);
        let found = largest(&[|delta| delta.low, |delta| delta.high, |delta| delta.change]);
        let most = if rules > 0.0 { found.min(rules * BUDGETS) } else { found };
        Self(Scale::linear(rules.max(most).max(LEAST)))
    }

    fn position(&self, change: f64) -> f64 {
        f64::midpoint(1.0, self.0.position(change.abs()).copysign(change))
    }

    /// The middle, the ends, and halfway between them.
    fn ticks(&self) -> Vec<f64> {
        let high = self.0.ticks().into_iter().reduce(f64::max).unwrap_or(1.0);
        vec![-high, 0.0, high]
    }
}

fn row(delta: &Delta, axis: &Axis) -> Row {
    Row {
        class: class(comparison::standing(delta)),
        standing: note::word(note::standing(delta)),
        metric: printable(&delta.metric),
        scope: name(comparison::scope(delta)),
        base: comparison::value(delta, delta.base),
        head: comparison::value(delta, delta.head),
        change: comparison::change(delta, delta.change),
        interval: comparison::interval(delta),
        budget: comparison::size(delta, delta.budget),
        found: comparison::size(delta, delta.min_detectable),
        mark: mark(delta, axis),
    }
}

fn mark(delta: &Delta, axis: &Axis) -> Option<Mark> {
    let [low, high] = [axis.position(delta.low?), axis.position(delta.high?)];
    let share = |from: f64, to: f64| (percent(from.min(to)), percent((to - from).abs()));
    let (from, width) = share(low, high);
    // Better is never too much: what is tolerated has one end only.
    let budget = delta.budget.map(|budget| share(axis.position(-budget.abs()), axis.position(budget.abs())));
    Some(Mark {
        from,
        width,
        at: percent(axis.position(delta.change?)),
        budget,
        catch: delta.catch.map(|catch| percent(axis.position(catch))),
    })
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Worse => "fail",
        Standing::Invalid
        | Standing::Unconfirmed
        | Standing::Open
        | Standing::Building
        | Standing::WorseShown => "warn",
        Standing::Better | Standing::Same => "pass",
        Standing::Aside => "quiet",
    }
}
