//! The WebSocket step and the steps inside it.

use std::pin::pin;
use std::time::{Duration, Instant};

use base64::Engine;
use bytes::Bytes;
use hyper::Request as HttpRequest;
use hyper::header::{
    CONNECTION, COOKIE, HOST, HeaderName, HeaderValue as RawHeader, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use minijinja::Value;
use minijinja::value::Serde;
use rand::RngExt;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::compose;
use super::exchange::timed_out;
use super::measure::outcome::{Failure, FailureKind};
use super::measure::sample::{Phases, Sample, Traffic};
use super::perform::{End, InFlight, SocketInUse, unrendered};
use super::protocol::response::Response;
use super::protocol::websocket::{Arrived, Socket};
use super::tls::Purpose;
use super::trace::{Event, Traced};
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::step::{Message, Receive, Since, WebSocket};

/// How long a server may take to answer our goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// The close code of a socket that has done its work (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

impl VirtualUser {
    /// Opens a WebSocket, performs its steps, closes it.
    pub(super) async fn websocket(&mut self, step: &WebSocket) -> Result<(), End> {
        let socket = self.connect(step).await?;
        self.sockets.push(SocketInUse { socket, endpoint: step.endpoint, closed: false });
        let ended = self.perform(&step.steps).await;
        if ended != Err(End::Failed) {
            self.close(NORMAL, "").await?;
        }
        if let Some(open) = self.sockets.pop() {
            let traffic = open.socket.take_traffic();
            let mut recorder = self.worker.recorder.borrow_mut();
            let tally = recorder.tally(open.endpoint, open.socket.opened);
            tally.messages_in += open.socket.messages_in();
            tally.bytes_in += traffic.bytes_in;
            tally.bytes_out += traffic.bytes_out;
        }
        ended
    }

    async fn connect(&mut self, step: &WebSocket) -> Result<Socket, End> {
        let in_flight = InFlight::begin(&self.worker);
        let due = self.due.take();
        let started = clock::now();
        let (mut phases, mut line) = (Phases::default(), String::new());
        let worker = self.worker.clone();
        let limit = step.timeout.unwrap_or(worker.plan.limits.timeout);
        let deadline = self.deadline.clone();
        let opened = deadline
            .within(limit, pin!(self.open(step, &mut line, &mut phases)))
            .await
            .unwrap_or_else(|_| Err(timed_out(limit)));
        let finished = clock::now();
        let (socket, outcome) = match opened {
            Ok(socket) => (Ok(socket), Ok(())),
            Err(failure) => (Err(End::Failed), Err(failure)),
        };
        let traffic = socket.as_ref().map_or(Traffic::default(), Socket::take_traffic);
        let scheduled = due.unwrap_or(started);
        let sample =
            Sample { endpoint: step.endpoint, scheduled, started, finished, outcome, phases, traffic };
        worker.journal.note(|| {
            Event::Exchange(Box::new(Traced {
                line,
                sent: String::new(),
                status: sample.outcome.is_ok().then_some(101),
                received: String::new(),
                time: sample.service_time(),
                failure: sample.outcome.as_ref().err().cloned(),
            }))
        });
        in_flight.end(|recorder, _| recorder.sample(&sample));
        if socket.is_ok() {
            self.record(step.record, scheduled, sample.response_time());
        }
        socket
    }

    async fn open(
        &mut self,
        step: &WebSocket,
        line: &mut String,
        phases: &mut Phases,
    ) -> Result<Socket, Failure> {
        let (origin, path) = self.locate(&step.url, &step.query)?;
        *line = format!("WS {}{path}", origin.authority());
        let mut request = HttpRequest::new(());
        // The handshake writes path and query; scheme and host only have to be there.
        *request.uri_mut() = format!("ws://{}{path}", origin.authority())
            .parse()
            .map_err(|error| Failure::new(FailureKind::Capture, format!("`{path}` is no path: {error}")))?;
        let key: [u8; 16] = self.random.random();
        let key = base64::engine::general_purpose::STANDARD.encode(key);
        let headers = request.headers_mut();
        let ours = [
            (&HOST, origin.authority()),
            (&CONNECTION, "Upgrade"),
            (&UPGRADE, "websocket"),
            (&SEC_WEBSOCKET_VERSION, "13"),
            (&SEC_WEBSOCKET_KEY, key.as_str()),
        ];
        for (name, value) in ours {
            headers.insert(name.clone(), header(name, value)?);
        }
        for (name, value) in compose::headers(&step.headers, &self.scope)? {
            headers.insert(name.clone(), header(name, &value)?);
        }
        if !headers.contains_key(COOKIE)
            && let Some(cookies) = self.jar.header(&origin, &path)
        {
            headers.insert(COOKIE, header(&COOKIE, &cookies)?);
        }
        if let Some(subprotocol) = &step.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, header(&SEC_WEBSOCKET_PROTOCOL, subprotocol)?);
        }
        let stream = self.worker.connector.open(&origin, Purpose::WebSocket, phases).await?;
        let most = self.worker.plan.limits.max_body;
        Socket::open(request, stream, (step.subprotocol.as_deref(), most)).await
    }

    /// Sends a message, in `timeout` at most: a server that does not read must not hold a user for good.
    pub(super) async fn send(&mut self, message: &Message) -> Result<(), End> {
        let rendered = match message {
            Message::Json(template) => template.render(&self.scope).map(|text| Frame::Text(text.into())),
            Message::Text(template) => template.render(&self.scope).map(|text| Frame::Text(text.into())),
            Message::Binary(bytes) => Ok(Frame::Binary(bytes.clone())),
        };
        let frame = rendered.map_err(|error| self.fail(None, &unrendered(&error)))?;
        let (deadline, limit) = (self.deadline.clone(), self.worker.plan.limits.timeout);
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let sent = deadline.within(limit, pin!(open.socket.send(frame))).await.unwrap_or_else(|_| {
            let message = format!("a message could not be sent within {limit:?}: the server does not read");
            Err(Failure::new(FailureKind::Timeout, message))
        });
        self.settle(sent, |tally| tally.messages_out += 1)
    }

    /// Waits for a message.
    pub(super) async fn receive(&mut self, receive: &Receive) -> Result<(), End> {
        let step_begun = clock::now();
        let (slot, scope) = (self.worker.plan.builtin.message, self.scope.clone());
        let wanted = |arrived: &Arrived| {
            let Some(expression) = &receive.matches else { return true };
            scope.set(slot, message_value(&arrived.payload));
            // A message of another shape is just not the one waited for.
            expression.holds(&scope).unwrap_or(false)
        };
        let deadline = self.deadline.clone();
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let since = match receive.since {
            Since::LastSend => open.socket.last_send.unwrap_or(open.socket.opened),
            Since::Open => open.socket.opened,
            Since::Step => step_begun,
        };
        let received = deadline.within(receive.within, pin!(open.socket.receive(wanted))).await;
        let arrived = match received {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(failure)) => return self.settle(Err(failure), |_| {}),
            Err(_) => return self.settle(Err(missing(receive)), |_| {}),
        };
        self.keep_message(receive, &arrived, since)
    }

    fn keep_message(&mut self, receive: &Receive, arrived: &Arrived, since: Instant) -> Result<(), End> {
        if self.worker.plan.keeps_message {
            self.scope.set(self.worker.plan.builtin.message, message_value(&arrived.payload));
        }
        let message = Response::of_message(arrived.payload.clone());
        for capture in &receive.captures {
            message.capture(capture, &self.scope).map_err(|failure| self.fail(None, &failure))?;
        }
        // A message that was there before what it is measured from answers something else.
        if let Some(time) = arrived.at.checked_duration_since(since) {
            self.record(receive.record, since, time);
        }
        Ok(())
    }

    /// Sends a ping and waits for its pong.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        let (deadline, limit) = (self.deadline.clone(), self.worker.plan.limits.timeout);
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let answered = deadline.within(limit, pin!(open.socket.ping())).await;
        let answered = answered.unwrap_or_else(|_| {
            Err(Failure::new(FailureKind::MissingMessage, format!("no pong within {limit:?}")))
        });
        self.settle(answered, |_| {})
    }

    /// Keeps the socket open.
    pub(super) async fn hold(&mut self, time: Duration) -> Result<(), End> {
        let until = clock::now() + time;
        let Some(open) = self.sockets.pop() else { return Err(End::Failed) };
        let slept = tokio::select! {
            slept = self.sleep_until(until) => Ok(slept),
            failure = open.socket.closed() => Err(failure),
        };
        self.sockets.push(open);
        match slept {
            Ok(true) => Ok(()),
            Ok(false) => Err(End::Stopped),
            Err(failure) => self.settle(Err(failure), |_| {}),
        }
    }

    /// Closes the innermost socket, once.
    pub(super) async fn close(&mut self, code: u16, reason: &str) -> Result<(), End> {
        let deadline = self.deadline.clone();
        let Some(open) = self.sockets.last_mut().filter(|open| !open.closed) else { return Ok(()) };
        open.closed = true;
        // A server that does not say goodbye in time has been told; the connection is dropped anyway.
        let _ = deadline.within(GOODBYE, pin!(open.socket.close(code, reason))).await;
        Ok(())
    }

    /// Counts what came of something done on the innermost socket.
    fn settle(
        &mut self,
        result: Result<(), Failure>,
        count: impl FnOnce(&mut super::measure::recording::Tally),
    ) -> Result<(), End> {
        let Some(endpoint) = self.sockets.last().map(|open| open.endpoint) else { return Err(End::Failed) };
        let now = clock::now();
        let mut recorder = self.worker.recorder.borrow_mut();
        let tally = recorder.tally(endpoint, now);
        let Err(failure) = result else {
            count(tally);
            return Ok(());
        };
        match failure.kind {
            FailureKind::WebsocketClose => tally.unexpected_closes += 1,
            FailureKind::MissingMessage => tally.missing_messages += 1,
            _ => {}
        }
        recorder.failure(endpoint, &failure, now);
        self.worker.journal.note(|| Event::Failure(failure));
        Err(End::Failed)
    }
}

fn header(name: &HeaderName, text: &str) -> Result<RawHeader, Failure> {
    RawHeader::from_bytes(text.as_bytes()).map_err(|_| {
        Failure::new(FailureKind::Capture, format!("the value of header `{name}` has a control character"))
    })
}

fn missing(receive: &Receive) -> Failure {
    let message = match &receive.matches {
        Some(expression) => format!("no message with `{}` within {:?}", expression.source(), receive.within),
        None => format!("no message within {:?}", receive.within),
    };
    Failure::new(FailureKind::MissingMessage, message)
}

/// What expressions see as `message`: its JSON, else its text.
fn message_value(payload: &Bytes) -> Value {
    match serde_json::from_slice::<serde_json::Value>(payload) {
        Ok(json) => Value::from(Serde(json)),
        Err(_) => Value::from(String::from_utf8_lossy(payload).into_owned()),
    }
}
