//! The folder of a baseline and the commands that fill it, through the real binary. One real run is made;
//! stored results are copies of it with something changed.

mod accept;
mod branches;
mod broken;
mod refusal;
mod update;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use hdrhistogram::Histogram;
use loadgate::load::measure::times::LONGEST_US;
use loadgate::result::endpoint::Times;
use loadgate::stats::histogram;
use serde_json::{Value, json};

use crate::harness::{Finished, Workspace};

/// Runs of a second against the demo service that loadgate starts.
pub const CONFIG: &str = r#"version: 1
name: shop
defaults: {environment: here}
environments:
  here: {target: {command: [loadgate, demo-api, --listen, "{{ address }}"], ready: /health}, users: 2, run_time: 1s}
  there: {host: "http://127.0.0.1:9", users: 2, run_time: 1s}
thresholds: {error_rate: 5%}
baseline: {budget: 10%, keep_runs: 10}
scenarios:
  browse:
    users: {visitor: {wait: 5ms, tasks: {look: 1}}}
    tasks: {look: [{get: /health}]}
"#;

/// Where its runs are remembered.
pub const FOLDER: &str = "baselines/browse.here";

/// A real result of that configuration, made once. What depends on how busy this machine is, is put right.
fn real() -> Value {
    static REAL: OnceLock<Value> = OnceLock::new();
    let made = || {
        let workspace = Workspace::with_config(CONFIG);
        let finished = workspace.run(&["run", "--quiet"]);
        let mut result = finished.result().unwrap_or_else(|| panic!("{}", finished.stderr));
        result["generator"]["steal"] = json!(0.0);
        result["generator"]["schedule_lag_p99_ms"] = json!(null);
        result["generator"]["wake_lateness_p99_ms"] = json!(null);
        result["generator"]["stalled_share"] = json!(0.0);
        result["generator"]["cpu_utilisation"] = json!(0.2);
        result["generator"]["achieved_ratio"] = json!(1.0);
        for point in result["series"].as_array_mut().expect("a series") {
            point["machine"] = json!(null);
        }
        result
    };
    REAL.get_or_init(made).clone()
}

/// The result of a run at this minute.
pub fn at(minute: u32) -> Value {
    let mut result = real();
    result["started_at"] = json!(format!("2026-11-24T10:{minute:02}:00Z"));
    // No two runs measure the same, and none is much slower.
    let slower = 1.0 + f64::from(minute * 7 % 10) / 200.0;
    let times = &mut result["endpoints"][0]["response_time"];
    *times = scaled(times, slower);
    result
}

/// The same distribution with every time longer by a factor.
fn scaled(times: &Value, factor: f64) -> Value {
    let text = times["histogram"].as_str().expect("a histogram");
    let histogram = histogram::decode(text, LONGEST_US).expect("a histogram");
    let mut longer = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).expect("bounds");
    for value in histogram.iter_recorded() {
        let micros = value.value_iterated_to() as f64 * factor;
        longer.saturating_record_n(micros as u64, value.count_at_value());
    }
    json!(Times::complete(&longer, None))
}

impl Workspace {
    /// A folder with the configuration and stored results of these minutes, `MINUTE.json`.
    fn with_results(minutes: std::ops::Range<u32>) -> Self {
        let workspace = Self::with_config(CONFIG);
        for minute in minutes {
            workspace.store(&minute.to_string(), &at(minute));
        }
        workspace
    }

    fn store(&self, name: &str, result: &Value) {
        self.write(&format!("{name}.json"), &result.to_string());
    }

    /// Remembers stored results.
    fn update(&self, names: &[&str]) -> Finished {
        let files: Vec<String> = names.iter().map(|name| format!("{name}.json")).collect();
        let mut arguments = vec!["baseline", "update"];
        arguments.extend(files.iter().map(String::as_str));
        self.run(&arguments)
    }

    /// The files of the baseline and what is in them.
    fn remembered(&self) -> BTreeMap<String, String> {
        files(&self.path(FOLDER))
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.map(|path| (name(&path), fs::read_to_string(&path).expect("text"))).collect()
}

/// The time in each name: what tells these runs apart.
fn minutes(files: &BTreeMap<String, String>) -> Vec<&str> {
    files.keys().filter_map(|name| name.strip_prefix("run-20261124T10")).map(|rest| &rest[..2]).collect()
}

fn ended(finished: &Finished, code: i32, parts: &[&str]) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code(), code, "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in\n{said}");
    }
}
