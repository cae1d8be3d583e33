//! The live metrics of one run, for Prometheus to fetch. It counts windows as they come and never holds up
//! the load: what is served is swapped in whole, and written as text by the thread that serves it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::load::measure::standstill;
use crate::load::{Meter, Observer, Wish};
use crate::plan::Plan;
use crate::report::prometheus::{CONTENT, Metrics};
use crate::result::verdict::Status;

use super::address::from_here;
use super::guard::{self, Names};
use super::server::{Bound, Serving};

/// Where the metrics are.
const PATH: &str = "/metrics";
/// What a scrape under way may take once the run is over.
const LAST_SCRAPE: Duration = Duration::from_secs(1);

/// Counts, and serves what it has counted.
#[derive(Debug)]
pub struct Exporter {
    metrics: Metrics,
    meter: Meter,
    served: watch::Sender<Arc<Metrics>>,
    serving: Serving,
}

impl Exporter {
    /// Serves the metrics of a run of this plan from now on, all of them zero.
    pub fn begin(bound: Bound, plan: &Plan) -> io::Result<Self> {
        let metrics = Metrics::of(plan);
        let served = watch::Sender::new(Arc::new(metrics.clone()));
        let router = router(served.subscribe(), Names::of_metrics(bound.address()));
        let serving = bound.serve(router, std::future::ready(()))?;
        Ok(Self { metrics, meter: Meter::begin(plan), served, serving })
    }

    /// Where they are, for whoever is on this machine.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", from_here(self.serving.address()))
    }

    /// The run was judged.
    pub fn judged(&mut self, status: Status) {
        self.metrics.judged(status);
        self.publish();
    }

    /// Serves no more.
    pub async fn stop(self) {
        self.serving.stop(LAST_SCRAPE).await;
    }

    fn publish(&self) {
        self.served.send_replace(Arc::new(self.metrics.clone()));
    }
}

impl Observer for Exporter {
    fn window(&mut self, window: &Window, recording: &Recording) -> Wish {
        self.metrics.add(recording);
        let stalled = standstill::share_told(recording, window.length, self.meter.workers());
        self.metrics.now(recording, self.meter.look(), stalled);
        self.publish();
        Wish::Continue
    }

    fn drained(&mut self, rest: &Recording) {
        self.metrics.add(rest);
        self.metrics.over();
        self.publish();
    }
}

fn router(served: watch::Receiver<Arc<Metrics>>, names: Names) -> Router {
    let answer = move |headers: HeaderMap| {
        std::future::ready(match guard::admit(&headers, names) {
            // Not while it is borrowed: nobody who hands over a window waits for a text.
            Ok(()) => {
                let metrics = served.borrow().clone();
                ([(CONTENT_TYPE, CONTENT)], metrics.render()).into_response()
            }
            Err(refusal) => refusal.into_response(),
        })
    };
    Router::new().route(PATH, get(answer))
}
