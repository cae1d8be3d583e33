//! `loadgate publish --run-id`: the comment on the pull request of a fork, whose own job cannot write. Nothing
//! of the artifact becomes an output, an annotation or a file.

use crate::cli::publish::PublishArgs;
use crate::commands::publish::{self, PERMISSION};
use crate::error::Error;
use crate::github::client::Client;
use crate::github::comment::{Policy, Post, Room};
use crate::github::context::Context;
use crate::github::relay::Measured;
use crate::github::relay::error::{RelayError, Skipped, Stopped};
use crate::github::trail::Step;
use crate::report::markdown;
use crate::report::write;
use crate::result::schema::RunResult;

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
    let policy = publish::policy(args.publication.comment);
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
    let post = Post {
        number,
        marker: measured.marker(&args.artifact, args.publication.comment_id.as_deref()),
        status: verdict.status,
        news: publish::news(verdict),
        body: &|trail, room| body(&result, trail, room),
    };
    // All that took a while, and whoever has pushed since is not to be told of what is no more.
    if measured.pull(&client)? != number {
        return Err(Skipped::Superseded.into());
    }
    publish::told(post.publish(&client, policy));
    Ok(())
}

fn body(result: &RunResult, _trail: &[Step], room: Room) -> String {
    let room = if room == Room::Whole { 60_000 } else { 30_000 };
    format!(
        "> Measured on an untrusted runner of a fork; the numbers are self-reported.\n\n{}",
        markdown::render_within(result, room)
    )
}
