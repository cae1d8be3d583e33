//! The verdicts of the results that reports must withstand. It judges nothing: reports only tell them.

use loadgate::result::comparison::{Comparison, ComparisonState, Delta, DeltaStatus};
use loadgate::result::verdict::{
    Because, Check, CheckScope, CheckSeverity, CheckStatus, CheckUnit, Finding, Reason, Status, Verdict,
};

/// Every objective holds.
pub fn passed() -> Verdict {
    Verdict { checks: vec![check(None, CheckStatus::Pass)], ..verdict(Status::Passed, &[]) }
}

/// Nothing ended, so there is nothing to say.
pub fn nothing() -> Verdict {
    let mut checks = vec![check(None, CheckStatus::Invalid)];
    checks[0].value = None;
    checks[0].because = Some(Because::NoSample);
    let findings = vec![Finding::NoSteadyRequest { steady_s: 10.0 }];
    Verdict { checks, findings, ..verdict(Status::Invalid, &[Reason::InvalidRun]) }
}

/// Stopped from outside.
pub fn interrupted() -> Verdict {
    verdict(Status::Interrupted, &[Reason::Interrupted])
}

/// Every status of checks and deltas, one after the other, over these endpoints.
pub fn rich(names: &[&str]) -> Verdict {
    let statuses = [
        CheckStatus::Fail,
        CheckStatus::Pass,
        CheckStatus::Undecided,
        CheckStatus::Invalid,
        CheckStatus::NotApplicable,
    ];
    Verdict {
        checks: statuses.iter().zip(names).map(|(status, name)| check(Some(name), *status)).collect(),
        deltas: DELTAS
            .iter()
            .zip(names)
            .map(|((status, change), name)| delta(name, *status, *change))
            .collect(),
        comparison: Some(comparison()),
        ..verdict(Status::Failed, &[Reason::Sla, Reason::Regression])
    }
}

/// A broken objective and a regression of every name, with the name as the user's own words.
pub fn hostile(names: &[String]) -> Verdict {
    let broken =
        |name: &String| Check { message: Some(name.clone()), ..check(Some(name), CheckStatus::Fail) };
    Verdict {
        checks: names.iter().map(broken).collect(),
        deltas: names.iter().map(|name| delta(name, DeltaStatus::Regression, 0.3)).collect(),
        comparison: Some(Comparison {
            epoch: Some(names[0].clone()),
            cpu_class: names[1].clone(),
            ..comparison()
        }),
        ..verdict(Status::Failed, &[Reason::Sla, Reason::Regression])
    }
}

const DELTAS: [(DeltaStatus, f64); 7] = [
    (DeltaStatus::Regression, 0.42),
    (DeltaStatus::Improved, -0.31),
    (DeltaStatus::Inconclusive, 0.08),
    (DeltaStatus::Pass, 0.004),
    (DeltaStatus::Building, 0.02),
    (DeltaStatus::NotComparable, 0.0),
    (DeltaStatus::Invalid, 0.0),
];

fn verdict(status: Status, reasons: &[Reason]) -> Verdict {
    Verdict {
        status,
        reasons: reasons.to_vec(),
        exit_status: if status == Status::Failed { 3 } else { 0 },
        findings: Vec::new(),
        checks: Vec::new(),
        deltas: Vec::new(),
        comparison: None,
    }
}

fn check(endpoint: Option<&str>, status: CheckStatus) -> Check {
    let because = match status {
        CheckStatus::Undecided => Some(Because::TooFew { needed: 1_000 }),
        CheckStatus::Invalid => Some(Because::NeverHit),
        CheckStatus::NotApplicable => Some(Because::OtherScenario),
        CheckStatus::Pass | CheckStatus::Fail => None,
    };
    let value = match status {
        CheckStatus::Fail => Some(212.0),
        CheckStatus::Pass | CheckStatus::Undecided => Some(38.5),
        CheckStatus::Invalid | CheckStatus::NotApplicable => None,
    };
    Check {
        scope: if endpoint.is_some() { CheckScope::Endpoint } else { CheckScope::Total },
        endpoint: endpoint.map(String::from),
        metric: "p95".into(),
        unit: CheckUnit::Ms,
        limit: 100.0,
        value,
        n: if value.is_some() { 400 } else { 0 },
        unanswered: None,
        whole_run: false,
        window: None,
        aborted_at_s: None,
        severity: CheckSeverity::Fail,
        status,
        because,
        message: None,
        line: Some(41),
        default: false,
    }
}

fn delta(endpoint: &str, status: DeltaStatus, change: f64) -> Delta {
    let because = match status {
        DeltaStatus::Inconclusive => Some(Because::AboveCatch { bound: 0.18, catch: 0.1 }),
        DeltaStatus::Building => Some(Because::Building { runs: 3, needed: 5 }),
        DeltaStatus::NotComparable => Some(Because::Paced),
        DeltaStatus::Invalid => Some(Because::NoSample),
        _ => None,
    };
    let compared = !matches!(status, DeltaStatus::NotComparable | DeltaStatus::Invalid);
    let interval = compared && status != DeltaStatus::Building;
    Delta {
        scope: CheckScope::Endpoint,
        endpoint: Some(endpoint.into()),
        metric: "p95".into(),
        unit: CheckUnit::Ms,
        base: compared.then_some(40.0),
        head: compared.then_some(40.0 * (1.0 + change)),
        change: compared.then_some(change),
        low: interval.then_some(change - 0.1),
        high: interval.then_some(change + 0.1),
        budget: Some(0.05),
        catch: Some(0.1),
        min_detectable: interval.then_some(0.11),
        runs_missing: None,
        drift: None,
        n: if status == DeltaStatus::Building { 3 } else { 12 },
        gated: true,
        candidate: status == DeltaStatus::Regression,
        confirmed: None,
        left_out: false,
        status,
        because,
    }
}

fn comparison() -> Comparison {
    Comparison {
        state: ComparisonState::Compared,
        cpu_class: "amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24".into(),
        epoch: None,
        runs: 12,
        needed: 5,
        sessions: None,
        runs_in_all: 14,
        other_plans: 0,
        unknown: 0,
        foreign: 0,
        checks: 5,
        not_compared: 0,
        confidence: 0.99,
        confirm: false,
    }
}
