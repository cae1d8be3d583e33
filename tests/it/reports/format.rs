//! What is written, and what others make of it: Python's `csv`, and `xmllint` with a schema of test results.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{ENDPOINTS, FILES, folder, report, run, with_result, workspace};
use crate::harness::{Demo, Workspace};

fn files(workspace: &Workspace) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder(workspace)).expect("the folder of a run");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_run_writes_every_format_and_each_can_be_made_again() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "");
    run(&workspace, &[]);
    assert_eq!(files(&workspace), FILES.iter().map(|(_, file)| (*file).to_owned()).collect());
    for (format, file) in FILES {
        let written = std::fs::read_to_string(folder(&workspace).join(file)).expect("a file");
        assert!(report(&workspace, format) == written, "{file} differs from `report --format {format}`");
        let made = workspace.run(&["report", "reports/latest", "--format", format, "-o", "again"]);
        assert_eq!((made.code(), made.stdout.as_str()), (0, ""), "{}", made.stderr);
        assert!(std::fs::read_to_string(workspace.path("again")).expect("a file") == written, "{file}");
    }
}

#[test]
fn a_run_writes_what_is_asked_for_and_nothing_else() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "reporting: {formats: [csv]}\n");
    run(&workspace, &[]);
    assert_eq!(files(&workspace), names(&["endpoints.csv", "result.json", "series.csv"]));
    run(&workspace, &["--formats", "junit,markdown"]);
    assert_eq!(files(&workspace), names(&["junit.xml", "result.json", "summary.md"]));
}

/// What Python's `csv` reads, as a list of rows.
fn read_by_python(path: &Path) -> Vec<BTreeMap<String, String>> {
    let script =
        "import csv, json, sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='')))))";
    let output = Command::new("python3").args(["-c", script]).arg(path).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("rows of texts")
}

const HOSTILE: &str = "=cmd|' /C calc'!A0,\"x\"\r\nsecond line";

#[test]
fn python_reads_a_row_a_second_and_endpoint_and_no_cell_is_a_formula() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "");
    run(&workspace, &[]);
    let edited = with_result(&workspace, |result| {
        let hostile = json!(HOSTILE).to_string();
        let text = result.to_string().replace("\"GET /health\"", &hostile);
        *result = serde_json::from_str(&text).expect("JSON");
    });
    let table = |format| {
        let made = workspace.run(&["report", &edited, "--format", format, "-o", "table.csv"]);
        assert_eq!(made.code(), 0, "{}", made.stderr);
        read_by_python(&workspace.path("table.csv"))
    };
    let result: Value =
        serde_json::from_slice(&std::fs::read(workspace.path(&edited)).expect("a file")).expect("JSON");
    let points = result["series"].as_array().expect("points");
    let (series, endpoints) = (table("series-csv"), table("csv"));
    assert!(points.len() >= 2);
    assert_eq!(series.len(), points.len() * ENDPOINTS);
    let places: BTreeSet<_> =
        series.iter().map(|row| (row["t_s"].clone(), row["endpoint"].clone())).collect();
    assert_eq!(places.len(), series.len(), "one row a second and endpoint");
    let order: Vec<f64> = series.iter().map(|row| row["t_s"].parse().expect("a number")).collect();
    assert!(order.is_sorted());
    assert_eq!(endpoints.len(), ENDPOINTS + 1);
    assert_eq!(endpoints[ENDPOINTS]["endpoint"], "total");
    assert!(endpoints.iter().any(|row| row["endpoint"].starts_with("'=cmd|' /C calc'!A0,\"x\"\\r\\nsecond")));
    for cell in series.iter().chain(&endpoints).flat_map(BTreeMap::values) {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        assert!(!cell.contains(['\n', '\r']), "{cell:?}");
    }
}

/// Fails where a document is not what Jenkins' schema allows.
fn valid_junit(path: &Path) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/junit-schema/junit-10.xsd");
    let output =
        Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schema).arg(path).output();
    let output = output.expect("xmllint, which test.sh installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn test_results_follow_the_schema_of_what_reads_them() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "");
    run(&workspace, &[]);
    valid_junit(&folder(&workspace).join("junit.xml"));
    let no_verdict = with_result(&workspace, |result| result["verdict"] = Value::Null);
    let made = workspace.run(&["report", &no_verdict, "--format", "junit", "-o", "none.xml"]);
    assert_eq!(made.code(), 0, "{}", made.stderr);
    valid_junit(&workspace.path("none.xml"));
    assert!(
        std::fs::read_to_string(workspace.path("none.xml")).unwrap().contains("<error message=\"NOT JUDGED")
    );
    let hostile = with_result(&workspace, |result| {
        for name in ["scenario", "environment", "plan_digest"] {
            result[name] = json!("\u{0}\u{1}\u{b}]]>&<x a=\"'\u{fffe}\u{ffff}");
        }
        for (check, status) in result["verdict"]["checks"]
            .as_array_mut()
            .expect("checks")
            .iter_mut()
            .zip(["undecided", "invalid"])
        {
            check["status"] = json!(status);
            check["because"] = json!({"kind": "never_hit"});
        }
    });
    let made = workspace.run(&["report", &hostile, "--format", "junit", "-o", "hostile.xml"]);
    assert_eq!(made.code(), 0, "{}", made.stderr);
    valid_junit(&workspace.path("hostile.xml"));
}
