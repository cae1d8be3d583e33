//! The pull request of the branch: found, opened, brought up to date, closed. Never one that does not begin
//! with our line. Who opened it is not asked: whoever may write our branch may as well, and a job may get another
//! token.

use serde::Deserialize;
use serde_json::{Value, json};

use super::branch;
use super::error::ProposalError;
use super::{BRANCH, SERIES};
use crate::github::client::{Client, ClientError};
use crate::github::event::NamedRepository;
use crate::github::marker::{Marker, Series};

/// What GitHub answers where there is one.
const EXISTS: &str = "already exists";
/// Closed ones that are looked at, the last that were touched.
const MOST_CLOSED: &str = "100";

/// A pull request as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pull {
    number: u64,
    title: String,
    #[serde(default)]
    body: Option<String>,
    html_url: String,
    head: Side,
    base: Side,
}

#[derive(Debug, Clone, Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    repo: Option<NamedRepository>,
}

/// What a pull request says.
pub(super) struct Words {
    pub(super) title: String,
    pub(super) body: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    Opened(String),
    Updated(String),
    Unchanged(String),
}

impl Pull {
    /// The open one of our branch that goes into this one; none where there is none.
    pub(super) fn open(client: &Client, base: &str) -> Result<Option<Self>, ProposalError> {
        let open = Self::of_branch(client, "open").map_err(ProposalError::client("list pull requests"))?;
        let fits = |pull: &&Self| pull.is_ours() && pull.base.branch == base;
        match (open.iter().find(fits).cloned(), open.into_iter().next()) {
            (Some(pull), _) => Ok(Some(pull)),
            (None, None) => Ok(None),
            (None, Some(pull)) if pull.is_ours() => {
                Err(ProposalError::OtherBase { number: pull.number, base: pull.base.branch })
            }
            (None, Some(pull)) => Err(ProposalError::Foreign { number: pull.number, branch: BRANCH }),
        }
    }

    /// Whether one was closed, or merged, when its branch was this commit.
    pub(super) fn was_closed_at(client: &Client, commit: &str) -> Result<bool, ProposalError> {
        let closed =
            Self::of_branch(client, "closed").map_err(ProposalError::client("list pull requests"))?;
        Ok(closed.iter().any(|pull| pull.head.sha == commit))
    }

    fn of_branch(client: &Client, state: &str) -> Result<Vec<Self>, ClientError> {
        let repository = client.repository();
        let head = format!("{}:{BRANCH}", repository.owner());
        let route = client.route(&["pulls"]).with("state", state).with("head", &head);
        let route = route.with("sort", "updated").with("direction", "desc").with("per_page", MOST_CLOSED);
        let mut found: Vec<Self> = client.get(&route)?;
        found.retain(|pull| {
            let own = pull.head.repo.as_ref().is_some_and(|repo| repository.is_called(&repo.full_name));
            own && pull.head.branch == BRANCH
        });
        Ok(found)
    }

    /// Whether it begins with our line.
    fn is_ours(&self) -> bool {
        self.body.as_deref().is_some_and(|body| Marker::of(&Series::named(SERIES), body).is_some())
    }

    /// Where people see it.
    pub(super) fn url(&self) -> &str {
        &self.html_url
    }

    /// Opens one.
    pub(super) fn create(client: &Client, base: &str, words: &Words) -> Result<Kept, ProposalError> {
        let Words { title, body } = words;
        let whole = json!({ "title": title, "head": BRANCH, "base": base, "body": body });
        let made = || Ok(Self::of_branch(client, "open")?.into_iter().find(Self::is_ours));
        match client.create::<Self>(&client.route(&["pulls"]), &whole, &made) {
            Ok(pull) => Ok(Kept::Opened(pull.html_url)),
            Err(ClientError::Refused { status: 422, message, .. }) if message.contains(EXISTS) => {
                let pull = Self::open(client, base)?.ok_or_else(|| branch::lost(BRANCH))?;
                pull.update(client, words)
            }
            Err(error) => Err(ProposalError::client("open a pull request")(error)),
        }
    }

    /// Brings it up to date.
    pub(super) fn update(&self, client: &Client, words: &Words) -> Result<Kept, ProposalError> {
        // GitHub stores a text with its own line ends.
        let old = self.body.as_deref().unwrap_or_default().replace("\r\n", "\n");
        if self.title == words.title && below(&old) == below(&words.body) {
            return Ok(Kept::Unchanged(self.html_url.clone()));
        }
        self.change(client, &json!({ "title": words.title, "body": words.body }))?;
        Ok(Kept::Updated(self.html_url.clone()))
    }

    /// Closes it, and says why.
    pub(super) fn close(&self, client: &Client, why: &str) -> Result<(), ProposalError> {
        let route = client.route(&["issues", &self.number.to_string(), "comments"]);
        let said = || {
            let all: Vec<Value> = client.pages(&route)?;
            Ok(all.into_iter().find(|it| it["body"].as_str().is_some_and(|body| body.trim() == why)))
        };
        let comment = client.create::<Value>(&route, &json!({ "body": why }), &said);
        comment.map_err(ProposalError::client("say why the pull request is closed"))?;
        self.change(client, &json!({ "state": "closed" }))
    }

    fn change(&self, client: &Client, body: &Value) -> Result<(), ProposalError> {
        let route = client.route(&["pulls", &self.number.to_string()]);
        let changed = client.patch::<Value>(&route, body).map(drop);
        changed.map_err(ProposalError::client("change the pull request"))
    }
}

/// What stands below the first line, which names the run that wrote it.
fn below(body: &str) -> &str {
    body.split_once('\n').map_or("", |(_, rest)| rest.trim_end())
}
