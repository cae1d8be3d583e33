//! From the command line to the plan: configuration, overrides, resolution.

use std::ffi::OsString;
use std::sync::Arc;

use crate::cli::variables;
use crate::cli::{ConfigArgs, PlanArgs};
use crate::commands::publish;
use crate::config::node::Node;
use crate::config::overrides::Override;
use crate::config::problem::Problem;
use crate::config::{Config, file, overrides};
use crate::error::Error;
use crate::plan::rules::{self, Rules};
use crate::plan::{Plan, Selection};

/// Reads the configuration and resolves the plan that was asked for, or reports everything wrong with it.
pub fn load(args: &PlanArgs, scenario: Option<&str>) -> Result<Arc<Plan>, Error> {
    let config = configuration(&args.source, args.overrides())?;
    let selection =
        Selection { environment: args.environment.clone(), scenario: scenario.map(str::to_owned) };
    let mut plan = resolved(&config, &selection, &variables::bytes)?;
    plan.choose_proxies(&variables::lossy).map_err(|problem| wrong(&config, vec![problem]))?;
    publish::mask(plan.secrets.given());
    Ok(Arc::new(plan))
}

/// The plan for who asks only what is in it: secrets need not be set.
pub fn outline(config: &Config, selection: &Selection) -> Result<Plan, Error> {
    // A value that is never sent may be any.
    resolved(config, selection, &|name| Some(format!("<{name}>").into()))
}

/// The configuration, with what flags and variables change in it.
pub fn configuration(args: &ConfigArgs, sets: Result<Vec<Override>, String>) -> Result<Config, Error> {
    let mut config = if args.demo { file::demo()? } else { file::read(args.config.as_deref())? };
    let sets = sets.map_err(|message| {
        let hint = "write `--set KEY=VALUE`, such as `--set thresholds.p95=1s`";
        wrong(&config, vec![Problem::general(message).hint(hint)])
    })?;
    overrides::apply(&mut config, &sets).map_err(|problems| wrong(&config, problems))?;
    Ok(config)
}

/// What runs of a scenario in an environment are judged by.
pub fn rules(config: &Config, environment: &str, scenario: &str) -> Result<Rules, Error> {
    rules::resolve(config, environment, scenario).map_err(|problems| wrong(config, problems))
}

/// The uid of the dashboard that shows what is measured.
pub fn dashboard_uid(config: &Config) -> Result<String, Error> {
    crate::plan::dashboard_uid(config).map_err(|problems| wrong(config, problems))
}

/// The names in a list of the configuration: its scenarios, its environments.
pub fn names<'a>(config: &'a Config, list: &str) -> Vec<&'a str> {
    let entries = config.root.get(list).map_or(&[][..], Node::entries);
    entries.iter().map(|(key, _)| key.name.as_str()).collect()
}

fn resolved(
    config: &Config,
    selection: &Selection,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Plan, Error> {
    Plan::resolve(config, selection, environment).map_err(|problems| wrong(config, problems))
}

fn wrong(config: &Config, problems: Vec<Problem>) -> Error {
    Error::Config { problems, sources: config.sources.clone() }
}
