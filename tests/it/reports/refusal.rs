//! What cannot be read or written is said clearly, and a half-written result is shown as far as it goes.

use std::fs::{self, File};
use std::process::Stdio;

use super::{folder, run, workspace};
use crate::harness::{BINARY, Demo, Workspace};

fn refused(workspace: &Workspace, arguments: &[&str], said: &[&str]) {
    let finished = workspace.run(arguments);
    assert_eq!(finished.stdout, "", "{arguments:?}");
    assert_ne!(finished.code(), 0, "{arguments:?}");
    for part in said {
        assert!(finished.stderr.contains(part), "{arguments:?}: no {part:?} in {}", finished.stderr);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "reporting: {formats: [json]}\n");
    run(&workspace, &[]);
    let report = |place| ["report", "reports/latest", "--format", "markdown", "-o", place];
    refused(
        &workspace,
        &report("no/such/folder/x.md"),
        &["cannot write to `no/such/folder/x.md`", "another file with `-o`"],
    );
    refused(&workspace, &report("reports"), &["cannot write to `reports`"]);
    refused(&workspace, &report("reports/latest"), &["cannot write to `reports/latest`"]);
    assert!(folder(&workspace).join("result.json").is_file(), "the link to the newest run is kept");
    // Nobody, not even root, makes a file there.
    refused(&workspace, &report("/proc/x.md"), &["cannot write to `/proc/x.md`"]);
    let left: Vec<_> = fs::read_dir(workspace.path(".")).expect("a folder").flatten().collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp")), "{left:?}");
}

/// What `report` does where its standard output is this.
fn written_to(workspace: &Workspace, output: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = workspace.command(&["report", "reports/latest", "--format", "json"]);
    let output = command.stdout(output).output().expect("the binary starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error_and_a_reader_that_left_is_none() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "reporting: {formats: [json]}\n");
    run(&workspace, &[]);
    let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
    let (code, said) = written_to(&workspace, full);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("error: cannot write to standard output: No space left"), "{said}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(written_to(&workspace, writer), (Some(0), String::new()));
}

#[test]
fn a_report_that_cannot_be_written_keeps_neither_the_others_nor_the_verdict_from_anybody() {
    let demo = Demo::start(&[]);
    let text = fs::read_to_string(workspace(&demo, "").path("config.yaml")).expect("a configuration");
    // The target is started when the folder of the run is there.
    let target = format!(
        "target: {{ready: /health, command: [sh, -c, 'mkdir $(echo reports/shop-*)/report.html; \
         exec {BINARY} demo-api --listen {{{{ address }}}}']}}"
    );
    let text = text.replace(&format!("host: '{}'", demo.url), &target);
    let workspace = Workspace::with_config(&text);
    let finished = workspace.run(&["run", "shop", "--quiet"]);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("report.html"), "{}", finished.stderr);
    assert!(finished.stdout.contains("FAILED"), "{}", finished.stdout);
    for file in ["result.json", "summary.md", "junit.xml", "endpoints.csv", "series.csv"] {
        assert!(folder(&workspace).join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn what_is_no_result_is_refused_with_a_hint() {
    let workspace = Workspace::new();
    workspace.write("page.json", "<html>");
    workspace.write("other.json", "{\"schema\": 99}");
    workspace.write("beginning.json", "{\"schema\": 1, \"tool\": {\"na");
    for (file, said) in [
        ("missing.json", "cannot read `missing.json`"),
        ("page.json", "`page.json` is not JSON"),
        ("other.json", "has schema 99"),
        ("beginning.json", "is cut off"),
    ] {
        refused(&workspace, &["report", file, "--format", "csv"], &[said]);
    }
}

#[test]
fn a_format_that_does_not_exist_is_a_mistake_of_the_configuration_with_its_place() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "reporting: {formats: [json, junti]}\n");
    refused(&workspace, &["check"], &["junti", "junit", "config.yaml:"]);
}

#[test]
fn a_half_written_result_is_shown_marked_and_is_no_ground_for_a_verdict() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "reporting: {formats: [json]}\n");
    run(&workspace, &[]);
    let whole = fs::read(folder(&workspace).join("result.json")).expect("a result");
    let text = String::from_utf8(whole).expect("text");
    let cut = text.rfind("\"length_s\"").expect("the last second of the series");
    workspace.write("half.json", &text[..cut]);
    for (format, said) in [
        ("terminal", "half-written"),
        ("markdown", "half-written"),
        ("junit", "half-written"),
        ("json", "\"salvaged\""),
        ("csv", ",half-written\n"),
        ("series-csv", ",half-written\n"),
    ] {
        let shown = workspace.run(&["report", "half.json", "--format", format]);
        assert_eq!(shown.code(), 0, "{}", shown.stderr);
        assert!(shown.stdout.contains(said), "{format}: {}", shown.stdout);
        assert!(shown.stderr.contains("note: the result is half-written"), "{}", shown.stderr);
    }
    let again = workspace.run(&["report", "half.json", "--format", "json"]).stdout;
    workspace.write("again.json", &again);
    for file in ["half.json", "again.json"] {
        refused(&workspace, &["judge", file], &["is cut off"]);
    }
}
