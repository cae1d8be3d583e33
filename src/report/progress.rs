//! The one live line of a run, on standard error: drawn in place on a terminal, else printed every ten
//! seconds. Nothing here is measured or judged.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::load::{Observer, Wish};
use crate::metric::Percentile;
use crate::plan::load::Phase;
use crate::stats::histogram;

use super::{model, number};

/// Between two printed lines.
const EVERY: Duration = Duration::from_secs(10);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The live line.
    Progress,
    /// Nothing.
    Nothing,
}

/// Shows how the run goes.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    bar: ProgressBar,
    total: Duration,
    failed: u64,
    next: Duration,
}

impl Progress {
    /// A run that is planned to last so long begins.
    pub fn begin(shown: Shown, total: Duration) -> Self {
        let target = match shown {
            Shown::Progress => ProgressDrawTarget::stderr_with_hz(4),
            Shown::Nothing => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(crate::clock::micros(total)), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {msg}") {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Self { shown, bar, total, failed: 0, next: EVERY }
    }

    /// The run is over; the line makes room.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// The line to print at this moment where there is no terminal.
    fn due(&mut self, window: &Window) -> Option<String> {
        let now = window.at + window.length;
        if now < self.next {
            return None;
        }
        while self.next <= now {
            self.next += EVERY;
        }
        Some(line(window, self.failed, self.total))
    }
}

impl Observer for Progress {
    fn window(&mut self, window: &Window, _: &Recording) -> Wish {
        self.failed += window.recording_summary.failed;
        if !self.bar.is_hidden() {
            let now = window.at + window.length;
            self.bar.set_position(crate::clock::micros(now.min(self.total)));
            self.bar.set_message(line(window, self.failed, self.total));
        } else if let Some(line) = self.due(window).filter(|_| self.shown == Shown::Progress) {
            super::write::note(&line);
        }
        Wish::Continue
    }
}

/// Users, rate, p95 of the window, failures so far, time left.
fn line(window: &Window, failed: u64, total: Duration) -> String {
    let summary = &window.recording_summary;
    let seconds = window.length.as_secs_f64();
    let rate = if seconds > 0.0 { (summary.ok + summary.failed) as f64 / seconds } else { 0.0 };
    let p95 = summary.times.map_or_else(
        || number::NOTHING.to_owned(),
        |times| {
            let rank = histogram::rank(Percentile::P95.quantile(), summary.ok + times.timed_out);
            model::at_least(number::milliseconds(times.p95_ms), rank > summary.ok)
        },
    );
    let left = total.saturating_sub(window.at + window.length);
    let phase = match window.phase {
        Phase::Ramp => "ramp, ",
        Phase::Warmup => "warm-up, ",
        Phase::Steady => "",
        Phase::Drain => "ending, ",
    };
    format!(
        "{phase}{} users, {}, p95 {p95}, {} failed, {} left",
        number::count(window.users),
        number::rate(rate),
        number::count(failed),
        number::seconds(left.as_secs_f64().round()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::run::{TimesSummary, WindowSummary};

    fn window(second: u64, phase: Phase) -> Window {
        let times = Some(TimesSummary { p50_ms: 10.0, p95_ms: 41.23, p99_ms: 50.0, timed_out: 0 });
        Window {
            at: Duration::from_secs(second),
            length: Duration::from_secs(1),
            phase,
            users: 1_000,
            recording_summary: WindowSummary { ok: 1_230, failed: 4, times, ..WindowSummary::default() },
            machine: None,
        }
    }

    #[test]
    fn the_line_says_what_is_going_on() {
        let total = Duration::from_secs(90);
        let steady = line(&window(11, Phase::Steady), 12, total);
        assert_eq!(steady, "1,000 users, 1,234/s, p95 41.2 ms, 12 failed, 1 min 18 s left");
        let ramp = Window { recording_summary: WindowSummary::default(), ..window(0, Phase::Ramp) };
        assert_eq!(line(&ramp, 0, total), "ramp, 1,000 users, 0.00/s, p95 –, 0 failed, 1 min 29 s left");
        assert!(line(&window(93, Phase::Drain), 0, total).ends_with("0 s left"));
    }

    #[test]
    fn a_log_gets_a_line_every_ten_seconds() {
        let mut progress = Progress::begin(Shown::Nothing, Duration::from_mins(1));
        let printed: Vec<_> =
            (0..35).filter(|second| progress.due(&window(*second, Phase::Steady)).is_some()).collect();
        assert_eq!(printed, [9, 19, 29], "at the ends of these seconds");
    }
}
