//! Where the result is told.

use super::{Kind, Shape, key};

/// Reports, live metrics, dashboards.
pub(super) static REPORTING: Shape = Shape {
    name: "reporting",
    doc: "Which reports are written, and where live metrics are served.",
    keys: &[&[
        key("output_dir", Kind::Text, "The folder that holds a folder for each run."),
        key(
            "formats",
            Kind::List(&Kind::OneOf(&["html", "json", "csv", "markdown", "junit"])),
            "The reports that are written.",
        ),
        key("prometheus", Kind::Object(&PROMETHEUS), "Live metrics for Prometheus."),
        key("grafana", Kind::Object(&GRAFANA), "The dashboard that `loadgate grafana` prints."),
    ]],
    rules: &[],
};

static PROMETHEUS: Shape = Shape {
    name: "prometheus",
    doc: "An endpoint with the metrics of the run while it lasts.",
    keys: &[&[
        key("enabled", Kind::Bool, "Whether it is served."),
        key(
            "port",
            Kind::Integer { min: 0, max: 65_535 },
            "Its port (default 9090), 0 for any free one; a taken one warns and the run goes on.",
        ),
        key("listen", Kind::Text, "The address it listens on (default 127.0.0.1)."),
        key("linger", Kind::Duration, "How long it stays after the run, for a last scrape (default 0s)."),
    ]],
    rules: &[],
};

static GRAFANA: Shape = Shape {
    name: "grafana",
    doc: "The Grafana dashboard.",
    keys: &[&[key("dashboard_uid", Kind::Text, "Its uid (default loadgate).")]],
    rules: &[],
};
