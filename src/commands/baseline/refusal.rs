//! Whether a result may be remembered. What enters a baseline is what later runs are held against, so
//! everything doubtful stays outside. Decides, and says why; writes nothing.

use std::fmt::{self, Display};

use crate::baseline::Baseline;
use crate::baseline::bound;
use crate::baseline::run::Run;
use crate::gate::{judge, machine, validity};
use crate::plan::rules::Rules;
use crate::report::sentence;
use crate::result::file::FileError;
use crate::result::schema::{Mode, RunResult};
use crate::result::verdict::{Because, Status, Verdict};

/// Why a result is not remembered.
#[derive(Debug)]
pub enum Refusal {
    /// It cannot be read.
    Unreadable(FileError),
    /// It is of another kind of run.
    Mode(Mode),
    /// It is partial.
    Interrupted,
    /// Whoever sent it may not decide what is normal.
    Fork,
    /// It was made because another one looked bad: it is not a random one.
    Confirmation,
    /// Nothing was measured in the steady phase.
    NothingSteady,
    /// By today's rules it is no good run; why, and what to do about it.
    Judged(Status, String),
    /// An objective stopped it early.
    Aborted,
    /// Its times are the generator's own doing.
    Doubt(Because),
    /// Other processes used the machine meanwhile: its times are those of a busy machine.
    Busy(Because),
    /// It could not be read back.
    Absurd(String),
}

/// What becomes of a run whose machine was busy with something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusyMachine {
    /// It is not remembered: a normal that is too slow would let later versions pass that got slower.
    Refused,
    /// It is: the machine is always so.
    Allowed,
}

/// Why a result is not remembered beside these; none where it may be.
pub fn refusal(
    rules: &Rules,
    result: &RunResult,
    baseline: &Baseline,
    busy_machine: BusyMachine,
) -> Option<Refusal> {
    let p99_ms = result.totals.response_time.as_ref().map_or(0.0, |times| times.p99_ms);
    let absurd = || bound::of_run(&Run::of(result, baseline.epoch())).into_iter().next();
    match () {
        () if result.mode != Mode::Run => Some(Refusal::Mode(result.mode)),
        () if result.interrupted => Some(Refusal::Interrupted),
        () if result.git.fork => Some(Refusal::Fork),
        () if result.confirms.is_some() => Some(Refusal::Confirmation),
        () if !result.measured_steadily() => Some(Refusal::NothingSteady),
        () => judged(rules, result, baseline, busy_machine)
            .or_else(|| result.aborted.is_some().then_some(Refusal::Aborted))
            .or_else(|| validity::doubt(result, p99_ms).map(Refusal::Doubt))
            .or_else(|| absurd().map(|absurd| Refusal::Absurd(absurd.what))),
    }
}

fn judged(
    rules: &Rules,
    result: &RunResult,
    baseline: &Baseline,
    busy_machine: BusyMachine,
) -> Option<Refusal> {
    let verdict = judge(rules, result, Some(baseline));
    let status = verdict.status;
    // What waits for a second opinion would, remembered often enough, become the normal it is not.
    let by_the_machine = |because: Option<Because>| because.is_some_and(Because::is_of_the_machine);
    let worse = verdict.deltas.iter().any(|delta| {
        let allowed = busy_machine == BusyMachine::Allowed && by_the_machine(delta.because);
        delta.gated && delta.candidate && !allowed
    });
    let busy = busy(&verdict, result).filter(|_| busy_machine == BusyMachine::Refused);
    if !matches!(status, Status::Failed | Status::Invalid | Status::Interrupted) {
        match busy {
            Some(because) => return Some(Refusal::Busy(because)),
            None if !worse => return None,
            None => {}
        }
    }
    let told = RunResult { verdict: Some(verdict), ..result.clone() };
    let sentence::Headline { sentence, next, .. } = sentence::headline(&told);
    let next = next.map_or_else(String::new, |next| format!("; {next}"));
    Some(Refusal::Judged(status, format!("{sentence}{next}")))
}

/// What others did to a run: they explain one of its numbers, or made most of them longer.
fn busy(verdict: &Verdict, result: &RunResult) -> Option<Because> {
    let checks = verdict.checks.iter().filter_map(|check| check.because);
    let deltas = verdict.deltas.iter().filter_map(|delta| delta.because);
    let excused = checks.chain(deltas).find(|because| because.is_of_the_machine());
    excused.or_else(|| machine::Excuses::of(result).too_busy())
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => {
                write!(f, "{error}")?;
                std::error::Error::source(error).map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Mode(mode) => {
                let mode = if *mode == Mode::Ab { "an A/B comparison" } else { "a search for capacity" };
                write!(f, "it is {mode}, and only plain runs are compared with each other")
            }
            Self::Interrupted => f.write_str("the run was interrupted: its numbers are partial"),
            Self::Fork => f.write_str(
                "it ran on a pull request of a fork, and what is normal is decided in this repository",
            ),
            Self::Confirmation => f.write_str(
                "it is the second look at a run that was flagged, and such runs are no fair sample",
            ),
            Self::NothingSteady => f.write_str("nothing was measured in the time of constant load"),
            Self::Judged(Status::Failed, why) => write!(f, "the run failed: {why}"),
            Self::Judged(Status::Inconclusive, why) => write!(f, "the run may be worse: {why}"),
            Self::Judged(_, why) => write!(f, "the run is invalid: {why}"),
            Self::Aborted => f.write_str("an objective stopped the run early: its numbers are partial"),
            Self::Doubt(because) => {
                let doubt = sentence::doubt(*because);
                write!(f, "{}", doubt.map_or("its times cannot be trusted".to_owned(), |(what, _)| what))
            }
            Self::Busy(because) => {
                let told = sentence::doubt(*because);
                let (busy, remedy) =
                    told.unwrap_or(("the machine was busy with something else".to_owned(), "run it again"));
                write!(
                    f,
                    "{busy}; a baseline of such runs would be too slow, and let a later slowdown pass; {remedy}, or \
                     pass `--allow-busy-machine` if this machine is always like that"
                )
            }
            Self::Absurd(what) => write!(f, "it {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::recording::Recording;
    use crate::metric::{Metric, Percentile};
    use crate::plan::rules::{BaselineRules, Objective, Scope};
    use crate::result::fixture;
    use crate::result::machine::MachinePoint;
    use crate::result::schema::Confirms;
    use crate::result::summary::summarise;

    fn limit(ms: f64) -> Rules {
        let percentile = Metric::Response(Percentile::P95);
        let objective = Objective { line: None, ..fixture::objective(Scope::Total, percentile, ms) };
        Rules { objectives: vec![objective], baseline: None }
    }

    fn told(rules: &Rules, change: impl FnOnce(&mut RunResult)) -> String {
        let mut result = fixture::small();
        change(&mut result);
        refusal(rules, &result, &Baseline::default(), BusyMachine::Refused)
            .map_or(String::new(), |refusal| refusal.to_string())
    }

    #[test]
    fn only_a_good_run_is_remembered() {
        let fine = limit(1_000.0);
        assert_eq!(told(&fine, |_| ()), "");
        // Too few requests for an objective say nothing against the numbers there are.
        assert_eq!(told(&fine, |it| *it = fixture::of_requests(100)), "");
        let all = [
            told(&fine, |it| it.mode = Mode::Ab),
            told(&fine, |it| it.mode = Mode::Capacity),
            told(&fine, |it| it.interrupted = true),
            told(&fine, |it| it.git.fork = true),
            told(&fine, |it| it.confirms = Some(Confirms { started_at: String::new(), flagged: Vec::new() })),
            told(&fine, |it| *it = fixture::of_requests(0)),
            told(&limit(1.0), |_| ()),
            told(&fine, |it| it.generator.cpu_utilisation = 0.99),
            told(&fine, |it| it.target_ended = true),
            told(&fine, |it| it.generator.schedule_lag_p99_ms = Some(50.0)),
            told(&fine, |it| it.generator.steal = Some(0.2)),
            told(&fine, |it| it.started_at = "yesterday".into()),
            told(&fine, |it| it.endpoints[0].name = "x".repeat(501)),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        it is an A/B comparison, and only plain runs are compared with each other
        it is a search for capacity, and only plain runs are compared with each other
        the run was interrupted: its numbers are partial
        it ran on a pull request of a fork, and what is normal is decided in this repository
        it is the second look at a run that was flagged, and such runs are no fair sample
        nothing was measured in the time of constant load
        the run failed: 1 objective is broken: p95 of all requests is 105 ms, limit 1 ms; find out what changed, or change the limit
        the run is invalid: the generator used 99 % of its cores, above 90 %: it was the limit, not the service; use a larger runner, or less load
        the run is invalid: the target command ended while it was measured; look at its last lines, and at target.log in the folder of the run
        the generator itself was 50.0 ms late (p99, at most 10.9 ms here)
        the machine was taken away 20 % of the time (at most 5 %)
        it has no time in `time`: `yesterday`
        it has an endpoint with a name of 501 characters
        ");
    }

    #[test]
    fn what_the_machine_made_slower_is_remembered_where_that_is_asked_for() {
        let measured = |factor: f64, (others, idle): (f64, f64)| {
            let mut recording = Recording::new(1, 1, 1);
            fixture::succeed(&mut recording.endpoints[0].steady, 1_000, 10.0 * factor, 110.0 * factor);
            let plan = fixture::plan(&["GET /health"]);
            let result = summarise(&plan, &fixture::run(recording), fixture::context());
            fixture::on_machine(result, &[fixture::busy(Some(others), idle); 40])
        };
        let rules = Rules { baseline: Some(BaselineRules::default()), ..limit(1_000.0) };
        let runs = (0..5).map(|at| (format!("run-{at}"), Run::of(&measured(1.0, (0.02, 0.6)), None)));
        let baseline = Baseline { runs: runs.collect(), ..Baseline::default() };
        let refused = |result: &RunResult, machine| refusal(&rules, result, &baseline, machine);
        let slower = measured(1.8, (0.6, 0.1));
        assert!(matches!(refused(&slower, BusyMachine::Refused), Some(Refusal::Busy(_))));
        assert!(refused(&slower, BusyMachine::Allowed).is_none());
        // On a quiet machine it is the service.
        let slower = refused(&measured(1.8, (0.02, 0.6)), BusyMachine::Allowed);
        assert!(matches!(slower, Some(Refusal::Judged(Status::Failed, _))), "{slower:?}");
    }

    #[test]
    fn a_run_beside_a_busy_neighbour_is_remembered_only_where_that_is_asked_for() {
        let refused = |rules: &Rules, seconds: &[MachinePoint], busy_machine: BusyMachine| {
            let result = fixture::on_machine(fixture::small(), seconds);
            refusal(rules, &result, &Baseline::default(), busy_machine)
        };
        let [quiet, ordinary, neighbour] =
            [(0.02, 0.5), (0.09, 0.01), (0.6, 0.1)].map(|(others, idle)| fixture::busy(Some(others), idle));
        let (fine, broken) = (limit(1_000.0), limit(50.0));
        let quarter = |other: MachinePoint| [vec![quiet; 30], vec![other; 10]].concat();
        for (rules, seconds, is_refused) in [
            (&fine, vec![quiet; 40], false),
            // What runners use for themselves, beside a service that uses all there is.
            (&fine, vec![ordinary; 40], false),
            (&fine, vec![neighbour; 40], true),
            (&fine, quarter(neighbour), true),
            // A burst moves no median.
            (&fine, [vec![quiet; 38], vec![neighbour; 2]].concat(), false),
            // It explains the breach of an objective.
            (&broken, vec![neighbour; 40], true),
        ] {
            let busy = refused(rules, &seconds, BusyMachine::Refused);
            assert_eq!(matches!(busy, Some(Refusal::Busy(_))), is_refused, "{seconds:?}: {busy:?}");
            let allowed = refused(rules, &seconds, BusyMachine::Allowed);
            assert!(allowed.is_none(), "{seconds:?}: {allowed:?}");
        }
        // What nothing explains is a failure all the same.
        let failed = refused(&broken, &[quiet; 40], BusyMachine::Allowed);
        assert!(matches!(failed, Some(Refusal::Judged(Status::Failed, _))), "{failed:?}");
        insta::assert_snapshot!(refused(&fine, &[neighbour; 40], BusyMachine::Refused).unwrap(), @"the machine was busy with something else: other processes used 60 % of its CPU, and in some seconds only 10 % of it was idle; a baseline of such runs would be too slow, and let a later slowdown pass; end the other processes, or run it again on a quiet machine, or pass `--allow-busy-machine` if this machine is always like that");
    }
}
