//! A course of times as one line of bars, for where there is no room for a chart. The median is in the middle
//! and nothing at the bottom: what is steady looks steady. Pure; the numbers stand beside it.

use crate::stats::quantile::median;

use super::number;

/// From nothing to twice the median, and all above. The others of this kind stand lower than these in many fonts.
const BARS: [char; 5] = ['▁', '▂', '▃', '▅', '▇'];
/// Where nothing was measured.
const GAP: char = '·';

/// A line of bars, and what they lie between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparkline {
    /// The bars.
    pub bars: String,
    /// The lowest and the highest of them, as text.
    pub range: String,
}

/// The line of the times of a course; none where two are not known.
pub fn sparkline(heights: &[Option<f64>]) -> Option<Sparkline> {
    let known = || heights.iter().copied().flatten();
    let (lowest, highest) = (known().reduce(f64::min)?, known().reduce(f64::max)?);
    let usual = median(&known().collect::<Vec<_>>()).unwrap_or(0.0);
    let top = if usual > 0.0 { 2.0 * usual } else { highest };
    let bar = |height: &Option<f64>| height.map_or(GAP, |height| BARS[level(height, top)]);
    let [low, high] = [lowest, highest].map(number::milliseconds);
    let range = if low == high { low } else { format!("{low} … {high}") };
    (known().count() > 1).then(|| Sparkline { bars: heights.iter().map(bar).collect(), range })
}

fn level(height: f64, top: f64) -> usize {
    let most = BARS.len() - 1;
    let level = if top > 0.0 { (height / top * most as f64).round() as usize } else { 0 };
    level.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::course::Course;
    use crate::report::course::tests::run_of;

    fn of(p95: &[Option<f64>]) -> Option<(String, String)> {
        let run = run_of(p95);
        let line = sparkline(&Course::of(&run, 40, |_| true)?.highest(|point| point.p95_ms))?;
        Some((line.bars, line.range))
    }

    #[test]
    fn what_is_steady_looks_steady_and_what_rises_rises() {
        let steady = of(&[Some(40.0), Some(41.0), Some(40.5)]).unwrap();
        assert_eq!(steady, ("▃▃▃".into(), "40.0 ms … 41.0 ms".into()));
        let rising = of(&[Some(0.0), Some(10.0), Some(20.0), None, Some(30.0), Some(40.0)]).unwrap();
        assert_eq!(rising, ("▁▂▃·▅▇".into(), "0.00 ms … 40.0 ms".into()));
        let spike = of(&[Some(10.0), Some(10.0), Some(900.0), Some(10.0)]).unwrap();
        assert_eq!(spike, ("▃▃▇▃".into(), "10.0 ms … 900 ms".into()));
        assert_eq!(of(&[Some(0.0), Some(0.0)]).unwrap(), ("▁▁".into(), "0.00 ms".into()));
    }

    #[test]
    fn a_long_run_is_no_longer_line_and_a_moment_is_none() {
        assert_eq!(of(&vec![Some(1.0); 3_600]).unwrap().0.chars().count(), 40);
        assert_eq!((of(&[Some(1.0)]), of(&[Some(1.0), None]), of(&[None, None])), (None, None, None));
    }
}
