//! Reads the machine from one look to the next: the reference computation, and the counters of the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use super::back_end;
use super::family::Family;
use super::group::{Groups, Throttled, Where};
use super::reading::{Kernel, Limited, Reading};
use super::reference::Reference;
use super::service::{Location, Service, Unknown, starter_below};
use super::text::{self, Stat, Ticks};
use super::tree;
use crate::clock;

/// Of how many processes of a service the allowed CPUs are read.
const MOST_ASKED: usize = 16;
/// How often it is read which CPUs and groups the processes of a service are limited to, where none joins.
const LIMITS: Duration = Duration::from_secs(10);
/// Looking for those that work for a service takes at most this share of the time.
const BACK_END_SHARE: u32 = 2_000;
/// A shorter stretch has too few clock ticks: in 50 ms, one tick of 10 ms is 20 % of a CPU. It is left to the next
/// look.
const SHORTEST: Duration = Duration::from_millis(200);

/// Watches the machine until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    /// None where the system refused a thread: then it is not known.
    reference: Option<Reference>,
    own: i32,
    elsewhere: bool,
    /// The processes of the service, where they are on this machine and known.
    family: Option<Family>,
    unknown: Option<Unknown>,
    groups: Groups,
    allowed: Allowed,
    /// When it was last looked for those that work for the service, and how long that took.
    sought: (Instant, Duration),
    last: Option<Counters>,
}

/// The counters at one moment.
#[derive(Debug, Clone)]
struct Counters {
    at: Instant,
    stat: Stat,
    own: Duration,
    pressure: Option<u64>,
    throttled: Throttled,
}

/// The CPUs that processes may use; none where that could not be read.
#[derive(Debug)]
struct Allowed {
    at: Instant,
    service: Option<BTreeSet<usize>>,
    own: Option<BTreeSet<usize>>,
}

/// What is nobody else's of the CPU that was used in a stretch, in seconds.
#[derive(Debug, Clone, Copy)]
struct Accounted {
    service: Option<f64>,
    /// Loadgate, the service and the threads of the kernel; none where the service cannot be told from others.
    all: Option<f64>,
}

impl Monitor {
    /// Begins to watch. `service` is what shall not count as another process.
    pub fn begin(service: &Service) -> Self {
        let own = std::process::id().cast_signed();
        let (family, unknown) = match service {
            Service::Started(guard) => (Some(Family::guarded(*guard)), None),
            Service::Found(pids) => (Some(Family::of(pids)), None),
            Service::Elsewhere => (None, None),
            Service::Unknown(unknown) => (None, Some(unknown.clone())),
        };
        let elsewhere = *service == Service::Elsewhere;
        let cgroups: Vec<String> = family.iter().flat_map(Family::members).filter_map(cgroup).collect();
        let groups = Groups::begin(match (elsewhere, &family) {
            (true, _) => Where::Elsewhere,
            (false, Some(_)) => Where::In(&cgroups),
            (false, None) => Where::Unknown,
        });
        let mut monitor = Self {
            reference: Reference::begin().ok(),
            own,
            elsewhere,
            unknown: unknown.or_else(|| started_elsewhere(service)),
            allowed: Allowed::read(family.as_ref(), own, clock::now()),
            family,
            groups,
            sought: (clock::now(), Duration::ZERO),
            last: None,
        };
        monitor.last = monitor.counters(clock::now());
        monitor
    }

    /// What happened since the last look. The counters of the kernel are told once enough time has passed, and then of
    /// all the time since they were told before.
    pub fn look(&mut self) -> Reading {
        let timed = self.reference.as_ref().map(Reference::look).unwrap_or_default();
        let kernel = self.look_at_kernel(clock::now());
        let (at, took) = self.sought;
        // A connection that is opened for each request is not open at every moment.
        if kernel.is_some() && clock::now().saturating_duration_since(at) >= took * BACK_END_SHARE {
            self.seek_back_end();
        }
        Reading { timed, kernel }
    }

    fn look_at_kernel(&mut self, now: Instant) -> Option<Kernel> {
        if self.last.as_ref().is_some_and(|last| now.saturating_duration_since(last.at) < SHORTEST) {
            return None;
        }
        let (last, now) = (self.last.take(), self.counters(now));
        let kernel = last.zip(now.as_ref()).map(|(last, now)| self.kernel(&last, now));
        self.last = now;
        kernel
    }

    /// Why other processes cannot be told from the service, if they cannot; whoever works for the service by now
    /// is looked for.
    pub fn unknown(&mut self) -> Option<Unknown> {
        self.seek_back_end();
        self.unknown.clone()
    }

    fn seek_back_end(&mut self) {
        if let (None, Some(family)) = (&self.unknown, &self.family) {
            let begun = clock::now();
            let pids: Vec<i32> = family.pids().collect();
            let back_end = back_end::address(&pids, &[self.own], || family.everybody());
            self.unknown = back_end.map(|address| Unknown::BackEnd { address });
            let now = clock::now();
            self.sought = (now, now.saturating_duration_since(begun));
        }
    }

    /// Where the service is; none where that is not known.
    pub fn location(&self) -> Option<Location> {
        match (self.elsewhere, &self.family) {
            (true, _) => Some(Location::AnotherMachine),
            (false, Some(_)) => Some(Location::ThisMachine),
            (false, None) => None,
        }
    }

    /// Whether what holds loadgate back may hold the service back as well.
    pub fn shares_group(&self) -> bool {
        self.groups.is_shared() || self.unknown.is_some()
    }

    fn counters(&self, at: Instant) -> Option<Counters> {
        Some(Counters {
            at,
            stat: text::stat(&fs::read_to_string("/proc/stat").ok()?)?,
            own: clock::process_cpu(),
            pressure: fs::read_to_string("/proc/pressure/cpu").ok().and_then(|it| text::pressure(&it)),
            throttled: self.groups.read(),
        })
    }

    fn kernel(&mut self, last: &Counters, now: &Counters) -> Kernel {
        let elapsed = now.at.saturating_duration_since(last.at).as_secs_f64();
        let generator = now.own.saturating_sub(last.own).as_secs_f64();
        let accounted = self.account(generator, now);
        let part = |of: fn(&Ticks) -> u64| seconds(of(&now.stat.all).saturating_sub(of(&last.stat.all)));
        let busy = part(|it| it.busy);
        // Interrupts are no part of `busy`. A kernel that does not measure their time by itself counts some of it as
        // that of the process which they interrupted: then too much is taken off here. So others are a lower bound.
        Kernel {
            elapsed,
            capacity: elapsed * now.stat.each.len().max(1) as f64,
            busy,
            idle: part(|it| it.idle),
            steal: part(|it| it.steal),
            generator,
            service: accounted.service,
            others: accounted.all.map(|all| (busy - all).max(0.0)),
            limited: self.limited(last, now, accounted.all),
            pressure: now
                .pressure
                .zip(last.pressure)
                .map(|(now, last)| now.saturating_sub(last) as f64 / 1e6),
            throttled: self.groups.most_throttled(&last.throttled, &now.throttled),
        }
    }

    /// What the service used, and what is nobody else's.
    fn account(&mut self, generator: f64, now: &Counters) -> Accounted {
        let Some(family) = &mut self.family else {
            return Accounted { service: None, all: self.elsewhere.then_some(generator) };
        };
        let look = family.look(now.stat.forks);
        self.unknown = self.unknown.take().or(look.lost);
        if !look.joined.is_empty() || now.at.saturating_duration_since(self.allowed.at) >= LIMITS {
            self.allowed = Allowed::read(Some(family), self.own, now.at);
            let asked: Vec<i32> =
                if look.joined.is_empty() { family.members().collect() } else { look.joined };
            for cgroup in asked.into_iter().filter_map(cgroup) {
                self.groups.holds(&cgroup);
            }
        }
        let service = look.cpu.as_secs_f64();
        let all = generator + service + look.kernel.as_secs_f64();
        Accounted { service: Some(service), all: self.unknown.is_none().then_some(all) }
    }

    /// The CPUs that the service, or loadgate, is limited to: those of which less is left.
    fn limited(&self, last: &Counters, now: &Counters, accounted: Option<f64>) -> Option<Limited> {
        let online: BTreeSet<usize> = now.stat.each.iter().map(|(number, _)| *number).collect();
        let sets = [&self.allowed.service, &self.allowed.own].into_iter().flatten();
        let limited = sets.filter(|set| !online.is_subset(set)).map(|set| {
            let sum = |counters: &Counters, of: fn(&Ticks) -> u64| -> u64 {
                let all = counters.stat.each.iter().filter(|(number, _)| set.contains(number));
                all.map(|(_, ticks)| of(ticks)).sum()
            };
            let part = |of: fn(&Ticks) -> u64| seconds(sum(now, of).saturating_sub(sum(last, of)));
            let elapsed = now.at.saturating_duration_since(last.at).as_secs_f64();
            Limited {
                capacity: elapsed * online.intersection(set).count() as f64,
                idle: part(|it| it.idle),
                others: accounted.map(|accounted| (part(|it| it.busy) - accounted).max(0.0)),
            }
        });
        limited
            .min_by(|a, b| a.share(a.idle).partial_cmp(&b.share(b.idle)).unwrap_or(std::cmp::Ordering::Equal))
    }
}

impl Allowed {
    fn read(family: Option<&Family>, own: i32, at: Instant) -> Self {
        let service = family.into_iter().flat_map(Family::members).take(MOST_ASKED).filter_map(allowed);
        let service = service.reduce(|all, one| all.union(&one).copied().collect());
        Self { at, service, own: allowed(own) }
    }
}

/// How the CPU of the whole machine was used since its start; none elsewhere than on Linux.
pub fn all_cpus() -> Option<Ticks> {
    Some(text::stat(&fs::read_to_string("/proc/stat").ok()?)?.all)
}

fn seconds(ticks: u64) -> f64 {
    tree::ticks(ticks).as_secs_f64()
}

fn allowed(pid: i32) -> Option<BTreeSet<usize>> {
    text::allowed(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// The control groups of a process.
fn cgroup(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()
}

/// The command of a target may be one that has another program of this machine start the service, as `docker run`
/// does.
fn started_elsewhere(service: &Service) -> Option<Unknown> {
    let Service::Started(guard) = service else { return None };
    starter_below(*guard).map(|name| Unknown::Forwarder { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_this_process_uses_is_not_what_others_use() {
        let mut monitor = Monitor::begin(&Service::Elsewhere);
        let end = clock::now() + std::time::Duration::from_secs(20);
        let mut sum = Reading::default();
        let mut work = 0_u64;
        while sum.kernel.as_ref().is_none_or(|it| it.generator < 0.1) && clock::now() < end {
            work = (0..100_000).fold(work, |sum, n| std::hint::black_box(sum ^ n));
            sum.add(&monitor.look());
        }
        let kernel = sum.kernel.expect("the kernel tells");
        assert!(kernel.generator >= 0.1 && kernel.service.is_none(), "{kernel:?}");
        let others = kernel.others.expect("nothing of the service is here");
        assert!(others <= kernel.busy && kernel.capacity >= kernel.elapsed, "{kernel:?}");
        assert_eq!(monitor.unknown(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stretch_of_few_clock_ticks_is_left_to_the_next_look() {
        let mut monitor = Monitor::begin(&Service::Elsewhere);
        let begun = monitor.last.as_ref().expect("counters").at;
        let after = |ms| begun + Duration::from_millis(ms);
        assert!(monitor.look_at_kernel(after(5)).is_none() && monitor.look_at_kernel(after(199)).is_none());
        let kernel = monitor.look_at_kernel(after(1_000)).expect("enough time");
        // Nothing of it is lost: the windows before are in this one.
        assert!((kernel.elapsed - 1.0).abs() < 1e-9, "{kernel:?}");
        assert!(monitor.look_at_kernel(after(1_100)).is_none());
        assert_eq!(monitor.location(), Some(Location::AnotherMachine));
    }

    #[test]
    fn where_the_service_is_not_known_nothing_is_claimed_about_others() {
        let mut monitor = Monitor::begin(&Service::Unknown(Unknown::NoPermission));
        let kernel = monitor.look_at_kernel(clock::now() + Duration::from_secs(1));
        assert_eq!(kernel.is_some(), cfg!(target_os = "linux"), "what there is to be known");
        assert_eq!(kernel.and_then(|kernel| kernel.others), None);
        assert_eq!(monitor.location(), None);
        assert_eq!((monitor.unknown(), monitor.shares_group()), (Some(Unknown::NoPermission), true));
    }

    /// What looking costs, beside the reference computation: run by hand.
    #[cfg(target_os = "linux")]
    #[test]
    #[ignore = "measures this machine"]
    fn what_looking_costs() {
        let mut told = Vec::new();
        for (processes, script) in
            [(1, "exec sleep 30"), (33, "for i in $(seq 32); do sleep 30 & done; wait")]
        {
            let mut shell = std::process::Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = shell.id().cast_signed();
            let mut monitor = loop {
                let monitor = Monitor::begin(&Service::Found(vec![pid]));
                if monitor.family.as_ref().is_some_and(|family| family.pids().count() == processes) {
                    break monitor;
                }
            };
            monitor.reference = None;
            let (mut at, mut quiet, mut forking) = (clock::now(), Duration::ZERO, Duration::ZERO);
            for round in 0..200 {
                let forks = round % 2 == 1;
                if forks {
                    std::process::Command::new("true").status().unwrap();
                }
                at += Duration::from_secs(1);
                let begun = clock::thread_cpu();
                monitor.look_at_kernel(at);
                *(if forks { &mut forking } else { &mut quiet }) += clock::thread_cpu().saturating_sub(begun);
            }
            let begun = clock::thread_cpu();
            monitor.seek_back_end();
            let back_end = clock::thread_cpu().saturating_sub(begun);
            told.push(format!(
                "{processes} processes: {:?} a look, {:?} where a process was started; {back_end:?} a search for back \
                 ends, which is 0.05 % of a core at the most",
                quiet / 100,
                forking / 100
            ));
            let family = monitor.family.take().unwrap();
            for pid in family.pids().collect::<Vec<_>>() {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            shell.wait().unwrap();
        }
        panic!("{}", told.join("\n"));
    }
}
