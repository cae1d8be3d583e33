//! How much load, when: a planned level over time, of users or of arrivals per second. All of it is
//! arithmetic on the plan; no clock, no randomness.

use std::time::Duration;

/// The load of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// What the level counts.
    pub model: Model,
    /// The level over time.
    pub shape: Shape,
    /// Not judged, after the first ramp.
    pub warmup: Duration,
    /// For requests in flight at the end.
    pub drain: Duration,
    /// What ends within `drain`.
    pub stop: StopAfter,
}

/// What a user ends whom the load does not want any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StopAfter {
    /// The request that is under way; the rest of the iteration is not begun.
    #[default]
    Request,
    /// The iteration that is under way, as far as it ends within `drain`.
    Iteration,
}

/// What the level of a load counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// Users, each starting its next iteration after the last one.
    Closed,
    /// Iterations started per second, whether or not earlier ones have ended.
    Open {
        /// How they are spaced.
        distribution: Distribution,
        /// Users there may be at once.
        max_users: usize,
    },
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Evenly.
    Even,
    /// Independently of each other.
    Poisson,
}

/// A level over time: straight lines, one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shape(pub Vec<Segment>);

/// A straight line from one level to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// How long.
    pub over: Duration,
    /// Level at its start.
    pub from: f64,
    /// Level at its end.
    pub to: f64,
}

/// A stretch of time since the start of the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Inclusive.
    pub start: Duration,
    /// Exclusive.
    pub end: Duration,
}

/// What a moment of the run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The level changes.
    Ramp,
    /// The level is constant, and not judged yet.
    Warmup,
    /// The level is constant: judged.
    Steady,
    /// The load is over; requests in flight end.
    Drain,
}

impl Phase {
    /// The word in `result.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ramp => "ramp",
            Self::Warmup => "warmup",
            Self::Steady => "steady",
            Self::Drain => "drain",
        }
    }
}

impl Load {
    /// The stretches that are judged: constant load after the first ramp and the warm-up. A shape
    /// without any constant stretch is judged whole.
    pub fn steady(&self) -> Vec<Span> {
        let constant = self.shape.constant();
        if constant.is_empty() {
            let whole = Span { start: self.warmup, end: self.shape.duration() };
            return if whole.start < whole.end { vec![whole] } else { Vec::new() };
        }
        let ready = constant.first().map_or(Duration::ZERO, |span| span.start) + self.warmup;
        constant
            .into_iter()
            .map(|span| Span { start: span.start.max(ready), end: span.end })
            .filter(|span| span.start < span.end)
            .collect()
    }

    /// The phase a moment belongs to.
    pub fn phase(&self, at: Duration) -> Phase {
        let within = |spans: &[Span]| spans.iter().any(|span| span.start <= at && at < span.end);
        if at >= self.shape.duration() {
            Phase::Drain
        } else if within(&self.steady()) {
            Phase::Steady
        } else if within(&self.shape.constant()) {
            Phase::Warmup
        } else {
            Phase::Ramp
        }
    }
}

impl Shape {
    /// A level held for a time.
    pub fn constant_at(level: f64, over: Duration) -> Self {
        Self(vec![Segment { over, from: level, to: level }])
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        self.0.iter().map(|segment| segment.over).sum()
    }

    /// The part of it before a moment.
    #[must_use]
    pub fn until(&self, at: Duration) -> Self {
        let parts = self.timed().filter(|(span, _)| span.start < at).map(|(span, segment)| {
            let over = segment.over.min(at.saturating_sub(span.start));
            Segment { over, from: segment.from, to: segment.level(over.as_secs_f64()) }
        });
        Self(parts.collect())
    }

    /// The highest level.
    pub fn peak(&self) -> f64 {
        self.0.iter().flat_map(|segment| [segment.from, segment.to]).fold(0.0, f64::max)
    }

    /// The level at a moment; zero after the end.
    pub fn level(&self, at: Duration) -> f64 {
        self.timed()
            .find(|(span, _)| span.start <= at && at < span.end)
            .map_or(0.0, |(span, segment)| segment.level(at.saturating_sub(span.start).as_secs_f64()))
    }

    /// The stretches of one constant level above zero; neighbours of the same level are one stretch.
    #[expect(clippy::float_cmp, reason = "a level is constant only where it was written as the same number")]
    pub fn constant(&self) -> Vec<Span> {
        let mut spans: Vec<(f64, Span)> = Vec::new();
        for (span, segment) in
            self.timed().filter(|(_, segment)| segment.from == segment.to && segment.from > 0.0)
        {
            match spans.last_mut() {
                Some((level, last)) if *level == segment.from && last.end == span.start => {
                    last.end = span.end;
                }
                _ => spans.push((segment.from, span)),
            }
        }
        spans.into_iter().map(|(_, span)| span).collect()
    }

    /// The stretches in which user number `index` (from 0) is wanted: where the level is above it.
    pub fn active(&self, index: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (base, segment) in self.timed() {
            let Some((start, end)) = segment.above(index as f64) else { continue };
            let span = Span { start: base.start + seconds(start), end: base.start + seconds(end) };
            match spans.last_mut() {
                Some(last) if span.start.saturating_sub(last.end) < Duration::from_micros(1) => {
                    last.end = span.end;
                }
                _ => spans.push(span),
            }
        }
        spans
    }

    /// The moment at which the area under the level reaches `count`: when arrival number `count`
    /// (from 0) is due. None after the last.
    pub fn due(&self, count: f64) -> Option<Duration> {
        let mut before = 0.0;
        for (span, segment) in self.timed() {
            let area = segment.area(segment.over.as_secs_f64());
            if count < before + area {
                return Some(span.start + seconds(segment.reach(count - before)));
            }
            before += area;
        }
        None
    }

    /// The area under the level up to a moment: arrivals due before it.
    pub fn due_until(&self, at: Duration) -> f64 {
        self.timed()
            .map(|(span, segment)| {
                segment.area(at.saturating_sub(span.start).min(segment.over).as_secs_f64())
            })
            .sum()
    }

    fn timed(&self) -> impl Iterator<Item = (Span, &Segment)> {
        self.0.iter().scan(Duration::ZERO, |clock, segment| {
            let start = *clock;
            *clock += segment.over;
            Some((Span { start, end: *clock }, segment))
        })
    }
}

impl Segment {
    fn slope(&self) -> f64 {
        let length = self.over.as_secs_f64();
        if length > 0.0 { (self.to - self.from) / length } else { 0.0 }
    }

    fn level(&self, after: f64) -> f64 {
        self.from + self.slope() * after
    }

    /// ∫ level over the first `after` seconds.
    fn area(&self, after: f64) -> f64 {
        self.from * after + self.slope() * after * after / 2.0
    }

    /// The seconds after which the area is `area`: the positive root of `slope/2·t² + from·t = area`,
    /// in the form that does not cancel when the slope is small.
    fn reach(&self, area: f64) -> f64 {
        let root = (self.from * self.from + 2.0 * self.slope() * area).max(0.0).sqrt();
        if self.from + root > 0.0 { 2.0 * area / (self.from + root) } else { 0.0 }
    }

    /// The seconds from and to which the level is above `limit`.
    fn above(&self, limit: f64) -> Option<(f64, f64)> {
        let length = self.over.as_secs_f64();
        let crossing = || ((limit - self.from) / self.slope()).clamp(0.0, length);
        let span = match (self.from > limit, self.to > limit) {
            (true, true) => (0.0, length),
            (true, false) => (0.0, crossing()),
            (false, true) => (crossing(), length),
            (false, false) => return None,
        };
        (span.0 < span.1).then_some(span)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(value: u64) -> Duration {
        Duration::from_secs(value)
    }

    /// 0 → 100 users in 2 s (50/s), then 28 s at 100.
    fn ramp_and_hold() -> Shape {
        Shape(vec![
            Segment { over: secs(2), from: 0.0, to: 100.0 },
            Segment { over: secs(28), from: 100.0, to: 100.0 },
        ])
    }

    #[test]
    fn a_user_starts_when_the_ramp_reaches_it() {
        // 50 users a second: user 0 at 0 s, user 50 at 1 s, user 99 at 1.98 s, user 100 never.
        let shape = ramp_and_hold();
        for (index, start_ms) in [(0, 0), (50, 1000), (99, 1980)] {
            assert_eq!(
                shape.active(index),
                [Span { start: Duration::from_millis(start_ms), end: secs(30) }],
                "user {index}"
            );
        }
        assert_eq!(shape.active(100), []);
    }

    #[test]
    fn stages_that_go_down_end_users_last_in_first_out() {
        // 0 → 10 in 10 s, 10 → 0 in 10 s: user 5 is wanted from 5 s to 15 s.
        let shape = Shape(vec![
            Segment { over: secs(10), from: 0.0, to: 10.0 },
            Segment { over: secs(10), from: 10.0, to: 0.0 },
        ]);
        assert_eq!(shape.active(5), [Span { start: secs(5), end: secs(15) }]);
    }

    #[test]
    fn a_shape_can_be_cut_short() {
        // After 1 s of a ramp of 50/s the level is 50.
        let cut = ramp_and_hold().until(secs(1));
        assert_eq!(cut, Shape(vec![Segment { over: secs(1), from: 0.0, to: 50.0 }]));
        assert_eq!(ramp_and_hold().until(secs(40)), ramp_and_hold());
        assert_eq!(ramp_and_hold().until(secs(0)), Shape::default());
    }

    #[test]
    fn even_arrivals_fall_on_the_schedule() {
        // 500/s: arrival k is due at k/500 s; 20 s hold 10,000 of them.
        let shape = Shape::constant_at(500.0, secs(20));
        assert_eq!(shape.due(0.0), Some(Duration::ZERO));
        assert_eq!(shape.due(1.0), Some(Duration::from_millis(2)));
        assert_eq!(shape.due(9_999.0), Some(Duration::from_millis(19_998)));
        assert_eq!(shape.due(10_000.0), None);
    }

    #[test]
    fn arrivals_on_a_ramp_follow_the_area() {
        // 0 → 10/s in 10 s: area 5·(t/10)²·10 = t²/2; arrival 8 is due at 4 s, 32 at 8 s.
        let shape = Shape(vec![Segment { over: secs(10), from: 0.0, to: 10.0 }]);
        for (count, at) in [(8.0, 4.0), (32.0, 8.0)] {
            let due = shape.due(count).unwrap().as_secs_f64();
            assert!((due - at).abs() < 1e-9, "{due}");
        }
        assert!((shape.due_until(secs(4)) - 8.0).abs() < 1e-9);
        assert_eq!(shape.due(50.0), None);
    }

    #[test]
    fn the_steady_phase_is_constant_load_after_ramp_and_warm_up() {
        let load = Load {
            model: Model::Closed,
            shape: ramp_and_hold(),
            warmup: secs(10),
            drain: secs(5),
            stop: StopAfter::default(),
        };
        assert_eq!(load.steady(), [Span { start: secs(12), end: secs(30) }]);
        for (at, phase) in [(1, Phase::Ramp), (2, Phase::Warmup), (12, Phase::Steady), (30, Phase::Drain)] {
            assert_eq!(load.phase(secs(at)), phase, "{at} s");
        }
    }

    #[test]
    fn a_shape_that_never_holds_is_judged_whole() {
        let shape = Shape(vec![Segment { over: secs(10), from: 0.0, to: 10.0 }]);
        let load =
            Load { model: Model::Closed, shape, warmup: secs(0), drain: secs(5), stop: StopAfter::default() };
        assert_eq!(load.steady(), [Span { start: secs(0), end: secs(10) }]);
    }

    #[test]
    fn a_run_that_ends_in_its_ramp_has_no_steady_phase() {
        let load = Load {
            model: Model::Closed,
            shape: ramp_and_hold(),
            warmup: secs(28),
            drain: secs(5),
            stop: StopAfter::default(),
        };
        assert_eq!(load.steady(), []);
    }
}
