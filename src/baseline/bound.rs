//! What a remembered number or name can be. A file that says something else was damaged or made up, and
//! would move every comparison. Pure.

use std::collections::BTreeMap;

use super::document::{self, Kind};
use super::epoch::{self, Epoch};
use super::run::{Numbers, Run};

/// The longest name of an endpoint, a machine, a commit, in characters.
pub const LONGEST_NAME: usize = 500;
/// The longest reason for a deliberate change, in characters.
pub const LONGEST_REASON: usize = 1_000;
/// The most endpoints of one run, and the most metrics of one change.
pub const MOST_ENTRIES: usize = 10_000;
/// The shortest response time: a microsecond.
const SHORTEST_MS: f64 = 0.001;
/// The longest response time: an hour.
const LONGEST_MS: f64 = 3_600_000.0;

const TIME: &str = "a time from 0.001 to 3600000 ms";
const NAME: &str = "a name of 1 to 500 characters";

/// Something that cannot be, and where in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absurd {
    /// The keys that lead to it.
    pub keys: Vec<String>,
    /// What it is, as the end of a sentence that begins with the file.
    pub what: String,
    /// What would be valid.
    pub valid: &'static str,
}

impl Absurd {
    fn new(keys: &[&str], what: String, valid: &'static str) -> Self {
        Self { keys: keys.iter().map(|key| (*key).to_owned()).collect(), what, valid }
    }
}

/// Everything in a run that cannot be.
pub fn of_run(run: &Run) -> Vec<Absurd> {
    let mut found = names(run);
    if document::stamp_of(&run.time).is_none() {
        let what = format!("has no time in `time`: `{}`", start_of(&run.time));
        found.push(Absurd::new(&["time"], what, "a time such as `2026-11-24T10:15:00Z`"));
    }
    if let Some(epoch) = run.epoch.as_deref().filter(|name| document::stamp(Kind::Epoch, name).is_none()) {
        let what = format!("is of an epoch `{}`, which is not the name of one", start_of(epoch));
        found.push(Absurd::new(
            &["epoch"],
            what,
            "null, or the name of a file `epoch-….json` without `.json`",
        ));
    }
    if run.metrics.len() > MOST_ENTRIES {
        let what = format!("has {} endpoints", run.metrics.len());
        found.push(Absurd::new(&["metrics"], what, "at most 10000 endpoints"));
    }
    if !is_rate(run.requests_per_second) {
        let what = format!("has {} requests per second", run.requests_per_second);
        found.push(Absurd::new(&["requests_per_second"], what, "a rate from 0 on"));
    }
    if run.custom_metrics.len() > MOST_ENTRIES {
        let what = format!("has {} custom metrics", run.custom_metrics.len());
        found.push(Absurd::new(&["custom_metrics"], what, "at most 10000 custom metrics"));
    }
    found.extend(of_list(List::Endpoints, &run.metrics));
    found.extend(of_list(List::CustomMetrics, &run.custom_metrics));
    found
}

/// Everything in a deliberate change that cannot be.
pub fn of_epoch(epoch: &Epoch) -> Vec<Absurd> {
    let mut found = Vec::new();
    if !is_reason(&epoch.reason) {
        let what = "has no reason, or one that is too long".to_owned();
        found.push(Absurd::new(&["reason"], what, "a reason of 1 to 1000 characters"));
    }
    if epoch.metrics.is_empty() || epoch.metrics.len() > MOST_ENTRIES {
        let what = format!("names {} metrics", epoch.metrics.len());
        found.push(Absurd::new(&["metrics"], what, "1 to 10000 metrics"));
    }
    for subject in epoch.metrics.iter().filter(|subject| epoch::parse(subject).is_none()) {
        let what = format!("names `{}`, which is not remembered", start_of(subject));
        found.push(Absurd::new(&["metrics"], what, "such as `p95`, `p95 of POST /x` or `error_rate`"));
    }
    let shas = epoch.from_sha.iter().filter(|sha| !is_name(sha));
    found.extend(shas.map(|sha| bad_name(&["from_sha"], sha)));
    found
}

/// Whether a reason says something and is no essay.
pub fn is_reason(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_REASON
}

/// Whether a text can be a name.
pub fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME
}

fn names(run: &Run) -> Vec<Absurd> {
    let env = &run.env;
    let required = [
        (vec!["plan_digest"], &run.plan_digest),
        (vec!["cpu_class"], &run.cpu_class),
        (vec!["tool", "name"], &run.tool.name),
        (vec!["tool", "version"], &run.tool.version),
        (vec!["env", "cpu_model"], &env.cpu_model),
        (vec!["env", "arch"], &env.arch),
        (vec!["env", "os"], &env.os),
    ];
    let optional = [
        (vec!["sha"], &run.sha),
        (vec!["scenario"], &run.scenario),
        (vec!["environment"], &run.environment),
        (vec!["env", "image"], &env.image),
    ];
    let optional = optional.into_iter().filter_map(|(keys, text)| Some((keys, text.as_ref()?)));
    let all = required.into_iter().chain(optional);
    all.filter(|(_, text)| !is_name(text)).map(|(keys, text)| bad_name(&keys, text)).collect()
}

fn bad_name(keys: &[&str], text: &str) -> Absurd {
    let what = match text.trim().chars().count() {
        0 => format!("has nothing in `{}`", keys.join(".")),
        length => format!("has {length} characters in `{}`", keys.join(".")),
    };
    Absurd::new(keys, what, NAME)
}

/// Which of the two lists of a run some numbers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Endpoints,
    CustomMetrics,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Endpoints => "metrics",
            Self::CustomMetrics => "custom_metrics",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Endpoints => "an endpoint",
            Self::CustomMetrics => "a custom metric",
        }
    }

    /// A recorded time may be nothing; the response time of a request is not.
    fn is_time(self, ms: f64) -> bool {
        (SHORTEST_MS..=LONGEST_MS).contains(&ms) || (self == Self::CustomMetrics && ms == 0.0)
    }
}

fn of_list(list: List, metrics: &BTreeMap<String, Numbers>) -> impl Iterator<Item = Absurd> {
    metrics.iter().flat_map(move |(name, numbers)| of_numbers(list, name, numbers))
}

fn of_numbers(list: List, name: &str, numbers: &Numbers) -> Vec<Absurd> {
    if !is_name(name) {
        let what = format!("has {} with a name of {} characters", list.word(), name.trim().chars().count());
        return vec![Absurd::new(&[list.key(), name], what, NAME)];
    }
    let Numbers { p50_ms, p95_ms, p99_ms, requests_per_second, error_rate, n, .. } = *numbers;
    let percentiles = [
        ("p50_ms", Some(p50_ms)),
        ("p75_ms", numbers.p75_ms),
        ("p90_ms", numbers.p90_ms),
        ("p95_ms", Some(p95_ms)),
        ("p99_ms", Some(p99_ms)),
        ("p999_ms", numbers.p999_ms),
        ("max_ms", numbers.max_ms),
    ];
    let times = percentiles.into_iter().chain([("mean_ms", numbers.mean_ms)]);
    let times = times.filter_map(|(key, ms)| ms.map(|ms| (key, ms, list.is_time(ms), TIME)));
    let share =
        error_rate.map(|rate| ("error_rate", rate, (0.0..=1.0).contains(&rate), "a share from 0 to 1"));
    let others = [
        ("requests_per_second", requests_per_second, is_rate(requests_per_second), "a rate from 0 on"),
        ("n", n as f64, n > 0, "a count from 1 on"),
    ];
    let wrong: Vec<_> = times
        .chain(share)
        .chain(others)
        .filter(|(_, _, fine, _)| !fine)
        .map(|(key, value, _, valid)| {
            let what = format!("has {value} as `{key}` of `{name}`");
            Absurd::new(&[list.key(), name, key], what, valid)
        })
        .collect();
    let there: Vec<f64> = percentiles.into_iter().filter_map(|(_, ms)| ms).collect();
    if wrong.is_empty() && !there.is_sorted() {
        let told: Vec<_> = there.iter().map(f64::to_string).collect();
        let what = format!("has percentiles of `{name}` that fall: {} ms", told.join(", "));
        return vec![Absurd::new(&[list.key(), name], what, "p50 ≤ p95 ≤ p99")];
    }
    wrong
}

fn is_rate(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

/// Enough of a text to know it by.
pub fn start_of(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;

    fn run() -> Run {
        Run::of(&fixture::small(), Some("epoch-20261124T101500Z-0a1b2c3d"))
    }

    fn told(change: impl FnOnce(&mut Run)) -> String {
        let mut run = run();
        change(&mut run);
        let line = |it: &Absurd| format!("{} {} [{}]", it.keys.join("."), it.what, it.valid);
        of_run(&run).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn numbers(change: impl FnOnce(&mut Numbers)) -> String {
        told(|run| change(run.metrics.get_mut("GET /health").unwrap()))
    }

    #[test]
    fn what_a_run_says_is_possible() {
        assert_eq!(of_run(&run()), []);
        assert_eq!(of_run(&Run::of(&fixture::rich(), None)), []);
    }

    #[test]
    fn a_number_that_cannot_be_is_named() {
        for (text, key) in [
            (numbers(|it| it.p50_ms = 0.0), "p50_ms"),
            (numbers(|it| it.p50_ms = -1.0), "p50_ms"),
            (numbers(|it| it.p95_ms = f64::NAN), "p95_ms"),
            (numbers(|it| it.p99_ms = f64::INFINITY), "p99_ms"),
            (numbers(|it| it.p99_ms = 3_600_000.1), "p99_ms"),
            (numbers(|it| it.requests_per_second = -0.1), "requests_per_second"),
            (numbers(|it| it.error_rate = Some(1.01)), "error_rate"),
            (numbers(|it| it.error_rate = Some(-0.01)), "error_rate"),
            (numbers(|it| it.n = 0), "n"),
            (numbers(|it| it.max_ms = Some(-1.0)), "max_ms"),
        ] {
            assert!(text.starts_with(&format!("metrics.GET /health.{key} has ")), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
        insta::assert_snapshot!(numbers(|it| it.p95_ms = 1.0), @"metrics.GET /health has percentiles of `GET /health` that fall: 59.97, 84.99, 99.97, 1, 109, 110 ms [p50 ≤ p95 ≤ p99]");
        insta::assert_snapshot!(numbers(|it| it.p95_ms = 200.0), @"metrics.GET /health has percentiles of `GET /health` that fall: 59.97, 84.99, 99.97, 200, 109, 110 ms [p50 ≤ p95 ≤ p99]");
        let widest = |it: &mut Numbers| {
            (it.p50_ms, it.p75_ms, it.p90_ms, it.p95_ms) = (0.001, Some(0.001), None, 0.001);
            (it.p99_ms, it.max_ms) = (3_600_000.0, Some(3_600_000.0));
        };
        assert_eq!(numbers(widest), "");
    }

    #[test]
    fn a_custom_metric_may_be_nothing_and_an_endpoint_may_not() {
        let with = |ms: f64| {
            told(|run| {
                let numbers = Numbers { p50_ms: ms, error_rate: None, ..run.metrics["GET /health"] };
                run.custom_metrics.insert("saved".into(), numbers);
            })
        };
        assert_eq!(with(0.0), "");
        assert!(with(-1.0).starts_with("custom_metrics.saved.p50_ms has -1 as `p50_ms` of `saved`"));
        assert!(numbers(|it| it.p50_ms = 0.0).contains("has 0 as `p50_ms`"));
    }

    #[test]
    fn a_name_or_a_time_that_cannot_be_is_named() {
        let long = "x".repeat(501);
        let all = told(|run| {
            run.time = "yesterday".into();
            run.epoch = Some("epoch-1".into());
            run.plan_digest = " ".into();
            run.sha = Some(String::new());
            run.env.image = Some(long.clone());
            run.requests_per_second = f64::NAN;
            let numbers = run.metrics["GET /health"];
            run.metrics.insert(String::new(), numbers);
        });
        insta::assert_snapshot!(all, @r"
plan_digest has nothing in `plan_digest` [a name of 1 to 500 characters]
sha has nothing in `sha` [a name of 1 to 500 characters]
env.image has 501 characters in `env.image` [a name of 1 to 500 characters]
time has no time in `time`: `yesterday` [a time such as `2026-11-24T10:15:00Z`]
epoch is of an epoch `epoch-1`, which is not the name of one [null, or the name of a file `epoch-….json` without `.json`]
requests_per_second has NaN requests per second [a rate from 0 on]
metrics. has an endpoint with a name of 0 characters [a name of 1 to 500 characters]
");
        let many = told(|run| {
            let numbers = run.metrics["GET /health"];
            run.metrics = (0..10_001).map(|index| (index.to_string(), numbers)).collect();
        });
        insta::assert_snapshot!(many, @"metrics has 10001 endpoints [at most 10000 endpoints]");
    }

    #[test]
    fn a_change_names_metrics_and_a_reason() {
        let epoch = |metrics: &[&str], reason: &str| Epoch {
            schema: 1,
            from_sha: None,
            metrics: metrics.iter().map(|it| (*it).to_owned()).collect(),
            reason: reason.to_owned(),
        };
        assert_eq!(of_epoch(&epoch(&["p95", "p50 of GET /x"], "a cache")), []);
        for (wrong, problems) in [
            (epoch(&[], "a cache"), 1),
            (epoch(&["p96", "p95 of "], " \n"), 3),
            (epoch(&["p95"], &"x".repeat(1_001)), 1),
        ] {
            assert_eq!(of_epoch(&wrong).len(), problems, "{wrong:?}");
        }
    }
}
