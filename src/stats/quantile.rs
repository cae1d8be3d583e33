//! Medians, and the upper quantiles that tests of significance compare with.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The median; the mean of the two in the middle of an even number. None of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// t(a, ν): the value that Student's t with `freedom` degrees of freedom exceeds with probability `tail`.
/// Infinite where nothing can be said: without a degree of freedom, or of no probability.
pub fn student_t_upper(tail: f64, freedom: f64) -> f64 {
    // By symmetry at the lower end, where a small probability keeps its digits.
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(t) if tail > 0.0 && tail < 1.0 => -t.inverse_cdf(tail),
        _ => f64::INFINITY,
    }
}

/// z(a): the same of the standard normal distribution.
pub fn normal_upper(tail: f64) -> f64 {
    if tail > 0.0 && tail < 1.0 { -Normal::standard().inverse_cdf(tail) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // Pearson & Hartley, Biometrika Tables for Statisticians, table 12; normal: table 1
        for (tail, freedom, expected) in [
            (0.05, 1.0, 6.3138),
            (0.05, 4.0, 2.1318),
            (0.1, 8.0, 1.3968),
            (0.001, 10.0, 4.1437),
            (0.0005, 30.0, 3.6460),
        ] {
            let found = student_t_upper(tail, freedom);
            assert!((found - expected).abs() < 1e-4, "t({tail}, {freedom}) = {found}");
        }
        assert!((normal_upper(0.05) - 1.644_854).abs() < 1e-6);
        assert!(student_t_upper(0.05, 0.0).is_infinite() && student_t_upper(0.0, 5.0).is_infinite());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_tail_beyond_a_quantile_is_what_was_asked_for(tail in 1e-6..0.5_f64, freedom in 1_u32..200) {
            let quantile = student_t_upper(tail, f64::from(freedom));
            let beyond = StudentsT::new(0.0, 1.0, f64::from(freedom)).unwrap().sf(quantile);
            prop_assert!((beyond / tail - 1.0).abs() < 1e-6, "{beyond} for {tail}");
        }
    }
}
