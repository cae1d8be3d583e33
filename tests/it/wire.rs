//! Requests as they go out: what a server receives, letter for letter.

use serde_json::{Value, json};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::external::{samples, whole};
use crate::harness::{Finished, Workspace};
use crate::recording_server::{Recorded, RecordingServer, head, ok};

/// A short run of one user, which ends what it has begun.
fn load() -> Value {
    json!({"users": 1, "run_time": "300ms", "drain": "60s", "stop": "iteration"})
}

/// A short run of one user that does these steps again and again.
fn config(host: &str, steps: &Value) -> Value {
    json!({
        "version": 1, "name": "wire",
        "environments": {"here": {"host": host, "load": load()}},
        "thresholds": {"error_rate": null},
        "scenarios": {"s": {"users": {"u": {"wait": "50ms", "steps": steps}}}},
    })
}

fn run(config: &Value) -> Finished {
    let workspace = Workspace::with_config(&config.to_string());
    workspace.run(&["run", "--quiet"])
}

fn result(finished: &Finished) -> Value {
    finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr))
}

/// All requests of a run were answered well.
fn never_fails(finished: &Finished) {
    let result = result(finished);
    assert_eq!(result["whole_run"]["failed"], json!({}), "{}", result["failures"]);
}

#[test]
fn a_request_says_who_asks_and_what_is_accepted_unless_the_configuration_does() {
    let server = RecordingServer::fine();
    let steps = json!([
        {"get": "/plain"},
        {"get": "/own", "headers": {"User-Agent": "ci", "ACCEPT": "text/html"}},
        {"get": "/none", "headers": {"User-Agent": null, "accept": null}},
        {"post": "/typed", "headers": {"X-Account-ID": "1", "SOAPAction": "\"urn:x\""}, "json": {}},
    ]);
    never_fails(&run(&config(&server.url(""), &steps)));
    let agent = format!("loadgate/{}", env!("CARGO_PKG_VERSION"));
    let plain = server.first("/plain");
    assert_eq!((plain.header("user-agent"), plain.header("accept")), (Some(agent.as_str()), Some("*/*")));
    let own = server.first("/own");
    assert!(own.headers.contains(&("User-Agent".into(), b"ci".into())), "{own:?}");
    assert!(own.headers.contains(&("ACCEPT".into(), b"text/html".into())), "{own:?}");
    assert_eq!(own.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("accept")).count(), 1);
    let none = server.first("/none");
    assert_eq!((none.header("user-agent"), none.header("accept")), (None, None));
    let names: Vec<String> = server.first("/typed").headers.into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"X-Account-ID".into()) && names.contains(&"SOAPAction".into()), "{names:?}");
}

#[test]
fn user_and_password_of_a_url_are_sent_and_never_told() {
    let server = RecordingServer::start(|request| {
        if request.header("authorization").is_some() { ok() } else { head("401 Unauthorized", "") }
    });
    let (host, other) = (server.url("").replace("//", "//alice:p%40ssw0rd@"), server.url(""));
    let steps = json!([
        {"get": "/host"},
        {"get": format!("{}/url", other.replace("//", "//bob:s3cr3t-word@"))},
        {"get": format!("{other}/same")},
        {"get": "/own", "bearer": "t"},
        {"get": "/none", "headers": {"Authorization": null}, "expect": {"status": 401}},
        {"get": "/back", "name": "wrong", "expect": {"contains": "never there"}},
    ]);
    let workspace = Workspace::with_config(&config(&host, &steps).to_string());
    let finished = workspace.run(&["run", "--quiet"]);
    let result = result(&finished);
    assert_eq!(whole(&result, "GET /host")["failed"], json!({}), "{}", result["failures"]);
    // base64 of `alice:p@ssw0rd` and of `bob:s3cr3t-word`.
    for (path, wanted) in [
        ("/host", Some("Basic YWxpY2U6cEBzc3cwcmQ=")),
        ("/url", Some("Basic Ym9iOnMzY3IzdC13b3Jk")),
        ("/same", Some("Basic YWxpY2U6cEBzc3cwcmQ=")),
        ("/own", Some("Bearer t")),
        ("/none", None),
    ] {
        assert_eq!(server.first(path).header("authorization"), wanted, "{path}");
    }
    let check = workspace.run(&["check"]);
    let folder = std::fs::read_dir(workspace.path("reports/latest")).expect("a folder");
    let files = folder
        .flatten()
        .map(|file| String::from_utf8_lossy(&std::fs::read(file.path()).expect("a file")).into_owned());
    for text in files.chain([finished.stdout, finished.stderr, check.stdout, check.stderr]) {
        for secret in ["p%40ssw0rd", "p@ssw0rd", "s3cr3t-word", "cEBzc3cwcm", "czNjcjN0LXdvcm"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_list_in_a_form_or_a_query_repeats_the_name() {
    let server = RecordingServer::fine();
    let config = format!(
        "version: 1\nname: lists\nenvironments: {{here: {{host: '{}', load: {{users: 1, run_time: 300ms, stop: iteration}}}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 50ms, steps: [\
         {{post: /f, form: {{tag: [a, 'b c', 1.50], n: 1.50, t: true, e: '', none: []}}}}, \
         {{get: /q, query: {{id: [1, 2], x: y}}}}]}}}}}}}}\n",
        server.url("")
    );
    never_fails(&Workspace::with_config(&config).run(&["run", "--quiet"]));
    assert_eq!(server.first("/f").text(), "tag=a&tag=b+c&tag=1.50&n=1.50&t=true&e=");
    assert!(server.targets().contains(&"/q?id=1&id=2&x=y".into()), "{:?}", server.targets());
    let null = config.replace("none: []", "none: ~");
    let finished = Workspace::with_config(&null).run(&["check"]);
    assert_eq!(finished.code(), 2);
    assert!(finished.stderr.contains("the field `none` has no value"), "{}", finished.stderr);
}

#[test]
fn a_path_and_a_whole_url_are_the_same_request() {
    let server = RecordingServer::fine();
    let paths = ["/v1/../a/{x}|y^z?q='1'|{2}^&p=../x", "/a\\b", "/v1/%2e%2e/secret", "/ä b#top"];
    let steps: Vec<Value> = paths
        .iter()
        .enumerate()
        .flat_map(|(number, path)| {
            [
                json!({"get": path, "name": format!("path {number}")}),
                json!({"get": server.url(path), "name": format!("url {number}")}),
            ]
        })
        .collect();
    never_fails(&run(&config(&server.url(""), &json!(steps))));
    let targets = server.targets();
    for (number, wanted) in
        ["/v1/../a/{x}|y^z?q='1'|{2}^&p=../x", "/a\\b", "/v1/%2e%2e/secret", "/%C3%A4%20b"].iter().enumerate()
    {
        assert_eq!((targets[2 * number].as_str(), targets[2 * number + 1].as_str()), (*wanted, *wanted));
    }
}

#[test]
fn any_method_is_sent_as_it_is_written() {
    let server = RecordingServer::fine();
    let steps = json!([
        {"request": {"method": "PURGE", "path": "/a"}},
        {"request": {"method": "PROPFIND", "path": "/b"}, "raw": "<x/>", "headers": {"Depth": "1"}},
    ]);
    let finished = run(&config(&server.url(""), &steps));
    never_fails(&finished);
    assert_eq!(server.first("/a").method, "PURGE");
    assert_eq!(server.first("/b").text(), "<x/>");
    assert!(whole(&result(&finished), "PROPFIND /b")["ok"].as_u64() > Some(0));
    for (request, says) in [
        (json!("PURGE"), "write `request: {method: PURGE, path: /…}`"),
        (json!({"method": "CONNECT", "path": "/"}), "makes no request"),
        (json!({"method": "a b", "path": "/"}), "`a b` is not a method"),
        (json!({"method": "delete", "path": "/"}), "write `DELETE`"),
    ] {
        let finished =
            Workspace::with_config(&config(&server.url(""), &json!([{"request": request}])).to_string())
                .run(&["check"]);
        assert_eq!(finished.code(), 2, "{request}");
        assert!(finished.stderr.contains(says), "{request}: {}", finished.stderr);
    }
}

/// Redirects every request for `/to…` to what comes behind it on this server.
fn redirecting(other: &RecordingServer) -> RecordingServer {
    let other = other.address.to_string();
    RecordingServer::start(move |request: &Recorded| match request.target() {
        "/307" => head("307 T", &format!("location: http://{other}/kept\r\n")),
        "/302" => head("302 F", &format!("location: http://{other}/read\r\n")),
        "/metadata" => head("302 F", "location: http://169.254.169.254/latest/meta-data/\r\n"),
        "/empty" => head("302 F", "location: \r\n"),
        "/spaces" => head("302 F", "location: /a b?c=ü\r\n"),
        _ => ok(),
    })
}

#[test]
fn a_redirect_to_another_origin_carries_neither_body_nor_secrets_unless_it_is_named() {
    let other = RecordingServer::fine();
    let server = redirecting(&other);
    let headers = json!({"X-Api-Key": "k", "X-Token": "{{ env('TOKEN') }}", "X-Plain": "p"});
    let steps = json!([
        {"post": "/307", "json": {"a": 1}, "headers": headers, "on_failure": "continue"},
        {"post": "/302", "json": {"a": 1}, "headers": headers, "bearer": "b", "on_failure": "continue"},
        {"get": "/metadata", "on_failure": "continue"},
        {"get": "/empty", "expect": {"status": 302}},
        {"get": "/spaces"},
    ]);
    let mut config = config(&server.url(""), &steps);
    let run = |config: &Value| {
        let workspace = Workspace::with_config(&config.to_string());
        let mut command = workspace.command(&["run", "--quiet"]);
        command.env("TOKEN", "very-secret-token");
        workspace.finish(command)
    };
    let result = result(&run(&config));
    assert_eq!(whole(&result, "GET /spaces")["failed"], json!({}), "{}", result["failures"]);
    assert!(server.targets().contains(&"/a%20b?c=%C3%BC".into()), "{:?}", server.targets());
    let remedy = format!("redirects: {{to: [http://{}]}}", other.address);
    assert!(samples(&result, "POST /307").contains(&remedy), "{}", result["failures"]);
    assert!(samples(&result, "GET /metadata").contains("link-local"), "{}", result["failures"]);
    assert!(!other.targets().contains(&"/kept".into()));
    let read = other.first("/read");
    assert_eq!((read.method.as_str(), read.header("x-plain"), read.text()), ("GET", Some("p"), ""));
    for name in ["x-api-key", "x-token", "authorization"] {
        assert_eq!(read.header(name), None, "{name}");
    }
    config["http"] = json!({"redirects": {"to": [other.url("")]}});
    run(&config);
    let kept = other.first("/kept");
    assert_eq!((kept.text(), kept.header("x-token")), ("{\"a\":1}", Some("very-secret-token")));
}

#[test]
fn a_redirect_to_another_origin_takes_away_what_is_made_of_secrets_and_nothing_else() {
    let other = RecordingServer::fine();
    let address = other.address;
    let tokens: Vec<String> = (0..1_100).map(|index| format!("token-{index:04}")).collect();
    let body = json!({"tokens": tokens, "short": "ab", "id": "id-7"}).to_string();
    let server = RecordingServer::start(move |request| match request.target() {
        "/login" => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
        _ => head("302 F", &format!("location: http://{address}/read\r\n")),
    });
    let steps = json!([
        {"get": "/login", "capture": {
            "tokens": {"json": "$.tokens", "secret": true}, "short": {"json": "$.short", "secret": true},
            "id": "$.id"}},
        {"set": {"last": "{{ tokens[-1] }}", "key": "{{ env('KEY') }}"}},
        {"set": {"made": {"in": ["{{ last }}"]}, "seen": "{{ response.json.short }}", "plain": "{{ id }}-x",
            "cut": "{{ last[2:] }}", "listed": "{{ response.json.tokens[:1] }}"}},
        {"get": "/302", "headers": {
            "X-Session": "{{ tokens[1099] }}", "X-Short": "{{ short }}", "X-Last": "{{ last }}",
            "X-Made": "{{ made['in'][0] | default('') }}", "X-Seen": "{{ seen }}", "X-Key": "a{{ key }}",
            "X-Part": "{{ short[0:] }}", "X-Cut": "{{ cut }}", "X-Listed": "{{ listed | first }}",
            "X-Id": "{{ id }}", "X-Plain": "{{ plain }}", "X-Piece": "{{ id[1:] }}",
            "Accept": "application/json", "User-Agent": "my-json-client"}},
        {"get": "/302", "name": "own", "headers": {
            "Accept": "{{ env('FMT') }}", "User-Agent": "{{ short }}", "X-Fmt": "json"}},
    ]);
    let workspace = Workspace::with_config(&config(&server.url(""), &steps).to_string());
    let mut command = workspace.command(&["run", "--quiet"]);
    command.env("FMT", "json").env("KEY", "abc");
    never_fails(&workspace.finish(command));
    let sent = server.first("/302");
    assert_eq!((sent.header("x-session"), sent.header("x-key")), (Some("token-1099"), Some("aabc")));
    let read = other.first("/read");
    let secrets =
        ["x-session", "x-short", "x-last", "x-made", "x-seen", "x-key", "x-part", "x-cut", "x-listed"];
    for name in secrets {
        assert!(sent.header(name).is_some(), "{name}");
        assert_eq!(read.header(name), None, "{name}");
    }
    for name in ["x-id", "x-plain", "x-piece", "accept", "user-agent"] {
        assert_eq!(read.header(name), sent.header(name), "{name}");
    }
    let own = other.requests().into_iter().find(|request| request.header("x-fmt").is_some()).expect("own");
    let agent = format!("loadgate/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!((own.header("accept"), own.header("user-agent")), (Some("*/*"), Some(agent.as_str())));
}

#[test]
fn behind_a_redirect_the_cookies_of_the_user_take_the_place_of_a_cookie_that_stays_behind() {
    let other = RecordingServer::fine();
    let address = other.address;
    let server = RecordingServer::start(move |request| match request.target() {
        "/away" => head("302 F", &format!("location: http://{address}/read\r\nset-cookie: sid=jar\r\n")),
        "/round" => head("302 F", "location: /home\r\n"),
        _ => ok(),
    });
    let own = json!({"Cookie": "sid=own"});
    let steps = json!([
        {"get": "/away", "headers": own}, {"get": "/round", "headers": own}, {"get": "/round", "name": "jar"},
    ]);
    never_fails(&run(&config(&server.url(""), &steps)));
    assert_eq!(server.first("/away").header("cookie"), Some("sid=own"));
    assert_eq!(other.first("/read").header("cookie"), Some("sid=jar"));
    let home: Vec<_> =
        server.requests().into_iter().filter(|request| request.target() == "/home").take(2).collect();
    let cookies: Vec<_> = home.iter().map(|request| request.header("cookie")).collect();
    assert_eq!(cookies, [Some("sid=own"), Some("sid=jar")]);
    assert!(home.iter().all(|request| {
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")).count() == 1
    }));
}

#[test]
fn the_cookies_of_a_refused_handshake_are_kept() {
    let server = RecordingServer::start(|request| match request.target() {
        "/refused" => head("401 U", "set-cookie: challenge=refused\r\n"),
        "/circle" => head("302 F", "location: /circle\r\nset-cookie: round=circle\r\n"),
        _ => ok(),
    });
    for (path, cookie) in [("/refused", "challenge=refused"), ("/circle", "round=circle")] {
        let steps = json!([
            {"websocket": path, "on_failure": "continue", "steps": [{"close": true}]},
            {"get": "/after", "query": {"of": path}},
        ]);
        let mut config = config(&server.url(""), &steps);
        config["http"] = json!({"redirects": 0});
        let result = result(&run(&config));
        assert!(samples(&result, &format!("WS {path}")).contains("expected 101"), "{}", result["failures"]);
        let after = server.requests().into_iter().rfind(|request| request.target().starts_with("/after"));
        assert_eq!(after.expect("a request").header("cookie"), Some(cookie), "{path}");
    }
}

#[test]
fn a_redirect_to_the_target_carries_nothing_that_was_meant_for_a_third_party() {
    let server = RecordingServer::fine();
    let third = redirecting(&server);
    let steps = json!([
        {"post": third.url("/302"), "form": {"code": 1}, "bearer": "b", "headers": {"X-Plain": "p"}},
        {"post": third.url("/307"), "form": {"code": 1}, "bearer": "b", "name": "kept", "on_failure": "continue"},
    ]);
    let result = result(&run(&config(&server.url(""), &steps)));
    let read = server.first("/read");
    assert_eq!((read.header("authorization"), read.header("x-plain")), (None, Some("p")));
    assert!(!server.targets().contains(&"/kept".into()), "{:?}", server.targets());
    assert!(
        samples(&result, "kept").contains("a redirect with a body to another origin"),
        "{}",
        result["failures"]
    );
}

#[test]
fn the_handshake_of_a_websocket_is_redirected_as_a_request_is() {
    let other = RecordingServer::start(|request| {
        let accept = derive_accept_key(request.header("sec-websocket-key").unwrap_or_default().as_bytes());
        format!(
            "HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        )
        .into_bytes()
    });
    let address = other.address;
    let server = RecordingServer::start(move |request| match request.target() {
        "/there?a=1" => head("307 T", &format!("location: ws://{address}/here\r\nset-cookie: via=there\r\n")),
        _ => head("308 P", "location: /circle\r\n"),
    });
    let steps = json!([
        {"websocket": "/there", "query": {"a": 1}, "headers": {"X-Plain": "p", "X-Api-Key": "k"},
         "steps": [{"close": true}]},
        {"websocket": "/circle", "on_failure": "continue", "steps": [{"close": true}]},
    ]);
    let mut config = config(&server.url(""), &steps);
    let result = result(&run(&config));
    assert_eq!(whole(&result, "WS /there")["failed"], json!({}), "{}", result["failures"]);
    let here = other.first("/here");
    assert_eq!((here.header("x-plain"), here.header("x-api-key")), (Some("p"), None));
    assert_eq!(here.header("user-agent"), server.first("/there?a=1").header("user-agent"));
    assert!(here.headers.iter().any(|(name, _)| name == "X-Plain"), "{here:?}");
    assert_eq!(here.header("cookie"), Some("via=there"), "a cookie is for a host, whatever its port");
    assert!(samples(&result, "WS /circle").contains("too many redirects"), "{}", result["failures"]);
    config["http"] = json!({"redirects": 0});
    let finished = self::run(&config);
    let result = self::result(&finished);
    assert!(samples(&result, "WS /there").contains("status 307, expected 101"), "{}", result["failures"]);
}

#[test]
fn the_headers_of_a_class_go_with_on_start_where_they_can_be_made() {
    let server = RecordingServer::start(|request| {
        if request.header("x-tenant") == Some("acme") { ok() } else { head("400 Bad", "") }
    });
    let config = json!({
        "version": 1, "name": "class",
        "environments": {"here": {"host": server.url(""), "load": load()}},
        "scenarios": {"s": {
            "users": {"u": {"wait": "50ms", "on_start": "login", "tasks": {"w": 1}, "headers": {
                "X-Tenant": "acme", "Authorization": "Bearer {{ token }}", "Content-Type": "application/json"}}},
            "tasks": {
                "login": [{"post": "/login", "form": {"a": 1}, "capture": {"token": {"regex": "o."}}}],
                "w": [{"get": "/w"}]},
        }},
    });
    let workspace = Workspace::with_config(&config.to_string());
    never_fails(&workspace.run(&["run", "--quiet"]));
    let login = server.first("/login");
    assert_eq!(login.header("authorization"), None);
    assert_eq!(login.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(server.first("/w").header("authorization"), Some("Bearer ok"));
    let plan = workspace.run(&["check"]).stdout;
    assert!(plan.contains("without its headers that read what steps capture, or that are for the target alone: Authorization"), "{plan}");
}

#[test]
fn what_a_class_says_of_itself_goes_in_on_start_to_the_service_and_not_to_others() {
    let (target, named, third) = (RecordingServer::fine(), RecordingServer::fine(), RecordingServer::fine());
    let addresses = json!({
        "target": target.url(""), "named": named.url(""), "third": third.url(""),
    });
    let logins: Vec<Value> = ["target", "named", "third"]
        .iter()
        .flat_map(|server| {
            let written = addresses[server].as_str().unwrap().to_owned();
            [
                json!({"get": format!("{written}/written")}),
                json!({"get": format!("{{{{ pick(of).{server} }}}}/made")}),
            ]
        })
        .collect();
    let config = json!({
        "version": 1, "name": "class",
        "http": {"redirects": {"to": [named.url("")]}},
        "environments": {"here": {"host": target.url(""), "load": load()}},
        "scenarios": {"s": {
            "data": {"of": [addresses]},
            "users": {"u": {"wait": "50ms", "on_start": "login", "tasks": {"w": 1}, "headers": {
                "X-Tenant": "{{ env('TENANT') }}", "X-Api-Key": "k"}}},
            "tasks": {"login": logins, "w": [{"get": "/w"}]},
        }},
    });
    let workspace = Workspace::with_config(&config.to_string());
    let mut command = workspace.command(&["run", "--quiet"]);
    command.env("TENANT", "acme-corporation");
    never_fails(&workspace.finish(command));
    let told = |server: &RecordingServer, path: &str| {
        let request = server.first(path);
        ["x-tenant", "x-api-key"].map(|name| request.header(name).is_some())
    };
    for path in ["/written", "/made"] {
        assert_eq!(told(&target, path), [true, true], "{path} of the target");
        assert_eq!(told(&named, path), [true, true], "{path} of an origin that the plan names");
    }
    assert_eq!(told(&third, "/written"), [true, false], "the step says where");
    assert_eq!(told(&third, "/made"), [false, false], "a value says where");
}

#[test]
fn a_class_that_gets_no_user_is_told() {
    let config = json!({
        "version": 1, "name": "classes",
        "environments": {"here": {"host": "http://127.0.0.1:1", "users": 2, "run_time": "1s"}},
        "scenarios": {"s": {"users": {
            "a": {"steps": [{"get": "/a"}]}, "b": {"steps": [{"get": "/b"}]}, "c": {"steps": [{"get": "/c"}]}}}},
    });
    let workspace = Workspace::with_config(&config.to_string());
    let finished = workspace.run(&["check"]);
    assert_eq!(finished.code(), 0);
    assert!(finished.stderr.contains("the class `c` gets no user"), "{}", finished.stderr);
    let enough = workspace.run(&["check", "--users", "3"]);
    assert!(!enough.stderr.contains("gets no user"), "{}", enough.stderr);
}

#[test]
fn an_iteration_under_way_ends_within_drain_where_the_plan_says_so() {
    let counted = |stop: &str| {
        let server = RecordingServer::fine();
        let config = json!({
            "version": 1, "name": "stop",
            "environments": {"here": {"host": server.url(""), "load": {
                "stages": [{"to": 5, "over": "0s"}, {"to": 5, "over": "300ms"}, {"to": 0, "over": "300ms"}],
                "drain": "20s", "stop": stop}}},
            "scenarios": {"s": {"users": {"u": {"steps": [
                {"post": "/reserve"}, {"wait": "150ms"}, {"post": "/release"}]}}}},
        });
        never_fails(&run(&config));
        let targets = server.targets();
        ["/reserve", "/release"].map(|path| targets.iter().filter(|target| *target == path).count())
    };
    let [reserved, released] = counted("iteration");
    assert!(reserved >= 5, "{reserved}");
    assert_eq!(reserved, released);
    let [reserved, released] = counted("request");
    assert!(released < reserved, "{released} of {reserved}");
}

#[test]
fn a_pause_that_cannot_end_within_drain_does_not_hold_up_the_end_of_the_run() {
    let server = RecordingServer::fine();
    let config = json!({
        "version": 1, "name": "stop",
        "environments": {"here": {"host": server.url(""), "load": {
            "users": 2, "run_time": "300ms", "drain": "60s", "stop": "iteration"}}},
        "scenarios": {"s": {"users": {"u": {"steps": [{"get": "/a"}, {"wait": "1h"}, {"get": "/b"}]}}}},
    });
    let finished = run(&config);
    never_fails(&finished);
    assert_eq!(server.targets(), ["/a", "/a"]);
    assert!(finished.took < std::time::Duration::from_secs(50), "{:?}", finished.took);
}

#[test]
fn requests_go_through_the_proxy_of_the_environment_and_its_failures_name_it() {
    let proxy = RecordingServer::start(|request| match request.target() {
        "http://upstream.test:81/x" => ok(),
        "http://upstream.test:81/407" => head("407 Proxy Authentication Required", ""),
        // Both are cut where messages cut them, and the secret with them.
        "http://upstream.test:81/says" => format!(
            "HTTP/1.1 503 S\r\ncontent-length: 200\r\n\r\n{}pr0xy-secret{}",
            "x".repeat(112),
            "y".repeat(76)
        )
        .into_bytes(),
        "http://upstream.test:81/none" => format!("{}pr0xy-secret", "x".repeat(32)).into_bytes(),
        _ => head("502 Bad Gateway", ""),
    });
    let steps = json!([
        {"get": "/x"},
        {"get": "/407", "on_failure": "continue"},
        {"get": "/says", "on_failure": "continue"},
        {"get": "/none", "on_failure": "continue"},
        {"get": "https://secure.test/y", "on_failure": "continue"},
        {"websocket": "/ws", "on_failure": "continue", "steps": [{"ping": true}]},
    ]);
    let config = config("http://upstream.test:81", &steps);
    let workspace = Workspace::with_config(&config.to_string());
    let run = |arguments: &[&str], no_proxy: &str| {
        let mut command = workspace.command(arguments);
        let url = proxy.url("").replace("//", "//u:pr0xy-secret@");
        command.env("HTTP_PROXY", &url).env("https_proxy", &url).env("NO_PROXY", no_proxy);
        workspace.finish(command)
    };
    let finished = run(&["run", "--quiet"], "other.test,upstream.test:82");
    let result = result(&finished);
    let name = format!("the proxy http://{}", proxy.address);
    assert!(finished.stderr.contains(&format!("through {name}")), "{}", finished.stderr);
    let first = proxy.first("http://upstream.test:81/x");
    assert_eq!(first.header("host"), Some("upstream.test:81"));
    assert_eq!(first.header("proxy-authorization"), Some("Basic dTpwcjB4eS1zZWNyZXQ="));
    assert!(whole(&result, "GET /x")["ok"].as_u64() > Some(0));
    for (endpoint, says) in [
        ("GET /407", format!("through {name}: status 407, expected")),
        ("GET secure.test/y", format!("{name} did not connect to secure.test:443: status 502")),
        ("WS /ws", format!("{name} did not connect to upstream.test:81: status 502")),
    ] {
        assert!(samples(&result, endpoint).contains(&says), "{endpoint}: {}", result["failures"]);
    }
    assert!(proxy.targets().contains(&"secure.test:443".into()));
    assert!(!format!("{}{}{result}", finished.stdout, finished.stderr).contains("pr0x"));
    assert!(samples(&result, "GET /says").contains("xx***\"]"), "{}", result["failures"]);
    let begins = format!("it begins with: {}***\"]", "x".repeat(32));
    assert!(samples(&result, "GET /none").contains(&begins), "{}", result["failures"]);
    let check = run(&["check"], "");
    assert!(
        check.stdout.contains(&format!("through {name}")) && !check.stdout.contains("pr0xy-secret"),
        "{}",
        check.stdout
    );
    assert!(!run(&["check"], ".test").stdout.contains("proxy"));
    let direct = run(&["check", "--set", "http.proxy=none"], "");
    assert!(!direct.stdout.contains("proxy") && !direct.stderr.contains("proxy"), "{}", direct.stdout);
}

#[test]
fn a_proxy_of_the_environment_is_not_asked_for_this_machine_and_one_that_is_gone_is_named() {
    let (server, proxy) = (RecordingServer::fine(), RecordingServer::fine());
    let workspace = Workspace::with_config(&config(&server.url(""), &json!([{"get": "/x"}])).to_string());
    let mut command = workspace.command(&["run", "--quiet"]);
    command.env("ALL_PROXY", proxy.url(""));
    never_fails(&workspace.finish(command));
    assert!(proxy.targets().is_empty() && !server.targets().is_empty());
    // A proxy that is configured is asked, also for this machine.
    let finished = workspace.run(&["run", "--quiet", "--set", &format!("http.proxy={}", proxy.url(""))]);
    never_fails(&finished);
    assert_eq!(proxy.targets().first(), Some(&server.url("/x")));
    let gone = workspace.run(&[
        "run",
        "--quiet",
        "--host",
        "http://upstream.test",
        "--set",
        "http.proxy=http://127.0.0.1:1",
    ]);
    assert_eq!(gone.code(), 1);
    assert!(gone.stderr.contains("the proxy http://127.0.0.1:1"), "{}", gone.stderr);
}

#[test]
fn a_target_that_loadgate_starts_is_reached_without_the_proxy_of_the_configuration() {
    let (proxy, other) = (RecordingServer::fine(), RecordingServer::fine());
    let mut config = config("", &json!([{"get": "/health"}, {"get": other.url("/x"), "name": "other"}]));
    let command = [env!("CARGO_BIN_EXE_loadgate"), "demo-api", "--listen", "{{ address }}"];
    config["environments"]["here"] =
        json!({"target": {"command": command, "ready": "/health"}, "load": load()});
    config["http"] = json!({"proxy": proxy.url("")});
    let finished = run(&config);
    never_fails(&finished);
    assert!(whole(&result(&finished), "GET /health")["ok"].as_u64() > Some(0));
    let asked = proxy.targets();
    assert!(!asked.is_empty() && asked.iter().all(|target| *target == other.url("/x")), "{asked:?}");
}
