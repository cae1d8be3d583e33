//! How long the workers of the generator stood still, window by window.
//!
//! A worker tells of a standstill once it runs again, by which time its window may have been handed over, and the
//! windows after it are handed over at once. So a standstill is counted in every window it lies in, whichever
//! recording it came with.

use std::time::Duration;

use super::recording::Recording;
use super::run::Window;
use crate::plan::load::{Phase, Span};

const SECOND: Duration = Duration::from_secs(1);

/// The time that all workers together stood still in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standstill {
    /// All of it.
    pub total: Duration,
    /// The most in one of the seconds that this window was made of.
    pub worst: Duration,
}

impl Standstill {
    /// Adds the time that one worker stood still in a window of this length.
    pub fn add(&mut self, time: Duration, length: Duration) {
        self.total += time;
        // Of a window that has been merged it is not known which of its seconds the time lies in: at least one
        // has so much of it.
        self.worst = if length <= SECOND { self.total } else { self.worst.max(time.min(SECOND)) };
    }

    /// Adds a window that becomes part of this one.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.worst = self.worst.max(other.worst);
    }
}

/// The second in which the generator stood still the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorstSecond {
    /// Its start, since the start of the load.
    pub at: Duration,
    /// The share of the second in which the workers stood still, 0 to 1.
    pub share: f64,
}

/// The part of a standstill that lies in a window of this place and length, and what is left for later windows.
pub fn cut(standstill: Span, at: Duration, length: Duration) -> (Duration, Option<Span>) {
    let end = at + length;
    let within = standstill.end.min(end).saturating_sub(standstill.start.max(at));
    let left = Span { start: standstill.start.max(end), end: standstill.end };
    (within, (left.start < left.end).then_some(left))
}

/// The share of the steady phase in which so many workers stood still.
pub fn share(windows: &[Window], workers: usize) -> f64 {
    let steady = || windows.iter().filter(|window| window.phase == Phase::Steady);
    let length: Duration = steady().map(|window| window.length).sum();
    let total: Duration = steady().map(|window| window.recording_summary.standstill.total).sum();
    quotient(total, length, workers)
}

/// The share of one window.
pub fn share_of(window: &Window, workers: usize) -> f64 {
    quotient(window.recording_summary.standstill.total, window.length, workers)
}

/// The share of a window of this length, of what was told with it: a standstill that reached across several
/// windows counts in the one in which it ended, as far as that has room.
pub fn share_told(recording: &Recording, length: Duration, workers: usize) -> f64 {
    let told = recording.health.standstills.iter().map(|it| it.end.saturating_sub(it.start)).sum();
    quotient(told, length, workers)
}

/// The worst second of the steady phase; none where the workers never stood still.
pub fn worst_second(windows: &[Window], workers: usize) -> Option<WorstSecond> {
    let steady = windows.iter().filter(|window| window.phase == Phase::Steady);
    let worst = steady.max_by_key(|window| window.recording_summary.standstill.worst)?;
    // A window may be shorter than a second, where the phase begins or ends: it is no whole second lost.
    let share = quotient(worst.recording_summary.standstill.worst, SECOND, workers);
    (share > 0.0).then_some(WorstSecond { at: worst.at, share })
}

fn quotient(stood: Duration, length: Duration, workers: usize) -> f64 {
    let all = length.as_secs_f64() * workers.max(1) as f64;
    if all > 0.0 { (stood.as_secs_f64() / all).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::run::Series;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// Windows of a second, each handed over with these standstills, in milliseconds since the start of the load.
    fn windows(handed_over: &[&[(u64, u64)]]) -> Vec<Window> {
        let mut series = Series::default();
        for (second, standstills) in (0..).zip(handed_over) {
            let mut recording = Recording::new(1, 0, 0);
            for (start, end) in *standstills {
                recording.health.stood_still(Span { start: ms(*start), end: ms(*end) });
            }
            let window = Window {
                at: SECOND * second,
                length: SECOND,
                phase: if second == 0 { Phase::Ramp } else { Phase::Steady },
                users: 1,
                recording_summary: crate::load::measure::run::WindowSummary::of(&recording),
                machine: None,
            };
            series.push(&window, &recording);
        }
        series.finish()
    }

    fn totals_ms(windows: &[Window]) -> Vec<u128> {
        windows.iter().map(|window| window.recording_summary.standstill.total.as_millis()).collect()
    }

    #[test]
    fn a_standstill_counts_in_the_seconds_it_lies_in_whichever_it_came_with() {
        // From 0.7 s to 3.2 s: told with the first window, with the last, or with one between.
        for told in 0..4 {
            let mut handed_over = [&[][..]; 4];
            handed_over[told] = &[(700, 3_200)];
            assert_eq!(totals_ms(&windows(&handed_over)), [300, 1_000, 1_000, 200], "told with {told}");
        }
    }

    #[test]
    fn a_standstill_that_is_told_with_what_is_left_counts_where_it_lies() {
        let mut series = Series::default();
        let empty = Recording::new(1, 0, 0);
        for second in 0..2 {
            let window = Window {
                at: SECOND * second,
                length: SECOND,
                phase: Phase::Steady,
                users: 1,
                recording_summary: crate::load::measure::run::WindowSummary::of(&empty),
                machine: None,
            };
            series.push(&window, &empty);
        }
        // The worker answers for the last second before it sees how long it stood still in it.
        let mut rest = Recording::new(1, 0, 0);
        rest.health.stood_still(Span { start: ms(900), end: ms(2_300) });
        series.look_back(&rest);
        let windows = series.finish();
        assert_eq!(totals_ms(&windows), [100, 1_000], "and there is no window that nothing was counted in");
    }

    #[test]
    fn the_steady_phase_has_a_share_and_a_worst_second() {
        // Two workers; of the 3 steady seconds one loses 100 + 200 ms of its 2 s, one 500 ms.
        let windows = windows(&[&[(100, 900)], &[(1_000, 1_100), (1_050, 1_250)], &[(2_500, 3_000)], &[]]);
        assert!((share(&windows, 2) - 0.8 / 6.0).abs() < 1e-9);
        assert_eq!(worst_second(&windows, 2), Some(WorstSecond { at: SECOND * 2, share: 0.25 }));
        assert!((share_of(&windows[1], 2) - 0.15).abs() < 1e-9);
        assert_eq!(worst_second(&windows[3..], 2), None);
    }

    #[test]
    fn seconds_that_are_merged_late_in_a_long_run_keep_the_worst_of_them() {
        let fine = crate::load::measure::run::FINE_WINDOWS;
        let mut handed_over = vec![&[][..]; fine];
        // 0.6 s in the first half of the next window of two seconds, 0.3 s in the second.
        let first = fine as u64 * 1_000;
        let late = [[(first + 100, first + 700)], [(first + 1_100, first + 1_400)]];
        handed_over.extend(late.iter().map(|it| &it[..]));
        let windows = windows(&handed_over);
        assert_eq!(windows.last().map(|window| window.length), Some(SECOND * 2));
        let worst = worst_second(&windows, 1).unwrap();
        assert!((worst.share - 0.6).abs() < 1e-9, "{worst:?}");
        assert_eq!(totals_ms(&windows).last(), Some(&900));
    }
}
