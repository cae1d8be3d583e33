//! The last verdicts, from comment to comment: what a reader sees, and the line that the next comment reads
//! them from. Pure. What is read was written by us and may have been edited by others: only what is exactly a
//! verdict counts.

use jiff::civil::Date;

use crate::report::markdown::escape::code;
use crate::report::{number, sentence};
use crate::result::schema::RunResult;
use crate::result::verdict::Status;

use super::{Place, sign};

/// More are no history that anybody reads.
const MOST: usize = 10;
/// Before the line that is not shown.
const OPENS: &str = "<!-- loadgate:trail ";
const CLOSES: &str = " -->";
/// The line is below the one that marks the comment, or the first.
const LOOKED_AT: usize = 2;
/// Digits by which people know a commit.
const SHORT: usize = 7;
/// Digits of the longest hash.
const LONGEST: usize = 64;
const ALL: [Status; 5] =
    [Status::Passed, Status::Failed, Status::Inconclusive, Status::Invalid, Status::Interrupted];

/// The verdict on a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// How the run was judged.
    pub status: Status,
    /// The commit.
    pub sha: String,
    /// When it began, where that is known.
    pub day: Option<Date>,
}

/// The verdicts that a comment of ours has told, the oldest first: to be handed to the next one.
pub fn read(body: &str) -> Vec<Past> {
    let line = body.lines().take(LOOKED_AT).find_map(|line| line.strip_prefix(OPENS)?.strip_suffix(CLOSES));
    let mut trail: Vec<_> = line.iter().flat_map(|line| line.split("; ")).filter_map(entry).collect();
    trail.split_off(trail.len().saturating_sub(MOST))
}

fn entry(text: &str) -> Option<Past> {
    let mut words = text.split(' ');
    let (word, sha, day) = (words.next()?, words.next()?, words.next());
    let status = ALL.into_iter().find(|status| name(*status) == word)?;
    let day = day.map(str::parse).transpose().ok()?;
    (is_commit(sha) && words.next().is_none()).then(|| Past { status, sha: sha.to_owned(), day })
}

/// The line that is not shown; nothing where nothing is to be remembered.
pub(super) fn line(trail: &[Past]) -> String {
    let entry = |past: &Past| {
        let day = past.day.map_or_else(String::new, |day| format!(" {day}"));
        format!("{} {}{day}", name(past.status), past.sha)
    };
    let entries: Vec<_> = trail.iter().filter(|past| is_commit(&past.sha)).map(entry).collect();
    if entries.is_empty() { String::new() } else { format!("{OPENS}{}{CLOSES}\n", entries.join("; ")) }
}

/// Former verdicts and this one; this one alone is no history.
pub(super) fn shown(trail: &[Past], place: Place) -> Option<String> {
    let entry = |past: &Past| match (place, past.day) {
        (Place::Issue, Some(day)) => format!("{} {day} {}", sign::of_status(past.status), commit(&past.sha)),
        _ => format!("{} {}", sign::of_status(past.status), commit(&past.sha)),
    };
    let entries: Vec<_> = trail.iter().map(entry).collect();
    (entries.len() > 1).then(|| entries.join(" → "))
}

/// The last verdicts with that of this run.
pub(super) fn with_this(former: &[Past], result: &RunResult, head: Option<&str>) -> Vec<Past> {
    let began = number::moment(&result.started_at);
    let day = began.split(' ').next().and_then(|day| day.parse().ok());
    let verdict = result.verdict.as_ref().zip(head.filter(|sha| is_commit(sha)));
    let this = verdict.map(|(verdict, sha)| Past { status: verdict.status, sha: sha.to_owned(), day });
    // A run that is told again is no new one.
    let told = this.is_some() && former.last() == this.as_ref();
    let mut trail: Vec<_> = former.iter().cloned().chain(this.filter(|_| !told)).collect();
    trail.split_off(trail.len().saturating_sub(MOST))
}

/// A commit as GitHub makes a link of; what is none stays text.
pub(super) fn commit(sha: &str) -> String {
    if is_commit(sha) { sha.chars().take(SHORT).collect() } else { code(sha) }
}

fn is_commit(sha: &str) -> bool {
    (SHORT..=LONGEST).contains(&sha.len()) && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn name(status: Status) -> String {
    sentence::word(status).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "abc1234abc1234abc1234abc1234abc1234abc1234";

    fn past(status: Status, sha: &str) -> Past {
        Past { status, sha: sha.to_owned(), day: None }
    }

    #[test]
    fn what_one_comment_says_the_next_one_reads() {
        let dated = Past { day: Some("2026-11-24".parse().unwrap()), ..past(Status::Failed, A) };
        let trail = vec![dated, past(Status::Passed, "def5678"), past(Status::Interrupted, "0123456")];
        let body = format!("<!-- loadgate:v1 id=a run=1.1 sha={A} -->\n{}### x\n", line(&trail));
        assert_eq!(read(&body), trail);
        assert_eq!(shown(&trail, Place::PullRequest).unwrap(), "❌ abc1234 → ✅ def5678 → ⏹️ 0123456");
        assert_eq!(shown(&trail, Place::Issue).unwrap(), "❌ 2026-11-24 abc1234 → ✅ def5678 → ⏹️ 0123456");
    }

    #[test]
    fn only_what_is_exactly_a_verdict_is_read() {
        let read = |line: &str| read(&format!("<!-- loadgate:trail {line} -->\n")).len();
        assert_eq!(read("failed abc1234; passed def5678 2026-11-24"), 2);
        for wrong in [
            "",
            "failed",
            "failed abc",
            "great abc1234",
            "failed abc123g",
            "failed abc1234 yesterday",
            "failed abc1234 2026-11-24 x",
            "failed <b>12345",
        ] {
            assert_eq!(read(wrong), 0, "{wrong}");
        }
        let below = format!("\n\n{}", line(&[past(Status::Failed, A)]));
        assert_eq!(super::read(&below), [], "a line of the text is none of ours");
        assert_eq!(super::read(""), []);
    }

    #[test]
    fn ten_are_kept_the_last_ones() {
        let former: Vec<_> =
            (0..30).map(|n| past(Status::Passed, &format!("{:07x}", 0xabc_0000 + n))).collect();
        let trail = with_this(&former, &crate::report::tests::judged(), Some(A));
        assert_eq!((trail.len(), trail[8].sha.as_str(), trail[9].sha.as_str()), (10, "abc001d", A));
        assert_eq!((trail[9].status, trail[9].day), (Status::Failed, "2026-11-24".parse().ok()));
        assert_eq!(read(&line(&former)).len(), 10);
    }

    #[test]
    fn a_run_that_is_told_again_is_no_new_one() {
        let once = with_this(&[], &crate::report::tests::judged(), Some(A));
        assert_eq!(with_this(&once, &crate::report::tests::judged(), Some(A)), once);
    }
}
