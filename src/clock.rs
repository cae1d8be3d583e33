//! The only door to the clocks: wall time for names and stamps, monotonic time for everything measured.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The wall clock, UTC.
pub fn now_utc() -> Timestamp {
    Timestamp::now()
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
