//! What loadgate does: virtual users put load on a target and record what happened. It knows nothing
//! of objectives and reports.

pub mod arrivals;
mod aside;
mod compose;
mod control;
mod deck;
mod exchange;
mod generate;
pub mod health;
mod heartbeat;
mod kept;
mod latecomers;
pub mod limits;
mod lobby;
pub mod machine;
mod masking;
pub mod measure;
pub mod memory;
mod observer;
mod pacing;
mod perform;
mod pool;
pub mod protocol;
mod request;
mod session;
pub mod shutdown;
mod socket_step;
pub mod target;
pub mod timer;
pub mod tls;
mod trace;
mod unpack;
mod virtual_user;
mod worker;

pub use generate::{Aim, Stop, generate, workers};
pub use health::Meter;
pub use observer::{Observer, Together, Wish};
pub use session::Session;
pub use trace::{Event, Traced, trace};

use std::any::Any;

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
    /// A part of the generator panicked, so that less was sent than planned.
    #[error("a part of the generator failed, which is a bug in loadgate: {0}")]
    Panicked(String),
    /// A worker ended by itself, which is a bug.
    #[error("a worker ended before the run did")]
    WorkerGone,
}

impl LoadError {
    /// What a panic said.
    fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or(payload.downcast_ref::<&str>().copied());
        Self::Panicked(text.unwrap_or("it did not say why").to_owned())
    }
}
