//! What was done, and how the generator fared, in one sentence each.

use crate::result::schema::{Distribution, Generator, Load, LoadModel, RunResult};

use super::number;

/// The load and how long it lasted; of a half-written result, what of it is unknown.
pub fn describe(result: &RunResult) -> String {
    let known = |field, text: &dyn Fn() -> String| {
        if result.has(field) { text() } else { format!("{field} unknown") }
    };
    let [load, seed] =
        [known("load", &|| level(&result.load)), known("seed", &|| format!("seed {}", result.seed))];
    let [lasted, judged] = [result.duration_s, result.steady_s].map(number::seconds);
    let length = match (result.has("duration_s"), result.has("steady_s")) {
        (true, true) => format!("{lasted}, of which {judged} are judged"),
        (true, false) => format!("{lasted}, of which an unknown part is judged"),
        (false, true) => format!("{judged} are judged"),
        (false, false) => "length unknown".to_owned(),
    };
    format!("{load}; {length}; {seed}")
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
    let woken = generator
        .wake_lateness_p99_ms
        .map_or_else(String::new, |late| format!(", woken {} late at p99", number::milliseconds(late)));
    let stalled = generator.worst_second.map_or_else(String::new, |worst| {
        format!(
            ", standing still for {} of the time (at most {} of a second, after {})",
            number::ratio(generator.stalled_share),
            number::ratio(worst.stalled_share),
            number::seconds(worst.t_s)
        )
    });
    let stolen = generator.steal.map_or_else(
        || ", an unknown part of the CPU stolen".to_owned(),
        |steal| format!(", {} of the CPU stolen", number::ratio(steal)),
    );
    let memory =
        generator.rss_mb.map_or_else(String::new, |memory| format!(", {} MB", number::significant(memory)));
    format!(
        "{} µs of CPU a request, {} of its cores busy, {} of the plan started{lag}{woken}{stalled}{stolen}{memory}",
        number::significant(generator.cpu_us_per_request),
        number::ratio(generator.cpu_utilisation),
        number::ratio(generator.achieved_ratio),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::small;
    use crate::result::salvage::Salvaged;

    #[test]
    fn what_the_system_does_not_tell_is_unknown_and_not_zero() {
        let mut run = small();
        let known = super::generator(&run.generator);
        assert!(known.ends_with(", 0 % of the CPU stolen, 20.4 MB"), "{known}");
        (run.generator.steal, run.generator.rss_mb) = (None, None);
        let unknown = super::generator(&run.generator);
        assert!(unknown.ends_with(", an unknown part of the CPU stolen"), "{unknown}");
    }

    #[test]
    fn what_is_lost_is_unknown_and_not_zero() {
        let lost = |fields: &[&str]| {
            let missing = fields.iter().map(|field| (*field).to_owned()).collect();
            describe(&RunResult { salvaged: Some(Salvaged { cut_in: None, missing }), ..small() })
        };
        assert_eq!(lost(&[]), "100 users, 50 a second; 30 s, of which 28 s are judged; seed 42");
        assert_eq!(
            lost(&["load", "duration_s", "steady_s", "seed"]),
            "load unknown; length unknown; seed unknown"
        );
        assert_eq!(
            lost(&["load", "steady_s"]),
            "load unknown; 30 s, of which an unknown part is judged; seed 42"
        );
        assert_eq!(lost(&["duration_s"]), "100 users, 50 a second; 28 s are judged; seed 42");
    }
}
