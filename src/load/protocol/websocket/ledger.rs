//! What one WebSocket makes this process hold: a message of which not all has come, messages that nobody has taken
//! yet, and what the server does not read. The library that carries the messages does not tell, so it follows from the
//! bytes that moved.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::load::measure::outcome::Failure;
use crate::load::measure::sample::Traffic;
use crate::load::memory::{Budget, Hold};

/// Bytes of the header of a control frame that a server sends (RFC 6455, 5.2).
const CONTROL_HEADER: u64 = 2;
/// The most bytes of the header of a frame that a client sends.
const HEADER: u64 = 14;
/// Bytes of the header of a control frame that a client sends, which is masked.
const MASKED_HEADER: u64 = 6;
/// Bytes that may wait to be sent on one socket. Beyond them, the library keeps only the newest pong.
pub(super) const MOST_UNSENT: usize = 64 << 20;

/// The books of one socket.
#[derive(Debug)]
pub(super) struct Ledger {
    budget: Arc<Budget>,
    hold: Hold,
    /// Bytes that were read before the last call of [`moved`](Self::moved).
    read: u64,
    /// How many of all bytes read belong to what has been handed over.
    handed_over: u64,
    /// Messages that wait to be sent.
    unsent: u64,
    /// Answers to pings that wait to be sent.
    pongs: u64,
}

impl Ledger {
    /// Nothing has moved yet.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, hold: Hold::default(), read: 0, handed_over: 0, unsent: 0, pongs: 0 }
    }

    /// A message was handed over, by when so many bytes had been read since the last call of [`moved`](Self::moved).
    /// A control frame may come between the fragments of a message, and says nothing about them.
    pub(super) fn heard(&mut self, message: &Message, read: u64) {
        match message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => self.handed_over = self.read + read,
            Message::Ping(bytes) | Message::Pong(bytes) => {
                self.handed_over += CONTROL_HEADER + bytes.len() as u64;
                if matches!(message, Message::Ping(_)) {
                    self.answer(bytes.len() as u64);
                }
            }
            Message::Close(_) => {}
        }
    }

    /// A ping of so many bytes is answered by a pong, which waits where the server reads nothing.
    fn answer(&mut self, bytes: u64) {
        let pongs = self.pongs + bytes + MASKED_HEADER;
        if pongs <= MOST_UNSENT as u64 {
            self.pongs = pongs;
        }
    }

    /// So many bytes have moved since the last call. Nobody is told when a pong has gone, so whatever went is taken for
    /// pongs.
    pub(super) fn moved(&mut self, traffic: Traffic) {
        self.read += traffic.bytes_in;
        self.pongs = self.pongs.saturating_sub(traffic.bytes_out);
    }

    /// A message of so many bytes waits to be sent. Its buffer is as large until the last byte has gone.
    pub(super) fn queue(&mut self, bytes: usize) {
        self.unsent += bytes as u64 + HEADER;
    }

    /// It is not sent after all.
    pub(super) fn unqueue(&mut self, bytes: usize) {
        self.unsent = self.unsent.saturating_sub(bytes as u64 + HEADER);
    }

    /// All that waited has been sent.
    pub(super) fn flushed(&mut self) {
        (self.unsent, self.pongs) = (0, 0);
    }

    /// Holds what there is, beside so many bytes of messages that nobody has taken; fails where there is no room.
    pub(super) fn settle(&mut self, unread: usize) -> Result<(), Failure> {
        // Fragments are put together in a buffer that doubles.
        let partial = self.read.saturating_sub(self.handed_over).saturating_mul(2);
        let bytes = usize::try_from(partial + self.unsent + self.pongs).unwrap_or(usize::MAX);
        self.hold.set(&self.budget, bytes.saturating_add(unread))
    }

    /// The socket holds nothing any more.
    pub(super) fn clear(&mut self) {
        self.hold = Hold::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(bytes_in: u64) -> Traffic {
        Traffic { bytes_in, bytes_out: 0 }
    }

    #[test]
    fn fragments_count_until_their_message_is_whole_and_control_frames_do_not() {
        let budget = Budget::new(10 << 20);
        let mut ledger = Ledger::new(budget.clone());
        for _ in 0..1_000 {
            // A fragment of 1,000 bytes, and a ping behind it, which is answered.
            ledger.heard(&Message::Ping(Bytes::from_static(&[0; 100])), 1_102);
            ledger.moved(Traffic { bytes_in: 1_102, bytes_out: 106 });
            ledger.settle(0).unwrap();
        }
        assert_eq!(budget.used(), 31 << 16, "twice 1,000,000 bytes in steps of 64 KiB");
        ledger.heard(&Message::Binary(Bytes::new()), 10);
        ledger.moved(read(10));
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 0);
        ledger.settle(1 << 20).unwrap();
        assert_eq!(budget.used(), 1 << 20, "the message itself, which nobody has taken");
    }

    #[test]
    fn pongs_that_a_server_does_not_read_count() {
        let budget = Budget::new(10 << 20);
        let mut ledger = Ledger::new(budget.clone());
        let ping = Message::Ping(Bytes::from_static(&[0; 125]));
        let pings = |ledger: &mut Ledger| {
            (0..1_000).for_each(|number| ledger.heard(&ping, 127 * (number + 1)));
            ledger.moved(read(127_000));
        };
        pings(&mut ledger);
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 2 << 16, "131,000 bytes of pongs in steps of 64 KiB");
        ledger.moved(Traffic { bytes_in: 0, bytes_out: 131_000 });
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 0, "they have been sent");
        (0..100).for_each(|_| pings(&mut ledger));
        assert!(ledger.settle(0).is_err());
        (0..1_000).for_each(|_| pings(&mut ledger));
        assert!(ledger.pongs <= MOST_UNSENT as u64);
    }

    #[test]
    fn what_a_server_does_not_read_counts_until_it_does() {
        let budget = Budget::new(10 << 20);
        let mut ledger = Ledger::new(budget.clone());
        ledger.queue(1 << 20);
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 17 << 16);
        ledger.moved(Traffic { bytes_in: 0, bytes_out: 1 << 19 });
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 17 << 16, "its buffer is as large as before");
        ledger.queue(20 << 20);
        assert!(ledger.settle(0).is_err());
        ledger.unqueue(20 << 20);
        ledger.flushed();
        ledger.settle(0).unwrap();
        assert_eq!(budget.used(), 0);
    }
}
