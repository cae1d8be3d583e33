//! The one comment of a pull request that is kept up to date: found by its first line and its author, never
//! overwritten by an older run, made once. What it says is made elsewhere.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::json;

use super::client::{Client, ClientError, Route};
use super::marker::{self, Marker};
use super::repository::RunNumber;
use super::trail::{Step, Trail};
use crate::result::verdict::Status;

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

/// How much room a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// What a comment can hold.
    Whole,
    /// Half of it: GitHub said that the whole was too much.
    Half,
}

/// What is to be posted.
pub struct Post<'a> {
    /// The pull request.
    pub number: u64,
    /// The first line.
    pub marker: Marker,
    /// How the run ended.
    pub status: Status,
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

/// A comment as far as it is looked at. Its author may be gone.
#[derive(Debug, Clone, Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    user: Option<User>,
    #[serde(default)]
    html_url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    login: String,
}

/// A comment of ours, and the run that wrote it.
struct Own {
    run: RunNumber,
    comment: Comment,
}

impl Post<'_> {
    /// Posts it, or brings up to date what is there.
    pub fn publish(&self, client: &Client, policy: Policy) -> Result<Posted, ClientError> {
        let mut own = self.own(client)?;
        // The newest is kept; where two jobs once made one each, the other one is taken out of use.
        own.sort_by_key(|it| Reverse((it.run, it.comment.id)));
        let Some(newest) = own.first() else {
            return match (policy, self.news) {
                (Policy::Auto, News::None) => Ok(Posted::NothingToSay),
                _ => self.create(client),
            };
        };
        if newest.run > self.marker.run {
            return Ok(Posted::Newer(newest.run));
        }
        let posted = self.update(client, &newest.comment)?;
        retire(client, &own[1..], &newest.comment)?;
        Ok(posted)
    }

    /// Every comment of this series that is ours.
    fn own(&self, client: &Client) -> Result<Vec<Own>, ClientError> {
        let me = client.login()?;
        let all: Vec<Comment> = client.pages(&self.comments(client))?;
        let mine = |comment: &Comment| comment.user.as_ref().is_some_and(|user| is_me(&user.login, me));
        Ok(all
            .into_iter()
            .filter(mine)
            .filter_map(|comment| {
                let run = marker::run_of(&self.marker.id, comment.body.as_deref()?)?;
                Some(Own { run, comment })
            })
            .collect())
    }

    fn comments(&self, client: &Client) -> Route {
        client.route(&["issues", &self.number.to_string(), "comments"])
    }

    fn create(&self, client: &Client) -> Result<Posted, ClientError> {
        let route = self.comments(client);
        let made = || {
            let own = self.own(client)?;
            Ok(own.into_iter().find(|it| it.run == self.marker.run).map(|it| it.comment))
        };
        let created =
            self.fitted(&Trail::default(), &|body| client.create(&route, &json!({ "body": body }), &made))?;
        // Another job may have found none either.
        let mut own = self.own(client)?;
        own.sort_by_key(|it| Reverse((it.run, it.comment.id)));
        if let Some(newest) = own.first() {
            retire(client, &own[1..], &newest.comment)?;
        }
        Ok(Posted::Created(created.html_url))
    }

    fn update(&self, client: &Client, comment: &Comment) -> Result<Posted, ClientError> {
        let old = comment.body.as_deref().unwrap_or_default();
        let trail = Trail::of(old).before(self.marker.run);
        let updated = self.fitted(&trail, &|body| {
            // GitHub stores a text with its own line ends.
            if body.trim_end() == old.replace("\r\n", "\n").trim_end() {
                return Ok(None);
            }
            let route = client.route(&["issues", "comments", &comment.id.to_string()]);
            client.patch::<Comment>(&route, &json!({ "body": body })).map(Some)
        });
        match updated {
            Ok(Some(updated)) => Ok(Posted::Updated(updated.html_url)),
            Ok(None) => Ok(Posted::Unchanged(comment.html_url.clone())),
            // It was deleted after it was listed.
            Err(error) if error.status() == Some(404) => self.create(client),
            Err(error) => Err(error),
        }
    }

    /// Sends the text; once more and shorter, where GitHub finds it too long.
    fn fitted<T>(
        &self,
        trail: &Trail,
        send: &dyn Fn(&str) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        match send(&self.text(trail, Room::Whole)) {
            Err(error) if error.is_too_long() => send(&self.text(trail, Room::Half)),
            outcome => outcome,
        }
    }

    fn text(&self, trail: &Trail, room: Room) -> String {
        let body = (self.body)(&trail.0, room);
        let step = Step {
            run: self.marker.run,
            status: self.status,
            sha: self.marker.sha.clone().unwrap_or_default(),
        };
        format!("{}\n{}\n{body}", self.marker, trail.clone().with(step).line())
    }
}

/// Takes comments out of use: without their first line they are never found again.
fn retire(client: &Client, others: &[Own], newest: &Comment) -> Result<(), ClientError> {
    for Own { comment, .. } in others {
        let route = client.route(&["issues", "comments", &comment.id.to_string()]);
        let body =
            format!("Two jobs ran at once; the result is in [the other comment]({}).", newest.html_url);
        client.patch::<Comment>(&route, &json!({ "body": body }))?;
    }
    Ok(())
}

/// Whether a login is ours: of an app, one of the two APIs leaves its suffix out.
pub(super) fn is_me(login: &str, me: &str) -> bool {
    login == me || login.strip_suffix("[bot]") == Some(me)
}
