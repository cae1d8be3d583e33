//! Whole configurations, good and bad.

use std::time::Duration;

use super::*;
use crate::config::node::{Node, Span, Value};
use crate::config::source::Sources;
use crate::config::yaml;
use crate::metric::Metric;
use crate::plan::load::{Distribution, Model, Shape};
use crate::plan::rules::{Applies, Scope};
use crate::plan::step::{Action, Body, HeaderValue, Request, Step};
use crate::plan::user::{DataOrder, Wait};
use crate::plan::{Protection, Target};

const CONTRACT: &str = include_str!("../../../config.yaml");

/// The smallest whole configuration, to which tests add what they are about.
const SMALL: &str = "
version: 1
name: small
environments: {here: {host: 'http://127.0.0.1:1', users: 2, run_time: 10s}}
scenarios:
  main:
    users: {all: {tasks: {visit: 1}}}
    tasks: {visit: [{get: /health}]}
";

fn config(text: &str, overrides: &str) -> Config {
    let mut sources = Sources::default();
    let file = sources.add("config.yaml", text);
    let root = yaml::parse(file, text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let flags = sources.add("--set", overrides);
    let nothing = Node { span: Span { source: flags, start: 0, end: 0 }, value: Value::Map(Vec::new()) };
    let overrides = if overrides.is_empty() { nothing } else { yaml::parse(flags, overrides).unwrap() };
    Config { sources, root, overrides, folder: std::env::temp_dir() }
}

fn selection(environment: &str, scenario: &str) -> Selection {
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Selection { environment: named(environment), scenario: named(scenario) }
}

fn resolved(config: &Config, selection: &Selection) -> Plan {
    Plan::resolve(config, selection, &|_| None)
        .unwrap_or_else(|problems| panic!("{}", listed(config, &problems)))
}

fn plan(text: &str, overrides: &str) -> Plan {
    resolved(&config(text, overrides), &Selection::default())
}

/// `line:column message [hint]`, one a line.
fn listed(config: &Config, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let at = problem.span.and_then(|span| config.sources.line_column(span));
        let place = at.map_or("-".to_owned(), |(line, column)| format!("{line}:{column}"));
        let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(" [{hint}]"));
        format!("{place} {}{hint}", problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn problems(text: &str) -> String {
    let config = config(text, "");
    Plan::resolve(&config, &Selection::default(), &|_| None)
        .map_or_else(|problems| listed(&config, &problems), |plan| format!("resolved: {}", plan.digest))
}

/// The problems of a scenario `main` with these entries, whose lines count from 1.
fn problems_of_scenario(entries: &str) -> String {
    let indented: Vec<String> = entries.lines().map(|line| format!("    {line}")).collect();
    let text = format!(
        "scenarios:\n  main:\n{}\nenvironments: {{here: {{host: 'http://a', users: 1}}}}\n",
        indented.join("\n")
    );
    let config = config(&text, "");
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    listed(&config, &problems)
}

#[test]
fn the_shipped_configuration_resolves_for_every_scenario_and_environment() {
    let config = config(CONTRACT, "");
    for scenario in ["build_flow", "api_stress", "websocket_load"] {
        for environment in ["demo", "development", "staging", "production_load"] {
            let plan = resolved(&config, &selection(environment, scenario));
            assert_eq!((plan.scenario.as_str(), plan.environment.as_str()), (scenario, environment));
            assert!(!plan.endpoints.is_empty() && !plan.classes.is_empty());
        }
    }
}

#[test]
fn a_plan_can_be_read() {
    let config = config(CONTRACT, "");
    insta::assert_snapshot!(crate::plan::describe(&resolved(&config, &selection("demo", "build_flow"))), @r"
hyperkit: scenario `build_flow` in environment `demo`
target: started with `loadgate demo-api --listen {{ address }}`, ready when /health answers, within 1m
load: 0 to 100 users in 2s, 100 users for 28s; 28s judged, drain 5s
limits: 30s a request, 10 MiB a body
seed: 42
digest: 64649852953e18ade4bdc96aafeb8751686a7584fa83565f29ea541d23ceb207
users:
  primary: 20, wait 1s..3s, first `authenticate`
     47.6 % create_build
     23.8 % check_build_status
     14.3 % list_builds
      9.5 % dashboard_stats
      4.8 % download_code
  heavy: 20, wait 500ms..1s, first `authenticate`
     47.6 % create_build
     23.8 % check_build_status
     14.3 % list_builds
      9.5 % dashboard_stats
      4.8 % download_code
  light: 60, wait 5s..10s
    100.0 % browse_dashboard
endpoints:
  POST /api/v1/auth/test-token
  POST /api/v1/builds
  GET /api/v1/builds/{id}
  GET /api/v1/builds
  GET /api/v1/users/me/stats
  GET /api/v1/builds/{id}/code
custom metrics:
  build_created
objectives:
  all requests: p95 at most 2s
  all requests: p99 at most 5s
  all requests: error_rate at most 1 %
  POST /api/v1/builds: p95 at most 3s
  GET /api/v1/builds/{id}: p95 at most 500ms
  GET /api/v1/builds: p95 at most 1s
  WS /ws/builds/{id}: connect_p95 at most 1s (of another scenario)
  WS /ws/builds/{id}: missing_messages at most 0 (of another scenario)
  WS /ws/builds/{id}: unexpected_closes at most 0 (of another scenario)
  build_done: p95 at most 10s (of another scenario)
");
    insta::assert_snapshot!(crate::plan::describe(&resolved(&config, &selection("staging", "websocket_load"))), @r"
hyperkit: scenario `websocket_load` in environment `staging`
target: https://staging-api.hyperkit.io/
load: 0 to 50 users in 10s, 50 users for 14m50s; 14m50s judged, drain 5s
limits: 30s a request, 10 MiB a body
seed: 42
digest: f8eaef7d88fd3726e682390ab218025dcb36699935d26f346d5919ac2487747c
users:
  watcher: 50, wait 1s..2s, first `authenticate`
     75.0 % follow_build
     25.0 % echo
endpoints:
  POST /api/v1/auth/test-token
  POST /api/v1/builds
  WS /ws/builds/{id}
  WS /ws/echo
custom metrics:
  build_started
  build_done
  WS echo round trip
objectives:
  all requests: p95 at most 2s
  all requests: p99 at most 5s
  all requests: error_rate at most 1 %
  POST /api/v1/builds: p95 at most 3s
  GET /api/v1/builds/{id}: p95 at most 500ms (of another scenario)
  GET /api/v1/builds: p95 at most 1s (of another scenario)
  WS /ws/builds/{id}: connect_p95 at most 1s
  WS /ws/builds/{id}: missing_messages at most 0
  WS /ws/builds/{id}: unexpected_closes at most 0
  build_done: p95 at most 10s
");
}

#[test]
fn every_mistake_of_templates_is_found_where_it_is() {
    insta::assert_snapshot!(problems_of_scenario(r#"
data: {prompts: [a, b]}
users: {all: {tasks: {visit: 1}}}
tasks:
  visit:
    - post: "/x/{{ tokn }}"
      json: {n: "{{ 1 + }}", index: "{{ index }}", p: '{{ prompts.first }}'}
      headers: {X-User: "{{ user.nam }}", Y: "{{ nope() }}"}
      capture: {token: $.a}
    - repeat: 3
      steps: [{get: "/{{ index }}"}]
    - {get: /x, when: response.status == 200, expect: {that: response.jsn.a == 1}}
    - {get: "/{{ message.id }}?a={{ response.status }}"}
    - {set: {user: 1, prompts: 2, 9a: 3, pick: 4}}
    - get: |
        /folded/{{ tokn }}
"#), @r"
8:24 `tokn` is not defined anywhere in this scenario [did you mean `token`? known: prompts, token, user]
9:27 unexpected end of input, expected expression
9:45 `index` cannot be read here [`index` counts the rounds of `repeat`, for the steps inside it]
9:71 `prompts` is a list and has no `first` [take one of it: `pick(prompts).first`]
10:38 `user` has no `nam` [known: id, class]
10:54 unknown function `nope`; known: pick, rand_int, uuid, now_ms, env, base64, hmac, range, dict
14:75 `response` has no `jsn` [did you mean `json`? known: status, headers, json]
15:22 `message` cannot be read here [`message` is known in `where` of a `receive` step; `capture` keeps what is in it]
15:41 `response` cannot be read here [`response` is known in `expect.that`, `poll.until`, `when` and `set`; `capture` keeps what is in it]
16:18 `user` already means something in templates [choose another name]
16:27 `prompts` is the name of data [give the value another name: data stays as it is]
16:39 `9a` is not a name that a template can read [use letters, digits and `_`, not beginning with a digit]
16:46 `pick` already means something in templates [choose another name]
18:24 `tokn` is not defined anywhere in this scenario [did you mean `token`? known: prompts, token, user]
");
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    insta::assert_snapshot!(problems_of_scenario(r#"
users: {all: {on_start: logn, tasks: {visit: 1, vist: 2}}, none: {}, zero: {tasks: {visit: 0}}}
tasks:
  login: [{run: refresh}]
  refresh: [{get: /x}, {run: again}]
  again: [{run: refresh}]
  visit:
    - {send: {text: hi}}
    - {hold: 1s}
    - websocket: http://other/x
      steps:
        - {websocket: /y, steps: [{ping: true}]}
        - {send: {binary: "?"}}
        - {close: {code: 1005}}
        - {receive: {capture: {a: $.x, b: {header: "bad name"}}}}
    - {get: x}
    - {get: "ftp://a/b", name: "GET {{ x }}"}
    - {get: /a, headers: {"a b": 1}, capture: {x: "$.a[", y: {regex: "("}, z: {regex: "a(b)", group: 2}, w: id}}
    - {get: /a, expect: {status: [200, 2xy, 99], json: {"a.b": 1}}}
    - {repeat: 0, steps: [{get: /a}]}
    - {group: nothing, steps: []}
    - {wait: 3s..1s}
    - {wait: {throughput: 1/s}}
"#), @r"
4:29 unknown task `logn` [did you mean `login`? known: login, refresh, again, visit]
4:53 unknown task `vist` [did you mean `visit`? known: login, refresh, again, visit]
4:64 users of class `none` have nothing to do [name their tasks with weights, `tasks: {browse: 1}`, or list `steps`]
4:88 the weights of all tasks of `zero` are zero [give at least one task a weight above zero]
8:21 `refresh` runs itself: `refresh` → `again` → `refresh` [`repeat` does steps several times]
10:12 `send` needs a WebSocket [put it into the `steps` of a `websocket` step]
11:12 `hold` needs a WebSocket [put it into the `steps` of a `websocket` step]
12:22 a URL with `http://` cannot be used here [write a path from `/`, or a whole URL with `ws://` or `wss://`]
14:16 a WebSocket inside of another [a user has one WebSocket at a time: put the step after it]
15:31 this is not base64 [write bytes in base64 (RFC 4648, with padding), or use `text`]
16:30 `1005` is no code that a client may close with [write 1000 for a normal close, or 3000 to 4999 (RFC 6455)]
17:56 `bad name` is not the name of a header
18:17 `x` is neither a path nor a URL [write a path from `/`, or a whole URL with `http://` or `https://`]
19:17 a URL with `ftp://` cannot be used here [write a path from `/`, or a whole URL with `http://` or `https://`]
19:36 the name of an endpoint cannot change from request to request [write what changes as `{id}`: all these requests are one endpoint]
20:31 `a b` is not the name of a header [write letters, digits and `-`, such as `X-Request-Id`]
20:58 `$.a[` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
20:74 `(` is not a regular expression: unclosed group
20:106 `a(b)` has no group 2 [it has 1; group 0 is the whole match]
20:113 `id` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
21:44 `2xy` is not a status [write a status from 100 to 599 such as `200`, a class such as `2xx`, or a list]
21:49 `99` is not a status [write a status from 100 to 599 such as `200`, a class such as `2xx`, or a list]
21:61 `a.b` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
22:20 steps repeated zero times never run [write a number from 1, or leave the step out]
23:12 `group` without steps does nothing [list what is to be done under `steps`]
24:18 the range `3s..1s` ends before it begins [write `1s..3s`]
25:18 a throughput paces iterations, not steps [write it as the `wait` of a user class; a step waits `1s` or `1s..3s`]
");
}

#[test]
fn environments_and_loads_that_contradict_themselves_are_refused() {
    insta::assert_snapshot!(problems("
environments:
  both: {host: 'http://a', target: {command: [x]}, users: 1}
  neither: {users: 0, spawn_rate: 0/s}
  mixed: {host: localhost, users: 1, load: {arrivals: 1/s}}
  three: {host: 'ftp://a', load: {users: 1, arrivals: 1/s, stages: [{to: 5, over: 1s}], run_time: 5s}}
  closed: {host: 'http://a/?q', load: {users: 1, max_users: 5}}
  command: {target: {command: ['{{ adress }}', '{{ 1 + }}'], ready: health}}
  template: {host: \"{{ env('HOST') }}\"}
defaults: {environment: dem, scenario: mian}
scenarios:
  main: {load: {staircase: {from: 1, by: 0, every: 1s, until: 5}}, users: {a: {steps: [{get: /}]}}}
  nobody: {}
"), @r"
3:28 both `host` and `target` [`host` is a service that is already there, `target` one to start: keep one of the two]
4:3 the environment `neither` has no `host` and no `target` [write `host: http://localhost:8000`, or `target: {command: …, ready: /health}` to start a service]
4:20 `users` of zero makes no load [write a number above zero]
4:35 `spawn_rate` of zero makes no load [write a number above zero]
5:17 `localhost` is not a URL: relative URL without a base [write a URL with `http://` or `https://`, such as `http://localhost:8000`]
5:38 both `load` and `users`, which is short for it [move everything into `load`, or leave it out]
6:17 `ftp://a` is not the URL of a host [write a URL with `http://` or `https://`, such as `http://localhost:8000`]
6:45 `arrivals` does not go with `users` [a load is one of `users`, `arrivals`, `stages` and `staircase`]
6:60 `stages` does not go with `users` [a load is one of `users`, `arrivals`, `stages` and `staircase`]
7:18 a host has no query and no fragment [a path is fine: it is put before the path of every request]
7:50 `max_users` does not go with `users` [it belongs to a load of `arrivals`]
8:36 `adress` is not defined in a command [did you mean `address`? known: address, port]
8:54 unexpected end of input, expected expression
8:69 `health` is not a path [write a path from `/`, such as `/health`]
9:20 a host is no template [give it when you run: `--host URL` or the environment variable `LOADGATE_HOST`]
10:25 unknown environment `dem` [known: both, neither, mixed, three, closed, command, template]
10:40 unknown scenario `mian` [did you mean `main`? known: main, nobody]
12:28 a staircase climbs from `from` by `by` until `until`, in at most 10000 steps [write such as `{from: 10, by: 10, every: 30s, until: 200}`]
13:3 the scenario `nobody` has no users [describe them under `users`: `users: {all: {tasks: {browse: 1}}}`]
");
}

#[test]
fn loads_that_cannot_be_resolved_are_refused() {
    let with = |load: &str| {
        problems(&format!(
            "environments: {{here: {{host: 'http://a', load: {load}}}}}
scenarios: {{main: {{users: {{a: {{steps: [{{get: /}}]}}}}}}}}"
        ))
    };
    insta::assert_snapshot!(with("{warmup: 1s}"), @"1:16 nothing says how much load there is [write `users: 10`, or `load: {arrivals: 50/s, run_time: 1m}`]");
    insta::assert_snapshot!(with("{staircase: {from: 1, by: 0, every: 1s, until: 5}}"), @"1:59 a staircase climbs from `from` by `by` until `until`, in at most 10000 steps [write such as `{from: 10, by: 10, every: 30s, until: 200}`]");
    insta::assert_snapshot!(with("{stages: [{to: 5/s, over: 1s}, {to: 5, over: 1s}]}"), @"1:83 users among levels that are arrivals per second [write every level as a number of users, `50`, or every one as a rate, `50/s`]");
    insta::assert_snapshot!(with("{stages: [{to: 0, over: 1s}]}"), @"1:56 this makes no load at all [give it a level above zero for some time]");
    insta::assert_snapshot!(with("{stages: [{to: 5, over: 1s}], run_time: 5s}"), @"1:77 `run_time` does not go with `stages` [the steps of this load say how long it lasts]");
}

#[test]
fn thresholds_name_what_scenarios_make() {
    let text = format!(
        "{SMALL}  sockets:
    users: {{all: {{steps: [{{websocket: /ws, steps: [{{receive: {{record: heard}}}}]}}]}}}}
thresholds:
  p95: 1s
  error_rate: {{above: 1%}}
  missing_messages: 0
  endpoints:
    GET /helth: {{p95: 1s}}
    GET /health: {{connect_p95: 1s, throughput: 5/s}}
    WS /ws: {{connect_p95: 1s}}
  metrics:
    herd: {{p95: 1s}}
    heard: {{error_rate: 1%}}
defaults: {{scenario: main}}
baseline: {{gate_on: [p95, p96], catch: 5%, confidence: 100%, budget: {{p50: 1%, p5: 1%}}}}
"
    );
    insta::assert_snapshot!(problems(&text), @r"
13:16 `error_rate` is good below its limit, not above [write `below`]
16:5 no step makes requests to `GET /helth` [did you mean `GET /health`? known: GET /health, WS /ws]
17:19 `connect_p95` belongs to WebSockets, and `GET /health` is none [requests have p50 p75 p90 p95 p99 p999 max mean error_rate throughput]
20:5 no step records a metric `herd` [did you mean `heard`? known: heard]
21:13 the custom metric `heard` has no `error_rate` [custom metrics are times: p50 p75 p90 p95 p99 p999 max mean]
23:27 unknown metric `p96` [did you mean `p90`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
23:40 `catch` must be above `budget` [what is tolerated ends at `budget`; `catch` is the change that must not slip through]
23:56 the confidence lies between 50% and 100% [write such as `95%`]
23:80 unknown metric `p5` [did you mean `p50`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
");
}

#[test]
fn a_choice_must_be_possible() {
    let config = config(CONTRACT, "");
    let tell = |environment, scenario| {
        let problems = Plan::resolve(&config, &selection(environment, scenario), &|_| None).unwrap_err();
        listed(&config, &problems)
    };
    insta::assert_snapshot!(tell("stagin", "buildflow"), @r"
- unknown environment `stagin` [did you mean `staging`? known: demo, development, staging, production_load]
- unknown scenario `buildflow` [did you mean `build_flow`? known: build_flow, api_stress, websocket_load]
");
    let several = "
environments: {a: {host: 'http://a', users: 1}, b: {host: 'http://a', users: 1}}
scenarios: {main: {users: {a: {steps: [{get: /}]}}}}";
    insta::assert_snapshot!(problems(several), @"- there are several environments, and none is chosen [write `defaults: {environment: a}`, or name it when you run it]");
    insta::assert_snapshot!(problems("name: x"), @r"
- there is no environment [name one under `environments`]
- there is no scenario [name one under `scenarios`]
");
}

#[test]
fn a_run_is_described_by_its_layers_and_flags_win() {
    let load = |overrides: &str| plan(SMALL, overrides).load;
    assert_eq!(load("").shape, Shape::constant_at(2.0, secs(10)));
    assert_eq!(load("users: 7").shape, Shape::constant_at(7.0, secs(10)));
    assert_eq!(load("load: {warmup: 1s, drain: 2s}").warmup, secs(1));
    // Another model replaces the load whole: 30 s of arrivals, users for 10 s of them.
    let open = load("{arrivals: 12.34/s, load: {distribution: poisson}}");
    assert_eq!(open.shape, Shape::constant_at(12.34, secs(30)));
    assert_eq!(open.model, Model::Open { distribution: Distribution::Poisson, max_users: 124 });
    let staircase = load("load: {staircase: {from: 10, by: 10, every: 5s, until: 35}}").shape;
    assert_eq!(staircase.0.iter().map(|segment| segment.to).collect::<Vec<_>>(), [10.0, 20.0, 30.0]);
    let stages = load("load: {stages: [{to: 5/s, over: 0s}, {to: 5/s, over: 2s}, {to: 0/s, over: 1s}]}");
    assert_eq!((stages.shape.duration(), stages.shape.peak()), (secs(3), 5.0));
    assert_eq!(stages.model, Model::Open { distribution: Distribution::Even, max_users: 50 });
}

#[test]
fn a_host_given_by_hand_replaces_a_target() {
    let config = config(CONTRACT, "host: https://other.example/base");
    let plan = resolved(&config, &selection("demo", ""));
    assert!(matches!(&plan.target, Target::Host(url) if url.as_str() == "https://other.example/base"));
    let plan = resolved(&self::config(CONTRACT, ""), &selection("production_load", ""));
    assert_eq!(plan.protection, Protection::Protected);
}

#[test]
fn objectives_of_other_scenarios_do_not_apply() {
    let config = config(CONTRACT, "thresholds: {p99: 9s, p50: null}");
    let rules = crate::plan::rules::resolve(&config, "demo", "build_flow").unwrap();
    let find = |scope: Scope, metric: &str| {
        let metric = Metric::named(metric).unwrap();
        rules.objectives.iter().find(|it| it.scope == scope && it.metric == metric).cloned()
    };
    let socket = find(Scope::Endpoint("WS /ws/builds/{id}".into()), "connect_p95").unwrap();
    assert_eq!((socket.applies, socket.limit), (Applies::Elsewhere, 1000.0));
    assert_eq!(find(Scope::Total, "p99").map(|it| (it.limit, it.line)), Some((9000.0, None)));
    let p95 = find(Scope::Total, "p95").unwrap();
    let line = p95.line.and_then(|line| CONTRACT.lines().nth(line - 1)).unwrap();
    assert_eq!(line.trim(), "p95: 2s");
    assert!(crate::plan::rules::resolve(&config, "demo", "gone").is_err());
}

#[test]
fn rules_need_neither_secrets_nor_data_files() {
    let text = format!(
        "{SMALL}    data: {{rows: {{file: nowhere.csv}}}}\nthresholds: {{endpoints: {{GET /health: {{p95: 1s}}}}}}\n"
    )
    .replace("{get: /health}", "{get: /health, bearer: \"{{ env('TOKEN') }}\"}");
    let config = config(&text, "");
    assert_eq!(crate::plan::rules::resolve(&config, "here", "main").unwrap().objectives.len(), 1);
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages[0], "the environment variable `TOKEN` is not set or empty");
    assert!(messages[1].starts_with("cannot read data file"), "{messages:?}");
}

#[test]
fn values_of_the_environment_are_secrets_and_only_those_of_the_run_are_needed() {
    let text = SMALL.replace("{get: /health}", "{get: /health, bearer: \"{{ env('TOKEN') }}\"}")
        + "  other: {users: {all: {steps: [{get: \"/{{ env('OTHER') }}\"}]}}}\ndefaults: {scenario: main}\n";
    let config = config(&text, "");
    let lookup = |name: &str| (name == "TOKEN").then(|| "t0p".to_owned());
    let plan = Plan::resolve(&config, &Selection::default(), &lookup).unwrap();
    assert_eq!(plan.secrets, ["t0p"]);
    let request = requests(&plan.tasks[0].steps)[0];
    let scope = crate::template::Scope::new(plan.names.clone(), 1);
    assert!(
        matches!(&request.headers[0].1, HeaderValue::Bearer(token) if token.render(&scope).unwrap() == "t0p")
    );
}

#[test]
fn rows_of_a_file_have_its_columns_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.csv"), "email,id\na@b.c,1\nd@e.f,2\n").unwrap();
    std::fs::write(folder.path().join("body.bin"), "bytes").unwrap();
    let text = SMALL.replace("[{get: /health}]", "[{post: '/{{ accounts.email }}', file: body.bin}]")
        + "    data: {accounts: {file: accounts.csv, order: per_user}}\n";
    let mut good = config(&text, "");
    good.folder = folder.path().into();
    let plan = resolved(&good, &Selection::default());
    assert_eq!((plan.data[0].rows.len(), plan.data[0].order), (2, DataOrder::PerUser));
    assert!(matches!(&requests(&plan.tasks[0].steps)[0].body, Body::File(bytes) if bytes == "bytes"));
    let mut bad = config(&text.replace("accounts.email", "accounts.emial"), "");
    bad.folder = folder.path().into();
    let problems = Plan::resolve(&bad, &Selection::default(), &|_| None).unwrap_err();
    insta::assert_snapshot!(listed(&bad, &problems), @"8:42 `accounts` has no `emial` [did you mean `email`? known: email, id]");
    std::fs::write(folder.path().join("accounts.csv"), "email,id\na@b.c,1\nd@e.f,3\n").unwrap();
    assert_ne!(resolved(&good, &Selection::default()).digest, plan.digest);
}

#[test]
fn headers_of_the_class_are_in_its_tasks_and_not_in_its_start() {
    let text = "
environments: {here: {host: 'http://a', users: 1}}
scenarios:
  main:
    users: {all: {headers: {X-A: 1, Content-Type: text/x}, on_start: login, tasks: {visit: 1}, wait: 1s..2s}}
    tasks:
      login: [{post: /login, json: {a: 1}}]
      visit:
        - {post: /a, json: {a: 1}, headers: {x-a: null, X-B: 2}, basic: {user: u, password: p}}
        - {run: more}
      more: [{repeat: 2, steps: [{get: '/{{ index }}', headers: {Content-Type: null}}]}]
";
    let plan = plan(text, "");
    let headers = |task: &str| -> Vec<Vec<String>> {
        let task = plan.tasks.iter().find(|it| it.name == task).unwrap();
        let names = |request: &&Request| request.headers.iter().map(|(name, _)| name.to_string()).collect();
        requests(&task.steps).iter().map(names).collect()
    };
    assert_eq!(headers("login"), [["content-type"]]);
    assert_eq!(headers("visit"), [vec!["content-type", "x-b", "authorization"], vec!["x-a"]]);
    assert_eq!(plan.classes[0].wait, Wait::Uniform(secs(1), secs(2)));
    assert_eq!(plan.endpoints[2].name, "GET /{}");
}

#[test]
fn the_digest_knows_what_shapes_the_numbers_and_nothing_else() {
    let text = "
name: x
environments: {here: {host: 'http://a', users: 2}}
scenarios:
  main:
    data: {words: [a, b]}
    users: {all: {wait: 1s, tasks: {visit: 1, read: 2}}}
    tasks: {visit: [{get: /a}], read: [{get: '/{{ pick(words) }}'}], unused: [{get: /u}]}
";
    let digest = |text: &str, overrides: &str| plan(text, overrides).digest;
    let original = digest(text, "");
    for (from, to) in [
        (
            "name: x",
            "name: y # a comment\nseed: 9\nthresholds: {p95: 1s}\nbaseline: {}\nreporting: {formats: [json]}",
        ),
        ("http://a", "http://b"),
        ("wait: 1s, tasks: {visit: 1, read: 2}", "tasks: {read: 2, visit: 1}, wait: 1s"),
        ("  main:\n", "  main:\n    description: what it is\n"),
        ("get: /u", "get: /other"),
    ] {
        assert_eq!(digest(&text.replace(from, to), ""), original, "{from} → {to}");
    }
    for (from, to) in [
        ("get: /a", "get: /b"),
        ("visit: 1", "visit: 2"),
        ("[a, b]", "[b, a]"),
        ("[a, b]", "[a, 1]"),
        ("wait: 1s", "wait: 2s"),
        ("name: x", "timeout: 1s"),
        ("users: 2", "users: 3"),
    ] {
        assert_ne!(digest(&text.replace(from, to), ""), original, "{from} → {to}");
    }
    assert_ne!(digest(text, "users: 3"), original);
}

#[test]
fn what_this_version_does_not_do_is_named_once() {
    let plan = resolved(&config(CONTRACT, ""), &Selection::default());
    assert_eq!(
        plan.inactive,
        [
            "`baseline`",
            "`ab`",
            "`reporting.prometheus`",
            "`reporting.grafana`",
            "`reporting.formats` other than `json`"
        ]
    );
    let window = plan_of_thresholds("{p95: {below: 1s, window: 1s}, p99: {below: 1s, window: 2s}}");
    assert_eq!(window.inactive, ["`window` of thresholds"]);
}

fn plan_of_thresholds(thresholds: &str) -> Plan {
    plan(SMALL, &format!("thresholds: {thresholds}"))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The requests of steps, those inside of others too.
fn requests(steps: &[Step]) -> Vec<&Request> {
    steps.iter().flat_map(requests_of).collect()
}

fn requests_of(step: &Step) -> Vec<&Request> {
    match &step.action {
        Action::Request(request) => vec![request],
        Action::Run(steps) | Action::Repeat { steps, .. } | Action::Group { steps, .. } => requests(steps),
        _ => Vec::new(),
    }
}
