//! Exact tests of counts.

use statrs::function::beta::beta_reg;

/// Keeps a tail of exactly `alpha` from counting as less by a rounding error.
const ROUNDING: f64 = 1e-9;

/// P(X ≥ `k`) of X ~ Binomial(`n`, `p`): the regularised incomplete beta function `I_p(k, n − k + 1)`
/// (Abramowitz & Stegun 26.5.24).
pub fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        1.0
    } else if k > n || p <= 0.0 {
        0.0
    } else if p >= 1.0 {
        1.0
    } else {
        beta_reg(k as f64, (n - k + 1) as f64, p)
    }
}

/// Whether `k` of `n` proves, at error rate `alpha`, that the true share is above `share`: the exact
/// one-sided lower bound lies above it (Clopper & Pearson 1934, Biometrika 26:404).
pub fn proves_share_above(k: u64, n: u64, share: f64, alpha: f64) -> bool {
    binomial_tail(k, n, share) < alpha * (1.0 - ROUNDING)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: a sum of probabilities, built up without factorials.
    fn summed(k: u64, n: u64, p: f64) -> f64 {
        let mut term = (1.0 - p).powi(n as i32);
        let mut sum = 0.0;
        for i in 0..=n {
            if i >= k {
                sum += term;
            }
            term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        }
        sum
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_tail_is_the_sum_of_its_probabilities(n in 1_u64..200, k in 0_u64..220, p in 0.001..0.5_f64) {
            prop_assert!((binomial_tail(k, n, p) - summed(k, n, p)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_breach_is_proven_by_the_exact_count_and_not_before() {
        // p95 of 20 requests: P(X ≥ 3) = .0755, P(X ≥ 4) = .0159 of Binomial(20, .05)
        assert!(!proves_share_above(3, 20, 0.05, 0.05));
        assert!(proves_share_above(4, 20, 0.05, 0.05));
        assert!(!proves_share_above(0, 0, 0.05, 0.05), "nothing proves nothing");
        assert!(!proves_share_above(1, 1, 0.05, 0.05), "one of one happens in exactly 5 %");
        assert!(proves_share_above(2, 2, 0.05, 0.05));
    }
}
