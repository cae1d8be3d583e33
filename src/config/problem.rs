//! One thing wrong with the configuration, and the list that collects all of them.

use super::node::Span;

/// Something wrong, where, and what would be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place; none for what no file says (a missing file).
    pub span: Option<Span>,
    /// Lower case, no full stop, backticks around what was typed.
    pub message: String,
    /// What would be valid.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), hint: None }
    }

    /// A problem without a place.
    pub fn general(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), hint: None }
    }

    /// Adds what would be valid.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The known name nearest to what was typed, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len().min(typed.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
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
