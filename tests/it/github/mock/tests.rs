//! The mock itself: that it keeps what it is told, answers as GitHub describes, and fails on demand.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::GitHub;
use super::artifact::archive;
use super::fault::{Effect, Fault};
use super::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::wire::Answer;

const TOKEN: &str = "ghs_workflow";

/// An answer as it came over the wire.
struct Heard {
    status: u16,
    head: String,
    body: Value,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// The address of a relation in the links.
    fn link(&self, relation: &str) -> Option<String> {
        let mut links = self.header("link").split(", ");
        let link = links.find(|link| link.ends_with(&format!("rel=\"{relation}\"")))?;
        Some(link.split(['<', '>']).nth(1)?.to_owned())
    }
}

fn github() -> GitHub {
    let github = GitHub::start();
    github.admit(TOKEN, Identity::workflow());
    github
}

/// Asks as a good client would, below the repository or at a whole address.
fn ask(github: &GitHub, method: &str, path: &str, body: &Value) -> Heard {
    let url = if path.starts_with("http") {
        path.to_owned()
    } else {
        format!("{}/repos/shop/api{path}", github.url())
    };
    let (token, accept) = (format!("authorization: Bearer {TOKEN}\r\n"), "application/vnd.github+json");
    send(method, &url, &format!("{token}user-agent: tests\r\naccept: {accept}\r\n"), body)
}

fn get(github: &GitHub, path: &str) -> Heard {
    ask(github, "GET", path, &Value::Null)
}

fn send(method: &str, url: &str, headers: &str, body: &Value) -> Heard {
    let (address, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(address).expect("connected");
    let length = body.len();
    let head = format!("{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}");
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Heard { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
}

#[test]
fn comments_come_in_pages_that_link_to_each_other() {
    let github = github();
    let pull = github.with(|repository| {
        let pull = repository.open_pull(Some("shop/api"), "change", "1234");
        for number in 0..205 {
            let author = if number == 3 { None } else { Some("octocat") };
            repository.comment(pull, author, &format!("comment {number}"));
        }
        pull
    });
    let mut page = get(&github, &format!("/issues/{pull}/comments?per_page=100"));
    let mut sizes = Vec::new();
    loop {
        let comments = page.body.as_array().expect("comments");
        sizes.push(comments.len());
        if sizes.len() == 1 {
            assert_eq!(comments[3]["user"], Value::Null);
            assert_eq!(comments[4]["user"]["login"], "octocat");
        }
        let Some(next) = page.link("next") else { break };
        assert!(next.contains("/repositories/1296269/issues/"), "{next}");
        page = get(&github, &next);
    }
    assert_eq!(sizes, [100, 100, 5]);
    assert_eq!(get(&github, &format!("/issues/{pull}/comments")).body.as_array().map(Vec::len), Some(30));
}

#[test]
fn a_comment_is_made_changed_and_refused_as_on_github() {
    let github = github();
    let pull = github.with(|repository| repository.open_pull(Some("eve/api"), "change", "1234"));
    let comments = format!("/issues/{pull}/comments");
    let made = ask(&github, "POST", &comments, &json!({"body": "slow"}));
    assert_eq!((made.status, &made.body["user"]["login"]), (201, &json!(ACTIONS_BOT)));
    let one = format!("/issues/comments/{}", made.body["id"]);
    assert_eq!(ask(&github, "PATCH", &one, &json!({"body": "fast"})).status, 200);
    assert_eq!(get(&github, &one).body["body"], "fast");
    // Characters count, not bytes.
    for (length, status) in [(65_536, 201), (65_537, 422)] {
        let said = ask(&github, "POST", &comments, &json!({"body": "ä".repeat(length)}));
        assert_eq!(said.status, status);
        let message = &said.body["errors"][0]["message"];
        assert!(status == 201 || message == "Body is too long (maximum is 65536 characters)", "{message}");
    }
    assert_eq!(ask(&github, "POST", "/issues/99/comments", &json!({"body": "x"})).status, 404);
    assert_eq!(github.count("POST", &comments), 3);
}

#[test]
fn permissions_decide_and_a_refusal_names_what_was_missing() {
    let github = GitHub::start();
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", "1234"));
    let comments = format!("/issues/{pull}/comments");
    let text = json!({"body": "x"});
    assert_eq!(ask(&github, "POST", &comments, &text).status, 401);
    for (identity, status) in [
        (Identity::read_only(), 403),
        (Identity::permitted(&[(Area::Contents, Access::Write)]), 403),
        (Identity::permitted(&[(Area::Issues, Access::Write)]), 201),
        (Identity::permitted(&[(Area::Pulls, Access::Write)]), 201),
        (Identity::user("octocat"), 201),
    ] {
        github.admit(TOKEN, identity);
        let said = ask(&github, "POST", &comments, &text);
        assert_eq!(said.status, status);
        if status == 403 {
            assert_eq!(said.body["message"], "Resource not accessible by integration");
            assert_eq!(said.header("x-accepted-github-permissions"), "issues=write; pull_requests=write");
        }
    }
    let user = format!("{}/user", github.url());
    assert_eq!(get(&github, &user).body["login"], "octocat");
    github.admit(TOKEN, Identity::workflow());
    assert_eq!(get(&github, &user).status, 403);
}

#[test]
fn a_branch_gets_a_commit_and_a_pull_request_and_both_go() {
    let github = github();
    let main = get(&github, "/git/ref/heads/main").body["object"]["sha"].clone();
    let tree = json!({"base_tree": get(&github, &format!("/git/commits/{}", text(&main))).body["tree"]["sha"], "tree": [
        {"path": "baselines/a/1.json", "mode": "100644", "type": "blob", "content": "{}\n"},
        {"path": "README.md", "mode": "100644", "type": "blob", "sha": null},
    ]});
    let tree = ask(&github, "POST", "/git/trees", &tree).body["sha"].clone();
    // What git itself calls a tree of that one file.
    assert_eq!(tree, "9e79e14bce8dc63f693c6d0c7bbc75c1cb4313a4");
    let commit = json!({"message": "a", "tree": tree, "parents": [main]});
    let commit = ask(&github, "POST", "/git/commits", &commit).body["sha"].clone();
    let reference = json!({"ref": "refs/heads/loadgate/baseline", "sha": commit});
    assert_eq!(ask(&github, "POST", "/git/refs", &reference).status, 201);
    let again = ask(&github, "POST", "/git/refs", &reference);
    assert_eq!((again.status, &again.body["message"]), (422, &json!("Reference already exists")));
    let pull = json!({"title": "New", "head": "loadgate/baseline", "base": "main", "body": "text"});
    let opened = ask(&github, "POST", "/pulls", &pull);
    assert_eq!((opened.status, &opened.body["head"]["sha"]), (201, &commit));
    let again = ask(&github, "POST", "/pulls", &pull).body["errors"][0]["message"].clone();
    assert_eq!(again, "A pull request already exists for shop:loadgate/baseline.");
    let back = ask(&github, "PATCH", "/git/refs/heads/loadgate/baseline", &json!({"sha": main}));
    assert_eq!((back.status, &back.body["message"]), (422, &json!("Update is not a fast forward")));
    let flat = get(&github, &format!("/git/trees/{}?recursive=1", text(&tree))).body["tree"].clone();
    let paths: Vec<&str> =
        flat.as_array().expect("a tree").iter().filter_map(|entry| entry["path"].as_str()).collect();
    assert_eq!(paths, ["baselines", "baselines/a", "baselines/a/1.json"]);
    assert_eq!(
        github.with(|repository| repository.git.file("loadgate/baseline", "baselines/a/1.json")).as_deref(),
        Some("{}\n")
    );
    let open = "/pulls?state=open&head=shop:loadgate/baseline&base=main";
    assert_eq!(get(&github, open).body.as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&github, "DELETE", "/git/refs/heads/loadgate/baseline", &Value::Null).status, 204);
    assert_eq!(get(&github, open).body.as_array().map(Vec::len), Some(0));
}

#[test]
fn issues_are_opened_found_changed_and_closed() {
    let github = github();
    let made =
        ask(&github, "POST", "/issues", &json!({"title": "Nightly", "body": "slow", "labels": ["load"]}));
    let number = made.body["number"].clone();
    let pull = github.with(|repository| repository.open_pull(None, "gone", "1234"));
    let listed = get(&github, "/issues?state=open&per_page=100").body;
    let of_pull = |issue: &&Value| issue.get("pull_request").is_some();
    assert_eq!(listed.as_array().expect("issues").iter().filter(of_pull).count(), 1);
    assert_eq!(get(&github, &format!("/pulls/{pull}")).body["head"]["repo"], Value::Null);
    assert_eq!(get(&github, "/issues?labels=load").body[0]["number"], number);
    let changed = ask(
        &github,
        "PATCH",
        &format!("/issues/{number}"),
        &json!({"state": "closed", "state_reason": "completed"}),
    );
    assert_eq!(changed.body["state"], "closed");
    github.with(|repository| repository.tracker = super::repository::Tracker::Off);
    assert_eq!(ask(&github, "POST", "/issues", &json!({"title": "Nightly"})).status, 410);
}

#[test]
fn an_artifact_lies_elsewhere_and_no_token_is_wanted_there() {
    let github = github();
    github.with(|repository| repository.upload(42, "report", archive(&[("result.json", b"{}")])).id);
    let listed = get(&github, "/actions/runs/42/artifacts?name=report").body;
    assert_eq!(listed["total_count"], 1);
    let sent = get(&github, &format!("/actions/artifacts/{}/zip", listed["artifacts"][0]["id"]));
    assert_eq!(sent.status, 302);
    let location = sent.header("location");
    assert!(!location.starts_with(&github.url()), "{location}");
    assert_eq!(send("GET", location, "", &Value::Null).status, 200);
    assert_eq!(send("GET", location, "authorization: Bearer x\r\n", &Value::Null).status, 403);
    assert_eq!(github.downloads().len(), 2);
}

#[test]
fn faults_meet_the_requests_they_are_for() {
    let github = github();
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", "1234"));
    let comments = format!("/issues/{pull}/comments");
    let slow_down = Answer::error(429, "Too many").header("retry-after", 1);
    github.inject(Fault::status("GET", &comments, slow_down).after(1));
    github.inject(Fault::new("POST", &comments, Effect::After(Answer::error(502, "Server Error"))));
    let other = move |repository: &mut super::repository::Repository| {
        _ = repository.comment(pull, Some("eve"), "first");
    };
    github.inject(Fault::new("PATCH", "/comments/3500000000", Effect::Meanwhile(Box::new(other))));
    let asked: Vec<u16> = (0..3).map(|_| get(&github, &comments).status).collect();
    assert_eq!(asked, [200, 429, 200]);
    assert_eq!(ask(&github, "POST", &comments, &json!({"body": "x"})).status, 502);
    assert_eq!(ask(&github, "PATCH", "/issues/comments/3500000000", &json!({"body": "y"})).status, 200);
    let bodies =
        github.with(|repository| repository.comments_of(pull)).into_iter().map(|comment| comment.body);
    assert_eq!(bodies.collect::<Vec<_>>(), ["y", "first"]);
}

#[test]
fn what_github_does_not_know_is_a_complaint() {
    let github = github();
    drop(ask(&github, "POST", "/issues/comments/1", &json!({"body": "x"})));
    drop(send("GET", &format!("{}/repos/shop/api/pulls?status=open", github.url()), "", &Value::Null));
    let complaints = github.take_complaints();
    assert_eq!(complaints.len(), 4, "{complaints:#?}");
}

#[test]
fn an_enterprise_server_is_below_its_prefix_alone() {
    let github = GitHub::enterprise();
    github.admit(TOKEN, Identity::workflow());
    assert!(github.url().ends_with("/api/v3"));
    assert_eq!(get(&github, "/pulls").status, 200);
    let without = format!("{}/repos/shop/api/pulls", github.url().trim_end_matches("/api/v3"));
    assert_eq!(get(&github, &without).status, 404);
    assert_eq!(github.take_complaints().len(), 1);
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
