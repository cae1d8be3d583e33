//! Levels of load over time: a ramp to a number of users, stages, a staircase.

use std::time::Duration;

use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::plan::load::{Segment, Shape};
use crate::units::Rate;

use super::unit;

/// The most levels a staircase may have.
const MOST_LEVELS: f64 = 10_000.0;

/// Users who come at a rate, then stay until `run_time` is over, which includes their coming; without a
/// rate all are there from the start.
pub(super) fn ramp(users: f64, spawn_rate: Option<Rate>, run_time: Duration) -> Shape {
    let Some(Rate(rate)) = spawn_rate else { return Shape::constant_at(users, run_time) };
    let coming = Duration::try_from_secs_f64(users / rate).unwrap_or(Duration::MAX);
    if coming >= run_time {
        let reached = rate * run_time.as_secs_f64();
        // The level that would be held is held for no time at all: nothing of such a run is judged.
        let hold = Segment { over: Duration::ZERO, from: reached, to: reached };
        return Shape(vec![Segment { over: run_time, from: 0.0, to: reached }, hold]);
    }
    Shape(vec![
        Segment { over: coming, from: 0.0, to: users },
        Segment { over: run_time.saturating_sub(coming), from: users, to: users },
    ])
}

/// Whether the levels of stages or of a staircase are arrivals per second, not users.
pub(super) fn counts_arrivals(node: &Node) -> bool {
    let levels = node
        .items()
        .iter()
        .filter_map(|stage| stage.get("to"))
        .chain(node.get("until"))
        .chain(node.get("from"));
    levels.filter_map(|level| level.scalar()).any(|text| text.contains('/'))
}

/// Straight lines from each level to the next, the first from zero; and whether they are arrivals.
pub(super) fn stages(node: Option<&Node>) -> Result<(Shape, bool), Problem> {
    let Some(node) = node else { return Ok((Shape::default(), false)) };
    let arrivals = counts_arrivals(node);
    let (mut shape, mut level) = (Shape::default(), 0.0);
    for stage in node.items() {
        let to = self::level(stage.get("to"), arrivals)?.unwrap_or(level);
        let over = unit::duration(stage.get("over")).unwrap_or_default();
        if over > Duration::ZERO {
            shape.0.push(Segment { over, from: level, to });
        }
        level = to;
    }
    some_load(shape, node).map(|shape| (shape, arrivals))
}

/// Levels held one after the other; and whether they are arrivals.
pub(super) fn staircase(node: Option<&Node>) -> Result<(Shape, bool), Problem> {
    let Some(node) = node else { return Ok((Shape::default(), false)) };
    let arrivals = counts_arrivals(node);
    let number = |key: &str| level(node.get(key), arrivals).map(Option::unwrap_or_default);
    let (from, by, until) = (number("from")?, number("by")?, number("until")?);
    let every = unit::duration(node.get("every")).unwrap_or_default();
    if by <= 0.0 || until < from || (until - from) / by > MOST_LEVELS {
        return Err(Problem::at(
            node.span,
            "a staircase climbs from `from` by `by` until `until`, in at most 10000 steps",
        )
        .hint("write such as `{from: 10, by: 10, every: 30s, until: 200}`"));
    }
    let steps = ((until - from) / by + 1e-9).floor() as u32;
    let held = |step: u32| from + by * f64::from(step);
    let shape =
        Shape((0..=steps).map(|step| Segment { over: every, from: held(step), to: held(step) }).collect());
    some_load(shape, node).map(|shape| (shape, arrivals))
}

fn some_load(shape: Shape, node: &Node) -> Result<Shape, Problem> {
    if shape.peak() > 0.0 && shape.duration() > Duration::ZERO {
        return Ok(shape);
    }
    Err(Problem::at(node.span, "this makes no load at all").hint("give it a level above zero for some time"))
}

fn level(node: Option<&Node>, arrivals: bool) -> Result<Option<f64>, Problem> {
    let Some(node) = node else { return Ok(None) };
    let (users, rate) = (unit::parsed::<f64>(Some(node)), unit::rate(Some(node)));
    if arrivals && users.is_some() && users != Some(0.0) {
        return Err(Problem::at(node.span, "users among levels that are arrivals per second")
            .hint("write every level as a number of users, `50`, or every one as a rate, `50/s`"));
    }
    Ok(rate.map(|Rate(rate)| rate).or(users).filter(|level| level.is_finite() && *level >= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(value: u64) -> Duration {
        Duration::from_secs(value)
    }

    #[test]
    fn a_ramp_is_part_of_the_run_time() {
        // 100 users at 50/s: 2 s of coming, 28 s of staying.
        let shape = ramp(100.0, Some(Rate(50.0)), secs(30));
        assert_eq!(
            shape.0,
            [
                Segment { over: secs(2), from: 0.0, to: 100.0 },
                Segment { over: secs(28), from: 100.0, to: 100.0 },
            ]
        );
        // 100 users at 2/s in 30 s: cut at 60.
        assert_eq!(
            ramp(100.0, Some(Rate(2.0)), secs(30)).0,
            [
                Segment { over: secs(30), from: 0.0, to: 60.0 },
                Segment { over: secs(0), from: 60.0, to: 60.0 },
            ]
        );
        assert_eq!(ramp(5.0, None, secs(3)), Shape::constant_at(5.0, secs(3)));
    }
}
