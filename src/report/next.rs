//! What to do now: in words, and as a command where there is one. How each is set is for whoever shows it.
//! Pure; texts from outside are in it as they are, to be escaped for where they go.

use std::fmt::{self, Display};

/// What to do now; as a text, all of it on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// What.
    pub say: String,
    /// What to call for it, as it is typed.
    pub command: Option<String>,
}

impl Next {
    /// Something that a command does.
    pub fn by(command: String, say: impl Into<String>) -> Self {
        Self { say: say.into(), command: Some(command) }
    }
}

impl<T: Into<String>> From<T> for Next {
    fn from(say: T) -> Self {
        Self { say: say.into(), command: None }
    }
}

impl Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{}: {command}", self.say),
            None => f.write_str(&self.say),
        }
    }
}
