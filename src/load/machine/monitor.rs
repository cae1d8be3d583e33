//! Reads the machine from one look to the next: the reference computation, and the counters of the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::listener;
use super::reading::{Kernel, Limited, Reading};
use super::reference::Reference;
use super::service::{Location, Service, Unknown, starter_below};
use super::text::{self, Stat, Ticks};
use super::tree::{self, Family};
use crate::clock;

/// Of how many processes of a service the allowed CPUs are read at every look.
const MOST_ASKED: usize = 16;
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
    /// The groups that may hold loadgate back.
    groups: Vec<PathBuf>,
    shared: bool,
    last: Option<Counters>,
}

/// The counters at one moment.
#[derive(Debug, Clone)]
struct Counters {
    at: Instant,
    stat: Stat,
    own: u64,
    pressure: Option<u64>,
    throttled: Vec<Option<[u64; 2]>>,
}

impl Monitor {
    /// Begins to watch. `service` is what shall not count as another process.
    pub fn begin(service: &Service) -> Self {
        let own = std::process::id().cast_signed();
        let (family, unknown) = match service {
            Service::Started(guard) => (Some(Family::of(vec![*guard])), None),
            Service::Found(pids) => (Some(Family::of(pids.clone())), None),
            Service::Elsewhere => (None, None),
            Service::Unknown(unknown) => (None, Some(unknown.clone())),
        };
        let elsewhere = *service == Service::Elsewhere;
        let shared = !elsewhere && family.as_ref().is_none_or(|family| shares_group(own, family));
        let mut monitor = Self {
            reference: Reference::begin().ok(),
            own,
            elsewhere,
            unknown: unknown.or_else(|| started_elsewhere(service)),
            family,
            groups: groups(),
            shared,
            last: None,
        };
        monitor.last = monitor.counters(clock::now());
        monitor
    }

    /// What happened since the last look. The counters of the kernel are told once enough time has passed, and then of
    /// all the time since they were told before.
    pub fn look(&mut self) -> Reading {
        let timed = self.reference.as_ref().map(Reference::look).unwrap_or_default();
        Reading { timed, kernel: self.look_at_kernel(clock::now()) }
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
        if let (None, Some(family)) = (&self.unknown, &self.family) {
            let pids: Vec<i32> = family.pids().collect();
            let back_end = listener::back_ends(&pids, &[self.own]).into_iter().next();
            self.unknown = back_end.map(|address| Unknown::BackEnd { address: address.to_string() });
        }
        self.unknown.clone()
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
        self.shared
    }

    fn counters(&self, at: Instant) -> Option<Counters> {
        let stat = text::stat(&fs::read_to_string("/proc/stat").ok()?)?;
        let read = |path: &PathBuf| text::throttled(&fs::read_to_string(path).ok()?);
        Some(Counters {
            at,
            stat,
            own: tree::process(self.own)?.own_ticks(),
            pressure: fs::read_to_string("/proc/pressure/cpu").ok().and_then(|it| text::pressure(&it)),
            throttled: self.groups.iter().map(read).collect(),
        })
    }

    fn kernel(&mut self, last: &Counters, now: &Counters) -> Kernel {
        let elapsed = now.at.saturating_duration_since(last.at).as_secs_f64();
        let generator = seconds(now.own.saturating_sub(last.own));
        let service = self.family.as_mut().map(|family| {
            let look = family.look();
            if let (None, Some(name)) = (&self.unknown, look.unaccounted) {
                self.unknown = Some(Unknown::ChildrenUnaccounted { name });
            }
            look.cpu.as_secs_f64()
        });
        let known = self.unknown.is_none() && (self.elsewhere || service.is_some());
        let ours = known.then(|| generator + service.unwrap_or(0.0));
        let part = |of: fn(&Ticks) -> u64| seconds(of(&now.stat.all).saturating_sub(of(&last.stat.all)));
        let busy = part(|it| it.busy);
        Kernel {
            elapsed,
            capacity: elapsed * now.stat.each.len().max(1) as f64,
            busy,
            idle: part(|it| it.idle),
            steal: part(|it| it.steal),
            generator,
            service,
            others: ours.map(|ours| (busy - ours).max(0.0)),
            limited: self.limited(last, now, ours),
            pressure: now
                .pressure
                .zip(last.pressure)
                .map(|(now, last)| now.saturating_sub(last) as f64 / 1e6),
            throttled: most_throttled(&last.throttled, &now.throttled),
        }
    }

    /// The CPUs that the service, or loadgate, is limited to: those of which less is left.
    fn limited(&self, last: &Counters, now: &Counters, ours: Option<f64>) -> Option<Limited> {
        let online: BTreeSet<usize> = now.stat.each.iter().map(|(number, _)| *number).collect();
        let service = self.family.iter().flat_map(Family::members).take(MOST_ASKED).filter_map(allowed);
        let service = service.reduce(|all, one| all.union(&one).copied().collect());
        let sets = [service, allowed(self.own)].into_iter().flatten();
        let limited = sets.filter(|set| !online.is_subset(set)).map(|set| {
            let sum = |counters: &Counters, of: fn(&Ticks) -> u64| -> u64 {
                let all = counters.stat.each.iter().filter(|(number, _)| set.contains(number));
                all.map(|(_, ticks)| of(ticks)).sum()
            };
            let part = |of: fn(&Ticks) -> u64| seconds(sum(now, of).saturating_sub(sum(last, of)));
            let elapsed = now.at.saturating_duration_since(last.at).as_secs_f64();
            Limited {
                capacity: elapsed * online.intersection(&set).count() as f64,
                idle: part(|it| it.idle),
                others: ours.map(|ours| (part(|it| it.busy) - ours).max(0.0)),
            }
        });
        limited
            .min_by(|a, b| a.share(a.idle).partial_cmp(&b.share(b.idle)).unwrap_or(std::cmp::Ordering::Equal))
    }
}

fn seconds(ticks: u64) -> f64 {
    tree::ticks(ticks).as_secs_f64()
}

fn allowed(pid: i32) -> Option<BTreeSet<usize>> {
    text::allowed(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// A command that only asks another process of this machine to start the service.
fn started_elsewhere(service: &Service) -> Option<Unknown> {
    let Service::Started(guard) = service else { return None };
    starter_below(*guard).map(|name| Unknown::Forwarder { name })
}

/// Whether the service is in the control group of loadgate.
fn shares_group(own: i32, family: &Family) -> bool {
    let group = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
    let ours = group(own);
    family.members().any(|pid| group(pid) == ours)
}

/// The `cpu.stat` of the group of loadgate and of those it is in, of which any may have a quota.
fn groups() -> Vec<PathBuf> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folders = text::group_folders(&cgroup).into_iter().map(PathBuf::from);
    let Some(own) = folders.into_iter().find(|folder| folder.join("cpu.stat").exists()) else {
        return Vec::new();
    };
    let all = own.ancestors().take_while(|folder| folder.starts_with("/sys/fs/cgroup"));
    all.map(|folder| folder.join("cpu.stat")).filter(|file| file.exists()).collect()
}

/// Of the group that was held back most.
fn most_throttled(last: &[Option<[u64; 2]>], now: &[Option<[u64; 2]>]) -> Option<[f64; 2]> {
    let passed = last.iter().zip(now).filter_map(|(last, now)| {
        let ([throttled, periods], [last_throttled, last_periods]) = ((*now)?, (*last)?);
        Some([throttled.saturating_sub(last_throttled), periods.saturating_sub(last_periods)])
    });
    passed.max_by_key(|it| it[0]).map(|it| it.map(|count| count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_that_was_held_back_most_is_told() {
        let last = [Some([0, 10]), Some([5, 100]), None];
        let now = [Some([1, 20]), Some([9, 110]), Some([7, 7])];
        assert_eq!(most_throttled(&last, &now), Some([4.0, 10.0]));
        assert_eq!(most_throttled(&[], &[]), None);
    }

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
        assert_eq!(kernel.and_then(|kernel| kernel.others), None);
        assert_eq!(monitor.location(), None);
        assert_eq!((monitor.unknown(), monitor.shares_group()), (Some(Unknown::NoPermission), true));
    }
}
