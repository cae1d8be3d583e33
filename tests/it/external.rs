//! What the tests against servers that nobody here wrote share: the processes of those servers, certificates
//! for them, and short ways to ask a result.

use std::fs::File;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgate::load::target::free_address;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Finished, Workspace, poll_until};

const START: Duration = Duration::from_secs(30);

/// A server in a process of its own; ended when dropped.
pub struct Server {
    child: Child,
    pub address: String,
    errors: TempDir,
}

impl Server {
    /// Starts it and waits until it takes connections; a missing program fails the test with its name.
    pub fn start(mut command: Command, address: String) -> Self {
        let errors = tempfile::tempdir().expect("a temporary folder");
        let stderr = File::create(errors.path().join("stderr")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = command.spawn().unwrap_or_else(|error| missing(&command, &error.to_string()));
        let mut server = Self { child, address, errors };
        poll_until(START, "the server takes connections", || {
            if server.child.try_wait().expect("a child").is_some() {
                missing(&command, &server.errors());
            }
            TcpStream::connect(&server.address).is_ok()
        });
        server
    }

    /// A script in Debian's Python, where Debian's packages are, with a free port and these arguments.
    pub fn python(workspace: &Workspace, script: &str, arguments: &[&str]) -> Self {
        let address = free_address().expect("a free port");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(workspace.write("server.py", script)).arg(address.port().to_string()).args(arguments);
        Self::start(command, address.to_string())
    }

    /// What it wrote to standard error.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.errors.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn missing(command: &Command, why: &str) -> ! {
    panic!("{command:?} does not run; test.sh installs what is missing\n{why}")
}

/// Writes the certificate of a new authority and one that it signs: `ca.pem`, `cert.pem`, `key.pem`.
pub fn certify(workspace: &Workspace, certificate: &CertificateParams) {
    let mut authority = CertificateParams::new(vec![]).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Whoever has the name of its issuer is taken for one that signs itself.
    authority.distinguished_name.push(DnType::CommonName, "authority of the tests");
    let ca_key = KeyPair::generate().expect("a key");
    workspace.write("ca.pem", &authority.self_signed(&ca_key).expect("an authority").pem());
    let (issuer, key) = (Issuer::new(authority, ca_key), KeyPair::generate().expect("a key"));
    workspace.write("cert.pem", &certificate.signed_by(&key, &issuer).expect("a certificate").pem());
    workspace.write("key.pem", &key.serialize_pem());
}

/// A certificate for these names and addresses.
pub fn names(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names")
}

/// Whose certificates the binary believes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only those of the authority of the workspace.
    Ours,
    /// Those the machine believes.
    Machine,
}

/// Runs a scenario of the workspace's configuration.
pub fn run(workspace: &Workspace, scenario: &str, trust: Trust) -> Finished {
    run_with(workspace, scenario, &[], trust)
}

/// Runs a scenario of the workspace's configuration with more flags.
pub fn run_with(workspace: &Workspace, scenario: &str, flags: &[&str], trust: Trust) -> Finished {
    let mut command = workspace.command(&["run", scenario, "--quiet"]);
    command.args(flags);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    if trust == Trust::Ours {
        command.env("SSL_CERT_FILE", workspace.path("ca.pem"));
    }
    workspace.finish(command)
}

/// The result of a run that ended with this status.
pub fn result(finished: &Finished, code: i32) -> Value {
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    let said = format!("{}\n{}\n{}", finished.stdout, finished.stderr, result["failures"]);
    assert!(finished.ended_with(code), "{code}: {said}");
    result
}

/// An endpoint over the whole run.
pub fn whole<'a>(result: &'a Value, name: &str) -> &'a Value {
    named(&result["whole_run"]["endpoints"], name)
}

/// An endpoint in the steady phase.
pub fn steady<'a>(result: &'a Value, name: &str) -> &'a Value {
    named(&result["endpoints"], name)
}

/// The item of a list with this name.
pub fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let items = list.as_array().expect("a list");
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// A count; what is left out is none.
pub fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The kinds of failure of a run.
pub fn kinds(result: &Value) -> Vec<&str> {
    result["whole_run"]["failed"].as_object().expect("kinds").keys().map(String::as_str).collect()
}

/// Asserts that all of an endpoint failed, in this way.
pub fn only_fails(result: &Value, name: &str, kind: &str) {
    let endpoint = whole(result, name);
    assert_eq!(endpoint["ok"], 0, "{name}: {}", result["failures"]);
    let failed = endpoint["failed"].as_object().expect("kinds");
    assert_eq!(failed.keys().collect::<Vec<_>>(), [kind], "{name}: {}", result["failures"]);
    assert!(count(&failed[kind]) > 0, "{name}");
}

/// Asserts that an endpoint was reached and never failed.
pub fn never_fails(result: &Value, name: &str) {
    let endpoint = whole(result, name);
    assert!(count(&endpoint["ok"]) > 0, "{name}");
    assert_eq!(endpoint["failed"], serde_json::json!({}), "{name}: {}", result["failures"]);
}

/// How many connections passed through this phase.
pub fn opened(result: &Value, phase: &str) -> u64 {
    count(&result["totals"]["phases"][phase]["n"])
}

/// The messages kept of how an endpoint failed.
pub fn samples(result: &Value, endpoint: &str) -> String {
    let failures = result["failures"].as_array().expect("failures");
    failures.iter().filter(|one| one["endpoint"] == endpoint).map(|one| one["samples"].to_string()).collect()
}
