//! What is known before any traffic: the runs to compare with, and the first job where this is the second.
//! What is wrong with either ends the command here; whether there will be a comparison is told here.

use std::path::Path;

use thiserror::Error;

use crate::baseline::Baseline;
use crate::baseline::folder::{self, Folder};
use crate::cli::variables;
use crate::commands::run::session;
use crate::error::Error;
use crate::gate::regression::outlook;
use crate::gate::regression::past::Past;
use crate::github::context::Context as Job;
use crate::plan::Plan;
use crate::plan::rules::{Policy, Rules};
use crate::report::{comparison, number, write};
use crate::result::file;
use crate::result::schema::{Confirms, RunResult};
use crate::runner::Fingerprint;

/// Characters that tell two names or digests apart.
const MOST_SHOWN: usize = 40;

/// What a run is judged beside.
#[derive(Debug, Default)]
pub struct Before {
    /// What is remembered; none where nothing is compared.
    pub baseline: Option<Baseline>,
    /// The first job, where this is the second.
    pub confirms: Option<Confirms>,
}

/// Why a run cannot be the second look at another.
#[derive(Debug, Error)]
pub enum ConfirmError {
    /// Nothing got worse in it.
    #[error("there is nothing to confirm: the first run flagged no number")]
    NothingFlagged,
    /// It ran something else.
    #[error("the first run is no run of this plan: its {what} is `{first}`, here it is `{here}`")]
    OtherPlan {
        /// What differs.
        what: &'static str,
        /// There.
        first: String,
        /// Here.
        here: String,
    },
    /// Nothing is compared here.
    #[error("the configuration has no `baseline`: nothing is compared, so nothing can be confirmed")]
    NothingCompared,
}

impl ConfirmError {
    /// The remedy.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NothingFlagged => {
                "pass the result of a run whose verdict asks for it (`comparison.confirm`)"
            }
            Self::OtherPlan { .. } => "run both jobs on one commit, with the same flags",
            Self::NothingCompared => "add `baseline: {budget: 10%}` to the configuration",
        }
    }
}

impl Before {
    /// Reads what is remembered of the plan, and says what there is to compare with.
    pub fn of(plan: &Plan, first: Option<&RunResult>) -> Result<Self, Error> {
        let baseline = remembered(&plan.rules, &plan.scenario, &plan.environment)?;
        let confirms = first.map(|first| confirms(plan, first)).transpose()?;
        if let (Some(rules), Some(baseline)) = (&plan.rules.baseline, &baseline) {
            let machine = Fingerprint::read(&variables::image());
            if let Some(doubt) = machine.doubt() {
                write::note(&write::plain(&format!("warning: {doubt}")));
            }
            let class = machine.cpu_class;
            let session = session(&Job::read());
            let past = Past::of(baseline, &plan.digest, &class).beside(session.as_deref());
            let outlook = outlook(rules, baseline, &past);
            write::note(&write::plain(&format!("baseline: {}", comparison::outlook(&outlook))));
            foreign(&Folder::of(&rules.dir, &plan.scenario, &plan.environment), baseline);
            if outlook.checks == 0 && rules.on_missing == Policy::Fail {
                write::note("baseline: `on_missing: fail`: a run of which nothing is compared exits with 5");
            }
        }
        Ok(Self { baseline, confirms })
    }
}

/// The result of the first job.
pub fn first_job(path: &Path) -> Result<RunResult, Error> {
    Ok(file::read(path)?)
}

fn confirms(plan: &Plan, first: &RunResult) -> Result<Confirms, ConfirmError> {
    let same = [
        ("scenario", &first.scenario, &plan.scenario),
        ("environment", &first.environment, &plan.environment),
        ("plan digest", &first.plan_digest, &plan.digest),
    ];
    if plan.rules.baseline.is_none() {
        return Err(ConfirmError::NothingCompared);
    }
    match same.into_iter().find(|(_, first, here)| first != here) {
        Some((what, first, here)) => {
            let short = |text: &str| text.chars().take(MOST_SHOWN).collect();
            Err(ConfirmError::OtherPlan { what, first: short(first), here: short(here) })
        }
        None => Confirms::of(first).ok_or(ConfirmError::NothingFlagged),
    }
}

/// What is remembered, where runs are compared at all.
pub fn remembered(rules: &Rules, scenario: &str, environment: &str) -> Result<Option<Baseline>, Error> {
    let rules = rules.baseline.as_ref();
    Ok(rules.map(|rules| folder::load(&rules.dir, scenario, environment)).transpose()?)
}

/// Says so where a folder holds runs of another baseline.
pub fn foreign(folder: &Folder, baseline: &Baseline) {
    let Some(key) = baseline.foreign.values().next() else { return };
    write::note(&write::plain(&format!(
        "note: `{}` holds {} of `{}` on `{}`, which are neither compared nor pruned here",
        folder.path().display(),
        number::counted(baseline.foreign.len() as u64, "run"),
        key.scenario,
        key.environment
    )));
}
