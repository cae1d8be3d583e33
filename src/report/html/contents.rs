//! How each part of the page came out, in a few words, with a link to it: what decides is seen before one
//! scrolls. Pure; it counts what other files show.

use serde::Serialize;

use crate::report::{comparison, model, note, number};
use crate::result::schema::RunResult;

use super::{interval, page};

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The end of its id.
    id: &'static str,
    /// Its name.
    name: &'static str,
    /// How it came out: `2 broken, 4 pass`.
    text: String,
    /// How the worst in it is drawn.
    class: &'static str,
}

/// Every part that has an outcome.
pub fn contents(result: &RunResult) -> Vec<Part> {
    [objectives(result), baseline(result), failures(result)].into_iter().flatten().collect()
}

fn objectives(result: &RunResult) -> Option<Part> {
    let checks = model::checks(result);
    let class = page::class(model::rank(checks.first()?));
    let words = checks.into_iter().map(|check| note::word(note::mark(check)));
    Some(Part { id: "objectives", name: "Objectives", text: tally(words), class })
}

fn baseline(result: &RunResult) -> Option<Part> {
    result.verdict.as_ref()?.comparison.as_ref()?;
    let deltas = comparison::deltas(result);
    let class = deltas.first().map_or("quiet", |delta| interval::class(comparison::standing(delta)));
    let words = deltas.into_iter().map(|delta| note::word(note::standing(delta)));
    Some(Part { id: "baseline", name: "Baseline", text: tally(words), class })
}

fn failures(result: &RunResult) -> Option<Part> {
    let kinds = model::failed(result).map(|failure| failure.count).fold(0, u64::saturating_add);
    let (text, class) = match kinds {
        0 => ("none".to_owned(), "quiet"),
        many => (number::count(many), "fail"),
    };
    result.has("failures").then_some(Part { id: "failures", name: "Failures", text, class })
}

/// Words that stand in order of badness, each with how often it does.
fn tally(words: impl Iterator<Item = &'static str>) -> String {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let told: Vec<_> =
        counts.into_iter().map(|(word, count)| format!("{} {word}", number::count(count))).collect();
    if told.is_empty() { "nothing compared".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::judged;
    use crate::result::fixture::small;

    #[test]
    fn each_part_says_how_it_came_out_the_worst_first() {
        let told: Vec<_> =
            contents(&judged()).into_iter().map(|part| (part.id, part.text, part.class)).collect();
        assert_eq!(
            told,
            [
                ("objectives", "1 broken, 1 invalid, 1 pass".to_owned(), "fail"),
                ("failures", "34".to_owned(), "fail")
            ]
        );
        let quiet: Vec<_> = contents(&small()).into_iter().map(|part| (part.text, part.class)).collect();
        assert_eq!(quiet, [("none".to_owned(), "quiet")]);
    }
}
