//! A baseline that runs are added to: appended first, then what is too many is removed, and both are told.

use crate::baseline::folder::{Folder, Moved, Novelty};
use crate::baseline::run::Run;
use crate::baseline::{Baseline, document};
use crate::commands::before::foreign;
use crate::error::Error as CommandError;
use crate::gate::regression::past::{Past, Standing};
use crate::plan::rules::Rules;
use crate::report::comparison::few_sessions;
use crate::report::number;
use crate::report::write::{OutputError, data, note, plain};
use crate::result::schema::RunResult;

use super::error::Error;
use super::refusal::{BusyMachine, Refusal, refusal};

/// The baseline of a scenario in an environment, and the rules of its runs.
pub struct Shelf {
    rules: Rules,
    keep_runs: usize,
    busy_machine: BusyMachine,
    folder: Folder,
    baseline: Baseline,
    /// The class of the newest run that was put here.
    cpu_class: Option<String>,
    /// What was put here, whether or not it was there before.
    kept: Vec<Run>,
}

impl Shelf {
    /// Reads what is remembered.
    pub fn open(
        rules: Rules,
        scenario: &str,
        environment: &str,
        busy_machine: BusyMachine,
    ) -> Result<Self, CommandError> {
        let how = rules.baseline.as_ref().ok_or(Error::NotConfigured)?;
        let (folder, keep_runs) = (Folder::of(&how.dir, scenario, environment), how.keep_runs);
        let baseline = folder.load()?;
        foreign(&folder, &baseline);
        Ok(Self { rules, keep_runs, busy_machine, folder, baseline, cpu_class: None, kept: Vec::new() })
    }

    /// The run to remember of a result, or why it is not remembered. A run that already is stays.
    pub fn look(&self, result: &RunResult) -> Result<Run, Refusal> {
        let known = self.baseline.runs.values().find(|run| run.is_of(result)).cloned();
        let refusal = || refusal(&self.rules, result, &self.baseline, self.busy_machine);
        match known.map_or_else(refusal, |_| None) {
            Some(refusal) => Err(refusal),
            None => Ok(Run::of(result, self.baseline.epoch())),
        }
    }

    /// Says so where a run is older than the change it is said to have seen.
    fn remark(&self, run: &Run) {
        let accepted = self.baseline.epoch().and_then(|epoch| epoch.split('-').nth(1));
        let older =
            document::stamp_of(&run.time).zip(accepted).is_some_and(|(run, accepted)| *run < *accepted);
        let others = self.baseline.runs.values();
        let (same, other): (Vec<_>, Vec<_>) = others.partition(|it| it.plan_digest == run.plan_digest);
        if same.is_empty() && !other.is_empty() {
            let count = other.len();
            note(&format!(
                "note: it is of another plan than the {count} runs before it, which are no longer compared"
            ));
        }
        if older {
            note("note: it was made before the newest change was accepted, and counts as a run with it");
        }
    }

    /// Remembers a run.
    pub fn remember(&mut self, run: Run) -> Result<(), CommandError> {
        // Others may have added and removed runs since the folder was read.
        let _lock = self.folder.lock()?;
        self.baseline = self.folder.load()?;
        // What an earlier version left elsewhere comes first: beside a run of this one it would not be read any more.
        let moved = self.folder.move_on(&mut self.baseline, &run.plan_digest)?;
        let appended = self.folder.append(&run)?;
        let path = plain(&appended.path.display().to_string());
        self.cpu_class = Some(run.cpu_class.clone());
        self.kept.push(run.clone());
        match appended.novelty {
            Novelty::Known => data(&format!("remembered already: {path}\n"))?,
            Novelty::New => {
                data(&format!("remembered: {path}\n"))?;
                self.remark(&run);
            }
        }
        if let Some(moved) = moved {
            self.tell_moved(&moved)?;
        }
        if appended.novelty == Novelty::Known {
            return Ok(());
        }
        let name = appended.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.baseline.runs.insert(name.clone(), run);
        for gone in self.folder.prune(&self.baseline, self.keep_runs)? {
            self.baseline.runs.remove(&gone);
            let why = if gone == name { "older than all that are kept" } else { "too many" };
            data(&format!("removed: {gone}, {why} (`keep_runs: {}`)\n", self.keep_runs))?;
        }
        Ok(())
    }

    /// Tells what an earlier version had left elsewhere.
    fn tell_moved(&self, moved: &Moved) -> Result<(), OutputError> {
        let (from, to) = (moved.from.display(), self.folder.path().display());
        let rest = if moved.shared {
            "; the old folder stays, for it has runs that may be of another baseline"
        } else {
            ""
        };
        let files = number::counted(moved.files as u64, "file");
        data(&(plain(&format!("moved on: {files} from `{from}` to `{to}`{rest}")) + "\n"))
    }

    /// The runs that were put here, with their folder.
    pub fn into_kept(self) -> impl Iterator<Item = (Folder, Run)> {
        self.kept.into_iter().map(move |run| (self.folder.clone(), run))
    }

    /// Says so where the runs are of fewer sessions than it takes.
    fn tell_sessions(&self) {
        let Some(newest) = self.kept.last() else { return };
        let past = Past::of(&self.baseline, &newest.plan_digest, &newest.cpu_class);
        let Standing { here, needed, sessions } = past.standing_of_plan();
        if let Some(told) = few_sessions(here, needed, sessions) {
            note(&format!("note: {told}"));
        }
    }

    /// Tells how many runs there are now.
    pub fn tell(&self) -> Result<(), OutputError> {
        let Some(class) = &self.cpu_class else { return Ok(()) };
        let of_class = || self.baseline.runs.values().filter(|run| &run.cpu_class == class);
        let current = of_class().filter(|run| run.epoch.as_deref() == self.baseline.epoch()).count();
        let before = of_class().count() - current;
        let earlier = if before > 0 {
            format!(", and {before} from before the last accepted change")
        } else {
            String::new()
        };
        let runs = if current == 1 { "run" } else { "runs" };
        let told = format!("{}: {current} {runs} of the CPU class {class}{earlier}", self.folder.name());
        data(&(plain(&told) + "\n"))?;
        self.tell_sessions();
        Ok(())
    }
}
