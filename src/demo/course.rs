//! The life of a build as a function of its age: queued, running, done. Pure.

use std::time::Duration;

use rand::RngExt;
use serde::Serialize;

use super::chance::{BUILD_STREAM, chance};

/// Progress is reported in steps of this many percent.
const STEP_PERCENT: u32 = 20;

/// No build is older than this and not done.
pub(super) const LONGEST: Duration = Duration::from_millis(300 + 2000);

/// Where a build stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Queued,
    Running,
    Done,
}

/// Status and percentage of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) status: Status,
    pub(super) percent: u32,
}

/// How long one build is queued, then runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    queued: Duration,
    running: Duration,
}

impl Course {
    /// The course of the n-th build: 100 to 300 ms in the queue, then 0.5 to 2 s at work.
    pub(super) fn draw(seed: u64, n: u64) -> Self {
        let mut chance = chance(seed, BUILD_STREAM, n);
        Self {
            queued: Duration::from_micros(chance.random_range(100_000..=300_000)),
            running: Duration::from_micros(chance.random_range(500_000..=2_000_000)),
        }
    }

    /// Where the build stands at an age.
    pub(super) fn at(self, age: Duration) -> Progress {
        let Some(worked) = age.checked_sub(self.queued) else {
            return Progress { status: Status::Queued, percent: 0 };
        };
        if worked >= self.running {
            return Progress { status: Status::Done, percent: 100 };
        }
        let percent = worked.as_micros() * 100 / self.running.as_micros();
        Progress { status: Status::Running, percent: percent as u32 }
    }

    /// What is reported to a follower who comes at `age`, each with the age it is due at: every change of
    /// status, those already past included, and the steps of progress still to come.
    pub(super) fn reports(self, age: Duration) -> impl Iterator<Item = (Duration, Progress)> {
        let start = (Duration::ZERO, Progress { status: Status::Queued, percent: 0 });
        let steps = (0..=100).step_by(STEP_PERCENT as usize).map(move |percent| {
            let due = self.queued + self.running * percent / 100;
            let status = if percent == 100 { Status::Done } else { Status::Running };
            (due, Progress { status, percent })
        });
        let missed = move |due: Duration, percent: u32| due < age && !percent.is_multiple_of(100);
        std::iter::once(start).chain(steps).filter(move |(due, progress)| !missed(*due, progress.percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COURSE: Course = Course { queued: Duration::from_millis(200), running: Duration::from_secs(1) };

    fn seen(age_ms: u64) -> (Status, u32) {
        let Progress { status, percent } = COURSE.at(Duration::from_millis(age_ms));
        (status, percent)
    }

    #[test]
    fn a_build_is_queued_then_running_then_done() {
        assert_eq!(seen(0), (Status::Queued, 0));
        assert_eq!(seen(199), (Status::Queued, 0));
        assert_eq!(seen(200), (Status::Running, 0));
        // 455 ms of 1000 ms at work.
        assert_eq!(seen(655), (Status::Running, 45));
        assert_eq!(seen(1199), (Status::Running, 99));
        assert_eq!(seen(1200), (Status::Done, 100));
        assert_eq!(seen(1_000_000), (Status::Done, 100));
    }

    #[test]
    fn a_follower_from_the_start_hears_every_step() {
        let reports: Vec<_> = COURSE
            .reports(Duration::ZERO)
            .map(|(due, progress)| (due.as_millis(), progress.status, progress.percent))
            .collect();
        assert_eq!(
            reports,
            [
                (0, Status::Queued, 0),
                (200, Status::Running, 0),
                (400, Status::Running, 20),
                (600, Status::Running, 40),
                (800, Status::Running, 60),
                (1000, Status::Running, 80),
                (1200, Status::Done, 100),
            ]
        );
    }

    #[test]
    fn a_late_follower_still_hears_every_change_of_status() {
        let percents = |age_ms| {
            let reports = COURSE.reports(Duration::from_millis(age_ms));
            reports.map(|(_, progress)| progress.percent).collect::<Vec<_>>()
        };
        assert_eq!(percents(700), [0, 0, 60, 80, 100]);
        assert_eq!(percents(5000), [0, 0, 100]);
    }

    #[test]
    fn the_reports_agree_with_the_status_at_their_time() {
        for n in 0..100 {
            let course = Course::draw(1, n);
            assert!(course.queued + course.running <= LONGEST);
            for (due, progress) in course.reports(Duration::ZERO) {
                // A step is due at a whole nanosecond, the status counts whole microseconds.
                assert_eq!(course.at(due + Duration::from_micros(1)).status, progress.status);
            }
        }
    }

    #[test]
    fn builds_under_one_seed_take_the_same_time() {
        assert_eq!(Course::draw(7, 3), Course::draw(7, 3));
        assert_ne!(Course::draw(7, 3), Course::draw(7, 4));
        assert_ne!(Course::draw(7, 3), Course::draw(8, 3));
    }
}
