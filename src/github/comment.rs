//! The one comment of a pull request that is kept up to date: found by its first line and its author, never
//! overwritten by an older run, made once. What it says is made elsewhere.

use serde_json::json;

use super::client::{Client, ClientError, Route};
use super::marker::Marker;
use super::repository::RunNumber;
use super::sticky::{self, Item, Own, Text};
use super::trail::{Step, Trail};
use crate::result::verdict::Status;

pub use super::sticky::Room;

/// When there is a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// From the first result on that is not a plain pass.
    #[default]
    Auto,
    /// From the first result on.
    Always,
    /// Never.
    Never,
}

/// What is to be posted.
pub struct Post<'a> {
    /// The pull request.
    pub number: u64,
    /// The first line.
    pub marker: Marker,
    /// How the run ended; none where it did not get to a verdict.
    pub status: Option<Status>,
    /// Whether there is anything to say that was not said by silence.
    pub news: News,
    /// The text below, after these earlier verdicts.
    pub body: &'a dyn Fn(&[Step], Room) -> String,
}

/// Whether a result must be told where nothing was told yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It passed, and nothing got worse.
    None,
    /// Anything else.
    Some,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// There is a comment now, at this address.
    Created(String),
    /// It was brought up to date.
    Updated(String),
    /// It says so already.
    Unchanged(String),
    /// A plain pass needs no first comment.
    NothingToSay,
    /// A later run has written it.
    Newer(RunNumber),
}

impl Post<'_> {
    /// Posts it, or brings up to date what is there.
    pub fn publish(&self, client: &Client, policy: Policy) -> Result<Posted, ClientError> {
        // The newest is kept; where two jobs once made one each, the other one is taken out of use.
        let own = self.own(client)?;
        let Some(newest) = own.first() else {
            return match (policy, self.news) {
                (Policy::Auto, News::None) => Ok(Posted::NothingToSay),
                _ => self.create(client),
            };
        };
        if newest.run > self.marker.run {
            return Ok(Posted::Newer(newest.run));
        }
        let posted = self.update(client, &newest.item)?;
        retire(client, &own[1..], &newest.item);
        Ok(posted)
    }

    /// Every comment of this series that is ours, the newest first.
    fn own(&self, client: &Client) -> Result<Vec<Own>, ClientError> {
        sticky::own(client, &self.comments(client), &self.marker)
    }

    fn comments(&self, client: &Client) -> Route {
        client.route(&["issues", &self.number.to_string(), "comments"])
    }

    fn create(&self, client: &Client) -> Result<Posted, ClientError> {
        let route = self.comments(client);
        let made = || {
            let own = self.own(client)?;
            Ok(own.into_iter().find(|it| it.run == self.marker.run).map(|it| it.item))
        };
        let send = |body: &str| client.create(&route, &json!({ "body": body }), &made);
        let created = self.text().fitted(&Trail::default(), &send)?;
        // Another job may have found none either.
        if let Ok(own) = self.own(client)
            && let Some(newest) = own.first()
        {
            retire(client, &own[1..], &newest.item);
        }
        Ok(Posted::Created(created.html_url))
    }

    fn update(&self, client: &Client, comment: &Item) -> Result<Posted, ClientError> {
        let route = client.route(&["issues", "comments", &comment.id.to_string()]);
        let text = self.text();
        let still = || text.still(client, &route);
        let send = |body: &str| client.patch_while::<Item>(&route, &json!({ "body": body }), &still);
        let updated = text.brought_to(comment, &send);
        match updated {
            Ok(Some(updated)) => Ok(Posted::Updated(updated.html_url)),
            Ok(None) => Ok(Posted::Unchanged(comment.html_url.clone())),
            // It was deleted after it was listed.
            Err(error) if error.status() == Some(404) => self.create(client),
            Err(ClientError::Overtaken(run)) => Ok(Posted::Newer(run)),
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> Text<'_> {
        Text { marker: &self.marker, status: self.status, body: self.body }
    }
}

/// Takes comments out of use: without their first line they are never found again. What is left for the next
/// run to take out of use is no reason to fail.
fn retire(client: &Client, others: &[Own], newest: &Item) {
    for Own { item, .. } in others {
        let route = client.route(&["issues", "comments", &item.id.to_string()]);
        let body =
            format!("Two jobs ran at once; the result is in [the other comment]({}).", newest.html_url);
        let _ = client.patch::<Item>(&route, &json!({ "body": body }));
    }
}
