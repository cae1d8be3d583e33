//! Bad configurations, and what is said about them.

use super::*;

fn problems(text: &str) -> String {
    let config = config(text, "");
    Plan::resolve(&config, &Selection::default(), &|_| None)
        .map_or_else(|problems| listed(&config, &problems), |plan| format!("resolved: {}", plan.digest))
}

/// The problems of a scenario `main` with these entries, whose lines count from 1.
fn problems_of_scenario(entries: &str) -> String {
    let indented: Vec<String> = entries.lines().map(|line| format!("    {line}")).collect();
    let text = format!(
        "version: 1\nscenarios:\n  main:\n{}\nenvironments: {{here: {{host: 'http://a', users: 1}}}}\n",
        indented.join("\n")
    );
    let config = config(&text, "");
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    listed(&config, &problems)
}

#[test]
fn a_data_file_that_is_wrong_is_one_problem() {
    let steps = "{steps: [{get: '/{{ rows.id }}'}, {get: '/{{ rows.name }}'}]}";
    let text = SMALL
        .replace(
            "    users: {all: {tasks: {visit: 1}}}",
            &format!("    data: {{rows: {{file: nowhere.csv}}}}\n    users: {{all: {steps}}}"),
        )
        .replace("    tasks: {visit: [{get: /health}]}\n", "");
    let config = config(&text, "");
    let problems = Plan::resolve(&config, &Selection::default(), &|_| None).unwrap_err();
    let told = listed(&config, &problems);
    assert_eq!(problems.len(), 1, "{told}");
    assert!(told.contains("nowhere.csv"), "{told}");
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
    - {get: "/{{ tokn[0:] | default('d') }}", when: "user.nam[:1] == 'a'", headers: {X: "{{ response[1:] }}"}}
    - get: |
        /folded/{{ tokn }}
"#), @r"
9:24 `tokn` is not defined anywhere in this scenario [did you mean `token`? known: prompts, token, user]
10:27 unexpected end of input, expected expression
10:45 `index` cannot be read here [`index` counts the rounds of `repeat`, for the steps inside it]
10:71 `prompts` is a list and has no `first` [take one of it: `pick(prompts).first`]
11:38 `user` has no `nam` [known: id, class]
11:54 unknown function `nope` [known: pick, rand_int, uuid, now_ms, env, base64, hmac, range, dict]
15:75 `response` has no `jsn` [did you mean `json`? known: status, headers, json]
16:22 `message` cannot be read here [`message` is known in `where` of a `receive` step; `capture` keeps what is in it]
16:41 `response` cannot be read here [`response` is known in `expect.that`, `poll.until`, `when` and `set`; `capture` keeps what is in it]
17:18 `user` already means something in templates [choose another name]
17:27 `prompts` is the name of data [give the value another name: data stays as it is]
17:39 `9a` is not a name that a template can read [use letters, digits and `_`, not beginning with a digit]
17:46 `pick` already means something in templates [choose another name]
18:22 `tokn` is not defined anywhere in this scenario [did you mean `token`? known: prompts, token, user]
18:63 `user` has no `nam` [known: id, class]
18:97 `response` cannot be read here [`response` is known in `expect.that`, `poll.until`, `when` and `set`; `capture` keeps what is in it]
20:24 `tokn` is not defined anywhere in this scenario [did you mean `token`? known: prompts, token, user]
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
5:29 unknown task `logn` [did you mean `login`? known: login, refresh, again, visit]
5:53 unknown task `vist` [did you mean `visit`? known: login, refresh, again, visit]
5:70 users of class `none` have nothing to do [name their tasks with weights, `tasks: {browse: 1}`, or list `steps`]
5:88 the weights of all tasks of `zero` are zero [give at least one task a weight above zero]
9:21 `refresh` runs itself: `refresh` → `again` → `refresh` [`repeat` does steps several times]
11:12 `send` needs a WebSocket [put it into the `steps` of a `websocket` step]
12:12 `hold` needs a WebSocket [put it into the `steps` of a `websocket` step]
13:22 a URL with `http://` cannot be used here [write a path from `/`, or a whole URL with `ws://` or `wss://`]
15:16 a WebSocket inside of another [a user has one WebSocket at a time: put the step after it]
16:31 this is not base64 [write bytes in base64 (RFC 4648, with padding), or use `text`]
17:30 `1005` is no code that a client may close with [write 1000 for a normal close, or 3000 to 4999 (RFC 6455)]
18:56 `bad name` is not the name of a header
19:17 `x` is neither a path nor a URL [write a path from `/`, or a whole URL with `http://` or `https://`]
20:17 a URL with `ftp://` cannot be used here [write a path from `/`, or a whole URL with `http://` or `https://`]
20:36 the name of an endpoint cannot change from request to request [write what changes as `{id}`: all these requests are one endpoint]
21:31 `a b` is not the name of a header [write letters, digits and `-`, such as `X-Request-Id`]
21:58 `$.a[` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
21:74 `(` is not a regular expression: unclosed group
21:106 `a(b)` has no group 2 [it has 1; group 0 is the whole match]
21:113 `id` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
22:44 `2xy` is not a status [write a status from 100 to 599 such as `200`, a class such as `2xx`, or a list]
22:49 `99` is not a status [write a status from 100 to 599 such as `200`, a class such as `2xx`, or a list]
22:61 `a.b` is not a JSONPath [write a JSONPath (RFC 9535) such as `$.items[0].id`]
23:20 steps repeated zero times never run [write a number from 1, or leave the step out]
24:12 `group` without steps does nothing [list what is to be done under `steps`]
25:18 the range `3s..1s` ends before it begins [write `1s..3s`]
26:18 a throughput paces iterations, not steps [write it as the `wait` of a user class; a step waits `1s` or `1s..3s`]
");
}

#[test]
fn environments_and_loads_that_contradict_themselves_are_refused() {
    insta::assert_snapshot!(problems("version: 1
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
5:28 both `load` and `users`, which is short for it [move everything into `load`, or leave it out]
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
13:11 the scenario `nobody` has no users [describe them under `users`: `users: {all: {tasks: {browse: 1}}}`]
");
}

#[test]
fn loads_that_cannot_be_resolved_are_refused() {
    let with = |load: &str| {
        problems(&format!(
            "version: 1
environments: {{here: {{host: 'http://a', load: {load}}}}}
scenarios: {{main: {{users: {{a: {{steps: [{{get: /}}]}}}}}}}}"
        ))
    };
    insta::assert_snapshot!(with("{warmup: 1s}"), @"2:16 nothing says how much load there is [write `users: 10`, or `load: {arrivals: 50/s, run_time: 1m}`]");
    insta::assert_snapshot!(with("{staircase: {from: 1, by: 0, every: 1s, until: 5}}"), @"2:59 a staircase climbs from `from` by `by` until `until`, in at most 10000 steps [write such as `{from: 10, by: 10, every: 30s, until: 200}`]");
    insta::assert_snapshot!(with("{stages: [{to: 5/s, over: 1s}, {to: 5, over: 1s}]}"), @"2:83 users among levels that are arrivals per second [write every level as a number of users, `50`, or every one as a rate, `50/s`]");
    insta::assert_snapshot!(with("{stages: [{to: 0, over: 1s}]}"), @"2:56 this makes no load at all [give it a level above zero for some time]");
    insta::assert_snapshot!(with("{stages: [{to: 5, over: 1s}], run_time: 5s}"), @"2:77 `run_time` does not go with `stages` [the steps of this load say how long it lasts]");
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
    let several = "version: 1
environments: {a: {host: 'http://a', users: 1}, b: {host: 'http://a', users: 1}}
scenarios: {main: {users: {a: {steps: [{get: /}]}}}}";
    insta::assert_snapshot!(problems(several), @"- there are several environments, and none is chosen [write `defaults: {environment: a}`, or name it when you run it]");
    insta::assert_snapshot!(problems("version: 1"), @r"
1:1 `environments` is missing [`environments`: What is put under load, by name.]
1:1 `scenarios` is missing [`scenarios`: What the users do, by name.]
1:1 there is no environment [name one under `environments`]
1:1 there is no scenario [name one under `scenarios`]
");
}

#[test]
fn a_comparison_that_could_never_decide_is_refused() {
    let told = |baseline: &str| problems(&format!("{SMALL}baseline: {baseline}\n"));
    let all = [
        told("{gate_on: []}"),
        told("{gate_on: [p95, p999, connect_p95, max]}"),
        told("{budget: {p95: 1%, p75: 1%, error_rat: 1%}}"),
        told("{budget: 10}"),
        told("{budget: {p95: 500%}, catch: 600%}"),
        told("{budget: {p50: 5%, p95: 20%}, catch: 15%}"),
        told("{keep_runs: 2}"),
        told("{keep_runs: 0}"),
        told("{keep_runs: many, gate_on: p95}"),
        told("{gate_on: [p50, p95, p99, error_rate, throughput], keep_runs: 3}"),
    ];
    let all: Vec<_> = all.iter().map(|text| text.split("resolved").next().unwrap_or_default()).collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    9:21 `gate_on` of nothing compares nothing [name metrics, as in `[p50, p95, error_rate]`, or leave it out; `baseline: null` turns the comparison off]

    9:39 unknown metric `error_rat` [did you mean `error_rate`? known: p50, p75, p90, p95, p99, p999, max, mean, error_rate, throughput, connect_p50, connect_p75, connect_p90, connect_p95, connect_p99, connect_p999, missing_messages, unexpected_closes]
    9:20 a budget of `10` tolerates everything [write a ratio such as `10%` or `0.1`]
    9:26 a budget of `500%` tolerates everything [write a ratio such as `10%` or `0.1`]
    9:48 `catch` must be above `budget` [what is tolerated ends at `budget`; `catch` is the change that must not slip through]
    9:23 with fewer than 3 runs nothing can be decided [keep 20 runs, or at least 10]
    9:23 with fewer than 3 runs nothing can be decided [keep 20 runs, or at least 10]
    9:23 the text `many` is not a whole number [write a whole number, without quotes and without a leading zero]
    9:38 expected a list, found the text `p95` [write `[p95]`]
    ");
}

#[test]
fn rules_alone_are_as_strict_about_form() {
    let config = config(&format!("{SMALL}baseline: {{keep_runs: -1, on_missing: maybe}}\n"), "");
    let problems = crate::plan::rules::resolve(&config, "here", "main").unwrap_err();
    insta::assert_snapshot!(listed(&config, &problems), @r"
9:23 the number `-1` is not a whole number [write a whole number, without quotes and without a leading zero]
9:39 unknown word `maybe` [known: pass, fail]
");
}

#[test]
fn a_host_whose_password_is_cut_off_is_refused_and_not_shown() {
    let with = |host: &str| problems(&SMALL.replace("http://127.0.0.1:1", host));
    for host in [
        "http://us:p@ssw0rd-Q9/x@127.0.0.1:1",
        "http://us:12/ssw0rd-Q9@127.0.0.1:1",
        "http://corp/us:ssw0rd-Q9@127.0.0.1:1",
    ] {
        let told = with(host);
        assert!(told.starts_with("4:29 an `@` stands in the path of the host"), "{told}");
        assert!(told.contains("`%40` for `@`, `%2F` for `/`, `%3A` for `:`"), "{told}");
        assert!(!told.to_lowercase().contains("ssw0rd"), "{told}");
    }
    for host in ["http://us:p%40ss@127.0.0.1:1/x", "http://127.0.0.1:1/@me", "https://cdn.test/lib@1.2"] {
        assert!(with(host).starts_with("resolved"), "{host}: {}", with(host));
    }
    let socket = with("unix:/run/a@b.sock");
    assert!(socket.starts_with("resolved"), "{socket}");
}

#[test]
fn words_and_urls_that_are_no_proxy_are_refused() {
    let with = |http: &str| problems(&format!("{SMALL}http: {http}\n"));
    for word in ["no", "off", "false", "None", "direct"] {
        let told = with(&format!("{{proxy: {word}}}"));
        let wanted = format!(
            "9:15 `http.proxy`: `{word}` is not the URL of a proxy [write `none` to connect directly]"
        );
        assert_eq!(told, wanted);
    }
    assert!(with("{proxy: true}").contains("or leave the key out"));
    for proxy in ["http://u:p@h:1/path", "h:1/?x", "http://h:1#x"] {
        let told = with(&format!("{{proxy: '{proxy}'}}"));
        assert!(told.contains("a proxy has no path, query or fragment"), "{told}");
    }
    let cut = with("{proxy: 'http://us:p@ssw0rd-Q9/x@127.0.0.1:1'}");
    assert!(cut.contains("percent-encode") && !cut.contains("ssw0rd"), "{cut}");
    for proxy in ["none", "no.example:3128", "http://off", "http://u:p@h:1/"] {
        let told = with(&format!("{{proxy: '{proxy}'}}"));
        assert!(told.starts_with("resolved"), "{told}");
    }
}

#[test]
fn redirects_say_what_is_valid_and_origins_are_named_one_by_one() {
    let with = |redirects: &str| problems(&format!("{SMALL}http: {{redirects: {redirects}}}\n"));
    let all = ["true", "none", "-1", "51", "[a]", "{most: false}"].map(with);
    insta::assert_snapshot!(all.join("\n"), @r"
9:19 expected a number of redirects from 0 to 50, or `{most, to}`, found `true` [write such as `10`, which is the default; `0` follows none]
9:19 expected a number of redirects from 0 to 50, or `{most, to}`, found the text `none` [write such as `10`, which is the default; `0` follows none]
9:19 expected a number of redirects from 0 to 50, or `{most, to}`, found the number `-1` [write such as `10`, which is the default; `0` follows none]
9:19 expected a number of redirects from 0 to 50, or `{most, to}`, found the number `51` [write such as `10`, which is the default; `0` follows none]
9:19 expected a number of redirects from 0 to 50, or `{most, to}`, found a list [write such as `10`, which is the default; `0` follows none]
9:26 expected a number of redirects from 0 to 50, found `false` [write such as `10`, which is the default; `0` follows none]
");
    let origins = [
        "https://*.example.com",
        "*.example.com",
        "https://u:s3cret@a.example",
        "https://u:s3/cret@a.example",
        "https://a.example/x",
    ];
    let all = origins.map(|origin| with(&format!("{{to: ['{origin}']}}")));
    assert!(!all.join(" ").contains("cret"), "{all:?}");
    insta::assert_snapshot!(all.join("\n"), @r"
9:25 `https://*.example.com` stands for many origins [name each origin by itself, such as `https://cdn.example.com`]
9:25 `*.example.com` stands for many origins [name each origin by itself, such as `https://cdn.example.com`]
9:25 an origin has neither user nor password [write scheme and host alone, such as `https://cdn.example.com`; a request takes user and password along in its URL, in `bearer` or in `basic`]
9:25 an origin has neither user nor password [write scheme and host alone, such as `https://cdn.example.com`; a request takes user and password along in its URL, in `bearer` or in `basic`]
9:25 `https://a.example/x` is not an origin [write scheme and host, and the port where it is not the usual one: `https://cdn.example.com`]
");
    assert!(
        with("0").starts_with("resolved") && with("{most: , to: ['https://a:1']}").starts_with("resolved")
    );
}

#[test]
fn what_is_wrong_with_a_variable_of_the_environment_is_told_without_its_value() {
    use std::os::unix::ffi::OsStringExt;
    let text = SMALL.replace("{get: /health}", "{get: /health, bearer: \"{{ env('TOKEN') }}\"}");
    let told = |value: &[u8]| {
        let config = config(&text, "");
        let lookup = |_: &str| Some(std::ffi::OsString::from_vec(value.to_vec()));
        let problems = Plan::resolve(&config, &Selection::default(), &lookup).unwrap_err();
        listed(&config, &problems)
    };
    let all =
        [&b"s3cr\xff\xfeet"[..], b"", b"\n", b"s3cr\net", b"s3cr\x1bet", b"s3cr\x7f", b"s3cr\x01"].map(told);
    assert!(!all.join(" ").contains("s3cr"), "{all:?}");
    insta::assert_snapshot!(all.join("\n"), @r"
8:44 the environment variable `TOKEN` is not UTF-8 [set it to text in UTF-8]
8:44 the environment variable `TOKEN` is not set or empty [set it before the run; in a workflow, under `env:` of the step]
8:44 the environment variable `TOKEN` is not set or empty [set it before the run; in a workflow, under `env:` of the step]
8:44 the environment variable `TOKEN` has a line break in it, which no header can hold [set it to one line; a text of several lines can be sent in a body]
8:44 the environment variable `TOKEN` has the control character U+001B (escape) in it, which no header can hold [set it without that character; any can be sent in a body]
8:44 the environment variable `TOKEN` has the control character U+007F (delete) in it, which no header can hold [set it without that character; any can be sent in a body]
8:44 the environment variable `TOKEN` has the control character U+0001 in it, which no header can hold [set it without that character; any can be sent in a body]
");
}

#[test]
fn what_is_typed_in_short_is_answered_in_full() {
    let steps = ["/echo", "GET /echo?a={{ x }}", "PURGE", "https://u:s3cret@a/x"];
    let all =
        steps.map(|typed| problems(&SMALL.replace("{get: /health}", &format!("{{request: '{typed}'}}"))));
    assert!(!all.join(" ").contains("s3cret"), "{all:?}");
    insta::assert_snapshot!(all.join("\n"), @r#"
8:31 `request` needs a method and a path [write `get: /echo`, or `request: {method: PURGE, path: /echo}` for any method]
8:31 `request` needs a method and a path [write `request: {method: GET, path: "/echo?a={{ x }}"}`]
8:31 `request` needs a method and a path [write `request: {method: PURGE, path: /…}`]
8:31 `request` needs a method and a path [write `get: https://a/x`, or `request: {method: PURGE, path: https://a/x}` for any method]
"#);
    let all = ["GET", "Post", "PROPFIND", "WEBSOCKET", "nope"]
        .map(|key| problems(&SMALL.replace("{get: /health}", &format!("{{{key}: /x}}"))));
    let all = all.map(|told| told.split(" known:").next().unwrap_or_default().to_owned());
    insta::assert_snapshot!(all.join("\n"), @r"
8:22 unknown action `GET` [did you mean `get`?
8:22 unknown action `Post` [did you mean `post`?
8:22 unknown action `PROPFIND` [any method is written `request: {method: PROPFIND, path: /path}`; those that have a key of their own are written in lower case]
8:22 unknown action `WEBSOCKET` [did you mean `websocket`?
8:22 unknown action `nope` [known: get, post, put, patch, delete, head, options, request, websocket, repeat, group, run, set, wait]
");
    let all = [format!("{SMALL}    data: {{acc: d1.csv}}\n"), format!("{SMALL}max_memory: 300M\n")];
    insta::assert_snapshot!(all.map(|text| problems(&text)).join("\n"), @r"
9:17 expected a list or a mapping, found the text `d1.csv` [write `{file: d1.csv}` for rows from a file]
9:13 expected a size or a ratio, found the text `300M` [write a size such as `64MiB` or a number of bytes, or a ratio such as `1%` or `0.01`]
");
}

#[test]
fn null_and_braces_in_a_condition_are_answered_with_what_is_meant() {
    let with = |that: &str| {
        problems(&SMALL.replace("{get: /health}", &format!("{{get: /health, expect: {{that: \"{that}\"}}}}")))
    };
    let all = ["{{ response.status == 2 }}", "response.json == null", "response.status === 2", "!response"]
        .map(with);
    insta::assert_snapshot!(all.join("\n"), @r"
8:52 an expression stands here as it is, without `{{ }}` and `{% %}` [write `response.status == 2`]
8:69 `null` is not defined anywhere in this scenario [write `none`]
8:68 unknown operator `===` [write `==`]
8:52 unknown operator `!` [write `not`]
");
}

#[test]
fn a_template_in_quotes_of_a_condition_is_noted() {
    let step = "{get: /health, when: \"user.id != '{{ old }}'\"}";
    let notes = plan(&SMALL.replace("{get: /health}", step), "").notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("'{{ old }}' in a condition is a text that stays as it is"), "{notes:?}");
    let step = "{get: /health, when: \"user.id != '{{' and user.class != '}}'\"}";
    assert_eq!(plan(&SMALL.replace("{get: /health}", step), "").notes, Vec::<String>::new());
}

#[test]
fn objectives_of_which_the_value_is_commented_out_are_noted() {
    let notes = |more: &str, flags: &str| plan(&format!("{SMALL}{more}"), flags).notes;
    let told = notes("thresholds: {p95: , error_rate: , endpoints: {GET /health: {p50: }}}\nbaseline:\n", "");
    insta::assert_snapshot!(told.join("\n"), @r"
    `thresholds.p95` has no value in any layer: nothing is judged by it
    `thresholds.endpoints.GET /health.p50` has no value in any layer: nothing is judged by it
    `baseline` has no value in any layer, so nothing is compared; `baseline: {}` compares by the defaults
    ");
    assert_eq!(notes("thresholds:\n", "").len(), 1);
    assert_eq!(notes("thresholds: {endpoints: {GET /health: }}\n", "").len(), 1);
    // What a more general layer says is taken away, and a flag may say what there is.
    assert_eq!(notes("thresholds: {p95: 1s}\nbaseline: {}\n", "{thresholds: {p95: }, baseline: }"), [""; 0]);
    assert_eq!(notes("thresholds: {p95: }\n", "thresholds: {p95: 1s}"), [""; 0]);
    assert_eq!(notes("", "{thresholds: {p95: }, baseline: }"), [""; 0]);
}

#[test]
fn a_task_of_which_the_steps_are_commented_out_is_refused() {
    let told = problems(&SMALL.replace("{visit: [{get: /health}]}", "{visit: }"));
    assert_eq!(told, "8:13 the task `visit` has no value [list its steps; `[]` is a task without any]");
    assert!(problems(&SMALL.replace("{visit: [{get: /health}]}", "{visit: []}")).starts_with("resolved"));
}
