//! The HTML report in a real browser, and the other formats of the same hostile results.

use std::fs;
use std::path::Path;
use std::process::Command;

use loadgate::result::file::to_json;
use serde_json::{Value, json};

use super::cases::{self, Case};
use crate::harness::{Workspace, alone};

/// The longest report of usual size: thirty endpoints over thirty minutes.
const MOST_BYTES: u64 = 600_000;

#[test]
fn every_report_holds_in_a_real_browser() {
    let workspace = Workspace::new();
    let cases = cases::all();
    for case in &cases {
        render(&workspace, case, "html");
    }
    let expected: Value = cases.iter().map(|case| (case.name.to_owned(), expectation(case))).collect();
    workspace.write("expected.json", &expected.to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/check.mjs");
    // A browser on both CPUs is a busy machine, beside which another test could not judge times.
    let _alone = alone();
    let checked = Command::new("node").arg(script).arg(workspace.path("")).output().expect("node starts");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    let pages = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).count();
    assert!(checked.status.success(), "{stderr}");
    assert_eq!(pages, cases.len(), "{stdout}\n{stderr}");
}

#[test]
fn a_long_run_of_many_endpoints_is_a_page_of_moderate_size() {
    let workspace = Workspace::new();
    let case = Case { name: "long", result: cases::long(), charts: 1 };
    render(&workspace, &case, "html");
    let bytes = fs::metadata(workspace.path("long.html")).expect("the page").len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}

#[test]
fn no_cell_of_a_csv_is_a_formula() {
    let workspace = Workspace::new();
    let hostile = hostile();
    for format in ["csv", "series-csv"] {
        let text = render(&workspace, &hostile, format);
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
        assert!(rows.len() > cases::hostile_texts().len(), "{format} has {} rows", rows.len());
        let formula = |cell: &&str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let found: Vec<&str> = rows.iter().flat_map(|row| row.iter()).filter(formula).collect();
        assert!(found.is_empty(), "{format}: {found:?}");
    }
}

#[test]
fn hostile_texts_are_only_text_in_markdown() {
    let text = render(&Workspace::new(), &hostile(), "markdown");
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    // Whatever is markup in the text would be markup on the page.
    options.render.r#unsafe = true;
    let page = comrak::markdown_to_html(&text, &options);
    for tag in ["<script", "<img", "<b>", "javascript:\"", "<strong>bold", "<a ", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(tag), "{tag:?} in the page of the Markdown");
    }
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
}

#[test]
fn hostile_texts_leave_the_junit_file_well_formed() {
    let text = render(&Workspace::new(), &hostile(), "junit");
    let script =
        "import sys, xml.dom.minidom as m; print(len(m.parse(sys.argv[1]).getElementsByTagName('testcase')))";
    let workspace = Workspace::new();
    let file = workspace.write("junit.xml", &text);
    let parsed = Command::new("/usr/bin/python3").args(["-c", script]).arg(file).output().expect("python3");
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    let cases: usize = String::from_utf8_lossy(&parsed.stdout).trim().parse().expect("a number");
    assert!(cases >= cases::hostile_texts().len(), "{cases} test cases");
}

fn hostile() -> Case {
    cases::all().into_iter().find(|case| case.name == "hostile").expect("the hostile case")
}

/// Writes the report of a case beside its result, and returns it.
fn render(workspace: &Workspace, case: &Case, format: &str) -> String {
    let name = case.name;
    let stored = workspace.write(&format!("{name}.json"), &to_json(&case.result).expect("JSON"));
    let output = workspace.path(&format!("{name}.{format}"));
    let [from, to] = [&stored, &output].map(|path| path.to_string_lossy().into_owned());
    let done = workspace.run(&["report", &from, "--format", format, "--output", &to]);
    assert_eq!(done.code(), 0, "{name} as {format}: {}", done.stderr);
    fs::read_to_string(output).expect("a report")
}

/// What the browser must find on the page of a case.
fn expectation(case: &Case) -> Value {
    let result = &case.result;
    json!({
        "verdict": result.verdict.as_ref().map(|verdict| verdict.status),
        "charts": case.charts,
        "endpoints": result.endpoints.len(),
        "points": if result.endpoints.is_empty() { 0 } else { result.series.len() },
        "large": result.endpoints.len() > 100,
        // Its changes are many budgets large.
        "further": case.name == "rich",
    })
}
