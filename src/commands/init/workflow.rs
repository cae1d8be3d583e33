//! The workflow that `loadgate init` writes: the template of this repository, at the right commit and in the right
//! folder. Pure.

use std::fmt;

use super::config::quoted;
use crate::github::repository::Slug;

/// What everybody else copies from docs/github.md.
const TEMPLATE: &str = include_str!("../../../templates/workflows/pull-request.yml");
/// How a step uses the action, up to its commit.
const ACTION: &str = "loadgate/loadgate@";

/// Which code of the action a workflow uses.
pub enum Pin {
    /// Always the same.
    Commit(String),
    /// What the tag of this version is on at the time.
    Tag(String),
}

impl Pin {
    /// What to say where a workflow is not pinned as it should be.
    pub fn doubt(&self) -> Option<String> {
        match self {
            Self::Commit(_) => None,
            Self::Tag(version) => Some(format!(
                "the commit of v{version} could not be looked up, so `uses:` names the tag; to pin it: {}",
                look_up(version)
            )),
        }
    }
}

/// How to find the commit of a release.
fn look_up(version: &str) -> String {
    format!("gh api repos/loadgate/loadgate/commits/v{version} --jq .sha")
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(sha) => write!(f, "{sha} # v{}", env!("CARGO_PKG_VERSION")),
            Self::Tag(version) => write!(f, "v{version} # a commit cannot move: {}", look_up(version)),
        }
    }
}

/// The workflow of a pull request, for a configuration in this folder of the repository.
pub fn pull_request(pin: &Pin, folder: Option<&str>) -> String {
    let pinned = TEMPLATE.lines().map(|line| match line.split_once(ACTION) {
        Some((before, _)) => format!("{before}{ACTION}{pin}\n"),
        None => format!("{line}\n"),
    });
    // The action is the last step, so what it is given stands at the end.
    let given = folder
        .map(|folder| format!("        with:\n          working-directory: {}\n", quoted(&literal(folder))));
    pinned.chain(given).collect()
}

/// The step for one more configuration, to be added to a workflow that is there: it must not write over what others
/// say and upload.
pub fn step(pin: &Pin, folder: &str) -> String {
    let id = Slug::of(&format!("loadgate-{folder}"));
    format!(
        "      - uses: {ACTION}{pin}
        if: ${{{{ !cancelled() }}}} # also where a step before it failed
        with:
          working-directory: {}
          comment-id: {id}
          artifact: {id}
",
        quoted(&literal(folder))
    )
}

/// A text in which GitHub finds no expression.
fn literal(text: &str) -> String {
    text.replace("${{", "${{ '${{' }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn at_the_root_only_the_commit_differs_from_the_template() {
        assert_eq!(pull_request(&Pin::Commit(NOWHERE.into()), None), TEMPLATE);
    }

    #[test]
    fn a_tag_says_how_to_find_its_commit() {
        let workflow = pull_request(&Pin::Tag("1.2.3".into()), None);
        assert!(workflow.ends_with("- uses: loadgate/loadgate@v1.2.3 # a commit cannot move: gh api repos/loadgate/loadgate/commits/v1.2.3 --jq .sha\n"));
    }

    #[test]
    fn a_folder_is_given_to_the_action_as_text() {
        let workflow = pull_request(&Pin::Commit(NOWHERE.into()), Some("a: \"b\"/${{ github.token }}"));
        let end = "# v0.1.0\n        with:\n          working-directory: \"a: \\\"b\\\"/${{ '${{' }} github.token }}\"\n";
        assert!(workflow.ends_with(end), "{workflow}");
    }

    #[test]
    fn one_more_step_has_a_comment_and_an_artifact_of_its_own() {
        let step = step(&Pin::Commit(NOWHERE.into()), "services/the shop");
        assert!(step.contains("working-directory: \"services/the shop\"\n"), "{step}");
        let id = "loadgate-services-the-shop\n";
        assert!(step.ends_with(&format!("comment-id: {id}          artifact: {id}")), "{step}");
    }

    #[test]
    fn only_a_tag_is_doubted() {
        assert_eq!(Pin::Commit(NOWHERE.into()).doubt(), None);
        let doubt = Pin::Tag("1.2.3".into()).doubt().unwrap();
        assert!(doubt.ends_with("gh api repos/loadgate/loadgate/commits/v1.2.3 --jq .sha"), "{doubt}");
    }
}
