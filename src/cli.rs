//! What can be typed: the commands and their flags. Doc comments here are the help.

pub mod baseline;
pub mod init;
pub mod publish;
pub mod selftest;
mod set;
pub mod variables;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::commands::{demo_api, target_guard};
use crate::report::live::address::Place;

/// Performance checks in CI: puts load on a service, judges the run, fails the job when it must.
#[derive(Debug, Parser)]
#[command(name = "loadgate", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What was typed, and what the variables say that stand for flags. A variable that is set to nothing is as good
    /// as unset: a workflow sets `LOADGATE_USERS: ${{ inputs.users }}` to nothing where the input is not given.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = heeding(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        let matches = matches.map_err(|error| not_text(&mut command, error))?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// A command that heeds no variable which is set to nothing.
fn heeding(command: clap::Command) -> clap::Command {
    let empty = |name: &std::ffi::OsStr| variables::is_empty(name);
    let command = command.mut_args(|argument| match argument.get_env() {
        Some(name) if empty(name) => argument.env(clap::builder::Resettable::Reset),
        _ => argument,
    });
    command.mut_subcommands(heeding)
}

/// What is said of a value that is not UTF-8: which variable it is of, where it is of one. Its value is not shown.
fn not_text(command: &mut clap::Command, error: clap::Error) -> clap::Error {
    let variables = variables::not_text("LOADGATE_");
    if error.kind() != ErrorKind::InvalidUtf8 || variables.is_empty() {
        return error;
    }
    let message = format!("the environment variable `{}` is not UTF-8", variables.join("`, `"));
    command.error(ErrorKind::InvalidUtf8, message)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small config.yaml and the workflow that runs it on pull requests
    Init(init::InitArgs),
    /// Run a scenario, judge it, write the reports
    Run(RunArgs),
    /// Validate the configuration and print the plan; `--trace` runs one user once
    Check(CheckArgs),
    /// Decide again about a stored result, by today's thresholds and baseline
    Judge(JudgeArgs),
    /// Render a stored result again, in any format
    Report(ReportArgs),
    /// Tell GitHub about a stored result: summary, annotations, outputs, comment
    Publish(publish::PublishArgs),
    /// Remember runs, accept a deliberate change, list what is remembered
    Baseline(baseline::BaselineArgs),
    /// Try the gate: simulated, or on this machine with the demo service
    Selftest(selftest::SelftestArgs),
    /// Serve the demo API that the examples put load on
    DemoApi(demo_api::Args),
    /// Print the Grafana dashboard for the live metrics
    Grafana(ConfigArgs),
    /// Print the JSON Schema of config.yaml
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Hold a target command and end it with loadgate
    #[command(hide = true)]
    TargetGuard(target_guard::Args),
}

/// Which configuration, and what is different in it.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration; without it, config.yaml here
    #[arg(long, env = "LOADGATE_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use the built-in configuration with the demo service
    #[arg(long, conflicts_with = "config")]
    pub demo: bool,
    /// Set any key, such as `thresholds.p95=1s`; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Which plan, and what is different this time. Flags beat variables, variables beat the file.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Which configuration
    #[command(flatten)]
    pub source: ConfigArgs,
    /// The environment; without it, the default of the configuration
    #[arg(short, long, visible_alias = "env", env = "LOADGATE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// Put load on this URL instead of the configured target
    #[arg(long, env = "LOADGATE_HOST", value_name = "URL")]
    pub host: Option<String>,
    /// So many virtual users
    #[arg(long, env = "LOADGATE_USERS", value_name = "N")]
    pub users: Option<String>,
    /// Start them at this rate, such as `10/s`
    #[arg(long, env = "LOADGATE_SPAWN_RATE", value_name = "RATE")]
    pub spawn_rate: Option<String>,
    /// Run so long, such as `5m`
    #[arg(long, env = "LOADGATE_RUN_TIME", value_name = "DURATION")]
    pub run_time: Option<String>,
    /// Start iterations at this rate, whether or not earlier ones have ended
    #[arg(long, env = "LOADGATE_ARRIVALS", value_name = "RATE")]
    pub arrivals: Option<String>,
    /// Reproduce the plan of this seed
    #[arg(long, env = "LOADGATE_SEED", value_name = "N")]
    pub seed: Option<String>,
    /// Write run folders here
    #[arg(long, env = "LOADGATE_OUTPUT_DIR", value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub output_dir: Option<PathBuf>,
    /// Write these reports, such as `json,html`
    #[arg(long, env = "LOADGATE_FORMATS", value_name = "LIST")]
    pub formats: Option<String>,
}

/// Flags of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The scenario; without it, the default of the configuration
    #[arg(env = "LOADGATE_SCENARIO")]
    pub scenario: Option<String>,
    /// Which plan
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Serve the page of the report during the run, at 127.0.0.1:8089 or this address
    #[arg(long, env = "LOADGATE_LIVE", value_name = "ADDR", num_args = 0..=1, default_missing_value = "true", default_value = "false", hide_default_value = true)]
    pub live: Place,
    /// No progress, only the summary
    #[arg(short, long, env = "LOADGATE_QUIET", value_parser = variables::switch)]
    pub quiet: bool,
    /// Start even where the environment is protected
    #[arg(long, env = "LOADGATE_ALLOW_PROTECTED", value_parser = variables::switch)]
    pub allow_protected: bool,
    /// Look again, on another machine, at what this result flagged
    #[arg(long, env = "LOADGATE_CONFIRM", value_name = "RESULT", value_hint = ValueHint::AnyPath)]
    pub confirm: Option<PathBuf>,
    /// How it is told to GitHub
    #[command(flatten)]
    pub publication: publish::PublicationArgs,
}

/// Flags of `judge`.
#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// The folder of a run, or its result.json
    #[arg(value_hint = ValueHint::AnyPath)]
    pub result: PathBuf,
    /// Which configuration
    #[command(flatten)]
    pub source: ConfigArgs,
    /// How the verdict is told: as the report of the run, or as JSON
    #[arg(long, value_enum, default_value_t = VerdictFormat::Terminal, value_name = "FORMAT")]
    pub format: VerdictFormat,
}

/// How a verdict is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum VerdictFormat {
    /// The report of the run.
    Terminal,
    /// The verdict as it stands in result.json.
    Json,
}

/// Flags of `report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The folder of a run, or its result.json
    #[arg(value_hint = ValueHint::AnyPath)]
    pub result: PathBuf,
    /// Which report
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal, value_name = "FORMAT")]
    pub format: ReportFormat,
    /// Write it to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// How a stored result is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// What a run prints.
    Terminal,
    /// One page for a browser.
    Html,
    /// For a job summary.
    Markdown,
    /// A row an endpoint.
    Csv,
    /// A row a second and endpoint.
    SeriesCsv,
    /// Test results.
    Junit,
    /// The result itself.
    Json,
}

/// Flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The scenario; without it, the default of the configuration
    #[arg(env = "LOADGATE_SCENARIO")]
    pub scenario: Option<String>,
    /// Which plan
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Run one user of every class through every task once, and show each request
    #[arg(long)]
    pub trace: bool,
    /// Start even where the environment is protected
    #[arg(long, env = "LOADGATE_ALLOW_PROTECTED", value_parser = variables::switch)]
    pub allow_protected: bool,
}
