//! Names and what they resolve to, for one worker. A name that many users want at once is looked up once, and what
//! was found is believed for a while. Only who waits for a lookup has a time of it: an answer from memory took
//! none, and would make the percentiles of name resolution those of the memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};

/// The most names that are looked up at once because connections to them are to be opened. A lookup takes a thread of the
/// runtime for as long as the system likes, which may be for ever.
const MOST_TO_CONNECT: usize = 448;
/// The same for names that are only checked. They are fewer: however long they take, a name to connect to has its turn.
const MOST_TO_CHECK: usize = 32;
/// The most threads of a worker on which names are looked up.
pub const MOST_THREADS: usize = MOST_TO_CONNECT + MOST_TO_CHECK;

/// How long a resolved name is believed.
const LIFETIME: Duration = Duration::from_secs(30);
/// The most resolved names that are remembered: redirects may name any number.
const MOST: usize = 1_000;

type Name = (String, u16);
/// What a lookup found, or why it did not.
type Found = Result<Rc<[SocketAddr]>, String>;
type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// How names are resolved.
pub type Resolver = Box<dyn Fn(String, u16) -> Boxed<io::Result<Vec<SocketAddr>>>>;

/// The names that one worker knows.
pub struct Names {
    resolver: Resolver,
    known: Rc<RefCell<HashMap<Name, Known>>>,
    to_connect: Arc<Semaphore>,
    to_check: Arc<Semaphore>,
}

/// What a name is looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A connection to its addresses.
    Connect,
    /// To see where it leads; somebody else connects.
    Check,
}

/// The right to look one name up; an error only where nobody grants any.
type Turn = Result<OwnedSemaphorePermit, AcquireError>;

enum Known {
    /// It is being looked up; everybody waits for the same answer.
    Wanted(Shared<Boxed<Found>>),
    Resolved(Instant, Rc<[SocketAddr]>),
}

/// The addresses of a name, and how long it took to find them; none where nobody had to ask.
pub type Answer = (Result<Rc<[SocketAddr]>, Failure>, Option<Duration>);

impl Names {
    /// Names as the system resolves them.
    pub fn of_system() -> Self {
        Self::new(Box::new(|host, port| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
        }))
    }

    /// Names as `resolver` resolves them.
    pub fn new(resolver: Resolver) -> Self {
        let [to_connect, to_check] =
            [MOST_TO_CONNECT, MOST_TO_CHECK].map(|most| Arc::new(Semaphore::new(most)));
        Self { resolver, known: Rc::default(), to_connect, to_check }
    }

    /// The addresses of a name. Whoever is dropped before a lookup has its turn begins none. Must be called inside a
    /// [`tokio::runtime::LocalRuntime`].
    pub async fn addresses(&self, host: &str, port: u16, wanted_for: Use) -> Answer {
        if let Ok(address) = host.parse::<IpAddr>() {
            return (Ok(Rc::new([SocketAddr::new(address, port)])), None);
        }
        let begun = clock::now();
        let mut turn = None;
        let lookup = loop {
            match self.known.borrow().get(&(host.to_owned(), port)) {
                Some(Known::Resolved(at, addresses)) if at.elapsed() < LIFETIME => {
                    // While it waited for its turn, somebody else may have looked it up.
                    return (Ok(addresses.clone()), turn.map(|_| begun.elapsed()));
                }
                Some(Known::Wanted(lookup)) => break lookup.clone(),
                _ => {}
            }
            match turn.take() {
                Some(turn) => break self.look_up(host, port, turn),
                None => turn = Some(self.turns(wanted_for).acquire_owned().await),
            }
        };
        // Not kept by whoever waits for the lookup of somebody else.
        drop(turn);
        let found = lookup
            .await
            .map_err(|reason| Failure::new(FailureKind::Dns, format!("cannot resolve `{host}`: {reason}")));
        (found, Some(begun.elapsed()))
    }

    fn turns(&self, wanted_for: Use) -> Arc<Semaphore> {
        match wanted_for {
            Use::Connect => self.to_connect.clone(),
            Use::Check => self.to_check.clone(),
        }
    }

    /// Whether a name is being looked up.
    pub fn is_wanted(&self, host: &str, port: u16) -> bool {
        matches!(self.known.borrow().get(&(host.to_owned(), port)), Some(Known::Wanted(_)))
    }

    /// The addresses that a name is known to have by now, however old that is.
    pub fn known(&self, host: &str, port: u16) -> Option<Rc<[SocketAddr]>> {
        match self.known.borrow().get(&(host.to_owned(), port)) {
            Some(Known::Resolved(_, addresses)) => Some(addresses.clone()),
            _ => None,
        }
    }

    /// Begins a lookup in a task of its own: it goes on when the user who asked first has run out of time, for the
    /// others wait for it too.
    fn look_up(&self, host: &str, port: u16, turn: Turn) -> Shared<Boxed<Found>> {
        let (name, known) = ((host.to_owned(), port), self.known.clone());
        let found = (self.resolver)(host.to_owned(), port);
        let task = tokio::task::spawn_local(async move {
            let found = match found.await {
                Ok(addresses) if addresses.is_empty() => Err("no address".to_owned()),
                Ok(addresses) => Ok(Rc::from(addresses)),
                Err(error) => Err(error.to_string()),
            };
            drop(turn);
            let mut known = known.borrow_mut();
            known.remove(&name);
            if let Ok(addresses) = &found {
                if known.len() >= MOST {
                    known.retain(|_, known| matches!(known, Known::Wanted(_)));
                }
                known.insert(name, Known::Resolved(clock::now(), Rc::clone(addresses)));
            }
            found
        });
        let answer: Boxed<Found> = Box::pin(async move {
            task.await.unwrap_or_else(|error| match error.try_into_panic() {
                // Whoever waits for it tells the worker: it is no failure of the service.
                Ok(payload) => resume_unwind(payload),
                Err(_) => Err("the lookup was given up".to_owned()),
            })
        });
        let lookup = answer.shared();
        self.known.borrow_mut().insert((host.to_owned(), port), Known::Wanted(lookup.clone()));
        lookup
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::AssertUnwindSafe;

    use tokio::runtime::LocalOptions;
    use tokio::sync::Notify;

    use super::*;

    fn on_worker<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build_local(LocalOptions::default()).unwrap().block_on(future)
    }

    /// Names whose lookups end when told to, and how many were begun.
    fn held(answer: fn() -> io::Result<Vec<SocketAddr>>) -> (Rc<Names>, Rc<Notify>, Rc<Cell<u32>>) {
        let (go, begun) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
        let (waiting, counted) = (go.clone(), begun.clone());
        let names = Names::new(Box::new(move |_, _| {
            counted.set(counted.get() + 1);
            let go = waiting.clone();
            Box::pin(async move {
                go.notified().await;
                answer()
            })
        }));
        (Rc::new(names), go, begun)
    }

    fn two() -> Vec<SocketAddr> {
        vec![([127, 0, 0, 1], 80).into(), ([127, 0, 0, 2], 80).into()]
    }

    #[test]
    fn a_name_that_many_want_is_looked_up_once_and_from_memory_it_takes_no_time() {
        on_worker(async {
            let (names, go, begun) = held(|| Ok(two()));
            let users: Vec<_> = (0..100)
                .map(|_| {
                    let names = names.clone();
                    tokio::task::spawn_local(
                        async move { names.addresses("multi.test", 80, Use::Connect).await },
                    )
                })
                .collect();
            while begun.get() == 0 {
                tokio::task::yield_now().await;
            }
            go.notify_one();
            for user in users {
                let (found, took) = user.await.unwrap();
                assert_eq!((found.unwrap().len(), took.is_some()), (2, true));
            }
            let (found, took) = names.addresses("multi.test", 80, Use::Connect).await;
            assert_eq!((found.unwrap().len(), took, begun.get()), (2, None, 1));
        });
    }

    #[test]
    fn a_lookup_goes_on_when_the_user_who_began_it_has_given_up() {
        on_worker(async {
            let (names, go, begun) = held(|| Ok(two()));
            let first = names.clone();
            let first =
                tokio::task::spawn_local(
                    async move { first.addresses("multi.test", 80, Use::Connect).await },
                );
            while begun.get() == 0 {
                tokio::task::yield_now().await;
            }
            first.abort();
            assert!(first.await.is_err());
            go.notify_one();
            assert!(names.addresses("multi.test", 80, Use::Connect).await.0.is_ok());
            assert_eq!(begun.get(), 1);
        });
    }

    #[test]
    fn a_failed_lookup_is_told_to_all_and_not_remembered() {
        on_worker(async {
            let (names, go, begun) = held(|| Err(io::Error::other("nobody knows")));
            for round in 1..=2 {
                go.notify_one();
                let (found, took) = names.addresses("gone.test", 80, Use::Connect).await;
                let failure = found.unwrap_err();
                assert_eq!(failure.kind, FailureKind::Dns);
                assert_eq!(failure.message, "cannot resolve `gone.test`: nobody knows");
                assert!(took.is_some());
                assert_eq!(begun.get(), round);
            }
        });
    }

    #[test]
    fn a_lookup_that_panics_is_no_failure_of_a_name() {
        on_worker(async {
            let (names, go, _) = held(|| panic!("no place"));
            go.notify_one();
            let found = AssertUnwindSafe(names.addresses("gone.test", 80, Use::Connect)).catch_unwind().await;
            let payload = found.map(drop).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"no place"));
        });
    }

    #[test]
    fn an_address_is_no_name() {
        on_worker(async {
            let (names, _, begun) = held(|| Ok(two()));
            for (host, wanted) in [("127.0.0.9", "127.0.0.9:7"), ("::1", "[::1]:7")] {
                let (found, took) = names.addresses(host, 7, Use::Connect).await;
                assert_eq!((found.unwrap()[0].to_string().as_str(), took), (wanted, None));
            }
            assert_eq!(begun.get(), 0);
        });
    }
}
