//! Branches, as references of git. Knows nothing of what they point to but whether it is there.

use serde_json::{Value, json};

use super::identity::{Access, Area};
use super::repository::Repository;
use super::route::{Answered, Call};
use super::view;
use super::wire::Answer;

pub fn get(call: &Call, name: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Read)?;
    let branch = branch(name)?;
    let sha = call.repository.git.branches.get(branch).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(show(call.repository, branch, sha)))
}

pub fn create(call: &mut Call) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let text = |field: &str| call.asked.text(field).unwrap_or_default().to_owned();
    let (name, sha) = (text("ref"), text("sha"));
    let Some(branch) = name.strip_prefix("refs/heads/").filter(|branch| !branch.is_empty()) else {
        return Err(Answer::error(422, &format!("{name} is not a valid ref name.")));
    };
    if call.repository.git.branches.contains_key(branch) {
        return Err(Answer::error(422, "Reference already exists"));
    }
    exists(call.repository, &sha)?;
    call.repository.point(branch, &sha);
    Ok(Answer::created(show(call.repository, branch, &sha)))
}

pub fn update(call: &mut Call, name: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let branch = branch(name)?;
    let sha = call.asked.text("sha").unwrap_or_default().to_owned();
    let old = call.repository.git.branches.get(branch).cloned();
    let old = old.ok_or_else(|| Answer::error(422, "Reference does not exist"))?;
    exists(call.repository, &sha)?;
    if call.asked.body["force"] != json!(true) && !call.repository.git.reaches(&sha, &old) {
        return Err(Answer::error(422, "Update is not a fast forward"));
    }
    call.repository.point(branch, &sha);
    Ok(Answer::ok(show(call.repository, branch, &sha)))
}

pub fn delete(call: &mut Call, name: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let gone = call.repository.remove(branch(name)?);
    gone.map(|_| Answer::new(204, Value::Null)).ok_or_else(|| Answer::error(422, "Reference does not exist"))
}

fn branch(name: &str) -> Result<&str, Answer> {
    name.strip_prefix("heads/").ok_or_else(Answer::not_found)
}

fn exists(repository: &Repository, sha: &str) -> Result<(), Answer> {
    let commit = repository.git.commit(sha);
    commit.map(drop).ok_or_else(|| Answer::error(422, "Object does not exist"))
}

fn show(repository: &Repository, branch: &str, sha: &str) -> Value {
    let changes = json!({
        "ref": format!("refs/heads/{branch}"),
        "url": repository.at(&format!("/git/refs/heads/{branch}")),
        "object": {"type": "commit", "sha": sha, "url": repository.at(&format!("/git/commits/{sha}"))},
    });
    view::like(("GET", "/git/ref/{ref}"), &changes)
}
