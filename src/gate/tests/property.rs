//! Whatever was measured: a success that becomes a timeout, a dropped arrival or another failure, that is cut off at the
//! end or not started never helps to pass, and neither does a machine that has no excuse any more. Nor does one that has
//! an excuse help to pass, or keep from it.
//!
//! What "towards pass" means. A run that did not pass must not pass afterwards, and a check that failed, was undecided
//! or invalid must not become a pass. A check that failed may become undecided where a slow success becomes a failure
//! of another kind: such a failure has no time, so it breaks no limit of times, and it keeps none either. A timeout
//! has one, so with it what failed still fails.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::gate::watch::Watch;
use crate::load::Observer;
use crate::load::measure::recording::Tally;
use crate::load::measure::run::{RunData, Window, WindowSummary};
use crate::plan::Plan;
use crate::plan::load::{Distribution, Model};
use crate::plan::rules::Over;
use crate::result::comparison::{Delta, DeltaStatus};
use crate::result::fixture::{self, busy};
use crate::result::machine::{LimitedPoint, Machine, MachinePoint};
use crate::result::schema::RunResult;

const ENDPOINTS: [&str; 2] = ["GET /a", "WS /s"];
/// The ramp of the fixture's plan ends here, its load after 30 s.
const STEADY: std::ops::Range<u64> = 2..30;

/// How a request ended, and after how many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Ok(u64),
    Failed(FailureKind, u64),
    /// It was cut off at the end of the run, so long after it was due.
    CutOff(u64),
    /// The generator was too late for it.
    NotStarted,
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
    /// Of every second.
    machine: Vec<MachinePoint>,
    quota_shared: bool,
}

/// Runs before it: how much faster they were, whether what failed did so then, and whether their machine is known.
#[derive(Debug, Clone, Copy)]
struct Before {
    faster: f64,
    failed: bool,
    known: bool,
}

fn second() -> impl Strategy<Value = MachinePoint> {
    let share = || prop_oneof![1 => Just(None), 5 => (0.0..1.0_f64).prop_map(Some)];
    let idle = || prop_oneof![2 => Just(0.0), 3 => 0.0..1.0_f64];
    let busy = (share(), idle(), prop::option::weighted(0.3, (idle(), share())));
    let slow = (prop_oneof![Just(1.0), 0.3..2.0_f64], prop_oneof![Just(1.0), 1.0..8.0_f64]);
    let throttled = prop_oneof![4 => Just(0.0), 1 => 0.0..1.0_f64];
    (busy, slow, throttled).prop_map(|((others_cpu, idle, limited), (speed, contention), throttled)| {
        MachinePoint {
            speed: Some(speed),
            contention: Some(contention),
            others_cpu,
            idle: Some(idle),
            steal: Some(0.0),
            throttled: Some(throttled),
            limited: limited.map(|(idle, others_cpu)| LimitedPoint { idle, others_cpu }),
        }
    })
}

fn machine() -> impl Strategy<Value = Vec<MachinePoint>> {
    let seconds = STEADY.end as usize;
    prop_oneof![
        // The whole time, in turns, or as it comes.
        second().prop_map(move |second| vec![second; seconds]),
        (second(), second(), 1..8_usize).prop_map(move |(a, b, often)| {
            (0..seconds).map(|at| if at % often == 0 { a } else { b }).collect()
        }),
        prop::collection::vec(second(), seconds),
    ]
}

fn before() -> impl Strategy<Value = Before> {
    let faster = prop_oneof![Just(1.0), 0.2..1.2_f64];
    (faster, any::<bool>(), any::<bool>()).prop_map(|(faster, failed, known)| Before {
        faster,
        failed,
        known,
    })
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
    let request = (0..STEADY.end, 0..ENDPOINTS.len(), end())
        .prop_map(|(second, endpoint, end)| Request { second, endpoint, end })
        .boxed();
    // A percentile needs 200 of one endpoint: many runs are just below or above that.
    let count = prop_oneof![1..900_usize, 300..500_usize, 150..260_usize];
    let requests = count.prop_flat_map(move |count| prop::collection::vec(request.clone(), count));
    let generator = (any::<bool>(), 0..12_u64, 0.0..30.0_f64, 0.0..0.1_f64);
    (requests, generator, machine(), any::<bool>()).prop_map(
        |(requests, (open, unfinished, lag_ms, steal), machine, quota_shared)| Measured {
            requests,
            open,
            unfinished,
            lag_ms,
            steal,
            machine,
            quota_shared,
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

/// What a baseline gates on.
fn gates() -> impl Strategy<Value = Vec<Metric>> {
    prop_oneof![
        Just(BaselineRules::default().gate_on),
        prop::sample::subsequence(Metric::ALL.to_vec(), 1..=Metric::ALL.len()),
    ]
}

fn count(tally: &mut Tally, end: End) {
    match end {
        End::Ok(ms) => succeed(tally, 1, ms as f64, ms as f64),
        End::Failed(kind, ms) => fail(tally, kind, 1, ms),
        End::CutOff(ms) => cut_off(tally, 1, ms),
        End::NotStarted => tally.not_started += 1,
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
    let mut windows = Vec::new();
    for second in 0..STEADY.end {
        let mut recording = Recording::new(2, 1, 1);
        let phase = plan.load.phase(Duration::from_secs(second));
        for request in measured.requests.iter().filter(|request| request.second == second) {
            if let End::CutOff(_) = request.end {
                // What is cut off is counted when it is, after the last window.
                count(total.endpoints[request.endpoint].of(phase), request.end);
                total.unfinished += 1;
                continue;
            }
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
                End::CutOff(_) | End::NotStarted => {}
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
        windows.push(window);
        total.merge(&recording);
    }
    total.unfinished += measured.unfinished;
    let run = RunData { windows, ..run(total) };
    let mut result = watch.complete(summarise(&plan, &run, context()));
    result.load.saturating = !measured.open;
    result.generator.schedule_lag_p99_ms = Some(measured.lag_ms);
    result.generator.steal = Some(measured.steal);
    on_machine(result, &measured.machine, measured.quota_shared)
}

/// The same run, on a machine that was so in each of its seconds.
fn on_machine(mut result: RunResult, seconds: &[MachinePoint], quota_shared: bool) -> RunResult {
    assert_eq!(result.series.len(), seconds.len());
    result.series.iter_mut().zip(seconds).for_each(|(point, second)| point.machine = Some(*second));
    result.machine = Some(Machine { quota_shared, ..fixture::machine(seconds) });
    result
}

/// The same run without what the machine says of it.
fn without_machine(result: &RunResult) -> RunResult {
    let mut result = RunResult { machine: None, ..result.clone() };
    result.series.iter_mut().for_each(|point| point.machine = None);
    result
}

/// Five runs like this one, on a quiet machine.
fn remembered(measured: &Measured, before: Before) -> Baseline {
    let run = |(at, deviation): (usize, f64)| {
        let end = |end: End| match end {
            End::Ok(ms) => End::Ok(((ms as f64 * before.faster * deviation).round() as u64).max(1)),
            failed if before.failed => failed,
            End::Failed(..) | End::CutOff(_) | End::NotStarted => End::Ok(20),
        };
        let requests = measured.requests.iter().map(|it| Request { end: end(it.end), ..*it }).collect();
        let machine = vec![busy(Some(0.03), 0.6); STEADY.end as usize];
        let calm = Measured { requests, machine, lag_ms: 0.0, steal: 0.0, ..measured.clone() };
        let result = result_of(&calm, &[]);
        let result = if before.known { result } else { without_machine(&result) };
        (format!("run-{at:04}"), Run::of(&result, None))
    };
    let runs = [1.0, 1.02, 0.98, 1.04, 0.96].into_iter().enumerate().map(run).collect();
    Baseline { runs, ..Baseline::default() }
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
    let holds =
        |delta: &Delta| !delta.gated || matches!(delta.status, DeltaStatus::Pass | DeltaStatus::Improved);
    let wrong_delta = before.deltas.iter().zip(&after.deltas).find(|(a, b)| !holds(a) && holds(b));
    let checks = wrong.map(|(a, b)| format!("{a:?}\nbecame\n{b:?}"));
    checks.or_else(|| wrong_delta.map(|(a, b)| format!("{a:?}\nbecame\n{b:?}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_success_that_becomes_a_failure_never_helps_to_pass(
        measured in measured(), objectives in objectives(), at in prop::collection::vec(any::<prop::sample::Index>(), 1..60), how in 0..5_usize,
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
                // It may have been due just before the end.
                2 => End::CutOff(ms / 2),
                3 => End::NotStarted,
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

    /// Without a baseline, and beside remembered runs.
    #[test]
    fn a_machine_without_an_excuse_never_helps_to_pass(
        measured in measured(), objectives in objectives(), before in before(), gates in gates(),
    ) {
        let (result, baseline) = (result_of(&measured, &objectives), remembered(&measured, before));
        let all = BaselineRules { gate_on: gates, ..BaselineRules::default() };
        let alone = Rules { objectives: objectives.clone(), baseline: None };
        let compared = Rules { objectives, baseline: Some(all) };
        let punctual = |mut result: RunResult| {
            result.generator.schedule_lag_p99_ms = Some(0.0);
            result
        };
        let unstolen = |mut result: RunResult| {
            result.generator.steal = Some(0.0);
            result
        };
        let calm = [
            without_machine(&result),
            punctual(result.clone()),
            unstolen(result.clone()),
            punctual(unstolen(without_machine(&result))),
        ];
        for (rules, baseline) in [(alone, None), (compared, Some(&baseline))] {
            let with = crate::gate::judge(&rules, &result, baseline);
            for calm in &calm {
                let without = crate::gate::judge(&rules, calm, baseline);
                prop_assert_eq!(is_towards_pass(&with, &without), None);
                prop_assert_eq!(is_towards_pass(&without, &with), None);
            }
        }
    }

    /// What is excused is open or invalid, and said so.
    #[test]
    fn a_machine_makes_a_breach_open_and_nothing_else(measured in measured(), objectives in objectives()) {
        let result = result_of(&measured, &objectives);
        let rules = rules(objectives);
        let (with, without) = (judge(&rules, &result), judge(&rules, &without_machine(&result)));
        for (with, without) in with.checks.iter().zip(&without.checks) {
            let excused = without.status == CheckStatus::Fail
                && with.status == CheckStatus::Undecided
                && with.because.is_some_and(Because::is_of_the_machine);
            prop_assert!(excused || with.status == without.status, "{with:?} {without:?}");
        }
    }
}
