//! What was done, and how the generator fared, in one sentence each.

use crate::result::schema::{Distribution, Generator, Load, LoadModel, RunResult};

use super::number;

/// The load and how long it lasted.
pub fn describe(result: &RunResult) -> String {
    format!(
        "{}; {}, of which {} are judged; seed {}",
        level(&result.load),
        number::seconds(result.duration_s),
        number::seconds(result.steady_s),
        result.seed
    )
}

fn level(load: &Load) -> String {
    let stages = match load.stages.len() {
        0 => String::new(),
        n => format!(" at the highest of {n} stages"),
    };
    match load.model {
        LoadModel::Closed => {
            let users = number::count(load.users.unwrap_or(0));
            let spawn = load
                .spawn_rate_per_s
                .map_or_else(String::new, |rate| format!(", {} a second", number::shortest(rate)));
            format!("{users} users{stages}{spawn}")
        }
        LoadModel::Open => {
            let spacing = match load.distribution {
                Some(Distribution::Poisson) => " (Poisson)",
                Some(Distribution::Even) | None => "",
            };
            format!("{} arrivals{stages}{spacing}", number::rate(load.arrivals_per_s.unwrap_or(0.0)))
        }
    }
}

/// How the generator fared.
pub fn generator(generator: &Generator) -> String {
    let lag = generator
        .schedule_lag_p99_ms
        .map_or_else(String::new, |lag| format!(", {} late at p99", number::milliseconds(lag)));
    format!(
        "{} µs of CPU a request, {} of its cores busy, {} of the plan started{lag}, {} of the CPU stolen, {} MB",
        number::significant(generator.cpu_us_per_request),
        number::ratio(generator.cpu_utilisation),
        number::ratio(generator.achieved_ratio),
        number::ratio(generator.steal),
        number::significant(generator.rss_mb),
    )
}
