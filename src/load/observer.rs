//! Whoever looks on while the load runs: a live line, a watch over objectives. Load knows nothing of
//! what an observer does; all it asks is whether to go on.

use super::measure::recording::Recording;
use super::measure::run::Window;

/// Is handed every window while the load runs, and may stop it.
pub trait Observer {
    /// A window has ended; `recording` is everything that was counted in it.
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish;
}

/// What an observer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Continue,
    /// End the load now.
    Stop,
}

/// Somebody who may not be there.
impl<T: Observer> Observer for Option<T> {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        self.as_mut().map_or(Wish::Continue, |observer| observer.window(window, recording))
    }
}

/// Two observers as one: both see every window, and either may stop the load.
pub struct Both<'a>(pub &'a mut dyn Observer, pub &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        let wishes = [self.0.window(window, recording), self.1.window(window, recording)];
        if wishes.contains(&Wish::Stop) { Wish::Stop } else { Wish::Continue }
    }
}
