//! What the live page answers: the page, the stream of newer ones, the stop button. Every run has a path of
//! its own, so that a page can only ever be renewed by the run it is of; `/` leads to the present one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream::{Stream, once, unfold};
use tokio::sync::watch;
use tokio::time::timeout;

use super::guard::{self, Names};
use super::hall::{Hall, NoPage, Stopped, Viewer};
use super::page::{Page, Stage, event};

/// How often a silent stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(5);
/// The header that brings the token.
const TOKEN: &str = "x-loadgate-token";
const FULL: &str = "16 viewers are there already";

/// What every answer says; what a page can say of itself, it says.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Everything that is answered.
pub fn router(hall: Arc<Hall>) -> Router {
    Router::new()
        .route("/", get(present))
        .route("/{run}/", get(page))
        .route("/{run}/events", get(events))
        .route("/stop", post(stop))
        .layer(middleware::from_fn(guarded))
        .with_state(hall)
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut response = match guard::admit(request.headers(), Names::Fixed) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().extend(HEADERS);
    response
}

async fn present(State(hall): State<Arc<Hall>>) -> Redirect {
    Redirect::to(&format!("/{}/", hall.run))
}

async fn page(State(hall): State<Arc<Hall>>, Path(run): Path<String>) -> Response {
    if run != hall.run {
        return Redirect::to("/").into_response();
    }
    match hall.page().await {
        Ok(page) => Html(page.document).into_response(),
        Err(NoPage::Full) => (StatusCode::SERVICE_UNAVAILABLE, format!("{FULL}\n")).into_response(),
        Err(NoPage::Unmade) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be made; the run goes on\n").into_response()
        }
    }
}

/// The present state at once, then every newer one, until the last. Whoever follows another run is told so: a
/// browser tells its page nothing of a status.
async fn events(State(hall): State<Arc<Hall>>, Path(run): Path<String>) -> Response {
    let told = |name, text| stream(once(std::future::ready(Ok(event(name, text).into()))));
    if run != hall.run {
        return told("other", "another run");
    }
    let Some(viewer) = hall.enter() else { return told("full", FULL) };
    let mut pages = hall.pages();
    pages.mark_changed();
    stream(unfold(Follower { pages, stage: Stage::Running, _viewer: viewer }, Follower::next))
}

fn stream(events: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn stop(State(hall): State<Arc<Hall>>, headers: HeaderMap) -> (StatusCode, &'static str) {
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok());
    match hall.stop(token) {
        Stopped::Stopping => (StatusCode::ACCEPTED, "the run is being stopped\n"),
        Stopped::OverAlready => (StatusCode::CONFLICT, "the run is over\n"),
        Stopped::WrongToken => {
            (StatusCode::FORBIDDEN, "the token is wrong: it stands in the terminal of the run\n")
        }
    }
}

/// Somebody who follows the run.
struct Follower {
    pages: watch::Receiver<Option<Page>>,
    stage: Stage,
    _viewer: Viewer,
}

impl Follower {
    /// The next event; none after the last page.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.stage == Stage::Ended {
            return None;
        }
        let event = match timeout(ALIVE, self.page()).await {
            Ok(page) => {
                let page = page?;
                self.stage = page.stage;
                page.event
            }
            Err(_) => event("alive", "still here").into(),
        };
        Some((Ok(event), self))
    }

    async fn page(&mut self) -> Option<Page> {
        loop {
            self.pages.changed().await.ok()?;
            if let Some(page) = self.pages.borrow_and_update().clone() {
                return Some(page);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{HOST, LOCATION};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::load::shutdown::Shutdown;
    use crate::report::live::hall::MOST_VIEWERS;
    use crate::report::live::token::Token;
    use crate::result::fixture::small;

    fn hall() -> Arc<Hall> {
        Arc::new(Hall::new("a-run".into(), Token::random().unwrap(), Shutdown::never()))
    }

    async fn ask(hall: &Arc<Hall>, path: &str) -> (u16, HeaderMap, String) {
        let request = Request::builder().uri(path).header(HOST, "localhost").body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(router(hall.clone())).call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_way_leads_to_the_page_of_the_present_run() {
        let hall = hall();
        hall.show(Page::ended(1, &small()).unwrap());
        for (path, location) in [("/", "/a-run/"), ("/another-run/", "/")] {
            let (status, headers, _) = ask(&hall, path).await;
            assert_eq!((status, headers[LOCATION].to_str().unwrap()), (303, location), "{path}");
        }
        let (status, _, body) = ask(&hall, "/a-run/").await;
        assert!(status == 200 && body.contains("<main"), "{status}: {body}");
        assert!(ask(&hall, "/a-run/events").await.2.starts_with("event: end\n"));
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_how_many_are_there() {
        let hall = hall();
        let viewers: Vec<_> = (0..MOST_VIEWERS).filter_map(|_| hall.enter()).collect();
        let told = format!("{MOST_VIEWERS} viewers are there already");
        assert_eq!(ask(&hall, "/a-run/events").await.2, format!("event: full\ndata: {told}\n\n"));
        let (status, _, body) = ask(&hall, "/a-run/").await;
        assert_eq!((status, body), (503, format!("{told}\n")));
        drop(viewers);
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_made_is_an_answer_and_never_the_end_of_anything() {
        let hall = hall();
        let (status, _, body) = ask(&hall, "/a-run/").await;
        assert_eq!((status, body.as_str()), (500, "the page cannot be made; the run goes on\n"));
        assert!(!hall.is_watched());
    }

    #[tokio::test]
    async fn a_stream_without_news_says_that_it_is_alive() {
        let hall = hall();
        let viewer = hall.enter().unwrap();
        let follower = Follower { pages: hall.pages(), stage: Stage::Running, _viewer: viewer };
        let (Ok(event), follower) = follower.next().await.unwrap();
        assert_eq!(event, "event: alive\ndata: still here\n\n");
        hall.show(Page::ended(1, &small()).unwrap());
        let (Ok(last), follower) = follower.next().await.unwrap();
        assert!(last.starts_with(b"event: end\n") && follower.next().await.is_none());
        assert!(!hall.is_watched());
    }
}
