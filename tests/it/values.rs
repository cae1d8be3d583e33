//! Values that pass through: what is captured or read from files is sent again as it came, and compared by value.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::Workspace;

/// A service that says the same at each path, and keeps what it was sent: `PATH BODY`.
struct Echo {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    fn start(says: &'static [(&'static str, &'static [u8])]) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = sent.clone();
        let routes = Router::new().fallback(any(move |request: Request| {
            let log = log.clone();
            async move {
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
                let body: Bytes = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
                let line = format!("{path} {}", String::from_utf8_lossy(&body));
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                says.iter().find(|(at, _)| *at == path).map_or(&b""[..], |(_, body)| body)
            }
        }));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(async { axum::serve(listener, routes).await });
                // Nothing is sent: it ends when the other side is dropped.
                let _ = stopped.await;
            });
        });
        Self { address, sent, stop: Some(stop), thread: Some(thread) }
    }

    /// A workspace whose scenario is this, with one user.
    fn workspace(&self, scenario: &str) -> Workspace {
        Workspace::with_config(&format!(
            "version: 1\nname: values\nenvironments: {{here: {{host: 'http://{}', users: 1, run_time: 1s}}}}\n\
             scenarios:\n  s:\n{scenario}",
            self.address
        ))
    }

    fn sent(&self, path: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().filter(|line| line.starts_with(path)).map(|line| line.trim_end().to_owned()).collect()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Does every step once. Fails unless all of them succeed.
fn traced(workspace: &Workspace) {
    let finished = workspace.run(&["check", "--trace"]);
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
}

#[test]
fn numbers_and_objects_are_sent_again_as_they_came() {
    let service = Echo::start(&[(
        "/new",
        br#"{"id": 2733382000000000049, "big": 18446744073709551615, "huge": 123456789012345678901234567890,
            "dec": 0.1234567890123456789, "neg": -9223372036854775808, "z": {"z": 1, "a": {"n": 0.1234567890123456789}, "b": null}}"#,
    )]);
    let workspace = service.workspace(
        "    users: {u: {steps: [
      {get: /new, expect: {json: {$.huge: 123456789012345678901234567890, $.dec: 0.12345678901234567890}},
       capture: {id: $.id, big: $.big, huge: $.huge, dec: $.dec, neg: $.neg, all: $.z}, append: {list: $.huge}},
      {get: '/item/{{ id }}/{{ big }}/{{ huge }}/{{ dec }}/{{ neg }}'},
      {get: /query, query: {dec: '{{ dec }}', huge: '{{ huge }}'}},
      {set: {kept: ['{{ dec }}', '{{ all }}']}},
      {post: /echo, json: {id: '{{ id }}', huge: '{{ huge }}', dec: '{{ dec }}', all: '{{ all }}', list: '{{ list }}', kept: '{{ kept }}', lit: 123456789012345678901234567890, text: 'x{{ dec }}', more: '{{ huge + 1 }}', half: '{{ dec > 0.1 and dec < 0.2 }}'}}
    ]}}\n",
    );
    traced(&workspace);
    assert_eq!(
        service.sent("/item"),
        [
            "/item/2733382000000000049/18446744073709551615/123456789012345678901234567890/0.1234567890123456789/-9223372036854775808"
        ]
    );
    assert_eq!(
        service.sent("/query"),
        ["/query?dec=0.1234567890123456789&huge=123456789012345678901234567890"]
    );
    let all = r#"{"z":1,"a":{"n":0.1234567890123456789},"b":null}"#;
    assert_eq!(
        service.sent("/echo"),
        [format!(
            r#"/echo {{"id":2733382000000000049,"huge":123456789012345678901234567890,"dec":0.1234567890123456789,"all":{all},"list":[123456789012345678901234567890],"kept":[0.1234567890123456789,{all}],"lit":123456789012345678901234567890,"text":"x0.1234567890123456789","more":123456789012345678901234567891,"half":true}}"#
        )]
    );
}

#[test]
fn json_is_compared_by_value_and_read_as_services_send_it() {
    let service = Echo::start(&[
        ("/n", br#"{"price": 10.0, "n": 1e2, "id": 7, "list": [{"n": 10.0}], "dup": 1, "dup": 2}"#),
        ("/bom", b"\xEF\xBB\xBF{\"a\": 1}"),
        ("/lone", br#"{"s": "a\ud83d", "z": 1}"#),
    ]);
    let workspace = service.workspace(
        "    users: {u: {steps: [
      {get: /n, expect: {json: {$.price: 10, $.n: 100, $.id: 7.0, $.list: [{n: 1e1}], '$.list[?@.n == 10].n': 10, $.dup: 2},
       that: 'response.json.price == 10 and response.json.list == [{\"n\": 10}]'}},
      {get: /bom, expect: {json: {$.a: 1}, that: response.json.a == 1}},
      {get: /lone, expect: {json: {$.z: 1}}}
    ]}}\n",
    );
    traced(&workspace);
}

#[test]
fn an_answer_that_cannot_be_looked_at_is_not_as_expected() {
    let service = Echo::start(&[("/a", br#"{"error": "out of stock"}"#), ("/nan", br#"{"z": NaN}"#)]);
    for (step, kind, said) in [
        (
            "{get: /a, expect: {that: response.json.item.price > 5}}",
            "expectation",
            "`response.json.item.price > 5` does not hold: `response.json.item` is undefined: {\"error\": \"out of stock\"}",
        ),
        (
            "{get: /a, expect: {that: response.json.item == 5}}",
            "expectation",
            "`response.json.item == 5` does not hold",
        ),
        (
            "{get: /nan, expect: {json: {$.z: 1}}}",
            "expectation",
            "`NaN` is not a value in JSON, at line 1 column 7",
        ),
    ] {
        let workspace = service.workspace(&format!("    users: {{u: {{steps: [{step}]}}}}\n"));
        let finished = workspace.run(&["check", "--trace"]);
        let told = [finished.stdout.as_str(), &finished.stderr].concat();
        assert!(told.contains(said) && told.contains(kind), "{step}\n{told}");
    }
}

#[test]
fn cells_are_sent_as_they_stand_in_their_file() {
    let service = Echo::start(&[]);
    let scenario = |data: &str| {
        format!(
            "    data: {{a: {data}}}
    users: {{u: {{steps: [{{post: /p, json: {{pw: '{{{{ a.pw }}}}', pad: '{{{{ a.pad }}}}', row: '{{{{ a }}}}'}}}}]}}}}\n"
        )
    };
    let workspace = service.workspace(&scenario("{file: a.csv}"));
    workspace.write("a.csv", "pw,pad\n\" secret \",\"\tx\t\"\n");
    traced(&workspace);
    let workspace = service.workspace(&scenario("{file: b.txt, separator: ';'}"));
    workspace.write("b.txt", "pw;pad\n a,b ;\"c;d\"\n");
    traced(&workspace);
    let workspace = service.workspace(&scenario("{file: c.jsonl}"));
    workspace.write("c.jsonl", "{\"pw\": 1.50, \"pad\": 123456789012345678901234567890}\n");
    traced(&workspace);
    assert_eq!(
        service.sent("/p"),
        [
            r#"/p {"pw":" secret ","pad":"\tx\t","row":{"pw":" secret ","pad":"\tx\t"}}"#,
            r#"/p {"pw":"a,b","pad":"c;d","row":{"pw":"a,b","pad":"c;d"}}"#,
            r#"/p {"pw":1.5,"pad":123456789012345678901234567890,"row":{"pw":1.5,"pad":123456789012345678901234567890}}"#,
        ]
    );
}

#[test]
fn a_secret_loses_the_line_break_at_its_end_and_may_have_none_in_a_header() {
    let service = Echo::start(&[]);
    let with = |step: &str, value: &str| {
        let workspace = service.workspace(&format!("    users: {{u: {{steps: [{step}]}}}}\n"));
        let mut command = workspace.command(&["check", "--trace"]);
        command.env("API_TOKEN", value);
        workspace.finish(command)
    };
    let body = "{post: /secret, json: {t: \"{{ env('API_TOKEN') }}\"}}";
    for step in ["{get: /ok, bearer: \"{{ env('API_TOKEN') }}\"}", body] {
        let finished = with(step, "s3cret-token\r\n");
        assert_eq!(finished.code(), 0, "{}{}", finished.stdout, finished.stderr);
    }
    let workspace = service.workspace(&format!("    users: {{u: {{steps: [{body}]}}}}\n"));
    let mut check = workspace.command(&["check"]);
    check.env("API_TOKEN", "s3cret-token\n");
    let finished = workspace.finish(check);
    let told = [finished.stdout.as_str(), &finished.stderr].concat();
    assert!(told.contains("`API_TOKEN` ends in a line break, which is left out"), "{told}");
    assert_eq!(with(body, "line 1\nline 2\n").code(), 0);
    assert_eq!(
        service.sent("/secret"),
        [r#"/secret {"t":"s3cret-token"}"#, r#"/secret {"t":"line 1\nline 2\n"}"#]
    );
    // What a function makes of a text of several lines is one line.
    for header in [
        "{{ hmac(env('API_TOKEN'), 'x') }}",
        "{{ env('API_TOKEN') | urlencode }}",
        "{{ base64(env('API_TOKEN')) }}",
    ] {
        let finished = with(&format!("{{get: /ok, headers: {{x-key: \"{header}\"}}}}"), "line 1\nline 2\n");
        assert_eq!(finished.code(), 0, "{header}\n{}", finished.stderr);
    }
    for step in [
        "{get: /no, bearer: \"{{ env('API_TOKEN') }}\"}",
        "{get: /no, basic: {user: u, password: \"{{ env('API_TOKEN') }}\"}}",
        "{get: /no, headers: {x-key: \"{{ env('API_TOKEN') }}\"}}",
        "{websocket: /no, headers: {x-key: \"{{ env('API_TOKEN') }}\"}, steps: [{ping: true}]}",
    ] {
        let finished = with(step, "s3cret\ntoken\n");
        assert_eq!(finished.code(), 2, "{step}\n{}", finished.stderr);
        let why = if step.contains("basic") {
            "which basic authentication allows"
        } else {
            "which no header can hold"
        };
        let told = &format!("the environment variable `API_TOKEN` has a line break in it, {why}");
        assert!(finished.stderr.contains(told) && !finished.stderr.contains("s3cret"), "{}", finished.stderr);
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_is_as_good_as_unset() {
    let service = Echo::start(&[]);
    let workspace = service.workspace("    users: {u: {steps: [{get: /a}]}}\n");
    let plan = [
        "CONFIG",
        "ENVIRONMENT",
        "HOST",
        "USERS",
        "SPAWN_RATE",
        "RUN_TIME",
        "ARRIVALS",
        "SEED",
        "OUTPUT_DIR",
        "FORMATS",
        "SCENARIO",
        "ALLOW_PROTECTED",
    ];
    let publication = ["LIVE", "QUIET", "CONFIRM", "COMMENT", "COMMENT_ID", "ISSUE", "ARTIFACT", "RUN_ID"];
    let update = ["ALLOW_BUSY_MACHINE", "PULL_REQUEST", "COMMIT"];
    let with = |arguments: &[&str], names: &[&str]| {
        let mut command = workspace.command(arguments);
        command.envs(names.iter().map(|name| (format!("LOADGATE_{name}"), "")));
        workspace.finish(command)
    };
    let checked = with(&["check"], &plan);
    assert_eq!(
        (checked.code(), &checked.stdout),
        (0, &workspace.run(&["check"]).stdout),
        "{}",
        checked.stderr
    );
    let all = [&plan[..], &publication, &update].concat();
    let ran = with(&["run", "--run-time", "1s"], &all);
    assert!(!ran.stderr.contains("LOADGATE_") && ran.code() != 2 && ran.code() != 1, "{}", ran.stderr);
    assert_eq!(with(&["baseline", "list"], &all).code(), workspace.run(&["baseline", "list"]).code());
}
