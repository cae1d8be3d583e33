//! The commit a job runs on, as GitHub Actions says it in variables and in the file of the event. Only
//! reads. What cannot be read is a warning.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use crate::result::schema::Git;

/// More than any event; GitHub sends at most 25 MB.
const LARGEST_EVENT: u64 = 32 << 20;
/// The events of a pull request. The second runs in the base repository, with its secrets.
const PULL_REQUESTS: [&str; 2] = ["pull_request", "pull_request_target"];

/// Where a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The commit.
    pub git: Git,
    /// What could not be found out.
    pub warnings: Vec<String>,
}

impl Context {
    /// The context of this process.
    pub fn read() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// The context that these variables describe.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name| variable(name).filter(|value| !value.is_empty());
        let git = Git { sha: given("GITHUB_SHA"), reference: given("GITHUB_REF"), fork: false };
        let event = given("GITHUB_EVENT_NAME").unwrap_or_default();
        if given("GITHUB_ACTIONS").as_deref() != Some("true") || !PULL_REQUESTS.contains(&event.as_str()) {
            return Self { git, warnings: Vec::new() };
        }
        let path = given("GITHUB_EVENT_PATH").unwrap_or_default();
        match read_event(Path::new(&path)) {
            // Of a pull request, GITHUB_SHA is a merge that nobody made.
            Ok(pull) if event == "pull_request" => {
                let fork = pull.is_of_fork();
                Self { git: Git { sha: Some(pull.head.sha), fork, ..git }, warnings: Vec::new() }
            }
            Ok(pull) => Self { git: Git { fork: pull.is_of_fork(), ..git }, warnings: Vec::new() },
            // Whoever cannot say where it comes from may not decide what is normal.
            Err(error) => {
                let warning = format!(
                    "the event of this pull request cannot be read, so it counts as one of a fork: {error}"
                );
                Self { git: Git { fork: true, ..git }, warnings: vec![warning] }
            }
        }
    }
}

/// The part of an event that is looked at.
#[derive(Deserialize)]
struct Event {
    pull_request: PullRequest,
}

/// A pull request: from where to where.
#[derive(Deserialize)]
struct PullRequest {
    head: Side,
    base: Side,
}

/// One side of a pull request.
#[derive(Deserialize)]
struct Side {
    sha: String,
    /// Null when a fork was deleted.
    repo: Option<Repository>,
}

/// A repository.
#[derive(PartialEq, Deserialize)]
struct Repository {
    full_name: String,
}

impl PullRequest {
    fn is_of_fork(&self) -> bool {
        self.head.repo.is_none() || self.head.repo != self.base.repo
    }
}

fn read_event(path: &Path) -> io::Result<PullRequest> {
    // Opening a pipe would wait for whoever writes it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_EVENT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_EVENT {
        return Err(io::Error::other("it is larger than 32 MiB"));
    }
    let event: Event = serde_json::from_slice(&bytes)?;
    Ok(event.pull_request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HEAD: &str = "1111111111111111111111111111111111111111";

    /// The context of a job with these variables, and an event of this text.
    fn context(event: &str, changes: &[(&str, &str)]) -> Context {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.json");
        std::fs::write(&path, event).unwrap();
        let path = path.to_string_lossy().into_owned();
        let standard = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", "merge"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_EVENT_PATH", path.as_str()),
        ];
        let find = |all: &[(&str, &str)], name: &str| {
            all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Context::of(&|name| find(changes, name).or_else(|| find(&standard, name)))
    }

    fn pull(head: &Value) -> String {
        let base = json!({"sha": "base", "repo": {"full_name": "shop/api", "private": true}});
        json!({"action": "opened", "pull_request": {"number": 7, "head": head, "base": base}}).to_string()
    }

    fn told(context: &Context) -> (&str, bool, usize) {
        (context.git.sha.as_deref().unwrap_or_default(), context.git.fork, context.warnings.len())
    }

    #[test]
    fn a_pull_request_is_its_head_and_knows_whether_it_is_of_a_fork() {
        let own = pull(&json!({"sha": HEAD, "repo": {"full_name": "shop/api"}}));
        let fork = pull(&json!({"sha": HEAD, "repo": {"full_name": "eve/api"}}));
        let deleted = pull(&json!({"sha": HEAD, "repo": null}));
        for (event, changes, expected) in [
            (&own, &[][..], (HEAD, false, 0)),
            (&fork, &[], (HEAD, true, 0)),
            (&deleted, &[], (HEAD, true, 0)),
            (&fork, &[("GITHUB_EVENT_NAME", "pull_request_target")], ("merge", true, 0)),
            (&fork, &[("GITHUB_EVENT_NAME", "push")], ("merge", false, 0)),
            (&fork, &[("GITHUB_ACTIONS", "")], ("merge", false, 0)),
        ] {
            assert_eq!(told(&context(event, changes)), expected, "{event} {changes:?}");
        }
        assert_eq!(context(&own, &[]).git.reference.as_deref(), Some("refs/pull/7/merge"));
    }

    #[test]
    fn an_event_that_cannot_be_read_is_a_warning_and_counts_as_a_fork() {
        for event in ["", "{}", "[1]", "{\"pull_request\": null}", "\u{0}", &"[".repeat(10_000)] {
            assert_eq!(told(&context(event, &[])), ("merge", true, 1), "{event:.10}");
        }
        for path in ["", "/nowhere/event.json", "/", "/dev/null"] {
            let context = context("{}", &[("GITHUB_EVENT_PATH", path)]);
            assert_eq!(told(&context), ("merge", true, 1), "{path}");
            assert!(
                context.warnings[0]
                    .starts_with("the event of this pull request cannot be read, so it counts")
            );
        }
    }

    #[test]
    fn outside_of_actions_there_may_be_nothing() {
        assert_eq!(Context::of(&|_| None), Context::default());
        assert_eq!(Context::of(&|_| Some(String::new())), Context::default());
    }
}
