//! Everything that can be judged: the endpoints and custom metrics that scenarios make.

use crate::metric::Metric;
use crate::plan::rules::{Applies, Scope};
use crate::plan::{Endpoint, EndpointKind};

use super::class::Users;
use super::compilation::Compilation;
use super::start::OnlyOnStart;

/// What the scenario at hand makes, and what the others do.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    here: Made,
    elsewhere: Made,
    only_on_start: OnlyOnStart,
}

#[derive(Debug, Clone, Default)]
struct Made {
    endpoints: Vec<Endpoint>,
    metrics: Vec<String>,
}

impl Made {
    fn add(&mut self, compilation: &Compilation) {
        self.endpoints.extend(compilation.endpoints.iter().cloned());
        self.metrics.extend(compilation.metrics.iter().cloned());
    }

    fn makes(&self, scope: &Scope, metric: Metric) -> bool {
        match scope {
            Scope::Total => {
                !needs_websocket(metric) || self.endpoints.iter().any(|it| it.kind == EndpointKind::WebSocket)
            }
            Scope::Endpoint(name) => self.endpoints.iter().any(|endpoint| endpoint.name == *name),
            Scope::Metric(name) => self.metrics.contains(name),
        }
    }
}

/// Whether only WebSockets have this metric.
pub(super) fn needs_websocket(metric: Metric) -> bool {
    matches!(metric, Metric::Connect(_) | Metric::MissingMessages | Metric::UnexpectedCloses)
}

impl Catalogue {
    /// Of the scenario at hand, if any, and all others.
    pub fn new<'c, 'a: 'c>(
        here: Option<(&Compilation<'a>, &Users)>,
        others: impl Iterator<Item = &'c Compilation<'a>>,
    ) -> Self {
        let mut catalogue = Self::default();
        if let Some((compilation, users)) = here {
            catalogue.here.add(compilation);
            catalogue.only_on_start = OnlyOnStart::of(compilation, users);
        }
        others.for_each(|compilation| catalogue.elsewhere.add(compilation));
        catalogue
    }

    /// Where something is made, if anywhere.
    pub fn applies(&self, scope: &Scope, metric: Metric) -> Option<Applies> {
        let elsewhere = || self.elsewhere.makes(scope, metric).then_some(Applies::Elsewhere);
        if self.here.makes(scope, metric) { Some(Applies::Here) } else { elsewhere() }
    }

    /// Whether only `on_start` makes it in the scenario at hand, and no task of any class does.
    pub fn is_only_of_on_start(&self, scope: &Scope) -> bool {
        self.only_on_start.makes(scope)
    }

    /// The kind of an endpoint.
    pub fn kind(&self, name: &str) -> Option<EndpointKind> {
        let all = self.here.endpoints.iter().chain(&self.elsewhere.endpoints);
        all.filter(|endpoint| endpoint.name == name).map(|endpoint| endpoint.kind).next()
    }

    /// The names that a scope of this kind can have, sorted.
    pub fn known(&self, scope: &Scope) -> Vec<&str> {
        let mut names: Vec<&str> = match scope {
            Scope::Total => Vec::new(),
            Scope::Endpoint(_) => {
                let all = self.here.endpoints.iter().chain(&self.elsewhere.endpoints);
                all.map(|endpoint| endpoint.name.as_str()).collect()
            }
            Scope::Metric(_) => {
                self.here.metrics.iter().chain(&self.elsewhere.metrics).map(String::as_str).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        names
    }
}
