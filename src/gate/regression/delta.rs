//! From what the tests say to what is told: one delta a number.

use crate::baseline::prune::{ANCHORS, ROOM_FOR_ANCHORS};
use crate::metric::Metric;
use crate::plan::rules::Confirmation;
use crate::result::comparison::{Delta, DeltaStatus};
use crate::result::verdict::{Because, CheckUnit};
use crate::stats::quantile::median;

use super::Compared;
use super::failures::{RateChange, Tally};
use super::panel::{Evidence, Panel, Track};
use super::past::Standing;
use super::row::{Candidacy, Row};
use super::subject::{Subject, value};
use crate::gate::machine::{LATE, Made, TooMany};
use crate::gate::times::why_open;
use crate::gate::validity::{self, Excess, MOST_UNFINISHED, MadeBy};

/// What the tests say of one number.
pub struct Tested<'a> {
    /// Of the run.
    pub evidence: Evidence,
    /// The metric, fitted to the past.
    pub panel: &'a Panel,
    /// The number's place in it.
    pub place: usize,
    /// Why it may be worse than it looks, where requests without an answer leave that open.
    pub doubt: Option<Because>,
}

/// What the first job said of a number, where this is the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstJob {
    /// This is the first job.
    None,
    /// It had got worse there.
    Flagged,
    /// It had not.
    Clean,
}

/// A number with nothing said about it yet.
pub fn about(compared: &Compared, metric: Metric, subject: Subject) -> Delta {
    Delta {
        scope: subject.scope(),
        endpoint: subject.name().map(str::to_owned),
        metric: metric.name().to_owned(),
        // What is counted is compared as a share of what it could have happened to.
        unit: if metric.is_share() { CheckUnit::Ratio } else { metric.into() },
        base: None,
        head: None,
        change: None,
        low: None,
        high: None,
        budget: Some(compared.rules.budget_of(metric).0),
        catch: None,
        min_detectable: None,
        runs_missing: None,
        drift: None,
        n: 0,
        gated: compared.rules.gate_on.contains(&metric),
        candidate: false,
        confirmed: None,
        left_out: false,
        status: DeltaStatus::NotComparable,
        because: None,
    }
}

/// The delta of a time or of a throughput.
pub fn of_row(compared: &Compared, row: &Row, tested: Option<Tested>) -> Delta {
    match (&row.candidacy, tested) {
        (Candidacy::Told(status, because), _) => told(compared, row, *status, *because),
        (Candidacy::Tested, Some(tested)) => judged(compared, row, &tested),
        // Without a spread there is no test, and so no pass.
        (Candidacy::Tested, None) => {
            let Standing { here, needed, .. } = row.track.standing();
            let because = Some(Because::Building { runs: here, needed });
            Delta { status: DeltaStatus::Building, because, ..measured(compared, row) }
        }
    }
}

/// What this run measured, and how many runs it can be compared with.
fn measured(compared: &Compared, row: &Row) -> Delta {
    Delta {
        head: row.head.filter(|head| head.is_finite()),
        n: row.track.standing().here,
        ..about(compared, row.metric, row.subject)
    }
}

/// A number that was not tested.
fn told(compared: &Compared, row: &Row, status: DeltaStatus, because: Because) -> Delta {
    let plain = measured(compared, row);
    let base = row.track.centre().map(|(y, _)| value(row.metric, y));
    let change = base.zip(plain.head).map(|(base, head)| head / base - 1.0);
    let first = compared.first_job(row.metric, row.subject);
    untested(Delta { base, change, ..plain }, first, status, because)
}

/// What could not be tested is not gated, except that what the first job flagged stays open until somebody
/// could look.
fn untested(plain: Delta, first: FirstJob, status: DeltaStatus, because: Because) -> Delta {
    let status = match status {
        DeltaStatus::NotComparable if first == FirstJob::Flagged => DeltaStatus::Inconclusive,
        status => status,
    };
    let gated = plain.gated && status != DeltaStatus::NotComparable;
    Delta { gated, confirmed: confirmed(first, false), status, because: Some(because), ..plain }
}

fn judged(compared: &Compared, row: &Row, tested: &Tested) -> Delta {
    let evidence = &tested.evidence;
    let ratio = |change: f64| ratio(row.metric, change);
    // Less throughput is worse, so the bounds change places.
    let (low, high) = match row.metric {
        Metric::Throughput => (ratio(evidence.high), ratio(evidence.low)),
        _ => (ratio(evidence.low), ratio(evidence.high)),
    };
    let numbers = Delta {
        base: Some(value(row.metric, evidence.centre)),
        change: Some(ratio(evidence.change)),
        low: Some(low),
        high: Some(high),
        budget: Some(ratio(evidence.budget).abs()),
        catch: Some(ratio(evidence.catch).abs()),
        min_detectable: Some(ratio(tested.panel.min_detectable(tested.place, 0)).abs()),
        runs_missing: tested.panel.runs_missing(tested.place).filter(|missing| *missing > 0),
        drift: drift(&row.track, evidence.centre).map(ratio),
        candidate: evidence.candidate,
        ..measured(compared, row)
    };
    let first = compared.first_job(row.metric, row.subject);
    let (status, because) = match excuse(compared, row, evidence) {
        _ if !evidence.candidate => not_worse(compared, row, tested),
        None => match by_the_machine(compared, row, evidence) {
            None => worse(compared, first),
            machine => (DeltaStatus::Inconclusive, machine),
        },
        excuse => (DeltaStatus::Invalid, excuse),
    };
    Delta { confirmed: confirmed(first, evidence.candidate), status, because, ..numbers }
}

/// The delta of a share of events: an error rate, missing messages, unexpected closes.
pub fn of_share(compared: &Compared, tally: &Tally, rise: &RateChange) -> Delta {
    let (metric, subject) = (tally.metric, tally.subject);
    let plain = Delta { head: Some(rise.head), n: tally.standing.here, ..about(compared, metric, subject) };
    let base = (tally.standing.here > 0).then_some(rise.base);
    let known = Delta { base, change: base.map(|base| rise.head - base), ..plain };
    let first = compared.first_job(metric, subject);
    if let Candidacy::Told(status, because) = tally.candidacy {
        return untested(known, first, status, because);
    }
    let (status, because) = if rise.candidate {
        match late_by_the_machine(compared, tally, rise) {
            None => worse(compared, first),
            machine => (DeltaStatus::Inconclusive, machine),
        }
    } else if rise.high_with_missing < rise.catch {
        (if rise.improved { DeltaStatus::Improved } else { DeltaStatus::Pass }, None)
    } else {
        let bound = rise.high_with_missing;
        let above = Because::AboveCatch { bound, catch: rise.catch };
        let because = if rise.high < rise.catch { never_ended(tally).unwrap_or(above) } else { above };
        // All requests must be decided; of one endpoint with few, no run could ever be.
        if subject != Subject::Total && !rise.can_pass && first != FirstJob::Flagged {
            return untested(known, first, DeltaStatus::NotComparable, because);
        }
        (DeltaStatus::Inconclusive, Some(because))
    };
    Delta {
        low: Some(rise.low),
        high: Some(rise.high),
        catch: Some(rise.catch),
        min_detectable: Some(rise.min_detectable),
        candidate: rise.candidate,
        confirmed: confirmed(first, rise.candidate),
        status,
        because,
        ..known
    }
}

/// Why a number that got worse may be the machine's doing.
fn by_the_machine(compared: &Compared, row: &Row, evidence: &Evidence) -> Option<Because> {
    let ratio = if row.at_least { f64::INFINITY } else { (evidence.change - evidence.budget).exp() };
    // The series says nothing of custom metrics: any request may have made one.
    let endpoint = if let Subject::Endpoint(name) = row.subject { Some(name) } else { None };
    compared.excuses.explains(Made::in_steady().by(endpoint), row.metric, ratio)
}

/// Why a share of requests that failed is open: some did not end.
fn never_ended(tally: &Tally) -> Option<Because> {
    tally.missing.leave_open(0.0, |_| None).map(why_open)
}

/// Why failures that came too late may be the machine's doing: the others alone are within what is tolerated.
fn late_by_the_machine(compared: &Compared, tally: &Tally, rise: &RateChange) -> Option<Because> {
    let whole = &compared.result.whole_run;
    let (among, endpoint) = match tally.subject {
        Subject::Total => (&whole.failed, None),
        Subject::Endpoint(name) => {
            (&whole.endpoints.iter().find(|counts| counts.name == name)?.failed, Some(name))
        }
        Subject::Custom(_) => return None,
    };
    let late: &[&str] = match tally.metric {
        Metric::ErrorRate => &LATE,
        Metric::MissingMessages => &["missing_message"],
        _ => return None,
    };
    let head = tally.head();
    let (ended, budget) = (head.ended() as f64, compared.rules.budget_of(tally.metric).0);
    let made = Made::in_whole_run().by(endpoint);
    let failed = TooMany { count: head.failed, among, late };
    compared.excuses.explains_failures(made, failed, |others| others as f64 / ended - rise.base < budget)
}

/// A number that has got worse here: who decides?
fn worse(compared: &Compared, first: FirstJob) -> (DeltaStatus, Option<Because>) {
    match (first, compared.rules.confirmation) {
        (FirstJob::Flagged, _) | (FirstJob::None, Confirmation::Off) => (DeltaStatus::Regression, None),
        (FirstJob::Clean, _) => (DeltaStatus::Inconclusive, Some(Because::NotSeenBefore)),
        (FirstJob::None, Confirmation::Required) => (DeltaStatus::Inconclusive, Some(Because::Unconfirmed)),
    }
}

fn not_worse(compared: &Compared, row: &Row, tested: &Tested) -> (DeltaStatus, Option<Because>) {
    let evidence = &tested.evidence;
    // What was cut off after a known time is among the times.
    let unfinished = validity::unplaced(compared.result).ratio;
    if unfinished > MOST_UNFINISHED && row.metric != Metric::Throughput {
        return (DeltaStatus::Inconclusive, Some(Because::Unfinished { ratio: unfinished }));
    }
    if let Some(doubt) = tested.doubt.filter(|_| evidence.high < evidence.catch) {
        return (DeltaStatus::Inconclusive, Some(doubt));
    }
    if evidence.high < evidence.catch {
        return (if evidence.improved { DeltaStatus::Improved } else { DeltaStatus::Pass }, None);
    }
    let [bound, catch] = [evidence.high, evidence.catch].map(|change| ratio(row.metric, change));
    (DeltaStatus::Inconclusive, Some(Because::AboveCatch { bound, catch }))
}

/// Why a number that got worse may be the machine's doing and not the service's. A late schedule says
/// nothing of a throughput that has none.
fn excuse(compared: &Compared, row: &Row, evidence: &Evidence) -> Option<Because> {
    if row.metric == Metric::Throughput {
        return validity::stolen(compared.result);
    }
    let tolerated_ms = value(row.metric, evidence.centre + evidence.budget);
    // Where requests timed out, the true number is larger, and nobody knows by how much.
    let ms = if row.at_least { f64::INFINITY } else { row.head? - tolerated_ms };
    let excess = Excess { ms, p99_ms: row.p99_ms, made_by: MadeBy::of(row.metric) };
    validity::excuse(compared.result, excess)
}

fn confirmed(first: FirstJob, candidate: bool) -> Option<bool> {
    (first == FirstJob::Flagged).then_some(candidate)
}

/// How far the centre has moved from where the first runs of the epoch had it; none while they are most
/// of the runs.
fn drift(track: &Track, centre: f64) -> Option<f64> {
    let values = track.values_here();
    let anchor = values.get(..ANCHORS).filter(|_| values.len() >= ROOM_FOR_ANCHORS)?;
    Some(centre - median(anchor)?)
}

/// A change of y as a change of the value, in ratio.
fn ratio(metric: Metric, change: f64) -> f64 {
    if metric == Metric::Throughput { (-change).exp_m1() } else { change.exp_m1() }
}
