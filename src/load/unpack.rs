//! Makes of a response what a step can look at. The request has ended by then: what this takes is in no response time
//! and under no timeout.

use super::aside::LARGE;
use super::measure::outcome::Failure;
use super::protocol::body::{Packed, Parse};
use super::protocol::coding::Room;
use super::protocol::response::Response;
use super::request::looks_at_response;
use super::virtual_user::VirtualUser;
use crate::plan::step::{Expectation, Extract, Request};

/// Whether it takes long to look at a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not.
    Small,
    /// It does: whoever does so must tell the worker.
    Large,
}

impl VirtualUser {
    /// Makes the body of a response ready to be looked at; a response that cannot be is a failure. Ends when the
    /// worker has time for what comes next.
    pub(super) async fn unpack(&self, request: &Request, response: &mut Result<Response, Failure>) -> Size {
        let Ok(whole) = response else { return Size::Small };
        if whole.body.is_empty() {
            return Size::Small;
        }
        let parse = if self.needs_json(request) { Parse::Json } else { Parse::Nothing };
        if let Err(failure) = self.unpack_body(whole, parse).await {
            if self.needs_body(request) {
                *response = Err(failure);
            } else {
                // A trace would have shown it, and nothing else looks at it.
                drop(whole.take_body());
            }
            return Size::Small;
        }
        if whole.body.len() <= LARGE {
            return Size::Small;
        }
        self.worker.aside.look_up().await;
        Size::Large
    }

    async fn unpack_body(&self, response: &mut Response, parse: Parse) -> Result<(), Failure> {
        let worker = &self.worker;
        let room = Room { limit: worker.plan.limits.max_body, budget: worker.budget.clone() };
        let Some(packed) = Packed::take(response, parse, room)? else { return Ok(()) };
        let unpacked = match packed.unpack_quickly()? {
            Ok(unpacked) => unpacked,
            // Rare and large: it must not make every user as large. The worker is at its end where nobody does it any
            // more.
            Err(packed) => match Box::pin(worker.aside.run(move || packed.unpack())).await {
                Some(unpacked) => unpacked?,
                None => std::future::pending().await,
            },
        };
        response.unpacked(unpacked);
        Ok(())
    }

    /// Whether something looks at the body of a response.
    fn needs_body(&self, request: &Request) -> bool {
        self.needs_json(request)
            || request.expect.iter().any(|expectation| matches!(expectation, Expectation::Contains(_)))
            || request.captures.iter().any(|capture| matches!(capture.from, Extract::Regex { .. }))
    }

    /// Whether something looks at the JSON of a response.
    fn needs_json(&self, request: &Request) -> bool {
        self.worker.plan.keeps_response
            || looks_at_response(request)
            || request.expect.iter().any(|expectation| matches!(expectation, Expectation::Json { .. }))
            || request.captures.iter().any(|capture| matches!(capture.from, Extract::Json { .. }))
    }
}
