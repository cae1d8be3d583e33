//! `loadgate judge`: decide again about a stored result, by today's thresholds and baseline. No traffic,
//! no secrets, no data files.

use crate::baseline::Baseline;
use crate::cli::{JudgeArgs, VerdictFormat, variables};
use crate::commands::{before, plan};
use crate::error::Error;
use crate::gate;
use crate::report::write;
use crate::result::file;
use crate::result::schema::RunResult;
use crate::result::verdict::Verdict;

/// Judges a stored result and returns the exit status of its verdict.
pub fn run(args: &JudgeArgs) -> Result<u8, Error> {
    let mut result = file::read(&args.result)?;
    let config = plan::configuration(&args.source, args.source.overrides())?;
    let rules = plan::rules(&config, &result.environment, &result.scenario)?;
    let remembered = before::remembered(&rules, &result.scenario, &result.environment)?;
    let verdict = gate::judge(&rules, &result, remembered.map(|it| without(it, &result)).as_ref());
    let exit_status = verdict.exit_status;
    let told = result.verdict.as_ref().map(|stored| told(stored, &verdict));
    match args.format {
        VerdictFormat::Json => write::json(&format!("{:#}\n", serde_json::json!(verdict)))?,
        VerdictFormat::Terminal => {
            result.verdict = Some(verdict);
            write::summary(&result, None, variables::color())?;
        }
    }
    told.into_iter().for_each(write::note);
    Ok(exit_status)
}

/// What was remembered beside the run itself: it was judged before it was added.
fn without(mut baseline: Baseline, result: &RunResult) -> Baseline {
    baseline.runs.retain(|_, run| !run.is_of(result));
    baseline
}

/// Whether anything is different now.
fn told(stored: &Verdict, now: &Verdict) -> &'static str {
    match () {
        () if stored == now => "note: the stored verdict, in every number",
        () if (stored.status, &stored.reasons) == (now.status, &now.reasons) => {
            "note: the stored verdict has the same status; limits, baseline or numbers differ"
        }
        () => "note: the stored verdict was another: thresholds, baseline or rules have changed",
    }
}
