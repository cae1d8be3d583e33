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

/// P(X ≥ `x`) of `x` events among `x` + `b`, each of which falls here with probability `q`, for counts
/// that need not be whole: `I_q(x`, b + 1). Of no event, 1.
pub fn share_tail(x: f64, b: f64, q: f64) -> f64 {
    let sensible = x > 0.0 && b >= 0.0 && q > 0.0 && q < 1.0 && (x + b).is_finite();
    if sensible { beta_reg(x, b + 1.0, q) } else { 1.0 }
}

/// Events among trials; neither need be a whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Events.
    pub events: f64,
    /// Trials.
    pub trials: f64,
}

impl Share {
    /// Events ÷ trials; 0 without trials.
    pub fn rate(self) -> f64 {
        if self.trials > 0.0 { self.events / self.trials } else { 0.0 }
    }

    /// Wilson's score interval (1927, Journal of the American Statistical Association 22:209) at `z`
    /// standard deviations.
    fn interval(self, z: f64) -> (f64, f64) {
        let (n, p) = (self.trials, self.rate());
        let scale = 1.0 + z * z / n;
        let centre = (p + z * z / (2.0 * n)) / scale;
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / scale;
        (centre - half, centre + half)
    }
}

/// Bounds of the difference `head` − `base` at `z` standard deviations: Newcombe's hybrid of two score
/// intervals (1998, Statistics in Medicine 17:873, method 10). From −1 to 1 where there are no trials.
pub fn difference_bounds(head: Share, base: Share, z: f64) -> (f64, f64) {
    if head.trials <= 0.0 || base.trials <= 0.0 {
        return (-1.0, 1.0);
    }
    let ((head_low, head_high), (base_low, base_high)) = (head.interval(z), base.interval(z));
    let (head, base) = (head.rate(), base.rate());
    let low = head - base - (head - head_low).hypot(base_high - base);
    let high = head - base + (head_high - head).hypot(base - base_low);
    (low, high)
}

/// How much events clump: Pearson's χ² over its degrees of freedom, at least 1. With equal trials it is
/// the variance of the counts over their mean. Fewer than two counts, or no event: 1.
pub fn dispersion(counts: &[Share]) -> f64 {
    let all = |pick: fn(&Share) -> f64| counts.iter().map(pick).sum::<f64>();
    let rate = all(|share| share.events) / all(|share| share.trials);
    if counts.len() < 2 || !rate.is_finite() || rate <= 0.0 {
        return 1.0;
    }
    let there = || counts.iter().filter(|share| share.trials > 0.0);
    let squares: f64 = there()
        .map(|share| {
            let expected = rate * share.trials;
            (share.events - expected).powi(2) / expected
        })
        .sum();
    let freedom = there().count() as f64 - 1.0;
    if freedom > 0.0 { (squares / freedom).max(1.0) } else { 1.0 }
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

    #[test]
    fn counts_that_are_not_whole_lie_between_whole_ones() {
        // x of x + b = 4 of 6 at 1/2: P(X ≥ 4) = 22/64
        assert!((share_tail(4.0, 2.0, 0.5) - 22.0 / 64.0).abs() < 1e-12);
        assert!(share_tail(4.5, 2.0, 0.5) < share_tail(4.0, 2.0, 0.5));
        assert!((share_tail(0.0, 3.0, 0.5) - 1.0).abs() < 1e-12, "no event proves nothing");
    }

    #[test]
    fn differences_have_the_published_bounds() {
        // Newcombe 1998, table II (a): 56/70 − 48/80, method 10: 0.0524 to 0.3339
        let (head, base) = (Share { events: 56.0, trials: 70.0 }, Share { events: 48.0, trials: 80.0 });
        let (low, high) = difference_bounds(head, base, 1.959_964);
        assert!((low - 0.0524).abs() < 1e-4 && (high - 0.3339).abs() < 1e-4, "{low} {high}");
        assert_eq!(difference_bounds(Share { events: 0.0, trials: 0.0 }, base, 1.0), (-1.0, 1.0));
    }

    #[test]
    fn clumps_have_a_dispersion_above_one() {
        let of = |counts: &[(f64, f64)]| {
            let shares: Vec<_> =
                counts.iter().map(|(events, trials)| Share { events: *events, trials: *trials }).collect();
            dispersion(&shares)
        };
        // 0 0 0 8: mean 2, variance 16
        assert!((of(&[(0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (8.0, 1.0)]) - 8.0).abs() < 1e-12);
        // twice the trials, twice the events: no clump
        assert!((of(&[(5.0, 1.0), (10.0, 2.0)]) - 1.0).abs() < 1e-12);
        assert!((of(&[(2.0, 1.0), (2.0, 1.0)]) - 1.0).abs() < 1e-12, "less than chance counts as chance");
        assert!((of(&[]) - 1.0).abs() < 1e-12 && (of(&[(0.0, 0.0), (1.0, 0.0)]) - 1.0).abs() < 1e-12);
    }
}
