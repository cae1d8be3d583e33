//! What one WebSocket makes this process hold: the frame under way, a message of which not all has come, messages that
//! nobody has taken yet, and what the server does not read. The library that carries the messages does not tell, so it
//! follows from the bytes that go through [`Counted`], which it reads and writes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;
use crate::load::measure::outcome::Failure;
use crate::load::memory::{Budget, Hold};
use crate::load::protocol::stream::Stream;

/// Bytes that may wait to be sent on one socket. Beyond them, the library keeps only the newest pong.
pub(super) const MOST_UNSENT: usize = 64 << 20;

/// A stream of frames, each of which is counted before the library makes room for it.
pub(super) struct Counted {
    stream: Stream,
    pub(super) ledger: Ledger,
    /// Why there is no room for a frame.
    pub(super) refused: Option<Failure>,
}

/// The books of one socket.
#[derive(Debug)]
pub(super) struct Ledger {
    budget: Arc<Budget>,
    hold: Hold,
    /// The longest frame for which room is made.
    longest: u64,
    frames: Frames,
    /// Bytes of messages that nobody has taken.
    unread: usize,
    /// Bytes of frames that wait to be sent.
    waiting: u64,
    /// Bytes of the buffer in which they wait.
    buffer: u64,
    /// Bytes of the buffer into which the library reads: the longest frame of all, which it keeps for the next one.
    read_buffer: u64,
}

impl Counted {
    /// A stream over which the bytes of `rest` have come already.
    pub(super) fn new(stream: Stream, mut ledger: Ledger, rest: &[u8]) -> Self {
        let refused = ledger.received(rest).err().map(|(_, failure)| failure);
        Self { stream, ledger, refused }
    }
}

impl AsyncRead for Counted {
    /// Fails where the budget has no room for a frame, after all that came before it.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.refused.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if let Err((whole, failure)) = this.ledger.received(&buffer.filled()[before..]) {
                this.refused = Some(failure);
                if whole > 0 {
                    buffer.set_filled(before + whole);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(match this.refused {
            Some(_) => Err(io::ErrorKind::OutOfMemory.into()),
            None => Ok(()),
        })
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.ledger.sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Ledger {
    /// Of a socket over which nothing has moved. A frame longer than `longest` is refused by the library, which makes no
    /// room for it.
    pub(super) fn new(budget: Arc<Budget>, longest: u64) -> Self {
        let (hold, frames) = Default::default();
        Self { budget, hold, longest, frames, unread: 0, waiting: 0, buffer: 0, read_buffer: 0 }
    }

    /// These bytes were read; fails where there is no room for a frame that they begin, and tells how many came before it.
    fn received(&mut self, bytes: &[u8]) -> Result<(), (usize, Failure)> {
        let mut at = 0;
        while at < bytes.len() {
            let count = self.frames.read(&bytes[at..]);
            self.read_buffer = grown(self.read_buffer, self.under_way());
            self.take().map_err(|failure| (at, failure))?;
            at += count;
        }
        Ok(())
    }

    /// Bytes of the frame under way, if the library makes room for it.
    fn under_way(&self) -> u64 {
        Some(self.frames.under_way()).filter(|length| *length <= self.longest).unwrap_or(0)
    }

    /// A ping of so many bytes has come: its pong waits to be sent.
    pub(super) fn pinged(&mut self, bytes: usize) {
        self.buffer(bytes);
    }

    /// A message of so many bytes is about to wait to be sent; fails, and nothing waits, where there is no room for it.
    pub(super) fn queue(&mut self, bytes: usize) -> Result<(), Failure> {
        let before = (self.waiting, self.buffer);
        self.buffer(bytes);
        self.take().inspect_err(|_| (self.waiting, self.buffer) = before)
    }

    /// A frame with a payload of so many bytes goes into the buffer, as far as the library allows.
    fn buffer(&mut self, payload: usize) {
        let needed = self.waiting + payload as u64 + masked_header(payload);
        if needed <= MOST_UNSENT as u64 {
            self.waiting = needed;
            self.buffer = grown(self.buffer, needed);
        }
    }

    fn sent(&mut self, bytes: usize) {
        self.waiting = self.waiting.saturating_sub(bytes as u64);
    }

    /// All that waited has been sent.
    pub(super) fn flushed(&mut self) {
        self.waiting = 0;
    }

    /// Holds what there is, beside so many bytes of messages that were handed over and that nobody has taken; fails where
    /// there is no room.
    pub(super) fn settle(&mut self, unread: usize) -> Result<(), Failure> {
        self.unread = unread;
        self.frames.taken();
        self.take()
    }

    fn take(&mut self) -> Result<(), Failure> {
        // The last message is in the buffer in which it was read; those before it have theirs to themselves.
        let read = (self.unread as u64 + self.frames.messages() + self.under_way()).max(self.read_buffer);
        // Fragments are put together in a vector that doubles.
        let bytes =
            read.saturating_add(self.frames.fragments().saturating_mul(2)).saturating_add(self.buffer);
        self.hold.set(&self.budget, usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

/// Bytes of a vector of so many bytes, once it has to hold `needed`. It at least doubles, and never shrinks.
fn grown(vector: u64, needed: u64) -> u64 {
    if needed <= vector { vector } else { needed.max(vector.saturating_mul(2)) }
}

/// Bytes of the header of a frame that a client sends (RFC 6455, 5.2).
fn masked_header(payload: usize) -> u64 {
    match payload {
        0..126 => 6,
        126..65_536 => 8,
        _ => 14,
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    fn ledger() -> (Arc<Budget>, Ledger) {
        let budget = Budget::new(10 << 20);
        (budget.clone(), Ledger::new(budget, 100 << 20))
    }

    fn fragment(length: usize, code: Data, is_final: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::message(vec![0; length], OpCode::Data(code), is_final).format(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_frame_counts_when_its_header_has_come() {
        let (budget, mut ledger) = ledger();
        ledger.received(&fragment(1 << 20, Data::Binary, true)[..10]).unwrap();
        assert_eq!(budget.used(), 1 << 20, "none of its payload has come");
        ledger.received(&vec![0; 1 << 20]).unwrap();
        assert_eq!(budget.used(), 1 << 20, "nor is it anybody's yet");
        ledger.settle(1 << 20).unwrap();
        assert_eq!(budget.used(), 1 << 20, "nobody has taken the message");
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 1 << 20, "it has been taken, and its buffer is kept for the next one");
        ledger.received(&fragment(1 << 19, Data::Binary, true)).unwrap();
        assert_eq!(budget.used(), 1 << 20, "which fits into it");
        let whole = fragment(1_000, Data::Binary, true);
        let two = [whole.clone(), fragment(11 << 20, Data::Binary, true)[..10].to_vec()].concat();
        assert_eq!(ledger.received(&two).map_err(|(before, _)| before), Err(whole.len()));
    }

    #[test]
    fn a_frame_that_is_longer_than_any_may_be_counts_nothing() {
        let (budget, mut ledger) = ledger();
        ledger.received(&[0x82, 127, 0, 0, 0, 0, 6, 64, 0, 1]).unwrap();
        assert_eq!((ledger.frames.under_way(), budget.used()), ((100 << 20) + 1, 0));
    }

    #[test]
    fn fragments_count_until_their_message_is_whole() {
        let (budget, mut ledger) = ledger();
        ledger.received(&fragment(1_000, Data::Binary, false)).unwrap();
        (1..1_000).for_each(|_| ledger.received(&fragment(1_000, Data::Continue, false)).unwrap());
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 31 << 16, "twice 1,000,000 bytes in steps of 64 KiB");
        ledger.received(&fragment(0, Data::Continue, true)).unwrap();
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_a_server_does_not_read_counts_and_so_does_the_buffer_in_which_it_was() {
        let (budget, mut ledger) = ledger();
        ledger.queue(1 << 20).unwrap();
        assert_eq!(budget.used(), 17 << 16);
        ledger.sent(1 << 19);
        assert!(ledger.queue(20 << 20).is_err());
        assert_eq!(ledger.waiting, (1 << 19) + 14, "it does not wait");
        ledger.queue(1 << 19).unwrap();
        assert_eq!(budget.used(), 33 << 16, "a vector that is too small doubles");
        ledger.flushed();
        ledger.settle(0).unwrap();
        assert_eq!((ledger.waiting, budget.used()), (0, 33 << 16), "it does not shrink");
        drop(ledger);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn pongs_that_a_server_does_not_read_count() {
        let (budget, mut ledger) = ledger();
        (0..1_000).for_each(|_| ledger.pinged(125));
        assert_eq!(ledger.waiting, 131_000);
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 3 << 16, "in a vector of 131 bytes that has doubled ten times");
        (0..100_000).for_each(|_| ledger.pinged(125));
        assert!(ledger.settle(0).is_err());
        (0..1_000_000).for_each(|_| ledger.pinged(125));
        assert!(ledger.waiting <= MOST_UNSENT as u64 && ledger.buffer <= 2 * MOST_UNSENT as u64);
    }
}
