//! For those who have nothing to compare with yet: what decides now, and what to do so that more does. In
//! words; pure. Texts from outside are in it as they are, to be escaped for where they go.

use crate::gate::regression::past::FEWEST_ALONE;
use crate::result::comparison::{Comparison, ComparisonState};
use crate::result::schema::RunResult;
use crate::result::verdict::Verdict;

use super::{comparison, model, note, number, sentence, text};

/// The most objectives that are named.
const MOST_NAMED: usize = 8;
/// What turns the comparison on.
const KEY: &str = "baseline: {budget: 10%}";

/// What decides now, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// What decides now.
    pub decides: String,
    /// By which limits: `p95 of POST /x ≤ 3 s`.
    pub limits: Vec<String>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What is different then.
    pub then: &'static str,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub say: String,
    /// What to write or to call.
    pub code: Option<String>,
}

/// What decides and what comes next; none of a run that was compared, or that nothing is to be compared with.
pub fn adoption(result: &RunResult) -> Option<Adoption> {
    let verdict = result.verdict.as_ref()?;
    let state = verdict.comparison.as_ref().map(|comparison| comparison.state);
    if matches!(state, Some(ComparisonState::Compared | ComparisonState::Partial)) || result.is_partial() {
        return None;
    }
    let (decides, limits) = decides(result, verdict);
    let steps = steps(result, verdict.comparison.as_ref());
    let then = "From then on a number that gets worse than the baseline, by more than chance does, fails this \
                job too, with exit status 4.";
    Some(Adoption { decides, limits, steps, then })
}

fn decides(result: &RunResult, verdict: &Verdict) -> (String, Vec<String>) {
    let checks: Vec<_> = model::checks(result).into_iter().filter(|check| model::decides(check)).collect();
    let limit = |check: &&_| format!("{} {}", sentence::named(check), note::limit(check));
    let mut limits: Vec<_> = checks.iter().take(MOST_NAMED).map(limit).collect();
    let more = checks.len().saturating_sub(MOST_NAMED) as u64;
    limits.extend((more > 0).then(|| format!("and {} more", number::count(more))));
    let compared = verdict.comparison.as_ref().map_or(0, |comparison| comparison.checks);
    let beside = match compared {
        0 => String::new(),
        n => format!(", and {} compared with the baseline", number::counted(n, "number")),
    };
    let said = match (checks.len() as u64, compared) {
        (0, 0) => "nothing: the configuration has no objective for this scenario".to_owned(),
        (0, n) => format!("{} compared with the baseline", number::counted(n, "number")),
        (n, _) => format!("the SLA, by {}{beside}", number::counted(n, "objective")),
    };
    (said, limits)
}

/// What is to be done until everything is compared.
fn steps(result: &RunResult, compared: Option<&Comparison>) -> Vec<Step> {
    let Some(compared) = compared else {
        let say = "Nothing is compared with earlier runs, for the configuration says nothing of a baseline. To \
                   turn that on, write:";
        return vec![
            Step { say: say.to_owned(), code: Some(KEY.to_owned()) },
            remember(result, FEWEST_ALONE),
        ];
    };
    let state = Step { say: text::capital(&comparison::state(compared)) + ".", code: None };
    let missing = compared.needed.saturating_sub(compared.runs).max(1);
    match compared.state {
        ComparisonState::NothingCompared => vec![state],
        // Of a later version: the verdict says what to do.
        ComparisonState::Missing if compared.unknown > 0 => vec![state],
        _ => vec![state, remember(result, missing)],
    }
}

/// How runs are remembered where this one was made.
fn remember(result: &RunResult, runs: u64) -> Step {
    let flags = comparison::flags(&result.scenario, &result.environment);
    let say = format!(
        "Remember {} on this kind of machine, so in a job like this one, on the default branch. Runs of several jobs, \
         one a night, say more than many of one: only they tell how machines differ. This makes them and opens a pull \
         request with what is to be committed:",
        number::counted(runs, "run")
    );
    Step { say, code: Some(format!("loadgate baseline update{flags} --runs {runs} --pull-request")) }
}
