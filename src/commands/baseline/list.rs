//! `loadgate baseline list`: what is remembered, all scenarios and environments of the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::baseline::Baseline;
use crate::baseline::folder::Folder;
use crate::cli::ConfigArgs;
use crate::cli::variables;
use crate::commands::plan;
use crate::config::Config;
use crate::error::Error as CommandError;
use crate::report::baseline_list::{self, Entry};
use crate::report::write::{self, data, note, plain};

use super::error::Error;

/// Lists every baseline. What is broken is told, and makes the exit status 2.
pub fn list(args: &ConfigArgs) -> Result<u8, CommandError> {
    let config = plan::configuration(args, args.overrides())?;
    let dirs = dirs(&config)?;
    let mut entries = Vec::new();
    let mut status = 0;
    for dir in &dirs {
        for folder in Folder::all(dir)? {
            let name = folder.name();
            match folder.load() {
                Ok(baseline) if baseline == Baseline::default() => {}
                Ok(baseline) => entries.push(Entry { name, baseline: Some(baseline) }),
                Err(error) => {
                    entries.push(Entry { name, baseline: None });
                    let error = CommandError::from(error);
                    write::error(variables::color(), |color| error.report(color));
                    status = 2;
                }
            }
        }
    }
    if entries.is_empty() {
        let told: Vec<_> =
            dirs.iter().map(|dir| format!("`{}`", plain(&dir.display().to_string()))).collect();
        note(&format!(
            "nothing is remembered in {}\nhint: remember runs with `loadgate baseline update --runs 5`, and later of other jobs too, one a night",
            told.join(", ")
        ));
    } else {
        data(&baseline_list::render(&entries))?;
    }
    Ok(status)
}

/// The folders of baselines; most often one.
fn dirs(config: &Config) -> Result<BTreeSet<PathBuf>, CommandError> {
    let mut dirs = BTreeSet::new();
    for scenario in plan::names(config, "scenarios") {
        for environment in plan::names(config, "environments") {
            let rules = plan::rules(config, environment, scenario)?;
            dirs.extend(rules.baseline.map(|baseline| baseline.dir));
        }
    }
    if dirs.is_empty() { Err(Error::NotConfigured.into()) } else { Ok(dirs) }
}
