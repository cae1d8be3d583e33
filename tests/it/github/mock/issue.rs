//! Issues: listing, opening, changing. Pull requests are among them, as on GitHub.

use serde_json::{Value, json};

use super::comment::{checked, page};
use super::identity::{Access, Area};
use super::repository::{Issue, Repository, Tracker};
use super::route::{Answered, Call};
use super::view;
use super::wire::Answer;

pub fn list(call: &Call) -> Answered {
    enabled(call)?;
    call.who.need(&[Area::Issues], Access::Read)?;
    let (asked, repository) = (call.asked, &call.repository);
    let wanted = |issue: &&Issue| {
        let labels = asked.query("labels").unwrap_or_default();
        let mut labels = labels.split(',').filter(|label| !label.is_empty());
        let by = asked.query("creator").is_none_or(|creator| issue.author.as_deref() == Some(creator));
        in_state(issue, asked.query("state"))
            && by
            && labels.all(|label| issue.labels.iter().any(|known| known == label))
    };
    let found = repository.issues.values().rev().filter(wanted);
    let all = found.map(|issue| show(repository, issue)).collect();
    Ok(page(repository, asked, all))
}

pub fn create(call: &mut Call) -> Answered {
    enabled(call)?;
    call.who.need(&[Area::Issues], Access::Write)?;
    let body = call.asked.text("body").map(|body| checked("Issue", Some(body))).transpose()?;
    let title = call.asked.text("title").unwrap_or_default().to_owned();
    let labels = texts(&call.asked.body["labels"]);
    let login = call.who.login.clone();
    let issue = call.repository.open_issue(Some(&login), &title, body.as_deref());
    issue.labels = labels;
    let issue = issue.clone();
    Ok(Answer::created(show(call.repository, &issue)))
}

pub fn get(call: &Call, number: u64) -> Answered {
    enabled(call)?;
    call.who.need(&[Area::Issues], Access::Read)?;
    let issue = call.repository.issues.get(&number).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(show(call.repository, issue)))
}

pub fn update(call: &mut Call, number: u64) -> Answered {
    enabled(call)?;
    call.who.need(&[Area::Issues], Access::Write)?;
    let body = call.asked.text("body").map(|body| checked("Issue", Some(body))).transpose()?;
    let updated = call.repository.now();
    let issue = call.repository.issues.get_mut(&number).ok_or_else(Answer::not_found)?;
    change(issue, &call.asked.body);
    issue.body = body.or(issue.body.take());
    issue.updated = updated;
    let issue = issue.clone();
    Ok(Answer::ok(show(call.repository, &issue)))
}

/// What a change of an issue or a pull request may say besides its body.
pub fn change(issue: &mut Issue, change: &Value) {
    if let Some(title) = change["title"].as_str() {
        title.clone_into(&mut issue.title);
    }
    match change["state"].as_str() {
        Some("open") => issue.open = true,
        Some("closed") => issue.open = false,
        _ => {}
    }
    if change["labels"].is_array() {
        issue.labels = texts(&change["labels"]);
    }
}

/// Whether an issue is in a state that was asked for; without one, the open ones are.
pub fn in_state(issue: &Issue, state: Option<&str>) -> bool {
    match state.unwrap_or("open") {
        "all" => true,
        "closed" => !issue.open,
        _ => issue.open,
    }
}

fn enabled(call: &Call) -> Result<(), Answer> {
    match call.repository.tracker {
        Tracker::On => Ok(()),
        Tracker::Off if call.asked.method == "GET" => Err(Answer::not_found()),
        Tracker::Off => Err(Answer::error(410, "Issues has been disabled in this repository.")),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn show(repository: &Repository, issue: &Issue) -> Value {
    let number = issue.number;
    let place = if issue.pull.is_some() { "pull" } else { "issues" };
    let page = format!("https://github.com/{}/{place}/{number}", repository.full_name());
    let label = |name: &String| json!({"id": 7, "name": name, "color": "ededed", "default": false});
    let changes = json!({
        "id": 9_000_000 + number,
        "number": number,
        "title": issue.title,
        "body": issue.body,
        "state": if issue.open { "open" } else { "closed" },
        "labels": issue.labels.iter().map(label).collect::<Vec<_>>(),
        "comments": repository.comments_of(number).len(),
        "url": repository.at(&format!("/issues/{number}")),
        "html_url": page,
        "created_at": view::moment(issue.created),
        "updated_at": view::moment(issue.updated),
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "closed_by": null,
    });
    let mut shown = view::like(("POST", "/issues"), &changes);
    shown["user"] = view::user(issue.author.as_deref());
    if issue.pull.is_none() {
        shown.as_object_mut().expect("an object").remove("pull_request");
    } else {
        let link = repository.at(&format!("/pulls/{number}"));
        shown["pull_request"] = json!({"url": link, "html_url": page, "diff_url": page, "patch_url": page});
    }
    shown
}
