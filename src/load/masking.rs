//! What one user has captured as secrets, and their removal from the messages of its failures. Secrets of the
//! configuration are taken out of all messages when the result is made; captured ones are many, and which of them a
//! message may hold is known only to the user that it belongs to.

use std::collections::VecDeque;

use super::measure::outcome::Failure;
use crate::plan::redact::Redactor;

/// How many values of one user are known: the newest tokens, and those that they replaced.
const MOST_VALUES: usize = 16;

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
    /// These are secrets from now on.
    pub fn learn(&mut self, values: Vec<String>) {
        for mut value in values {
            value.truncate(value.floor_char_boundary(LONGEST_VALUE));
            if self.values.contains(&value) {
                continue;
            }
            if self.values.len() == MOST_VALUES {
                self.values.pop_front();
            }
            self.values.push_back(value);
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
        masking.learn((0..=MOST_VALUES).map(|index| format!("token-{index:02}")).collect());
        assert_eq!(message(&mut masking, "token-00 token-01"), "token-00 ***");
        masking.learn(vec!["é".repeat(LONGEST_VALUE)]);
        assert_eq!(message(&mut masking, &"é".repeat(100)), "***");
    }
}
