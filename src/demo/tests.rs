//! The service over real connections: routes, refusals, both sockets, and each setting seen from outside.

use std::net::SocketAddr;

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use super::{Settings, bind, serve};

struct Demo {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Demo {
    fn start(settings: Settings) -> Self {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            stopped.await.ok();
        };
        let served = tokio::spawn(async move { serve(listener, &settings, shutdown).await });
        Self { address, stop, served }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        call(self.address, "GET", path, (token, String::new())).await
    }

    async fn post(&self, path: &str, token: &str, body: impl ToString) -> Answer {
        call(self.address, "POST", path, (token, body.to_string())).await
    }

    async fn login(&self, user: &str) -> String {
        let answer = self.post("/api/v1/auth/test-token", "", json!({ "user_id": user })).await;
        answer.text("access_token")
    }

    async fn build(&self, token: &str) -> String {
        let answer =
            self.post("/api/v1/builds", token, json!({ "prompt": "a token", "chains": [5001] })).await;
        assert_eq!((answer.status, answer.text("status").as_str()), (StatusCode::OK, "queued"));
        answer.text("build_id")
    }

    async fn socket(
        &self,
        path: &str,
        token: &str,
    ) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let stream = TcpStream::connect(self.address).await.unwrap();
        Ok(client_async(request, stream).await?.0)
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {}", self.body)).to_owned()
    }
}

async fn call(address: SocketAddr, method: &str, path: &str, (token, body): (&str, String)) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "demo");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    socket.next().await.unwrap().unwrap()
}

async fn close_code(socket: &mut WebSocketStream<TcpStream>) -> CloseCode {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code,
        other => panic!("not a close: {other:?}"),
    }
}

#[tokio::test]
async fn a_user_creates_builds_and_sees_their_own_alone() {
    let demo = Demo::start(Settings::default());
    assert_eq!(demo.get("/health", "").await.body, json!({ "status": "ok" }));
    let (ann, bob) = (demo.login("ann").await, demo.login("bob").await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(demo.build(&ann).await);
    }

    let page = demo.get("/api/v1/builds?page=1&page_size=2", &ann).await.body;
    assert_eq!((&page["total"], &page["pages"]), (&json!(3), &json!(2)));
    assert_eq!([&page["builds"][0]["build_id"], &page["builds"][1]["build_id"]], [&ids[2], &ids[1]]);
    let page = demo.get("/api/v1/builds?page=2&page_size=2", &ann).await.body;
    assert_eq!(page["builds"][0]["build_id"], ids[0]);
    assert_eq!(demo.get("/api/v1/builds", &bob).await.body["total"], 0);

    let path = format!("/api/v1/builds/{}", ids[0]);
    assert_eq!(demo.get(&path, &ann).await.text("build_id"), ids[0]);
    assert_eq!(demo.get(&path, &bob).await.status, StatusCode::NOT_FOUND);
    assert!(demo.get(&format!("{path}/code"), &ann).await.text("code").len() > 2000);
    let stats = demo.get("/api/v1/users/me/stats", &ann).await.body;
    assert_eq!((&stats["user_id"], &stats["builds"]["total"]), (&json!("ann"), &json!(3)));
}

#[tokio::test]
async fn every_refusal_has_its_status_and_says_why_in_json() {
    let demo = Demo::start(Settings::default());
    let token = demo.login("ann").await;
    for (path, token, status) in [
        ("/api/v1/builds", "", 401),
        ("/api/v1/builds", "no.token", 401),
        ("/api/v1/users/me/stats", "", 401),
        ("/api/v1/builds/build-0", &token, 404),
        ("/api/v1/builds/build-0/code", &token, 404),
        ("/nowhere", "", 404),
        ("/api/v1/auth/test-token", "", 405),
        ("/api/v1/builds?page=x", &token, 400),
        ("/api/v1/builds?page=0", &token, 422),
        ("/ws/echo", "", 426),
    ] {
        let answer = demo.get(path, token).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.text("error").is_empty());
    }
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{}", 422),
        (r#"{"prompt": "x", "chains": []}"#, 422),
        (r#"{"prompt": " ", "chains": [1]}"#, 422),
        (r#"{"prompt": "x", "chains": ["1"]}"#, 422),
    ] {
        assert_eq!(demo.post("/api/v1/builds", &token, body).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_follower_hears_every_status_and_a_normal_close() {
    let demo = Demo::start(Settings::default());
    let token = demo.login("ann").await;
    let id = demo.build(&token).await;
    let path = format!("/ws/builds/{id}");
    let mut socket = demo.socket(&path, &token).await.unwrap();
    let mut statuses = Vec::new();
    let code = loop {
        match next(&mut socket).await {
            Message::Close(frame) => break frame.unwrap().code,
            message => {
                let report: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
                assert_eq!(report["build_id"], id);
                statuses.push(report["status"].as_str().unwrap().to_owned());
            }
        }
    };
    statuses.dedup();
    assert_eq!(
        (statuses, code),
        (["queued", "running", "done"].map(String::from).to_vec(), CloseCode::Normal)
    );
    assert_eq!(demo.get(&format!("/api/v1/builds/{id}"), &token).await.text("status"), "done");
    for (path, token) in [(path.as_str(), ""), ("/ws/builds/build-9", &token)] {
        assert!(matches!(demo.socket(path, token).await, Err(tungstenite::Error::Http(_))));
    }
}

#[tokio::test]
async fn the_echo_returns_text_and_binary_unchanged_and_answers_pings() {
    let demo = Demo::start(Settings::default());
    let mut socket = demo.socket("/ws/echo", "").await.unwrap();
    let large = vec![7_u8; 300_000];
    for message in [Message::text("höre"), Message::binary(vec![0, 255]), Message::binary(large)] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(next(&mut socket).await, message);
    }
    socket.send(Message::Ping(Bytes::from_static(b"here?"))).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong(Bytes::from_static(b"here?")));
    socket.close(None).await.unwrap();
    assert!(next(&mut socket).await.is_close());
}

#[tokio::test]
async fn scripted_failures_strike_the_api_and_spare_the_health_check() {
    let demo = Demo::start(Settings { errors: "100%".parse().unwrap(), ..Settings::default() });
    assert_eq!(demo.get("/health", "").await.status, StatusCode::OK);
    let answer = demo.get("/api/v1/builds", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text("error").is_empty());
}

#[tokio::test]
async fn one_request_too_many_is_turned_away_while_the_others_wait() {
    let settings = Settings {
        capacity: "1".parse().unwrap(),
        slow: vec!["GET /health=+1h".parse().unwrap()],
        ..Settings::default()
    };
    let demo = Demo::start(settings);
    let mut requests = JoinSet::new();
    // One at work and sixteen waiting, all for an hour: only the last can have an answer.
    for _ in 0..18 {
        requests.spawn(call(demo.address, "GET", "/health", ("", String::new())));
    }
    let answer = requests.join_next().await.unwrap().unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_shutdown_takes_leave_of_open_sockets_and_ends() {
    let demo = Demo::start(Settings::default());
    let mut socket = demo.socket("/ws/echo", "").await.unwrap();
    demo.stop.send(()).unwrap();
    assert_eq!(close_code(&mut socket).await, CloseCode::Away);
    while socket.next().await.is_some() {}
    demo.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(demo.address).await.is_err());
}
