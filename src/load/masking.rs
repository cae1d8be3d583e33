//! What one user has captured as secrets, and their removal from the messages of its failures. Secrets of the
//! configuration are taken out of all messages when the result is made; captured ones are many, and which of them a
//! message may hold is known only to the user that it belongs to.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::measure::outcome::{Failure, LONGEST_MESSAGE};
use super::memory::{Budget, Hold};
use crate::plan::redact::Redactor;
use crate::units::ByteSize;

/// How many values of one user are known: the newest tokens, and those that they replaced. Of one response, all are.
const MOST_VALUES: usize = 16;

/// How many bytes of the values of one user are known, where those of one response are more than [`MOST_VALUES`].
const MOST_BYTES: usize = 1 << 20;

/// How many bytes of a value are known.
const LONGEST_VALUE: usize = 64 * 1024;

/// How many bytes of a line of a value are known. A message holds no more of it: in a value that is kept encoded, a
/// character takes 8 bytes and seldom more.
const LONGEST_LINE: usize = 8 * LONGEST_MESSAGE;

/// The most bytes of a message.
const MOST_TEXT: usize = 4 * LONGEST_MESSAGE;

/// What a user has captured as secrets.
#[derive(Debug, Default)]
pub struct Masking {
    /// The newest last.
    values: VecDeque<String>,
    /// Made when it is first needed.
    redactor: Option<Redactor>,
    /// The last message, as it was and without secrets: a service that fails says the same again and again.
    last: Option<(String, String)>,
    /// What the values and the redactor hold.
    hold: Hold,
}

impl Masking {
    /// These, all of one response, are secrets from now on. Older ones are forgotten for them, and where the memory of the
    /// run has no room that others do not need, and none of these, unless they are larger than what is known at all. Fails,
    /// and changes nothing, where there is no room at all for these.
    pub fn learn(&mut self, budget: &Arc<Budget>, values: Vec<String>) -> Result<(), Failure> {
        let new: BTreeSet<String> = values.into_iter().map(known).collect();
        let most = new.len().max(MOST_VALUES);
        let others = self.values.iter().filter(|value| !new.contains(*value));
        if self.values.len() - others.clone().count() == new.len() {
            self.values.retain(|value| !new.contains(value));
            self.values.extend(new);
            return Ok(());
        }
        // From the newest to the oldest, as many as fit; those of this response first.
        let mut bytes = 0;
        let mut fit: Vec<usize> = new.iter().rev().chain(others.rev()).take(most).map(String::len).collect();
        fit.retain(|length| {
            bytes += length;
            bytes <= MOST_BYTES
        });
        let fewest = fit.len().min(new.len());
        while fit.len() > fewest && !self.hold.set_spare(budget, fit.iter().sum()) {
            fit.pop();
        }
        if fit.len() == fewest {
            let bytes = fit.iter().sum();
            let what = || format!("know captured secrets of {} in messages", ByteSize(bytes as u64));
            self.hold.set_for(budget, bytes, what)?;
        }
        self.values.retain(|value| !new.contains(value));
        self.values.extend(new);
        let forgotten = self.values.len() - fit.len();
        self.values.drain(..forgotten);
        (self.redactor, self.last) = (None, None);
        Ok(())
    }

    /// What is known of a message already: nothing but that the same was said before.
    pub fn masked_before(&self, failure: &Failure) -> Option<Failure> {
        let (raw, masked) = self.last.as_ref()?;
        (*raw == failure.message).then(|| Failure { message: masked.clone(), kind: failure.kind })
    }

    /// The failure without them.
    pub fn mask(&mut self, budget: &Arc<Budget>, failure: Failure) -> Failure {
        if let Some(masked) = self.masked_before(&failure) {
            return masked;
        }
        let redactor = self
            .redactor
            .take()
            .unwrap_or_else(|| Redactor::for_texts(self.values.make_contiguous(), MOST_TEXT));
        let masked = redactor.clean(&failure.message);
        self.last = Some((failure.message, masked.clone()));
        // Where there is no room for it, it is made again for the next message.
        let sum = self.values.iter().map(String::len).sum::<usize>() + redactor.bytes();
        self.redactor = self.hold.set_spare(budget, sum).then_some(redactor);
        Failure { message: masked, kind: failure.kind }
    }
}

/// What is known of a value.
fn known(mut value: String) -> String {
    value.truncate(value.floor_char_boundary(LONGEST_VALUE));
    if value.len() <= LONGEST_LINE {
        return value;
    }
    let lines = value.lines().map(|line| &line[..line.floor_char_boundary(LONGEST_LINE)]);
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::outcome::FailureKind;

    fn message(masking: &mut Masking, text: &str) -> String {
        masking.mask(&Budget::new(1 << 30), Failure::new(FailureKind::Status, text)).message
    }

    fn learn(masking: &mut Masking, values: Vec<String>) {
        masking.learn(&Budget::new(1 << 30), values).unwrap();
    }

    #[test]
    fn a_value_is_masked_from_the_moment_it_is_known() {
        let mut masking = Masking::default();
        assert_eq!(message(&mut masking, "token-one"), "token-one");
        learn(&mut masking, vec!["token-one".into()]);
        assert_eq!(message(&mut masking, "token-one"), "***");
        learn(&mut masking, vec!["token-two".into()]);
        assert_eq!(message(&mut masking, "token-one token-two"), "*** ***");
        assert_eq!(message(&mut masking, "token-one token-two"), "*** ***");
    }

    #[test]
    fn the_oldest_values_are_forgotten_and_long_ones_are_known_by_their_beginning() {
        let mut masking = Masking::default();
        for index in 0..=MOST_VALUES {
            learn(&mut masking, vec![format!("token-{index:02}")]);
        }
        assert_eq!(message(&mut masking, "token-00 token-01"), "token-00 ***");
        learn(&mut masking, vec!["é".repeat(LONGEST_VALUE)]);
        assert_eq!(message(&mut masking, &"é".repeat(100)), "***");
    }

    #[test]
    fn of_one_response_nothing_is_forgotten_up_to_a_number_of_bytes() {
        let mut masking = Masking::default();
        learn(&mut masking, vec!["token-00".into()]);
        let tokens = || (0..4 * MOST_VALUES).map(|index| format!("token-{index:02}")).collect::<Vec<_>>();
        for _ in 0..2 {
            learn(&mut masking, tokens());
            let masked = vec!["***"; 4 * MOST_VALUES].join(" ");
            assert_eq!(message(&mut masking, &tokens().join(" ")), masked);
        }
        learn(&mut masking, vec!["newest-token".into()]);
        assert_eq!(message(&mut masking, "token-00 token-63 newest-token"), "token-00 *** ***");
        learn(&mut masking, (10..60).map(|index| format!("{index}{}", "x".repeat(LONGEST_VALUE))).collect());
        assert!(masking.values.iter().map(String::len).sum::<usize>() <= MOST_BYTES);
        assert_eq!(message(&mut masking, &format!("59{}", "x".repeat(100))), "***");
    }

    #[test]
    fn what_is_known_counts_and_the_oldest_is_forgotten_where_there_is_no_room() {
        let token = |index: usize| format!("{index:02}-{}", "x".repeat(60_000));
        let budget = Budget::new(640 << 10);
        let mut masking = Masking::default();
        for index in 0..MOST_VALUES {
            masking.learn(&budget, vec![token(index)]).unwrap();
        }
        // A quarter is 160 KiB, which are two steps. 16,000 bytes are known of each, and 8 of them are 128,000 bytes.
        assert_eq!((masking.values.len(), budget.used()), (8, 128 << 10));
        let shown = |index| token(index)[..40].to_owned();
        let mut message = |text: String| {
            let failure = Failure::new(FailureKind::Status, format!("status 500: {text}"));
            masking.mask(&budget, failure).message
        };
        assert_eq!(message(shown(15)), "status 500: ***");
        assert_eq!(message(shown(8)), "status 500: ***");
        assert_eq!(message(shown(7)), format!("status 500: {}", shown(7)));
        assert!(masking.redactor.is_none(), "there is no room for it");
        drop(masking);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_response_with_secrets_for_which_there_is_no_room_is_refused() {
        let budget = Budget::new(63 << 10);
        let mut masking = Masking::default();
        masking.learn(&budget, vec!["token-one".into()]).unwrap();
        let values: Vec<String> = (0..4).map(|index| format!("{index}{}", "x".repeat(60_000))).collect();
        let failure = masking.learn(&budget, values).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Memory);
        assert!(failure.message.contains("to know captured secrets of 62.5 KiB"), "{}", failure.message);
        let failure = Failure::new(FailureKind::Status, "token-one");
        assert_eq!(masking.mask(&budget, failure).message, "***");
    }

    #[test]
    fn a_message_of_any_length_is_masked_to_its_end() {
        let secret: String = (0..12_000).map(|index| char::from(b'a' + (index * index % 26) as u8)).collect();
        let wide = "é".repeat(30_000);
        let encoded = wide.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        for (value, text) in [(&secret, &secret), (&wide, &wide), (&encoded, &wide), (&wide, &encoded)] {
            let mut masking = Masking::default();
            learn(&mut masking, vec![value.clone()]);
            assert_eq!(message(&mut masking, &format!("is {text}")), "is ***", "{}", &value[..9]);
        }
    }

    #[test]
    fn a_line_of_a_value_of_many_is_known_by_itself() {
        let mut masking = Masking::default();
        let lines = format!("{}\nsecond-line\n{}\nlast-line", "a".repeat(30_000), "b".repeat(30_000));
        learn(&mut masking, vec![lines]);
        assert_eq!(message(&mut masking, "second-line or last-line"), "*** or ***");
        let redactor = masking.redactor.unwrap();
        assert!(redactor.bytes() < 5 * MOST_TEXT, "{}", redactor.bytes());
    }
}
