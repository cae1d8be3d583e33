//! What is read of a response, and what is kept of it: bodies pass through, and stay only where something
//! looks at them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};

use super::header;
use super::response::Response;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::memory::{Budget, Hold};

/// What a failed response shows of its body.
const EXCERPT: usize = 400;

/// What a request wants of its response.
#[derive(Debug, Clone, Copy)]
pub struct Wants<'w> {
    /// Which headers are kept.
    pub headers: Headers,
    /// How much of the body is kept.
    pub body: Keep,
    /// The most bytes of a body.
    pub limit: u64,
    /// What it is kept in.
    pub budget: &'w Arc<Budget>,
    /// The bytes that have come of a stream of events so far; none where the response is something else.
    pub events: &'w Cell<Option<u64>>,
}

/// Which headers of a response are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// Something looks at them.
    All,
    /// The essential ones, and what the body is: something looks at it.
    OfBody,
    /// Those that say what to do next: where to go, which cookies to keep, how the body is encoded.
    Essential,
}

impl Headers {
    /// Whether a header is kept.
    pub fn keep(self, name: &str) -> bool {
        let is = |wanted: &HeaderName| name.eq_ignore_ascii_case(wanted.as_str());
        match self {
            Self::All => true,
            Self::OfBody => is(&CONTENT_TYPE) || Self::Essential.keep(name),
            Self::Essential => [LOCATION, SET_COOKIE, CONTENT_ENCODING].iter().any(is),
        }
    }
}

/// How much of a response body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Something looks at it.
    Whole,
    /// Only its beginning, and only of a failure, to show it.
    Excerpt,
}

/// A response that has been read to its end.
#[derive(Debug)]
pub struct Received {
    /// What is left of it.
    pub response: Response,
    /// When its first byte came.
    pub first_byte: Instant,
    /// When its last byte came; what was made of it takes its own time.
    pub last_byte: Instant,
    /// Whether the connection can carry another request.
    pub reuse: Reuse,
}

/// Whether a connection can carry another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It can.
    Again,
    /// It is at its end.
    Never,
}

/// What is kept of a body while it passes.
#[derive(Debug)]
pub struct Sieve<'w> {
    wants: Wants<'w>,
    room: usize,
    length: u64,
    kept: BytesMut,
    hold: Hold,
    head: Hold,
}

impl<'w> Sieve<'w> {
    /// Keeps what is wanted of the body of a response.
    pub fn new(wants: Wants<'w>) -> Self {
        let (hold, head) = Default::default();
        Self { wants, room: 0, length: 0, kept: BytesMut::new(), hold, head }
    }

    /// The head is known, with this status and `content-type`: what comes now is the body.
    pub fn begin(&mut self, status: u16, content_type: &[u8]) {
        self.room = match self.wants.body {
            Keep::Whole => usize::MAX,
            Keep::Excerpt if status >= 400 => EXCERPT,
            Keep::Excerpt => 0,
        };
        if is_events(content_type) {
            self.wants.events.set(Some(0));
        }
    }

    /// These headers are kept. Fails where there is no room for them.
    pub fn keep_head(&mut self, headers: &HeaderMap) -> Result<(), Failure> {
        self.head.set(self.wants.budget, header::size(headers))
    }

    /// A stretch of the body. Fails where there is more than allowed.
    pub fn pass(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.length += data.len() as u64;
        if self.length > self.wants.limit {
            return Err(too_long(self.wants.limit));
        }
        let kept = data.len().min(self.room.saturating_sub(self.kept.len()));
        if kept > 0 {
            if self.kept.capacity() - self.kept.len() < kept {
                let wanted = (2 * self.kept.capacity()).max(self.kept.len() + kept);
                self.hold.set(self.wants.budget, wanted)?;
                self.kept.reserve(wanted - self.kept.len());
            }
            self.kept.extend_from_slice(&data[..kept]);
        }
        if self.wants.events.get().is_some() {
            self.wants.events.set(Some(self.length));
        }
        Ok(())
    }

    /// So many bytes of the response have come and could not be decoded yet: of a head, say.
    pub fn waits(&mut self, bytes: usize) -> Result<(), Failure> {
        self.hold.set(self.wants.budget, self.kept.capacity() + bytes)
    }

    /// The response, its body as it travelled. What is left of an encoded one shows nothing.
    pub fn end(self, status: u16, headers: HeaderMap) -> Response {
        let shows = self.wants.body == Keep::Whole || !headers.contains_key(CONTENT_ENCODING);
        let body = if shows { self.kept.freeze() } else { Bytes::new() };
        Response::new(status, headers, body).holding(self.hold, self.head)
    }
}

/// Keeps a header of a response; one that is no valid header is left out.
pub fn keep(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

/// Whether a content type is that of server-sent events, which do not end by themselves.
fn is_events(content_type: &[u8]) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    content_type.get(..EVENTS.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(EVENTS))
}

/// The failure of a body that is longer than allowed.
pub fn too_long(limit: u64) -> Failure {
    Failure::new(FailureKind::Protocol, format!("the body is longer than {limit} bytes (`max_body`)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieve(body: Keep, limit: u64, budget: &Arc<Budget>) -> Sieve<'_> {
        let events = Box::leak(Box::default());
        Sieve::new(Wants { headers: Headers::All, body, limit, budget, events })
    }

    #[test]
    fn a_body_passes_and_only_the_beginning_of_a_failure_stays() {
        let budget = Budget::new(1);
        for (status, kept) in [(200, 0), (500, 400)] {
            let mut sieve = sieve(Keep::Excerpt, 1 << 20, &budget);
            sieve.begin(status, b"");
            (0..10).for_each(|_| sieve.pass(&[b'x'; 100]).unwrap());
            assert_eq!(sieve.end(status, HeaderMap::new()).body.len(), kept);
        }
    }

    #[test]
    fn a_body_over_the_limit_fails() {
        let budget = Budget::new(1);
        let mut long = sieve(Keep::Excerpt, 100, &budget);
        assert!(long.pass(&[0; 101]).unwrap_err().message.contains("`max_body`"));
    }

    #[test]
    fn bodies_that_are_kept_count_against_the_budget_until_the_last_of_them_is_gone() {
        let budget = Budget::new(256 << 10);
        let mut first = sieve(Keep::Whole, 1 << 30, &budget);
        first.begin(200, b"");
        first.pass(&vec![0; 100_000]).unwrap();
        let mut second = sieve(Keep::Whole, 1 << 30, &budget);
        second.begin(200, b"");
        let failed = (0..100).find_map(|_| second.pass(&[0; 10_000]).err()).unwrap();
        assert_eq!(failed.kind, FailureKind::Memory);
        drop(second);
        let response = first.end(200, HeaderMap::new());
        assert_eq!((response.body.len(), budget.used()), (100_000, 128 << 10));
        drop(response);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn headers_that_are_kept_count_until_their_response_is_gone() {
        let budget = Budget::new(256 << 10);
        let mut headers = HeaderMap::new();
        keep(&mut headers, "x-one", &[b'x'; 10_000]);
        let mut first = sieve(Keep::Whole, 1 << 20, &budget);
        first.keep_head(&headers).unwrap();
        assert_eq!(budget.used(), 0, "what is small is free");
        (0..500).for_each(|number| keep(&mut headers, &format!("x-{number}"), b""));
        first.keep_head(&headers).unwrap();
        let response = first.end(200, headers.clone());
        assert_eq!(budget.used(), 128 << 10);
        (0..2_000).for_each(|number| keep(&mut headers, &format!("y-{number}"), b""));
        let mut second = sieve(Keep::Whole, 1 << 20, &budget);
        assert_eq!(second.keep_head(&headers).unwrap_err().kind, FailureKind::Memory);
        drop(response);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_stream_of_events_is_known_and_counted() {
        let (budget, events) = (Budget::new(1 << 20), Cell::new(None));
        let wants =
            Wants { headers: Headers::All, body: Keep::Excerpt, limit: 99, budget: &budget, events: &events };
        let mut sieve = Sieve::new(wants);
        sieve.begin(200, b"Text/Event-Stream; charset=utf-8");
        sieve.pass(b"data: 1\n\n").unwrap();
        assert_eq!(events.take(), Some(9));
        sieve.begin(200, b"text/html");
        sieve.pass(b"x").unwrap();
        assert_eq!(events.get(), None);
    }
}
