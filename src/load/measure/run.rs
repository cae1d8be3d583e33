//! A whole run as load hands it over: everything counted, second by second and in all.

use std::time::Duration;

use super::recording::{Recording, Tally};
use super::times::Times;
use crate::plan::load::Phase;

/// Everything that was measured.
#[derive(Debug, Clone)]
pub struct RunData {
    /// When the load began, by the wall clock.
    pub started_at: jiff::Timestamp,
    /// All windows merged.
    pub total: Recording,
    /// One a second, in order.
    pub windows: Vec<Window>,
    /// How long the load was steady, cut short where the run was.
    pub steady: Duration,
    /// How long the load lasted, without the drain.
    pub duration: Duration,
    /// Whether a signal ended it.
    pub interruption: Option<Interruption>,
    /// What the generator noticed of itself.
    pub health: Health,
}

/// The signal that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Ctrl-C, or the runner's first signal.
    Sigint,
    /// The runner's second signal.
    Sigterm,
}

impl Interruption {
    /// The exit status that shells give to a process that the signal ended.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Sigint => 130,
            Self::Sigterm => 143,
        }
    }
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its start, since the start of the load.
    pub at: Duration,
    /// What most of it belongs to.
    pub phase: Phase,
    /// The most virtual users at once in it.
    pub users: u64,
    /// All requests and WebSocket connects of it.
    pub all: Slice,
    /// By endpoint, in the order of the plan.
    pub endpoints: Vec<Slice>,
}

/// Counts and percentiles of one window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slice {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// Percentiles of the response time, where there is any.
    pub times: Option<SliceTimes>,
}

/// Percentiles of one window, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceTimes {
    /// The median.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
}

/// What the generator noticed of itself, over the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Health {
    /// CPU time of this process per request, in microseconds.
    pub cpu_us_per_request: f64,
    /// CPU time of this process as a share of its cores, from 0 to 1.
    pub cpu_utilisation: f64,
    /// How late scheduled iterations began.
    pub schedule_lag_p99: Option<Duration>,
    /// Iterations started of those due that had a user, from 0 to 1.
    pub achieved_ratio: f64,
    /// CPU time taken by other machines on the same host, as a share, from 0 to 1.
    pub steal: f64,
    /// Resident memory at its highest, in MB.
    pub rss_mb: f64,
    /// Times that descriptors or ports ran out.
    pub exhausted: u64,
}

impl Window {
    /// Reduces what one window counted.
    pub fn of(recording: &Recording, at: Duration, phase: Phase) -> Self {
        let merged: Vec<Tally> = recording
            .endpoints
            .iter()
            .map(|split| {
                let mut tally = split.steady.clone();
                tally.merge(&split.rest);
                tally
            })
            .collect();
        let mut all = Tally::default();
        for tally in &merged {
            all.merge(tally);
        }
        let endpoints = merged.iter().map(Slice::of).collect();
        Self { at, phase, users: recording.users, all: Slice::of(&all), endpoints }
    }
}

impl Slice {
    fn of(tally: &Tally) -> Self {
        Self { ok: tally.ok, failed: tally.failures(), times: SliceTimes::of(&tally.response) }
    }
}

impl SliceTimes {
    fn of(times: &Times) -> Option<Self> {
        let histogram = times.histogram()?;
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Some(Self { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) })
    }
}
