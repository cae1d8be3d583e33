//! Messages that have arrived and were not asked for yet: a bounded number, a bounded size.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::clock;

/// The most messages kept for a step that has not asked for them yet; older ones make room.
const MOST: usize = 1_000;
/// The most bytes of them, beside the newest.
const MOST_BYTES: usize = 4 << 20;

/// A message, and when it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// When it was read.
    pub at: Instant,
    /// What it was sent as.
    pub kind: Kind,
    /// Its text or bytes.
    pub payload: Bytes,
    number: u64,
}

/// What a message was sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, which is valid UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// The messages of one socket.
#[derive(Debug, Default)]
pub struct Inbox {
    messages: VecDeque<Arrived>,
    bytes: usize,
    total: u64,
}

impl Inbox {
    /// A message has arrived, now.
    pub fn add(&mut self, kind: Kind, payload: Bytes) {
        self.bytes += payload.len();
        self.messages.push_back(Arrived { at: clock::now(), kind, payload, number: self.total });
        self.total += 1;
        while self.messages.len() > MOST || (self.bytes > MOST_BYTES && self.messages.len() > 1) {
            self.bytes -= self.messages.pop_front().map_or(0, |oldest| oldest.payload.len());
        }
    }

    /// Takes the oldest message that `wanted` accepts. `looked_at` counts, from the first message ever, those
    /// that need no second look.
    pub fn take(&mut self, looked_at: &mut u64, mut wanted: impl FnMut(&Arrived) -> bool) -> Option<Arrived> {
        let begin = self.messages.partition_point(|message| message.number < *looked_at);
        let found = (begin..self.messages.len()).find(|index| wanted(&self.messages[*index]));
        *looked_at = self.total;
        let taken = self.messages.remove(found?)?;
        self.bytes -= taken.payload.len();
        if self.messages.is_empty() {
            // An idle socket holds no memory for messages.
            self.messages.shrink_to(0);
        }
        Some(taken)
    }

    /// About how many bytes they hold.
    pub fn bytes(&self) -> usize {
        self.bytes + self.messages.len() * size_of::<Arrived>()
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.messages = VecDeque::new();
        self.bytes = 0;
    }

    /// Messages that ever arrived.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(inbox: &mut Inbox, wanted: impl Fn(&[u8]) -> bool) -> Option<String> {
        let taken = inbox.take(&mut 0, |arrived| wanted(&arrived.payload))?;
        Some(String::from_utf8(taken.payload.to_vec()).unwrap())
    }

    #[test]
    fn the_oldest_that_is_wanted_is_taken_and_the_rest_stays() {
        let mut inbox = Inbox::default();
        for word in ["a1", "b1", "a2"] {
            inbox.add(Kind::Text, word.into());
        }
        assert_eq!(text(&mut inbox, |payload| payload.starts_with(b"b")).as_deref(), Some("b1"));
        assert_eq!(text(&mut inbox, |_| true).as_deref(), Some("a1"));
        assert_eq!(text(&mut inbox, |payload| payload.starts_with(b"b")), None);
        assert_eq!((text(&mut inbox, |_| true).as_deref(), inbox.total()), (Some("a2"), 3));
    }

    #[test]
    fn no_message_is_looked_at_twice_even_when_others_made_room() {
        let (mut inbox, mut looked_at, mut looks) = (Inbox::default(), 0, 0);
        for number in 0..3 * MOST {
            inbox.add(Kind::Text, number.to_string().into());
            let taken = inbox.take(&mut looked_at, |_| {
                looks += 1;
                false
            });
            assert!(taken.is_none());
        }
        assert_eq!((looks, inbox.messages.len()), (3 * MOST, MOST));
    }

    #[test]
    fn long_messages_make_room_but_the_newest_stays() {
        let mut inbox = Inbox::default();
        for _ in 0..3 {
            inbox.add(Kind::Binary, vec![0; MOST_BYTES + 1].into());
        }
        assert_eq!((inbox.messages.len(), inbox.total()), (1, 3));
    }
}
