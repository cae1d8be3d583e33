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
const BUDGETS: f64 = 4.0;
/// The share of the box, at each end, that is kept for the sign that a change lies further out.
const EDGE: f64 = 0.05;
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
    /// Whether a change is drawn at the edge, for it lies further out.
    pub further: bool,
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
    /// Where it begins and how much of the axis it takes; none where all of it lies further out.
    pub range: Option<(String, String)>,
    /// The change; none where it lies further out.
    pub at: Option<String>,
    /// What lies further out than is drawn.
    pub further: Vec<Further>,
    /// The tolerated ones: where they begin, and how much of the axis they take.
    pub budget: Option<(String, String)>,
    /// The change that must not slip through.
    pub catch: Option<String>,
}

/// A number that lies beyond an end of the axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Further {
    /// Beyond which: `left` or `right`.
    pub side: &'static str,
    /// The change, or the end of the interval where the change itself is drawn.
    pub text: String,
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
    let rows: Vec<_> = deltas.iter().map(|delta| row(delta, &axis)).collect();
    let further = rows.iter().filter_map(|row| row.mark.as_ref()).any(|mark| !mark.further.is_empty());
    Group { id, label, bounds, ticks: ticks.collect(), further, rows }
}

/// Changes, worse ones and better ones alike, around none in the middle.
struct Axis {
    scale: Scale,
    /// The largest change that is drawn where it lies.
    end: f64,
}

impl Axis {
    fn of(deltas: &[&Delta]) -> Self {
        let largest = |picks: &[fn(&Delta) -> Option<f64>]| {
            let values = deltas.iter().flat_map(|delta| picks.iter().filter_map(|pick| pick(delta)));
            values.map(f64::abs).filter(|value| value.is_finite()).fold(0.0, f64::max)
        };
        let rules = largest(&[|delta| delta.budget, |delta| delta.catch]);
        let found = largest(&[|delta| delta.low, |delta| delta.high, |delta| delta.change]);
        let budget = largest(&[|delta| delta.budget]);
        let most = if budget > 0.0 { found.min(budget * BUDGETS) } else { found };
        let scale = Scale::linear(rules.max(most).max(LEAST));
        let end = scale.ticks().into_iter().reduce(f64::max).unwrap_or(1.0);
        Self { scale, end }
    }

    fn position(&self, change: f64) -> f64 {
        let share = self.scale.position(change.abs()).copysign(change);
        0.5 + share * (0.5 - EDGE)
    }

    /// On which side a change lies beyond the axis.
    fn beyond(&self, change: f64) -> Option<&'static str> {
        match change {
            _ if change.abs() <= self.end => None,
            _ if change < 0.0 => Some("left"),
            _ => Some("right"),
        }
    }

    /// The middle, the ends, and halfway between them.
    fn ticks(&self) -> Vec<f64> {
        vec![-self.end, 0.0, self.end]
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
    let (low, high, change) = (delta.low?, delta.high?, delta.change?);
    let share = |from: f64, to: f64| (percent(from.min(to)), percent((to - from).abs()));
    // Better is never too much: what is tolerated has one end only.
    let budget = delta.budget.map(|budget| share(axis.position(-budget.abs()), axis.position(budget.abs())));
    Some(Mark {
        range: (axis.beyond(low).is_none() || axis.beyond(low) != axis.beyond(high))
            .then(|| share(axis.position(low), axis.position(high))),
        at: axis.beyond(change).is_none().then(|| percent(axis.position(change))),
        further: further(delta, axis, [low, high, change]),
        budget,
        catch: delta.catch.map(|catch| percent(axis.position(catch))),
    })
}

/// At each end at most one number: the change, else the end of its interval.
fn further(delta: &Delta, axis: &Axis, [low, high, change]: [f64; 3]) -> Vec<Further> {
    let told = |side: &'static str, end: f64| {
        axis.beyond(end).filter(|beyond| *beyond == side)?;
        let value = if axis.beyond(change) == Some(side) { change } else { end };
        Some(Further { side, text: comparison::change(delta, Some(value)) })
    };
    [told("left", low), told("right", high)].into_iter().flatten().collect()
}

/// How what stands so is drawn.
pub fn class(standing: Standing) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::rules::Confirmation;
    use crate::report::terminal::tests::comparison::compared;

    /// The row of a change in this interval, budget 10 %, on an axis that ends at 40 % at the latest.
    fn drawn(low: f64, change: f64, high: f64) -> Mark {
        let mut result = compared(Confirmation::Off, &[0.0, 0.01, -0.01, 0.02, -0.02]);
        let deltas = &mut result.verdict.as_mut().unwrap().deltas;
        // Every number but the first would share the axis.
        deltas.retain(|delta| delta.unit == CheckUnit::Ms && delta.gated);
        deltas.truncate(1);
        let delta = &mut deltas[0];
        (delta.low, delta.change, delta.high) = (Some(low), Some(change), Some(high));
        (delta.budget, delta.catch) = (Some(0.1), Some(0.3));
        groups(&result).remove(0).rows.remove(0).mark.unwrap()
    }

    #[test]
    fn an_interval_is_drawn_where_it_lies_and_leaves_room_at_the_ends() {
        let mark = drawn(-0.4, 0.0, 0.4);
        assert_eq!(mark.range, Some(("5%".into(), "90%".into())));
        assert_eq!((mark.at.as_deref(), mark.further), (Some("50%"), Vec::new()));
        // The smallest axis that shows the catch.
        let mark = drawn(0.15, 0.2, 0.3);
        assert_eq!(mark.at.as_deref(), Some("80%"));
        assert_eq!(mark.catch.as_deref(), Some("95%"));
    }

    #[test]
    fn a_change_beyond_the_axis_is_no_mark_at_its_edge_but_says_what_it_is() {
        let far = |side, text: &str| Further { side, text: text.into() };
        let mark = drawn(0.86, 0.9, 0.95);
        assert_eq!((mark.range, mark.at), (None, None));
        assert_eq!(mark.further, [far("right", "+90 %")]);
        let mark = drawn(0.2, 0.7, 1.4);
        assert_eq!((mark.range.is_some(), mark.at), (true, None));
        assert_eq!(mark.further, [far("right", "+70 %")]);
        let mark = drawn(-0.8, 0.1, 1.4);
        assert_eq!((mark.range, mark.at.is_some()), (Some(("5%".into(), "90%".into())), true));
        assert_eq!(mark.further, [far("left", "−80 %"), far("right", "+140 %")]);
    }
}
