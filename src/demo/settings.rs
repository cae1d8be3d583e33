//! How the demo service shall behave, and the errors of reading such a value from text.

use thiserror::Error;

use super::{Capacity, Endpoint, ErrorShare, Freeze, Slowdown};
use crate::units::UnitError;

/// Everything that shapes the behaviour of the service. Two services with equal settings draw equal
/// latencies, failures and build times for the n-th request of each endpoint.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Starts every random draw.
    pub seed: u64,
    /// Endpoints that answer later than their script says; several for one endpoint add up.
    pub slow: Vec<Slowdown>,
    /// The share of API requests that answer 500.
    pub errors: ErrorShare,
    /// How many requests are worked on at once.
    pub capacity: Capacity,
    /// Recurring pauses of the whole service.
    pub freeze: Option<Freeze>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            slow: Vec::new(),
            errors: ErrorShare::default(),
            capacity: Capacity::Unlimited,
            freeze: None,
        }
    }
}

/// A text that is not the setting it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// A part of the text lacks its unit or number.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// No endpoint has this name.
    #[error("unknown endpoint `{0}`")]
    Endpoint(String),
    /// Not of the form of a slowdown, or too slow.
    #[error("`{0}` slows no endpoint down")]
    Slowdown(String),
    /// More than everything.
    #[error("`{0}` is not a share of requests")]
    ErrorShare(String),
    /// Not a whole number in its bounds.
    #[error("`{0}` is not a number of workers")]
    Capacity(String),
    /// Not of the form of a freeze, or not shorter than its period.
    #[error("`{0}` is not a recurring freeze")]
    Freeze(String),
}

impl SettingError {
    /// What would be valid.
    pub fn hint(&self) -> String {
        match self {
            Self::Unit(error) => error.hint().to_owned(),
            Self::Endpoint(_) => format!("known: {}", Endpoint::ALL.map(Endpoint::name).join(", ")),
            Self::Slowdown(_) => {
                "write `METHOD /route=+25%` or `=+20ms`, at most 10000% or 1h, such as `POST /api/v1/builds=+25%`"
                    .into()
            }
            Self::ErrorShare(_) => "write a ratio from `0%` to `100%`, such as `2%`".into(),
            Self::Capacity(_) => "write a whole number from 1 to 10000, such as `8`".into(),
            Self::Freeze(_) => {
                "write LENGTH/PERIOD, the length shorter than the period, that at most 24h, such as `1s/5s`".into()
            }
        }
    }
}
