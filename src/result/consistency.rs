//! Whether a result that was read agrees with itself: numbers that follow from others must. One that was
//! edited by hand, or damaged, is told by it; nobody can judge it.

use std::fmt::Display;

use hdrhistogram::Histogram;

use super::endpoint::{Endpoint, Failed, Times, ended, failures};
use super::schema::RunResult;
use crate::load::measure::times::LONGEST_US;
use crate::metric::Percentile;
use crate::stats::histogram;

/// Two numbers that were computed alike differ by no more, relatively.
const ROUNDING: f64 = 1e-9;

/// What does not agree, in words; none where everything does.
pub fn contradiction(result: &RunResult) -> Option<String> {
    if result.has("started_at") && result.started_at.parse::<jiff::Timestamp>().is_err() {
        return Some(format!("started_at is `{}`, which is no time", result.started_at));
    }
    let endpoints = || result.endpoints.iter().chain([&result.totals]);
    let metrics = result.metrics.iter().chain(&result.whole_run.metrics);
    endpoints()
        .find_map(|endpoint| of_endpoint(endpoint, result.steady_s))
        .or_else(|| {
            metrics
                .filter_map(|it| it.response_time.as_ref().map(|times| (&it.name, times)))
                .find_map(|(name, times)| of_times(name, times))
        })
        .or_else(|| of_whole_run(result))
        // What is lost of a half-written result cannot add up.
        .or_else(|| {
            ["whole_run", "totals", "endpoints"]
                .into_iter()
                .all(|field| result.has(field))
                .then(|| of_sums(result))?
        })
}

fn of_endpoint(endpoint: &Endpoint, steady_s: f64) -> Option<String> {
    let name = &endpoint.name;
    let distributions = [&endpoint.response_time, &endpoint.service_time];
    let timeouts = timeouts(&endpoint.failed);
    let unfinished = endpoint.unfinished_time.as_ref().and_then(|times| of_times(name, times));
    distributions
        .into_iter()
        .flatten()
        .find_map(|times| of_times(name, times))
        .or(unfinished)
        .or_else(|| of_timeouts((name, endpoint.ok, timeouts), endpoint.response_time.as_ref()))
        .or_else(|| of_rate(name, (endpoint.ok, &endpoint.failed), endpoint.error_rate))
        .or_else(|| {
            let rate = if steady_s > 0.0 { endpoint.ok as f64 / steady_s } else { 0.0 };
            differ(format_args!("requests_per_second of {name}"), endpoint.requests_per_second, rate)
        })
}

fn timeouts(failed: &Failed) -> u64 {
    failed.get("timeout").copied().unwrap_or(0)
}

/// Times of the whole run, where they are stored.
fn of_whole_run(result: &RunResult) -> Option<String> {
    let whole = &result.whole_run;
    let endpoints = whole.endpoints.iter().map(|it| (it.name.as_str(), it.ok, &it.failed, &it.response_time));
    let all = endpoints.chain([("whole_run", whole.ok, &whole.failed, &whole.response_time)]);
    let cut_off = || whole.endpoints.iter().filter_map(|it| Some((&it.name, it.unfinished_time.as_ref()?)));
    let placed = cut_off().fold(0, |sum: u64, (_, times)| sum.saturating_add(times.n));
    if placed > whole.unfinished {
        return differ("unfinished", whole.unfinished as f64, placed as f64);
    }
    if let Some(damaged) = cut_off().find_map(|(name, times)| of_times(name, times)) {
        return Some(damaged);
    }
    let mut stored = all.filter_map(|(name, ok, failed, times)| Some((name, ok, failed, times.as_ref()?)));
    stored.find_map(|(name, ok, failed, times)| {
        of_times(name, times).or_else(|| of_timeouts((name, ok, timeouts(failed)), Some(times)))
    })
}

/// Response times are of every success, and of requests that timed out. Some failures of that kind are of no
/// request of their own, such as a poll that gives up, and have no time there.
fn of_timeouts((name, ok, timeouts): (&str, u64, u64), times: Option<&Times>) -> Option<String> {
    let (n, timed_out) = times.map_or((0, 0), |times| (times.n, times.timed_out));
    let beyond = n.saturating_sub(ok);
    if n < ok || beyond > timeouts {
        let judged = ok.saturating_add(timeouts);
        return differ(format_args!("times of {name}"), n as f64, judged as f64);
    }
    // An older version does not say how many, and an equal number follows all the same.
    let told = timed_out > 0;
    told.then(|| differ(format_args!("timed_out of {name}"), timed_out as f64, beyond as f64))?
}

/// The numbers of a distribution against its histogram.
fn of_times(name: &str, times: &Times) -> Option<String> {
    let Some(text) = &times.histogram else { return Some(format!("the histogram of {name} is missing")) };
    let Ok(histogram) = histogram::decode(text, LONGEST_US) else {
        return Some(format!("the histogram of {name} cannot be read"));
    };
    let Some(true_times) = Times::of(&histogram) else {
        return Some(format!("the histogram of {name} is empty"));
    };
    let percentiles = Percentile::ALL.map(|percentile| {
        (percentile_name(percentile), times.percentile_ms(percentile), true_times.percentile_ms(percentile))
    });
    let others = [
        ("count", times.n as f64, true_times.n as f64),
        ("min", times.min_ms, true_times.min_ms),
        ("mean", times.mean_ms, true_times.mean_ms),
        ("max", times.max_ms, true_times.max_ms),
    ];
    percentiles
        .into_iter()
        .chain(others)
        .find_map(|(what, found, expected)| differ(format_args!("{what} of {name}"), found, expected))
        .or_else(|| of_timed_out(name, times, &histogram))
}

/// Timeouts are a part of all times.
fn of_timed_out(name: &str, times: &Times, all: &Histogram<u64>) -> Option<String> {
    let text = times.timed_out_histogram.as_deref()?;
    let Ok(timed_out) = histogram::decode(text, LONGEST_US) else {
        return Some(format!("the histogram of the timeouts of {name} cannot be read"));
    };
    let others = |value: u64, count: u64| all.count_at(value) < count;
    if timed_out.iter_recorded().any(|step| others(step.value_iterated_to(), step.count_at_value())) {
        return Some(format!("the timeouts of {name} are not among its times"));
    }
    differ(format_args!("timed_out of {name}"), times.timed_out as f64, timed_out.len() as f64)
}

fn percentile_name(percentile: Percentile) -> &'static str {
    crate::metric::Metric::Response(percentile).name()
}

fn of_rate(name: &str, (ok, failed): (u64, &Failed), rate: Option<f64>) -> Option<String> {
    let all = ended(ok, failed);
    let expected = if all == 0 { None } else { Some(failures(failed) as f64 / all as f64) };
    match (rate, expected) {
        (Some(rate), Some(expected)) => differ(format_args!("error_rate of {name}"), rate, expected),
        (None, None) => None,
        _ => Some(format!("error_rate of {name} does not fit its counts")),
    }
}

/// Sums over the endpoints.
fn of_sums(result: &RunResult) -> Option<String> {
    let whole = &result.whole_run;
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add) as f64;
    let steady_ok = sum(&mut result.endpoints.iter().map(|endpoint| endpoint.ok));
    let steady_failed = sum(&mut result.endpoints.iter().map(|endpoint| failures(&endpoint.failed)));
    let whole_ok = sum(&mut whole.endpoints.iter().map(|endpoint| endpoint.ok));
    let whole_failed = sum(&mut whole.endpoints.iter().map(|endpoint| failures(&endpoint.failed)));
    differ("ok in totals", result.totals.ok as f64, steady_ok)
        .or_else(|| differ("failed in totals", failures(&result.totals.failed) as f64, steady_failed))
        .or_else(|| differ("ok in whole_run", whole.ok as f64, whole_ok))
        .or_else(|| differ("failed in whole_run", failures(&whole.failed) as f64, whole_failed))
        .or_else(|| of_rate("whole_run", (whole.ok, &whole.failed), whole.error_rate))
        .or_else(|| {
            let endpoints = whole.endpoints.iter();
            let mut rates = endpoints.map(|it| of_rate(&it.name, (it.ok, &it.failed), it.error_rate));
            rates.find_map(|contradiction| contradiction)
        })
}

fn differ(what: impl Display, found: f64, expected: f64) -> Option<String> {
    let agree = (found - expected).abs() <= ROUNDING * found.abs().max(expected.abs());
    (!agree).then(|| format!("{what} is {found}, and {expected} by the numbers it follows from"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::file::{parse, to_json};
    use crate::result::fixture::{rich, small};

    #[test]
    fn what_a_run_writes_agrees_with_itself() {
        for result in [small(), rich()] {
            assert_eq!(contradiction(&result), None);
            let read = parse(to_json(&result).unwrap().as_bytes(), "r.json".as_ref()).unwrap();
            assert_eq!(contradiction(&read), None);
        }
    }

    fn builds(result: &mut RunResult) -> &mut Times {
        result.endpoints[1].response_time.as_mut().unwrap()
    }

    fn login(result: &mut RunResult) -> &mut Times {
        result.whole_run.endpoints[0].response_time.as_mut().unwrap()
    }

    #[test]
    fn every_edit_is_told() {
        type Edit = fn(&mut RunResult);
        let edits: [(Edit, &str); 15] = [
            (|it| it.whole_run.unfinished = 6, "unfinished is 6, and 7"),
            (
                |it| it.endpoints[1].unfinished_time.as_mut().unwrap().max_ms = 1.0,
                "max of POST /api/v1/builds is 1",
            ),
            (|it| it.started_at = "yesterday".into(), "started_at is `yesterday`"),
            (|it| it.totals.response_time.as_mut().unwrap().p95_ms = 1.0, "p95 of total is 1"),
            (|it| it.endpoints[1].response_time.as_mut().unwrap().n += 1, "count of POST /api/v1/builds"),
            (
                |it| it.endpoints[1].response_time.as_mut().unwrap().histogram = Some("?".into()),
                "the histogram",
            ),
            (|it| it.whole_run.error_rate = Some(0.0), "error_rate of whole_run is 0"),
            (|it| login(it).p95_ms = 1.0, "p95 of POST /api/v1/auth/test-token is 1"),
            (|it| it.whole_run.endpoints[0].ok += 1, "times of POST /api/v1/auth/test-token"),
            (|it| it.whole_run.ok += 1, "ok in whole_run"),
            (|it| it.endpoints[3].requests_per_second = 1e6, "requests_per_second of GET"),
            (|it| it.totals.failed.clear(), "times of total"),
            (|it| builds(it).timed_out = 22, "timed_out of POST /api/v1/builds is 22"),
            (
                |it| {
                    builds(it).timed_out_histogram = it.endpoints[2].response_time.clone().unwrap().histogram;
                },
                "the timeouts of POST /api/v1/builds are not among its times",
            ),
            (
                |it| builds(it).timed_out_histogram = Some("?".into()),
                "timeouts of POST /api/v1/builds cannot be",
            ),
        ];
        for (edit, told) in edits {
            let mut edited = rich();
            edit(&mut edited);
            let said = contradiction(&edited).unwrap_or_default();
            assert!(said.contains(told), "{said:?} for {told}");
        }
    }
}
