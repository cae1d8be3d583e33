//! The HTTP step: send what it asks for, follow where it leads, look at the response.

use std::pin::pin;
use std::time::{Duration, Instant};

use hyper::header::{COOKIE, HeaderName};

use super::measure::outcome::{Failure, FailureKind};
use super::measure::sample::{Phases, Sample, Traffic};
use super::pacing;
use super::perform::{End, InFlight, unrendered};
use super::protocol::http::{Connection, Unsent};
use super::protocol::incoming::{Headers, Keep, Received, Reuse, Wants};
use super::protocol::origin::Origin;
use super::protocol::outgoing::Outgoing;
use super::protocol::redirect;
use super::protocol::response::Response;
use super::trace::{Event, Traced};
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::connection::{Cookies, KeepAlive};
use crate::plan::step::{Expectation, Extract, Poll, Request};

/// The most connections a user keeps alive: templates may name any number of hosts.
const MOST_KEPT: usize = 16;

static COOKIES: HeaderName = COOKIE;

/// How one exchange went, before anything is expected of it.
struct Exchange {
    scheduled: Instant,
    started: Instant,
    finished: Instant,
    phases: Phases,
    traffic: Traffic,
    response: Result<Response, Failure>,
}

/// How many redirects of one request are followed.
#[derive(Debug, Clone, Copy)]
struct Hops {
    /// Of none, every redirect is the answer.
    most: u32,
    left: u32,
}

/// What comes after a response.
enum Next<'a> {
    /// Nothing: it is the answer.
    Answer,
    /// Another request.
    Hop(Outgoing<'a>),
    /// It leads nowhere.
    Astray(Failure),
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
            Some(poll) => Box::pin(self.poll(request, poll)).await,
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

    /// One request and all that it is redirected to, each counted as a request of its own. Returns when the
    /// first was due and when the last ended.
    async fn once(&mut self, request: &Request) -> Result<(Instant, Instant), End> {
        let mut outgoing = match self.compose(request) {
            Ok(outgoing) => outgoing,
            Err(failure) => return Err(self.unsent(request, failure)),
        };
        let most = request.redirects.unwrap_or(self.worker.plan.http.redirects);
        let mut hops = Hops { most, left: most };
        let mut due = None;
        loop {
            let in_flight = InFlight::begin(&self.worker);
            let exchange = self.exchange(request, &mut outgoing).await;
            let due = *due.get_or_insert(exchange.scheduled);
            let (next, outcome) = match &exchange.response {
                Ok(response) => match onwards(request, &outgoing, response, hops) {
                    Next::Answer => (None, self.judge(request, response)),
                    Next::Hop(next) => (Some(next), Ok(())),
                    Next::Astray(failure) => (None, Err(failure)),
                },
                Err(failure) => (None, Err(failure.clone())),
            };
            let ended = outcome.is_ok();
            let finished = exchange.finished;
            self.count(in_flight, (request, &outgoing), (exchange, outcome));
            match next {
                Some(next) => outgoing = next,
                None if ended => return Ok((due, finished)),
                None => return Err(End::Failed),
            }
            hops.left -= 1;
        }
    }

    fn count(
        &self,
        in_flight: InFlight,
        (request, outgoing): (&Request, &Outgoing<'_>),
        (exchange, outcome): (Exchange, Result<(), Failure>),
    ) {
        let Exchange { scheduled, started, finished, phases, traffic, response } = exchange;
        let endpoint = request.endpoint;
        let sample = Sample { endpoint, scheduled, started, finished, outcome, phases, traffic };
        self.worker.journal.note(|| traced(outgoing, response.as_ref().ok(), &sample));
        in_flight.end(|recorder| recorder.sample(&sample));
    }

    /// Counts a request that could not be made: what it needs is not there.
    fn unsent(&mut self, request: &Request, failure: Failure) -> End {
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
        };
        self.worker.journal.note(|| Event::Exchange(Box::new(Traced::unsent(&sample))));
        InFlight::begin(&self.worker).end(|recorder| recorder.sample(&sample));
        End::Failed
    }

    async fn exchange(&mut self, request: &Request, outgoing: &mut Outgoing<'_>) -> Exchange {
        let worker = self.worker.clone();
        let due = self.due.take();
        let started = clock::now();
        self.add_cookies(request, outgoing);
        let (mut phases, mut traffic) = (Phases::default(), Traffic::default());
        let limit = request.timeout.unwrap_or(worker.plan.limits.timeout);
        let wants = self.wants(request);
        let moved = (&mut phases, &mut traffic);
        let timer = &worker.timer;
        let response = timer
            .timeout(limit, pin!(self.send_and_read(outgoing, wants, moved)))
            .await
            .unwrap_or_else(|_| Err(timed_out(limit)));
        let finished = clock::now();
        if let Ok(response) = &response
            && worker.plan.http.cookies == Cookies::Kept
        {
            self.jar.keep(outgoing, &response.headers);
        }
        Exchange { scheduled: due.unwrap_or(started), started, finished, phases, traffic, response }
    }

    /// Sends on a kept connection, or on a new one. Whatever goes wrong, the connection is not used again.
    async fn send_and_read(
        &mut self,
        outgoing: &Outgoing<'_>,
        wants: Wants,
        (phases, traffic): (&mut Phases, &mut Traffic),
    ) -> Result<Response, Failure> {
        let worker = self.worker.clone();
        let (http, connector) = (&worker.plan.http, &worker.connector);
        let begun = clock::now();
        let mut connection = self.kept(&outgoing.origin);
        let received = loop {
            let mut at_hand = match connection.take() {
                Some(kept) => kept,
                // Rare and large: it must not make every request as large.
                None => Box::pin(Connection::open(connector, outgoing.origin.clone(), http, phases)).await?,
            };
            let answer = at_hand.exchange(outgoing, wants, http).await;
            *traffic = at_hand.meter().take();
            match answer {
                Ok(Received { response, first_byte, reuse }) => {
                    phases.first_byte = Some(first_byte.saturating_duration_since(begun));
                    if reuse == Reuse::Again && http.keep_alive == KeepAlive::Kept {
                        self.keep(at_hand);
                    }
                    break response;
                }
                Err(Unsent::Failed(failure)) => return Err(failure),
                Err(Unsent::Closed) if phases.connect.is_some() => {
                    let message = "the connection was closed as soon as it was open";
                    return Err(Failure::new(FailureKind::Reset, message));
                }
                // The server closed it between the look and the write, and has seen nothing of this request.
                Err(Unsent::Closed) => {}
            }
        };
        Ok(received)
    }

    fn kept(&mut self, origin: &Origin) -> Option<Connection> {
        let at = self.connections.iter().position(|connection| **connection.origin() == *origin)?;
        let mut connection = self.connections.swap_remove(at);
        connection.usable().then_some(connection)
    }

    fn keep(&mut self, connection: Connection) {
        if self.connections.len() == MOST_KEPT {
            self.connections.remove(0);
        }
        self.connections.push(connection);
    }

    /// The cookies of this user for the place a request goes to, unless the step has its own.
    fn add_cookies(&self, request: &Request, outgoing: &mut Outgoing<'_>) {
        if request.headers.iter().any(|(name, _)| *name == COOKIES) {
            return;
        }
        outgoing.headers.retain(|(name, _)| **name != COOKIES);
        if let Some(cookies) = self.jar.header(&outgoing.origin, &outgoing.path) {
            outgoing.headers.push((&COOKIES, cookies.into()));
        }
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

    /// What is kept of a response: what something looks at.
    fn wants(&self, request: &Request) -> Wants {
        let limit = self.worker.plan.limits.max_body;
        let all =
            self.worker.journal.is_kept() || self.worker.plan.keeps_response || looks_at_response(request);
        let expected = |of_headers: bool| {
            request.expect.iter().any(|expectation| match expectation {
                Expectation::Header(..) => of_headers,
                Expectation::Contains(_) | Expectation::Json { .. } => !of_headers,
                Expectation::Status(_) | Expectation::That(_) => false,
            })
        };
        let captured = |of_headers: bool| {
            request.captures.iter().any(|capture| matches!(capture.from, Extract::Header(_)) == of_headers)
        };
        let headers = if all || expected(true) || captured(true) { Headers::All } else { Headers::Essential };
        let body = if all || expected(false) || captured(false) { Keep::Whole } else { Keep::Excerpt };
        Wants { headers, body, limit }
    }
}

/// Where a response leads: a redirect is followed unless it is what the step expects.
fn onwards<'a>(request: &Request, outgoing: &Outgoing<'a>, response: &Response, hops: Hops) -> Next<'a> {
    let expected = request.expect.iter().any(|expectation| {
        matches!(expectation, Expectation::Status(ranges) if ranges.iter().any(|(low, high)| (*low..=*high).contains(&response.status)))
    });
    if !redirect::is_redirect(response) || expected || hops.most == 0 {
        return Next::Answer;
    }
    if hops.left == 0 {
        return Next::Astray(Failure::new(FailureKind::Protocol, "too many redirects (`redirects`)"));
    }
    redirect::follow(outgoing.clone(), response).map_or_else(Next::Astray, Next::Hop)
}

fn traced(outgoing: &Outgoing<'_>, response: Option<&Response>, sample: &Sample) -> Event {
    let sent: Vec<u8> =
        outgoing.payload.pieces().iter().flat_map(|piece| piece.iter().copied().take(500)).collect();
    Event::Exchange(Box::new(Traced {
        line: format!("{} {}{}", outgoing.method, outgoing.origin.authority(), outgoing.path),
        sent: excerpt(&sent),
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

/// The failure of a request that took too long.
pub(super) fn timed_out(limit: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("no complete response within {limit:?}"))
}
