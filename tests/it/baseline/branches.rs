//! Two branches that both remember and forget runs merge without a conflict.

use std::process::Command;

use super::{ended, minutes};
use crate::harness::Workspace;

fn git(workspace: &Workspace, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]);
    command.args(arguments).current_dir(workspace.path("."));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("git is installed");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "git {arguments:?}: {said}");
    said
}

fn commit(workspace: &Workspace, message: &str) {
    git(workspace, &["add", "baselines"]);
    git(workspace, &["commit", "--quiet", "-m", message]);
}

#[test]
fn branches_that_add_and_prune_runs_merge() {
    let workspace = Workspace::with_results(0..15);
    git(&workspace, &["init", "--quiet", "-b", "main"]);
    ended(&workspace.update(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]), 0, &["10 runs"]);
    commit(&workspace, "ten runs");

    // 14 is remembered on both. Ten are kept: one branch forgets 5, 6 and 7, the other 5 and 6.
    git(&workspace, &["checkout", "--quiet", "-b", "left"]);
    ended(&workspace.update(&["10", "11", "14"]), 0, &["10 runs"]);
    commit(&workspace, "left");
    git(&workspace, &["checkout", "--quiet", "-b", "right", "main"]);
    ended(&workspace.update(&["12", "14"]), 0, &["10 runs"]);
    commit(&workspace, "right");
    // Files that are alike would be taken for renamed ones, and both branches renamed the same.
    let changes = git(&workspace, &["diff", "--name-status", "--find-renames=50%", "main", "left"]);
    let kinds: String = changes.lines().filter_map(|line| line.chars().next()).collect();
    assert_eq!(kinds, "DDDAAA", "{changes}");
    git(&workspace, &["merge", "--quiet", "--no-edit", "left"]);

    let merged = ["00", "01", "02", "03", "04", "08", "09", "10", "11", "12", "14"];
    assert_eq!(minutes(&workspace.remembered()), merged);
    ended(&workspace.run(&["baseline", "list"]), 0, &["browse.here    11 "]);
    // One is too many since; the next update puts that right.
    ended(&workspace.update(&["13"]), 0, &["10 runs"]);
    let kept = ["00", "01", "02", "03", "04", "10", "11", "12", "13", "14"];
    assert_eq!(minutes(&workspace.remembered()), kept);
}
