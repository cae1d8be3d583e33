//! The comparison with the baseline as text: its rows in display order, how far it went, and what it
//! means. Every output says it in these words. Pure.

use crate::metric::{Better, Metric};
use crate::result::comparison::{Comparison, ComparisonState, Delta, DeltaStatus};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, CheckScope, CheckUnit};

mod advice;

use super::{number, text};

pub use advice::{acceptance, aside, decides, flags, headline};

/// The most numbers that one note names.
const MOST_NAMED: usize = 12;
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

/// `5 runs on this CPU (9 in all)`; `5 runs of 1 session on this CPU (9 in all)`, where sessions have several.
pub fn past(comparison: &Comparison) -> String {
    let Comparison { runs, sessions, runs_in_all, .. } = comparison;
    let sessions = sessions.filter(|sessions| sessions < runs);
    let sessions = sessions.map_or_else(String::new, |it| format!(" of {}", number::counted(it, "session")));
    format!("{runs} runs{sessions} on this CPU ({runs_in_all} in all)")
}

/// What runs of few sessions do not say, and what helps; none where each of the `needed` runs is of its own.
pub fn few_sessions(runs: u64, needed: u64, sessions: Option<u64>) -> Option<String> {
    let sessions = sessions.filter(|sessions| *sessions < runs.min(needed))?;
    Some(format!(
        "the {runs} runs on this kind of machine are of {} (a session is one job on one machine): they say how much a \
         run differs on one machine, and not how much machines do, so that a change of a few per cent may be another \
         machine's; remember runs of several jobs, for example one a night, rather than many of one",
        number::counted(sessions, "session")
    ))
}

/// How far the comparison went, in one sentence.
pub fn state(comparison: &Comparison) -> String {
    let Comparison { runs, needed, runs_in_all, other_plans, .. } = comparison;
    let class = &comparison.cpu_class;
    match comparison.state {
        ComparisonState::Compared => format!(
            "{} numbers compared with {}{}; false alarms: at most {} of runs",
            comparison.checks,
            past(comparison),
            left_out(comparison).map_or_else(String::new, |said| format!(", {said}")),
            number::ratio(1.0 - comparison.confidence),
        ),
        ComparisonState::Building if comparison.checks > 0 => format!(
            "{} numbers are compared; others have {runs} of {needed} runs on this CPU so far",
            comparison.checks
        ),
        ComparisonState::NothingCompared => {
            "no gated number could be compared: too few requests, nothing remembered of them, or a load that sets \
             the pace"
                .to_owned()
        }
        ComparisonState::Building if *runs == 0 && *runs_in_all > 0 => format!(
            "none of the {runs_in_all} runs of the baseline is of this kind of machine ({class}), and {needed} are \
             needed"
        ),
        ComparisonState::Building if runs_in_all == runs => {
            format!("the baseline has {runs} of {needed} runs on this CPU ({class})")
        }
        ComparisonState::Building => {
            format!("the baseline has {runs} of {needed} runs on this CPU ({class}), {runs_in_all} in all")
        }
        ComparisonState::OtherPlan => {
            let runs = number::counted(*other_plans, "run");
            format!("the plan has changed since the {runs} of the baseline, so that no number is comparable")
        }
        ComparisonState::Missing if comparison.unknown > 0 => {
            format!("all files of the baseline ({}) are of a later version of loadgate", comparison.unknown)
        }
        ComparisonState::Missing => "there is no baseline yet".to_owned(),
        ComparisonState::Partial => "a partial run is compared with nothing".to_owned(),
    }
}

/// How many numbers were to be compared and were not; none where all were.
pub fn left_out(comparison: &Comparison) -> Option<String> {
    match comparison.not_compared {
        0 => None,
        1 => Some("1 more was not compared".to_owned()),
        n => Some(format!("{} more were not compared", number::count(n))),
    }
}

/// The same before there is a run.
pub fn outlook(comparison: &Comparison) -> String {
    match comparison.state {
        ComparisonState::Compared => format!("this run is compared with {}", past(comparison)),
        ComparisonState::Building if comparison.checks > 0 => state(comparison),
        ComparisonState::OtherPlan => format!(
            "{}: nothing will be compared, the SLA decides alone; if the change is meant, remember new runs with \
             `loadgate baseline update --runs 5`",
            state(comparison)
        ),
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
    if comparison.foreign > 0 {
        notes.push(format!(
            "not used, of another baseline in the same folder: {}",
            number::counted(comparison.foreign, "run")
        ));
    }
    if comparison.checks > 0 {
        notes.extend(few_sessions(comparison.runs, comparison.needed, comparison.sessions));
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
    notes.extend(left_out_notes(result));
    notes.extend(shown.iter().filter_map(|delta| reason(delta)));
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

/// What `gate_on` names and was not compared, by the reason why.
fn left_out_notes(result: &RunResult) -> Vec<String> {
    let all = || result.verdict.iter().flat_map(|verdict| &verdict.deltas).filter(|delta| delta.left_out);
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for delta in all() {
        let why = match delta.because {
            Some(Because::TooFew { .. }) if delta.scope == CheckScope::Metric => "too few samples",
            Some(Because::TooFew { .. }) => "too few requests",
            Some(Because::AboveCatch { .. }) => {
                "too few requests to rule out a rise that must not slip through"
            }
            Some(Because::NotRemembered) => {
                "the remembered runs do not say it (earlier versions of loadgate remembered less; \
                 `loadgate baseline update` remembers all)"
            }
            Some(Because::NotMeasured) => "the scenario has nothing of that kind",
            Some(Because::NoSample) => "nothing of it in the steady phase",
            Some(Because::Paced) => "the load sets the pace, not the service",
            _ => "it cannot be compared",
        };
        let name =
            if delta.because == Some(Because::NotMeasured) { delta.metric.clone() } else { named(delta) };
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let told = |(why, mut names): (&str, Vec<String>)| {
        let more = names.len().saturating_sub(MOST_NAMED);
        names.truncate(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("not compared, {why}: {}{more}", names.join(", "))
    };
    reasons.into_iter().map(told).collect()
}

fn sample(delta: &Delta) -> &'static str {
    if delta.scope == CheckScope::Metric { "sample" } else { "request" }
}

fn samples(delta: &Delta) -> &'static str {
    if delta.scope == CheckScope::Metric { "samples" } else { "requests" }
}

/// Why a number could not be compared as it should be.
fn reason(delta: &Delta) -> Option<String> {
    let why = match delta.because? {
        Because::NeverHit if delta.scope == CheckScope::Metric => {
            "it was never recorded here, and is in the baseline".to_owned()
        }
        Because::NeverHit => "it was never requested here, and is in the baseline".to_owned(),
        Because::NoSample if delta.status == DeltaStatus::NotComparable => {
            "not compared: no sample in the steady phase".to_owned()
        }
        Because::NoSample if delta.scope == CheckScope::Metric => {
            "nothing of it was recorded here".to_owned()
        }
        Because::NoSample => "no request of it succeeded here".to_owned(),
        Because::TooFew { needed } => {
            format!("fewer {} than {}", samples(delta), number::count(needed))
        }
        Because::Rarer { n, usual } => {
            let (here, usual) = (number::counted(n, sample(delta)), number::count(usual));
            format!("{here} here, {usual} in the baseline: too few to compare")
        }
        Because::TimedOut { timed_out, .. } => format!(
            "{} timed out, so that it is at least {}, and what must not slip through cannot be ruled out",
            number::counted(timed_out, sample(delta)),
            value(delta, delta.head)
        ),
        Because::Failed { failed } => format!(
            "{} failed, and had they been slow instead, it would be worse than what must not slip through",
            number::counted(failed, sample(delta))
        ),
        Because::NotSeenBefore => {
            "it got worse in this second job, and had not in the first: neither is proof".to_owned()
        }
        Because::CutOff { unfinished } => format!(
            "{}, and with them what must not slip through cannot be ruled out. To do: {}",
            super::sentence::were_cut_off(unfinished),
            super::sentence::CUT_OFF
        ),
        because @ (Because::GeneratorLate { .. }
        | Because::NotStarted { .. }
        | Because::Steal { .. }
        | Because::Unfinished { .. }
        | Because::MachineBusy { .. }
        | Because::MachineSlow { .. }
        | Because::MachineThrottled { .. }) => {
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
