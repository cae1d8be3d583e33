//! A variance that a few slow machines do not blow up.

use super::quantile::median;

/// Residuals beyond so many robust deviations are clipped.
const CLIP: f64 = 3.5;
/// With fewer residuals that are not zero, nothing is clipped: their median says too little.
const FEWEST: usize = 4;
/// What clipping and medians take away from a normal variance, given back.
const CORRECTION: f64 = 1.02;

/// A variance and the degrees of freedom it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variance {
    /// s².
    pub s2: f64,
    /// N − G.
    pub freedom: f64,
}

/// The variance around the medians of groups: s² = 1.02·Σr²/(N − G), each residual r clipped at
/// ±3.5·u·√(N/(N − G)), where u is the median of |r| over r ≠ 0. The value that is the median of its
/// group has a residual of zero, which says nothing. Groups of one value have no residual and are left
/// out. None without a degree of freedom.
///
/// The clipping is Huber's (1964, Annals of Mathematical Statistics 35:73), its scale the median absolute
/// deviation: 3.5·u = 2.36 standard deviations of a normal distribution.
pub fn variance(groups: &[Vec<f64>]) -> Option<Variance> {
    let groups = groups.iter().filter(|group| group.len() > 1);
    let (mut residuals, mut count) = (Vec::new(), 0_usize);
    for group in groups {
        let centre = median(group)?;
        residuals.extend(group.iter().map(|value| value - centre));
        count += 1;
    }
    let n = residuals.len();
    let freedom = n.checked_sub(count).filter(|freedom| *freedom > 0)? as f64;
    let deviations: Vec<f64> = residuals.iter().map(|r| r.abs()).filter(|r| *r > 0.0).collect();
    let limit = match median(&deviations) {
        Some(u) if deviations.len() >= FEWEST => CLIP * u * (n as f64 / freedom).sqrt(),
        _ => f64::INFINITY,
    };
    let sum: f64 = residuals.iter().map(|r| r.abs().min(limit).powi(2)).sum();
    Some(Variance { s2: CORRECTION * sum / freedom, freedom })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn the_variance_is_pooled_around_the_median_of_each_group() {
        // residuals −1 0 1 and −2 2: N − G = 3, Σr² = 10; u of 1 1 2 2 is 1.5, nothing is clipped
        let groups = [vec![1.0, 2.0, 3.0], vec![10.0, 14.0]];
        let found = variance(&groups).unwrap();
        assert!((found.s2 - 1.02 * 10.0 / 3.0).abs() < 1e-12 && (found.freedom - 3.0).abs() < 1e-12);
    }

    #[test]
    fn one_slow_machine_is_clipped() {
        // residuals −2 −1 0 1 97: u of 2 1 1 97 is 1.5, the limit 3.5·1.5·√(5/4) = 5.87
        let found = variance(&[vec![0.0, 1.0, 2.0, 3.0, 99.0]]).unwrap();
        let limit = 3.5 * 1.5 * 1.25_f64.sqrt();
        assert!((found.s2 - 1.02 * (4.0 + 1.0 + 1.0 + limit * limit) / 4.0).abs() < 1e-9);
    }

    #[test]
    fn groups_of_one_say_nothing_about_spread() {
        assert_eq!(variance(&[vec![1.0], vec![2.0]]), None);
        assert_eq!(variance(&[]), None);
        let alone = variance(&[vec![1.0, 2.0, 4.0]]);
        assert_eq!(variance(&[vec![1.0, 2.0, 4.0], vec![7.0]]), alone);
        assert_eq!(variance(&[vec![5.0, 5.0]]).map(|it| it.s2), Some(0.0));
    }

    /// The mean of s² over its true value, for groups of `n` normal values.
    fn bias(groups: usize, n: usize) -> f64 {
        const REPETITIONS: u32 = 3_000;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(n as u64);
        let mut group = || (0..n).map(|_| StandardNormal.sample(&mut random)).collect::<Vec<f64>>();
        let mut draw = || variance(&(0..groups).map(|_| group()).collect::<Vec<_>>()).map_or(0.0, |it| it.s2);
        (0..REPETITIONS).map(|_| draw()).sum::<f64>() / f64::from(REPETITIONS)
    }

    #[test]
    fn the_variance_is_about_right_for_few_runs_and_for_many() {
        for n in [3, 4, 5, 8, 10, 20] {
            for groups in [1, 4] {
                let bias = bias(groups, n);
                assert!((0.9..1.2).contains(&bias), "{groups} groups of {n}: {bias}");
            }
        }
    }
}
