//! One user of every class, once through every task: what a scenario really sends and gets.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::LoadError;
use super::arrivals::Share;
use super::control::Assignment;
use super::measure::outcome::Failure;
use super::measure::recorder::Iteration;
use super::measure::sample::Sample;
use super::memory::Budget;
use super::pool::Pool;
use super::tls::Trust;
use super::virtual_user::VirtualUser;
use super::worker::{self, Setup, Worker};
use crate::clock;
use crate::plan::Plan;
use crate::plan::load::{Load, Model, Shape, StopAfter};
use crate::plan::user::TaskId;

/// The longest a trace may take.
const LONGEST: Duration = Duration::from_mins(10);

/// Something that happened, in order.
#[derive(Debug)]
pub enum Event {
    /// A task of a class begins.
    Task(TaskId),
    /// A request or a WebSocket connect ended.
    Exchange(Box<Traced>),
    /// Something else failed: a message that did not come, a template without a value.
    Failure(Failure),
    /// The task ended.
    Ended(Iteration),
}

/// A request as it was sent, and what came of it.
#[derive(Debug)]
pub struct Traced {
    /// `GET http://host/path`.
    pub line: String,
    /// The beginning of the request body.
    pub sent: String,
    /// The status, where there was a response.
    pub status: Option<u16>,
    /// The beginning of the response body.
    pub received: String,
    /// How long it took.
    pub time: Duration,
    /// Why it failed, where it did.
    pub failure: Option<Failure>,
}

impl Traced {
    /// A request that could not be made.
    pub fn unsent(sample: &Sample) -> Self {
        Self {
            line: "not sent".into(),
            sent: String::new(),
            status: None,
            received: String::new(),
            time: Duration::ZERO,
            failure: sample.outcome.as_ref().err().cloned(),
        }
    }
}

/// Where a traced worker writes what happens; nowhere for all others.
#[derive(Debug, Default)]
pub struct Journal(Option<RefCell<Vec<Event>>>);

impl Journal {
    /// A journal that keeps everything.
    fn kept() -> Self {
        Self(Some(RefCell::default()))
    }

    /// Whether anything is written.
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Writes what `event` makes, if this journal is kept.
    pub fn note(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = &self.0 {
            events.borrow_mut().push(event());
        }
    }

    fn take(&self) -> Vec<Event> {
        self.0.as_ref().map(RefCell::take).unwrap_or_default()
    }
}

/// Runs one user of every class: `on_start`, then every task of its class once, in order.
pub fn trace(plan: &Arc<Plan>, target: &url::Url) -> Result<Vec<Event>, LoadError> {
    let runtime = worker::runtime()?;
    runtime.block_on(async {
        let load = Load {
            model: Model::Closed,
            shape: Shape::constant_at(1.0, LONGEST),
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            stop: StopAfter::Request,
        };
        let (pool, _) = Pool::new(plan.classes.len(), plan.data.len(), 1);
        let setup = Setup {
            plan: plan.clone(),
            target: target.clone(),
            share: Share { worker: 0, of: 1 },
            assignment: Assignment { generation: 0, load, origin: clock::now() },
            trust: Arc::new(Trust::of(plan.clone())),
            identifiers: worker::identifiers(plan)?,
            pool,
            budget: Budget::of(plan.limits.max_memory),
        };
        let worker = Rc::new(Worker::new(setup, Journal::kept())?);
        let traced = async {
            for class in 0..plan.classes.len() {
                VirtualUser::new(worker.clone(), class, class, class as u64)
                    .trace(worker.control.current().end())
                    .await;
            }
        };
        tokio::select! {
            biased;
            error = worker.failed() => Err(error),
            traced = AssertUnwindSafe(traced).catch_unwind() => {
                traced.map_err(|payload| LoadError::of_panic(&*payload))
            }
        }?;
        Ok(worker.journal.take())
    })
}
