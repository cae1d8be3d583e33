//! A proposal as it reads, and that nothing in it is more than text.

use super::*;
use crate::baseline::file::Document;
use crate::result::fixture::small;

/// A baseline of so many runs.
fn remembered(runs: usize) -> Baseline {
    let mut baseline = Baseline::default();
    for index in 0..runs {
        let mut run = Run::of(&small(), None);
        let factor = 1.0 + (index * 7 % 10) as f64 / 200.0;
        run.metrics.values_mut().for_each(|numbers| numbers.p50_ms *= factor);
        run.time = format!("2026-11-{:02}T03:17:00Z", index + 1);
        baseline.insert(
            &format!("run-202611{:02}T031700Z-0000000{}", index + 1, index % 10),
            Document::Run(Box::new(run)),
        );
    }
    baseline
}

fn altered(name: &str, (before, after): (usize, usize)) -> Altered {
    let rules = Some(BaselineRules::default());
    Altered {
        name: name.into(),
        rules,
        before: remembered(before),
        after: remembered(after),
        removed: Vec::new(),
    }
}

#[test]
fn a_proposal_says_what_comes_and_what_it_does() {
    let mut one = altered("build_flow on demo", (5, 7));
    let gone = "run-20261101T031700Z-00000000";
    one.after.remove(gone);
    one.removed.push(gone.to_owned());
    let altered = [one];
    let text = format!("{}\n\n{}", title(&altered), body(&altered, "main"));
    insta::assert_snapshot!(text.replace('\u{a0}', " "), @r"
    loadgate: baseline, 2 runs of build_flow on demo

    # Baseline

    With this merged, `loadgate` remembers 2 runs more on ` main `: later runs are compared with them, too.

    To reject them, close this pull request without merging: its runs are not proposed again, and the next update begins anew. To leave out a single run, delete its file on this branch. As long as it is open, later updates add to it.

    ## Runs

    | baseline | when | commit | CPU class |
    |---|---|---|---|
    | ` build_flow on demo ` | 2026-11-06 03:17:00 UTC | ` c0ffee ` | ` amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24 ` |
    | ` build_flow on demo ` | 2026-11-07 03:17:00 UTC | ` c0ffee ` | ` amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24 ` |

    ## What it does to build\_flow on demo

    ` amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24 `: 6 runs; 0 of 6,000 requests failed. What gets worse is noticed from 11 % on at the steadiest number, and from 11.4 % on at the noisiest one.

    | number | usual | spread | found from |
    |---|--:|--:|--:|
    | ` p50 of GET /health ` | 61.2 ms → 61.3 ms | 1.75 % → 1.35 % | +11.9 % → +11.4 % |
    | ` p95 of GET /health ` | 105 ms | ≤ 1 % | +11.1 % → +11 % |

    *Usual* is the median of the runs, *spread* how much one differs from the next (standard deviation), and *found from* the smallest change for the worse that four of five runs show. Where that is more than `baseline.catch`, which is then beside it as *wanted*, only more runs or a quieter machine help.

    ## Removed

    More than `baseline.keep_runs`, or deleted on this branch:

    - ` run-20261101T031700Z-00000000 ` of ` build_flow on demo `
    ");
}

#[test]
fn the_first_runs_have_nothing_before_them() {
    let few = body(&[altered("a on b", (0, 2))], "main");
    assert!(few.contains("5 runs needed before anything is compared: 3 missing"), "{few}");
    let enough = body(&[altered("a on b", (3, 5))], "main").replace('\u{a0}', " ");
    assert!(enough.contains("| ` p50 of GET /health ` | – → "), "{enough}");
}

#[test]
fn a_title_counts_what_comes_and_calls_nobody() {
    let of = |all: &[Altered]| title(all);
    assert_eq!(of(&[altered("a on b", (5, 6))]), "loadgate: baseline, 1 run of a on b");
    // One that only loses runs is no reason.
    assert_eq!(
        of(&[altered("a on b", (0, 2)), altered("c", (5, 5))]),
        "loadgate: baseline, 2 runs of a on b"
    );
    assert_eq!(
        of(&[altered("a", (0, 2)), altered("c", (4, 5))]),
        "loadgate: baseline, 3 runs of 2 baselines"
    );
    assert_eq!(
        of(&[altered("fixes #1 @me\n", (0, 1))]),
        "loadgate: baseline, 1 run of fixes #\u{200b}1 @\u{200b}me"
    );
}

#[test]
fn a_proposal_of_very_much_loses_whole_sections_and_rows() {
    let mut many: Vec<_> =
        (0..80).map(|index| altered(&format!("scenario {index} on demo"), (0, 2))).collect();
    for it in &mut many {
        // Those of another job are told in a sentence.
        it.rules = None;
        it.removed = (0..20).map(|index| format!("run-20261101T031700Z-{index:08}")).collect();
    }
    let text = body(&many, "main");
    assert!(text.len() <= ROOM.bytes && text.chars().count() <= ROOM.chars, "{}", text.len());
    let left_out = "\nLeft out for want of room: Removed. All of it is in the files of this pull request.\n";
    assert!(text.ends_with(left_out), "{text}");
    assert!(text.starts_with("# Baseline\n\nWith this merged") && text.contains("## Runs"), "{text:.200}");
    assert_eq!(text.matches("` amd-").count(), MOST_ROWS);
    assert!(text.contains("\nand 60 more in the files of this pull request\n"), "{text}");
}

#[test]
fn names_from_outside_stay_text() {
    let hostile = "a | b</details> @me `x` <!-- \n## y";
    let mut one = altered(hostile, (0, 6));
    for run in one.after.runs.values_mut() {
        run.cpu_class = hostile.into();
        run.sha = Some("<b>@me".into());
        run.metrics = run.metrics.values().map(|numbers| (hostile.to_owned(), *numbers)).collect();
    }
    one.after.unknown.push(hostile.into());
    one.removed.push(hostile.into());
    let text = body(&[one], "ma`in");
    let parsed = comrak::markdown_to_html(&text, &github());
    for part in ["@me", "<!-- \n", "<b>", "</details> @"] {
        assert!(!parsed.contains(part), "`{part}` in\n{parsed}");
    }
    assert_eq!(parsed.matches("<h2>").count(), 4, "{parsed}");
}

fn github() -> comrak::Options<'static> {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options
}
