//! What viewers share: the newest page, and how many of them there are. Every viewer only ever holds the
//! newest state, so one that does not read costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
    /// Which run is shown; no secret.
    pub run: String,
    page: watch::Sender<Option<Page>>,
    viewers: AtomicUsize,
    called: Notify,
    newest: AtomicU64,
    token: Token,
    shutdown: Shutdown,
}

/// One viewer; gone when dropped.
#[derive(Debug)]
pub struct Viewer(Arc<Hall>);

impl Hall {
    /// An empty hall that shows nothing yet.
    pub fn new(run: String, token: Token, shutdown: Shutdown) -> Self {
        Self {
            run,
            page: watch::Sender::new(None),
            viewers: AtomicUsize::new(0),
            called: Notify::new(),
            newest: AtomicU64::new(0),
            token,
            shutdown,
        }
    }

    /// Lets a viewer in, while there is room.
    pub fn enter(self: &Arc<Self>) -> Option<Viewer> {
        let before = self.viewers.fetch_add(1, Ordering::Relaxed);
        let viewer = Viewer(self.clone());
        self.called.notify_one();
        (before < MOST_VIEWERS).then_some(viewer)
    }

    /// Whether anybody would see a new page.
    pub fn is_watched(&self) -> bool {
        self.viewers.load(Ordering::Relaxed) > 0
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
            let goes_on = shown.as_ref().is_none_or(|shown| shown.stage == Stage::Running);
            if goes_on {
                *shown = Some(page);
            }
            goes_on
        });
    }

    /// The newest page, if there is one by now, and news of others.
    pub fn pages(&self) -> watch::Receiver<Option<Page>> {
        self.page.subscribe()
    }

    /// The page as of now, or nearly.
    pub async fn page(self: &Arc<Self>) -> Result<Page, NoPage> {
        let _viewer = self.enter().ok_or(NoPage::Full)?;
        let newest = self.newest.load(Ordering::Relaxed);
        let mut pages = self.pages();
        let fresh = |page: &Page| page.id >= newest || page.stage == Stage::Ended;
        let wanted = pages.wait_for(|page| page.as_ref().is_some_and(fresh));
        // A page that is a little old is better than none.
        drop(timeout(FRESH, wanted).await);
        self.page.borrow().clone().ok_or(NoPage::Unmade)
    }

    /// Ends the run like Ctrl-C, for whoever knows the token.
    pub fn stop(&self, token: Option<&str>) -> Stopped {
        if !token.is_some_and(|token| self.token.matches(token)) {
            return Stopped::WrongToken;
        }
        if self.page.borrow().as_ref().is_some_and(|page| page.stage == Stage::Ended) {
            return Stopped::OverAlready;
        }
        self.shutdown.ask(Interruption::StopButton);
        Stopped::Stopping
    }
}

/// Why there is no page for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPage {
    /// There is no room.
    Full,
    /// It cannot be made.
    Unmade,
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
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::small;

    fn hall() -> (Arc<Hall>, Shutdown, String) {
        let (token, shutdown) = (Token::random().unwrap(), Shutdown::never());
        let text = token.reveal().to_owned();
        (Arc::new(Hall::new("a-run".into(), token, shutdown.clone())), shutdown, text)
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
        drop(viewers);
        assert!(!hall.is_watched());
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
        assert_eq!(hall.page().await.map(|page| page.stage).ok(), Some(Stage::Ended));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_for_the_page_is_no_viewer_any_more() {
        let (hall, _, _) = hall();
        tokio::select! {
            biased;
            _ = hall.page() => panic!("there is no page"),
            () = async { assert!(hall.is_watched()) } => {}
        }
        assert!(!hall.is_watched());
    }
}
