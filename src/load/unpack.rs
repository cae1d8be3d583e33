//! Makes of a response what a step can look at. The request has ended by then: what this takes is in no response time
//! and under no timeout.

use super::aside::LARGE;
use super::measure::outcome::Failure;
use super::protocol::body::{Asked, Packed, Parse};
use super::protocol::coding::{MOST_MEMBERS, Room};
use super::protocol::response::Response;
use super::request::looks_at_response;
use super::virtual_user::VirtualUser;
use crate::clock;
use crate::plan::step::{Capture, Expectation, Extract, Request};

/// Whether it takes long to look at a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not.
    Small,
    /// It does: whoever does so must tell the worker.
    Large,
}

/// What looks at a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// Its step.
    AtByStep,
    /// At most a trace: it leads to another request.
    AtByTrace,
}

impl VirtualUser {
    /// Makes the body of a response ready to be looked at; a response that cannot be is a failure, if its step looks
    /// at it. Ends when the worker has time for what comes next.
    pub(super) async fn unpack(
        &mut self,
        request: &Request,
        looked: Looked,
        response: &mut Result<Response, Failure>,
    ) -> Size {
        let Ok(whole) = response else { return Size::Small };
        if whole.body.is_empty() || (looked == Looked::AtByTrace && !self.worker.journal.is_kept()) {
            return Size::Small;
        }
        let parse = match looked {
            Looked::AtByStep => self.parse(request),
            Looked::AtByTrace => Parse::NOTHING,
        };
        if let Err(failure) = self.unpack_body(whole, parse, (&request.captures, &request.expect)).await {
            if looked == Looked::AtByStep && needs_body(request, parse) {
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
        let begun = clock::now();
        self.worker.aside.look_up().await;
        self.unpacking += begun.elapsed();
        Size::Large
    }

    /// Decodes a body, and parses it where that takes long, with all that captures and expectations will ask of it.
    pub(super) async fn unpack_body(
        &mut self,
        response: &mut Response,
        parse: Parse,
        (captures, expectations): (&[Capture], &[Expectation]),
    ) -> Result<(), Failure> {
        let worker = &self.worker;
        let limit = worker.plan.limits.max_body;
        let room = Room { limit, members: MOST_MEMBERS, budget: worker.budget.clone() };
        let Some(packed) = Packed::take(response, parse, room)? else { return Ok(()) };
        let unpacked = match packed.unpack_quickly()? {
            Ok(unpacked) => unpacked,
            Err(packed) => {
                let (begun, asked) = (clock::now(), asked(captures, expectations));
                // Rare and large: it must not make every user as large. The worker is at its end where nobody does it
                // any more.
                let unpacked = match Box::pin(worker.aside.run(move || packed.unpack(asked))).await {
                    Some(unpacked) => unpacked?,
                    None => std::future::pending().await,
                };
                self.unpacking += begun.elapsed();
                unpacked
            }
        };
        response.unpacked(unpacked);
        Ok(())
    }

    /// How a step looks at the JSON of its response.
    fn parse(&self, request: &Request) -> Parse {
        let expected =
            request.expect.iter().any(|expectation| matches!(expectation, Expectation::Json { .. }));
        Parse {
            paths: expected || captures_json(&request.captures),
            value: self.worker.plan.keeps_response || looks_at_response(request),
            patterns: captures_patterns(&request.captures),
        }
    }
}

/// Whether something looks at the body of a response, whose JSON is looked at in this way.
fn needs_body(request: &Request, parse: Parse) -> bool {
    parse != Parse::NOTHING
        || request.expect.iter().any(|expectation| matches!(expectation, Expectation::Contains(_)))
}

/// Whether paths are captured.
pub(super) fn captures_json(captures: &[Capture]) -> bool {
    captures.iter().any(|capture| matches!(capture.from, Extract::Json { .. }))
}

/// Whether patterns are captured.
pub(super) fn captures_patterns(captures: &[Capture]) -> bool {
    captures.iter().any(|capture| matches!(capture.from, Extract::Regex { .. }))
}

/// What is asked of a body, to be taken along.
fn asked(captures: &[Capture], expectations: &[Expectation]) -> Asked {
    let mut asked = Asked::default();
    for capture in captures {
        match &capture.from {
            Extract::Json { path, .. } => asked.captured.push(path.clone()),
            Extract::Regex { pattern, group } => asked.patterns.push((pattern.clone(), *group)),
            Extract::Header(_) => {}
        }
    }
    let expected = expectations.iter().filter_map(|expectation| match expectation {
        Expectation::Json { path, .. } => Some(path.clone()),
        _ => None,
    });
    asked.expected.extend(expected);
    asked
}
