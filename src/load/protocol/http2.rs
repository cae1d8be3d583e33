//! HTTP/2 on one connection, over hyper: one user, one stream at a time.

use std::cell::RefCell;
use std::future::Future;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{self, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::rt::Executor;
use hyper::{HeaderMap, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::http::{Unsent, cut_off, kind};
use super::http1::decoder::LONGEST_HEAD;
use super::incoming::{Received, Reuse, Sieve, Wants, keep};
use super::origin::shown;
use super::outgoing::{ACCEPT, Outgoing, PayloadBody, USER_AGENT};
use super::response::Response;
use super::stream::{Meter, Stream};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};

/// One connection.
pub struct Http2 {
    sender: SendRequest<PayloadBody>,
    beside: Beside,
    meter: Meter,
    /// Whether the server has ever answered, and so speaks HTTP/2.
    answered: bool,
}

/// Runs what a connection needs beside the requests, on the worker's own thread.
#[derive(Debug, Clone, Default)]
struct Beside(Rc<RefCell<JoinSet<()>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Beside {
    fn execute(&self, future: F) {
        self.look();
        self.0.borrow_mut().spawn_local(future);
    }
}

impl Beside {
    /// Goes on with the panic of a task that has ended so: it is no failure of the service, and the worker hears of
    /// it through whoever uses the connection.
    fn look(&self) {
        let ended = || self.0.borrow_mut().try_join_next();
        while let Some(ended) = ended() {
            if let Some(payload) = ended.err().and_then(|error| error.try_into_panic().ok()) {
                resume_unwind(payload);
            }
        }
    }
}

impl Http2 {
    /// Sends the preface on an open connection. The server may send so many bytes that have not been read yet.
    pub async fn begin(stream: Stream, window: u32) -> Result<Self, Failure> {
        let (meter, beside) = (stream.meter().clone(), Beside::default());
        let mut builder = http2::Builder::new(beside.clone());
        builder
            .max_header_list_size(LONGEST_HEAD as u32)
            .initial_stream_window_size(window)
            .initial_connection_window_size(window);
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, driver) = begun.map_err(|error| failure(&error))?;
        // What goes wrong on the connection is told to the request on it.
        beside.execute(async move { driver.await.unwrap_or_default() });
        Ok(Self { sender, beside, meter, answered: false })
    }

    /// What it counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether a request can be sent on it; false when the server has closed it or is about to.
    pub fn usable(&self) -> bool {
        let usable = !self.sender.is_closed();
        if !usable {
            self.beside.look();
        }
        usable
    }

    /// Sends a request and reads its response to the end.
    pub async fn exchange(&mut self, outgoing: &Outgoing<'_>, wants: Wants<'_>) -> Result<Received, Unsent> {
        let received = self.request(outgoing, wants).await;
        if received.is_err() {
            self.beside.look();
        }
        received
    }

    async fn request(&mut self, outgoing: &Outgoing<'_>, wants: Wants<'_>) -> Result<Received, Unsent> {
        let request = request(outgoing).map_err(Unsent::Failed)?;
        if self.sender.ready().await.is_err() {
            return Err(Unsent::Closed);
        }
        let heard = self.meter.bytes_in();
        let response = self.sender.try_send_request(request).await.map_err(|mut error| {
            if error.take_message().is_some() {
                Unsent::Closed
            } else {
                self.unanswered(&error.into_error(), heard)
            }
        })?;
        self.answered = true;
        let first_byte = clock::now();
        let (response, last_byte) = read(response, wants).await.map_err(Unsent::Failed)?;
        let reuse = if self.usable() { Reuse::Again } else { Reuse::Never };
        Ok(Received { response, first_byte, last_byte, reuse })
    }
}

impl Http2 {
    /// What the error of a request without a response says about it. `heard` bytes had come before it was sent: a
    /// frame that was cut off may be the response.
    fn unanswered(&self, error: &hyper::Error, heard: u64) -> Unsent {
        let failure = if self.answered { failure(error) } else { first_failure(error) };
        if cause::<h2::Error>(error).is_some_and(not_processed) {
            Unsent::Refused(failure)
        } else if self.answered
            && failure.kind == FailureKind::Reset
            && !is_reset(error)
            && self.meter.bytes_in() == heard
        {
            Unsent::Unanswered(failure)
        } else {
            Unsent::Failed(failure)
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        // They would say goodbye first, to a server that may never read it.
        self.beside.0.borrow_mut().abort_all();
    }
}

fn request(outgoing: &Outgoing<'_>) -> Result<Request<PayloadBody>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Capture, format!("`{}` cannot be sent: {error}", shown(&outgoing.path)))
    };
    let authority = outgoing.header(&HOST).unwrap_or(outgoing.origin.authority());
    let uri = Uri::builder()
        .scheme(outgoing.origin.scheme())
        .authority(authority)
        .path_and_query(outgoing.path.as_ref())
        .build()
        .map_err(|error| wrong(&error))?;
    let mut request = Request::new(outgoing.payload.clone().into_body());
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = uri;
    if outgoing.defaults.user_agent {
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    }
    if outgoing.defaults.accept {
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    }
    // What is about one connection has no place in HTTP/2 (RFC 9113, 8.2.2).
    let sent =
        outgoing.headers.iter().filter(|(name, _)| ![HOST, CONNECTION, TRANSFER_ENCODING].contains(&***name));
    for (name, value) in sent {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| wrong(&error))?;
        request.headers_mut().append(&***name, value);
    }
    Ok(request)
}

async fn read(
    response: hyper::Response<hyper::body::Incoming>,
    wants: Wants<'_>,
) -> Result<(Response, Instant), Failure> {
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut headers = HeaderMap::new();
    for (name, value) in parts.headers.iter().filter(|(name, _)| wants.headers.keep(name.as_str())) {
        keep(&mut headers, name.as_str(), value.as_bytes());
    }
    let mut sieve = Sieve::new(wants);
    sieve.begin(status, parts.headers.get(CONTENT_TYPE).map_or(&[], HeaderValue::as_bytes));
    sieve.keep_head(&headers)?;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.map_err(|error| failure(&error))?.data_ref() {
            sieve.pass(data)?;
        }
    }
    // To hyper, a body that the server resets without an error has come to its end.
    if !body.is_end_stream() {
        return Err(Failure::new(
            FailureKind::Reset,
            "the server reset the stream: NO_ERROR before the end of the response",
        ));
    }
    let last_byte = clock::now();
    Ok((sieve.end(status, headers), last_byte))
}

/// The failure of the first request on a connection. Text and TLS, taken for a frame, are one of megabytes.
fn first_failure(error: &hyper::Error) -> Failure {
    match cause::<h2::Error>(error) {
        Some(h2) if h2.is_library() && h2.reason() == Some(h2::Reason::FRAME_SIZE_ERROR) => Failure::new(
            FailureKind::Protocol,
            "the answer is no HTTP/2, its first frame has an impossible size; \
             `http: {version: 1.1}` speaks HTTP/1.1",
        ),
        _ => failure(error),
    }
}

/// Whether the server says that it has not processed a stream (RFC 9113, 8.7). A GOAWAY becomes the error only of
/// streams above its last stream id, whatever its code is; those below meet the end of the connection.
fn not_processed(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// Whether the server has reset a stream, and not ended the connection.
fn is_reset(error: &hyper::Error) -> bool {
    cause::<h2::Error>(error).is_some_and(h2::Error::is_reset)
}

/// What kind of failure an error of a connection or a stream is.
fn failure(error: &hyper::Error) -> Failure {
    // A frame that the connection did not live to complete is an error of no special kind.
    let ended = |io: &&std::io::Error| cut_off(io) || io.kind() == std::io::ErrorKind::Other;
    let h2 = cause::<h2::Error>(error);
    let io = cause::<std::io::Error>(error).or(h2.and_then(h2::Error::get_io));
    if let Some(io) = io.filter(|io| kind(io) == FailureKind::Tls) {
        return Failure::new(FailureKind::Tls, io.to_string());
    }
    if let Some(io) = io.filter(ended) {
        let message = format!("the connection ended before the end of the response: {io}");
        return Failure::new(FailureKind::Reset, message);
    }
    match h2.map(|h2| (h2, h2.reason())) {
        Some((h2, Some(reason))) if h2.is_remote() => {
            let what = if h2.is_go_away() { "gave up the connection" } else { "reset the stream" };
            Failure::new(FailureKind::Reset, format!("the server {what}: {reason:?}, {reason}"))
        }
        Some((_, Some(reason))) => Failure::new(
            FailureKind::Protocol,
            format!("the server breaks a rule of HTTP/2: {reason:?}, {reason}"),
        ),
        Some((h2, None)) => Failure::new(FailureKind::Protocol, h2.to_string()),
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            Failure::new(FailureKind::Reset, error.to_string())
        }
        None => Failure::new(FailureKind::Protocol, error.to_string()),
    }
}

/// What is behind an error, if it is this.
fn cause<T: std::error::Error + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.find_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::load::LoadError;

    #[test]
    fn a_panic_beside_a_connection_is_no_end_of_the_connection() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.build_local(tokio::runtime::LocalOptions::default()).unwrap().block_on(async {
            let beside = Beside::default();
            beside.execute(async {});
            tokio::task::yield_now().await;
            beside.execute(async { panic!("no frame") });
            tokio::task::yield_now().await;
            let panicked = catch_unwind(AssertUnwindSafe(|| beside.look())).unwrap_err();
            assert!(LoadError::of_panic(&*panicked).to_string().ends_with("no frame"));
            beside.look();
        });
    }
}
