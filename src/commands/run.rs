//! `loadgate run`: load the configuration, resolve the plan, start the target, put load on it, judge what
//! was measured, write the reports.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::{PlanArgs, RunArgs, variables};
use crate::clock;
use crate::commands::before::{self, Before};
use crate::commands::onlookers::Onlookers;
use crate::commands::plan;
use crate::commands::publish::Publication;
use crate::commands::target::{self, Reached};
use crate::error::Error;
use crate::gate::watch::Watch;
use crate::gate::{self, judge};
use crate::github::context::{Context as Job, Place};
use crate::load::limits;
use crate::load::shutdown::Shutdown;
use crate::load::{Aim, Stop, Together, generate, tls};
use crate::plan::{Format, Plan, Protection, sha256};
use crate::report::document::Document;
use crate::report::progress::Progress;
use crate::report::write;
use crate::result::file::{LARGEST, RunFolder, RunName, rescue, to_fitting_json, to_text, unreadable};
use crate::result::schema::{Mode, RunResult, Runner};
use crate::result::summary::{Context, summarise};
use crate::runner::{Fingerprint, boot_id};

/// Runs a scenario and returns the exit status of its verdict.
pub fn run(args: &RunArgs) -> Result<u8, Error> {
    let first = args.confirm.as_deref().map(before::first_job).transpose()?;
    let plan = chosen(args, first.as_ref())?;
    write::plan_notes(&plan);
    let before = Before::of(&plan, first.as_ref())?;
    let runtime = runtime()?;
    let shutdown = listen(&runtime)?;
    let mut onlookers = Onlookers::of(args, &plan)?;
    let (outcome, target) = runtime.block_on(measuring(&plan, before, &shutdown, &mut onlookers))?;
    let exit_status = outcome.exit_status();
    let publication = Publication::of_job(&args.publication, &args.plan.source);
    let told = told(&outcome, publication.as_ref());
    runtime.block_on(stop(target));
    if let (Outcome::Measured(measured), Some(publication)) = (&outcome, &publication)
        && shutdown.now().is_none()
    {
        publication.post(&measured.result);
    }
    runtime.block_on(onlookers.leave(&shutdown));
    let after_verdict = |error| Error::AfterVerdict(Box::new(error));
    outcome.written().and(told).map(|()| exit_status).map_err(after_verdict)
}

/// Tells what came of a run to who waits for it: nothing that follows may keep it from them, for a job that is
/// cancelled has seconds.
fn told(outcome: &Outcome, publication: Option<&Publication>) -> Result<(), Error> {
    match outcome {
        Outcome::Measured(Measured { result, folder, elsewhere, .. }) => {
            let told = write::summary(result, Some(folder.path()), variables::color());
            publication.inspect(|it| it.tell(result, folder.path(), elsewhere.as_deref()));
            Ok(told?)
        }
        Outcome::Interrupted(exit_status) => {
            publication.inspect(|it| it.stopped(*exit_status));
            Ok(())
        }
    }
}

/// The plan that is asked for; of a second job, in doubt that of the first.
fn chosen(args: &RunArgs, first: Option<&RunResult>) -> Result<Arc<Plan>, Error> {
    let scenario = args.scenario.as_deref().or(first.map(|first| first.scenario.as_str()));
    let environment = args.plan.environment.clone().or(first.map(|first| first.environment.clone()));
    allowed(&PlanArgs { environment, ..args.plan.clone() }, scenario, args.allow_protected)
}

/// The plan, if its environment may be used.
pub fn allowed(args: &PlanArgs, scenario: Option<&str>, allow_protected: bool) -> Result<Arc<Plan>, Error> {
    let plan = plan::load(args, scenario)?;
    if plan.protection == Protection::Protected && !allow_protected {
        return Err(Error::Protected(plan.environment.clone()));
    }
    Ok(plan)
}

/// The runtime of everything that is not load.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    limits::raise_open_files()?;
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|source| Error::System("cannot start an event loop", source))
}

/// Listens for signals, once in a process.
pub fn listen(runtime: &tokio::runtime::Runtime) -> Result<Shutdown, Error> {
    let _inside = runtime.enter();
    Shutdown::listen().map_err(|source| Error::System("cannot listen for signals", source))
}

/// A run with its verdict.
pub struct Measured {
    /// Everything that was measured, and the verdict.
    pub result: Box<RunResult>,
    /// Where it was written.
    pub folder: RunFolder,
    /// Where the result is, if it could not be written there.
    pub elsewhere: Option<PathBuf>,
    /// The first of the wanted files that could not be written, if any.
    pub written: Result<(), Error>,
}

/// What came of one run.
pub enum Outcome {
    /// There is a verdict.
    Measured(Measured),
    /// A signal came before the load began: nothing to report.
    Interrupted(u8),
}

impl Outcome {
    /// What the process returns if this is all it did.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Measured(it) => it.result.verdict.as_ref().map_or(0, |verdict| verdict.exit_status),
            Self::Interrupted(exit_status) => *exit_status,
        }
    }

    /// The first of the wanted files that could not be written.
    fn written(self) -> Result<(), Error> {
        match self {
            Self::Measured(it) => it.written,
            Self::Interrupted(_) => Ok(()),
        }
    }
}

/// One run in a folder of its own: starts the target, puts load on it, judges, writes the result, stops the
/// target.
pub async fn measured(
    plan: &Arc<Plan>,
    before: Before,
    shutdown: &Shutdown,
    onlookers: &mut Onlookers,
) -> Result<Outcome, Error> {
    let (outcome, target) = measuring(plan, before, shutdown, onlookers).await?;
    stop(target).await;
    Ok(outcome)
}

/// Ends what was started. A target that will not go is no reason to fail.
async fn stop(target: Option<Reached>) {
    let Some(target) = target else { return };
    if let Err(error) = target.stop().await {
        write::note(&format!("warning: {error}"));
    }
}

/// The same, but the target still runs: that it will not go must not keep an interrupted job from its result.
async fn measuring(
    plan: &Arc<Plan>,
    before: Before,
    shutdown: &Shutdown,
    onlookers: &mut Onlookers,
) -> Result<(Outcome, Option<Reached>), Error> {
    let name = RunName { scenario: &plan.scenario, environment: &plan.environment, at: clock::now_utc() };
    let folder = RunFolder::open(&plan.reporting.output_dir, name)?;
    tls::install_provider();
    let reached = tokio::select! {
        biased;
        signal = shutdown.requested() => return Ok((Outcome::Interrupted(signal.exit_status()), None)),
        reached = target::reach(plan, folder.path()) => reached?,
    };
    let compared = plan.rules.baseline.is_some();
    onlookers.open(plan, context(&reached, compared), shutdown)?;
    let mut progress = Progress::begin(onlookers.shown, plan.load.shape.duration());
    let mut watch = Watch::over(plan);
    let mut observers = Together(vec![&mut progress, &mut watch]);
    observers.0.extend(onlookers.observers());
    let aim = Aim { url: reached.url.clone(), service: reached.service.clone() };
    let run = generate(plan, aim, &mut observers, stop_of(&reached, shutdown)).await;
    progress.end();
    let mut context = Context { confirms: before.confirms, ..context(&reached, compared) };
    context.warnings.append(&mut onlookers.warnings);
    let mut result = watch.complete(summarise(plan, &run?, context));
    let verdict = judge(&plan.rules, &result, before.baseline.as_ref());
    onlookers.judged(verdict.status);
    result.verdict = Some(verdict);
    let mut elsewhere = None;
    let written = documents(&folder, &plan.reporting.formats, &result, &mut elsewhere);
    onlookers.reported(&result, shutdown).await;
    let measured = Measured { result: Box::new(result), folder, elsewhere, written };
    Ok((Outcome::Measured(measured), Some(reached)))
}

/// What ends the load before its time.
async fn stop_of(reached: &Reached, shutdown: &Shutdown) -> Stop {
    tokio::select! {
        biased;
        interruption = shutdown.requested() => Stop::Interrupted(interruption),
        () = reached.died() => Stop::TargetEnded,
    }
}

/// Writes what is asked for; what cannot be made keeps nothing else from being written. The first error. `elsewhere` becomes
/// where the result is kept that cannot be written to the folder.
fn documents(
    folder: &RunFolder,
    formats: &[Format],
    result: &RunResult,
    elsewhere: &mut Option<PathBuf>,
) -> Result<(), Error> {
    let json = result_json(folder, result, elsewhere);
    let asked = Document::ALL.into_iter().filter(|it| *it != Document::Json && it.is_asked_for(formats));
    let reports: Vec<_> = asked
        .map(|document| {
            let text = document.render(result)?;
            folder.write(document.file_name(), text.as_bytes())?;
            Ok(())
        })
        .collect();
    json.and(reports.into_iter().collect())
}

/// Writes the result, and points `latest` at a folder that has one. Where it cannot be written it is kept elsewhere: a run
/// may have taken an hour.
fn result_json(folder: &RunFolder, result: &RunResult, elsewhere: &mut Option<PathBuf>) -> Result<(), Error> {
    let Some(fitting) = to_fitting_json(result, LARGEST as usize, gate::silence_of_endpoints)? else {
        // Nobody reads it again as it is, and it is all there is of the run.
        let text = to_text(result)?;
        *elsewhere = keep_elsewhere(&text);
        return Err(unreadable(result, text.len())?.into());
    };
    if let Some(warning) = &fitting.warning {
        write::note(&write::plain(&format!("warning: {warning}")));
    }
    let text = fitting.text;
    match folder.write(Document::Json.file_name(), text.as_bytes()) {
        Ok(_) => {
            if let Err(error) = folder.point_latest() {
                write::note(&write::plain(&format!("warning: {error}")));
            }
            Ok(())
        }
        Err(error) => {
            *elsewhere = keep_elsewhere(&text);
            Err(error.into())
        }
    }
}

/// In a job of Actions later steps find it in the folder that the runner empties after the job.
fn keep_elsewhere(text: &str) -> Option<PathBuf> {
    let of_runner = (Job::read().place == Place::Actions).then(variables::runner_temp).flatten();
    let kept = of_runner.and_then(|folder| rescue(&folder, text.as_bytes()).ok());
    let path = kept.or_else(|| rescue(&std::env::temp_dir(), text.as_bytes()).ok())?;
    write::note(&write::plain(&format!("the result of this run is in `{}`", path.display())));
    Some(path)
}

/// The session of a run made now: the start of this machine and the job, hashed, for neither is anybody else's
/// business.
pub fn session(job: &Job) -> Option<String> {
    const DIGITS: usize = 16;
    let (boot, job) = (boot_id(), job.job_id());
    let told = boot.is_some() || job.is_some();
    let digest = sha256(format!("{} {}", boot.unwrap_or_default(), job.unwrap_or_default()).as_bytes());
    told.then(|| digest[..DIGITS].to_owned())
}

/// `compared`: whether the run is compared with remembered ones.
fn context(reached: &Reached, compared: bool) -> Context {
    let machine = Fingerprint::read(&variables::image());
    let doubt = compared.then(|| machine.doubt()).flatten();
    let Fingerprint { cpu_model, cpus, arch, os, image, cpu_class } = machine;
    let death = reached.death();
    let job = Job::read();
    let session = session(&job);
    Context {
        tool_version: env!("CARGO_PKG_VERSION").into(),
        mode: Mode::Run,
        target: reached.display.clone(),
        git: job.git,
        runner: Runner { cpu_model, cpus, arch, os, image, cpu_class, session },
        target_ended: death.is_some(),
        warnings: job
            .warnings
            .into_iter()
            .chain(reached.warnings.clone())
            .chain(death)
            .chain(doubt)
            .collect(),
        confirms: None,
    }
}
