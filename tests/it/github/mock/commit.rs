//! Commits: made without an author, by whoever asks. Trees are somebody else's.

use serde_json::{Value, json};

use super::git::{Commit, Object};
use super::identity::{Access, Area};
use super::repository::Repository;
use super::route::{Answered, Call};
use super::view;
use super::wire::Answer;

pub fn get(call: &Call, sha: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Read)?;
    let commit = call.repository.git.commit(sha).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(show(call.repository, sha, commit)))
}

pub fn create(call: &mut Call) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let text = |field: &str| call.asked.text(field).unwrap_or_default().to_owned();
    let (tree, message) = (text("tree"), text("message"));
    let parents: Vec<String> = call.asked.body["parents"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|sha| sha.as_str().map(str::to_owned))
        .collect();
    if !matches!(call.repository.git.object(&tree), Some(Object::Tree(_))) {
        return Err(Answer::error(422, "Tree SHA does not exist"));
    }
    if parents.iter().any(|parent| call.repository.git.commit(parent).is_none()) {
        return Err(Answer::error(422, "Parent SHA does not exist or is not a commit object"));
    }
    let date = view::moment(call.repository.now());
    let sha = call.repository.git.store_commit(&tree, &parents, (&message, &date));
    let commit = call.repository.git.commit(&sha).expect("just made");
    Ok(Answer::created(show(call.repository, &sha, commit)))
}

/// The commit behind a name: of a branch, or its own.
pub fn describe(call: &Call, name: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Read)?;
    let git = &call.repository.git;
    let sha = git.branches.get(name).map_or(name, String::as_str);
    let missing = || Answer::error(422, &format!("No commit found for SHA: {name}"));
    let commit = git.commit(sha).ok_or_else(missing)?;
    let changes = json!({
        "sha": sha,
        "url": call.repository.at(&format!("/commits/{sha}")),
        "commit": {"message": commit.message, "tree": {"sha": commit.tree}},
        "files": [],
    });
    Ok(Answer::ok(view::like(("GET", "/commits/{ref}"), &changes)))
}

fn show(repository: &Repository, sha: &str, commit: &Commit) -> Value {
    let at = |kind: &str, sha: &str| repository.at(&format!("/git/{kind}/{sha}"));
    let parent =
        |sha: &String| json!({"sha": sha, "url": at("commits", sha), "html_url": at("commits", sha)});
    let who =
        json!({"date": commit.date, "name": "github-actions[bot]", "email": "bot@users.noreply.github.com"});
    let changes = json!({
        "sha": sha,
        "url": at("commits", sha),
        "author": who,
        "committer": who,
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": at("trees", &commit.tree)},
        "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(),
    });
    view::like(("POST", "/git/commits"), &changes)
}
