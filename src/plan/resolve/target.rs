//! What load is put on: a host that is there, or a command to start.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::node::{Key, Node, Span, Value};
use crate::config::problem::{Problem, suggestion};
use crate::config::source::Sources;
use crate::plan::credentials::{self, Credentials};
use crate::plan::{CommandForm, Protection, Target, TargetCommand};
use crate::template::{NameTable, Template};

use super::layer::{Layer, Layers, Level};
use super::{text, unit};

/// The path that is asked whether a service is ready, where nothing is said.
const READY: &str = "/";
/// How long a service may take to be ready, where nothing is said.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// The names that the templates of a command know.
const KNOWN: [&str; 2] = ["address", "port"];

/// A target as it is written, checked, before the environment is asked for anything.
#[derive(Debug)]
pub(super) enum Draft {
    /// A host.
    Host {
        /// Its URL, without user and password.
        url: Url,
        /// Those.
        credentials: Option<Credentials>,
    },
    /// A command.
    Command {
        /// Its templates.
        arguments: Vec<Template>,
        /// What they are.
        form: CommandForm,
        /// Environment variables of the command, by name.
        variables: Vec<(String, Template)>,
        /// The readiness path.
        ready: String,
        /// How long to wait for it.
        ready_timeout: Duration,
        /// Environment variables asked for, and where.
        environment: Vec<(String, Span)>,
    },
}

impl Draft {
    /// Environment variables the target asks for, and where.
    pub fn environment(&self) -> &[(String, Span)] {
        if let Self::Command { environment, .. } = self { environment } else { &[] }
    }

    /// The user and the password of a host.
    pub fn credentials(&self) -> Option<&Credentials> {
        if let Self::Host { credentials, .. } = self { credentials.as_ref() } else { None }
    }

    /// The target, with the values of its environment variables.
    pub fn target(self, folder: &Path, values: BTreeMap<String, String>) -> Target {
        match self {
            Self::Host { url, .. } => Target::Host(url),
            Self::Command { arguments, form, variables, ready, ready_timeout, .. } => {
                let mut names = NameTable::default();
                let (address, port) = (names.slot("address"), names.slot("port"));
                names.set_environment(values);
                let (folder, names) = (folder.to_path_buf(), Arc::new(names));
                Target::Command(Box::new(TargetCommand {
                    arguments,
                    form,
                    variables,
                    names,
                    address,
                    port,
                    folder,
                    ready,
                    ready_timeout,
                }))
            }
        }
    }
}

/// Whether the environment must be allowed by hand.
pub(super) fn protection(layers: &Layers) -> Protection {
    match layers.get("protected").and_then(Node::scalar) {
        Some("true") => Protection::Protected,
        _ => Protection::Open,
    }
}

/// The target of an environment: flags and environment variables replace a target of the other kind.
/// `owner` is the name of the environment.
pub(super) fn draft(sources: &Sources, layers: &Layers, owner: &Key) -> Result<Draft, Vec<Problem>> {
    for layer in layers.iter().filter(|layer| layer.node.get("host").is_some()) {
        if let Some((key, _)) = layer.node.entry("target").filter(|_| layer.node.get("target").is_some()) {
            return Err(vec![Problem::at(key.span, "both `host` and `target`").hint(
                "`host` is a service that is already there, `target` one to start: keep one of the two",
            )]);
        }
    }
    let Some(layer) = chosen(layers) else { return Err(vec![nothing(owner)]) };
    match layer.node.get("host") {
        Some(host) => self::host(host).map_err(|problem| vec![problem]),
        None => command(sources, &layers.inside("target")),
    }
}

/// The most specific layer that names a target.
fn chosen<'a>(layers: &Layers<'a>) -> Option<Layer<'a>> {
    let holds = |layer: &Layer| {
        matches!(layer.level, Level::Environment | Level::Overrides)
            && (layer.node.get("host").is_some() || layer.node.get("target").is_some())
    };
    layers.iter().filter(holds).last()
}

/// The URL of the target, where it is a host. What is wrong with it, [`draft`] tells.
pub(super) fn host_of(layers: &Layers) -> Option<Url> {
    Url::parse(chosen(layers)?.node.get("host")?.scalar()?).ok()
}

fn nothing(owner: &Key) -> Problem {
    Problem::at(owner.span, format!("the environment `{}` has no `host` and no `target`", owner.name)).hint(
        "write `host: http://localhost:8000`, or `target: {command: …, ready: /health}` to start a service",
    )
}

fn host(node: &Node) -> Result<Draft, Problem> {
    let typed = node.scalar().unwrap_or("");
    let shown = credentials::hidden(typed);
    let fail = |message: String| Problem::at(node.span, message);
    let hint = if credentials::is_raw(typed) {
        credentials::ENCODE
    } else {
        "write a URL with `http://` or `https://`, such as `http://localhost:8000`"
    };
    if typed.contains("{{") {
        return Err(fail("a host is no template".into())
            .hint("give it when you run: `--host URL` or the environment variable `LOADGATE_HOST`"));
    }
    let mut url =
        Url::parse(typed).map_err(|error| fail(format!("`{shown}` is not a URL: {error}")).hint(hint))?;
    if url.scheme() == "unix" {
        return socket(url)
            .map(|url| Draft::Host { url, credentials: None })
            .map_err(fail)
            .map_err(|problem| problem.hint("write the absolute path of a socket: `unix:/run/app.sock`"));
    }
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(fail(format!("`{shown}` is not the URL of a host")).hint(hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let path = "a path is fine: it is put before the path of every request";
        return Err(fail("a host has no query and no fragment".into()).hint(if credentials::is_raw(typed) {
            hint
        } else {
            path
        }));
    }
    if credentials::is_cut_off(typed) {
        let message = "an `@` stands in the path of the host, as it does behind a user or a password that is not \
                       percent-encoded";
        let hint = format!("{}; an `@` that belongs to the path is written `%40`", credentials::ENCODE);
        return Err(fail(message.into()).hint(hint));
    }
    let credentials = Credentials::take(&mut url);
    Ok(Draft::Host { url, credentials })
}

/// A Unix socket: `unix:/path`, or with an empty host.
fn socket(url: Url) -> Result<Url, String> {
    let plain = !url.has_host() && url.query().is_none() && url.fragment().is_none();
    if plain && url.path().starts_with('/') && url.path().len() > 1 {
        Ok(url)
    } else {
        Err(format!("`{url}` is not the path of a socket"))
    }
}

fn command(sources: &Sources, target: &Layers) -> Result<Draft, Vec<Problem>> {
    let node = target.get("command").filter(|node| node.scalar().is_some() || !node.items().is_empty());
    let Some(node) = node else {
        let span = target.iter().last().map(|layer| layer.node.span);
        let problem = Problem { span, ..Problem::general("a target needs a `command`") };
        return Err(vec![
            problem.hint("write one argument an item: `command: [./server, --listen, \"{{ address }}\"]`"),
        ]);
    };
    let (form, items) = match node.items() {
        [] => (CommandForm::Line, std::slice::from_ref(node)),
        items => (CommandForm::Arguments, items),
    };
    let mut compiler = Compiler { sources, environment: Vec::new(), problems: Vec::new() };
    let arguments = items.iter().filter_map(|item| compiler.template(item)).collect();
    let variables = variables(target, &mut compiler);
    let Compiler { environment, mut problems, .. } = compiler;
    let ready = target.get("ready");
    problems.extend(ready.and_then(bad_path));
    if !problems.is_empty() {
        return Err(problems);
    }
    let ready_timeout = unit::duration(target.get("ready_timeout")).unwrap_or(READY_TIMEOUT);
    let ready = ready.and_then(Node::scalar).unwrap_or(READY).to_owned();
    Ok(Draft::Command { arguments, form, variables, ready, ready_timeout, environment })
}

/// Environment variables of the command: the more specific layer wins, and null in it takes away what others say, of one
/// variable or of all.
fn variables(target: &Layers, compiler: &mut Compiler) -> Vec<(String, Template)> {
    let mut said: BTreeMap<&str, &Node> = BTreeMap::new();
    for (_, env) in target.iter().filter_map(|layer| layer.node.entry("env")) {
        if env.value == Value::Null {
            said.clear();
        }
        for (key, node) in env.entries() {
            let name = key.name.as_str();
            if name.is_empty() || name.contains(['=', '\0']) {
                let problem = Problem::at(key.span, format!("`{name}` cannot be the name of a variable"));
                compiler.problems.push(problem.hint("a name without `=`, such as `DATABASE_URL`"));
            } else if node.value == Value::Null {
                said.remove(name);
            } else {
                said.insert(name, node);
            }
        }
    }
    // Only what is left may ask the environment for something.
    said.into_iter().filter_map(|(name, node)| Some((name.to_owned(), compiler.template(node)?))).collect()
}

/// Compiles the templates of a target, and collects what they ask the environment for and what is wrong with them.
struct Compiler<'a> {
    sources: &'a Sources,
    environment: Vec<(String, Span)>,
    problems: Vec<Problem>,
}

impl Compiler<'_> {
    fn template(&mut self, node: &Node) -> Option<Template> {
        match text::template(self.sources, node)? {
            Ok(template) => {
                self.problems.extend(unknown_names(self.sources, node, &template));
                self.environment.extend(template.environment().into_iter().map(|name| (name, node.span)));
                Some(template)
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }
}

fn unknown_names(sources: &Sources, node: &Node, template: &Template) -> Vec<Problem> {
    let unknown = template.names().into_iter().filter(|name| !KNOWN.contains(&name.as_str()));
    unknown
        .map(|name| {
            let span = text::place_of_word(sources, node, &name);
            Problem::at(span, format!("`{name}` is not defined in a command")).hint(suggestion(&name, KNOWN))
        })
        .collect()
}

fn bad_path(node: &Node) -> Option<Problem> {
    let typed = node.scalar()?;
    (!typed.starts_with('/')).then(|| {
        Problem::at(node.span, format!("`{typed}` is not a path"))
            .hint("write a path from `/`, such as `/health`")
    })
}
