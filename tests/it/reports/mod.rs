//! The files of a run, through the real binary: which are written, that they can be made again from the
//! result alone, that they say the same, and that what reads such files can read them.

mod agree;
mod browser;
mod cases;
mod format;
mod refusal;
mod verdicts;

use std::path::PathBuf;

use loadgate::result::schema::RunResult;
use serde_json::Value;

use crate::harness::{Demo, Finished, Workspace};

/// A result with everything in it, which failed.
pub fn rich_result() -> RunResult {
    cases::rich()
}

/// The same, had it passed.
pub fn passed_result() -> RunResult {
    RunResult { verdict: Some(verdicts::passed()), ..cases::rich() }
}

/// One in which as much is wrong as can be told.
pub fn heavy_result() -> RunResult {
    cases::heavy()
}

/// One whose every text would rather be something else.
pub fn hostile_result() -> RunResult {
    cases::hostile()
}

/// Every format of `loadgate report` and the file of a run that it makes again.
const FILES: [(&str, &str); 6] = [
    ("json", "result.json"),
    ("html", "report.html"),
    ("markdown", "summary.md"),
    ("junit", "junit.xml"),
    ("csv", "endpoints.csv"),
    ("series-csv", "series.csv"),
];

/// How many endpoints it has: three that are used all the time, one of which is never found, and a login before.
const ENDPOINTS: usize = 4;

/// Five users of three endpoints, one of which is never found: the run fails, however busy the machine is.
fn workspace(demo: &Demo, reporting: &str) -> Workspace {
    Workspace::with_config(&format!(
        "version: 1\nname: reports\n\
         environments: {{demo: {{host: '{}', load: {{users: 5, run_time: 2s, warmup: 200ms}}}}}}\n\
         thresholds:\n  error_rate: 5%\n  endpoints:\n    GET /api/v1/builds: {{p95: 10s}}\n{reporting}\
         scenarios:\n  shop:\n    users:\n      visitor: {{wait: 20ms, on_start: login, \
         headers: {{Authorization: 'Bearer {{{{ token }}}}'}}, tasks: {{look: 1}}}}\n    tasks:\n      \
         login: [{{post: /api/v1/auth/test-token, json: {{user_id: me}}, capture: {{token: $.access_token}}}}]\n      \
         look: [{{get: /health}}, {{get: /api/v1/builds}}, {{get: /nowhere}}]\n",
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
