//! What was counted in one window, by one worker or by all of them.

use std::collections::BTreeMap;

use super::censored::CensoredTimes;
use super::outcome::{Failure, FailureKind};
use super::times::Times;
use crate::plan::load::{Phase, Span};

/// Counts and times of one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Successes.
    pub ok: u64,
    /// Failures, by [`FailureKind::index`].
    pub failed: [u64; FailureKind::ALL.len()],
    /// From when it was due to the end: successes, and timeouts as lower bounds.
    pub response: CensoredTimes,
    /// From when it was sent to the end, likewise.
    pub service: CensoredTimes,
    /// Response times of the other failures.
    pub failed_response: Times,
    /// Requests that were cut off at the end, from when each was due to that moment: what they would have taken at least.
    pub unfinished: Times,
    /// From the send to the first byte of the response.
    pub first_byte: Times,
    /// Name resolution, of requests that opened a connection.
    pub dns: Times,
    /// TCP connect, likewise.
    pub connect: Times,
    /// TLS handshake, likewise.
    pub tls: Times,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Requests sent again because an idle connection was closed.
    pub retried_on_close: u64,
    /// Requests sent again because the server had not processed them.
    pub retried_on_refusal: u64,
    /// WebSocket messages in.
    pub messages_in: u64,
    /// WebSocket messages out.
    pub messages_out: u64,
    /// Messages waited for in vain.
    pub missing_messages: u64,
    /// Messages and pongs that were still waited for when the run ended: neither in nor missing.
    pub unfinished_messages: u64,
    /// Sockets that closed when nobody wanted them to.
    pub unexpected_closes: u64,
    /// Answers to pings.
    pub pongs: u64,
    /// Arrivals that the generator was too late for, or that found no user because it was: neither ok nor failed.
    pub not_started: u64,
}

impl Tally {
    /// All failures.
    pub fn failures(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// Failures of requests that have no response time: all but timeouts, and what went wrong on a WebSocket after
    /// it had opened.
    pub fn without_time(&self) -> u64 {
        let others = [FailureKind::Timeout, FailureKind::WebsocketClose, FailureKind::MissingMessage];
        self.failures() - others.iter().map(|kind| self.failed[kind.index()]).sum::<u64>()
    }

    /// Everything that ended, well or not.
    pub fn total(&self) -> u64 {
        self.ok + self.failures()
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        for (ours, theirs) in self.failed.iter_mut().zip(other.failed) {
            *ours += theirs;
        }
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.failed_response.merge(&other.failed_response);
        self.unfinished.merge(&other.unfinished);
        self.first_byte.merge(&other.first_byte);
        self.dns.merge(&other.dns);
        self.connect.merge(&other.connect);
        self.tls.merge(&other.tls);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.retried_on_close += other.retried_on_close;
        self.retried_on_refusal += other.retried_on_refusal;
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.missing_messages += other.missing_messages;
        self.unfinished_messages += other.unfinished_messages;
        self.unexpected_closes += other.unexpected_closes;
        self.pongs += other.pongs;
        self.not_started += other.not_started;
    }
}

/// One thing counted twice: in the steady phase, and in the rest of the run.
#[derive(Debug, Clone, Default)]
pub struct Split<T> {
    /// Due in the steady phase.
    pub steady: T,
    /// Due before or after it.
    pub rest: T,
}

impl<T> Split<T> {
    /// The half a phase belongs to.
    pub fn of(&mut self, phase: Phase) -> &mut T {
        if phase == Phase::Steady { &mut self.steady } else { &mut self.rest }
    }
}

/// Counts and times of one custom metric.
#[derive(Debug, Clone, Default)]
pub struct MetricTally {
    /// How many were recorded in full.
    pub ok: u64,
    /// How many were not recorded, because a request in them failed.
    pub failed: u64,
    /// What they measured: those in which a request timed out, as a lower bound.
    pub response: CensoredTimes,
}

/// Counts of one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskTally {
    /// Iterations that began, those included that the end of the load has cut off.
    pub iterations: u64,
    /// Iterations whose first condition did not hold.
    pub skipped: u64,
    /// Iterations that a failed step ended.
    pub failed: u64,
}

/// Users on their way to their first iteration. A user makes no load until it has got through `on_start`, which may
/// fail, and be tried again, or may not end; so a run may have far fewer users than planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartTally {
    /// Users that began.
    pub begun: u64,
    /// Users that had not got through `on_start` by their end, although it had failed, or they were in it for most of
    /// a stretch of the steady phase.
    pub never_ready: u64,
}

/// What the generator noticed of itself.
#[derive(Debug, Clone, Default)]
pub struct HealthTally {
    /// How late scheduled iterations began that had a free user.
    pub lag: Times,
    /// Iterations due, but those for which the service left no user free.
    pub due: u64,
    /// Of those, iterations started.
    pub started: u64,
    /// Times that file descriptors or ports ran out.
    pub exhausted: u64,
    /// How late sleepers ran, from the moment they had asked for.
    pub wake: Split<Times>,
    /// When a worker stood still, since the start of the load; of several workers, all of it.
    pub standstills: Vec<Span>,
}

/// The most standstills that are kept: more than all workers of a large machine can have in one window. Of a whole run
/// the first of them are kept, and nobody asks for those.
const MOST_STANDSTILLS: usize = 1 << 14;

/// The most sample messages kept per endpoint and kind.
pub const SAMPLES: usize = 3;

/// Everything counted in one window. Indexes are those of the plan.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// By endpoint.
    pub endpoints: Vec<Split<Tally>>,
    /// By custom metric.
    pub metrics: Vec<Split<MetricTally>>,
    /// By task, over the whole run.
    pub tasks: Vec<TaskTally>,
    /// Of users that began.
    pub starts: StartTally,
    /// Of the generator.
    pub health: HealthTally,
    /// Cut off at the end of the drain: neither ok nor failed.
    pub unfinished: u64,
    /// The most virtual users at once in the window.
    pub users: u64,
    /// A few messages, by endpoint and kind.
    pub samples: BTreeMap<(usize, FailureKind), Vec<String>>,
}

impl Recording {
    /// An empty recording for a plan of so many endpoints, metrics and tasks.
    pub fn new(endpoints: usize, metrics: usize, tasks: usize) -> Self {
        Self {
            endpoints: vec![Split::default(); endpoints],
            metrics: vec![Split::default(); metrics],
            tasks: vec![TaskTally::default(); tasks],
            ..Self::default()
        }
    }

    /// Whether there are few messages of failures of a kind.
    pub fn wants_sample(&self, endpoint: usize, kind: FailureKind) -> bool {
        self.samples.get(&(endpoint, kind)).is_none_or(|messages| messages.len() < SAMPLES)
    }

    /// Keeps the message of a failure if there are few of its kind; each text once. One without a message was not wanted
    /// when it was made.
    pub fn sample(&mut self, endpoint: usize, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let messages = self.samples.entry((endpoint, failure.kind)).or_default();
        if messages.len() < SAMPLES && !messages.contains(&failure.message) {
            messages.push(failure.message.clone());
        }
    }

    /// Adds all of another worker's window, or of a later one.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.endpoints.iter_mut().zip(&other.endpoints) {
            ours.steady.merge(&theirs.steady);
            ours.rest.merge(&theirs.rest);
        }
        for (ours, theirs) in self.metrics.iter_mut().zip(&other.metrics) {
            ours.steady.merge(&theirs.steady);
            ours.rest.merge(&theirs.rest);
        }
        for (ours, theirs) in self.tasks.iter_mut().zip(&other.tasks) {
            ours.iterations += theirs.iterations;
            ours.skipped += theirs.skipped;
            ours.failed += theirs.failed;
        }
        self.starts.begun += other.starts.begun;
        self.starts.never_ready += other.starts.never_ready;
        self.health.merge(&other.health);
        self.unfinished += other.unfinished;
        self.users += other.users;
        for (key, messages) in &other.samples {
            for message in messages {
                self.sample(key.0, &Failure { kind: key.1, message: message.clone() });
            }
        }
    }
}

impl MetricTally {
    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.response.merge(&other.response);
    }
}

impl HealthTally {
    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.lag.merge(&other.lag);
        self.due += other.due;
        self.started += other.started;
        self.exhausted += other.exhausted;
        self.wake.steady.merge(&other.wake.steady);
        self.wake.rest.merge(&other.wake.rest);
        other.standstills.iter().for_each(|stretch| self.stood_still(*stretch));
    }

    /// A worker stood still.
    pub fn stood_still(&mut self, stretch: Span) {
        if self.standstills.len() < MOST_STANDSTILLS {
            self.standstills.push(stretch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_messages_of_a_kind_are_wanted_and_none_without_words() {
        let mut recording = Recording::default();
        let failure = |text: &str| Failure { kind: FailureKind::Status, message: text.into() };
        recording.sample(0, &failure(""));
        assert!(recording.samples.is_empty());
        for index in 0..SAMPLES {
            assert!(recording.wants_sample(0, FailureKind::Status));
            recording.sample(0, &failure(&index.to_string()));
        }
        assert!(!recording.wants_sample(0, FailureKind::Status));
        assert!(
            recording.wants_sample(0, FailureKind::Timeout) && recording.wants_sample(1, FailureKind::Status)
        );
    }
}
