//! An objective that stops the run by its value so far: judged every second, on what the whole run would
//! be judged on if it ended now. Nothing of it is stored.

use std::time::Duration;

use crate::gate::decision::CutOff;
use crate::gate::looks;
use crate::gate::windows::decide_point;
use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::plan::Plan;
use crate::plan::load::Phase;
use crate::plan::rules::Objective;
use crate::result::verdict::CheckStatus;
use crate::result::window::Aborted;

use super::count::Count;

/// One such objective.
#[derive(Debug, Clone)]
pub struct SoFar {
    objective: Objective,
    after: Duration,
    count: Count,
    looks: u64,
}

impl SoFar {
    /// None for an objective that has windows, or waits for the end.
    pub fn over(objective: &Objective, plan: &Plan) -> Option<Self> {
        let after = objective.abort_after.filter(|_| objective.window.is_none())?;
        Some(Self { objective: objective.clone(), after, count: Count::of(objective, plan), looks: 0 })
    }

    /// Adds a second. Only those of the steady phase make a throughput's time longer, unless it is of the whole run.
    pub fn add(&mut self, window: &Window, recording: &Recording) {
        let length = if window.phase == Phase::Steady || self.objective.over.is_whole_run() {
            window.length
        } else {
            Duration::ZERO
        };
        self.count.see(recording);
        self.count.add(recording, length);
    }

    /// What stops the run now, if it does. A value that is near its limit crosses it by chance at one look or
    /// another, so what stops a run is proven; whether the limit holds in the end, the verdict says.
    pub fn breach(&mut self, now: Duration) -> Option<Aborted> {
        if now < self.after {
            return None;
        }
        let point = self.count.point(now);
        // Where there is nothing to look at yet, nothing is spent.
        point.value?;
        self.looks += 1;
        let alpha = looks::of_look(self.looks);
        let decision = decide_point(&self.objective, self.objective.limit, point, CutOff::default(), alpha);
        let broken = decision.status == CheckStatus::Fail && self.count.proves_breach(alpha);
        broken.then(|| super::aborted(&self.objective, now, point)).flatten()
    }
}
