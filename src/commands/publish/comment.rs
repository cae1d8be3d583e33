//! The comment of a pull request, from a result.

use crate::cli::publish::CommentPolicy;
use crate::github::client::{Client, ClientError};
use crate::github::command::Level;
use crate::github::comment::{News, Policy, Post, Posted, Room};
use crate::github::event::Event;
use crate::github::trail::Step;
use crate::report::comment::{self, About};
use crate::report::write;
use crate::result::schema::RunResult;
use crate::result::verdict::{Status, Verdict};

use super::{Publication, after, announce, note, room};

/// What a comment needs.
pub const PERMISSION: &str = "pull-requests: write";

/// Brings the comment up to date, where this is a job of a pull request.
pub fn post(publication: &Publication, result: &RunResult) {
    let job = &publication.job;
    let Event::PullRequest(pull) = &job.event else { return };
    let (policy, Some(verdict)) = (policy(publication.args.comment), &result.verdict) else { return };
    if policy == Policy::Never || result.interrupted {
        return;
    }
    if job.is_read_only() {
        announce(
            Level::Notice,
            "no comment: the token of a fork's or Dependabot's pull request can only read; \
                 the result is in the summary, and a workflow that follows this one can comment \
                 with `loadgate publish --run-id`",
        );
        return;
    }
    let about = publication.about(Some(pull.head.sha.clone()));
    let post = Post {
        number: pull.number,
        marker: publication.marker(result),
        status: verdict.status,
        news: news(verdict),
        body: &|trail, room| body(result, &about, trail, room),
    };
    let posted = Client::open(&job.host).and_then(|client| post.publish(&client, policy));
    told(posted);
}

/// Says what became of a comment.
pub fn told(posted: Result<Posted, ClientError>) {
    match posted {
        Ok(Posted::Created(url)) => note("comment", &url),
        Ok(Posted::Updated(url)) => note("comment, brought up to date", &url),
        Ok(Posted::Unchanged(url)) => note("comment, as it was", &url),
        Ok(Posted::NothingToSay) => write::note("no comment: a plain pass needs none"),
        Ok(Posted::Newer(run)) => write::note(&format!("no comment: run {run} is later, and has written it")),
        Err(error) => {
            let level = if error.is_forbidden() { Level::Notice } else { Level::Warning };
            let hint = error.hint(PERMISSION).map_or_else(String::new, |hint| format!(". To do: {hint}"));
            announce(level, &format!("no comment: {error}{hint}"));
        }
    }
}

/// What a comment says, after these earlier verdicts.
pub fn body(result: &RunResult, about: &About, trail: &[Step], within: Room) -> String {
    comment::render_within(result, &after(about, trail), room(within))
}

/// What a result has to tell where nothing was told yet.
pub fn news(verdict: &Verdict) -> News {
    match verdict.status {
        Status::Passed => News::None,
        _ => News::Some,
    }
}

/// When there is a comment, as it was asked for.
pub fn policy(given: CommentPolicy) -> Policy {
    match given {
        CommentPolicy::Auto => Policy::Auto,
        CommentPolicy::Always => Policy::Always,
        CommentPolicy::Never => Policy::Never,
    }
}
