//! HTTP/1.1 on one connection: a request is written in one piece, and its response is decoded straight from
//! the bytes as they come. No task beside the user's own, no buffer of an idle connection.

pub mod decoder;
mod head;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::decoder::Decoder;
use super::connect::Scratch;
use super::http::{Unsent, broken, cut_off};
use super::incoming::{Received, Reuse, Sieve, Wants};
use super::outgoing::Outgoing;
use super::stream::{Meter, Stream};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::plan::connection::KeepAlive;
use crate::plan::proxy::ProxyServer;

/// Bodies up to this many bytes are written together with their head.
const TOGETHER: u64 = 16 * 1024;
/// What a connection keeps of its output buffer between requests.
const KEPT_OUTPUT: usize = 4 * 1024;

/// One connection.
pub struct Http1 {
    stream: Stream,
    scratch: Scratch,
    out: Vec<u8>,
    used: Used,
    /// The proxy at the other end, which must be told where each request goes.
    proxy: Option<Arc<ProxyServer>>,
}

/// Whether a request has been sent on a connection before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Used {
    Never,
    Before,
}

/// A request being written and its response being read.
struct Exchange<'a> {
    /// The pieces of the body that are not in the output buffer.
    apart: &'a [bytes::Bytes],
    /// The piece being written: 0 is the output buffer, and how much of it is written.
    at: (usize, usize),
    written: Result<(), io::Error>,
    decoder: Decoder,
    sieve: Sieve<'a>,
    /// What was read and could not be decoded yet.
    rest: Vec<u8>,
    first_byte: Option<Instant>,
}

/// What one read brought.
enum Read {
    Done,
    More,
}

impl Http1 {
    /// Speaks HTTP/1.1 on an open connection, perhaps to a proxy; reads go through a buffer that all of a worker share.
    pub fn new(stream: Stream, scratch: Scratch, proxy: Option<Arc<ProxyServer>>) -> Self {
        Self { stream, scratch, out: Vec::new(), used: Used::Never, proxy }
    }

    /// What it counts.
    pub fn meter(&self) -> &Meter {
        self.stream.meter()
    }

    /// Whether a request can be sent on it; false when the server is known to have closed it, or to have said
    /// something that nobody asked for. The system is asked only where news of the connection has come, so
    /// what happens in the microseconds between two requests without a pause is found by the second.
    pub fn usable(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut self.stream)
            .poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer)
            .is_pending()
    }

    /// Sends a request and reads its response to the end.
    pub async fn exchange(
        &mut self,
        outgoing: &Outgoing<'_>,
        wants: Wants<'_>,
        keep_alive: KeepAlive,
    ) -> Result<Received, Unsent> {
        self.out.clear();
        head::write(outgoing, keep_alive, self.proxy.as_deref(), &mut self.out);
        let together = outgoing.payload.length() <= TOGETHER;
        let pieces = outgoing.payload.pieces();
        if together {
            self.out.extend(pieces.iter().flatten());
        }
        let mut exchange = Exchange {
            apart: if together { &[] } else { pieces },
            at: (0, 0),
            written: Ok(()),
            decoder: Decoder::new(&outgoing.method, wants.headers),
            sieve: Sieve::new(wants),
            rest: Vec::new(),
            first_byte: None,
        };
        poll_fn(|context| self.poll(&mut exchange, context)).await?;
        self.used = Used::Before;
        self.out.shrink_to(KEPT_OUTPUT);
        Ok(exchange.end())
    }

    /// Writes what can be written and reads what can be read: a server may answer before it has read all.
    fn poll(&mut self, exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        if exchange.is_writing()
            && let Poll::Ready(Err(error)) = self.poll_write(exchange, context)
        {
            if exchange.at == (0, 0) && self.used == Used::Before && cut_off(&error) {
                return Poll::Ready(Err(Unsent::Closed));
            }
            // What the server said before it closed is still worth reading.
            exchange.written = Err(error);
        }
        loop {
            match ready!(self.poll_read(exchange, context)) {
                Ok(Read::More) => {}
                Ok(Read::Done) => return Poll::Ready(Ok(())),
                Err(failure) => return Poll::Ready(Err(self.unanswered(exchange, failure))),
            }
        }
    }

    /// What a failure says about the request. Only an end of the connection can be an idle close: of TLS with
    /// and without a `close_notify`, of TCP by FIN or reset. An alert of TLS says something else.
    fn unanswered(&self, exchange: &Exchange<'_>, failure: Failure) -> Unsent {
        let ended = failure.kind == FailureKind::Reset && exchange.first_byte.is_none();
        if ended && self.used == Used::Before { Unsent::Unanswered(failure) } else { Unsent::Failed(failure) }
    }

    fn poll_write(&mut self, exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let (piece, from) = exchange.at;
            let bytes = if piece == 0 { &self.out[..] } else { &exchange.apart[piece - 1][..] };
            if from < bytes.len() {
                let count = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[from..]))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                exchange.at.1 += count;
            } else if piece < exchange.apart.len() {
                exchange.at = (piece + 1, 0);
            } else {
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                exchange.at = (exchange.apart.len() + 1, 0);
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_read(
        &mut self,
        exchange: &mut Exchange<'_>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Read, Failure>> {
        let mut scratch = self.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            Ok(()) => Poll::Ready(exchange.read(buffer.filled())),
            Err(error) => Poll::Ready(Err(broken(&error))),
        }
    }
}

impl Exchange<'_> {
    fn is_writing(&self) -> bool {
        self.written.is_ok() && self.at.0 <= self.apart.len()
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Read, Failure> {
        if bytes.is_empty() {
            return match (&self.written, self.decoder.end()) {
                (_, Ok(())) => Ok(Read::Done),
                (Err(error), Err(_)) => Err(broken(error)),
                (Ok(()), Err(failure)) => Err(failure),
            };
        }
        self.first_byte.get_or_insert_with(clock::now);
        if self.rest.is_empty() {
            let used = self.decoder.feed(bytes, &mut self.sieve)?;
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let used = self.decoder.feed(&self.rest, &mut self.sieve)?;
            self.rest.drain(..used);
        }
        if !self.rest.is_empty() {
            self.sieve.waits(self.rest.capacity())?;
        }
        Ok(if self.decoder.is_done() { Read::Done } else { Read::More })
    }

    /// The response. A connection on which something is left, of the request or behind the response, is of
    /// no more use.
    fn end(self) -> Received {
        let clean = self.rest.is_empty() && !self.is_writing() && self.written.is_ok();
        let reuse = if clean { self.decoder.reuse() } else { Reuse::Never };
        let Decoder { status, headers, .. } = self.decoder;
        let first_byte = self.first_byte.unwrap_or_else(clock::now);
        let last_byte = clock::now();
        Received { response: self.sieve.end(status, headers), first_byte, last_byte, reuse }
    }
}
