//! The wire of the mock: two listeners on loopback, one for the API and one for where artifacts lie, in a thread
//! of their own. What is answered is decided elsewhere.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::any;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::World;
use super::wire::{Answer, Asked};

type Shared = Arc<Mutex<World>>;

/// More than GitHub takes.
const MOST_BYTES: usize = 64 << 20;

/// Both listeners.
pub struct Server {
    pub api: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts them, with the world that is made of their addresses.
    pub fn start(world: impl FnOnce(SocketAddr, SocketAddr) -> World) -> (Shared, Self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let (api, storage) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(world(address(&api), address(&storage))));
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let server = address(&api);
        let routes = Router::new().fallback(any(serve_api)).with_state(Arc::clone(&shared));
        let downloads = Router::new().fallback(any(serve_storage)).with_state(Arc::clone(&shared));
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(async { axum::serve(api, routes).await });
                tokio::spawn(async { axum::serve(storage, downloads).await });
                // Nothing is ever sent: it ends when the other side is gone.
                let _ = stopped.await;
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        (shared, Self { api: server, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve_api(State(shared): State<Shared>, request: Request<Body>) -> Response<Body> {
    let asked = read(request).await;
    let course = world(&shared).begin(&asked);
    if let Some(delay) = course.delay() {
        tokio::time::sleep(delay).await;
    }
    let answer = world(&shared).finish(asked, course);
    let body = match &answer.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    respond(&answer, "application/json; charset=utf-8", body)
}

async fn serve_storage(State(shared): State<Shared>, request: Request<Body>) -> Response<Body> {
    let asked = read(request).await;
    let (answer, bytes) = world(&shared).download(asked);
    respond(&answer, "application/zip", Body::from(bytes))
}

fn world(shared: &Shared) -> MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(request: Request<Body>) -> Asked {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, MOST_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let body = match text.as_ref() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &head.headers {
        let all = headers.entry(name.to_string()).or_default();
        // Whoever sends a header twice shall be seen to.
        all.push_str(if all.is_empty() { "" } else { ", " });
        all.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    Asked {
        method: head.method.to_string(),
        path: decoded(head.uri.path()),
        query: query.into_owned().collect(),
        headers,
        body,
        status: 0,
    }
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = coded.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn respond(answer: &Answer, kind: &str, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(answer.status).header("content-type", kind);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(body).expect("a response")
}
