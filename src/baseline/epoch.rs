//! A deliberate change: from here on, some numbers have a new normal. A versioned document.

use serde::{Deserialize, Serialize};

use super::bound::is_name;
use crate::metric::Metric;

/// Between the metric and the endpoint of a subject, as reports write it: `p95 of POST /builds`.
const OF: &str = " of ";

/// A deliberate change that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// [`SCHEMA`](super::run::SCHEMA).
    pub schema: u32,
    /// The commit it began with; null where unknown.
    pub from_sha: Option<String>,
    /// What has a new normal: `p95 of POST /builds`, or `p95` for all endpoints and custom metrics.
    pub metrics: Vec<String>,
    /// Why, in words.
    pub reason: String,
}

impl Epoch {
    /// Whether a number has a new normal since.
    pub fn covers(&self, metric: Metric, endpoint: Option<&str>) -> bool {
        self.metrics.iter().any(|written| match written.split_once(OF) {
            Some((name, of)) => name == metric.name() && endpoint == Some(of),
            None => written == metric.name(),
        })
    }
}

/// The metric of a subject and its endpoint, `None` for all; none where no such number is.
pub fn parse(subject: &str) -> Option<(Metric, Option<&str>)> {
    let (name, endpoint) = match subject.split_once(OF) {
        Some((name, endpoint)) => (name, Some(endpoint)),
        None => (subject, None),
    };
    let metric = Metric::named(name)?;
    endpoint.is_none_or(is_name).then_some((metric, endpoint))
}

/// How a number is written: `p95 of POST /builds`, or `error_rate` for all requests.
pub fn subject(metric: Metric, endpoint: Option<&str>) -> String {
    endpoint.map_or_else(|| metric.name().to_owned(), |endpoint| format!("{}{OF}{endpoint}", metric.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile::{P50, P95};

    #[test]
    fn an_epoch_covers_what_it_names_and_nothing_else() {
        let epoch = Epoch {
            schema: 1,
            from_sha: None,
            metrics: vec!["p95 of POST /a of b".into(), "p50".into()],
            reason: "a new database".into(),
        };
        let covers = |metric, endpoint| epoch.covers(metric, endpoint);
        assert!(covers(Metric::Response(P95), Some("POST /a of b")));
        assert!(!covers(Metric::Response(P95), Some("POST /a")));
        assert!(covers(Metric::Response(P50), Some("GET /x")));
        assert!(!covers(Metric::ErrorRate, None));
        assert_eq!(subject(Metric::Response(P95), Some("GET /x")), "p95 of GET /x");
        assert_eq!(subject(Metric::ErrorRate, None), "error_rate");
    }

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        let p95 = Metric::Response(P95);
        for (text, found) in [
            ("p95 of POST /a of b", Some((p95, Some("POST /a of b")))),
            ("p95", Some((p95, None))),
            ("error_rate", Some((Metric::ErrorRate, None))),
            ("p75 of GET /x", Some((Metric::Response(crate::metric::Percentile::P75), Some("GET /x")))),
            ("p76", None),
            ("p95 of ", None),
            ("", None),
        ] {
            assert_eq!(parse(text), found, "{text}");
        }
    }
}
