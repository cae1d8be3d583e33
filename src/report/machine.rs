//! The machine in words: how it was, what that explains, and why others cannot be told from the service.

use crate::result::machine::{Machine, OthersUnknown, TargetLocation};
use crate::result::verdict::Because;

use super::number;

/// Below these a machine is not worth a line.
const OTHERS: f64 = 0.05;
const CONTENTION: f64 = 1.1;
const THROTTLED: f64 = 0.01;

/// How the machine was, where it matters; none where it was quiet.
pub fn notable(machine: &Machine) -> Option<String> {
    let worst = machine.worst_second.as_ref();
    let above = |value: Option<f64>, least: f64| value.is_some_and(|value| value >= least);
    let noisy = above(machine.others_cpu, OTHERS)
        || above(machine.contention, CONTENTION)
        || above(machine.throttled, THROTTLED)
        || worst.is_some_and(|worst| above(worst.machine.others_cpu, 4.0 * OTHERS))
        || machine.others_unknown.is_some();
    noisy.then(|| describe(machine))
}

/// How the machine was.
pub fn describe(machine: &Machine) -> String {
    let worst = machine.worst_second.as_ref();
    let others = machine.others_cpu.map(|others| {
        let most = worst.and_then(|worst| worst.machine.others_cpu).filter(|most| *most > others);
        let most =
            most.map_or_else(String::new, |most| format!(" ({} in the worst second)", number::ratio(most)));
        let no_excuse = match machine.target_location {
            Some(TargetLocation::AnotherMachine) => ", which is no excuse for a service on another machine",
            _ => "",
        };
        format!("other processes used {} of its CPU{most}{no_excuse}", number::ratio(others))
    });
    let unknown = machine
        .others_unknown
        .as_ref()
        .map(|why| format!("what other processes used is not known: {}", unknown(why)));
    let idle = machine.idle.map(|idle| format!("{} of it was idle", number::ratio(idle)));
    let waited = machine.contention.filter(|it| *it >= CONTENTION).map(|contention| {
        format!("a computation took {} times as long as it computed", number::significant(contention))
    });
    let throttled = machine.throttled.filter(|it| *it >= THROTTLED).map(|throttled| {
        format!("a quota held loadgate back in {} of its periods", number::ratio(throttled))
    });
    let parts = [others, unknown, idle, waited, throttled];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Why others cannot be told from the service, and how to change that.
fn unknown(why: &OthersUnknown) -> String {
    let why = match why {
        OthersUnknown::NoPermission => "the processes of the service are another user's".to_owned(),
        OthersUnknown::Forwarder { name } => {
            format!("`{name}` hands requests on to processes it does not name")
        }
        OthersUnknown::Container => "the service is in a container, or behind a forwarded port".to_owned(),
        OthersUnknown::Parent { name } => format!("the service is part of `{name}`, which started loadgate"),
        OthersUnknown::BackEnd { address } => {
            format!("another process of this machine, at {address}, works for the service")
        }
        OthersUnknown::Ended { name } => {
            format!("`{name}`, which listened for the service, ended during the run")
        }
        OthersUnknown::ChildrenUnaccounted { name } => {
            format!("the CPU time of `{name}`, or of its child processes, is lost when they end")
        }
    };
    format!("{why}; start the whole service as `target` to have it known")
}

/// Why a bad number may be the machine's, and what to do about it.
pub fn excuse(because: Because) -> Option<(String, &'static str)> {
    match because {
        Because::MachineBusy { others, remembered, idle, times_as_busy } => {
            let busy = times_as_busy.filter(|times| *times >= 1.05).map_or_else(
                || "the machine was busy with something else".to_owned(),
                |times| {
                    let times = number::significant(times);
                    format!("the machine was {times} times as busy as in the remembered runs")
                },
            );
            let before = remembered.map_or_else(String::new, |remembered| {
                format!(" (remembered: {})", number::ratio(remembered))
            });
            Some((
                format!(
                    "{busy}: other processes used {} of its CPU{before}, and in some seconds only {} of it was idle",
                    number::ratio(others),
                    number::ratio(idle)
                ),
                "end the other processes, or run it again on a quiet machine",
            ))
        }
        Because::MachineSlow { speed, remembered } => Some((
            format!(
                "the processor was {} slower than in the remembered runs",
                number::ratio((1.0 - speed / remembered).max(0.0))
            ),
            "run it again",
        )),
        Because::MachineThrottled { ratio } => Some((
            format!("a quota held loadgate back in {} of its periods", number::ratio(ratio)),
            "raise the CPU limit of the container or control group that loadgate runs in",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::machine::{MachinePoint, WorstSecond};

    fn machine(others: Option<f64>) -> Machine {
        let point = MachinePoint {
            speed: Some(1.1),
            contention: Some(1.0),
            others_cpu: others.map(|others| (others * 2.0).min(1.0)),
            idle: Some(0.04),
            steal: Some(0.0),
            throttled: None,
            limited: None,
        };
        Machine {
            speed: Some(1.1),
            contention: Some(1.3),
            others_cpu: others,
            others_unknown: None,
            target_location: Some(TargetLocation::ThisMachine),
            target_cpu: Some(0.2),
            generator_cpu: Some(0.05),
            idle: Some(0.27),
            steal: Some(0.0),
            pressure: None,
            throttled: Some(0.0),
            quota_shared: true,
            worst_second: Some(WorstSecond { t_s: 3.0, machine: point }),
        }
    }

    #[test]
    fn a_busy_machine_is_a_line_and_a_quiet_one_is_none() {
        insta::assert_snapshot!(notable(&machine(Some(0.48))).unwrap(), @"other processes used 48 % of its CPU (96 % in the worst second), 27 % of it was idle, a computation took 1.30 times as long as it computed");
        assert_eq!(notable(&Machine { contention: Some(1.0), ..machine(Some(0.01)) }), None);
        let elsewhere =
            Machine { target_location: Some(TargetLocation::AnotherMachine), ..machine(Some(0.48)) };
        let told = notable(&elsewhere).unwrap();
        assert!(
            told.contains("worst second), which is no excuse for a service on another machine, 27 %"),
            "{told}"
        );
        let why = OthersUnknown::BackEnd { address: "127.0.0.1:5432".into() };
        let unknown = Machine { others_unknown: Some(why), contention: Some(1.0), ..machine(None) };
        insta::assert_snapshot!(notable(&unknown).unwrap(), @"what other processes used is not known: another process of this machine, at 127.0.0.1:5432, works for the service; start the whole service as `target` to have it known, 27 % of it was idle");
    }

    #[test]
    fn an_excuse_has_its_numbers() {
        let busy = |times_as_busy, remembered| {
            excuse(Because::MachineBusy { others: 0.48, remembered, idle: 0.01, times_as_busy }).unwrap().0
        };
        insta::assert_snapshot!(busy(Some(1.9), Some(0.02)), @"the machine was 1.90 times as busy as in the remembered runs: other processes used 48 % of its CPU (remembered: 2 %), and in some seconds only 1 % of it was idle");
        insta::assert_snapshot!(busy(None, None), @"the machine was busy with something else: other processes used 48 % of its CPU, and in some seconds only 1 % of it was idle");
        let slow = excuse(Because::MachineSlow { speed: 0.8, remembered: 1.0 }).unwrap();
        assert_eq!(slow.0, "the processor was 20 % slower than in the remembered runs");
    }
}
