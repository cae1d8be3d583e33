//! Flags of `selftest`.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};

/// Flags of `selftest`.
#[derive(Debug, Clone, Args)]
pub struct SelftestArgs {
    /// The scenario of the built-in configuration
    #[arg(default_value = "api_stress", value_parser = ["api_stress", "build_flow", "websocket_load"])]
    pub scenario: String,
    /// Run so often unchanged, and so often slowed down
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000))]
    pub runs: u32,
    /// Remember so many runs before
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<u32>::new().range(5..=100))]
    pub baseline_runs: u32,
    /// What is slowed down in every second run
    #[arg(long, value_name = "ENDPOINT=+DELAY", default_value = "POST /api/v1/builds=+40%")]
    pub slow: String,
    /// So many virtual users
    #[arg(long, value_name = "N")]
    pub users: Option<String>,
    /// Let each run last so long
    #[arg(long, value_name = "DURATION")]
    pub run_time: Option<String>,
    /// Write the folders of the runs here
    #[arg(long, value_name = "FOLDER", default_value = "reports/selftest", value_hint = ValueHint::DirPath)]
    pub output_dir: PathBuf,
    /// No runs: simulate the gate
    #[arg(long, conflicts_with_all = ["runs", "baseline_runs", "slow", "users", "run_time", "output_dir"])]
    pub simulate: bool,
    /// Simulate so many baselines a line
    #[arg(long, value_name = "N", default_value_t = 2_000, requires = "simulate", value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000_000))]
    pub repetitions: u32,
    /// Start of every random draw of the simulation
    #[arg(long, value_name = "N", default_value_t = 1, requires = "simulate")]
    pub seed: u64,
}
