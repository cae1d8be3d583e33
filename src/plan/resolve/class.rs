//! User classes: who does what, how often, with which pauses.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::node::{Key, Node};
use crate::config::problem::Problem;
use crate::plan::user::{Task, TaskId, UserClass, Wait};

use super::compilation::{Compilation, Place, Stage};
use super::{unit, wait};

/// The user classes of a scenario and the tasks compiled for them.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// The classes.
    pub classes: Vec<UserClass>,
    /// Their tasks.
    pub tasks: Vec<Task>,
}

impl<'a> Compilation<'a> {
    /// The users of the scenario.
    pub fn users(&mut self, name: &Key) -> Users {
        let mut users = Users::default();
        let classes = self.scenario.get("users").map_or(&[][..], Node::entries);
        for (key, node) in classes {
            let class = self.class(key, node, &mut users.tasks);
            users.classes.push(class);
        }
        if classes.is_empty() {
            let problem =
                Problem::at(self.scenario.span, format!("the scenario `{}` has no users", name.name));
            self.problems
                .push(problem.hint("describe them under `users`: `users: {all: {tasks: {browse: 1}}}`"));
        } else if users.classes.iter().all(|class| class.weight == 0) {
            let span = self.scenario.get("users").map_or(name.span, |users| users.span);
            let problem = Problem::at(span, "the weights of all user classes are zero: nobody would run");
            self.problems.push(problem.hint("give at least one class a weight above zero"));
        }
        users
    }

    /// Compiles the tasks that nothing runs, so that their mistakes are found as well.
    pub fn idle_tasks(&mut self) {
        let (endpoints, metrics, used) = (self.endpoints.len(), self.metrics.len(), self.used.clone());
        let (asked, contents) = (self.environment.len(), self.contents.clone());
        for (key, list) in self.scenario.get("tasks").map_or(&[][..], Node::entries) {
            if !self.used.contains(key.name.as_str()) {
                self.compiled.clear();
                self.running.push(&key.name);
                self.steps(Some(list), Place::default());
                self.running.pop();
            }
        }
        self.endpoints.truncate(endpoints);
        self.metrics.truncate(metrics);
        self.environment.truncate(asked);
        (self.used, self.contents) = (used, contents);
    }

    fn class(&mut self, key: &'a Key, node: &'a Node, tasks: &mut Vec<Task>) -> UserClass {
        self.compiled.clear();
        self.reads.clear();
        let mut add = |name: &str, steps| {
            tasks.push(Task { class: key.name.clone(), name: name.to_owned(), steps });
            TaskId(tasks.len() - 1)
        };
        let place = Place { headers: node.get("headers"), ..Place::default() };
        let on_start = node.get("on_start").and_then(|name| {
            let typed = name.scalar()?;
            Some(add(typed, self.task((typed, name.span), Place { stage: Stage::Start, ..place })?))
        });
        // A task that `on_start` and the iterations share is compiled for each, so that what each reads is known.
        self.compiled.clear();
        let withheld: Vec<String> = std::mem::take(&mut self.withheld).into_iter().collect();
        let read_at_start = std::mem::take(&mut self.reads);
        let mut own: Vec<(TaskId, u32)> = Vec::new();
        if node.get("steps").is_some() {
            own.push((add(&key.name, self.steps(node.get("steps"), place)), 1));
        }
        for (name, weight) in node.get("tasks").map_or(&[][..], Node::entries) {
            if let Some(steps) = self.task((&name.name, name.span), place) {
                own.push((add(&name.name, steps), unit::parsed(Some(weight)).unwrap_or(1)));
            }
        }
        self.check_tasks(key, node, &own);
        self.note_moving_data(key, &read_at_start);
        let wait = node.get("wait").and_then(wait::between_iterations);
        let wait = wait.and_then(|wait| self.keep(wait)).unwrap_or(Wait::Constant(Duration::ZERO));
        let weight = unit::parsed(node.get("weight")).unwrap_or(1);
        UserClass { name: key.name.clone(), weight, wait, on_start, withheld, tasks: own }
    }

    /// Says which data `on_start` and the iterations of a class both read, where a user does not keep its row: the
    /// commonest script logs in with a row and goes on to use another one.
    fn note_moving_data(&mut self, class: &Key, read_at_start: &BTreeSet<String>) {
        let both = self
            .moving_data
            .iter()
            .filter(|name| read_at_start.contains(name.as_str()) && self.reads.contains(name.as_str()));
        let notes = both.map(|name| {
            format!(
                "users of class `{}` read `{name}` in `on_start` and in their tasks: both see the same row in the \
                 first iteration only, since every later iteration gets another row. To keep one row for each user, \
                 write `{name}: {{file: …, order: per_user}}`",
                class.name
            )
        });
        let notes: Vec<String> = notes.collect();
        self.notes.extend(notes);
    }

    fn check_tasks(&mut self, key: &Key, node: &Node, own: &[(TaskId, u32)]) {
        let listed = node.get("tasks").map_or(&[][..], Node::entries);
        let steps = node.get("steps").map_or(&[][..], Node::items);
        if listed.is_empty() && steps.is_empty() {
            let problem = Problem::at(node.span, format!("users of class `{}` have nothing to do", key.name));
            self.problems
                .push(problem.hint("name their tasks with weights, `tasks: {browse: 1}`, or list `steps`"));
        } else if !own.is_empty() && own.iter().all(|(_, weight)| *weight == 0) {
            let span = node.get("tasks").map_or(key.span, |tasks| tasks.span);
            let problem = Problem::at(span, format!("the weights of all tasks of `{}` are zero", key.name));
            self.problems.push(problem.hint("give at least one task a weight above zero"));
        }
    }
}
