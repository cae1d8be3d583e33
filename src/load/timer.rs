//! Sleeping to the microsecond. The runtime's own timers round up to a whole millisecond, which would
//! be read as latency; on Linux a worker sleeps on one timerfd instead, armed for its earliest sleeper.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock;

/// The timer of one worker. Clones share it.
#[derive(Clone)]
pub struct Timer(Rc<Inner>);

struct Inner {
    sleepers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_id: Cell<u64>,
    /// What the alarm is set for.
    armed: Cell<Option<Instant>>,
    alarm: alarm::Alarm,
}

/// A time limit ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl Timer {
    /// Makes the timer of the current worker and starts the task that wakes its sleepers.
    ///
    /// Must be called inside a [`tokio::runtime::LocalRuntime`].
    pub fn start() -> io::Result<Self> {
        let timer = Self(Rc::new(Inner {
            sleepers: RefCell::default(),
            next_id: Cell::new(0),
            armed: Cell::new(None),
            alarm: alarm::Alarm::new()?,
        }));
        let inner = timer.0.clone();
        tokio::task::spawn_local(async move {
            while inner.alarm.rings().await.is_ok() {
                inner.wake_due();
                // Whoever was woken may want to sleep again, and often is the next to be woken.
                behind_the_woken().await;
                inner.arm();
            }
        });
        Ok(timer)
    }

    /// Ends at `at`, or at once if that has passed.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { timer: self.0.clone(), at, id: None }
    }

    /// The output of `future`, unless it takes longer than `limit`. It comes pinned, so that a large one is
    /// not moved.
    pub async fn timeout<F: Future>(
        &self,
        limit: Duration,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, Elapsed> {
        let mut deadline = self.sleep_until(clock::now() + limit);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => Pin::new(&mut deadline).poll(context).map(|()| Err(Elapsed)),
        })
        .await
    }
}

/// Lets the tasks run that were woken before this one, and nothing else: the runtime's own way to yield
/// asks the system for news first.
async fn behind_the_woken() {
    let mut queued = false;
    poll_fn(|context| {
        if std::mem::replace(&mut queued, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Inner {
    fn wake_due(&self) {
        self.armed.set(None);
        let now = clock::now();
        loop {
            let mut sleepers = self.sleepers.borrow_mut();
            let Some(first) = sleepers.first_entry().filter(|first| first.key().0 <= now) else { break };
            let waker = first.remove();
            drop(sleepers);
            waker.wake();
        }
    }

    /// Sets the alarm for the earliest sleeper, if it would ring too late for it.
    fn arm(&self) {
        let Some((earliest, _)) = self.sleepers.borrow().first_key_value().map(|(key, _)| *key) else {
            return;
        };
        if self.armed.get().is_none_or(|armed| earliest < armed) {
            self.armed.set(Some(earliest));
            self.alarm.set(earliest);
        }
    }

    fn add(&self, at: Instant, waker: Waker) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        self.sleepers.borrow_mut().insert((at, id), waker);
        self.arm();
        id
    }
}

/// A future that ends at a moment.
pub struct Sleep {
    timer: Rc<Inner>,
    at: Instant,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(id) = self.id {
            if let Some(waker) = self.timer.sleepers.borrow_mut().get_mut(&(self.at, id)) {
                waker.clone_from(context.waker());
                return Poll::Pending;
            }
            self.id = None;
        }
        if clock::now() >= self.at {
            return Poll::Ready(());
        }
        let id = self.timer.add(self.at, context.waker().clone());
        self.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.timer.sleepers.borrow_mut().remove(&(self.at, id));
        }
    }
}

#[cfg(target_os = "linux")]
mod alarm {
    //! One timerfd. Setting it again forgets that it rang, so it is never read.

    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub(super) struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        #[expect(deprecated, reason = "an owned descriptor keeps the promise its unsafe successor asks for")]
        pub(super) fn new() -> io::Result<Self> {
            let fd =
                timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            AsyncFd::with_interest(fd, Interest::READABLE).map(Self)
        }

        pub(super) fn set(&self, at: Instant) {
            let left = at.saturating_duration_since(crate::clock::now());
            let value = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                // Zero would disarm it.
                tv_nsec: i64::from(left.subsec_nanos()).max(1),
            };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
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
mod alarm {
    //! The runtime's timer, to the millisecond.

    use std::cell::Cell;
    use std::io;
    use std::time::Instant;

    use tokio::sync::Notify;

    pub(super) struct Alarm {
        at: Cell<Option<Instant>>,
        changed: Notify,
    }

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { at: Cell::new(None), changed: Notify::new() })
        }

        pub(super) fn set(&self, at: Instant) {
            self.at.set(Some(at));
            self.changed.notify_one();
        }

        pub(super) async fn rings(&self) -> io::Result<()> {
            loop {
                let Some(at) = self.at.get() else {
                    self.changed.notified().await;
                    continue;
                };
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => { self.at.set(None); return Ok(()); }
                    () = self.changed.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::runtime::LocalOptions;

    use super::*;

    fn on_worker<F: Future>(future: impl FnOnce(Timer) -> F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async { future(Timer::start().unwrap()).await })
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_times() {
        let woken = on_worker(|timer| async move {
            let start = clock::now();
            let order = Rc::new(RefCell::new(Vec::new()));
            let sleepers = [3_u64, 1, 2].map(|ms| {
                let (timer, order) = (timer.clone(), order.clone());
                tokio::task::spawn_local(async move {
                    timer.sleep_until(start + Duration::from_millis(ms)).await;
                    assert!(clock::now() >= start + Duration::from_millis(ms));
                    order.borrow_mut().push(ms);
                })
            });
            for sleeper in sleepers {
                sleeper.await.unwrap();
            }
            order.take()
        });
        assert_eq!(woken, [1, 2, 3]);
    }

    #[test]
    fn a_moment_that_has_passed_is_no_wait() {
        on_worker(|timer| async move { timer.sleep_until(clock::now()).await });
    }

    #[test]
    fn a_limit_ends_what_takes_longer_and_leaves_no_sleeper_behind() {
        on_worker(|timer| async move {
            let never = pin!(std::future::pending::<()>());
            assert_eq!(timer.timeout(Duration::from_millis(1), never).await, Err(Elapsed));
            assert_eq!(timer.timeout(Duration::from_hours(1), pin!(async { 7 })).await, Ok(7));
            assert!(timer.0.sleepers.borrow().is_empty());
        });
    }
}
