//! An objective that must hold in every window: its values, one complete window after the other. Windows
//! begin where a stretch of the steady phase does; what is left over at its end is no window.

use std::time::Duration;

use crate::gate::decision::CutOff;
use crate::gate::looks;
use crate::gate::objective;
use crate::gate::windows::decide_point;
use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::plan::Plan;
use crate::plan::load::Span;
use crate::plan::rules::Objective;
use crate::result::verdict::CheckStatus;
use crate::result::window::{Aborted, WindowPoint, WindowSeries};

use super::count::Count;
use super::points;

/// One such objective.
#[derive(Debug, Clone)]
pub struct Windowed {
    objective: Objective,
    length: Duration,
    /// The error rate of a proof in one window: the windows of the plan share it.
    alpha: f64,
    count: Count,
    /// The stretch of the steady phase that the open window lies in.
    span: Option<usize>,
    begun: Duration,
    points: Vec<WindowPoint>,
    /// How many of them are kept.
    most: usize,
    /// The first window whose breach is proven, where that stops the run.
    broken: Option<WindowPoint>,
}

impl Windowed {
    /// None for an objective without windows.
    pub fn over(objective: &Objective, plan: &Plan) -> Option<Self> {
        Some(Self {
            objective: objective.clone(),
            length: objective.window?,
            alpha: looks::of_windows(planned(plan, objective.window?)),
            count: Count::of(objective, plan),
            span: None,
            begun: Duration::ZERO,
            points: Vec::new(),
            most: points::MOST_POINTS,
            broken: None,
        })
    }

    /// The same, beside so many objectives with windows, itself included.
    #[must_use]
    pub fn one_of(self, objectives: usize) -> Self {
        Self { most: points::most_of_one(objectives), ..self }
    }

    /// Adds a second, which lies in this stretch of the steady phase or in none.
    pub fn add(&mut self, window: &Window, span: Option<usize>, recording: &Recording) {
        self.count.see(recording);
        if span != self.span {
            self.span = span;
            self.begin(window.at);
        }
        if span.is_some() {
            self.count.add(recording, window.length);
            if self.count.length() >= self.length {
                self.close();
                self.begin(window.at + window.length);
            }
        }
    }

    /// What stops the run now, if it does.
    pub fn breach(&self, now: Duration) -> Option<Aborted> {
        let due = self.objective.abort_after.is_some_and(|after| after <= now);
        self.broken.filter(|_| due).and_then(|point| super::aborted(&self.objective, now, point))
    }

    /// All windows.
    pub fn series(self) -> WindowSeries {
        let (scope, endpoint) = objective::place(&self.objective.scope);
        WindowSeries {
            scope,
            endpoint,
            metric: self.objective.metric.name().to_owned(),
            length_s: self.length.as_secs(),
            limit: self.objective.limit,
            points: self.points,
            tells_unanswered: true,
        }
    }

    fn begin(&mut self, at: Duration) {
        self.count.restart();
        self.begun = at;
    }

    fn close(&mut self) {
        let point = self.count.point(self.begun);
        let decision =
            decide_point(&self.objective, self.objective.limit, point, CutOff::default(), self.alpha);
        // As a look at the value so far: chance alone makes one window or another break, which the verdict tells when
        // all of them are known.
        if decision.status == CheckStatus::Fail && self.count.proves_breach(self.alpha) {
            self.broken.get_or_insert(point);
        }
        points::push(&mut self.points, point, self.objective.metric, self.most);
    }
}

/// How many complete windows the plan has.
fn planned(plan: &Plan, length: Duration) -> u64 {
    let complete = |span: &Span| span.end.saturating_sub(span.start).as_secs() / length.as_secs().max(1);
    plan.load.steady().iter().map(complete).sum()
}
