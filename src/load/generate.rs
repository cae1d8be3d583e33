//! One run from start to end: the plan's own load in windows of a second. No window lies in two phases:
//! one that would is cut where the steady phase begins or ends.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::LoadError;
use super::health::Watch;
use super::machine::{Monitor, Reading, Service};
use super::measure::recording::Recording;
use super::measure::run::{Health, RunData, Series, Whose, Window, WindowSummary};
use super::observer::{Observer, Wish};
use super::session::Session;
use super::shutdown::Interruption;
use crate::clock;
use crate::plan::Plan;
use crate::plan::load::{Load, Model, Phase};

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(1);

/// What ends a load before its time, other than an observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked for it.
    Interrupted(Interruption),
    /// The command that is measured is no more: what is sent from now on says nothing.
    TargetEnded,
}

/// Where the load goes, and which processes of this machine that is.
#[derive(Debug, Clone)]
pub struct Aim {
    /// The address.
    pub url: url::Url,
    /// Who is there.
    pub service: Service,
}

/// Puts the plan's load on a target until it is over, the observer stops it, or `stopped` ends.
pub async fn generate(
    plan: &Arc<Plan>,
    aim: Aim,
    observer: &mut dyn Observer,
    stopped: impl Future<Output = Stop>,
) -> Result<RunData, LoadError> {
    let cores = workers(plan);
    let mut watch = Watch::begin();
    let mut monitor = Monitor::begin(&aim.service);
    let mut session = Session::start(plan.clone(), &aim.url, cores)?;
    let mut run = Run::begin(plan);
    tokio::pin!(stopped);
    let stop = loop {
        let Some(length) = run.next_length() else { break None };
        tokio::select! {
            biased;
            stop = &mut stopped => break Some(stop),
            recording = session.window(length) => {
                let recording = recording?;
                let window = run.window(&recording, length, monitor.look());
                run.add(&window, &recording);
                if observer.window(&window, &recording) == Wish::Stop {
                    break None;
                }
            }
        }
    };
    run.cut_at(session.origin().elapsed());
    watch.load_over();
    let whose = Whose {
        unknown: monitor.unknown(),
        location: monitor.location(),
        shares_group: monitor.shares_group(),
    };
    drop(monitor);
    let drain = if stop.is_none() { plan.load.drain } else { Duration::ZERO };
    let rest = session.stop(drain).await?;
    observer.drained(&rest);
    let health = |total: &Recording, windows: &[Window]| watch.end(total, windows, cores);
    let interrupted = match stop {
        Some(Stop::Interrupted(interruption)) => Some(interruption),
        Some(Stop::TargetEnded) | None => None,
    };
    Ok(RunData { interrupted, whose, ..run.end(&rest, health) })
}

/// One worker per core this process may use, and no more than there are users to share out.
pub fn workers(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.min(users(plan)).max(1)
}

/// The most users there are at once.
pub fn users(plan: &Plan) -> usize {
    match plan.load.model {
        Model::Closed => plan.load.shape.peak().ceil() as usize,
        Model::Open { max_users, .. } => max_users,
    }
}

/// A run in progress.
struct Run<'a> {
    load: &'a Load,
    started_at: jiff::Timestamp,
    total: Recording,
    series: Series,
    at: Duration,
    edges: Vec<Duration>,
}

impl<'a> Run<'a> {
    fn begin(plan: &'a Plan) -> Self {
        let total = Recording::new(plan.endpoints.len(), plan.metrics.len(), plan.tasks.len());
        Self {
            load: &plan.load,
            started_at: clock::now_utc(),
            total,
            series: Series::of(plan.endpoints.iter().map(|it| it.name.as_str())),
            at: Duration::ZERO,
            edges: edges(&plan.load),
        }
    }

    /// The length of the next window; none where the load is over.
    fn next_length(&self) -> Option<Duration> {
        let edge = self.edges.iter().find(|edge| **edge > self.at)?;
        Some(edge.saturating_sub(self.at).min(WINDOW))
    }

    /// What was counted in the next stretch, and how the machine was meanwhile.
    fn window(&self, recording: &Recording, length: Duration, machine: Reading) -> Window {
        let phase = self.load.phase(self.at + length / 2);
        Window { machine: Some(machine), ..self.plain(recording, length, phase) }
    }

    fn add(&mut self, window: &Window, recording: &Recording) {
        self.series.push(window, recording);
        self.total.merge(recording);
        self.at += window.length;
    }

    /// The load ended so long after its start, perhaps before its time.
    fn cut_at(&mut self, elapsed: Duration) {
        self.at = elapsed.min(self.load.shape.duration());
    }

    fn end(mut self, rest: &Recording, health: impl Fn(&Recording, &[Window]) -> Health) -> RunData {
        self.total.merge(rest);
        let counted = rest.endpoints.iter().any(|split| split.steady.total() + split.rest.total() > 0);
        if counted {
            let window = self.plain(rest, WINDOW, Phase::Drain);
            self.series.push(&window, rest);
        } else {
            self.series.look_back(rest);
        }
        let steady =
            self.load.steady().into_iter().map(|span| span.end.min(self.at).saturating_sub(span.start)).sum();
        let windows = self.series.finish();
        RunData {
            started_at: self.started_at,
            health: health(&self.total, &windows),
            total: self.total,
            windows,
            steady,
            duration: self.at,
            interrupted: None,
            whose: Whose::default(),
        }
    }

    fn plain(&self, recording: &Recording, length: Duration, phase: Phase) -> Window {
        let recording_summary = WindowSummary::of(recording);
        Window { at: self.at, length, phase, users: recording.users, recording_summary, machine: None }
    }
}

/// Where no window may reach across: the ends of the steady spans, and of the load itself.
fn edges(load: &Load) -> Vec<Duration> {
    let mut edges: Vec<_> = load.steady().into_iter().flat_map(|span| [span.start, span.end]).collect();
    edges.push(load.shape.duration());
    edges.sort_unstable();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::load::{Segment, Shape, StopAfter};

    fn lengths_ms(segments: &[(f64, f64, u64)], warmup: Duration) -> Vec<u128> {
        let segment = |(from, to, ms): &(f64, f64, u64)| Segment {
            over: Duration::from_millis(*ms),
            from: *from,
            to: *to,
        };
        let shape = Shape(segments.iter().map(segment).collect());
        let load =
            Load { model: Model::Closed, shape, warmup, drain: Duration::ZERO, stop: StopAfter::default() };
        let edges = edges(&load);
        let mut run = Run {
            load: &load,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            total: Recording::default(),
            series: Series::default(),
            at: Duration::ZERO,
            edges,
        };
        let mut lengths = Vec::new();
        while let Some(length) = run.next_length() {
            lengths.push(length.as_millis());
            run.at += length;
        }
        lengths
    }

    #[test]
    fn a_window_ends_where_the_steady_phase_begins_or_ends() {
        let none = Duration::ZERO;
        assert_eq!(lengths_ms(&[(5.0, 5.0, 2_500)], none), [1_000, 1_000, 500]);
        // A ramp of 1.25 s: the steady phase has whole seconds of its own.
        let ramp = [(0.0, 5.0, 1_250), (5.0, 5.0, 2_000)];
        assert_eq!(lengths_ms(&ramp, none), [1_000, 250, 1_000, 1_000]);
        assert_eq!(lengths_ms(&ramp, Duration::from_millis(500)), [1_000, 750, 1_000, 500]);
        let stairs = [(1.0, 1.0, 1_500), (2.0, 2.0, 1_500)];
        assert_eq!(lengths_ms(&stairs, none), [1_000, 500, 1_000, 500]);
        assert_eq!(lengths_ms(&[], none), [0; 0]);
    }
}
