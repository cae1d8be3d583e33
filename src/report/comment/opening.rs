//! The beginning of a comment, which stays whatever the room: the verdict, what to do, what was run, and how it
//! went before. Pure.

use crate::report::markdown::escape::{code, plain};
use crate::report::markdown::table;
use crate::report::markdown::{PART, aside};
use crate::report::next::Next;
use crate::report::sentence::Headline;
use crate::report::text::{capital, glued, shorten};
use crate::report::{adoption, comparison, model, sentence, sign};
use crate::result::schema::RunResult;
use crate::result::verdict::{Reason, Status};

use super::{About, Place, Source, detail, trail};

/// Characters of what decided, and of what to do. Names in them may be long; a reader has the table.
const LONGEST: usize = 600;

const OF_A_FORK: &str = "> **Reported by a fork.** A job of the fork measured this, and it can report any numbers. Take it as a \
     claim of its author: what must hold, measure here.";
const ISSUE: &str = "The next run that passes closes this issue.";

/// The first lines.
pub fn opening(result: &RunResult, about: &About, place: Place) -> String {
    let headline = sentence::headline(result);
    let own = (about.source == Source::Own).then_some(result.git.sha.as_deref()).flatten();
    let head = about.head.as_deref().or(own);
    let trail = trail::with_this(&about.trail, result, head);
    let next = headline.next.as_ref().filter(|_| !is_said_below(result, about));
    let paragraphs = [
        Some(title(result, &headline)),
        (about.source == Source::Fork).then(|| OF_A_FORK.to_owned()),
        result.is_partial().then(|| PART.trim_end().to_owned()),
        Some(plain(&glued(&capital(&shorten(&headline.sentence, LONGEST))))),
        next.map(|next| what_next(next, detail::is_safe(result, about))),
        Some(of_what(result, head, about)),
        trail::shown(&trail, place),
        (place == Place::Issue && !is_passed(result)).then(|| ISSUE.to_owned()),
    ];
    let paragraphs: Vec<_> = paragraphs.into_iter().flatten().collect();
    paragraphs.join("\n\n") + "\n"
}

fn title(result: &RunResult, headline: &Headline) -> String {
    let [scenario, environment] = [&result.scenario, model::environment(result)].map(code);
    let aside = aside(headline);
    format!("### {} {}: {scenario} on {environment}{aside}", sign::of_run(result), headline.word)
}

/// What to do; a command that would be cut, or that a fork could have made to be one's own, is not given.
fn what_next(next: &Next, is_safe: bool) -> String {
    let command = next.command.clone().filter(|command| is_safe && command.chars().count() <= LONGEST);
    let next = Next { say: shorten(&next.say, LONGEST), command };
    table::next(&next).trim_end().to_owned()
}

fn is_passed(result: &RunResult) -> bool {
    result.verdict.as_ref().is_some_and(|verdict| verdict.status == Status::Passed)
}

/// Whether a part of the comment of its own says what to do.
fn is_said_below(result: &RunResult, about: &About) -> bool {
    let reason = result.verdict.as_ref().and_then(|verdict| verdict.reasons.first());
    match reason {
        Some(Reason::Regression) => true,
        Some(Reason::BuildingBaseline | Reason::NoBaseline) => {
            about.trail.is_empty() && adoption::adoption(result).is_some_and(|it| it.steps.len() > 1)
        }
        _ => false,
    }
}

/// `hyperkit · commit abc1234 · compared with 5 runs on this CPU (9 in all) · the whole summary`.
fn of_what(result: &RunResult, head: Option<&str>, about: &About) -> String {
    let head = head.map(|sha| format!("commit {}", trail::commit(sha)));
    let compared = result.verdict.as_ref().and_then(|verdict| verdict.comparison.as_ref());
    let compared = compared.filter(|compared| compared.checks > 0);
    let compared = compared.map(|compared| plain(&format!("compared with {}", comparison::past(compared))));
    let report = match about.source {
        Source::Own => " (the artifact of that run has the whole report)",
        Source::Fork => "",
    };
    let link = summary(about).map(|url| format!("[the whole summary]({url}){report}"));
    [Some(code(&result.name)), head, compared, link].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The page of the summary, where it can be a link.
pub fn summary(about: &About) -> Option<&str> {
    about.summary_url.as_deref().filter(|url| is_address(url))
}

/// Whether it can stand in a link as it is.
fn is_address(url: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#%&=+,".contains(c);
    (url.starts_with("https://") || url.starts_with("http://")) && url.chars().all(harmless)
}
