//! What holds for every file made from a result, together.

use std::path::Path;

use super::document::Document;
use super::terminal::{self, Screen};
use super::{csv, html, markdown, sentence};
use crate::config::render::Color;
use crate::gate::judge;
use crate::metric::{Metric, Percentile};
use crate::plan::rules::{Rules, Scope};
use crate::result::file::{to_json, what_is_there};
use crate::result::fixture::{objective, of_requests, rich};
use crate::result::schema::RunResult;

const STEP: usize = 37;

/// A run with everything, judged: something is broken, something holds, something cannot be judged.
pub fn judged() -> RunResult {
    let of = |name: &str| Scope::Endpoint(name.into());
    let p95 = Metric::Response(Percentile::P95);
    let objectives = vec![
        objective(Scope::Total, p95, 4_000.0),
        objective(of("POST /api/v1/builds"), p95, 3_000.0),
        objective(of("DELETE /api/v1/builds/{id}"), p95, 500.0),
    ];
    let mut result = rich();
    result.verdict = Some(judge(&Rules { objectives, baseline: None }, &result, None));
    result
}

fn on_screen(result: &RunResult) -> String {
    terminal::render(result, &Screen { width: 100, color: Color::Never, folder: None })
}

/// Everything a result is told in says first that it is half-written.
fn told_as_half_written(result: &RunResult, cut: usize) {
    for document in Document::ALL {
        let text = document.render(result).unwrap_or_else(|error| panic!("{document:?} at {cut}: {error}"));
        let mark = match document {
            Document::Json => "\"salvaged\": {",
            Document::Html | Document::Markdown | Document::Junit => "half",
            // A table has no place for it.
            Document::Endpoints | Document::Series => "",
        };
        assert!(text.contains(mark), "{document:?} at {cut}: {text}");
    }
    assert!(on_screen(result).replace('\n', " ").contains("half-written"), "at {cut}");
}

#[test]
fn a_result_cut_anywhere_is_an_error_with_a_hint_or_is_shown_as_half_written() {
    let whole = to_json(&judged()).unwrap();
    let (mut shown, mut verdicts) = (0, 0);
    let mut last = None;
    // Every byte of the beginning and the end, and some between: a step that no structure repeats in.
    let cuts = (0..1_500).chain((1_500..whole.len()).step_by(STEP)).chain(whole.len() - 200..whole.len() - 1);
    // Without the line break alone it is whole.
    for cut in cuts.filter(|cut| *cut < whole.len() - 1) {
        match what_is_there(&whole.as_bytes()[..cut], Path::new("r.json")) {
            Err(error) => {
                assert!(error.hint().is_some(), "{error} at {cut}");
                assert_eq!(shown, 0, "once something can be shown, more can: {error} at {cut}");
            }
            Ok(result) => {
                shown += 1;
                assert!(result.is_partial() && result.salvaged.is_some(), "at {cut}");
                let headline = sentence::headline(&result);
                assert_eq!(headline.word == "NOT JUDGED", result.verdict.is_none(), "at {cut}");
                verdicts += usize::from(result.verdict.is_some());
                // What is left changes rarely from byte to byte, and making every file takes long.
                if last.as_ref() != Some(&result) {
                    told_as_half_written(&result, cut);
                }
                last = Some(result);
            }
        }
    }
    assert!(shown > 1_000 && verdicts > 0, "{shown} shown, {verdicts} with their verdict");
}

#[test]
fn a_half_written_result_says_what_is_lost() {
    let whole = to_json(&judged()).unwrap();
    let at = |text: &str| whole.find(text).unwrap();
    let cut = at("\"GET /api/v1/users/me/stats\"");
    let cut = whole[..cut].len() + whole[cut + 1..].find("\"GET /api/v1/users/me/stats\"").unwrap();
    let result = what_is_there(&whole.as_bytes()[..cut], Path::new("r.json")).unwrap();
    assert_eq!(result.endpoints.len(), 3, "those before the cut");
    let said = sentence::headline(&result).sentence;
    assert!(said.starts_with("half-written: it lacks the end of endpoints, metrics, tasks"), "{said}");
}

#[test]
fn no_title_gives_zero_for_what_is_lost() {
    let whole = to_json(&judged()).unwrap();
    let cut = whole.find("\"environment\"").unwrap();
    let result = what_is_there(&whole.as_bytes()[..cut], Path::new("r.json")).unwrap();
    for text in [on_screen(&result), markdown::render(&result), html::render(&result).unwrap()] {
        let text = text.replace(['\u{a0}', '\n'], " ");
        assert!(text.contains("load unknown; length unknown; seed unknown"), "{text}");
        assert!(text.contains("an unknown environment"), "{text}");
        assert!(
            !text.contains("service p95") && !text.contains("service  "),
            "no table without a row: {text}"
        );
        assert!(!text.contains("seed 0") && !text.contains("0 s,"), "{text}");
    }
}

#[test]
fn a_percentile_of_few_requests_is_marked_wherever_a_person_reads_it() {
    let mut result = of_requests(50);
    let p99 = Metric::Response(Percentile::P99);
    let objectives = vec![objective(Scope::Total, p99, 500.0)];
    result.verdict = Some(judge(&Rules { objectives, baseline: None }, &result, None));
    for text in [on_screen(&result), markdown::render(&result), html::render(&result).unwrap()] {
        let text = text.replace('\u{a0}', " ");
        assert!(text.contains("†109 ms") && !text.contains("†105 ms"), "{text}");
        let plain = text.matches("so few requests that this percentile is the slowest of them").count();
        assert!(plain >= 2, "below the endpoints and the objectives: {text}");
    }
    for text in [csv::endpoints(&result).unwrap(), to_json(&result).unwrap()] {
        assert!(!text.contains('†'), "{text}");
    }
    let enough = of_requests(1_000);
    for text in [on_screen(&enough), markdown::render(&enough)] {
        assert!(!text.contains('†'), "{text}");
    }
}
