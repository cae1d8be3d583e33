//! What loadgate does: virtual users put load on a target and record what happened. It knows nothing
//! of objectives and reports.

pub mod arrivals;
mod compose;
mod control;
mod deck;
mod exchange;
mod generate;
pub mod health;
mod lobby;
pub mod measure;
mod observer;
mod pacing;
mod perform;
pub mod protocol;
mod request;
mod session;
pub mod shutdown;
mod socket_step;
pub mod target;
mod timer;
pub mod tls;
mod trace;
mod virtual_user;
mod worker;

pub use generate::{generate, workers};
pub use health::Meter;
pub use observer::{Observer, Together, Wish};
pub use session::Session;
pub use trace::{Event, Traced, trace};

use thiserror::Error;

/// Why load could not be made, or was not.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The target's URL cannot be used.
    #[error("the target cannot be used: {0}")]
    Target(String),
    /// The system refused a thread, a timer or a runtime.
    #[error("the system refused what the generator needs")]
    System(#[from] std::io::Error),
    /// A worker ended by itself, which is a bug.
    #[error("a worker ended before the run did")]
    WorkerGone,
}
