//! The repository itself, as far as anybody asks about it.

use serde_json::json;

use super::route::Call;
use super::view;
use super::wire::Answer;

/// The branch that the repository calls its default.
const DEFAULT: &str = "main";

/// Every token may read this.
pub fn get(call: &Call) -> Answer {
    let repository = &call.repository;
    let changes = json!({
        "id": repository.id,
        "name": repository.name,
        "full_name": repository.full_name(),
        "owner": {"login": repository.owner},
        "url": repository.at(""),
        "default_branch": DEFAULT,
        // GitHub's own example leaves these out, and its schema does not.
        "language": null,
        "source": {"language": null},
    });
    Answer::ok(view::like(("GET", "/repos/{owner}/{repo}"), &changes))
}
