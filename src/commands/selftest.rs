//! `loadgate selftest`: how often is the gate right? Simulated, with the code that judges; or on this
//! machine, by running the demo service against itself, unchanged and with one endpoint slowed down.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

use thiserror::Error;

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::cli::selftest::SelftestArgs;
use crate::commands::before::Before;
use crate::commands::onlookers::Onlookers;
use crate::commands::run::{self, Measured, Outcome};
use crate::config::overrides::{self, Override};
use crate::config::{Config, file};
use crate::error::Error;
use crate::gate::{judge, simulation};
use crate::load::shutdown::Shutdown;
use crate::plan::rules::Rules;
use crate::plan::{Plan, Selection};
use crate::report::progress::Shown;
use crate::report::selftest::{self, Found, Trial};
use crate::report::sentence::{self, Headline};
use crate::report::write;
use crate::result::schema::RunResult;
use crate::result::verdict::Status;

/// The environment of the built-in configuration that starts the demo service.
const ENVIRONMENT: &str = "demo";

/// Why a self-test could not be made.
#[derive(Debug, Error)]
pub enum SelftestError {
    /// The scenario does not request what is to be slowed down.
    #[error("the scenario never requests `{endpoint}`, so slowing it down shows nothing")]
    NotRequested {
        /// What was to be slowed down.
        endpoint: String,
        /// What it requests.
        known: Vec<String>,
    },
    /// An unchanged run was no success.
    #[error("a run of the unchanged demo service cannot be compared with: {}", .0.sentence)]
    Unfit(Headline),
}

impl SelftestError {
    /// 2 for what was asked for, 1 for what came of it.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotRequested { .. } => 2,
            Self::Unfit(_) => 1,
        }
    }

    /// The remedy.
    pub fn hint(&self) -> String {
        match self {
            Self::NotRequested { known, .. } => format!("it requests: {}", known.join(", ")),
            Self::Unfit(headline) => {
                headline.next.as_ref().map_or_else(|| "look at its folder".to_owned(), ToString::to_string)
            }
        }
    }
}

/// Simulates the gate, or tries it on this machine. Exit status 0 whatever is found.
pub fn run(args: &SelftestArgs) -> Result<u8, Error> {
    if args.simulate {
        let row = |setting| (setting, simulation::simulate(setting, args.repetitions, args.seed));
        write::data(&selftest::simulated(&simulation::TABLE.map(row)))?;
        return Ok(0);
    }
    let runtime = run::runtime()?;
    let shutdown = run::listen(&runtime)?;
    let bench = Bench::new(args)?;
    runtime.block_on(bench.tried(&shutdown))
}

/// The plan as it is and slowed down, and what runs of it are judged by.
struct Bench<'a> {
    args: &'a SelftestArgs,
    unchanged: Arc<Plan>,
    slowed: Arc<Plan>,
    rules: Rules,
}

impl<'a> Bench<'a> {
    fn new(args: &'a SelftestArgs) -> Result<Self, Error> {
        let endpoint = args.slow.rsplit_once('=').map_or("", |(endpoint, _)| endpoint);
        let (unchanged, rules) = plan(args, None)?;
        let (slowed, _) = plan(args, Some(&args.slow))?;
        if !unchanged.endpoints.iter().any(|it| it.name == endpoint) {
            let known = unchanged.endpoints.iter().map(|it| it.name.clone()).collect();
            return Err(SelftestError::NotRequested { endpoint: endpoint.to_owned(), known }.into());
        }
        Ok(Self { args, unchanged, slowed, rules })
    }

    /// The baseline, then unchanged and slowed runs in turn, so that both see the same hours.
    async fn tried(&self, shutdown: &Shutdown) -> Result<u8, Error> {
        let mut baseline = Baseline::default();
        for index in 1..=self.args.baseline_runs {
            let label = format!("baseline {index} of {}", self.args.baseline_runs);
            let result = match self.measured(&self.unchanged, shutdown).await? {
                Continue(result) => result,
                Break(exit_status) => return Ok(exit_status),
            };
            write::note(&selftest::progress(&label, &result));
            let alone = Rules { baseline: None, ..self.rules.clone() };
            let verdict = judge(&alone, &result, None);
            if matches!(verdict.status, Status::Failed | Status::Invalid) {
                let judged = RunResult { verdict: Some(verdict), ..result };
                return Err(SelftestError::Unfit(sentence::headline(&judged)).into());
            }
            baseline.runs.insert(format!("run-{index:04}"), Run::of(&result, None));
        }
        let mut found = Found::new(&self.args.slow, self.rules.baseline.as_ref(), &baseline);
        for index in 1..=self.args.runs {
            for (trial, plan) in [(Trial::Unchanged, &self.unchanged), (Trial::Slowed, &self.slowed)] {
                let mut result = match self.measured(plan, shutdown).await? {
                    Continue(result) => result,
                    Break(exit_status) => return Ok(exit_status),
                };
                result.verdict = Some(judge(&self.rules, &result, Some(&baseline)));
                let label = format!("{} {index} of {}", trial.name(), self.args.runs);
                write::note(&selftest::progress(&label, &result));
                found.add(trial, &result);
            }
        }
        write::data(&found.report())?;
        Ok(0)
    }

    /// A whole run, or the exit status of one that was stopped.
    async fn measured(
        &self,
        plan: &Arc<Plan>,
        shutdown: &Shutdown,
    ) -> Result<ControlFlow<u8, RunResult>, Error> {
        let mut onlookers = Onlookers::only(Shown::Nothing);
        match run::measured(plan, Before::default(), shutdown, &mut onlookers).await? {
            Outcome::Measured(Measured { result, written, .. }) if !result.interrupted => {
                written.map(|()| Continue(*result))
            }
            stopped => Ok(Break(stopped.exit_status())),
        }
    }
}

/// The plan of the built-in configuration without its rules, which are kept aside: the runs are judged
/// beside a baseline that is on no disk.
fn plan(args: &SelftestArgs, slow: Option<&str>) -> Result<(Arc<Plan>, Rules), Error> {
    let mut config = file::demo()?;
    let problems = |config: &Config, problems| Error::Config { problems, sources: config.sources.clone() };
    overrides::apply(&mut config, &sets(args, slow)).map_err(|found| problems(&config, found))?;
    let selection =
        Selection { environment: Some(ENVIRONMENT.to_owned()), scenario: Some(args.scenario.clone()) };
    let mut plan = Plan::resolve(&config, &selection, &|_| None).map_err(|found| problems(&config, found))?;
    let rules = std::mem::take(&mut plan.rules);
    plan.reporting.output_dir.clone_from(&args.output_dir);
    Ok((Arc::new(plan), rules))
}

fn sets(args: &SelftestArgs, slow: Option<&str>) -> Vec<Override> {
    let mut command = vec!["loadgate", "demo-api", "--listen", "{{ address }}"];
    command.extend(slow.iter().flat_map(|slow| ["--slow", slow]));
    let command = serde_json::Value::from(command).to_string();
    let path = ["environments", ENVIRONMENT, "target", "command"];
    let load = [("users", &args.users), ("run-time", &args.run_time)];
    let load = load.into_iter().filter_map(|(flag, value)| {
        Some(Override::new(&format!("--{flag}"), &[&flag.replace('-', "_")], value.as_deref()?))
    });
    load.chain([Override::new("--slow", &path, &command)]).collect()
}
