//! What of a bad number the machine explains. An excuse makes a number inconclusive, and never good; and it
//! explains only so much, for a service that became heavier must be found on a machine that is in use.
//!
//! *Others.* A service that shares its CPUs waits in a queue. With a share `idle` of them left, what it takes is
//! about proportional to 1 ÷ idle; without the others it would be 1 ÷ (idle + others). So others make times at
//! most (idle + others) ÷ idle times as long: hardly longer where half of the machine is left, without a bound
//! where nothing is. Only what others used beyond the remembered runs counts, and beyond what any machine does
//! for itself. What the service or loadgate used never counts: with others at nothing, this factor is 1 however
//! busy the machine is, and so a heavier service fails on a quiet machine.
//!
//! *When.* Every second has its own factor, and the next one inherits it, since queues drain late. A percentile
//! is made by the slowest requests, so a p95 is explained by the seconds at the edge of the worst 2.5 %, a median
//! by those at the edge of the worst 25 %: one bad second in a minute explains no median.
//!
//! *Speed.* A processor that computes slower than in the remembered runs makes times longer, and the more so the
//! less is idle. But a service that uses more CPU slows down what computes beside it: where its CPU grew by more
//! than the speed explains, the speed explains nothing.
//!
//! *Quota.* A control group that holds loadgate back, and not the service, makes anything look slow.

use crate::baseline::run::{Conditions, Run};
use crate::metric::Metric;
use crate::result::endpoint::{Failed, failures};
use crate::result::machine::{MachinePoint, TargetLocation};
use crate::result::schema::{Point, RunResult};
use crate::result::verdict::Because;
use crate::stats::quantile::median;

use super::decision::percentile;

/// What a machine does for itself, and what clock ticks get wrong.
const ALWAYS: f64 = 0.05;
/// Less than this cannot be told from nothing left.
const LEAST_IDLE: f64 = 0.02;
/// Where nothing is left and others used more than this, a queue grows for as long as it lasts, and there is no bound
/// to what it takes. Below, the service itself was close to using all there is, and the others explain their share.
const STARVING: f64 = 0.15;
/// Beyond this, nobody knows how much is explained.
const MOST: f64 = 1_000.0;
/// Periods that a quota may hold loadgate back before it matters.
const MOST_THROTTLED: f64 = 0.05;
/// A processor that is slower by less is not slower.
const LEAST_SLOWER: f64 = 1.05;
/// How much more slower a service gets than the processor, at the most, and how much slower that may be.
const MOST_AMPLIFIED: f64 = 6.0;
const MOST_SLOWER: f64 = 3.0;
/// A service used more CPU than before if it was more than this, beside what the speed explains.
const MORE_CPU: f64 = 1.05;
/// What is used for itself by the machines on which runs are remembered: CI runners have agents of their own.
const ORDINARY: f64 = 0.1;
/// A run in which others made everything take so many times as long is not remembered: the budget of a comparison is 10 %.
const NOTICEABLE: f64 = 1.1;
/// A second in which others made everything take twice as long explains why something failed to come in time.
const STARVED: f64 = 2.0;

/// What the machine of a run explains, beside the machines of remembered runs where there are any.
#[derive(Debug, Clone)]
pub struct Excuses<'a> {
    result: &'a RunResult,
    remembered: Conditions,
    /// By second of the part of the run that is judged: the steady phase as a rule.
    seconds: Vec<Second>,
}

/// One second, and how many times as long others made everything take.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Second {
    t_s: f64,
    length_s: f64,
    failed: u64,
    idle: f64,
    others: f64,
    factor: f64,
    held_back: f64,
}

impl<'a> Excuses<'a> {
    /// Of a run that is judged by itself.
    pub fn of(result: &'a RunResult) -> Self {
        Self::beside(result, &[])
    }

    /// Of a run that is compared with these.
    pub fn beside(result: &'a RunResult, runs: &[&Run]) -> Self {
        let remembered = usual(runs);
        let steady = result.series.iter().filter(|point| point.phase == "steady");
        let seconds = seconds(result, &remembered, steady).into_iter().map(|(_, second)| second).collect();
        Self { result, remembered, seconds }
    }

    /// Of the seconds, of all phases, in which what is judged was made: other ones explain nothing of it.
    pub fn where_made(result: &'a RunResult, made: impl Fn(&Point) -> bool) -> Self {
        let remembered = usual(&[]);
        let all = seconds(result, &remembered, result.series.iter()).into_iter();
        let seconds = all.filter(|(point, _)| made(point)).map(|(_, second)| second).collect();
        Self { result, remembered, seconds }
    }

    /// Why a number that is `ratio` times what it may be can be the machine's doing.
    pub fn explains(&self, metric: Metric, ratio: f64) -> Option<Because> {
        self.within(&self.seconds, metric, ratio)
    }

    /// The same of a number of one window.
    pub fn explains_in(&self, (from_s, to_s): (f64, f64), metric: Metric, ratio: f64) -> Option<Because> {
        let inside = |second: &&Second| second.t_s + second.length_s > from_s && second.t_s < to_s;
        let seconds: Vec<Second> = self.seconds.iter().filter(inside).copied().collect();
        self.within(&seconds, metric, ratio)
    }

    /// Why failures of these kinds can be the machine's doing: all of them came too late, or found no user, and
    /// at least half of them did so while there was no CPU for them. Other failures are never excused: `holds`
    /// says whether they alone would be fine.
    pub fn explains_failures(&self, failed: &Failed, holds: impl Fn(u64) -> bool) -> Option<Because> {
        let late: u64 = ["timeout", "dropped"].iter().filter_map(|kind| failed.get(*kind)).sum();
        if late == 0 || !holds(failures(failed).saturating_sub(late)) {
            return None;
        }
        let starved = self.seconds.iter().filter(|second| second.factor >= STARVED);
        let then = starved.clone().fold(0, |sum: u64, second| sum.saturating_add(second.failed));
        let all = self.seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(second.failed));
        let worst = starved.max_by(|a, b| a.factor.total_cmp(&b.factor))?;
        (all > 0 && then.saturating_mul(2) >= all).then(|| self.busy(worst))
    }

    /// Why a run is no measure of its service: in a quarter of its seconds or more, which is what moves a median, others
    /// used more than machines do for themselves, and made everything take noticeably longer.
    pub fn too_busy(&self) -> Option<Because> {
        let is_busy = |second: &&Second| {
            second.held_back > MOST_THROTTLED || second.factor >= NOTICEABLE && second.others >= ORDINARY
        };
        let mut busy: Vec<&Second> = self.seconds.iter().filter(is_busy).collect();
        busy.sort_by(|a, b| b.factor.total_cmp(&a.factor));
        let quarter = self.seconds.len().div_ceil(4).max(1);
        busy.get(quarter - 1).map(|second| self.busy(second))
    }

    fn within(&self, seconds: &[Second], metric: Metric, ratio: f64) -> Option<Because> {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(|a, b| b.factor.total_cmp(&a.factor));
        let edge = (sorted.len() as f64 * tail(metric) / 2.0).ceil() as usize;
        let others = sorted.get(edge.max(1) - 1).copied();
        let factor = others.map_or(1.0, |second| second.factor);
        let slower = self.slower();
        if !(ratio.is_finite()
            && factor * slower.unwrap_or(1.0) >= ratio
            && factor * slower.unwrap_or(1.0) > 1.0)
        {
            return None;
        }
        match (others, slower) {
            (Some(second), slower) if factor >= slower.unwrap_or(1.0) => Some(self.busy(&second)),
            (_, Some(_)) => Some(Because::MachineSlow {
                speed: self.result.machine.as_ref()?.speed?,
                remembered: self.remembered.speed?,
            }),
            (_, None) => None,
        }
    }

    /// How many times as long everything takes on a slower processor; none where it is not slower, or where the
    /// service itself may have made it so.
    fn slower(&self) -> Option<f64> {
        let machine = self.result.machine.as_ref()?;
        let slower = (self.remembered.speed? / machine.speed?).min(MOST_SLOWER);
        let (service, before) = (machine.target_cpu?, self.remembered.target_cpu?);
        if slower < LEAST_SLOWER || service > before * slower * MORE_CPU {
            return None;
        }
        let amplified = (1.0 / machine.idle?.max(LEAST_IDLE)).clamp(1.0, MOST_AMPLIFIED);
        Some(slower.powf(amplified))
    }

    /// What is said of a run whose machine was busy, by one of its seconds.
    fn busy(&self, second: &Second) -> Because {
        let machine = self.result.machine.as_ref();
        if second.held_back > MOST_THROTTLED {
            let ratio = machine.and_then(|machine| machine.throttled).unwrap_or(second.held_back);
            return Because::MachineThrottled { ratio };
        }
        let idle = machine.and_then(|machine| machine.idle);
        let busy = |idle: f64| (1.0 - idle).max(0.0);
        let times = idle.zip(self.remembered.idle).filter(|(_, before)| busy(*before) > 0.0);
        Because::MachineBusy {
            others: machine.and_then(|machine| machine.others_cpu).unwrap_or(0.0),
            remembered: self.remembered.others_cpu,
            idle: second.idle,
            times_as_busy: times.map(|(now, before)| busy(now) / busy(before)),
        }
    }
}

/// How the machines of remembered runs were: of each number the median of the runs that know it.
fn usual(runs: &[&Run]) -> Conditions {
    let all = || runs.iter().filter_map(|run| run.machine);
    let of = |pick: fn(&Conditions) -> Option<f64>| {
        median(&all().filter_map(|it| pick(&it)).filter(|it| it.is_finite()).collect::<Vec<_>>())
    };
    Conditions {
        speed: of(|it| it.speed).filter(|speed| *speed > 0.0),
        contention: of(|it| it.contention),
        others_cpu: of(|it| it.others_cpu),
        target_cpu: of(|it| it.target_cpu),
        idle: of(|it| it.idle),
        steal: of(|it| it.steal),
        throttled: of(|it| it.throttled),
    }
}

/// What is known of these seconds; each inherits from the one before it.
fn seconds<'a>(
    result: &RunResult,
    remembered: &Conditions,
    points: impl Iterator<Item = &'a Point>,
) -> Vec<(&'a Point, Second)> {
    // What is used of this machine does not slow down a service on another one. Loadgate itself was late then, and that
    // is measured and excused by itself.
    if result.machine.as_ref().is_some_and(|it| it.target_location == Some(TargetLocation::AnotherMachine)) {
        return Vec::new();
    }
    let shared = result.machine.as_ref().is_none_or(|machine| machine.quota_shared);
    let mut seconds: Vec<_> =
        points.filter_map(|point| Some((point, second(point, remembered, shared)?))).collect();
    let own: Vec<f64> = seconds.iter().map(|(_, second)| second.factor).collect();
    for ((_, second), before) in seconds.iter_mut().skip(1).zip(own) {
        second.factor = second.factor.max(before);
    }
    seconds
}

/// What is known of a second; none where nothing is.
fn second(point: &Point, remembered: &Conditions, quota_shared: bool) -> Option<Second> {
    let machine = point.machine.as_ref()?;
    let held_back = machine.throttled.filter(|_| !quota_shared).unwrap_or(0.0);
    let (others, idle) = tightest(machine);
    let extra = (others - remembered.others_cpu.unwrap_or(0.0).max(ALWAYS)).max(0.0);
    let waited = match machine.contention {
        // A service slows the computation down as well: it counts only where others are there to do so.
        Some(now) if extra > 0.0 => (now / remembered.contention.unwrap_or(1.0).max(1.0)).max(1.0),
        _ => 1.0,
    };
    let left = idle.max(LEAST_IDLE);
    let starved = idle <= LEAST_IDLE && extra >= STARVING;
    let factor = if starved || held_back > MOST_THROTTLED { MOST } else { (left + extra) / left * waited };
    Some(Second {
        t_s: point.t_s,
        length_s: point.length_s,
        failed: point.failed,
        idle,
        others,
        factor: if factor.is_finite() { factor.clamp(1.0, MOST) } else { 1.0 },
        held_back,
    })
}

/// What others used and what was left, of all CPUs or of those that the service or loadgate is limited to. Where
/// others are not known, they used nothing that could excuse anything.
fn tightest(machine: &MachinePoint) -> (f64, f64) {
    let all = (machine.others_cpu.unwrap_or(0.0), machine.idle.unwrap_or(1.0));
    let limited = machine.limited.map(|it| (it.others_cpu.unwrap_or(0.0), it.idle));
    let explained = |(others, idle): (f64, f64)| (others - ALWAYS).max(0.0) / idle.max(LEAST_IDLE);
    limited.filter(|limited| explained(*limited) > explained(all)).unwrap_or(all)
}

/// The share of requests that make a number: the slowest, of which one makes a maximum, and a mean.
fn tail(metric: Metric) -> f64 {
    match (percentile(metric), metric) {
        (Some(percentile), _) => 1.0 - percentile.quantile(),
        (None, Metric::Throughput) => 0.5,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests;
