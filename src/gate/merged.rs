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
            let mut sum: Histogram<u64> = Histogram::new_with_bounds(1, LONGEST_US, 3).ok()?;
            for times in several {
                sum.add(decode(times.histogram.as_deref()?, LONGEST_US).ok()?).ok()?;
            }
            Times::complete(&sum).map(Cow::Owned)
        }
    }
}
