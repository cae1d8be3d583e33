//! The comment of a pull request: whether there is one to keep, and what became of it.

use crate::cli::publish::CommentPolicy;
use crate::github::client::{Client, ClientError};
use crate::github::command::Level;
use crate::github::comment::{Policy, Post, Posted};
use crate::github::event::Event;
use crate::report::write;

use super::{Publication, Subject, announce, note};

/// What a comment needs.
pub const PERMISSION: &str = "pull-requests: write";

/// The pull request that is to be told; none where this is no job of one, or its token cannot write.
pub fn wanted(publication: &Publication) -> Option<u64> {
    let job = &publication.job;
    if publication.args.comment == CommentPolicy::Never {
        return None;
    }
    match &job.event {
        Event::PullRequest(_) if job.is_read_only() => announce(
            Level::Notice,
            "no comment: the token of a fork's pull request can only read; the result is in the summary, and a \
             workflow that follows this one can comment with `loadgate publish --run-id`",
        ),
        Event::PullRequest(pull) => return Some(pull.number),
        Event::Unreadable => job.warnings.iter().for_each(|warning| {
            announce(Level::Warning, &format!("no comment: {warning}"));
        }),
        Event::WorkflowRun(_) | Event::Other(_) => {}
    }
    None
}

/// Brings the comment up to date.
pub fn keep(publication: &Publication, client: &Client, number: u64, subject: &Subject) {
    let about = publication.about(subject);
    let post = Post {
        number,
        marker: publication.marker(subject),
        status: subject.status(),
        news: subject.news(),
        body: &|trail, room| subject.comment(&about, trail, room),
    };
    told(post.publish(client, policy(publication.args.comment)));
}

/// Says what became of a comment.
pub fn told(posted: Result<Posted, ClientError>) {
    match posted {
        Ok(Posted::Created(url)) => note("comment", &url),
        Ok(Posted::Updated(url)) => note("comment, brought up to date", &url),
        Ok(Posted::Unchanged(url)) => note("comment, as it was", &url),
        Ok(Posted::NothingToSay) => write::note("no comment: a plain pass needs none"),
        Ok(Posted::Newer(run)) => write::note(&format!("no comment: run {run} is later, and has written it")),
        Err(error) => failed("no comment", &error, error.hint(PERMISSION)),
    }
}

/// Says why something is not told, and what to do.
pub fn failed(what: &str, error: &ClientError, hint: Option<String>) {
    let level = if error.is_forbidden() { Level::Notice } else { Level::Warning };
    let hint = hint.map_or_else(String::new, |hint| format!(". To do: {hint}"));
    announce(level, &format!("{what}: {error}{hint}"));
}

/// When there is a comment, as it was asked for.
pub fn policy(given: CommentPolicy) -> Policy {
    match given {
        CommentPolicy::Auto => Policy::Auto,
        CommentPolicy::Always => Policy::Always,
        CommentPolicy::Never => Policy::Never,
    }
}
