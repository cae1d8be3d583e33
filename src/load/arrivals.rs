//! When arrivals are due: the schedule of the open model. Pure; the same for every number of workers.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution as _, Exp1};

use crate::plan::load::{Distribution, Shape};

/// The arrivals of one worker: of all arrivals of the shape, every `of`-th, from number `worker`.
#[derive(Debug)]
pub struct Arrivals {
    shape: Shape,
    worker: u64,
    of: u64,
    number: u64,
    /// For Poisson arrivals: the area at which the latest one is due.
    poisson: Option<(f64, Xoshiro256PlusPlus)>,
}

/// The share of one worker of all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which worker, from 0.
    pub worker: usize,
    /// Of how many.
    pub of: usize,
}

impl Arrivals {
    /// The share of one worker.
    ///
    /// Even arrivals are due where the area under the level reaches a whole number. Poisson arrivals
    /// are due where it reaches the points of a unit Poisson process, which makes it an inhomogeneous
    /// one (time rescaling, Cinlar 1975).
    pub fn new(shape: Shape, distribution: Distribution, seed: u64, part: Share) -> Self {
        let poisson = match distribution {
            Distribution::Even => None,
            Distribution::Poisson => Some((0.0, Xoshiro256PlusPlus::seed_from_u64(seed))),
        };
        Self { shape, worker: part.worker as u64, of: part.of.max(1) as u64, number: 0, poisson }
    }

    fn next_area(&mut self) -> f64 {
        match &mut self.poisson {
            None => self.number as f64,
            Some((area, random)) => {
                let gap: f64 = Exp1.sample(random);
                *area += gap;
                *area
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    /// When the next arrival of this worker is due, since the start of the load.
    fn next(&mut self) -> Option<Duration> {
        loop {
            let area = self.next_area();
            let mine = self.number % self.of == self.worker;
            self.number += 1;
            let due = if mine || self.poisson.is_some() { self.shape.due(area)? } else { continue };
            if mine {
                return Some(due);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(distribution: Distribution, workers: usize) -> Vec<Duration> {
        let shape = Shape::constant_at(500.0, Duration::from_secs(20));
        let mut due: Vec<Duration> = (0..workers)
            .flat_map(|worker| Arrivals::new(shape.clone(), distribution, 7, Share { worker, of: workers }))
            .collect();
        due.sort();
        due
    }

    #[test]
    fn even_arrivals_are_every_two_milliseconds_and_none_is_lost_between_workers() {
        let due = all(Distribution::Even, 3);
        assert_eq!(due.len(), 10_000);
        assert!(due.iter().zip(0_u64..).all(|(due, number)| due.as_micros() == u128::from(number * 2_000)));
    }

    #[test]
    fn poisson_arrivals_are_the_same_for_any_number_of_workers() {
        assert_eq!(all(Distribution::Poisson, 1), all(Distribution::Poisson, 4));
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        // 10,000 expected, standard deviation 100; gaps of mean 2 ms whose deviation is their mean.
        let due = all(Distribution::Poisson, 1);
        assert!((9_500..10_500).contains(&due.len()), "{}", due.len());
        let gaps: Vec<f64> =
            due.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64() * 1e3).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let sd = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean - 2.0).abs() < 0.1 && (sd / mean - 1.0).abs() < 0.1, "{mean} {sd}");
    }
}
