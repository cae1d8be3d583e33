//! Custom metrics, and everything else that a threshold can name.

use super::*;
use crate::result::endpoint::CustomMetric;
use crate::result::verdict::CheckScope;

const CUSTOM: [&str; 2] = ["message", "checkout"];

/// A run of six endpoints, with a custom metric of 1,000 messages and one of 500 groups, each times its factor.
pub fn recorded(message: f64, checkout: f64) -> RunResult {
    custom_run([1.0; 6], [message, checkout])
}

fn custom_run(factors: [f64; 6], [message, checkout]: [f64; 2]) -> RunResult {
    let mut recording = Recording::new(NAMES.len(), CUSTOM.len(), 1);
    for (endpoint, factor) in recording.endpoints.iter_mut().zip(factors) {
        succeed(&mut endpoint.steady, 1_000, 10.0 * factor, 110.0 * factor);
    }
    record(&mut recording.metrics[0].steady, 1_000, 1.0 * message, 2.0 * message);
    record(&mut recording.metrics[1].steady, 500, 60.0 * checkout, 160.0 * checkout);
    let mut plan = plan(&NAMES);
    plan.metrics = CUSTOM.map(Into::into).into();
    summarise(&plan, &run(recording), context())
}

fn quiet() -> Baseline {
    let results: Vec<_> =
        QUIET.iter().map(|ratio| custom_run([1.0 + ratio; 6], [1.0 - ratio, 1.0 + ratio])).collect();
    Baseline { runs: remembered(&results, None), ..Baseline::default() }
}

#[test]
fn a_message_twenty_times_slower_and_a_group_half_as_slow_again_are_regressions() {
    let baseline = quiet();
    let same = verdict(&rules(), &recorded(1.0, 1.0), &baseline);
    assert_eq!((same.status, same.exit_status), (Status::Passed, 0), "{:?}", same.deltas);
    // p50 and p95 of six endpoints and two custom metrics, the error rate of all and of each endpoint
    let comparison = same.comparison.unwrap();
    assert_eq!((comparison.checks, comparison.not_compared), (2 * 8 + 1 + 6, 0));

    let slow = verdict(&rules(), &recorded(20.0, 1.0), &baseline);
    assert_eq!((slow.status, slow.exit_status), (Status::Failed, 4));
    assert_eq!(worse(&slow), [("message", "p50"), ("message", "p95")]);
    let found = delta(&slow, P50, Some("message"));
    assert_eq!(found.scope, CheckScope::Metric);
    assert!((found.change.unwrap() - 19.0).abs() < 0.5, "{found:?}");

    let group = verdict(&rules(), &recorded(1.0, 1.5), &baseline);
    assert_eq!(group.exit_status, 4);
    assert_eq!(worse(&group), [("checkout", "p50"), ("checkout", "p95")]);
}

#[test]
fn a_custom_metric_that_always_failed_was_asked_for() {
    let because = |change: fn(&mut CustomMetric), elsewhere: u64| {
        let mut result = recorded(1.0, 1.0);
        let checkout = result.metrics.iter_mut().find(|it| it.name == "checkout").unwrap();
        (checkout.ok, checkout.response_time) = (0, None);
        change(checkout);
        let failed = CustomMetric { failed: elsewhere, ..checkout.clone() };
        result.whole_run.metrics = (elsewhere > 0).then_some(failed).into_iter().collect();
        let judged = verdict(&rules(), &result, &quiet());
        let found = delta(&judged, P50, Some("checkout"));
        assert_eq!((found.status, judged.exit_status), (DeltaStatus::Invalid, 6));
        found.because
    };
    assert_eq!(because(|it| it.failed = 500, 0), Some(Because::NoSample));
    assert_eq!(because(|_| (), 3), Some(Because::NoSample), "in the ramp");
    assert_eq!(because(|_| (), 0), Some(Because::NeverHit));
}

#[test]
fn what_earlier_versions_did_not_remember_is_told_and_fails_nothing() {
    let mut old = quiet();
    for run in old.runs.values_mut() {
        run.custom_metrics.clear();
        run.metrics.values_mut().for_each(|numbers| numbers.whole_run = None);
    }
    let all = with(|rules| rules.on_inconclusive = Policy::Fail);
    let judged = verdict(&all, &recorded(20.0, 1.0), &old);
    assert_eq!((judged.status, judged.exit_status), (Status::Passed, 0));
    let message = delta(&judged, P50, Some("message"));
    assert_eq!((message.status, message.because), (DeltaStatus::NotComparable, Some(Because::NotRemembered)));
    assert!(message.left_out && !message.gated);
    let comparison = judged.comparison.unwrap();
    assert_eq!((comparison.checks, comparison.not_compared), (13, 2 * 2 + 6));
    // As soon as enough new runs say it, it is compared.
    let mut both = old;
    for (index, run) in quiet().runs.into_values().enumerate() {
        both.runs.insert(format!("run-new-{index}"), run);
    }
    assert_eq!(verdict(&all, &recorded(20.0, 1.0), &both).exit_status, 4);
}

#[test]
fn a_custom_metric_that_is_not_recorded_any_more_is_invalid() {
    let mut gone = recorded(1.0, 1.0);
    gone.metrics[0].response_time = None;
    let failing = verdict(&rules(), &gone, &quiet());
    assert_eq!((failing.status, failing.exit_status), (Status::Invalid, 6));
    assert_eq!(delta(&failing, P95, Some("message")).because, Some(Because::NoSample));
    gone.metrics[0].ok = 0;
    let never = verdict(&rules(), &gone, &quiet());
    assert_eq!(delta(&never, P95, Some("message")).because, Some(Because::NeverHit));
}

#[test]
fn what_is_named_is_compared_and_a_maximum_only_then() {
    let slow = recorded(1.0, 1.5);
    let plain = verdict(&rules(), &slow, &quiet());
    assert!(plain.deltas.iter().all(|it| it.metric != "max" && it.metric != "mean" && it.metric != "p75"));
    for name in ["p75", "p90", "mean", "max"] {
        let gate = with(|rules| rules.gate_on = vec![Metric::named(name).unwrap()]);
        let found = verdict(&gate, &slow, &quiet());
        assert_eq!((found.exit_status, worse(&found)), (4, vec![("checkout", name)]), "{name}");
    }
    // 1,000 samples are too few for p99.9, and nothing here is a WebSocket: then nothing decides.
    for (name, because) in
        [("p999", Because::TooFew { needed: 10_000 }), ("connect_p95", Because::NotMeasured)]
    {
        let gate = with(|rules| {
            rules.gate_on = vec![Metric::named(name).unwrap()];
            rules.on_missing = Policy::Fail;
        });
        let nothing = verdict(&gate, &slow, &quiet());
        assert_eq!((nothing.status, nothing.exit_status), (Status::Inconclusive, 5), "{name}");
        assert_eq!(nothing.reasons, [Reason::NothingCompared]);
        assert!(nothing.deltas.iter().any(|it| it.left_out && it.because == Some(because)), "{name}");
    }
}

#[test]
fn one_endpoint_that_fails_is_found_where_all_requests_hide_it() {
    let failing = |failures: u64| {
        let mut recording = Recording::new(NAMES.len(), 1, 1);
        for (index, endpoint) in recording.endpoints.iter_mut().enumerate() {
            let n = if index == 0 { 40 } else { 4_000 };
            succeed(&mut endpoint.steady, n, 10.0, 110.0);
        }
        fail(&mut recording.endpoints[0].steady, FailureKind::Status, failures, 2);
        let mut result = summarise(&plan(&NAMES), &run(recording), context());
        // One failure in every second of thirty: no clump.
        result.series.iter_mut().for_each(|point| {
            point.failed = 0;
            point.endpoints.values_mut().for_each(|point| point.failed = 0);
        });
        result
    };
    let results: Vec<_> = (0..5).map(|_| failing(0)).collect();
    let baseline = Baseline { runs: remembered(&results, None), ..Baseline::default() };
    let found = verdict(&rules(), &failing(40), &baseline);
    assert_eq!((found.exit_status, worse(&found)), (4, vec![("GET /a", "error_rate")]));
    // 40 of 20,080 requests are 0.2 %: within what is tolerated of all of them.
    assert_eq!(delta(&found, Metric::ErrorRate, None).status, DeltaStatus::Pass);
    // Without a rise, 40 requests cannot rule one out: that is said, and is not a pass of this number.
    let same = verdict(&rules(), &failing(0), &baseline);
    assert_eq!(same.status, Status::Passed);
    let few = delta(&same, Metric::ErrorRate, Some("GET /a"));
    assert!(few.left_out && matches!(few.because, Some(Because::AboveCatch { .. })), "{few:?}");
    assert_eq!(delta(&same, Metric::ErrorRate, Some("GET /b")).status, DeltaStatus::Pass);
}

#[test]
fn sockets_are_compared_by_their_connects_and_by_what_they_miss() {
    let sockets = |factor: f64, missing: u64, closes: u64| {
        let names = ["WS /ws", "GET /a"];
        let mut recording = Recording::new(names.len(), 1, 1);
        for endpoint in &mut recording.endpoints {
            succeed(&mut endpoint.steady, 1_000, 10.0 * factor, 110.0 * factor);
        }
        let socket = &mut recording.endpoints[0].steady;
        (socket.messages_in, socket.missing_messages, socket.unexpected_closes) = (5_000, missing, closes);
        summarise(&plan(&names), &run(recording), context())
    };
    let results: Vec<_> = QUIET.iter().map(|ratio| sockets(1.0 + ratio, 0, 0)).collect();
    let baseline = Baseline { runs: remembered(&results, None), ..Baseline::default() };
    let gate = with(|rules| {
        rules.gate_on = ["connect_p95", "missing_messages", "unexpected_closes"]
            .map(|name| Metric::named(name).unwrap())
            .into();
    });
    let judged = |factor, missing, closes| verdict(&gate, &sockets(factor, missing, closes), &baseline);
    assert_eq!(judged(1.0, 0, 0).status, Status::Passed);
    assert_eq!(worse(&judged(1.5, 0, 0)), [("WS /ws", "connect_p95")]);
    assert_eq!(worse(&judged(1.0, 100, 0)), [("all", "missing_messages")], "100 of 5,100 are 2 %");
    assert_eq!(worse(&judged(1.0, 0, 30)), [("all", "unexpected_closes")], "30 of 1,000 are 3 %");
    let found = judged(1.0, 0, 30);
    let closes = delta(&found, Metric::UnexpectedCloses, None);
    assert!((closes.head.unwrap() - 0.03).abs() < 1e-9, "{closes:?}");
}

#[test]
fn a_second_job_looks_at_a_custom_metric_by_its_kind() {
    let required = with(|rules| rules.confirmation = Confirmation::Required);
    let mut first = recorded(1.0, 1.5);
    first.verdict = Some(verdict(&required, &first, &quiet()));
    let confirms = crate::result::schema::Confirms::of(&first).unwrap();
    assert!(confirms.flagged(P50, CheckScope::Metric, Some("checkout")));
    assert!(!confirms.flagged(P50, CheckScope::Endpoint, Some("checkout")));
    let second = RunResult { confirms: Some(confirms), ..recorded(1.0, 1.5) };
    assert_eq!(verdict(&required, &second, &quiet()).exit_status, 4);
}

/// Every way in which nothing is compared, by what the two policies make of it.
#[test]
fn a_gate_that_is_silently_off_can_be_made_to_fail() {
    use ComparisonState::{Building, Compared, Missing, NothingCompared, OtherPlan, Partial};
    let one = || recorded(1.0, 1.0);
    let changed = |change: fn(&mut Run)| {
        let mut baseline = quiet();
        baseline.runs.values_mut().for_each(change);
        baseline
    };
    let unknown = Baseline { unknown: vec!["run-9".into()], ..Baseline::default() };
    let few = Baseline { runs: quiet().runs.into_iter().take(2).collect(), ..Baseline::default() };
    let rare = changed(|run| {
        run.custom_metrics.clear();
        run.metrics.values_mut().for_each(|numbers| numbers.n = 10);
    });
    let mut half = one();
    half.salvaged = Some(crate::result::salvage::Salvaged::default());
    let scarce = {
        let mut result = one();
        result.endpoints.iter_mut().filter_map(|it| it.response_time.as_mut()).for_each(|times| times.n = 10);
        result.metrics.clear();
        result
    };
    let only_times = vec![P50, P95];
    // What there is, its state, and the exit status by default, with `on_missing: fail`, with
    // `on_inconclusive: fail`.
    let table = vec![
        ("compared", one(), quiet(), Compared, [0, 0, 0]),
        ("no folder", one(), Baseline::default(), Missing, [0, 5, 0]),
        ("a later version's files", one(), unknown, Missing, [0, 5, 0]),
        ("another plan", one(), changed(|run| run.plan_digest = "x".into()), OtherPlan, [0, 5, 0]),
        ("other machines", one(), changed(|run| run.cpu_class = "x".into()), Building, [0, 5, 5]),
        ("too few runs", one(), few, Building, [0, 5, 5]),
        ("too few requests", scarce, rare, NothingCompared, [0, 5, 5]),
        ("half a file", half, quiet(), Partial, [0, 5, 5]),
    ];
    for (what, result, baseline, state_of, exits) in table {
        let gate = |change: fn(&mut BaselineRules)| {
            with(|rules| {
                rules.gate_on = only_times.clone();
                change(rules);
            })
        };
        let policies = [
            gate(|_| {}),
            gate(|rules| rules.on_missing = Policy::Fail),
            gate(|rules| rules.on_inconclusive = Policy::Fail),
        ];
        for (rules, exit_status) in policies.iter().zip(exits) {
            let verdict = verdict(rules, &result, &baseline);
            assert_eq!((verdict.exit_status, state(&verdict)), (exit_status, state_of), "{what}");
            assert_eq!(verdict.status == Status::Passed, state_of == Compared, "{what}");
        }
    }
}
