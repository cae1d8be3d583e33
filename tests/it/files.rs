//! Files that many processes write at once, and places that cannot be written: nothing is torn or lost, and what happens to
//! a file says nothing about the run.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::baseline::{CONFIG, FOLDER, at};
use crate::harness::{BINARY, Finished, Workspace};

/// Processes at once.
const WRITERS: usize = 8;

/// Starts a command of which nothing is shown unless it fails.
fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// What each of these printed; all of them succeed.
fn all_succeed(children: Vec<Child>) -> Vec<String> {
    let ended = children.into_iter().map(|child| child.wait_with_output().expect("it ends"));
    ended
        .map(|output| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
            text(&output.stdout)
        })
        .collect()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn updates_of_one_run_at_once_remember_it_once() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    for _ in 0..3 {
        let _ = fs::remove_dir_all(workspace.path(FOLDER));
        let update = || start(workspace.command(&["baseline", "update", "run.json"]));
        let printed = all_succeed((0..WRITERS).map(|_| update()).collect());
        let remembered = printed.iter().filter(|text| text.starts_with("remembered: ")).count();
        assert_eq!(remembered, 1, "{printed:?}");
        let left = names(&workspace.path(FOLDER));
        assert!(left.len() == 1 && left[0].starts_with("run-"), "{left:?}");
    }
}

#[test]
fn updates_of_many_runs_at_once_lose_none_and_keep_as_many_as_are_kept() {
    let workspace = Workspace::with_config(CONFIG);
    // 8 and 8 again: the second eight find ten places.
    for round in 0..2_u32 {
        let update = |writer: u32| {
            let file = format!("run-{writer}.json");
            workspace.write(&file, &at(round * 8 + writer).to_string());
            start(workspace.command(&["baseline", "update", &file]))
        };
        all_succeed((0..8).map(update).collect());
    }
    let left = names(&workspace.path(FOLDER));
    assert_eq!(left.len(), 10, "`keep_runs: 10`: {left:?}");
    assert!(left.iter().all(|name| name.starts_with("run-")), "{left:?}");
    let shown = workspace.run(&["baseline", "show"]);
    assert_eq!(shown.code(), 0, "{}", shown.stderr);
}

#[test]
fn reports_that_are_written_to_one_file_at_once_are_each_whole() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    let report = ["report", "run.json", "--format", "html", "-o"];
    let whole = [&report[..], &["whole.html"]].concat();
    assert_eq!(workspace.run(&whole).code(), 0);
    let whole = fs::read(workspace.path("whole.html")).expect("a report");
    let arguments = [&report[..], &["out/report.html"]].concat();
    fs::create_dir(workspace.path("out")).expect("a folder");
    all_succeed((0..WRITERS).map(|_| start(workspace.command(&arguments))).collect());
    assert_eq!(fs::read(workspace.path("out/report.html")).expect("a report"), whole);
    assert_eq!(names(&workspace.path("out")), ["report.html"]);
}

#[test]
fn what_killed_processes_left_is_removed_by_the_next_and_is_not_committed() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    for folder in [FOLDER, "reports"] {
        let left = format!("{folder}/.loadgate-0123456789ab.tmp");
        workspace.write(&left, "half of a document");
        let file = fs::File::options().write(true).open(workspace.path(&left)).expect("a file");
        file.set_times(long_ago).expect("a time");
    }
    assert_eq!(workspace.run(&["baseline", "update", "run.json"]).code(), 0);
    assert_eq!(names(&workspace.path(FOLDER)).len(), 1);
    workspace.run(&["run", "--quiet"]);
    let left = names(&workspace.path("reports"));
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
}

#[test]
fn a_report_goes_to_a_pipe_a_device_or_standard_output_by_its_name() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    let whole = workspace.run(&["report", "run.json", "--format", "csv"]).stdout;
    for script in [
        "mkfifo pipe; \"$0\" report run.json --format csv -o pipe & cat pipe; wait $!",
        "\"$0\" report run.json --format csv -o /dev/stdout",
        "\"$0\" report run.json --format csv -o /dev/stdout | cat",
        "\"$0\" report run.json --format csv -o /dev/fd/3 3>&1 | cat",
        "\"$0\" report run.json --format csv -o /dev/null && \"$0\" report run.json --format csv",
    ] {
        let mut shell = workspace.program("sh");
        shell.args(["-c", script, BINARY]);
        let finished = workspace.finish(shell);
        assert_eq!((finished.code(), &finished.stdout), (0, &whole), "{script}: {}", finished.stderr);
    }
    // What was written before stays, and what comes after comes after.
    let mut shell = workspace.program("sh");
    shell.args(["-c", "echo before; \"$0\" report run.json --format csv -o /dev/stdout; echo after", BINARY]);
    assert_eq!(workspace.finish(shell).stdout, format!("before\n{whole}after\n"));
}

/// A run of a second.
fn run(workspace: &Workspace, arguments: &[&str]) -> Finished {
    workspace.run(&[&["run", "--quiet", "--set", "baseline=null"][..], arguments].concat())
}

#[test]
fn latest_decides_nothing_and_leads_only_to_a_folder_with_a_result() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("reports/latest/mine.txt", "");
    let finished = run(&workspace, &[]);
    assert!(finished.ended_with(0), "{}\n{}", finished.stdout, finished.stderr);
    let warning = "warning: `./reports/latest` is a folder and no link";
    assert!(finished.stderr.contains(warning), "{}", finished.stderr);
    assert!(workspace.path("reports/latest/mine.txt").is_file());
    // A run without a result: the folder that `result.json` would be is there first.
    fs::remove_dir_all(workspace.path("reports")).expect("removed");
    let target = format!(
        "{{ready: /health, command: [sh, -c, 'mkdir $(echo reports/browse-*)/result.json; \
         exec {BINARY} demo-api --listen {{{{ address }}}}']}}"
    );
    let finished = run(&workspace, &["--set", &format!("environments.here.target={target}")]);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert!(fs::symlink_metadata(workspace.path("reports/latest")).is_err(), "there is no result to lead to");
    // It is not lost.
    let kept = finished.stderr.lines().find_map(|line| line.strip_prefix("the result of this run is in `"));
    let kept = kept.and_then(|line| line.strip_suffix('`')).unwrap_or_else(|| panic!("{}", finished.stderr));
    let again = workspace.run(&["report", kept, "--format", "csv"]);
    fs::remove_file(kept).expect("removed");
    assert!(again.code() == 0 && again.stdout.contains("GET /health"), "{}", again.stderr);
    // In a job of Actions, later steps are told of it where it is.
    fs::remove_dir_all(workspace.path("reports")).expect("removed");
    fs::create_dir(workspace.path("temp")).expect("a folder");
    let set = format!("environments.here.target={target}");
    let mut command = workspace.command(&["run", "--quiet", "--set", "baseline=null", "--set", &set]);
    command.env("GITHUB_ACTIONS", "true").env("RUNNER_TEMP", workspace.path("temp"));
    command.env("GITHUB_OUTPUT", workspace.write("output", ""));
    assert_eq!(workspace.finish(command).code(), 1);
    let kept = names(&workspace.path("temp"));
    let [kept] = kept.iter().collect::<Vec<_>>()[..] else { panic!("{kept:?}") };
    let outputs = fs::read_to_string(workspace.path("output")).expect("outputs");
    assert!(outputs.contains(&workspace.path("temp").join(kept).display().to_string()), "{outputs}");
}

#[test]
fn a_folder_for_reports_that_cannot_be_made_is_told_before_the_run_with_a_remedy() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("file", "");
    symlink("nowhere", workspace.path("dangling")).expect("a link");
    for (place, cause) in [
        ("file", "File exists"),
        ("file/below", "Not a directory"),
        ("dangling", "File exists"),
        ("/proc/reports", "No such file or directory"),
    ] {
        let finished = run(&workspace, &["--output-dir", place]);
        assert_eq!(finished.code(), 1, "{place}: {}", finished.stderr);
        let said = format!("cannot create `{}`: {cause}", workspace.path(place).display());
        assert!(finished.stderr.contains(&said), "{place}: {}", finished.stderr);
        assert!(finished.stderr.contains("`--output-dir`"), "{place}: {}", finished.stderr);
    }
    let odd = "a folder\u{1b}[2J with ## [odd] 'names' ☃";
    let finished = run(&workspace, &["--output-dir", odd]);
    assert!(finished.ended_with(0), "{}", finished.stderr);
    assert!(workspace.path(odd).join("latest/result.json").is_file());
    assert!(
        !finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_with_its_cause() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    let limited = |arguments: &str| {
        let mut shell = workspace.program("sh");
        // Blocks of 512 or 1,024 bytes.
        shell.args(["-c", &format!("ulimit -f 8; exec \"$0\" {arguments}"), BINARY]);
        // What it prints is a file too.
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.output().expect("a shell")
    };
    for arguments in ["report run.json --format html -o x.html", "run --quiet"] {
        let output = limited(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(said.contains("File too large"), "{arguments}: {said}");
    }
    assert!(!workspace.path("x.html").exists());
    assert!(names(&workspace.path("")).iter().all(|name| !name.starts_with(".loadgate-")));
}

#[test]
fn too_few_descriptors_are_an_error_with_their_cause() {
    let workspace = Workspace::with_config(CONFIG);
    for most in [6, 9, 18, 24, 64] {
        let mut shell = workspace.program("sh");
        shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" run --quiet"), BINARY]);
        let finished = workspace.finish(shell);
        let said = format!("{}\n{}", finished.stdout, finished.stderr);
        assert!(!said.contains("panicked"), "{most}: {said}");
        if most < 24 {
            assert_eq!(finished.code(), 1, "{most}: {said}");
            let cause = format!("error: this process may have only {most} files open");
            assert!(said.contains(&cause) && said.contains("ulimit -n"), "{most}: {said}");
        } else {
            // The users find no files left for their connections, and that is said.
            assert!(finished.ended_with(0) || said.contains("file descriptors"), "{most}: {said}");
        }
    }
}

#[test]
fn a_full_disk_behind_a_report_is_an_error_and_leaves_the_old_one() {
    let workspace = Workspace::with_config(CONFIG);
    workspace.write("run.json", &at(1).to_string());
    let mut command = workspace.command(&["report", "run.json", "--format", "csv", "-o", "/dev/full"]);
    let output = command.stdin(Stdio::null()).output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("error: cannot write to `/dev/full`: No space left"), "{said}");
    let full = File::open("/dev/full").expect("it is no file that could be replaced");
    assert!(!full.metadata().expect("a device").is_file());
}
