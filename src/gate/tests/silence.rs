//! A service that stopped answering, and what only looks like it.

use super::*;
use crate::result::endpoint::{Endpoint, Failed, Kind, Times};
use crate::result::schema::{EndpointPoint, Point};

/// 20 users whose requests take 40 ms: 500 a second, 30 s, of which the first two are the ramp. `ok` and `failed` of
/// each second.
pub fn over_time(each: impl Fn(u64) -> (u64, u64), unfinished: u64, in_flight_ms: u64) -> RunResult {
    let mut recording = Recording::new(1, 1, 1);
    let sum = |pick: fn((u64, u64)) -> u64| (2..30).map(|second| pick(each(second))).sum::<u64>();
    let tally = &mut recording.endpoints[0].steady;
    succeed(tally, sum(|(ok, _)| ok), 30.0, 50.0);
    fail(tally, FailureKind::Timeout, sum(|(_, failed)| failed), 5_000);
    cut_off(tally, unfinished, in_flight_ms);
    recording.unfinished = unfinished;
    let mut result = summarise(&plan(&["GET /a"]), &run(recording), context());
    let (ramp, like) = (result.series[0].clone(), result.series[1].clone());
    let second = |second: u64| {
        let (ok, failed) = each(second);
        let mut point = Point { t_s: second as f64, ok, failed, ..like.clone() };
        point.endpoints.values_mut().for_each(|it| (it.ok, it.failed) = (ok, failed));
        point
    };
    result.series = [ramp].into_iter().chain((2..30).map(second)).collect();
    result
}

fn silence_of(result: &RunResult) -> Option<(u64, u64)> {
    judge(&Rules::default(), result).findings.into_iter().find_map(|finding| match finding {
        Finding::NoAnswer { t_s, length_s, .. } => Some((t_s as u64, length_s as u64)),
        _ => None,
    })
}

#[test]
fn a_service_that_hangs_until_the_end_never_passes() {
    // It hangs at 10 s after 4,000 answers. All 20 users wait until the end of the drain: 25 s.
    let hung = over_time(|second| if second < 10 { (500, 0) } else { (0, 0) }, 20, 25_000);
    assert_eq!(silence_of(&hung), Some((10, 25)));
    // 20 of 4,020 are 0.5 %.
    let objectives = || vec![total(P95, 1_000.0), total(Metric::ErrorRate, 0.01)];
    let verdict = judge(&rules(objectives()), &hung);
    assert!(verdict.checks.iter().all(|check| check.status == CheckStatus::Pass), "{:?}", verdict.checks);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6));
    // An objective that it breaks says more.
    let verdict = judge(&rules(vec![total(Metric::Max, 1_000.0)]), &hung);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Failed, 3));
    // It hangs two seconds before the end.
    let late = over_time(|second| if second < 28 { (500, 0) } else { (0, 0) }, 20, 7_000);
    assert_eq!(silence_of(&late), Some((28, 7)));
    // In a result of an earlier version nothing says how long they were in flight, and twenty seconds were silent.
    let mut earlier = over_time(|second| if second < 10 { (500, 0) } else { (0, 0) }, 0, 1);
    earlier.whole_run.unfinished = 20;
    assert_eq!(silence_of(&earlier), Some((10, 20)));
}

#[test]
fn a_service_that_answered_nothing_for_a_while_is_told_whatever_came_after() {
    // For eight seconds the 20 users wait; then they time out, or are answered.
    let frozen = |failed: u64| {
        move |second: u64| match second {
            10..18 if second % 4 == 1 => (0, failed),
            10..18 => (0, 0),
            _ => (500, 0),
        }
    };
    assert_eq!(silence_of(&over_time(frozen(20), 0, 1)), Some((10, 8)));
    assert_eq!(silence_of(&over_time(frozen(0), 0, 1)), None, "nobody asked");
    let mut answered = over_time(frozen(0), 0, 1);
    answered.totals.response_time.as_mut().unwrap().max_ms = 8_000.0;
    let told = |result: &RunResult| super::super::validity::findings(result).len();
    assert_eq!(told(&answered), 1);
    // A fifth of 28 s is 5.6 s.
    let short = |second: u64| if (10..15).contains(&second) { (0, 20) } else { (500, 0) };
    assert_eq!(silence_of(&over_time(short, 0, 1)), None);
}

/// The same run, in which a health check of another user goes on once a second.
pub fn beside_a_health_check(mut result: RunResult) -> RunResult {
    let answer = Times { n: 28, p50_ms: 1.0, max_ms: 2.0, ..result.totals.response_time.clone().unwrap() };
    let health = Endpoint {
        name: "GET /health".into(),
        ok: 28,
        failed: Failed::default(),
        response_time: Some(answer),
        failed_response_time: None,
        unfinished_time: None,
        ..result.endpoints[0].clone()
    };
    result.endpoints.push(health);
    for point in &mut result.series {
        let health = EndpointPoint { ok: 1, failed: 0, ..point.endpoints["GET /a"].clone() };
        point.ok += 1;
        point.endpoints.insert("GET /health".into(), health);
    }
    result
}

#[test]
fn an_endpoint_that_stops_answering_is_told_whatever_others_answer() {
    let hung = over_time(|second| if second < 10 { (500, 0) } else { (0, 0) }, 20, 25_000);
    let told = |result: &RunResult| {
        super::super::silence::longest(result).map(|finding| match finding {
            Finding::NoAnswer { endpoint, t_s, length_s, .. } => (endpoint, t_s as u64, length_s as u64),
            _ => panic!("{finding:?}"),
        })
    };
    // A single answer per second is next to none of 500.
    assert_eq!(told(&beside_a_health_check(hung)), Some((None, 10, 25)));
    let mut rarely = over_time(|second| if second < 10 { (40, 0) } else { (0, 0) }, 2, 25_000);
    rarely = beside_a_health_check(rarely);
    assert_eq!(told(&rarely), Some((Some("GET /a".into()), 10, 25)));
    let verdict = judge(&rules(vec![total(P95, 1_000.0)]), &rarely);
    assert_eq!((verdict.status, verdict.exit_status), (Status::Invalid, 6));
    assert_eq!(told(&beside_a_health_check(over_time(|_| (40, 0), 2, 5_300))), None);
    // An endpoint of which no more was asked.
    assert_eq!(
        told(&beside_a_health_check(over_time(|it| if it < 10 { (40, 0) } else { (0, 0) }, 0, 1))),
        None
    );
}

/// The same run with so many endpoints that those of four seconds are counted together.
fn counted_together(mut result: RunResult) -> RunResult {
    // The drain, and the first second of the steady phase, stay as they are.
    for four in result.series[1..].chunks_mut(4) {
        let (first, next) = four.split_first_mut().unwrap();
        first.endpoints_of_next = next.len() as u64;
        for later in next {
            for (name, of) in std::mem::take(&mut later.endpoints) {
                let sum = first.endpoints.entry(name).or_insert(EndpointPoint { ok: 0, failed: 0, ..of });
                (sum.ok, sum.failed) = (sum.ok + of.ok, sum.failed + of.failed);
            }
        }
    }
    result
}

#[test]
fn of_very_many_endpoints_a_silence_of_the_service_is_told_by_the_second() {
    // From 11 s on, which is in the middle of four seconds.
    let hung = over_time(|second| if second < 11 { (500, 0) } else { (0, 0) }, 20, 25_000);
    assert_eq!(silence_of(&counted_together(hung)), Some((11, 25)));
    let frozen = |second: u64| if (11..19).contains(&second) { (0, 20) } else { (500, 0) };
    assert_eq!(silence_of(&counted_together(over_time(frozen, 0, 1))), Some((11, 8)));
    // One endpoint by what is known of it: nothing from 14 s on, which is where four seconds begin.
    let of_one = |silent_from: u64| {
        let run = over_time(|second| if second < silent_from { (40, 0) } else { (0, 0) }, 2, 25_000);
        super::super::silence::longest(&counted_together(beside_a_health_check(run)))
    };
    let at = |finding| match finding {
        Some(Finding::NoAnswer { endpoint: Some(_), t_s, .. }) => Some(t_s as u64),
        _ => None,
    };
    assert_eq!([10, 13].map(|from| at(of_one(from))), [Some(10), Some(14)]);
    // What goes on is not silent because its numbers are in another second.
    assert_eq!(silence_of(&counted_together(beside_a_health_check(over_time(|_| (40, 0), 2, 5_300)))), None);
}

#[test]
fn what_fails_on_sockets_hides_no_silence_and_is_none() {
    // Nothing is answered from 10 to 18 s, in which 20 requests fail every four seconds.
    let frozen = |failed: u64| {
        over_time(
            move |second| match second {
                10..18 if second % 4 == 1 => (0, failed),
                10..18 => (0, 0),
                _ => (500, 0),
            },
            0,
            1,
        )
    };
    let beside_a_socket = |mut result: RunResult| {
        let name = "WS /ws".to_owned();
        let socket = Endpoint { name: name.clone(), kind: Kind::Websocket, ..result.endpoints[0].clone() };
        let mut counts = result.whole_run.endpoints[0].clone();
        (counts.name, counts.failed) = (name.clone(), [("missing_message".to_owned(), 24_000)].into());
        result.endpoints.push(socket);
        result.whole_run.endpoints.push(counts);
        for point in result.series.iter_mut().filter(|point| (10.0..18.0).contains(&point.t_s)) {
            let socket = EndpointPoint { ok: 0, failed: 3_000, ..point.endpoints["GET /a"].clone() };
            point.failed += 3_000;
            point.endpoints.insert(name.clone(), socket);
        }
        result
    };
    for change in [|it| it, counted_together, |it| super::left_out::left_out(&it)] {
        assert_eq!(silence_of(&change(frozen(20))), Some((10, 8)));
        assert_eq!(silence_of(&change(beside_a_socket(frozen(20)))), Some((10, 8)));
        assert_eq!(silence_of(&change(beside_a_socket(frozen(0)))), None, "nobody asked");
    }
}

#[test]
fn an_endpoint_that_nobody_asks_for_is_not_silent() {
    let told = |change: &dyn Fn(&mut RunResult)| {
        let mut run = over_time(|it| if it < 16 { (40, 0) } else { (0, 0) }, 0, 1);
        change(&mut run);
        super::super::silence::longest(&beside_a_health_check(run))
    };
    // One of its requests took long once, in another part of the run.
    let slow = |it: &mut RunResult| it.endpoints[0].response_time.as_mut().unwrap().max_ms = 16_000.0;
    assert_eq!(told(&slow), None);
    // It took long when the silence was over.
    let after = |it: &mut RunResult| {
        let last = it.series.last_mut().unwrap();
        last.endpoints.values_mut().for_each(|it| (it.ok, it.p99_ms) = (40, Some(13_000.0)));
    };
    // So did one among thousands of fast ones, or one that was refused; or its timeouts were all in one second.
    let hidden = |it: &mut RunResult| {
        let last = it.series.last_mut().unwrap();
        let longest_ms = Some(13_500.0);
        last.endpoints
            .values_mut()
            .for_each(|it| (it.ok, it.p99_ms, it.longest_ms) = (40, Some(4.0), longest_ms));
    };
    let timed_out = |it: &mut RunResult| {
        it.series[25].endpoints.values_mut().for_each(|it| (it.failed, it.longest_ms) = (10, Some(9_000.0)));
    };
    for (change, length) in [(&after as &dyn Fn(&mut RunResult), 13), (&hidden, 13), (&timed_out, 14)] {
        let Some(Finding::NoAnswer { endpoint, t_s, length_s, .. }) = told(change) else {
            panic!("{length}")
        };
        assert_eq!((endpoint.as_deref(), t_s as u64, length_s as u64), (Some("GET /a"), 16, length));
    }
    // What was under way before the silence is no sign that it was asked in it.
    let before = |it: &mut RunResult| {
        it.series[17].endpoints.values_mut().for_each(|it| (it.failed, it.longest_ms) = (1, Some(15_000.0)));
    };
    assert_eq!(told(&before), None);
}

#[test]
fn one_request_that_hangs_beside_a_second_without_another_is_no_silence() {
    // About one a second; the last second has none by chance, and one request was cut off after 21 s.
    let rare = over_time(|second| (u64::from(second < 29), 0), 1, 21_000);
    assert_eq!(silence_of(&rare), None);
    // 20 pollers of something that comes every other second.
    let polled = over_time(|second| if second % 2 == 0 { (20, 0) } else { (0, 0) }, 20, 6_000);
    assert_eq!(silence_of(&polled), None);
}

#[test]
fn an_ordinary_run_is_not_silent() {
    // A few requests that last longer than the drain, and users go on until the end.
    assert_eq!(silence_of(&over_time(|_| (500, 0), 3, 5_300)), None);
    // Failures at the full rate are a load of their own.
    let down = |second: u64| if (10..20).contains(&second) { (0, 500) } else { (500, 0) };
    assert_eq!(silence_of(&over_time(down, 0, 1)), None);
    // All users wait for each other, ten seconds each time, and one request fails.
    let bursts = |second: u64| match second % 10 {
        2 => (100, 0),
        5 => (0, 1),
        _ => (0, 0),
    };
    assert_eq!(silence_of(&over_time(bursts, 0, 1)), None);
    // Two users whose requests take ten seconds.
    let mut slow = over_time(|second| (u64::from(second % 10 == 3), 0), 2, 9_000);
    let times = slow.totals.response_time.as_mut().unwrap();
    (times.p50_ms, times.max_ms) = (10_000.0, 10_100.0);
    assert!(!super::super::validity::findings(&slow).iter().any(|it| matches!(it, Finding::NoAnswer { .. })));
}
