//! What comments and issues that are kept up to date have in common: they are found by their first line and
//! their author, and their text carries the verdicts of earlier runs. What they say is made elsewhere.

use std::cmp::Reverse;

use serde::Deserialize;
use serde::de::IgnoredAny;

use jiff::tz::TimeZone;

use super::client::{Client, ClientError, Route};
use super::marker::{self, Marker};
use super::repository::RunNumber;
use super::trail::{Step, Trail};
use crate::clock;
use crate::result::verdict::Status;

/// How much room a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// What a comment can hold.
    Whole,
    /// So much: half of what GitHub said was too long.
    Bytes(usize),
}

/// A comment or an issue as far as it is looked at. Its author may be gone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Item {
    pub(super) id: u64,
    /// Of an issue.
    #[serde(default)]
    pub(super) number: u64,
    #[serde(default)]
    body: Option<String>,
    user: Option<User>,
    #[serde(default)]
    pub(super) html_url: String,
    /// Among issues, a pull request.
    #[serde(default)]
    pull_request: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    login: String,
}

/// One of ours, and the run that wrote it.
pub(super) struct Own {
    pub(super) run: RunNumber,
    pub(super) item: Item,
}

/// Every one of a list that is of this series and ours: first those that have its digest, the newest first.
pub(super) fn own(client: &Client, list: &Route, marker: &Marker) -> Result<Vec<Own>, ClientError> {
    own_of(client, client.pages(list)?, marker)
}

/// The same of these.
pub(super) fn own_of(client: &Client, all: Vec<Item>, marker: &Marker) -> Result<Vec<Own>, ClientError> {
    let me = client.login()?;
    let mine = |item: &Item| {
        let by_me = item.user.as_ref().is_some_and(|user| is_me(&user.login, me));
        by_me && item.pull_request.is_none()
    };
    let mut own: Vec<Own> = all
        .into_iter()
        .filter(mine)
        .filter_map(|item| {
            let run = marker::run_of(&marker.series, item.body.as_deref()?)?;
            Some(Own { run, item })
        })
        .collect();
    // One of an earlier version may be of another series: what is surely of this one is preferred.
    let is_sure = |item: &Item| item.body.as_deref().is_some_and(|body| marker.series.is_surely_of(body));
    own.sort_by_key(|it| Reverse((is_sure(&it.item), it.run, it.item.id)));
    Ok(own)
}

impl Item {
    /// The verdicts in it that came before this run.
    pub(super) fn trail(&self, run: RunNumber) -> Trail {
        Trail::of(self.body.as_deref().unwrap_or_default()).before(run)
    }
}

/// A text with its first lines.
pub(super) struct Text<'a> {
    /// The first line.
    pub(super) marker: &'a Marker,
    /// How the run ended; none where it did not get to a verdict.
    pub(super) status: Option<Status>,
    /// The text below, after these earlier verdicts.
    pub(super) body: &'a dyn Fn(&[Step], Room) -> String,
}

impl Text<'_> {
    /// Sends it; once more and shorter, where GitHub finds it too long.
    pub(super) fn fitted<T>(
        &self,
        trail: &Trail,
        send: &dyn Fn(&str) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let whole = self.text(trail, Room::Whole);
        match send(&whole) {
            Err(error) if error.is_too_long() => send(&self.text(trail, Room::Bytes(whole.len() / 2))),
            outcome => outcome,
        }
    }

    /// Sends it instead of what is there, with the verdicts there; nothing where it says so already.
    pub(super) fn brought_to<T>(
        &self,
        old: &Item,
        send: &dyn Fn(&str) -> Result<T, ClientError>,
    ) -> Result<Option<T>, ClientError> {
        // GitHub stores a text with its own line ends.
        let there = old.body.as_deref().unwrap_or_default().replace("\r\n", "\n");
        self.fitted(&old.trail(self.marker.run), &|body| {
            let same = body.trim_end() == there.trim_end();
            if same { Ok(None) } else { send(body).map(Some) }
        })
    }

    /// Whether no later run has written this item meanwhile.
    pub(super) fn still(&self, client: &Client, route: &Route) -> Result<(), ClientError> {
        let there: Item = client.get(route)?;
        let run = there.body.as_deref().and_then(|body| marker::run_of(&self.marker.series, body));
        match run {
            Some(run) if run > self.marker.run => Err(ClientError::Overtaken(run)),
            _ => Ok(()),
        }
    }

    fn text(&self, trail: &Trail, room: Room) -> String {
        let body = (self.body)(&trail.0, room);
        let sha = self.marker.sha.clone().unwrap_or_default();
        let day = Some(TimeZone::UTC.to_datetime(clock::now_utc()).date());
        let trail = trail.clone().with(Step { run: self.marker.run, status: self.status, sha, day });
        format!("{}\n{}\n{body}", self.marker, trail.line())
    }
}

/// Whether a login is ours: of an app, one of the two APIs leaves its suffix out.
fn is_me(login: &str, me: &str) -> bool {
    login == me || login.strip_suffix("[bot]") == Some(me)
}
