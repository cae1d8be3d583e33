//! Trees and files, as the API shows and takes them. How they are kept is git's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::git::{Entry, FOLDER};
use super::identity::{Access, Area};
use super::repository::Repository;
use super::route::{Answered, Call};
use super::wire::Answer;

pub fn get(call: &Call, name: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Read)?;
    let tree = call.repository.git.tree_of(name).ok_or_else(Answer::not_found)?;
    // Whatever it says, that it is there means yes.
    let all = match call.asked.query("recursive") {
        Some(_) => call.repository.git.flat(&tree),
        None => call.repository.git.entries(Some(&tree)),
    };
    Ok(Answer::ok(show(call.repository, &tree, all.iter())))
}

pub fn create(call: &mut Call) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let base = call.asked.text("base_tree").map(|name| {
        let found = call.repository.git.tree_of(name);
        found.ok_or_else(|| Answer::error(422, "base_tree is not a valid tree oid"))
    });
    let mut tree = base.transpose()?;
    let changes = call.asked.body["tree"].as_array().cloned().unwrap_or_default();
    if changes.is_empty() {
        return Err(Answer::error(422, "Invalid tree info"));
    }
    for change in &changes {
        tree = Some(changed(call.repository, tree.as_deref(), change)?);
    }
    let tree = tree.expect("at least one change");
    let entries = call.repository.git.entries(Some(&tree));
    if entries.is_empty() {
        return Err(Answer::error(422, "Invalid tree info"));
    }
    Ok(Answer::created(show(call.repository, &tree, entries.iter())))
}

pub fn get_blob(call: &Call, sha: &str) -> Answered {
    call.who.need(&[Area::Contents], Access::Read)?;
    let bytes = call.repository.git.blob(sha).ok_or_else(Answer::not_found)?;
    let encoded = STANDARD.encode(bytes);
    // GitHub breaks the lines, and ends the last one.
    let lines = encoded.as_bytes().chunks(60).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    Ok(Answer::ok(json!({
        "sha": sha,
        "node_id": "Q29udGVudCBvZiB0aGUgYmxvYg==",
        "size": bytes.len(),
        "url": call.repository.at(&format!("/git/blobs/{sha}")),
        "content": lines.collect::<String>(),
        "encoding": "base64",
    })))
}

pub fn create_blob(call: &mut Call) -> Answered {
    call.who.need(&[Area::Contents], Access::Write)?;
    let content = call.asked.text("content").unwrap_or_default();
    let bytes = match call.asked.text("encoding") {
        Some("base64") => {
            STANDARD.decode(content).map_err(|_| Answer::error(422, "content is not valid base64"))?
        }
        _ => content.as_bytes().to_vec(),
    };
    let sha = call.repository.git.store_blob(&bytes);
    Ok(Answer::created(json!({"url": call.repository.at(&format!("/git/blobs/{sha}")), "sha": sha})))
}

/// The tree after one change: new content, an object that is there, or nothing more.
fn changed(repository: &mut Repository, tree: Option<&str>, change: &Value) -> Result<String, Answer> {
    let path = change["path"].as_str().unwrap_or_default();
    let mode = change["mode"].as_str().unwrap_or_default().to_owned();
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part.is_empty() || part == "..")
    {
        return Err(Answer::error(422, "tree.path contains a malformed path component"));
    }
    let entry = match (&change["content"], &change["sha"]) {
        (Value::String(content), _) => Some((mode, repository.git.store_blob(content.as_bytes()))),
        (_, Value::String(sha)) if repository.git.object(sha).is_some() => Some((mode, sha.clone())),
        (_, Value::Null) if tree.is_some_and(|tree| repository.git.flat(tree).contains_key(path)) => None,
        _ => return Err(Answer::error(422, "GitRPC::BadObjectState")),
    };
    Ok(repository.git.with_entry(tree, path, entry))
}

fn show<'a>(
    repository: &Repository,
    tree: &str,
    entries: impl Iterator<Item = (&'a String, &'a Entry)>,
) -> Value {
    let entry = |(path, (mode, sha)): (&String, &Entry)| {
        let (kind, place) = if mode == FOLDER { ("tree", "trees") } else { ("blob", "blobs") };
        let mut shown = json!({
            "path": path,
            "mode": mode,
            "type": kind,
            "sha": sha,
            "url": repository.at(&format!("/git/{place}/{sha}")),
        });
        if let Some(bytes) = repository.git.blob(sha) {
            shown["size"] = json!(bytes.len());
        }
        shown
    };
    let url = repository.at(&format!("/git/trees/{tree}"));
    json!({"sha": tree, "url": url, "tree": entries.map(entry).collect::<Vec<_>>(), "truncated": false})
}
