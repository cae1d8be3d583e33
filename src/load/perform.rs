//! Performing steps: the one place where what the plan says becomes something done.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::{Duration, Instant};

use minijinja::Value;

use super::measure::outcome::{Failure, FailureKind};
use super::measure::recorder::Recorder;
use super::pacing;
use super::protocol::response::Response;
use super::protocol::websocket::Socket;
use super::trace::{Event, Journal};
use super::virtual_user::VirtualUser;
use super::worker::{Worker, first_endpoint};
use crate::clock;
use crate::plan::step::{Action, Capture, CaptureMode, EndpointId, MetricId, OnFailure, Step, Visibility};
use crate::plan::user::Wait;
use crate::template::{JsonTemplate, RenderError, Slot, json_value};

/// Why steps did not run to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// One of them failed; it has been counted.
    Failed,
    /// The load does not want this user any more.
    Stopped,
    /// A pause would go on for longer than the load wants this user.
    Paused,
}

/// An open WebSocket, and what it is counted under.
pub struct SocketInUse {
    /// The socket.
    pub socket: Socket,
    /// Its endpoint.
    pub endpoint: EndpointId,
    /// Whether a step has closed it.
    pub closed: bool,
    /// Whether it has been counted that it closed when nobody wanted it to.
    pub lost: bool,
}

/// What failed of all that a user did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failures {
    /// How much.
    count: u64,
    /// The last of it.
    last: Option<FailureKind>,
}

impl Failures {
    /// Something failed.
    pub(super) fn note(&mut self, kind: FailureKind) {
        self.count += 1;
        self.last = Some(kind);
    }
}

/// A future of a step that holds others.
type Nested<'a> = Pin<Box<dyn Future<Output = Result<(), End>> + 'a>>;

impl VirtualUser {
    /// Whether the condition of the first step holds: if not, the whole task is skipped.
    pub(super) fn applies(&mut self, steps: &[Step]) -> Result<bool, End> {
        self.is_at(steps);
        match steps.first() {
            Some(step) => self.condition(step),
            None => Ok(true),
        }
    }

    /// Performs steps in order.
    pub(super) fn perform<'a>(&'a mut self, steps: &'a [Step]) -> Nested<'a> {
        self.perform_from(steps, 0)
    }

    /// Performs steps in order; the conditions of the first `checked` are known to hold.
    pub(super) fn perform_from<'a>(&'a mut self, steps: &'a [Step], checked: usize) -> Nested<'a> {
        Box::pin(async move {
            for (index, step) in steps.iter().enumerate() {
                if !self.wanted() {
                    return Err(End::Stopped);
                }
                self.is_at(&steps[index..]);
                if index >= checked && !self.condition(step)? {
                    continue;
                }
                let outer = self.next;
                self.next = first_endpoint(&steps[index + 1..]).or(outer);
                let ended = self.act(&step.action).await;
                self.next = outer;
                match (ended, step.on_failure) {
                    (Ok(()), _) | (Err(End::Failed), OnFailure::Continue) => {}
                    (Err(end), _) => return Err(end),
                }
            }
            Ok(())
        })
    }

    /// Counts a custom metric whose step failed. What timed out took at least the time until now; what failed
    /// otherwise would have taken nobody knows how long.
    pub(super) fn record_failed(&self, metric: Option<MetricId>, begun: Instant) {
        let Some(metric) = metric else { return };
        let mut recorder = self.worker.recorder.borrow_mut();
        match self.failures.last {
            Some(FailureKind::Timeout | FailureKind::MissingMessage) => {
                recorder.metric_at_least(metric, begun, begun.elapsed());
            }
            _ => recorder.metric_failed(metric, begun),
        }
    }

    /// It has got to the first of these steps.
    fn is_at(&mut self, steps: &[Step]) {
        self.place = first_endpoint(steps).or(self.next).or(self.place);
    }

    /// Counts a failure that is no request's own: of an endpoint, else of the innermost socket, else of the request that
    /// it keeps from being made. Counted nowhere, it would let a run pass that made no such request.
    pub(super) fn fail(&mut self, endpoint: Option<EndpointId>, failure: &Failure) -> End {
        let endpoint = endpoint.or(self.sockets.last().map(|open| open.endpoint)).or(self.place);
        let failure = &self.masked(endpoint, failure.clone());
        self.worker.journal.note(|| Event::Failure(failure.clone()));
        self.failures.note(failure.kind);
        if let Some(endpoint) = endpoint {
            self.worker.recorder.borrow_mut().failure(endpoint, failure, clock::now());
        }
        End::Failed
    }

    /// A failure whose message has nothing of what this user captured as a secret. One of an endpoint of which enough
    /// messages are kept has no message, and costs nothing.
    pub(super) fn masked(&mut self, endpoint: Option<EndpointId>, failure: Failure) -> Failure {
        let Some(masking) = &mut self.masking else { return failure };
        if let Some(masked) = masking.masked_before(&failure) {
            return masked;
        }
        let recorder = &self.worker.recorder;
        let is_kept = endpoint.is_some_and(|endpoint| recorder.borrow().wants(endpoint, failure.kind));
        if is_kept || self.worker.journal.is_kept() {
            masking.mask(&self.worker.budget, failure)
        } else {
            Failure { message: String::new(), kind: failure.kind }
        }
    }

    /// Keeps what captures ask for of a response or a message.
    pub(super) fn capture(&mut self, response: &Response, captures: &[Capture]) -> Result<(), Failure> {
        captures.iter().try_for_each(|capture| {
            let value = response.capture(capture)?;
            match capture.mode {
                CaptureMode::Set => {
                    self.kept.set(&self.worker.budget, capture.slot, &value)?;
                    self.scope.set(capture.slot, value);
                }
                CaptureMode::Append => {
                    self.kept.append(&self.worker.budget, capture.slot, &value)?;
                    self.scope.append(capture.slot, value);
                }
            }
            Ok(())
        })
    }

    /// Learns what captures take from a response or message as secrets, before anything is said about it.
    pub(super) fn learn_secrets(&mut self, captures: &[Capture], response: &Response) -> Result<(), Failure> {
        if !captures.iter().any(|capture| capture.visibility == Visibility::Secret) {
            return Ok(());
        }
        let (worker, secrets) = (&self.worker, response.secrets(captures));
        let has_room = |bytes| worker.remembered.borrow_mut().grow(&worker.budget, bytes);
        worker.plan.secrets.remember(&secrets, has_room);
        self.masking.get_or_insert_default().learn(&worker.budget, secrets)
    }

    /// Counts a custom metric.
    pub(super) fn record(&self, metric: Option<MetricId>, begun: Instant, time: Duration) {
        if let Some(metric) = metric {
            self.worker.recorder.borrow_mut().metric(metric, begun, time);
        }
    }

    fn condition(&mut self, step: &Step) -> Result<bool, End> {
        let Some(when) = &step.when else { return Ok(true) };
        when.holds(&self.scope).map_err(|error| {
            let endpoint = first_endpoint(std::slice::from_ref(step));
            self.fail(endpoint, &unrendered(&error))
        })
    }

    async fn act(&mut self, action: &Action) -> Result<(), End> {
        // Whatever the user does, the open sockets are listened to.
        let lines = self.lines.clone();
        match action {
            // Most users have none, and make nothing but requests.
            Action::Request(request) if lines.is_empty() => self.request(request).await,
            Action::Request(request) => lines.attend(pin!(self.request(request))).await,
            Action::WebSocket(websocket) => Box::pin(self.websocket(websocket)).await,
            Action::Repeat { times, steps } => self.repeat(*times, steps).await,
            Action::Group { metric, steps } => self.group(*metric, steps).await,
            Action::Run(steps) => self.perform(steps).await,
            Action::Set(values) => self.set(values),
            Action::Wait(wait) => lines.attend(pin!(self.wait(wait))).await,
            Action::Send(message) => lines.attend(pin!(self.send(message))).await,
            Action::Receive(receive) => lines.attend(pin!(self.receive(receive))).await,
            Action::Ping => lines.attend(pin!(self.ping())).await,
            Action::Hold(time) => lines.attend(pin!(self.hold(*time))).await,
            Action::Close { code, reason } => lines.attend(pin!(self.close(*code, reason))).await,
        }
    }

    async fn repeat(&mut self, times: u32, steps: &[Step]) -> Result<(), End> {
        let index = self.worker.plan.builtin.index;
        let outer = self.scope.get("index").unwrap_or(Value::UNDEFINED);
        let mut ended = Ok(());
        let (next, begin) = (self.next, first_endpoint(steps));
        for round in 0..times {
            self.scope.set(index, Value::from(round));
            self.next = if round + 1 < times { begin.or(next) } else { next };
            ended = self.perform(steps).await;
            if ended.is_err() {
                break;
            }
        }
        self.scope.set(index, outer);
        ended
    }

    async fn group(&mut self, metric: MetricId, steps: &[Step]) -> Result<(), End> {
        let (begun, before, unpacking) = (clock::now(), self.failures.count, self.unpacking);
        let timed = Timed::begin(self, metric, begun);
        let ended = self.perform(steps).await;
        timed.end(ended);
        let time = begun.elapsed().saturating_sub(self.unpacking.saturating_sub(unpacking));
        match ended {
            Ok(()) if self.failures.count == before => self.record(Some(metric), begun, time),
            // A step failed, and was passed over by `on_failure: continue`: done properly, it may take longer.
            Ok(()) => {
                self.worker.recorder.borrow_mut().metric_at_least(metric, begun, time);
            }
            Err(End::Failed) => self.record_failed(Some(metric), begun),
            Err(End::Stopped | End::Paused) => {}
        }
        ended
    }

    fn set(&mut self, values: &[(Slot, JsonTemplate)]) -> Result<(), End> {
        for (slot, template) in values {
            let value = self.made(*slot, template).map_err(|failure| {
                self.fail(None, &Failure::new(failure.kind, format!("`set`: {}", failure.message)))
            })?;
            self.scope.set(*slot, value);
        }
        Ok(())
    }

    /// The value of a variable from now on.
    fn made(&mut self, slot: Slot, template: &JsonTemplate) -> Result<Value, Failure> {
        let json = template.render(&self.scope).map_err(|error| unrendered(&error))?;
        let value = json_value(&json).map_err(|error| {
            Failure::new(FailureKind::Capture, format!("what it makes is no JSON: {error}"))
        })?;
        self.kept.set(&self.worker.budget, slot, &value)?;
        Ok(value)
    }

    async fn wait(&mut self, wait: &Wait) -> Result<(), End> {
        let pause = pacing::pause(wait, &mut self.random);
        // What comes after a pause is due when the pause ends.
        self.due = None;
        if self.pause_until(clock::now() + pause).await { Ok(()) } else { Err(End::Paused) }
    }
}

/// A failure to render is a failure of kind capture: something that should be there is not.
pub(super) fn unrendered(error: &RenderError) -> Failure {
    Failure::new(FailureKind::Capture, error.to_string())
}

/// Something that a custom metric times. What the end of the run cuts off took at least as long as it went on: without it
/// the metric would be about those alone that were quick enough.
pub(super) struct Timed {
    worker: Rc<Worker>,
    metric: MetricId,
    begun: Instant,
    counts: CutOff,
    /// Until when the load wants its user, as far as is known when it begins.
    until: Instant,
    pausing: Rc<Cell<bool>>,
}

/// Whether something counts when the end of the run cuts it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutOff {
    /// It does.
    Counts,
    /// It does where it has taken longer by then than an objective allows. Iterations have no time to end, so that every
    /// user stops in the middle of one, which says nothing; that it takes too long is known.
    CountsIfTooLong,
    /// It does not.
    IsNothing,
}

impl Timed {
    /// It begins, or has begun at this moment. What begins after the load is not measured.
    pub(super) fn begin(user: &VirtualUser, metric: MetricId, begun: Instant) -> Self {
        let counts = match (user.is_in_load(begun), user.has_time_to_end()) {
            (false, _) => CutOff::IsNothing,
            (true, true) => CutOff::Counts,
            (true, false) => CutOff::CountsIfTooLong,
        };
        let (worker, until, pausing) = (user.worker.clone(), user.load_until(), user.pausing.clone());
        Self { worker, metric, begun, counts, until, pausing }
    }

    /// It has ended, and is counted otherwise, unless it was stopped.
    pub(super) fn end(mut self, ended: Result<(), End>) {
        if ended != Err(End::Stopped) {
            self.counts = CutOff::IsNothing;
        }
    }

    /// Whether it got the time that the plan gives it: a run that is interrupted gives nothing its time. A user that
    /// sees that it cannot end in time stops before the worker knows that it is time.
    fn had_time(&self) -> bool {
        self.worker.gave_time.get() || clock::now() >= self.until
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        // How long a pause of the plan takes is known.
        if self.counts == CutOff::IsNothing || self.pausing.get() {
            return;
        }
        let time = clock::now().saturating_duration_since(self.begun);
        let plan = &self.worker.plan;
        let counts = self.counts == CutOff::Counts && self.had_time();
        if counts || plan.rules.is_too_long(&plan.metrics[self.metric.0], time) {
            self.worker.recorder.borrow_mut().metric_at_least(self.metric, self.begun, time);
        }
    }
}

/// A request on its way. Dropped before it is counted, it was cut off, and is counted so.
pub(super) struct InFlight {
    worker: Rc<Worker>,
    endpoint: EndpointId,
    due: Instant,
    /// When its response was there, if it was.
    answered: Option<Instant>,
    counted: bool,
}

impl InFlight {
    /// A request begins that was due at this moment.
    pub(super) fn begin(worker: &Rc<Worker>, endpoint: EndpointId, due: Instant) -> Self {
        Self { worker: worker.clone(), endpoint, due, answered: None, counted: false }
    }

    /// Its response was there at this moment. What is made of the response may take long, and is not its time.
    pub(super) fn answered_at(&mut self, finished: Instant) {
        self.answered = Some(finished);
    }

    /// It has ended: count it.
    pub(super) fn end(&mut self, count: impl FnOnce(&mut Recorder, &Journal)) {
        self.counted = true;
        count(&mut self.worker.recorder.borrow_mut(), &self.worker.journal);
    }

    pub(super) fn is_counted(&self) -> bool {
        self.counted
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.counted {
            let until = self.answered.unwrap_or_else(clock::now);
            let time = until.saturating_duration_since(self.due);
            self.worker.recorder.borrow_mut().unfinished(self.endpoint, self.due, time);
        }
    }
}
