//! The generator watches itself: CPU, memory and steal. Elsewhere than on Linux the last two are not known, and
//! nothing is claimed about them.

use std::time::{Duration, Instant};

use super::generate::workers;
use super::machine::{self, Ticks};
use super::measure::outcome::FailureKind;
use super::measure::recording::Recording;
use super::measure::run::{Health, Lateness, Window};
use super::measure::standstill;
use crate::clock;
use crate::plan::Plan;

/// Readings at the start of a run.
#[derive(Debug)]
pub struct Watch {
    begun: Reading,
    /// The same at the end of the load. What comes after it is little work, and would make a generator that had no
    /// CPU left look idle.
    load_over: Option<Reading>,
}

/// Readings at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    process: Duration,
    /// None where the system does not tell.
    machine: Option<Ticks>,
}

impl Reading {
    fn now() -> Self {
        Self { at: clock::now(), process: clock::process_cpu(), machine: machine::all_cpus() }
    }
}

/// The share of the machine's time between two readings that a hypervisor took away; none where no time is told.
fn steal(from: &Ticks, to: &Ticks) -> Option<f64> {
    let passed = |of: fn(&Ticks) -> u64| of(to).saturating_sub(of(from)) as f64;
    let all = passed(Ticks::total);
    (all > 0.0).then(|| passed(|it| it.steal) / all)
}

impl Watch {
    /// Begins to watch.
    pub fn begin() -> Self {
        Self { begun: Reading::now(), load_over: None }
    }

    /// The load is over; what is in flight ends.
    pub fn load_over(&mut self) {
        self.load_over = Some(Reading::now());
    }

    /// What was seen since, of a run that used `cores` cores: one worker each.
    pub fn end(&self, total: &Recording, windows: &[Window], cores: usize) -> Health {
        let requests: u64 =
            total.endpoints.iter().map(|split| split.steady.total() + split.rest.total()).sum();
        let now = Reading::now();
        let cpu = now.process.saturating_sub(self.begun.process);
        let over = self.load_over.unwrap_or(now);
        let (busy, machine) = (over.process.saturating_sub(self.begun.process), over.machine);
        let lasted = over.at.saturating_duration_since(self.begun.at).as_secs_f64();
        Health {
            cpu_us_per_request: cpu.as_secs_f64() * 1e6 / requests.max(1) as f64,
            cpu_utilisation: busy.as_secs_f64() / (lasted * cores as f64).max(1e-9),
            schedule_lag: Lateness::of(&total.health.lag),
            achieved_ratio: achieved_ratio(total),
            steal: self.begun.machine.zip(machine).and_then(|(from, to)| steal(&from, &to)),
            rss_mb: peak_memory_mb(),
            exhausted: total.health.exhausted,
            workers: cores,
            wake_lateness: Lateness::of(&total.health.wake.steady),
            stalled_share: standstill::share(windows, cores),
            worst_second: standstill::worst_second(windows, cores),
        }
    }
}

/// The share of what was due that the generator has done its part of: what it started, and what it found no user for,
/// which is the service's doing.
fn achieved_ratio(total: &Recording) -> f64 {
    let kind = FailureKind::Dropped.index();
    let halves = total.endpoints.iter().flat_map(|split| [&split.steady, &split.rest]);
    let dropped: u64 = halves.map(|tally| tally.failed[kind]).sum();
    let missing = total.health.due.saturating_sub(total.health.started);
    1.0 - missing as f64 / (total.health.due + dropped).max(1) as f64
}

/// A shorter stretch has too few ticks to say anything.
const SHORTEST: Duration = Duration::from_millis(200);

/// How busy the generator is from one look to the next, while a run lasts.
#[derive(Debug)]
pub struct Meter {
    cores: usize,
    at: Instant,
    process: Duration,
    busy: f64,
}

impl Meter {
    /// Begins, for a run of this plan.
    pub fn begin(plan: &Plan) -> Self {
        Self { cores: workers(plan), at: clock::now(), process: clock::process_cpu(), busy: 0.0 }
    }

    /// The workers of the run, one for each of its cores.
    pub fn workers(&self) -> usize {
        self.cores
    }

    /// The share of its cores that was busy since the last look, 0 to 1; right after one, the same again.
    pub fn look(&mut self) -> f64 {
        let (now, process) = (clock::now(), clock::process_cpu());
        let passed = now.saturating_duration_since(self.at);
        if passed >= SHORTEST {
            let cpu = process.saturating_sub(self.process).as_secs_f64();
            self.busy = cpu / (passed.as_secs_f64() * self.cores as f64);
            (self.at, self.process) = (now, process);
        }
        self.busy
    }
}

/// None where the system does not tell.
fn peak_memory_mb() -> Option<f64> {
    parse_peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_peak(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_that_passed() {
        let ticks = |busy, idle, steal| Ticks { busy, idle, interrupts: 5, steal };
        // 10 of 100
        let share = steal(&ticks(0, 0, 5), &ticks(30, 60, 15)).unwrap();
        assert!((share - 0.1).abs() < 1e-9);
        assert_eq!(steal(&Ticks::default(), &Ticks::default()), None);
    }

    #[test]
    fn what_the_generator_did_not_start_is_a_share_of_all_that_was_due() {
        let mut total = Recording::new(2, 0, 0);
        assert!((achieved_ratio(&total) - 1.0).abs() < 1e-9);
        (total.health.due, total.health.started) = (100, 90);
        assert!((achieved_ratio(&total) - 0.9).abs() < 1e-9);
        // 900 found no user, and that was the service.
        total.endpoints[0].steady.failed[FailureKind::Dropped.index()] = 600;
        total.endpoints[1].rest.failed[FailureKind::Dropped.index()] = 300;
        assert!((achieved_ratio(&total) - 0.99).abs() < 1e-9);
    }

    #[test]
    fn the_peak_of_memory_is_read_in_megabytes() {
        let peak = parse_peak("Name:\tx\nVmHWM:\t   20000 kB\n").unwrap();
        assert!((peak - 20.48).abs() < 1e-9);
        assert_eq!(parse_peak(""), None, "unknown, and not zero");
    }
}
