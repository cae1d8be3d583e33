//! The workflow that `loadgate init` writes: the template of this repository, at the right commit and in the right
//! folder. Pure.

use std::fmt;

use super::config::quoted;

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

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(sha) => write!(f, "{sha} # v{}", env!("CARGO_PKG_VERSION")),
            Self::Tag(version) => write!(
                f,
                "v{version} # a commit cannot move: gh api repos/loadgate/loadgate/commits/v{version} --jq .sha"
            ),
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
}
