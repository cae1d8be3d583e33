//! What will happen, complete and validated. Data only: it sends nothing and reads nothing.

pub mod connection;
pub mod credentials;
mod describe;
pub mod load;
pub mod proxy;
pub mod redact;
mod resolve;
pub mod rules;
pub mod secrets;
pub mod step;
pub mod user;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::template::{NameTable, Slot, Template};
use connection::{Http, Tls};
pub use describe::describe;
use load::{Load, Model};
use proxy::Proxies;
pub use resolve::{Selection, dashboard_uid, sha256};
use rules::Rules;
use secrets::Secrets;
use user::{DataSet, Task, UserClass, Wait};

/// Everything one run needs to know.
#[derive(Debug)]
pub struct Plan {
    /// The project's name.
    pub name: String,
    /// The scenario that runs.
    pub scenario: String,
    /// The environment it runs in.
    pub environment: String,
    /// Whether the environment must be allowed by hand.
    pub protection: Protection,
    /// What is measured.
    pub target: Target,
    /// How much load, when.
    pub load: Load,
    /// The virtual users.
    pub classes: Vec<UserClass>,
    /// Every task of every class; [`user::TaskId`] indexes it.
    pub tasks: Vec<Task>,
    /// Every endpoint of this scenario; [`step::EndpointId`] indexes it.
    pub endpoints: Vec<Endpoint>,
    /// Every custom metric of this scenario; [`step::MetricId`] indexes it.
    pub metrics: Vec<String>,
    /// The data that templates draw from.
    pub data: Vec<DataSet>,
    /// Every name that templates can see.
    pub names: Arc<NameTable>,
    /// The names the engine itself sets.
    pub builtin: user::BuiltinSlots,
    /// Whether templates outside a request's own step look at `response`.
    pub keeps_response: bool,
    /// Whether any template or expression looks at `message`.
    pub keeps_message: bool,
    /// Limits of one request.
    pub limits: Limits,
    /// The value of `authorization` for the target, from the user and the password of its URL.
    pub authorization: Option<String>,
    /// How HTTP is spoken.
    pub http: Http,
    /// Which requests go through a proxy.
    pub proxies: Arc<Proxies>,
    /// Whose certificates are believed.
    pub tls: Tls,
    /// What every random choice derives from.
    pub seed: u64,
    /// Who chose the seed: only a chosen one repeats the identifiers of `uuid()`.
    pub seed_origin: SeedOrigin,
    /// SHA-256 of what shapes the numbers, in hexadecimal.
    pub digest: String,
    /// What the run is judged by.
    pub rules: Rules,
    /// What is written where.
    pub reporting: Reporting,
    /// What must appear nowhere.
    pub secrets: Arc<Secrets>,
    /// What is valid, and probably not meant: said before the run, in whole sentences without a full stop.
    pub notes: Vec<String>,
    /// Configured, understood, and not done by this version.
    pub inactive: Vec<String>,
}

impl Plan {
    /// Whether the service sets the pace: a closed model in which no user ever waits.
    pub fn saturates(&self) -> bool {
        let never = |wait: &Wait| matches!(wait, Wait::Constant(pause) if pause.is_zero());
        let hurried = |class: &UserClass| never(&class.wait);
        matches!(self.load.model, Model::Closed)
            && self.classes.iter().all(hurried)
            && !self.tasks.iter().any(|task| step::waits(&task.steps))
    }
}

/// The seed of a plan that names none: always the same, so that runs repeat.
pub const DEFAULT_SEED: u64 = 42;

/// Where the seed of a plan comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedOrigin {
    /// Nothing is said of it: it is [`DEFAULT_SEED`].
    Default,
    /// A flag, a variable or the configuration names it.
    Chosen,
}

/// Whether an environment refuses to start unless it is allowed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Anyone may start.
    Open,
    /// Only with `--allow-protected`.
    Protected,
}

/// What load is put on.
#[derive(Debug)]
pub enum Target {
    /// A service that is already there: scheme, host, port, and a path that is put before every path; or
    /// `unix:/path` of a socket.
    Host(url::Url),
    /// A command that loadgate starts, waits for, watches and stops.
    Command(Box<TargetCommand>),
}

/// How to start a service. Its templates know `address` (`127.0.0.1:PORT`) and `port`.
#[derive(Debug)]
pub struct TargetCommand {
    /// The command; a first argument of `loadgate` is this very binary.
    pub arguments: Vec<Template>,
    /// What the templates of `arguments` are.
    pub form: CommandForm,
    /// Environment variables that it gets beside those of loadgate, by name.
    pub variables: Vec<(String, Template)>,
    /// What all those templates can see, `env(…)` included.
    pub names: Arc<NameTable>,
    /// Where `address` goes.
    pub address: Slot,
    /// Where `port` goes.
    pub port: Slot,
    /// The folder it runs in: that of the configuration.
    pub folder: PathBuf,
    /// The path that answers 2xx when the service is ready.
    pub ready: String,
    /// How long to wait for that.
    pub ready_timeout: Duration,
}

/// How a command is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandForm {
    /// One template an argument.
    Arguments,
    /// A single template: rendered, then split as a POSIX shell would, without a shell.
    Line,
}

/// What a sample is counted under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `METHOD /path` or `WS /path`.
    pub name: String,
    /// What it speaks.
    pub kind: EndpointKind,
}

/// The two kinds of endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// Requests.
    Http,
    /// WebSocket connects.
    WebSocket,
}

/// Limits of one request, and of all that a run holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// From the send to the last byte, where the step says nothing else.
    pub timeout: Duration,
    /// Bytes of a response body; more is a failure of kind protocol.
    pub max_body: u64,
    /// What the whole run may hold of what services send; more is a failure of kind memory.
    pub max_memory: Memory,
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory {
    /// So many bytes.
    Bytes(u64),
    /// A share of what this process may use, 0 to 1.
    Share(f64),
}

/// What a run may hold where nothing is said.
pub const MAX_MEMORY: Memory = Memory::Share(0.25);

/// What is written where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporting {
    /// The folder that run folders are made in.
    pub output_dir: PathBuf,
    /// The formats asked for.
    pub formats: Vec<Format>,
    /// Where live metrics are served; none where they are not.
    pub prometheus: Option<Prometheus>,
}

/// Where live metrics are served, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// The address that is listened on.
    pub listen: String,
    /// Its port; 0 is any free one.
    pub port: u16,
    /// How long they stay after the run.
    pub linger: Duration,
}

/// A report format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `report.html`.
    Html,
    /// `result.json`; always written.
    Json,
    /// `endpoints.csv` and `series.csv`.
    Csv,
    /// `summary.md`.
    Markdown,
    /// `junit.xml`.
    Junit,
}
