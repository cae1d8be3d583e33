//! Names of what lives on GitHub, checked before they become part of a path there: a repository, a branch,
//! a commit, the name of a series of comments. Pure.

use std::fmt;

/// The most characters of a slug.
const LONGEST_SLUG: usize = 64;
/// Characters that tell commits apart for people.
const SHORT_SHA: usize = 7;

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// The repository of this name; none for what could be no repository.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let safe = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        (safe(owner) && safe(name)).then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether this is its name; GitHub tells no case apart.
    pub fn is_called(&self, full_name: &str) -> bool {
        self.to_string().eq_ignore_ascii_case(full_name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A run of a workflow: later ones have larger numbers, later attempts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunNumber {
    /// The run.
    pub id: u64,
    /// The attempt, from 1.
    pub attempt: u64,
}

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.attempt)
    }
}

impl RunNumber {
    /// The number in this text; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, attempt) = text.split_once('.')?;
        let number = |text: &str| {
            (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
        };
        Some(Self { id: number(id)?, attempt: number(attempt)? })
    }
}

/// What a series of comments is called: at most 64 of `a-z 0-9 . _ -`, so that it ends no comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// The slug that is most like a text.
    pub fn of(text: &str) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let mut slug: String = text.to_lowercase().chars().map(safe).take(LONGEST_SLUG).collect();
        // Two dashes end an HTML comment in the eyes of some.
        while slug.contains("--") {
            slug = slug.replace("--", "-");
        }
        Self(if slug.is_empty() { "-".to_owned() } else { slug })
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is a commit in full: 40 or 64 hexadecimal digits.
pub fn is_sha(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// As much of a commit as tells it apart for people.
pub fn short_sha(sha: &str) -> String {
    sha.chars().take(SHORT_SHA).filter(char::is_ascii_hexdigit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_two_safe_names() {
        assert_eq!(Repository::parse("shop/api.v2").unwrap().to_string(), "shop/api.v2");
        assert!(Repository::parse("Shop/API").unwrap().is_called("shop/api"));
        for wrong in
            ["", "shop", "/api", "shop/", "shop/api/x", "shop/..", "sh op/api", "shop/a?b", "shop/a%2f"]
        {
            assert_eq!(Repository::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn runs_are_ordered_by_number_and_attempt() {
        let run = |text| RunNumber::parse(text).unwrap();
        assert!(run("9.2") < run("10.1") && run("10.1") < run("10.2"));
        for wrong in ["", "1", "1.", ".1", "1.1.1", "+1.1", "-1.1", "1. 1", "99999999999999999999999.1"] {
            assert_eq!(RunNumber::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_slug_ends_no_comment() {
        for (text, slug) in [
            ("Shop API – browse – local", "shop-api-browse-local"),
            ("-->", "-"),
            ("", "-"),
            ("a.b_c-d", "a.b_c-d"),
        ] {
            assert_eq!(Slug::of(text).to_string(), slug, "{text}");
        }
        assert_eq!(Slug::of(&"x".repeat(100)).to_string().len(), 64);
    }

    #[test]
    fn only_whole_commits_are_commits() {
        assert!(is_sha(&"a1".repeat(20)) && !is_sha("abc1234") && !is_sha(&"g".repeat(40)));
        assert_eq!((short_sha("abc1234def").as_str(), short_sha("--> x").as_str()), ("abc1234", ""));
    }
}
