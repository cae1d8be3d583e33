//! `loadgate publish --run-id`: the comment on the pull request of a fork, whose own job cannot write. What
//! the artifact holds becomes no output and no file; a refusal quotes it, escaped.

use crate::cli::publish::PublishArgs;
use crate::commands::publish::Subject;
use crate::commands::publish::comment::{self, PERMISSION};
use crate::error::Error;
use crate::github::client::Client;
use crate::github::comment::{Policy, Post};
use crate::github::context::Context;
use crate::github::relay::Measured;
use crate::github::relay::error::{RelayError, Skipped, Stopped};
use crate::report::comment::{About, Source};
use crate::report::write;

/// Relays what the run of this number has measured. Exit status 0 also where there is nobody to tell.
pub fn run(args: &PublishArgs, id: u64, job: &Context) -> Result<u8, Error> {
    match relay(args, id, job) {
        Ok(()) => Ok(0),
        Err(Stopped::Skipped(why)) => {
            write::note(&format!("no comment: {why}"));
            Ok(0)
        }
        Err(Stopped::Failed(error)) => Err(error.into()),
    }
}

fn relay(args: &PublishArgs, id: u64, job: &Context) -> Result<(), Stopped> {
    let measured = Measured::of(job, id)?;
    let policy = comment::policy(args.publication.comment);
    if policy == Policy::Never {
        return Err(Skipped::Unwanted.into());
    }
    let client = Client::open(&job.host);
    let client = client.map_err(|source| RelayError::Asked { permission: PERMISSION, source })?;
    let number = measured.pull(&client)?;
    let result = measured.result(&client, &args.artifact)?;
    if result.interrupted || result.verdict.is_none() {
        return Err(Skipped::Interrupted.into());
    }
    let subject = Subject::of_result(&result);
    let about = About {
        summary_url: job.host.run_url(measured.number()),
        head: result.git.sha.clone(),
        trail: Vec::new(),
        source: Source::Fork,
    };
    let post = Post {
        number,
        marker: measured.marker(&args.artifact, args.publication.comment_id.as_deref()),
        status: subject.status(),
        news: subject.news(),
        body: &|trail, room| subject.comment(&about, trail, room),
    };
    // All that took a while, and whoever has pushed since is not to be told of what is no more.
    if measured.pull(&client)? != number {
        return Err(Skipped::Superseded.into());
    }
    comment::told(post.publish(&client, policy));
    Ok(())
}
