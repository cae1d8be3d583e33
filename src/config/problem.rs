//! One thing wrong with the configuration, and the list that collects all of them.

use super::node::Span;

/// Something wrong, where, and what would be valid.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The place; none for what no file says (a missing file).
    pub span: Option<Span>,
    /// Lower case, no full stop, backticks around what was typed.
    pub message: String,
    /// What would be valid.
    pub hint: Option<String>,
}

/// The longest message, in characters: what was typed may be of any length.
const LONGEST_MESSAGE: usize = 600;
/// The longest hint, in characters.
const LONGEST_HINT: usize = 4_000;

impl Problem {
    /// A problem at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::general(message) }
    }

    /// A problem without a place.
    pub fn general(message: impl Into<String>) -> Self {
        Self { span: None, message: shortened(message.into(), LONGEST_MESSAGE), hint: None }
    }

    /// Adds what would be valid.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shortened(hint.into(), LONGEST_HINT));
        self
    }
}

/// A text without its middle, where it is too long to be read.
fn shortened(text: String, longest: usize) -> String {
    if text.len() <= longest || text.chars().count() <= longest {
        return text;
    }
    let half = longest / 2;
    let begin: String = text.chars().take(half).collect();
    let end: Vec<char> = text.chars().rev().take(half).collect();
    format!("{begin} … {}", end.into_iter().rev().collect::<String>())
}

/// The known name nearest to what was typed, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(typed, name), name))
        .filter(|(distance, name)| is_near(typed, name, *distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters differ; none where only their case does.
fn distance(typed: &str, name: &str) -> usize {
    if typed.eq_ignore_ascii_case(name) { 0 } else { strsim::damerau_levenshtein(typed, name) }
}

/// A slip in one of three letters, or the end of a word that is missing or too much.
fn is_near(typed: &str, name: &str, distance: usize) -> bool {
    let length = name.len().min(typed.len());
    let continued = length >= 3 && (name.starts_with(typed) || typed.starts_with(name));
    distance <= 1.max(length / 3) || (continued && distance <= length)
}

/// `did you mean …? known: …`, for a name that is not among the known ones.
pub fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let names: Vec<&str> = known.clone().into_iter().collect();
    let list =
        if names.is_empty() { "known: none".to_owned() } else { format!("known: {}", names.join(", ")) };
    match nearest(typed, known) {
        Some(name) => format!("did you mean `{name}`? {list}"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let known = ["p95", "p99", "error_rate", "throughput"];
        for (typed, name) in [
            ("p95th", Some("p95")),
            ("eror_rate", Some("error_rate")),
            ("error", Some("error_rate")),
            ("x", None),
            ("P95", Some("p95")),
            ("THROUGHPUT", Some("throughput")),
        ] {
            assert_eq!(nearest(typed, known), name, "{typed}");
        }
        assert_eq!(suggestion("p9", ["p95"]), "did you mean `p95`? known: p95");
        assert_eq!(suggestion("zzz", []), "known: none");
    }
}
