//! Pull requests: listing, opening, changing. Merging is left to people.

use serde_json::{Value, json};

use super::comment::{checked, page};
use super::identity::{Access, Area};
use super::issue::{change, in_state};
use super::repository::{Issue, Pull, Repository};
use super::route::{Answered, Call};
use super::view;
use super::wire::Answer;

pub fn list(call: &Call) -> Answered {
    call.who.need(&[Area::Pulls], Access::Read)?;
    let (asked, repository) = (call.asked, &call.repository);
    let found = repository.issues.values().rev().filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
    let wanted = found.filter(|(issue, pull)| {
        let base = asked.query("base").is_none_or(|base| pull.base == base);
        in_state(issue, asked.query("state")) && base && is_from(pull, asked.query("head"))
    });
    let all = wanted.map(|(issue, pull)| show(repository, ("GET", "/pulls"), (issue, pull))).collect();
    Ok(page(repository, asked, all))
}

pub fn create(call: &mut Call) -> Answered {
    call.who.need(&[Area::Pulls], Access::Write)?;
    let text = |field: &str| call.asked.text(field).unwrap_or_default().to_owned();
    let body = call.asked.text("body").map(|body| checked("PullRequest", Some(body))).transpose()?;
    let (branch, base) = (text("head"), text("base"));
    let branch = branch.strip_prefix(&format!("{}:", call.repository.owner)).unwrap_or(&branch).to_owned();
    let sha = openable(call.repository, &branch, &base)?;
    let pull = Pull { repository: Some(call.repository.full_name()), branch, sha, base };
    let login = call.who.login.clone();
    let issue = call.repository.open_issue(Some(&login), &text("title"), body.as_deref());
    issue.pull = Some(pull.clone());
    let issue = issue.clone();
    Ok(Answer::created(show(call.repository, ("POST", "/pulls"), (&issue, &pull))))
}

pub fn get(call: &Call, number: u64) -> Answered {
    call.who.need(&[Area::Pulls], Access::Read)?;
    let issue = call.repository.issues.get(&number).ok_or_else(Answer::not_found)?;
    let pull = issue.pull.as_ref().ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(show(call.repository, ("GET", "/pulls/{pull_number}"), (issue, pull))))
}

pub fn update(call: &mut Call, number: u64) -> Answered {
    call.who.need(&[Area::Pulls], Access::Write)?;
    let body = call.asked.text("body").map(|body| checked("PullRequest", Some(body))).transpose()?;
    let updated = call.repository.now();
    let issue = call.repository.issues.get_mut(&number).ok_or_else(Answer::not_found)?;
    let pull = issue.pull.clone().ok_or_else(Answer::not_found)?;
    change(issue, &call.asked.body);
    issue.body = body.or(issue.body.take());
    issue.updated = updated;
    let issue = issue.clone();
    Ok(Answer::ok(show(call.repository, ("PATCH", "/pulls/{pull_number}"), (&issue, &pull))))
}

/// GitHub does not look at a head that is not `owner:branch`.
fn is_from(pull: &Pull, head: Option<&str>) -> bool {
    let Some((owner, branch)) = head.and_then(|head| head.split_once(':')) else { return true };
    let from = pull.repository.as_deref().and_then(|name| name.split('/').next());
    from == Some(owner) && pull.branch == branch
}

/// The commit that a pull request from a branch would be of.
fn openable(repository: &Repository, branch: &str, base: &str) -> Result<String, Answer> {
    let commit = |branch: &str| repository.git.branches.get(branch).cloned();
    let head = commit(branch).ok_or_else(|| Answer::invalid("PullRequest", "head", "invalid"))?;
    let target = commit(base).ok_or_else(|| Answer::invalid("PullRequest", "base", "invalid"))?;
    let own = Some(repository.full_name());
    let open = repository.issues.values().filter(|issue| issue.open).filter_map(|issue| issue.pull.as_ref());
    let mut same = open.filter(|pull| pull.branch == branch && pull.base == base && pull.repository == own);
    if same.next().is_some() {
        let message = format!("A pull request already exists for {}:{branch}.", repository.owner);
        return Err(Answer::invalid("PullRequest", "head", &message));
    }
    if repository.git.reaches(&target, &head) {
        let message = format!("No commits between {base} and {branch}");
        return Err(Answer::invalid("PullRequest", "head", &message));
    }
    Ok(head)
}

fn show(repository: &Repository, example: (&str, &str), (issue, pull): (&Issue, &Pull)) -> Value {
    let number = issue.number;
    let owner = pull.repository.as_deref().and_then(|name| name.split('/').next());
    let own = repository.full_name();
    let target = repository.git.branches.get(&pull.base).cloned().unwrap_or_default();
    let base = json!({"full_name": own, "name": repository.name, "id": repository.id, "fork": false});
    let changes = json!({
        "id": 8_000_000 + number,
        "number": number,
        "title": issue.title,
        "body": issue.body,
        "state": if issue.open { "open" } else { "closed" },
        "url": repository.at(&format!("/pulls/{number}")),
        "html_url": format!("https://github.com/{own}/pull/{number}"),
        "created_at": view::moment(issue.created),
        "updated_at": view::moment(issue.updated),
        "requested_teams": [],
        "head": {"ref": pull.branch, "sha": pull.sha, "label": format!("{}:{}", owner.unwrap_or("unknown repository"), pull.branch)},
        "base": {"ref": pull.base, "sha": target, "label": format!("{}:{}", repository.owner, pull.base), "repo": base},
    });
    let mut shown = view::like(example, &changes);
    shown["user"] = view::user(issue.author.as_deref());
    match &pull.repository {
        None => shown["head"]["repo"] = Value::Null,
        Some(name) => {
            let fork = json!({"full_name": name, "fork": *name != own, "id": if *name == own { repository.id } else { 77 }});
            let base = shown["base"]["repo"].clone();
            shown["head"]["repo"] = base;
            for (key, value) in fork.as_object().into_iter().flatten() {
                shown["head"]["repo"][key] = value.clone();
            }
        }
    }
    shown
}
