//! `loadgate check`: is the configuration right, and what would it do? With `--trace`, what it really
//! sends and gets.

use crate::cli::CheckArgs;
use crate::commands::{run, target};
use crate::error::Error;
use crate::load::measure::recorder::Iteration;
use crate::load::{Event, tls, trace};
use crate::report::{self, write};
use crate::result::file::{RunFolder, RunName};

/// Prints the resolved plan; with `--trace`, one user of every class through every task. Exit status 3
/// where a traced request failed, or a task did not come to its end.
pub fn run(args: &CheckArgs) -> Result<u8, Error> {
    if !args.trace {
        let plan = super::plan::load(&args.plan, args.scenario.as_deref())?;
        write::plan_notes(&plan);
        write::data(&crate::plan::describe(&plan))?;
        return Ok(0);
    }
    let plan = run::allowed(&args.plan, args.scenario.as_deref(), args.allow_protected)?;
    let name =
        RunName { scenario: &plan.scenario, environment: &plan.environment, at: crate::clock::now_utc() };
    let folder = RunFolder::open(&plan.reporting.output_dir, name)?;
    tls::install_provider();
    let runtime = run::runtime()?;
    let reached = runtime.block_on(target::reach(&plan, folder.path()))?;
    let events = trace(&plan, &reached.url);
    runtime.block_on(reached.stop())?;
    let events = events?;
    write::data(&report::trace::render(&plan, &events))?;
    Ok(if events.iter().any(failed) { 3 } else { 0 })
}

fn failed(event: &Event) -> bool {
    matches!(event, Event::Failure(_) | Event::Ended(Iteration::Failed | Iteration::Stopped))
}
