//! One request on one connection, in the version of HTTP the connection speaks. No pool. It is said of a
//! failure whether the request may be sent again; nothing here sends it.

use std::rc::Rc;

use super::connect::Connector;
use super::http1::Http1;
use super::http2::Http2;
use super::incoming::{Received, Wants};
use super::origin::{NamedBy, Origin, Security};
use super::outgoing::Outgoing;
use super::stream::Meter;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Phases;
use crate::load::tls::Purpose;
use crate::plan::connection::{Http, Version};

const NOT_AGREED: &str =
    "the server did not agree to HTTP/2 (ALPN); `http: {version: auto}` speaks what it chooses";

/// One connection to one origin.
pub struct Connection {
    origin: Rc<Origin>,
    /// Whether it leads to an address to which a server must not redirect.
    link_local: bool,
    speaks: Speaks,
}

enum Speaks {
    One(Box<Http1>),
    Two(Http2),
}

/// A request that got no response.
#[derive(Debug)]
pub enum Unsent {
    /// The connection was closed, perhaps only just now, before a byte of it was taken: the server has seen nothing
    /// of it.
    Closed,
    /// The connection had carried a request before, and ended before a byte of this response: most likely the
    /// server closed it while it was idle. What has no further effect may be sent again (RFC 9112, 9.3.1).
    Unanswered(Failure),
    /// The server says that it has not processed the request, and that it may be sent again, whatever it asks
    /// for (RFC 9113, 8.7).
    Refused(Failure),
    /// It was sent, or may have been.
    Failed(Failure),
}

impl Connection {
    /// Opens a connection for user number `user`, and notes in `phases` how long its parts took.
    pub async fn open(
        connector: &Connector,
        origin: Rc<Origin>,
        http: &Http,
        user: usize,
        phases: &mut Phases,
    ) -> Result<Self, Failure> {
        let purpose = if http.version == Version::Two { Purpose::PriorKnowledge } else { Purpose::Http };
        let stream = connector.open(&origin, purpose, user, phases).await?;
        let link_local = stream.is_link_local();
        let two = match http.version {
            Version::One => false,
            Version::Auto => stream.agreed_on_http2(),
            Version::Two if origin.security == Security::Tls && !stream.agreed_on_http2() => {
                return Err(Failure::new(FailureKind::Protocol, NOT_AGREED));
            }
            Version::Two => true,
        };
        let speaks = if two {
            Speaks::Two(Http2::begin(stream, connector.window()).await?)
        } else {
            let proxy = connector.proxy_of_requests(&origin, purpose).cloned();
            Speaks::One(Box::new(Http1::new(stream, connector.scratch().clone(), proxy)))
        };
        Ok(Self { origin, link_local, speaks })
    }

    /// Whether a request for an origin may be sent on it: it leads there, and a server that redirects does not lead
    /// where the plan alone may.
    pub fn leads_to(&self, origin: &Origin) -> bool {
        *self.origin == *origin && (origin.named_by == NamedBy::Plan || !self.link_local)
    }

    /// What it counts.
    pub fn meter(&self) -> &Meter {
        match &self.speaks {
            Speaks::One(http) => http.meter(),
            Speaks::Two(http) => http.meter(),
        }
    }

    /// Whether a request can be sent on it; false when the server has closed it.
    pub fn usable(&mut self) -> bool {
        match &mut self.speaks {
            Speaks::One(http) => http.usable(),
            Speaks::Two(http) => http.usable(),
        }
    }

    /// Sends a request and reads its response to the end.
    pub async fn exchange(
        &mut self,
        outgoing: &Outgoing<'_>,
        wants: Wants<'_>,
        http: &Http,
    ) -> Result<Received, Unsent> {
        match &mut self.speaks {
            Speaks::One(one) => one.exchange(outgoing, wants, http.keep_alive).await,
            Speaks::Two(two) => Box::pin(two.exchange(outgoing, wants)).await,
        }
    }
}

/// The failure of bytes that could not be moved.
pub fn broken(error: &std::io::Error) -> Failure {
    Failure::new(kind(error), format!("the connection broke: {error}"))
}

/// What kind of failure an I/O error is.
pub fn kind(error: &std::io::Error) -> FailureKind {
    // A server that wants another certificate says so only after the handshake (RFC 8446, 4.4.2.4).
    let of_tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
    if cut_off(error) {
        FailureKind::Reset
    } else if of_tls {
        FailureKind::Tls
    } else {
        FailureKind::Protocol
    }
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
