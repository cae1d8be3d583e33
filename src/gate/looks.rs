//! How the error rate of a proof is shared out over several looks at the same limit. One look at 5 % is wrong once in
//! twenty; sixty windows, or a look every second, would be wrong nearly always where the service is just at its limit.

use std::f64::consts::PI;

use super::decision::ALPHA;

/// The error rate of one window of so many. Bonferroni: the chance that any of them is wrong is at most their sum,
/// however much neighbouring windows have to do with each other.
pub fn of_windows(windows: u64) -> f64 {
    ALPHA / windows.max(1) as f64
}

/// The error rate of the `look`-th look, from 1, at a run that may go on for ever: 6 ÷ (π²·k²) of all, which is 1 in
/// sum. Early looks spend the most, so a gross breach stops a run in its first seconds.
pub fn of_look(look: u64) -> f64 {
    let k = look.max(1) as f64;
    ALPHA * 6.0 / (PI * PI * k * k)
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::stats::significance::proves_share_above;

    const RUNS: u32 = 400;
    const SHARE: f64 = 0.05;

    /// In how many of all runs `breaks` says that a limit is broken.
    fn share_of_runs(breaks: impl Fn(&mut Xoshiro256PlusPlus) -> bool) -> f64 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let broken = (0..RUNS).filter(|_| breaks(&mut random)).count();
        broken as f64 / f64::from(RUNS)
    }

    fn slow(random: &mut Xoshiro256PlusPlus, n: u64, share: f64) -> u64 {
        (0..n).filter(|_| random.random::<f64>() < share).count() as u64
    }

    fn any_of_60_windows(random: &mut Xoshiro256PlusPlus, share: f64, alpha: f64) -> bool {
        (0..60).any(|_| proves_share_above(slow(random, 100, share), 100, SHARE, alpha))
    }

    fn any_of_600_looks(random: &mut Xoshiro256PlusPlus, share: f64, alpha: impl Fn(u64) -> f64) -> bool {
        let (mut above, mut n) = (0, 0);
        (1..=600).any(|look| {
            above += slow(random, 10, share);
            n += 10;
            proves_share_above(above, n, SHARE, alpha(look))
        })
    }

    #[test]
    fn a_service_at_its_limit_breaks_it_in_no_more_than_one_run_in_twenty() {
        // 400 runs: 5 % and twice its binomial error is 7.2 %.
        let most = ALPHA + 2.0 * (ALPHA * (1.0 - ALPHA) / f64::from(RUNS)).sqrt();
        let windows = share_of_runs(|random| any_of_60_windows(random, SHARE, of_windows(60)));
        assert!(windows <= most, "windows {windows}");
        let looks = share_of_runs(|random| any_of_600_looks(random, SHARE, of_look));
        assert!(looks <= most, "looks {looks}");
        // What it was before: each of them at 5 %.
        assert!(share_of_runs(|random| any_of_60_windows(random, SHARE, ALPHA)) > 0.5);
        assert!(share_of_runs(|random| any_of_600_looks(random, SHARE, |_| ALPHA)) > 0.2);
    }

    #[test]
    fn a_gross_breach_is_found_all_the_same() {
        // One window in which three in ten are slow, and ten looks at such a service.
        let window = |random: &mut _| proves_share_above(slow(random, 100, 0.3), 100, SHARE, of_windows(60));
        assert!(share_of_runs(window) > 0.99);
        let early = |random: &mut Xoshiro256PlusPlus| {
            let above = slow(random, 100, 0.3);
            proves_share_above(above, 100, SHARE, of_look(10))
        };
        assert!(share_of_runs(early) > 0.95);
    }

    #[test]
    fn what_all_looks_spend_is_no_more_than_there_is() {
        let spent: f64 = (1..=100_000).map(of_look).sum();
        assert!(spent < ALPHA && spent > 0.999 * ALPHA, "{spent}");
    }
}
