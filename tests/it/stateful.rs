//! Services that remember: who logged in with what, which identifiers they were given, how far a job is.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::any;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::{Workspace, unspoilt};

/// What a service answers to a path and a JSON body; null where there is none.
type Answer = (StatusCode, String);

/// A service on loopback that keeps a state; it stops when dropped.
pub struct Stateful {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stateful {
    pub fn start<S: Send + 'static>(
        state: S,
        answer: impl Fn(&mut S, &str, &Value) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(state));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new().fallback(any(move |request: Request| {
            let (state, answer) = (state.clone(), answer.clone());
            async move {
                let path = request.uri().path().to_owned();
                let body: Bytes = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), &path, &body)
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
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// A configuration that puts two users on it for a second.
    fn config(&self, scenario: &str) -> Workspace {
        Workspace::with_config(&format!(
            "version: 1\nname: stateful\nenvironments: {{here: {{host: 'http://{}', users: 2, run_time: 1s}}}}\n\
             thresholds: {{error_rate: 0%}}\nscenarios:\n  s:\n{scenario}",
            self.address
        ))
    }
}

impl Drop for Stateful {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

pub fn said(status: StatusCode, body: &Value) -> Answer {
    (status, body.to_string())
}

/// Orders are refused if their identifier has been seen before.
fn orders() -> Stateful {
    Stateful::start(HashSet::new(), |seen: &mut HashSet<String>, _, body| {
        let new = body["id"].as_str().is_some_and(|id| seen.insert(id.to_owned()));
        said(if new { StatusCode::CREATED } else { StatusCode::CONFLICT }, &Value::Null)
    })
}

const ORDERS: &str = "    users: {u: {wait: 5ms, steps: [{post: /orders, json: {id: '{{ uuid() }}'}}]}}\n";

#[test]
fn identifiers_are_new_in_every_run_unless_a_seed_is_named() {
    let service = orders();
    let workspace = service.config(ORDERS);
    let refused = |arguments: &[&str]| {
        let finished = workspace.run(&[&["run", "--quiet"], arguments].concat());
        let whole = finished.result().expect("a result")["whole_run"].clone();
        assert!(whole["ok"].as_u64() > Some(0) || !whole["failed"].is_null(), "{}", finished.stderr);
        whole["failed"]["status"].as_u64().unwrap_or(0) > 0
    };
    assert_eq!([refused(&[]), refused(&[])], [false, false]);
    let seeded = ["--seed", "7"];
    assert_eq!(
        [refused(&seeded), refused(&seeded)],
        [false, true],
        "a seed that is named repeats identifiers"
    );
}

/// A token belongs to the account that it was given to.
fn accounts() -> Stateful {
    Stateful::start(HashMap::new(), |tokens: &mut HashMap<String, String>, path, body| {
        let name = body["user"].as_str().unwrap_or_default().to_owned();
        if path == "/login" {
            let token = format!("token-{}", tokens.len());
            tokens.insert(token.clone(), name);
            return said(StatusCode::OK, &serde_json::json!({"token": token}));
        }
        let own = body["token"].as_str().and_then(|token| tokens.get(token)) == Some(&name);
        said(if own { StatusCode::OK } else { StatusCode::FORBIDDEN }, &Value::Null)
    })
}

/// Users that log in with a row of the accounts and work once, or for as long as there is time.
fn logged_in(order: &str, wait: &str) -> String {
    format!(
        "    data: {{account: {{file: accounts.csv{order}}}}}\n\
         \x20   users: {{u: {{wait: {wait}, on_start: login, tasks: {{work: 1}}}}}}\n\
         \x20   tasks:\n\
         \x20     login: [{{post: /login, json: {{user: '{{{{ account.name }}}}'}}, capture: {{token: $.token}}}}]\n\
         \x20     work: [{{post: /work, json: {{user: '{{{{ account.name }}}}', token: '{{{{ token }}}}'}}}}]\n"
    )
}

const ACCOUNTS: &str = "name\nanna\nbert\ncarl\ndora\nemil\n";

#[test]
fn the_row_of_the_first_iteration_is_the_one_that_on_start_saw() {
    let service = accounts();
    // The pause is longer than the run: every user works once.
    let workspace = service.config(&logged_in("", "1m"));
    workspace.write("accounts.csv", ACCOUNTS);
    let finished = workspace.run(&["run", "--quiet"]);
    assert!(finished.ended_with(0), "{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.result().expect("a result")["whole_run"]["ok"], 4, "two logins, two iterations");
}

#[test]
fn data_that_moves_between_on_start_and_the_tasks_is_said_by_check() {
    let service = accounts();
    let told = |order: &str| {
        let workspace = service.config(&logged_in(order, "50ms"));
        workspace.write("accounts.csv", ACCOUNTS);
        let finished = workspace.run(&["check"]);
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        let run = unspoilt(|| workspace.run(&["run", "--quiet"]));
        (finished.stderr.contains("read `account` in `on_start` and in their tasks"), run.code())
    };
    assert_eq!(told(""), (true, 3), "every later iteration uses another account's token");
    assert_eq!(told(", order: per_user"), (false, 0));
}

#[test]
fn a_poll_goes_on_while_the_field_it_waits_for_is_not_there() {
    // 202 without a body, then a body without the field, then the field; and from the start again.
    let service = Stateful::start(0_u32, |asked: &mut u32, _, _| {
        *asked += 1;
        match *asked % 3 {
            1 => (StatusCode::ACCEPTED, String::new()),
            2 => said(StatusCode::OK, &serde_json::json!({"id": 1})),
            _ => said(StatusCode::OK, &serde_json::json!({"id": 1, "state": "done"})),
        }
    });
    let finished = service
        .config(
            "    users:\n      u:\n        wait: 10ms\n        steps:\n          \
             - {get: /job, poll: {until: \"response.json.state == 'done'\", every: 5ms, timeout: 2s}}\n",
        )
        .run(&["run", "--quiet"]);
    assert!(finished.ended_with(0), "{}\n{}", finished.stdout, finished.stderr);
}
