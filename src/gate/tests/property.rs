//! Whatever was measured: a success that becomes a timeout, a dropped arrival or another failure never helps to pass,
//! and neither does a machine that has no excuse any more.
//!
//! What "towards pass" means. A run that did not pass must not pass afterwards, and a check that failed, was undecided
//! or invalid must not become a pass. A check that failed may become undecided where a slow success becomes a failure
//! of another kind: such a failure has no time, so it breaks no limit of times, and it keeps none either. A timeout
//! has one, so with it what failed still fails.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::gate::watch::Watch;
use crate::load::Observer;
use crate::load::measure::recording::Tally;
use crate::load::measure::run::{Window, WindowSummary};
use crate::plan::Plan;
use crate::plan::load::{Distribution, Model};
use crate::plan::rules::Over;
use crate::result::schema::RunResult;

const ENDPOINTS: [&str; 2] = ["GET /a", "WS /s"];
/// The ramp of the fixture's plan ends here, its load after 30 s.
const STEADY: std::ops::Range<u64> = 2..30;

/// How a request ended, and after how many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Ok(u64),
    Failed(FailureKind, u64),
}

/// A request to one of the endpoints, which also makes a custom metric.
#[derive(Debug, Clone, Copy)]
struct Request {
    second: u64,
    endpoint: usize,
    end: End,
}

/// A run: what was measured, and how the machine was.
#[derive(Debug, Clone)]
struct Measured {
    requests: Vec<Request>,
    open: bool,
    unfinished: u64,
    lag_ms: f64,
    steal: f64,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        20 => (1..120_u64).prop_map(End::Ok),
        2 => (120..400_u64).prop_map(End::Ok),
        1 => Just(End::Failed(FailureKind::Timeout, 200)),
        1 => Just(End::Failed(FailureKind::Status, 1)),
    ]
}

fn measured() -> impl Strategy<Value = Measured> {
    let request = (0..STEADY.end, 0..ENDPOINTS.len(), end()).prop_map(|(second, endpoint, end)| Request {
        second,
        endpoint,
        end,
    });
    let machine = (any::<bool>(), 0..12_u64, 0.0..30.0_f64, 0.0..0.1_f64);
    (prop::collection::vec(request, 1..900), machine).prop_map(
        |(requests, (open, unfinished, lag_ms, steal))| Measured {
            requests,
            open,
            unfinished,
            lag_ms,
            steal,
        },
    )
}

/// Objectives of every kind: of the steady phase, of the whole run, and in windows.
fn objectives() -> impl Strategy<Value = Vec<Objective>> {
    let scope = prop_oneof![
        Just(Scope::Total),
        Just(Scope::Endpoint(ENDPOINTS[0].into())),
        Just(Scope::Endpoint(ENDPOINTS[1].into())),
        Just(Scope::Metric("build_created".into())),
    ];
    let window = prop_oneof![2 => Just(None), 1 => (5..15_u64).prop_map(|s| Some(Duration::from_secs(s)))];
    let over = prop_oneof![2 => Just(Over::Steady), 1 => Just(Over::WholeRun)];
    let one = (scope, prop::sample::select(Metric::ALL.to_vec()), 0.0..1.0_f64, window, over);
    let one = one.prop_map(|(scope, metric, share, window, over)| {
        let limit = match metric {
            Metric::ErrorRate => 0.3 * share,
            Metric::Throughput => 40.0 * share,
            Metric::MissingMessages | Metric::UnexpectedCloses => (3.0 * share).floor(),
            _ => 10.0 + 400.0 * share,
        };
        let over = if window.is_some() { Over::Steady } else { over };
        Objective { over, window, ..objective(scope, metric, limit) }
    });
    prop::collection::vec(one, 1..8)
}

fn count(tally: &mut Tally, end: End) {
    match end {
        End::Ok(ms) => succeed(tally, 1, ms as f64, ms as f64),
        End::Failed(kind, ms) => fail(tally, kind, 1, ms),
    }
}

/// As the engine counts it, second by second, watched on the way.
fn result_of(measured: &Measured, objectives: &[Objective]) -> RunResult {
    let mut plan: Plan = plan(&ENDPOINTS);
    plan.rules = rules(objectives.to_vec());
    if measured.open {
        plan.load.model = Model::Open { distribution: Distribution::Even, max_users: 10 };
    }
    let (mut watch, mut total) = (Watch::over(&plan), Recording::new(2, 1, 1));
    for second in 0..STEADY.end {
        let mut recording = Recording::new(2, 1, 1);
        for request in measured.requests.iter().filter(|request| request.second == second) {
            let phase = plan.load.phase(Duration::from_secs(second));
            count(recording.endpoints[request.endpoint].of(phase), request.end);
            let metric = recording.metrics[0].of(phase);
            match request.end {
                End::Ok(ms) => {
                    metric.ok += 1;
                    metric.response.record(Duration::from_millis(ms));
                }
                End::Failed(FailureKind::Timeout, ms) => {
                    metric.response.record_at_least(Duration::from_millis(ms));
                }
                End::Failed(..) => metric.failed += 1,
            }
        }
        recording.endpoints[1].steady.messages_in += 1;
        recording.endpoints[1].steady.missing_messages += u64::from(second == 9);
        let at = Duration::from_secs(second);
        let window = Window {
            at,
            length: Duration::from_secs(1),
            phase: plan.load.phase(at),
            users: 1,
            recording_summary: WindowSummary::of(&recording),
            machine: None,
        };
        watch.window(&window, &recording);
        total.merge(&recording);
    }
    total.unfinished = measured.unfinished;
    let mut result = watch.complete(summarise(&plan, &run(total), context()));
    result.generator.schedule_lag_p99_ms = Some(measured.lag_ms);
    result.generator.steal = measured.steal;
    result
}

fn verdict_of(measured: &Measured, objectives: &[Objective]) -> Verdict {
    judge(&rules(objectives.to_vec()), &result_of(measured, objectives))
}

/// What must not have happened between two verdicts about the same objectives.
fn is_towards_pass(before: &Verdict, after: &Verdict) -> Option<String> {
    if before.status != Status::Passed && after.status == Status::Passed {
        return Some(format!("{:?} became a pass", before.status));
    }
    let mut pairs = before.checks.iter().zip(&after.checks);
    let wrong = pairs.find(|(a, b)| a.status != CheckStatus::Pass && b.status == CheckStatus::Pass);
    wrong.map(|(a, b)| format!("{a:?}\nbecame\n{b:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_success_that_becomes_a_failure_never_helps_to_pass(
        measured in measured(), objectives in objectives(), at in prop::collection::vec(any::<prop::sample::Index>(), 1..60), how in 0..3_usize,
    ) {
        let before = verdict_of(&measured, &objectives);
        let mut worse = measured.clone();
        for at in at {
            let request = at.get(&worse.requests);
            let End::Ok(ms) = request.end else { continue };
            let end = match how {
                // It was given up when it had lasted at least as long.
                0 => End::Failed(FailureKind::Timeout, ms.max(200)),
                1 => End::Failed(FailureKind::Dropped, 0),
                _ => End::Failed(FailureKind::Status, 1),
            };
            let index = at.index(worse.requests.len());
            worse.requests[index].end = end;
        }
        let after = verdict_of(&worse, &objectives);
        prop_assert_eq!(is_towards_pass(&before, &after), None);
        if how == 0 {
            let mut pairs = before.checks.iter().zip(&after.checks);
            let eased = pairs.find(|(a, b)| a.status == CheckStatus::Fail && b.status == CheckStatus::Undecided);
            prop_assert!(eased.is_none(), "{eased:?}");
        }
    }

    #[test]
    fn a_machine_without_an_excuse_never_helps_to_pass(measured in measured(), objectives in objectives()) {
        let before = verdict_of(&measured, &objectives);
        for (lag_ms, steal) in [(0.0, measured.steal), (measured.lag_ms, 0.0), (0.0, 0.0)] {
            let calm = Measured { lag_ms, steal, ..measured.clone() };
            prop_assert_eq!(is_towards_pass(&before, &verdict_of(&calm, &objectives)), None);
        }
    }
}
