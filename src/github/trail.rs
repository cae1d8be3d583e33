//! The last verdicts of a series, kept in an invisible line of what is posted, so that the next run knows
//! them. What does not parse is dropped: the line may have been edited by hand. Pure.

use std::fmt::Write;

use jiff::civil::Date;

use super::repository::{RunNumber, short_sha};
use crate::result::verdict::Status;

/// The most verdicts that are kept.
const LONGEST: usize = 10;
const BEGIN: &str = "<!-- loadgate:trail";
const END: &str = " -->";
/// How a run is written that did not get to a verdict.
const ERROR: &str = "error";

/// The verdict of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The run.
    pub run: RunNumber,
    /// How it ended; none where it did not get to a verdict.
    pub status: Option<Status>,
    /// The commit, short; empty where that is not known.
    pub sha: String,
    /// When it was told, UTC; none where a line of an earlier version does not say.
    pub day: Option<Date>,
}

/// Verdicts, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail(pub Vec<Step>);

impl Trail {
    /// The trail in a text that was posted.
    pub fn of(body: &str) -> Self {
        let line = body.lines().find_map(|line| line.trim_end().strip_prefix(BEGIN)?.strip_suffix(END));
        Self(line.unwrap_or_default().split_whitespace().filter_map(step).collect())
    }

    /// What came before this run, whatever it said when it was published earlier.
    #[must_use]
    pub fn before(mut self, run: RunNumber) -> Self {
        self.0.retain(|step| step.run.id != run.id);
        self
    }

    /// With one more verdict; the oldest give way.
    #[must_use]
    pub fn with(mut self, step: Step) -> Self {
        self.0.push(step);
        self.0.drain(..self.0.len().saturating_sub(LONGEST));
        self
    }

    /// The line.
    pub fn line(&self) -> String {
        let mut line = BEGIN.to_owned();
        for Step { run, status, sha, day } in &self.0 {
            // Writing to a string cannot fail.
            let _ = write!(line, " {run}={}@{}", status.map_or(ERROR, Status::name), short_sha(sha));
            let _ = day.map(|day| write!(line, "@{day}"));
        }
        line + END
    }
}

fn step(text: &str) -> Option<Step> {
    let (run, rest) = text.split_once('=')?;
    let (word, rest) = rest.split_once('@')?;
    let (sha, day) = rest.split_once('@').unwrap_or((rest, ""));
    let known = Status::ALL.into_iter().find(|status| status.name() == word);
    if known.is_none() && word != ERROR {
        return None;
    }
    Some(Step { run: RunNumber::parse(run)?, status: known, sha: short_sha(sha), day: day.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: u64, status: impl Into<Option<Status>>) -> Step {
        let status = status.into();
        Step {
            run: RunNumber { id, attempt: 1 },
            status,
            sha: "abc1234".to_owned(),
            day: "2026-11-24".parse().ok(),
        }
    }

    #[test]
    fn a_trail_is_read_as_it_was_written() {
        let trail = Trail::default().with(step(1, Status::Failed)).with(step(2, Status::Passed));
        let line = trail.line();
        assert_eq!(
            line,
            "<!-- loadgate:trail 1.1=failed@abc1234@2026-11-24 2.1=passed@abc1234@2026-11-24 -->"
        );
        assert_eq!(Trail::of(&format!("marker\n{line}\n# text")), trail);
        assert_eq!(Trail::default().line(), "<!-- loadgate:trail -->");
        assert_eq!(Trail::of(&Trail::default().line()), Trail::default());
    }

    #[test]
    fn only_the_last_verdicts_are_kept_and_of_every_run_one() {
        let all = (1..=12).fold(Trail::default(), |trail, id| trail.with(step(id, Status::Passed)));
        assert_eq!(all.0.iter().map(|step| step.run.id).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>());
        let run = RunNumber { id: 12, attempt: 2 };
        assert_eq!(all.before(run).0.len(), 9);
    }

    #[test]
    fn what_a_person_made_of_the_line_is_dropped() {
        let text = "<!-- loadgate:trail 1.1=failed@abc1234@soon x 2.1=great@abc 3.1=passed@--> -->";
        let read = Trail::of(text);
        assert_eq!(
            read.0.iter().map(|step| (step.run.id, step.sha.as_str())).collect::<Vec<_>>(),
            [(1, "abc1234"), (3, "")]
        );
        assert_eq!(read.line(), "<!-- loadgate:trail 1.1=failed@abc1234 3.1=passed@ -->");
    }
}
