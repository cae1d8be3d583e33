//! The live metrics of one run, for Prometheus to fetch. It counts windows as they come and never holds up
//! the load: what is served is swapped in whole, and written as text by the thread that serves it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::load::measure::recording::Recording;
use crate::load::measure::run::Window;
use crate::load::{Meter, Observer, Wish};
use crate::plan::Plan;
use crate::report::prometheus::{CONTENT, Metrics};
use crate::result::verdict::Status;

use super::address::from_here;
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
    served: Served,
    serving: Serving,
}

/// What is served at this moment.
#[derive(Debug, Clone)]
struct Served(Arc<Mutex<Arc<Metrics>>>);

impl Exporter {
    /// Serves the metrics of a run of this plan from now on, all of them zero.
    pub fn begin(bound: Bound, plan: &Plan) -> io::Result<Self> {
        let metrics = Metrics::of(plan);
        let served = Served(Arc::new(Mutex::new(Arc::new(metrics.clone()))));
        let serving = bound.serve(router(served.clone()), std::future::ready(()))?;
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
        self.served.set(Arc::new(self.metrics.clone()));
    }
}

impl Observer for Exporter {
    fn window(&mut self, _: &Window, recording: &Recording) -> Wish {
        self.metrics.add(recording);
        self.metrics.now(recording, self.meter.look());
        self.publish();
        Wish::Continue
    }

    fn drained(&mut self, rest: &Recording) {
        self.metrics.add(rest);
        self.metrics.over();
        self.publish();
    }
}

impl Served {
    fn get(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, metrics: Arc<Metrics>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
    }
}

fn router(served: Served) -> Router {
    let answer =
        move || std::future::ready(([(CONTENT_TYPE, CONTENT)], served.get().render()).into_response());
    Router::new().route(PATH, get(answer))
}
