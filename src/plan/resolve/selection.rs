//! Which scenario runs in which environment: what was asked for, else the defaults, else the only one.

use crate::config::Config;
use crate::config::node::{Key, Node, Span};
use crate::config::problem::{Problem, suggestion};

/// What was asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The environment.
    pub environment: Option<String>,
    /// The scenario.
    pub scenario: Option<String>,
}

/// A chosen environment or scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    /// Its name.
    pub key: &'a Key,
    /// What is written under it.
    pub node: &'a Node,
}

/// The two lists to choose from.
#[derive(Debug, Clone, Copy)]
enum List {
    Environments,
    Scenarios,
}

impl List {
    fn plural(self) -> &'static str {
        if matches!(self, Self::Environments) { "environments" } else { "scenarios" }
    }

    fn singular(self) -> &'static str {
        if matches!(self, Self::Environments) { "environment" } else { "scenario" }
    }
}

/// The environment that is chosen.
pub(super) fn environment<'a>(config: &'a Config, asked: Option<&str>) -> Result<Chosen<'a>, Problem> {
    choose(config, List::Environments, asked)
}

/// The scenario that is chosen.
pub(super) fn scenario<'a>(config: &'a Config, asked: Option<&str>) -> Result<Chosen<'a>, Problem> {
    choose(config, List::Scenarios, asked)
}

/// Problems of `defaults`: names that are nowhere.
pub(super) fn defaults(config: &Config) -> Vec<Problem> {
    [List::Environments, List::Scenarios]
        .into_iter()
        .filter_map(|list| default(config, list).map(|(span, name)| named(config, list, (Some(span), name))))
        .filter_map(Result::err)
        .collect()
}

fn choose<'a>(config: &'a Config, list: List, asked: Option<&str>) -> Result<Chosen<'a>, Problem> {
    if let Some(name) = asked {
        return named(config, list, (None, name));
    }
    if let Some((span, name)) = default(config, list) {
        return named(config, list, (Some(span), name));
    }
    let (one, names) = (list.singular(), names(config, list));
    match names.as_slice() {
        [] => Err(Problem::at(config.root.span, format!("there is no {one}"))
            .hint(format!("name one under `{}`", list.plural()))),
        [name] => named(config, list, (None, name)),
        _ => Err(Problem::general(format!("there are several {}, and none is chosen", list.plural()))
            .hint(format!("write `defaults: {{{one}: {}}}`, or name it when you run it", names[0]))),
    }
}

fn default(config: &Config, list: List) -> Option<(Span, &str)> {
    let node = config.root.get("defaults")?.get(list.singular())?;
    Some((node.span, node.scalar()?))
}

fn named<'a>(
    config: &'a Config,
    list: List,
    (span, name): (Option<Span>, &str),
) -> Result<Chosen<'a>, Problem> {
    let found = config.root.get(list.plural()).and_then(|node| node.entry(name));
    found.map(|(key, node)| Chosen { key, node }).ok_or_else(|| Problem {
        span,
        message: format!("unknown {} `{name}`", list.singular()),
        hint: Some(suggestion(name, names(config, list))),
    })
}

fn names(config: &Config, list: List) -> Vec<&str> {
    let entries = config.root.get(list.plural()).map_or(&[][..], Node::entries);
    entries.iter().map(|(key, _)| key.name.as_str()).collect()
}
