//! The first line of everything that is kept up to date on GitHub: whose it is, and of which run. Pure.

use std::fmt;

use super::repository::{RunNumber, Slug, is_sha};

/// The version of the line that this program writes and reads.
const BEGIN: &str = "<!-- loadgate:v1 id=";
const END: &str = " -->";

/// What a comment, an issue or a pull request of ours begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which series it is of.
    pub id: Slug,
    /// The run that wrote it.
    pub run: RunNumber,
    /// The commit that was measured; none where that is not known.
    pub sha: Option<String>,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sha = self.sha.as_deref().filter(|sha| is_sha(sha)).unwrap_or("-");
        write!(f, "{BEGIN}{} run={} sha={sha}{END}", self.id, self.run)
    }
}

impl Marker {
    /// What a text of this series begins with; none for a text of anybody else.
    pub fn of(id: &Slug, body: &str) -> Option<Self> {
        let line = body.lines().next()?.trim_end();
        let rest = line.strip_prefix(&format!("{BEGIN}{id} run="))?.strip_suffix(END)?;
        let (run, sha) = rest.split_once(" sha=")?;
        let sha = Some(sha.to_owned()).filter(|sha| is_sha(sha));
        Some(Self { id: id.clone(), run: RunNumber::parse(run)?, sha })
    }
}

/// The run that wrote a text of this series; none for a text of anybody else.
pub fn run_of(id: &Slug, body: &str) -> Option<RunNumber> {
    Marker::of(id, body).map(|marker| marker.run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_by_its_series_alone() {
        let run = RunNumber { id: 77, attempt: 2 };
        let marker = Marker { id: Slug::of("shop-browse"), run, sha: Some("a1".repeat(20)) };
        let line = marker.to_string();
        assert_eq!(line, format!("<!-- loadgate:v1 id=shop-browse run=77.2 sha={} -->", "a1".repeat(20)));
        assert_eq!(run_of(&marker.id, &format!("{line}\r\n## text")), Some(run));
        assert_eq!(Marker::of(&marker.id, &line), Some(marker.clone()));
        assert_eq!(run_of(&Slug::of("shop"), &line), None);
        for other in
            ["", "text", &format!("text\n{line}"), &line.replace("77.2", "x"), &line.replace(" -->", "")]
        {
            assert_eq!(run_of(&marker.id, other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_commit_does_not_get_into_it() {
        let run = RunNumber { id: 1, attempt: 1 };
        let marker = Marker { id: Slug::of("a"), run, sha: Some("--> <b>".to_owned()) };
        assert_eq!(marker.to_string(), "<!-- loadgate:v1 id=a run=1.1 sha=- -->");
    }
}
