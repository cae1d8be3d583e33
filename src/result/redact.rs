//! Takes secrets out of texts that leave the process.

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter ones are not replaced: they would be found everywhere.
const SHORTEST: usize = 4;

/// Knows the secrets, the longest first.
#[derive(Debug)]
pub struct Redactor<'a>(Vec<&'a str>);

impl<'a> Redactor<'a> {
    /// One for these secrets.
    pub fn new(secrets: &'a [String]) -> Self {
        let mut known: Vec<_> =
            secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.len() >= SHORTEST).collect();
        known.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(known)
    }

    /// The text without any of them.
    pub fn clean(&self, text: &str) -> String {
        let whole = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK));
        self.without_cut(whole)
    }

    /// A text that ends in the beginning of a secret, without that: messages are cut, and a secret with them.
    fn without_cut(&self, mut text: String) -> String {
        let cut = self.0.iter().filter_map(|secret| {
            let ends = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= SHORTEST);
            ends.filter(|at| text.ends_with(&secret[..*at])).max()
        });
        if let Some(length) = cut.max() {
            text.truncate(text.len() - length);
            text.push_str(MASK);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
        Redactor::new(&secrets).clean(text)
    }

    #[test]
    fn secrets_are_masked_the_longest_first() {
        assert_eq!(clean(&["abcd", "abcdefgh"], "got abcdefgh and abcd"), "got *** and ***");
    }

    #[test]
    fn short_and_empty_values_are_no_secrets() {
        assert_eq!(clean(&["", "abc", "   "], "abc abc"), "abc abc");
    }

    #[test]
    fn a_secret_that_was_cut_off_with_its_message_is_masked_too() {
        assert_eq!(clean(&["hunter2-hunter2"], "a body hunter2-hun"), "a body ***");
        assert_eq!(clean(&["hunter2-hunter2"], "a body hun"), "a body hun");
    }
}
