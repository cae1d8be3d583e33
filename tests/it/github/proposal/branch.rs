//! Others on the branch at the same time: jobs, people, and whoever may push.

use std::process::Stdio;

use super::{BRANCH, Scene, propose, said, written};
use crate::baseline::FOLDER;
use crate::github::mock::fault::{Effect, Fault};
use crate::github::mock::repository::Repository;

/// When people commit here.
const DATE: &str = "2026-11-24T10:15:00Z";

#[test]
fn a_job_that_was_slower_adds_to_what_the_faster_one_brought() {
    let scene = Scene::new();
    scene.proposed(0);
    let job = scene.night(1..2);
    let (path, run) = written(2);
    scene.meanwhile("PATCH", "/git/refs/heads/loadgate/baseline", move |repository| {
        repository.push(BRANCH, &[(&path, Some(&run))]);
    });
    propose(&job, "1.json");
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 3 runs of browse on here");
}

#[test]
fn two_first_jobs_at_once_open_one_pull_request() {
    let scene = Scene::new();
    let job = scene.night(0..1);
    let (path, run) = written(1);
    // The other job has made the branch, and is about to open the pull request.
    scene.meanwhile("POST", "/git/refs", move |repository| {
        let main = repository.git.branches["main"].clone();
        repository.point(BRANCH, &main);
        repository.push(BRANCH, &[(&path, Some(&run))]);
    });
    // Which it does just before this one would.
    scene.meanwhile("POST", "/pulls", |repository| {
        let sha = repository.git.branches[BRANCH].clone();
        let number = repository.open_pull(Some("shop/api"), BRANCH, &sha);
        let body = format!("<!-- loadgate:v1 id=baseline run=70.1 sha={sha} -->\ntext");
        repository.issues.get_mut(&number).expect("just made").body = Some(body);
    });
    propose(&job, "0.json");
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 2 runs of browse on here");
}

#[test]
fn a_job_that_is_always_slower_gives_up_and_says_so() {
    let scene = Scene::new();
    scene.proposed(0);
    let job = scene.night(1..2);
    for minute in 2..12 {
        let (path, run) = written(minute);
        scene.meanwhile("PATCH", "/git/refs/heads/loadgate/baseline", move |repository| {
            repository.push(BRANCH, &[(&path, Some(&run))]);
        });
    }
    let step = job.step(&["baseline", "update", "1.json", "--pull-request"]);
    said(&step, 1, &["`loadgate/baseline` was changed by others each time", "start the job again"]);
    let minutes = scene.minutes(BRANCH);
    assert_eq!((minutes.len(), minutes.contains(&"01".to_owned())), (11, false));
}

#[test]
fn jobs_of_a_matrix_that_end_at_once_all_get_their_run_in() {
    let scene = Scene::new();
    let jobs: Vec<_> =
        (0..4).map(|minute| (scene.night(minute..minute + 1), format!("{minute}.json"))).collect();
    let running: Vec<_> = jobs
        .iter()
        .map(|(job, result)| {
            let mut command = job.workspace.command(&["baseline", "update", result, "--pull-request"]);
            job.prepare(&mut command);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
        })
        .collect();
    for child in running {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02", "03"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 4 runs of browse on here");
    assert_eq!(scene.pulls().len(), 1);
}

#[test]
fn a_branch_that_is_given_up_is_looked_at_once_more() {
    let scene = Scene::new();
    scene.proposed(0);
    let rejected = scene.pull().number;
    scene.github.with(|repository| super::close(repository, rejected));
    let job = scene.night(1..2);
    // Another job gives it up a moment before.
    let (path, run) = written(2);
    scene.meanwhile("POST", "/git/commits", move |repository| {
        let main = repository.git.branches["main"].clone();
        repository.point(BRANCH, &main);
        repository.push(BRANCH, &[(&path, Some(&run))]);
    });
    propose(&job, "1.json");
    assert_eq!(scene.minutes(BRANCH), ["01", "02"]);
}

#[test]
fn a_pull_request_that_gets_news_is_not_closed() {
    let scene = Scene::new();
    scene.proposed(0);
    let (path, run) = written(0);
    scene.github.with(|repository| repository.push("main", &[(&path, Some(&run))]));
    let (path, run) = written(1);
    let job = scene.night(0..1);
    let news = move |repository: &mut Repository| {
        repository.push(BRANCH, &[(&path, Some(&run))]);
    };
    // After the branch was read, and before it is read again.
    let fault = Fault::new("GET", "/git/ref/heads/loadgate/baseline", Effect::Meanwhile(Box::new(news)));
    scene.github.inject(fault.after(1));
    propose(&job, "0.json");
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    assert_eq!(scene.pull().title, "loadgate: baseline, 1 run of browse on here");
}

#[test]
fn a_base_that_moved_on_is_merged_into_the_branch() {
    let scene = Scene::new();
    scene.proposed(0);
    let before = scene.head(BRANCH).expect("a branch");
    let main = scene.github.with(|repository| repository.push("main", &[("src/a.rs", Some("fn a() {}"))]));
    scene.proposed(1);
    assert_eq!(scene.parents(BRANCH), [before, main]);
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    assert!(scene.files(BRANCH).contains_key("src/a.rs"));
    scene.proposed(2);
    assert_eq!((scene.parents(BRANCH).len(), scene.minutes(BRANCH).len()), (1, 3));
}

#[test]
fn a_branch_that_a_person_brought_up_to_date_is_read_rightly() {
    let scene = Scene::new();
    scene.proposed(0);
    scene.github.with(|repository| {
        let main = repository.push("main", &[("README.md", Some("Another.\n")), ("src/a.rs", Some(""))]);
        // As the button "Update branch" does.
        let head = repository.git.branches[BRANCH].clone();
        let files = super::files(&repository.git, BRANCH);
        let run = files.iter().find(|(path, _)| path.starts_with(FOLDER)).expect("a run");
        let tree = repository.git.tree_of("main").expect("a tree");
        let blob = repository.git.store_blob(run.1.as_bytes());
        let tree = repository.git.with_entry(Some(&tree), run.0, Some(("100644".to_owned(), blob)));
        let merge = repository.git.store_commit(&tree, &[head, main], ("Merge branch 'main'", DATE));
        repository.point(BRANCH, &merge);
    });
    let step = scene.proposed(1);
    assert!(!step.stderr.contains("left out"), "{}", step.stderr);
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    assert_eq!(scene.files(BRANCH)["README.md"], "Another.\n");
}

#[test]
fn what_does_not_belong_on_the_branch_is_left_out_and_told() {
    let scene = Scene::new();
    scene.proposed(0);
    let (path, run) = written(1);
    let fake = |digest: &str| format!("{FOLDER}/run-20261124T103000Z-{digest}.json");
    let named = |name: &str| path.replace("run-20261124T1001", name);
    let huge = run.replacen('{', &format!("{{{}", " ".repeat(1 << 20)), 1);
    let (broken, large, nan) = (fake("00000001"), fake("00000002"), fake("00000003"));
    let infinite = run.replace("\"time\": \"2026-11-24T10:01:00Z\"", "\"time\": \"2026-11-24T10:30:00Z\"");
    let infinite = infinite.replacen("\"p50_ms\":", "\"p50_ms\":1e999,\"x\":", 1);
    let renamed = named("run-20261124T1059");
    scene.github.with(|repository| {
        let files = [
            (".github/workflows/evil.yml", "on: push"),
            ("README.md", "@everybody"),
            ("baselines/browse.here/notes.md", "hello"),
            (broken.as_str(), "{\"schema\": 1"),
            (large.as_str(), &huge),
            (nan.as_str(), &infinite),
            // The run of another minute under a name that does not say so.
            (renamed.as_str(), &run),
            (path.as_str(), &run),
        ];
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        repository.push(BRANCH, &files);
        // A link is no run.
        let tree = repository.git.tree_of(BRANCH).expect("a tree");
        let target = repository.git.store_blob(b"/etc/passwd");
        let link = Some(("120000".to_owned(), target));
        let tree = repository.git.with_entry(Some(&tree), &fake("00000004"), link);
        let head = repository.git.branches[BRANCH].clone();
        let commit = repository.git.store_commit(&tree, &[head], ("more", DATE));
        repository.point(BRANCH, &commit);
    });
    let step = scene.proposed(2);
    assert_eq!(scene.minutes(BRANCH), ["00", "01", "02"]);
    let files = scene.files(BRANCH);
    assert_eq!(files["README.md"], "An API.\n");
    for path in
        [".github/workflows/evil.yml", "baselines/browse.here/notes.md", &broken, &large, &nan, &renamed]
    {
        assert!(!files.contains_key(path), "{path}");
        assert!(step.stderr.contains(&format!("left out of the pull request: `{path}` ")), "{}", step.stderr);
    }
    let left_out = step.stderr.matches("left out of the pull request: ").count();
    assert_eq!(left_out, 8, "{}", step.stderr);
    assert_eq!(scene.pull().title, "loadgate: baseline, 3 runs of browse on here");
}

#[test]
fn hostile_names_in_what_waits_stay_text() {
    let scene = Scene::new();
    scene.proposed(0);
    let (path, run) = written(1);
    let class = "\"cpu_class\": \"";
    let (before, rest) = run.split_once(class).expect("a class");
    let (_, after) = rest.split_once('"').expect("its end");
    let run = format!("{before}{class}a | b</details> @octocat `x` <!-- loadgate:v1 -->\"{after}");
    scene.github.with(|repository| repository.push(BRANCH, &[(&path, Some(&run))]));
    scene.proposed(2);
    let body = scene.pull().body.unwrap_or_default();
    assert!(body.contains("octocat") && !body.contains("@octocat"), "{body}");
    // In a cell a bar is escaped; in the code of a sentence it would stay so.
    let rows = || body.lines().filter(|line| line.starts_with('|'));
    assert!(rows().any(|row| row.contains("a \\| b")) && !rows().any(|row| row.contains("a | b")), "{body}");
    assert_eq!(body.matches("\n<!--").count(), 0, "{body}");
}

#[test]
fn very_much_that_does_not_belong_there_is_told_in_a_few_lines() {
    let scene = Scene::new();
    scene.proposed(0);
    let paths: Vec<String> = (0..50).map(|index| format!("{index}{}.txt", "x".repeat(2_000))).collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), Some("x"))).collect();
    scene.github.with(|repository| repository.push(BRANCH, &files));
    let step = scene.proposed(1);
    assert_eq!(step.stderr.matches("left out of the pull request: ").count(), 21, "{}", step.stderr);
    assert!(step.stderr.contains("left out of the pull request: 30 more files"), "{}", step.stderr);
    assert!(step.stderr.len() < 10_000);
    assert_eq!(scene.files(BRANCH).keys().filter(|path| path.contains("xxx")).count(), 0);
}

#[test]
fn a_run_that_was_removed_from_the_base_does_not_come_back() {
    let scene = Scene::new();
    let (path, run) = written(0);
    scene.github.with(|repository| repository.push("main", &[(&path, Some(&run))]));
    scene.proposed(1);
    assert_eq!(scene.minutes(BRANCH), ["00", "01"]);
    scene.github.with(|repository| repository.push("main", &[(&path, None)]));
    scene.proposed(2);
    assert_eq!(scene.minutes(BRANCH), ["01", "02"]);
}
