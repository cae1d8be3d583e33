//! Why GitHub could not be told or asked something, and the remedy. Holds no token.

use thiserror::Error;

use crate::github::repository::RunNumber;

/// What GitHub answers where the token of a job may not do something.
const NOT_ACCESSIBLE: &str = "Resource not accessible by";
/// What it answers to a text that is longer than a comment can be.
const TOO_LONG: &str = "is too long";

/// Why the API could not be used.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing to be let in by.
    #[error("there is no token for GitHub")]
    NoToken,
    /// A token that can be none.
    #[error("the token for GitHub holds a character that no token has")]
    MalformedToken,
    /// Nowhere to ask about.
    #[error("GITHUB_REPOSITORY names no repository")]
    NoRepository,
    /// The address of the API is none, or the machine has no certificates.
    #[error("cannot make a client for `{api}`")]
    Setup {
        /// The address.
        api: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API said no.
    #[error("GitHub answered {status} to {request}: {message}")]
    Refused {
        /// What was asked: method and path.
        request: String,
        /// The status of HTTP.
        status: u16,
        /// Its words.
        message: String,
    },
    /// No answer, or one that a proxy made.
    #[error("GitHub cannot be reached at {api}: {request}: {reason}")]
    Unreachable {
        /// What was asked.
        request: String,
        /// Where.
        api: String,
        /// What happened.
        reason: String,
    },
    /// A signal came first.
    #[error("GitHub was not waited for: this process was asked to end")]
    Interrupted,
    /// Somebody else has changed what was to be changed.
    #[error("run {0} is later, and has written it")]
    Overtaken(RunNumber),
    /// An answer of another form.
    #[error("GitHub's answer to {request} is not understood")]
    Unexpected {
        /// What was asked.
        request: String,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
    /// More than is read.
    #[error("GitHub's answer to {request} is larger than {most} bytes")]
    TooLarge {
        /// What was asked.
        request: String,
        /// The most that is read.
        most: usize,
    },
}

impl ClientError {
    /// The status that the API refused with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the token may not do this.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 403, message, .. } if message.contains(NOT_ACCESSIBLE))
    }

    /// Whether a text was too long.
    pub fn is_too_long(&self) -> bool {
        matches!(self, Self::Refused { status: 422, message, .. } if message.contains(TOO_LONG))
    }

    /// The remedy; `permission` is the line that a job needs for what was asked.
    pub fn hint(&self, permission: &str) -> Option<String> {
        match self {
            Self::NoToken => Some("set `LOADGATE_TOKEN`, in a workflow to `${{ github.token }}`".to_owned()),
            Self::MalformedToken => Some("look for a space or a line break inside the secret".to_owned()),
            Self::NoRepository => Some("set `GITHUB_REPOSITORY` to `owner/name`".to_owned()),
            Self::Refused { status: 401, .. } => {
                Some("the token has expired or is none of this server".into())
            }
            Self::Refused { status: 403, .. } if self.is_forbidden() => {
                Some(format!("give the job `permissions: {permission}`"))
            }
            Self::Refused { status: 404, .. } => {
                Some(format!("it is gone, or hidden from this token: `permissions: {permission}`"))
            }
            Self::Setup { .. } => Some("look at `GITHUB_API_URL`".to_owned()),
            Self::Unexpected { .. } => Some("is `GITHUB_API_URL` right, and no proxy in between?".to_owned()),
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Interrupted
            | Self::Overtaken(_)
            | Self::TooLarge { .. } => None,
        }
    }
}
