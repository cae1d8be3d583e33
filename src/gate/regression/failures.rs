//! Shares of events of a run against those of remembered runs: failed requests, missing messages, unexpected
//! closes. They come in clumps: what one outage breaks is one event, so counts are divided by how much they
//! clump.
//!
//! Of each kind there is one number for all requests and one for each endpoint. All of them together have one
//! place among the numbers that share the false-alarm rate: half of it is for all requests, and half is divided
//! among the endpoints. So more endpoints do not make the other tests weaker.

use std::collections::BTreeSet;

use crate::baseline::run::{Counts, Numbers, Run};
use crate::gate::times::{self, Missing};
use crate::metric::Metric;
use crate::result::comparison::{Delta, DeltaStatus};
use crate::result::endpoint::{EndpointCounts, failures as failed};
use crate::result::left_out::clumping;
use crate::result::verdict::Because;
use crate::stats::quantile::normal_upper;
use crate::stats::significance::{Share, difference_bounds, dispersion, share_tail};

use super::panel::{Level, Stage};
use super::past::Standing;
use super::row::{Candidacy, absence, endpoints, middle, sockets, waiting};
use super::subject::Subject;
use super::{Compared, FirstJob, delta};

/// The tail of the bounds of a difference.
const BOUND: f64 = 0.05;
/// What must not slip through, in budgets.
const CATCH: f64 = 2.0;
/// Standard deviations above the mean that are exceeded in one of five runs.
const POWER: f64 = 0.85;
/// What all requests have of the false-alarm rate of their kind; the endpoints share the rest.
const OF_ALL: f64 = 0.5;
/// What an endpoint had in the middle one of the remembered runs, at least, where having none is a defect of the
/// run rather than chance.
const USUAL: u64 = 20;
/// Halvings of an interval from 0 to 1 until it is thinner than any rate that is shown.
const HALVINGS: u32 = 30;

/// Events of a run and of the runs before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failures {
    head: Counts,
    /// Requests of this run that did not end, each of which may have failed.
    missing: u64,
    base: Counts,
    /// What the middle one of the remembered runs had.
    usual: u64,
    /// How much the failures of the remembered runs clump.
    clumping_before: f64,
    /// The same, or how much those of this run do, where that is more.
    clumping: f64,
}

/// What they say. Rates are shares of requests, changes their differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateChange {
    /// The rate of the remembered runs together.
    pub base: f64,
    /// That of this run.
    pub head: f64,
    /// The one-sided 95 % bound of the change from below.
    pub low: f64,
    /// The same from above: below `catch`, it is a pass.
    pub high: f64,
    /// The same with all requests that did not end counted as failed: a pass holds with them as well.
    pub high_with_missing: f64,
    /// What must not slip through.
    pub catch: f64,
    /// Whether it is worse, by more than is tolerated and than chance explains.
    pub candidate: bool,
    /// Whether it is better in the same sense.
    pub improved: bool,
    /// Whether a usual run with the rate of the remembered ones would pass: whether there are enough requests as a
    /// rule. Neither what failed in this run nor how few requests it made has a say in it, for else a service that
    /// fails more would not be compared any more.
    pub can_pass: bool,
    /// The smallest rise that is found in four of five runs.
    pub min_detectable: f64,
}

/// Events of one kind of one thing, here and in the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally<'a> {
    /// The kind.
    pub metric: Metric,
    /// What they happened to.
    pub subject: Subject<'a>,
    /// How many runs say how many there were.
    pub standing: Standing,
    /// Whether they can be compared.
    pub candidacy: Candidacy,
    /// Requests of this run that did not end.
    pub missing: Missing,
    events: Failures,
}

impl<'a> Compared<'a> {
    /// The deltas of one kind of events: of all requests, and where it is gated, of each endpoint.
    pub(super) fn shares(&self, metric: Metric, level: Level) -> Vec<Delta> {
        let of = |subject| Tally::of(self, metric, subject);
        let total = of(Subject::Total);
        let mut each: Vec<_> = self.each(metric).into_iter().filter_map(of).collect();
        // Of a single one, all requests say the same.
        if !self.gates(metric) || each.len() == 1 {
            each.clear();
        }
        let tested = each.iter().filter(|tally| tally.candidacy == Candidacy::Tested).count();
        let told = |tally: &Tally| {
            let stage = match self.first_job(metric, tally.subject) {
                FirstJob::Flagged => Stage::Again,
                FirstJob::None | FirstJob::Clean => Stage::First,
            };
            let alone = Level { stage, ..level }.alone();
            let tail = match (stage, tally.subject) {
                (Stage::Again, _) => alone,
                (Stage::First, Subject::Total) if each.is_empty() => alone,
                (Stage::First, Subject::Total) => OF_ALL * alone,
                (Stage::First, _) => (1.0 - OF_ALL) * alone / tested.max(1) as f64,
            };
            let rise = tally.events.rise(self.rules.budget_of(metric).0, tail);
            delta::of_share(self, tally, &rise)
        };
        total.iter().chain(&each).map(told).collect()
    }

    /// What this kind of events can happen to, each once.
    fn each(&self, metric: Metric) -> Vec<Subject<'a>> {
        let mut all: Vec<_> = match metric {
            Metric::ErrorRate => endpoints(self).collect(),
            _ => sockets(self),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl<'a> Tally<'a> {
    /// None where neither side has anything that it could happen to.
    fn of(compared: &Compared<'a>, metric: Metric, subject: Subject<'a>) -> Option<Self> {
        let result = compared.result;
        let head = if (metric, subject) == (Metric::ErrorRate, Subject::Total) {
            let whole = &result.whole_run;
            Some(Counts { ok: whole.ok, failed: failed(&whole.failed) })
        } else {
            let named = |it: &&EndpointCounts| subject.name().is_none_or(|name| it.name == name);
            let counts = result.whole_run.endpoints.iter().filter(named);
            sum(counts.filter_map(|counts| counted(metric, counts)))
        };
        let says = |run: &Run| remembered(metric, subject, run);
        let standing = compared.past.standing_of(metric, subject, |run| says(run).is_some());
        let here = compared.past.here_by_session(metric, subject);
        let here: Vec<_> = here.into_iter().filter_map(|(at, run)| Some((at, says(run)?))).collect();
        let of_sessions: BTreeSet<usize> = here.iter().map(|(session, _)| *session).collect();
        let of_session =
            |session| sum(here.iter().filter(|(at, _)| *at == session).map(|(_, counts)| *counts));
        let of_sessions: Vec<Counts> = of_sessions.into_iter().filter_map(of_session).collect();
        let here: Vec<Counts> = here.iter().map(|(_, counts)| *counts).collect();
        if head.is_none_or(|head| head.ended() == 0) && here.is_empty() {
            return None;
        }
        let head = head.unwrap_or(Counts { ok: 0, failed: 0 });
        // What goes wrong on a socket is a failure of its endpoint too, at that moment.
        let clumping = clumping(result, subject.name());
        let all = compared.past.standing(metric, subject);
        let usual = middle(here.iter().map(|counts| counts.ended()).collect());
        let candidacy = match head.ended() {
            0 if usual >= USUAL => Candidacy::Told(DeltaStatus::Invalid, absence(compared, subject)),
            0 => Candidacy::Told(DeltaStatus::NotComparable, Because::TooFew { needed: USUAL }),
            _ if standing.decides() => Candidacy::Tested,
            _ if standing.here == 0 && all.decides() => {
                Candidacy::Told(DeltaStatus::NotComparable, Because::NotRemembered)
            }
            _ => waiting(standing, all)
                .unwrap_or(Candidacy::Told(DeltaStatus::NotComparable, Because::NotRemembered)),
        };
        let missing = match metric {
            Metric::ErrorRate => times::never_ended(&subject.place(), result),
            _ => Missing::default(),
        };
        let events = Failures::new(head, clumping, &here).of_sessions(&of_sessions).with_missing(missing);
        Some(Self { metric, subject, standing, candidacy, missing, events })
    }
}

impl Tally<'_> {
    /// The events of this run.
    pub fn head(&self) -> Counts {
        self.events.head
    }
}

/// Events of an endpoint, and what they could have happened to; none where it cannot have any.
fn counted(metric: Metric, counts: &EndpointCounts) -> Option<Counts> {
    match metric {
        Metric::ErrorRate => Some(Counts { ok: counts.ok, failed: failed(&counts.failed) }),
        _ => counts.websocket.map(|sockets| match metric {
            Metric::MissingMessages => Counts { ok: sockets.messages_in, failed: sockets.missing_messages },
            _ => closes(counts.ok, sockets.unexpected_closes),
        }),
    }
}

/// The same of a remembered run; none where it does not say it.
fn remembered(metric: Metric, subject: Subject, run: &Run) -> Option<Counts> {
    let of = |numbers: &Numbers| match metric {
        Metric::ErrorRate => numbers.whole_run,
        Metric::MissingMessages => numbers
            .sockets
            .map(|sockets| Counts { ok: sockets.messages_in, failed: sockets.missing_messages }),
        _ => numbers.sockets.zip(numbers.whole_run).map(|(it, run)| closes(run.ok, it.unexpected_closes)),
    };
    match (metric, subject) {
        (Metric::ErrorRate, Subject::Total) => Some(run.whole_run),
        (_, Subject::Total) => sum(run.metrics.values().filter_map(of)),
        _ => subject.numbers(run).and_then(of),
    }
}

fn closes(opened: u64, unexpected: u64) -> Counts {
    let unexpected = unexpected.min(opened);
    Counts { ok: opened - unexpected, failed: unexpected }
}

/// The sum of some counts; none of none.
fn sum(counts: impl Iterator<Item = Counts>) -> Option<Counts> {
    counts.reduce(|sum, counts| Counts {
        ok: sum.ok.saturating_add(counts.ok),
        failed: sum.failed.saturating_add(counts.failed),
    })
}

impl Failures {
    /// Counts of this run, how much its failures clump over time, and counts of the remembered runs.
    pub fn new(head: Counts, clumping: f64, past: &[Counts]) -> Self {
        let of_runs: Vec<Share> = past.iter().map(|counts| share(*counts)).collect();
        let sum = |pick: fn(&Counts) -> u64| past.iter().map(pick).fold(0, u64::saturating_add);
        let clumping_before = dispersion(&of_runs);
        Self {
            head,
            missing: 0,
            base: Counts { ok: sum(|counts| counts.ok), failed: sum(|counts| counts.failed) },
            usual: middle(past.iter().map(|counts| counts.ended()).collect()),
            clumping_before,
            clumping: clumping.max(clumping_before),
        }
    }

    /// The same with the remembered counts of each session added up. What a machine breaks is in all runs of its
    /// session, so that they clump at least as much as sessions do.
    fn of_sessions(self, sessions: &[Counts]) -> Self {
        let of_sessions: Vec<Share> = sessions.iter().map(|counts| share(*counts)).collect();
        let clumping_before = self.clumping_before.max(dispersion(&of_sessions));
        Self { clumping_before, clumping: self.clumping.max(clumping_before), ..self }
    }

    /// The same with these requests that did not end.
    fn with_missing(self, missing: Missing) -> Self {
        let unfinished = missing.unfinished.saturating_add(missing.unplaced);
        Self { missing: unfinished.saturating_add(missing.not_started), ..self }
    }

    /// Judges the rise at the error rate `tail`, with a tolerated rise of `budget`.
    pub fn rise(&self, budget: f64, tail: f64) -> RateChange {
        let (head, base) = (self.share(self.head), self.share(self.base));
        let z = normal_upper(BOUND);
        let (low, high) = difference_bounds(head, base, z);
        let all_failed = Counts { failed: self.head.failed.saturating_add(self.missing), ..self.head };
        let (_, high_with_missing) = difference_bounds(self.share(all_failed), base, z);
        let fewer = share_tail(base.events, head.events, base.trials / (head.trials + base.trials)) < tail;
        RateChange {
            base: base.rate(),
            head: head.rate(),
            low,
            high,
            high_with_missing: high.max(high_with_missing),
            catch: CATCH * budget,
            candidate: self.is_more(head, tail) && head.rate() - base.rate() >= budget,
            improved: fewer && base.rate() - head.rate() >= budget,
            can_pass: self.can_pass(CATCH * budget),
            min_detectable: self.min_detectable(budget, tail),
        }
    }

    /// Whether a run with as many requests as usual, and with the rate of the remembered runs, would pass.
    fn can_pass(&self, catch: f64) -> bool {
        let base = thinned(share(self.base), self.clumping_before);
        let trials = self.usual as f64 / self.clumping_before;
        let (_, high) =
            difference_bounds(Share { events: base.rate() * trials, trials }, base, normal_upper(BOUND));
        high < catch
    }

    /// Counts as independent events: each divided by how much they clump.
    fn share(&self, counts: Counts) -> Share {
        thinned(share(counts), self.clumping)
    }

    /// Whether so many failures are more than chance lets fall on this run.
    fn is_more(&self, head: Share, tail: f64) -> bool {
        let base = self.share(self.base);
        share_tail(head.events, base.events, head.trials / (head.trials + base.trials)) < tail
    }

    /// The rise of which even an unlucky run, one of five, shows enough.
    fn min_detectable(&self, budget: f64, tail: f64) -> f64 {
        let (head, base) = (self.share(self.head), self.share(self.base));
        let shown = |rise: f64| {
            let expected = (base.rate() + rise).min(1.0) * head.trials;
            let events = (expected - POWER * expected.sqrt()).max(0.0);
            let unlucky = Share { events, ..head };
            unlucky.rate() - base.rate() >= budget && self.is_more(unlucky, tail)
        };
        let halve = |(low, high): (f64, f64), _| {
            let middle = f64::midpoint(low, high);
            if shown(middle) { (low, middle) } else { (middle, high) }
        };
        (0..HALVINGS).fold((0.0, 1.0), halve).1
    }
}

fn thinned(Share { events, trials }: Share, clumping: f64) -> Share {
    Share { events: events / clumping, trials: trials / clumping }
}

fn share(counts: Counts) -> Share {
    Share { events: counts.failed as f64, trials: counts.ended() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: f64 = 0.05 / 9.0;

    fn counts(ok: u64, failed: u64) -> Counts {
        Counts { ok, failed }
    }

    fn rise(head: Counts, per_second: &[f64], past: &[Counts]) -> RateChange {
        let over_time: Vec<_> =
            per_second.iter().map(|failed| Share { events: *failed, trials: 1.0 }).collect();
        Failures::new(head, dispersion(&over_time), past).rise(0.005, TAIL)
    }

    #[test]
    fn a_rise_is_found_when_it_is_larger_than_the_budget_and_than_chance() {
        let past = [counts(4_000, 0); 5];
        let spread: Vec<f64> = vec![1.0; 28];
        // 28 of 4,028 is 0.70 %, above 0.5 points
        let found = rise(counts(4_000, 28), &spread, &past);
        assert!(found.candidate && found.low > 0.0, "{found:?}");
        // 16 of 4,016 is 0.40 %: more than chance, and tolerated
        let tolerated = rise(counts(4_000, 16), &spread, &past);
        assert!(!tolerated.candidate && tolerated.low > 0.0 && tolerated.high < tolerated.catch);
        // 1 of 101 is 0.99 %, and may be chance: q = 101/20,101, P(X ≥ 1) = q = .005
        let few = rise(counts(100, 1), &[1.0], &past);
        assert!(few.head > 0.005 && few.high > few.catch, "{few:?}");
    }

    #[test]
    fn one_clump_is_one_event() {
        let past = [counts(4_000, 0); 5];
        let mut clump = vec![0.0; 27];
        clump.push(28.0);
        let found = rise(counts(4_000, 28), &clump, &past);
        // variance 28, mean 1: the 28 failures count as one
        assert!(!found.candidate && found.high > found.catch, "{found:?}");
    }

    #[test]
    fn runs_that_differ_among_themselves_prove_less() {
        let steady = [counts(4_000, 20); 5];
        let wild = [0, 0, 100, 0, 0].map(|failed| counts(4_000, failed));
        let head = counts(4_000, 60);
        assert!(rise(head, &[2.0; 30], &steady).candidate);
        assert!(!rise(head, &[2.0; 30], &wild).candidate);
    }

    #[test]
    fn fewer_failures_are_an_improvement() {
        let found = rise(counts(4_000, 0), &[0.0; 30], &[counts(4_000, 80); 5]);
        assert!(found.improved && !found.candidate && found.high < 0.0, "{found:?}");
    }

    #[test]
    fn the_smallest_detectable_rise_is_detected() {
        let failures = Failures::new(counts(4_000, 0), 1.0, &[counts(4_000, 2); 5]);
        let found = failures.rise(0.005, TAIL).min_detectable;
        assert!(found > 0.005 && found < 0.02, "{found}");
        let events = ((0.0005 + found) * 4_000.0) as u64;
        let late = Failures::new(counts(4_000, events), 1.0, &[counts(4_000, 2); 5]);
        assert!(late.rise(0.005, TAIL).candidate);
    }
}
