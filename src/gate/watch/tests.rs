//! What is seen while the load runs, second by second, and what the verdict makes of it.

mod abort;

use std::time::Duration;

use proptest::prelude::*;

use super::Watch;
use crate::gate::judge;
use crate::load::measure::outcome::FailureKind;
use crate::load::measure::recording::{Recording, Tally};
use crate::load::measure::run::{Window, WindowSummary};
use crate::load::{Observer, Wish};
use crate::metric::{Metric, Percentile};
use crate::plan::Plan;
use crate::plan::load::{Segment, Shape};
use crate::plan::rules::{Applies, Objective, Rules, Scope};
use crate::result::fixture::{self, context, fail, succeed};
use crate::result::schema::RunResult;
use crate::result::summary::summarise;
use crate::result::verdict::{Because, Check, CheckStatus, Verdict};
use crate::result::window::CheckWindow;

const P95: Metric = Metric::Response(Percentile::P95);
/// The plan's ramp ends here; its load ends at 30.
const RAMP: u64 = 2;
const END: u64 = 30;

fn objective(metric: Metric, limit: f64) -> Objective {
    fixture::objective(Scope::Total, metric, limit)
}

fn every(seconds: u64, objective: Objective) -> Objective {
    Objective { window: Some(Duration::from_secs(seconds)), ..objective }
}

/// A run of a plan of two endpoints, seen second by second.
struct Run {
    plan: Plan,
    watch: Watch,
    at: u64,
    total: Recording,
}

impl Run {
    fn over(objectives: Vec<Objective>) -> Self {
        Self::of(objectives, fixture::plan(&["GET /a", "WS /s"]))
    }

    fn of(objectives: Vec<Objective>, mut plan: Plan) -> Self {
        plan.rules = Rules { objectives, baseline: None };
        Self { watch: Watch::over(&plan), plan, at: 0, total: Recording::new(2, 1, 1) }
    }

    /// One second; in the steady phase it is filled as `fill` says.
    fn second(&mut self, fill: impl FnOnce(&mut Recording)) -> Wish {
        let mut recording = Recording::new(2, 1, 1);
        fill(&mut recording);
        let at = Duration::from_secs(self.at);
        let window = Window {
            at,
            length: Duration::from_secs(1),
            phase: self.plan.load.phase(at),
            users: 1,
            recording_summary: WindowSummary::of(&recording),
            machine: None,
        };
        self.at += 1;
        self.total.merge(&recording);
        self.watch.window(&window, &recording)
    }

    /// The seconds of the steady phase, `fill` knowing which one it is of all; the second of the stop.
    fn steady(&mut self, fill: impl Fn(u64, &mut Recording)) -> Option<u64> {
        while self.at < RAMP {
            self.second(|_| ());
        }
        while self.at < END {
            let at = self.at;
            if self.second(|recording| fill(at, recording)) == Wish::Stop {
                return Some(self.at);
            }
        }
        None
    }

    fn end(self) -> (Rules, RunResult) {
        let result = summarise(&self.plan, &fixture::run(self.total), context());
        (self.plan.rules, self.watch.complete(result))
    }

    fn judged(self) -> (Verdict, RunResult) {
        let (rules, result) = self.end();
        (judge(&rules, &result, None), result)
    }
}

fn http(recording: &mut Recording) -> &mut Tally {
    &mut recording.endpoints[0].steady
}

fn check_of(objective: Objective, result: &RunResult) -> Check {
    judge(&Rules { objectives: vec![objective], baseline: None }, result, None).checks.remove(0)
}

/// Judged by one windowed objective: how it came out.
fn outcome(objective: Objective, fill: impl Fn(u64, &mut Recording)) -> Check {
    let mut run = Run::over(vec![objective]);
    run.steady(fill);
    run.judged().0.checks.remove(0)
}

#[test]
fn windows_begin_with_the_steady_phase_and_merge_their_seconds() {
    let mut run = Run::over(vec![
        every(3, objective(Metric::Response(Percentile::P50), 1e3)),
        every(10, objective(Metric::Max, 1e3)),
    ]);
    // 100 requests a second that take as many milliseconds as the second says
    run.steady(|at, recording| succeed(http(recording), 100, at as f64, at as f64));
    let (_, result) = run.end();
    let [p50, max] = result.windows.as_slice() else { panic!("two series") };
    assert_eq!((p50.length_s, p50.metric.as_str(), max.length_s), (3, "p50", 10));
    let starts: Vec<_> = p50.points.iter().map(|point| point.t_s as u64).collect();
    assert_eq!(starts, [2, 5, 8, 11, 14, 17, 20, 23, 26], "28 s hold nine, and one second is left over");
    assert!(p50.points.iter().all(|point| point.n == 300));
    let medians: Vec<_> = p50.points.iter().filter_map(|point| point.value).map(f64::round).collect();
    assert_eq!(medians[..3], [3.0, 6.0, 9.0], "the middle second of each");
    let longest: Vec<_> = max.points.iter().filter_map(|point| point.value).map(f64::round).collect();
    assert_eq!(longest, [11.0, 21.0]);
}

#[test]
fn every_stretch_of_constant_load_begins_windows_of_its_own() {
    let mut plan = fixture::plan(&["GET /a", "WS /s"]);
    let hold = |level: f64, over| Segment { over: Duration::from_secs(over), from: level, to: level };
    let ramp = Segment { over: Duration::from_secs(2), from: 10.0, to: 20.0 };
    plan.load.shape = Shape(vec![hold(10.0, 5), ramp, hold(20.0, 5), hold(30.0, 5)]);
    let mut run = Run::of(vec![every(2, objective(Metric::Max, 1e3))], plan);
    for _ in 0..17 {
        run.second(|recording| succeed(http(recording), 1, 1.0, 1.0));
    }
    let (_, result) = run.end();
    let starts: Vec<_> = result.windows[0].points.iter().map(|point| point.t_s as u64).collect();
    assert_eq!(starts, [0, 2, 7, 9, 12, 14]);
}

#[test]
fn a_window_breaks_what_the_whole_run_keeps_for_every_metric() {
    // The seconds 10 and 11 are a window of two, and bad.
    let fill = |at: u64, recording: &mut Recording| {
        let bad = at / 2 == 5;
        let time = if bad { 900.0 } else { 10.0 };
        succeed(http(recording), if bad { 150 } else { 3_000 }, time, time);
        fail(&mut recording.endpoints[0].rest, FailureKind::Status, if bad { 30 } else { 0 }, 1);
        succeed(&mut recording.endpoints[1].steady, if bad { 150 } else { 3_000 }, time, time);
        recording.endpoints[1].steady.messages_in = 5;
        recording.endpoints[1].rest.missing_messages = if bad { 2 } else { 0 };
        recording.endpoints[1].rest.unexpected_closes = if bad { 2 } else { 0 };
        recording.metrics[0].steady.ok = 150;
        recording.metrics[0].steady.response = recording.endpoints[0].steady.response.clone();
    };
    let of = |scope, metric, limit| Objective { scope, ..objective(metric, limit) };
    let endpoint = |name: &str| Scope::Endpoint(name.into());
    for (about, value, n) in [
        (objective(P95, 500.0), 900.0, 600),
        (of(endpoint("GET /a"), P95, 500.0), 900.0, 300),
        (of(endpoint("GET /a"), Metric::Mean, 100.0), 900.0, 300),
        (of(endpoint("GET /a"), Metric::ErrorRate, 0.1), 60.0 / 360.0, 360),
        (objective(Metric::ErrorRate, 0.05), 60.0 / 660.0, 660),
        (objective(Metric::Throughput, 301.0), 300.0, 600),
        (of(endpoint("WS /s"), Metric::Connect(Percentile::P95), 500.0), 900.0, 300),
        (objective(Metric::Connect(Percentile::P95), 500.0), 900.0, 300),
        // 4 in the window of 4 in all; 14 + 4 messages
        (objective(Metric::MissingMessages, 3.0), 4.0, 14),
        // of the sockets opened so far: four windows of 6,000 and one of 300
        (objective(Metric::UnexpectedCloses, 3.0), 4.0, 24_300),
        (of(Scope::Metric("build_created".into()), P95, 500.0), 900.0, 300),
    ] {
        let check = outcome(every(2, about.clone()), fill);
        assert_eq!(check.status, CheckStatus::Fail, "{about:?}");
        assert!((check.value.unwrap() / value - 1.0).abs() < 1e-3, "{about:?}: {:?}", check.value);
        assert_eq!(check.n, n, "{about:?}");
        let window = CheckWindow { length_s: 2, t_s: Some(10.0), broken: 1, undecided: 0, judged: 14 };
        assert_eq!(check.window, Some(window), "{about:?}");
        // Counts of what went wrong add up; everything else, the whole run keeps.
        if !matches!(about.metric, Metric::MissingMessages | Metric::UnexpectedCloses) {
            assert_eq!(outcome(about.clone(), fill).status, CheckStatus::Pass, "{about:?}");
        }
    }
}

#[test]
fn a_window_of_few_requests_fails_only_on_proof() {
    use CheckStatus::{Fail, Pass, Undecided};
    let few = Some(Because::TooFew { needed: 200 });
    // One window, of the seconds 10 and 11, with `slow` of `n`; all others have 200 fast ones.
    for (n, slow, expected) in [
        (199, 0, (Undecided, few)),
        (200, 0, (Pass, None)),
        // 14 windows have .0036 each. Of 20: P(X ≥ 4) = .016, P(X ≥ 5) = .0026.
        (20, 4, (Undecided, few)),
        (20, 5, (Fail, None)),
        (0, 0, (Undecided, few)),
        (200, 11, (Fail, None)),
    ] {
        let check = outcome(every(2, objective(P95, 100.0)), |at, recording| match at {
            10 => succeed(http(recording), n - slow, 10.0, 10.0),
            11 => succeed(http(recording), slow, 1e3, 1e3),
            _ => succeed(http(recording), 100, 10.0, 10.0),
        });
        assert_eq!((check.status, check.because), expected, "{slow} of {n}");
        let open = u64::from(expected.0 == Undecided);
        let window = check.window.unwrap();
        assert_eq!((window.undecided, window.judged), (open, 14), "{slow} of {n}");
        if expected.0 != Pass {
            assert_eq!((check.n, window.t_s), (n, Some(10.0)), "{slow} of {n}");
        }
    }
}

#[test]
fn a_broken_window_outweighs_undecided_ones() {
    let check = outcome(every(1, objective(P95, 100.0)), |at, recording| {
        succeed(http(recording), if at == 20 { 300 } else { 5 }, 10.0, if at == 20 { 1e3 } else { 10.0 });
    });
    let window = CheckWindow { length_s: 1, t_s: Some(20.0), broken: 1, undecided: 27, judged: 28 };
    assert_eq!((check.status, check.window), (CheckStatus::Fail, Some(window)));
}

#[test]
fn windows_without_anything_are_no_pass() {
    use CheckStatus::{Fail, Invalid, Undecided};
    let ramp_only = |recording: &mut Recording| succeed(&mut recording.endpoints[0].rest, 50, 1.0, 1.0);
    for (metric, limit, because) in [
        (P95, 1e9, Some(Because::NoSample)),
        (Metric::Max, 1e9, Some(Because::NoSample)),
        (Metric::ErrorRate, 1.0, Some(Because::NoSample)),
        (Metric::MissingMessages, 9.0, Some(Because::NoSample)),
        (Metric::Throughput, 0.0, Some(Because::NoSample)),
    ] {
        let mut run = Run::over(vec![every(5, objective(metric, limit))]);
        run.second(ramp_only);
        run.steady(|_, _| ());
        let check = run.judged().0.checks.remove(0);
        assert_eq!((check.status, check.because), (Invalid, because), "{metric:?}");
    }
    // One empty window among others.
    let silent = |at: u64, recording: &mut Recording| {
        if at != 15 {
            succeed(http(recording), 300, 1.0, 1.0);
        }
    };
    for (metric, limit, status, needed) in [
        (P95, 1e9, Undecided, Some(200)),
        (Metric::Max, 1e9, Undecided, Some(1)),
        (Metric::ErrorRate, 1.0, Undecided, Some(1)),
        (Metric::Throughput, 1.0, Fail, None),
    ] {
        let check = outcome(every(1, objective(metric, limit)), silent);
        let because = needed.map(|needed| Because::TooFew { needed });
        assert_eq!((check.status, check.because), (status, because), "{metric:?}");
        assert_eq!(check.window.unwrap().t_s, Some(15.0), "{metric:?}");
    }
}

#[test]
fn a_steady_phase_without_a_whole_window_is_undecided() {
    let check = outcome(every(29, objective(P95, 1e9)), |_, it| succeed(http(it), 300, 1.0, 1.0));
    let because = Because::NoWindow { length_s: 29, steady_s: 28.0 };
    assert_eq!((check.status, check.because), (CheckStatus::Undecided, Some(because)));
}

#[test]
fn a_stored_result_is_judged_again_with_another_limit() {
    use CheckStatus::{Fail, Pass, Undecided};
    let mut run = Run::over(vec![every(2, objective(P95, 100.0))]);
    // In every window 400 requests of 50 ms; in one, 5 of 20 at 200 ms.
    run.steady(|at, recording| match at {
        10 => succeed(http(recording), 15, 50.0, 50.0),
        11 => succeed(http(recording), 5, 200.0, 200.0),
        _ => succeed(http(recording), 200, 50.0, 50.0),
    });
    let (_, result) = run.end();
    let few = Some(Because::TooFew { needed: 200 });
    for (limit, expected) in [
        (100.0, (Fail, None)),
        // At least as many lie above a stricter limit.
        (90.0, (Fail, None)),
        (10.0, (Fail, None)),
        // How many lie above a looser one is not known.
        (150.0, (Undecided, few)),
        (300.0, (Undecided, few)),
    ] {
        let check = check_of(every(2, objective(P95, limit)), &result);
        assert_eq!((check.status, check.because), expected, "{limit}");
    }
    let other = check_of(every(3, objective(P95, 100.0)), &result);
    let because = Some(Because::NotStored { length_s: 3 });
    assert_eq!((other.status, other.because), (Undecided, because));
    assert_eq!(check_of(every(2, objective(Metric::Max, 1e9)), &result).status, Undecided);
    assert_eq!(check_of(objective(P95, 100.0), &result).status, Pass);
}

#[test]
fn a_breach_in_a_window_is_only_as_good_as_the_generator() {
    let mut run =
        Run::over(vec![every(2, objective(P95, 100.0)), every(2, objective(Metric::Throughput, 1e6))]);
    run.steady(|_, it| succeed(http(it), 200, 900.0, 900.0));
    let (rules, mut result) = run.end();
    result.generator.steal = Some(0.2);
    let statuses = judge(&rules, &result, None).checks.iter().map(|check| check.status).collect::<Vec<_>>();
    assert_eq!(statuses, [CheckStatus::Invalid, CheckStatus::Invalid]);
}

#[test]
fn too_many_unfinished_requests_leave_windows_open() {
    let mut run = Run::over(vec![every(2, objective(P95, 100.0))]);
    run.steady(|at, it| succeed(http(it), 200, 10.0, if at == 10 { 190.0 } else { 10.0 }));
    run.total.unfinished = 100;
    let (rules, result) = run.end();
    let check = judge(&rules, &result, None).checks.remove(0);
    // 96 of 400 + 100 are too many for 5 %, whatever the unfinished ones would have been
    assert_eq!(check.status, CheckStatus::Fail);
    let loose = check_of(every(2, objective(P95, 500.0)), &result);
    assert!(matches!(loose.because, Some(Because::Unfinished { .. })), "{loose:?}");
}

#[test]
fn what_was_cut_off_may_have_broken_any_window() {
    // 800 in each window, of which 2 % are slow.
    let statuses = |unfinished: u64| {
        let mut run = Run::over(vec![every(2, objective(P95, 100.0)), every(2, objective(Metric::Max, 1e3))]);
        run.steady(|_, it| {
            succeed(http(it), 392, 10.0, 10.0);
            succeed(http(it), 8, 190.0, 190.0);
        });
        run.total.unfinished = unfinished;
        fixture::cut_off(http(&mut run.total), unfinished, 5_200);
        run.judged().0.checks.iter().map(|check| check.because).collect::<Vec<_>>()
    };
    let open = |unfinished| Some(Because::CutOff { unfinished });
    assert_eq!(statuses(0), [None, None]);
    // 16 + 25 of 825 are no more than 5 %, 16 + 26 of 826 are.
    assert_eq!(statuses(25), [None, open(25)]);
    assert_eq!(statuses(26), [open(26), open(26)]);
}

#[test]
fn a_window_that_broke_is_broken_whatever_was_cut_off_elsewhere() {
    let status = |unfinished: u64| {
        let mut run = Run::over(vec![every(1, objective(P95, 100.0))]);
        run.steady(|at, it| {
            succeed(http(it), 900, 10.0, 10.0);
            succeed(http(it), 100, 10.0, if at == 10 { 900.0 } else { 10.0 });
        });
        run.total.unfinished = unfinished;
        fixture::cut_off(http(&mut run.total), unfinished, 5_200);
        run.judged().0.checks[0].status
    };
    // 400 of 28,400 are 1.4 % of all requests; they ended in no window.
    assert_eq!([0, 200, 400].map(status), [CheckStatus::Fail; 3]);
}

#[test]
fn what_was_cut_off_may_have_failed_in_the_smallest_window() {
    let because = |unfinished: u64| {
        let mut run = Run::over(vec![every(2, objective(Metric::ErrorRate, 0.01))]);
        // 0.5 % of a window of 1,000 failed, and nothing of one of 50.
        run.steady(|at, it| {
            succeed(http(it), if at < 4 { 497 } else { 25 }, 10.0, 10.0);
            fail(http(it), FailureKind::Status, if at == 2 { 5 } else { 0 }, 2);
        });
        run.total.unfinished = unfinished;
        fixture::cut_off(http(&mut run.total), unfinished, 5_200);
        let check = run.judged().0.checks.remove(0);
        (check.status, check.because)
    };
    assert_eq!(because(0), (CheckStatus::Pass, None));
    // 8 of 1,003 are within 1 %, and 3 of 53 are not.
    let open = Some(Because::CutOff { unfinished: 3 });
    assert_eq!(because(3), (CheckStatus::Undecided, open));
}

#[test]
fn arrivals_that_the_end_of_the_run_shows_as_not_started_may_have_broken_any_window() {
    // 800 in each window, of which 2 % are slow; in one of them as many were not started as it can bear.
    let because = |at_the_end: u64| {
        let mut run = Run::over(vec![every(2, objective(P95, 100.0))]);
        run.steady(|at, it| {
            succeed(http(it), 392, 10.0, 10.0);
            succeed(http(it), 8, 190.0, 190.0);
            http(it).not_started += if at == 10 { 25 } else { 0 };
        });
        http(&mut run.total).not_started += at_the_end;
        run.judged().0.checks[0].because
    };
    assert_eq!(because(0), None, "each of them is in one window");
    assert_eq!(because(1), Some(Because::NotStarted { count: 1 }));
    assert_eq!(because(30), Some(Because::NotStarted { count: 30 }));
}

#[test]
fn windows_of_an_earlier_version_are_no_pass_where_requests_timed_out() {
    // The timeouts of 200 ms fill the windows, and count as if they were exact.
    let mut run =
        Run::over(vec![every(10, objective(P95, 1e3)), every(10, objective(Metric::ErrorRate, 1.0))]);
    run.steady(|_, it| fail(http(it), FailureKind::Timeout, 100, 200));
    run.total.endpoints[0].steady.ok += 1;
    run.total.endpoints[0].steady.response.record(Duration::from_millis(10));
    let (rules, mut result) = run.end();
    let statuses = |result: &RunResult| {
        let checks = judge(&rules, result, None).checks.into_iter();
        checks.map(|check| (check.status, check.because)).collect::<Vec<_>>()
    };
    let told = Because::TimedOut { timed_out: 1_000, failed: 0 };
    assert_eq!(statuses(&result), [(CheckStatus::Undecided, Some(told)), (CheckStatus::Pass, None)]);
    for series in &mut result.windows {
        series.tells_unanswered = false;
        series.points.iter_mut().for_each(|point| point.unanswered = None);
    }
    let told = Because::UnansweredNotStored { unanswered: 2_800 };
    assert_eq!(statuses(&result), [(CheckStatus::Undecided, Some(told)), (CheckStatus::Pass, None)]);
    // Where all were answered, there is nothing to tell.
    let mut run = Run::over(vec![every(10, objective(P95, 1e3))]);
    run.steady(|_, it| succeed(http(it), 100, 10.0, 10.0));
    let (rules, mut result) = run.end();
    result.windows[0].tells_unanswered = false;
    assert_eq!(judge(&rules, &result, None).checks[0].status, CheckStatus::Pass);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn another_limit_never_makes_a_pass_of_what_too_few_requests_leave_open(
        n in 1_u64..400, slow in 0.0..0.2_f64, measured in 1.0..300.0_f64, again in 1.0..300.0_f64,
    ) {
        let slow = (n as f64 * slow) as u64;
        let fill = |_: u64, recording: &mut Recording| {
            succeed(http(recording), n - slow, 10.0, 50.0);
            succeed(http(recording), slow, 100.0, 250.0);
        };
        let stored = |limit| {
            let mut run = Run::over(vec![every(7, objective(P95, limit))]);
            run.steady(fill);
            run.end().1
        };
        let there = check_of(every(7, objective(P95, again)), &stored(measured)).status;
        let here = check_of(every(7, objective(P95, again)), &stored(again)).status;
        prop_assert!(there == here || (there == CheckStatus::Undecided && here == CheckStatus::Fail));
    }
}
