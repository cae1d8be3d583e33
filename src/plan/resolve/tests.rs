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
use crate::plan::{Prometheus, Protection, Target};

mod description;
mod objective;
mod problem;

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
fn null_in_a_more_specific_layer_takes_variables_of_a_target_away() {
    let target = "{target: {command: ./app, env: {A: a, TOKEN: '{{ env(\"TOKEN\") }}'}}, users";
    let text = SMALL.replace("{host: 'http://127.0.0.1:1', users", target);
    let names = |overrides: &str| match plan(&text, overrides).target {
        Target::Command(command) => command.variables.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
        Target::Host(url) => panic!("{url}"),
    };
    // A variable that is taken away asks the environment of loadgate for nothing: TOKEN is not set there.
    assert_eq!(names("target: {env: {TOKEN: null}}"), ["A"]);
    assert_eq!(names("target: {env: {TOKEN: null, A: b, B: b}}"), ["A", "B"]);
    assert!(names("target: {env: null}").is_empty());
    assert_eq!(names("target: {env: {TOKEN: x}}"), ["A", "TOKEN"]);
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
    assert_eq!(crate::plan::rules::resolve(&config, "here", "main").unwrap().objectives.len(), 2);
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages[0], "the environment variable `TOKEN` is not set or empty");
    assert!(messages[1].starts_with("cannot read `"), "{messages:?}");
}

#[test]
fn values_of_the_environment_are_secrets_and_only_those_of_the_run_are_needed() {
    let text = SMALL.replace("{get: /health}", "{get: /health, bearer: \"{{ env('TOKEN') }}\"}")
        + "  other: {users: {all: {steps: [{get: \"/{{ env('OTHER') }}\"}]}}}\ndefaults: {scenario: main}\n";
    let config = config(&text, "");
    let lookup = |name: &str| (name == "TOKEN").then(|| "t0p".into());
    let plan = Plan::resolve(&config, &Selection::default(), &lookup).unwrap();
    assert_eq!(plan.secrets.given(), ["t0p"]);
    let request = requests(&plan.tasks[0].steps)[0];
    let scope = crate::template::Scope::new(plan.names.clone(), crate::template::Seeds::both(1));
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
    assert!(matches!(&requests(&plan.tasks[0].steps)[0].body, Body::Fixed(bytes) if bytes == "bytes"));
    let mut bad = config(&text.replace("accounts.email", "accounts.emial"), "");
    bad.folder = folder.path().into();
    let problems = Plan::resolve(&bad, &Selection::default(), &|_| None).unwrap_err();
    insta::assert_snapshot!(listed(&bad, &problems), @"8:42 `accounts` has no `emial` [did you mean `email`? known: email, id]");
    std::fs::write(folder.path().join("accounts.csv"), "email,id\na@b.c,1\nd@e.f,3\n").unwrap();
    assert_ne!(resolved(&good, &Selection::default()).digest, plan.digest);
}

#[test]
fn headers_of_the_class_are_in_its_tasks_and_in_its_start_where_they_can_be_rendered() {
    let text = "version: 1
environments: {here: {host: 'http://a', users: 1}}
scenarios:
  main:
    users: {all: {headers: {X-A: 1, X-T: '{{ token }}', Content-Type: text/x}, on_start: login, tasks: {visit: 1}, wait: 1s..2s}}
    tasks:
      login: [{post: /login, json: {a: 1}, capture: {token: $.t}}]
      visit:
        - {post: /a, json: {a: 1}, headers: {x-a: null, X-T: null, X-B: 2}, basic: {user: u, password: p}}
        - {run: more}
      more: [{repeat: 2, steps: [{get: '/{{ index }}', headers: {Content-Type: null}}]}]
";
    let plan = plan(text, "");
    let headers = |task: &str| -> Vec<Vec<String>> {
        let task = plan.tasks.iter().find(|it| it.name == task).unwrap();
        let names = |request: &&Request| request.headers.iter().map(|(name, _)| name.to_string()).collect();
        requests(&task.steps).iter().map(names).collect()
    };
    assert_eq!(headers("login"), [["content-type", "x-a"]]);
    assert_eq!(plan.classes[0].withheld, ["X-T"]);
    assert_eq!(headers("visit"), [vec!["content-type", "x-b", "authorization"], vec!["x-a", "x-t"]]);
    assert_eq!(plan.classes[0].wait, Wait::Uniform(secs(1), secs(2)));
    assert_eq!(plan.endpoints[2].name, "GET /{}");
}

#[test]
fn what_is_sliced_is_read() {
    let rows = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(rows.path(), "name\nx\n").unwrap();
    let plan_of = |header: &str, step: &str| {
        let text = format!(
            "version: 1
environments: {{here: {{host: 'http://a', users: 1}}}}
scenarios:
  main:
    data: {{rows: {{file: {}}}}}
    users: {{all: {{headers: {{X-T: '{header}'}}, on_start: login, tasks: {{visit: 1}}}}}}
    tasks:
      login: [{{post: /login, json: {{n: '{{{{ rows.name[:1] }}}}'}}, capture: {{token: $.t}}}}]
      visit: [{{post: /a, json: {{n: '{{{{ rows.name[1:] }}}}'}}}}, {step}]
",
            rows.path().display()
        );
        plan(&text, "")
    };
    let plain = plan_of("x", "{get: /b}");
    assert_eq!((plain.keeps_response, plain.classes[0].withheld.len()), (false, 0));
    assert!(plain.notes.iter().any(|note| note.contains("read `rows` in `on_start`")), "{:?}", plain.notes);
    assert_eq!(plan_of("{{ token[:4] }}", "{get: /b}").classes[0].withheld, ["X-T"]);
    for step in ["{get: /b, when: 'response.json.l[:1] == [1]'}", "{set: {a: '{{ response.json.l[1:] }}'}}"] {
        assert!(plan_of("x", step).keeps_response, "{step}");
    }
}

#[test]
fn a_proxy_is_no_template() {
    let text = "version: 1
http: {proxy: \"http://u:{{ env('P') }}@proxy:8080\"}
environments: {here: {host: 'http://a', users: 1}}
scenarios: {main: {users: {all: {steps: [{get: /}]}}}}
";
    let config = config(text, "");
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    let told = listed(&config, &problems);
    assert!(told.contains("`http.proxy` is no template") && told.contains("`HTTP_PROXY`"), "{told}");
}

#[test]
fn secrets_of_the_class_stay_at_home_in_its_start() {
    let text = "version: 1
environments: {here: {host: 'http://a.test/v1', users: 1}}
scenarios:
  main:
    users: {all: {headers: {Authorization: fixed, X-Api-Key: k, X-Env: \"{{ env('E') }}\", X-A: 1}, on_start: login, tasks: {visit: 1}}}
    tasks:
      login: [{get: /in}, {get: 'http://a.test/in'}, {post: 'https://idp.test/token'}, {get: '{{ other }}'}, {set: {other: x}}]
      visit: [{get: 'https://idp.test/x'}]
";
    let config = config(text, "");
    let plan = Plan::resolve(&config, &Selection::default(), &|_| Some("value".into())).unwrap();
    let home_alone = |task: &str| -> Vec<String> {
        let task = plan.tasks.iter().find(|it| it.name == task).unwrap();
        let names = |request: &&Request| {
            assert_eq!(request.headers.len(), 4);
            let home = request.headers.iter().filter(|(_, value)| matches!(value, HeaderValue::AtHome(_)));
            home.map(|(name, _)| name.as_typed()).collect::<Vec<_>>().join(" ")
        };
        requests(&task.steps).iter().map(names).collect()
    };
    assert_eq!(home_alone("login"), ["", "", "Authorization X-Api-Key", "Authorization X-Api-Key X-Env"]);
    assert_eq!(home_alone("visit"), [""]);
    assert_eq!(plan.classes[0].withheld, ["Authorization", "X-Api-Key", "X-Env"]);
}

#[test]
fn a_password_in_the_address_of_a_step_is_not_in_the_digest_and_all_else_is() {
    let text = "version: 1
environments: {here: {host: 'http://a', users: 1}}
scenarios:
  main:
    users: {all: {steps: [STEP]}}
";
    let digest = |step: &str| plan(&text.replace("STEP", step), "").digest;
    for (step, same) in [
        ("{get: 'http://u:p@b/x'}", true),
        ("{request: {method: GET, path: 'http://u:p@b/x'}}", true),
        ("{group: g, steps: [{websocket: 'ws://u:p@b/x', steps: [{ping: true}]}]}", true),
        ("{get: '/go?to=http://u:p@b/x'}", false),
        ("{post: /x, json: {get: 'http://u:p@b/x', steps: [{get: 'http://u:p@b/x'}]}}", false),
        ("{set: {post: 'http://u:p@b/x'}}", false),
    ] {
        assert_eq!(digest(step) == digest(&step.replace("u:p@", "")), same, "{step}");
    }
}

#[test]
fn the_digest_knows_what_shapes_the_numbers_and_nothing_else() {
    let text = "
version: 1
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
    assert_eq!(plan.inactive, ["`ab`"]);
    let long = plan_of_thresholds("{p95: {below: 1s, window: 1s, abort: true, after: 2s}}");
    assert!(long.inactive.is_empty());
}

#[test]
fn live_metrics_are_served_for_this_machine_unless_something_else_is_said() {
    let served = |said: &str| plan(SMALL, said).reporting.prometheus;
    let usual = Prometheus { listen: "127.0.0.1".into(), port: 9_090, linger: Duration::ZERO };
    assert_eq!(served("reporting: {prometheus: {}}"), Some(usual.clone()));
    assert_eq!(served("reporting: {prometheus: {enabled: true}}"), Some(usual));
    let other = Prometheus { listen: "::1".into(), port: 0, linger: Duration::from_secs(3) };
    let said = "reporting: {prometheus: {listen: '::1', port: 0, linger: 3s}}";
    assert_eq!(served(said), Some(other));
    assert_eq!(served("reporting: {prometheus: {enabled: false, port: 0}}"), None);
    assert_eq!(served("reporting: {formats: [json]}"), None);
}

#[test]
fn the_uid_of_the_dashboard_is_one_that_grafana_takes() {
    let uid = |said: &str| super::dashboard_uid(&config(SMALL, said));
    assert_eq!(uid("").as_deref(), Ok("loadgate"));
    let said = |uid: &str| format!("reporting: {{grafana: {{dashboard_uid: '{uid}'}}}}");
    assert_eq!(uid(&said("Nightly_2-a")).as_deref(), Ok("Nightly_2-a"));
    for wrong in [String::new(), "a b".into(), "a\"".into(), "a".repeat(41)] {
        let problems = uid(&said(&wrong)).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].span.is_some() && problems[0].message.contains("no uid"), "{problems:?}");
    }
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

#[test]
fn a_comparison_is_turned_off_by_null_and_follows_each_budget() {
    let rules = |baseline: &str, overrides: &str| {
        rules(&config(&format!("{SMALL}baseline: {baseline}\n"), overrides), "here", "main").unwrap().baseline
    };
    let written = rules("{budget: {p95: 3%}}", "").unwrap();
    let catch = |metric: &str| written.catch_of(Metric::named(metric).unwrap()).0;
    assert!((catch("p95") - 0.09).abs() < 1e-12 && (catch("p50") - 0.3).abs() < 1e-12);
    assert_eq!(rules("{budget: 3%}", "baseline: null"), None);
    assert_eq!(rules("null", ""), None);
}
