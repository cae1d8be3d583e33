//! Windows of objectives in words: which one was the worst, how many broke, and what stopped a run.

use crate::metric::Metric;
use crate::result::verdict::{Check, CheckStatus, CheckUnit};
use crate::result::window::Aborted;

use super::{number, sentence, text};

/// What part of the run a check is about: ` in every 10 s`, ` over the whole run`; nothing where it is the usual one.
pub fn every(check: &Check) -> String {
    if check.whole_run {
        return " over the whole run".to_owned();
    }
    let length = check.window.map(|window| number::seconds(window.length_s as f64));
    length.map_or_else(String::new, |length| format!(" in every {length}"))
}

/// ` from 4 s to 6 s`, the worst window; nothing where there is none.
pub fn worst(check: &Check) -> String {
    let Some((window, from)) = check.window.and_then(|window| Some((window, window.t_s?))) else {
        return String::new();
    };
    let to = from + window.length_s as f64;
    format!(" from {} to {}", number::seconds(from), number::seconds(to))
}

/// `2 of 14 windows broke, the worst from 4 s to 6 s`, of a check that did not pass.
pub fn broken(check: &Check) -> Option<String> {
    let window = check.window.filter(|window| window.judged > 0)?;
    let of = format!("of {} windows", number::count(window.judged));
    match check.status {
        CheckStatus::Fail => {
            Some(format!("{} {of} broke, the worst{}", number::count(window.broken), worst(check)))
        }
        CheckStatus::Undecided => {
            Some(format!("{} {of} had too little to say", number::count(window.undecided)))
        }
        _ => None,
    }
}

/// `; it stopped the run after 12 s`.
pub fn stopped(check: &Check) -> String {
    let at = check.aborted_at_s.map(number::seconds);
    at.map_or_else(String::new, |at| format!("; it stopped the run after {at}"))
}

/// What stopped a run, and when.
pub fn aborted(aborted: &Aborted) -> String {
    let unit = Metric::named(&aborted.metric).map_or(CheckUnit::Count, CheckUnit::from);
    let scope = text::name(sentence::place(aborted.scope, aborted.endpoint.as_deref()));
    let window = aborted.length_s.map(|length| number::seconds(length as f64));
    format!(
        "the run was stopped early, after {}: {} of {scope} was {}{}, limit {}",
        number::seconds(aborted.at_s),
        aborted.metric,
        number::value(unit, aborted.value),
        window.map_or_else(|| " so far".to_owned(), |length| format!(" in a window of {length}")),
        number::limit(unit, aborted.limit),
    )
}
