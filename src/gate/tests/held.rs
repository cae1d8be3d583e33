//! Sockets that opened in the ramp and are held through the steady phase: what there is to judge is messages.

use super::*;
use crate::plan::rules::Over;

/// 100 sockets that opened in the ramp, and what moved over them in the steady phase.
fn held(talk: impl FnOnce(&mut Recording)) -> RunResult {
    let mut recording = Recording::new(1, 1, 1);
    succeed(&mut recording.endpoints[0].rest, 100, 1.0, 6.0);
    talk(&mut recording);
    summarise(&plan(&["WS /feed"]), &run(recording), context())
}

#[test]
fn messages_on_sockets_that_opened_in_the_ramp_are_something_to_judge() {
    let judged = |talk: fn(&mut Recording)| judge(&rules(vec![total(Metric::ErrorRate, 0.05)]), &held(talk));
    for talk in [
        |it: &mut Recording| it.endpoints[0].steady.messages_in = 1,
        |it: &mut Recording| it.endpoints[0].steady.pongs = 1,
        |it: &mut Recording| it.metrics[0].steady.ok = 1,
        // One missing message among thousands.
        |it: &mut Recording| {
            it.endpoints[0].steady.messages_in = 9_000;
            fail(&mut it.endpoints[0].steady, FailureKind::MissingMessage, 1, 1);
        },
    ] {
        assert_eq!(judged(talk).findings, []);
        assert_eq!((judged(talk).status, judged(talk).exit_status), (Status::Passed, 0));
    }
}

#[test]
fn sockets_over_which_nothing_comes_are_no_pass() {
    let judged = |talk: fn(&mut Recording)| judge(&Rules::default(), &held(talk));
    let silent = judged(|_| ());
    assert_eq!(silent.findings.first(), Some(&Finding::NoSteadyRequest { steady_s: 28.0 }));
    assert_eq!((silent.status, silent.exit_status), (Status::Invalid, 6));
    // Metrics that only failed are no measurement.
    let failed = judged(|it| it.metrics[0].steady.failed = 3);
    assert_eq!(failed.status, Status::Invalid);
    // What was sent is no answer.
    let unanswered = judged(|it| {
        it.endpoints[0].steady.messages_out = 300;
        fail(&mut it.endpoints[0].steady, FailureKind::MissingMessage, 300, 1);
    });
    assert_eq!(unanswered.findings.first(), Some(&Finding::NothingSucceeded { failed: 300, elsewhere: 100 }));
    assert_eq!(unanswered.status, Status::Invalid);
    let only_sent = judged(|it| it.endpoints[0].steady.messages_out = 2_800);
    assert_eq!(only_sent.findings.first(), Some(&Finding::NothingSucceeded { failed: 0, elsewhere: 100 }));
    assert_eq!((only_sent.status, only_sent.exit_status), (Status::Invalid, 6));
}

#[test]
fn messages_that_were_still_waited_for_may_never_have_come() {
    let result = held(|it| {
        it.endpoints[0].steady.messages_in = 900;
        it.endpoints[0].steady.unfinished_messages = 3;
    });
    let outcome = |metric, limit| check(of("WS /feed", metric, limit), &result);
    let open = (CheckStatus::Undecided, Some(Because::CutOff { unfinished: 3 }));
    // 3 of 103, beside 100 sockets that opened.
    for (metric, breaks, holds) in [(Metric::MissingMessages, 2.0, 3.0), (Metric::ErrorRate, 0.029, 0.03)] {
        assert_eq!(outcome(metric, breaks), open, "{metric:?}");
        assert_eq!(outcome(metric, holds), (CheckStatus::Pass, None), "{metric:?}");
    }
}

#[test]
fn a_missing_message_does_not_hide_that_sockets_opened_outside_the_steady_phase() {
    let result = held(|it| fail(&mut it.endpoints[0].steady, FailureKind::MissingMessage, 1, 1));
    let connects = of("WS /feed", Metric::Connect(Percentile::P50), 1_000.0);
    let outside = (CheckStatus::Invalid, Some(Because::OutsideSteady { ended: 100 }));
    assert_eq!(check(connects.clone(), &result), outside);
    let whole_run = Objective { over: Over::WholeRun, ..connects };
    assert_eq!(check(whole_run, &result).0, CheckStatus::Pass);
}
