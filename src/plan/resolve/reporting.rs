//! What is written where; and what is configured but not done by this version.

use crate::config::Config;
use crate::config::node::Node;
use crate::plan::{Format, Reporting};

use super::layer::Layers;

/// The folder of reports, where nothing is said.
const OUTPUT_DIR: &str = "reports";
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
        formats: formats(layers).unwrap_or_else(|| FORMATS.map(|(_, format)| format).to_vec()),
    }
}

/// What is configured, understood, and not done by this version, each once.
pub(super) fn inactive(layers: &Layers) -> Vec<String> {
    let reporting = layers.inside("reporting");
    let enabled = |node: &Node| node.get("enabled").and_then(Node::scalar) != Some("false");
    let all = [
        ("`ab`", layers.get("ab").is_some()),
        ("`reporting.prometheus`", reporting.get("prometheus").is_some_and(enabled)),
        ("`reporting.grafana`", reporting.get("grafana").is_some()),
    ];
    all.into_iter().filter(|(_, configured)| *configured).map(|(name, _)| name.to_owned()).collect()
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
