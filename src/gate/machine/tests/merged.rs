//! What is known of endpoints that are counted together in several points.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever an endpoint did in which of the seconds, and wherever they are counted together.
    #[test]
    fn counting_endpoints_of_several_points_together_never_excuses_more(
        seconds in prop::collection::vec((0_u64..3, 0_u64..4, 0_u64..3, 0_u64..4, 0_usize..4), 24),
        together in prop::collection::vec(1_usize..6, 24),
        ratio in 1.0_f64..4.0,
        from_s in 0.0_f64..20.0,
    ) {
        let machines = [(0.0, 0.6), (0.12, 0.5), (0.3, 0.3), (0.9, 0.0)];
        let of_seconds: Vec<_> =
            seconds.iter().map(|it| machines[it.4]).map(|(others, idle)| point(Some(others), idle)).collect();
        let mut apart = run(&of_seconds);
        let like = small().series[1].endpoints["GET /health"].clone();
        for (second, (ok, failed, others_ok, others_failed, _)) in apart.series.iter_mut().zip(&seconds) {
            (second.ok, second.failed) = (ok + others_ok, failed + others_failed);
            second.timed_out = second.failed;
            second.endpoints.clear();
            for (name, ok, failed) in [("GET /a", ok, failed), ("GET /b", others_ok, others_failed)] {
                let it = EndpointPoint { ok: *ok, failed: *failed, timed_out: *failed, ..like.clone() };
                second.endpoints.extend((ok + failed > 0).then(|| (name.to_owned(), it)));
            }
        }
        let mut merged = apart.clone();
        let mut at = 0;
        for length in together {
            let end = (at + length).min(merged.series.len());
            let Some((first, next)) = merged.series[at..end].split_first_mut() else { break };
            first.endpoints_of_next = next.len() as u64;
            for (name, it) in next.iter_mut().flat_map(|point| std::mem::take(&mut point.endpoints)) {
                let sum = first.endpoints.entry(name).or_insert(EndpointPoint { ok: 0, failed: 0, timed_out: 0, ..like.clone() });
                (sum.ok, sum.failed, sum.timed_out) = (sum.ok + it.ok, sum.failed + it.failed, sum.timed_out + it.timed_out);
            }
            at = end;
        }
        let [apart, merged] = [&apart, &merged].map(Excuses::of);
        let by = steady().by(Some("GET /a"));
        for made in [by, by.between(from_s, from_s + 3.0)] {
            for metric in [P50, P95, Metric::Max, Metric::Mean, Metric::Throughput] {
                let explained = [&merged, &apart].map(|it| it.explains(made, metric, ratio).is_some());
                prop_assert!(explained != [true, false], "{metric:?} {made:?}");
            }
            let count = seconds.iter().map(|it| it.1).sum();
            let among: Failed = [("timeout".to_owned(), count)].into();
            let late = TooMany { count, among: &among, late: &LATE };
            for most in 0..count {
                let explained =
                    [&merged, &apart].map(|it| it.explains_failures(made, late, |left| left <= most).is_some());
                prop_assert!(explained != [true, false], "{most} of {count} {made:?}");
            }
        }
    }
}
