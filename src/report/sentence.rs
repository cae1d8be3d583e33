//! Reasons as sentences: what was found, and what to do about it. Every output says it in these words.

use std::time::Duration;

use crate::result::endpoint::{EndpointCounts, failures};
use crate::result::salvage::Salvaged;
use crate::result::schema::{RunResult, Signal};
use crate::result::verdict::{Because, Check, CheckScope, CheckStatus, Finding, Reason, Status, Verdict};

use super::next::Next;
use super::{comparison, machine, model, number, text, window};

/// What to do about a run that an objective has stopped.
pub(super) const CUT_OFF: &str = "raise `load.drain` to what requests may take, or look for those that hang";
pub(super) const STOPPED_EARLY: &str = "find out what broke it, and run it again to the end";

/// What to do where the objective is broken that nobody wrote.
const DEFAULT_BROKEN: &str =
    "look at the failures; `thresholds.error_rate` sets another limit, and `error_rate: null` none";

/// What to do about a result that ends too early.
const HALF_WRITTEN: &str = "get the whole file, or run it again; the run that wrote it may have been killed";

/// The verdict in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// One or two words in capitals.
    pub word: &'static str,
    /// What decided it.
    pub sentence: String,
    /// What to do now.
    pub next: Option<Next>,
    /// In a few words, that nothing is wrong, where the word alone would sound as if.
    pub aside: Option<String>,
}

/// The headline of a result.
pub fn headline(result: &RunResult) -> Headline {
    let Some(salvaged) = &result.salvaged else { return judged(result) };
    let whole = judged(result);
    let sentence = format!("half-written: {}; {}", lost(salvaged), whole.sentence);
    Headline { sentence, next: Some(HALF_WRITTEN.into()), aside: None, ..whole }
}

/// What a half-written result lacks.
pub fn lost(salvaged: &Salvaged) -> String {
    let cut_in = salvaged.cut_in.as_ref().map(|field| format!("the end of {field}"));
    let lost: Vec<_> = cut_in.into_iter().chain(salvaged.missing.iter().cloned()).collect();
    if lost.is_empty() {
        "only its end is missing".to_owned()
    } else {
        format!("it lacks {}", lost.join(", "))
    }
}

fn judged(result: &RunResult) -> Headline {
    let Some(verdict) = &result.verdict else {
        return Headline {
            word: "NOT JUDGED",
            sentence: "the result holds no verdict".to_owned(),
            next: None,
            aside: None,
        };
    };
    let (sentence, next) = match verdict.reasons.first() {
        None => passed(verdict),
        Some(Reason::Interrupted) => interrupted(result),
        Some(Reason::InvalidRun) => invalid_run(verdict),
        Some(Reason::Sla) => decided_by(result, CheckStatus::Fail),
        Some(Reason::InvalidCheck) if broken(verdict, CheckStatus::Invalid) => {
            decided_by(result, CheckStatus::Invalid)
        }
        Some(Reason::Aborted) => stopped_early(result),
        Some(Reason::Undecided) => decided_by(result, CheckStatus::Undecided),
        Some(
            reason @ (Reason::Regression
            | Reason::InvalidCheck
            | Reason::Unconfirmed
            | Reason::TooNoisy
            | Reason::BuildingBaseline
            | Reason::NothingCompared
            | Reason::NoBaseline),
        ) => comparison::headline(result, *reason, &objectives(verdict)),
    };
    let first = verdict.reasons.first();
    let aside = first.and_then(|first| comparison::aside(result, *first, &objectives(verdict)));
    Headline { word: word(verdict.status), sentence, next, aside }
}

/// The word of a status.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Passed => "PASSED",
        Status::Failed => "FAILED",
        Status::Inconclusive => "INCONCLUSIVE",
        Status::Invalid => "INVALID",
        Status::Interrupted => "INTERRUPTED",
    }
}

/// `p95 of POST /x`, `error_rate of all requests in every 10 s`.
pub fn subject(check: &Check) -> String {
    format!("{} of {}{}", check.metric, scope(check), window::every(check))
}

/// The same in a sentence, where a name is never so long that the rest is not read.
pub(super) fn named(check: &Check) -> String {
    format!("{} of {}{}", check.metric, text::name(scope(check)), window::every(check))
}

/// `p95`, `error_rate in every 10 s`.
pub fn metric(check: &Check) -> String {
    format!("{}{}", check.metric, window::every(check))
}

/// What a check is about.
pub fn scope(check: &Check) -> &str {
    place(check.scope, check.endpoint.as_deref())
}

pub(super) fn place(scope: CheckScope, endpoint: Option<&str>) -> &str {
    match (scope, endpoint) {
        (CheckScope::Total, _) | (_, None) => "all requests",
        (_, Some(name)) => name,
    }
}

/// How many requests did not end.
pub(super) fn were_cut_off(unfinished: u64) -> String {
    number::counted_as(unfinished, "request was cut off at the end", "requests were cut off at the end")
}

/// What a finding says, and what to do about it.
pub fn finding(finding: &Finding) -> (String, &'static str) {
    match *finding {
        Finding::NoSteadyRequest { steady_s } => (
            format!("no request ended in the {} of constant load", number::seconds(steady_s)),
            "let the run last longer than its ramp and warm-up, and look at the failures",
        ),
        Finding::GeneratorCpu { utilisation, limit } => (
            format!(
                "the generator used {} of its cores, above {}: it was the limit, not the service",
                number::ratio(utilisation),
                number::ratio(limit)
            ),
            "use a larger runner, or less load",
        ),
        Finding::BehindPlan { achieved_ratio, limit } => (
            format!(
                "the generator started {} of what was due, below {}",
                number::ratio(achieved_ratio),
                number::ratio(limit)
            ),
            "use a larger runner, or a lower rate",
        ),
        Finding::StoodStill { stalled_share, limit } => (
            format!(
                "the generator stood still for {} of the time that is judged, above {}: it sent less than planned",
                number::ratio(stalled_share),
                number::ratio(limit)
            ),
            "find out what kept it from running: a CPU limit, a paused machine, other work on its cores",
        ),
        Finding::LostSecond { t_s, stalled_share } => (
            format!(
                "the generator stood still for {} of the second after {}",
                number::ratio(stalled_share),
                number::seconds(t_s)
            ),
            "look at that second in the series before you trust the slowest requests",
        ),
        Finding::Exhausted { count } => (
            format!("the generator ran out of file descriptors or ports {} times", number::count(count)),
            "raise `ulimit -n`, or use fewer users or connections",
        ),
        Finding::Unfinished { ratio, limit } => (
            format!(
                "{} of all requests were cut off at the end, above {}",
                number::ratio(ratio),
                number::ratio(limit)
            ),
            CUT_OFF,
        ),
        Finding::Aborted { at_s } => (
            format!("the run was stopped early, after {}, by an objective", number::seconds(at_s)),
            STOPPED_EARLY,
        ),
        Finding::TargetEnded => (
            "the target command ended while it was measured".to_owned(),
            "look at its last lines, and at target.log in the folder of the run",
        ),
        Finding::NoObjective => {
            ("there is no objective to judge by".to_owned(), "add `thresholds` to the configuration")
        }
        Finding::NothingSucceeded { .. }
        | Finding::NoAnswer { .. }
        | Finding::NeverReady { .. }
        | Finding::NoIteration { .. }
        | Finding::UnjudgedFailures { .. } => of_failures(finding),
    }
}

/// The same of findings about failures.
fn of_failures(finding: &Finding) -> (String, &'static str) {
    match *finding {
        Finding::NothingSucceeded { failed: 0, .. } => (
            "the service gave no answer in the phase of constant load: messages were only sent to it"
                .to_owned(),
            "let the plan wait for an answer with `receive`, or make requests: there is nothing else to judge",
        ),
        Finding::NothingSucceeded { failed, elsewhere } => (
            match elsewhere {
                0 => format!("not one of {} succeeded", number::counted(failed, "request")),
                _ => format!(
                    "not one of {} in the phase of constant load succeeded",
                    number::counted(failed, "request")
                ),
            },
            "look at the failures: there is nothing else to judge",
        ),
        Finding::NoAnswer { ref endpoint, t_s, length_s, usual } => (
            format!(
                "from {} on, next to no request{} was answered for {}, in which about {} usually are",
                number::seconds(t_s),
                endpoint.as_ref().map_or_else(String::new, |name| format!(" of {name}")),
                number::seconds(length_s),
                number::count(usual)
            ),
            "find out why the service stopped answering: users who waited for it did not make the planned load",
        ),
        Finding::NeverReady { users, of } => (
            format!(
                "{} of {} never got through `on_start`, and made no load",
                number::count(users),
                number::counted(of, "user")
            ),
            "look at how `on_start` fails, or at what it waits for: the load was not the one that was planned",
        ),
        Finding::NoIteration { skipped } => (
            match skipped {
                0 => "not one iteration of a task began: nothing that was planned was measured".to_owned(),
                _ => format!(
                    "all of {} of tasks were skipped: nothing that was planned was measured",
                    number::counted(skipped, "iteration")
                ),
            },
            "look at `on_start`, and at the first `when` of the tasks",
        ),
        Finding::UnjudgedFailures { failed, ended, only_warned } => {
            let of = format!("{} of {} failed", number::count(failed), number::counted(ended, "request"));
            if only_warned {
                let remedy = "take `severity: warn` away from `error_rate` if failures are to fail the run";
                (format!("{of}, and the error rate that is about them only warns"), remedy)
            } else {
                let remedy = "add an `error_rate` to `thresholds`, or take its `null` away";
                (format!("{of}, and no objective is about that"), remedy)
            }
        }
        // These are told by `finding`.
        Finding::NoSteadyRequest { .. }
        | Finding::GeneratorCpu { .. }
        | Finding::BehindPlan { .. }
        | Finding::StoodStill { .. }
        | Finding::LostSecond { .. }
        | Finding::Exhausted { .. }
        | Finding::Unfinished { .. }
        | Finding::TargetEnded
        | Finding::Aborted { .. }
        | Finding::NoObjective => self::finding(finding),
    }
}

/// Why a check neither passed nor failed, and what to do about it.
pub fn because(check: &Check, because: Because) -> (String, &'static str) {
    match because {
        Because::TooFew { needed } => (
            format!(
                "{}{}, and {} needs {}",
                number::counted(check.n, "request"),
                window::worst(check),
                check.metric,
                number::count(needed)
            ),
            match check.window {
                Some(_) => "take longer windows, or more load",
                None if check.whole_run => {
                    "run longer, with more users where only `on_start` makes it, or take a lower percentile"
                }
                None => "run longer, or with more load",
            },
        ),
        Because::TimedOut { timed_out, .. } => (
            format!(
                "{} of {} timed out{}: its true value is at least {}, and may lie beyond the limit of {}",
                number::count(timed_out),
                number::counted(check.n, "request"),
                window::worst(check),
                number::value(check.unit, check.value.unwrap_or_default()),
                number::limit(check.unit, check.limit)
            ),
            "find out why requests time out; a `timeout` above the limit lets the check decide",
        ),
        Because::Failed { failed } => (
            format!(
                "{} of {} failed{}, and had they been slow instead, it would lie beyond the limit of {}",
                number::count(failed),
                number::counted(check.n.saturating_add(failed), "request"),
                window::worst(check),
                number::limit(check.unit, check.limit)
            ),
            "find out why requests fail: a failure is no fast answer",
        ),
        Because::CutOff { unfinished } => (
            format!(
                "{}, and with the worst of outcomes for {} it would lie beyond the limit of {}",
                were_cut_off(unfinished),
                if unfinished == 1 { "it" } else { "them" },
                number::limit(check.unit, check.limit)
            ),
            CUT_OFF,
        ),
        Because::UnansweredNotStored { unanswered } => (
            format!(
                "an earlier version of loadgate wrote the result, which does not say in which windows {} without an answer ended",
                number::counted(unanswered, "request")
            ),
            "run it again with this version",
        ),
        Because::NotStored { length_s } => (
            format!("the result holds no windows of {}", number::seconds(length_s as f64)),
            "run it again: windows are measured while the load runs",
        ),
        Because::NoWindow { length_s, steady_s } => (
            format!(
                "no window of {} fits into the {} of constant load",
                number::seconds(length_s as f64),
                number::seconds(steady_s)
            ),
            "run longer, or take shorter windows",
        ),
        Because::NeverHit | Because::NoSample | Because::OutsideSteady { .. } | Because::TimesNotStored => {
            without_number(check, because)
        }
        Because::NotMeasured => ("this number is not measured there".to_owned(), "take the objective out"),
        Because::OtherScenario => ("another scenario makes it".to_owned(), "nothing to do"),
        // The others are of comparisons, or said alike of both.
        other => doubt(other).unwrap_or_else(|| ("it says nothing".to_owned(), "look at the comparison")),
    }
}

/// The same where there is no number: never asked for, never answered, elsewhere in the run, or not kept.
fn without_number(check: &Check, because: Because) -> (String, &'static str) {
    match because {
        Because::NeverHit => {
            ("it was never requested".to_owned(), "let the scenario reach it, or take the objective out")
        }
        Because::NoSample if check.whole_run => {
            ("no time of it was recorded in the whole run".to_owned(), "look at the failures")
        }
        Because::NoSample => (
            "nothing was recorded for it in the steady phase".to_owned(),
            "look at the failures, or let the run last longer",
        ),
        Because::OutsideSteady { ended } => (
            format!(
                "nothing was recorded for it in the steady phase, and {} before or after it",
                number::counted(ended, if check.scope == CheckScope::Metric { "sample" } else { "request" })
            ),
            match check.window {
                Some(_) => "leave `window` out, and write `over: whole_run` to judge the whole run",
                None => "write `over: whole_run` to judge the whole run, or let the run last longer",
            },
        ),
        _ => (
            "the result does not hold its times of the whole run".to_owned(),
            "run it again: they are kept where an objective asks for them",
        ),
    }
}

/// What casts doubt on times wherever they are judged, and what to do about it.
pub fn doubt(because: Because) -> Option<(String, &'static str)> {
    match because {
        Because::Unfinished { ratio } => {
            Some((format!("{} of all requests were cut off at the end", number::ratio(ratio)), CUT_OFF))
        }
        Because::NotStarted { count } => Some((
            format!(
                "the generator was too late for {}, whose outcome nobody knows",
                number::counted(count, "arrival")
            ),
            "run it again on a larger or quieter machine",
        )),
        Because::GeneratorLate { lag_ms, limit_ms } => Some((
            format!(
                "the generator itself was {} late (p99, at most {} here)",
                number::milliseconds(lag_ms),
                number::milliseconds(limit_ms)
            ),
            "use a larger runner, or less load",
        )),
        Because::Steal { ratio, limit } => Some((
            format!(
                "the machine was taken away {} of the time (at most {})",
                number::ratio(ratio),
                number::ratio(limit)
            ),
            "run it again, or on a runner that is not shared",
        )),
        Because::MachineBusy { .. } | Because::MachineSlow { .. } | Because::MachineThrottled { .. } => {
            machine::excuse(because)
        }
        _ => None,
    }
}

/// What a check found, as one sentence.
pub fn outcome(check: &Check) -> String {
    let subject = named(check);
    match (check.because, check.value) {
        (Some(reason), _) => format!("{subject}: {}", because(check, reason).0),
        (None, Some(_)) => format!(
            "{subject} is {}{}, {} {}{}{}",
            value(check),
            window::worst(check),
            limit_word(check),
            number::limit(check.unit, check.limit),
            if check.default { " by default" } else { "" },
            window::stopped(check)
        ),
        (None, None) => format!("{subject} has no value"),
    }
}

/// What a check measured: `≥ 203 ms` where timeouts make it a lower bound.
pub(super) fn value(check: &Check) -> String {
    let at_least = check.unanswered.is_some_and(|unanswered| unanswered.at_least);
    check.value.map_or_else(
        || number::NOTHING.to_owned(),
        |value| model::at_least(number::value(check.unit, value), at_least),
    )
}

fn limit_word(check: &Check) -> &'static str {
    match model::bound(check) {
        model::Bound::AtMost => "limit",
        model::Bound::AtLeast => "at least",
    }
}

fn passed(verdict: &Verdict) -> (String, Option<Next>) {
    let without = verdict.findings.contains(&Finding::NoObjective);
    let unjudged = verdict.findings.iter().find(|it| matches!(it, Finding::UnjudgedFailures { .. }));
    if let Some((text, remedy)) = unjudged.map(finding) {
        let measured = if without { "the service was measured".to_owned() } else { objectives(verdict) };
        return (format!("{measured}; {text}"), Some(remedy.into()));
    }
    let (text, remedy) = finding(&Finding::NoObjective);
    if without {
        return (format!("the service was measured, and {text}"), Some(remedy.into()));
    }
    let mut deciding = verdict.checks.iter().filter(|check| model::decides(check));
    if verdict.comparison.is_none() && deciding.all(|check| check.default) {
        let sentence = "the error rate keeps its default limit, and no other objective is written";
        return (sentence.to_owned(), Some(remedy.into()));
    }
    let sentence = match &verdict.comparison {
        Some(comparison) => format!(
            "{}, and none of {} numbers got worse than the baseline{}",
            objectives(verdict),
            comparison.checks,
            comparison::left_out(comparison).map_or_else(String::new, |said| format!("; {said}"))
        ),
        None => objectives(verdict),
    };
    (sentence, None)
}

/// How far a run is, and what its page does not know of it.
pub fn so_far(at: Duration, total: Duration, lost: u64) -> String {
    let [at, total] = [at, total].map(|length| number::seconds(length.as_secs_f64()));
    match lost {
        0 => format!("{at} of {total}"),
        1 => format!("{at} of {total}; a second is missing here, and in no report"),
        _ => format!("{at} of {total}; {} seconds are missing here, and in no report", number::count(lost)),
    }
}

/// How the objectives stand where none is broken.
fn objectives(verdict: &Verdict) -> String {
    match verdict.checks.iter().filter(|check| model::decides(check)).count() {
        0 => "no objective applies here".to_owned(),
        1 => "the objective holds".to_owned(),
        n => format!("all {n} objectives hold"),
    }
}

fn broken(verdict: &Verdict, status: CheckStatus) -> bool {
    verdict.checks.iter().any(|check| check.status == status && model::decides(check))
}

fn interrupted(result: &RunResult) -> (String, Option<Next>) {
    let by = match result.signal {
        Some(Signal::Sigterm) => "a request to terminate",
        Some(Signal::StopButton) => "the stop button of the live page",
        Some(Signal::Sigint) | None => "Ctrl-C",
    };
    let sentence = format!(
        "stopped by {by} after {}; the numbers are partial and compared with nothing",
        number::seconds(result.duration_s)
    );
    (sentence, Some("run it again to the end".into()))
}

fn stopped_early(result: &RunResult) -> (String, Option<Next>) {
    let sentence = result.aborted.as_ref().map(window::aborted);
    let sentence = sentence.unwrap_or_else(|| "the run was stopped early by an objective".to_owned());
    (format!("{sentence}; what came after is not known"), Some(STOPPED_EARLY.into()))
}

fn invalid_run(verdict: &Verdict) -> (String, Option<Next>) {
    let worst = verdict.findings.iter().find(|finding| finding.invalidates());
    worst.map_or_else(
        || ("the numbers cannot be trusted".to_owned(), None),
        |worst| {
            let (text, remedy) = finding(worst);
            (text, Some(remedy.into()))
        },
    )
}

/// The first of the checks with the status that decided, and how many there are.
fn decided_by(result: &RunResult, status: CheckStatus) -> (String, Option<Next>) {
    let checks = model::checks(result);
    let decisive: Vec<_> =
        checks.into_iter().filter(|check| check.status == status && model::decides(check)).collect();
    let Some(first) = decisive.first() else { return ("a check did not pass".to_owned(), None) };
    let state = match (status, decisive.len()) {
        (CheckStatus::Fail, 1) => "1 objective is broken".to_owned(),
        (CheckStatus::Fail, n) => format!("{n} objectives are broken, first"),
        (CheckStatus::Undecided, 1) => "1 objective is undecided".to_owned(),
        (CheckStatus::Undecided, n) => format!("{n} objectives are undecided, first"),
        (_, 1) => "1 objective cannot be judged".to_owned(),
        (_, n) => format!("{n} objectives cannot be judged, first"),
    };
    let sentence = format!("{state}: {}", outcome(first));
    let in_the_way = Some(first).filter(|it| it.because == Some(Because::NeverHit));
    match in_the_way.and_then(|_| model::in_the_way(result)) {
        Some(step) => {
            let why = format!("{}, and what follows a failed step is not requested", wholly_failed(step));
            (format!("{sentence}; {why}"), Some(look_at(step)))
        }
        None => (sentence, Some(next_step(result, &decisive).into())),
    }
}

/// `POST /login failed 120 of 120 times`.
pub(super) fn wholly_failed(step: &EndpointCounts) -> String {
    let failed = number::count(failures(&step.failed));
    format!("{} failed {failed} of {failed} times", text::name(&step.name))
}

fn look_at(step: &EndpointCounts) -> Next {
    format!("look at the failures of {}", text::name(&step.name)).into()
}

/// What to do about the first of these checks; how long to run, so that all of them can be decided.
fn next_step(result: &RunResult, checks: &[&Check]) -> String {
    let Some(first) = checks.first() else { return String::new() };
    let longest = checks.iter().filter_map(|check| time_needed(result, check)).fold(0.0, f64::max);
    match first.because {
        Some(Because::TooFew { .. }) if longest > 0.0 && first.window.is_none() && !first.whole_run => {
            format!("run longer: with this load, {} of constant load", number::seconds(longest.ceil()))
        }
        Some(reason) => because(first, reason).1.to_owned(),
        None if first.default => DEFAULT_BROKEN.to_owned(),
        None => match first.line {
            Some(line) => {
                format!("find out what changed; the limit stands in line {line} of the configuration")
            }
            None => "find out what changed, or change the limit".to_owned(),
        },
    }
}

/// Seconds of this load that give a percentile the requests it needs. No window gets longer by them.
fn time_needed(result: &RunResult, check: &Check) -> Option<f64> {
    match check.because {
        Some(Because::TooFew { needed }) if check.n > 0 && check.window.is_none() && !check.whole_run => {
            Some(result.steady_s * needed as f64 / check.n as f64)
        }
        _ => None,
    }
}
