//! scripts/release.sh: the commit of a release, and that install.sh finds in it what it needs.

use std::process::Command;

use crate::sandbox::{Sandbox, finish};

const ARCHIVE: &str = "target/release-assets/loadgate-x86_64-unknown-linux-musl.tar.gz";

/// A repository whose binaries are built.
fn built() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "Cargo.toml",
        "[package]\nname = \"loadgate\"\nversion = \"4.5.6\"\nedition = \"2024\"\n\n[x]\nversion = \"1\"\n",
    );
    sandbox.write(".gitignore", "/target\n");
    sandbox.borrow("scripts/install.sh");
    sandbox.borrow("scripts/error.sh");
    sandbox.borrow("scripts/release.sh");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ] {
        git(&sandbox, arguments);
    }
    sandbox.program("target/built/loadgate", "#!/bin/sh\necho loadgate 4.5.6\n");
    pack(&sandbox);
    sandbox
}

fn pack(sandbox: &Sandbox) {
    let arguments = ["pack", "target/built/loadgate", "x86_64-unknown-linux-musl"];
    finish(sandbox.command(sandbox.path("scripts/release.sh"), &[]).args(arguments)).ended(0);
}

fn git(sandbox: &Sandbox, arguments: &[&str]) -> String {
    finish(sandbox.command("git", &[]).args(arguments)).ended(0)
}

#[test]
fn the_commit_of_a_release_adds_only_its_version_and_its_checksums_and_is_on_no_branch() {
    let sandbox = built();
    let head = git(&sandbox, &["rev-parse", "HEAD"]);
    finish(sandbox.command(sandbox.path("scripts/release.sh"), &[]).arg("commit")).ended(0);
    let release = sandbox.read("target/release-commit");
    let release = release.trim();
    assert_eq!(git(&sandbox, &["rev-parse", &format!("{release}^")]), head);
    assert_eq!(git(&sandbox, &["diff", "--name-status", "HEAD", release]), "A\tVERSION\nA\tchecksums.txt\n");
    assert_eq!(git(&sandbox, &["show", &format!("{release}:VERSION")]), "4.5.6\n");
    let sums = git(&sandbox, &["show", &format!("{release}:checksums.txt")]);
    let names: Vec<&str> =
        sums.lines().filter_map(|line| line.split_once("  ").map(|(_, name)| name)).collect();
    assert_eq!(names, ["loadgate-x86_64-unknown-linux-musl.tar.gz", "loadgate-x86_64-unknown-linux-musl"]);
    assert_eq!(git(&sandbox, &["rev-parse", "HEAD"]), head);
    assert_eq!(git(&sandbox, &["status", "--porcelain"]), "");
    assert_eq!(git(&sandbox, &["branch", "--all", "--contains", release]), "");
}

#[test]
fn an_archive_is_of_root_and_the_same_whoever_packs_it() {
    let sandbox = built();
    let first = std::fs::read(sandbox.path(ARCHIVE)).expect("an archive");
    let listed = finish(sandbox.command("tar", &[]).args(["--numeric-owner", "-tvzf", ARCHIVE])).ended(0);
    assert!(listed.starts_with("-rwxr-xr-x 0/0 ") && listed.ends_with(" loadgate\n"), "{listed}");
    sandbox.program("target/built/loadgate", &sandbox.read("target/built/loadgate"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(sandbox.path("target/built/loadgate"), mode).expect("changed");
    pack(&sandbox);
    assert_eq!(std::fs::read(sandbox.path(ARCHIVE)).expect("an archive"), first);
}

#[test]
fn a_checkout_of_that_commit_installs_what_was_released() {
    let sandbox = built();
    finish(sandbox.command(sandbox.path("scripts/release.sh"), &[]).arg("commit")).ended(0);
    let release = sandbox.read("target/release-commit");
    git(&sandbox, &["worktree", "add", "--quiet", "--detach", "target/checkout", release.trim()]);
    let releases = sandbox.path("target/mirror");
    std::fs::create_dir_all(releases.join("v4.5.6")).expect("a folder");
    let asset = sandbox.path(ARCHIVE);
    std::fs::copy(&asset, releases.join("v4.5.6").join(asset.file_name().expect("a name"))).expect("copied");
    let (cache, mirror) = (sandbox.path("target/cache"), format!("file://{}", releases.display()));
    let variables = [
        ("RUNNER_OS", "Linux"),
        ("RUNNER_ARCH", "X64"),
        ("RUNNER_TOOL_CACHE", cache.to_str().expect("text")),
        ("LOADGATE_RELEASES", &mirror),
    ];
    let mut install: Command =
        sandbox.command(sandbox.path("target/checkout/scripts/install.sh"), &variables);
    let text = finish(&mut install).ended(0);
    assert!(text.ends_with("cache/loadgate/4.5.6/x64/loadgate: loadgate 4.5.6\n"), "{text}");
}

/// The client of GitHub, as far as a release needs it: the state of the release is a file, and so is what was asked.
const GH: &str = r#"#!/bin/bash
echo "$*" >>target/asked
case "$1 $2" in
    "release view") [ -f target/state ] && { [ "$(cat target/state)" = draft ] && echo true || echo false; } ;;
    "release create") [ ! -f target/state ] && echo draft >target/state ;;
    "release delete") rm target/state ;;
    "release edit") [ ! -f target/stopped ] && echo released >target/state ;;
esac
"#;

/// Publishes, and tells how that ended and what the client was asked for.
fn publish(sandbox: &Sandbox) -> (i32, Vec<String>) {
    sandbox.program("target/bin/gh", GH);
    sandbox.write("target/asked", "");
    let path = format!("{}:/usr/bin:/bin", sandbox.path("target/bin").display());
    let mut publish = sandbox.command(sandbox.path("scripts/release.sh"), &[("PATH", &path)]);
    let code = finish(publish.arg("publish")).code;
    let asked = sandbox.read("target/asked");
    let words = asked.lines().filter_map(|line| line.strip_prefix("release ")?.split(' ').next());
    (code, words.filter(|word| *word != "view").map(str::to_owned).collect())
}

/// A repository whose release is committed, with one to push to.
fn committed() -> Sandbox {
    let sandbox = built();
    finish(sandbox.command(sandbox.path("scripts/release.sh"), &[]).arg("commit")).ended(0);
    git(&sandbox, &["init", "--quiet", "--bare", "target/origin"]);
    git(&sandbox, &["remote", "add", "origin", "target/origin"]);
    sandbox
}

#[test]
fn a_release_is_a_draft_then_a_tag_then_a_release_and_only_once() {
    let sandbox = committed();
    assert_eq!(publish(&sandbox), (0, ["create", "edit"].map(str::to_owned).to_vec()));
    let tagged = git(&sandbox, &["ls-remote", "origin", "refs/tags/v4.5.6"]);
    assert!(tagged.starts_with(sandbox.read("target/release-commit").trim()), "{tagged}");
    assert_eq!(sandbox.read("target/state"), "released\n");
    assert_eq!(publish(&sandbox), (1, vec![]));
}

#[test]
fn a_release_that_stopped_after_the_draft_makes_it_again() {
    let sandbox = committed();
    sandbox.write("target/state", "draft\n");
    assert_eq!(publish(&sandbox), (0, ["delete", "create", "edit"].map(str::to_owned).to_vec()));
}

#[test]
fn a_release_that_stopped_after_the_tag_keeps_what_the_tag_vouches_for() {
    let sandbox = committed();
    sandbox.write("target/stopped", "");
    assert_eq!(publish(&sandbox).0, 1);
    let tagged = git(&sandbox, &["ls-remote", "origin", "refs/tags/v4.5.6"]);
    std::fs::remove_file(sandbox.path("target/stopped")).expect("removed");
    assert_eq!(publish(&sandbox), (0, vec!["edit".to_owned()]));
    assert_eq!(git(&sandbox, &["ls-remote", "origin", "refs/tags/v4.5.6"]), tagged);
    assert_eq!(sandbox.read("target/state"), "released\n");
}

#[test]
fn a_tag_without_a_release_is_somebody_elses() {
    let sandbox = committed();
    git(&sandbox, &["push", "--quiet", "origin", "HEAD:refs/tags/v4.5.6"]);
    assert_eq!(publish(&sandbox), (1, vec![]));
}
