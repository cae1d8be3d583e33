//! `loadgate baseline show`: each baseline in plain words, for a terminal or as markdown.

use crate::baseline::Baseline;
use crate::baseline::folder::Folder;
use crate::cli::baseline::{ShowArgs, ShowFormat};
use crate::commands::before::foreign;
use crate::commands::plan;
use crate::config::Config;
use crate::error::Error as CommandError;
use crate::plan::rules::BaselineRules;
use crate::report::baseline::{self, Description};
use crate::report::write::{data, note};

use super::error::Error;

/// A baseline with the rules it is compared by.
struct Shown {
    name: String,
    baseline: Baseline,
    rules: BaselineRules,
}

/// Shows every baseline of the configuration, or of one scenario and environment.
pub fn show(args: &ShowArgs) -> Result<u8, CommandError> {
    let config = plan::configuration(&args.source, args.source.overrides())?;
    let shown = remembered(&config, args)?;
    if shown.is_empty() {
        note(
            "nothing is remembered\nhint: remember runs with `loadgate baseline update --runs 5`, and later of other jobs too, one a night",
        );
    }
    let descriptions: Vec<_> =
        shown.iter().map(|it| Description::of(&it.name, &it.baseline, &it.rules)).collect();
    data(&match args.format {
        ShowFormat::Terminal => baseline::text(&descriptions),
        ShowFormat::Markdown => baseline::markdown(&descriptions),
    })?;
    Ok(0)
}

/// By name; those of which nothing is remembered are left out.
fn remembered(config: &Config, args: &ShowArgs) -> Result<Vec<Shown>, CommandError> {
    let mut shown = Vec::new();
    let mut configured = false;
    for scenario in names(config, "scenarios", args.scenario.as_deref())? {
        for environment in names(config, "environments", args.environment.as_deref())? {
            let Some(rules) = plan::rules(config, environment, scenario)?.baseline else { continue };
            configured = true;
            let folder = Folder::of(&rules.dir, scenario, environment);
            let baseline = folder.load()?;
            foreign(&folder, &baseline);
            if baseline != Baseline::default() {
                shown.push(Shown { name: folder.name(), baseline, rules });
            }
        }
    }
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    if configured { Ok(shown) } else { Err(Error::NotConfigured.into()) }
}

/// The names of a list of the configuration, or the one that is wanted.
fn names<'a>(config: &'a Config, list: &str, wanted: Option<&str>) -> Result<Vec<&'a str>, Error> {
    let all = plan::names(config, list);
    match wanted {
        None => Ok(all),
        Some(wanted) => match all.iter().find(|name| **name == wanted) {
            Some(name) => Ok(vec![name]),
            None => Err(Error::unknown(list, wanted, &all)),
        },
    }
}
