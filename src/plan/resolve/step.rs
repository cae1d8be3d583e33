//! Steps: which kind each is, and what all kinds have in common.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;

use crate::config::node::{Key, Node, Span, Value};
use crate::config::problem::{Problem, suggestion};
use crate::plan::credentials;
use crate::plan::step::{Action, Message, OnFailure, Step};

use super::compilation::{Compilation, Place, Within};
use super::{unit, wait};

/// The keys that say what a step does; each step has one of them.
pub(super) const KINDS: [&str; 19] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "websocket",
    "repeat",
    "group",
    "run",
    "set",
    "wait",
    "send",
    "receive",
    "ping",
    "hold",
    "close",
];

/// The most steps of a scenario, counted in each place that their task is run: what two tasks run twice, and the
/// next two of those, doubles with every task.
const MOST_STEPS: usize = 100_000;

impl<'a> Compilation<'a> {
    /// The steps of a list.
    pub fn steps(&mut self, list: Option<&'a Node>, place: Place<'a>) -> Arc<[Step]> {
        let list = list.map_or(&[][..], Node::items);
        self.expanded = self.expanded.saturating_add(list.len());
        list.iter().filter_map(|step| self.step(step, place)).collect()
    }

    /// The steps of the task named `typed` at `span`, compiled for a place.
    pub fn task(&mut self, (typed, span): (&str, Span), place: Place<'a>) -> Option<Arc<[Step]>> {
        let tasks = self.scenario.get("tasks").map_or(&[][..], Node::entries);
        let Some((key, list)) = tasks.iter().find(|(key, _)| key.name == typed) else {
            let known = tasks.iter().map(|(key, _)| key.name.as_str());
            let problem = Problem::at(span, format!("unknown task `{typed}`"));
            self.problems.push(problem.hint(suggestion(typed, known)));
            return None;
        };
        if list.value == Value::Null && !key.is_override {
            let problem = Problem::at(key.span, format!("the task `{typed}` has no value"));
            self.problems.push(problem.hint("list its steps; `[]` is a task without any"));
        }
        if let Some(start) = self.running.iter().position(|running| *running == key.name) {
            let circle = self.running[start..].join("` → `");
            let problem = Problem::at(span, format!("`{typed}` runs itself: `{circle}` → `{typed}`"));
            self.problems.push(problem.hint("`repeat` does steps several times"));
            return None;
        }
        let known = (key.name.as_str(), place.surroundings());
        let before = self.expanded;
        let steps = if let Some((steps, count)) = self.compiled.get(&known) {
            self.expanded = self.expanded.saturating_add(*count);
            steps.clone()
        } else {
            self.used.insert(&key.name);
            self.running.push(&key.name);
            let steps = self.steps(Some(list), place);
            self.running.pop();
            self.compiled.insert(known, (steps.clone(), self.expanded - before));
            steps
        };
        if self.expanded <= MOST_STEPS {
            return Some(steps);
        }
        if !self.too_many_steps {
            self.too_many_steps = true;
            let message =
                format!("more than {MOST_STEPS} steps, counted in each place that their task is run");
            let hint = "`repeat` does steps several times, and counts them once";
            self.problems.push(Problem::at(span, message).hint(hint));
        }
        None
    }

    fn step(&mut self, node: &'a Node, place: Place<'a>) -> Option<Step> {
        let (key, value) = node.entries().iter().find(|(key, _)| KINDS.contains(&key.name.as_str()))?;
        let when = node.get("when").and_then(|when| self.expression(when, place.sight().response()));
        self.keeps_response |= when.as_ref().is_some_and(|when| when.names().contains("response"));
        let action = self.action(key, value, (node, place))?;
        let on_failure = match node.get("on_failure").and_then(Node::scalar) {
            Some("continue") => OnFailure::Continue,
            _ => OnFailure::End,
        };
        Some(Step { when, action, on_failure })
    }

    fn action(&mut self, key: &Key, value: &'a Node, (step, place): (&'a Node, Place<'a>)) -> Option<Action> {
        match key.name.as_str() {
            "request" => {
                if let Some(typed) = value.scalar() {
                    self.problems.push(
                        Problem::at(value.span, "`request` needs a method and a path").hint(in_full(typed)),
                    );
                }
                let method = Self::method(value.get("method")?);
                let method = self.keep(method)?;
                self.request(&method, (step, value.get("path")?), place)
                    .map(|it| Action::Request(Box::new(it)))
            }
            "websocket" => self.websocket(step, value, place).map(|it| Action::WebSocket(Box::new(it))),
            "repeat" => self.repeat(step, value, place),
            "group" => {
                let metric = self.metric(Some(value))?;
                Some(Action::Group { metric, steps: self.inner_steps(step, key, place) })
            }
            "run" => self.task((value.scalar()?, value.span), place).map(Action::Run),
            "set" => Some(self.set(value, place)),
            "wait" => {
                let wait = wait::pause(value)?;
                self.keep(wait).map(Action::Wait)
            }
            "send" | "receive" | "ping" | "hold" | "close" => self.on_websocket(key, value, place),
            method => {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
                self.request(&method, (step, value), place).map(|it| Action::Request(Box::new(it)))
            }
        }
    }

    /// Any method, in the letters in which it is written: methods are case-sensitive (RFC 9110, 9.1).
    fn method(node: &Node) -> Result<Method, Problem> {
        let typed = node.scalar().unwrap_or("");
        let wrong = |message: String, hint: &str| Err(Problem::at(node.span, message).hint(hint));
        let example = "write a method such as `PURGE`, `PROPFIND` or `QUERY`";
        match Method::from_bytes(typed.as_bytes()) {
            Ok(Method::CONNECT) => {
                wrong("`CONNECT` asks a proxy for a connection, and makes no request".into(), example)
            }
            Ok(method) => {
                let upper = typed.to_uppercase();
                if typed != upper && KINDS.contains(&typed.to_lowercase().as_str()) {
                    let hint = format!("write `{upper}`");
                    return wrong(
                        format!("`{typed}` is not the method `{upper}`: methods are case-sensitive"),
                        &hint,
                    );
                }
                Ok(method)
            }
            Err(_) => wrong(format!("`{typed}` is not a method"), example),
        }
    }

    /// The steps that stand inside of another; there is at least one.
    pub fn inner_steps(&mut self, step: &'a Node, key: &Key, place: Place<'a>) -> Arc<[Step]> {
        if step.get("steps").is_none_or(|steps| steps.items().is_empty()) {
            let problem = Problem::at(key.span, format!("`{}` without steps does nothing", key.name));
            self.problems.push(problem.hint("list what is to be done under `steps`"));
        }
        self.steps(step.get("steps"), place)
    }

    fn repeat(&mut self, step: &'a Node, value: &'a Node, place: Place<'a>) -> Option<Action> {
        let times: u32 = unit::parsed(Some(value))?;
        if times == 0 {
            let problem = Problem::at(value.span, "steps repeated zero times never run");
            self.problems.push(problem.hint("write a number from 1, or leave the step out"));
        }
        let key = &step.entry("repeat")?.0;
        let inside = Place { repeat: Within::Inside, ..place };
        Some(Action::Repeat { times, steps: self.inner_steps(step, key, inside) })
    }

    fn set(&mut self, value: &'a Node, place: Place<'a>) -> Action {
        let mut values = Vec::new();
        for (key, node) in value.entries() {
            let json = self.json(node, place.sight().response());
            self.keeps_response |= json.names().contains("response");
            values.extend(self.names.slot(&key.name).map(|slot| (slot, json)));
        }
        Action::Set(values)
    }

    fn on_websocket(&mut self, key: &Key, value: &'a Node, place: Place<'a>) -> Option<Action> {
        if place.websocket == Within::Outside {
            let message = format!("`{}` needs a WebSocket", key.name);
            self.problems
                .push(Problem::at(key.span, message).hint("put it into the `steps` of a `websocket` step"));
        }
        match key.name.as_str() {
            "send" => self.message(value, place).map(Action::Send),
            "receive" => Some(Action::Receive(Box::new(self.receive(value, place)))),
            "hold" => unit::duration(Some(value)).map(Action::Hold),
            "close" => self.close(value),
            _ => Some(Action::Ping),
        }
    }

    fn message(&mut self, node: &'a Node, place: Place<'a>) -> Option<Message> {
        if let Some(json) = node.get("json") {
            return Some(Message::Json(self.json(json, place.sight())));
        }
        if let Some(binary) = node.get("binary") {
            let decoded = STANDARD.decode(binary.scalar()?).map_err(|_| {
                Problem::at(binary.span, "this is not base64")
                    .hint("write bytes in base64 (RFC 4648, with padding), or use `text`")
            });
            return self.keep(decoded).map(|bytes| Message::Binary(bytes.into()));
        }
        let text = node.get("text").unwrap_or(node);
        self.template(text, place.sight()).map(Message::Text)
    }

    fn close(&mut self, node: &Node) -> Option<Action> {
        if node.value == Value::Bool(false) {
            return None;
        }
        let code = unit::parsed(node.get("code")).unwrap_or(1000_u16);
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            let span = node.get("code").map_or(node.span, |code| code.span);
            let problem = Problem::at(span, format!("`{code}` is no code that a client may close with"));
            self.problems.push(problem.hint("write 1000 for a normal close, or 3000 to 4999 (RFC 6455)"));
        }
        let reason = node.get("reason").and_then(Node::scalar).unwrap_or("").to_owned();
        if reason.len() > 123 {
            let span = node.get("reason").map_or(node.span, |reason| reason.span);
            self.problems.push(Problem::at(span, "the reason of a close holds at most 123 bytes"));
        }
        Some(Action::Close { code, reason })
    }
}

/// What to write for a `request` of which only the method, only the path, or both in one text were typed.
fn in_full(typed: &str) -> String {
    let is_path = |text: &str| text.starts_with('/') || text.contains("://");
    let (method, path) = match typed.trim().split_once(char::is_whitespace) {
        Some((method, path)) if is_path(path.trim_start()) => (Some(method), path.trim_start()),
        _ if is_path(typed) => (None, typed),
        _ => (Some(typed), "/…"),
    };
    let path = match credentials::hidden(path) {
        path if path.contains(['{', '}', ',', '#', '"']) => serde_json::Value::from(path).to_string(),
        path => path.into_owned(),
    };
    match method {
        Some(method) => format!("write `request: {{method: {method}, path: {path}}}`"),
        None => format!("write `get: {path}`, or `request: {{method: PURGE, path: {path}}}` for any method"),
    }
}
