//! The flags of `loadgate baseline`. Doc comments here are the help.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint, value_parser};

use super::{ConfigArgs, PlanArgs, variables};

/// `baseline` and what to do with it.
#[derive(Debug, Clone, Args)]
pub struct BaselineArgs {
    /// What to do
    #[command(subcommand)]
    pub command: BaselineCommand,
}

/// What to do with a baseline.
#[derive(Debug, Clone, Subcommand)]
pub enum BaselineCommand {
    /// Remember runs: stored results, or new runs with `--runs`
    Update(Box<UpdateArgs>),
    /// Accept a deliberate change: what it names has a new normal from now on
    Accept(AcceptArgs),
    /// Show what is remembered in plain words: numbers, spread, what change would be found
    Show(ShowArgs),
    /// List what is remembered
    List(ConfigArgs),
}

/// Flags of `baseline show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Only of this scenario
    pub scenario: Option<String>,
    /// Only of this environment
    #[arg(short, long, visible_alias = "env", value_name = "NAME")]
    pub environment: Option<String>,
    /// Which configuration
    #[command(flatten)]
    pub source: ConfigArgs,
    /// For a terminal, or as markdown for a README beside the baselines
    #[arg(long, value_enum, default_value_t = ShowFormat::Terminal, value_name = "FORMAT")]
    pub format: ShowFormat,
}

/// How baselines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ShowFormat {
    /// Tables for a terminal.
    Terminal,
    /// A page.
    Markdown,
}

/// Flags of `baseline update`.
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    /// Run folders or files `result.json`; without any, the newest run
    #[arg(value_name = "RESULT", conflicts_with = "runs", value_hint = ValueHint::AnyPath)]
    pub results: Vec<PathBuf>,
    /// Make so many runs, and remember each
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000))]
    pub runs: Option<u32>,
    /// The scenario of these runs; without it, the default of the configuration
    #[arg(long, env = "LOADGATE_SCENARIO", value_name = "NAME")]
    pub scenario: Option<String>,
    /// Which way it goes from here
    #[command(flatten)]
    pub way: WayArgs,
    /// Which plan
    #[command(flatten)]
    pub plan: PlanArgs,
    /// No progress
    #[arg(short, long, env = "LOADGATE_QUIET", value_parser = variables::switch)]
    pub quiet: bool,
    /// Start even where the environment is protected
    #[arg(long, env = "LOADGATE_ALLOW_PROTECTED", value_parser = variables::switch)]
    pub allow_protected: bool,
    /// Remember runs although other processes used the machine: for machines that are always so
    #[arg(long, env = "LOADGATE_ALLOW_BUSY_MACHINE", value_parser = variables::switch)]
    pub allow_busy_machine: bool,
}

/// The way into the repository; without any, the files stay on this machine.
#[derive(Debug, Clone, Args)]
pub struct WayArgs {
    /// Propose what is remembered in one pull request on GitHub, which later updates add to
    // Of two variables, one may say `false`: that both are wanted is found later.
    #[arg(long, env = "LOADGATE_PULL_REQUEST", value_parser = variables::switch)]
    pub pull_request: bool,
    /// Commit what is remembered to the branch of the job, through GitHub
    #[arg(long, env = "LOADGATE_COMMIT", value_parser = variables::switch)]
    pub commit: bool,
}

/// Flags of `baseline accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// What has a new normal: `p95 of POST /x`, `p95` for all endpoints, `error_rate`; repeatable
    #[arg(long = "metric", value_name = "SUBJECT", required = true)]
    pub metrics: Vec<String>,
    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The scenario; without it, the default of the configuration
    #[arg(long, env = "LOADGATE_SCENARIO", value_name = "NAME")]
    pub scenario: Option<String>,
    /// The environment; without it, the default of the configuration
    #[arg(short, long, visible_alias = "env", env = "LOADGATE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// Which configuration
    #[command(flatten)]
    pub source: ConfigArgs,
}
