//! One request, measured.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use super::outcome::Failure;
use crate::plan::step::EndpointId;

/// One request or WebSocket connect, ended.
#[derive(Debug)]
pub struct Sample {
    /// What it is counted under.
    pub endpoint: EndpointId,
    /// When the plan wanted it.
    pub scheduled: Instant,
    /// When we began to send it, connecting included.
    pub started: Instant,
    /// Last byte read, or the failure.
    pub finished: Instant,
    /// How it ended.
    pub outcome: Result<(), Failure>,
    /// The parts of it.
    pub phases: Phases,
    /// What it moved.
    pub traffic: Traffic,
    /// How often it was sent again.
    pub retries: Retries,
}

/// How often a request was sent again, by what made it so. It is one request all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retries {
    /// A connection that had been idle ended before a byte of the response.
    pub on_close: u64,
    /// The server said that it had not processed it.
    pub on_refusal: u64,
}

/// How long the parts of a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Name resolution, where a connection was opened.
    pub dns: Option<Duration>,
    /// TCP connect, likewise.
    pub connect: Option<Duration>,
    /// TLS handshake, likewise.
    pub tls: Option<Duration>,
    /// From the start of the send to the first byte of the response.
    pub first_byte: Option<Duration>,
}

/// Bytes moved, as seen by the socket (inside TLS).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read.
    pub bytes_in: u64,
    /// Written.
    pub bytes_out: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

impl Sample {
    /// From when it was due to its end.
    pub fn response_time(&self) -> Duration {
        self.finished.saturating_duration_since(self.scheduled)
    }

    /// From when it was sent to its end.
    pub fn service_time(&self) -> Duration {
        self.finished.saturating_duration_since(self.started)
    }
}
