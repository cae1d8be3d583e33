//! One request and its response: on a kept connection or a new one, timed, counted once.
//!
//! A request is sent again, once and on a new connection, in two cases only. Without them, what every real client
//! survives unnoticed would be counted against the service:
//!
//! - The connection had carried a request before and ended before a byte of this response. A server closes idle
//!   connections without asking; its close and our request pass each other on the way. The request must be
//!   idempotent, for the server may have read it (RFC 9112, 9.3.1; RFC 9110, 9.2.2). A 408 that ends such a
//!   connection is the same close in words (RFC 9110, 15.5.9).
//! - Over HTTP/2 the server says that it has not processed the request: `REFUSED_STREAM`, or a GOAWAY with a last
//!   stream below it (RFC 9113, 8.7). The method does not matter then.
//!
//! A connection that was opened for this request has no such excuse, so a server that closes every connection
//! fails. Both tries are within one timeout and in one response time.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::header::COOKIE;

use super::measure::outcome::{Failure, FailureKind};
use super::measure::sample::{Phases, Retries, Sample, Traffic};
use super::perform::{End, InFlight};
use super::protocol::http::{Connection, Unsent};
use super::protocol::incoming::{Received, Reuse, Wants};
use super::protocol::origin::Origin;
use super::protocol::outgoing::Outgoing;
use super::protocol::response::Response;
use super::protocol::stream::Meter;
use super::trace::{Event, Traced};
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::connection::{Cookies, KeepAlive};
use crate::plan::step::{FieldName, Request};

/// The most connections a user keeps alive: templates may name any number of hosts.
const MOST_KEPT: usize = 16;

static COOKIES: FieldName = FieldName::of(COOKIE, "cookie");

const ON_CLOSE: Retries = Retries { on_close: 1, on_refusal: 0 };
const ON_REFUSAL: Retries = Retries { on_close: 0, on_refusal: 1 };

/// How one exchange went, before anything is expected of it. It is counted when it ends, also where the end of the run
/// comes while its response is still unpacked.
pub(super) struct Exchange<'r> {
    in_flight: InFlight,
    request: &'r Request,
    /// When the plan wanted it.
    pub scheduled: Instant,
    started: Instant,
    /// When its last byte was read, or it failed.
    pub finished: Instant,
    phases: Phases,
    traffic: Traffic,
    retries: Retries,
    /// What came back.
    pub response: Result<Response, Failure>,
}

/// What is known of an exchange while it is under way, and when its time runs out.
struct Progress {
    begun: Instant,
    phases: Phases,
    /// Moved on connections that are done with.
    traffic: Traffic,
    /// Counts what is moved on the connection in use.
    meter: Option<Meter>,
    retries: Retries,
}

impl Progress {
    fn of_exchange(begun: Instant) -> Self {
        let (phases, traffic, retries) = (Phases::default(), Traffic::default(), Retries::default());
        Self { begun, phases, traffic, meter: None, retries }
    }

    /// All that was moved so far.
    fn traffic(&mut self) -> Traffic {
        if let Some(meter) = self.meter.take() {
            self.traffic += meter.take();
        }
        self.traffic
    }

    /// Whether the request may be sent again on a new connection, and counts it.
    fn retry(&mut self, retries: Retries) -> bool {
        let first = self.retries == Retries::default();
        if first {
            self.retries = retries;
        }
        first
    }
}

impl Exchange<'_> {
    /// Counts it.
    pub(super) fn end(mut self, outgoing: &Outgoing<'_>, outcome: Result<(), Failure>) {
        let sample = self.sample(outcome);
        let response = self.response.as_ref().ok();
        self.in_flight.end(|recorder, journal| {
            journal.note(|| traced(outgoing, response, &sample));
            recorder.sample(&sample);
        });
    }

    fn sample(&self, outcome: Result<(), Failure>) -> Sample {
        let &Self { scheduled, started, finished, phases, traffic, retries, .. } = self;
        let endpoint = self.request.endpoint;
        Sample { endpoint, scheduled, started, finished, outcome, phases, traffic, retries }
    }
}

impl Drop for Exchange<'_> {
    /// Cut off after its response, it has failed where that is known by now. Whether the rest holds is not known; how
    /// long it took is.
    fn drop(&mut self) {
        if self.in_flight.is_counted() {
            return;
        }
        let known = match &self.response {
            Ok(response) => response.check_status(&self.request.expect),
            Err(failure) => Err(failure.clone()),
        };
        match known {
            Ok(()) => self.in_flight.answered_at(self.finished),
            Err(failure) => {
                let sample = self.sample(Err(failure));
                self.in_flight.end(|recorder, _| recorder.sample(&sample));
            }
        }
    }
}

impl VirtualUser {
    /// Counts a request that could not be made: what it needs is not there.
    pub(super) fn unsent(&mut self, request: &Request, failure: Failure) -> End {
        let failure = self.masked(Some(request.endpoint), failure);
        self.failures.note(failure.kind);
        let due = self.due.take();
        let now = clock::now();
        let sample = Sample {
            endpoint: request.endpoint,
            scheduled: due.unwrap_or(now),
            started: now,
            finished: now,
            outcome: Err(failure),
            phases: Phases::default(),
            traffic: Traffic::default(),
            retries: Retries::default(),
        };
        InFlight::begin(&self.worker, sample.endpoint, sample.scheduled).end(|recorder, journal| {
            journal.note(|| Event::Exchange(Box::new(Traced::unsent(&sample))));
            recorder.sample(&sample);
        });
        End::Failed
    }

    /// Sends a request and reads its response, within its limit of time.
    pub(super) async fn exchange<'r>(
        &mut self,
        request: &'r Request,
        outgoing: &mut Outgoing<'_>,
    ) -> Exchange<'r> {
        let worker = self.worker.clone();
        let due = self.due.take();
        let started = clock::now();
        let scheduled = due.unwrap_or(started);
        let in_flight = InFlight::begin(&worker, request.endpoint, scheduled);
        self.add_cookies(outgoing);
        let mut progress = Progress::of_exchange(started);
        let limit = request.timeout.unwrap_or(worker.plan.limits.timeout);
        let events = Cell::new(None);
        let wants = Self::wants(&worker, request, &events);
        let deadline = self.deadline.clone();
        let response = deadline
            .until(started + limit, pin!(self.send_and_read(outgoing, wants, &mut progress)))
            .await
            .unwrap_or_else(|_| Err(events.get().map_or_else(|| timed_out(limit), |it| endless(limit, it))));
        let (mut response, finished) = match response {
            Ok((response, last_byte)) => (Ok(response), last_byte),
            Err(failure) => (Err(failure), clock::now()),
        };
        if let Ok(whole) = &response
            && let Err(failure) = self.keep_cookies(outgoing, &whole.headers)
        {
            response = Err(failure);
        }
        Exchange {
            in_flight,
            request,
            scheduled,
            started,
            finished,
            phases: progress.phases,
            traffic: progress.traffic(),
            retries: progress.retries,
            response,
        }
    }

    /// Keeps what a response asks to be kept, where the plan does.
    pub(super) fn keep_cookies(
        &mut self,
        outgoing: &Outgoing<'_>,
        headers: &hyper::HeaderMap,
    ) -> Result<(), Failure> {
        match self.worker.plan.http.cookies {
            Cookies::Kept => self.jar.keep((&outgoing.origin, &outgoing.path), headers, &self.worker.budget),
            Cookies::Ignored => Ok(()),
        }
    }

    /// Sends on a kept connection, or on a new one. Whatever goes wrong, the connection is not used again.
    async fn send_and_read(
        &mut self,
        outgoing: &Outgoing<'_>,
        wants: Wants<'_>,
        progress: &mut Progress,
    ) -> Result<(Response, Instant), Failure> {
        let worker = self.worker.clone();
        let http = &worker.plan.http;
        let mut connection = self.kept(&outgoing.origin);
        loop {
            let fresh = connection.is_none();
            let mut at_hand = match connection.take() {
                Some(kept) => kept,
                // Rare and large: it must not make every request as large.
                None => Box::pin(self.open_connection(&outgoing.origin, &mut progress.phases)).await?,
            };
            progress.meter = Some(at_hand.meter().clone());
            let answer = at_hand.exchange(outgoing, wants, http).await;
            progress.traffic();
            match answer {
                Ok(received)
                    if !fresh
                        && ends_idle_connection(&received)
                        && outgoing.is_idempotent()
                        && progress.retry(ON_CLOSE) => {}
                Ok(Received { response, first_byte, last_byte, reuse }) => {
                    progress.phases.first_byte = Some(first_byte.saturating_duration_since(progress.begun));
                    if reuse == Reuse::Again && http.keep_alive == KeepAlive::Kept {
                        self.keep(at_hand);
                    }
                    return Ok((response, last_byte));
                }
                Err(Unsent::Closed) if fresh => {
                    let message = "the connection was closed as soon as it was open";
                    return Err(Failure::new(FailureKind::Reset, message));
                }
                // The server closed it between the look and the write, and has seen nothing of this request.
                Err(Unsent::Closed) => {}
                Err(Unsent::Unanswered(_)) if outgoing.is_idempotent() && progress.retry(ON_CLOSE) => {}
                Err(Unsent::Refused(_)) if progress.retry(ON_REFUSAL) => {}
                Err(Unsent::Unanswered(failure) | Unsent::Refused(failure) | Unsent::Failed(failure)) => {
                    return Err(failure);
                }
            }
        }
    }

    async fn open_connection(&self, origin: &Rc<Origin>, phases: &mut Phases) -> Result<Connection, Failure> {
        let worker = &self.worker;
        Connection::open(&worker.connector, origin.clone(), &worker.plan.http, self.index, phases).await
    }

    fn kept(&mut self, origin: &Origin) -> Option<Connection> {
        let at = self.connections.iter().position(|connection| connection.leads_to(origin))?;
        let mut connection = self.connections.swap_remove(at);
        connection.usable().then_some(connection)
    }

    fn keep(&mut self, connection: Connection) {
        if self.connections.len() == MOST_KEPT {
            self.connections.remove(0);
        }
        self.connections.push(connection);
    }

    /// The cookies of this user for the place a request goes to, unless the step has its own and they go there too.
    fn add_cookies(&self, outgoing: &mut Outgoing<'_>) {
        // Those of the place that it was redirected from.
        outgoing.headers.retain(|(name, _)| !std::ptr::eq(*name, &raw const COOKIES));
        if outgoing.header(&COOKIE).is_some() {
            return;
        }
        if let Some(cookies) = self.jar.header(&outgoing.origin, &outgoing.path) {
            outgoing.headers.push((&COOKIES, cookies.into()));
        }
    }
}

/// Whether a response says that the server has closed the connection for want of a request (RFC 9110, 15.5.9),
/// which it may have done before it saw this one.
fn ends_idle_connection(received: &Received) -> bool {
    received.response.status == 408 && received.reuse == Reuse::Never
}

fn traced(outgoing: &Outgoing<'_>, response: Option<&Response>, sample: &Sample) -> Event {
    let sent: Vec<u8> =
        outgoing.payload.pieces().iter().flat_map(|piece| piece.iter().copied()).take(TRACED).collect();
    Event::Exchange(Box::new(Traced {
        line: format!("{} {}{}", outgoing.method, outgoing.origin.authority(), outgoing.path),
        sent: excerpt(&sent),
        status: response.map(|response| response.status),
        received: response.map(|response| excerpt(&response.body)).unwrap_or_default(),
        time: sample.service_time(),
        failure: sample.outcome.as_ref().err().cloned(),
    }))
}

/// How many bytes of a body are kept for a trace: more than it shows, so that a secret at the end is known as one.
const TRACED: usize = 16 * 1024;

/// The beginning of a body, as text, for a trace.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(TRACED)]).into_owned()
}

/// The failure of a request whose response is a stream of events: it does not end by itself.
fn endless(limit: Duration, bytes: u64) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!(
            "no complete response within {limit:?}: a stream of server-sent events (`text/event-stream`), {bytes} bytes \
             so far, ends when the server ends it: raise the `timeout` of the step beyond that; steps that wait for \
             single events are not there yet"
        ),
    )
}

/// The failure of a request that took too long.
pub(super) fn timed_out(limit: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("no complete response within {limit:?}"))
}
