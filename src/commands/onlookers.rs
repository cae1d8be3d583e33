//! Who looks on while a run lasts, beside those that judge it: the live line, the live metrics, the live page.
//! Metrics that cannot be served are a warning; a page that was asked for by a flag is an error.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::RunArgs;
use crate::error::Error;
use crate::load::Observer;
use crate::load::shutdown::Shutdown;
use crate::plan::{Plan, Prometheus};
use crate::report::live::address::Place;
use crate::report::live::exporter::Exporter;
use crate::report::live::server::Server;
use crate::report::live::{Door, Feed, Live};
use crate::report::progress::Shown;
use crate::report::write;
use crate::result::schema::RunResult;
use crate::result::summary::Context;
use crate::result::verdict::Status;

/// Who looks on.
#[derive(Debug)]
pub struct Onlookers {
    /// How much is shown on standard error.
    pub shown: Shown,
    /// Why somebody who was wanted does not look on.
    pub warnings: Vec<String>,
    exporter: Option<(Exporter, Duration)>,
    page: Page,
}

/// The live page, as far as it is.
#[derive(Debug)]
enum Page {
    /// Nobody wants it.
    None,
    /// Its place is taken.
    Bound(Door),
    /// It is served.
    Open(Live, Feed),
}

impl Onlookers {
    /// The live line alone.
    pub fn only(shown: Shown) -> Self {
        Self { shown, warnings: Vec::new(), exporter: None, page: Page::None }
    }

    /// Everybody whom flags and plan want.
    pub fn of(args: &RunArgs, plan: &Plan) -> Result<Self, Error> {
        let mut onlookers = Self::only(if args.quiet { Shown::Nothing } else { Shown::Progress });
        if let Place::At(address) = args.live {
            onlookers.page = Page::Bound(door(address)?);
        }
        if let Some(wanted) = &plan.reporting.prometheus {
            match export(plan, wanted) {
                Ok(exporter) => onlookers.exporter = Some((exporter, wanted.linger)),
                Err(warning) => onlookers.warn(warning),
            }
        }
        Ok(onlookers)
    }

    /// The load is about to begin: the page is served from now on.
    pub fn open(&mut self, plan: &Arc<Plan>, context: Context, shutdown: &Shutdown) -> Result<(), Error> {
        self.page = match std::mem::replace(&mut self.page, Page::None) {
            Page::Bound(door) => {
                let live = door.open(plan, context, shutdown)?;
                let feed = live.feed();
                Page::Open(live, feed)
            }
            other => other,
        };
        Ok(())
    }

    /// Those who are handed every window.
    pub fn observers(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        let feed = match &mut self.page {
            Page::Open(_, feed) => Some(feed as &mut dyn Observer),
            Page::None | Page::Bound(_) => None,
        };
        self.exporter.iter_mut().map(|(exporter, _)| exporter as &mut dyn Observer).chain(feed)
    }

    /// The run has been judged.
    pub fn judged(&mut self, status: Status) {
        if let Some((exporter, _)) = &mut self.exporter {
            exporter.judged(status);
        }
    }

    /// The reports are written: viewers see the last page. That they do not is no reason to fail.
    pub async fn reported(&mut self, result: &RunResult, shutdown: &Shutdown) {
        if let Page::Open(live, _) = std::mem::replace(&mut self.page, Page::None)
            && let Err(error) = live.end(result, shutdown).await
        {
            write::note(&format!("warning: {error}"));
        }
    }

    /// Stays for those who still want to know, but not after a signal; then nobody looks on any more.
    pub async fn leave(self, shutdown: &Shutdown) {
        let Some((exporter, linger)) = self.exporter else { return };
        tokio::select! {
            biased;
            _ = shutdown.requested() => {}
            () = tokio::time::sleep(linger) => {}
        }
        exporter.stop().await;
    }

    fn warn(&mut self, warning: String) {
        write::note(&write::plain(&format!("warning: {warning}")));
        self.warnings.push(warning);
    }
}

/// Takes the place of the live page, and says where it is.
fn door(address: SocketAddr) -> Result<Door, Error> {
    let door = Door::bind(address)?;
    write::note(&format!("live: {}", door.invitation()));
    let (ip, port) = (door.address().ip(), door.address().port());
    if ip.is_unspecified() {
        write::note(&format!(
            "warning: it listens on every interface: whoever reaches port {port} of this machine sees the numbers"
        ));
    } else if !ip.is_loopback() {
        write::note("warning: whoever reaches this address sees the numbers of the run");
    }
    Ok(door)
}

/// Serves the live metrics, or says why not.
fn export(plan: &Plan, wanted: &Prometheus) -> Result<Exporter, String> {
    let begun = Server::bind((wanted.listen.as_str(), wanted.port))
        .and_then(|bound| Exporter::begin(bound, plan))
        .map_err(|error| format!("no live metrics on {} port {}: {error}", wanted.listen, wanted.port))?;
    write::note(&format!("metrics: {}", begun.url()));
    Ok(begun)
}
