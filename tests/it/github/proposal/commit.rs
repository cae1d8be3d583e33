//! Runs that are committed to the branch of the job itself.

use super::{BRANCH, Scene, said, written};
use crate::github::mock::fault::Fault;
use crate::github::mock::wire::Answer;

const MAIN: &str = "/git/refs/heads/main";

fn committed(scene: &Scene, minute: u32) -> crate::github::job::Step {
    let name = format!("{minute}.json");
    scene.night(minute..minute + 1).step(&["baseline", "update", &name, "--commit"])
}

#[test]
fn runs_are_committed_to_the_branch_of_the_job() {
    let scene = Scene::new();
    let before = scene.head("main").expect("a branch");
    said(&committed(&scene, 0), 0, &["remembered: ", "committed: 1 run, to main"]);
    assert_eq!((scene.minutes("main"), scene.parents("main")), (vec!["00".to_owned()], vec![before]));
    assert_eq!((scene.pulls().len(), scene.head(BRANCH)), (0, None));
    let head = scene.head("main");
    said(&committed(&scene, 0), 0, &["nothing to propose: GitHub has every run"]);
    assert_eq!(scene.head("main"), head);
}

#[test]
fn a_branch_that_moved_on_is_never_forced() {
    let scene = Scene::new();
    let (path, run) = written(1);
    scene.meanwhile("PATCH", MAIN, move |repository| {
        repository.push("main", &[(&path, Some(&run)), ("src/a.rs", Some(""))]);
    });
    said(&committed(&scene, 0), 0, &["committed: 1 run, to main"]);
    assert_eq!(scene.minutes("main"), ["00", "01"]);
    let patches: Vec<_> = scene.github.asked().into_iter().filter(|asked| asked.method == "PATCH").collect();
    assert_eq!(patches.len(), 2);
    assert!(patches.iter().all(|asked| asked.body["force"] == false));
}

#[test]
fn a_protected_branch_is_told_with_the_way_out() {
    for (status, message) in [
        (422, "Repository rule violations found\n\nChanges must be made through a pull request."),
        (403, "Protected branch update failed"),
        (409, "Conflict"),
    ] {
        let scene = Scene::new();
        scene.github.inject(Fault::status("PATCH", MAIN, Answer::error(status, message)));
        let step = committed(&scene, 0);
        said(&step, 1, &["`main` does not take commits from here", "--pull-request"]);
        assert!(scene.minutes("main").is_empty());
    }
}
