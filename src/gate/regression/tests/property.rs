//! What holds for any run and any past.

use proptest::prelude::*;

use super::custom::recorded;
use super::*;

/// Six endpoints and two custom metrics.
const ALL: usize = 8;

/// The same run with other times, for those who need many.
fn scaled(run: &RunResult, factors: [f64; ALL]) -> RunResult {
    let mut run = run.clone();
    let endpoints = run.endpoints.iter_mut().map(|endpoint| &mut endpoint.response_time);
    let all = endpoints.chain(run.metrics.iter_mut().map(|metric| &mut metric.response_time));
    for (times, factor) in all.zip(factors) {
        if let Some(times) = times {
            for time in [&mut times.p50_ms, &mut times.p95_ms, &mut times.p99_ms] {
                *time *= factor;
            }
        }
    }
    run
}

/// Any run: some endpoints, of any count and any times, and failures.
fn any_run() -> impl Strategy<Value = RunResult> {
    let endpoint = (0_u64..1_500, 0.001..50.0_f64, 0.0..2_000.0_f64, 0_u64..200);
    let custom = (0_u64..1_500, 0.0..50.0_f64);
    (prop::collection::vec(endpoint, 1..7), custom, any::<bool>()).prop_map(
        |(endpoints, custom, saturating)| {
            let mut recording = Recording::new(endpoints.len(), 1, 1);
            record(&mut recording.metrics[0].steady, custom.0, custom.1, 2.0 * custom.1);
            for (split, (n, from, more, failures)) in recording.endpoints.iter_mut().zip(&endpoints) {
                succeed(&mut split.steady, *n, *from, from + more);
                fail(&mut split.steady, FailureKind::Timeout, failures / 3, 30_000);
                fail(&mut split.rest, FailureKind::Status, *failures, 2);
            }
            let mut result = summarise(&plan(&NAMES[..endpoints.len()]), &run(recording), context());
            result.load.saturating = saturating;
            result
        },
    )
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let metrics = prop::sample::subsequence(Metric::ALL.to_vec(), 1..=6);
    (metrics, 0.0..0.5_f64, 0.5..0.999_f64, 0_u64..1_000).prop_map(|(gate_on, budget, confidence, micros)| {
        with(|rules| {
            rules.budget = gate_on.iter().map(|metric| (*metric, Ratio(budget))).collect();
            rules.gate_on = gate_on;
            rules.confidence = Ratio(confidence);
            rules.min_change = Duration::from_micros(micros);
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_run_beside_itself_never_fails(result in any_run(), rules in any_rules(), n in 1_usize..25) {
        let baseline = Baseline { runs: remembered(&vec![result.clone(); n], None), ..Baseline::default() };
        let verdict = verdict(&rules, &result, &baseline);
        prop_assert!(!verdict.reasons.contains(&Reason::Regression), "{:?}", verdict.deltas);
        prop_assert!(!matches!(verdict.exit_status, 3..=5), "{:?}", verdict.reasons);
    }

    /// Every deviation of the past from its centre grows; the centre stays.
    #[test]
    fn more_noise_never_turns_inconclusive_into_pass(
        deviations in prop::collection::vec(prop::collection::vec(-0.2..0.2_f64, ALL), 5..16),
        more in 1.0..4.0_f64,
        head in prop::collection::vec(-0.1..0.3_f64, ALL),
    ) {
        let deviations: Vec<[f64; ALL]> =
            deviations.iter().map(|run| std::array::from_fn(|index| run[index])).collect();
        let centre: [f64; ALL] = std::array::from_fn(|index| {
            let column: Vec<f64> = deviations.iter().map(|run| run[index]).collect();
            crate::stats::quantile::median(&column).unwrap()
        });
        let plain = recorded(1.0, 1.0);
        let spread = |scale: f64| {
            let deviation = |run: &[f64; ALL], index: usize| ((run[index] - centre[index]) * scale).exp();
            let result = |run: &[f64; ALL]| scaled(&plain, std::array::from_fn(|index| deviation(run, index)));
            let results: Vec<_> = deviations.iter().map(result).collect();
            Baseline { runs: remembered(&results, None), ..Baseline::default() }
        };
        let head = scaled(&plain, std::array::from_fn(|index| head[index].exp()));
        let (quiet, loud) = (verdict(&rules(), &head, &spread(1.0)), verdict(&rules(), &head, &spread(more)));
        if quiet.status == Status::Inconclusive {
            prop_assert_ne!(loud.status, Status::Passed);
        }
    }

    /// The slowest of an endpoint are not answered any more, in whatever way. It has a few more requests than a p95
    /// needs, or a few less.
    #[test]
    fn a_request_without_an_answer_never_makes_a_pass(
        factor in 0.9..2.2_f64,
        usual in 150_u64..400,
        lost in 0_u64..60,
        timeout_ms in 1_u64..300,
        how in 0..5_usize,
    ) {
        let head = |lost: u64| {
            let mut result = missing::second(|recording| {
                let tally = &mut recording.endpoints[1].steady;
                let (from, to, left) = (10.0 * factor, 110.0 * factor, usual - lost);
                succeed(tally, left, from, from + (to - from) * left as f64 / usual as f64);
                match how {
                    0 => fail(tally, FailureKind::Timeout, lost, timeout_ms),
                    1 => fail(tally, FailureKind::Status, lost, 1),
                    2 => fail(tally, FailureKind::Dropped, lost, 0),
                    3 => {
                        cut_off(tally, lost, timeout_ms);
                        recording.unfinished = lost;
                    }
                    _ => tally.not_started = lost,
                }
            });
            // In one second, as after a restart.
            result.series.iter_mut().for_each(|point| point.failed = 0);
            let clump = if matches!(how, 0..3) { lost } else { 0 };
            missing::failing(result, &std::array::from_fn::<u64, 28, _>(|second| if second == 9 { clump } else { 0 }))
        };
        let heads = [0, lost].map(head);
        let baseline = missing::past_of_counts(&[usual; 5]);
        let only = |metrics: &[Metric]| with(|rules| rules.gate_on = metrics.to_vec());
        for rules in [only(&[P95]), only(&[P50, P95]), rules()] {
            let [before, after] = heads.each_ref().map(|head| verdict(&rules, head, &baseline).status);
            prop_assert!(before == Status::Passed || after != Status::Passed, "{before:?} {after:?}");
        }
    }

    /// More failures never hide those that there are: neither how they clump, nor how few requests are left.
    #[test]
    fn more_failures_never_make_a_pass(
        spread in 0_u64..28,
        clump in 0_u64..120,
        n in 300_u64..2_000,
    ) {
        let head = |clump: u64| {
            let per_second: [u64; 28] =
                std::array::from_fn(|at| u64::from((at as u64) < spread) + if at == 9 { clump } else { 0 });
            let mut result = missing::of_count(200, 1.0);
            let counts = &mut result.whole_run.endpoints[1];
            counts.ok = n.saturating_sub(spread + clump);
            counts.failed = [("status".to_owned(), spread + clump)].into();
            missing::failing(result, &per_second)
        };
        let heads = [head(0), head(clump)];
        let mut base = missing::failing(missing::of_count(200, 1.0), &[0; 28]);
        base.whole_run.endpoints[1].ok = n;
        let baseline = Baseline { runs: remembered(&vec![base; 5], None), ..Baseline::default() };
        let rules = with(|rules| rules.gate_on = vec![P50, Metric::ErrorRate]);
        let [before, after] = heads.each_ref().map(|head| verdict(&rules, head, &baseline).status);
        prop_assert!(before == Status::Passed || after != Status::Passed, "{before:?} {after:?}");
    }

    /// Users who wait for a slower service make fewer requests.
    #[test]
    fn a_slower_service_never_passes_by_fewer_requests(
        factor in 1.6..3.0_f64,
        usual in 200_u64..400,
        share in 0.02..1.0_f64,
    ) {
        let head = missing::of_count((usual as f64 * share) as u64, factor);
        let baseline = missing::past_of_counts(&[usual; 5]);
        for gate_on in [vec![P95], vec![P50, P95]] {
            let verdict = verdict(&with(|rules| rules.gate_on = gate_on), &head, &baseline);
            prop_assert_ne!(verdict.status, Status::Passed);
        }
    }
}
