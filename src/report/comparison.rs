//! The comparison with the baseline as text: its rows in display order, how far it went, and what it
//! means. Every output says it in these words. Pure.

use crate::metric::{Better, Metric};
use crate::result::comparison::{Comparison, ComparisonState, Delta, DeltaStatus};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, CheckScope, CheckUnit};

mod advice;

use super::{number, text};

pub use advice::{acceptance, aside, decides, flags, headline};

/// A centre that has moved so far since the epoch began is told.
const TOLD_DRIFT: f64 = 0.1;

/// How bad a number stands beside its past, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Worse, and decides.
    Worse,
    /// Nothing to trust.
    Invalid,
    /// Worse here; a second job decides.
    Unconfirmed,
    /// Too noisy to say.
    Open,
    /// Too few runs.
    Building,
    /// Worse, and only shown.
    WorseShown,
    /// Better.
    Better,
    /// No change that matters.
    Same,
    /// Only shown, or not compared.
    Aside,
}

/// How bad a number stands beside its past.
pub fn standing(delta: &Delta) -> Standing {
    match (delta.status, delta.gated) {
        (DeltaStatus::Regression, true) => Standing::Worse,
        (DeltaStatus::Regression, false) => Standing::WorseShown,
        (DeltaStatus::NotComparable, _) | (_, false) => Standing::Aside,
        (DeltaStatus::Invalid, true) => Standing::Invalid,
        (DeltaStatus::Inconclusive, true) if delta.because == Some(Because::Unconfirmed) => {
            Standing::Unconfirmed
        }
        (DeltaStatus::Inconclusive, true) => Standing::Open,
        (DeltaStatus::Building, true) => Standing::Building,
        (DeltaStatus::Improved, true) => Standing::Better,
        (DeltaStatus::Pass, true) => Standing::Same,
    }
}

/// Every number that is gated or got worse, the worst first, else in the order compared.
pub fn deltas(result: &RunResult) -> Vec<&Delta> {
    let all = result.verdict.iter().flat_map(|verdict| &verdict.deltas);
    let mut shown: Vec<_> = all.filter(|delta| standing(delta) != Standing::Aside).collect();
    shown.sort_by_key(|delta| standing(delta));
    shown
}

/// `p95 of POST /x`, or `error_rate of all requests`.
pub fn subject(delta: &Delta) -> String {
    format!("{} of {}", delta.metric, scope(delta))
}

/// The same in a sentence, where a name is never so long that the rest is not read.
fn named(delta: &Delta) -> String {
    format!("{} of {}", delta.metric, text::name(scope(delta)))
}

/// What a number is about.
pub fn scope(delta: &Delta) -> &str {
    match (delta.scope, delta.endpoint.as_deref()) {
        (CheckScope::Total, _) | (_, None) => "all requests",
        (_, Some(name)) => name,
    }
}

/// A value of a number, in its unit.
pub fn value(delta: &Delta, value: Option<f64>) -> String {
    value.map_or_else(|| number::NOTHING.to_owned(), |value| number::value(delta.unit, value))
}

/// A change in the way of its number: `+40.2 %`; of error rates in points, `+0.45 pp`.
pub fn change(delta: &Delta, change: Option<f64>) -> String {
    match (change, delta.unit) {
        (None, _) => number::NOTHING.to_owned(),
        (Some(change), CheckUnit::Ratio) => number::points(change),
        (Some(change), _) => number::change(change),
    }
}

/// A change that chance does not explain, as text: all of what it lies in is on one side of no change.
pub fn certain(delta: &Delta) -> Option<String> {
    let (low, high) = (delta.low?, delta.high?);
    (low > 0.0 || high < 0.0).then(|| change(delta, delta.change))
}

/// The tolerated or smallest found change, without its sign.
pub fn size(delta: &Delta, size: Option<f64>) -> String {
    match (size, delta.unit) {
        (None, _) => number::NOTHING.to_owned(),
        (Some(size), CheckUnit::Ratio) => number::points(size).trim_start_matches('+').to_owned(),
        (Some(size), _) => number::ratio(size),
    }
}

/// `≤ +10 %`: the change that is tolerated, with the side on which it is good.
pub fn budget(delta: &Delta) -> String {
    let Some(budget) = delta.budget else { return number::NOTHING.to_owned() };
    let sign = match Metric::named(&delta.metric).map(Metric::better) {
        Some(Better::Higher) => "≥ −",
        Some(Better::Lower) | None => "≤ +",
    };
    format!("{sign}{}", size(delta, Some(budget)))
}

/// `−3.1 … +8.2 %`: what the change lies in.
pub fn interval(delta: &Delta) -> String {
    let (Some(low), Some(high)) = (delta.low, delta.high) else { return number::NOTHING.to_owned() };
    let (low, high) = (change(delta, Some(low)), change(delta, Some(high)));
    let short = low.split_once(' ').map_or(low.as_str(), |(number, _)| number);
    format!("{short} … {high}")
}

/// `5 runs on this CPU (9 in all)`.
pub fn past(comparison: &Comparison) -> String {
    format!("{} runs on this CPU ({} in all)", comparison.runs, comparison.runs_in_all)
}

/// How far the comparison went, in one sentence.
pub fn state(comparison: &Comparison) -> String {
    let Comparison { runs, needed, runs_in_all, other_plans, .. } = comparison;
    let class = &comparison.cpu_class;
    match comparison.state {
        ComparisonState::Compared => format!(
            "{} numbers beside {}; false alarms: at most {} of runs",
            comparison.checks,
            past(comparison),
            number::ratio(1.0 - comparison.confidence),
        ),
        ComparisonState::Building if comparison.checks > 0 => format!(
            "{} numbers are compared; others have {runs} of {needed} runs on this CPU so far",
            comparison.checks
        ),
        ComparisonState::NothingCompared => {
            "no gated number could be compared: too few requests, or a load that sets the pace".to_owned()
        }
        ComparisonState::Building if runs_in_all == runs => {
            format!("the baseline has {runs} of {needed} runs on this CPU ({class})")
        }
        ComparisonState::Building => {
            format!("the baseline has {runs} of {needed} runs on this CPU ({class}), {runs_in_all} in all")
        }
        ComparisonState::OtherPlan => {
            format!("all {other_plans} runs of the baseline are of another plan, and not comparable")
        }
        ComparisonState::Missing if comparison.unknown > 0 => {
            format!("all files of the baseline ({}) are of a later version of loadgate", comparison.unknown)
        }
        ComparisonState::Missing => "there is no baseline yet".to_owned(),
        ComparisonState::Partial => "a partial run is compared with nothing".to_owned(),
    }
}

/// The same before there is a run.
pub fn outlook(comparison: &Comparison) -> String {
    match comparison.state {
        ComparisonState::Compared => format!("this run is compared with {}", past(comparison)),
        ComparisonState::Building if comparison.checks > 0 => state(comparison),
        _ => format!("{}: nothing will be compared, the SLA decides alone", state(comparison)),
    }
}

/// What is tolerated of times, and what must not slip through: of very short ones more than of others.
pub fn tolerance(result: &RunResult) -> Option<String> {
    let times = || deltas(result).into_iter().filter(|delta| delta.unit == CheckUnit::Ms);
    let range = |pick: fn(&Delta) -> Option<f64>| {
        let sizes = || times().filter_map(pick);
        let (least, most) = (sizes().reduce(f64::min)?, sizes().reduce(f64::max)?);
        let [least, most] = [least, most].map(number::ratio);
        Some(if least == most { least } else { format!("{least} to {most}") })
    };
    // Only what was tested has both.
    let catch = range(|delta| delta.catch)?;
    let budget = range(|delta| delta.budget)?;
    Some(format!("tolerated: {budget}, must not slip through: {catch}"))
}

/// What else is to be said: files that were not used, a centre that has drifted, what more runs would do.
pub fn notes(result: &RunResult) -> Vec<String> {
    let Some(comparison) = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref()) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    if comparison.unknown > 0 {
        notes.push(format!(
            "not used, of a later version of loadgate: files of the baseline ({})",
            comparison.unknown
        ));
    }
    let shown = deltas(result);
    let of = |wanted: &dyn Fn(&Delta) -> bool| {
        let names: Vec<_> = shown.iter().filter(|delta| wanted(delta)).map(|delta| named(delta)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let refuted = of(&|delta| delta.confirmed == Some(false));
    notes.extend(refuted.map(|names| format!("flagged by the first job, and not seen again here: {names}")));
    let waiting = of(&|delta| comparison.checks > 0 && standing(delta) == Standing::Building);
    notes.extend(waiting.map(|names| format!("not compared, too few runs so far: {names}")));
    notes.extend(shown.iter().filter_map(|delta| reason(delta)));
    notes.extend(rare(result));
    let moved = |delta: &&&Delta| delta.drift.is_some_and(|drift| drift.abs() >= TOLD_DRIFT);
    notes.extend(shown.iter().filter(moved).map(|delta| {
        format!(
            "{} has drifted by {} since the epoch began, in steps none of which was a regression",
            named(delta),
            change(delta, delta.drift)
        )
    }));
    notes
}

/// What would be gated, and is requested too rarely to be compared.
fn rare(result: &RunResult) -> Option<String> {
    let all = || result.verdict.iter().flat_map(|verdict| &verdict.deltas);
    let gated = |metric: &str| all().any(|delta| delta.gated && delta.metric == metric);
    let rare = all().filter(|delta| {
        !delta.gated && matches!(delta.because, Some(Because::TooFew { .. })) && gated(&delta.metric)
    });
    // What neither side ever requested is no news.
    let names: Vec<_> = rare.filter(|delta| delta.head.is_some()).map(named).collect();
    (!names.is_empty()).then(|| format!("not compared, too few requests: {}", names.join(", ")))
}

/// Why a number could not be compared as it should be.
fn reason(delta: &Delta) -> Option<String> {
    let why = match delta.because? {
        Because::NeverHit => "it was never requested here, and is in the baseline".to_owned(),
        Because::NoSample => "no request of it succeeded here".to_owned(),
        Because::TooFew { needed } => format!("fewer requests than {}", number::count(needed)),
        Because::Rarer { n, usual } => {
            let (here, usual) = (number::counted(n, "request"), number::count(usual));
            format!("{here} here, {usual} in the baseline: too few to compare")
        }
        Because::NotSeenBefore => {
            "it got worse in this second job, and had not in the first: neither is proof".to_owned()
        }
        because @ (Because::GeneratorLate { .. } | Because::Steal { .. } | Because::Unfinished { .. }) => {
            let told = super::sentence::doubt(because)?;
            format!("{}. To do: {}", told.0, told.1)
        }
        _ => return None,
    };
    Some(format!("{}: {why}", named(delta)))
}

/// What was found of a number, as one sentence.
pub fn outcome(delta: &Delta) -> String {
    let subject = named(delta);
    match delta.because {
        Some(Because::AboveCatch { bound, catch }) => format!(
            "{subject}: {} cannot be ruled out, and {} must not slip through",
            change(delta, Some(bound)),
            size(delta, Some(catch.abs()))
        ),
        Some(Because::Unconfirmed) | None => format!(
            "{subject} is {}, {} on {} ({} tolerated){}",
            value(delta, delta.head),
            change(delta, delta.change),
            value(delta, delta.base),
            size(delta, delta.budget),
            match delta.confirmed {
                Some(true) => ", seen by both jobs",
                _ => "",
            }
        ),
        Some(_) => reason(delta).unwrap_or(subject),
    }
}
