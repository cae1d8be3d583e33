use super::*;
use crate::result::fixture;

fn hostile() -> RunResult {
    let name = "<script>window.pwned = 1</script>\"><img src=x onerror=alert(1)>{{ 7 * 7 }}";
    let mut result = fixture::rich();
    result.name = name.to_owned();
    result.target = name.to_owned();
    result.warnings = vec![name.to_owned()];
    result.endpoints[0].name = name.to_owned();
    result.failures[0].samples = vec![name.to_owned(), "</code></script>".to_owned()];
    result.series[0].phase = name.to_owned();
    result.git.reference = Some(name.to_owned());
    result
}

#[test]
fn nothing_foreign_becomes_markup() {
    let page = render(&hostile()).unwrap();
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("<img") && !page.contains("</code></script>"));
    assert!(page.contains("&lt;script&gt;") && page.contains("{{ 7 * 7 }}"));
}

#[test]
fn the_page_lets_its_own_script_run_and_asks_nobody_for_anything() {
    let page = render(&fixture::rich()).unwrap();
    let (_, script) = page.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    assert!(page.contains(&format!("'sha256-{hash}'")));
    assert!(page.contains("default-src 'none'") && !page.contains("connect-src"));
    // The one address is the name of a language, within the icon.
    assert_eq!(page.matches("http://").count() - page.matches("http://127.0.0.1:8000").count(), 1);
    assert!(!page.contains("https://"));
}

#[test]
fn a_page_says_the_numbers_in_the_words_of_every_report() {
    let result = fixture::small();
    let page = render(&result).unwrap();
    for text in ["NOT JUDGED", "105 ms", "all requests", "GET &#x2f;health", "1,000", "AMD EPYC 7763"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_run_that_goes_on_is_no_verdict() {
    let page = live(&fixture::small(), "12 s of <30 s>").unwrap();
    assert!(page.contains("RUNNING") && page.contains("12 s of &lt;30 s&gt;"));
    assert!(page.contains("connect-src 'self'") && page.contains("data-stop"));
    assert!(!render(&fixture::small()).unwrap().contains("data-stop"));
}

#[test]
fn an_empty_result_is_a_page() {
    let mut result = fixture::of_requests(0);
    result.series.clear();
    result.endpoints.clear();
    let page = render(&result).unwrap();
    let (_, main) = page.split_once("<main").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    assert!(main.contains("The plan has no endpoint.") && !main.contains("data-filter"));
    assert!(main.contains("Nothing failed") && !main.contains("NaN") && !main.contains("inf"), "{main}");
}

#[test]
fn every_colour_is_given_once_for_light_and_dark() {
    let names = regex::Regex::new(r"(--[a-z0-9-]+): (light-dark\([^;]*\));").unwrap();
    let given: Vec<_> = names.captures_iter(STYLE).map(|found| found[1].to_owned()).collect();
    let once: std::collections::BTreeSet<_> = given.iter().collect();
    assert_eq!(once.len(), given.len(), "{given:?}");
    for name in ["--ground", "--surface", "--ink", "--accent", "--pass", "--fail", "--warn", "--p50"] {
        assert!(once.contains(&name.to_owned()), "{name}");
        assert_eq!(STYLE.matches(&format!("{name}:")).count(), 1, "{name}");
    }
    assert!(!STYLE.contains("prefers-color-scheme"), "the scheme decides, no second palette");
}

#[test]
fn failures_are_told_by_kind_and_endpoint_with_their_samples() {
    let page = render(&fixture::rich()).unwrap();
    let (_, failures) = page.split_once("id=\"part-failures\"").unwrap();
    let (failures, _) = failures.split_once("</section>").unwrap();
    let at = |text: &str| failures.find(text).unwrap_or_else(|| panic!("{text} in {failures}"));
    assert!(at("<b>timeout</b>") < at("<b>status</b>"), "the most frequent first");
    assert_eq!(failures.matches("<bdi>POST &#x2f;api&#x2f;v1&#x2f;builds</bdi>").count(), 2);
    assert!(at("23 × <bdi>") < at("no response within 30 s") && at("11 × <bdi>") < at("status 503"));
    assert!(!page.contains("Nothing failed"));
}

#[test]
fn a_table_without_rows_says_why() {
    let mut result = fixture::of_requests(0);
    result.endpoints.clear();
    // Seconds in which nothing ended have no response time to draw.
    assert_eq!(render(&result).unwrap().matches("nothing recorded").count(), 1);
    let missing = vec!["endpoints".to_owned(), "generator".to_owned()];
    result.salvaged = Some(crate::result::salvage::Salvaged { cut_in: None, missing });
    let page = render(&result).unwrap();
    assert!(page.contains("The endpoints are lost.") && page.contains("of the generator is lost"));
}
