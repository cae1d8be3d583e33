//! One request, measured.

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
