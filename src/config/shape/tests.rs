use std::fmt::Write as _;

use super::*;
use crate::config::render::{Color, render};
use crate::config::source::Sources;
use crate::config::yaml;

/// The problems of a text's shape as the user sees them.
fn shown(text: &str) -> String {
    let mut sources = Sources::default();
    let source = sources.add("config.yaml", text);
    let root = yaml::parse(source, text).unwrap_or_else(|problems| panic!("{problems:?}"));
    render(&check(&root), &sources, Color::Never)
}

/// A config that is right apart from what is put into it.
fn around(top: &str, steps: &str) -> String {
    let mut text = format!("version: 1\nenvironments: {{e: {{host: x}}}}\n{top}\n");
    let _ = writeln!(
        text,
        "scenarios:\n  s:\n    users: {{u: {{tasks: {{t: 1}}}}}}\n    tasks:\n      t:\n{steps}"
    );
    text
}

fn problems(text: &str) -> Vec<String> {
    let root = yaml::parse(0, text).unwrap_or_else(|problems| panic!("{problems:?}"));
    check(&root).into_iter().map(|problem| problem.message).collect()
}

const STEP: &str = "        - get: /";

#[test]
fn the_example_is_clean_and_valid_against_the_schema() {
    let root = yaml::parse(0, include_str!("../../../config.yaml")).unwrap();
    assert_eq!(check(&root), []);
    let schema = json_schema();
    jsonschema::draft7::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&root.json()).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn six_mistakes_are_six_problems() {
    let text = "\
version: 2
environments:
  demo: {host: http://localhost, target: {command: x}, users: many}
thresholds: {p95th: 2s, error_rate: lots}
scenarios:
  one:
    users: {}
    tasks:
      a: [{pots: /x}]
";
    insta::assert_snapshot!(shown(text), @r"
    error: `2` is not known here
     --> config.yaml:1:10
      |
    1 | version: 2
      |          ^
    hint: write `1`

    error: `host` and `target` exclude each other
     --> config.yaml:3:34
      |
    3 |   demo: {host: http://localhost, target: {command: x}, users: many}
      |                                  ^^^^^^
    hint: keep one of them

    error: the text `many` is not a whole number
     --> config.yaml:3:63
      |
    3 |   demo: {host: http://localhost, target: {command: x}, users: many}
      |                                                               ^^^^
    hint: write a whole number, without quotes and without a leading zero

    error: unknown key or metric `p95th`
     --> config.yaml:4:14
      |
    4 | thresholds: {p95th: 2s, error_rate: lots}
      |              ^^^^^
    hint: did you mean `p95`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes, endpoints, metrics

    error: `lots` is not a ratio
     --> config.yaml:4:37
      |
    4 | thresholds: {p95th: 2s, error_rate: lots}
      |                                     ^^^^
    hint: write a ratio such as `1%` or `0.01`

    error: unknown action `pots`
     --> config.yaml:9:12
      |
    9 |       a: [{pots: /x}]
      |            ^^^^
    hint: did you mean `post`? known: get, post, put, patch, delete, head, options, request, websocket, repeat, group, run, set, wait

    6 problems
    ");
}

#[test]
fn what_is_missing_is_named_with_its_meaning() {
    insta::assert_snapshot!(shown("name: x\nenvironments: {e: {host: x, target: {ready: /}}}\n"), @r"
    error: `version` is missing
     --> config.yaml:1:1
      |
    1 | name: x
      | ^^^^
    hint: `version`: The version of this format: 1.

    error: `scenarios` is missing
     --> config.yaml:1:1
      |
    1 | name: x
      | ^^^^
    hint: `scenarios`: What the users do, by name.

    error: `host` and `target` exclude each other
     --> config.yaml:2:29
      |
    2 | environments: {e: {host: x, target: {ready: /}}}
      |                             ^^^^^^
    hint: keep one of them

    error: `command` is missing
     --> config.yaml:2:38
      |
    2 | environments: {e: {host: x, target: {ready: /}}}
      |                                      ^^^^^
    hint: `command`: The command. A list is one argument per item; a text is split as a shell would. `{{ address }}` is 127.0.0.1:PORT.

    4 problems
    ");
}

#[test]
fn a_value_of_the_wrong_form_says_what_was_expected() {
    let text = around(
        "reporting: {formats: html, output_dir: [a]}\nload: [1]\nbaseline: {budget: [], keep_runs: '5'}",
        STEP,
    );
    insta::assert_snapshot!(shown(&text), @r"
    error: expected a list, found the text `html`
     --> config.yaml:3:22
      |
    3 | reporting: {formats: html, output_dir: [a]}
      |                      ^^^^
    hint: write `[html]`

    error: expected a text, found a list
     --> config.yaml:3:40
      |
    3 | reporting: {formats: html, output_dir: [a]}
      |                                        ^^^

    error: expected a mapping, found a list
     --> config.yaml:4:7
      |
    4 | load: [1]
      |       ^^^

    error: expected a ratio or a mapping, found a list
     --> config.yaml:5:20
      |
    5 | baseline: {budget: [], keep_runs: '5'}
      |                    ^^

    error: the text `5` is not a whole number
     --> config.yaml:5:35
      |
    5 | baseline: {budget: [], keep_runs: '5'}
      |                                   ^^^
    hint: write a whole number, without quotes and without a leading zero

    5 problems
    ");
}

#[test]
fn every_form_of_the_language_is_accepted() {
    for top in [
        "load: {users: 100, spawn_rate: 10/s, run_time: 5m, warmup: 10s, drain: 5s}",
        "load: {arrivals: 200/s, run_time: 5m, max_users: 2000, distribution: poisson}",
        "load: {stages: [{to: 50, over: 1m}, {to: 50/s, over: 5m}, {to: 0, over: 30s}]}",
        "load: {staircase: {from: 10, by: 10, every: 30s, until: 200}}",
        "thresholds: {p95: {below: 2s, window: 10s, abort: true, after: 30s, severity: warn, message: slow}}",
        "thresholds: {throughput: 10/s, missing_messages: 0, endpoints: {GET /: {throughput: {above: 5/s}}}}",
        "baseline: {budget: {p50: 10%, error_rate: 0.005}, confirmation: off, on_missing: fail}",
        "arrivals: 10/s\nrun_time: 1m\ntimeout: 5s\nmax_body: 64MiB\nseed: 7",
        "max_body: 1024\ndescription:\nreporting: {prometheus: {enabled: false, linger: 10s, listen: 0.0.0.0}}",
    ] {
        assert_eq!(problems(&around(top, STEP)), Vec::<String>::new(), "{top}");
    }
}

#[test]
fn every_step_is_accepted() {
    for step in [
        "{get: /x, poll: {until: done, every: 1s, timeout: 60s}, record: r}",
        "{post: /x, form: {a: 1}, bearer: t, query: {q: \"{{ x }}\"}, headers: {A: null}, on_failure: continue}",
        "{put: /x, raw: text, basic: {user: u, password: p}, capture: {t: {regex: a(b), group: 1}, h: {header: ETag}}}",
        "{patch: /x, json: null, expect: {status: [200, 2xx], json: {$.a: 1}, that: ok, header: {A: b}, contains: x}}",
        "{delete: /x, file: body.bin, append: {l: {json: $.a}}, timeout: 1s}",
        "{repeat: 10, steps: [{head: /}, {options: /}]}",
        "{group: checkout, when: x, steps: [{wait: 1s..3s}, {wait: {exponential: 2s}}]}",
        "{run: t}",
        "{set: {at: 1, list: [1]}}",
        "{websocket: /ws, subprotocol: p, headers: {}, query: {}, timeout: 1s, record: r, steps: [{ping: true}, {hold: 30s}, {close: true}]}",
        "{websocket: /ws, steps: [{send: {text: x}}, {send: {binary: AA==}}, {send: {json: null}}, {close: {code: 1000, reason: done}}]}",
        "{websocket: /ws, steps: [{repeat: 2, steps: [{group: g, steps: [{receive: {where: a, within: 1s, since: send, record: r, capture: {a: $.b}}}]}]}]}",
    ] {
        let text = around("", &format!("        - {step}"));
        assert_eq!(problems(&text), Vec::<String>::new(), "{step}");
        let root = yaml::parse(0, &text).unwrap();
        assert!(jsonschema::draft7::is_valid(&json_schema(), &root.json()), "{step}");
    }
}

#[test]
fn steps_are_refused_for_what_they_are() {
    for (step, message) in [
        ("{get: /, post: /}", "`get` and `post` exclude each other"),
        ("{name: x}", "a step without an action"),
        ("{get: /, body: x}", "unknown key `body`"),
        ("{get: }", "`get` needs a value"),
        ("{ping: true}", "unknown action `ping`"),
        ("{post: /, json: 1, form: {}}", "`json` and `form` exclude each other"),
        ("{get: /, expect: {status: 20}}", "the number `20` is not a status"),
        ("{get: /, capture: {a: {}}}", "one of `json`, `regex`, `header` is missing"),
        ("{wait: 3s..1s}", "the range `3s..1s` runs backwards"),
        ("{wait: {normal: {mean: 1s}}}", "`sd` is missing"),
        ("{websocket: /, steps: [{send: {}}]}", "one of `json`, `text`, `binary` is missing"),
        ("{websocket: /, steps: [{close: false}]}", "`false` is not `true`"),
        ("{repeat: 2}", "`steps` is missing"),
        ("get", "expected a mapping, found the text `get`"),
        ("", "expected a mapping, found nothing"),
    ] {
        let text = around("", &format!("        - {step}"));
        assert_eq!(problems(&text), [message], "{step}");
        let root = yaml::parse(0, &text).unwrap();
        let value_only = message.contains("backwards");
        assert!(value_only || !jsonschema::draft7::is_valid(&json_schema(), &root.json()), "{step}");
    }
}

#[test]
fn keys_that_exclude_each_other_are_told() {
    let text = around("users: 5\nload: {arrivals: 1/s, users: 3}", STEP);
    insta::assert_snapshot!(shown(&text), @r"
    error: `load` and `users` exclude each other
     --> config.yaml:3:1
      |
    3 | users: 5
      | ^^^^^
    hint: move `users` into `load`

    error: `arrivals` and `users` exclude each other
     --> config.yaml:4:23
      |
    4 | load: {arrivals: 1/s, users: 3}
      |                       ^^^^^
    hint: keep one of them

    2 problems
    ");
}

#[test]
fn names_that_become_paths_are_plain() {
    let text = "version: 1\nenvironments: {../x: {host: a}}\nscenarios: {a b: {users: {u: {steps: []}}}}\n";
    assert_eq!(problems(text), ["`../x` cannot be a name", "`a b` cannot be a name"]);
}

#[test]
fn an_alias_tells_its_problem_once() {
    let text = around("thresholds: {endpoints: {a: &x {p59: 1s}, b: *x}}", STEP);
    assert_eq!(problems(&text), ["unknown key or metric `p59`"]);
}

#[test]
fn overrides_may_be_pieces() {
    let node = yaml::parse(0, "thresholds: {p95: {abort: true}}\nload: {staircase: {until: 5}}\nusers: 3\n")
        .unwrap();
    assert_eq!(check_overrides(&node), []);
    let node = yaml::parse(0, "version: 1\nusers: x\n").unwrap();
    assert_eq!(check_overrides(&node).len(), 2);
}

#[test]
fn what_is_asked_for_without_a_value_is_a_mistake() {
    for (step, message) in [
        ("{get: /, expect: }", "`expect` has no value"),
        ("{get: /, expect: {that: }}", "`that` has no value"),
        ("{get: /, expect: {that: ~}}", "`that` has no value"),
        ("{get: /, expect: {that: ' '}}", "an expression is missing"),
        ("{get: /, expect: {status: }}", "`status` has no value"),
        ("{get: /, expect: {status: []}}", "`status` is empty"),
        ("{get: /, expect: {contains: }}", "`contains` has no value"),
        ("{get: /, expect: {contains: ''}}", "`contains` is empty"),
        ("{get: /, expect: {header: {content-type: }}}", "`content-type` has no value"),
        ("{get: /, expect: {header: {}}}", "`header` is empty"),
        ("{get: /, expect: {json: {}}}", "`json` is empty"),
        ("{get: /, expect: {json: }}", "`json` has no value"),
        ("{get: /, when: }", "`when` has no value"),
        ("{get: /, when: ''}", "an expression is missing"),
        ("{get: /, poll: }", "`poll` has no value"),
        ("{get: /, poll: {until: }}", "`until` is missing"),
        ("{get: /, poll: {until: ''}}", "an expression is missing"),
        ("{get: /, capture: }", "`capture` has no value"),
        ("{get: /, capture: {id: }}", "`id` has no value"),
        ("{get: /, append: {ids: }}", "`ids` has no value"),
        ("{websocket: /, steps: [{receive: {where: }}]}", "`where` has no value"),
        ("{websocket: /, steps: [{receive: {capture: {id: }}}]}", "`id` has no value"),
    ] {
        let text = around("", &format!("        - {step}"));
        assert_eq!(problems(&text), [message], "{step}");
        let root = yaml::parse(0, &text).unwrap();
        let blank = step.contains("' '");
        assert!(blank || !jsonschema::draft7::is_valid(&json_schema(), &root.json()), "{step}");
    }
    insta::assert_snapshot!(shown(&around("", "        - {get: /, expect: {that: , contains: ''}}")), @r"
error: `that` has no value
 --> config.yaml:9:29
  |
9 |         - {get: /, expect: {that: , contains: ''}}
  |                             ^^^^
hint: write such as `that: response.json.n > 0`, or leave the key out

error: `contains` is empty
 --> config.yaml:9:47
  |
9 |         - {get: /, expect: {that: , contains: ''}}
  |                                               ^^
hint: write such as `contains: created`, or leave the key out

2 problems
");
}

#[test]
fn null_where_it_means_something_stays() {
    for step in [
        "{get: /, expect: {json: {$.error: }}, headers: {Accept: }}",
        "{get: /, expect: {header: {X-Empty: ''}, contains: ' '}, capture: {}}",
        "{post: /, json: }",
        "{set: {x: }}",
        "{get: /, expect: {}}",
        "{get: /, timeout: , record: , name: , query: }",
    ] {
        assert_eq!(problems(&around("", &format!("        - {step}"))), Vec::<String>::new(), "{step}");
    }
    // In place of what `<<` merges, it takes that away.
    for more in ["expect: ", "expect: {}", "when: null", "poll: ~", "capture: null"] {
        let steps = format!(
            "        - &base {{get: /, expect: {{status: 200}}, when: a, poll: {{until: b}}, capture: {{c: $.c}}}}\n        \
             - {{<<: *base, {more}}}"
        );
        assert_eq!(problems(&around("", &steps)), Vec::<String>::new(), "{more}");
    }
    let steps =
        "        - &base {get: /, expect: {status: 200}}\n        - {<<: *base, when: , expect: {that: }}";
    assert_eq!(problems(&around("", steps)), ["`when` has no value", "`that` has no value"]);
}
