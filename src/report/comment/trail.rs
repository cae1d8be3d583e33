//! The last verdicts as a reader sees them, from comment to comment. Pure: how they are kept is github's.

use jiff::civil::Date;

use crate::report::markdown::escape::code;
use crate::report::{number, sign};
use crate::result::schema::RunResult;
use crate::result::verdict::Status;

use super::Place;

/// More are no history that anybody reads.
const MOST: usize = 10;
/// Digits by which people know a commit.
const SHORT: usize = 7;
/// Digits of the longest hash.
const LONGEST: usize = 64;

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

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "abc1234abc1234abc1234abc1234abc1234abc1234";

    fn past(status: Status, sha: &str) -> Past {
        Past { status, sha: sha.to_owned(), day: None }
    }

    #[test]
    fn a_trail_has_days_in_an_issue_alone() {
        let dated = Past { day: Some("2026-11-24".parse().unwrap()), ..past(Status::Failed, A) };
        let trail = vec![dated, past(Status::Passed, "def5678"), past(Status::Interrupted, "0123456")];
        assert_eq!(shown(&trail, Place::PullRequest).unwrap(), "❌ abc1234 → ✅ def5678 → ⏹️ 0123456");
        assert_eq!(shown(&trail, Place::Issue).unwrap(), "❌ 2026-11-24 abc1234 → ✅ def5678 → ⏹️ 0123456");
    }

    #[test]
    fn ten_are_kept_the_last_ones() {
        let former: Vec<_> =
            (0..30).map(|n| past(Status::Passed, &format!("{:07x}", 0xabc_0000 + n))).collect();
        let trail = with_this(&former, &crate::report::tests::judged(), Some(A));
        assert_eq!((trail.len(), trail[8].sha.as_str(), trail[9].sha.as_str()), (10, "abc001d", A));
        assert_eq!((trail[9].status, trail[9].day), (Status::Failed, "2026-11-24".parse().ok()));
    }

    #[test]
    fn a_run_that_is_told_again_is_no_new_one() {
        let once = with_this(&[], &crate::report::tests::judged(), Some(A));
        assert_eq!(with_this(&once, &crate::report::tests::judged(), Some(A)), once);
    }
}
