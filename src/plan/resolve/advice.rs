//! What is valid and probably not meant, about limits and the requests that they are about.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::node::Value;
use crate::metric::{Metric, Unit};
use crate::plan::Limits;
use crate::plan::load::{Load, Model};
use crate::plan::rules::{Applies, Objective, Scope};
use crate::plan::step::{Action, Step};
use crate::plan::user::{Task, UserClass, split_by_weight};

use super::layer::{Layer, Layers, Level};

/// The longest that a request to each endpoint may take, by the index of the endpoint.
type Longest = BTreeMap<usize, Duration>;

/// Limits of times that lie beyond the time after which requests are given up. Such a limit is never broken, for no
/// time beyond it is ever measured: a request that times out leaves it open.
pub(super) fn beyond_timeouts(
    objectives: &[Objective],
    tasks: &[Task],
    endpoints: &[crate::plan::Endpoint],
    limits: &Limits,
) -> Vec<String> {
    let mut longest = Longest::new();
    for task in tasks {
        timeouts(&task.steps, limits.timeout, &mut longest);
    }
    let of = |scope: &Scope| match scope {
        Scope::Total => longest.values().max().copied(),
        Scope::Endpoint(name) => {
            let index = endpoints.iter().position(|endpoint| endpoint.name == *name)?;
            longest.get(&index).copied()
        }
        Scope::Metric(_) => None,
    };
    let times =
        objectives.iter().filter(|it| it.applies == Applies::Here && it.metric.unit() == Unit::Milliseconds);
    times.filter_map(|objective| note(objective, of(&objective.scope)?)).collect()
}

/// Classes that get no user, because there are fewer users than classes, or too few for their weight.
pub(super) fn without_users(classes: &[UserClass], load: &Load) -> Option<String> {
    // Arrivals are dealt by weight one after the other, whatever the number of users.
    if load.model != Model::Closed {
        return None;
    }
    let users = load.shape.peak().ceil() as usize;
    let weights: Vec<u32> = classes.iter().map(|class| class.weight).collect();
    let shared = classes.iter().zip(split_by_weight(users, &weights));
    let none: Vec<String> = shared
        .filter(|(class, count)| class.weight > 0 && *count == 0)
        .map(|(class, _)| format!("`{}`", class.name))
        .collect();
    let (noun, verb) = if none.len() == 1 { ("class", "gets") } else { ("classes", "get") };
    (!none.is_empty()).then(|| {
        format!(
            "the {noun} {} {verb} no user: {users} in all are shared out by `weight` among {} classes; more `users`, \
             or another `weight`, give every class one",
            none.join(", "),
            weights.iter().filter(|weight| **weight > 0).count()
        )
    })
}

/// Objectives and a baseline that are null where no more general layer says anything else of them, as when a value is
/// commented out: null takes nothing away there, and nothing is judged by what looks as if something were. The error rate
/// of all requests has a default to be taken away.
pub(super) fn without_value(layers: &Layers) -> Vec<String> {
    let thresholds = layers.inside("thresholds");
    let of_file = only_null(layers);
    let mut names: Vec<String> =
        of_file.iter().filter(|name| **name == "thresholds").map(|name| (*name).to_owned()).collect();
    let of_all = only_null(&thresholds).into_iter().filter(|name| *name != Metric::ErrorRate.name());
    names.extend(of_all.map(|name| format!("thresholds.{name}")));
    for group in ["endpoints", "metrics"] {
        let scopes = thresholds.inside(group);
        names.extend(only_null(&scopes).into_iter().map(|scope| format!("thresholds.{group}.{scope}")));
        for scope in scopes.keys() {
            let of_scope = only_null(&scopes.inside(scope)).into_iter();
            names.extend(of_scope.map(|name| format!("thresholds.{group}.{scope}.{name}")));
        }
    }
    let judged =
        names.into_iter().map(|name| format!("`{name}` has no value in any layer: nothing is judged by it"));
    let compared = of_file.contains(&"baseline").then(|| {
        "`baseline` has no value in any layer, so nothing is compared; `baseline: {}` compares by the defaults"
            .to_owned()
    });
    judged.chain(compared).collect()
}

/// The keys that the file has, and that are null wherever they are written.
fn only_null<'a>(layers: &Layers<'a>) -> Vec<&'a str> {
    let is_written = |layer: &Layer, name: &str| {
        let entry = layer.node.entry(name);
        entry.is_some_and(|(_, node)| layer.level != Level::Overrides || node.value != Value::Null)
    };
    let is_null = |name: &str| {
        let mut written = layers.iter().filter(|layer| is_written(layer, name)).peekable();
        written.peek().is_some() && written.all(|layer| layer.node.get(name).is_none())
    };
    layers.keys().into_iter().filter(|name| is_null(name)).collect()
}

fn note(objective: &Objective, timeout: Duration) -> Option<String> {
    let limit = Duration::try_from_secs_f64(objective.limit / 1e3).ok()?;
    // A response time counts from when the request was due, so a limit at the timeout can still be broken.
    if limit <= timeout {
        return None;
    }
    let scope = match &objective.scope {
        Scope::Total => "all requests",
        Scope::Endpoint(name) | Scope::Metric(name) => name,
    };
    let name = Metric::name(objective.metric);
    Some(format!(
        "`{name}` of {scope} is limited to {limit:?}, and its requests are given up after {timeout:?} (`timeout`): \
         where too many time out, the objective can only be undecided"
    ))
}

fn timeouts(steps: &[Step], default: Duration, longest: &mut Longest) {
    for step in steps {
        let mut keep = |endpoint: usize, timeout: Option<Duration>| {
            let kept = longest.entry(endpoint).or_default();
            *kept = (*kept).max(timeout.unwrap_or(default));
        };
        match &step.action {
            Action::Request(request) => keep(request.endpoint.0, request.timeout),
            Action::WebSocket(socket) => {
                keep(socket.endpoint.0, socket.timeout);
                timeouts(&socket.steps, default, longest);
            }
            Action::Repeat { steps, .. } | Action::Group { steps, .. } | Action::Run(steps) => {
                timeouts(steps, default, longest);
            }
            _ => {}
        }
    }
}
