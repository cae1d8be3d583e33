//! What decided where the comparison did, and what to do about it, in words and as commands. Pure; texts from
//! outside are in it as they are.

use crate::report::next::Next;
use crate::report::{sentence, text};
use crate::result::comparison::{Comparison, ComparisonState, Delta};
use crate::result::schema::RunResult;
use crate::result::verdict::{Because, CheckStatus, Reason};

use super::{Standing, deltas, outcome, size, standing, state, subject};
use crate::report::model;

/// The most numbers that a next step names.
const MOST_ACCEPTED: usize = 6;

/// Whether what came out of the comparison decided the verdict.
pub fn decides(result: &RunResult) -> bool {
    let Some(verdict) = &result.verdict else { return false };
    let invalid = || verdict.checks.iter().any(|it| it.status == CheckStatus::Invalid && model::decides(it));
    match verdict.reasons.first() {
        Some(Reason::Regression | Reason::Unconfirmed | Reason::TooNoisy) => true,
        Some(Reason::InvalidCheck) => !invalid(),
        _ => false,
    }
}

/// What decided, where the comparison did, and what to do about it. `objectives` says how those stand.
pub fn headline(result: &RunResult, reason: Reason, objectives: &str) -> (String, Option<Next>) {
    match reason {
        Reason::Regression => {
            let command = || acceptance(result, MOST_ACCEPTED).unwrap_or_default();
            let meant = |_: &Delta| Next::by(command(), "find out what changed; if it is meant");
            first(result, Standing::Worse, ("1 number got worse", "numbers got worse"), meant)
        }
        Reason::Unconfirmed => {
            let said = ("1 number got worse here", "numbers got worse here");
            first(result, Standing::Unconfirmed, said, |_| confirmation(result))
        }
        Reason::TooNoisy => {
            first(result, Standing::Open, ("1 number is undecided", "numbers are undecided"), |delta| {
                quieter(result, delta)
            })
        }
        Reason::InvalidCheck => {
            let said = ("1 number cannot be compared", "numbers cannot be compared");
            first(result, Standing::Invalid, said, |_| "look at the notes on the baseline".into())
        }
        _ => {
            let comparison = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
            let Some(comparison) = comparison else { return (objectives.to_owned(), None) };
            (waiting(result, comparison, objectives), Some(completed(result, comparison)))
        }
    }
}

/// That nothing is wrong, and what the comparison waits for.
fn waiting(result: &RunResult, comparison: &Comparison, objectives: &str) -> String {
    let state = state(comparison);
    match comparison.checks {
        _ if has_lost(comparison) => {
            let alone = if judges(result) { "and the SLA decides alone" } else { "and nothing decides" };
            format!("nothing was compared with the baseline: {state}; {objectives}, {alone}")
        }
        0 if judges(result) => {
            format!("{objectives}; only the comparison is undecided: {state}, so the SLA decides alone")
        }
        0 => format!("{objectives}; {state}, so nothing decides yet"),
        _ => format!("{objectives}; {state}"),
    }
}

/// Whether there is a baseline, and nothing in it that this run could be compared with: the gate was there, and is
/// not any more. That is said before anything else.
fn has_lost(comparison: &Comparison) -> bool {
    let Comparison { checks, runs, runs_in_all, unknown, .. } = *comparison;
    match comparison.state {
        ComparisonState::OtherPlan | ComparisonState::NothingCompared => true,
        ComparisonState::Missing => unknown > 0,
        ComparisonState::Building => checks == 0 && runs == 0 && runs_in_all > 0,
        ComparisonState::Compared | ComparisonState::Partial => false,
    }
}

fn judges(result: &RunResult) -> bool {
    result.verdict.iter().flat_map(|verdict| &verdict.checks).any(model::decides)
}

/// The same in a few words, for beside the word of the verdict, which alone sounds worse than it is; none where
/// anything else is open, or no objective holds.
pub fn aside(result: &RunResult, reason: Reason, objectives: &str) -> Option<String> {
    let comparison = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref())?;
    let lost = match (reason, comparison.state) {
        (Reason::NoBaseline, ComparisonState::OtherPlan) => Some("the plan has changed"),
        (Reason::NoBaseline, _) if comparison.unknown > 0 => {
            Some("the baseline is of a later version of loadgate")
        }
        (Reason::BuildingBaseline, _) if has_lost(comparison) => Some("the baseline is of other machines"),
        (Reason::NothingCompared, ComparisonState::NothingCompared) => Some("no number could be compared"),
        _ => None,
    };
    if let Some(lost) = lost {
        let objectives = if judges(result) { format!("; {objectives}") } else { String::new() };
        return Some(format!("nothing was compared: {lost}{objectives}"));
    }
    let waits = match (reason, comparison.state) {
        (Reason::NoBaseline, _) => "no baseline yet".to_owned(),
        (Reason::BuildingBaseline, _) => {
            format!("the baseline has {} of {} runs", comparison.runs, comparison.needed)
        }
        _ => return None,
    };
    judges(result).then(|| format!("{objectives}, {waits}"))
}

/// What makes the comparison whole: at a desk, or in a job.
fn completed(result: &RunResult, comparison: &Comparison) -> Next {
    let missing = comparison.needed.saturating_sub(comparison.runs).max(1);
    // What was changed by mistake is better changed back than remembered.
    let meant = match comparison.state {
        ComparisonState::OtherPlan => "if the change of the plan is meant, ",
        _ => "",
    };
    let make = |runs: &str| {
        let say = format!(
            "{meant}remember {missing} {runs} like this one, made on this kind of machine with the same flags, if any, \
             better one in each of several jobs than all in one; then commit them, or in a CI job add --pull-request"
        );
        Next::by(format!("loadgate baseline update{} --runs {missing}", selection(result)), say)
    };
    match comparison.state {
        ComparisonState::NothingCompared => {
            "look at the notes on the baseline, which say why; let the run make more requests, or gate what it \
             measures and its load lets vary (`baseline.gate_on`)"
                .into()
        }
        _ if comparison.unknown > 0 && comparison.state == ComparisonState::Missing => {
            "use the version of loadgate that wrote them".into()
        }
        _ if missing == 1 => make("run"),
        _ => make("runs"),
    }
}

/// The first number of a standing, how many there are, and what to do.
fn first(
    result: &RunResult,
    wanted: Standing,
    (one, several): (&str, &str),
    next: impl Fn(&Delta) -> Next,
) -> (String, Option<Next>) {
    let all: Vec<_> = deltas(result).into_iter().filter(|delta| standing(delta) == wanted).collect();
    let Some(first) = all.first() else { return ("a comparison did not pass".to_owned(), None) };
    let count = match all.len() {
        1 => one.to_owned(),
        n => format!("{n} {several}, first"),
    };
    (format!("{count}: {}", outcome(first)), Some(next(first)))
}

/// A second look at what got worse.
fn confirmation(result: &RunResult) -> Next {
    let [scenario, environment] = [&result.scenario, &result.environment].map(|it| text::quoted(it));
    Next::by(
        format!("loadgate run {scenario} -e {environment} --confirm RESULT"),
        "run it on another machine, with the flags of this run and its result.json as RESULT",
    )
}

/// What helps against noise: more runs, if any number of them does.
fn quieter(result: &RunResult, delta: &Delta) -> Next {
    match (delta.because, delta.runs_missing) {
        // More runs of one session would say little more of how machines differ.
        (Some(Because::AboveCatch { .. }), Some(missing)) if has_sessions(result) => Next::by(
            format!("loadgate baseline update{}", selection(result)),
            format!(
                "with {missing} more runs, each of a job of its own, for example one a night, {} would be found",
                size(delta, delta.catch)
            ),
        ),
        (Some(Because::AboveCatch { .. }), Some(missing)) => Next::by(
            format!("loadgate baseline update{} --runs {missing}", selection(result)),
            format!("with {missing} more runs {} would be found", size(delta, delta.catch)),
        ),
        (Some(Because::AboveCatch { .. }), None) if delta.min_detectable > delta.catch => {
            "no number of runs makes up for this noise: run longer, on a quieter machine, or raise \
             `baseline.catch`"
                .into()
        }
        (Some(because), _) => match sentence::doubt(because) {
            Some((_, remedy)) => remedy.into(),
            None => "run it again".into(),
        },
        _ => "run it again".into(),
    }
}

/// Whether the remembered runs say which of them are of one session.
fn has_sessions(result: &RunResult) -> bool {
    let comparison = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
    comparison.is_some_and(|comparison| comparison.sessions.is_some())
}

/// The flags that name a scenario and environment, with a space before them.
pub fn flags(scenario: &str, environment: &str) -> String {
    format!(" --scenario {} -e {}", text::quoted(scenario), text::quoted(environment))
}

fn selection(result: &RunResult) -> String {
    flags(&result.scenario, &result.environment)
}

/// The command that accepts what got worse, so many numbers of it; none where nothing did.
pub fn acceptance(result: &RunResult, most: usize) -> Option<String> {
    let form = |delta: &Delta| match &delta.endpoint {
        Some(_) => subject(delta),
        None => delta.metric.clone(),
    };
    let worse = deltas(result).into_iter().filter(|delta| standing(delta) == Standing::Worse);
    let flags: Vec<_> = worse.take(most).map(|delta| text::quoted(&form(delta))).collect();
    let named: String = flags.iter().map(|subject| [" --metric ", subject].concat()).collect();
    let command = || format!("loadgate baseline accept{}{named} --reason '…'", selection(result));
    (!flags.is_empty()).then(command)
}
