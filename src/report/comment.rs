//! What a pull request is told about a run, in one comment that is kept up to date, and what the issue of a
//! nightly run says. Pure: the line that marks a comment as ours, and sending it, are github's.

mod detail;
mod failure;
mod opening;
mod row;
pub mod trail;

use crate::result::schema::RunResult;
use crate::result::verdict::Status;

use super::adoption::{self, Adoption, Step};
use super::comparison::{self, Standing};
use super::markdown::escape::plain;
use super::markdown::section::{Importance, Room, Section, joined_of};
use super::markdown::table::{below, list, verbatim};
use super::text::{printable, shorten};
use super::{model, number, sentence};

use trail::Past;

/// GitHub refuses a body of more than 65,536 characters. The rest is for the line that marks it, and for a
/// server that counts otherwise: even in bytes this is less.
pub const ROOM: Room = Room { chars: 60_000, bytes: 65_000 };
/// Characters of a name in the title of an issue: GitHub allows 256 in all.
const LONGEST_IN_TITLE: usize = 60;
/// The most numbers that the command names which accepts them.
const MOST_ACCEPTED: usize = 20;

/// What a result does not know of the place where it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The page of the job summary.
    pub summary_url: Option<String>,
    /// The commit of the branch, not of a merge that nobody made.
    pub head: Option<String>,
    /// Former verdicts, the oldest first, without this one.
    pub trail: Vec<Past>,
    /// Whose numbers they are.
    pub source: Source,
}

/// Who made the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A job of this repository.
    Own,
    /// A job of a fork, which can report any numbers.
    Fork,
}

/// Where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    PullRequest,
    Issue,
}

/// The body of a comment, in the room that a server allows.
pub fn render(result: &RunResult, about: &About, room: Room) -> String {
    joined_of(&sections(result, about, Place::PullRequest), room, whole(about))
}

/// The body of the issue of a scheduled run, likewise.
pub fn issue(result: &RunResult, about: &About, room: Room) -> String {
    joined_of(&sections(result, about, Place::Issue), room, whole(about))
}

/// Where everything is that has no room.
fn whole(about: &About) -> &'static str {
    if opening::summary(about).is_some() { "the whole summary" } else { "result.json" }
}

/// The title of that issue: one line of plain text, the same for every run of a scenario on an environment
/// that ends alike.
pub fn title(result: &RunResult) -> String {
    let word = sentence::headline(result).word.to_lowercase();
    title_of(&result.scenario, model::environment(result), &word)
}

/// The title of the issue about a run that could not do its work.
pub fn title_of_error(scenario: &str, environment: &str) -> String {
    title_of(scenario, environment, "could not run")
}

fn title_of(scenario: &str, environment: &str, word: &str) -> String {
    let [scenario, environment] =
        [scenario, environment].map(|name| shorten(&printable(name), LONGEST_IN_TITLE));
    let title = format!("loadgate: {scenario} on {environment}: {word}");
    // Who is mentioned in a title is told.
    title.replace('@', "@\u{200b}").replace('#', "#\u{200b}")
}

/// The verdict first, then what it rests on; what one looks up is folded.
fn sections(result: &RunResult, about: &About, place: Place) -> Vec<Section> {
    let judged = |name, body| Section::bare(Importance::Judged, name, body);
    let detail = |(heading, body): (String, String)| Section::new(Importance::Detail, &heading, body);
    let all = [
        Section::bare(Importance::Verdict, "the verdict", opening::opening(result, about, place)),
        judged("what decided", row::table(result)),
        judged("what failed", failure::first(result)),
        judged("why", row::notes(result)),
        judged("how to accept a change", acceptance(result)),
        first_steps(result, about),
        Section::bare(Importance::Measured, "p95 over time", detail::course(result)),
    ];
    let folded = detail::all(result, about).into_iter().filter_map(detail);
    all.into_iter().flatten().chain(folded).collect()
}

/// How what got worse is accepted, where that was meant.
fn acceptance(result: &RunResult) -> String {
    let Some(command) = comparison::acceptance(result, MOST_ACCEPTED) else { return String::new() };
    let worse = comparison::deltas(result).into_iter().map(comparison::standing);
    let worse = worse.filter(|standing| *standing == Standing::Worse).count();
    let of = number::count(worse as u64);
    let named = if worse > MOST_ACCEPTED {
        format!(" This names the first {MOST_ACCEPTED} of {of} numbers.")
    } else {
        String::new()
    };
    format!(
        "Find out what changed. **If it is meant**, accept it on this branch, and commit the folder of the \
         baseline:\n\n{}\nWhat is accepted starts anew: from runs with the change in place, once they are \
         remembered (loadgate baseline update).{named}\n",
        verbatim(&command)
    )
}

/// What those read who have nothing to compare with yet: openly in the first comment, unless something is wrong
/// that must be read before; then folded.
fn first_steps(result: &RunResult, about: &About) -> Option<Section> {
    let text = adopted(&adoption::adoption(result)?);
    let status = result.verdict.as_ref().map(|verdict| verdict.status);
    let nothing_wrong = matches!(status, Some(Status::Passed | Status::Inconclusive));
    if about.trail.is_empty() && nothing_wrong {
        Section::bare(Importance::Judged, "what comes next", text)
    } else {
        Section::new(Importance::Detail, "What decides now, and what comes next", text)
    }
}

fn adopted(adoption: &Adoption) -> String {
    let step = |step: &Step| {
        let code = step.code.as_deref().map_or_else(String::new, verbatim);
        below(format!("{}\n", plain(&step.say)), &code)
    };
    let steps: Vec<_> = adoption.steps.iter().map(step).collect();
    let decides = format!("**What decides now:** {}\n", plain(&adoption.decides));
    let next = format!("**What comes next:** {}\n{}\n", steps.join("\n"), plain(adoption.then));
    below(below(decides, &list(&adoption.limits)), &next)
}

/// Several things of which so many are named.
fn and_more(n: usize) -> Option<String> {
    (n > 0).then(|| format!("and {} more", number::count(n as u64)))
}

#[cfg(test)]
mod tests;
