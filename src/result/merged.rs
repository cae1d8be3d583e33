//! Distributions of several endpoints as one: histograms are merged, percentiles never averaged.

use std::borrow::Cow;

use hdrhistogram::Histogram;

use crate::load::measure::times::LONGEST_US;
use crate::result::endpoint::Times;
use crate::stats::histogram::decode;

/// All of them merged; none if there is none, or if one cannot be read.
pub fn merge<'a>(times: impl Iterator<Item = &'a Times>) -> Option<Cow<'a, Times>> {
    let all: Vec<_> = times.collect();
    match all.as_slice() {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        several => {
            let sum = sum(several.iter().map(|times| times.histogram.as_deref()))?;
            let timeouts = || several.iter().filter(|times| times.timed_out > 0);
            // An older version did not keep them apart; then it is known only how many there are.
            let apart = self::sum(timeouts().map(|times| times.timed_out_histogram.as_deref()));
            let timed_out = timeouts().fold(0, |sum: u64, times| sum.saturating_add(times.timed_out));
            let merged = Times::complete(&sum, apart.as_ref())?;
            Some(Cow::Owned(Times { timed_out, ..merged }))
        }
    }
}

/// All of these histograms added up; none if one is missing, or cannot be read.
fn sum<'a>(histograms: impl Iterator<Item = Option<&'a str>>) -> Option<Histogram<u64>> {
    let mut sum: Histogram<u64> = Histogram::new_with_bounds(1, LONGEST_US, 3).ok()?;
    for histogram in histograms {
        sum.add(decode(histogram?, LONGEST_US).ok()?).ok()?;
    }
    Some(sum)
}
