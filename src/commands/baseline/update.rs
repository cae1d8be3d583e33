//! `loadgate baseline update`: remember stored results, or new runs made for it. All results are looked at
//! before the first is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::baseline::folder::Folder;
use crate::baseline::run::Run;
use crate::cli::baseline::UpdateArgs;
use crate::commands::before::{Before, remembered};
use crate::commands::onlookers::Onlookers;
use crate::commands::plan;
use crate::commands::run::{self, Measured, Outcome, measured};
use crate::config::Config;
use crate::error::Error as CommandError;
use crate::github::context::Context as Job;
use crate::load::shutdown::Shutdown;
use crate::plan::{Plan, Selection};
use crate::report::progress::Shown;
use crate::report::sentence;
use crate::report::write::{self, note, plain};
use crate::result::file;
use crate::result::schema::RunResult;

use super::error::Error;
use super::propose::Way;
use super::refusal::{BusyMachine, Refusal};
use super::shelf::Shelf;

/// The exit status where something was not remembered.
const REFUSED: u8 = 1;

/// What was remembered, and the exit status.
struct Done {
    status: u8,
    kept: Vec<(Folder, Run)>,
    end: End,
}

/// How the runs came to an end.
enum End {
    /// As they were meant to.
    Whole,
    /// Somebody stopped them.
    Interrupted,
}

/// Remembers runs. Exit status 1 where any was refused.
pub fn update(args: &UpdateArgs) -> Result<u8, CommandError> {
    // What keeps runs from getting there is told before they are made.
    let way = Way::of(args)?;
    let Done { status, kept, end } = match args.runs {
        Some(runs) => make(args, runs)?,
        None => take(args)?,
    };
    match (way, end) {
        (Some(way), End::Whole) => way.bring(kept)?,
        (Some(_), End::Interrupted) => note("interrupted: GitHub is told nothing"),
        (None, _) => {}
    }
    Ok(status)
}

/// Remembers stored results.
fn take(args: &UpdateArgs) -> Result<Done, CommandError> {
    let config = plan::configuration(&args.plan.source, args.plan.overrides())?;
    let paths = if args.results.is_empty() { vec![latest(&config, args)?] } else { args.results.clone() };
    let mut shelves = BTreeMap::new();
    let mut taken = Vec::new();
    for path in &paths {
        match file::read(path) {
            Ok(result) => {
                let shelf = shelf(&config, busy_machine(args), &mut shelves, &result).inspect_err(|_| {
                    note(&plain(&format!("looking at `{}`:", path.display())));
                })?;
                taken.push((path, key(&result), shelf.look(&result)));
            }
            Err(error) => refuse(path, &Refusal::Unreadable(error)),
        }
    }
    let mut remembered = 0;
    for (path, key, looked) in taken {
        match (looked, shelves.get_mut(&key)) {
            (Ok(run), Some(shelf)) => {
                shelf.remember(run)?;
                remembered += 1;
            }
            (Err(refusal), _) => refuse(path, &refusal),
            (Ok(_), None) => {}
        }
    }
    shelves.values().try_for_each(Shelf::tell)?;
    let status = if remembered == paths.len() { 0 } else { REFUSED };
    Ok(Done { status, kept: shelves.into_values().flat_map(Shelf::into_kept).collect(), end: End::Whole })
}

fn busy_machine(args: &UpdateArgs) -> BusyMachine {
    if args.allow_busy_machine { BusyMachine::Allowed } else { BusyMachine::Refused }
}

/// What a baseline is of: scenario and environment.
type Key = (String, String);

fn key(result: &RunResult) -> Key {
    (result.scenario.clone(), result.environment.clone())
}

fn shelf<'s>(
    config: &Config,
    busy_machine: BusyMachine,
    shelves: &'s mut BTreeMap<Key, Shelf>,
    result: &RunResult,
) -> Result<&'s Shelf, CommandError> {
    let (scenario, environment) = (&result.scenario, &result.environment);
    match shelves.entry(key(result)) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => {
            let rules = plan::rules(config, environment, scenario)?;
            Ok(entry.insert(Shelf::open(rules, scenario, environment, busy_machine)?))
        }
    }
}

fn latest(config: &Config, args: &UpdateArgs) -> Result<PathBuf, CommandError> {
    let selection = Selection { environment: args.plan.environment.clone(), scenario: args.scenario.clone() };
    let path = plan::outline(config, &selection)?.reporting.output_dir.join("latest");
    if path.exists() { Ok(path) } else { Err(Error::NoLatest(path).into()) }
}

fn refuse(path: &Path, refusal: &Refusal) {
    note(&plain(&format!("not remembered: `{}`: {refusal}", path.display())));
}

/// Makes runs and remembers each.
fn make(args: &UpdateArgs, runs: u32) -> Result<Done, CommandError> {
    let plan = run::allowed(&args.plan, args.scenario.as_deref(), args.allow_protected)?;
    let mut shelf = Shelf::open(plan.rules.clone(), &plan.scenario, &plan.environment, busy_machine(args))?;
    write::plan_notes(&plan);
    if Job::read().git.fork {
        note(&format!("no run is made: {}", Refusal::Fork));
        return Ok(Done { status: REFUSED, kept: Vec::new(), end: End::Whole });
    }
    let shown = if args.quiet { Shown::Nothing } else { Shown::Progress };
    let runtime = run::runtime()?;
    let shutdown = run::listen(&runtime)?;
    let made = (1..=runs).try_fold(0, |status, number| {
        note(&format!("run {number} of {runs}"));
        one(runtime.block_on(anew(&plan, &shutdown, shown)), &mut shelf).map(|next| status.max(next))
    });
    let told = shelf.tell();
    let (status, end) = match made {
        Ok(status) => (status, End::Whole),
        Err(Stop::Interrupted(status)) => (status, End::Interrupted),
        Err(Stop::Failed(error)) => return Err(error),
    };
    told?;
    Ok(Done { status, kept: shelf.into_kept().collect(), end })
}

/// One more run, beside what is remembered by now.
async fn anew(plan: &Arc<Plan>, shutdown: &Shutdown, shown: Shown) -> Result<Outcome, CommandError> {
    let baseline = remembered(&plan.rules, &plan.scenario, &plan.environment)?;
    let mut onlookers = Onlookers::only(shown);
    measured(plan, Before { baseline, confirms: None }, shutdown, &mut onlookers).await
}

/// Why no further run is made.
enum Stop {
    Interrupted(u8),
    Failed(CommandError),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

/// Remembers what came of a run.
fn one(outcome: Result<Outcome, CommandError>, shelf: &mut Shelf) -> Result<u8, Stop> {
    let Measured { result, folder, written, .. } = match outcome? {
        Outcome::Measured(measured) => measured,
        Outcome::Interrupted(exit_status) => return Err(Stop::Interrupted(exit_status)),
    };
    written?;
    let folder = folder.path();
    note(&plain(&format!("{} {}", sentence::headline(&result).word, folder.display())));
    match shelf.look(&result) {
        Ok(run) => {
            shelf.remember(run)?;
            return Ok(0);
        }
        Err(refusal) => refuse(folder, &refusal),
    }
    let exit_status = result.verdict.as_ref().map_or(REFUSED, |verdict| verdict.exit_status);
    if result.interrupted { Err(Stop::Interrupted(exit_status)) } else { Ok(REFUSED) }
}
