//! How long a user waits between two iterations, and when its next one is due.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution as _, Exp1, StandardNormal};

use crate::plan::user::Wait;

/// The start of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When to begin.
    pub at: Instant,
    /// When the plan wanted it, where there is a schedule.
    pub scheduled: Option<Instant>,
}

/// The pause a wait asks for; zero for a pace, which is no pause.
pub fn pause(wait: &Wait, random: &mut Xoshiro256PlusPlus) -> Duration {
    match wait {
        Wait::Constant(time) => *time,
        Wait::Uniform(low, high) if low < high => random.random_range(*low..=*high),
        Wait::Uniform(low, _) => *low,
        Wait::Normal { mean, sd } => {
            let deviation: f64 = StandardNormal.sample(random);
            from_seconds(mean.as_secs_f64() + deviation * sd.as_secs_f64())
        }
        Wait::Exponential(mean) => {
            let factor: f64 = Exp1.sample(random);
            mean.mul_f64(factor)
        }
        Wait::Throughput(_) => Duration::ZERO,
    }
}

/// The start of the iteration after one that ended at `ended`.
///
/// A pace is a schedule: the next slot is one period after the last, however late that one was, so a
/// user that falls behind catches up and its response times tell of the delay.
pub fn next_start(wait: &Wait, last: Start, ended: Instant, random: &mut Xoshiro256PlusPlus) -> Start {
    match wait {
        Wait::Throughput(rate) => {
            let slot = last.scheduled.unwrap_or(last.at) + from_seconds(1.0 / rate.0);
            Start { at: slot.max(ended), scheduled: Some(slot) }
        }
        _ => Start { at: ended + pause(wait, random), scheduled: None },
    }
}

/// The first start of a user that begins at `begin`. A paced user begins anywhere in its first period,
/// so that users are not in step.
pub fn first_start(wait: &Wait, begin: Instant, random: &mut Xoshiro256PlusPlus) -> Start {
    match wait {
        Wait::Throughput(rate) => {
            let slot = begin + from_seconds(random.random::<f64>() / rate.0);
            Start { at: slot, scheduled: Some(slot) }
        }
        _ => Start { at: begin, scheduled: None },
    }
}

fn from_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::units::Rate;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn mean_ms(wait: &Wait) -> f64 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        (0..10_000).map(|_| pause(wait, &mut random).as_secs_f64() * 1e3).sum::<f64>() / 1e4
    }

    #[test]
    fn every_kind_of_wait_has_the_mean_it_says() {
        // Standard errors of 10,000 draws: 0.6, 0.5 and 2 ms.
        for (wait, mean, error) in [
            (Wait::Constant(ms(200)), 200.0, 0.001),
            (Wait::Uniform(ms(100), ms(300)), 200.0, 3.0),
            (Wait::Normal { mean: ms(200), sd: ms(50) }, 200.0, 3.0),
            (Wait::Exponential(ms(200)), 200.0, 10.0),
            (Wait::Throughput(Rate(10.0)), 0.0, 0.001),
        ] {
            assert!((mean_ms(&wait) - mean).abs() < error, "{wait:?}: {}", mean_ms(&wait));
        }
    }

    #[test]
    fn a_paced_user_that_is_late_sends_at_once_and_keeps_its_schedule() {
        // 10/s: slots 100 ms apart. The iteration of slot 0 ended after 250 ms: slot 1 (100 ms) is late.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let wait = Wait::Throughput(Rate(10.0));
        let begin = crate::clock::now();
        let first = Start { at: begin, scheduled: Some(begin) };
        let second = next_start(&wait, first, begin + ms(250), &mut random);
        assert_eq!(second, Start { at: begin + ms(250), scheduled: Some(begin + ms(100)) });
        let third = next_start(&wait, second, begin + ms(260), &mut random);
        assert_eq!(third, Start { at: begin + ms(260), scheduled: Some(begin + ms(200)) });
        let fourth = next_start(&wait, third, begin + ms(270), &mut random);
        assert_eq!(fourth, Start { at: begin + ms(300), scheduled: Some(begin + ms(300)) });
    }

    #[test]
    fn think_time_has_no_schedule() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let begin = crate::clock::now();
        let wait = Wait::Constant(ms(100));
        let start = next_start(&wait, first_start(&wait, begin, &mut random), begin + ms(7), &mut random);
        assert_eq!(start, Start { at: begin + ms(107), scheduled: None });
    }
}
