//! Commits that are made through the API, and the branches that they go to. No author is named, so that
//! GitHub signs them for whoever asks. What a commit holds is decided elsewhere.

use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{Change, Content};
use super::contents::{Contents, Head, PLAIN};
use super::error::ProposalError;
use crate::github::client::{Client, ClientError, Route};
use crate::github::repository::is_sha;

/// The line in the message of a commit of ours that names what it was made from.
const ORIGIN: &str = "Loadgate-Base: ";
/// Commits of others on top of ours that are looked through.
const MOST_ON_TOP: usize = 50;

/// What becomes of what a branch was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// It is still there, below.
    Forward,
    /// It is given up.
    Replace,
    /// There was nothing.
    Create,
}

#[derive(Deserialize)]
struct Made {
    sha: String,
}

/// Makes a commit: the base with the change, after these commits.
pub(super) fn commit(
    client: &Client,
    (base, parents): (&Head, &[&String]),
    change: &Change,
    title: &str,
) -> Result<String, ProposalError> {
    // Nobody sees what no branch leads to: making it twice harms nothing.
    let make = |what: &str, body: &Value| {
        let made: Result<Made, ClientError> =
            client.create(&client.route(&["git", what]), body, &|| Ok(None));
        made.map(|made| made.sha).map_err(ProposalError::client("make a commit"))
    };
    let tree = make("trees", &json!({ "base_tree": base.tree, "tree": entries(change) }))?;
    let message = format!("{title}\n\n{ORIGIN}{}\n", base.sha);
    make("commits", &json!({ "message": message, "tree": tree, "parents": parents }))
}

fn entries(change: &Change) -> Vec<Value> {
    let file = |path: String| json!({ "path": path, "mode": PLAIN, "type": "blob" });
    let added = change.added.iter().map(|(spot, content)| {
        let mut entry = file(spot.path());
        match content {
            Content::Text(text) => entry["content"] = json!(text),
            Content::Known(sha) => entry["sha"] = json!(sha),
        }
        entry
    });
    let removed = change.removed.iter().map(|spot| {
        let mut entry = file(spot.path());
        entry["sha"] = Value::Null;
        entry
    });
    added.chain(removed).collect()
}

/// What a branch of ours was made from: the newest commit of ours says so; of others only that it is below.
pub(super) fn origin(contents: &Contents, branch: &Head, base: &Head) -> Result<Head, ProposalError> {
    let mut commit = branch.clone();
    for _ in 0..MOST_ON_TOP {
        let said =
            commit.message.lines().find_map(|line| line.strip_prefix(ORIGIN)).filter(|sha| is_sha(sha));
        let below = match (said, &commit.parents[..]) {
            (Some(sha), _) => return Ok(contents.commit_if_there(sha)?.unwrap_or_else(|| base.clone())),
            // Somebody merged the base into it.
            (None, [_, merged, ..]) => return contents.commit(merged),
            (None, [parent]) => parent,
            (None, []) => break,
        };
        commit = contents.commit(below)?;
    }
    Ok(base.clone())
}

/// Lets a branch be a commit.
pub(super) fn advance(
    client: &Client,
    branch: &str,
    (commit, how): (&str, Move),
) -> Result<(), ProposalError> {
    let moved = match how {
        Move::Create => create(client, branch, commit),
        Move::Forward | Move::Replace => {
            let body = json!({ "sha": commit, "force": how == Move::Replace });
            client.patch::<Value>(&route(client, "refs", branch), &body).map(drop)
        }
    };
    moved.map_err(|error| {
        if is_lost(&error) { lost(branch) } else { ProposalError::client("move the branch")(error) }
    })
}

fn create(client: &Client, branch: &str, commit: &str) -> Result<(), ClientError> {
    let body = json!({ "ref": format!("refs/heads/{branch}"), "sha": commit });
    let made = || {
        let found = client.get::<Value>(&route(client, "ref", branch));
        let found = found
            .map(Some)
            .or_else(|error| if error.status() == Some(404) { Ok(None) } else { Err(error) })?;
        Ok(found.filter(|it| it.pointer("/object/sha").and_then(Value::as_str) == Some(commit)))
    };
    client.create(&client.route(&["git", "refs"]), &body, &made).map(drop)
}

/// Removes a branch; one that is gone already is no error.
pub(super) fn delete(client: &Client, branch: &str) -> Result<(), ProposalError> {
    match client.delete(&route(client, "refs", branch)) {
        Err(error) if !matches!(error.status(), Some(404 | 422)) => {
            Err(ProposalError::client("delete the branch")(error))
        }
        _ => Ok(()),
    }
}

/// That somebody else was faster.
pub(super) fn lost(branch: &str) -> ProposalError {
    ProposalError::Lost(branch.to_owned())
}

/// Whether a branch is not what it was a moment ago: it has moved on, is gone, or is there now.
fn is_lost(error: &ClientError) -> bool {
    let said = ["not a fast forward", "Reference does not exist", "Reference already exists"];
    matches!(error, ClientError::Refused { status: 404 | 409 | 422, message, .. }
        if said.iter().any(|said| message.contains(said)))
}

/// Slashes in the name of a branch are slashes of the path.
fn route(client: &Client, kind: &str, branch: &str) -> Route {
    let parts: Vec<_> = ["git", kind, "heads"].into_iter().chain(branch.split('/')).collect();
    client.route(&parts)
}
