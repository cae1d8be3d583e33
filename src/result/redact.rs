//! Takes secrets out of texts that leave the process.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter ones are not replaced: they would be found everywhere.
const SHORTEST: usize = 4;

/// Characters of base64 that are surely of the secret, where so few are no coincidence.
const SHORTEST_ENCODED: usize = 8;

/// Knows the secrets and what servers make of them, the longest first.
#[derive(Debug)]
pub struct Redactor(Vec<String>);

impl Redactor {
    /// One for these secrets.
    pub fn new(secrets: &[String]) -> Self {
        let trimmed = secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.len() >= SHORTEST);
        let mut known: Vec<_> = trimmed.flat_map(forms).collect();
        known.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
        known.dedup();
        Self(known)
    }

    /// The text without any of them.
    pub fn clean(&self, text: &str) -> String {
        let whole = self.0.iter().fold(text.to_owned(), |text, form| text.replace(form.as_str(), MASK));
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

/// A secret as it is, and as it stands in an address, a form, JSON, and within anything in base64.
fn forms(secret: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::Value::from(secret).to_string();
    let mut forms =
        vec![secret.to_owned(), form.replace('+', "%20"), form, json.trim_matches('"').to_owned()];
    forms.extend((0..3).flat_map(|before| within_base64(secret, before)));
    forms
}

/// What base64 makes of a secret that so many bytes, modulo three, stand before: its characters that depend on
/// nothing else, in both alphabets.
fn within_base64(secret: &str, before: usize) -> Vec<String> {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    // Six bits a character: the first that begins within the secret, and those that end within it.
    let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    let of = |engine: &base64::engine::GeneralPurpose| engine.encode(&bytes)[from..to].to_owned();
    let all = [of(&STANDARD_NO_PAD), of(&URL_SAFE_NO_PAD)];
    all.into_iter().filter(|form| form.len() >= SHORTEST_ENCODED).collect()
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

    #[test]
    fn what_a_server_makes_of_a_secret_is_masked_too() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let secret = "s3cr/t&va lue\"9";
        for text in ["s3cr%2Ft%26va+lue%229", "s3cr%2Ft%26va%20lue%229", "s3cr/t&va lue\\\"9"] {
            assert_eq!(clean(&[secret], text), "***", "{text}");
        }
        for user in ["", "u:", "bob:", "anna:", "someone:"] {
            for encoded in
                [STANDARD.encode(format!("{user}{secret}")), URL_SAFE.encode(format!("{user}{secret}!"))]
            {
                let masked = clean(&[secret], &encoded);
                // At each end a character may hold bits of something else.
                let left =
                    masked.split("***").last().map_or(usize::MAX, |rest| rest.trim_end_matches('=').len());
                assert!(masked.contains("***") && left <= 3, "{user}: {encoded} became {masked}");
            }
        }
    }
}
