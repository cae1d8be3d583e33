//! The only door to the clocks: wall time for names and stamps, monotonic time for everything measured.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// The wall clock, UTC. One that is set beyond the years that can be told says the last or the first of them.
pub fn now_utc() -> Timestamp {
    told(SystemTime::now())
}

fn told(time: SystemTime) -> Timestamp {
    let beyond = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(beyond)
}

/// Milliseconds since the Unix epoch by the wall clock.
pub fn now_ms() -> i64 {
    now_utc().as_millisecond()
}

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// The CPU time that the current thread has used.
pub fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

/// The CPU time that this process has used, in all of its threads.
pub fn process_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

/// `20261124T101500Z`: a wall-clock time fit for a file name.
pub fn file_stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Whole microseconds of a duration, the resolution of every histogram.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_to_any_time_is_told() {
        let after = |seconds| told(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(file_stamp(after(0)), "19700101T000000Z");
        // 9999-12-31T00:00:00Z, which is beyond what can be told, and the year 12000.
        for seconds in [253_402_214_400, 316_516_204_800] {
            assert_eq!(after(seconds), Timestamp::MAX);
            assert_eq!(file_stamp(after(seconds)), "99991230T220000Z");
        }
        let before = told(SystemTime::UNIX_EPOCH - Duration::from_secs(1_000_000_000_000));
        assert_eq!(before, Timestamp::MIN);
    }
}
