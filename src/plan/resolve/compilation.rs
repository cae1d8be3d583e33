//! A scenario being compiled: what it has named so far, and everything found wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use url::Url;

use crate::config::Config;
use crate::config::node::{Node, Span, Value};
use crate::config::problem::Problem;
use crate::config::source::Sources;
use crate::plan::secrets::Captures;
use crate::plan::step::{EndpointId, MetricId, Step};
use crate::plan::{Endpoint, EndpointKind};
use crate::template::{Expression, JsonSource, JsonTemplate, Template, quoted_template};

use super::capture::MOST_PATTERNS;
use super::names::{Names, Sight};
use super::{confidential, text};

/// The most expressions of a scenario that need the interpreter: each takes about 15 KB.
const MOST_PROGRAMS: usize = 10_000;

/// Whether the files a scenario names are read: only those of the one that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// They are.
    Read,
    /// They are not, and nothing is known of their content.
    Skip,
}

/// A scenario being compiled.
#[derive(Debug)]
pub(super) struct Compilation<'a> {
    /// The texts that spans point into.
    pub sources: &'a Sources,
    /// The folder that paths are relative to.
    pub folder: &'a Path,
    /// The scenario.
    pub scenario: &'a Node,
    /// The URL of the target; none where it is started, or where nothing valid is said of it.
    pub host: Option<Url>,
    /// Whether files are read.
    pub files: Files,
    /// What templates can see.
    pub names: Names,
    /// The names whose value may be a secret.
    pub confidential: BTreeSet<String>,
    /// Endpoints met so far.
    pub endpoints: Vec<Endpoint>,
    /// Custom metrics met so far.
    pub metrics: Vec<String>,
    /// Environment variables asked for, and where.
    pub environment: Vec<(String, Span)>,
    /// Whether it was told already that there are too many steps.
    pub too_many_steps: bool,
    /// Those of them that a template writes as they are.
    pub written: Vec<(String, Span)>,
    /// Those of them that headers are made of.
    pub in_headers: Vec<(String, Span)>,
    /// Those of them that user and password of basic authentication are made of.
    pub in_basic: Vec<(String, Span)>,
    /// Whether values of responses are secrets.
    pub secret_captures: Captures,
    /// Whether a `when` or `set` looks at `response`.
    pub keeps_response: bool,
    /// Whether any template or expression looks at `message`.
    pub keeps_message: bool,
    /// The headers of the class at hand that `on_start` goes without.
    pub withheld: BTreeSet<String>,
    /// The tasks that are run, by name.
    pub used: BTreeSet<&'a str>,
    /// SHA-256 of the files read, by name.
    pub contents: BTreeMap<String, String>,
    /// The names that templates have read since somebody last asked.
    pub reads: BTreeSet<String>,
    /// The data whose row differs from iteration to iteration of one user.
    pub moving_data: Vec<String>,
    /// Expressions met so far that need the interpreter.
    pub programs: usize,
    /// Steps met so far, those of a task in each place that it is run.
    pub expanded: usize,
    /// How much memory regular expressions may still take, in bytes.
    pub pattern_memory: usize,
    /// Passwords of URLs.
    pub secrets: Vec<String>,
    /// What is valid, and probably not meant.
    pub notes: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Tasks that are compiled, for every place they stand in, and how many steps they are.
    pub compiled: HashMap<(&'a str, Surroundings), Expanded>,
    /// The tasks that the step at hand stands in, the outermost first.
    pub running: Vec<&'a str>,
}

/// What surrounds a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    /// Headers of the class.
    pub headers: Option<&'a Node>,
    /// Whether it is what a user does first.
    pub stage: Stage,
    /// A `repeat`.
    pub repeat: Within,
    /// A WebSocket.
    pub websocket: Within,
}

/// The steps of a task, and how many they are with those of the tasks they run.
pub(super) type Expanded = (Arc<[Step]>, usize);

/// When in the life of a user a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// In an iteration.
    #[default]
    Iteration,
    /// In `on_start`: nothing has been captured when it begins.
    Start,
}

/// What surrounds a step, as far as it changes what the step compiles to within one class.
pub(super) type Surroundings = (Option<Span>, Within, Within);

/// Whether a step stands inside of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Within {
    /// It does not.
    #[default]
    Outside,
    /// It does.
    Inside,
}

impl Place<'_> {
    /// What makes two places alike.
    pub fn surroundings(self) -> Surroundings {
        (self.headers.map(|headers| headers.span), self.repeat, self.websocket)
    }

    /// What a template sees here.
    pub fn sight(self) -> Sight {
        Sight { index: self.repeat == Within::Inside, ..Sight::default() }
    }
}

/// Every list of steps of a scenario: those of its tasks, and those that its classes write out.
pub(super) fn lists_of_steps(scenario: &Node) -> impl Iterator<Item = &Node> {
    let entries = |key: &str| scenario.get(key).map_or(&[][..], Node::entries).iter();
    let tasks = entries("tasks").map(|(_, steps)| steps);
    tasks.chain(entries("users").filter_map(|(_, class)| class.get("steps")))
}

impl<'a> Compilation<'a> {
    /// A scenario of which nothing is compiled yet.
    pub fn new(config: &'a Config, scenario: &'a Node, files: Files) -> Self {
        Self {
            sources: &config.sources,
            folder: &config.folder,
            scenario,
            host: None,
            files,
            names: Names::default(),
            confidential: BTreeSet::new(),
            endpoints: Vec::new(),
            metrics: Vec::new(),
            environment: Vec::new(),
            too_many_steps: false,
            written: Vec::new(),
            in_headers: Vec::new(),
            in_basic: Vec::new(),
            secret_captures: Captures::Never,
            keeps_response: false,
            keeps_message: false,
            withheld: BTreeSet::new(),
            used: BTreeSet::new(),
            contents: BTreeMap::new(),
            reads: BTreeSet::new(),
            moving_data: Vec::new(),
            programs: 0,
            expanded: 0,
            pattern_memory: MOST_PATTERNS,
            secrets: Vec::new(),
            notes: Vec::new(),
            problems: Vec::new(),
            compiled: HashMap::new(),
            running: Vec::new(),
        }
    }

    /// Learns every name that the steps of the scenario give a value to, and which of the values may be secrets.
    pub fn gather_names(&mut self) {
        for steps in lists_of_steps(self.scenario) {
            self.names.gather(steps, &mut self.problems);
        }
        self.confidential = confidential::names(self.sources, self.scenario);
    }

    /// Keeps a value, or notes what is wrong.
    pub fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// Compiles a scalar as a template.
    pub fn template(&mut self, node: &Node, sight: Sight) -> Option<Template> {
        let template = self.keep(text::template(self.sources, node)?)?;
        self.count_programs(node, template.programs())?;
        self.environment.extend(template.environment().into_iter().map(|name| (name, node.span)));
        self.written.extend(template.written_environment().into_iter().map(|name| (name, node.span)));
        self.check(node, &template.paths(), sight);
        Some(template)
    }

    /// Compiles a scalar as an expression.
    pub fn expression(&mut self, node: &Node, sight: Sight) -> Option<Expression> {
        let expression = self.keep(text::expression(self.sources, node)?)?;
        self.count_programs(node, usize::from(expression.is_compiled()))?;
        self.environment.extend(expression.environment().into_iter().map(|name| (name, node.span)));
        self.check(node, &expression.paths(), sight);
        if let Some(text) = quoted_template(expression.source()) {
            let told = format!(
                "{text} in a condition is a text that stays as it is, braces included: names stand there without \
                 quotes and braces"
            );
            if !self.notes.contains(&told) {
                self.notes.push(told);
            }
        }
        Some(expression)
    }

    /// Counts expressions that need the interpreter. None where there are too many.
    fn count_programs(&mut self, node: &Node, more: usize) -> Option<()> {
        let before = self.programs;
        self.programs += more;
        if self.programs > MOST_PROGRAMS && before <= MOST_PROGRAMS {
            let message =
                format!("more than {MOST_PROGRAMS} expressions in one scenario, counted in each class");
            let hint = "names with attributes, such as `user.id`, do not count; take the others from `set` or from data";
            self.problems.push(Problem::at(node.span, message).hint(hint));
        }
        (self.programs <= MOST_PROGRAMS).then_some(())
    }

    /// Compiles a tree as JSON with templates.
    pub fn json(&mut self, node: &Node, sight: Sight) -> JsonTemplate {
        JsonTemplate::new(self.json_source(node, sight))
    }

    /// The fields of a form or a query, each compiled as a template; a list is one field for each of its items. A field
    /// without a value is a problem: whether it should be empty or absent, nobody can know.
    pub fn fields(&mut self, node: Option<&Node>, sight: Sight) -> Vec<(String, Template)> {
        let entries = node.map_or(&[][..], Node::entries).iter();
        for (key, value) in entries.clone().filter(|(_, value)| value.value == Value::Null) {
            let problem = Problem::at(value.span, format!("the field `{}` has no value", key.name));
            self.problems.push(problem.hint("write `\"\"` for an empty field, or leave the field out"));
        }
        let flat = entries.flat_map(|(key, value)| {
            let items = if value.items().is_empty() { std::slice::from_ref(value) } else { value.items() };
            items.iter().map(|item| (&key.name, item))
        });
        flat.filter_map(|(name, item)| Some((name.clone(), self.template(item, sight)?))).collect()
    }

    /// The endpoint of a name, which gets a number when it is first met.
    pub fn endpoint(&mut self, name: String, kind: EndpointKind, span: Span) -> EndpointId {
        if let Some(index) = self.endpoints.iter().position(|endpoint| endpoint.name == name) {
            if self.endpoints[index].kind != kind {
                let message = format!("`{name}` names both a request and a WebSocket");
                self.problems.push(Problem::at(span, message).hint("give one of them another `name`"));
            }
            return EndpointId(index);
        }
        self.endpoints.push(Endpoint { name, kind });
        EndpointId(self.endpoints.len() - 1)
    }

    /// The custom metric that a scalar names.
    pub fn metric(&mut self, node: Option<&Node>) -> Option<MetricId> {
        let name = node?.scalar()?;
        let found = self.metrics.iter().position(|metric| metric == name);
        Some(MetricId(found.unwrap_or_else(|| {
            self.metrics.push(name.into());
            self.metrics.len() - 1
        })))
    }

    /// Notes names that cannot be read where they are.
    fn check(&mut self, node: &Node, paths: &BTreeSet<String>, sight: Sight) {
        self.reads.extend(paths.iter().filter_map(|path| path.split('.').next()).map(str::to_owned));
        self.keeps_message |= paths.iter().any(|path| path.split('.').next() == Some("message"));
        for unseen in paths.iter().filter_map(|path| self.names.check(path, sight).err()) {
            let span = text::place_of_word(self.sources, node, &unseen.word);
            self.problems.push(Problem::at(span, unseen.message).hint(unseen.hint));
        }
    }

    fn json_source(&mut self, node: &Node, sight: Sight) -> JsonSource {
        match &node.value {
            Value::Null => JsonSource::Literal("null".into()),
            Value::Bool(value) => JsonSource::Literal(value.to_string()),
            Value::Number(raw) => JsonSource::Literal(raw.clone()),
            Value::Text(_) => match self.template(node, sight) {
                Some(template) => JsonSource::Text(template),
                None => JsonSource::Literal("null".into()),
            },
            Value::List(items) => {
                JsonSource::List(items.iter().map(|item| self.json_source(item, sight)).collect())
            }
            Value::Map(entries) => JsonSource::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.name.clone(), self.json_source(value, sight)))
                    .collect(),
            ),
        }
    }
}
