//! Times of one kind: few are kept as they are, many as a histogram.

use std::borrow::Cow;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock;

/// The longest time that can be told from longer ones: one hour, in microseconds.
pub const LONGEST_US: u64 = 3_600_000_000;

/// So many times cost as much memory as a fifth of a histogram; more become one.
const FEW: usize = 8_192;

/// Times in microseconds, 1 µs to 1 h. Until there are many, each is kept exactly, which costs a
/// request no more than a push; then they are a histogram of 3 significant digits.
#[derive(Debug, Clone)]
pub enum Times {
    /// Each time, in microseconds.
    Few(Vec<u32>),
    /// How often each.
    Many(Box<Histogram<u64>>),
}

impl Default for Times {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Times {
    /// Adds one time.
    pub fn record(&mut self, time: Duration) {
        self.record_us(clock::micros(time).clamp(1, LONGEST_US) as u32);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(times)) => {
                for time in times {
                    self.record_us(*time);
                }
            }
            (Self::Many(ours), Self::Many(theirs)) => add(ours, theirs),
            (Self::Few(times), Self::Many(theirs)) => {
                let mut merged = theirs.clone();
                for time in times.iter() {
                    merged.saturating_record(u64::from(*time));
                }
                *self = Self::Many(merged);
            }
        }
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        match self {
            Self::Few(times) => times.len() as u64,
            Self::Many(histogram) => histogram.len(),
        }
    }

    /// The longest time, in microseconds as they were recorded; none where nothing was.
    pub fn longest(&self) -> Option<Duration> {
        let longest = match self {
            Self::Few(times) => times.iter().max().copied().map(u64::from),
            Self::Many(histogram) => Some(histogram.max()),
        };
        longest.map(Duration::from_micros)
    }

    /// All times as a histogram; none where nothing was recorded.
    pub fn histogram(&self) -> Option<Cow<'_, Histogram<u64>>> {
        match self {
            Self::Few(times) if times.is_empty() => None,
            Self::Few(times) => Some(Cow::Owned(histogram_of(times)?)),
            Self::Many(histogram) => Some(Cow::Borrowed(histogram)),
        }
    }

    fn record_us(&mut self, time: u32) {
        match self {
            Self::Many(histogram) => histogram.saturating_record(u64::from(time)),
            Self::Few(times) => {
                times.push(time);
                if times.len() > FEW
                    && let Some(histogram) = histogram_of(times)
                {
                    *self = Self::Many(Box::new(histogram));
                }
            }
        }
    }
}

fn histogram_of(times: &[u32]) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST_US, 3).ok()?;
    for time in times {
        histogram.saturating_record(u64::from(*time));
    }
    Some(histogram)
}

fn add(ours: &mut Histogram<u64>, theirs: &Histogram<u64>) {
    let added = ours.add(theirs);
    debug_assert!(added.is_ok(), "all histograms have the same bounds");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(values: &[u32]) -> Times {
        let mut times = Times::default();
        for value in values {
            times.record(Duration::from_micros(u64::from(*value)));
        }
        times
    }

    #[test]
    fn many_times_become_a_histogram_and_none_is_lost() {
        let values: Vec<u32> = (1..=20_000).collect();
        let all = times(&values);
        assert!(matches!(all, Times::Many(_)));
        assert_eq!(all.count(), 20_000);
        let median = all.histogram().unwrap().value_at_quantile(0.5);
        assert!((9_990..=10_010).contains(&median), "{median}");
    }

    #[test]
    fn what_is_longer_than_an_hour_counts_as_an_hour() {
        let mut times = Times::default();
        times.record(Duration::from_hours(2));
        let longest = times.histogram().unwrap().max();
        assert!(longest.abs_diff(LONGEST_US) < LONGEST_US / 1_000, "{longest}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_order_of_merging_does_not_matter(parts in prop::collection::vec(prop::collection::vec(1..9_000_u32, 0..6_000), 3)) {
            let [a, b, c] = [0, 1, 2].map(|part: usize| times(&parts[part]));
            let mut left = a.clone();
            left.merge(&b);
            left.merge(&c);
            let mut right = c;
            right.merge(&b);
            right.merge(&a);
            prop_assert_eq!(left.histogram().map(Cow::into_owned), right.histogram().map(Cow::into_owned));
        }
    }
}
