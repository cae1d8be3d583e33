//! A folder on disk: what is read, written once, and removed.

use super::*;
use crate::result::fixture;
use crate::result::schema::RunResult;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> Folder {
        Folder::of(self.dir.path(), "build_flow", "demo")
    }

    fn write(&self, file: &str, text: &str) {
        fs::create_dir_all(self.folder().path()).unwrap();
        fs::write(self.folder().path().join(file), text).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let paths = entries(self.folder().path()).unwrap();
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

fn result(minute: u32) -> RunResult {
    RunResult { started_at: format!("2026-11-24T10:{minute:02}:00Z"), ..fixture::small() }
}

#[test]
fn a_folder_that_is_not_there_is_an_empty_baseline() {
    let place = Place::new();
    assert_eq!(load(place.dir.path(), "build_flow", "demo").unwrap(), Baseline::default());
    assert_eq!(Folder::all(&place.dir.path().join("no")).unwrap(), []);
    place.write(".gitkeep", "");
    assert_eq!(place.folder().load().unwrap(), Baseline::default());
}

#[test]
fn names_of_scenarios_cannot_leave_the_folder() {
    for (scenario, environment) in [("../../etc", "/x"), (".", ".."), ("..", "..")] {
        let folder = Folder::of(Path::new("b"), scenario, environment);
        assert_eq!(folder.path().parent(), Some(Path::new("b")), "{folder:?}");
        assert!(folder.name().len() > 4 && !folder.name().starts_with('.'), "{folder:?}");
    }
}

/// A run of this key, as this version remembers it, or as an earlier one did.
fn of_key(minute: u32, key: Option<(&str, &str)>, plan: &str) -> Run {
    let run = Run::of(&result(minute), None);
    let (scenario, environment) = key.map(|(a, b)| (a.to_owned(), b.to_owned())).unzip();
    Run { scenario, environment, plan_digest: plan.to_owned(), ..run }
}

#[test]
fn two_baselines_that_once_shared_a_folder_are_two() {
    let place = Place::new();
    let dir = place.dir.path();
    let (checkout, v2) = (Folder::of(dir, "checkout.v2", "prod"), Folder::of(dir, "checkout", "v2.prod"));
    assert_ne!(checkout.path(), v2.path());
    // An earlier version put both here, and did not say whose they are.
    let shared = Folder::at(&dir.join("checkout.v2.prod"));
    for (minute, plan) in [(1, "one"), (2, "one"), (3, "two"), (4, "two"), (5, "two")] {
        shared.append(&of_key(minute, None, plan)).unwrap();
    }
    let minutes = |baseline: &Baseline, plan: &str| {
        baseline.runs.values().filter(|run| run.plan_digest == plan).count()
    };
    let mut known = checkout.load().unwrap();
    assert_eq!((minutes(&known, "one"), minutes(&known, "two")), (2, 3), "what is there is found");
    // Remembering more prunes nothing of the other.
    let run = of_key(6, Some(("checkout.v2", "prod")), "one");
    let appended = checkout.append(&run).unwrap();
    let name = appended.path.file_stem().unwrap().to_string_lossy().into_owned();
    known.runs.insert(name, run);
    let moved = checkout.move_on(&mut known, "one").unwrap().unwrap();
    assert_eq!((moved.files, moved.shared), (2, true));
    assert_eq!(checkout.prune(&known, 3).unwrap(), Vec::<String>::new());
    assert_eq!(minutes(&v2.load().unwrap(), "two"), 3);
    // The other one moves on as well; each says whose it is by now.
    let mut other = v2.load().unwrap();
    assert_eq!(v2.move_on(&mut other, "two").unwrap().unwrap().files, 3);
    assert_eq!(entries(checkout.path()).unwrap().len(), 3);
    assert_eq!(entries(v2.path()).unwrap().len(), 3);
}

#[test]
fn what_was_pruned_does_not_come_back_from_a_folder_that_is_shared() {
    let place = Place::new();
    let dir = place.dir.path();
    let ours = Some(("checkout.v2", "prod"));
    let folder = Folder::of(dir, "checkout.v2", "prod");
    let shared = Folder::at(&dir.join("checkout.v2.prod"));
    // Five of ours, and twenty of another baseline, one of which is newer than all of ours.
    for minute in 1..6 {
        shared.append(&of_key(minute, None, "one")).unwrap();
    }
    for minute in 30..50 {
        shared.append(&of_key(minute, None, "two")).unwrap();
    }
    let of_plan = |baseline: &Baseline| baseline.runs.values().filter(|it| it.plan_digest == "one").count();
    for (minute, moves, kept) in [(10, true, 6), (11, false, 6), (12, false, 6)] {
        let mut known = folder.load().unwrap();
        let moved = folder.move_on(&mut known, "one").unwrap();
        assert_eq!(moved.is_some(), moves, "{minute}");
        assert!(moved.is_none_or(|moved| (moved.files, moved.shared) == (5, true)));
        let run = of_key(minute, ours, "one");
        let path = folder.append(&run).unwrap().path;
        known.runs.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), run);
        folder.prune(&known, 6).unwrap();
        let after = folder.load().unwrap();
        assert_eq!(of_plan(&after), kept, "{minute}");
        assert_eq!(entries(folder.path()).unwrap().len(), kept, "{minute}");
    }
    assert_eq!(entries(shared.path()).unwrap().len(), 25, "nothing of anybody is lost");
    // A plan that was not moved is still found there: a plan may go back to what it was.
    assert_eq!(folder.load().unwrap().runs.len(), 26);
    // What says that it is ours moves wherever it lies.
    shared.append(&of_key(9, ours, "one")).unwrap();
    let mut known = folder.load().unwrap();
    let moved = folder.move_on(&mut known, "one").unwrap().unwrap();
    assert_eq!((moved.files, moved.shared, entries(shared.path()).unwrap().len()), (1, true, 25));
}

#[test]
fn old_runs_are_still_read_beside_a_few_new_ones_that_were_committed_alone() {
    let place = Place::new();
    let dir = place.dir.path();
    let folder = Folder::of(dir, "checkout.v2", "prod");
    let earlier = Folder::at(&dir.join("checkout.v2.prod"));
    for minute in 0..20 {
        earlier.append(&of_key(minute, None, "one")).unwrap();
    }
    // A pull request brings the new run alone, and the old ones stay where they were.
    for minute in 20..40 {
        folder.append(&of_key(minute, Some(("checkout.v2", "prod")), "one")).unwrap();
        let old = if minute < 39 { 20 } else { 0 };
        assert_eq!(folder.load().unwrap().earlier.len(), old, "{minute}");
    }
    assert_eq!(folder.load().unwrap().runs.len(), 20);
}

#[test]
fn runs_of_another_baseline_take_no_place_of_ours() {
    let place = Place::new();
    let dir = place.dir.path();
    let folder = Folder::of(dir, "checkout.v2", "prod");
    let shared = Folder::at(&dir.join("checkout.v2.prod"));
    for minute in 30..50 {
        shared.append(&of_key(minute, None, "two")).unwrap();
    }
    for minute in 1..5 {
        folder.append(&of_key(minute, Some(("checkout.v2", "prod")), "one")).unwrap();
    }
    assert_eq!(folder.prune(&folder.load().unwrap(), 10).unwrap(), Vec::<String>::new());
    assert_eq!(folder.prune(&folder.load().unwrap(), 3).unwrap().len(), 1);
}

#[test]
fn a_folder_of_one_baseline_moves_on_whole() {
    let place = Place::new();
    let dir = place.dir.path();
    let folder = Folder::of(dir, "checkout.v2", "prod");
    let earlier = Folder::at(&dir.join("checkout.v2.prod"));
    earlier.append(&of_key(1, None, "one")).unwrap();
    let epoch = Epoch { schema: 1, from_sha: None, metrics: vec!["p95".into()], reason: "a cache".into() };
    earlier.begin(&epoch, "2026-11-24T10:15:00Z".parse().unwrap()).unwrap();
    let mut known = folder.load().unwrap();
    assert_eq!((known.runs.len(), known.epochs.len(), known.earlier.len()), (1, 1, 2));
    let moved = folder.move_on(&mut known, "one").unwrap().unwrap();
    assert_eq!((moved.files, moved.shared, earlier.path().exists()), (2, false, false));
    let after = folder.load().unwrap();
    assert_eq!((after.runs, after.epochs, after.earlier.len()), (known.runs, known.epochs, 0));
    assert_eq!(folder.move_on(&mut folder.load().unwrap(), "one").unwrap(), None, "once");
}

#[test]
fn a_run_of_another_baseline_is_neither_used_nor_removed() {
    let place = Place::new();
    let folder = place.folder();
    let other = folder.append(&of_key(1, Some(("Build_Flow", "demo")), "0f1e2d")).unwrap();
    for minute in 2..6 {
        folder.append(&of_key(minute, Some(("build_flow", "demo")), "0f1e2d")).unwrap();
    }
    let known = folder.load().unwrap();
    assert_eq!((known.runs.len(), known.foreign.len()), (4, 1));
    assert_eq!(known.foreign.values().next().unwrap().scenario, "Build_Flow");
    assert_eq!(folder.prune(&known, 3).unwrap().len(), 1);
    assert!(other.path.exists());
}

#[test]
fn a_run_is_remembered_once_and_read_back_as_it_was() {
    let place = Place::new();
    let folder = place.folder();
    let run = Run::of(&result(1), None);
    let first = folder.append(&run).unwrap();
    assert_eq!(first.novelty, Novelty::New);
    let again = Run::of(&result(1), Some("epoch-20261124T101500Z-0a1b2c3d"));
    assert_eq!(folder.append(&again).unwrap(), Appended { novelty: Novelty::Known, ..first });
    folder.append(&Run::of(&result(2), None)).unwrap();
    let baseline = folder.load().unwrap();
    assert_eq!(baseline.runs.len(), 2);
    assert_eq!(baseline.runs.values().next(), Some(&run));
    assert_eq!(place.files().len(), 2, "nothing temporary is left");
    let all = Folder::all(place.dir.path()).unwrap();
    assert_eq!(all.iter().map(Folder::path).collect::<Vec<_>>(), [folder.path()]);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let place = Place::new();
    let wrong = Run::of(&RunResult { started_at: "now".into(), ..fixture::small() }, None);
    let error = place.folder().append(&wrong).unwrap_err();
    insta::assert_snapshot!(error, @"this cannot be remembered: it has no time in `time`: `now` (valid: a time such as `2026-11-24T10:15:00Z`)");
    assert!(!place.folder().path().exists());
}

#[test]
fn an_epoch_is_the_newest_from_then_on() {
    let place = Place::new();
    let epoch = |reason: &str| Epoch {
        schema: 1,
        from_sha: Some("c0ffee".into()),
        metrics: vec!["p95 of GET /health".into(), "error_rate".into()],
        reason: reason.into(),
    };
    let at = |text: &str| text.parse().unwrap();
    let first = place.folder().begin(&epoch("a cache"), at("2026-11-24T10:15:00Z")).unwrap();
    place.folder().begin(&epoch("no cache"), at("2026-11-25T10:15:00Z")).unwrap();
    insta::assert_snapshot!(fs::read_to_string(first).unwrap(), @r#"
{
  "from_sha": "c0ffee",
  "metrics": ["p95 of GET /health","error_rate"],
  "reason": "a cache",
  "schema": 1
}
"#);
    let baseline = place.folder().load().unwrap();
    assert!(baseline.epoch().unwrap().starts_with("epoch-20261125T101500Z-"));
    assert_eq!(baseline.epochs.len(), 2);
}

#[test]
fn everything_broken_is_told_at_once_and_files_of_others_are_ignored() {
    let place = Place::new();
    place.folder().append(&Run::of(&result(1), None)).unwrap();
    for file in ["README.md", ".gitkeep", ".run-x.json", "run-x.json~", "notes.json", "run-x.json.orig"] {
        place.write(file, "<<<<<<< not read");
    }
    place.write("run-20270101T000000Z-00000000.json", "{\"schema\": 7}");
    assert_eq!(place.folder().load().unwrap().unknown, ["run-20270101T000000Z-00000000"]);
    place.write("run-20261101T000000Z-00000000.json", "{");
    place.write("run-20261102T000000Z-00000000.json", "NaN");
    place.write("epoch-1.json", "");
    let error = place.folder().load().unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.exit_status()),
        ("3 files of the baseline cannot be used", 2)
    );
    assert!(error.hint().is_some());
    let FolderError::Broken(defects) = error else { panic!("{error}") };
    assert_eq!(defects.len(), 3);
}

#[test]
fn only_what_is_too_many_is_removed() {
    let place = Place::new();
    for minute in 0..5 {
        place.folder().append(&Run::of(&result(minute), None)).unwrap();
    }
    place.write("run-20000101T000000Z-00000000.json", "{\"schema\": 7}");
    place.write("README.md", "");
    let baseline = place.folder().load().unwrap();
    let gone = place.folder().prune(&baseline, 3).unwrap();
    assert_eq!(
        gone.iter().map(|name| &name[..20]).collect::<Vec<_>>(),
        ["run-20261124T100000Z", "run-20261124T100100Z"]
    );
    assert_eq!(place.files().len(), 5);
    // Somebody else was faster.
    assert_eq!(place.folder().prune(&baseline, 3).unwrap().len(), 2);
}

#[test]
fn a_folder_of_too_many_files_is_refused() {
    let place = Place::new();
    (0..3).for_each(|index| place.write(&index.to_string(), ""));
    assert_eq!(at_most(3, place.folder().path()).unwrap().len(), 3);
    let error = at_most(2, place.folder().path()).unwrap_err();
    assert!(error.to_string().ends_with("build_flow.demo` holds more than 10000 files"), "{error}");
    assert_eq!(error.exit_status(), 2);
}

#[test]
fn what_is_no_folder_is_the_systems_refusal() {
    let place = Place::new();
    fs::write(place.folder().path(), "").unwrap();
    let error = place.folder().load().unwrap_err();
    assert_eq!((error.exit_status(), error.to_string().starts_with("cannot list `")), (1, true));
    let error = place.folder().append(&Run::of(&result(1), None)).unwrap_err();
    assert_eq!(error.exit_status(), 1);
}
