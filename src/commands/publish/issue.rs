//! The one issue of a scheduled run: whether there is one to keep, and what became of it.

use crate::github::client::{Client, ClientError};
use crate::github::event::Event;
use crate::github::issue::{self, Notice, Told};
use crate::report::write;

use super::{Publication, Subject, comment, note};

/// Whether it was asked for, where that means something: a pull request says nothing about what is merged.
pub fn wanted(publication: &Publication) -> bool {
    let asked = publication.args.issue;
    let of_pull = matches!(publication.job.event, Event::PullRequest(_) | Event::Unreadable);
    if asked && of_pull {
        write::note("no issue: a pull request has its comment");
    }
    asked && !of_pull
}

/// Opens the issue, brings it up to date, or closes it.
pub fn keep(publication: &Publication, client: &Client, subject: &Subject) {
    let about = publication.about(subject);
    let run_url = publication.job.run_url();
    let notice = Notice {
        marker: publication.marker(subject),
        status: subject.status(),
        exit_status: subject.exit_status(),
        title: &subject.title(),
        body: &|trail, room| subject.issue(&about, trail, room),
        run_url: run_url.as_deref(),
    };
    told(notice.publish(client));
}

fn told(told: Result<Told, ClientError>) {
    match told {
        Ok(Told::Opened(url)) => note("issue", &url),
        Ok(Told::Updated(url)) => note("issue, brought up to date", &url),
        Ok(Told::Unchanged(url)) => note("issue, as it was", &url),
        Ok(Told::Closed(url)) => note("issue, closed", &url),
        Ok(Told::Nothing) => write::note("no issue: there is none, and no need of one"),
        Ok(Told::Newer(run)) => write::note(&format!("no issue: run {run} is later, and has told already")),
        Err(error) => comment::failed("no issue", &error, issue::hint(&error)),
    }
}
