//! The branch that runs are remembered on: that of the job. Whoever runs on a pull request may not decide
//! what is normal.

use serde::Deserialize;

use super::BRANCH;
use super::error::ProposalError;
use crate::github::client::Client;
use crate::github::context::{Context, Place};
use crate::github::event::Event;

/// What comes before the name of a branch, and of a tag.
const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// Branches that GitHub makes for a moment.
const QUEUE: &str = "gh-readonly-queue/";

/// The branch that runs of this job are remembered on; none where it is the default one, which only GitHub
/// knows.
pub fn of(job: &Context) -> Result<Option<String>, ProposalError> {
    let refused = |from: &str| Err(ProposalError::Place(from.to_owned()));
    if job.place == Place::Actions {
        match &job.event {
            _ if job.git.fork => return refused("a pull request of a fork"),
            Event::PullRequest(_) | Event::Unreadable => return refused("a pull request"),
            Event::WorkflowRun(_) | Event::Other(_) => {}
        }
    }
    let reference = job.git.reference.as_deref().unwrap_or_default();
    if let Some(tag) = reference.strip_prefix(TAGS) {
        return refused(&format!("the tag `{tag}`"));
    }
    let branch = reference.strip_prefix(BRANCHES).or(job.ref_name.as_deref());
    match branch.or(job.default_branch.as_deref()) {
        Some(BRANCH) => refused("the branch that it is proposed on"),
        Some(branch) if branch.starts_with(QUEUE) => refused("a merge queue"),
        branch => Ok(branch.map(str::to_owned)),
    }
}

/// The default branch of the repository.
pub(super) fn default(client: &Client) -> Result<String, ProposalError> {
    #[derive(Deserialize)]
    struct Repository {
        default_branch: String,
    }
    let repository: Result<Repository, _> = client.get(&client.route(&[]));
    repository.map(|it| it.default_branch).map_err(ProposalError::client("find the default branch"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::event::WorkflowRun;
    use crate::result::schema::Git;

    fn told(change: impl FnOnce(&mut Context)) -> String {
        let mut job = Context {
            place: Place::Actions,
            event: Event::Other("schedule".into()),
            git: Git { sha: None, reference: Some("refs/heads/main".into()), fork: false },
            ..Context::default()
        };
        change(&mut job);
        match of(&job) {
            Ok(branch) => branch.unwrap_or_else(|| "the default".into()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_baseline_is_changed_on_the_branch_of_the_job_and_never_from_a_pull_request() {
        let reference = |text: &str| Some(text.to_owned());
        let run: WorkflowRun = serde_json::from_value(serde_json::json!({
            "id": 1, "event": "push", "head_sha": "x", "repository": {"full_name": "shop/api"}
        }))
        .unwrap();
        let all = [
            told(|_| ()),
            told(|job| job.git.reference = reference("refs/heads/release/1.x")),
            told(|job| job.event = Event::WorkflowRun(Box::new(run))),
            told(|job| (job.place, job.git.reference) = (Place::Elsewhere, None)),
            told(|job| {
                (job.place, job.git.reference, job.ref_name) = (Place::Elsewhere, None, Some("topic".into()));
            }),
            told(|job| job.event = Event::Unreadable),
            told(|job| job.git.fork = true),
            told(|job| job.git.reference = reference("refs/tags/v1")),
            told(|job| job.git.reference = reference("refs/heads/loadgate/baseline")),
            told(|job| job.git.reference = reference("refs/heads/gh-readonly-queue/main/pr-1")),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        main
        release/1.x
        main
        the default
        topic
        a baseline is not changed from a pull request
        a baseline is not changed from a pull request of a fork
        a baseline is not changed from the tag `v1`
        a baseline is not changed from the branch that it is proposed on
        a baseline is not changed from a merge queue
        ");
    }
}
