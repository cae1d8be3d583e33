//! The SLA: thresholds of all layers, the more specific winning key by key.

use std::time::Duration;

use crate::config::Config;
use crate::config::node::{Key, Node};
use crate::config::problem::{Problem, suggestion};
use crate::metric::{Better, Metric, Unit};
use crate::plan::EndpointKind;
use crate::plan::rules::{Applies, ERROR_RATE, Objective, Origin, Over, Scope, Severity};

use super::catalogue::{Catalogue, needs_websocket};
use super::layer::{Layers, Level};
use super::unit;
use super::written::{Form, Written};

/// Keys of `thresholds` that are no metric.
const GROUPS: [&str; 2] = ["endpoints", "metrics"];

/// Reads thresholds against what scenarios make.
#[derive(Debug)]
pub(super) struct Thresholds<'a> {
    config: &'a Config,
    catalogue: &'a Catalogue,
    part: Part,
    objectives: Vec<Objective>,
    problems: Vec<Problem>,
}

/// How much of what is written is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// One layer of the file without the others.
    Layer,
    /// Flags and environment variables alone.
    Flags,
    /// All layers.
    All,
}

/// The objectives that layers hold, and what is wrong with them.
pub(super) fn objectives(
    config: &Config,
    catalogue: &Catalogue,
    layers: &Layers,
) -> (Vec<Objective>, Vec<Problem>) {
    let mut read =
        Thresholds { config, catalogue, part: part(layers), objectives: Vec::new(), problems: Vec::new() };
    let thresholds = layers.inside("thresholds");
    read.scope(&thresholds, &Scope::Total, None);
    for (group, scope) in GROUPS.into_iter().zip([Scope::Endpoint as fn(String) -> Scope, Scope::Metric]) {
        let names = thresholds.inside(group);
        for name in names.keys() {
            let key = names.iter().filter_map(|layer| layer.node.entry(name)).last().map(|(key, _)| key);
            read.scope(&names.inside(name), &scope(name.to_owned()), key);
        }
    }
    if read.part == Part::All && !is_said(&thresholds, Metric::ErrorRate.name()) {
        read.objectives.push(default_error_rate());
    }
    (read.objectives, read.problems)
}

/// Whether any layer says something about a key; null is something.
fn is_said(layers: &Layers, name: &str) -> bool {
    layers.iter().any(|layer| layer.node.entry(name).is_some())
}

/// What holds where nobody says how much may fail.
fn default_error_rate() -> Objective {
    Objective {
        scope: Scope::Total,
        metric: Metric::ErrorRate,
        limit: ERROR_RATE.0,
        severity: Severity::Fail,
        over: Over::Steady,
        window: None,
        abort_after: None,
        message: None,
        applies: Applies::Here,
        origin: Origin::Default,
        line: None,
    }
}

fn part(layers: &Layers) -> Part {
    let levels: Vec<_> = layers.iter().map(|layer| layer.level).collect();
    match levels.as_slice() {
        [Level::Overrides] => Part::Flags,
        [_] => Part::Layer,
        _ => Part::All,
    }
}

impl Thresholds<'_> {
    /// The objectives of one scope; `owner` is the name it goes by.
    fn scope(&mut self, layers: &Layers, scope: &Scope, owner: Option<&Key>) {
        if let Some(problem) = owner.and_then(|owner| self.unknown(scope, owner)) {
            self.problems.push(problem);
            return;
        }
        for name in layers.keys().into_iter().filter(|name| !GROUPS.contains(name)) {
            let (Some(metric), Some(written)) = (Metric::named(name), Written::of(layers, name)) else {
                continue;
            };
            match (self.fit(scope, metric, written.key()), written.form()) {
                (Ok(()), Form::Whole) => self.objective((scope, metric), &written),
                // One layer alone need not say the limit: another may.
                (Ok(()), Form::Pieces) if self.part != Part::All => {}
                (Ok(()), Form::Pieces) => self.problems.push(written.without_limit(metric)),
                (Err(problem), _) => self.problems.push(problem),
            }
        }
    }

    fn unknown(&self, scope: &Scope, owner: &Key) -> Option<Problem> {
        let known = self.catalogue.known(scope);
        if known.contains(&owner.name.as_str()) {
            return None;
        }
        let what = match scope {
            Scope::Metric(_) => format!("no step records a metric `{}`", owner.name),
            _ => format!("no step makes requests to `{}`", owner.name),
        };
        Some(Problem::at(owner.span, what).hint(suggestion(&owner.name, known.iter().copied())))
    }

    /// Whether a scope has a metric.
    fn fit(&self, scope: &Scope, metric: Metric, key: &Key) -> Result<(), Problem> {
        let fail = |message: String, hint: &str| Err(Problem::at(key.span, message).hint(hint));
        match scope {
            Scope::Endpoint(name)
                if needs_websocket(metric) && self.catalogue.kind(name) == Some(EndpointKind::Http) =>
            {
                let hint = "requests have p50 p75 p90 p95 p99 p999 max mean error_rate throughput";
                fail(format!("`{}` belongs to WebSockets, and `{name}` is none", metric.name()), hint)
            }
            Scope::Metric(name) if metric.unit() != Unit::Milliseconds || needs_websocket(metric) => {
                let hint = "custom metrics are times: p50 p75 p90 p95 p99 p999 max mean";
                fail(format!("the custom metric `{name}` has no `{}`", metric.name()), hint)
            }
            Scope::Total if self.catalogue.applies(scope, metric).is_none() => {
                let hint = "it needs a `websocket` step in one of the scenarios";
                fail(format!("`{}` belongs to WebSockets, and no scenario opens any", metric.name()), hint)
            }
            _ => Ok(()),
        }
    }

    fn objective(&mut self, (scope, metric): (&Scope, Metric), written: &Written) {
        let (right, wrong) =
            if metric.better() == Better::Higher { ("above", "below") } else { ("below", "above") };
        if let Some((typed, _)) = written.entry(wrong) {
            let message = format!("`{}` is good {right} its limit, not {wrong}", metric.name());
            self.problems.push(Problem::at(typed.span, message).hint(format!("write `{right}`")));
            return;
        }
        // What flags say alone may be pieces of what the file says.
        if self.part != Part::Flags {
            self.problems.extend(written.contradictions(metric));
        }
        let (Some(limit), Some(applies)) =
            (limit(written.limit(right), metric.unit()), self.catalogue.applies(scope, metric))
        else {
            return;
        };
        if let Some(problem) = unbreakable(metric, limit, written.limit(right)) {
            self.problems.push(problem);
            return;
        }
        let after = || unit::duration(written.get("after")).unwrap_or(Duration::ZERO);
        self.objectives.push(Objective {
            scope: scope.clone(),
            metric,
            limit,
            severity: if written.says("severity", "warn") { Severity::Warn } else { Severity::Fail },
            over: self.over(scope, metric, written),
            window: unit::duration(written.get("window")),
            abort_after: written.says("abort", "true").then(after),
            message: written.get("message").and_then(Node::scalar).map(str::to_owned),
            applies,
            origin: Origin::Written,
            line: self.line(written.key()),
        });
    }

    /// What part of the run counts. Where nobody says it and nothing but `on_start` makes what is judged, the whole
    /// run does: the steady phase has little of it, or nothing.
    fn over(&self, scope: &Scope, metric: Metric, written: &Written) -> Over {
        if metric.is_share() || written.says("over", "steady") || written.get("window").is_some() {
            Over::Steady
        } else if written.says("over", "whole_run") {
            Over::WholeRun
        } else if self.catalogue.is_only_of_on_start(scope) {
            Over::WholeRunOfOnStart
        } else {
            Over::Steady
        }
    }

    /// The line in the file; none for what flags say.
    fn line(&self, key: &Key) -> Option<usize> {
        let in_file = key.span.source == self.config.root.span.source;
        in_file.then(|| self.config.sources.line_column(key.span)).flatten().map(|(line, _)| line)
    }
}

/// A limit that holds whatever happens is a mistake: whoever writes it believes that something is checked.
fn unbreakable(metric: Metric, limit: f64, node: Option<&Node>) -> Option<Problem> {
    let typed = node.and_then(Node::scalar).unwrap_or_default();
    let (message, hint) = match metric {
        Metric::ErrorRate if limit >= 1.0 => (
            format!("an `error_rate` of at most `{typed}` holds whatever happens"),
            "write a share below 100 %, such as `5%` or `0.05`; `error_rate: null` takes the objective away",
        ),
        Metric::Throughput if limit <= 0.0 => (
            format!("a `throughput` of at least `{typed}` holds whatever happens"),
            "write a rate above zero, such as `10/s`",
        ),
        _ => return None,
    };
    Some(Problem::at(node?.span, message).hint(hint))
}

/// A limit, in the unit of its metric.
fn limit(node: Option<&Node>, unit: Unit) -> Option<f64> {
    match unit {
        Unit::Milliseconds => unit::duration(node).map(|duration| duration.as_secs_f64() * 1e3),
        Unit::Ratio => unit::ratio(node).map(|ratio| ratio.0),
        Unit::PerSecond => unit::rate(node).map(|rate| rate.0),
        Unit::Count => unit::parsed(node),
    }
}
