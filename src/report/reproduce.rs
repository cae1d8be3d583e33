//! The command that makes a run again: its scenario, environment, seed and load. Pure; which file the run was
//! configured by, and what else it was told, a result does not know.

use crate::plan::DEFAULT_SEED;
use crate::result::schema::{Load, LoadModel, RunResult};

use super::text::quoted;

/// `loadgate run SCENARIO -e ENVIRONMENT --seed N`, the seed where it is not the default, with the load where flags can say all of it.
pub fn command(result: &RunResult) -> String {
    let mut words = vec!["loadgate run".to_owned(), quoted(&result.scenario)];
    if result.has("environment") {
        words.push(format!("-e {}", quoted(&result.environment)));
    }
    // A seed that is named also repeats the identifiers of `uuid()`, which a service may refuse the second time.
    if result.has("seed") && result.seed != DEFAULT_SEED {
        words.push(format!("--seed {}", result.seed));
    }
    if result.has("load") && result.load.stages.is_empty() {
        words.extend(load(&result.load));
    }
    words.join(" ")
}

/// What must be the same beside the command.
pub fn condition(result: &RunResult) -> String {
    let told = "Configuration and target must be the same: add --config, --demo, --host and --set as they were \
                given.";
    if result.has("plan_digest") {
        format!("{told} The plan is the same if its digest is {}.", result.plan_digest)
    } else {
        told.to_owned()
    }
}

/// The flags of a load that is one ramp and one plateau.
fn load(load: &Load) -> Vec<String> {
    let exact = |value: f64| value.to_string();
    let level = match load.model {
        LoadModel::Closed => [
            load.users.map(|users| format!("--users {users}")),
            load.spawn_rate_per_s.map(|rate| format!("--spawn-rate {}/s", exact(rate))),
        ],
        LoadModel::Open => [load.arrivals_per_s.map(|rate| format!("--arrivals {}/s", exact(rate))), None],
    };
    let run_time = (load.run_time_s > 0.0).then(|| format!("--run-time {}s", exact(load.run_time_s)));
    level.into_iter().flatten().chain(run_time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::small;
    use crate::result::salvage::Salvaged;
    use crate::result::schema::Stage;

    #[test]
    fn a_ramp_and_a_plateau_are_said_in_flags() {
        assert_eq!(
            command(&small()),
            "loadgate run build_flow -e demo --users 100 --spawn-rate 50/s --run-time 30s"
        );
    }

    #[test]
    fn arrivals_are_said_in_flags_and_stages_are_left_to_the_configuration() {
        let open =
            Load { model: LoadModel::Open, arrivals_per_s: Some(12.5), stages: Vec::new(), ..small().load };
        let mut result = RunResult { load: open, ..small() };
        assert_eq!(command(&result), "loadgate run build_flow -e demo --arrivals 12.5/s --run-time 30s");
        result.load.stages = vec![Stage { from: 0.0, to: 5.0, over_s: 3.0 }];
        assert_eq!(command(&result), "loadgate run build_flow -e demo");
        result.seed = 7;
        assert_eq!(command(&result), "loadgate run build_flow -e demo --seed 7");
    }

    #[test]
    fn what_the_command_cannot_say_is_said_beside_it() {
        assert!(condition(&small()).ends_with("if its digest is 0f1e2d."));
        let lost = RunResult {
            salvaged: Some(Salvaged { missing: vec!["plan_digest".into()], ..Salvaged::default() }),
            ..small()
        };
        assert!(condition(&lost).ends_with("as they were given."));
    }

    #[test]
    fn a_name_is_one_word_for_the_shell() {
        let hostile = RunResult { scenario: "a b; rm -rf '".into(), environment: "$HOME".into(), ..small() };
        let words = shlex::split(&command(&hostile)).unwrap();
        assert_eq!(words[..5], ["loadgate", "run", "a b; rm -rf '", "-e", "$HOME"]);
    }
}
