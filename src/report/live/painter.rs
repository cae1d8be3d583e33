//! Makes the page: when something is new, somebody looks, and it is time. Nothing is made before the first
//! viewer asks, and a page that cannot be made is none.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::clock;

use super::hall::Hall;
use super::page::Page;
use super::so_far::{Seen, SoFar};
use super::throttle::Throttle;

/// Follows the run for as long as it is polled.
pub async fn paint(mut so_far: SoFar, mut seen: mpsc::Receiver<Seen>, hall: Arc<Hall>) {
    let (mut known, mut shown) = (0, None);
    let mut throttle = Throttle::begin(clock::now());
    loop {
        let due = shown != Some(known) && hall.is_watched();
        tokio::select! {
            Some(window) = seen.recv() => {
                so_far.add(&window);
                known += 1;
                hall.could_show(known);
            }
            () = hall.called() => {}
            () = sleep_until(throttle.next().into()), if due => {
                let begun = clock::now();
                if let Ok(page) = Page::running(known, &so_far.result(), &so_far.progress()) {
                    hall.show(page);
                }
                shown = Some(known);
                throttle.made(begun, begun.elapsed());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;
    use crate::load::Observer;
    use crate::load::measure::recording::Recording;
    use crate::load::measure::run::{Window, WindowSummary};
    use crate::load::shutdown::Shutdown;
    use crate::plan::load::Phase;
    use crate::report::live::token::Token;
    use crate::report::live::{Feed, ROOM};
    use crate::result::fixture::{context, plan};

    fn hand_over(feed: &mut Feed) {
        let recording = Recording::new(1, 1, 1);
        let summary = WindowSummary::of(&recording);
        let (at, length) = (Duration::ZERO, Duration::from_secs(1));
        let window =
            Window { at, length, phase: Phase::Steady, users: 1, recording_summary: summary, machine: None };
        feed.window(&window, &recording);
    }

    #[tokio::test]
    async fn nothing_is_made_before_somebody_looks() {
        let (sender, seen) = mpsc::channel(ROOM);
        let lost = Arc::new(AtomicU64::new(0));
        let mut feed = Feed::new(sender.clone(), lost.clone());
        let so_far = SoFar::begin(&Arc::new(plan(&["GET /a"])), context(), lost);
        let hall = Arc::new(Hall::new("a-run".into(), Token::random().unwrap(), Shutdown::never()));
        let looks = async {
            hand_over(&mut feed);
            // Until the window has been taken, and whatever it leads to has been done.
            while sender.capacity() < ROOM {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep_until(clock::now().into()).await;
            assert!(hall.pages().borrow().is_none());
            hall.page().await
        };
        let page = tokio::select! {
            page = looks => page,
            () = paint(so_far, seen, hall.clone()) => panic!("it goes on for ever"),
        };
        assert_eq!(page.map(|page| page.id), Ok(1));
    }
}
