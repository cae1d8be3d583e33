//! The HTTP step: build the request, send it, look at the response.

use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderName, HeaderValue as RawHeader};
use hyper::{HeaderMap, Request as HttpRequest};

use super::measure::outcome::{Failure, FailureKind};
use super::measure::sample::{Phases, Sample, Traffic};
use super::pacing;
use super::perform::{End, InFlight, unrendered};
use super::protocol::http::{self, Connection, Keep, Unsent};
use super::protocol::origin::Origin;
use super::protocol::response::Response;
use super::trace::{Event, Traced};
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::step::{Body, Expectation, Extract, HeaderValue, Poll, Request};
use crate::template::{Scope, Template};

/// The most connections a user keeps alive: templates may name any number of hosts.
const MOST_KEPT: usize = 16;

type Outgoing = HttpRequest<Full<Bytes>>;

/// How one exchange went, before anything is expected of it.
struct Exchange {
    scheduled: Instant,
    started: Instant,
    finished: Instant,
    phases: Phases,
    traffic: Traffic,
    response: Result<Response, Failure>,
    sent: Sent,
}

/// What a trace shows of a request; empty where nobody looks.
#[derive(Default)]
struct Sent {
    line: String,
    body: Bytes,
}

impl VirtualUser {
    /// Performs an HTTP step.
    pub(super) async fn request(&mut self, request: &Request) -> Result<(), End> {
        match &request.poll {
            None => {
                let (begun, ended) = self.once(request).await?;
                self.record(request.record, begun, ended.saturating_duration_since(begun));
                Ok(())
            }
            Some(poll) => self.poll(request, poll).await,
        }
    }

    /// Repeats a request until something holds. Every repetition is a request of its own; what is
    /// recorded is the whole.
    async fn poll(&mut self, request: &Request, poll: &Poll) -> Result<(), End> {
        let begun = clock::now();
        let deadline = begun + poll.timeout;
        loop {
            let (_, ended) = self.once(request).await?;
            let done = poll
                .until
                .holds(&self.scope)
                .map_err(|error| self.fail(Some(request.endpoint), &unrendered(&error)))?;
            if done {
                self.record(request.record, begun, ended.saturating_duration_since(begun));
                return Ok(());
            }
            let next = clock::now() + pacing::pause(&poll.every, &mut self.random);
            if next >= deadline {
                let message = format!("`{}` did not hold within {:?}", poll.until.source(), poll.timeout);
                return Err(self.fail(Some(request.endpoint), &Failure::new(FailureKind::Timeout, message)));
            }
            if !self.sleep_until(next).await {
                return Err(End::Stopped);
            }
        }
    }

    /// One request and its response, counted. Returns when it was due and when it ended.
    async fn once(&mut self, request: &Request) -> Result<(Instant, Instant), End> {
        let in_flight = InFlight::begin(&self.worker);
        let mut exchange = self.exchange(request).await;
        let outcome = match &exchange.response {
            Ok(response) => self.judge(request, response),
            Err(failure) => Err(failure.clone()),
        };
        let ended =
            if outcome.is_ok() { Ok((exchange.scheduled, exchange.finished)) } else { Err(End::Failed) };
        let sample = Sample {
            endpoint: request.endpoint,
            scheduled: exchange.scheduled,
            started: exchange.started,
            finished: exchange.finished,
            outcome,
            phases: std::mem::take(&mut exchange.phases),
            traffic: exchange.traffic,
        };
        self.worker.journal.note(|| traced(&exchange, &sample));
        in_flight.end(|recorder| recorder.sample(&sample));
        ended
    }

    async fn exchange(&mut self, request: &Request) -> Exchange {
        let due = self.due.take();
        let started = clock::now();
        let mut phases = Phases::default();
        let mut traffic = Traffic::default();
        let mut sent = Sent::default();
        let response = match self.build(request, &mut sent) {
            Err(failure) => Err(failure),
            Ok((origin, outgoing)) => {
                let worker = self.worker.clone();
                let limit = request.timeout.unwrap_or(worker.plan.limits.timeout);
                let keep = if worker.journal.is_kept() || worker.plan.keeps_response {
                    Keep::Whole
                } else {
                    keep(request)
                };
                let answer = self.send_and_read((origin, outgoing), keep, (&mut phases, &mut traffic));
                worker.timer.timeout(limit, answer).await.unwrap_or_else(|_| Err(timed_out(limit)))
            }
        };
        let finished = clock::now();
        Exchange { scheduled: due.unwrap_or(started), started, finished, phases, traffic, response, sent }
    }

    /// Sends on a kept connection, or on a new one. Whatever goes wrong, the connection is not used again.
    async fn send_and_read(
        &mut self,
        (origin, mut outgoing): (Rc<Origin>, Outgoing),
        keep: Keep,
        (phases, traffic): (&mut Phases, &mut Traffic),
    ) -> Result<Response, Failure> {
        let begun = clock::now();
        let mut connection = match self.kept(&origin).await {
            Some(connection) => connection,
            None => Connection::open(&self.worker.connector, origin.clone(), phases).await?,
        };
        let answer = loop {
            match connection.send(outgoing).await {
                Ok(answer) => break answer,
                Err(Unsent::Failed(failure)) => return Err(failure),
                // The server closed it between the look and the write, and has seen nothing of this request.
                Err(Unsent::Closed(_)) if phases.connect.is_some() => {
                    return Err(Failure::new(
                        FailureKind::Reset,
                        "the connection was closed as soon as it was open",
                    ));
                }
                Err(Unsent::Closed(back)) => {
                    outgoing = *back;
                    connection = Connection::open(&self.worker.connector, origin.clone(), phases).await?;
                }
            }
        };
        phases.first_byte = Some(http::since(begun));
        let response = http::read(answer, keep, self.worker.plan.limits.max_body).await;
        *traffic = connection.meter().take();
        let response = response?;
        if self.connections.len() == MOST_KEPT {
            self.connections.remove(0);
        }
        self.connections.push(connection);
        Ok(response)
    }

    async fn kept(&mut self, origin: &Origin) -> Option<Connection> {
        let at = self.connections.iter().position(|connection| **connection.origin() == *origin)?;
        let mut connection = self.connections.swap_remove(at);
        connection.usable().await.then_some(connection)
    }

    fn judge(&mut self, request: &Request, response: &Response) -> Result<(), Failure> {
        if looks_at_response(request) || self.worker.plan.keeps_response {
            self.scope.set(self.worker.plan.builtin.response, response.value());
        }
        response.check(&request.expect, &self.scope)?;
        // While a poll is waiting there is nothing to keep yet.
        let waiting = |poll: &Poll| !poll.until.holds(&self.scope).unwrap_or(false);
        if request.poll.as_ref().is_some_and(waiting) {
            return Ok(());
        }
        request.captures.iter().try_for_each(|capture| response.capture(capture, &self.scope))
    }

    fn build(&self, request: &Request, sent: &mut Sent) -> Result<(Rc<Origin>, Outgoing), Failure> {
        let (origin, path) = self.locate(&request.url, &request.query)?;
        let body = render_body(&request.body, &self.scope)?;
        if self.worker.journal.is_kept() {
            *sent =
                Sent { line: format!("{} {}{path}", request.method, origin.authority()), body: body.clone() };
        }
        let mut outgoing = HttpRequest::new(Full::new(body));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() =
            path.parse().map_err(|error| invalid(format!("`{path}` is no path: {error}")))?;
        *outgoing.headers_mut() = render_headers(&request.headers, &self.scope)?;
        if !outgoing.headers().contains_key(HOST) {
            outgoing.headers_mut().insert(HOST, header(&HOST, &origin.authority())?);
        }
        Ok((origin, outgoing))
    }

    /// Renders a URL and its query, percent-encoded where they need it.
    pub(super) fn locate(
        &self,
        url: &Template,
        query: &[(String, Template)],
    ) -> Result<(Rc<Origin>, String), Failure> {
        let rendered = url.render(&self.scope).map_err(|error| unrendered(&error))?;
        let (origin, mut path) = self.worker.base.resolve(&rendered)?;
        if !query.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&render_form(query, &self.scope)?);
        }
        let clean = path.bytes().all(|byte| byte.is_ascii_graphic());
        Ok((origin, if clean { path } else { encode(&path) }))
    }
}

fn traced(exchange: &Exchange, sample: &Sample) -> Event {
    let response = exchange.response.as_ref().ok();
    Event::Exchange(Box::new(Traced {
        line: exchange.sent.line.clone(),
        sent: excerpt(&exchange.sent.body),
        status: response.map(|response| response.status),
        received: response.map(|response| excerpt(&response.body)).unwrap_or_default(),
        time: sample.service_time(),
        failure: sample.outcome.as_ref().err().cloned(),
    }))
}

/// The beginning of a body, as text, for a trace.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned()
}

/// Whether the step itself looks at `response`.
fn looks_at_response(request: &Request) -> bool {
    request.poll.is_some()
        || request.expect.iter().any(|expectation| matches!(expectation, Expectation::That(_)))
}

/// How much of the body the step needs.
fn keep(request: &Request) -> Keep {
    let body_expected = request.expect.iter().any(|expectation| {
        matches!(expectation, Expectation::Contains(_) | Expectation::Json { .. } | Expectation::That(_))
    });
    let body_captured = request.captures.iter().any(|capture| !matches!(capture.from, Extract::Header(_)));
    if body_expected || body_captured || request.poll.is_some() { Keep::Whole } else { Keep::Excerpt }
}

fn render_body(body: &Body, scope: &Scope) -> Result<Bytes, Failure> {
    match body {
        Body::Empty => Ok(Bytes::new()),
        Body::Json(template) => template.render(scope).map(Bytes::from).map_err(|error| unrendered(&error)),
        Body::Form(fields) => render_form(fields, scope).map(Bytes::from),
        Body::Raw(template) => template.render(scope).map(Bytes::from).map_err(|error| unrendered(&error)),
        Body::File(bytes) => Ok(bytes.clone()),
    }
}

fn render_form(fields: &[(String, Template)], scope: &Scope) -> Result<String, Failure> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        form.append_pair(name, &value.render(scope).map_err(|error| unrendered(&error))?);
    }
    Ok(form.finish())
}

/// Renders headers; a later one of the same name replaces an earlier one.
pub(super) fn render_headers(
    headers: &[(HeaderName, HeaderValue)],
    scope: &Scope,
) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        let text = render_header(value, scope)?;
        map.insert(name.clone(), header(name, &text)?);
    }
    Ok(map)
}

fn render_header(value: &HeaderValue, scope: &Scope) -> Result<String, Failure> {
    let render = |template: &Template| template.render(scope).map_err(|error| unrendered(&error));
    Ok(match value {
        HeaderValue::Text(template) => render(template)?,
        HeaderValue::Bearer(token) => format!("Bearer {}", render(token)?),
        HeaderValue::Basic { user, password } => {
            let pair = format!("{}:{}", render(user)?, render(password)?);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
    })
}

/// A header value from text.
pub(super) fn header(name: &HeaderName, text: &str) -> Result<RawHeader, Failure> {
    RawHeader::from_bytes(text.as_bytes())
        .map_err(|_| invalid(format!("the value of header `{name}` has a control character")))
}

fn invalid(message: String) -> Failure {
    Failure::new(FailureKind::Capture, message)
}

/// The failure of a request that took too long.
pub(super) fn timed_out(limit: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("no complete response within {limit:?}"))
}

/// Percent-encodes what cannot stand in a request line; what is encoded already stays so.
fn encode(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            out.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
        out
    })
}
