//! What the project is called: as its repository is, and in a folder of that also as the folder. Reads what git
//! says, and changes nothing.

use std::path::Path;
use std::process::{Command, Stdio};

/// The name of the project in this folder, which is so far below the root of its repository.
pub fn name(here: &Path, below_root: Option<&str>) -> Option<String> {
    let root = here.ancestors().nth(below_root.map_or(0, |below| Path::new(below).components().count()))?;
    let folder = || root.file_name().map(|name| name.to_string_lossy().into_owned());
    let repository = origin(here).as_deref().and_then(repository).map(str::to_owned).or_else(folder)?;
    Some(below_root.map_or_else(|| repository.clone(), |below| format!("{repository}/{below}")))
}

/// Where git pushes to; nothing where there is no git, no repository or no such remote.
fn origin(here: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["config", "--get", "remote.origin.url"]).current_dir(here);
    let told = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    told.status.success().then(|| String::from_utf8(told.stdout).ok()).flatten()
}

/// The last part of an address, which is what people call the repository.
fn repository(address: &str) -> Option<&str> {
    let address = address.trim().trim_end_matches('/');
    let name = address.rsplit(['/', ':', '\\']).next()?;
    Some(name.strip_suffix(".git").unwrap_or(name)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_by_the_last_part_of_its_address() {
        for (address, expected) in [
            ("https://github.com/shop/api.git\n", Some("api")),
            ("git@github.com:shop/api.git", Some("api")),
            ("git@host:api", Some("api")),
            ("ssh://git@host:22/shop/api.v2/", Some("api.v2")),
            ("../api.git", Some("api")),
            ("", None),
            (".git", None),
        ] {
            assert_eq!(repository(address), expected, "{address}");
        }
    }

    #[test]
    fn without_a_remote_it_is_called_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("shop/services/api");
        std::fs::create_dir_all(&here).unwrap();
        assert_eq!(name(&here, Some("services/api")).as_deref(), Some("shop/services/api"));
        assert_eq!(name(&here, None).as_deref(), Some("api"));
    }
}
