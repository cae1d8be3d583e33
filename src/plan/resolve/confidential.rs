//! Which names may hold a secret: what a capture with `secret: true` gives a value, what `set` makes of `env(…)`, and
//! what `set` makes of any of these. It is followed through the templates before anything runs, so that it is known of
//! every value, however many are captured and however short they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::node::{Node, Value};
use crate::config::source::Sources;
use crate::template::Template;

use super::compilation::{Compilation, lists_of_steps};
use super::{text, unit};

/// What is known of the values that steps give to names.
struct Flow<'s> {
    sources: &'s Sources,
    /// The names that hold a secret by themselves.
    secret: BTreeSet<String>,
    /// For each name that is read, the names that a `set` makes of it.
    made_of: BTreeMap<String, Vec<String>>,
}

/// The names of a scenario that may hold a secret.
pub(super) fn names(sources: &Sources, scenario: &Node) -> BTreeSet<String> {
    let mut flow = Flow { sources, secret: BTreeSet::new(), made_of: BTreeMap::new() };
    let mut captures = false;
    for steps in lists_of_steps(scenario) {
        captures |= flow.steps(steps);
    }
    if captures {
        // Nobody can say which part of a response or a message is the secret that is captured from it.
        flow.secret.extend(["response", "message"].map(str::to_owned));
    }
    flow.closed()
}

impl Flow<'_> {
    /// Learns what these steps give to names; whether any of them captures a secret.
    fn steps(&mut self, steps: &Node) -> bool {
        let mut captures = false;
        for step in steps.items() {
            for holder in [Some(step), step.get("receive")].into_iter().flatten() {
                let given = ["capture", "append"].into_iter().filter_map(|word| holder.get(word));
                for (key, value) in given.flat_map(Node::entries) {
                    if unit::parsed(value.get("secret")) == Some(true) {
                        self.secret.insert(key.name.clone());
                        captures = true;
                    }
                }
            }
            for (key, value) in step.get("set").map_or(&[][..], Node::entries) {
                self.set(&key.name, value);
            }
            if let Some(inner) = step.get("steps").or_else(|| step.get("websocket")?.get("steps")) {
                captures |= self.steps(inner);
            }
        }
        captures
    }

    fn set(&mut self, name: &str, value: &Node) {
        match &value.value {
            Value::List(items) => items.iter().for_each(|item| self.set(name, item)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| self.set(name, value)),
            // A template that is wrong is told where it is compiled for the run.
            _ => {
                let Some(Ok(template)) = text::template(self.sources, value) else { return };
                if !template.environment().is_empty() {
                    self.secret.insert(name.to_owned());
                }
                for read in template.names() {
                    self.made_of.entry(read).or_default().push(name.to_owned());
                }
            }
        }
    }

    /// The names that hold a secret, with all that is made of them.
    fn closed(mut self) -> BTreeSet<String> {
        let mut next: Vec<String> = self.secret.iter().cloned().collect();
        while let Some(name) = next.pop() {
            for made in self.made_of.remove(&name).unwrap_or_default() {
                if self.secret.insert(made.clone()) {
                    next.push(made);
                }
            }
        }
        self.secret
    }
}

impl Compilation<'_> {
    /// Whether what a template makes may hold a secret.
    pub fn holds_secret(&self, template: &Template) -> bool {
        !template.environment().is_empty()
            || template.names().iter().any(|read| self.confidential.contains(read))
    }
}
