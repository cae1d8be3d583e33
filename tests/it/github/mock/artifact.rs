//! Artifacts of runs. The API only says where they lie; that is another place, which wants to see no token.

use std::io::{Cursor, Write};
use std::net::SocketAddr;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::identity::{Access, Area};
use super::repository::Repository;
use super::route::{Answered, Call};
use super::view;
use super::wire::Answer;

/// Stands in a location until the place of the artifacts is known.
const STORAGE: &str = "storage:";

/// An artifact of a run.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub id: u64,
    pub run: u64,
    pub name: String,
    pub expired: bool,
    /// The archive; what it is said to weigh may be something else.
    pub bytes: Vec<u8>,
    pub size: u64,
}

impl Repository {
    /// Uploads an archive, as a run would.
    pub fn upload(&mut self, run: u64, name: &str, bytes: Vec<u8>) -> &mut Artifact {
        let id = 11 + self.artifacts.len() as u64;
        let size = bytes.len() as u64;
        self.artifacts.push(Artifact { id, run, name: name.to_owned(), expired: false, bytes, size });
        self.artifacts.last_mut().expect("just made")
    }
}

/// An archive of these files.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        archive.write_all(content).expect("a content");
    }
    archive.finish().expect("an archive").into_inner()
}

pub fn list(call: &Call, run: u64) -> Answered {
    call.who.need(&[Area::Actions], Access::Read)?;
    let name = call.asked.query("name");
    let wanted = |artifact: &&Artifact| artifact.run == run && name.is_none_or(|name| artifact.name == name);
    let found: Vec<Value> = call
        .repository
        .artifacts
        .iter()
        .rev()
        .filter(wanted)
        .map(|artifact| show(call.repository, artifact))
        .collect();
    Ok(Answer::ok(json!({"total_count": found.len(), "artifacts": found})))
}

pub fn download(call: &Call, id: u64) -> Answered {
    call.who.need(&[Area::Actions], Access::Read)?;
    let found = call.repository.artifacts.iter().find(|artifact| artifact.id == id);
    let artifact = found.ok_or_else(Answer::not_found)?;
    if artifact.expired {
        return Err(Answer::error(410, "Artifact has expired"));
    }
    Ok(Answer::new(302, Value::Null).header("location", format!("{STORAGE}/artifacts/{id}.zip?sig=secret")))
}

/// An answer whose location is a real one.
pub fn located(mut answer: Answer, storage: SocketAddr) -> Answer {
    for (name, value) in &mut answer.headers {
        if let ("location", Some(path)) = (name.as_str(), value.strip_prefix(STORAGE)) {
            *value = format!("http://{storage}{path}");
        }
    }
    answer
}

/// What lies at a path of that other place.
pub fn stored(repository: &Repository, path: &str) -> Option<Vec<u8>> {
    let id: u64 = path.strip_prefix("/artifacts/")?.strip_suffix(".zip")?.parse().ok()?;
    repository.artifacts.iter().find(|artifact| artifact.id == id).map(|artifact| artifact.bytes.clone())
}

fn show(repository: &Repository, artifact: &Artifact) -> Value {
    let url = repository.at(&format!("/actions/artifacts/{}", artifact.id));
    let mut example =
        view::like(("GET", "/actions/runs/{run_id}/artifacts"), &json!({}))["artifacts"][0].take();
    let changes = json!({
        "id": artifact.id,
        "name": artifact.name,
        "size_in_bytes": artifact.size,
        "expired": artifact.expired,
        "archive_download_url": format!("{url}/zip"),
        "url": url,
        "created_at": view::moment(40_000 + artifact.id),
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        example[key] = value.clone();
    }
    example["workflow_run"]["id"] = json!(artifact.run);
    example
}
