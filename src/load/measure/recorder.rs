//! One recorder per worker: nothing on the path of a request is shared between workers.

use std::time::{Duration, Instant};

use super::outcome::{Failure, FailureKind};
use super::phases::Phases;
use super::recording::{Recording, StartTally, Tally};
use super::sample::Sample;
use crate::plan::Plan;
use crate::plan::step::{EndpointId, MetricId};
use crate::plan::user::TaskId;

/// Counts what one worker does, window by window.
#[derive(Debug)]
pub struct Recorder {
    sizes: [usize; 3],
    phases: Phases,
    recording: Recording,
}

impl Recorder {
    /// An empty recorder for a plan.
    pub fn new(plan: &Plan, phases: Phases) -> Self {
        let sizes = [plan.endpoints.len(), plan.metrics.len(), plan.tasks.len()];
        Self { sizes, phases, recording: Recording::new(sizes[0], sizes[1], sizes[2]) }
    }

    /// A load begins: from now on its phases count.
    pub fn begin(&mut self, phases: Phases) {
        self.phases = phases;
    }

    /// Hands over what was counted since the last time.
    pub fn take(&mut self) -> Recording {
        let [endpoints, metrics, tasks] = self.sizes;
        std::mem::replace(&mut self.recording, Recording::new(endpoints, metrics, tasks))
    }

    /// Counts an ended request.
    pub fn sample(&mut self, sample: &Sample) {
        let tally = self.tally(sample.endpoint, sample.scheduled);
        count_times(tally, sample);
        tally.bytes_in += sample.traffic.bytes_in;
        tally.bytes_out += sample.traffic.bytes_out;
        tally.retried_on_close += sample.retries.on_close;
        tally.retried_on_refusal += sample.retries.on_refusal;
        match &sample.outcome {
            Ok(()) => tally.ok += 1,
            Err(failure) => self.failure(sample.endpoint, failure, sample.scheduled),
        }
    }

    /// Counts a failure that has no time of its own.
    pub fn failure(&mut self, endpoint: EndpointId, failure: &Failure, due: Instant) {
        self.tally(endpoint, due).failed[failure.kind.index()] += 1;
        self.recording.sample(endpoint.0, failure);
    }

    /// Whether another message of a failure would be kept.
    pub fn wants(&self, endpoint: EndpointId, kind: FailureKind) -> bool {
        self.recording.wants_sample(endpoint.0, kind)
    }

    /// What a WebSocket endpoint counts beside its connects, at a moment.
    pub fn tally(&mut self, endpoint: EndpointId, at: Instant) -> &mut Tally {
        let phase = self.phases.of(at);
        self.recording.endpoints[endpoint.0].of(phase)
    }

    /// Counts a custom metric.
    pub fn metric(&mut self, metric: MetricId, begun: Instant, time: Duration) {
        let phase = self.phases.of(begun);
        let tally = self.recording.metrics[metric.0].of(phase);
        tally.ok += 1;
        tally.response.record(time);
    }

    /// Counts a custom metric that took at least this long: something in it timed out.
    pub fn metric_at_least(&mut self, metric: MetricId, begun: Instant, time: Duration) {
        let phase = self.phases.of(begun);
        self.recording.metrics[metric.0].of(phase).response.record_at_least(time);
    }

    /// Counts a custom metric that has no time: something in it failed.
    pub fn metric_failed(&mut self, metric: MetricId, begun: Instant) {
        let phase = self.phases.of(begun);
        self.recording.metrics[metric.0].of(phase).failed += 1;
    }

    /// Counts an iteration.
    pub fn iteration(&mut self, task: TaskId, ended: Iteration) {
        let tally = &mut self.recording.tasks[task.0];
        match ended {
            Iteration::Skipped => tally.skipped += 1,
            Iteration::Done | Iteration::Stopped => tally.iterations += 1,
            Iteration::Failed => {
                tally.iterations += 1;
                tally.failed += 1;
            }
        }
    }

    /// Whether most of a stretch of the steady phase lies between two moments; of one that the second of them ends,
    /// most of what there is.
    pub fn most_of_a_stretch(&self, from: Instant, until: Instant) -> bool {
        self.phases.most_of_a_stretch(from, until)
    }

    /// What is counted of users that begin.
    pub fn starts(&mut self) -> &mut StartTally {
        &mut self.recording.starts
    }

    /// Counts an iteration; one that a schedule wanted, and that had a free user, was so late.
    pub fn started(&mut self, lag: Option<Duration>) {
        self.recording.health.due += 1;
        self.recording.health.started += 1;
        if let Some(lag) = lag {
            self.recording.health.lag.record(lag);
        }
    }

    /// Counts an arrival that was due and never began because the generator was late: how long it would have taken,
    /// nobody knows. So it counts under the endpoint that it would have hit first, as everything does that is due.
    pub fn not_started(&mut self, endpoint: Option<EndpointId>, due: Instant) {
        self.recording.health.due += 1;
        if let Some(endpoint) = endpoint {
            self.tally(endpoint, due).not_started += 1;
        }
    }

    /// Counts a request that was cut off so long after it was due.
    pub fn unfinished(&mut self, endpoint: EndpointId, due: Instant, time: Duration) {
        self.recording.unfinished += 1;
        self.tally(endpoint, due).unfinished.record(time);
    }

    /// Counts a time that descriptors or ports ran out.
    pub fn exhausted(&mut self) {
        self.recording.health.exhausted += 1;
    }

    /// There are so many users now; a window keeps the most it has seen.
    pub fn users(&mut self, users: u64) {
        self.recording.users = self.recording.users.max(users);
    }

    /// The worker stood still from one moment to another.
    pub fn stood_still(&mut self, from: Instant, to: Instant) {
        let stretch = self.phases.span(from, to);
        self.recording.health.stood_still(stretch);
    }
}

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iteration {
    /// Its first condition did not hold.
    Skipped,
    /// All of it ran.
    Done,
    /// A failed step ended it.
    Failed,
    /// The load ceased to want its user before it had run.
    Stopped,
}

/// Judged times hold every success, and every timeout as a lower bound. Other failures are kept apart: a fast
/// error must not improve a percentile.
fn count_times(tally: &mut Tally, sample: &Sample) {
    let (response, service) = (sample.response_time(), sample.service_time());
    match &sample.outcome {
        Ok(()) => {
            tally.response.record(response);
            tally.service.record(service);
        }
        Err(failure) if failure.kind == FailureKind::Timeout => {
            tally.response.record_at_least(response);
            tally.service.record_at_least(service);
        }
        Err(_) => tally.failed_response.record(response),
    }
    for (times, phase) in [
        (&mut tally.dns, sample.phases.dns),
        (&mut tally.connect, sample.phases.connect),
        (&mut tally.tls, sample.phases.tls),
        (&mut tally.first_byte, sample.phases.first_byte),
    ] {
        if let Some(time) = phase {
            times.record(time);
        }
    }
}
