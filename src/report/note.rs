//! What stands beside the rows of every report: their marks and limits, and the notes below. Pure; texts
//! from outside are in it as they are, to be escaped for where they go.

use crate::metric::Metric;
use crate::result::comparison::Delta;
use crate::result::endpoint::{EndpointCounts, Times};
use crate::result::schema::{RunResult, Task, WholeRun};
use crate::result::verdict::{Because, Check, CheckSeverity, CheckStatus, Finding};

use super::comparison::{self, Standing};
use super::{model, number, sentence, text, window};

/// The most numbers that were never requested, by name.
const MOST_UNREACHED: usize = 4;

/// The most tasks that were always skipped, by name.
const MOST_SKIPPED: usize = 4;

/// How a check came out, as a mark and a word.
pub fn mark(check: &Check) -> &'static str {
    match (check.status, check.severity) {
        (CheckStatus::Pass, _) => "✓ pass",
        (CheckStatus::Fail, CheckSeverity::Fail) => "✗ broken",
        (CheckStatus::Fail, CheckSeverity::Warn) => "! warning",
        (CheckStatus::Undecided, _) => "? undecided",
        (CheckStatus::Invalid, _) => "! invalid",
        (CheckStatus::NotApplicable, _) => "- not here",
    }
}

/// How a number stands beside its past, as a mark and a word.
pub fn standing(delta: &Delta) -> &'static str {
    match comparison::standing(delta) {
        Standing::Worse => "✗ worse",
        Standing::Invalid => "! invalid",
        Standing::Unconfirmed => "? unconfirmed",
        Standing::Open => "? open",
        Standing::Building => "? building",
        Standing::WorseShown => "! worse",
        Standing::Better => "✓ better",
        Standing::Same => "✓ same",
        Standing::Aside => "-",
    }
}

/// A mark without its sign, for where colours and shapes say as much.
pub fn word(mark: &'static str) -> &'static str {
    mark.split_once(' ').map_or(mark, |(_, word)| word)
}

/// `≤ 3 s`.
pub fn limit(check: &Check) -> String {
    let sign = match model::bound(check) {
        model::Bound::AtMost => "≤",
        model::Bound::AtLeast => "≥",
    };
    let default = if check.default { " (default)" } else { "" };
    format!("{sign} {}{default}", number::limit(check.unit, check.limit))
}

/// What a check measured.
pub fn value(check: &Check) -> String {
    let text = sentence::value(check);
    model::marked(text, carried(check))
}

/// Whether the requests of a check carry its percentile. Of a window only the run knew how many it had.
fn carried(check: &Check) -> model::Carried {
    match Metric::named(&check.metric) {
        Some(Metric::Response(percentile) | Metric::Connect(percentile))
            if check.value.is_some() && check.window.is_none() =>
        {
            model::carries(check.n, percentile.quantile())
        }
        _ => model::Carried::Well,
    }
}

/// What a mark before a percentile means.
pub const FEW: &str = "† so few requests that this percentile is the slowest of them";

/// What is to be said below a table of these times.
pub fn of_percentiles<'a>(times: impl Iterator<Item = &'a Times>) -> Option<&'static str> {
    (model::carried(times) == model::Carried::Slowest).then_some(FEW)
}

/// Why checks are open, and what their authors wanted to be said when they break.
pub fn of_checks(result: &RunResult) -> Vec<String> {
    let checks = model::checks(result).into_iter();
    let few = checks.clone().any(|check| carried(check) == model::Carried::Slowest);
    let way = model::in_the_way(result);
    let unreached = |check: &&Check| way.is_some() && check.because == Some(Because::NeverHit);
    let open = checks.filter(|check| model::rank(check) < model::Rank::Fine);
    let (unreached, open): (Vec<_>, Vec<_>) = open.partition(unreached);
    let unreached = way.and_then(|way| of_unreached(&unreached, way));
    let open = open.into_iter().flat_map(of_check).chain(unreached);
    open.chain(few.then(|| FEW.to_owned())).collect()
}

/// What was never requested, as one note: all of it has the same cause.
fn of_unreached(checks: &[&Check], way: &EndpointCounts) -> Option<String> {
    let named: Vec<_> = checks.iter().take(MOST_UNREACHED).map(|check| sentence::named(check)).collect();
    let more = match checks.len().saturating_sub(MOST_UNREACHED) as u64 {
        0 => String::new(),
        more => format!(", and {} more", number::count(more)),
    };
    let why = sentence::wholly_failed(way);
    (!named.is_empty()).then(|| format!("never requested, after {why}: {}{more}", named.join(", ")))
}

fn of_check(check: &Check) -> Vec<String> {
    let because = check.because.map(|because| {
        let (why, remedy) = sentence::because(check, because);
        match because {
            // How much longer to run is said once, with the verdict.
            Because::TooFew { .. } => why,
            _ => format!("{why}. To do: {remedy}."),
        }
    });
    let message = check.message.clone().filter(|_| check.status == CheckStatus::Fail);
    let said = because.into_iter().chain(window::broken(check)).chain(message);
    said.map(|said| format!("{}: {said}", sentence::named(check))).collect()
}

/// What was found about the run as a whole, and what its user was told.
pub fn of_run(result: &RunResult) -> Vec<String> {
    let findings = result.verdict.iter().flat_map(|verdict| &verdict.findings);
    let findings = findings.filter(|finding| **finding != Finding::NoObjective).map(|finding| {
        let (text, remedy) = match (finding, &result.aborted) {
            (Finding::Aborted { .. }, Some(aborted)) => (window::aborted(aborted), sentence::STOPPED_EARLY),
            _ => sentence::finding(finding),
        };
        format!("{text}. To do: {remedy}.")
    });
    let retries = of_retries(&result.whole_run);
    findings.chain(of_skipped(result)).chain(retries).chain(result.warnings.iter().cloned()).collect()
}

/// Tasks that made nothing at all, for their first condition never held. Of a run that is not judged yet, it may still.
fn of_skipped(result: &RunResult) -> Option<String> {
    let never = |task: &&Task| task.skipped > 0 && task.iterations == 0;
    let tasks: Vec<_> = result.tasks.iter().filter(never).filter(|_| result.verdict.is_some()).collect();
    let named = |task: &Task| format!("{} of {}", text::name(&task.task), text::name(&task.user_class));
    let named: Vec<_> = tasks.iter().take(MOST_SKIPPED).map(|task| named(task)).collect();
    let more = match tasks.len().saturating_sub(MOST_SKIPPED) as u64 {
        0 => String::new(),
        more => format!(", and {} more", number::count(more)),
    };
    (!named.is_empty())
        .then(|| format!("skipped every time, for the first `when` never held: {}{more}", named.join(", ")))
}

/// What was sent again, and that it is in none of the failures.
fn of_retries(run: &WholeRun) -> Option<String> {
    let again = |count: u64, why: &str| {
        let requests = match count {
            0 => return None,
            1 => "1 request was".to_owned(),
            more => format!("{} requests were", number::count(more)),
        };
        Some(format!("{requests} sent again {why}"))
    };
    let closed = again(
        run.retried_on_close,
        "because the server closed an idle connection at that moment (`retried_on_close`)",
    );
    let refused =
        again(run.retried_on_refusal, "after the server had refused the first try (`retried_on_refusal`)");
    let said: Vec<String> = closed.into_iter().chain(refused).collect();
    (!said.is_empty()).then(|| format!("{}. Both tries are in the response times.", said.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::{of_retries, of_run};
    use crate::gate::judge;
    use crate::plan::rules::Rules;
    use crate::result::endpoint::Failed;
    use crate::result::fixture::small;
    use crate::result::schema::{Task, WholeRun};

    #[test]
    fn a_task_that_was_skipped_every_time_is_told_once_the_run_is_judged() {
        let task = |name: &str, iterations, skipped| Task {
            user_class: "buyer".into(),
            task: name.into(),
            iterations,
            skipped,
            failed: 0,
            on_start: false,
        };
        let mut result = small();
        result.tasks = vec![task("pay", 0, 9), task("look", 3, 9), task("rare", 0, 0)];
        assert_eq!(of_run(&result), Vec::<String>::new());
        result.verdict = Some(judge(&Rules::default(), &result, None));
        assert_eq!(of_run(&result), ["skipped every time, for the first `when` never held: pay of buyer"]);
    }

    #[test]
    fn what_was_sent_again_is_told_and_nothing_where_nothing_was() {
        let said = |retried_on_close, retried_on_refusal| {
            of_retries(&WholeRun {
                ok: 9,
                failed: Failed::new(),
                unfinished: 0,
                error_rate: Some(0.0),
                retried_on_close,
                retried_on_refusal,
                endpoints: Vec::new(),
                response_time: None,
                metrics: Vec::new(),
                never_ready: None,
            })
        };
        assert_eq!(said(0, 0), None);
        let closed = said(1_234, 0).unwrap();
        assert!(closed.starts_with("1,234 requests were sent again because the server closed"), "{closed}");
        let both = said(1, 1).unwrap();
        assert!(both.starts_with("1 request was sent again because"), "{both}");
        assert!(both.contains("; 1 request was sent again after the server had refused"), "{both}");
    }
}
