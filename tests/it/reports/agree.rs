//! Every format tells the same numbers, counts and verdict.

use std::collections::BTreeMap;

use loadgate::report::number;
use serde_json::Value;

use super::{folder, report, run, workspace};
use crate::harness::Demo;

/// The cell of a row of a table of plain numbers.
fn cell(table: &str, row: &str, column: &str) -> String {
    let mut lines = table.lines();
    let place = lines.next().expect("a header").split(',').position(|name| name == column);
    let line = lines.find(|line| line.starts_with(&format!("{row},"))).expect("a row");
    line.split(',').nth(place.expect("a column")).expect("a cell").to_owned()
}

#[test]
fn every_format_tells_the_same_numbers_and_the_same_verdict() {
    let demo = Demo::start(&[]);
    let workspace = workspace(&demo, "");
    let finished = run(&workspace, &[]);
    assert_eq!(finished.code(), 3, "{}", finished.stderr);
    let result = finished.result().expect("a result");
    let file = |name: &str| std::fs::read_to_string(folder(&workspace).join(name)).expect("a file");
    let (endpoints, series, page) =
        (file("endpoints.csv"), file("series.csv"), file("report.html").replace("&#x2f;", "/"));
    let told = [file("summary.md").replace('\u{a0}', " "), report(&workspace, "terminal")];
    for endpoint in result["endpoints"].as_array().expect("endpoints") {
        let name = endpoint["name"].as_str().expect("a name");
        let Some(p95) = endpoint["response_time"]["p95_ms"].as_f64() else {
            assert_eq!(cell(&endpoints, name, "response_time_p95_ms"), "", "nothing in the steady phase");
            continue;
        };
        let ok = endpoint["ok"].as_u64().expect("a count");
        assert_eq!(cell(&endpoints, name, "response_time_p95_ms"), p95.to_string());
        assert_eq!(cell(&endpoints, name, "ok"), ok.to_string());
        let (p95, ok) = (number::milliseconds(p95), number::count(ok));
        for text in &told {
            let told = text.lines().any(|line| [name, &p95, &ok].iter().all(|part| line.contains(*part)));
            assert!(told, "no row of {name} with {ok} and {p95} in {text}");
        }
        let row = page.split("<tr").find(|row| row.contains(&format!("<th scope=\"row\"><bdi>{name}</bdi>")));
        let row = row.expect("a row of the page");
        assert!([&p95, &ok].iter().all(|it| row.contains(&format!(">{it}</td>"))), "{ok} and {p95} in {row}");
    }
    assert_eq!(rows(&series), points(&result));
    let sum: u64 = rows(&series).values().map(|[ok, ..]| ok.parse::<u64>().expect("a count")).sum();
    assert_eq!(Some(sum), result["whole_run"]["ok"].as_u64());
    assert_verdict(&result, &[&told[0], &told[1], &file("junit.xml"), &page]);
}

/// Successes, failures, p50, p95 and p99 of every second and endpoint of `series.csv`.
fn rows(series: &str) -> BTreeMap<(String, String), [String; 5]> {
    let column = |name| series.lines().next().expect("a header").split(',').position(|it| it == name);
    let places = ["t_s", "endpoint", "ok", "failed", "p50_ms", "p95_ms", "p99_ms"].map(column);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [t, endpoint, numbers @ ..] = places.map(|place| cells[place.expect("a column")].to_owned());
        ((t, endpoint), numbers)
    };
    series.lines().skip(1).map(row).collect()
}

/// The same of the result.
fn points(result: &Value) -> BTreeMap<(String, String), [String; 5]> {
    let text = |value: &Value| value.as_f64().map_or_else(String::new, |number| number.to_string());
    let names: Vec<&str> = result["endpoints"]
        .as_array()
        .expect("endpoints")
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    let mut points = BTreeMap::new();
    for point in result["series"].as_array().expect("points") {
        for name in &names {
            let of = &point["endpoints"][name];
            let [ok, failed] = ["ok", "failed"].map(|key| of[key].as_u64().unwrap_or(0).to_string());
            let [p50, p95, p99] = ["p50_ms", "p95_ms", "p99_ms"].map(|key| text(&of[key]));
            points.insert((text(&point["t_s"]), (*name).to_owned()), [ok, failed, p50, p95, p99]);
        }
    }
    points
}

/// The word, and the value that decided, in the same digits.
fn assert_verdict(result: &Value, texts: &[&str]) {
    assert_eq!(result["verdict"]["status"], "failed");
    let checks = result["verdict"]["checks"].as_array().expect("checks");
    let broken = checks.iter().find(|check| check["status"] == "fail").expect("a broken one");
    let value = number::ratio(broken["value"].as_f64().expect("a value")).replace('\u{a0}', " ");
    for text in texts {
        assert!(text.contains("FAILED"), "{text}");
        assert!(text.contains(&value), "{value} in {text}");
    }
}
