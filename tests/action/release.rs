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
    sandbox.borrow("scripts/release.sh");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ] {
        git(&sandbox, arguments);
    }
    sandbox.program("target/built/loadgate", "#!/bin/sh\necho loadgate 4.5.6\n");
    std::fs::create_dir_all(sandbox.path("target/release-assets")).expect("a folder");
    finish(sandbox.command("tar", &[]).args(["-czf", ARCHIVE, "-C", "target/built", "loadgate"])).ended(0);
    sandbox
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
    assert_eq!(git(&sandbox, &["rev-parse", "HEAD"]), head);
    assert_eq!(git(&sandbox, &["status", "--porcelain"]), "");
    assert_eq!(git(&sandbox, &["branch", "--all", "--contains", release]), "");
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
