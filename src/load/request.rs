//! The HTTP step: send what it asks for, follow where it leads, look at the response.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::aside::LARGE;
use super::measure::outcome::{Failure, FailureKind};
use super::pacing;
use super::perform::{End, Timed, unrendered};
use super::protocol::incoming::{Headers, Keep, Wants};
use super::protocol::outgoing::Outgoing;
use super::protocol::redirect::{self, Trusted};
use super::protocol::response::Response;
use super::tls::Purpose;
use super::unpack::{Looked, Size};
use super::virtual_user::VirtualUser;
use super::worker::Worker;
use crate::clock;
use crate::plan::step::{Expectation, Extract, Poll, Request};

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

/// One repetition of a poll.
#[derive(Clone, Copy)]
struct Round<'a> {
    poll: &'a Poll,
    /// Until the next one.
    pause: Duration,
    /// Which would have to be before this.
    deadline: Instant,
}

/// What a response is to its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The one.
    Final,
    /// A poll goes on.
    NotYet,
}

/// A request that ended well, with all that it was redirected to.
struct Ended {
    /// When the first was due.
    due: Instant,
    /// When the last ended.
    finished: Instant,
    answer: Answer,
}

impl VirtualUser {
    /// Performs an HTTP step.
    pub(super) async fn request(&mut self, request: &Request) -> Result<(), End> {
        let begun = request.record.map(|_| self.due.unwrap_or_else(clock::now));
        let timed = request.record.zip(begun).map(|(metric, begun)| Timed::begin(self, metric, begun));
        let ended = match &request.poll {
            None => self.once(request, None).await.map(|Ended { due, finished, .. }| {
                self.record(request.record, due, finished.saturating_duration_since(due));
            }),
            Some(poll) => Box::pin(self.poll(request, poll)).await,
        };
        if let Some(timed) = timed {
            timed.end(ended);
        }
        if let (Some(begun), Err(End::Failed)) = (begun, &ended) {
            self.record_failed(request.record, begun);
        }
        ended
    }

    /// Repeats a request until something holds. Every repetition is a request of its own; what is
    /// recorded is the whole. Where it never holds, the last repetition is the one that fails: what is counted is
    /// what the server saw.
    async fn poll(&mut self, request: &Request, poll: &Poll) -> Result<(), End> {
        let (begun, unpacking) = (clock::now(), self.unpacking);
        let deadline = begun + poll.timeout;
        loop {
            let pause = pacing::pause(&poll.every, &mut self.random);
            // What the last repetition brings is unpacked after it has finished.
            let unpacking = self.unpacking.saturating_sub(unpacking);
            let ended = self.once(request, Some(Round { poll, pause, deadline })).await?;
            if ended.answer == Answer::Final {
                let time = ended.finished.saturating_duration_since(begun);
                self.record(request.record, begun, time.saturating_sub(unpacking));
                return Ok(());
            }
            // What it polls for is not done, however long the pause.
            if !self.sleep_until(clock::now() + pause).await {
                return Err(End::Stopped);
            }
        }
    }

    /// One request and all that it is redirected to, each counted as a request of its own.
    async fn once(&mut self, request: &Request, round: Option<Round<'_>>) -> Result<Ended, End> {
        let worker = self.worker.clone();
        worker.aside.look_up().await;
        let mut outgoing = match self.compose(request) {
            Ok(outgoing) => outgoing,
            Err(failure) => return Err(self.unsent(request, failure)),
        };
        if outgoing.payload.length() > LARGE as u64 {
            worker.aside.worked();
        }
        let most = request.redirects.most.unwrap_or(self.worker.plan.http.redirects);
        let mut hops = Hops { most, left: most };
        let mut due = None;
        loop {
            let mut exchange = self.exchange(request, &mut outgoing).await;
            let finished = exchange.finished;
            let looked = match &exchange.response {
                Ok(response) if leads_on(request, response, hops) => Looked::AtByTrace,
                _ => Looked::AtByStep,
            };
            let large = self.unpack(request, looked, &mut exchange.response).await;
            let due = *due.get_or_insert(exchange.scheduled);
            let (next, outcome) = match &mut exchange.response {
                Ok(response) => match self.onwards(request, &outgoing, response, hops) {
                    Next::Answer => {
                        let judged = self.judge(request, response, (round, finished));
                        (None, judged.map_err(|failure| self.through_proxy(failure, &outgoing, response)))
                    }
                    Next::Hop(next) => (Some(next), Ok(Answer::Final)),
                    Next::Astray(failure) => (None, Err(failure)),
                },
                Err(failure) => (None, Err(failure.clone())),
            };
            if large == Size::Large {
                worker.aside.worked();
            }
            let answer = outcome.as_ref().ok().copied();
            let outcome = outcome.map(drop).map_err(|failure| self.masked(Some(request.endpoint), failure));
            if let Err(failure) = &outcome {
                self.failures.note(failure.kind);
            }
            exchange.end(&outgoing, outcome);
            match (next, answer) {
                (Some(next), _) => outgoing = next,
                (None, Some(answer)) => return Ok(Ended { due, finished, answer }),
                (None, None) => return Err(End::Failed),
            }
            hops.left -= 1;
        }
    }

    /// A failure that a proxy may have made says which proxy that was.
    fn through_proxy(&self, failure: Failure, outgoing: &Outgoing<'_>, response: &Response) -> Failure {
        let may_be = matches!(response.status, 407 | 502 | 503 | 504);
        let connector = &self.worker.connector;
        match connector.proxy_of_requests(&outgoing.origin, Purpose::Http).filter(|_| may_be) {
            Some(proxy) => {
                // In front: the message may end with an excerpt of the body.
                Failure::new(failure.kind, format!("through the proxy {proxy}: {}", failure.message))
            }
            None => failure,
        }
    }

    fn judge(
        &mut self,
        request: &Request,
        response: &mut Response,
        (round, finished): (Option<Round<'_>>, Instant),
    ) -> Result<Answer, Failure> {
        self.learn_secrets(&request.captures, response)?;
        if looks_at_response(request) || self.worker.plan.keeps_response {
            // It stays until the next response.
            self.seen = response.show(&self.worker.budget)?;
            self.scope.set(self.worker.plan.builtin.response, response.value());
        }
        response.check(&request.expect, &self.scope)?;
        if let Some(Round { poll, pause, deadline }) = round
            && !poll.until.holds_by_now(&self.scope).map_err(|error| unrendered(&error))?
        {
            if finished + pause < deadline {
                // While a poll is waiting there is nothing to keep yet.
                return Ok(Answer::NotYet);
            }
            let message = format!("`{}` did not hold within {:?}", poll.until.source(), poll.timeout);
            return Err(Failure::new(FailureKind::Timeout, message));
        }
        self.capture(response, &request.captures).map(|()| Answer::Final)
    }

    /// Where a response leads: a redirect is followed unless it is what the step expects.
    fn onwards<'a>(
        &self,
        request: &Request,
        outgoing: &Outgoing<'a>,
        response: &Response,
        hops: Hops,
    ) -> Next<'a> {
        if !leads_on(request, response, hops) {
            return Next::Answer;
        }
        if hops.left == 0 {
            return Next::Astray(Failure::new(FailureKind::Protocol, "too many redirects (`redirects`)"));
        }
        let trusted = self.trusted(request.redirects.to.as_deref());
        redirect::follow(outgoing.clone(), response, &trusted).map_or_else(Next::Astray, Next::Hop)
    }

    /// Where redirects may lead; `to` is what a step says of it.
    pub(super) fn trusted<'p>(&'p self, to: Option<&'p [url::Url]>) -> Trusted<'p> {
        let worker = &self.worker;
        let to = to.unwrap_or(&worker.plan.http.redirects_to);
        Trusted { target: &worker.base.origin, to }
    }

    /// What is kept of a response: what something looks at.
    pub(super) fn wants<'w>(
        worker: &'w Worker,
        request: &Request,
        events: &'w Cell<Option<u64>>,
    ) -> Wants<'w> {
        let all = worker.journal.is_kept() || worker.plan.keeps_response || looks_at_response(request);
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
        let body = if all || expected(false) || captured(false) { Keep::Whole } else { Keep::Excerpt };
        let headers = match body {
            _ if all || expected(true) || captured(true) => Headers::All,
            Keep::Whole => Headers::OfBody,
            Keep::Excerpt => Headers::Essential,
        };
        Wants { headers, body, limit: worker.plan.limits.max_body, budget: &worker.budget, events }
    }
}

/// Whether a response is not the answer.
fn leads_on(request: &Request, response: &Response, hops: Hops) -> bool {
    let expected = || request.expect.iter().any(|expectation| expectation.names(response.status));
    redirect::is_redirect(response) && hops.most > 0 && !expected()
}

/// Whether the step itself looks at `response`.
pub(super) fn looks_at_response(request: &Request) -> bool {
    request.poll.is_some()
        || request.expect.iter().any(|expectation| matches!(expectation, Expectation::That(_)))
}
