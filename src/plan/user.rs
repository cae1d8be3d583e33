//! Virtual users: classes, their tasks, their waits, the data they draw from.

use std::sync::Arc;
use std::time::Duration;

use crate::template::{Rows, Slot};
use crate::units::Rate;

use super::step::Step;

/// Index into [`Plan::tasks`](super::Plan::tasks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub usize);

/// Users that behave alike.
#[derive(Debug)]
pub struct UserClass {
    /// Its name.
    pub name: String,
    /// Its share of the users.
    pub weight: u32,
    /// Between two iterations.
    pub wait: Wait,
    /// Runs once per user, before its first iteration.
    pub on_start: Option<TaskId>,
    /// The headers of the class that `on_start` goes without: they read what steps capture.
    pub withheld: Vec<String>,
    /// What its users do, with the weight of each.
    pub tasks: Vec<(TaskId, u32)>,
}

/// A named list of steps, as one class runs it: the headers of the class are in its requests.
#[derive(Debug)]
pub struct Task {
    /// The class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub steps: Arc<[Step]>,
}

/// A pause. Draws are clipped at zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wait {
    /// Always as long.
    Constant(Duration),
    /// Anything between the two.
    Uniform(Duration, Duration),
    /// Mean and standard deviation.
    Normal { mean: Duration, sd: Duration },
    /// Mean.
    Exponential(Duration),
    /// No pause but a pace: so many iterations per second and user, on a schedule. Only between iterations.
    Throughput(Rate),
}

/// Rows that templates draw from.
#[derive(Debug)]
pub struct DataSet {
    /// Its name.
    pub name: String,
    /// Where the current row goes.
    pub slot: Slot,
    /// The rows; at least one.
    pub rows: Rows,
    /// Which row is the current one.
    pub order: DataOrder,
}

/// Which row of a data set is the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataOrder {
    /// The next one, each iteration; over all users, and from the start again at the end.
    Sequential,
    /// Any, each iteration.
    Random,
    /// One for good, by the number of the user.
    PerUser,
}

/// Slots of the names that the engine sets.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinSlots {
    /// `user`: `{id, class}`, the id counting from 1.
    pub user: Slot,
    /// `index`: inside `repeat`, from 0.
    pub index: Slot,
    /// `message`: the WebSocket message at hand: its JSON, else its text.
    pub message: Slot,
    /// `response`: `{status, headers, json}`.
    pub response: Slot,
}

/// Splits `total` by weight exactly: the largest remainder method (Hamilton). All zero where no weight
/// is positive.
pub fn split_by_weight(total: usize, weights: &[u32]) -> Vec<usize> {
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let product = |weight: &u32| total as u64 * u64::from(*weight);
    let mut parts: Vec<usize> = weights.iter().map(|weight| (product(weight) / sum) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(product(&weights[*index]) % sum));
    let left = total - parts.iter().sum::<usize>();
    by_remainder.into_iter().take(left).for_each(|index| parts[index] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::split_by_weight;

    #[test]
    fn users_are_split_by_weight_exactly() {
        assert_eq!(split_by_weight(100, &[1, 1, 3]), [20, 20, 60]);
        assert_eq!(split_by_weight(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(split_by_weight(5, &[0, 0]), [0, 0]);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_differ_from_their_share_by_less_than_one(
            total in 0_usize..100_000,
            weights in proptest::collection::vec(0_u32..1_000, 1..20),
        ) {
            let sum: u32 = weights.iter().sum();
            prop_assume!(sum > 0);
            let parts = split_by_weight(total, &weights);
            prop_assert_eq!(parts.iter().sum::<usize>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                let share = total as f64 * f64::from(*weight) / f64::from(sum);
                prop_assert!((*part as f64 - share).abs() < 1.0, "{} of {}", part, share);
            }
        }
    }
}
