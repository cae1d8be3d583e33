//! How to compare with the past: the key `baseline` of all layers.

use std::path::Path;

use crate::config::node::{Node, Span, Value};
use crate::config::problem::{Problem, suggestion};
use crate::metric::Metric;
use crate::plan::rules::{BaselineRules, Confirmation, Policy};
use crate::units::Ratio;

use super::layer::Layers;
use super::unit;

/// Five times as slow: who writes this has left out a `%`.
const WIDEST_BUDGET: Ratio = Ratio(4.0);
/// With fewer runs nothing can be decided.
const LEAST_RUNS: usize = 3;

/// The rules, where `baseline` is written anywhere, and what is wrong with them.
pub(super) fn baseline(folder: &Path, layers: &Layers) -> (Option<BaselineRules>, Vec<Problem>) {
    let said = layers.inside("baseline");
    // Null in a more specific layer turns it off.
    if layers.get("baseline").is_none() {
        return (None, Vec::new());
    }
    let (gate_on, mut problems) = gated(&said);
    problems.extend(unknown_budgets(&said));
    let plain = BaselineRules::default();
    let rules = BaselineRules {
        dir: folder.join(word(&said, "dir").map_or(plain.dir.as_path(), Path::new)),
        budget: budgets(&said),
        gate_on,
        catch: unit::ratio(said.get("catch")),
        min_change: unit::duration(said.get("min_change")).unwrap_or(plain.min_change),
        confidence: unit::ratio(said.get("confidence")).unwrap_or(plain.confidence),
        confirmation: match word(&said, "confirmation") {
            Some("required") => Confirmation::Required,
            _ => plain.confirmation,
        },
        keep_runs: unit::parsed(said.get("keep_runs")).unwrap_or(plain.keep_runs),
        on_inconclusive: policy(&said, "on_inconclusive"),
        on_missing: policy(&said, "on_missing"),
    };
    problems.extend(check(&said, &rules));
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
    Some(Metric::named(name).ok_or_else(|| unknown(typed.span, name)))
}

fn unknown(span: Span, name: &str) -> Problem {
    Problem::at(span, format!("unknown metric `{name}`"))
        .hint(suggestion(name, Metric::ALL.map(Metric::name)))
}

fn gated(said: &Layers) -> (Vec<Metric>, Vec<Problem>) {
    let Some(list) = said.get("gate_on") else { return (BaselineRules::default().gate_on, Vec::new()) };
    let (mut metrics, mut problems) = (Vec::new(), Vec::new());
    if matches!(&list.value, Value::List(items) if items.is_empty()) {
        problems.push(Problem::at(list.span, "`gate_on` of nothing compares nothing").hint(
            "name metrics, as in `[p50, p95, error_rate]`, or leave it out; `baseline: null` turns the comparison off",
        ));
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

/// What is said of each metric, gated or only shown. A single ratio is not meant for what is counted in points.
fn budgets(said: &Layers) -> Vec<(Metric, Ratio)> {
    let of = |metric: Metric| {
        let own = unit::ratio(said.inside("budget").get(metric.name()));
        let single = unit::ratio(said.get("budget")).filter(|_| !metric.is_share());
        Some((metric, own.or(single)?))
    };
    Metric::ALL.into_iter().filter_map(of).collect()
}

fn unknown_budgets(said: &Layers) -> Vec<Problem> {
    let entries = said.get("budget").map_or(&[][..], Node::entries);
    let unknown_keys = entries.iter().filter(|(key, _)| Metric::named(&key.name).is_none());
    unknown_keys.map(|(key, _)| unknown(key.span, &key.name)).collect()
}

fn check(said: &Layers, rules: &BaselineRules) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Shares are counted in points, and their own budget says what must not slip through.
    let mut times = Metric::ALL.into_iter().filter(|metric| !metric.is_share());
    let within = rules.catch.is_some_and(|catch| times.any(|metric| catch <= rules.budget_of(metric)));
    if let (Some(node), true) = (said.get("catch"), within) {
        problems
            .push(Problem::at(node.span, "`catch` must be above `budget`").hint(
                "what is tolerated ends at `budget`; `catch` is the change that must not slip through",
            ));
    }
    let whole = said.get("budget").map_or(&[][..], Node::entries).iter().map(|(_, node)| node);
    let wide = |node: &&Node| unit::ratio(Some(node)).is_some_and(|budget| budget >= WIDEST_BUDGET);
    for node in whole.chain(said.get("budget")).filter(wide) {
        let message = format!("a budget of `{}` tolerates everything", node.scalar().unwrap_or_default());
        problems.push(Problem::at(node.span, message).hint("write a ratio such as `10%` or `0.1`"));
    }
    if let (Some(node), Some(..LEAST_RUNS)) = (said.get("keep_runs"), unit::parsed(said.get("keep_runs"))) {
        let message = "with fewer than 3 runs nothing can be decided";
        problems.push(Problem::at(node.span, message).hint("keep 20 runs, or at least 10"));
    }
    if let (Some(node), false) = (said.get("confidence"), (0.5..1.0).contains(&rules.confidence.0)) {
        problems.push(
            Problem::at(node.span, "the confidence lies between 50% and 100%").hint("write such as `95%`"),
        );
    }
    problems
}
