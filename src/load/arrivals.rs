//! When arrivals are due and what each of them does: the schedule of the open model. Pure; the same for every
//! number of workers.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution as _, Exp1};

use super::deck::{Deck, derive_seed};
use crate::plan::load::{Distribution, Shape};
use crate::plan::user::{TaskId, UserClass};

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

/// An arrival of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Its number among all arrivals of the shape, from 0.
    pub number: u64,
    /// When it is due, since the start of the load.
    pub at: Duration,
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
    type Item = Due;

    /// The next arrival of this worker.
    fn next(&mut self) -> Option<Due> {
        loop {
            let area = self.next_area();
            let number = self.number;
            let mine = number % self.of == self.worker;
            self.number += 1;
            let at = if mine || self.poisson.is_some() { self.shape.due(area)? } else { continue };
            if mine {
                return Some(Due { number, at });
            }
        }
    }
}

/// How many arrivals of a shape are due before a moment.
pub fn due_before(shape: &Shape, distribution: Distribution, seed: u64, moment: Duration) -> u64 {
    let area = shape.due_until(moment);
    match distribution {
        Distribution::Even => area.ceil() as u64,
        Distribution::Poisson => {
            let all = Arrivals::new(shape.clone(), distribution, seed, Share { worker: 0, of: 1 });
            all.take_while(|due| due.at < moment).count() as u64
        }
    }
}

/// What arrivals do, by their number over all loads: the class of each, and the task, from one deck of classes and
/// one of tasks for each class. Every worker knows all of it and uses its share.
#[derive(Debug)]
pub struct ArrivalTasks {
    classes: Deck,
    tasks: Vec<Deck>,
    names: Vec<Vec<TaskId>>,
    /// The number of the arrival that was looked at last, and how many of each class were before it.
    at: u64,
    before: Vec<u64>,
}

impl ArrivalTasks {
    /// For arrivals of these classes.
    pub fn new(classes: &[UserClass], seed: u64) -> Self {
        let weights: Vec<u32> = classes.iter().map(|class| class.weight).collect();
        Self {
            classes: Deck::new(&weights, derive_seed(seed, &[2])),
            tasks: tasks(classes, seed),
            names: classes.iter().map(|class| class.tasks.iter().map(|(task, _)| *task).collect()).collect(),
            at: 0,
            before: vec![0; classes.len()],
        }
    }

    /// The class and the task of an arrival; no class where none has a weight, no task where the class has none.
    pub fn of(&mut self, number: u64) -> Option<(usize, Option<TaskId>)> {
        if number < self.at {
            self.at = number;
            let classes = &mut self.classes;
            (0..).zip(&mut self.before).for_each(|(class, before)| *before = classes.count(class, number));
        }
        while self.at < number {
            self.before[self.classes.card(self.at)?] += 1;
            self.at += 1;
        }
        let class = self.classes.card(number)?;
        let task = self.tasks[class].card(self.before[class]);
        Some((class, task.and_then(|card| self.names[class].get(card).copied())))
    }
}

/// The deck of tasks of each class.
pub fn tasks(classes: &[UserClass], seed: u64) -> Vec<Deck> {
    let deck = |(number, class): (u64, &UserClass)| {
        let weights: Vec<u32> = class.tasks.iter().map(|(_, weight)| *weight).collect();
        Deck::new(&weights, derive_seed(seed, &[1, number]))
    };
    (0..).zip(classes).map(deck).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::user::Wait;

    fn all(distribution: Distribution, workers: usize) -> Vec<Due> {
        let shape = Shape::constant_at(500.0, Duration::from_secs(20));
        let mut due: Vec<Due> = (0..workers)
            .flat_map(|worker| Arrivals::new(shape.clone(), distribution, 7, Share { worker, of: workers }))
            .collect();
        due.sort();
        due
    }

    fn class(weight: u32, tasks: &[(usize, u32)]) -> UserClass {
        let tasks = tasks.iter().map(|(task, weight)| (TaskId(*task), *weight)).collect();
        let wait = Wait::Constant(Duration::ZERO);
        UserClass { name: "c".into(), weight, wait, on_start: None, withheld: Vec::new(), tasks }
    }

    #[test]
    fn even_arrivals_are_every_two_milliseconds_and_none_is_lost_between_workers() {
        let due = all(Distribution::Even, 3);
        assert_eq!(due.len(), 10_000);
        assert!(
            due.iter()
                .zip(0_u64..)
                .all(|(due, n)| due.number == n && due.at.as_micros() == u128::from(n * 2_000))
        );
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
            due.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at).as_secs_f64() * 1e3).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let sd = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean - 2.0).abs() < 0.1 && (sd / mean - 1.0).abs() < 0.1, "{mean} {sd}");
    }

    #[test]
    fn arrivals_before_a_moment_are_counted_as_they_come() {
        for distribution in [Distribution::Even, Distribution::Poisson] {
            let due = all(distribution, 1);
            let shape = Shape::constant_at(500.0, Duration::from_secs(20));
            for ms in [0, 1, 2, 777, 10_000, 30_000] {
                let moment = Duration::from_millis(ms);
                let counted = due.iter().filter(|due| due.at < moment).count() as u64;
                assert_eq!(due_before(&shape, distribution, 7, moment), counted, "{distribution:?} {ms}");
            }
        }
    }

    #[test]
    fn all_workers_together_deal_what_one_would() {
        let classes = [class(3, &[(0, 4), (1, 1)]), class(1, &[(2, 1)]), class(2, &[(3, 5), (4, 3), (5, 1)])];
        let mut alone = ArrivalTasks::new(&classes, 42);
        let dealt: Vec<_> = (0..600).map(|number| alone.of(number).unwrap()).collect();
        for workers in [2, 4, 8] {
            for worker in 0..workers {
                let mut tasks = ArrivalTasks::new(&classes, 42);
                let numbers = (worker..600).step_by(workers);
                assert!(
                    numbers.into_iter().all(|n| tasks.of(n as u64) == Some(dealt[n])),
                    "{worker} of {workers}"
                );
            }
        }
        // Decks of 6 classes: 300, 100 and 200 arrivals; then the tasks of each to within its deck.
        let of =
            |class: usize, task: usize| dealt.iter().filter(|it| **it == (class, Some(TaskId(task)))).count();
        assert_eq!((of(0, 0), of(0, 1), of(1, 2)), (240, 60, 100));
        assert!(of(2, 3).abs_diff(111) <= 5 && of(2, 4).abs_diff(67) <= 3 && of(2, 5).abs_diff(22) <= 1);
        // One may look back, as where a load ends before its time.
        assert_eq!(alone.of(17), Some(dealt[17]));
    }
}
