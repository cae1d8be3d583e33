//! Percentiles over the judged part of a run as a chart of mermaid's `xychart-beta`. What its grammar does not
//! know must not be in it: no exponents, no quotes inside of quotes, no empty lists. Pure; the lowest and
//! the highest stand beside it as text, for it may not be drawn.

use crate::report::course::{Course, is_time};
use crate::report::number;
use crate::result::schema::{Point, RunResult};

/// More points than this are no longer told apart at the width that GitHub gives a chart.
const MOST_POINTS: usize = 60;
/// Room above the highest line.
const HEADROOM: f64 = 1.1;
/// The axis needs a length, also where nothing took any time.
const LEAST_TOP: f64 = 0.01;

/// Of the lines, in their order: mermaid's own first colour is hardly seen on white.
const COLOURS: &str =
    r##"%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#cf222e, #bf8700, #0969da"}}}}%%"##;

/// A percentile: its name, and how it is found.
type Percentile = (&'static str, fn(&Point) -> Option<f64>);

/// The highest first, so that the title can name the lines from above: nothing else does.
const LINES: [Percentile; 3] =
    [("p99", |point| point.p99_ms), ("p95", |point| point.p95_ms), ("p50", |point| point.p50_ms)];

/// The chart and what it shows in words; nothing where there are not two points.
pub fn chart(result: &RunResult) -> String {
    let whole = |point: &Point| LINES.iter().all(|(_, of)| of(point).is_some_and(is_time));
    let Some(course) = Course::of(result, MOST_POINTS, whole) else { return String::new() };
    let lines = LINES.map(|(name, of)| (name, course.highest(of).into_iter().flatten().collect::<Vec<_>>()));
    let top = lines.iter().flat_map(|(_, heights)| heights).copied().fold(LEAST_TOP, f64::max) * HEADROOM;
    let drawn: String = lines.iter().map(|(name, heights)| line(name, heights)).collect();
    let said: Vec<_> = lines.iter().rev().map(|(name, heights)| range(name, heights)).collect();
    let stretch = (course.to_s - course.from_s) / course.len() as f64;
    format!(
        "```mermaid\n{COLOURS}\nxychart-beta\n    title \"Response time of all requests: p99 above p95 above p50\"\n    \
         x-axis \"seconds since the start\" {:.1} --> {:.1}\n    y-axis \"ms\" 0 --> {top:.2}\n{drawn}```\n\n\
         {}. A point is the highest of {}; series.csv has all of them.\n",
        course.from_s,
        course.to_s,
        said.join("; "),
        number::seconds(stretch),
    )
}

fn line(name: &str, heights: &[f64]) -> String {
    let heights: Vec<_> = heights.iter().map(|height| format!("{height:.2}")).collect();
    format!("    line \"{name}\" [{}]\n", heights.join(", "))
}

/// `p95 lay in 40.1 ms … 49.4 ms`.
fn range(name: &str, heights: &[f64]) -> String {
    let end = |pick: fn(f64, f64) -> f64| heights.iter().copied().reduce(pick);
    let [low, high] = [end(f64::min), end(f64::max)]
        .map(|end| end.map_or_else(|| number::NOTHING.to_owned(), number::milliseconds));
    format!("{name} lay in {low} … {high}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::course::tests::run_of;
    use proptest::prelude::*;

    /// What can be drawn of a text, by the documented grammar: of each line its number of points. Words are in
    /// quotes and have none inside, numbers have digits and at most a point, lists have something in them.
    fn lines_of(source: &str) -> Result<Vec<usize>, String> {
        let number = r"\d+(?:\.\d+)?";
        let grammar = format!(
            "^```mermaid\n{}\nxychart-beta\n    title \"[^\"\n]+\"\n    x-axis \"[^\"\n]+\" {number} --> {number}\n    \
             y-axis \"[^\"\n]+\" {number} --> {number}\n((?:    line \"[^\"\n]+\" \\[{number}(?:, {number})*\\]\n)+)```\n\n[^`]+\n$",
            regex::escape(COLOURS),
        );
        let grammar = regex::Regex::new(&grammar).unwrap();
        let found = grammar.captures(source).ok_or_else(|| source.to_owned())?;
        Ok(found[1].lines().map(|line| line.matches(", ").count() + 1).collect())
    }

    #[test]
    fn the_grammar_knows_what_the_parser_of_mermaid_refuses() {
        let good = chart(&run_of(&[Some(1.0), Some(2.0)]));
        assert_eq!(lines_of(&good), Ok(vec![2, 2, 2]));
        for (from, to) in [
            ("[1.50, 3.00]", "[]"),
            ("1.50", "NaN"),
            ("1.50", "1.5e-3"),
            ("1.50", "inf"),
            ("\"ms\"", "\"m\"s\""),
            ("1.50", "-"),
        ] {
            let bad = good.replace(from, to);
            assert!(bad != good && lines_of(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_says_its_range_in_words_too() {
        let text = chart(&run_of(&[Some(10.0), Some(40.0), Some(20.0)]));
        assert!(text.contains("line \"p95\" [10.00, 40.00, 20.00]\n"), "{text}");
        assert!(text.contains("x-axis \"seconds since the start\" 2.0 --> 5.0\n"), "{text}");
        assert!(text.contains("p50 lay in 5.00 ms … 20.0 ms; p95 lay in 10.0 ms … 40.0 ms"), "{text}");
        assert!(text.contains("y-axis \"ms\" 0 --> 66.00\n"), "{text}");
    }

    #[test]
    fn a_moment_is_no_chart() {
        for p95 in [&[][..], &[Some(1.0)], &[Some(1.0), None]] {
            assert_eq!(chart(&run_of(p95)), "");
        }
        assert_eq!(lines_of(&chart(&run_of(&[Some(0.0), Some(0.0)]))), Ok(vec![2; 3]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_was_measured_it_parses_and_is_short(
            p95 in proptest::collection::vec(proptest::option::weighted(0.9, proptest::num::f64::ANY), 0..400),
            scale in prop_oneof![Just(1.0), Just(1e-6), Just(1e8)],
            tame in any::<bool>(),
        ) {
            let tame = |it: f64| if tame { (it.abs() % 1.0) * scale } else { it };
            let p95: Vec<_> = p95.into_iter().map(|it| it.map(tame)).collect();
            let text = chart(&run_of(&p95));
            if !text.is_empty() {
                let lines = lines_of(&text).map_err(TestCaseError::fail)?;
                prop_assert!(lines.iter().all(|n| (2..=60).contains(n) && *n == lines[0]), "{lines:?}");
                prop_assert!(text.len() < 5_000, "{}", text.len());
            }
        }
    }
}
