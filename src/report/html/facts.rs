//! Single facts with their names: the tiles at the top, the generator, the environment.

use std::borrow::Cow;

use serde::Serialize;

use crate::metric::Percentile;
use crate::report::model::{self, Carried};
use crate::report::number;
use crate::report::text::{printable, shorten};
use crate::result::endpoint::{Times, failures};
use crate::result::machine::Machine;
use crate::result::schema::{Generator, RunResult};

use super::LONGEST_NAME;

/// A fact and its name.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// Its name.
    pub name: Cow<'static, str>,
    /// The fact.
    pub text: String,
}

fn fact(name: &'static str, text: String) -> Fact {
    Fact { name: Cow::Borrowed(name), text }
}

/// What everybody asks first; nothing where that is lost.
pub fn tiles(result: &RunResult) -> Vec<Fact> {
    if !result.has("totals") {
        return Vec::new();
    }
    let totals = &result.totals;
    let times = totals.response_time.as_ref();
    let mut facts = vec![
        percentile(Percentile::P95, times),
        percentile(Percentile::P99, times),
        fact("successes per second", number::rate(totals.requests_per_second)),
        fact("successes", number::count(totals.ok)),
    ];
    // As objectives and the list of failures have them.
    if result.has("whole_run") {
        let whole = &result.whole_run;
        let rate = whole.error_rate.map_or_else(|| number::NOTHING.to_owned(), number::ratio);
        facts.push(fact("error rate, whole run", rate));
        facts.push(fact("failures, whole run", number::count(failures(&whole.failed))));
    }
    facts
}

/// A percentile; of few requests its name says what it is.
fn percentile(percentile: Percentile, times: Option<&Times>) -> Fact {
    let name = percentile.label();
    let carried = times.map_or(Carried::Well, |it| model::carries(it.n, percentile.quantile()));
    let told = match (carried, times) {
        (Carried::Slowest, Some(times)) => format!("{name}: slowest of {}", number::count(times.n)),
        _ => format!("{name} response time"),
    };
    Fact { name: Cow::Owned(told), text: model::percentile(times, percentile) }
}

/// How the generator fared.
fn generator(generator: &Generator) -> Vec<Fact> {
    let milliseconds =
        |time: Option<f64>| time.map_or_else(|| number::NOTHING.to_owned(), number::milliseconds);
    let nothing = || number::NOTHING.to_owned();
    let megabytes = |memory| format!("{} MB", number::significant(memory));
    let worst = generator
        .worst_second
        .map(|worst| format!("{}, after {}", number::ratio(worst.stalled_share), number::seconds(worst.t_s)));
    vec![
        fact("CPU per request", format!("{} µs", number::significant(generator.cpu_us_per_request))),
        fact("cores busy", number::ratio(generator.cpu_utilisation)),
        fact("schedule lag, p99", milliseconds(generator.schedule_lag_p99_ms)),
        fact("schedule lag, max", milliseconds(generator.schedule_lag_max_ms)),
        fact("of the plan started", number::ratio(generator.achieved_ratio)),
        fact("wake-ups late, p99", milliseconds(generator.wake_lateness_p99_ms)),
        fact("wake-ups late, max", milliseconds(generator.wake_lateness_max_ms)),
        fact("of the time standing still", number::ratio(generator.stalled_share)),
        fact("of its worst second", worst.unwrap_or_else(|| number::NOTHING.to_owned())),
        fact("CPU stolen by others", generator.steal.map_or_else(nothing, number::ratio)),
        fact("memory at its highest", generator.rss_mb.map_or_else(nothing, megabytes)),
        fact("descriptors or ports ran out", format!("{} times", number::count(generator.exhausted))),
    ]
}

/// How the generator fared, where that is not lost, and the machine it was on.
pub fn of_machine(result: &RunResult) -> Vec<Fact> {
    let generator = if result.has("generator") { generator(&result.generator) } else { Vec::new() };
    generator.into_iter().chain(result.machine.iter().flat_map(machine)).collect()
}

fn machine(machine: &Machine) -> Vec<Fact> {
    let ratio = |value: Option<f64>| value.map_or_else(|| number::NOTHING.to_owned(), number::ratio);
    let plain = |value: Option<f64>| value.map_or_else(|| number::NOTHING.to_owned(), number::significant);
    vec![
        fact("CPU used by other processes", ratio(machine.others_cpu)),
        fact("CPU used by the service", ratio(machine.target_cpu)),
        fact("CPU idle", ratio(machine.idle)),
        fact("speed of the processor", plain(machine.speed)),
        fact("contention", plain(machine.contention)),
    ]
}

/// Where, when, what and how; what is lost is left out.
pub fn about(result: &RunResult) -> Vec<Fact> {
    let runner = &result.runner;
    let text = |text: &str| shorten(&printable(text), LONGEST_NAME);
    let or_nothing = |value: Option<&str>| value.map_or_else(|| number::NOTHING.to_owned(), text);
    let levels = result.load.stages.iter().map(|stage| {
        let [from, to] = [stage.from, stage.to].map(number::shortest);
        format!("{from} → {to} in {}", number::seconds(stage.over_s))
    });
    let processor = format!("{} ({} CPUs, {})", text(&runner.cpu_model), runner.cpus, text(&runner.arch));
    let stages = levels.collect::<Vec<_>>().join(", ");
    let all = [
        ("target", fact("target", text(&result.target))),
        ("started_at", fact("started", text(&number::moment(&result.started_at)))),
        ("duration_s", fact("lasted", number::seconds(result.duration_s))),
        ("steady_s", fact("judged", number::seconds(result.steady_s))),
        (
            "load",
            fact(
                "stages",
                if stages.is_empty() { "none".to_owned() } else { shorten(&stages, LONGEST_NAME * 2) },
            ),
        ),
        ("seed", fact("seed", result.seed.to_string())),
        ("plan_digest", fact("plan digest", text(&result.plan_digest))),
        ("git", fact("commit", or_nothing(result.git.sha.as_deref()))),
        ("git", fact("branch or tag", or_nothing(result.git.reference.as_deref()))),
        ("runner", fact("processor", processor)),
        (
            "runner",
            fact("system", format!("{}, image {}", text(&runner.os), or_nothing(runner.image.as_deref()))),
        ),
        ("runner", fact("class of machine", text(&runner.cpu_class))),
        ("tool", fact("made by", format!("{} {}", text(&result.tool.name), text(&result.tool.version)))),
    ];
    all.into_iter().filter(|(field, _)| result.has(field)).map(|(_, fact)| fact).collect()
}
