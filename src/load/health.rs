//! The generator watches itself: CPU, memory and steal, from /proc. Elsewhere than on Linux nothing is
//! known and nothing is claimed.

use std::time::{Duration, Instant};

use super::generate::workers;
use super::measure::recording::Recording;
use super::measure::run::{Health, WakeLateness, Window};
use super::measure::standstill;
use crate::clock;
use crate::plan::Plan;

/// Clock ticks per second in /proc: fixed at 100 by the kernel's interface to user space.
const TICKS_PER_SECOND: f64 = 100.0;

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
    machine: Machine,
}

impl Reading {
    fn now() -> Self {
        Self { at: clock::now(), process: process_cpu(), machine: machine_cpu() }
    }
}

/// CPU time of the whole machine, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Machine {
    total: f64,
    steal: f64,
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
        let lag = total.health.lag.histogram().map(|lag| Duration::from_micros(lag.value_at_quantile(0.99)));
        Health {
            cpu_us_per_request: cpu.as_secs_f64() * 1e6 / requests.max(1) as f64,
            cpu_utilisation: busy.as_secs_f64() / (lasted * cores as f64).max(1e-9),
            schedule_lag_p99: lag,
            achieved_ratio: if total.health.due == 0 {
                1.0
            } else {
                total.health.started as f64 / total.health.due as f64
            },
            steal: (machine.steal - self.begun.machine.steal)
                / (machine.total - self.begun.machine.total).max(1.0),
            rss_mb: peak_memory_mb(),
            exhausted: total.health.exhausted,
            workers: cores,
            wake_lateness: WakeLateness::of(&total.health.wake.steady),
            stalled_share: standstill::share(windows, cores),
            worst_second: standstill::worst_second(windows, cores),
        }
    }
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
        Self { cores: workers(plan), at: clock::now(), process: process_cpu(), busy: 0.0 }
    }

    /// The workers of the run, one for each of its cores.
    pub fn workers(&self) -> usize {
        self.cores
    }

    /// The share of its cores that was busy since the last look, 0 to 1; right after one, the same again.
    pub fn look(&mut self) -> f64 {
        let (now, process) = (clock::now(), process_cpu());
        let passed = now.saturating_duration_since(self.at);
        if passed >= SHORTEST {
            let cpu = process.saturating_sub(self.process).as_secs_f64();
            self.busy = cpu / (passed.as_secs_f64() * self.cores as f64);
            (self.at, self.process) = (now, process);
        }
        self.busy
    }
}

fn process_cpu() -> Duration {
    std::fs::read_to_string("/proc/self/stat").map(|text| parse_process(&text)).unwrap_or_default()
}

fn machine_cpu() -> Machine {
    std::fs::read_to_string("/proc/stat").map(|text| parse_machine(&text)).unwrap_or_default()
}

fn peak_memory_mb() -> f64 {
    std::fs::read_to_string("/proc/self/status").map(|text| parse_peak(&text)).unwrap_or_default()
}

/// User and system time: fields 14 and 15 of /proc/PID/stat (proc(5)), counted after the name, which
/// may hold spaces and parentheses.
fn parse_process(stat: &str) -> Duration {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

/// The first line of /proc/stat: user nice system idle iowait irq softirq steal. Guest time is part of
/// user time already.
fn parse_machine(stat: &str) -> Machine {
    let line = stat.lines().next().unwrap_or("");
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    Machine { total: ticks.iter().sum(), steal: ticks.get(7).copied().unwrap_or(0.0) }
}

fn parse_peak(status: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|field| field.parse().ok())
        .unwrap_or(0.0);
    kib * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_time_is_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(parse_process(stat), Duration::from_secs(3));
    }

    #[test]
    fn steal_is_the_eighth_of_the_machine_times() {
        let machine = parse_machine("cpu  10 0 20 60 0 0 0 10 0 0\ncpu0 1 2 3\n");
        assert_eq!(machine, Machine { total: 100.0, steal: 10.0 });
    }

    #[test]
    fn the_peak_of_memory_is_read_in_megabytes() {
        assert!((parse_peak("Name:\tx\nVmHWM:\t   20000 kB\n") - 20.48).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_read_is_zero() {
        assert_eq!((parse_process(""), parse_machine("")), (Duration::ZERO, Machine::default()));
    }
}
