//! Comments of issues and pull requests, in pages. Knows of issues only whether there are any.

use serde_json::{Value, json};

use super::identity::{Access, Area};
use super::repository::{Repository, Tracker};
use super::route::{Answered, Call};
use super::view;
use super::wire::{Answer, Asked};

/// What a text may have at most.
pub const MOST_CHARACTERS: usize = 65_536;
const USUAL_PAGE: usize = 30;
const LARGEST_PAGE: usize = 100;

/// A comment.
#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub issue: u64,
    /// None: the account is gone.
    pub author: Option<String>,
    pub body: String,
    pub created: u64,
    pub updated: u64,
}

impl Repository {
    /// Comments as anybody.
    pub fn comment(&mut self, issue: u64, author: Option<&str>, body: &str) -> u64 {
        let created = self.now();
        let id = 3_500_000_000 + self.comments.len() as u64;
        let (author, body) = (author.map(str::to_owned), body.to_owned());
        self.comments.push(Comment { id, issue, author, body, created, updated: created });
        id
    }

    /// The comments of an issue, oldest first.
    pub fn comments_of(&self, issue: u64) -> Vec<Comment> {
        self.comments.iter().filter(|comment| comment.issue == issue).cloned().collect()
    }
}

pub fn list(call: &mut Call, issue: u64) -> Answered {
    call.who.need(&areas(call, issue)?, Access::Read)?;
    let comments = call.repository.comments_of(issue);
    let all = comments.iter().map(|comment| view(call.repository, comment)).collect();
    Ok(page(call.repository, call.asked, all))
}

pub fn create(call: &mut Call, issue: u64) -> Answered {
    call.who.need(&areas(call, issue)?, Access::Write)?;
    let body = checked("IssueComment", call.asked.text("body"))?;
    let id = call.repository.comment(issue, Some(&call.who.login), &body);
    let comment = call.repository.comments.last().expect("just made").clone();
    let answer = Answer::created(view(call.repository, &comment));
    Ok(answer.header("location", call.repository.at(&format!("/issues/comments/{id}"))))
}

pub fn get(call: &Call, id: u64) -> Answered {
    let comment = call.repository.comments.iter().find(|comment| comment.id == id).cloned();
    let comment = comment.ok_or_else(Answer::not_found)?;
    call.who.need(&areas(call, comment.issue)?, Access::Read)?;
    Ok(Answer::ok(view(call.repository, &comment)))
}

pub fn update(call: &mut Call, id: u64) -> Answered {
    let place = call.repository.comments.iter().position(|comment| comment.id == id);
    let place = place.ok_or_else(Answer::not_found)?;
    call.who.need(&areas(call, call.repository.comments[place].issue)?, Access::Write)?;
    let body = checked("IssueComment", call.asked.text("body"))?;
    let updated = call.repository.now();
    let comment = &mut call.repository.comments[place];
    (comment.body, comment.updated) = (body, updated);
    let comment = comment.clone();
    Ok(Answer::ok(view(call.repository, &comment)))
}

/// A text that GitHub would take.
pub fn checked(resource: &str, body: Option<&str>) -> Result<String, Answer> {
    let body = body.unwrap_or_default();
    if body.trim().is_empty() {
        return Err(Answer::invalid(resource, "data", "Body can't be blank"));
    }
    if body.chars().count() > MOST_CHARACTERS {
        let message = format!("Body is too long (maximum is {MOST_CHARACTERS} characters)");
        return Err(Answer::invalid(resource, "data", &message));
    }
    Ok(body.to_owned())
}

/// One page of a list, with links to the others as GitHub makes them: by the number of the repository.
pub fn page(repository: &Repository, asked: &Asked, mut all: Vec<Value>) -> Answer {
    let number = |name: &str| asked.query(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(USUAL_PAGE).clamp(1, LARGEST_PAGE);
    let current = number("page").unwrap_or(1).max(1);
    let last = all.len().div_ceil(size).max(1);
    let rest = asked.path.trim_start_matches("/repos/").splitn(3, '/').nth(2).unwrap_or_default();
    let link = |page: usize, relation: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(asked.query.iter().filter(|(key, _)| key != "page"));
        query.append_pair("page", &page.to_string());
        let (url, id) = (&repository.url, repository.id);
        format!("<{url}/repositories/{id}/{rest}?{}>; rel=\"{relation}\"", query.finish())
    };
    let mut links = Vec::new();
    if current > 1 {
        links.extend([link(current - 1, "prev"), link(1, "first")]);
    }
    if current < last {
        links.extend([link(current + 1, "next"), link(last, "last")]);
    }
    all.drain(..((current - 1) * size).min(all.len()));
    all.truncate(size);
    let answer = Answer::ok(Value::Array(all));
    if links.is_empty() { answer } else { answer.header("link", links.join(", ")) }
}

/// Which permissions are about the comments of an issue; of a pull request there are two.
fn areas(call: &Call, issue: u64) -> Result<Vec<Area>, Answer> {
    let found = call.repository.issues.get(&issue).ok_or_else(Answer::not_found)?;
    match (found.pull.is_some(), call.repository.tracker) {
        (true, _) => Ok(vec![Area::Issues, Area::Pulls]),
        (false, Tracker::On) => Ok(vec![Area::Issues]),
        (false, Tracker::Off) => Err(Answer::error(410, "Issues are disabled for this repo")),
    }
}

fn view(repository: &Repository, comment: &Comment) -> Value {
    let (id, issue) = (comment.id, comment.issue);
    let page = format!("https://github.com/{}/issues/{issue}#issuecomment-{id}", repository.full_name());
    let changes = json!({
        "id": id,
        "body": comment.body,
        "url": repository.at(&format!("/issues/comments/{id}")),
        "html_url": page,
        "issue_url": repository.at(&format!("/issues/{issue}")),
        "created_at": view::moment(comment.created),
        "updated_at": view::moment(comment.updated),
    });
    let mut shown = view::like(("GET", "/issues/{issue_number}/comments"), &changes);
    shown["user"] = view::user(comment.author.as_deref());
    shown
}
