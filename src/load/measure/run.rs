//! A whole run as it was measured: everything counted, and one short line a window. Only totals keep
//! their histograms; a window keeps a few numbers, so a long run stays small.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::censored::CensoredTimes;
use super::recording::{Recording, Split, Tally};
use super::standstill::{self, Standstill, WorstSecond};
use super::times::Times;
use crate::load::machine::{Location, Reading, Unknown};
use crate::load::shutdown::Interruption;
use crate::plan::load::{Phase, Span};

/// Everything known at the end of a run. Indexes are those of the plan.
#[derive(Debug, Clone)]
pub struct RunData {
    /// When the load began, by the wall clock.
    pub started_at: Timestamp,
    /// All windows merged.
    pub total: Recording,
    /// One line a window, in order of time.
    pub windows: Vec<Window>,
    /// How much of the run is judged.
    pub steady: Duration,
    /// From the start of the load to its end, or to the moment it was cut off.
    pub duration: Duration,
    /// Whether somebody stopped it.
    pub interrupted: Option<Interruption>,
    /// How the generator was.
    pub health: Health,
    /// Whose processes are whose on this machine.
    pub whose: Whose,
}

/// Whose processes are whose on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whose {
    /// Why the service cannot be told from others, if it cannot.
    pub unknown: Option<Unknown>,
    /// Where the service is; none where that is not known.
    pub location: Option<Location>,
    /// Whether what holds loadgate back may hold the service back as well.
    pub shares_group: bool,
}

/// The generator over the whole run: could it do what it was asked for?
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Health {
    /// Microseconds of CPU, user and system, per request.
    pub cpu_us_per_request: f64,
    /// Share of its cores that was busy, 0 to 1.
    pub cpu_utilisation: f64,
    /// How late scheduled iterations began that had a free user; none where nothing is scheduled.
    pub schedule_lag: Option<Lateness>,
    /// The share of the iterations due that were started, or found no user; 1 where nothing is scheduled.
    pub achieved_ratio: f64,
    /// Share of the machine's time that a hypervisor took away, 0 to 1; none where the system does not tell.
    pub steal: Option<f64>,
    /// Resident memory at its highest, in megabytes; none where the system does not tell.
    pub rss_mb: Option<f64>,
    /// Times that file descriptors or ports ran out.
    pub exhausted: u64,
    /// How many workers there were.
    pub workers: usize,
    /// How late sleepers ran in the steady phase; none where nobody slept.
    pub wake_lateness: Option<Lateness>,
    /// Share of the steady phase in which the workers stood still, 0 to 1.
    pub stalled_share: f64,
    /// The second of the steady phase in which they stood still the most; none where they never did.
    pub worst_second: Option<WorstSecond>,
}

/// How late the generator did something again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// 99 %.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
}

impl Lateness {
    /// Of so many times; none where there are none.
    pub fn of(times: &Times) -> Option<Self> {
        let histogram = times.histogram()?;
        let [p99, max] = [histogram.value_at_quantile(0.99), histogram.max()].map(Duration::from_micros);
        Some(Self { p99, max })
    }
}

/// A stretch of the run, a second as a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its start, since the start of the load.
    pub at: Duration,
    /// How long it lasted.
    pub length: Duration,
    /// What it belongs to.
    pub phase: Phase,
    /// Virtual users, the most at once.
    pub users: u64,
    /// What was counted in it.
    pub recording_summary: WindowSummary,
    /// The machine meanwhile; none where it was not looked at.
    pub machine: Option<Reading>,
}

/// A recording in a few numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowSummary {
    /// Successes of all endpoints.
    pub ok: u64,
    /// Failures of all endpoints.
    pub failed: u64,
    /// Response times of all endpoints; none without a sample.
    pub times: Option<TimesSummary>,
    /// The same by endpoint; nothing where an earlier window has them.
    pub endpoints: Vec<EndpointWindow>,
    /// How many of the next windows the endpoints are counted of as well.
    pub endpoints_of_next: u64,
    /// The latest that a sleeper of the generator ran; none where nobody slept.
    pub wake_lateness_max: Option<Duration>,
    /// How long the workers of the generator stood still.
    pub standstill: Standstill,
}

/// One endpoint in one window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointWindow {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// Response times; none without a sample.
    pub times: Option<TimesSummary>,
    /// The longest that any request took that ended, failures of all kinds included; none where none did.
    pub longest: Option<Duration>,
}

/// Percentiles of the response times in a window, in milliseconds: at least these, where requests timed out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimesSummary {
    /// The median.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// Requests among them that timed out.
    pub timed_out: u64,
}

impl TimesSummary {
    /// The percentiles of merged histograms; none where there is no sample.
    pub fn of(times: &CensoredTimes) -> Option<Self> {
        let histogram = times.all.histogram()?;
        let ms = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        let timed_out = times.timed_out.count();
        Some(Self { p50_ms: ms(0.5), p95_ms: ms(0.95), p99_ms: ms(0.99), timed_out })
    }
}

impl WindowSummary {
    /// The numbers of a recording: HTTP requests and WebSocket connects, whatever the phase.
    pub fn of(recording: &Recording) -> Self {
        let mut all = CensoredTimes::default();
        let endpoints: Vec<_> =
            recording.endpoints.iter().map(|split| endpoint_window(split, &mut all)).collect();
        Self {
            ok: endpoints.iter().map(|endpoint| endpoint.ok).sum(),
            failed: endpoints.iter().map(|endpoint| endpoint.failed).sum(),
            times: TimesSummary::of(&all),
            endpoints,
            endpoints_of_next: 0,
            wake_lateness_max: recording
                .health
                .wake
                .steady
                .longest()
                .max(recording.health.wake.rest.longest()),
            standstill: Standstill::default(),
        }
    }
}

fn endpoint_window(split: &Split<Tally>, all: &mut CensoredTimes) -> EndpointWindow {
    let Split { steady, rest } = split;
    all.merge(&steady.response);
    all.merge(&rest.response);
    EndpointWindow {
        ok: steady.ok + rest.ok,
        failed: steady.failures() + rest.failures(),
        times: both(&steady.response, &rest.response),
        longest: [steady, rest]
            .into_iter()
            .flat_map(|tally| [&tally.response.all, &tally.failed_response])
            .filter_map(Times::longest)
            .max(),
    }
}

/// Samples of both halves; copies a histogram only where neither half is empty.
fn both(steady: &CensoredTimes, rest: &CensoredTimes) -> Option<TimesSummary> {
    match (steady.all.count(), rest.all.count()) {
        (_, 0) => TimesSummary::of(steady),
        (0, _) => TimesSummary::of(rest),
        _ => {
            let mut merged = steady.clone();
            merged.merge(rest);
            TimesSummary::of(&merged)
        }
    }
}

/// After so many windows, later ones are twice as long: memory grows with the logarithm of the run.
pub const FINE_WINDOWS: usize = 3_600;

/// Bytes of the document that the endpoints of the windows take before those of two windows are counted together.
const FINE_BYTES: u64 = 16 << 20;
/// After so many more, those of twice as many are. A day of 5,000 endpoints that are all requested all the time is then
/// 40 MiB, of the 64 that are read again.
const STEP_BYTES: u64 = 3 << 19;
/// What an endpoint takes in one window, beside its name.
const ENTRY_BYTES: u64 = 110;
/// A window of 2^24 seconds is longer than any run.
const MOST_DOUBLINGS: u64 = 24;

/// Collects the windows of a run. The first hour keeps every second; after that windows are merged before they are
/// summarised, never their percentiles. Of very many endpoints, those of several windows are merged into the first of them:
/// what is known of the whole service and of the machine stays as it is, for the verdict depends on single seconds.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// What each endpoint takes in a window in which it was requested, in bytes of the document.
    entry_bytes: Arc<[u64]>,
    /// What all windows take because of their endpoints.
    bytes: u64,
    windows: Vec<Window>,
    pending: Option<(Window, Recording)>,
    /// What the endpoints did in the last windows, where they are counted together.
    together: Option<Together>,
    /// The parts of standstills that lie in windows that have not been handed over yet.
    ahead: Vec<Span>,
}

/// The endpoints of several windows.
#[derive(Debug, Clone)]
struct Together {
    /// The first of the windows.
    first: usize,
    recording: Recording,
}

impl Series {
    /// The windows of a run of endpoints with these names.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let entry_bytes = names.map(|name| ENTRY_BYTES + name.len() as u64).collect();
        Self { entry_bytes, ..Self::default() }
    }

    /// Adds what was counted in the stretch that `window` describes.
    pub fn push(&mut self, window: &Window, recording: &Recording) {
        if self.pending.as_ref().is_some_and(|(last, _)| last.phase != window.phase) {
            self.flush();
        }
        if self.windows.last().is_some_and(|last| last.phase != window.phase) {
            self.end_together();
        }
        let merge = self.merged();
        let mut window = window.clone();
        self.attribute(&mut window, recording);
        if self.pending.is_none() && merge == 1 {
            self.keep(window, recording);
            return;
        }
        let (last, merged) = self.pending.get_or_insert_with(|| {
            let mut first = Window { length: Duration::ZERO, machine: None, ..window.clone() };
            first.recording_summary.standstill = Standstill::default();
            (first, empty_like(recording))
        });
        merged.merge(recording);
        if let Some(next) = &window.machine {
            last.machine.get_or_insert_default().add(next);
        }
        last.length += window.length;
        last.users = last.users.max(window.users);
        last.recording_summary.standstill.merge(window.recording_summary.standstill);
        if last.length >= window.length * merge {
            self.flush();
        }
    }

    /// The windows, in order of time.
    pub fn finish(mut self) -> Vec<Window> {
        self.flush();
        self.end_together();
        self.windows
    }

    /// How many windows now make one: 1, then 2, 4, …
    fn merged(&self) -> u32 {
        1 << self.doublings_by_number()
    }

    fn doublings_by_number(&self) -> u64 {
        ((self.windows.len() / FINE_WINDOWS) as u64).min(MOST_DOUBLINGS)
    }

    /// Of how many windows the endpoints are now counted together: of so many that they take no more than their share.
    fn counted_together(&self) -> usize {
        let by_bytes = self.bytes.checked_sub(FINE_BYTES).map_or(0, |more| 1 + more / STEP_BYTES);
        1 << by_bytes.min(MOST_DOUBLINGS).saturating_sub(self.doublings_by_number())
    }

    fn keep(&mut self, mut window: Window, recording: &Recording) {
        let together = self.counted_together();
        if self.together.is_none() && together == 1 {
            self.bytes += self.bytes_of(&window.recording_summary.endpoints);
            self.windows.push(window);
            return;
        }
        window.recording_summary.endpoints = Vec::new();
        self.windows.push(window);
        let first = self.windows.len() - 1;
        let open = self.together.get_or_insert_with(|| Together { first, recording: empty_like(recording) });
        open.recording.merge(recording);
        if self.windows.len() - open.first >= together {
            self.end_together();
        }
    }

    fn end_together(&mut self) {
        let Some(Together { first, recording }) = self.together.take() else { return };
        let endpoints = WindowSummary::of(&recording).endpoints;
        self.bytes += self.bytes_of(&endpoints);
        let next = self.windows.len().saturating_sub(first + 1) as u64;
        if let Some(window) = self.windows.get_mut(first) {
            let summary = &mut window.recording_summary;
            (summary.endpoints, summary.endpoints_of_next) = (endpoints, next);
        }
    }

    fn bytes_of(&self, endpoints: &[EndpointWindow]) -> u64 {
        let all = self.entry_bytes.iter().zip(endpoints);
        all.filter(|(_, counted)| counted.ok + counted.failed > 0).map(|(bytes, _)| bytes).sum()
    }

    fn flush(&mut self) {
        if let Some((mut window, recording)) = self.pending.take() {
            let standstill = window.recording_summary.standstill;
            window.recording_summary = WindowSummary { standstill, ..WindowSummary::of(&recording) };
            self.keep(window, &recording);
        }
    }

    /// Counts the standstills of a recording in the windows before it, where it makes no window of its own.
    pub fn look_back(&mut self, recording: &Recording) {
        for stretch in &recording.health.standstills {
            let pending = self.pending.as_mut().map(|(pending, _)| pending);
            let past = self.windows.iter_mut().chain(pending).rev();
            for earlier in past.take_while(|earlier| stretch.start < earlier.at + earlier.length) {
                let (within, _) = standstill::cut(*stretch, earlier.at, earlier.length);
                earlier.recording_summary.standstill.add(within, earlier.length);
            }
        }
    }

    /// Counts the standstills that came with a window in all windows that they lie in.
    fn attribute(&mut self, window: &mut Window, recording: &Recording) {
        self.look_back(recording);
        let mut ahead = std::mem::take(&mut self.ahead);
        // What was left over from earlier recordings lies in none of the windows before this one.
        ahead.retain_mut(|stretch| keep_rest(stretch, window));
        for stretch in &recording.health.standstills {
            let mut stretch = *stretch;
            if keep_rest(&mut stretch, window) {
                ahead.push(stretch);
            }
        }
        self.ahead = ahead;
    }
}

/// Counts the part of a standstill that lies in a window; whether some of it lies behind, which is what is kept.
fn keep_rest(stretch: &mut Span, window: &mut Window) -> bool {
    let (within, left) = standstill::cut(*stretch, window.at, window.length);
    if !within.is_zero() {
        window.recording_summary.standstill.add(within, window.length);
    }
    if let Some(left) = left {
        *stretch = left;
    }
    left.is_some()
}

fn empty_like(recording: &Recording) -> Recording {
    Recording::new(recording.endpoints.len(), recording.metrics.len(), recording.tasks.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::outcome::FailureKind;

    fn recording(times_ms: &[u64]) -> Recording {
        let mut recording = Recording::new(2, 0, 0);
        for (index, time) in times_ms.iter().enumerate() {
            let tally = &mut recording.endpoints[index % 2];
            let half = if index < 2 { &mut tally.rest } else { &mut tally.steady };
            half.ok += 1;
            half.response.record(Duration::from_millis(*time));
        }
        recording
    }

    fn window(second: u64, phase: Phase, recording: &Recording) -> Window {
        Window {
            at: Duration::from_secs(second),
            length: Duration::from_secs(1),
            phase,
            users: second,
            recording_summary: WindowSummary::of(recording),
            machine: None,
        }
    }

    #[test]
    fn percentiles_of_all_endpoints_come_from_merged_histograms() {
        // 1 3 5 and 2 4: the median of all five is 3, the mean of the two medians would be 2.5
        let mut recording = recording(&[1, 2, 3, 4, 5]);
        recording.endpoints[0].steady.failed[FailureKind::Status.index()] = 2;
        let summary = WindowSummary::of(&recording);
        assert_eq!((summary.ok, summary.failed), (5, 2));
        assert_eq!(summary.times.map(|times| times.p50_ms.round() as u64), Some(3));
        assert_eq!(summary.endpoints[1].times.map(|times| times.p99_ms.round() as u64), Some(4));
    }

    #[test]
    fn a_window_without_samples_has_no_percentiles() {
        assert_eq!(WindowSummary::of(&Recording::new(1, 0, 0)).times, None);
    }

    #[test]
    fn very_many_endpoints_are_counted_over_longer_stretches_and_the_whole_service_every_second() {
        const ENDPOINTS: usize = 5_000;
        let names: Vec<String> = (0..ENDPOINTS).map(|index| format!("GET /items/{index}")).collect();
        let mut recording = Recording::new(ENDPOINTS, 0, 0);
        recording.endpoints.iter_mut().for_each(|split| split.steady.ok = 1);
        let silent = Recording::new(ENDPOINTS, 0, 0);
        let [busy, quiet] = [&recording, &silent].map(WindowSummary::of);
        let mut series = Series::of(names.iter().map(String::as_str));
        for second in 0..111_u64 {
            let phase = if second < 110 { Phase::Steady } else { Phase::Drain };
            let (counted, summary) = if second == 70 { (&silent, &quiet) } else { (&recording, &busy) };
            let plain = window(second, phase, &Recording::new(0, 0, 0));
            series.push(&Window { recording_summary: summary.clone(), ..plain }, counted);
        }
        let windows = series.clone().finish();
        let of: Vec<_> = windows
            .iter()
            .map(|it| (it.at.as_secs(), it.length.as_secs(), it.recording_summary.ok))
            .collect();
        let expected = (0..111).map(|second| (second, 1, if second == 70 { 0 } else { 5_000 }));
        assert_eq!(of, expected.collect::<Vec<_>>());
        // An entry has about 125 bytes: 26.8 of 1 s make 16 MiB, and 2.5 more each 1.5 MiB. None goes beyond its phase.
        let with = windows.iter().filter(|window| !window.recording_summary.endpoints.is_empty());
        let (lengths, answered): (Vec<_>, Vec<_>) = with
            .map(|it| &it.recording_summary)
            .map(|it| (1 + it.endpoints_of_next, it.endpoints.iter().map(|of| of.ok).sum::<u64>()))
            .unzip();
        assert_eq!(lengths, [[1].repeat(27), vec![2, 2, 2, 4, 4, 8, 8, 8, 16, 16, 13, 1]].concat());
        assert_eq!(answered.iter().sum::<u64>(), 110 * 5_000);
        // A day would be no more than twice as much: 10 doublings more.
        assert!(series.bytes < 24 << 20, "{}", series.bytes);
    }

    #[test]
    fn a_long_run_keeps_ever_longer_windows_and_loses_no_count() {
        let mut recording = Recording::new(1, 0, 0);
        recording.endpoints[0].steady.ok = 3;
        let mut series = Series::default();
        for second in 0..20_000 {
            series.push(&window(second, Phase::Steady, &recording), &recording);
        }
        series.push(&window(20_000, Phase::Drain, &recording), &recording);
        let windows = series.finish();
        // 3,600 of 1 s, 3,600 of 2 s, 9,200 s left in 4 s: 2,300; and the drain
        assert_eq!(windows.len(), 3_600 + 3_600 + 2_300 + 1);
        assert_eq!(windows.iter().map(|window| window.recording_summary.ok).sum::<u64>(), 20_001 * 3);
        assert_eq!(windows.last().map(|window| window.at), Some(Duration::from_secs(20_000)));
        let length: Duration = windows.iter().map(|window| window.length).sum();
        assert_eq!(length, Duration::from_secs(20_001));
    }
}
