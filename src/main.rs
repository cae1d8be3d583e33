//! The binary: parses, runs, prints the error, returns the exit status.

use std::process::ExitCode;

use clap::CommandFactory;
use loadgate::cli::{Cli, Command, variables};
use loadgate::commands::{
    baseline, check, demo_api, grafana, init, judge, publish, report, run, selftest, target_guard,
};
use loadgate::error::Error;
use loadgate::load::limits;
use loadgate::report::write;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    limits::report_large_files();
    publish::begin();
    let command = match Cli::read() {
        Ok(cli) => cli.command,
        Err(said) => return failed(&publish::usage(&said).unwrap_or_else(|| said.exit()), None),
    };
    obey(&command).unwrap_or_else(|error| failed(&error, Some(&command)))
}

fn failed(error: &Error, command: Option<&Command>) -> ExitCode {
    write::error(variables::color(), |color| error.report(color));
    publish::failed(error);
    if let Some(Command::Run(args)) = command {
        publish::missed(args, error);
    }
    ExitCode::from(error.exit_status())
}

fn obey(command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::Init(args) => init::run(args).map(ExitCode::from),
        Command::Run(args) => run::run(args).map(ExitCode::from),
        Command::Check(args) => check::run(args).map(ExitCode::from),
        Command::Baseline(args) => baseline::run(args).map(ExitCode::from),
        Command::Judge(args) => judge::run(args).map(ExitCode::from),
        Command::Report(args) => report::run(args).map(ExitCode::from),
        Command::Publish(args) => publish::run(args).map(ExitCode::from),
        Command::Selftest(args) => selftest::run(args).map(ExitCode::from),
        Command::DemoApi(args) => {
            demo_api::run(args.clone(), write::note)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Grafana(args) => grafana::run(args).map(ExitCode::from),
        Command::Schema => {
            write::json(&format!("{:#}\n", loadgate::config::shape::json_schema()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "loadgate", &mut script);
            write::data(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::TargetGuard(args) => Ok(target_guard::run(args)),
    }
}
