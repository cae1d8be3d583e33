//! The one issue of a scheduled run, from a result, or from an error that kept it from having one.

use crate::cli::RunArgs;
use crate::commands::plan;
use crate::config::render::Color;
use crate::error::Error;
use crate::github::client::{Client, ClientError};
use crate::github::command::Level;
use crate::github::context::{Context, Place};
use crate::github::issue::{self, Notice, Told};
use crate::plan::Selection;
use crate::report::comment;
use crate::report::write;
use crate::result::schema::RunResult;

use super::{Publication, after, announce, failure, note, room};

/// Opens the issue, brings it up to date, or closes it.
pub fn of_result(publication: &Publication, result: &RunResult) {
    let about = publication.about(publication.job.git.sha.clone());
    let title = comment::issue(result, &about).title;
    let run_url = publication.job.run_url();
    let notice = Notice {
        marker: publication.marker(result),
        status: result.verdict.as_ref().map(|verdict| verdict.status),
        exit_status: result.verdict.as_ref().map_or(0, |verdict| verdict.exit_status),
        title: &title,
        body: &|trail, within| comment::issue_within(result, &after(&about, trail), room(within)).body,
        run_url: run_url.as_deref(),
    };
    told(Client::open(&publication.job.host).and_then(|client| notice.publish(&client)));
}

/// The same where a run could not do its work. Without a configuration that says what it is called, there is no
/// telling which issue it would be.
pub fn of_error(args: &RunArgs, error: &Error) {
    let job = Context::read();
    if job.place == Place::Elsewhere || !args.publication.issue {
        return;
    }
    let Some([name, scenario, environment]) = called(args) else {
        announce(Level::Notice, "no issue: the configuration does not say what this run is called");
        return;
    };
    let publication = Publication { job, args: &args.publication, source: &args.plan.source };
    let text = error.report(Color::Never);
    let run_url = publication.job.run_url();
    let notice = Notice {
        marker: publication.marker_of(&name, &scenario, &environment),
        status: None,
        exit_status: error.exit_status(),
        title: &comment::title_of_error(&scenario, &environment),
        body: &|_, within| failure::summary(&text, room(within).bytes),
        run_url: run_url.as_deref(),
    };
    told(Client::open(&publication.job.host).and_then(|client| notice.publish(&client)));
}

/// Project, scenario and environment of a run.
fn called(args: &RunArgs) -> Option<[String; 3]> {
    let config = plan::configuration(&args.plan.source, args.plan.overrides()).ok()?;
    let selection = Selection { environment: args.plan.environment.clone(), scenario: args.scenario.clone() };
    let plan = plan::outline(&config, &selection).ok()?;
    Some([plan.name, plan.scenario, plan.environment])
}

fn told(told: Result<Told, ClientError>) {
    match told {
        Ok(Told::Opened(url)) => note("issue", &url),
        Ok(Told::Updated(url)) => note("issue, brought up to date", &url),
        Ok(Told::Unchanged(url)) => note("issue, as it was", &url),
        Ok(Told::Closed(url)) => note("issue, closed", &url),
        Ok(Told::Nothing) => write::note("no issue: there is none, and no need of one"),
        Ok(Told::Newer(run)) => write::note(&format!("no issue: run {run} is later, and has told already")),
        Err(error) => {
            let hint = issue::hint(&error).map_or_else(String::new, |hint| format!(". To do: {hint}"));
            announce(Level::Warning, &format!("no issue: {error}{hint}"));
        }
    }
}
