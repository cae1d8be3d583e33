//! Takes secrets out of what leaves the process: texts, and streams of bytes of any length. It stands in this
//! room because the log of a target holds secrets too. It neither knows where they come from nor opens anything.

use std::io::{self, Read, Write};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter ones are not replaced: they would be found everywhere.
const SHORTEST: usize = 4;

/// Characters of base64 that are surely of the secret, where so few are no coincidence.
const SHORTEST_ENCODED: usize = 8;

/// How much of a stream is looked at at once.
const CHUNK: u64 = 64 * 1024;

/// Knows the secrets and what servers make of them.
#[derive(Debug, Clone)]
pub struct Redactor {
    /// The longest first.
    forms: Vec<String>,
    /// Whether any of them begins with this byte.
    begins: [bool; 256],
}

impl Redactor {
    /// One for these secrets; of one of several lines, each line is one as well.
    pub fn new(secrets: &[String]) -> Self {
        let parts = secrets.iter().flat_map(|secret| std::iter::once(secret.as_str()).chain(secret.lines()));
        let trimmed = parts.map(str::trim).filter(|secret| secret.len() >= SHORTEST);
        let mut forms: Vec<_> = trimmed.flat_map(forms).collect();
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let mut begins = [false; 256];
        forms.iter().filter_map(|form| form.bytes().next()).for_each(|byte| begins[usize::from(byte)] = true);
        Self { forms, begins }
    }

    /// Whether there is nothing to take out.
    pub fn is_idle(&self) -> bool {
        self.forms.is_empty()
    }

    /// How many bytes the longest thing to take out has.
    pub fn reach(&self) -> usize {
        self.forms.first().map_or(0, String::len)
    }

    /// The text without any of them.
    pub fn clean(&self, text: &str) -> String {
        self.clean_from(text.as_bytes(), 0)
    }

    /// The bytes from there on as text, without any of them; what comes before is looked at, for a secret may
    /// begin there.
    pub fn clean_from(&self, bytes: &[u8], from: usize) -> String {
        let mut covered = 0;
        self.scrub(bytes, 0..from, &mut covered);
        let cleaned = self.without_cut(self.scrub(bytes, from..bytes.len(), &mut covered));
        String::from_utf8_lossy(&cleaned).into_owned()
    }

    /// Copies a stream without any of them, byte for byte otherwise. Its first bytes, so many, are only looked at,
    /// for a secret may begin there.
    pub fn copy(&self, mut from: impl Read, ahead: usize, mut to: impl Write) -> io::Result<()> {
        let (mut held, mut covered) = (Vec::new(), 0);
        (&mut from).take((ahead + self.reach()) as u64).read_to_end(&mut held)?;
        let ahead = ahead.min(held.len());
        self.scrub(&held, 0..ahead, &mut covered);
        held.drain(..ahead);
        while (&mut from).take(CHUNK).read_to_end(&mut held)? > 0 {
            // Behind this place a secret may be here in part.
            let safe = held.len().saturating_sub(self.reach());
            to.write_all(&self.scrub(&held, 0..safe, &mut covered))?;
            held.drain(..safe);
        }
        to.write_all(&self.without_cut(self.scrub(&held, 0..held.len(), &mut covered)))
    }

    /// These places of the bytes, with one mask for all secrets that touch. `covered` is how many bytes from
    /// there on belong to one that began before.
    fn scrub(&self, bytes: &[u8], places: Range<usize>, covered: &mut usize) -> Vec<u8> {
        let mut cleaned = Vec::with_capacity(places.len());
        for at in places {
            let found = self.longest_at(&bytes[at..]);
            if found > 0 && *covered == 0 {
                cleaned.extend_from_slice(MASK.as_bytes());
            }
            *covered = found.max(*covered);
            if *covered == 0 {
                cleaned.push(bytes[at]);
            }
            *covered = covered.saturating_sub(1);
        }
        cleaned
    }

    fn longest_at(&self, bytes: &[u8]) -> usize {
        if !bytes.first().is_some_and(|byte| self.begins[usize::from(*byte)]) {
            return 0;
        }
        self.forms.iter().find(|form| bytes.starts_with(form.as_bytes())).map_or(0, String::len)
    }

    /// What ends in the beginning of a secret, without that: messages are cut, and a secret with them.
    fn without_cut(&self, mut text: Vec<u8>) -> Vec<u8> {
        let cut = self.forms.iter().filter_map(|secret| {
            let ends = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= SHORTEST);
            ends.filter(|at| text.ends_with(&secret.as_bytes()[..*at])).max()
        });
        if let Some(length) = cut.max() {
            text.truncate(text.len() - length);
            text.extend_from_slice(MASK.as_bytes());
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

    #[test]
    fn secrets_that_overlap_leave_nothing_of_each_other() {
        assert_eq!(clean(&["abcd", "cdef"], "<abcdef>"), "<***>");
        assert_eq!(clean(&["abcd"], "abcdabcd"), "******");
    }

    #[test]
    fn each_line_of_a_secret_is_one() {
        assert_eq!(clean(&["first line\nab\nlast line"], "last line\r\nfirst line"), "***\r\n***");
        assert_eq!(clean(&["first\nlast line"], "first\nlast line"), "***");
    }

    #[test]
    fn a_secret_that_began_before_what_is_wanted_is_no_part_of_it() {
        let redactor = Redactor::new(&["hunter2-hunter2".to_owned()]);
        let text = b"a hunter2-hunter2 b";
        assert!((2..17).all(|from| redactor.clean_from(text, from + 1) == " b"));
    }

    /// Gives one byte at a time, as a pipe may.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = 1.min(into.len());
            self.0.read(&mut into[..count])
        }
    }

    #[test]
    fn a_stream_is_cleaned_across_its_chunks_and_else_keeps_every_byte() {
        let redactor = Redactor::new(&["hunter2-hunter2".to_owned()]);
        for before in [0, 1, CHUNK as usize - 7, CHUNK as usize, 3 * CHUNK as usize - 15] {
            let filler = vec![0xff; before];
            let stream = [&filler[..], b"hunter2-hunter2\xfe\nhunter2-hu"].concat();
            let mut cleaned = Vec::new();
            redactor.copy(Trickle(&stream), 0, &mut cleaned).expect("copied");
            assert_eq!(cleaned, [&filler[..], b"***\xfe\n***"].concat(), "after {before}");
        }
    }

    proptest::proptest! {
        #[test]
        fn however_it_is_cut_into_a_stream_a_text_is_cleaned_alike(
            text in "[ab]{0,90}", secret in "[ab]{4,12}", ahead in 0_usize..90
        ) {
            let redactor = Redactor::new(&[secret]);
            let mut cleaned = Vec::new();
            redactor.copy(Trickle(text.as_bytes()), ahead, &mut cleaned).expect("copied");
            proptest::prop_assert_eq!(String::from_utf8_lossy(&cleaned), redactor.clean_from(text.as_bytes(), ahead.min(text.len())));
        }
    }
}
