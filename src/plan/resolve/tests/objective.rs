//! The long form of objectives: its keys, its layers, and what makes no sense.

use super::*;
use crate::plan::describe;
use crate::plan::rules::{Objective, Origin, Over, Severity};

/// The objectives under thresholds of the file, with those of flags over them.
fn objectives(file: &str, flags: &str) -> Vec<Objective> {
    let text = format!("{SMALL}thresholds: {file}\n");
    let read = plan(&text, &format!("thresholds: {flags}")).rules.objectives;
    read.into_iter().filter(|objective| objective.origin == Origin::Written).collect()
}

fn problems(file: &str, flags: &str) -> String {
    let text = format!("{SMALL}thresholds: {file}\n");
    let config = config(&text, &format!("thresholds: {flags}"));
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    listed(&config, &problems)
}

#[test]
fn every_key_of_the_long_form_is_read() {
    let read = objectives(
        "{p95: {below: 2s, window: 10s, abort: true, after: 30s, message: slow}, throughput: {above: 5/s, abort: true},
          max: {below: 1s, severity: warn, window: 1m}, mean: {below: 1s, abort: false, after: 5s}}",
        "{}",
    );
    let told: Vec<_> =
        read.iter().map(|it| (it.metric.name(), it.limit, it.window, it.abort_after, it.severity)).collect();
    assert_eq!(
        told,
        [
            ("p95", 2_000.0, Some(secs(10)), Some(secs(30)), Severity::Fail),
            ("throughput", 5.0, None, Some(secs(0)), Severity::Fail),
            ("max", 1_000.0, Some(secs(60)), None, Severity::Warn),
            ("mean", 1_000.0, None, None, Severity::Fail),
        ]
    );
    assert_eq!(read[0].message.as_deref(), Some("slow"));
}

#[test]
fn a_flag_changes_one_key_and_a_limit_alone_replaces_all() {
    let file = "{p95: {below: 2s, window: 10s, abort: true, after: 30s}}";
    for (file, flags, limit, window, abort_after) in [
        (file, "{p95: {window: 5s}}", 2_000.0, Some(5), Some(30)),
        (file, "{p95: {below: 3s}}", 3_000.0, Some(10), Some(30)),
        (file, "{p95: {below: 3s, after: 1s}}", 3_000.0, Some(10), Some(1)),
        (file, "{p95: {abort: false}}", 2_000.0, Some(10), None),
        (file, "{p95: {window: null}}", 2_000.0, None, Some(30)),
        (file, "{p95: 1s}", 1_000.0, None, None),
        ("{p95: 2s}", "{p95: {abort: true}}", 2_000.0, None, Some(0)),
        ("{p95: 2s}", "{p95: {below: 1s}}", 1_000.0, None, None),
    ] {
        let read = objectives(file, flags);
        let [read] = read.as_slice() else { panic!("one objective: {flags}") };
        let seconds = |it: Option<Duration>| it.map(|it| it.as_secs());
        assert_eq!(
            (read.limit, seconds(read.window), seconds(read.abort_after)),
            (limit, window, abort_after),
            "{file} {flags}"
        );
    }
    assert_eq!(objectives(file, "{p95: null}"), []);
}

#[test]
fn a_more_specific_layer_of_the_file_says_all_anew() {
    let text = SMALL.replace("users: {", "thresholds: {p95: {below: 3s}, max: {window: 5s}}\n    users: {");
    let text = format!("{text}thresholds: {{p95: {{below: 2s, severity: warn}}, max: 9s}}\n");
    let rules = plan(&text, "").rules.objectives;
    let p95 = rules.iter().find(|it| it.metric.name() == "p95").unwrap();
    assert_eq!((p95.limit, p95.severity), (3_000.0, Severity::Fail));
    let max = rules.iter().find(|it| it.metric.name() == "max").unwrap();
    assert_eq!((max.limit, max.window), (9_000.0, Some(secs(5))));
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    insta::assert_snapshot!(problems(
        "{p50: {below: 1s, window: 1500ms}, p75: {below: 1s, window: 0s}, p90: {below: 1s, after: 3s},
          p95: {below: 1s, severity: warn, abort: true, after: 1s}, p99: {abort: true}, throughput: {window: 2s}}",
        "{max: {abort: true}, mean: {below: 1s, after: 1s}}",
    ), @r"
9:39 a window cannot be `1500ms` long [write whole seconds, such as `1s` or `10s`: the load is counted every second]
9:73 a window cannot be `0s` long [write whole seconds, such as `1s` or `10s`: the load is counted every second]
9:95 `after` without `abort` does nothing [add `abort: true`, or leave `after` out]
10:44 a warning never stops a run [leave `abort` out, or make it `severity: fail`]
10:69 `p99` has no limit [add it under `below`]
10:89 `throughput` has no limit [add it under `above`]
1:14 `max` has no limit [add it under `below`]
1:52 `after` without `abort` does nothing [add `abort: true`, or leave `after` out]
");
}

#[test]
fn where_nothing_is_said_at_most_one_request_in_a_hundred_may_fail() {
    let default = |thresholds: &str, flags: &str| {
        let text = format!("{SMALL}{thresholds}\n");
        let read = plan(&text, flags).rules.objectives;
        read.into_iter().find(|it| it.origin == Origin::Default).map(|it| (it.metric.name(), it.limit))
    };
    let there = Some(("error_rate", 0.01));
    for (thresholds, flags, expected) in [
        ("", "", there),
        ("thresholds: {p95: 1s}", "", there),
        ("thresholds: {endpoints: {GET /health: {error_rate: 5%}}}", "", there),
        ("thresholds: {error_rate: 5%}", "", None),
        ("thresholds: {error_rate: {below: 5%, severity: warn}}", "", None),
        ("thresholds: {error_rate: null}", "", None),
        ("thresholds: {error_rate: 5%}", "thresholds: {error_rate: null}", None),
        ("", "thresholds: {error_rate: null}", None),
    ] {
        assert_eq!(default(thresholds, flags), expected, "{thresholds} {flags}");
    }
}

#[test]
fn a_limit_that_holds_whatever_happens_is_refused() {
    insta::assert_snapshot!(problems(
        "{error_rate: 5, throughput: 0/s, endpoints: {GET /health: {error_rate: 100%}}}",
        "{endpoints: {GET /health: {error_rate: {below: 150%}}}}",
    ), @r"
9:26 an `error_rate` of at most `5` holds whatever happens [write a share below 100 %, such as `5%` or `0.05`; `error_rate: null` takes the objective away]
9:41 a `throughput` of at least `0/s` holds whatever happens [write a rate above zero, such as `10/s`]
9:84 an `error_rate` of at most `100%` holds whatever happens [write a share below 100 %, such as `5%` or `0.05`; `error_rate: null` takes the objective away]
1:60 an `error_rate` of at most `150%` holds whatever happens [write a share below 100 %, such as `5%` or `0.05`; `error_rate: null` takes the objective away]
");
    for (file, flags, told) in [
        (
            "{p95: 250}",
            "{}",
            "`250` has no unit [write `250s` for seconds (until now it was read as `250ms`)]",
        ),
        ("{}", "{p99: {below: 2}}", "`2` has no unit"),
        ("{p95: {below: 1s, window: 10}}", "{}", "`10` has no unit"),
        ("{}", "{error_rate: 1}", "an `error_rate` of at most `1` holds whatever happens"),
        ("{missing_messages: -1}", "{}", "is not a whole number"),
        ("{}", "{unexpected_closes: 0.5}", "is not a whole number"),
    ] {
        let listed = problems(file, flags);
        assert!(listed.contains(told), "{file} {flags}: {listed}");
    }
}

#[test]
fn a_limit_beyond_the_timeout_is_noted() {
    let notes = |more: &str| plan(&format!("{SMALL}{more}\n"), "").notes;
    assert_eq!(notes("thresholds: {p95: 30s}"), Vec::<String>::new());
    assert_eq!(
        notes("timeout: 2s\nthresholds: {p95: 3s, endpoints: {GET /health: {max: 2s}}, error_rate: 1%}"),
        [
            "`p95` of all requests is limited to 3s, and its requests are given up after 2s (`timeout`): where too \
          many time out, the objective can only be undecided"
        ]
    );
}

/// A login in `on_start`, beside what tasks do.
fn with_login(task: &str, thresholds: &str) -> Plan {
    let text = format!(
        "version: 1\nname: n\nenvironments: {{e: {{host: 'http://127.0.0.1:1', load: {{users: 2, run_time: 9s}}}}}}\n\
         thresholds: {thresholds}\nscenarios:\n  s:\n    users: {{all: {{on_start: begin, tasks: {{visit: 1, never: 0}}}}}}\n    \
         tasks:\n      begin: [{{run: login}}]\n      login: [{{post: /login, record: logged_in}}, {{group: both, steps: [{{get: /both}}]}}]\n      \
         never: [{{run: login}}]\n      visit: [{{get: /both}}{task}]\n"
    );
    plan(&text, "{}")
}

#[test]
fn what_only_on_start_makes_is_judged_over_the_whole_run_unless_something_else_is_said() {
    let over = |task: &str, thresholds: &str| {
        let plan = with_login(task, thresholds);
        let of: Vec<_> = plan.rules.objectives.iter().filter(|it| it.origin == Origin::Written).collect();
        let [objective] = of.as_slice() else { panic!("one objective: {thresholds}") };
        (objective.over, plan.notes.len(), describe(&plan).contains(", over the whole run"))
    };
    let login = |objective: &str| format!("{{endpoints: {{POST /login: {objective}}}}}");
    assert_eq!(over("", &login("{p95: 1s}")), (Over::WholeRunOfOnStart, 1, true));
    assert_eq!(over("", &login("{throughput: 1/s}")), (Over::WholeRunOfOnStart, 1, true));
    assert_eq!(over("", "{metrics: {logged_in: {p95: 1s}}}"), (Over::WholeRunOfOnStart, 1, true));
    for (task, thresholds, expected) in [
        ("", login("{p95: {below: 1s, over: whole_run}}"), Over::WholeRun),
        ("", login("{p95: {below: 1s, over: steady}}"), Over::Steady),
        ("", login("{p95: {below: 1s, window: 2s}}"), Over::Steady),
        ("", login("{error_rate: 1%}"), Over::Steady),
        ("", login("{error_rate: {below: 1%, over: whole_run}}"), Over::Steady),
        (", {run: login}", login("{p95: 1s}"), Over::Steady),
        (", {repeat: 2, steps: [{post: /login}]}", login("{p95: 1s}"), Over::Steady),
        ("", "{endpoints: {GET /both: {p95: 1s}}}".to_owned(), Over::Steady),
        ("", "{p95: 1s}".to_owned(), Over::Steady),
        ("", "{p95: {below: 1s, over: whole_run}}".to_owned(), Over::WholeRun),
    ] {
        let said = expected == Over::WholeRun;
        assert_eq!(over(task, &thresholds), (expected, 0, said), "{task} {thresholds}");
    }
    let note = &with_login("", &login("{p50: 1s, p95: 1s}")).notes;
    assert_eq!(note.len(), 1, "once for an endpoint: {note:?}");
    assert!(note[0].contains("only `on_start` makes `POST /login`"), "{note:?}");
}

#[test]
fn a_part_of_the_run_that_makes_no_sense_is_refused() {
    for (file, flags, told) in [
        (
            "{p95: {below: 1s, over: whole_run, window: 5s}}",
            "{}",
            "`over: whole_run` and `window` exclude each other",
        ),
        ("{p95: {below: 1s, over: whole_run}}", "{p95: {window: 5s}}", "windows lie in the steady phase"),
        ("{error_rate: {below: 1%, over: steady}}", "{}", "`error_rate` is always of the whole run"),
        ("{p95: {below: 1s, over: ramp}}", "{}", "steady, whole_run"),
    ] {
        let said = problems(file, flags);
        assert!(said.contains(told), "{said}");
    }
    let flag = objectives("{p95: 1s}", "{p95: {over: whole_run}}");
    assert_eq!(flag[0].over, Over::WholeRun);
}
