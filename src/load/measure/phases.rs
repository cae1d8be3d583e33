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

    /// From one moment to another, since the start of the load.
    pub fn span(&self, from: Instant, to: Instant) -> Span {
        let since = |at: Instant| at.checked_duration_since(self.origin).unwrap_or(Duration::ZERO);
        Span { start: since(from), end: since(to) }
    }
}
