//! The one issue of a scheduled run that fails: opened, kept up to date, closed when the run is green again;
//! found by its first line and its author, never changed by an older run. What it says is made elsewhere.

use serde_json::{Value, json};

use super::client::{Client, ClientError, Route};
use super::marker::Marker;
use super::repository::RunNumber;
use super::sticky::{self, Item, Own, Room, Text};
use super::trail::{Step, Trail};
use crate::result::verdict::Status;

/// What a job needs for it.
const PERMISSION: &str = "issues: write";
/// Closed issues that are looked at, the last that were touched.
const MOST_CLOSED: &str = "100";

/// What a run says about an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Somebody must look.
    Bad,
    /// All is well.
    Good,
    /// Neither.
    Open,
}

impl Finding {
    /// What a run says that ended so; without a status, it did not get to a verdict.
    pub fn of(status: Option<Status>, exit_status: u8) -> Self {
        match status {
            Some(Status::Passed) => Self::Good,
            Some(Status::Inconclusive | Status::Interrupted) => Self::Open,
            None | Some(Status::Failed | Status::Invalid) if exit_status == 0 => Self::Open,
            None | Some(Status::Failed | Status::Invalid) => Self::Bad,
        }
    }
}

/// What is to be told.
pub struct Notice<'a> {
    /// The first line.
    pub marker: Marker,
    /// How the run ended; none where it did not get to a verdict.
    pub status: Option<Status>,
    /// With which exit status.
    pub exit_status: u8,
    /// The title of an issue that is opened; later it may have another.
    pub title: &'a str,
    /// The text below the first line, after these earlier verdicts.
    pub body: &'a dyn Fn(&[Step], Room) -> String,
    /// Where the run can be seen; none outside of Actions.
    pub run_url: Option<&'a str>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// There is an issue now, at this address.
    Opened(String),
    /// It was brought up to date.
    Updated(String),
    /// It says so already.
    Unchanged(String),
    /// All is well again.
    Closed(String),
    /// There is no issue, and no need of one.
    Nothing,
    /// A later run has told already.
    Newer(RunNumber),
}

impl Notice<'_> {
    /// Opens the issue, brings it up to date, or closes it.
    pub fn publish(&self, client: &Client) -> Result<Told, ClientError> {
        let own = self.own(client, &listed(client, "open"))?;
        let Some(newest) = own.first() else {
            return match self.finding() {
                Finding::Bad => self.open(client),
                Finding::Good | Finding::Open => Ok(Told::Nothing),
            };
        };
        if newest.run > self.marker.run {
            return Ok(Told::Newer(newest.run));
        }
        let told = match self.finding() {
            Finding::Good => self.close(client, &newest.item),
            Finding::Bad | Finding::Open => self.update(client, &newest.item),
        };
        if let Err(ClientError::Overtaken(run)) = told {
            return Ok(Told::Newer(run));
        }
        let told = told?;
        retire(client, &own[1..], &newest.item);
        Ok(told)
    }

    fn finding(&self) -> Finding {
        Finding::of(self.status, self.exit_status)
    }

    /// Every issue of this list that is of this series and ours, the newest first.
    fn own(&self, client: &Client, list: &Route) -> Result<Vec<Own>, ClientError> {
        sticky::own(client, list, &self.marker)
    }

    fn open(&self, client: &Client) -> Result<Told, ClientError> {
        if let Some(newer) = self.closed_by(client)? {
            return Ok(Told::Newer(newer));
        }
        let list = listed(client, "open");
        let made = || {
            let own = self.own(client, &list)?;
            Ok(own.into_iter().find(|it| it.run == self.marker.run).map(|it| it.item))
        };
        let route = client.route(&["issues"]);
        let send = |body: &str| client.create(&route, &json!({ "title": self.title, "body": body }), &made);
        let opened: Item = self.text().fitted(&Trail::default(), &send)?;
        // Another job may have found none either.
        if let Ok(own) = self.own(client, &list)
            && let Some(newest) = own.first()
        {
            retire(client, &own[1..], &newest.item);
        }
        Ok(Told::Opened(opened.html_url))
    }

    /// The later run that closed an issue before this one came to open it.
    fn closed_by(&self, client: &Client) -> Result<Option<RunNumber>, ClientError> {
        let closed = listed(client, "closed");
        let closed = client.get(&closed.with("per_page", MOST_CLOSED))?;
        let closed = sticky::own_of(client, closed, &self.marker)?;
        Ok(closed.first().map(|it| it.run).filter(|run| *run > self.marker.run))
    }

    fn update(&self, client: &Client, issue: &Item) -> Result<Told, ClientError> {
        let route = client.route(&["issues", &issue.number.to_string()]);
        let text = self.text();
        let still = || text.still(client, &route);
        let send = |body: &str| client.patch_while(&route, &json!({ "body": body }), &still);
        Ok(match text.brought_to(issue, &send)? {
            Some(Item { html_url, .. }) => Told::Updated(html_url),
            None => Told::Unchanged(issue.html_url.clone()),
        })
    }

    /// Says that all is well, and closes.
    fn close(&self, client: &Client, issue: &Item) -> Result<Told, ClientError> {
        let number = issue.number.to_string();
        let comments = client.route(&["issues", &number, "comments"]);
        let where_to = self.run_url.map_or_else(String::new, |url| format!(": [the run]({url})"));
        let green = format!("Green again{where_to}.");
        let said = || {
            let all: Vec<Value> = client.pages(&comments)?;
            Ok(all.into_iter().find(|it| it["body"].as_str().is_some_and(|body| body.trim() == green)))
        };
        client.create::<Value>(&comments, &json!({ "body": green }), &said)?;
        let (route, trail) = (client.route(&["issues", &number]), issue.trail(self.marker.run));
        let text = self.text();
        let still = || text.still(client, &route);
        let closed: Item = text.fitted(&trail, &|body| {
            let body = json!({ "body": body, "state": "closed", "state_reason": "completed" });
            client.patch_while(&route, &body, &still)
        })?;
        Ok(Told::Closed(closed.html_url))
    }

    fn text(&self) -> Text<'_> {
        Text { marker: &self.marker, status: self.status, body: self.body }
    }
}

/// The issues in this state, of which ours are near the beginning. Whose they are is not asked here: an app is
/// called differently in different places.
fn listed(client: &Client, state: &str) -> Route {
    client.route(&["issues"]).with("state", state).with("sort", "updated").with("direction", "desc")
}

/// Closes issues that say the same as another; without their first line they are never found again. What is
/// left for the next run to close is no reason to fail.
fn retire(client: &Client, others: &[Own], newest: &Item) {
    for Own { item, .. } in others {
        let route = client.route(&["issues", &item.number.to_string()]);
        let body = format!("Two jobs ran at once; it is told in [the other issue]({}).", newest.html_url);
        let body = json!({ "body": body, "state": "closed", "state_reason": "not_planned" });
        let _ = client.patch::<Item>(&route, &body);
    }
}

/// What to do where an issue cannot be told.
pub fn hint(error: &ClientError) -> Option<String> {
    match error.status() {
        Some(404 | 410) => Some(format!(
            "switch issues on in the settings of the repository and give the job `permissions: {PERMISSION}`, or \
             leave `--issue` out"
        )),
        _ => error.hint(PERMISSION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bad_end_opens_an_issue_and_only_a_pass_closes_it() {
        use Finding::{Bad, Good, Open};
        for (status, exit_status, finding) in [
            (Some(Status::Failed), 3, Bad),
            (Some(Status::Failed), 4, Bad),
            (Some(Status::Invalid), 6, Bad),
            (None, 1, Bad),
            (None, 2, Bad),
            (Some(Status::Passed), 0, Good),
            (Some(Status::Inconclusive), 0, Open),
            (Some(Status::Inconclusive), 5, Open),
            (Some(Status::Interrupted), 130, Open),
            (Some(Status::Failed), 0, Open),
        ] {
            assert_eq!(Finding::of(status, exit_status), finding, "{status:?} {exit_status}");
        }
    }
}
