//! Looks on while the load runs: collects the windows that objectives must hold in, and stops the run when
//! one is broken that says so. Keeps only what such objectives need; without any it keeps nothing. Pure:
//! what it is handed is all it knows. The verdict is made later, of the result.

mod count;
mod points;
mod so_far;
mod windowed;

use std::time::Duration;

use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::load::{Observer, Wish};
use crate::plan::Plan;
use crate::plan::load::Span;
use crate::plan::rules::{Applies, Objective};
use crate::result::schema::RunResult;
use crate::result::window::{Aborted, WindowPoint};

use super::objective;
use so_far::SoFar;
use windowed::Windowed;

/// Watches the objectives of a plan.
#[derive(Debug, Clone)]
pub struct Watch {
    steady: Vec<Span>,
    end: Duration,
    windowed: Vec<Windowed>,
    so_far: Vec<SoFar>,
    aborted: Option<Aborted>,
}

impl Watch {
    /// A watch over the objectives that cannot wait for the end.
    pub fn over(plan: &Plan) -> Self {
        let here = || plan.rules.objectives.iter().filter(|objective| objective.applies == Applies::Here);
        let windowed: Vec<_> = here().filter_map(|objective| Windowed::over(objective, plan)).collect();
        let objectives = windowed.len();
        Self {
            steady: plan.load.steady(),
            end: plan.load.shape.duration(),
            windowed: windowed.into_iter().map(|it| it.one_of(objectives)).collect(),
            so_far: here().filter_map(|objective| SoFar::over(objective, plan)).collect(),
            aborted: None,
        }
    }

    /// The result with what was seen.
    pub fn complete(self, result: RunResult) -> RunResult {
        let windows = self.windowed.into_iter().map(Windowed::series).collect();
        RunResult { windows, aborted: self.aborted, ..result }
    }

    /// The first objective that stops the run at this moment, if any.
    fn breach(&mut self, now: Duration) -> Option<Aborted> {
        let windowed = self.windowed.iter().find_map(|windowed| windowed.breach(now));
        windowed.or_else(|| self.so_far.iter_mut().find_map(|so_far| so_far.breach(now)))
    }
}

impl Observer for Watch {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        let span = self.steady.iter().position(|span| span.start <= window.at && window.at < span.end);
        for windowed in &mut self.windowed {
            windowed.add(window, span, recording);
        }
        for so_far in &mut self.so_far {
            so_far.add(window, recording);
        }
        let now = window.at + window.length;
        // At the end there is nothing left to stop.
        if self.aborted.is_none() && now < self.end {
            self.aborted = self.breach(now);
        }
        if self.aborted.is_some() { Wish::Stop } else { Wish::Continue }
    }
}

/// The objective whose value `point` is, as what stopped the run.
fn aborted(objective: &Objective, now: Duration, point: WindowPoint) -> Option<Aborted> {
    let (scope, endpoint) = objective::place(&objective.scope);
    Some(Aborted {
        scope,
        endpoint,
        metric: objective.metric.name().to_owned(),
        length_s: objective.window.map(|length| length.as_secs()),
        limit: objective.limit,
        at_s: now.as_secs_f64(),
        value: point.value?,
        n: point.n,
        above: point.above,
        unanswered: point.unanswered,
    })
}

#[cfg(test)]
mod tests;
