//! Everything compiled and checked, before the environment is asked for anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::node::{Key, Node};
use crate::config::problem::Problem;
use crate::plan::load::Load;
use crate::plan::rules::Rules;
use crate::plan::user::DataSet;
use crate::plan::{Limits, Plan};

use super::catalogue::Catalogue;
use super::class::Users;
use super::compilation::{Compilation, Files};
use super::layer::{Layer, Layers, Level};
use super::selection::{self, Chosen, Selection};
use super::{comparison, digest, load, objective, reporting, target, unit};

/// From the send to the last byte of a response, where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a response body, where nothing is said.
const MAX_BODY: u64 = 10 * 1024 * 1024;
/// What every random choice derives from, where nothing is said: always the same, so that runs repeat.
const SEED: u64 = 42;

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    config: &'a Config,
    environment: Chosen<'a>,
    scenario: Compiled<'a>,
    layers: Layers<'a>,
    load: Load,
    target: target::Draft,
    rules: Rules,
}

/// A scenario, compiled.
#[derive(Debug)]
struct Compiled<'a> {
    name: &'a str,
    compilation: Compilation<'a>,
    users: Users,
    data: Vec<DataSet>,
}

impl<'a> Draft<'a> {
    /// Compiles all scenarios, checks all layers, and chooses; all problems at once.
    pub fn new(config: &'a Config, selection: &Selection) -> Result<Self, Vec<Problem>> {
        let mut problems = selection::defaults(config);
        let scenario = kept(&mut problems, selection::scenario(config, selection.scenario.as_deref()));
        let environment =
            kept(&mut problems, selection::environment(config, selection.environment.as_deref()));
        let (here, others) = compile_all(config, scenario.map(|chosen| chosen.name), Files::Read);
        let (catalogue, found) = (catalogue(here.as_ref(), &others), problems_of(here.as_ref(), &others));
        problems.extend(found);
        problems.extend(check_layers(config, &catalogue));
        let (Some(scenario), Some(environment)) = (here, environment) else { return Err(problems) };
        let layers = Layers::new(config, environment.node, Some(scenario.compilation.scenario));
        let key = entry(config, "environments", environment.name).map(|(key, _)| key);
        let load = kept_all(&mut problems, load::resolve(&layers, key.map(|key| key.span)));
        let target = kept_all(&mut problems, target::draft(&config.sources, &layers, key));
        let rules = kept_all(&mut problems, rules_of(config, &catalogue, &layers));
        match (load, target, rules) {
            (Some(load), Some(target), Some(rules)) if problems.is_empty() => {
                Ok(Self { config, environment, scenario, layers, load, target, rules })
            }
            _ => Err(problems),
        }
    }

    /// The plan, with the values of environment variables.
    pub fn plan(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Vec<Problem>> {
        let values = self.values(environment)?;
        let limits = self.limits();
        let Self { config, scenario: Compiled { name, mut compilation, users, data }, layers, .. } = self;
        let digest = digest::of(&compilation, &self.load, &limits);
        compilation.names.table.set_environment(values.clone());
        Ok(Plan {
            name: config.root.get("name").and_then(Node::scalar).unwrap_or("loadgate").to_owned(),
            scenario: name.to_owned(),
            environment: self.environment.name.to_owned(),
            protection: target::protection(&layers),
            target: self.target.target(&config.folder, values.clone()),
            load: self.load,
            classes: users.classes,
            tasks: users.tasks,
            endpoints: compilation.endpoints,
            metrics: compilation.metrics,
            data,
            builtin: compilation.names.builtin,
            names: Arc::new(compilation.names.table),
            keeps_response: compilation.keeps_response,
            limits,
            seed: unit::parsed(layers.get("seed")).unwrap_or(SEED),
            digest,
            reporting: reporting::reporting(config, &layers),
            inactive: reporting::inactive(&layers, &self.rules),
            rules: self.rules,
            secrets: values.into_values().collect(),
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            timeout: unit::duration(self.layers.get("timeout")).unwrap_or(TIMEOUT),
            max_body: unit::parsed(self.layers.get("max_body")).unwrap_or(MAX_BODY),
        }
    }

    /// The environment variables that the scenario and the target ask for.
    fn values(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<BTreeMap<String, String>, Vec<Problem>> {
        let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, span) in self.scenario.compilation.environment.iter().chain(self.target.environment()) {
            match environment(name).filter(|value| !value.is_empty()) {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => problems.push(
                    Problem::at(*span, format!("the environment variable `{name}` is not set or empty"))
                        .hint("set it before the run; in a workflow, under `env:` of the step"),
                ),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }
}

/// The rules alone: nothing is read, and only what concerns rules is a problem.
pub(super) fn rules(config: &Config, environment: &str, scenario: &str) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let scenario = kept(&mut problems, selection::scenario(config, Some(scenario)));
    let environment = match config.root.get("environments") {
        Some(_) => {
            kept(&mut problems, selection::environment(config, Some(environment))).and_then(|it| it.node)
        }
        None => None,
    };
    let Some(scenario) = scenario.filter(|_| problems.is_empty()) else { return Err(problems) };
    let (here, others) = compile_all(config, Some(scenario.name), Files::Skip);
    rules_of(config, &catalogue(here.as_ref(), &others), &Layers::new(config, environment, scenario.node))
}

fn rules_of(config: &Config, catalogue: &Catalogue, layers: &Layers) -> Result<Rules, Vec<Problem>> {
    let (objectives, mut problems) = objective::objectives(config, catalogue, layers);
    let (baseline, wrong) = comparison::baseline(&config.folder, layers);
    problems.extend(wrong);
    if problems.is_empty() { Ok(Rules { objectives, baseline }) } else { Err(problems) }
}

/// The scenario named `chosen`, whose files are read if `files` says so, and all others.
fn compile_all<'a>(
    config: &'a Config,
    chosen: Option<&str>,
    files: Files,
) -> (Option<Compiled<'a>>, Vec<Compiled<'a>>) {
    let entries = config.root.get("scenarios").map_or(&[][..], Node::entries).iter();
    let compiled = entries.map(|(key, node)| {
        let chosen = chosen == Some(key.name.as_str());
        compile(config, (key, node), if chosen { files } else { Files::Skip })
    });
    let (mut here, others): (Vec<_>, Vec<_>) = compiled.partition(|scenario| chosen == Some(scenario.name));
    (here.pop(), others)
}

fn compile<'a>(config: &'a Config, (key, node): (&'a Key, &'a Node), files: Files) -> Compiled<'a> {
    let mut compilation = Compilation::new(config, node, files);
    let data = compilation.data();
    compilation.gather_names();
    let users = compilation.users(key);
    compilation.idle_tasks();
    Compiled { name: &key.name, compilation, users, data }
}

fn catalogue(here: Option<&Compiled>, others: &[Compiled]) -> Catalogue {
    Catalogue::new(here.map(|it| &it.compilation), others.iter().map(|it| &it.compilation))
}

fn problems_of(here: Option<&Compiled>, others: &[Compiled]) -> Vec<Problem> {
    here.into_iter().chain(others).flat_map(|compiled| compiled.compilation.problems.clone()).collect()
}

/// What is wrong with any layer, taken alone, chosen or not.
fn check_layers(config: &Config, catalogue: &Catalogue) -> Vec<Problem> {
    let of = |list: &str| config.root.get(list).map_or(&[][..], Node::entries).iter();
    let top = Layer { level: Level::Top, node: &config.root };
    let overrides = Layer { level: Level::Overrides, node: &config.overrides };
    let environments = of("environments").map(|(_, node)| Layer { level: Level::Environment, node });
    let scenarios = of("scenarios").map(|(_, node)| Layer { level: Level::Scenario, node });
    let mut problems = Vec::new();
    for layer in [top, overrides].into_iter().chain(environments).chain(scenarios) {
        problems.extend(load::check(layer));
        problems.extend(objective::objectives(config, catalogue, &Layers::alone(layer)).1);
    }
    for (key, node) in of("environments") {
        let alone = Layers::alone(Layer { level: Level::Environment, node });
        problems.extend(target::draft(&config.sources, &alone, Some(key)).err().unwrap_or_default());
    }
    problems
}

fn entry<'a>(config: &'a Config, list: &str, name: &str) -> Option<&'a (Key, Node)> {
    config.root.get(list)?.entry(name)
}

fn kept<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn kept_all<T>(problems: &mut Vec<Problem>, result: Result<T, Vec<Problem>>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}
