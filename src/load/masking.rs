//! What one user has captured as secrets, and their removal from the messages of its failures. Secrets of the
//! configuration are taken out of all messages when the result is made; captured ones are many, and which of them a
//! message may hold is known only to the user that it belongs to.

use std::collections::{BTreeSet, VecDeque};

use super::measure::outcome::Failure;
use crate::plan::redact::Redactor;

/// How many values of one user are known: the newest tokens, and those that they replaced. Of one response, all are.
const MOST_VALUES: usize = 16;

/// How many bytes of the values of one user are known, where those of one response are more than [`MOST_VALUES`].
const MOST_BYTES: usize = 1 << 20;

/// How many bytes of a value are known. A message holds less of it.
const LONGEST_VALUE: usize = 64 * 1024;

/// What a user has captured as secrets.
#[derive(Debug, Default)]
pub struct Masking {
    /// The newest last.
    values: VecDeque<String>,
    /// Made when it is first needed.
    redactor: Option<Redactor>,
    /// The last message, as it was and without secrets: a service that fails says the same again and again.
    last: Option<(String, String)>,
}

impl Masking {
    /// These, all of one response, are secrets from now on. Older ones are forgotten for them, and none of these, unless
    /// they are larger than what is known at all.
    pub fn learn(&mut self, values: Vec<String>) {
        let cut = |mut value: String| {
            value.truncate(value.floor_char_boundary(LONGEST_VALUE));
            value
        };
        let new: BTreeSet<String> = values.into_iter().map(cut).collect();
        let known = self.values.len();
        self.values.retain(|value| !new.contains(value));
        let learns = known - self.values.len() < new.len();
        let (most, mut bytes) = (new.len().max(MOST_VALUES), 0);
        self.values.extend(new);
        let fit = self.values.iter().rev().take(most).take_while(|value| {
            bytes += value.len();
            bytes <= MOST_BYTES
        });
        let forgotten = self.values.len() - fit.count();
        self.values.drain(..forgotten);
        if learns || forgotten > 0 {
            (self.redactor, self.last) = (None, None);
        }
    }

    /// The failure without them.
    pub fn mask(&mut self, failure: Failure) -> Failure {
        if let Some((raw, masked)) = &self.last
            && *raw == failure.message
        {
            return Failure { message: masked.clone(), ..failure };
        }
        let redactor = self.redactor.get_or_insert_with(|| Redactor::new(self.values.make_contiguous()));
        let masked = redactor.clean(&failure.message);
        self.last = Some((failure.message, masked.clone()));
        Failure { message: masked, kind: failure.kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::outcome::FailureKind;

    fn message(masking: &mut Masking, text: &str) -> String {
        masking.mask(Failure::new(FailureKind::Status, text)).message
    }

    #[test]
    fn a_value_is_masked_from_the_moment_it_is_known() {
        let mut masking = Masking::default();
        assert_eq!(message(&mut masking, "token-one"), "token-one");
        masking.learn(vec!["token-one".into()]);
        assert_eq!(message(&mut masking, "token-one"), "***");
        masking.learn(vec!["token-two".into()]);
        assert_eq!(message(&mut masking, "token-one token-two"), "*** ***");
        assert_eq!(message(&mut masking, "token-one token-two"), "*** ***");
    }

    #[test]
    fn the_oldest_values_are_forgotten_and_long_ones_are_known_by_their_beginning() {
        let mut masking = Masking::default();
        for index in 0..=MOST_VALUES {
            masking.learn(vec![format!("token-{index:02}")]);
        }
        assert_eq!(message(&mut masking, "token-00 token-01"), "token-00 ***");
        masking.learn(vec!["é".repeat(LONGEST_VALUE)]);
        assert_eq!(message(&mut masking, &"é".repeat(100)), "***");
    }

    #[test]
    fn of_one_response_nothing_is_forgotten_up_to_a_number_of_bytes() {
        let mut masking = Masking::default();
        masking.learn(vec!["token-00".into()]);
        let tokens = || (0..4 * MOST_VALUES).map(|index| format!("token-{index:02}")).collect::<Vec<_>>();
        for _ in 0..2 {
            masking.learn(tokens());
            let masked = vec!["***"; 4 * MOST_VALUES].join(" ");
            assert_eq!(message(&mut masking, &tokens().join(" ")), masked);
        }
        masking.learn(vec!["newest-token".into()]);
        assert_eq!(message(&mut masking, "token-00 token-63 newest-token"), "token-00 *** ***");
        masking.learn((10..60).map(|index| format!("{index}{}", "x".repeat(LONGEST_VALUE))).collect());
        assert!(masking.values.iter().map(String::len).sum::<usize>() <= MOST_BYTES);
        assert_eq!(message(&mut masking, &format!("59{}", "x".repeat(100))), "***");
    }
}
