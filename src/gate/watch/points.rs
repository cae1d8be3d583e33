//! A bounded list of windows. When it is full, of every two neighbours the worse stays, and stands for
//! both. So a very long run keeps fewer windows, and never loses the one that would have broken a limit.

use crate::gate::decision::{badness, decides_alone, percentile};
use crate::metric::Metric;
use crate::result::window::{Unanswered, WindowPoint};
use crate::stats::significance::binomial_tail;

/// The most windows that are kept of one objective.
pub const MOST_POINTS: usize = 3_600;
/// The most that are kept of all objectives together. One takes 70 to 200 bytes of the document, of which 64 MiB are read
/// again.
const MOST_OF_ALL: usize = 100_000;
/// The fewest that are kept of one, however many objectives there are.
const FEWEST_POINTS: usize = 8;

/// How many windows are kept of one of so many objectives.
pub fn most_of_one(objectives: usize) -> usize {
    (MOST_OF_ALL / objectives.max(1)).clamp(FEWEST_POINTS, MOST_POINTS)
}

/// Adds a window to at most so many.
pub fn push(points: &mut Vec<WindowPoint>, point: WindowPoint, metric: Metric, most: usize) {
    if points.len() >= most {
        *points = halved(points, metric);
    }
    points.push(point);
}

/// A window of few requests and one of many are judged by different rules, so neither stands for the other.
fn halved(points: &[WindowPoint], metric: Metric) -> Vec<WindowPoint> {
    let decides = |point: &WindowPoint| point.value.is_some() && decides_alone(metric, point.n);
    let (many, few): (Vec<_>, Vec<_>) = points.iter().copied().partition(decides);
    let mut kept = worse_of_pairs(&many, |point| point.value.map_or(0.0, |value| badness(metric, value)));
    kept.extend(worse_of_pairs(&few, |point| proof(metric, point)));
    kept.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    kept
}

fn worse_of_pairs(points: &[WindowPoint], bad: impl Fn(WindowPoint) -> f64) -> Vec<WindowPoint> {
    let worse = |pair: &[WindowPoint]| {
        let of = pair.iter().map(|point| point.of).sum();
        let worst = pair.iter().copied().reduce(|a, b| {
            let (worse, other) = if bad(b) > bad(a) { (b, a) } else { (a, b) };
            WindowPoint { unanswered: widest(worse, other), ..worse }
        });
        worst.map(|point| WindowPoint { of, ..point })
    };
    points.chunks(2).filter_map(worse).collect()
}

/// The worse of two windows passes only where both would: what it can be at most is the most that either can be.
fn widest(worse: WindowPoint, other: WindowPoint) -> Option<Unanswered> {
    let at_most = |point: WindowPoint| match point.unanswered {
        Some(unanswered) => unanswered.at_most.unwrap_or(f64::INFINITY),
        None => point.value.unwrap_or(f64::NEG_INFINITY),
    };
    let open = worse.unanswered.into_iter().chain(other.unanswered).next()?;
    let most = at_most(worse).max(at_most(other));
    Some(Unanswered { at_most: Some(most).filter(|most| most.is_finite()), ..open })
}

/// The larger, the more surely few requests prove a breach.
fn proof(metric: Metric, point: WindowPoint) -> f64 {
    percentile(metric).map_or(0.0, |percentile| {
        1.0 - binomial_tail(point.above.unwrap_or(0), point.n, 1.0 - percentile.quantile())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile;

    const P95: Metric = Metric::Response(Percentile::P95);

    fn point(second: u32, n: u64, value: f64, above: u64) -> WindowPoint {
        WindowPoint {
            t_s: f64::from(second),
            n,
            value: Some(value),
            above: Some(above),
            unanswered: None,
            of: 1,
        }
    }

    #[test]
    fn ten_hours_of_seconds_keep_the_one_that_broke() {
        for broken in [0, 1, 1_799, 3_600, 35_998, 35_999] {
            let mut points = Vec::new();
            for second in 0..36_000 {
                let value = if second == broken { 900.0 } else { f64::from(second % 7) };
                push(&mut points, point(second, 500, value, 0), P95, MOST_POINTS);
            }
            assert!(points.len() <= MOST_POINTS, "{}", points.len());
            assert_eq!(points.iter().map(|point| point.of).sum::<u64>(), 36_000, "all are stood for");
            assert!(points.is_sorted_by(|a, b| a.t_s < b.t_s));
            let worst = points.iter().find(|point| point.value == Some(900.0)).map(|point| point.t_s as u32);
            assert_eq!(worst, Some(broken));
        }
    }

    #[test]
    fn many_objectives_keep_fewer_windows_each_and_the_one_that_broke() {
        // 100 endpoints with four windowed objectives each, for an hour.
        let most = most_of_one(400);
        assert_eq!((most, most_of_one(0), most_of_one(27), most_of_one(1_000_000)), (250, 3_600, 3_600, 8));
        let mut points = Vec::new();
        for second in 0..3_600 {
            let value = if second == 1_234 { 900.0 } else { 1.0 };
            push(&mut points, point(second, 500, value, 0), P95, most);
            assert!(points.len() <= most);
        }
        assert!(points.iter().any(|point| point.value == Some(900.0)));
        assert_eq!(points.iter().map(|point| point.of).sum::<u64>(), 3_600);
    }

    #[test]
    fn few_requests_stand_for_few_and_the_strongest_proof_stays() {
        // 4 of 20 above the limit prove a breach of p95, 3 of 20 and 10 of 199 do not.
        let few = [point(0, 20, 900.0, 3), point(2, 20, 50.0, 4), point(4, 199, 1e6, 10)];
        let many = [point(1, 500, 1.0, 0), point(3, 500, 2.0, 0)];
        let empty = WindowPoint { value: None, n: 0, above: None, ..point(5, 0, 0.0, 0) };
        let all = [few[0], many[0], few[1], many[1], few[2], empty];
        let kept: Vec<_> = halved(&all, P95).iter().map(|point| (point.t_s as u32, point.of)).collect();
        assert_eq!(kept, [(2, 2), (3, 2), (4, 2)]);
    }

    #[test]
    fn of_throughputs_the_lowest_stays() {
        let all =
            [9.0, 3.0, 5.0].map(|value| WindowPoint { above: None, ..point(value as u32, 1, value, 0) });
        let kept: Vec<_> = halved(&all, Metric::Throughput).iter().map(|point| point.t_s as u32).collect();
        assert_eq!(kept, [3, 5]);
    }
}
