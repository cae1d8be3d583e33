//! What is shown while the load runs: one live line, or a plain line every ten seconds where there is no
//! terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::measure::run::Window;
use crate::load::{Observer, Wish};

/// Seconds between two plain lines.
const PLAIN_EVERY: usize = 10;

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
    seen: usize,
}

impl Progress {
    /// A run of so long begins.
    pub fn begin(shown: Shown, total: Duration) -> Self {
        let target = if shown == Shown::Progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total.as_secs()), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Self { shown, bar, total, failed: 0, seen: 0 }
    }

    /// The run is over; the line makes room.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, window: &Window) -> String {
        let summary = &window.recording_summary;
        let seconds = window.length.as_secs_f64().max(1e-3);
        let p95 = summary.times.map_or("–".into(), |times| super::number::milliseconds(times.p95_ms));
        let left = self.total.saturating_sub(window.at + window.length).as_secs();
        format!(
            "{} users · {:.0} requests/s · p95 {p95} · {} failed · {left} s left",
            window.users,
            (summary.ok + summary.failed) as f64 / seconds,
            self.failed,
        )
    }
}

impl Observer for Progress {
    fn window(&mut self, window: &Window) -> Wish {
        self.failed += window.recording_summary.failed;
        self.seen += 1;
        let line = self.line(window);
        if self.bar.is_hidden() {
            if self.shown == Shown::Progress && self.seen.is_multiple_of(PLAIN_EVERY) {
                super::write::note(&line);
            }
        } else {
            self.bar.set_position((window.at + window.length).as_secs());
            self.bar.set_message(line);
        }
        Wish::Continue
    }
}
