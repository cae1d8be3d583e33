//! What viewers share: the newest page, and how many of them there are. Every viewer only ever holds the
//! newest state, so one that does not read costs nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::load::shutdown::{Interruption, Shutdown};

use super::page::{Page, Stage};
use super::token::Token;

/// Viewers at once; more are turned away.
pub const MOST_VIEWERS: usize = 16;
/// How long somebody who asks for the page waits for one that is not stale.
const FRESH: Duration = Duration::from_millis(500);

/// The place where viewers and the painter meet.
#[derive(Debug)]
pub struct Hall {
    /// Where it is served.
    pub address: SocketAddr,
    page: watch::Sender<Page>,
    viewers: watch::Sender<usize>,
    called: Notify,
    callers: AtomicU64,
    newest: AtomicU64,
    token: Token,
    shutdown: Shutdown,
}

/// One viewer; gone when dropped.
#[derive(Debug)]
pub struct Viewer(Arc<Hall>);

impl Hall {
    /// An empty hall that shows this page.
    pub fn new(address: SocketAddr, page: Page, token: Token, shutdown: Shutdown) -> Self {
        Self {
            address,
            newest: AtomicU64::new(page.id),
            page: watch::Sender::new(page),
            viewers: watch::Sender::new(0),
            called: Notify::new(),
            callers: AtomicU64::new(0),
            token,
            shutdown,
        }
    }

    /// Lets a viewer in, while there is room.
    pub fn enter(self: &Arc<Self>) -> Option<Viewer> {
        let entered = self.viewers.send_if_modified(|viewers| {
            let room = *viewers < MOST_VIEWERS;
            *viewers += usize::from(room);
            room
        });
        self.called.notify_one();
        entered.then(|| Viewer(self.clone()))
    }

    /// Whether anybody would see a new page.
    pub fn is_watched(&self) -> bool {
        *self.viewers.borrow() > 0 || self.callers.load(Ordering::Relaxed) > 0
    }

    /// Until somebody comes in.
    pub async fn called(&self) {
        self.called.notified().await;
    }

    /// A page of this number could be made now.
    pub fn could_show(&self, id: u64) {
        self.newest.store(id, Ordering::Relaxed);
    }

    /// Shows a page; nothing comes after the last one.
    pub fn show(&self, page: Page) {
        self.page.send_if_modified(|shown| {
            let goes_on = shown.stage == Stage::Running;
            if goes_on {
                *shown = page;
            }
            goes_on
        });
    }

    /// The newest page, and news of others.
    pub fn pages(&self) -> watch::Receiver<Page> {
        self.page.subscribe()
    }

    /// The page as of now, or nearly.
    pub async fn page(&self) -> Page {
        self.callers.fetch_add(1, Ordering::Relaxed);
        self.called.notify_one();
        let newest = self.newest.load(Ordering::Relaxed);
        let mut pages = self.pages();
        let wanted = |page: &Page| page.id >= newest || page.stage == Stage::Ended;
        let fresh = timeout(FRESH, pages.wait_for(wanted)).await;
        self.callers.fetch_sub(1, Ordering::Relaxed);
        drop(fresh);
        self.page.borrow().clone()
    }

    /// Ends the run like Ctrl-C, for whoever knows the token.
    pub fn stop(&self, token: Option<&str>) -> Stopped {
        if !token.is_some_and(|token| self.token.matches(token)) {
            return Stopped::WrongToken;
        }
        if self.page.borrow().stage == Stage::Ended {
            return Stopped::OverAlready;
        }
        self.shutdown.ask(Interruption::StopButton);
        Stopped::Stopping
    }

    /// Until the last viewer has left.
    pub async fn empty(&self) {
        // The sender is here: it cannot be gone.
        let _ = self.viewers.subscribe().wait_for(|viewers| *viewers == 0).await;
    }
}

/// What came of the wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The run ends.
    Stopping,
    /// It had ended.
    OverAlready,
    /// Whoever asked may not.
    WrongToken,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.send_modify(|viewers| *viewers -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::small;

    fn hall() -> (Arc<Hall>, Shutdown, String) {
        let (token, shutdown) = (Token::random().unwrap(), Shutdown::never());
        let text = token.reveal().to_owned();
        let page = Page::running(0, &small(), "").unwrap();
        let address = "127.0.0.1:8089".parse().unwrap();
        (Arc::new(Hall::new(address, page, token, shutdown.clone())), shutdown, text)
    }

    #[test]
    fn only_so_many_viewers_are_let_in_and_who_leaves_makes_room() {
        let (hall, _, _) = hall();
        assert!(!hall.is_watched());
        let mut viewers: Vec<_> = (0..MOST_VIEWERS).filter_map(|_| hall.enter()).collect();
        assert_eq!(viewers.len(), MOST_VIEWERS);
        assert!(hall.enter().is_none() && hall.is_watched());
        viewers.pop();
        assert!(hall.enter().is_some());
    }

    #[test]
    fn only_the_token_stops_a_run_and_only_while_it_runs() {
        let (hall, shutdown, token) = hall();
        assert_eq!((hall.stop(None), hall.stop(Some("x"))), (Stopped::WrongToken, Stopped::WrongToken));
        assert_eq!(shutdown.now(), None);
        assert_eq!(hall.stop(Some(&token)), Stopped::Stopping);
        assert_eq!(shutdown.now(), Some(Interruption::StopButton));
        hall.show(Page::ended(1, &small()).unwrap());
        assert_eq!(hall.stop(Some(&token)), Stopped::OverAlready);
    }

    #[tokio::test]
    async fn nothing_comes_after_the_last_page() {
        let (hall, _, _) = hall();
        hall.show(Page::ended(1, &small()).unwrap());
        hall.show(Page::running(2, &small(), "").unwrap());
        hall.could_show(9);
        assert_eq!(hall.page().await.stage, Stage::Ended);
    }
}
