//! Comparison with remembered runs: which numbers can be compared, what each of them says, and what
//! that means. Pure. docs/gate.md explains it in words.

mod delta;
mod failures;
pub mod panel;
pub mod past;
mod row;
pub mod survey;

use std::collections::HashMap;

use crate::baseline::Baseline;
use crate::baseline::run::{Counts, PERCENTILES};
use crate::metric::Metric;
use crate::plan::rules::BaselineRules;
use crate::result::comparison::{Comparison, ComparisonState, Delta, DeltaStatus};
use crate::result::endpoint::{Endpoint, failures as failed};
use crate::result::schema::RunResult;
use crate::result::verdict::Because;
use crate::stats::significance::Share;

use delta::{FirstJob, Tested};
use failures::Failures;
use panel::{Level, Panel, Stage, Tolerance};
use past::{Past, Standing};
use row::Row;

/// A run beside what is remembered.
#[derive(Debug)]
struct Compared<'a> {
    rules: &'a BaselineRules,
    result: &'a RunResult,
    endpoints: HashMap<&'a str, &'a Endpoint>,
    past: &'a Past<'a>,
}

/// Compares a run with what is remembered: every number once, gated or not. A partial run is compared
/// with nothing.
pub fn compare(rules: &BaselineRules, result: &RunResult, baseline: &Baseline) -> (Vec<Delta>, Comparison) {
    let past = Past::of(baseline, &result.plan_digest, &result.runner.cpu_class);
    let endpoints = result.endpoints.iter().map(|endpoint| (endpoint.name.as_str(), endpoint)).collect();
    let compared = Compared { rules, result, endpoints, past: &past };
    let deltas = if result.is_partial() || past.is_empty() { Vec::new() } else { compared.deltas() };
    let comparison = compared.comparison(baseline, &deltas);
    (deltas, comparison)
}

impl Compared<'_> {
    fn deltas(&self) -> Vec<Delta> {
        let mut tables: Vec<Vec<Row>> =
            PERCENTILES.iter().map(|percentile| row::of_percentile(self, *percentile)).collect();
        tables.push(vec![row::of_throughput(self)]);
        let level = self.level(&tables);
        let rows = tables.iter().flat_map(|rows| self.tested(rows, level));
        rows.chain([self.error_rate(level)]).collect()
    }

    /// What the tests share: the false-alarm rate is split among the gated numbers.
    fn level(&self, tables: &[Vec<Row>]) -> Level {
        let gated = |row: &&Row| self.rules.gate_on.contains(&row.metric) && row.is_tested();
        level(self.rules, tables.iter().flatten().filter(gated).count())
    }

    /// The tests of one metric over all its rows. In a second job, what the first one flagged is tested
    /// once more, and the rest as ever.
    fn tested(&self, rows: &[Row], level: Level) -> Vec<Delta> {
        let tested: Vec<&Row> = rows.iter().filter(|row| row.is_tested()).collect();
        let tracks: Vec<_> = tested.iter().map(|row| row.track.clone()).collect();
        let head: Vec<f64> =
            tested.iter().map(|row| delta::y(row.metric, row.head.unwrap_or(f64::NAN))).collect();
        let fine = self.past.fine();
        let fit = |stage| Panel::fit(&tracks, &fine, Level { stage, ..level });
        let panel = fit(Stage::First);
        let first = panel.as_ref().map(|panel| panel.evidence(&head));
        let again = self.result.confirms.as_ref().and_then(|_| Some(fit(Stage::Again)?.evidence(&head)));
        let said = |row: &Row| {
            let place = tested.iter().position(|tested| tested.endpoint == row.endpoint)?;
            let evidence = match self.first_job(row.metric, row.endpoint) {
                FirstJob::Flagged => &again,
                FirstJob::None | FirstJob::Clean => &first,
            };
            Some(Tested { evidence: evidence.as_ref()?[place], panel: panel.as_ref()?, place })
        };
        rows.iter().map(|row| delta::of_row(self, row, said(row))).collect()
    }

    fn error_rate(&self, level: Level) -> Delta {
        let whole = &self.result.whole_run;
        let head = Counts { ok: whole.ok, failed: failed(&whole.failed) };
        let points = self.result.series.iter();
        let over_time: Vec<Share> =
            points.map(|point| Share { events: point.failed as f64, trials: point.length_s }).collect();
        let here = self.past.here(Metric::ErrorRate, None);
        let past: Vec<Counts> = here.iter().map(|run| run.whole_run).collect();
        let stage = match self.first_job(Metric::ErrorRate, None) {
            FirstJob::Flagged => Stage::Again,
            FirstJob::None | FirstJob::Clean => Stage::First,
        };
        let tail = Level { stage, ..level }.alone();
        let budget = self.rules.budget_of(Metric::ErrorRate).0;
        let rise = Failures::new(head, &over_time, &past).rise(budget, tail);
        delta::of_failures(self, &rise, self.past.standing(Metric::ErrorRate, None))
    }

    /// What the first job said of a number.
    fn first_job(&self, metric: Metric, endpoint: Option<&str>) -> FirstJob {
        match &self.result.confirms {
            None => FirstJob::None,
            Some(first) if first.flagged(metric, endpoint) => FirstJob::Flagged,
            Some(_) => FirstJob::Clean,
        }
    }

    fn comparison(&self, baseline: &Baseline, deltas: &[Delta]) -> Comparison {
        let gated = || deltas.iter().filter(|delta| delta.gated);
        let tested = gated().filter(|delta| delta.high.is_some()).count();
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
        Comparison { state, checks: tested as u64, confirm, ..outlook }
    }
}

/// What can be said before there is a run: whether there is enough to compare one with.
pub fn outlook(rules: &BaselineRules, baseline: &Baseline, past: &Past) -> Comparison {
    let standings = standings(rules, past);
    let plain = past.standing(Metric::ErrorRate, None);
    let least = standings.iter().min_by_key(|standing| standing.here).copied().unwrap_or(plain);
    let state = match () {
        () if baseline.runs.is_empty() => ComparisonState::Missing,
        () if past.is_empty() => ComparisonState::OtherPlan,
        () if least.decides() => ComparisonState::Compared,
        () => ComparisonState::Building,
    };
    Comparison {
        state,
        cpu_class: past.class().to_owned(),
        epoch: baseline.epoch().map(str::to_owned),
        runs: least.here,
        needed: least.needed,
        runs_in_all: past.len() as u64,
        other_plans: (baseline.runs.len() - past.len()) as u64,
        unknown: baseline.unknown.len() as u64,
        checks: standings.iter().filter(|standing| standing.decides()).count() as u64,
        confidence: rules.confidence.0,
        confirm: false,
    }
}

/// How every gated number stands.
fn standings(rules: &BaselineRules, past: &Past) -> Vec<Standing> {
    let endpoints = past.endpoints();
    let gated = rules.gate_on.iter().flat_map(|metric| match metric {
        Metric::Response(_) => endpoints.iter().map(|name| past.standing(*metric, Some(name))).collect(),
        _ => vec![past.standing(*metric, None)],
    });
    gated.collect()
}

/// What the tests of so many gated numbers share; the error rate is one more.
fn level(rules: &BaselineRules, tested: usize) -> Level {
    let gated = |metric: Metric| rules.gate_on.contains(&metric);
    Level {
        alpha: 1.0 - rules.confidence.0,
        checks: tested + usize::from(gated(Metric::ErrorRate)),
        percentiles: PERCENTILES.iter().filter(|it| gated(Metric::Response(**it))).count(),
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
