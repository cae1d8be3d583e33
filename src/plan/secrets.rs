//! What must appear nowhere outside the requests themselves: the values of `env(…)`, and what responses brought under
//! a capture with `secret: true`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::redact::Redactor;

/// The most captured values that are remembered. Each user may log in again and again, and a text is compared with
/// all of them.
const MOST_CAPTURED: usize = 1_000;

/// The most bytes of a captured value that is remembered.
const LONGEST_CAPTURED: usize = 64 * 1024;

/// How often a captured value is held: as it came, and as what is looked for.
const COPIES: usize = 2;

/// The secrets of a run. Shared by all that see responses and all that write something down.
#[derive(Debug, Default)]
pub struct Secrets {
    given: Vec<String>,
    captures: Captures,
    captured: Mutex<Captured>,
}

/// Whether the plan captures secrets from responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Captures {
    /// No capture is marked as secret.
    #[default]
    Never,
    /// At least one is.
    Some,
}

#[derive(Debug, Default)]
struct Captured {
    values: BTreeSet<String>,
    forgotten: u64,
    /// For all that is known; none where more was captured since it was made.
    redactor: Option<Arc<Redactor>>,
}

impl Secrets {
    /// Those of a plan, before it runs.
    pub fn new(given: Vec<String>, captures: Captures) -> Self {
        Self { given, captures, captured: Mutex::default() }
    }

    /// The same with more that is given, before anything is captured.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.given.iter().cloned().chain(more).collect(), self.captures)
    }

    /// The values of `env(…)`, and passwords of URLs.
    pub fn given(&self) -> &[String] {
        &self.given
    }

    /// Whether there is a secret, or one may be captured.
    pub fn are_possible(&self) -> bool {
        self.captures == Captures::Some || !Redactor::new(&self.given).is_idle()
    }

    /// Remembers captured values, each for which there is room: so many bytes more.
    pub fn remember(&self, values: &[String], mut has_room: impl FnMut(usize) -> bool) {
        let mut captured = self.captured();
        for value in values {
            if captured.values.contains(value) {
                continue;
            }
            let is_short = captured.values.len() < MOST_CAPTURED && value.len() <= LONGEST_CAPTURED;
            if is_short && has_room(COPIES * value.len()) {
                captured.values.insert(value.clone());
                captured.redactor = None;
            } else {
                captured.forgotten += 1;
            }
        }
    }

    /// Takes out everything that is known by now; none where more values were captured than are remembered. Asked
    /// for after a text was read: what stands in it was captured before.
    pub fn complete_redactor(&self) -> Option<Arc<Redactor>> {
        let mut captured = self.captured();
        (captured.forgotten == 0).then(|| self.redactor_of(&mut captured))
    }

    /// Takes out everything that is known by now.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor_of(&mut self.captured())
    }

    fn redactor_of(&self, captured: &mut Captured) -> Arc<Redactor> {
        let Captured { values, redactor, .. } = captured;
        let made = redactor.get_or_insert_with(|| {
            let all: Vec<&str> = self.given.iter().chain(&*values).map(String::as_str).collect();
            Arc::new(Redactor::new(&all))
        });
        made.clone()
    }

    fn captured(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_values_are_taken_out_beside_given_ones() {
        let secrets = Secrets::new(vec!["given-value".into()], Captures::Some);
        assert_eq!(secrets.redactor().clean("given-value token-1"), "*** token-1");
        secrets.remember(&["token-1".to_owned()], |_| true);
        assert_eq!(secrets.redactor().clean("given-value token-1"), "*** ***");
    }

    #[test]
    fn a_redactor_is_made_once_for_what_is_known() {
        let secrets = Secrets::new(vec!["given-value".into()], Captures::Some);
        let first = secrets.redactor();
        assert!(Arc::ptr_eq(&first, &secrets.redactor()));
        secrets.remember(&["token-1".to_owned()], |_| true);
        assert!(!Arc::ptr_eq(&first, &secrets.redactor()));
    }

    #[test]
    fn it_is_known_when_there_were_too_many_to_remember() {
        let secrets = Secrets::new(Vec::new(), Captures::Some);
        let values: Vec<String> = (0..MOST_CAPTURED).map(|index| format!("token-{index}")).collect();
        secrets.remember(&values, |_| true);
        secrets.remember(&values, |_| true);
        assert!(secrets.complete_redactor().is_some());
        secrets.remember(&["one-more".to_owned()], |_| true);
        assert!(secrets.complete_redactor().is_none());
    }

    #[test]
    fn what_has_no_room_is_not_remembered_and_that_is_known() {
        let secrets = Secrets::new(Vec::new(), Captures::Some);
        let mut room = 100;
        secrets.remember(&["token-1".to_owned(), "x".repeat(100), "token-2".to_owned()], |bytes| {
            let fits = bytes <= room;
            room -= if fits { bytes } else { 0 };
            fits
        });
        assert_eq!(secrets.redactor().clean("token-1 xxxxx token-2"), "*** xxxxx ***");
        assert!(secrets.complete_redactor().is_none());
    }
}
