//! The WebSocket step and the steps inside it.

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use hyper::header::{
    self, CONNECTION, COOKIE, HOST, HeaderName, HeaderValue as RawHeader, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request as HttpRequest};
use rand::RngExt;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::aside::LARGE;
use super::compose;
use super::exchange::timed_out;
use super::measure::outcome::{Failure, FailureKind};
use super::measure::sample::{Phases, Retries, Sample, Traffic};
use super::memory::Hold;
use super::perform::{End, InFlight, SocketInUse, Timed, unrendered};
use super::protocol::body::{self, Parse};
use super::protocol::origin::Located;
use super::protocol::outgoing::{ACCEPT, AUTHORIZED, Outgoing, Payload, USER_AGENT};
use super::protocol::redirect;
use super::protocol::response::Response;
use super::protocol::stream::Meter;
use super::protocol::websocket::{Arrived, Count, Looked, Moved, Opening, Socket};
use super::tls::Purpose;
use super::trace::{Event, Traced};
use super::unpack::{captures_json, captures_patterns};
use super::virtual_user::VirtualUser;
use super::worker::Worker;
use crate::clock;
use crate::plan::step::{EndpointId, FieldName, Message, MetricId, Receive, Since, WebSocket};

/// How long a server may take to answer our goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// The close code of a socket that has done its work (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

impl VirtualUser {
    /// Opens a WebSocket, performs its steps, closes it.
    pub(super) async fn websocket(&mut self, step: &WebSocket) -> Result<(), End> {
        let lines = self.lines.clone();
        // The sockets around it are listened to while this one opens and closes.
        let socket = lines.attend(pin!(self.connect(step))).await?;
        lines.push(&socket);
        self.sockets.push(SocketInUse { socket, endpoint: step.endpoint, closed: false, lost: false });
        let ended = self.perform(&step.steps).await;
        let closed = match ended {
            Err(End::Failed) => Ok(()),
            _ => lines.attend(pin!(self.close(NORMAL, ""))).await,
        };
        lines.pop();
        self.sockets.pop();
        ended.and(closed)
    }

    /// Counts what moves over a socket under its endpoint, in the window and the phase of that moment.
    fn count(&self, endpoint: EndpointId) -> Count {
        let worker = self.worker.clone();
        Box::new(move |Moved { messages_in, traffic }, given_up| {
            let mut recorder = worker.recorder.borrow_mut();
            let now = clock::now();
            if let Some(failure) = given_up {
                recorder.failure(endpoint, failure, now);
            }
            let tally = recorder.tally(endpoint, now);
            tally.messages_in += messages_in;
            tally.bytes_in += traffic.bytes_in;
            tally.bytes_out += traffic.bytes_out;
        })
    }

    async fn connect(&mut self, step: &WebSocket) -> Result<Socket, End> {
        let due = self.due.take();
        let started = clock::now();
        let scheduled = due.unwrap_or(started);
        let mut in_flight = InFlight::begin(&self.worker, step.endpoint, scheduled);
        let timed = step.record.map(|metric| Timed::begin(self, metric, scheduled));
        let (mut phases, mut line, mut meters) = (Phases::default(), String::new(), Vec::new());
        let worker = self.worker.clone();
        let limit = step.timeout.unwrap_or(worker.plan.limits.timeout);
        let deadline = self.deadline.clone();
        let opened = deadline
            .within(limit, pin!(self.open(step, &mut line, &mut phases, &mut meters)))
            .await
            .unwrap_or_else(|_| Err(timed_out(limit)));
        let finished = clock::now();
        let (socket, outcome) = match opened {
            Ok(socket) => (Ok(socket), Ok(())),
            Err(failure) => (Err(End::Failed), Err(self.masked(Some(step.endpoint), failure))),
        };
        let traffic = meters.iter().map(Meter::take).fold(Traffic::default(), |mut sum, moved| {
            sum += moved;
            sum
        });
        let sample = Sample {
            endpoint: step.endpoint,
            scheduled,
            started,
            finished,
            outcome,
            phases,
            traffic,
            retries: Retries::default(),
        };
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
        if let Some(timed) = timed {
            timed.end(Ok(()));
        }
        match &sample.outcome {
            Ok(()) => self.record(step.record, scheduled, sample.response_time()),
            Err(failure) => {
                self.failures.note(failure.kind);
                self.record_failed(step.record, scheduled);
            }
        }
        socket
    }

    /// Opens the connection and shakes hands, and goes where the server sends it instead. All of that is one connect.
    async fn open(
        &mut self,
        step: &WebSocket,
        line: &mut String,
        phases: &mut Phases,
        meters: &mut Vec<Meter>,
    ) -> Result<Socket, Failure> {
        let mut outgoing = self.handshake(step)?;
        let most = self.worker.plan.http.redirects;
        for left in (0..=most).rev() {
            *line = format!("WS {}{}", outgoing.origin.authority(), outgoing.path);
            let request = self.upgrade(step, &outgoing)?;
            let spelt: Vec<&FieldName> = outgoing.headers.iter().map(|(name, _)| *name).collect();
            let stream =
                self.worker.connector.open(&outgoing.origin, Purpose::WebSocket, self.index, phases).await?;
            meters.push(stream.meter().clone());
            let limits = (self.worker.plan.limits.max_body, &self.worker.budget);
            let count = self.count(step.endpoint);
            match Socket::open((request, &spelt), stream, limits, count).await? {
                Opening::Open(socket, headers) => {
                    self.keep_cookies(&outgoing, &headers)?;
                    return Ok(socket);
                }
                Opening::Refused(refused) => {
                    let (failure, headers) = *refused;
                    self.keep_cookies(&outgoing, &headers)?;
                    return Err(failure);
                }
                Opening::Elsewhere(response) if left > 0 => {
                    self.keep_cookies(&outgoing, &response.headers)?;
                    outgoing = redirect::follow(outgoing, &response, &self.trusted(None))?;
                }
                Opening::Elsewhere(response) if most == 0 => {
                    self.keep_cookies(&outgoing, &response.headers)?;
                    let message =
                        format!("status {}, expected 101; `redirects: 0` follows none", response.status);
                    return Err(Failure::new(FailureKind::Status, message));
                }
                Opening::Elsewhere(response) => {
                    self.keep_cookies(&outgoing, &response.headers)?;
                    break;
                }
            }
        }
        Err(Failure::new(FailureKind::Protocol, "too many redirects of the handshake (`http.redirects`)"))
    }

    /// What a step asks for: where the handshake goes, and its headers.
    fn handshake<'s>(&self, step: &'s WebSocket) -> Result<Outgoing<'s>, Failure> {
        let Located { origin, path, authorization } = self.locate(&step.url, &step.query)?;
        let at_home = || self.trusted(None).is_part_of_service(&origin);
        let (mut headers, defaults) = compose::headers(&step.headers, step.defaults, &self.scope, at_home)?;
        if let Some(value) = authorization.filter(|_| defaults.authorization) {
            headers.push((&AUTHORIZED, value.into()));
        }
        let (method, payload) = (Method::GET, Payload::default());
        Ok(Outgoing { origin, method, path, headers, defaults, payload })
    }

    /// The request of a handshake.
    fn upgrade(&mut self, step: &WebSocket, outgoing: &Outgoing<'_>) -> Result<HttpRequest<()>, Failure> {
        let Outgoing { origin, path, .. } = outgoing;
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
        if outgoing.defaults.user_agent {
            headers.insert(header::USER_AGENT, RawHeader::from_static(USER_AGENT));
        }
        if outgoing.defaults.accept {
            headers.insert(header::ACCEPT, RawHeader::from_static(ACCEPT));
        }
        for (name, value) in &outgoing.headers {
            headers.insert((***name).clone(), header(name, value)?);
        }
        // Cookies of the step itself stay at home in a redirect, as its other secrets do; then the jar's are sent.
        if !headers.contains_key(COOKIE)
            && let Some(cookies) = self.jar.header(origin, path)
        {
            headers.insert(COOKIE, header(&COOKIE, &cookies)?);
        }
        if let Some(subprotocol) = &step.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, header(&SEC_WEBSOCKET_PROTOCOL, subprotocol)?);
        }
        Ok(request)
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
        let (worker, mut heard, mut unheard) = (self.worker.clone(), std::mem::take(&mut self.heard), None);
        let mut wanted = |arrived: &Arrived| {
            let Some(expression) = &receive.matches else { return true };
            if let Err(failure) = body::hold_message(&mut heard, &worker.budget, &arrived.payload) {
                unheard = Some(failure);
                return true;
            }
            if arrived.payload.len() > LARGE {
                worker.aside.worked();
            }
            scope.set(slot, Response::of_message(arrived.payload.clone()).message_value());
            // A message of another shape is just not the one waited for.
            expression.holds(&scope).unwrap_or(false)
        };
        self.worker.aside.look_up().await;
        let deadline = self.deadline.clone();
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let since = match receive.since {
            Since::LastSend => open.socket.last_send.unwrap_or(open.socket.opened),
            Since::Open => open.socket.opened,
            Since::Step => step_begun,
        };
        // An answer is due at once. A feed that says something now and then is waited for when the run ends, too.
        let answers = receive.since == Since::LastSend && open.socket.wants_answer;
        let least = if answers { Duration::ZERO } else { receive.within / 2 };
        let awaited = Awaited::begin(&self.worker, open.endpoint, (receive.record, since), least);
        let receiving = async {
            let mut looked_at = 0;
            loop {
                match open.socket.receive(&mut looked_at, &mut wanted).await {
                    Ok(Looked::Taken(arrived)) => return Ok(arrived),
                    Ok(Looked::AtLarge) => worker.aside.look_up().await,
                    Err(failure) => return Err(failure),
                }
            }
        };
        let received = deadline.within(receive.within, pin!(receiving)).await;
        awaited.end();
        self.heard = heard;
        let arrived = match received {
            Ok(Ok(_)) if let Some(failure) = unheard => return self.not_received(receive, since, failure),
            Ok(Ok(arrived)) => arrived,
            Ok(Err(failure)) => return self.not_received(receive, since, failure),
            Err(_) => return self.not_received(receive, since, missing(receive)),
        };
        self.keep_message(receive, arrived, since).await
    }

    fn not_received(&mut self, receive: &Receive, since: Instant, failure: Failure) -> Result<(), End> {
        let ended = self.settle(Err(failure), |_| {});
        self.record_failed(receive.record, since);
        ended
    }

    async fn keep_message(&mut self, receive: &Receive, arrived: Arrived, since: Instant) -> Result<(), End> {
        let Arrived { at, payload, .. } = arrived;
        // Where it was compared, expressions see it already.
        let shows = self.worker.plan.keeps_message && receive.matches.is_none();
        let parse = Parse {
            paths: captures_json(&receive.captures),
            value: shows,
            patterns: captures_patterns(&receive.captures),
        };
        let mut hold = Hold::default();
        if let Err(failure) = hold.set(&self.worker.budget, payload.len()) {
            return self.not_received(receive, since, failure);
        }
        // It may wait for its turn to be unpacked.
        let mut message = Response::of_message(payload).holding(hold, Hold::default());
        if let Err(failure) = self.unpack_body(&mut message, parse, (&receive.captures, &[])).await {
            return self.not_received(receive, since, failure);
        }
        if message.body.len() > LARGE {
            self.worker.aside.look_up().await;
            self.worker.aside.worked();
        }
        if shows {
            match message.show_message(&self.worker.budget) {
                Ok(heard) => self.heard = heard,
                Err(failure) => return self.not_received(receive, since, failure),
            }
            self.scope.set(self.worker.plan.builtin.message, message.message_value());
        }
        let learned = self.learn_secrets(&receive.captures, &message);
        if let Err(failure) = learned.and_then(|()| self.capture(&message, &receive.captures)) {
            let end = self.fail(None, &failure);
            self.record_failed(receive.record, since);
            return Err(end);
        }
        // A message that was there before what it is measured from answers something else.
        if let Some(time) = at.checked_duration_since(since) {
            self.record(receive.record, since, time);
        }
        Ok(())
    }

    /// Sends a ping and waits for its pong.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        let (deadline, limit) = (self.deadline.clone(), self.worker.plan.limits.timeout);
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let awaited = Awaited::begin(&self.worker, open.endpoint, (None, clock::now()), Duration::ZERO);
        let answered = deadline.within(limit, pin!(open.socket.ping())).await;
        awaited.end();
        let answered = answered.unwrap_or_else(|_| {
            Err(Failure::new(FailureKind::MissingMessage, format!("no pong within {limit:?}")))
        });
        self.settle(answered, |tally| tally.pongs += 1)
    }

    /// Keeps the socket open.
    pub(super) async fn hold(&mut self, time: Duration) -> Result<(), End> {
        let until = clock::now() + time;
        let Some(open) = self.sockets.pop() else { return Err(End::Failed) };
        let slept = tokio::select! {
            slept = self.pause_until(until) => Ok(slept),
            failure = open.socket.closed() => Err(failure),
        };
        self.sockets.push(open);
        match slept {
            Ok(true) => Ok(()),
            Ok(false) => Err(End::Paused),
            Err(failure) => self.settle(Err(failure), |_| {}),
        }
    }

    /// Closes the innermost socket, once.
    pub(super) async fn close(&mut self, code: u16, reason: &str) -> Result<(), End> {
        let deadline = self.deadline.clone();
        let Some(open) = self.sockets.last_mut().filter(|open| !open.closed) else { return Ok(()) };
        open.closed = true;
        // No step has needed it since, and yet the server has got no further.
        if let Some(failure) = open.socket.given_up() {
            return self.settle(Err(failure), |_| {});
        }
        // A server that does not say goodbye in time has been told; the connection is dropped anyway.
        let closed = deadline.within(GOODBYE, pin!(open.socket.close(code, reason))).await;
        self.settle(closed.unwrap_or(Ok(())), |_| {})
    }

    /// Counts what came of something done on the innermost socket.
    fn settle(
        &mut self,
        result: Result<(), Failure>,
        count: impl FnOnce(&mut super::measure::recording::Tally),
    ) -> Result<(), End> {
        let endpoint = self.sockets.last().map(|open| open.endpoint);
        let result = result.map_err(|failure| self.masked(endpoint, failure));
        let Some(open) = self.sockets.last_mut() else { return Err(End::Failed) };
        let (endpoint, now) = (open.endpoint, clock::now());
        let mut recorder = self.worker.recorder.borrow_mut();
        let tally = recorder.tally(endpoint, now);
        let Err(mut failure) = result else {
            count(tally);
            return Ok(());
        };
        self.failures.note(failure.kind);
        match failure.kind {
            // A step of the plan has closed it, which is no fault of the server.
            FailureKind::WebsocketClose if open.closed => {
                failure = Failure::new(FailureKind::Capture, "an earlier step has closed the socket");
            }
            // Each step that needs it fails; the socket closes once.
            FailureKind::WebsocketClose => {
                tally.unexpected_closes += u64::from(!std::mem::replace(&mut open.lost, true));
            }
            FailureKind::MissingMessage => tally.missing_messages += 1,
            _ => {}
        }
        recorder.failure(endpoint, &failure, now);
        self.worker.journal.note(|| Event::Failure(failure));
        Err(End::Failed)
    }
}

/// A message that is waited for. Dropped before it is there, the end of the run has cut it off: it took at least as long
/// as it was waited for, and nobody knows whether it would have come. Of a feed, which is silent most of the time, what
/// was waited for only a short time is not counted.
struct Awaited {
    worker: Rc<Worker>,
    endpoint: EndpointId,
    record: Option<MetricId>,
    since: Instant,
    begun: Instant,
    /// A shorter wait says nothing.
    least: Duration,
    ended: bool,
}

impl Awaited {
    fn begin(
        worker: &Rc<Worker>,
        endpoint: EndpointId,
        (record, since): (Option<MetricId>, Instant),
        least: Duration,
    ) -> Self {
        Self { worker: worker.clone(), endpoint, record, since, begun: clock::now(), least, ended: false }
    }

    /// It came, or it is known that it did not.
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let now = clock::now();
        if self.ended || now.saturating_duration_since(self.begun) < self.least {
            return;
        }
        let mut recorder = self.worker.recorder.borrow_mut();
        recorder.tally(self.endpoint, self.since).unfinished_messages += 1;
        if let Some(metric) = self.record {
            recorder.metric_at_least(metric, self.since, now.saturating_duration_since(self.since));
        }
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
