//! Comparison with remembered runs: which numbers can be compared, what each of them says, and what
//! that means. Pure. docs/gate.md explains it in words.

mod delta;
mod failures;
pub mod panel;
pub mod past;
mod row;
mod sessions;
mod subject;
pub mod survey;

use std::collections::HashMap;

use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::BaselineRules;
use crate::result::comparison::{Comparison, ComparisonState, Delta, DeltaStatus};
use crate::result::endpoint::{CustomMetric, Endpoint};
use crate::result::schema::RunResult;
use crate::result::verdict::Because;

use super::machine::Excuses;
use delta::{FirstJob, Tested};
use panel::{Level, Panel, Stage, Tolerance};
use past::{Past, Standing};
use row::Row;
use subject::Subject;

/// What is shown although it is not gated. A mean and a maximum are compared only where they are named: a mean
/// is moved by one slow request, and a maximum grows with the number of requests.
const SHOWN: [Metric; 5] = [
    Metric::Response(Percentile::P50),
    Metric::Response(Percentile::P95),
    Metric::Response(Percentile::P99),
    Metric::Throughput,
    Metric::ErrorRate,
];

/// A run beside what is remembered.
#[derive(Debug)]
struct Compared<'a> {
    rules: &'a BaselineRules,
    result: &'a RunResult,
    endpoints: HashMap<&'a str, &'a Endpoint>,
    custom: HashMap<&'a str, &'a CustomMetric>,
    past: &'a Past<'a>,
    excuses: Excuses<'a>,
}

/// Compares a run with what is remembered: every number once, gated or not. A partial run is compared
/// with nothing.
pub fn compare(rules: &BaselineRules, result: &RunResult, baseline: &Baseline) -> (Vec<Delta>, Comparison) {
    let past = Past::of(baseline, &result.plan_digest, &result.runner.cpu_class)
        .beside(result.runner.session.as_deref());
    let endpoints = result.endpoints.iter().map(|endpoint| (endpoint.name.as_str(), endpoint)).collect();
    let custom = result.metrics.iter().map(|metric| (metric.name.as_str(), metric)).collect();
    let here: Vec<&Run> = past.runs().filter(|run| run.cpu_class == past.class()).collect();
    let excuses = Excuses::beside(result, &here);
    let compared = Compared { rules, result, endpoints, custom, past: &past, excuses };
    let deltas = if result.is_partial() || past.is_empty() { Vec::new() } else { compared.deltas() };
    let comparison = compared.comparison(baseline, &deltas);
    (deltas, comparison)
}

impl<'a> Compared<'a> {
    fn deltas(&self) -> Vec<Delta> {
        let tables = self.tables();
        let level = self.level(&tables);
        let rows = tables.iter().flat_map(|rows| self.tested(rows, level));
        let shares = compared_metrics(self.rules).filter(|metric| metric.is_share());
        let mut deltas: Vec<_> = rows.chain(shares.flat_map(|metric| self.shares(metric, level))).collect();
        // What is gated and not there is told too.
        let absent =
            self.rules.gate_on.iter().filter(|metric| deltas.iter().all(|it| it.metric != metric.name()));
        let absent: Vec<_> = absent
            .map(|metric| Delta {
                gated: false,
                because: Some(Because::NotMeasured),
                ..delta::about(self, *metric, Subject::Total)
            })
            .collect();
        deltas.extend(absent);
        for delta in &mut deltas {
            delta.left_out = is_left_out(self.rules, delta);
        }
        deltas
    }

    /// The numbers that are tested together: a time of all endpoints and custom metrics. Every throughput is
    /// tested alone, for they share what there is.
    fn tables(&self) -> Vec<Vec<Row<'a>>> {
        let of_times = compared_metrics(self.rules).filter(|metric| metric.is_time());
        let mut tables: Vec<_> = of_times.map(|metric| row::of_times(self, metric)).collect();
        tables.push(vec![row::of_throughput(self, Subject::Total)]);
        if self.gates(Metric::Throughput) {
            let mut each: Vec<_> = row::endpoints(self).collect();
            each.sort_unstable();
            each.dedup();
            tables.extend(each.into_iter().map(|endpoint| vec![row::of_throughput(self, endpoint)]));
        }
        tables
    }

    fn gates(&self, metric: Metric) -> bool {
        self.rules.gate_on.contains(&metric)
    }

    /// What the tests share: the false-alarm rate is split among the gated numbers.
    fn level(&self, tables: &[Vec<Row>]) -> Level {
        let gated = |row: &&Row| self.gates(row.metric) && row.is_tested();
        level(self.rules, tables.iter().flatten().filter(gated).count())
    }

    /// The tests of one metric over all its rows. In a second job, what the first one flagged is tested
    /// once more, and the rest as ever.
    fn tested(&self, rows: &[Row], level: Level) -> Vec<Delta> {
        let tested: Vec<&Row> = rows.iter().filter(|row| row.is_tested()).collect();
        let tracks: Vec<_> = tested.iter().map(|row| row.track.clone()).collect();
        let y = |row: &&Row| row.head.and_then(|head| subject::y(row.metric, head)).unwrap_or(f64::NAN);
        let head: Vec<f64> = tested.iter().map(y).collect();
        let fine = self.past.fine();
        let fit = |stage| Panel::fit(&tracks, &fine, Level { stage, ..level });
        let panel = fit(Stage::First);
        let first = panel.as_ref().map(|panel| panel.evidence(&head));
        let again = self.result.confirms.as_ref().and_then(|_| Some(fit(Stage::Again)?.evidence(&head)));
        let said = |row: &Row| {
            let place = tested.iter().position(|tested| tested.subject == row.subject)?;
            let evidence = match self.first_job(row.metric, row.subject) {
                FirstJob::Flagged => &again,
                FirstJob::None | FirstJob::Clean => &first,
            };
            let panel = panel.as_ref()?;
            let doubt = tested[place].open.filter(|_| is_open(panel, &tested, &head, place));
            Some(Tested {
                evidence: evidence.as_ref()?[place],
                panel,
                place,
                doubt: doubt.map(|open| open.because),
            })
        };
        rows.iter().map(|row| delta::of_row(self, row, said(row))).collect()
    }

    /// What the first job said of a number.
    fn first_job(&self, metric: Metric, subject: Subject) -> FirstJob {
        match &self.result.confirms {
            None => FirstJob::None,
            Some(first) if first.flagged(metric, subject.scope(), subject.name()) => FirstJob::Flagged,
            Some(_) => FirstJob::Clean,
        }
    }

    fn comparison(&self, baseline: &Baseline, deltas: &[Delta]) -> Comparison {
        let gated = || deltas.iter().filter(|delta| delta.gated);
        let tested = gated().filter(|delta| delta.high.is_some()).count();
        let left_out = deltas.iter().filter(|delta| delta.left_out).count();
        let building = gated().any(|delta| delta.status == DeltaStatus::Building);
        let outlook = outlook(self.rules, baseline, self.past);
        let state = match outlook.state {
            _ if self.result.is_partial() => ComparisonState::Partial,
            state @ (ComparisonState::Missing | ComparisonState::OtherPlan) => state,
            _ if building => ComparisonState::Building,
            _ if tested == 0 => ComparisonState::NothingCompared,
            _ => ComparisonState::Compared,
        };
        let confirm = gated().any(|delta| delta.because == Some(Because::Unconfirmed));
        Comparison { state, checks: tested as u64, not_compared: left_out as u64, confirm, ..outlook }
    }
}

/// What can be said before there is a run: whether there is enough to compare one with.
pub fn outlook(rules: &BaselineRules, baseline: &Baseline, past: &Past) -> Comparison {
    let standings = standings(rules, past);
    let plain = past.standing_of_plan();
    let least = standings.iter().min_by_key(|standing| standing.here).copied().unwrap_or(plain);
    let state = if baseline.runs.is_empty() {
        ComparisonState::Missing
    } else if past.is_empty() {
        ComparisonState::OtherPlan
    } else if least.decides() {
        ComparisonState::Compared
    } else {
        ComparisonState::Building
    };
    Comparison {
        state,
        cpu_class: past.class().to_owned(),
        epoch: baseline.epoch().map(str::to_owned),
        runs: least.here,
        needed: least.needed,
        sessions: least.sessions,
        runs_in_all: past.len() as u64,
        other_plans: (baseline.runs.len() - past.len()) as u64,
        unknown: baseline.unknown.len() as u64,
        foreign: baseline.foreign.len() as u64,
        checks: standings.iter().filter(|standing| standing.decides()).count() as u64,
        not_compared: 0,
        confidence: rules.confidence.0,
        confirm: false,
    }
}

/// Whether a number could be worse, or not be ruled out to be, were its requests without an answer the slowest of all:
/// alone, and together with all others that have such requests.
fn is_open(panel: &Panel, tested: &[&Row], head: &[f64], place: usize) -> bool {
    let worse = |at: usize| tested[at].open.map_or(0.0, |open| open.worse);
    if worse(place).is_infinite() {
        return true;
    }
    let with = |moved: &dyn Fn(usize) -> bool| {
        let of = |(at, y): (usize, &f64)| if moved(at) && worse(at).is_finite() { y + worse(at) } else { *y };
        let evidence = panel.evidence(&head.iter().enumerate().map(of).collect::<Vec<_>>())[place];
        evidence.candidate || evidence.high >= evidence.catch
    };
    with(&|at| at == place) || with(&|_| true)
}

/// Whether a number is one of those that are to be compared, and could not be. What neither side ever measured is
/// no news.
fn is_left_out(rules: &BaselineRules, delta: &Delta) -> bool {
    let named = rules.gate_on.iter().any(|metric| metric.name() == delta.metric);
    let there = delta.head.is_some() || delta.base.is_some() || delta.because == Some(Because::NotMeasured);
    named && there && delta.status == DeltaStatus::NotComparable
}

/// The metrics that are compared: those that are shown, and those that are named.
fn compared_metrics(rules: &BaselineRules) -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(|metric| SHOWN.contains(metric) || rules.gate_on.contains(metric))
}

/// How every gated number stands that most runs say something of.
fn standings(rules: &BaselineRules, past: &Past) -> Vec<Standing> {
    let endpoints = past.endpoints().into_iter().map(Subject::Endpoint);
    let custom = past.custom_metrics().into_iter().map(Subject::Custom);
    let times: Vec<_> = endpoints.chain(custom).collect();
    let gated = rules.gate_on.iter().flat_map(|metric| match metric {
        Metric::Response(_) => times.iter().map(|subject| past.standing(*metric, *subject)).collect(),
        _ => vec![past.standing(*metric, Subject::Total)],
    });
    gated.collect()
}

/// What the tests of so many gated numbers share. Each kind of share of events is one more, however many
/// endpoints have it.
fn level(rules: &BaselineRules, tested: usize) -> Level {
    let gated = |holds: fn(Metric) -> bool| rules.gate_on.iter().filter(|metric| holds(**metric)).count();
    Level {
        alpha: 1.0 - rules.confidence.0,
        checks: tested + gated(Metric::is_share),
        percentiles: gated(Metric::is_time),
        stage: Stage::First,
    }
}

/// What change of a time or of the throughput matters.
fn tolerance(rules: &BaselineRules, metric: Metric) -> Tolerance {
    let (budget, catch) = (rules.budget_of(metric).0, rules.catch_of(metric).0);
    let min_change = rules.min_change.as_secs_f64() * 1e3;
    // A loss of a tenth is −ln(0.9): of a throughput, what is tolerated is a share of what there was.
    let loss = |share: f64| -(-share.min(0.99)).ln_1p();
    match metric {
        Metric::Throughput => Tolerance { budget: loss(budget), catch: loss(catch), min_change: 0.0 },
        _ => Tolerance { budget: budget.ln_1p(), catch: catch.ln_1p(), min_change },
    }
}

#[cfg(test)]
mod tests;
