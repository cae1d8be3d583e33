//! A job that is cancelled: the runner signals the first process of the action's step alone. The step is the one of
//! action.yml, started as a runner does, with the real scripts and the real binary.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::init::Server;
use crate::sandbox::{BINARY, Sandbox, alone, outputs, root};
use crate::yaml::{at, read};

/// How long a step may take to get going.
const START: Duration = Duration::from_secs(30);
/// Three times what is promised, and far less than the run would take.
const END: Duration = Duration::from_secs(15);

/// A service that answers; one that does not care to be asked to end.
const POLITE: &str = "exec \"$0\" demo-api --listen \"$1\"";
const STUBBORN: &str = "trap '' TERM INT; \"$0\" demo-api --listen \"$1\" & while :; do wait; done";

/// The step under way.
struct Step {
    sandbox: Sandbox,
    process: Child,
}

impl Step {
    /// As a runner starts it.
    fn start(service: &str, other: &Server) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("config.yaml", &config(service, other));
        let script = sandbox.write("step.sh", &run_line());
        let output = sandbox.path("output");
        let variables = [
            ("GITHUB_ACTION_PATH", root().to_str().expect("text")),
            ("GITHUB_OUTPUT", output.to_str().expect("text")),
            ("GITHUB_ACTIONS", "true"),
            ("LOADGATE_BINARY", BINARY),
            ("LOADGATE_COMMENT", "never"),
        ];
        let stream = |name: &str| File::create(sandbox.path(name)).expect("a file");
        let mut bash: Command = sandbox.command("bash", &variables);
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
        bash.stdin(Stdio::null()).stdout(stream("stdout")).stderr(stream("stderr"));
        let process = bash.spawn().expect("bash");
        Self { sandbox, process }
    }

    /// Its exit status; none where it goes on.
    fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        poll(END, || {
            code = self.process.try_wait().expect("a child").and_then(|status| status.code());
            code.is_some()
        });
        code
    }

    fn said(&self) -> String {
        self.sandbox.read("stdout") + &self.sandbox.read("stderr")
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts one service, and loads another, which sees when the load begins.
fn config(service: &str, other: &Server) -> String {
    let service = service.replace('\'', "''");
    let target = format!("command: [bash, -c, '{service}', '{BINARY}', '{{{{ address }}}}']");
    let users = format!("visitor: {{wait: 10ms, steps: [{{get: '{}/'}}]}}", other.url);
    format!(
        "version: 1\n\
         environments: {{ci: {{target: {{{target}, ready: /health}}, load: {{users: 1, run_time: 60s}}}}}}\n\
         scenarios: {{main: {{users: {{{users}}}}}}}\n"
    )
}

/// What the action's second step gives to bash.
fn run_line() -> String {
    let action = read("action.yml");
    let mut steps = at(&action, &["runs", "steps"]).items().iter();
    let step = steps.find(|step| step.get("id").and_then(|id| id.scalar()) == Some("run")).expect("the step");
    at(step, &["run"]).scalar().expect("a line").to_owned()
}

/// Whether it comes true in time.
fn poll(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > time {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn a_signal_to_the_step_alone_reaches_loadgate_which_leaves_a_partial_result() {
    for service in [POLITE, STUBBORN] {
        let _alone = alone();
        let other = Server::start("200 OK", "{}");
        let mut step = Step::start(service, &other);
        assert!(poll(START, || !other.asked().is_empty()), "{}", step.said());
        kill_process(Pid::from_child(&step.process), Signal::INT).expect("signalled");
        assert_eq!(step.ended(), Some(130), "{}", step.said());
        let told = outputs(&step.sandbox.read("output"));
        assert_eq!((told["verdict"].as_str(), told["exit-status"].as_str()), ("interrupted", "130"));
        let result = fs::read_to_string(step.sandbox.path(&told["result"]));
        let result: serde_json::Value = serde_json::from_str(&result.expect("a result")).expect("JSON");
        assert_eq!(result["interrupted"], true);
    }
}
