//! `loadgate baseline accept`: a deliberate change is written down as a new epoch, with its reason.

use std::collections::BTreeSet;

use crate::baseline::Baseline;
use crate::baseline::bound::{LONGEST_REASON, start_of};
use crate::baseline::epoch::{self, Epoch};
use crate::baseline::folder::Folder;
use crate::baseline::run::{Run, SCHEMA};
use crate::cli::baseline::AcceptArgs;
use crate::clock;
use crate::commands::plan;
use crate::config::problem::suggestion;
use crate::error::Error as CommandError;
use crate::github::context::Context as Job;
use crate::metric::Metric;
use crate::plan::{Plan, Selection};
use crate::report::comparison::flags;
use crate::report::write::{data, note, plain};

use super::error::Error;

/// Endpoints that a hint lists.
const MOST_LISTED: usize = 50;
/// How reports call all requests.
const ALL_REQUESTS: &str = " of all requests";

/// Begins an epoch.
pub fn accept(args: &AcceptArgs) -> Result<u8, CommandError> {
    let config = plan::configuration(&args.source, args.source.overrides())?;
    let selection = Selection { environment: args.environment.clone(), scenario: args.scenario.clone() };
    let plan = plan::outline(&config, &selection)?;
    let rules = plan.rules.baseline.as_ref().ok_or(Error::NotConfigured)?;
    let folder = Folder::of(&rules.dir, &plan.scenario, &plan.environment);
    let reason = reason(&args.reason)?;
    let baseline = folder.load()?;
    let metrics = subjects(&args.metrics, &endpoints(&plan, &baseline))?;
    if baseline.runs.is_empty() {
        return Err(Error::NothingRemembered(folder.name()).into());
    }
    let job = Job::read();
    job.warnings.iter().for_each(|warning| note(&plain(&format!("warning: {warning}"))));
    let epoch = Epoch { schema: SCHEMA, from_sha: job.git.sha, metrics, reason };
    let path = folder.begin(&epoch, clock::now_utc())?;
    data(&told(&epoch, &path.display().to_string()))?;
    note(&plain(&format!(
        "next: with the change in place: loadgate baseline update{} --runs 5; then commit `{}`",
        flags(&plan.scenario, &plan.environment),
        folder.path().display()
    )));
    Ok(0)
}

fn told(epoch: &Epoch, path: &str) -> String {
    let subjects: Vec<_> = epoch.metrics.iter().map(|subject| plain(subject)).collect();
    format!(
        "accepted: {}\nfrom now on runs are compared with the ones that follow; how much they vary is kept\n\
         written: {}\n",
        subjects.join(", "),
        plain(path)
    )
}

fn reason(text: &str) -> Result<String, Error> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Error::NoReason),
        long if long > LONGEST_REASON => Err(Error::LongReason(long)),
        _ if text.contains(char::is_control) => Err(Error::Control { flag: "reason" }),
        _ => Ok(text.to_owned()),
    }
}

/// The endpoints and custom metrics that a change can be about: those of the scenario, and of remembered runs.
fn endpoints(plan: &Plan, baseline: &Baseline) -> BTreeSet<String> {
    let planned = plan.endpoints.iter().map(|endpoint| endpoint.name.clone());
    let planned = planned.chain(plan.metrics.iter().cloned());
    let remembered =
        |run: &'_ Run| run.metrics.keys().chain(run.custom_metrics.keys()).cloned().collect::<Vec<_>>();
    planned.chain(baseline.runs.values().flat_map(remembered)).collect()
}

/// What was typed, as it is written down; each once.
fn subjects(typed: &[String], endpoints: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut subjects = Vec::new();
    for text in typed {
        let subject = subject(text, endpoints)?;
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

fn subject(typed: &str, endpoints: &BTreeSet<String>) -> Result<String, Error> {
    let typed = typed.trim();
    if typed.contains(char::is_control) {
        return Err(Error::Control { flag: "metric" });
    }
    let (name, endpoint) = match typed.strip_suffix(ALL_REQUESTS) {
        Some(name) => (name, None),
        None => match typed.split_once(" of ") {
            Some((name, endpoint)) => (name, Some(endpoint)),
            None => (typed, None),
        },
    };
    let metric = metric(name)?;
    match endpoint {
        Some(endpoint) if !endpoints.contains(endpoint) => Err(Error::UnknownEndpoint {
            typed: start_of(endpoint),
            known: suggestion(endpoint, endpoints.iter().map(String::as_str).take(MOST_LISTED)),
        }),
        endpoint => Ok(epoch::subject(metric, endpoint)),
    }
}

fn metric(name: &str) -> Result<Metric, Error> {
    let known = Metric::ALL;
    known.into_iter().find(|metric| metric.name() == name).ok_or_else(|| Error::UnknownMetric {
        typed: start_of(name),
        known: suggestion(name, known.map(Metric::name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &[&str]) -> String {
        let endpoints = ["GET /x", "POST /builds of all requests"].map(str::to_owned).into();
        let typed: Vec<_> = typed.iter().map(|text| (*text).to_owned()).collect();
        match subjects(&typed, &endpoints) {
            Ok(subjects) => subjects.join(", "),
            Err(error) => format!("{error} [{}]", error.hint()),
        }
    }

    #[test]
    fn a_change_is_named_as_reports_name_it() {
        for (typed, subjects) in [
            (&["p95 of GET /x"][..], "p95 of GET /x"),
            (&["p95", " p95 ", "p50"], "p95, p50"),
            (&["error_rate of all requests", "throughput"], "error_rate, throughput"),
            (&["p999", "error_rate of GET /x"], "p999, error_rate of GET /x"),
        ] {
            assert_eq!(read(typed), subjects, "{typed:?}");
        }
    }

    #[test]
    fn what_is_not_remembered_is_refused_with_what_is() {
        let all = [
            read(&["p96"]),
            read(&["p95", ""]),
            read(&["p95 of GET /y"]),
            read(&["p95\u{1b}[2J"]),
            read(&[&"p".repeat(100_000)]),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
unknown metric `p96` [did you mean `p90`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
unknown metric `` [known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
unknown endpoint `GET /y` [did you mean `GET /x`? known: GET /x, POST /builds of all requests]
`--metric` holds a control character [write it on one line, in plain characters]
unknown metric `pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp` [known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
");
    }

    #[test]
    fn a_reason_says_something_on_one_line() {
        assert_eq!(reason(" a cache "), Ok("a cache".into()));
        assert_eq!(reason(&"ä".repeat(1_000)), Ok("ä".repeat(1_000)));
        for (text, error) in [
            (" \n", Error::NoReason),
            ("a\nb", Error::Control { flag: "reason" }),
            (&"ä".repeat(1_001), Error::LongReason(1_001)),
        ] {
            assert_eq!(reason(text), Err(error));
        }
    }
}
