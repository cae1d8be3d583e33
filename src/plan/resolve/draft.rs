//! Everything compiled and checked, with all problems at once; then the plan.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::Config;
use crate::config::node::{Key, Node, Span};
use crate::config::problem::Problem;
use crate::plan::connection::Tls;
use crate::plan::load::Load;
use crate::plan::proxy::Proxies;
use crate::plan::rules::Rules;
use crate::plan::secrets::Secrets;
use crate::plan::user::DataSet;
use crate::plan::{DEFAULT_SEED, Limits, MAX_MEMORY, Plan, SeedOrigin};
use crate::units::ByteSize;

use super::catalogue::Catalogue;
use super::class::Users;
use super::compilation::{Compilation, Files};
use super::layer::{Layer, Layers, Level};
use super::selection::{self, Chosen, Selection};
use super::{advice, comparison, connection, digest, load, objective, reporting, start, target, unit};

/// From the send to the last byte of a response, where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a response body, where nothing is said.
const MAX_BODY: u64 = 64 * 1024 * 1024;

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
    tls: Tls,
    values: BTreeMap<String, String>,
}

/// What answers `env("NAME")`.
pub(super) type Lookup<'e> = &'e dyn Fn(&str) -> Option<OsString>;

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
    pub fn new(config: &'a Config, selection: &Selection, lookup: Lookup) -> Result<Self, Vec<Problem>> {
        let mut problems = selection::defaults(config);
        let scenario = kept(&mut problems, selection::scenario(config, selection.scenario.as_deref()));
        let environment =
            kept(&mut problems, selection::environment(config, selection.environment.as_deref()));
        let (here, others) = compile_all(config, (scenario, environment), Files::Read);
        let (catalogue, found) = (catalogue(here.as_ref(), &others), problems_of(here.as_ref(), &others));
        problems.extend(found);
        problems.extend(check_layers(config, &catalogue));
        let (Some(scenario), Some(environment)) = (here, environment) else { return Err(problems) };
        let layers = Layers::new(config, environment.node, scenario.compilation.scenario);
        let load = kept_all(&mut problems, load::resolve(&layers, environment.key.span));
        let target = kept_all(&mut problems, target::draft(&config.sources, &layers, environment.key));
        let rules = kept_all(&mut problems, rules_of(config, &catalogue, &layers));
        let tls = kept_all(&mut problems, connection::tls(config, &layers));
        let mut scenario = scenario;
        let asked = scenario.compilation.environment.iter();
        let asked = asked.chain(target.as_ref().map_or(&[][..], target::Draft::environment));
        let values = kept_all(&mut problems, values(asked, lookup)).unwrap_or_default();
        let compilation = &scenario.compilation;
        problems.extend(broken_headers(&compilation.in_headers, &values.values, "which no header can hold"));
        let basic = "which basic authentication allows in neither user nor password (RFC 7617)";
        problems.extend(broken_headers(&compilation.in_basic, &values.values, basic));
        scenario.compilation.notes.extend(values.notes);
        let values = values.values;
        match (load, target, rules, tls) {
            (Some(load), Some(target), Some(rules), Some(tls)) if problems.is_empty() => {
                Ok(Self { config, environment, scenario, layers, load, target, rules, tls, values })
            }
            _ => Err(problems),
        }
    }

    /// The plan.
    pub fn plan(self) -> Plan {
        let limits = self.limits();
        let Self {
            config, scenario: Compiled { name, mut compilation, users, data }, layers, values, ..
        } = self;
        let http = connection::http(&layers);
        let seed = unit::parsed(layers.get("seed"));
        let beyond =
            advice::beyond_timeouts(&self.rules.objectives, &users.tasks, &compilation.endpoints, &limits);
        let whole_run = start::notes(&self.rules.objectives);
        let without_value = advice::without_value(&layers);
        let without_users = advice::without_users(&users.classes, &self.load);
        let notes = std::mem::take(&mut compilation.notes)
            .into_iter()
            .chain(beyond)
            .chain(whole_run)
            .chain(without_value)
            .chain(without_users)
            .collect();
        let digest = digest::of(&compilation, &self.load, (&limits, &http));
        compilation.names.table.set_environment(values.clone());
        let credentials = self.target.credentials().cloned();
        let mut given: Vec<String> = values.values().cloned().collect();
        given.append(&mut compilation.secrets);
        given.extend(credentials.iter().flat_map(|it| it.secrets.clone()));
        let secrets = Arc::new(Secrets::new(given, compilation.secret_captures));
        Plan {
            name: config.root.get("name").and_then(Node::scalar).unwrap_or("loadgate").to_owned(),
            scenario: name.to_owned(),
            environment: self.environment.key.name.clone(),
            protection: target::protection(&layers),
            target: self.target.target(&config.folder, values),
            load: self.load,
            classes: users.classes,
            tasks: users.tasks,
            endpoints: compilation.endpoints,
            metrics: compilation.metrics,
            data,
            builtin: compilation.names.builtin,
            names: Arc::new(compilation.names.table),
            keeps_response: compilation.keeps_response,
            keeps_message: compilation.keeps_message,
            limits,
            authorization: credentials.map(|it| it.authorization),
            proxies: Arc::new(Proxies::of(&http.proxy, &|_| None)),
            http,
            tls: self.tls,
            seed: seed.unwrap_or(DEFAULT_SEED),
            seed_origin: if seed.is_some() { SeedOrigin::Chosen } else { SeedOrigin::Default },
            digest,
            reporting: reporting::reporting(config, &layers),
            notes,
            inactive: reporting::inactive(&layers),
            rules: self.rules,
            secrets,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            timeout: unit::duration(self.layers.get("timeout")).unwrap_or(TIMEOUT),
            max_body: unit::parsed(self.layers.get("max_body")).unwrap_or(ByteSize(MAX_BODY)).0,
            max_memory: self.layers.get("max_memory").and_then(unit::memory).unwrap_or(MAX_MEMORY),
        }
    }
}

/// What the environment variables say that are asked for.
#[derive(Debug, Default)]
struct Variables {
    values: BTreeMap<String, String>,
    notes: Vec<String>,
}

/// The values of the environment variables that are asked for. A line break at the end of a single line is left
/// out: a secret that was pasted into the settings of a CI very often ends in one.
fn values<'u>(
    uses: impl Iterator<Item = &'u (String, Span)>,
    environment: Lookup,
) -> Result<Variables, Vec<Problem>> {
    let (mut found, mut problems) = (Variables::default(), Vec::new());
    for (name, span) in uses {
        let missing = || {
            Problem::at(*span, format!("the environment variable `{name}` is not set or empty"))
                .hint("set it before the run; in a workflow, under `env:` of the step")
        };
        let Some(value) = environment(name).filter(|value| !value.is_empty()) else {
            problems.push(missing());
            continue;
        };
        let Ok(value) = value.into_string() else {
            let message = format!("the environment variable `{name}` is not UTF-8");
            problems.push(Problem::at(*span, message).hint("set it to text in UTF-8"));
            continue;
        };
        let line = value.trim_end_matches(['\r', '\n']);
        let trimmed = if line.contains(['\r', '\n']) { value.as_str() } else { line };
        if trimmed.is_empty() {
            problems.push(missing());
            continue;
        }
        let cut = trimmed.len() < value.len();
        if found.values.insert(name.clone(), trimmed.to_owned()).is_none() && cut {
            found
                .notes
                .push(format!("the environment variable `{name}` ends in a line break, which is left out"));
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// Variables that headers are made of and whose values they cannot hold, with the reason `why`. The value is never shown: it is a
/// secret, most likely.
fn broken_headers(uses: &[(String, Span)], values: &BTreeMap<String, String>, why: &str) -> Vec<Problem> {
    let broken = |value: &String| value.chars().any(is_broken);
    uses.iter()
        .filter(|(name, _)| values.get(name).is_some_and(broken))
        .map(|(name, span)| {
            let value = values.get(name).map_or("", String::as_str);
            let (what, hint) = if value.contains(['\r', '\n']) {
                ("a line break".into(), "set it to one line; a text of several lines can be sent in a body")
            } else {
                let found = value.chars().find(|c| is_broken(*c)).unwrap_or_default();
                (control_character(found), "set it without that character; any can be sent in a body")
            };
            Problem::at(*span, format!("the environment variable `{name}` has {what} in it, {why}"))
                .hint(hint)
        })
        .collect()
}

/// Whether a header cannot hold a character.
fn is_broken(c: char) -> bool {
    c.is_ascii_control() && c != '\t'
}

/// A control character by its number, and by its name where it has one that people know.
fn control_character(c: char) -> String {
    let name = match c {
        '\0' => " (NUL)",
        '\x08' => " (backspace)",
        '\x1b' => " (escape)",
        '\x7f' => " (delete)",
        _ => "",
    };
    format!("the control character U+{:04X}{name}", u32::from(c))
}

/// The rules alone: nothing is read, and only what concerns rules is a problem.
pub(super) fn rules(config: &Config, environment: &str, scenario: &str) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let scenario = kept(&mut problems, selection::scenario(config, Some(scenario)));
    let environment = kept(&mut problems, selection::environment(config, Some(environment)));
    let (Some(scenario), Some(environment)) = (scenario, environment) else { return Err(problems) };
    let (here, others) = compile_all(config, (Some(scenario), Some(environment)), Files::Skip);
    let layers = Layers::new(config, environment.node, scenario.node);
    rules_of(config, &catalogue(here.as_ref(), &others), &layers)
}

fn rules_of(config: &Config, catalogue: &Catalogue, layers: &Layers) -> Result<Rules, Vec<Problem>> {
    let (objectives, mut problems) = objective::objectives(config, catalogue, layers);
    let (baseline, wrong) = comparison::baseline(&config.folder, layers);
    problems.extend(wrong);
    if problems.is_empty() { Ok(Rules { objectives, baseline }) } else { Err(problems) }
}

/// The scenario that is chosen, whose files are read if `files` says so, and all others; against the target of the
/// environment that is chosen.
fn compile_all<'a>(
    config: &'a Config,
    (scenario, environment): (Option<Chosen<'a>>, Option<Chosen<'a>>),
    files: Files,
) -> (Option<Compiled<'a>>, Vec<Compiled<'a>>) {
    let chosen = scenario.map(|scenario| scenario.key.name.as_str());
    let entries = config.root.get("scenarios").map_or(&[][..], Node::entries).iter();
    let compiled = entries.map(|(key, node)| {
        let chosen = chosen == Some(key.name.as_str());
        let host = environment.and_then(|it| target::host_of(&Layers::new(config, it.node, node)));
        compile(config, (key, node), (host, if chosen { files } else { Files::Skip }))
    });
    let (mut here, others): (Vec<_>, Vec<_>) = compiled.partition(|scenario| chosen == Some(scenario.name));
    (here.pop(), others)
}

fn compile<'a>(
    config: &'a Config,
    (key, node): (&'a Key, &'a Node),
    (host, files): (Option<Url>, Files),
) -> Compiled<'a> {
    let mut compilation = Compilation { host, ..Compilation::new(config, node, files) };
    let data = compilation.data();
    compilation.gather_names();
    let users = compilation.users(key);
    compilation.idle_tasks();
    Compiled { name: &key.name, compilation, users, data }
}

fn catalogue(here: Option<&Compiled>, others: &[Compiled]) -> Catalogue {
    Catalogue::new(here.map(|it| (&it.compilation, &it.users)), others.iter().map(|it| &it.compilation))
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
        problems.extend(reporting::check(layer));
        problems.extend(connection::check(layer));
        problems.extend(objective::objectives(config, catalogue, &Layers::alone(layer)).1);
    }
    for (key, node) in of("environments") {
        let alone = Layers::alone(Layer { level: Level::Environment, node });
        problems.extend(target::draft(&config.sources, &alone, key).err().unwrap_or_default());
    }
    problems
}

fn kept<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn kept_all<T>(problems: &mut Vec<Problem>, result: Result<T, Vec<Problem>>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}
