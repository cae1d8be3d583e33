//! What the API lets a job in by. It must not get into logs, reports or errors.

use std::fmt;

/// What is known of the token of a job.
#[derive(Debug, Clone, Default)]
pub enum Credential {
    /// None is set.
    #[default]
    Missing,
    /// What is set holds something that no token holds, such as a space.
    Malformed,
    /// There is one.
    Token(Token),
}

impl Credential {
    /// What this text is; a line break at its end is a slip of whoever stored it.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            Self::Missing
        } else if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Self::Token(Token(text.to_owned()))
        } else {
            Self::Malformed
        }
    }
}

/// A token: visible ASCII, not empty.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The text, for the one place where it is sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }
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
    fn a_line_break_at_the_end_is_forgiven_and_one_inside_is_not() {
        assert!(
            matches!(Credential::of(" ghs_abc\n"), Credential::Token(token) if token.reveal() == "ghs_abc")
        );
        assert!(matches!(Credential::of(" \n"), Credential::Missing));
        for text in ["a b", "a\nb", "a\u{0}b", "é"] {
            assert!(matches!(Credential::of(text), Credential::Malformed), "{text:?}");
        }
        assert_eq!(format!("{:?}", Credential::of("ghs_abc")), "Token(Token(…))");
    }
}
