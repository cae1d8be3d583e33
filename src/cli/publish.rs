//! The flags of what is told to GitHub. Doc comments here are the help.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{ConfigArgs, variables};

/// How a result is told to GitHub.
#[derive(Debug, Clone, Args)]
pub struct PublicationArgs {
    /// When to comment on the pull request, in a job of GitHub Actions
    #[arg(long, env = "LOADGATE_COMMENT", value_enum, default_value_t = CommentPolicy::Auto, value_name = "WHEN")]
    pub comment: CommentPolicy,
    /// Which comment to keep up to date; without it, that of project, scenario and environment
    #[arg(long, env = "LOADGATE_COMMENT_ID", value_name = "NAME")]
    pub comment_id: Option<String>,
    /// Keep one issue open while this fails, as a nightly run does
    #[arg(long, env = "LOADGATE_ISSUE", value_parser = variables::switch)]
    pub issue: bool,
}

/// When there is a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CommentPolicy {
    /// From the first result on that is not a plain pass.
    Auto,
    /// From the first result on.
    Always,
    /// Never.
    Never,
}

/// Flags of `publish`.
#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    /// The folder of a run, or its result.json
    #[arg(value_hint = ValueHint::AnyPath, required_unless_present = "run_id", conflicts_with = "run_id")]
    pub result: Option<PathBuf>,
    /// Comment on the pull request of a fork, from the artifact of the run that this workflow follows
    #[arg(long, env = "LOADGATE_RUN_ID", value_name = "ID")]
    pub run_id: Option<u64>,
    /// What that artifact is called
    #[arg(long, env = "LOADGATE_ARTIFACT", value_name = "NAME", default_value = "loadgate-report")]
    pub artifact: String,
    /// How it is told
    #[command(flatten)]
    pub publication: PublicationArgs,
    /// Which configuration annotations point at
    #[command(flatten)]
    pub source: ConfigArgs,
}
