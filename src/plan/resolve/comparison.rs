//! How to compare with the past: the key `baseline` of all layers.

use std::path::Path;
use std::time::Duration;

use crate::config::node::{Node, Span, Value};
use crate::config::problem::{Problem, suggestion};
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{BUDGET, BaselineRules, Confirmation, Policy};
use crate::units::Ratio;

use super::layer::Layers;
use super::unit;

/// Runs that are kept per CPU class and epoch, where nothing is said.
const KEEP_RUNS: usize = 20;
/// With fewer runs nothing can be decided.
const LEAST_RUNS: usize = 3;
/// What is gated, where nothing is said.
const GATE_ON: [Metric; 3] =
    [Metric::Response(Percentile::P50), Metric::Response(Percentile::P95), Metric::ErrorRate];

/// The rules, where `baseline` is written anywhere, and what is wrong with them.
pub(super) fn baseline(folder: &Path, layers: &Layers) -> (Option<BaselineRules>, Vec<Problem>) {
    let said = layers.inside("baseline");
    if said.iter().next().is_none() {
        return (None, Vec::new());
    }
    let (gate_on, mut problems) = gated(&said);
    problems.extend(unknown_budgets(&said));
    let budgets: Vec<_> = Metric::REMEMBERED.iter().map(|metric| (*metric, budget(&said, *metric))).collect();
    let catch = unit::ratio(said.get("catch"));
    let confidence = unit::ratio(said.get("confidence")).unwrap_or(Ratio(0.95));
    problems.extend(check(&said, (&budgets, catch), confidence));
    let rules = BaselineRules {
        dir: folder.join(word(&said, "dir").unwrap_or("baselines")),
        budget: budgets,
        gate_on,
        catch,
        min_change: unit::duration(said.get("min_change")).unwrap_or(Duration::from_micros(200)),
        confidence,
        confirmation: match word(&said, "confirmation") {
            Some("required") => Confirmation::Required,
            _ => Confirmation::Off,
        },
        keep_runs: unit::parsed(said.get("keep_runs")).unwrap_or(KEEP_RUNS),
        on_inconclusive: policy(&said, "on_inconclusive"),
        on_missing: policy(&said, "on_missing"),
    };
    (Some(rules), problems)
}

fn word<'a>(said: &Layers<'a>, key: &str) -> Option<&'a str> {
    said.get(key).and_then(Node::scalar)
}

fn policy(said: &Layers, key: &str) -> Policy {
    if word(said, key) == Some("fail") { Policy::Fail } else { Policy::Pass }
}

fn metric(typed: &Node) -> Option<Result<Metric, Problem>> {
    let name = typed.scalar()?;
    Some(remembered(name).ok_or_else(|| unknown(typed.span, name)))
}

fn remembered(name: &str) -> Option<Metric> {
    Metric::named(name).filter(|metric| Metric::REMEMBERED.contains(metric))
}

fn unknown(span: Span, name: &str) -> Problem {
    let message = match Metric::named(name) {
        Some(_) => format!("`{name}` is not remembered of a run, so it cannot be compared"),
        None => format!("unknown metric `{name}`"),
    };
    Problem::at(span, message).hint(suggestion(name, Metric::REMEMBERED.map(Metric::name)))
}

fn gated(said: &Layers) -> (Vec<Metric>, Vec<Problem>) {
    let Some(list) = said.get("gate_on") else { return (GATE_ON.to_vec(), Vec::new()) };
    let (mut metrics, mut problems) = (Vec::new(), Vec::new());
    if matches!(&list.value, Value::List(items) if items.is_empty()) {
        let known = Metric::REMEMBERED.map(Metric::name).join(", ");
        problems.push(Problem::at(list.span, "`gate_on` of nothing compares nothing").hint(format!(
            "name some of {known}, or leave it out; `baseline: null` turns the comparison off"
        )));
    }
    for read in list.items().iter().filter_map(metric) {
        match read {
            Ok(metric) if !metrics.contains(&metric) => metrics.push(metric),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (metrics, problems)
}

fn budget(said: &Layers, metric: Metric) -> Ratio {
    let own = unit::ratio(said.inside("budget").get(metric.name()));
    let single = unit::ratio(said.get("budget")).filter(|_| metric != Metric::ErrorRate);
    let default = if metric == Metric::ErrorRate { BUDGET.1 } else { BUDGET.0 };
    own.or(single).unwrap_or(default)
}

fn unknown_budgets(said: &Layers) -> Vec<Problem> {
    let entries = said.get("budget").map_or(&[][..], Node::entries);
    let unknown_keys = entries.iter().filter(|(key, _)| remembered(&key.name).is_none());
    unknown_keys.map(|(key, _)| unknown(key.span, &key.name)).collect()
}

fn check(
    said: &Layers,
    (budgets, catch): (&[(Metric, Ratio)], Option<Ratio>),
    confidence: Ratio,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    // The error rate is counted in points, and its own budget says what must not slip through.
    let mut times = budgets.iter().filter(|(metric, _)| *metric != Metric::ErrorRate);
    let within = catch.is_some_and(|catch| times.any(|(_, budget)| catch <= *budget));
    if let (Some(node), true) = (said.get("catch"), within) {
        problems
            .push(Problem::at(node.span, "`catch` must be above `budget`").hint(
                "what is tolerated ends at `budget`; `catch` is the change that must not slip through",
            ));
    }
    if let (Some(node), Some(..LEAST_RUNS)) = (said.get("keep_runs"), unit::parsed(said.get("keep_runs"))) {
        let message = "with fewer than 3 runs nothing can be decided";
        problems.push(Problem::at(node.span, message).hint("keep 20 runs, or at least 10"));
    }
    if let (Some(node), false) = (said.get("confidence"), (0.5..1.0).contains(&confidence.0)) {
        problems.push(
            Problem::at(node.span, "the confidence lies between 50% and 100%").hint("write such as `95%`"),
        );
    }
    problems
}
