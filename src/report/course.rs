//! The judged part of a run in few stretches of equal length, for pictures of little room. Percentiles are
//! never averaged: a stretch has the highest of them. Pure; it draws nothing.

use crate::result::schema::{Point, RunResult};

/// The name of the phase that is judged.
const STEADY: &str = "steady";
/// No time is longer, in milliseconds: a number that no run could have measured is none.
const LONGEST_MS: f64 = 1e9;

/// Stretches that follow each other, each with a point at least.
#[derive(Debug, Clone, PartialEq)]
pub struct Course<'a> {
    /// Where the first begins, since the start of the load.
    pub from_s: f64,
    /// Where the last ends.
    pub to_s: f64,
    stretches: Vec<Vec<&'a Point>>,
}

impl<'a> Course<'a> {
    /// At most so many stretches of the points that count, and two at least.
    pub fn of(result: &'a RunResult, most: usize, counts: impl Fn(&Point) -> bool) -> Option<Self> {
        let steady = || result.series.iter().filter(|point| point.phase == STEADY && point.t_s.is_finite());
        let from_s = steady().map(|point| point.t_s).reduce(f64::min)?;
        let to_s = steady().map(end).reduce(f64::max)?;
        let points: Vec<_> = steady().filter(|point| counts(point)).collect();
        let length = to_s - from_s;
        if !(length.is_finite() && length > 0.0) {
            return None;
        }
        let parted = |n: usize| parted(&points, n, |point| (point.t_s - from_s) / length);
        let stretches = (2..=most.min(points.len())).rev().find_map(parted)?;
        Some(Self { from_s, to_s, stretches })
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there are two at least")]
    pub fn len(&self) -> usize {
        self.stretches.len()
    }

    /// The highest value of each stretch; none where nothing was measured.
    pub fn highest(&self, value: impl Fn(&Point) -> Option<f64>) -> Vec<Option<f64>> {
        let highest = |points: &Vec<&Point>| {
            points.iter().filter_map(|point| value(point)).filter(|it| is_time(*it)).reduce(f64::max)
        };
        self.stretches.iter().map(highest).collect()
    }
}

/// Whether a number can be a time in milliseconds.
pub fn is_time(value: f64) -> bool {
    value.is_sign_positive() && value < LONGEST_MS
}

fn end(point: &Point) -> f64 {
    point.t_s + if point.length_s > 0.0 { point.length_s } else { 1.0 }
}

/// The points in `n` parts by the share of the whole at which they lie; none if a part is empty.
fn parted<'a>(points: &[&'a Point], n: usize, share: impl Fn(&Point) -> f64) -> Option<Vec<Vec<&'a Point>>> {
    let mut parts: Vec<Vec<&Point>> = vec![Vec::new(); n];
    for point in points {
        // What lies on a border belongs behind it, however it was rounded.
        let part = (share(point) * n as f64 + 1e-6).floor().max(0.0) as usize;
        parts[part.min(n - 1)].push(point);
    }
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::result::fixture::small;

    /// A small run that went like this in its judged seconds: p95, the others beside it.
    pub fn run_of(p95: &[Option<f64>]) -> RunResult {
        let mut result = small();
        let steady = result.series.iter().find(|point| point.phase == STEADY).unwrap().clone();
        let point = |(second, p95_ms): (usize, &Option<f64>)| {
            let times = (p95_ms.map(|it| it / 2.0), *p95_ms, p95_ms.map(|it| it * 1.5));
            let mut point = Point { t_s: 2.0 + second as f64, length_s: 1.0, ..steady.clone() };
            (point.p50_ms, point.p95_ms, point.p99_ms) = times;
            for endpoint in point.endpoints.values_mut() {
                (endpoint.p50_ms, endpoint.p95_ms, endpoint.p99_ms) = times;
            }
            point
        };
        result.series = p95.iter().enumerate().map(point).collect();
        result
    }

    fn p95(result: &RunResult, most: usize) -> Option<Vec<Option<f64>>> {
        Course::of(result, most, |_| true).map(|course| course.highest(|point| point.p95_ms))
    }

    #[test]
    fn a_stretch_has_the_highest_and_never_a_mean() {
        let run = run_of(&[Some(1.0), Some(9.0), Some(2.0), Some(3.0), None, None]);
        assert_eq!(p95(&run, 3), Some(vec![Some(9.0), Some(3.0), None]));
        assert_eq!(p95(&run, 60).unwrap().len(), 6, "a second each");
    }

    #[test]
    fn seconds_of_unequal_length_leave_no_stretch_empty() {
        let mut run = run_of(&[Some(1.0); 28]);
        run.series[0].t_s = 2.4;
        run.series[0].length_s = 0.6;
        let course = p95(&run, 40).unwrap();
        assert!(course.len() > 20 && course.iter().all(Option::is_some), "{course:?}");
    }

    #[test]
    fn there_is_none_of_a_moment_and_none_of_nonsense() {
        assert_eq!((p95(&run_of(&[Some(1.0)]), 40), p95(&run_of(&[]), 40)), (None, None));
        let mut hostile = run_of(&[Some(1.0), Some(f64::NAN), Some(-1.0), Some(1e300)]);
        assert_eq!(p95(&hostile, 40), Some(vec![Some(1.0), None, None, None]));
        for (t_s, length_s) in [(f64::INFINITY, 1.0), (1e308, 1e308), (-1e308, f64::MAX), (f64::NAN, 1.0)] {
            (hostile.series[0].t_s, hostile.series[0].length_s) = (t_s, length_s);
            let course = p95(&hostile, 40).unwrap_or_default();
            assert!(course.len() <= 4, "{course:?}");
        }
    }
}
