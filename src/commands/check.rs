//! `loadgate check`: is the configuration right, and what would it do? With `--trace`, what it really
//! sends and gets.

use crate::cli::CheckArgs;
use crate::commands::{run, target};
use crate::error::Error;
use crate::load::measure::recorder::Iteration;
use crate::load::{Event, Traced, tls, trace};
use crate::plan::Plan;
use crate::report::number::milliseconds;
use crate::report::write;
use crate::result::file::{RunFolder, RunName};

/// Prints the resolved plan; with `--trace`, one user of every class through every task. Exit status 3
/// where a traced request failed.
pub fn run(args: &CheckArgs) -> Result<u8, Error> {
    if !args.trace {
        let plan = super::plan::load(&args.plan)?;
        write::inactive(&plan.inactive);
        write::data(&crate::plan::describe(&plan));
        return Ok(0);
    }
    let plan = run::allowed(&args.plan, args.allow_protected)?;
    let name =
        RunName { scenario: &plan.scenario, environment: &plan.environment, at: crate::clock::now_utc() };
    let folder = RunFolder::open(&plan.reporting.output_dir, name)?;
    tls::install_provider();
    let runtime = run::runtime()?;
    let reached = runtime.block_on(target::reach(&plan.target, folder.path()))?;
    let events = trace(&plan, &reached.url);
    runtime.block_on(reached.stop())?;
    let events = events?;
    write::data(&render(&plan, &events));
    Ok(if events.iter().any(failed) { 3 } else { 0 })
}

fn failed(event: &Event) -> bool {
    matches!(event, Event::Failure(_) | Event::Ended(Iteration::Failed))
}

fn render(plan: &Plan, events: &[Event]) -> String {
    events.iter().map(|event| line(plan, event)).collect()
}

fn line(plan: &Plan, event: &Event) -> String {
    match event {
        Event::Task(task) => {
            let task = &plan.tasks[task.0];
            format!("{} · {}\n", task.class, task.name)
        }
        Event::Exchange(exchange) => exchange_lines(exchange),
        Event::Failure(failure) => {
            format!("  ✗ {}: {}\n", failure.kind.name(), write::plain(&failure.message))
        }
        Event::Ended(Iteration::Skipped) => "  – skipped: its first condition does not hold\n".into(),
        Event::Ended(Iteration::Done | Iteration::Failed) => String::new(),
    }
}

fn exchange_lines(exchange: &Traced) -> String {
    let mark = if exchange.failure.is_some() { '✗' } else { '✓' };
    let status = exchange.status.map_or("no response".into(), |status| status.to_string());
    let time = milliseconds(exchange.time.as_secs_f64() * 1e3);
    let mut text = format!("  {mark} {} → {status} in {time}\n", write::plain(&exchange.line));
    for (arrow, body) in [("→", &exchange.sent), ("←", &exchange.received)] {
        if !body.is_empty() {
            text.push_str(&format!("      {arrow} {}\n", write::plain(body)));
        }
    }
    if let Some(failure) = &exchange.failure {
        text.push_str(&format!("      {}: {}\n", failure.kind.name(), write::plain(&failure.message)));
    }
    text
}
