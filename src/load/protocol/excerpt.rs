//! The beginning of what a server said, for messages. Where a secret is cut off with it, that is known only at the very
//! end of a message: nothing may be put behind an excerpt, not even a quotation mark.

/// About the first bytes, as text. A character that is cut in the middle is left out: a sign in its place would stand
/// behind a secret.
pub fn beginning(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]);
    text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::redact::Redactor;

    #[test]
    fn a_secret_across_the_cut_is_known_wherever_it_is_cut() {
        let secret = "geheimer-schlüssel-für-alles";
        let redactor = Redactor::new(&[secret]);
        let text = format!("said: {secret}");
        for most in 0..text.len() {
            let shown = redactor.clean(&beginning(text.as_bytes(), most));
            assert!(!shown.contains("gehei"), "{most}: {shown}");
        }
    }
}
