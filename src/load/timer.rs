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

use super::measure::phases::Phases;
use super::measure::recording::Split;
use super::measure::times::Times;
use crate::clock;

/// The timer of one worker. Clones share it.
#[derive(Clone)]
pub struct Timer(Rc<Inner>);

struct Inner {
    sleepers: RefCell<BTreeMap<(Instant, u64), Sleeper>>,
    next_id: Cell<u64>,
    /// What the alarm is set for.
    armed: Cell<Option<Instant>>,
    alarm: alarm::Alarm,
    phases: RefCell<Phases>,
    /// How late sleepers ran.
    lateness: RefCell<Split<Times>>,
}

/// Somebody to wake.
struct Sleeper {
    waker: Waker,
    /// Where to note that it was woken.
    rang: Option<Rc<Cell<bool>>>,
}

/// A time limit ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl Timer {
    /// Makes the timer of the current worker. Nobody is woken before it [runs](Self::run).
    ///
    /// Must be called inside a [`tokio::runtime::LocalRuntime`].
    pub fn new(phases: Phases) -> io::Result<Self> {
        Ok(Self(Rc::new(Inner {
            sleepers: RefCell::default(),
            next_id: Cell::new(0),
            armed: Cell::new(None),
            alarm: alarm::Alarm::new()?,
            phases: RefCell::new(phases),
            lateness: RefCell::default(),
        })))
    }

    /// Wakes sleepers, until the system refuses to.
    pub async fn run(self) -> io::Result<()> {
        let Self(inner) = self;
        loop {
            inner.alarm.rings().await?;
            inner.wake_due();
            // Whoever was woken may want to sleep again, and often is the next to be woken.
            behind_the_woken().await;
            inner.arm();
        }
    }

    /// A load begins: from now on its phases count.
    pub fn begin(&self, phases: Phases) {
        self.0.phases.replace(phases);
    }

    /// How late sleepers ran since the last time it was asked: from the moment they had asked for to the moment
    /// they ran, so everything is in it that kept them waiting. Each counts in the phase it had asked for.
    pub fn take_lateness(&self) -> Split<Times> {
        self.0.lateness.take()
    }

    /// Ends at `at`, or at once if that has passed.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { timer: self.0.clone(), at, id: None }
    }

    /// A limit for what one task does.
    pub fn deadline(&self) -> Rc<Deadline> {
        Rc::new(Deadline { timer: self.0.clone(), set: RefCell::default(), rang: Rc::default() })
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
            let Sleeper { waker, rang } = first.remove();
            drop(sleepers);
            if let Some(rang) = rang {
                rang.set(true);
            }
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

    /// A sleeper that wanted to be woken at `at` runs at `now`.
    fn ran(&self, at: Instant, now: Instant) {
        let phase = self.phases.borrow().of(at);
        self.lateness.borrow_mut().of(phase).record(now.saturating_duration_since(at));
    }

    fn add(&self, at: Instant, sleeper: Sleeper) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        self.sleepers.borrow_mut().insert((at, id), sleeper);
        self.arm();
        id
    }
}

/// A limit for one thing after another that the same task does. The timer is told of it once in a while, not
/// each time: a sleeper that is woken too early goes back to sleep, and most things end long before.
pub struct Deadline {
    timer: Rc<Inner>,
    set: RefCell<Option<Set>>,
    /// Whether the timer has done what it was told.
    rang: Rc<Cell<bool>>,
}

/// What the timer knows of a deadline.
struct Set {
    at: Instant,
    id: u64,
    waker: Waker,
}

impl Deadline {
    /// The output of `future`, unless it takes longer than `limit`.
    pub async fn within<F: Future>(
        &self,
        limit: Duration,
        future: Pin<&mut F>,
    ) -> Result<F::Output, Elapsed> {
        self.until(clock::now() + limit, future).await
    }

    /// The output of `future`, unless it has none by `end`. It comes pinned, so that a large one is not moved.
    pub async fn until<F: Future>(
        &self,
        end: Instant,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, Elapsed> {
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            if self.holds(end, context.waker()) {
                return Poll::Pending;
            }
            if clock::now() >= end {
                return Poll::Ready(Err(Elapsed));
            }
            self.tell(end, context.waker());
            Poll::Pending
        })
        .await
    }

    /// Whether the timer is going to wake this task by `end`.
    fn holds(&self, end: Instant, waker: &Waker) -> bool {
        let set = self.set.borrow();
        !self.rang.get() && set.as_ref().is_some_and(|set| set.at <= end && set.waker.will_wake(waker))
    }

    fn tell(&self, at: Instant, waker: &Waker) {
        self.forget();
        self.rang.set(false);
        let sleeper = Sleeper { waker: waker.clone(), rang: Some(self.rang.clone()) };
        let id = self.timer.add(at, sleeper);
        self.set.replace(Some(Set { at, id, waker: waker.clone() }));
    }

    fn forget(&self) {
        if let Some(Set { at, id, .. }) = self.set.take() {
            self.timer.sleepers.borrow_mut().remove(&(at, id));
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.forget();
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
        let mut slept = false;
        if let Some(id) = self.id {
            if let Some(sleeper) = self.timer.sleepers.borrow_mut().get_mut(&(self.at, id)) {
                sleeper.waker.clone_from(context.waker());
                return Poll::Pending;
            }
            self.id = None;
            slept = true;
        }
        let now = clock::now();
        if now >= self.at {
            if slept {
                self.timer.ran(self.at, now);
            }
            return Poll::Ready(());
        }
        let sleeper = Sleeper { waker: context.waker().clone(), rang: None };
        let id = self.timer.add(self.at, sleeper);
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
    use crate::plan::load::{Load, Model, Shape, StopAfter};

    fn on_worker<F: Future>(future: impl FnOnce(Timer) -> F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let timer = Timer::new(phases()).unwrap();
            tokio::task::spawn_local(timer.clone().run());
            future(timer).await
        })
    }

    fn phases() -> Phases {
        let shape = Shape::constant_at(1.0, Duration::from_mins(1));
        let load = Load {
            model: Model::Closed,
            shape,
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            stop: StopAfter::default(),
        };
        Phases::of_load(&load, clock::now())
    }

    #[test]
    fn a_sleeper_that_runs_late_is_told_and_one_that_need_not_sleep_is_not() {
        let (late, none) = on_worker(|timer| async move {
            let at = clock::now() + Duration::from_millis(1);
            timer.sleep_until(clock::now()).await;
            let none = timer.take_lateness().steady.count();
            let sleeper = tokio::task::spawn_local(timer.sleep_until(at));
            tokio::task::yield_now().await;
            // Nobody else runs until the worker has been busy far beyond that moment.
            while clock::now() < at + Duration::from_millis(5) {}
            sleeper.await.unwrap();
            (timer.take_lateness().steady.longest(), none)
        });
        assert!(late >= Some(Duration::from_millis(5)), "{late:?}");
        assert_eq!(none, 0);
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
    fn a_limit_that_was_told_for_something_earlier_holds_for_what_comes_after() {
        on_worker(|timer| async move {
            let (deadline, ms) = (timer.deadline(), Duration::from_millis);
            let soon = pin!(timer.sleep_until(clock::now() + ms(1)));
            assert_eq!(deadline.within(ms(5), soon).await, Ok(()));
            // Told for 5 ms after the start: woken too early for this, then at its own time.
            let (begun, never) = (clock::now(), pin!(std::future::pending::<()>()));
            assert_eq!(deadline.within(ms(20), never).await, Err(Elapsed));
            assert!(clock::now() >= begun + ms(20));
            // Told for much later than what comes after it.
            assert_eq!(
                deadline.within(Duration::from_hours(1), pin!(tokio::task::yield_now())).await,
                Ok(())
            );
            let never = pin!(std::future::pending::<()>());
            assert_eq!(deadline.within(ms(2), never).await, Err(Elapsed));
        });
    }

    #[test]
    fn a_limit_ends_what_takes_longer_and_leaves_no_sleeper_behind() {
        on_worker(|timer| async move {
            let deadline = timer.deadline();
            let never = pin!(std::future::pending::<()>());
            assert_eq!(deadline.within(Duration::from_millis(1), never).await, Err(Elapsed));
            assert_eq!(deadline.within(Duration::from_hours(1), pin!(async { 7 })).await, Ok(7));
            drop(deadline);
            assert!(timer.0.sleepers.borrow().is_empty());
        });
    }
}
