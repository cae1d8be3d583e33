//! The artifact of another run, which anybody may have made: found by its name, weighed before it comes, kept
//! in memory. What it says is for others to doubt.

mod archive;

use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Client, chain};
use super::event::WorkflowRun;
use super::relay::error::{RelayError, Skipped, Stopped};

/// A folder of reports, packed.
const LARGEST: usize = 64 << 20;
/// What the API gives at once, at most. One attempt of a run has one artifact of a name.
const PAGE: &str = "100";
/// What a job needs to see artifacts.
const PERMISSION: &str = "actions: read";

#[derive(Deserialize)]
struct Listing {
    artifacts: Vec<Artifact>,
}

/// An artifact as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
struct Artifact {
    id: u64,
    name: String,
    size_in_bytes: u64,
    #[serde(default)]
    expired: bool,
    #[serde(default)]
    created_at: Option<String>,
}

/// The bytes of a file in the artifact of this name that a run has left in its last attempt.
pub fn file(client: &Client, run: &WorkflowRun, name: &str, file: &str) -> Result<Vec<u8>, Stopped> {
    let asked = |source| RelayError::Asked { permission: PERMISSION, source };
    let route = client.route(&["actions", "runs", &run.id.to_string(), "artifacts"]);
    let listing: Listing = client.get(&route.with("name", name).with("per_page", PAGE)).map_err(asked)?;
    let artifact = newest(listing.artifacts, run, name)?;
    let refused = |reason: &str| RelayError::refused(name, run.id, reason);
    weighed(&artifact).map_err(|reason| refused(&reason))?;
    let route = client.route(&["actions", "artifacts", &artifact.id.to_string(), "zip"]);
    let zip = client.download(&route, LARGEST).map_err(asked)?;
    Ok(archive::entry(&zip, file).map_err(|error| refused(&chain(&error)))?)
}

/// The newest artifact of a name; those of earlier attempts were told when these ended.
fn newest(artifacts: Vec<Artifact>, run: &WorkflowRun, name: &str) -> Result<Artifact, Skipped> {
    let begun = run.run_started_at.as_deref().and_then(time);
    let is_late = |made: &Option<String>| begun.is_none() || made.as_deref().and_then(time) >= begun;
    let ours = artifacts.into_iter().filter(|it| it.name == name && is_late(&it.created_at));
    ours.max_by_key(|it| it.id).ok_or_else(|| Skipped::NoArtifact { name: name.to_owned(), run: run.id })
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Whether it is there, and no more than is read.
fn weighed(artifact: &Artifact) -> Result<(), String> {
    if artifact.expired {
        return Err("it has expired".to_owned());
    }
    if artifact.size_in_bytes > LARGEST as u64 {
        return Err(format!("it is larger than {} MiB", LARGEST >> 20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(started_at: Option<&str>) -> WorkflowRun {
        serde_json::from_value(json!({
            "id": 7, "event": "pull_request", "head_sha": "", "head_branch": null, "head_repository": null,
            "repository": { "full_name": "shop/api" }, "run_started_at": started_at,
        }))
        .unwrap()
    }

    fn artifact(id: u64, name: &str, created_at: Option<&str>) -> Artifact {
        let (name, created_at) = (name.to_owned(), created_at.map(str::to_owned));
        Artifact { id, name, size_in_bytes: 1, expired: false, created_at }
    }

    #[test]
    fn the_newest_of_exactly_this_name_is_taken() {
        let all = ["report", "Report", "report", "report-2"];
        let all: Vec<_> = (1..).zip(all).map(|(id, name)| artifact(id, name, None)).collect();
        assert_eq!(newest(all.clone(), &run(None), "report").unwrap().id, 3);
        assert!(matches!(newest(all, &run(None), "x"), Err(Skipped::NoArtifact { run: 7, .. })));
    }

    #[test]
    fn what_an_earlier_attempt_left_is_not_told_again() {
        let at = |minute: u32| format!("2026-11-25T10:{minute:02}:00Z");
        let all = vec![artifact(1, "report", Some(&at(5))), artifact(2, "report", Some(&at(20)))];
        let newest =
            |started: u32| newest(all.clone(), &run(Some(&at(started))), "report").ok().map(|it| it.id);
        assert_eq!((newest(0), newest(20), newest(21)), (Some(2), Some(2), None));
    }

    #[test]
    fn what_has_expired_or_weighs_too_much_is_not_asked_for() {
        let weighed = |expired, size_in_bytes| {
            let artifact = Artifact { size_in_bytes, expired, ..artifact(1, "report", None) };
            weighed(&artifact).err()
        };
        assert_eq!(weighed(false, 64 << 20), None);
        assert_eq!(weighed(true, 1).as_deref(), Some("it has expired"));
        assert_eq!(weighed(false, (64 << 20) + 1).as_deref(), Some("it is larger than 64 MiB"));
    }
}
