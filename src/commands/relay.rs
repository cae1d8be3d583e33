//! `loadgate publish --run-id`: the comment on the pull request of a fork, whose own job cannot write. Nothing
//! of the artifact becomes an output, an annotation or a file.

use crate::cli::publish::PublishArgs;
use crate::commands::publish::comment::{self, PERMISSION, body};
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
    let Some(verdict) = result.verdict.as_ref().filter(|_| !result.interrupted) else {
        return Err(Skipped::Interrupted.into());
    };
    let about = About {
        summary_url: job.host.run_url(measured.number()),
        head: result.git.sha.clone(),
        trail: Vec::new(),
        source: Source::Fork,
    };
    let post = Post {
        number,
        marker: measured.marker(&args.artifact, args.publication.comment_id.as_deref()),
        status: verdict.status,
        news: comment::news(verdict),
        body: &|trail, room| body(&result, &about, trail, room),
    };
    // All that took a while, and whoever has pushed since is not to be told of what is no more.
    if measured.pull(&client)? != number {
        return Err(Skipped::Superseded.into());
    }
    comment::told(post.publish(&client, policy));
    Ok(())
}
