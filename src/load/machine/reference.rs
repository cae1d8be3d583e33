//! The reference computation: integer work of a fixed size, timed every 50 ms by a thread of its own.
//!
//! Speed is taken from the *median* CPU time of a second, contention from the *sums*. A hypervisor that takes
//! the machine away in the middle of one computation makes its CPU time ten times as long, which says nothing
//! about the speed of the processor: a median does not see it. A scheduler that takes the thread away makes
//! the wall time longer and the CPU time not: that is contention, and there every lost millisecond counts.

use std::hint::black_box;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::reading::Timed;
use crate::clock;
use crate::stats::quantile::median;

/// From the start of one computation to that of the next.
const PERIOD: Duration = Duration::from_millis(50);
/// 16 KiB: in the first cache once it was touched, whatever the service left in the larger ones.
const WORDS: usize = 2_048;
/// Steps of one computation: 0.125 ms on the processor that speed 1 stands for, one of about 3 GHz. Without
/// optimisation a step takes more than twice as long.
const STEPS: usize = if cfg!(debug_assertions) { 20_000 } else { 50_000 };
/// What they take there. A step stands for 2.5 ns for ever, or remembered speeds would mean something else: what it
/// takes does not depend on how many there are, to 0.2 %.
const NOMINAL: Duration = Duration::from_micros(125);

/// Times the reference computation until it is dropped.
#[derive(Debug)]
pub struct Reference {
    samples: Arc<Mutex<Vec<Sample>>>,
    thread: Option<JoinHandle<()>>,
    alive: Arc<()>,
}

/// One computation, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    cpu: f64,
    wall: f64,
}

impl Reference {
    /// Begins.
    pub fn begin() -> io::Result<Self> {
        let samples = Arc::new(Mutex::new(Vec::with_capacity(64)));
        let alive = Arc::new(());
        let (kept, owner) = (samples.clone(), Arc::downgrade(&alive));
        let thread = std::thread::Builder::new().name("reference".into()).spawn(move || {
            let mut work = Work::new();
            let mut next = clock::now() + PERIOD;
            while owner.strong_count() > 0 {
                let left = next.saturating_duration_since(clock::now());
                if !left.is_zero() {
                    std::thread::park_timeout(left);
                    continue;
                }
                let sample = work.timed();
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                // After a standstill the next one follows at once, and those that were missed do not.
                next = (next + PERIOD).max(clock::now());
            }
        })?;
        Ok(Self { samples, thread: Some(thread), alive })
    }

    /// What was timed since the last look.
    pub fn look(&self) -> Timed {
        let samples = std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner));
        summed(&samples)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.alive = Arc::default();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn summed(samples: &[Sample]) -> Timed {
    let cpu: Vec<f64> = samples.iter().map(|sample| sample.cpu).collect();
    let count = samples.len() as f64;
    Timed {
        nominal: count * NOMINAL.as_secs_f64(),
        typical: count * median(&cpu).unwrap_or(0.0),
        cpu: cpu.iter().sum(),
        wall: samples.iter().map(|sample| sample.wall).sum(),
    }
}

/// The computation and what it works on.
struct Work {
    words: Box<[u64; WORDS]>,
    state: u64,
}

impl Work {
    fn new() -> Self {
        Self { words: Box::new(std::array::from_fn(|index| index as u64)), state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Computes once. The buffer is touched before the time begins: how cold the caches are depends on the
    /// service, and a heavier service must not look like a slower machine.
    fn timed(&mut self) -> Sample {
        self.state ^= self.words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
        let (wall, cpu) = (clock::now(), clock::thread_cpu());
        self.compute(STEPS);
        let cpu = clock::thread_cpu().saturating_sub(cpu);
        let wall = clock::now().saturating_duration_since(wall);
        Sample { cpu: cpu.as_secs_f64(), wall: wall.max(cpu).as_secs_f64() }
    }

    /// Every step needs the result of the one before it.
    fn compute(&mut self, steps: usize) {
        let mut state = self.state | 1;
        for _ in 0..steps {
            let word = &mut self.words[state as usize % WORDS];
            state = (state.rotate_left(23) ^ *word).wrapping_mul(0xff51_afd7_ed55_8ccd);
            *word = state;
        }
        self.state = black_box(state);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sample(cpu_ms: f64, wall_ms: f64) -> Sample {
        Sample { cpu: cpu_ms / 1e3, wall: wall_ms / 1e3 }
    }

    #[test]
    fn a_preempted_sample_shows_in_contention_and_not_in_speed() {
        let mut samples = vec![sample(0.125, 0.125); 20];
        samples[7] = sample(0.125, 2.625);
        let timed = summed(&samples);
        // 20 at nominal speed; 5 ms of wall time for 2.5 ms of CPU
        assert!((timed.speed().unwrap() - 1.0).abs() < 1e-9, "{timed:?}");
        assert!((timed.contention().unwrap() - 2.0).abs() < 1e-9, "{timed:?}");
    }

    #[test]
    fn a_sample_that_a_hypervisor_stretched_is_no_slow_processor() {
        let mut samples = vec![sample(0.125, 0.125); 20];
        samples[3] = sample(9.0, 9.0);
        assert!((summed(&samples).speed().unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_processor_of_half_the_speed_has_half_the_speed() {
        assert!((summed(&[sample(0.25, 0.25); 20]).speed().unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn without_a_sample_nothing_is_known() {
        assert_eq!((summed(&[]).speed(), summed(&[]).contention()), (None, None));
    }

    #[test]
    fn the_computation_costs_cpu_time_and_is_timed_in_the_background() {
        let mut work = Work::new();
        let sample = work.timed();
        assert!(sample.cpu > 0.0 && sample.wall >= sample.cpu, "{sample:?}");
        let reference = Reference::begin().expect("a thread");
        let end = Instant::now() + Duration::from_secs(20);
        let timed = loop {
            let timed = reference.look();
            if timed.cpu > 0.0 || Instant::now() > end {
                break timed;
            }
            std::thread::yield_now();
        };
        assert!(timed.speed().is_some_and(|speed| speed > 0.0), "{timed:?}");
    }

    /// How long one computation takes, and what it costs per second: run by hand, optimised.
    #[test]
    #[ignore = "measures this machine"]
    fn what_it_costs() {
        let mut work = Work::new();
        let mut cpu: Vec<f64> = (0..2_000).map(|_| work.timed().cpu).collect();
        cpu.sort_by(f64::total_cmp);
        let per_second = cpu.iter().sum::<f64>() / cpu.len() as f64 / PERIOD.as_secs_f64();
        panic!("median {:.1} µs, {:.2} % of a core", cpu[1_000] * 1e6, per_second * 100.0);
    }
}
