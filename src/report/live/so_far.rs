//! The run so far: windows that are handed over while the load runs, merged into a result like the one at the
//! end. Whoever hands them over never waits: what finds no room is counted, and missing on the page alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock;
use crate::gate::judge;
use crate::gate::watch::Watch;
use crate::load::measure::recording::Recording;
use crate::load::measure::run::{RunData, Series, Whose, Window};
use crate::load::{Observer, Wish, health, workers};
use crate::plan::Plan;
use crate::plan::load::Phase;
use crate::plan::rules::{Applies, Rules};
use crate::report::sentence;
use crate::result::schema::RunResult;
use crate::result::summary::{Context, summarise};

/// Windows that may wait for the page.
pub const ROOM: usize = 8;

/// A window and what was counted in it.
#[derive(Debug)]
pub struct Seen(Window, Recording);

/// Hands windows to the page, and never waits for it.
#[derive(Debug)]
pub struct Feed {
    sender: mpsc::Sender<Seen>,
    lost: Arc<AtomicU64>,
}

impl Feed {
    /// One that counts in `lost` what found no room.
    pub fn new(sender: mpsc::Sender<Seen>, lost: Arc<AtomicU64>) -> Self {
        Self { sender, lost }
    }
}

impl Observer for Feed {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        match self.sender.try_reserve() {
            Ok(room) => room.send(Seen(window.clone(), recording.clone())),
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Wish::Continue
    }
}

/// Everything handed over by now.
#[derive(Debug)]
pub struct SoFar {
    plan: Arc<Plan>,
    context: Context,
    rules: Option<Rules>,
    began: jiff::Timestamp,
    health: health::Watch,
    watch: Watch,
    total: Recording,
    series: Series,
    at: Duration,
    steady: Duration,
    lost: Arc<AtomicU64>,
}

impl SoFar {
    /// A run that begins now.
    pub fn begin(plan: &Arc<Plan>, context: Context, lost: Arc<AtomicU64>) -> Self {
        Self {
            rules: objectives(&plan.rules),
            context,
            began: clock::now_utc(),
            health: health::Watch::begin(),
            watch: Watch::over(plan),
            total: Recording::new(plan.endpoints.len(), plan.metrics.len(), plan.tasks.len()),
            series: Series::of(plan.endpoints.iter().map(|it| it.name.as_str())),
            at: Duration::ZERO,
            steady: Duration::ZERO,
            lost,
            plan: plan.clone(),
        }
    }

    /// Adds a window.
    pub fn add(&mut self, Seen(window, recording): &Seen) {
        // Whether to stop is for the watch of the run to say.
        let _ = self.watch.window(window, recording);
        self.series.push(window, recording);
        self.total.merge(recording);
        self.at = window.at + window.length;
        if window.phase == Phase::Steady {
            self.steady += window.length;
        }
    }

    /// A result of what is known; judged by the objectives once something is there to judge.
    pub fn result(&self) -> RunResult {
        let windows = self.series.clone().finish();
        let run = RunData {
            started_at: self.began,
            total: self.total.clone(),
            steady: self.steady,
            duration: self.at,
            interrupted: None,
            health: self.health.end(&self.total, &windows, workers(&self.plan)),
            windows,
            // Who works for the service is looked for at the end.
            whose: Whose::default(),
        };
        let mut result = self.watch.clone().complete(summarise(&self.plan, &run, self.context.clone()));
        let judged = self.rules.as_ref().filter(|_| !self.steady.is_zero());
        result.verdict = judged.map(|rules| judge(rules, &result, None));
        result
    }

    /// How far the run is.
    pub fn progress(&self) -> String {
        let lost = self.lost.load(Ordering::Relaxed);
        sentence::so_far(self.at, self.plan.load.shape.duration(), lost)
    }
}

/// The objectives alone: a part of a run is compared with nothing. None where none applies.
fn objectives(rules: &Rules) -> Option<Rules> {
    let applies = rules.objectives.iter().any(|objective| objective.applies == Applies::Here);
    applies.then(|| Rules { baseline: None, ..rules.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::run::WindowSummary;
    use crate::metric::{Metric, Percentile};
    use crate::plan::rules::Scope;
    use crate::result::fixture::{context, objective, plan, succeed};

    fn feed() -> (Feed, mpsc::Receiver<Seen>, Arc<AtomicU64>) {
        let (sender, seen) = mpsc::channel(ROOM);
        let lost = Arc::new(AtomicU64::new(0));
        (Feed::new(sender, lost.clone()), seen, lost)
    }

    fn window(second: u64, phase: Phase) -> (Window, Recording) {
        let mut recording = Recording::new(1, 1, 1);
        succeed(recording.endpoints[0].of(phase), 100, 10.0, 20.0);
        let recording_summary = WindowSummary::of(&recording);
        let at = Duration::from_secs(second);
        (
            Window { at, length: Duration::from_secs(1), phase, users: 3, recording_summary, machine: None },
            recording,
        )
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let (mut feed, mut seen, lost) = feed();
        let (window, recording) = window(0, Phase::Steady);
        for _ in 0..ROOM + 3 {
            assert_eq!(feed.window(&window, &recording), Wish::Continue);
        }
        assert_eq!(lost.load(Ordering::Relaxed), 3);
        seen.close();
        assert_eq!(std::iter::from_fn(|| seen.try_recv().ok()).count(), ROOM);
        feed.window(&window, &recording);
    }

    #[test]
    fn windows_add_up_to_a_result_that_is_judged_once_it_is_steady() {
        let mut plan = plan(&["GET /a"]);
        plan.rules.objectives = vec![objective(Scope::Total, Metric::Response(Percentile::P95), 15.0)];
        let mut so_far = SoFar::begin(&Arc::new(plan), context(), Arc::new(AtomicU64::new(2)));
        let add = |so_far: &mut SoFar, second, phase| {
            let (window, recording) = window(second, phase);
            so_far.add(&Seen(window, recording));
        };
        add(&mut so_far, 0, Phase::Ramp);
        let ramp = so_far.result();
        assert_eq!((ramp.totals.ok, ramp.whole_run.ok, ramp.verdict), (0, 100, None));
        add(&mut so_far, 2, Phase::Steady);
        add(&mut so_far, 3, Phase::Steady);
        let steady = so_far.result();
        assert_eq!((steady.totals.ok, steady.series.len(), steady.duration_s), (200, 3, 4.0));
        assert!((steady.totals.requests_per_second - 100.0).abs() < 1e-9);
        assert_eq!(steady.verdict.map(|verdict| verdict.checks.len()), Some(1));
        assert_eq!(so_far.progress(), "4 s of 30 s; 2 seconds are missing here, and in no report");
    }
}
