//! The test cases as they look.

use proptest::prelude::*;

use super::render;
use crate::plan::rules::Confirmation;
use crate::report::terminal::tests::comparison::compared;
use crate::report::tests::judged;
use crate::result::fixture::small;
use crate::result::salvage::Salvaged;
use crate::result::schema::RunResult;
use crate::result::verdict::{CheckSeverity, Status};

/// The line of the case of the run itself, and the one after it.
fn run_case(result: &RunResult) -> String {
    let text = render(result).unwrap();
    let lines: Vec<_> = text.lines().skip_while(|line| !line.contains("name=\"the run\"")).take(2).collect();
    lines.join("\n")
}

/// How many cases, failures, errors and skipped ones the suite says that there are.
fn counts(result: &RunResult) -> [usize; 4] {
    let text = render(result).unwrap();
    let suite = text.lines().find(|line| line.contains("<testsuite ")).unwrap().to_owned();
    ["tests", "failures", "errors", "skipped"].map(|name| {
        let value = suite.split(&format!(" {name}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().parse().unwrap()
    })
}

#[test]
fn a_broken_an_invalid_and_a_held_objective() {
    insta::assert_snapshot!(render(&judged()).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="loadgate" tests="4" failures="2" errors="1" time="30.000">
      <testsuite name="build_flow on demo" skipped="0" timestamp="2026-11-24T10:15:00Z" tests="4" failures="2" errors="1" time="30.000">
        <properties>
          <property name="verdict" value="FAILED"/>
          <property name="exit_status" value="3"/>
          <property name="seed" value="42"/>
          <property name="plan_digest" value="0f1e2d"/>
          <property name="environment" value="demo"/>
        </properties>
        <testcase name="the run" classname="build_flow.demo.run" time="0.000">
          <failure message="FAILED: 1 objective is broken: p95 of POST /api/v1/builds is 3.30 s, limit 3 s"/>
        </testcase>
        <testcase name="p95 of POST /api/v1/builds" classname="build_flow.demo.objectives" time="0.000">
          <failure message="p95 of POST /api/v1/builds is 3.30 s, limit 3 s"/>
        </testcase>
        <testcase name="p95 of DELETE /api/v1/builds/{id}" classname="build_flow.demo.objectives" time="0.000">
          <error message="p95 of DELETE /api/v1/builds/{id}: it was never requested"/>
        </testcase>
        <testcase name="p95 of all requests" classname="build_flow.demo.objectives" time="0.000"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn what_says_nothing_is_never_green() {
    let verdict = judged().verdict;
    let ended = |status, exit_status| {
        let verdict = verdict.clone().map(|it| crate::result::verdict::Verdict { status, exit_status, ..it });
        RunResult { verdict, ..judged() }
    };
    let with = |status| ended(status, 0);
    assert!(run_case(&ended(Status::Inconclusive, 5)).contains("<failure"), "the job fails");
    let interrupted = RunResult { interrupted: true, ..with(Status::Passed) };
    let salvaged = RunResult { salvaged: Some(Salvaged::default()), ..with(Status::Passed) };
    for (result, state) in [
        (&small(), "<error"),
        (&with(Status::Invalid), "<error"),
        (&with(Status::Interrupted), "<error"),
        (&interrupted, "<error"),
        (&salvaged, "<error"),
        (&with(Status::Failed), "<failure"),
        (&with(Status::Inconclusive), "<skipped"),
    ] {
        let case = run_case(result);
        assert!(case.contains(state), "{state}: {case}");
    }
    let green = run_case(&with(Status::Passed));
    assert!(green.lines().next().unwrap().ends_with("/>"), "{green}");
}

#[test]
fn what_is_lost_is_left_out() {
    let missing = ["seed", "duration_s", "started_at", "environment"].map(String::from).to_vec();
    let lost = RunResult { salvaged: Some(Salvaged { missing, cut_in: None }), ..judged() };
    let text = render(&lost).unwrap();
    let suite = text.lines().find(|line| line.contains("<testsuite ")).unwrap();
    assert!(suite.contains("name=\"build_flow on an unknown environment\""), "{suite}");
    for left_out in ["timestamp=", "time=\"30", "\"seed\"", "\"environment\""] {
        assert!(
            render(&judged()).unwrap().contains(left_out) && !text.contains(left_out),
            "{left_out}: {text}"
        );
    }
}

#[test]
fn a_warning_is_skipped_and_says_so() {
    let mut result = judged();
    assert_eq!(counts(&result), [4, 2, 1, 0]);
    for check in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.checks) {
        check.severity = CheckSeverity::Warn;
    }
    // The run itself still failed, as its verdict says.
    assert_eq!(counts(&result), [4, 1, 0, 2]);
    let text = render(&result).unwrap();
    assert!(text.contains("<skipped message=\"broken, and only a warning: p95 of POST"), "{text}");
}

#[test]
fn what_got_worse_is_a_failure_beside_the_numbers_that_did_not() {
    let worse = compared(Confirmation::Off, &[-0.3, -0.31, -0.29, -0.32, -0.28]);
    // The run, one objective, three numbers: the run and two numbers fail.
    assert_eq!(counts(&worse), [5, 3, 0, 0]);
    assert!(
        render(&worse)
            .unwrap()
            .contains("<failure message=\"p50 of GET /health is 60.0 ms, +42.8 % on 42.0 ms")
    );
    // Too few runs: the two times are not compared, and nothing is green that was not looked at.
    let building = compared(Confirmation::Off, &[0.0]);
    let [cases, failures, errors, skipped] = counts(&building);
    assert_eq!((cases, failures, errors), (5, 0, 0));
    assert!(skipped >= 3, "{skipped}");
}

/// What XML 1.0 allows in a document.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_brings_a_character_that_xml_forbids(
        name in proptest::collection::vec(prop_oneof![any::<char>(), "[\u{0}-\u{1f}<>&'\"\u{fffe}\u{ffff}\u{7f}]".prop_map(|it| it.chars().next().unwrap())], 0..20)
    ) {
        let name: String = name.into_iter().collect();
        let mut result = judged();
        result.scenario.clone_from(&name);
        result.environment.clone_from(&name);
        result.plan_digest.clone_from(&name);
        for check in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.checks) {
            check.endpoint = Some(name.clone());
        }
        let text = render(&result).unwrap();
        prop_assert!(text.chars().all(allowed), "{text:?}");
        prop_assert_eq!(text.matches("<testcase").count(), 4);
    }
}
