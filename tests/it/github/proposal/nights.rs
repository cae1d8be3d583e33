//! Nights with news, without, rejected, merged.

use super::{BRANCH, Scene, close, propose, said, text, written};
use crate::baseline::{FOLDER, at};
use crate::github::mock::GitHub;

#[test]
fn a_night_with_news_opens_one_pull_request() {
    let scene = Scene::new();
    let before = scene.head("main");
    let job = scene.night(0..1);
    let step = propose(&job, "0.json");
    let pull = scene.pull();
    let url = format!("https://github.com/shop/api/pull/{}", pull.number);
    said(&step, 0, &["remembered: ", "proposed: 1 run, in a new pull request: ", &url]);
    assert_eq!(step.outputs.get("pull-request"), Some(&url));
    assert_eq!(pull.title, "loadgate: baseline, 1 run of browse on here");
    let body = pull.body.as_deref().unwrap_or_default();
    let main = before.clone().unwrap_or_default();
    assert!(body.starts_with(&format!("<!-- loadgate:v1 id=baseline run=77.1 sha={main} -->\n")), "{body}");
    for part in ["2026-11-24 10:00:00 UTC", "` browse on here `", "close this pull request without merging"] {
        assert!(body.contains(part), "`{part}` is missing in\n{body}");
    }
    assert_eq!((scene.minutes(BRANCH), scene.head("main")), (vec!["00".to_owned()], before));
    // What is on the branch is what is on this machine.
    let (path, written) = written(0);
    assert_eq!(scene.files(BRANCH).get(&path), Some(&written));
    assert_eq!(std::fs::read_to_string(job.workspace.path(&path)).expect("a run"), written);
    // A commit without an author is signed by GitHub.
    let asked = scene.github.asked();
    let commit = asked.iter().find(|asked| asked.path.ends_with("/git/commits") && asked.method == "POST");
    let body = &commit.expect("a commit").body;
    assert!(body["author"].is_null() && body["committer"].is_null(), "{body}");
    assert!(text(body, "message").starts_with("loadgate: baseline, 1 run of browse on here\n\n"), "{body}");
}

#[test]
fn nights_without_a_merge_add_up_to_one_proposal() {
    let scene = Scene::new();
    for minute in 0..5 {
        scene.proposed(minute);
    }
    let pull = scene.pull();
    assert_eq!(scene.pulls().len(), 1);
    assert_eq!(pull.title, "loadgate: baseline, 5 runs of browse on here");
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02", "03", "04"]);
    let body = pull.body.unwrap_or_default();
    assert!(body.contains("run=81.1"), "{body}");
    // With five runs there is something to compare with.
    assert!(body.contains("| ` p50 of GET /health ` | –\u{a0}→\u{a0}"), "{body}");
    let forced = scene.github.asked().iter().filter(|asked| asked.body["force"] == true).count();
    assert_eq!(forced, 0, "no commit of the branch is given up");
    scene.merge();
    assert_eq!(scene.minutes("main").len(), 5);
    // The next night begins anew, on a branch that nobody removed.
    scene.proposed(5);
    assert_eq!(scene.pull().title, "loadgate: baseline, 1 run of browse on here");
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02", "03", "04", "05"]);
    assert_eq!(scene.parents(BRANCH), [scene.head("main").expect("a branch")]);
    let body = scene.pull().body.unwrap_or_default();
    assert!(body.contains("| ` p50 of GET /health ` | ") && !body.contains("| – → "), "{body}");
}

#[test]
fn without_news_nothing_is_changed() {
    let scene = Scene::new();
    let (path, run) = written(0);
    scene.github.with(|repository| repository.push("main", &[(&path, Some(&run))]));
    let step = propose(&scene.night(0..1), "0.json");
    said(&step, 0, &["remembered already: ", "nothing to propose: GitHub has every run"]);
    assert_eq!((scene.changes(), scene.pulls().len(), scene.head(BRANCH)), (0, 0, None));
    assert_eq!(step.outputs.get("pull-request"), None);
    // The same run again, while it waits.
    scene.proposed(1);
    let (head, changes) = (scene.head(BRANCH), scene.changes());
    let again = scene.proposed(1);
    said(&again, 0, &["proposed already: 1 run, in https://github.com/shop/api/pull/"]);
    assert_eq!((scene.head(BRANCH), scene.changes()), (head, changes));
    assert!(again.outputs.contains_key("pull-request"));
}

#[test]
fn a_refused_run_is_not_proposed_and_what_waits_keeps_waiting() {
    let scene = Scene::new();
    scene.proposed(0);
    let job = scene.night(1..2);
    let mut broken = at(1);
    broken["interrupted"] = true.into();
    job.workspace.write("1.json", &broken.to_string());
    let step = job.step(&["baseline", "update", "1.json", "--pull-request"]);
    said(&step, 1, &["not remembered: ", "proposed already: 1 run"]);
    assert_eq!(scene.minutes(BRANCH), ["00"]);
}

#[test]
fn runs_of_a_closed_pull_request_are_rejected() {
    let scene = Scene::new();
    scene.proposed(0);
    scene.proposed(1);
    let rejected = scene.pull().number;
    scene.github.with(|repository| close(repository, rejected));
    scene.proposed(2);
    assert_eq!(scene.minutes(BRANCH), ["02"]);
    assert_eq!(scene.parents(BRANCH), [scene.head("main").expect("a branch")]);
    let pull = scene.pull();
    assert_eq!(
        (pull.title.as_str(), pull.number > rejected),
        ("loadgate: baseline, 1 run of browse on here", true)
    );
}

#[test]
fn a_run_that_was_deleted_on_the_branch_stays_away() {
    let scene = Scene::new();
    scene.proposed(0);
    scene.proposed(1);
    let (path, _) = written(0);
    scene.github.with(|repository| repository.push(BRANCH, &[(&path, None)]));
    scene.proposed(2);
    assert_eq!(scene.minutes(BRANCH), ["01", "02"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 2 runs of browse on here");
}

#[test]
fn a_pull_request_with_nothing_left_is_closed_with_a_word() {
    let scene = Scene::new();
    scene.proposed(0);
    let pull = scene.pull();
    let (path, run) = written(0);
    scene.github.with(|repository| repository.push("main", &[(&path, Some(&run))]));
    let step = propose(&scene.night(0..1), "0.json");
    said(&step, 0, &["closed, for nothing is left to merge: https://github.com/shop/api/pull/"]);
    assert!(scene.pulls().iter().all(|pull| !pull.open));
    assert_eq!(scene.head(BRANCH), None);
    let comments = scene.github.with(|repository| repository.comments_of(pull.number));
    assert_eq!(comments.len(), 1);
    assert!(comments[0].body.contains("nothing left to merge"), "{}", comments[0].body);
}

#[test]
fn what_is_too_many_goes_with_the_same_proposal() {
    let scene = Scene::new();
    let all: Vec<_> = (0..3).map(written).collect();
    let files: Vec<_> = all.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    scene.github.with(|repository| repository.push("main", &files));
    for minute in 3..5 {
        let job = scene.night(minute..minute + 1);
        let name = format!("{minute}.json");
        let step =
            job.step(&["baseline", "update", &name, "--pull-request", "--set", "baseline.keep_runs=3"]);
        said(&step, 0, &["removed: run-20261124T100", "proposed: "]);
    }
    assert_eq!(scene.minutes(BRANCH), ["02", "03", "04"]);
    let body = scene.pull().body.unwrap_or_default();
    let removed = body.split("## Removed").nth(1).unwrap_or_default();
    assert_eq!(removed.matches("- ` run-20261124T100").count(), 2, "{body}");
    let blobs = scene.github.asked().iter().filter(|asked| asked.path.contains("/git/blobs/")).count();
    assert_eq!(blobs, 3, "the run that waits, and the one that was removed here, each night");
}

#[test]
fn a_server_of_ones_own_is_asked_below_its_base() {
    let scene = Scene::on(GitHub::enterprise());
    scene.proposed(0);
    scene.proposed(1);
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    scene.pull();
}

#[test]
fn two_environments_share_the_branch() {
    let scene = Scene::new();
    scene.proposed(0);
    let job = scene.night(1..2);
    let mut there = at(1);
    there["environment"] = "there".into();
    job.workspace.write("1.json", &there.to_string());
    let step = propose(&job, "1.json");
    said(&step, 0, &["proposed: 2 runs, in "]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 2 runs of 2 baselines");
    let files = scene.files(BRANCH);
    assert!(files.keys().any(|path| path.starts_with("baselines/browse.there/run-")), "{:?}", files.keys());
    assert!(files.keys().any(|path| path.starts_with(FOLDER)));
}

#[test]
fn what_another_configuration_proposed_is_carried_over() {
    let scene = Scene::new();
    let (path, run) = written(0);
    let elsewhere = path.replace("baselines/browse.here", "services/pay/baselines/checkout.staging");
    let job = scene.night(1..2);
    scene.github.with(|repository| {
        let main = repository.git.branches["main"].clone();
        repository.point(BRANCH, &main);
        repository.push(BRANCH, &[(&elsewhere, Some(&run))])
    });
    propose(&job, "1.json");
    let files = scene.files(BRANCH);
    assert_eq!(files.get(&elsewhere), Some(&run));
    assert_eq!(scene.minutes(BRANCH), ["01"]);
    let body = scene.pull().body.unwrap_or_default();
    assert!(body.contains("its runs wait here for the job that has"), "{body}");
}
