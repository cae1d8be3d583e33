//! The machine in `result.json`: how fast it was and who used it. Shares are of all its CPUs, 0 to 1; what is
//! not known is null, and never a zero that reads as healthy.

use serde::{Deserialize, Serialize};

use crate::load::machine::{Kernel, Location, Reading, Unknown};
use crate::load::measure::run::{RunData, Window};
use crate::plan::load::Phase;

/// The machine over the steady phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The speed of its processor by a reference computation: 1 is a processor that is always the same.
    pub speed: Option<f64>,
    /// By how much longer that computation took than it had the CPU: 1 where it never had to wait.
    pub contention: Option<f64>,
    /// Used by processes that are neither loadgate nor the service.
    pub others_cpu: Option<f64>,
    /// Why `others_cpu` is null, where the kernel tells of the rest.
    pub others_unknown: Option<OthersUnknown>,
    /// Where the service was; null where that is not known, and in results of earlier versions.
    #[serde(default)]
    pub target_location: Option<TargetLocation>,
    /// Used by the service; null where that is elsewhere, or not known.
    pub target_cpu: Option<f64>,
    /// Used by loadgate.
    pub generator_cpu: Option<f64>,
    /// Used by nobody.
    pub idle: Option<f64>,
    /// Taken away by a hypervisor.
    pub steal: Option<f64>,
    /// Share of the time in which something that could have run waited for a CPU.
    pub pressure: Option<f64>,
    /// Share of the periods in which the control group of loadgate was held back by its quota.
    pub throttled: Option<f64>,
    /// Whether that quota holds for the service as well, as far as is known.
    pub quota_shared: bool,
    /// The second in which the least was left beside what others used.
    pub worst_second: Option<WorstSecond>,
}

/// The machine in one window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MachinePoint {
    /// As in [`Machine`].
    pub speed: Option<f64>,
    /// As in [`Machine`].
    pub contention: Option<f64>,
    /// As in [`Machine`].
    pub others_cpu: Option<f64>,
    /// As in [`Machine`].
    pub idle: Option<f64>,
    /// As in [`Machine`].
    pub steal: Option<f64>,
    /// As in [`Machine`].
    pub throttled: Option<f64>,
    /// The CPUs that the service, or loadgate, is limited to; null where both may use all of them.
    #[serde(default)]
    pub limited: Option<LimitedPoint>,
}

/// The CPUs that something is limited to, in one window; shares are of these.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LimitedPoint {
    /// Used by nobody.
    pub idle: f64,
    /// Used by others, at the least.
    pub others_cpu: Option<f64>,
}

/// The worst second of the steady phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstSecond {
    /// Its start, since the start of the load.
    pub t_s: f64,
    /// How it was.
    #[serde(flatten)]
    pub machine: MachinePoint,
}

/// The machine that the service runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetLocation {
    /// The one that the load is made on.
    ThisMachine,
    /// Another one, whose CPU nobody here sees: what others use of this one is no excuse for it.
    AnotherMachine,
}

impl From<Location> for TargetLocation {
    fn from(location: Location) -> Self {
        match location {
            Location::ThisMachine => Self::ThisMachine,
            Location::AnotherMachine => Self::AnotherMachine,
        }
    }
}

/// Why the service cannot be told from other processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OthersUnknown {
    /// Its processes are another user's.
    #[serde(alias = "hidden")]
    NoPermission,
    /// A program listens that hands on what it is sent, or starts the service elsewhere.
    Forwarder {
        /// Its name.
        name: String,
    },
    /// It is, or may be, in a container on this machine.
    Container,
    /// It is part of a process that started loadgate.
    Parent {
        /// The name of that.
        name: String,
    },
    /// Another process of this machine works for it.
    BackEnd {
        /// Where that listens.
        address: String,
    },
    /// A process that listened for it ended during the run.
    Ended {
        /// The name of that.
        name: String,
    },
    /// One of its processes ignores the end of its children.
    #[serde(alias = "careless")]
    ChildrenUnaccounted {
        /// The name of that.
        name: String,
    },
}

impl From<&Unknown> for OthersUnknown {
    fn from(unknown: &Unknown) -> Self {
        match unknown.clone() {
            Unknown::NoPermission => Self::NoPermission,
            Unknown::Forwarder { name } => Self::Forwarder { name },
            Unknown::Container => Self::Container,
            Unknown::Parent { name } => Self::Parent { name },
            Unknown::BackEnd { address } => Self::BackEnd { address },
            Unknown::Ended { name } => Self::Ended { name },
            Unknown::ChildrenUnaccounted { name } => Self::ChildrenUnaccounted { name },
        }
    }
}

impl Machine {
    /// The machine during a run; none where nothing of it was measured.
    pub fn of(run: &RunData) -> Option<Self> {
        let steady: Vec<(&Window, &Reading)> = run
            .windows
            .iter()
            .filter(|window| window.phase == Phase::Steady)
            .filter_map(|window| Some((window, window.machine.as_ref()?)))
            .collect();
        let sum = steady.iter().fold(None, |sum: Option<Reading>, (_, reading)| {
            let mut sum = sum.unwrap_or_default();
            sum.add(reading);
            Some(sum)
        })?;
        let point = MachinePoint::of(&sum);
        let kernel = sum.kernel.as_ref();
        let share = |part: fn(&Kernel) -> Option<f64>| {
            kernel.and_then(|it| it.share(part(it)?)).filter(|share| share.is_finite())
        };
        // Known in every window, and then not: who works for the service was found out at the end.
        let unknown = run.whose.unknown.as_ref().filter(|_| kernel.is_some());
        Some(Self {
            speed: point.speed,
            contention: point.contention,
            others_cpu: point.others_cpu.filter(|_| unknown.is_none()),
            others_unknown: unknown.map(OthersUnknown::from),
            target_location: run.whose.location.map(TargetLocation::from),
            target_cpu: share(|it| it.service),
            generator_cpu: share(|it| Some(it.generator)),
            idle: point.idle,
            steal: point.steal,
            pressure: kernel.and_then(|it| Some((it.pressure? / it.elapsed).clamp(0.0, 1.0))),
            throttled: point.throttled,
            quota_shared: run.whose.shares_group,
            worst_second: worst(&steady, unknown.is_none()),
        })
    }
}

impl MachinePoint {
    /// What was read in a window.
    pub fn of(reading: &Reading) -> Self {
        let kernel = reading.kernel.as_ref();
        let share = |part: fn(&Kernel) -> Option<f64>| kernel.and_then(|it| it.share(part(it)?));
        let limited = kernel.and_then(|it| it.limited);
        Self {
            speed: reading.timed.speed(),
            contention: reading.timed.contention(),
            others_cpu: share(|it| it.others),
            idle: share(|it| Some(it.idle)),
            steal: share(|it| Some(it.steal)),
            throttled: kernel
                .and_then(|it| it.throttled)
                .map(|[throttled, periods]| if periods > 0.0 { (throttled / periods).min(1.0) } else { 0.0 }),
            limited: limited.and_then(|it| {
                let others_cpu = it.others.and_then(|others| it.share(others));
                Some(LimitedPoint { idle: it.share(it.idle)?, others_cpu })
            }),
        }
    }

    /// The same where others cannot be told from the service after all.
    #[must_use]
    pub fn without_others(self) -> Self {
        let limited = self.limited.map(|it| LimitedPoint { others_cpu: None, ..it });
        Self { others_cpu: None, limited, ..self }
    }
}

/// The second in which others used most beside what was left; where that is not known, in which the reference
/// computation had to wait most.
fn worst(steady: &[(&Window, &Reading)], others_are_known: bool) -> Option<WorstSecond> {
    let score = |it: &MachinePoint| {
        let others = it.limited.and_then(|it| it.others_cpu).unwrap_or(0.0).max(it.others_cpu.unwrap_or(0.0));
        let idle = it.limited.map_or(it.idle, |limited| Some(limited.idle)).unwrap_or(1.0);
        others / (idle + 0.05) + it.throttled.unwrap_or(0.0) + it.contention.unwrap_or(1.0) - 1.0
    };
    let points = steady.iter().map(|(window, reading)| {
        let machine = MachinePoint::of(reading);
        let machine = if others_are_known { machine } else { machine.without_others() };
        WorstSecond { t_s: window.at.as_secs_f64(), machine }
    });
    points.max_by(|a, b| score(&a.machine).total_cmp(&score(&b.machine)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::machine::Timed;
    use crate::load::measure::recording::Recording;
    use crate::result::fixture;

    fn reading(others: Option<f64>, idle: f64) -> Reading {
        let kernel = Kernel {
            elapsed: 1.0,
            capacity: 2.0,
            busy: 2.0 - idle,
            idle,
            generator: 0.1,
            service: Some(0.4),
            others,
            pressure: Some(0.25),
            throttled: Some([1.0, 10.0]),
            ..Kernel::default()
        };
        Reading { timed: Timed { nominal: 6.0, typical: 5.0, cpu: 5.0, wall: 6.0 }, kernel: Some(kernel) }
    }

    fn run(readings: Vec<Option<Reading>>) -> RunData {
        let mut run = fixture::run(Recording::new(1, 1, 1));
        let first = run.windows[1].clone();
        run.windows = readings.into_iter().map(|machine| Window { machine, ..first.clone() }).collect();
        run
    }

    #[test]
    fn a_run_says_who_used_the_machine_and_which_second_was_the_worst() {
        let found = Machine::of(&run(vec![Some(reading(Some(0.0), 1.5)), Some(reading(Some(1.0), 0.5))]));
        let found = found.unwrap();
        assert_eq!((found.others_cpu, found.idle, found.target_cpu), (Some(0.25), Some(0.5), Some(0.2)));
        assert_eq!((found.speed, found.contention, found.pressure), (Some(1.2), Some(1.2), Some(0.25)));
        assert_eq!(found.throttled, Some(0.1));
        assert_eq!(found.worst_second.unwrap().machine.others_cpu, Some(0.5));
    }

    #[test]
    fn what_is_not_measured_is_no_zero() {
        assert_eq!(Machine::of(&run(vec![None])), None);
        let elsewhere = Reading { kernel: None, ..reading(None, 1.0) };
        let found = Machine::of(&run(vec![Some(elsewhere)])).unwrap();
        assert_eq!((found.others_cpu, found.idle, found.throttled), (None, None, None));
        assert!(found.speed.is_some() && found.others_unknown.is_none());
    }

    #[test]
    fn a_result_of_an_earlier_version_does_not_say_where_the_service_was() {
        let mut run = run(vec![Some(reading(Some(1.0), 0.5))]);
        run.whose.location = Some(Location::AnotherMachine);
        let found = Machine::of(&run).unwrap();
        assert_eq!(found.target_location, Some(TargetLocation::AnotherMachine));
        let text = serde_json::to_string(&found).unwrap();
        let old = text.replace(r#""target_location":"another_machine","#, "");
        assert_ne!(old, text);
        let read = serde_json::from_str::<Machine>(&old).unwrap();
        assert_eq!(read, Machine { target_location: None, ..found });
    }

    #[test]
    fn a_back_end_that_was_found_at_the_end_takes_back_what_was_claimed() {
        let mut run = run(vec![Some(reading(Some(1.0), 0.5))]);
        run.whose.unknown = Some(Unknown::BackEnd { address: "127.0.0.1:5432".into() });
        let found = Machine::of(&run).unwrap();
        assert_eq!((found.others_cpu, found.worst_second.unwrap().machine.others_cpu), (None, None));
        let text = serde_json::to_string(&found).unwrap();
        assert!(
            text.contains(r#""others_unknown":{"kind":"back_end","address":"127.0.0.1:5432"}"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Machine>(&text).unwrap(), found);
    }

    #[test]
    fn the_words_of_earlier_versions_are_read() {
        let children = OthersUnknown::ChildrenUnaccounted { name: "sh".into() };
        for (why, earlier, now) in [
            (OthersUnknown::NoPermission, "hidden", "no_permission"),
            (children, "careless", "children_unaccounted"),
        ] {
            let text = serde_json::to_string(&why).unwrap();
            assert!(text.contains(now), "{text}");
            assert_eq!(serde_json::from_str::<OthersUnknown>(&text.replace(now, earlier)).unwrap(), why);
        }
    }
}
