//! What of a bad number the machine explains. An excuse makes a number inconclusive, and never good; and it
//! explains only so much, for a service that became heavier must be found on a machine that is in use.
//!
//! *Others.* Without its neighbours, a service would have had a share `slack` of its CPUs to spare: what is idle, and
//! what others used beyond the remembered runs and beyond what any machine does for itself. A queue takes about
//! 1 ÷ slack as long, and 1 ÷ (slack − taken) where others take a part of it. So they make times
//! slack ÷ (slack − taken) as long. A second is an average of what came and went within it: others may have taken
//! twice as much in one half of it. So that half is judged by twice what they took, and the other one by what they
//! took. Where they left nothing, the queue grows for as long as that lasts, and there is no bound.
//!
//! *The service itself.* With nothing left, nobody can see whether a service is a little or far too heavy, and so
//! what would be otherwise without the last few per cent of others. A service that has less than 30 % to spare
//! without its neighbours made its queue itself, and is judged as if it had these 30 %: others of 6 % make times at
//! most 1.07 times as long, others of 10 % 1.5 times, and those of 19 % or more have no bound: so much is missing
//! where a service that is half busy is starved. With others at nothing, the factor is 1 however busy the machine is.
//! A thread of loadgate that has to wait for a CPU waits for the service as well: of its waiting, others account for
//! their share of what was used.
//!
//! *When.* Only the seconds in which a number was made explain it. The second after one without a bound has none
//! either, since queues drain late. A mean becomes as many times as long as its seconds do on average, a throughput as
//! many times smaller as the mean of their inverses. A percentile is made by the slowest share of the requests: those
//! of the worst seconds may all be among them, and all others were only made longer by what the rest of the seconds
//! explains. How much longer than the percentile a yet rarer time is, nobody knows: it is taken to be in proportion,
//! so that p97.5 is at most twice p95, and two bad seconds in a minute explain 3 times a p95 and hardly any median.
//!
//! *Failures.* A failure that came too late is explained where it ended in a second without a bound. Others must be
//! within their limit together with all that are not explained.
//!
//! *Speed.* A processor that computes slower than in the remembered runs makes times longer, and the more so the
//! less is idle. But a service that uses more CPU slows down what computes beside it: where its CPU grew by more
//! than the speed explains, the speed explains nothing.
//!
//! *Quota.* A control group that holds loadgate back, and not the service, makes everything look slow that is measured in
//! the periods in which it does, and in those after them.

use crate::baseline::run::{Conditions, Run};
use crate::metric::Metric;
use crate::result::endpoint::{Failed, failures};
use crate::result::machine::{MachinePoint, TargetLocation};
use crate::result::schema::{Point, RunResult};
use crate::result::stretch::{Stretch, stretches};
use crate::result::verdict::Because;
use crate::stats::quantile::median;

use super::decision::percentile;

/// What a machine does for itself, and what clock ticks get wrong.
const ALWAYS: f64 = 0.05;
/// Less than this cannot be told from nothing left.
const LEAST_IDLE: f64 = 0.02;
/// A service that would have less than this to spare without its neighbours made its queue itself.
const LEAST_SLACK: f64 = 0.3;
/// Others that come and go within a second take this many times as much while they are there.
const HALVES: f64 = 2.0;
/// Periods that a quota may hold loadgate back before it matters.
const MOST_THROTTLED: f64 = 0.05;
/// What is late after a period in which a quota held loadgate back, beside that period itself.
const TIMES_HELD_BACK: f64 = 2.0;
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
/// How a load ended is how these last seconds of it were: what ends while it drains has mostly begun in them.
const LAST: usize = 5;
/// Shares that differ by less are the same.
const SLIGHT: f64 = 1e-9;
/// Failures that only say that something did not come in time.
pub const LATE: [&str; 3] = ["timeout", "dropped", "missing_message"];

/// What the machine of a run explains, beside the machines of remembered runs where there are any.
#[derive(Debug, Clone)]
pub struct Excuses<'a> {
    result: &'a RunResult,
    remembered: Conditions,
    /// Of all phases, each with what it was measured in.
    seconds: Vec<(Moment<'a>, Second)>,
}

/// A point of the series, and what the endpoints did in it, or in several together of which it is one.
#[derive(Debug, Clone, Copy)]
struct Moment<'a> {
    point: &'a Point,
    stretch: Stretch<'a>,
}

impl Moment<'_> {
    /// Whether both are points whose endpoints are counted together.
    fn is_with(&self, other: &Self) -> bool {
        std::ptr::eq(self.stretch.points, other.stretch.points)
    }
}

/// Where and when a number was made: other seconds explain nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Made<'n> {
    endpoint: Option<&'n str>,
    whole_run: bool,
    span: Option<(f64, f64)>,
}

impl<'n> Made<'n> {
    /// In the steady phase, by whatever endpoint.
    pub fn in_steady() -> Self {
        Self::default()
    }

    /// At any time.
    pub fn in_whole_run() -> Self {
        Self { whole_run: true, ..Self::default() }
    }

    /// By this endpoint; by all of them where there is none.
    #[must_use]
    pub fn by(self, endpoint: Option<&'n str>) -> Self {
        Self { endpoint, ..self }
    }

    /// From one moment to another, in seconds since the start of the load.
    #[must_use]
    pub fn between(self, from_s: f64, to_s: f64) -> Self {
        Self { span: Some((from_s, to_s)), ..self }
    }

    fn is_in(&self, moment: &Moment) -> bool {
        let point = moment.point;
        let phase = self.whole_run || point.phase == "steady";
        let made = self.endpoint.is_none_or(|name| {
            let counted = moment.stretch.endpoints.contains_key(name);
            counted && (moment.stretch.is_one_point() || something_ended(point))
        });
        let inside = |(from_s, to_s)| point.t_s + length_s(point) > from_s && point.t_s < to_s;
        phase && made && self.span.is_none_or(inside)
    }

    /// What failed in these moments, and how much of it timed out. Of endpoints that are counted together in several points,
    /// that is what must have: all that failed in the other points may have been of this endpoint.
    fn failed(&self, moments: &[&(Moment, Second)]) -> (u64, u64) {
        let sum = |all: &mut dyn Iterator<Item = u64>| all.fold(0, u64::saturating_add);
        let picks: [fn(&Point) -> u64; 2] = [|point| point.failed, |point| point.timed_out];
        let Some(name) = self.endpoint else {
            let [failed, timed_out] =
                picks.map(|pick| sum(&mut moments.iter().map(|(it, _)| pick(it.point))));
            return (failed, timed_out);
        };
        let together = moments.chunk_by(|(a, _), (b, _)| a.is_with(b));
        together.fold((0, 0), |(failed, timed_out), these| {
            let stretch = these[0].0.stretch;
            let Some(it) = stretch.endpoints.get(name) else { return (failed, timed_out) };
            let [others_failed, others_timed_out] = picks.map(|pick| {
                let here = sum(&mut these.iter().map(|(moment, _)| pick(moment.point)));
                let known =
                    if stretch.is_one_point() { here } else { sum(&mut stretch.points.iter().map(pick)) };
                known.saturating_sub(here)
            });
            let failed = it.failed.saturating_sub(others_failed).saturating_add(failed);
            (failed, it.timed_out.saturating_sub(others_timed_out).saturating_add(timed_out))
        })
    }

    /// The parts of these moments. Of points whose endpoints are counted together, nobody knows in which of them this one
    /// was made: it may have been in the one that explains the least, and where not all of them are among these, in none.
    fn parts(&self, moments: &[&(Moment, Second)]) -> Vec<Part> {
        let together = moments.chunk_by(|(a, _), (b, _)| self.endpoint.is_some() && a.is_with(b));
        let parts = together.flat_map(|these| {
            let stretch = these[0].0.stretch;
            let all: Vec<[Part; 3]> =
                these.iter().map(|(moment, it)| it.parts(length_s(moment.point))).collect();
            let is_known = self.endpoint.is_none()
                || stretch.is_one_point()
                || stretch.points.iter().filter(|point| something_ended(point)).count() == these.len();
            std::array::from_fn::<Part, 3, _>(|at| {
                let of = |pick: fn(&Part) -> f64| all.iter().map(move |parts| pick(&parts[at]));
                let least = of(|part| part.least).fold(f64::INFINITY, f64::min);
                Part {
                    least: if is_known { least } else { 0.0 },
                    most: of(|part| part.most).sum(),
                    factor: of(|part| part.factor).fold(f64::INFINITY, f64::min),
                }
            })
        });
        parts.collect()
    }
}

/// Failures that are too many, as far as they came too late.
#[derive(Debug, Clone, Copy)]
pub struct TooMany<'f> {
    /// How many there are.
    pub count: u64,
    /// All failures of the run where they were made, by kind: what they are among.
    pub among: &'f Failed,
    /// The kinds of those that came too late.
    pub late: &'f [&'f str],
}

/// One second, and how many times as long others made things take.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Second {
    idle: f64,
    others: f64,
    held_back: f64,
    longer: Longer,
}

/// How many times as long things took in the two halves of a second; infinite where nothing bounds it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Longer {
    worse_half: f64,
    other_half: f64,
}

/// A part of the time, and how many times as long things took in it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    /// How long it is at least, and at most, in seconds.
    least: f64,
    most: f64,
    factor: f64,
}

impl Part {
    fn lasting(length_s: f64, factor: f64) -> Self {
        Self { least: length_s, most: length_s, factor }
    }
}

impl<'a> Excuses<'a> {
    /// Of a run that is judged by itself.
    pub fn of(result: &'a RunResult) -> Self {
        Self::beside(result, &[])
    }

    /// Of a run that is compared with these.
    pub fn beside(result: &'a RunResult, runs: &[&Run]) -> Self {
        let remembered = usual(runs);
        Self { result, remembered, seconds: seconds(result, &remembered) }
    }

    /// Why a number that is `ratio` times what it may be can be the machine's doing. Infinite is the ratio of a number
    /// that is only known from below: then nothing explains it that has a bound.
    pub fn explains(&self, made: Made, metric: Metric, ratio: f64) -> Option<Because> {
        let seconds: Vec<_> = self.seconds.iter().filter(|(moment, _)| made.is_in(moment)).collect();
        let factor = together(metric, made.parts(&seconds));
        let slower = self.slower();
        let explained = factor * slower.unwrap_or(1.0);
        if ratio.is_nan() || explained < ratio || explained <= 1.0 {
            return None;
        }
        let worst = seconds.iter().map(|(_, second)| second).max_by(|a, b| a.compare(b));
        match (worst, slower) {
            (Some(worst), slower) if factor >= slower.unwrap_or(1.0) => Some(self.busy(worst)),
            (_, Some(_)) => Some(Because::MachineSlow {
                speed: self.result.machine.as_ref()?.speed?,
                remembered: self.remembered.speed?,
            }),
            (_, None) => None,
        }
    }

    /// Why failures can be the machine's doing: `holds` says whether those would be fine that it does not explain. It
    /// explains those that came too late and ended in a second in which others left no CPU for them. Of what failed in
    /// such a second, all that did not come too late in the whole run may be a part.
    pub fn explains_failures(
        &self,
        made: Made,
        failed: TooMany,
        holds: impl Fn(u64) -> bool,
    ) -> Option<Because> {
        let late: u64 = failed.late.iter().filter_map(|kind| failed.among.get(*kind)).sum();
        let others = failures(failed.among).saturating_sub(late);
        let starved = self.seconds.iter().filter(|(moment, it)| made.is_in(moment) && it.is_starved());
        let starved: Vec<_> = starved.collect();
        let (then, timed_out) = made.failed(&starved);
        let timed_out = if failed.late.contains(&"timeout") { timed_out.min(then) } else { 0 };
        let explained = then.saturating_sub(others).max(timed_out).min(late).min(failed.count);
        let worst = starved.iter().map(|(_, second)| second).max_by(|a, b| a.compare(b))?;
        (explained > 0 && holds(failed.count - explained)).then(|| self.busy(worst))
    }

    /// Why a run is no measure of its service: in a quarter of its seconds or more, which is what moves a median, others
    /// used more than machines do for themselves, and made everything take noticeably longer.
    pub fn too_busy(&self) -> Option<Because> {
        let made = Made::in_steady();
        let steady = self.seconds.iter().filter(|(moment, _)| made.is_in(moment)).map(|(_, second)| second);
        let is_busy = |second: &&Second| {
            let longer = second.longer.other_half >= NOTICEABLE && second.others >= ORDINARY;
            second.held_back > MOST_THROTTLED || longer
        };
        let mut busy: Vec<&Second> = steady.clone().filter(is_busy).collect();
        busy.sort_by(|a, b| b.compare(a));
        let quarter = steady.count().div_ceil(4).max(1);
        busy.get(quarter - 1).map(|second| self.busy(second))
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

impl Second {
    /// What is known of a second; none where nothing is.
    fn of(point: &Point, remembered: &Conditions, quota_shared: bool) -> Option<Self> {
        let machine = point.machine.as_ref()?;
        let tightest = tightest(machine, remembered);
        Some(Self {
            idle: tightest.idle,
            others: tightest.others,
            held_back: machine.throttled.filter(|_| !quota_shared).unwrap_or(0.0),
            longer: tightest.longer(waiting(machine, remembered)),
        })
    }

    /// Its halves, and what a quota made late in it.
    fn parts(&self, length_s: f64) -> [Part; 3] {
        let held = if self.held_back > MOST_THROTTLED { TIMES_HELD_BACK * self.held_back } else { 0.0 };
        let held = held.clamp(0.0, 1.0);
        let half = length_s * (1.0 - held) / HALVES;
        [
            Part::lasting(length_s * held, f64::INFINITY),
            Part::lasting(half, self.longer.worse_half),
            Part::lasting(half, self.longer.other_half),
        ]
    }

    /// Whether something may have had to wait in it without a bound.
    fn is_starved(&self) -> bool {
        self.longer.worse_half.is_infinite() || self.held_back > MOST_THROTTLED
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let by = |it: &Self| (it.held_back > MOST_THROTTLED, it.longer.worse_half);
        let ((held, worse), (other_held, other_worse)) = (by(self), by(other));
        held.cmp(&other_held).then(worse.total_cmp(&other_worse)).then(other.idle.total_cmp(&self.idle))
    }
}

/// Some CPUs in one second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cpus {
    idle: f64,
    /// What others used.
    others: f64,
    /// The same beyond what they always do.
    extra: f64,
}

impl Cpus {
    /// Others that are not known used nothing that could explain anything.
    fn of(others: Option<f64>, idle: f64, remembered: Option<f64>) -> Self {
        let always = remembered.unwrap_or(0.0).max(ALWAYS);
        let others = others.unwrap_or(0.0);
        Self { idle, others, extra: (others - always).max(0.0) }
    }

    /// How many times as long things take, where a thread that wants to run has to wait so many times as long as it runs.
    fn longer(&self, waiting: f64) -> Longer {
        let slack = (self.idle + self.extra).max(LEAST_SLACK);
        let without = |taken: f64| {
            let left = slack - taken;
            if left > LEAST_IDLE { slack / left } else { f64::INFINITY }
        };
        let busy = (1.0 - self.idle).max(self.extra);
        let of_others = if busy > 0.0 { self.extra / busy } else { 0.0 };
        // Without others, only the rest of the waiting would have been there.
        let waited = waiting / (1.0 + (waiting - 1.0) * (1.0 - of_others));
        let waited = if waited.is_finite() { waited.max(1.0) } else { 1.0 };
        Longer { worse_half: waited * without(HALVES * self.extra), other_half: waited * without(self.extra) }
    }
}

/// All CPUs, or those that the service or loadgate is limited to where others did more there.
fn tightest(machine: &MachinePoint, remembered: &Conditions) -> Cpus {
    let all = Cpus::of(machine.others_cpu, machine.idle.unwrap_or(1.0), remembered.others_cpu);
    let before = remembered.limited_others_cpu.or(remembered.others_cpu);
    let limited = machine.limited.map(|it| Cpus::of(it.others_cpu, it.idle, before));
    let worse = |cpus: &Cpus| cpus.longer(1.0).worse_half;
    limited.filter(|limited| worse(limited) > worse(&all)).unwrap_or(all)
}

/// How many times as long as in the remembered runs a computation took for want of a CPU.
fn waiting(machine: &MachinePoint, remembered: &Conditions) -> f64 {
    let waiting = machine.contention.unwrap_or(1.0) / remembered.contention.unwrap_or(1.0).max(1.0);
    if waiting.is_finite() { waiting.max(1.0) } else { 1.0 }
}

/// How many times as long, or as few, a number of a stretch became, at least, in which things took so much longer in its
/// parts.
fn together(metric: Metric, mut parts: Vec<Part>) -> f64 {
    parts.retain(|part| part.most > 0.0);
    parts.sort_by(|a, b| b.factor.total_cmp(&a.factor));
    match (percentile(metric), metric) {
        (Some(percentile), _) => of_slowest(1.0 - percentile.quantile(), &parts),
        (None, Metric::Mean) => means(&parts, |factor| factor).into_iter().reduce(f64::min).unwrap_or(1.0),
        (None, Metric::Throughput) => {
            means(&parts, |factor| 1.0 / factor).into_iter().reduce(f64::max).map_or(1.0, |mean| 1.0 / mean)
        }
        (None, _) => parts.iter().filter(|part| part.least > 0.0).map(|part| part.factor).fold(1.0, f64::max),
    }
}

/// The means over the parts, from the largest factor on: of the first of them as little as there is at least, of all others
/// as much as there is at most. The least or the most that a mean can be is among them.
fn means(parts: &[Part], of: impl Fn(f64) -> f64) -> Vec<f64> {
    // A part of no length has no say, however large its factor is.
    let weighed = |length_s: f64, factor: f64| if length_s > 0.0 { length_s * of(factor) } else { 0.0 };
    let mut behind = vec![(0.0, 0.0)];
    for part in parts.iter().rev() {
        let (length_s, sum) = behind[behind.len() - 1];
        behind.push((length_s + part.most, sum + weighed(part.most, part.factor)));
    }
    let mut before = (0.0, 0.0);
    let mut means = Vec::with_capacity(behind.len());
    for (at, (length_s, sum)) in behind.into_iter().rev().enumerate() {
        if before.0 + length_s > 0.0 {
            means.push((before.1 + sum) / (before.0 + length_s));
        }
        if let Some(part) = parts.get(at) {
            before = (before.0 + part.least, before.1 + weighed(part.least, part.factor));
        }
    }
    means
}

/// The same of the time that the `slowest` share of the requests takes. Of the requests beyond it, those of a worst
/// share of the parts are as many as there are; all others became at most as many times longer as the next part says. So
/// without others, at least (slowest − worst) ÷ (1 − worst) of the requests were beyond what is left of it then; and times
/// are taken to grow no faster than they get rare. The parts begin with the largest factor.
fn of_slowest(slowest: f64, parts: &[Part]) -> f64 {
    let rest = Part::lasting(0.0, 1.0);
    let mut behind: f64 = parts.iter().map(|part| part.most).sum();
    let (mut least, mut before) = (f64::INFINITY, 0.0);
    for (at, part) in parts.iter().chain([&rest]).enumerate() {
        let behind_s = if at < parts.len() { behind } else { 0.0 };
        let worst = if before > 0.0 { before / (before + behind_s) } else { 0.0 };
        if worst + SLIGHT >= slowest {
            break;
        }
        least = least.min(part.factor * slowest * (1.0 - worst) / (slowest - worst));
        before += part.least;
        behind = (behind - part.most).max(0.0);
    }
    least
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
        limited_others_cpu: of(|it| it.limited_others_cpu),
        target_cpu: of(|it| it.target_cpu),
        idle: of(|it| it.idle),
        steal: of(|it| it.steal),
        throttled: of(|it| it.throttled),
    }
}

/// What is known of the seconds of a run. A queue that grew without a bound drains in the next one.
fn seconds<'a>(result: &'a RunResult, remembered: &Conditions) -> Vec<(Moment<'a>, Second)> {
    // What is used of this machine does not slow down a service on another one. Loadgate itself was late then, and that
    // is measured and excused by itself.
    if result.machine.as_ref().is_some_and(|it| it.target_location == Some(TargetLocation::AnotherMachine)) {
        return Vec::new();
    }
    let shared = result.machine.as_ref().is_none_or(|machine| machine.quota_shared);
    let mut seconds: Vec<(Moment, Second)> = Vec::new();
    let mut before: Option<Second> = None;
    let moments = stretches(&result.series)
        .flat_map(|stretch| stretch.points.iter().map(move |point| Moment { point, stretch }));
    for moment in moments {
        let point = moment.point;
        let starved = before.filter(|before| before.longer.worse_half.is_infinite());
        let own = match point.phase.as_str() {
            // Nobody looks at the machine while the load drains: it is as it mostly was when the load ended.
            "drain" if point.machine.is_none() => starved.filter(|_| ends_starved(&seconds)),
            _ => Second::of(point, remembered, shared),
        };
        let longer = Longer { worse_half: f64::INFINITY, other_half: f64::INFINITY };
        seconds
            .extend(own.map(|own| (moment, if starved.is_some() { Second { longer, ..own } } else { own })));
        before = own.or(before);
    }
    seconds
}

/// Whether most of the last seconds had no bound.
fn ends_starved(seconds: &[(Moment, Second)]) -> bool {
    let last = &seconds[seconds.len().saturating_sub(LAST)..];
    let starved = last.iter().filter(|(_, second)| second.longer.worse_half.is_infinite()).count();
    2 * starved > last.len()
}

fn something_ended(point: &Point) -> bool {
    point.ok > 0 || point.failed > 0
}

fn length_s(point: &Point) -> f64 {
    // Results of earlier versions do not say it.
    if point.length_s > 0.0 && point.length_s.is_finite() { point.length_s } else { 1.0 }
}

#[cfg(test)]
mod tests;
