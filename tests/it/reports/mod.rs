//! The files of a run, through the real binary: which are written, that they can be made again from the
//! result alone, that they say the same, and that what reads such files can read them.

mod agree;
mod format;
mod refusal;

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Demo, Finished, Workspace};

/// Every format of `loadgate report` and the file of a run that it makes again.
const FILES: [(&str, &str); 6] = [
    ("json", "result.json"),
    ("html", "report.html"),
    ("markdown", "summary.md"),
    ("junit", "junit.xml"),
    ("csv", "endpoints.csv"),
    ("series-csv", "series.csv"),
];

/// Five users of two endpoints, one of whose objectives is broken.
fn workspace(demo: &Demo, reporting: &str) -> Workspace {
    Workspace::with_config(&format!(
        "version: 1\nname: reports\nenvironments: {{demo: {{target: {{host: '{}'}}, load: {{users: 5, run_time: 2s}}}}}}\n\
         thresholds:\n  error_rate: 5%\n  endpoints:\n    GET /api/v1/builds: {{p95: 1us}}\n{reporting}\
         scenarios: {{shop: {{users: {{visitor: {{wait: 20ms, tasks: {{look: 1}}}}}}, \
         tasks: {{look: [{{get: /health}}, {{get: /api/v1/builds, expect: {{status: [200, 401]}}}}]}}}}}}\n",
        demo.url
    ))
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Finished {
    let finished = workspace.run(&[&["run", "shop", "--quiet"], arguments].concat());
    assert!(finished.result().is_some(), "{}\n{}", finished.stdout, finished.stderr);
    finished
}

/// The folder of the newest run.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.path("reports/latest")
}

/// What the report of the newest run is on standard output.
fn report(workspace: &Workspace, format: &str) -> String {
    let finished = workspace.run(&["report", "reports/latest", "--format", format]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished.stdout
}

/// A result of a run with every name in it changed by hand, in a file of its own.
fn with_result(workspace: &Workspace, edit: impl Fn(&mut Value)) -> String {
    let text = std::fs::read(folder(workspace).join("result.json")).expect("a result");
    let mut result: Value = serde_json::from_slice(&text).expect("JSON");
    edit(&mut result);
    workspace.write("edited.json", &result.to_string());
    "edited.json".to_owned()
}
