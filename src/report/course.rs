//! The judged part of a run in few stretches of equal length, for pictures of little room. Percentiles are
//! never averaged: a stretch has the highest of them. Pure; it draws nothing.

use std::collections::BTreeMap;

use crate::result::schema::{EndpointPoint, Point, RunResult};
use crate::result::stretch::stretches;

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
    stretches: Vec<Vec<Moment<'a>>>,
}

/// A point, and what the endpoints did in it, or in it and others together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment<'a> {
    point: &'a Point,
    endpoints: &'a BTreeMap<String, EndpointPoint>,
}

impl<'a> Course<'a> {
    /// At most so many stretches of the points that count, and two at least.
    pub fn of(result: &'a RunResult, most: usize, counts: impl Fn(&Point) -> bool) -> Option<Self> {
        let steady = || result.series.iter().filter(|point| is_steady(point));
        let from_s = steady().map(|point| point.t_s).reduce(f64::min)?;
        let to_s = steady().map(end).reduce(f64::max)?;
        let moments = stretches(&result.series).flat_map(|stretch| {
            stretch.points.iter().map(move |point| Moment { point, endpoints: stretch.endpoints })
        });
        let points: Vec<_> = moments.filter(|it| is_steady(it.point) && counts(it.point)).collect();
        let length = to_s - from_s;
        if !(length.is_finite() && length > 0.0) {
            return None;
        }
        let parted = |n: usize| parted(&points, n, |moment| (moment.point.t_s - from_s) / length);
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
        self.highest_by(|moment| value(moment.point))
    }

    /// The same of one endpoint. Seconds in which endpoints are counted together all have what it was in them.
    pub fn highest_of(
        &self,
        endpoint: &str,
        value: impl Fn(&EndpointPoint) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        self.highest_by(|moment| moment.endpoints.get(endpoint).and_then(&value))
    }

    fn highest_by(&self, value: impl Fn(&Moment) -> Option<f64>) -> Vec<Option<f64>> {
        let highest = |moments: &Vec<Moment>| {
            moments.iter().filter_map(&value).filter(|it| is_time(*it)).reduce(f64::max)
        };
        self.stretches.iter().map(highest).collect()
    }
}

/// Whether a number can be a time in milliseconds.
pub fn is_time(value: f64) -> bool {
    value.is_sign_positive() && value < LONGEST_MS
}

fn is_steady(point: &Point) -> bool {
    point.phase == STEADY && point.t_s.is_finite()
}

fn end(point: &Point) -> f64 {
    point.t_s + if point.length_s > 0.0 { point.length_s } else { 1.0 }
}

/// The moments in `n` parts by the share of the whole at which they lie; none if a part is empty.
fn parted<'a>(
    moments: &[Moment<'a>],
    n: usize,
    share: impl Fn(&Moment) -> f64,
) -> Option<Vec<Vec<Moment<'a>>>> {
    let mut parts: Vec<Vec<Moment>> = vec![Vec::new(); n];
    for point in moments {
        // What lies on a border belongs behind it, however it was rounded.
        let part = (share(point) * n as f64 + 1e-6).floor().max(0.0) as usize;
        parts[part.min(n - 1)].push(*point);
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
    fn an_endpoint_has_no_gap_where_seconds_are_counted_together() {
        let mut run = run_of(&[Some(1.0), Some(2.0), Some(3.0), Some(4.0), Some(5.0), Some(6.0)]);
        let name = run.series[0].endpoints.keys().next().unwrap().clone();
        let of = |run: &RunResult| {
            Course::of(run, 6, |_| true).unwrap().highest_of(&name, |endpoint| endpoint.p95_ms)
        };
        // The first three together, then one alone, then two together.
        for (at, next) in [(0, 2), (4, 1)] {
            run.series[at].endpoints_of_next = next as u64;
            (at + 1..=at + next).for_each(|at| run.series[at].endpoints.clear());
        }
        let counted = [1.0, 1.0, 1.0, 4.0, 5.0, 5.0].map(Some);
        assert_eq!(of(&run), counted);
        // Where it had nothing, and where nothing is known of it, is a gap.
        run.series[3].endpoints.clear();
        assert_eq!(of(&run)[3], None);
        run.series.iter_mut().for_each(|point| point.endpoints.clear());
        assert_eq!(of(&run), [None; 6]);
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
