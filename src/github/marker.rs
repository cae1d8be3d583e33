//! The first line of everything that is kept up to date on GitHub: whose it is, and of which run. Pure.

use std::fmt;

use super::repository::{RunNumber, Slug, is_sha};
use crate::plan::sha256;

/// The version of the line that this program writes and reads.
const BEGIN: &str = "<!-- loadgate:v1 id=";
const END: &str = " -->";
/// Digits of the digest that tells series of one slug apart: 64 bits.
const DIGITS: usize = 16;
/// What the heading of a comment or an issue begins with.
const HEADING: &str = "### ";

/// Which comments, issues or pull requests are one and the same over time. A slug is for people, and may be that
/// of several: `a-b` and `c` have the one of `a` and `b-c`, cases are folded, and the end is cut. Where it may be,
/// the line holds a digest of what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    slug: Slug,
    /// None where the slug says it all.
    key: Option<String>,
    /// What a heading of this series holds, where an earlier version wrote no digest.
    heading: Option<String>,
}

impl Series {
    /// A series that somebody gave a name.
    pub fn named(name: &str) -> Self {
        let slug = Slug::of(name);
        let key = (slug.to_string() != name).then(|| digest(&[name]));
        Self { slug, key, heading: None }
    }

    /// A series that a user gave a name, which may be that of another project, scenario and environment: its line always
    /// holds a digest.
    pub fn chosen(name: &str) -> Self {
        Self { key: Some(digest(&[name])), ..Self::named(name) }
    }

    /// The series of a project, a scenario and an environment, whose headings hold this text.
    pub fn of_run(called: [&str; 3], heading: String) -> Self {
        let slug = Slug::of(&called.join("-"));
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b))
        };
        let exact = called.into_iter().all(plain) && slug.to_string() == called.join("-");
        Self { slug, key: (!exact).then(|| digest(&called)), heading: Some(heading) }
    }

    /// Whether the first line of a text of this series has its digest, or has none because it needs none.
    pub fn is_surely_of(&self, body: &str) -> bool {
        let line = body.lines().next().unwrap_or_default();
        self.key.as_ref().is_none_or(|key| line.contains(&format!(" key={key}{END}")))
    }

    /// Whether a text of this slug is of this series. One without a digest may be of an earlier version: then its
    /// heading says what it is about, unless somebody chose its name.
    fn has(&self, key: Option<&str>, body: &str) -> bool {
        if key.is_some() {
            return key == self.key.as_deref();
        }
        let heading = body.lines().find(|line| line.starts_with(HEADING));
        let Some(wanted) = &self.heading else {
            return !heading.is_some_and(|heading| is_called_after(&self.slug, heading));
        };
        match heading {
            Some(heading) => heading.contains(wanted.as_str()),
            None => self.key.is_none(),
        }
    }
}

/// Whether a slug may be that of a run which a heading is about: then a text without a digest is of that run.
fn is_called_after(slug: &Slug, heading: &str) -> bool {
    let name = |text: &str| match text.strip_prefix('`') {
        Some(code) => code.split('`').next().unwrap_or_default().to_owned(),
        None => text.split_whitespace().next().unwrap_or_default().to_owned(),
    };
    let about = heading.split_once(": ").and_then(|(_, about)| about.split_once(" on "));
    about.is_some_and(|(scenario, environment)| {
        let end = Slug::of(&format!("-{}-{}", name(scenario), name(environment)));
        slug.to_string().ends_with(&end.to_string())
    })
}

/// Of all parts, so that none of them can run into the next.
fn digest(parts: &[&str]) -> String {
    sha256(parts.join("\0").as_bytes())[..DIGITS].to_owned()
}

/// What a comment, an issue or a pull request of ours begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which series it is of.
    pub series: Series,
    /// The run that wrote it.
    pub run: RunNumber,
    /// The commit that was measured; none where that is not known.
    pub sha: Option<String>,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Series { slug, key, .. } = &self.series;
        let sha = self.sha.as_deref().filter(|sha| is_sha(sha)).unwrap_or("-");
        write!(f, "{BEGIN}{slug} run={} sha={sha}", self.run)?;
        key.iter().try_for_each(|key| write!(f, " key={key}"))?;
        f.write_str(END)
    }
}

impl Marker {
    /// What a text of this series begins with; none for a text of anybody else.
    pub fn of(series: &Series, body: &str) -> Option<Self> {
        let line = body.lines().next()?.trim_end();
        let rest = line.strip_prefix(&format!("{BEGIN}{} run=", series.slug))?.strip_suffix(END)?;
        let (run, rest) = rest.split_once(" sha=")?;
        let (sha, key) = match rest.split_once(" key=") {
            Some((sha, key)) => (sha, Some(key)),
            None => (rest, None),
        };
        let sha = Some(sha.to_owned()).filter(|sha| is_sha(sha));
        let marker = Self { series: series.clone(), run: RunNumber::parse(run)?, sha };
        series.has(key, body).then_some(marker)
    }
}

/// The run that wrote a text of this series; none for a text of anybody else.
pub fn run_of(series: &Series, body: &str) -> Option<RunNumber> {
    Marker::of(series, body).map(|marker| marker.run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_by_its_series_alone() {
        let run = RunNumber { id: 77, attempt: 2 };
        let marker = Marker { series: Series::named("shop-browse"), run, sha: Some("a1".repeat(20)) };
        let line = marker.to_string();
        assert_eq!(line, format!("<!-- loadgate:v1 id=shop-browse run=77.2 sha={} -->", "a1".repeat(20)));
        assert_eq!(run_of(&marker.series, &format!("{line}\r\n## text")), Some(run));
        assert_eq!(Marker::of(&marker.series, &line), Some(marker.clone()));
        assert_eq!(run_of(&Series::named("shop"), &line), None);
        for other in
            ["", "text", &format!("text\n{line}"), &line.replace("77.2", "x"), &line.replace(" -->", "")]
        {
            assert_eq!(run_of(&marker.series, other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_commit_does_not_get_into_it() {
        let run = RunNumber { id: 1, attempt: 1 };
        let marker = Marker { series: Series::named("a"), run, sha: Some("--> <b>".to_owned()) };
        assert_eq!(marker.to_string(), "<!-- loadgate:v1 id=a run=1.1 sha=- -->");
    }

    fn series(called: [&str; 3]) -> Series {
        Series::of_run(called, format!(": {} on {}", called[1], called[2]))
    }

    #[test]
    fn two_runs_with_one_slug_are_two_series() {
        let run = RunNumber { id: 1, attempt: 1 };
        let all = [
            ["p", "a-b", "c"],
            ["p", "a", "b-c"],
            ["p-a", "b", "c"],
            ["p", "A-b", "c"],
            ["P", "a", "b-c"],
            ["p", "a b", "c"],
        ];
        let long: Vec<String> = (0..2).map(|index| format!("{}{index}", "x".repeat(80))).collect();
        let long = long.iter().map(|scenario| ["p", scenario.as_str(), "e"]);
        let all: Vec<Series> = all.into_iter().chain(long).map(series).collect();
        for (index, one) in all.iter().enumerate() {
            let body = Marker { series: one.clone(), run, sha: None }.to_string();
            for (other_index, other) in all.iter().enumerate() {
                assert_eq!(run_of(other, &body).is_some(), index == other_index, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_marker_of_an_earlier_version_is_known_by_its_heading() {
        let (one, other) = (series(["p", "a-b", "c"]), series(["p", "a", "b-c"]));
        let old =
            "<!-- loadgate:v1 id=p-a-b-c run=1.1 sha=- -->\n<!-- loadgate:trail -->\n### ✅ PASSED: a-b on c";
        assert!(run_of(&one, old).is_some() && run_of(&other, old).is_none());
        // Without a heading nobody knows, unless there is no other.
        let bare = old.lines().next().unwrap();
        assert!(run_of(&one, bare).is_none() && run_of(&other, bare).is_none());
        let plain = series(["p", "a", "c"]);
        assert!(run_of(&plain, &bare.replace("p-a-b-c", "p-a-c")).is_some());
        assert!(run_of(&plain, &old.replace("p-a-b-c", "p-a-c")).is_none(), "its heading says another");
        // Nothing of that is in the line of an ordinary run.
        let marker = Marker { series: plain, run: RunNumber { id: 1, attempt: 1 }, sha: None };
        assert_eq!(marker.to_string(), "<!-- loadgate:v1 id=p-a-c run=1.1 sha=- -->");
    }

    #[test]
    fn a_chosen_name_and_a_run_with_its_slug_are_two_series() {
        let run = RunNumber { id: 1, attempt: 1 };
        let both = [Series::chosen("p-a-c"), series(["p", "a", "c"])];
        for (index, one) in both.iter().enumerate() {
            let body = format!("{}\n### PASSED: a on c", Marker { series: one.clone(), run, sha: None });
            let found = both.clone().map(|other| run_of(&other, &body).is_some());
            assert_eq!(found, [index == 0, index == 1], "{body}");
        }
        // Those of an earlier version have no digest: exactly one finds them.
        for (heading, expected) in [
            ("### ✅ PASSED: a on c", [false, true]),
            ("### ✅ PASSED: `a` on `c` (not all of it)", [false, true]),
            ("### ✅ PASSED: `browse` on `demo`", [true, false]),
        ] {
            let old = format!("<!-- loadgate:v1 id=p-a-c run=1.1 sha=- -->\n{heading}");
            let code = |it: &str| if heading.contains('`') { format!("`{it}`") } else { it.to_owned() };
            let of_run = Series::of_run(["p", "a", "c"], format!(": {} on {}", code("a"), code("c")));
            assert_eq!([&both[0], &of_run].map(|it| run_of(it, &old).is_some()), expected, "{heading}");
        }
    }
}
