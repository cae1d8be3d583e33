//! What only `on_start` makes. Every user runs it once, during the ramp as a rule, so the steady phase has little of it,
//! or nothing: its times are those of the whole run.

use std::collections::BTreeSet;

use crate::plan::rules::{Applies, Objective, Over, Scope};
use crate::plan::step::{Action, EndpointId, MetricId, Step};
use crate::plan::user::TaskId;

use super::class::Users;
use super::compilation::Compilation;

/// Names of endpoints and custom metrics that no task of any class makes, but an `on_start` does.
#[derive(Debug, Clone, Default)]
pub(super) struct OnlyOnStart {
    endpoints: BTreeSet<String>,
    metrics: BTreeSet<String>,
}

impl OnlyOnStart {
    /// Those of a scenario.
    pub fn of(compilation: &Compilation, users: &Users) -> Self {
        let made = |tasks: &mut dyn Iterator<Item = TaskId>| {
            let mut made = Made::default();
            tasks.filter_map(|id| users.tasks.get(id.0)).for_each(|task| made.add(&task.steps));
            made
        };
        // Classes and tasks of weight zero never run.
        let classes = || users.classes.iter().filter(|class| class.weight > 0);
        let at_start = made(&mut classes().filter_map(|class| class.on_start));
        let listed = classes().flat_map(|class| &class.tasks);
        let later = made(&mut listed.filter(|(_, weight)| *weight > 0).map(|(id, _)| *id));
        let endpoints = at_start.endpoints.difference(&later.endpoints);
        let metrics = at_start.metrics.difference(&later.metrics);
        Self {
            endpoints: endpoints.map(|id| compilation.endpoints[id.0].name.clone()).collect(),
            metrics: metrics.map(|id| compilation.metrics[id.0].clone()).collect(),
        }
    }

    /// Whether this is one of them.
    pub fn makes(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Total => false,
            Scope::Endpoint(name) => self.endpoints.contains(name),
            Scope::Metric(name) => self.metrics.contains(name),
        }
    }
}

/// What steps make.
#[derive(Debug, Default)]
struct Made {
    endpoints: BTreeSet<EndpointId>,
    metrics: BTreeSet<MetricId>,
}

impl Made {
    fn add(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.action {
                Action::Request(request) => {
                    self.endpoints.insert(request.endpoint);
                    self.metrics.extend(request.record);
                }
                Action::WebSocket(socket) => {
                    self.endpoints.insert(socket.endpoint);
                    self.metrics.extend(socket.record);
                    self.add(&socket.steps);
                }
                Action::Receive(receive) => self.metrics.extend(receive.record),
                Action::Group { metric, steps } => {
                    self.metrics.insert(*metric);
                    self.add(steps);
                }
                Action::Repeat { steps, .. } | Action::Run(steps) => self.add(steps),
                Action::Set(_)
                | Action::Wait(_)
                | Action::Send(_)
                | Action::Ping
                | Action::Hold(_)
                | Action::Close { .. } => {}
            }
        }
    }
}

/// Says of which endpoints and custom metrics all of the run is judged though nobody wrote it.
pub(super) fn notes(objectives: &[Objective]) -> Vec<String> {
    let here =
        objectives.iter().filter(|it| it.applies == Applies::Here && it.over == Over::WholeRunOfOnStart);
    let names: BTreeSet<&str> = here
        .filter_map(|objective| match &objective.scope {
            Scope::Total => None,
            Scope::Endpoint(name) | Scope::Metric(name) => Some(name.as_str()),
        })
        .collect();
    let note = |name| {
        format!(
            "only `on_start` makes `{name}`, and users start before the phase of constant load as a rule: its \
             objectives are judged over the whole run; `over: steady` or `over: whole_run` says which you mean"
        )
    };
    names.into_iter().map(note).collect()
}
