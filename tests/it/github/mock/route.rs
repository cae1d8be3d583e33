//! From a request to the operation that answers it, past whatever goes wrong on demand; holds both against
//! GitHub's description. Does no operation itself.

use std::time::Duration;

use super::super::contract::{CONTRACT, Sent};
use super::fault::{Effect, met};
use super::identity::{Identity, token};
use super::repository::Repository;
use super::wire::{Answer, Asked};
use super::{World, about, artifact, comment, commit, issue, pull, reference, tree};

/// The path of the other API.
const GRAPHQL: &str = "/graphql";

/// How a request goes on after what went wrong.
pub enum Course {
    Usual,
    Later(Duration),
    Instead(Answer),
    After(Answer),
}

/// A request that is about something in the repository.
pub struct Call<'a> {
    pub repository: &'a mut Repository,
    pub who: Identity,
    pub asked: &'a Asked,
}

/// Errors of GitHub are answers too.
pub type Answered = Result<Answer, Answer>;

impl Course {
    pub fn delay(&self) -> Option<Duration> {
        if let Self::Later(delay) = self { Some(*delay) } else { None }
    }
}

impl World {
    /// What happens before the request is looked at.
    pub fn begin(&mut self, asked: &Asked) -> Course {
        self.arrived += 1;
        match met(&mut self.faults, asked) {
            None => Course::Usual,
            Some(Effect::Instead(answer)) => Course::Instead(answer.clone()),
            Some(Effect::After(answer)) => Course::After(answer.clone()),
            Some(Effect::Delay(delay)) => Course::Later(*delay),
            Some(Effect::Meanwhile(change)) => {
                change(&mut self.repository);
                Course::Usual
            }
        }
    }

    /// Does what is asked, if that is its course, and remembers it.
    pub fn finish(&mut self, mut asked: Asked, course: Course) -> Answer {
        asked.path = self.path(&asked.path);
        self.complaints.extend(complaints(&asked));
        let answer = match course {
            Course::Instead(answer) => answer,
            Course::After(answer) => {
                self.work(&asked);
                answer
            }
            Course::Usual | Course::Later(_) => self.work(&asked),
        };
        asked.status = answer.status;
        self.asked.push(asked);
        answer
    }

    /// What the place of the artifacts answers; it wants to see no token.
    pub fn download(&mut self, mut asked: Asked) -> (Answer, Vec<u8>) {
        let found = artifact::stored(&self.repository, &asked.path);
        let answer = match (&found, asked.header("authorization")) {
            (_, Some(_)) => Answer::error(403, "AuthenticationFailed"),
            (None, None) => Answer::not_found(),
            (Some(_), None) => Answer::ok(serde_json::Value::Null),
        };
        asked.status = answer.status;
        let bytes = if answer.is_good() { found.unwrap_or_default() } else { Vec::new() };
        self.downloads.push(asked);
        (answer, bytes)
    }

    fn work(&mut self, asked: &Asked) -> Answer {
        let storage = self.storage;
        let answer = self.answer(asked).unwrap_or_else(|error| error);
        let answer = artifact::located(answer, storage);
        let operation = CONTRACT.operation(&asked.method, &asked.path);
        if let (Some(operation), true) = (operation, answer.is_good()) {
            self.complaints.extend(CONTRACT.answer_complaints(operation, answer.status, &answer.body));
        }
        answer
    }

    fn answer(&mut self, asked: &Asked) -> Answered {
        let known = token(asked).and_then(|token| self.repository.tokens.get(token));
        let who = match (asked.header("authorization"), known) {
            (_, Some(who)) => who.clone(),
            (None, None) => return Err(Answer::error(401, "Requires authentication")),
            (Some(_), None) => return Err(Answer::error(401, "Bad credentials")),
        };
        let (owner, name) = (self.repository.owner.clone(), self.repository.name.clone());
        let segments = asked.segments();
        match segments.as_slice() {
            ["user"] => Ok(who.whoami()),
            ["graphql"] => Ok(who.viewer(asked)),
            ["repos", in_owner, in_name, rest @ ..] if *in_owner == owner && *in_name == name => {
                operate(&mut Call { repository: &mut self.repository, who, asked }, rest)
            }
            _ => Err(Answer::not_found()),
        }
    }

    /// Below the prefix, and with the name of the repository where its number is: pages link to numbers.
    fn path(&self, path: &str) -> String {
        // The other API is beside this one, not below it.
        if path
            .strip_suffix("/graphql")
            .is_some_and(|base| Some(base) == self.prefix.strip_suffix("/v3").or(Some("")))
        {
            return GRAPHQL.to_owned();
        }
        let below = path.strip_prefix(self.prefix).unwrap_or("/outside");
        let numbered = format!("/repositories/{}", self.repository.id);
        match below.strip_prefix(&numbered) {
            Some(rest) => format!("/repos/{}/{}{rest}", self.repository.owner, self.repository.name),
            None => below.to_owned(),
        }
    }
}

fn operate(call: &mut Call, rest: &[&str]) -> Answered {
    let number = |text: &str| text.parse::<u64>().map_err(|_| Answer::not_found());
    match (call.asked.method.as_str(), rest) {
        ("GET", []) => Ok(about::get(call)),
        ("GET", ["issues", issue, "comments"]) => comment::list(call, number(issue)?),
        ("POST", ["issues", issue, "comments"]) => comment::create(call, number(issue)?),
        ("GET", ["issues", "comments", id]) => comment::get(call, number(id)?),
        ("PATCH", ["issues", "comments", id]) => comment::update(call, number(id)?),
        ("GET", ["issues"]) => issue::list(call),
        ("POST", ["issues"]) => issue::create(call),
        ("GET", ["issues", issue]) => issue::get(call, number(issue)?),
        ("PATCH", ["issues", issue]) => issue::update(call, number(issue)?),
        ("GET", ["pulls"]) => pull::list(call),
        ("POST", ["pulls"]) => pull::create(call),
        ("GET", ["pulls", pull]) => pull::get(call, number(pull)?),
        ("PATCH", ["pulls", pull]) => pull::update(call, number(pull)?),
        ("GET", ["actions", "runs", run, "artifacts"]) => artifact::list(call, number(run)?),
        ("GET", ["actions", "artifacts", id, "zip"]) => artifact::download(call, number(id)?),
        ("GET", ["commits", name @ ..]) => commit::describe(call, &name.join("/")),
        (_, ["git", below @ ..]) => operate_git(call, below),
        _ => Err(Answer::not_found()),
    }
}

fn operate_git(call: &mut Call, rest: &[&str]) -> Answered {
    match (call.asked.method.as_str(), rest) {
        ("GET", ["ref", name @ ..]) => reference::get(call, &name.join("/")),
        ("POST", ["refs"]) => reference::create(call),
        ("PATCH", ["refs", name @ ..]) => reference::update(call, &name.join("/")),
        ("DELETE", ["refs", name @ ..]) => reference::delete(call, &name.join("/")),
        ("GET", ["commits", sha]) => commit::get(call, sha),
        ("POST", ["commits"]) => commit::create(call),
        ("GET", ["trees", sha]) => tree::get(call, sha),
        ("POST", ["trees"]) => tree::create(call),
        ("GET", ["blobs", sha]) => tree::get_blob(call, sha),
        ("POST", ["blobs"]) => tree::create_blob(call),
        _ => Err(Answer::not_found()),
    }
}

/// What GitHub would mind, or we do in its place.
fn complaints(asked: &Asked) -> Vec<String> {
    let sent = Sent { method: &asked.method, path: &asked.path, query: &asked.query, body: &asked.body };
    let mut found = if asked.path == GRAPHQL { Vec::new() } else { CONTRACT.complaints(&sent) };
    let agent = asked.header("user-agent").unwrap_or_default();
    // GitHub refuses whoever does not say who he is.
    if agent.is_empty() || agent.contains(", ") {
        found.push(format!("{} {}: the user agent is `{agent}`", asked.method, asked.path));
    }
    let accept = asked.header("accept").unwrap_or_default();
    if !asked.path.ends_with("/zip") && accept != "application/vnd.github+json" {
        found.push(format!("{} {}: `accept: {accept}`", asked.method, asked.path));
    }
    found
}
