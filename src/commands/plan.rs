//! From the command line to the plan: configuration, overrides, resolution.

use std::sync::Arc;

use crate::cli::PlanArgs;
use crate::cli::variables;
use crate::config::problem::Problem;
use crate::config::{file, overrides};
use crate::error::Error;
use crate::plan::{Plan, Selection};

/// Reads the configuration and resolves the plan that was asked for, or reports everything wrong with it.
pub fn load(args: &PlanArgs) -> Result<Arc<Plan>, Error> {
    let mut config = if args.demo { file::demo()? } else { file::read(args.config.as_deref())? };
    let sets = args.overrides().map_err(|message| Error::Config {
        problems: vec![
            Problem::general(message).hint("write `--set KEY=VALUE`, such as `--set thresholds.p95=1s`"),
        ],
        sources: config.sources.clone(),
    })?;
    let wrong = |problems, sources: &crate::config::source::Sources| Error::Config {
        problems,
        sources: sources.clone(),
    };
    overrides::apply(&mut config, &sets).map_err(|problems| wrong(problems, &config.sources))?;
    let selection = Selection { environment: args.environment.clone(), scenario: args.scenario.clone() };
    let plan = Plan::resolve(&config, &selection, &variables::lookup)
        .map_err(|problems| wrong(problems, &config.sources))?;
    Ok(Arc::new(plan))
}
