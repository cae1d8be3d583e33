//! Who looks on while a run lasts, beside those that judge it: the live line, the live metrics. What cannot
//! be served is a warning, never an error.

use std::time::Duration;

use crate::load::Observer;
use crate::load::shutdown::Shutdown;
use crate::plan::{Plan, Prometheus};
use crate::report::live::exporter::Exporter;
use crate::report::live::server::Server;
use crate::report::progress::Shown;
use crate::report::write;
use crate::result::verdict::Status;

/// Who looks on.
#[derive(Debug)]
pub struct Onlookers {
    /// How much is shown on standard error.
    pub shown: Shown,
    /// Why somebody who was wanted does not look on.
    pub warnings: Vec<String>,
    exporter: Option<(Exporter, Duration)>,
}

impl Onlookers {
    /// The live line alone.
    pub fn only(shown: Shown) -> Self {
        Self { shown, warnings: Vec::new(), exporter: None }
    }

    /// Everybody the plan wants.
    pub fn of(plan: &Plan, shown: Shown) -> Self {
        let mut onlookers = Self::only(shown);
        if let Some(wanted) = &plan.reporting.prometheus {
            match export(plan, wanted) {
                Ok(exporter) => onlookers.exporter = Some((exporter, wanted.linger)),
                Err(warning) => onlookers.warn(warning),
            }
        }
        onlookers
    }

    /// Those who are handed every window.
    pub fn observers(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        self.exporter.iter_mut().map(|(exporter, _)| exporter as &mut dyn Observer)
    }

    /// The run has been judged.
    pub fn judged(&mut self, status: Status) {
        if let Some((exporter, _)) = &mut self.exporter {
            exporter.judged(status);
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
        exporter.stop();
    }

    fn warn(&mut self, warning: String) {
        write::note(&write::plain(&format!("warning: {warning}")));
        self.warnings.push(warning);
    }
}

/// Serves the live metrics, or says why not.
fn export(plan: &Plan, wanted: &Prometheus) -> Result<Exporter, String> {
    let begun = Server::bind((wanted.listen.as_str(), wanted.port))
        .and_then(|bound| Exporter::begin(bound, plan))
        .map_err(|error| format!("no live metrics on {} port {}: {error}", wanted.listen, wanted.port))?;
    write::note(&format!("metrics: {}", begun.url()));
    Ok(begun)
}
