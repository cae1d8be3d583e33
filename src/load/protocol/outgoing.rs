//! A request ready to go, whatever the version of HTTP.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Method;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{AUTHORIZATION, HeaderName};

use super::origin::Origin;
use crate::plan::step::{DefaultHeaders, FieldName};

/// The value of `user-agent`, where the configuration says nothing of it.
pub const USER_AGENT: &str = concat!("loadgate/", env!("CARGO_PKG_VERSION"));
/// The value of `accept`, where the configuration says nothing of it.
pub const ACCEPT: &str = "*/*";

/// The header that the user and the password of a URL become.
pub static AUTHORIZED: FieldName = FieldName::of(AUTHORIZATION, "authorization");

/// A request ready to go. Texts that are the same every time are borrowed from the plan.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// Where it goes.
    pub origin: Rc<Origin>,
    /// The method.
    pub method: Method,
    /// Path and query, visible ASCII only.
    pub path: Cow<'a, str>,
    /// The headers, each name once; values without control characters.
    pub headers: Vec<(&'a FieldName, Cow<'a, str>)>,
    /// Which headers are sent besides.
    pub defaults: DefaultHeaders,
    /// What is sent.
    pub payload: Payload,
}

impl Outgoing<'_> {
    /// The value of a header.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(known, _)| ***known == *name).map(|(_, value)| value.as_ref())
    }

    /// Whether it may reach the server twice without harm (RFC 9110, 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }

    /// Whether a length is told: of whatever is sent, and of nothing where something might be.
    pub fn tells_length(&self) -> bool {
        !self.payload.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH)
    }
}

/// The bytes of a request body, in pieces that may be shared with other requests.
#[derive(Debug, Clone, Default)]
pub struct Payload(Vec<Bytes>);

impl Payload {
    /// A body of these pieces.
    pub fn new(pieces: Vec<Bytes>) -> Self {
        Self(pieces)
    }

    /// A body of one piece.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::default() } else { Self(vec![bytes]) }
    }

    /// Its bytes.
    pub fn length(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// Its pieces.
    pub fn pieces(&self) -> &[Bytes] {
        &self.0
    }

    /// The pieces as a stream.
    pub fn into_body(mut self) -> PayloadBody {
        self.0.retain(|piece| !piece.is_empty());
        self.0.reverse();
        PayloadBody(self)
    }
}

/// A payload on its way: the pieces left, the next one last.
#[derive(Debug)]
pub struct PayloadBody(Payload);

impl Body for PayloadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.0.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.length())
    }
}
