//! HTTP/1.1 over hyper: one request on one connection. No pool, no hidden retry.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::connect::{Connector, Meter};
use super::origin::Origin;
use super::response::Response;
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Phases;

/// How much of a response body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Something looks at it.
    Whole,
    /// Only its beginning, and only of a failure, to show it.
    Excerpt,
}

/// What a failed response shows of its body.
const EXCERPT: usize = 400;

/// One kept-alive connection.
pub struct Connection {
    origin: Rc<Origin>,
    sender: SendRequest<Full<Bytes>>,
    meter: Meter,
}

impl Connection {
    /// Opens a connection, and notes in `phases` how long its parts took.
    pub async fn open(
        connector: &Connector,
        origin: Rc<Origin>,
        phases: &mut Phases,
    ) -> Result<Self, Failure> {
        let stream = connector.open(&origin, phases).await?;
        let meter = stream.meter();
        let (sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failure(&error))?;
        // What goes wrong on the connection is told to the request on it.
        tokio::task::spawn_local(async move { driver.await.unwrap_or_default() });
        Ok(Self { origin, sender, meter })
    }

    /// Where it leads.
    pub fn origin(&self) -> &Rc<Origin> {
        &self.origin
    }

    /// What it counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether a request can be sent on it; false when the server has closed it.
    pub async fn usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request. The error gives it back where the connection closed before a byte was written.
    pub async fn send(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Incoming>, Unsent> {
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::Closed(Box::new(request)),
            None => Unsent::Failed(failure(&error.into_error())),
        })
    }
}

/// A request that got no response.
pub enum Unsent {
    /// Nothing of it was written: the connection had closed.
    Closed(Box<hyper::Request<Full<Bytes>>>),
    /// It was written, or may have been.
    Failed(Failure),
}

/// Reads a response to its end, within a limit of bytes.
pub async fn read(response: hyper::Response<Incoming>, keep: Keep, limit: u64) -> Result<Response, Failure> {
    let (parts, mut body) = response.into_parts();
    let kept = match keep {
        Keep::Whole => usize::MAX,
        Keep::Excerpt if parts.status.as_u16() >= 400 => EXCERPT,
        Keep::Excerpt => 0,
    };
    let mut text = BytesMut::new();
    let mut length = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failure(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        if length > limit {
            return Err(Failure::new(
                FailureKind::Protocol,
                format!("the body is longer than {limit} bytes (`max_body`)"),
            ));
        }
        let room = kept.saturating_sub(text.len());
        text.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(Response::new(parts.status.as_u16(), parts.headers, text.freeze()))
}

/// The time from `begun` until now.
pub fn since(begun: Instant) -> Duration {
    clock::now().saturating_duration_since(begun)
}

/// What kind of failure an error of hyper is.
pub fn failure(error: &hyper::Error) -> Failure {
    let cause = std::error::Error::source(error);
    let io = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let kind = match io {
        Some(io) if cut_off(io) => FailureKind::Reset,
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            FailureKind::Reset
        }
        Some(_) | None => FailureKind::Protocol,
    };
    let message = match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Failure::new(kind, message)
}

/// Whether an I/O error says that the connection ended, rather than that its bytes made no sense.
pub fn cut_off(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::UnexpectedEof
            | Kind::NotConnected
    )
}
