//! The layers a key may stand in: top < environment < scenario < flags and environment variables.

use crate::config::Config;
use crate::config::node::{Node, Value};

/// The mappings that may hold a key, from the most general to the most specific.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers<'a>(Vec<Layer<'a>>);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    /// Which one.
    pub level: Level,
    /// Its mapping.
    pub node: &'a Node,
}

/// How specific a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The file itself.
    Top,
    /// The environment.
    Environment,
    /// The scenario.
    Scenario,
    /// Flags over environment variables.
    Overrides,
}

impl<'a> Layers<'a> {
    /// The layers of a scenario in an environment.
    pub fn new(config: &'a Config, environment: &'a Node, scenario: &'a Node) -> Self {
        Self(vec![
            Layer { level: Level::Top, node: &config.root },
            Layer { level: Level::Environment, node: environment },
            Layer { level: Level::Scenario, node: scenario },
            Layer { level: Level::Overrides, node: &config.overrides },
        ])
    }

    /// One layer without the others.
    pub fn alone(layer: Layer<'a>) -> Self {
        Self(vec![layer])
    }

    /// The layers, the most general first.
    pub fn iter(&self) -> impl Iterator<Item = Layer<'a>> {
        self.0.iter().copied()
    }

    /// The most specific value of a key; null in a more specific layer takes it away.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let found = self.0.iter().rev().find_map(|layer| layer.node.entry(key));
        found.map(|(_, node)| node).filter(|node| node.value != Value::Null)
    }

    /// The layers inside a key.
    pub fn inside(&self, key: &str) -> Self {
        let inner = |layer: &Layer<'a>| layer.node.get(key).map(|node| Layer { node, ..*layer });
        Self(self.0.iter().filter_map(inner).collect())
    }

    /// The keys of all layers, each once, in the order they are first met.
    pub fn keys(&self) -> Vec<&'a str> {
        let mut keys: Vec<&str> = Vec::new();
        for (key, _) in self.0.iter().flat_map(|layer| layer.node.entries()) {
            if !keys.contains(&key.name.as_str()) {
                keys.push(&key.name);
            }
        }
        keys
    }
}
