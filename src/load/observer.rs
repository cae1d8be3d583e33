//! Whoever looks on while the load runs: a live line, a watch over objectives. Load knows nothing of
//! what an observer does; all it asks is whether to go on.

use super::measure::recording::Recording;
use super::measure::run::Window;

/// Is handed every window while the load runs, and may stop it.
pub trait Observer {
    /// A window has ended; `recording` is everything that was counted in it.
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish;

    /// The load is over; `rest` is what still ended after the last window.
    fn drained(&mut self, _rest: &Recording) {}
}

/// What an observer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Continue,
    /// End the load now.
    Stop,
}

/// Observers as one: all see every window, and any may stop the load.
pub struct Together<'a>(pub Vec<&'a mut dyn Observer>);

impl Observer for Together<'_> {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        let wishes: Vec<_> = self.0.iter_mut().map(|observer| observer.window(window, recording)).collect();
        if wishes.contains(&Wish::Stop) { Wish::Stop } else { Wish::Continue }
    }

    fn drained(&mut self, rest: &Recording) {
        self.0.iter_mut().for_each(|observer| observer.drained(rest));
    }
}
