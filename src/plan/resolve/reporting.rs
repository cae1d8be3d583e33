//! What is written where; and what is configured but not done by this version.

use std::time::Duration;

use crate::config::Config;
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::plan::{Format, Prometheus, Reporting};

use super::layer::{Layer, Layers, Level};
use super::unit;

/// The folder of reports, where nothing is said.
const OUTPUT_DIR: &str = "reports";
/// Where live metrics are served, where nothing is said: for this machine alone.
const LISTEN: &str = "127.0.0.1";
/// Their port, likewise.
const PORT: u16 = 9_090;
/// The uid of the dashboard, likewise.
const DASHBOARD: &str = "loadgate";
/// The longest uid that Grafana takes.
const LONGEST_UID: usize = 40;
/// Every format and its name.
const FORMATS: [(&str, Format); 5] = [
    ("html", Format::Html),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("markdown", Format::Markdown),
    ("junit", Format::Junit),
];

/// What is written where. A path in the file is relative to the file, one in a flag to the working folder.
pub(super) fn reporting(config: &Config, layers: &Layers) -> Reporting {
    let said = layers.inside("reporting");
    let dir = layers.get("output_dir").or_else(|| said.get("output_dir"));
    let in_file = dir.is_none_or(|node| node.span.source == config.root.span.source);
    let path = dir.and_then(Node::scalar).unwrap_or(OUTPUT_DIR);
    Reporting {
        output_dir: if in_file { config.folder.join(path) } else { path.into() },
        prometheus: prometheus(&said.inside("prometheus")),
        formats: formats(layers).unwrap_or_else(|| FORMATS.map(|(_, format)| format).to_vec()),
    }
}

/// What is configured, understood, and not done by this version, each once.
pub(super) fn inactive(layers: &Layers) -> Vec<String> {
    let all = [("`ab`", layers.get("ab").is_some())];
    all.into_iter().filter(|(_, configured)| *configured).map(|(name, _)| name.to_owned()).collect()
}

/// Where live metrics are served: where there is anything under the key, unless it says that they are not.
fn prometheus(said: &Layers) -> Option<Prometheus> {
    let enabled = said.iter().next().is_some()
        && said.get("enabled").and_then(Node::scalar).is_none_or(|word| word == "true");
    enabled.then(|| Prometheus {
        listen: said.get("listen").and_then(Node::scalar).unwrap_or(LISTEN).to_owned(),
        port: unit::parsed(said.get("port")).unwrap_or(PORT),
        linger: unit::duration(said.get("linger")).unwrap_or(Duration::ZERO),
    })
}

/// The uid of the dashboard, of the file as a whole: a dashboard shows all environments and scenarios.
pub(super) fn dashboard_uid(config: &Config) -> Result<String, Vec<Problem>> {
    let layers = [(Level::Top, &config.root), (Level::Overrides, &config.overrides)];
    let layers = layers.map(|(level, node)| Layer { level, node });
    let problems: Vec<_> = layers.into_iter().flat_map(check).collect();
    let said = layers.into_iter().rev().find_map(uid);
    let uid = said.and_then(Node::scalar).unwrap_or(DASHBOARD).to_owned();
    if problems.is_empty() { Ok(uid) } else { Err(problems) }
}

/// What is wrong in one layer.
pub(super) fn check(layer: Layer) -> Vec<Problem> {
    let Some((node, text)) = uid(layer).and_then(|node| Some((node, node.scalar()?))) else {
        return Vec::new();
    };
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.chars().all(known) && (1..=LONGEST_UID).contains(&text.len()) {
        return Vec::new();
    }
    let hint = format!("1 to {LONGEST_UID} of the characters a-z, A-Z, 0-9, `-` and `_`");
    vec![Problem::at(node.span, format!("`{text}` is no uid of a Grafana dashboard")).hint(hint)]
}

fn uid(layer: Layer<'_>) -> Option<&Node> {
    layer.node.get("reporting")?.get("grafana")?.get("dashboard_uid")
}

/// The formats that are asked for: a list, or words between commas.
fn formats(layers: &Layers) -> Option<Vec<Format>> {
    let node = layers.get("formats").or_else(|| layers.inside("reporting").get("formats"))?;
    let words: Vec<&str> = match node.scalar() {
        Some(text) => text.split(',').map(str::trim).collect(),
        None => node.items().iter().filter_map(Node::scalar).collect(),
    };
    let named = |word: &&str| FORMATS.iter().find(|(name, _)| name == word).map(|(_, format)| *format);
    Some(words.iter().filter_map(named).collect())
}
