//! `loadgate target-guard -- ARGV…`: the processes between loadgate and a target command, which see to it
//! that the command never outlives loadgate. loadgate starts them; nobody else should.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::variables;
use crate::load::target::{self, Stage};

/// The exit status of a shell for a command that cannot be started.
const CANNOT_START: u8 = 127;

/// Run a command that ends when standard input closes
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What this process does: overseer, guard or launcher
    #[arg(long, value_parser = stage, default_value = Stage::FIRST.name())]
    stage: Stage,
    /// How many files the program may have open
    #[arg(long)]
    open_files: Option<u64>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    argv: Vec<OsString>,
}

/// Guards the command and ends with its exit status.
pub fn run(args: &Args) -> ExitCode {
    // A failure to start is told over the socket; nobody reads the standard error of a guard.
    let ended = target::guard(args.stage, args.open_files, &args.argv, &variables::all());
    ended.map_or(ExitCode::from(CANNOT_START), |ended| ExitCode::from(ended.code()))
}

fn stage(name: &str) -> Result<Stage, String> {
    Stage::of_name(name).ok_or_else(|| "valid: overseer, guard, launcher".to_owned())
}
