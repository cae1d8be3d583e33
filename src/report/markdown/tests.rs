//! The summary as it looks, and as GitHub reads it, whatever names are in it.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use proptest::prelude::*;

use super::{model, render};
use crate::plan::rules::Confirmation;
use crate::report::terminal::tests::comparison::compared;
use crate::report::tests::judged;
use crate::report::text::{printable, shorten};
use crate::result::fixture::small;
use crate::result::schema::RunResult;

/// What GitHub understands.
pub fn github() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options
}

/// What a hostile service, repository or user could put in a name.
pub fn hostile() -> impl Strategy<Value = String> {
    let parts = [
        "|",
        "\\|",
        "\\",
        "`",
        "``",
        "\n",
        "\r\n",
        "@octocat",
        "@shop/team",
        "&#64;octocat",
        "&commat;octocat",
        "fixes #1",
        "shop/api#1",
        "GH-1",
        "-->",
        "<!-- loadgate:trail failed abc1234 -->",
        "<details><summary>",
        "#1",
        "<b>",
        "<!--",
        "</details>",
        "<img src=x>",
        "https://a.example",
        "www.a.example",
        "[a](b)",
        "![a](b)",
        "&lt;",
        "*",
        "_",
        "~~",
        "- ",
        "1. ",
        "    ",
        "# ",
        "\u{202e}",
        "\u{200b}",
        "\u{1b}[31m",
        "---",
        "a@b.example",
        "[^1]",
        "$x$",
        "GET /a",
        "ß漢",
    ];
    let part =
        prop_oneof![4 => proptest::sample::select(parts.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// The result with this in place of every name that comes from outside.
fn named(names: &[String; 3]) -> RunResult {
    let [endpoint, other, sample] = names;
    let mut result = judged();
    for text in [&mut result.name, &mut result.environment, &mut result.target, &mut result.plan_digest] {
        text.clone_from(other);
    }
    result.scenario.clone_from(endpoint);
    result.warnings = vec![sample.clone(), other.clone()];
    for endpoint_of in &mut result.endpoints {
        endpoint_of.name.clone_from(endpoint);
    }
    for failure in &mut result.failures {
        failure.endpoint.clone_from(endpoint);
        failure.kind.clone_from(other);
        failure.samples = vec![sample.clone(), other.clone()];
    }
    result.metrics[0].name.clone_from(other);
    for check in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.checks) {
        check.endpoint = Some(endpoint.clone());
        check.message = Some(sample.clone());
    }
    result
}

/// The tables of a text: of each row its cells, as GitHub shows them.
pub fn tables<'a>(root: &'a AstNode<'a>) -> Vec<Vec<Vec<String>>> {
    let is_table = |node: &&AstNode<'a>| matches!(node.data().value, NodeValue::Table(_));
    let cells = |row: &'a AstNode<'a>| row.children().map(shown).collect();
    root.descendants().filter(is_table).map(|table| table.children().map(cells).collect()).collect()
}

fn shown<'a>(node: &'a AstNode<'a>) -> String {
    let text = |node: &'a AstNode<'a>| match &node.data().value {
        NodeValue::Text(text) => text.to_string(),
        NodeValue::Code(code) => code.literal.clone(),
        _ => String::new(),
    };
    node.descendants().map(text).collect::<String>().replace('\u{200b}', "")
}

/// Nothing is markup but what this program wrote, and `ours`; nobody is called, no issue is named.
pub fn harmless<'a>(root: &'a AstNode<'a>, ours: &dyn Fn(&NodeValue) -> bool) -> Result<(), TestCaseError> {
    let named = regex::Regex::new(r"(?i)@\w|#\d|\bgh-\d").unwrap();
    for node in root.descendants() {
        let value = &node.data().value;
        match value {
            _ if ours(value) => {}
            NodeValue::HtmlBlock(html) => {
                let ours = html.literal.starts_with("<details><summary>") || html.literal == "</details>\n";
                prop_assert!(ours && !html.literal.trim_end().contains('\n'), "{}", html.literal);
            }
            NodeValue::HtmlInline(_)
            | NodeValue::Link(_)
            | NodeValue::Image(_)
            | NodeValue::BlockQuote
            | NodeValue::Strikethrough
            | NodeValue::Emph
            | NodeValue::FootnoteReference(_) => prop_assert!(false, "markup: {value:?}"),
            _ => {}
        }
        let said = said(node);
        prop_assert!(!named.is_match(&said), "somebody or something is named in {said:?}");
    }
    Ok(())
}

/// The text of a node as GitHub looks for names in it: not that of code.
fn said<'a>(node: &'a AstNode<'a>) -> String {
    let text = |node: &'a AstNode<'a>| match &node.data().value {
        NodeValue::Text(text) => text.to_string(),
        _ => "\n".to_owned(),
    };
    node.children().map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_name_leaves_its_cell_is_markup_or_calls_anybody(names in [hostile(), hostile(), hostile()]) {
        let result = named(&names);
        let arena = Arena::new();
        let text = render(&result);
        let root = parse_document(&arena, &text, &github());
        harmless(root, &|_| false)?;
        let tables = tables(root);
        let endpoints = &tables[2];
        prop_assert_eq!(
            tables.iter().map(|rows| (rows.len() - 1, rows[0].len())).collect::<Vec<_>>(),
            [(3, 6), (result.failures.len(), 4), (result.endpoints.len() + 1, 6), (1, 6), (11, 2), (7, 6)],
            "objectives, failures, endpoints, metrics, the run, times: {}", text
        );
        for (row, expected) in endpoints[1..].iter().zip(model::endpoints(&result)) {
            let name = shorten(&printable(&expected.name), 120);
            let said = row[0].strip_prefix("! ").unwrap_or(&row[0]);
            prop_assert_eq!(said, if name.is_empty() { "–" } else { name.as_str() });
            prop_assert_eq!(row[5].replace('\u{a0}', " "), expected.p99);
        }
        prop_assert!(tables.iter().flatten().skip(1).flatten().filter(|cell| cell.is_empty()).count() <= 3);
    }
}

#[test]
fn what_got_worse_is_a_row_of_six_with_change_interval_and_budget() {
    let mut result = compared(Confirmation::Off, &[-0.3, -0.31, -0.29, -0.32, -0.28]);
    for delta in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.deltas) {
        delta.endpoint = delta.endpoint.as_ref().map(|_| "a|`b".to_owned());
    }
    let arena = Arena::new();
    let text = render(&result);
    let tables = tables(parse_document(&arena, &text, &github()));
    let rows: Vec<Vec<_>> =
        tables[0].iter().map(|row| row.iter().map(|cell| cell.replace('\u{a0}', " ")).collect()).collect();
    assert_eq!(rows[0], ["", "number", "baseline → now", "change", "lies in", "budget"]);
    assert_eq!(rows[1][..4], ["✗ worse", "p50 of a|`b", "42.0 ms → 60.0 ms", "+42.8 %"]);
    assert_eq!((rows.len(), rows[1][5].as_str()), (4, "10 %"));
    assert!(text.starts_with("# ❌ FAILED\n\n2 numbers got worse, first: p50 of a"), "{text}");
}

#[test]
fn a_small_run_is_a_small_summary() {
    insta::assert_snapshot!(render(&small()).replace('\u{a0}', " "), @r"
    # ❔ NOT JUDGED

    the result holds no verdict

    ` hyperkit `: ` build_flow ` on ` demo `

    ## Endpoints (response time, steady phase)

    | endpoint | ok | failed | ok/s | p95 | p99 |
    |---|--:|--:|--:|--:|--:|
    | ` GET /health ` | 1,000 | 0 | 35.7 | 105 ms | 109 ms |
    | ` all ` | 1,000 | 0 | 35.7 | 105 ms | 109 ms |

    ## Custom metrics

    | metric | count | p50 | p95 | p99 | max |
    |---|--:|--:|--:|--:|--:|
    | ` build_created ` | 0 | – | – | – | – |

    <details><summary>The same run again</summary>

        loadgate run build_flow -e demo --users 100 --spawn-rate 50/s --run-time 30s

    Configuration and target must be the same: add --config, --demo, --host and --set as they were given. The plan is the same if its digest is 0f1e2d.

    </details>

    <details><summary>The run and its generator</summary>

    |  | of the run |
    |---|---|
    | load | 100 users, 50 a second; 30 s, of which 28 s are judged; seed 42 |
    | generator | 9.13 µs of CPU a request, 20.4 % of its cores busy, 100 % of the plan started, 0.12 ms late at p99, woken 0.11 ms late at p99, 0 % of the CPU stolen, 20.4 MB |
    | machine | 4 CPUs, AMD EPYC 7763 64-Core Processor |
    | environment | ` demo ` |
    | target | ` http://127.0.0.1:8000 ` |
    | began | ` 2026-11-24 10:15:00 UTC ` |
    | seed | 42 |
    | plan digest | ` 0f1e2d ` |
    | commit | ` c0ffee `, ` refs/heads/main ` |
    | exit status | – |
    | loadgate | ` 0.1.0 ` |

    </details>

    <details><summary>Every endpoint: more times</summary>

    | endpoint | p50 | p95 | p99 | max | service p95 |
    |---|--:|--:|--:|--:|--:|
    | ` GET /health ` | 60.0 ms | 105 ms | 109 ms | 110 ms | 94.5 ms |
    | ` all ` | 60.0 ms | 105 ms | 109 ms | 110 ms | 94.5 ms |

    </details>
    ");
}

#[test]
fn what_is_broken_comes_first_and_says_what_to_do() {
    let text = render(&judged());
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in {text}"));
    let order = [
        "# ❌ FAILED\n\n1 objective is broken: p95 of POST /api/v1/builds is 3.",
        "\nNext: find out what changed; the limit stands in line 41",
        "- the port 9090 is taken",
        "## Objectives\n\n|  | metric | of | value | limit | n |\n|---|---|---|--:|--:|--:|\n| ✗ broken | p95 |",
        "## Failures (whole run)\n\n| count | kind | endpoint | a sample |",
        "| 23 | ` timeout ` | ` POST /api/v1/builds ` | ` no response within 30 s ` |",
        "## Endpoints",
        "| \\! ` POST /api/v1/builds ` | 2,300 | 34 |",
        "## Custom metrics",
        "<details><summary>The same run again</summary>\n\n    loadgate run build_flow -e demo",
        "| plan digest | ` 0f1e2d ` |",
    ];
    let places: Vec<_> = order.into_iter().map(at).collect();
    assert!(places.is_sorted(), "{places:?} of {text}");
    assert!(!text.contains("hunter2"));
}

#[test]
fn a_summary_beyond_the_budget_has_the_first_rows_of_its_largest_tables_and_says_so() {
    let mut result = judged();
    let endpoint = result.endpoints[0].clone();
    result.endpoints.extend(std::iter::repeat_n(endpoint, 8_000));
    let text = render(&result);
    assert!(text.len() <= 1_000_000, "{}", text.len());
    assert!(text.starts_with("# ❌ FAILED") && !text.contains("Left out"));
    let arena = Arena::new();
    let rows: Vec<_> =
        tables(parse_document(&arena, &text, &github())).iter().map(|rows| rows.len() - 1).collect();
    let [.., times] = rows[..] else { panic!("{rows:?}") };
    let all = result.endpoints.len() + 1;
    assert!(rows.contains(&all), "measured numbers stay longer than details: {rows:?}");
    assert!(
        times > 1_000
            && text.contains(&format!(
                "and {} more in result.json",
                crate::report::number::count((all - times) as u64)
            ))
    );
}
