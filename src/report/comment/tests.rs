//! The comment as it reads, and as GitHub reads it: whatever names are in it, and however many.

mod failures;
mod verdict;

use comrak::nodes::NodeValue;
use comrak::{Arena, parse_document};
use proptest::prelude::*;

use super::*;
use crate::baseline::Baseline;
use crate::baseline::run::Run;
use crate::gate::judge;
use crate::load::measure::recording::Recording;
use crate::plan::rules::Confirmation;
use crate::report::course::tests::run_of;
use crate::report::markdown::tests::{github, harmless, hostile, tables};
use crate::report::terminal::tests::comparison::{compared, rules};
use crate::report::tests::judged;
use crate::result::fixture::{context, plan, run, succeed};
use crate::result::verdict::Status;

const SUMMARY: &str = "https://github.com/shop/api/actions/runs/42#summary-7";
const HEAD: &str = "abc1234abc1234abc1234abc1234abc1234abc1234";
/// Remembered runs that were so much faster, and no two alike.
const FASTER: [f64; 5] = [-0.3, -0.31, -0.29, -0.32, -0.28];

fn about() -> About {
    About {
        summary_url: Some(SUMMARY.to_owned()),
        head: Some(HEAD.to_owned()),
        trail: Vec::new(),
        source: Source::Own,
    }
}

/// A comment, with all the room there is.
fn render(result: &RunResult, about: &About) -> String {
    super::render(result, about, ROOM)
}

/// The body of an issue, likewise.
fn issue(result: &RunResult, about: &About) -> String {
    super::issue(result, about, ROOM)
}

/// Of a server that takes less.
const LITTLE: Room = Room { chars: 20_000, bytes: 20_000 };

fn past(status: Status, sha: &str) -> Past {
    Past { status, sha: sha.to_owned(), day: None }
}

/// A run of these endpoints in which one in ten got worse, and of each something failed.
fn one_in_ten_got_worse(names: &[String]) -> RunResult {
    let mut recording = Recording::new(names.len(), 1, 1);
    let requests = if names.len() == 1 { 1_000 } else { 200 };
    for endpoint in &mut recording.endpoints {
        succeed(&mut endpoint.steady, requests, 10.0, 110.0);
    }
    let borrowed: Vec<_> = names.iter().map(String::as_str).collect();
    let mut result = crate::result::summary::summarise(&plan(&borrowed), &run(recording), context());
    result.series = run_of(&[Some(90.0), Some(105.0), Some(100.0)]).series;
    let worse = |name: &str| names.iter().position(|it| it == name).is_some_and(|at| at % 10 == 0);
    let remembered = |(index, ratio): (usize, &f64)| {
        let mut run = Run::of(&result, None);
        for (name, numbers) in &mut run.metrics {
            let noise = 0.01 * index as f64;
            let ratio = 1.0 + if worse(name) { *ratio } else { noise };
            numbers.p50_ms *= ratio;
            numbers.p95_ms *= ratio;
        }
        (format!("run-{index}"), run)
    };
    let runs = FASTER.iter().enumerate().map(remembered).collect();
    let baseline = Baseline { runs, ..Baseline::default() };
    result.verdict = Some(judge(&rules(Confirmation::Off), &result, Some(&baseline)));
    result
}

fn names(n: usize, name: impl Fn(usize) -> String) -> Vec<String> {
    (0..n).map(name).collect()
}

/// The text, with spaces where no line ends.
fn spaced(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// Of each table its rows without the head, and its columns.
fn shapes(text: &str) -> Vec<(usize, usize)> {
    let arena = Arena::new();
    let tables = tables(parse_document(&arena, text, &github()));
    tables.iter().map(|rows| (rows.len() - 1, rows[0].len())).collect()
}

/// What a comment has beside folds: the trail, the link to the summary, a quote about forks.
fn ours(value: &NodeValue) -> bool {
    match value {
        NodeValue::HtmlBlock(html) => {
            let one_line = !html.literal.trim_end().contains('\n');
            one_line && html.literal.starts_with("<!-- loadgate:trail ") && html.literal.ends_with(" -->\n")
        }
        NodeValue::Link(link) => link.url == SUMMARY,
        NodeValue::BlockQuote => true,
        _ => false,
    }
}

fn fits(text: &str, room: Room) -> bool {
    text.len() <= room.bytes && text.chars().count() <= room.chars
}

/// Begins with its verdict.
fn keeps(text: &str, title: &str) -> bool {
    text.starts_with(title)
}

#[test]
fn of_one_endpoint_everything_is_there() {
    let text = render(&one_in_ten_got_worse(&names(1, |_| "GET /a".into())), &about());
    // What got worse; the objective; the error rate; the endpoint and all.
    assert_eq!(shapes(&text), [(2, 6), (1, 5), (1, 6), (2, 6)], "{text}");
    assert!(keeps(&text, "### ❌ FAILED: ") && !text.contains("Left out"), "{text}");
}

#[test]
fn of_thirty_endpoints_only_what_got_worse_is_above_the_fold() {
    let text = render(&one_in_ten_got_worse(&names(30, |n| format!("GET /api/{n}"))), &about());
    // Two numbers each of 3 endpoints; the objective; two each of 27 and the error rate; 30 and all.
    assert_eq!(shapes(&text), [(6, 6), (1, 5), (55, 6), (31, 6)], "{text}");
    let above = &text[..text.find("<details>").unwrap()];
    assert!(above.contains("` p95 of GET /api/20 `") && !above.contains("/api/21"), "{above}");
    assert!(!text.contains("Left out"), "{} characters", text.chars().count());
}

#[test]
fn of_five_hundred_with_hostile_names_the_verdict_and_the_worst_rows_stay() {
    let evil =
        "`|\n@shop/team #12 fixes #1 </details><!-- --> https://a.example ![x](y) &#64;you 漢字\u{202e}";
    let result = one_in_ten_got_worse(&names(500, |n| format!("GET /{n}/{}", evil.repeat(4))));
    for room in [ROOM, LITTLE, Room { chars: 50_000, bytes: 65_000 }] {
        let text = super::render(&result, &about(), room);
        assert!(fits(&text, room), "{} bytes, {} characters", text.len(), text.chars().count());
        assert!(keeps(&text, "### ❌ FAILED: "), "{text}");
        assert!(text.contains(SUMMARY), "{text}");
        let rows: Vec<_> = shapes(&text).into_iter().map(|(rows, _)| rows).collect();
        let arena = Arena::new();
        harmless(parse_document(&arena, &text, &github()), &ours).unwrap();
        assert_eq!(rows[0], 20, "100 got worse");
        assert!(rows.len() == 5 || text.contains("Left out for want of room: "), "{text}");
        if room == LITTLE {
            continue;
        }
        // What has no room is counted, and the room is used.
        for (shown, of) in rows[1..].iter().zip([80, 1, 901, 501]) {
            let more = format!("\nand {} more in the whole summary\n", of - shown);
            assert!(*shown == of || (*shown > 10 && text.contains(&more)), "{shown} of {of}: {text}");
        }
        assert!(!text.contains("Left out") && text.len().max(text.chars().count()) * 10 > room.chars * 9);
        assert!(text.contains("and 80 more: below\n"), "{text}");
    }
}

#[test]
fn however_little_room_there_is_the_verdict_stays() {
    let evil = "@#`".repeat(2_000);
    let mut result = one_in_ten_got_worse(&names(12, |n| format!("{evil}{n}")));
    result.name.clone_from(&evil);
    result.environment.clone_from(&evil);
    result.scenario.clone_from(&evil);
    result.warnings = vec![evil; 100];
    let about = About { trail: vec![past(Status::Passed, HEAD); 30], source: Source::Fork, ..about() };
    let least = Room { chars: 8_000, bytes: 10_000 };
    for room in [ROOM, LITTLE, least] {
        let text = super::render(&result, &about, room);
        assert!(fits(&text, room), "{} bytes, {} characters", text.len(), text.chars().count());
        assert!(text.contains("### ❌ FAILED: ") && text.contains("Reported by a fork"), "{text}");
    }
}

#[test]
fn of_what_is_certain_the_change_is_told_and_chance_has_no_sign() {
    let arena = Arena::new();
    let text = render(&compared(Confirmation::Off, &FASTER), &about());
    let worse = tables(parse_document(&arena, &text, &github()));
    let cells: Vec<_> = worse[0][1].iter().map(|cell| cell.replace('\u{a0}', " ")).collect();
    let expected =
        ["❌ worse", "p50 of GET /health", "42.0 ms → 60.0 ms, +42.8 %", "≤ +10 %", "+37.3 … +48.6 %", "yes"];
    assert_eq!(cells, expected);
    let noisy = render(&compared(Confirmation::Off, &[0.0, 0.2, -0.2, 0.25, -0.15]), &about());
    let noisy = tables(parse_document(&arena, &noisy, &github()));
    let cells: Vec<_> = noisy[0][1].iter().map(|cell| cell.replace('\u{a0}', " ")).collect();
    let expected =
        ["❔ open", "p50 of GET /health", "60.0 ms → 60.0 ms", "≤ +10 %", "−29.6 … +41.9 %", "yes"];
    assert_eq!(cells, expected);
    let same = render(&compared(Confirmation::Off, &[0.0, 0.01, -0.01, 0.02, -0.02]), &about());
    let above = &same[..same.find("<details>").unwrap()];
    assert!(!above.contains('|') && same.contains("3 numbers compared, 3 without a change that matters"));
    assert!(!same.contains("❌") && !same.contains("−0.01 %"), "{same}");
}

#[test]
fn what_got_better_comes_last_and_needs_no_acceptance() {
    let text = render(&compared(Confirmation::Off, &[0.5, 0.51, 0.49, 0.52, 0.48]), &about());
    assert!(text.contains("| ✅\u{a0}better | ` p50 of GET /health ` |"), "{text}");
    assert!(text.contains("### ✅ PASSED: ") && !text.contains("baseline accept"), "{text}");
}

#[test]
fn the_command_that_accepts_a_change_is_as_it_must_be_typed() {
    let names = names(1, |_| "GET /it's {id}; rm -rf `x`".into());
    let text = render(&one_in_ten_got_worse(&names), &about());
    let command = text.lines().find_map(|line| line.strip_prefix("    loadgate baseline accept ")).unwrap();
    let words = shlex::split(command).unwrap();
    assert_eq!(words[..4], ["--scenario", "build_flow", "-e", "demo"]);
    assert_eq!(words[5], "p50 of GET /it's {id}; rm -rf `x`");
}

#[test]
fn a_fork_is_said_to_be_one_and_gives_no_flag_to_whoever_copies() {
    let fork = About { source: Source::Fork, head: None, ..about() };
    let mut result = judged();
    let text = render(&result, &fork);
    assert!(
        text.contains("> **Reported by a fork.**") && text.contains("    loadgate run build_flow"),
        "{text}"
    );
    assert!(!text.contains("c0ffee"), "its own word for the commit is not taken: {text}");
    result.scenario = "--host=http://victim.example".into();
    assert!(!render(&result, &fork).contains("    loadgate run"));
}

#[test]
fn a_bar_in_a_name_is_a_bar_inside_and_outside_of_tables() {
    let mut result = one_in_ten_got_worse(&names(1, |_| "GET /a|b".into()));
    (result.name, result.scenario) = ("a|b".into(), "c|d".into());
    let text = render(&result, &about());
    assert!(
        text.starts_with("### ❌ FAILED: ` c|d ` on ` demo `\n") && text.contains("\n` a|b ` · "),
        "{text}"
    );
    let arena = Arena::new();
    let rows = tables(parse_document(&arena, &text, &github()));
    assert_eq!((rows[0][1].len(), rows[0][1][1].as_str()), (6, "p50 of GET /a|b"), "{text}");
}

#[test]
fn a_long_name_is_cut_in_sentences_too_and_whole_in_commands() {
    let name = format!("GET /{}", "x".repeat(400));
    let rows = names(1, |_| name.clone());
    let text = render(&one_in_ten_got_worse(&rows), &about());
    let sentence = text.lines().nth(2).unwrap();
    assert!(sentence.len() < 300 && sentence.ends_with("tolerated\\)"), "{sentence}");
    assert!(text.contains(&format!("--metric 'p50 of {name}'")), "{text}");
    let mut none = compared(Confirmation::Off, &[]);
    none.verdict.as_mut().unwrap().checks[0].scope = crate::result::verdict::CheckScope::Endpoint;
    none.verdict.as_mut().unwrap().checks[0].endpoint = Some(name);
    let text = render(&none, &about());
    let limit = text.lines().find(|line| line.starts_with("- p95 of GET ")).unwrap();
    assert!(
        limit.chars().count() < 150 && limit.ends_with("… ≤ 2 s") || limit.ends_with("x ≤ 2 s"),
        "{limit}"
    );
}

#[test]
fn only_an_address_becomes_a_link() {
    for url in
        ["javascript:alert(1)", "https://a.example/) [b](https://c.example", "https://a\n", "", "http://a b"]
    {
        let text = render(&judged(), &About { summary_url: Some(url.to_owned()), ..about() });
        assert!(!text.contains("](") && !text.contains("the whole summary"), "{url}: {text}");
    }
}

/// The result with this in place of every name that comes from outside.
fn named(result: &mut RunResult, [endpoint, other, sample]: &[String; 3]) {
    for text in [&mut result.name, &mut result.environment, &mut result.plan_digest] {
        text.clone_from(other);
    }
    result.scenario.clone_from(endpoint);
    result.warnings = vec![sample.clone(), other.clone()];
    for of in &mut result.endpoints {
        of.name.clone_from(endpoint);
    }
    for failure in &mut result.failures {
        (failure.endpoint, failure.kind) = (endpoint.clone(), other.clone());
        failure.samples = vec![sample.clone()];
    }
    let Some(verdict) = &mut result.verdict else { return };
    for check in &mut verdict.checks {
        (check.endpoint, check.message) = (Some(endpoint.clone()), Some(sample.clone()));
    }
    for delta in &mut verdict.deltas {
        delta.endpoint = delta.endpoint.as_ref().map(|_| other.clone());
    }
    if let Some(comparison) = &mut verdict.comparison {
        comparison.cpu_class.clone_from(sample);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_name_is_markup_calls_anybody_or_changes_a_table(names in [hostile(), hostile(), hostile()]) {
        let fork = About { source: Source::Fork, head: Some(names[0].clone()), ..about() };
        let cases = [
            (judged(), vec![(2, 6), (2, 4), (1, 5), (7, 6)]),
            (compared(Confirmation::Off, &FASTER), vec![(2, 6), (1, 5), (1, 6), (2, 6)]),
            (compared(Confirmation::Off, &[]), vec![(1, 5), (2, 6)]),
        ];
        for (mut result, shape) in cases {
            named(&mut result, &names);
            for (text, room) in [
                (render(&result, &about()), ROOM),
                (render(&result, &fork), ROOM),
                (issue(&result, &about()), ROOM),
                (super::render(&result, &about(), LITTLE), LITTLE),
            ] {
                let arena = Arena::new();
                harmless(parse_document(&arena, &text, &github()), &ours)?;
                prop_assert!(fits(&text, room));
                prop_assert_eq!(shapes(&text), shape.clone(), "{}", text);
            }
            let title = title(&result);
            prop_assert!(!title.contains(char::is_control) && title.chars().count() < 200, "{}", title);
        }
    }
}
