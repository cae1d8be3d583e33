//! Messages that have arrived and were not asked for yet: a bounded number, a bounded size.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::clock;
use crate::load::aside::LARGE;

/// The most messages kept for a step that has not asked for them yet; older ones make room.
const MOST: usize = 1_000;
/// The most bytes of them, beside the newest.
const MOST_BYTES: usize = 4 << 20;

/// The most bytes of a message that is copied rather than kept in a longer allocation.
const LONGEST_COPIED: usize = 64 * 1024;

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

/// What came of looking for a message.
#[derive(Debug)]
pub enum Looked {
    /// It was there.
    Taken(Arrived),
    /// A large one was not it: whoever looks on lets others have their turn before.
    AtLarge,
}

/// The messages of one socket.
#[derive(Debug, Default)]
pub struct Inbox {
    messages: VecDeque<Arrived>,
    /// Whether a message has come that is longer than what is copied.
    had_long: bool,
    bytes: usize,
    total: u64,
}

impl Inbox {
    /// A message has arrived, now. What is read after a long message is a part of the same allocation, which it would
    /// keep as long as it waits here.
    pub fn add(&mut self, kind: Kind, payload: Bytes) {
        self.had_long |= payload.len() > LONGEST_COPIED;
        let copied = self.had_long && payload.len() <= LONGEST_COPIED;
        let payload = if copied { Bytes::copy_from_slice(&payload) } else { payload };
        self.bytes += payload.len();
        self.messages.push_back(Arrived { at: clock::now(), kind, payload, number: self.total });
        self.total += 1;
        while self.messages.len() > MOST || (self.bytes > MOST_BYTES && self.messages.len() > 1) {
            self.bytes -= self.messages.pop_front().map_or(0, |oldest| oldest.payload.len());
        }
    }

    /// Takes the oldest message that `wanted` accepts; none where there is none yet. `looked_at` counts, from the first
    /// message ever, those that need no second look.
    pub fn take(&mut self, looked_at: &mut u64, mut wanted: impl FnMut(&Arrived) -> bool) -> Option<Looked> {
        let begin = self.messages.partition_point(|message| message.number < *looked_at);
        for index in begin..self.messages.len() {
            let message = &self.messages[index];
            *looked_at = message.number + 1;
            if wanted(message) {
                return self.remove(index).map(Looked::Taken);
            }
            if message.payload.len() > LARGE {
                return Some(Looked::AtLarge);
            }
        }
        *looked_at = self.total;
        None
    }

    fn remove(&mut self, index: usize) -> Option<Arrived> {
        let taken = self.messages.remove(index)?;
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
        match inbox.take(&mut 0, |arrived| wanted(&arrived.payload))? {
            Looked::Taken(taken) => Some(String::from_utf8(taken.payload.to_vec()).unwrap()),
            Looked::AtLarge => None,
        }
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
    fn others_have_their_turn_after_a_large_message_that_is_not_wanted() {
        let (mut inbox, mut looked_at) = (Inbox::default(), 0);
        for length in [LARGE + 1, 1, LARGE + 1, 2] {
            inbox.add(Kind::Binary, vec![0; length].into());
        }
        let mut look = |inbox: &mut Inbox| {
            let mut looks = 0;
            let looked = inbox.take(&mut looked_at, |arrived| {
                looks += 1;
                arrived.payload.len() == 2
            });
            (looks, matches!(looked, Some(Looked::AtLarge)), matches!(looked, Some(Looked::Taken(_))))
        };
        assert_eq!(look(&mut inbox), (1, true, false));
        assert_eq!(look(&mut inbox), (2, true, false));
        assert_eq!(look(&mut inbox), (1, false, true));
        assert_eq!(look(&mut inbox), (0, false, false));
    }

    #[test]
    fn a_small_message_keeps_no_long_one() {
        let packets = Bytes::from(vec![7; LONGEST_COPIED + 11]);
        let mut inbox = Inbox::default();
        inbox.add(Kind::Binary, packets.slice(..10));
        inbox.add(Kind::Binary, packets.slice(10..LONGEST_COPIED + 11));
        inbox.add(Kind::Binary, packets.slice(..10));
        let waiting: Vec<&Bytes> = inbox.messages.iter().map(|arrived| &arrived.payload).collect();
        assert_eq!(waiting[0].as_ptr(), packets.as_ptr(), "nothing is copied where all is short");
        assert_eq!(waiting[2], waiting[0]);
        assert_ne!(waiting[2].as_ptr(), packets.as_ptr());
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
