//! What proves that whoever presses the stop button sees the terminal of the run. It is shown there once,
//! and must not get into logs, reports or pages.

use std::fmt::{self, Write};
use std::hint::black_box;

use rand::TryRng;
use rand::rngs::{SysError, SysRng};

/// A text that nobody can guess.
pub struct Token(String);

impl Token {
    /// One that nobody can guess.
    pub fn random() -> Result<Self, SysError> {
        unguessable().map(Self)
    }

    /// Whether it is the same; how long that takes tells nothing about where they differ.
    pub fn matches(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        if ours.len() != theirs.len() {
            return false;
        }
        black_box(ours.iter().zip(theirs).fold(0, |differ, (our, their)| black_box(differ | (our ^ their))))
            == 0
    }

    /// The text, for the one place where it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// 128 bits of the system's randomness, as 32 hexadecimal digits.
pub fn unguessable() -> Result<String, SysError> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_itself_alone() {
        let token = Token::random().unwrap();
        let text = token.reveal().to_owned();
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
        assert!(token.matches(&text));
        for other in ["", &text[1..], &format!("{text}0"), &"0".repeat(32), Token::random().unwrap().reveal()]
        {
            assert!(!token.matches(other), "{other}");
        }
    }

    #[test]
    fn a_token_does_not_get_into_a_log() {
        let token = Token::random().unwrap();
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
