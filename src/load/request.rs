//! The HTTP step: send what it asks for, follow where it leads, look at the response.

use std::time::Instant;

use super::measure::outcome::{Failure, FailureKind};
use super::pacing;
use super::perform::{End, unrendered};
use super::protocol::incoming::{Headers, Keep, Wants};
use super::protocol::outgoing::Outgoing;
use super::protocol::redirect;
use super::protocol::response::Response;
use super::virtual_user::VirtualUser;
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
                .holds_by_now(&self.scope)
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
            exchange.end(&outgoing, outcome);
            match next {
                Some(next) => outgoing = next,
                None if ended => return Ok((due, finished)),
                None => return Err(End::Failed),
            }
            hops.left -= 1;
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
    pub(super) fn wants(&self, request: &Request) -> Wants {
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
    let expected = || request.expect.iter().any(|expectation| expectation.names(response.status));
    if !redirect::is_redirect(response) || hops.most == 0 || expected() {
        return Next::Answer;
    }
    if hops.left == 0 {
        return Next::Astray(Failure::new(FailureKind::Protocol, "too many redirects (`redirects`)"));
    }
    redirect::follow(outgoing.clone(), response).map_or_else(Next::Astray, Next::Hop)
}

/// Whether the step itself looks at `response`.
fn looks_at_response(request: &Request) -> bool {
    request.poll.is_some()
        || request.expect.iter().any(|expectation| matches!(expectation, Expectation::That(_)))
}
