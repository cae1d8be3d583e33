//! `loadgate target-guard -- ARGV…`: the process between loadgate and a target command, which sees to it
//! that the command never outlives loadgate. loadgate starts it; nobody else should.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::load::target;

/// The exit status of a shell for a command that cannot be started.
const CANNOT_START: u8 = 127;

/// Run a command that ends when standard input closes
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The program and its arguments
    #[arg(last = true, required = true)]
    argv: Vec<OsString>,
}

/// Guards the command and ends with its exit status.
pub fn run(args: &Args) -> ExitCode {
    // A failure to start is told over the socket; nobody reads the standard error of a guard.
    target::guard(&args.argv).map_or(ExitCode::from(CANNOT_START), |ended| ExitCode::from(ended.code()))
}
