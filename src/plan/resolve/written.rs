//! One objective as it is written: a limit, or the long form, of which more specific layers may say pieces.
//! What its keys mean together is checked here; what a limit is, elsewhere.

use std::time::Duration;

use crate::config::node::{Key, Node, Value};
use crate::config::problem::Problem;
use crate::metric::{Better, Metric};

use super::layer::{Layers, Level};
use super::unit;

/// The shortest window, and what all are whole numbers of: the load is counted every second.
const SECOND: Duration = Duration::from_secs(1);

/// The most specific objective, then the pieces of the long form that layers above it put beside it.
#[derive(Debug)]
pub(super) struct Written<'a> {
    key: &'a Key,
    nodes: Vec<&'a Node>,
}

/// Whether an objective can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It has a limit.
    Whole,
    /// It has none.
    Pieces,
}

impl<'a> Written<'a> {
    /// What the layers say under a name; none where nothing does, or where the last word is null.
    pub fn of(layers: &Layers<'a>, name: &str) -> Option<Self> {
        let mut said: Vec<&'a (Key, Node)> = Vec::new();
        for (layer, entry) in layers.iter().filter_map(|it| Some((it.level, it.node.entry(name)?))) {
            if replaces(layer, &entry.1) {
                said.clear();
            }
            if entry.1.value != Value::Null {
                said.push(entry);
            }
        }
        let (key, _) = said.iter().rev().find(|(_, node)| form(node) == Form::Whole).or(said.first())?;
        Some(Self { key, nodes: said.iter().map(|(_, node)| node).collect() })
    }

    /// The key that the limit stands under.
    pub fn key(&self) -> &'a Key {
        self.key
    }

    /// Whether there is a limit.
    pub fn form(&self) -> Form {
        let whole = self.nodes.iter().any(|node| form(node) == Form::Whole);
        if whole { Form::Whole } else { Form::Pieces }
    }

    /// The limit: under its own key, or alone.
    pub fn limit(&self, key: &str) -> Option<&'a Node> {
        self.get(key).or_else(|| self.nodes.first().copied())
    }

    /// The most specific value of a key of the long form; null takes it away.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Likewise, with the key.
    pub fn entry(&self, key: &str) -> Option<&'a (Key, Node)> {
        self.nodes.iter().rev().find_map(|node| node.entry(key)).filter(|(_, node)| node.value != Value::Null)
    }

    /// Whether a key has this word.
    pub fn says(&self, key: &str, word: &str) -> bool {
        self.get(key).and_then(Node::scalar) == Some(word)
    }

    /// Keys that make no sense, alone or together.
    pub fn contradictions(&self, metric: Metric) -> Vec<Problem> {
        [self.window(), self.after(), self.warning(), self.over(metric)].into_iter().flatten().collect()
    }

    /// Nobody says what the limit is.
    pub fn without_limit(&self, metric: Metric) -> Problem {
        let side = if metric.better() == Better::Higher { "above" } else { "below" };
        Problem::at(self.key.span, format!("`{}` has no limit", metric.name()))
            .hint(format!("add it under `{side}`"))
    }

    fn window(&self) -> Option<Problem> {
        let node = self.get("window")?;
        let length = unit::duration(Some(node))?;
        let countable = length >= SECOND && length.subsec_nanos() == 0;
        (!countable).then(|| {
            Problem::at(node.span, format!("a window cannot be `{}` long", node.scalar().unwrap_or_default()))
                .hint("write whole seconds, such as `1s` or `10s`: the load is counted every second")
        })
    }

    /// `abort: false` is a switch, and may be turned off without `after`.
    fn after(&self) -> Option<Problem> {
        let (key, _) = self.entry("after").filter(|_| self.get("abort").is_none())?;
        Some(
            Problem::at(key.span, "`after` without `abort` does nothing")
                .hint("add `abort: true`, or leave `after` out"),
        )
    }

    fn over(&self, metric: Metric) -> Option<Problem> {
        let (key, node) = self.entry("over")?;
        if metric.is_share() && self.says("over", "steady") {
            let message = format!("`{}` is always of the whole run", metric.name());
            let hint = "leave `over` out: a login that fails during the ramp is a failure all the same";
            return Some(Problem::at(node.span, message).hint(hint));
        }
        let cut = self.says("over", "whole_run") && self.get("window").is_some();
        cut.then(|| {
            Problem::at(key.span, "`over: whole_run` and `window` exclude each other")
                .hint("windows lie in the steady phase: leave one of the two out")
        })
    }

    fn warning(&self) -> Option<Problem> {
        let (key, _) = self.entry("abort").filter(|_| self.says("abort", "true"))?;
        self.says("severity", "warn").then(|| {
            Problem::at(key.span, "a warning never stops a run")
                .hint("leave `abort` out, or make it `severity: fail`")
        })
    }
}

/// Whether a layer says all anew. A flag for one key of the long form changes that key alone.
fn replaces(layer: Level, node: &Node) -> bool {
    let piece = layer == Level::Overrides && matches!(node.value, Value::Map(_));
    !piece && form(node) == Form::Whole
}

/// A limit by itself is whole, and so is what has one. Null takes away whatever was said.
fn form(node: &Node) -> Form {
    let long = matches!(node.value, Value::Map(_));
    let limited = ["below", "above"].iter().any(|side| node.get(side).is_some());
    if long && !limited { Form::Pieces } else { Form::Whole }
}
