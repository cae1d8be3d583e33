//! From what the user wrote to what will happen. The form of the tree is checked first, by its own check;
//! here, what has the wrong form is passed over, and everything without meaning is a problem with its place.
//! All scenarios and environments are looked at; files and environment variables are those of the run.

mod address;
mod advice;
mod capture;
mod catalogue;
mod class;
mod comparison;
mod compilation;
mod confidential;
mod connection;
mod data;
mod digest;
mod draft;
mod expectation;
mod layer;
mod load;
mod multipart;
mod names;
mod objective;
mod profile;
mod reporting;
mod request;
mod selection;
mod start;
mod step;
mod target;
mod text;
mod unit;
mod wait;
mod websocket;
mod written;

#[cfg(test)]
mod tests;

pub use digest::sha256;
pub use selection::Selection;

use std::ffi::OsString;

use crate::config::Config;
use crate::config::problem::Problem;
use crate::config::shape;

use super::Plan;
use super::rules::Rules;
use draft::Draft;

impl Plan {
    /// The plan of a run. `environment` answers `env("NAME")`; a variable that is empty counts as missing.
    /// Where a run is not fully described, defaults are: 30 s, all users from the start, 5 s of drain,
    /// 30 s a request, 64 MiB a body, seed 42.
    pub fn resolve(
        config: &Config,
        selection: &Selection,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Vec<Problem>> {
        let form = form(config);
        match Draft::new(config, selection, environment) {
            Ok(draft) if form.is_empty() => Ok(draft.plan()),
            Ok(_) => Err(in_order(form)),
            Err(problems) => Err(in_order(together(form, problems))),
        }
    }
}

/// What a run of a scenario in an environment is judged by. Needs no files and no environment variables.
pub fn rules(config: &Config, environment: &str, scenario: &str) -> Result<Rules, Vec<Problem>> {
    let form = form(config);
    match draft::rules(config, environment, scenario) {
        Ok(rules) if form.is_empty() => Ok(rules),
        Ok(_) => Err(in_order(form)),
        Err(problems) => Err(in_order(together(form, problems))),
    }
}

/// The uid of the dashboard that shows what is measured.
pub fn dashboard_uid(config: &Config) -> Result<String, Vec<Problem>> {
    match reporting::dashboard_uid(config) {
        Ok(uid) => {
            let form = form(config);
            if form.is_empty() { Ok(uid) } else { Err(in_order(form)) }
        }
        Err(problems) => Err(in_order(together(form(config), problems))),
    }
}

/// What is wrong with the form of a configuration.
fn form(config: &Config) -> Vec<Problem> {
    shape::check(&config.root).into_iter().chain(shape::check_overrides(&config.overrides)).collect()
}

/// Problems of meaning, and those of form that are about something else: what is wrong with the form of
/// a thing is better told by what it means.
fn together(form: Vec<Problem>, meaning: Vec<Problem>) -> Vec<Problem> {
    let told = |problem: &Problem| problem.span.is_some() && meaning.iter().any(|it| it.span == problem.span);
    let more: Vec<Problem> = form.into_iter().filter(|problem| !told(problem)).collect();
    meaning.into_iter().chain(more).collect()
}

/// Each problem once, in the order of their places.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.span, &a.message).cmp(&(b.span, &b.message)));
    problems.dedup();
    problems
}
