//! From what the user wrote to what will happen. The shape of the tree is checked elsewhere: here, what
//! has the wrong shape is passed over, and everything that has no meaning is a problem with its place.
//! All scenarios and environments are looked at; files and environment variables are those of the run.

mod address;
mod capture;
mod catalogue;
mod class;
mod comparison;
mod compilation;
mod data;
mod digest;
mod draft;
mod expectation;
mod layer;
mod load;
mod names;
mod objective;
mod profile;
mod reporting;
mod request;
mod selection;
mod step;
mod target;
mod text;
mod unit;
mod wait;
mod websocket;

#[cfg(test)]
mod tests;

pub use selection::Selection;

use crate::config::Config;
use crate::config::problem::Problem;

use super::Plan;
use super::rules::Rules;
use draft::Draft;

impl Plan {
    /// The plan of a run. `environment` answers `env("NAME")`; a variable that is empty counts as missing.
    /// Where a run is not fully described, defaults are: 30 s, all users from the start, 5 s of drain,
    /// 30 s a request, 10 MiB a body, seed 42.
    pub fn resolve(
        config: &Config,
        selection: &Selection,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        Draft::new(config, selection).and_then(|draft| draft.plan(environment)).map_err(in_order)
    }
}

/// What a run of a scenario in an environment is judged by. Needs no files and no environment variables.
pub fn rules(config: &Config, environment: &str, scenario: &str) -> Result<Rules, Vec<Problem>> {
    draft::rules(config, environment, scenario).map_err(in_order)
}

/// Each problem once, in the order of their places.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.span, &a.message).cmp(&(b.span, &b.message)));
    problems.dedup();
    problems
}
