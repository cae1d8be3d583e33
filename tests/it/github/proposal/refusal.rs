//! What keeps runs from being proposed, told before they are made where that can be known.

use serde_json::json;

use super::{BRANCH, Scene, propose, said, written};
use crate::github::job::{Job, TOKEN};
use crate::github::mock::fault::Fault;
use crate::github::mock::identity::{Access, Area, Identity};
use crate::github::mock::wire::Answer;

const UPDATE: [&str; 4] = ["baseline", "update", "0.json", "--pull-request"];

#[test]
fn who_may_not_decide_what_is_normal_is_refused_before_anything_happens() {
    let scene = Scene::new();
    let with = |name, value: &str| scene.night(0..1).with(name, value);
    let pull = |from| {
        let job = Job::pull_request(&scene.github, 7, from);
        job.workspace.write("config.yaml", crate::baseline::CONFIG);
        job
    };
    for (job, arguments, code, parts) in [
        (pull("shop/api"), &UPDATE[..], 2, &["a baseline is not changed from a pull request", "nightly"][..]),
        (pull("eve/api"), &UPDATE, 2, &["from a pull request of a fork"]),
        (with("GITHUB_REF", "refs/tags/v1"), &UPDATE, 2, &["from the tag `v1`"]),
        (with("LOADGATE_TOKEN", ""), &UPDATE, 1, &["there is no token", "LOADGATE_TOKEN"]),
        (with("GITHUB_REPOSITORY", ""), &UPDATE, 1, &["names no repository", "GITHUB_REPOSITORY"]),
        (with("LOADGATE_COMMIT", "true"), &UPDATE, 2, &["exclude each other", "LOADGATE_COMMIT"]),
        (
            scene.night(0..1),
            &["baseline", "update", "0.json", "--pull-request", "--set", "baseline.dir=/elsewhere/baselines"],
            2,
            &["`/elsewhere/baselines` is not in the checked out repository", "baseline.dir"],
        ),
    ] {
        let step = job.step(arguments);
        said(&step, code, parts);
        assert!(!job.workspace.path("baselines").exists(), "nothing is remembered either");
    }
    assert!(scene.github.asked().is_empty());
}

#[test]
fn a_variable_that_says_no_is_no_wish() {
    let scene = Scene::new();
    let job = scene.night(0..1).with("LOADGATE_COMMIT", "false").with("LOADGATE_PULL_REQUEST", "1");
    said(&job.step(&["baseline", "update", "0.json"]), 0, &["proposed: 1 run"]);
    let job = scene.night(1..2).with("LOADGATE_COMMIT", "0").with("LOADGATE_PULL_REQUEST", "no");
    let step = job.step(&["baseline", "update", "1.json"]);
    said(&step, 0, &["remembered: "]);
    assert!(!step.stdout.contains("propos"), "{}", step.stdout);
}

#[test]
fn a_job_without_the_permissions_is_told_which() {
    let scene = Scene::new();
    scene.github.admit(TOKEN, Identity::read_only());
    let step = scene.night(0..1).step(&UPDATE);
    said(&step, 1, &["cannot make a commit", "permissions: {contents: write, pull-requests: write}"]);
    let contents = Identity::permitted(&[(Area::Contents, Access::Write), (Area::Pulls, Access::Read)]);
    scene.github.admit(TOKEN, contents);
    let step = scene.night(0..1).step(&UPDATE);
    said(&step, 1, &["cannot open a pull request", "permissions: {contents: write, pull-requests: write}"]);
}

#[test]
fn runs_of_a_night_that_could_open_none_wait_for_the_next() {
    let scene = Scene::new();
    let message = "GitHub Actions is not permitted to create or approve pull requests.";
    scene.github.inject(Fault::status("POST", "/pulls", Answer::error(403, message)).times(2));
    for minute in 0..2 {
        let name = format!("{minute}.json");
        let step = scene.night(minute..minute + 1).step(&["baseline", "update", &name, "--pull-request"]);
        said(&step, 1, &["remembered: ", "Allow GitHub Actions to create and approve pull requests"]);
    }
    assert_eq!((scene.minutes(BRANCH).len(), scene.pulls().len()), (2, 0));
    scene.proposed(2);
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 3 runs of browse on here");
}

#[test]
fn a_pull_request_of_somebody_else_is_left_alone() {
    let scene = Scene::new();
    let (path, run) = written(1);
    let sha = scene.github.with(|repository| {
        let main = repository.git.branches["main"].clone();
        repository.point(BRANCH, &main);
        let sha = repository.push(BRANCH, &[(&path, Some(&run))]);
        repository.open_pull(Some("shop/api"), BRANCH, &sha);
        sha
    });
    let step = scene.night(0..1).step(&UPDATE);
    said(&step, 1, &["is of the branch `loadgate/baseline`, and loadgate did not open it", "close it"]);
    assert_eq!(scene.head(BRANCH), Some(sha));
    // One of a fork that is called the same is nobody's business.
    scene.github.with(|repository| {
        let pull = repository.issues.values_mut().find(|it| it.pull.is_some()).expect("a pull request");
        pull.pull.as_mut().expect("a pull request").repository = Some("eve/api".to_owned());
    });
    propose(&scene.night(0..1), "0.json");
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
}

#[test]
fn a_proposal_for_another_branch_is_not_mixed_with_this_one() {
    let scene = Scene::new();
    scene.proposed(0);
    scene.github.with(|repository| {
        let main = repository.git.branches["main"].clone();
        repository.point("release/1", &main);
    });
    let job = scene.night(1..2).with("GITHUB_REF", "refs/heads/release/1");
    let step = job.step(&["baseline", "update", "1.json", "--pull-request"]);
    said(&step, 1, &["with waiting runs goes into `main`", "close it, or merge it"]);
    assert_eq!(scene.minutes(BRANCH), ["00"]);
}

#[test]
fn a_broken_run_on_the_base_is_told_with_its_place() {
    let scene = Scene::new();
    let job = scene.night(0..1);
    // It came after the checkout.
    let path = "baselines/browse.here/run-20261124T090000Z-00000001.json";
    scene.github.with(|repository| repository.push("main", &[(path, Some("{\"schema\": 1}"))]));
    said(&job.step(&UPDATE), 2, &["one file of the baseline cannot be used", path]);
    let huge = " ".repeat(17 << 20);
    scene.github.with(|repository| repository.push("main", &[(path, Some(&huge))]));
    said(&job.step(&UPDATE), 2, &["one file of the baseline cannot be used", path, "larger than 16 MiB"]);
    assert_eq!(scene.head(BRANCH), None);
}

#[test]
fn outside_of_actions_a_token_and_a_repository_are_enough() {
    let scene = Scene::new();
    let event = json!({});
    let job = Job::new(&scene.github, "", &event).with("GITHUB_ACTIONS", "").with("GITHUB_REF", "");
    let job = job.with("GITHUB_WORKSPACE", "").with("GITHUB_RUN_ID", "").with("GITHUB_SHA", "");
    for (path, text) in scene.files("main") {
        job.workspace.write(&path, &text);
    }
    // Where the repository begins, git says.
    job.workspace.write(".git/HEAD", "ref: refs/heads/topic\n");
    job.workspace.write("0.json", &crate::baseline::at(0).to_string());
    let step = job.step(&UPDATE);
    said(&step, 0, &["proposed: 1 run, in a new pull request"]);
    assert_eq!(scene.pull().pull.expect("a pull request").base, "main");
    assert_eq!(scene.github.count("GET", "/repos/shop/api"), 1);
}
