//! Histograms as text: HDR V2, deflated, base64. Reading a hostile text is safe: its size and the
//! size it asks for are checked before anything is allocated.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use thiserror::Error;

/// A text that is no histogram of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HistogramError {
    /// Not base64, or not deflated.
    #[error("the text is not a deflated histogram")]
    Encoding,
    /// Its head asks for more than any of ours.
    #[error("the histogram is larger than any that is written here")]
    TooLarge,
    /// The counts do not fit the head.
    #[error("the counts of the histogram are damaged")]
    Damaged,
}

/// The most that one histogram inflates to: every count in its own nine bytes.
const MOST_BYTES: u64 = 1 << 19;
/// Bytes before the counts: cookie, length, offset, digits, low, high, ratio.
const HEAD: usize = 40;
/// Bytes of the outer head: cookie, length.
const OUTER_HEAD: usize = 8;
const MOST_DIGITS: u32 = 3;

/// The text of a histogram; none where it could not be written.
pub fn encode(histogram: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// Reads what [`encode`] wrote, of values up to `longest`.
pub fn decode(text: &str, longest: u64) -> Result<Histogram<u64>, HistogramError> {
    let packed = STANDARD.decode(text).map_err(|_| HistogramError::Encoding)?;
    let body = packed.get(OUTER_HEAD..).ok_or(HistogramError::Encoding)?;
    let mut plain = Vec::new();
    ZlibDecoder::new(body)
        .take(MOST_BYTES + 1)
        .read_to_end(&mut plain)
        .map_err(|_| HistogramError::Encoding)?;
    if plain.len() as u64 > MOST_BYTES {
        return Err(HistogramError::TooLarge);
    }
    check_head(&plain, longest)?;
    Deserializer::new().deserialize(&mut plain.as_slice()).map_err(|_| HistogramError::Damaged)
}

/// How many recorded values lie above `limit`, to the resolution of the histogram.
pub fn count_above(histogram: &Histogram<u64>, limit: u64) -> u64 {
    histogram.len() - histogram.count_between(0, limit).min(histogram.len())
}

/// Which of `n` values, counted from the smallest as 1, a quantile is: the rank that [`Histogram`] takes.
pub fn rank(quantile: f64, n: u64) -> u64 {
    ((quantile.min(1.0) * n as f64).ceil() as u64).max(1)
}

/// The value of a rank among those of `histogram` that are not in `without`, to the resolution of the histogram;
/// none where there are not so many.
pub fn value_at_rank(histogram: &Histogram<u64>, without: Option<&Histogram<u64>>, rank: u64) -> Option<u64> {
    let mut seen = 0_u64;
    histogram.iter_recorded().find_map(|step| {
        let value = step.value_iterated_to();
        let taken = without.map_or(0, |without| without.count_at(value));
        seen = seen.saturating_add(step.count_at_value().saturating_sub(taken));
        (seen >= rank).then(|| histogram.highest_equivalent(value))
    })
}

/// The head decides what is allocated, so it is read first.
fn check_head(plain: &[u8], longest: u64) -> Result<(), HistogramError> {
    let head: &[u8; HEAD] = plain.first_chunk().ok_or(HistogramError::Damaged)?;
    let word = |at: usize| head[at..at + 4].iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    let high = (u64::from(word(24)) << 32) | u64::from(word(28));
    let fits = u64::from(word(4)) <= MOST_BYTES && word(12) <= MOST_DIGITS && high <= longest;
    if fits { Ok(()) } else { Err(HistogramError::TooLarge) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: u64 = 3_600_000_000;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, LONGEST, 3).unwrap();
        for value in values {
            histogram.saturating_record(*value);
        }
        histogram
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_is_read_back(values in proptest::collection::vec(1..LONGEST, 0..50)) {
            let written = histogram(&values);
            let text = encode(&written).unwrap();
            prop_assert_eq!(decode(&text, LONGEST), Ok(written));
        }

        #[test]
        fn a_rank_without_others_is_the_quantile_of_the_rest(
            kept in proptest::collection::vec(1..LONGEST, 1..80),
            taken in proptest::collection::vec(1..LONGEST, 0..40),
            quantile in 0.01..1.0_f64,
        ) {
            let (rest, without) = (histogram(&kept), histogram(&taken));
            let mut all = rest.clone();
            all.add(&without).unwrap();
            let rank = rank(quantile, rest.len());
            prop_assert_eq!(value_at_rank(&all, Some(&without), rank), Some(rest.value_at_quantile(quantile)));
            prop_assert_eq!(value_at_rank(&rest, None, rank), Some(rest.value_at_quantile(quantile)));
            prop_assert_eq!(value_at_rank(&all, Some(&without), rest.len() + 1), None);
        }

        #[test]
        fn no_text_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&STANDARD.encode(bytes), LONGEST).is_err());
        }

        #[test]
        fn a_damaged_text_never_panics(at in 0_usize..60, byte in any::<u8>()) {
            let mut bytes = STANDARD.decode(encode(&histogram(&[5, 50, 500])).unwrap()).unwrap();
            let index = at % bytes.len();
            bytes[index] = byte;
            let _ = decode(&STANDARD.encode(bytes), LONGEST);
        }
    }

    #[test]
    fn a_fullest_histogram_is_within_the_limit() {
        let mut full = histogram(&[]);
        let mut value = 1;
        while value < LONGEST {
            full.saturating_record_n(value, u64::from(u32::MAX));
            value = full.next_non_equivalent(value);
        }
        assert_eq!(decode(&encode(&full).unwrap(), LONGEST), Ok(full));
    }

    #[test]
    fn a_head_that_asks_for_too_much_is_refused_before_it_gets_it() {
        let text = encode(&histogram(&[1])).unwrap();
        assert_eq!(decode(&text, 1_000), Err(HistogramError::TooLarge));
    }

    #[test]
    fn values_above_a_limit_are_counted() {
        let times = histogram(&[100, 2_000, 2_000, 3_000_000]);
        assert_eq!(count_above(&times, 1_000), 3);
        assert_eq!(count_above(&times, 2_000), 1);
        assert_eq!(count_above(&times, 0), 4);
        assert_eq!(count_above(&times, LONGEST * 2), 0);
    }
}
