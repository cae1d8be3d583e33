//! Which phase of the load a moment belongs to.

use std::time::{Duration, Instant};

use crate::plan::load::{Load, Phase, Span};

/// When a load began, and which of its stretches are judged.
#[derive(Debug, Clone)]
pub struct Phases {
    origin: Instant,
    steady: Vec<Span>,
}

impl Phases {
    /// Those of a load that begins at `origin`.
    pub fn of_load(load: &Load, origin: Instant) -> Self {
        Self { origin, steady: load.steady() }
    }

    /// The half of a count that a moment belongs to: [`Phase::Steady`], or anything else.
    pub fn of(&self, at: Instant) -> Phase {
        // What was due before this load began belongs to none of its phases.
        let Some(at) = at.checked_duration_since(self.origin) else { return Phase::Ramp };
        let steady = self.steady.iter().any(|span| span.start <= at && at < span.end);
        if steady { Phase::Steady } else { Phase::Ramp }
    }

    /// Whether most of a stretch of the steady phase lies between two moments: its middle does. Of a stretch that the
    /// second moment cuts short, only what lies before that counts.
    pub fn most_of_a_stretch(&self, from: Instant, until: Instant) -> bool {
        let Span { start: from, end: until } = self.span(from, until);
        let stretches = self.steady.iter().filter(|stretch| stretch.start < until);
        stretches
            .map(|stretch| stretch.start + stretch.end.min(until).saturating_sub(stretch.start) / 2)
            .any(|middle| from <= middle)
    }

    /// From one moment to another, since the start of the load.
    pub fn span(&self, from: Instant, to: Instant) -> Span {
        let since = |at: Instant| at.checked_duration_since(self.origin).unwrap_or(Duration::ZERO);
        Span { start: since(from), end: since(to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn most_of_a_stretch_is_its_middle_and_what_follows_or_goes_before() {
        let (origin, secs) = (clock::now(), Duration::from_secs);
        let span = |start, end| Span { start: secs(start), end: secs(end) };
        let phases = Phases { origin, steady: vec![span(10, 20), span(30, 60)] };
        let most = |from, until| phases.most_of_a_stretch(origin + secs(from), origin + secs(until));
        // Before, between and after the stretches; and less than half of either.
        for (from, until) in [(0, 10), (21, 30), (60, 70), (16, 20), (46, 60)] {
            assert!(!most(from, until), "{from} {until}");
        }
        for (from, until) in [(0, 20), (15, 20), (16, 60), (45, 60), (0, 1_000)] {
            assert!(most(from, until), "{from} {until}");
        }
        // A load that is stopped after 4 s of a stretch: of these 4 s.
        assert!(most(12, 14) && !most(13, 14));
    }
}
