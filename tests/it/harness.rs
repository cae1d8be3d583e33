//! Runs the real binary in a folder of its own, without the environment of a workflow, and never longer
//! than a deadline.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loadgate::load::target::free_address;
use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_loadgate");

/// How long one run may take.
const DEADLINE: Duration = Duration::from_mins(4);
/// How long a service may take to start.
const START: Duration = Duration::from_secs(20);

/// How often a run that the machine has spoilt is made again: a busy minute of the machine must be over by then.
const TRIES: usize = 10;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a workflow or a terminal sets, and would change what the binary does.
const SCRUBBED_PREFIXES: [&str; 4] = ["GITHUB_", "RUNNER_", "ACTIONS_", "LOADGATE_"];
const SCRUBBED: [&str; 8] =
    ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// A folder with a configuration, to run the binary in.
pub struct Workspace {
    folder: TempDir,
}

/// What a run left behind.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    result: Option<serde_json::Value>,
}

impl Workspace {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder with this `config.yaml`.
    pub fn with_config(text: &str) -> Self {
        let workspace = Self::new();
        workspace.write("config.yaml", text);
        workspace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file written");
        path
    }

    /// The binary with a clean environment, to be changed before it is run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean_command(arguments);
        command.current_dir(self.folder.path());
        command
    }

    /// Any program with that environment.
    pub fn program(&self, name: &str) -> Command {
        let mut command = clean(name);
        command.current_dir(self.folder.path());
        command
    }

    /// Runs the binary with these arguments to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.finish(self.command(arguments))
    }

    /// Runs a command to its end; at the deadline it is killed and the test fails with what it wrote.
    pub fn finish(&self, mut command: Command) -> Finished {
        let _alone = alone();
        let outputs = tempfile::tempdir().expect("a temporary folder");
        let stream = |name: &str| File::create(outputs.path().join(name)).expect("a file");
        command.stdin(Stdio::null()).stdout(stream("stdout")).stderr(stream("stderr"));
        let begun = Instant::now();
        let mut child = command.spawn().expect("the binary starts");
        let status = wait(&mut child, DEADLINE);
        let text = |name: &str| lossy(&outputs.path().join(name));
        let took = begun.elapsed();
        let (stdout, stderr) = (text("stdout"), text("stderr"));
        let status = status.unwrap_or_else(|| panic!("no end in time\n{stdout}\n{stderr}"));
        Finished { status, stdout, stderr, took, result: self.result() }
    }
}

impl Workspace {
    fn result(&self) -> Option<serde_json::Value> {
        let text = fs::read(self.path("reports/latest/result.json")).ok()?;
        Some(serde_json::from_slice(&text).expect("result.json is JSON"))
    }
}

impl Finished {
    /// The exit status; a death by signal fails the test.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{}\n{}", self.status, self.stderr))
    }

    /// Whether it ended with this status, or would have, had the machine not held the generator up: what such a run
    /// counted holds all the same. It is invalid for no other reason, and says besides what this status says.
    pub fn ended_with(&self, code: i32) -> bool {
        self.code() == code || self.code() == 6 && self.is_only_held_up(code)
    }

    fn is_only_held_up(&self, code: i32) -> bool {
        let result = self.result().unwrap_or_default();
        let verdict = &result["verdict"];
        let named = |list: &serde_json::Value, name: &dyn Fn(&serde_json::Value) -> String| -> Vec<String> {
            list.as_array().into_iter().flatten().map(name).collect()
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let findings = named(&verdict["findings"], &|finding| text(&finding["kind"]));
        let reasons = named(&verdict["reasons"], &text);
        // What a generator that is held up does to a run, and notes that make none invalid.
        let harmless = [
            "stood_still",
            "lost_second",
            "behind_plan",
            "generator_cpu",
            "unfinished",
            "aborted",
            "no_objective",
            "unjudged_failures",
        ];
        let broken = match code {
            3 => Some("sla"),
            4 => Some("regression"),
            _ => None,
        };
        findings.iter().any(|kind| kind == "stood_still")
            && findings.iter().all(|kind| harmless.contains(&&**kind))
            && ["sla", "regression"]
                .iter()
                .all(|reason| reasons.iter().any(|it| it == reason) == (broken == Some(*reason)))
    }

    /// The newest `result.json` below `reports/`; none when no run wrote one.
    pub fn result(&self) -> Option<serde_json::Value> {
        self.result.clone()
    }
}

/// A run that the machine did not spoil: a late generator, or one whose machine was taken away or busy with
/// something else, says nothing slow about the service, and rightly so. For tests of times alone: a verdict of
/// another kind is asked for with an error rate, which no machine excuses.
pub fn unspoilt(mut run: impl FnMut() -> Finished) -> Finished {
    let spoilt = |finished: &Finished| {
        let result = finished.result().unwrap_or_default();
        let generator = &result["generator"];
        let verdict = result["verdict"].to_string();
        let busy = ["machine_busy", "machine_slow", "machine_throttled"];
        let late = ["schedule_lag_p99_ms", "wake_lateness_p99_ms"];
        busy.iter().any(|kind| verdict.contains(kind))
            || generator["steal"].as_f64() > Some(0.05)
            || generator["stalled_share"].as_f64() > Some(0.02)
            || late.iter().any(|late| generator[*late].as_f64() > Some(5.0))
    };
    let mut finished = run();
    for _ in 0..TRIES {
        if !spoilt(&finished) {
            break;
        }
        finished = run();
    }
    finished
}

/// The demo service in a process of its own; ended when dropped.
pub struct Demo {
    child: Child,
    pub url: String,
}

impl Demo {
    /// Starts it on a free port with these flags, and waits until it takes connections.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_on(free_address().expect("a free port"), flags)
    }

    /// Likewise, on this address.
    pub fn start_on(address: SocketAddr, flags: &[&str]) -> Self {
        let mut command = clean_command(&["demo-api", "--listen", &address.to_string()]);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut demo =
            Self { child: command.spawn().expect("the binary starts"), url: format!("http://{address}") };
        poll_until(START, "the demo takes connections", || {
            assert!(demo.child.try_wait().expect("a child").is_none(), "the demo ended");
            TcpStream::connect(address).is_ok()
        });
        demo
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two loads at once on a small machine would measure each other: whoever holds this is the only one.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at a condition until it holds; at the deadline the test fails and says what it waited for.
pub fn poll_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn clean_command(arguments: &[&str]) -> Command {
    let mut command = clean(BINARY);
    command.args(arguments);
    command
}

fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        let prefixed = SCRUBBED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
        if prefixed || SCRUBBED.contains(&upper.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

/// None when it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            return Some(status);
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a captured stream")).into_owned()
}

#[test]
fn a_wrong_flag_is_a_usage_error_on_standard_error() {
    let finished = Workspace::new().run(&["--no-such-flag"]);
    assert_eq!(finished.code(), 2);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("--no-such-flag"), "{}", finished.stderr);
}

#[test]
fn a_workspace_holds_its_config_and_no_result_before_a_run() {
    let workspace = Workspace::with_config("version: 1\n");
    assert_eq!(fs::read_to_string(workspace.path("config.yaml")).unwrap(), "version: 1\n");
    assert!(workspace.run(&["--version"]).result().is_none());
}

#[test]
fn the_demo_service_answers_on_a_port_of_its_own() {
    let demo = Demo::start(&["--seed", "3"]);
    let mut stream = TcpStream::connect(demo.address()).expect("connected");
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
