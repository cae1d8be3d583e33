//! The binary: parses, runs, prints the error, returns the exit status.

use std::process::ExitCode;

use clap::Parser;
use loadgate::commands::{demo_api, target_guard};

/// Puts load on a service and judges the run
#[derive(Parser)]
#[command(version)]
enum Cli {
    DemoApi(demo_api::Args),
    #[command(hide = true)]
    TargetGuard(target_guard::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse() {
        Cli::DemoApi(args) => demo_api::run(args, announce).map(|()| ExitCode::SUCCESS).map_err(Into::into),
        Cli::TargetGuard(args) => Ok(target_guard::run(&args)),
    }
}

#[expect(clippy::print_stdout, reason = "the binary is where text is printed")]
fn announce(line: &str) {
    println!("{line}");
}
