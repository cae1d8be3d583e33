//! What is measured for objectives while the load runs: their values window by window, and which of
//! them stopped the run; and what is said of them in a check. Data only; the gate makes and judges it.

use serde::{Deserialize, Serialize};

use super::verdict::CheckScope;

/// The values of one number in all complete windows of the steady phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowSeries {
    /// What it is about.
    pub scope: CheckScope,
    /// The name of the endpoint or custom metric; null for all requests.
    pub endpoint: Option<String>,
    /// The number.
    pub metric: String,
    /// The length of every window.
    pub length_s: u64,
    /// The limit that `above` was counted at.
    pub limit: f64,
    /// The windows, in order of time.
    pub points: Vec<WindowPoint>,
    /// Whether the points say what requests without an answer leave open. Earlier versions did not know it.
    #[serde(default)]
    pub tells_unanswered: bool,
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowPoint {
    /// Its start, since the start of the load.
    pub t_s: f64,
    /// How many samples its value is of.
    pub n: u64,
    /// The number; null where there was nothing.
    pub value: Option<f64>,
    /// Of a percentile: how many of the samples lie above the limit of the series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// Of a time: what requests without an answer leave open; absent where all had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Unanswered>,
    /// How many windows it stands for, as the worst of them: one, but in a very long run.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub of: u64,
}

/// What requests that got no answer leave open of a number of times. Nobody knows how long they would have taken.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Unanswered {
    /// Requests that timed out: they count into the value as the time they were waited for.
    pub timed_out: u64,
    /// Requests that failed otherwise: they do not count into the value.
    pub failed: u64,
    /// Requests that were cut off at the end of the run: they count into the value as the time that they were in
    /// flight, where that is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unfinished: u64,
    /// Arrivals that the generator was too late for: they do not count into the value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_started: u64,
    /// Whether the value is only a lower bound, because of those that timed out or were cut off.
    pub at_least: bool,
    /// The number if all of them had been slower than everything else, in milliseconds; null where that has no
    /// bound. The true number is not above it.
    pub at_most: Option<f64>,
}

/// How the windows of a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CheckWindow {
    /// The length of every window.
    pub length_s: u64,
    /// The start of the worst one, since the start of the load; null where there is none.
    pub t_s: Option<f64>,
    /// How many broke the limit: at least, where a very long run keeps only the worst of several.
    pub broken: u64,
    /// How many had too little to say.
    pub undecided: u64,
    /// How many there are, complete ones only.
    pub judged: u64,
}

/// The objective that stopped a run, and the value that broke it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aborted {
    /// What it is about.
    pub scope: CheckScope,
    /// The name of the endpoint or custom metric; null for all requests.
    pub endpoint: Option<String>,
    /// The number.
    pub metric: String,
    /// The length of the window that broke; null where the value so far did.
    pub length_s: Option<u64>,
    /// The limit that was broken.
    pub limit: f64,
    /// When the load was stopped, since its start.
    pub at_s: f64,
    /// What was measured.
    pub value: f64,
    /// Of how many samples.
    pub n: u64,
    /// Of a percentile: how many of the samples lie above the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// Of a time: what requests without an answer left open; absent where all had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Unanswered>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(of: &u64) -> bool {
    *of == 1
}
