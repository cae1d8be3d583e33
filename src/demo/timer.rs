//! Waiting to a fraction of a millisecond. The runtime's timers round up to whole milliseconds; answers
//! would come on a grid of them, and a latency of a few milliseconds would change in jumps of a tenth.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::oneshot;

use self::bell::Bell;
use crate::clock;

/// All who wait, the earliest first, and one bell set for the earliest.
#[derive(Debug)]
pub(super) struct Timer {
    waiting: Mutex<Waiting>,
    arrivals: AtomicU64,
    bell: Bell,
}

/// Who waits until when; the number tells two of the same instant apart.
type Waiting = BTreeMap<Place, oneshot::Sender<()>>;
type Place = (Instant, u64);

/// A place among those who wait, given up when dropped.
struct Seat<'a> {
    timer: &'a Timer,
    place: Place,
}

impl Timer {
    /// A timer nobody waits on; must be made inside a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), arrivals: AtomicU64::new(0), bell: Bell::new()? })
    }

    /// Ends at an instant, provided that [`Timer::run`] runs.
    pub(super) async fn sleep_until(&self, at: Instant) {
        let (wake, woken) = oneshot::channel();
        let place = (at, self.arrivals.fetch_add(1, Ordering::Relaxed));
        let _seat = self.sit_down(place, wake);
        // The sender is dropped only with the seat, after this.
        let _ = woken.await;
    }

    /// Wakes those whose time has come; ends only with an error of the system.
    pub(super) async fn run(&self) -> io::Result<()> {
        loop {
            self.bell.rings().await?;
            self.wake_due();
        }
    }

    fn sit_down(&self, place: Place, wake: oneshot::Sender<()>) -> Seat<'_> {
        let mut waiting = self.waiting();
        waiting.insert(place, wake);
        if waiting.first_key_value().is_some_and(|(first, _)| *first == place) {
            self.bell.set(place.0);
        }
        Seat { timer: self, place }
    }

    fn wake_due(&self) {
        let mut waiting = self.waiting();
        while let Some(first) = waiting.first_entry() {
            let (at, _) = *first.key();
            if at > clock::now() {
                return self.bell.set(at);
            }
            // Who has left in this moment needs no waking.
            let _ = first.remove().send(());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.timer.waiting().remove(&self.place);
    }
}

#[cfg(target_os = "linux")]
mod bell {
    //! One timer descriptor. Setting it again silences it, so it is never read.

    use std::{io, os::fd::OwnedFd, time::Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    use crate::clock;

    #[derive(Debug)]
    pub(super) struct Bell(AsyncFd<OwnedFd>);

    impl Bell {
        #[expect(deprecated, reason = "an owned descriptor keeps the promise its unsafe successor asks for")]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self)
        }

        pub(super) fn set(&self, at: Instant) {
            let left = at.saturating_duration_since(clock::now());
            let it_value = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                // Nothing at all would silence it for good.
                tv_nsec: i64::from(left.subsec_nanos()).max(1),
            };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Itimerspec { it_interval, it_value };
            let set = timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once);
            debug_assert!(set.is_ok(), "the descriptor is a timer and the time is valid");
        }

        pub(super) async fn rings(&self) -> io::Result<()> {
            self.0.readable().await?.clear_ready();
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod bell {
    //! The runtime's timer, to the millisecond.

    use std::{
        io,
        sync::{Mutex, PoisonError},
        time::Instant,
    };

    use tokio::{sync::Notify, time::sleep_until};

    #[derive(Debug)]
    pub(super) struct Bell {
        at: Mutex<Option<Instant>>,
        changed: Notify,
    }

    impl Bell {
        #[expect(clippy::unnecessary_wraps, reason = "other systems can refuse")]
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { at: Mutex::new(None), changed: Notify::new() })
        }

        pub(super) fn set(&self, at: Instant) {
            *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
            self.changed.notify_one();
        }

        pub(super) async fn rings(&self) -> io::Result<()> {
            loop {
                let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(at) = at else {
                    self.changed.notified().await;
                    continue;
                };
                tokio::select! {
                    () = sleep_until(at.into()) => {
                        self.at.lock().unwrap_or_else(PoisonError::into_inner).take();
                        return Ok(());
                    }
                    () = self.changed.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_the_order_of_their_times() {
        let timer = Timer::new().unwrap();
        let start = clock::now();
        let waiters: FuturesUnordered<_> = [3, 1, 2, 0]
            .map(async |ms| {
                let at = start + Duration::from_millis(ms);
                timer.sleep_until(at).await;
                assert!(clock::now() >= at);
                ms
            })
            .into_iter()
            .collect();
        tokio::select! {
            order = waiters.collect::<Vec<_>>() => assert_eq!(order, [0, 1, 2, 3]),
            failed = timer.run() => panic!("{failed:?}"),
        }
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_no_trace() {
        let timer = Timer::new().unwrap();
        assert!(timer.sleep_until(clock::now() + Duration::from_hours(1)).now_or_never().is_none());
        assert!(timer.waiting().is_empty());
    }
}
