//! Which numbers can be tested: those with enough requests on both sides and enough runs to compare with.
//! What cannot be is told, with its reason: nothing vanishes silently.

use std::collections::BTreeSet;

use crate::baseline::run::Run;
use crate::gate::times::{self, Judged, why_open};
use crate::metric::Metric;
use crate::result::comparison::DeltaStatus;
use crate::result::endpoint::{Kind, ended};
use crate::result::verdict::Because;

use super::panel::Track;
use super::past::Standing;
use super::subject::{Subject, fewest};
use super::{Compared, tolerance};

/// One number of this run beside its past.
#[derive(Debug)]
pub struct Row<'a> {
    /// The number.
    pub metric: Metric,
    /// What it is about.
    pub subject: Subject<'a>,
    /// Its value here.
    pub head: Option<f64>,
    /// Whether it is at least its value, because requests timed out that may have taken longer.
    pub at_least: bool,
    /// What timeouts and other failures leave open of it.
    pub open: Option<Open>,
    /// The p99 of what it is about, here.
    pub p99_ms: f64,
    /// What it was.
    pub track: Track,
    /// Whether it can be tested.
    pub candidacy: Candidacy,
}

/// What requests without an answer leave open of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Open {
    /// How much worse it may be, as a change of y; infinite where nothing bounds it.
    pub worse: f64,
    /// Why that is not known.
    pub because: Because,
}

/// What can be said of a number before any test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Candidacy {
    /// It is tested.
    Tested,
    /// It is told, and why it is not tested.
    Told(DeltaStatus, Because),
}

impl Row<'_> {
    /// Whether it is tested.
    pub fn is_tested(&self) -> bool {
        self.candidacy == Candidacy::Tested
    }
}

/// A time of every endpoint and custom metric that either side has; of connects, of every WebSocket.
pub fn of_times<'a>(compared: &Compared<'a>, metric: Metric) -> Vec<Row<'a>> {
    let subjects: BTreeSet<Subject<'a>> = match metric {
        Metric::Connect(_) => sockets(compared).into_iter().collect(),
        _ => endpoints(compared).chain(custom_metrics(compared)).collect(),
    };
    in_order(compared, subjects).map(|subject| of_time(compared, metric, subject)).collect()
}

/// What this run measured comes first, in its order.
fn in_order<'a>(
    compared: &Compared<'a>,
    mut subjects: BTreeSet<Subject<'a>>,
) -> impl Iterator<Item = Subject<'a>> {
    let measured = endpoints(compared).chain(custom_metrics(compared));
    let first: Vec<_> = measured.filter(|subject| subjects.remove(subject)).collect();
    first.into_iter().chain(subjects)
}

/// Every endpoint that either side has.
pub fn endpoints<'a>(compared: &Compared<'a>) -> impl Iterator<Item = Subject<'a>> {
    let measured = compared.result.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    measured.chain(compared.past.endpoints()).map(Subject::Endpoint)
}

fn custom_metrics<'a>(compared: &Compared<'a>) -> impl Iterator<Item = Subject<'a>> {
    let measured = compared.result.metrics.iter().map(|metric| metric.name.as_str());
    measured.chain(compared.past.custom_metrics()).map(Subject::Custom)
}

/// Every WebSocket endpoint that either side has. What is remembered by earlier versions does not say what an
/// endpoint speaks; then this run does.
pub fn sockets<'a>(compared: &Compared<'a>) -> Vec<Subject<'a>> {
    let measured = compared.result.endpoints.iter().filter(|endpoint| endpoint.kind == Kind::Websocket);
    let past = compared.past.runs().flat_map(|run| &run.metrics);
    let past = past.filter(|(_, numbers)| numbers.sockets.is_some()).map(|(name, _)| name.as_str());
    let mut seen = BTreeSet::new();
    let names = measured.map(|endpoint| endpoint.name.as_str()).chain(past);
    names.filter(|name| seen.insert(*name)).map(Subject::Endpoint).collect()
}

fn of_time<'a>(compared: &Compared<'a>, metric: Metric, subject: Subject<'a>) -> Row<'a> {
    let judged = judged(compared, subject);
    let track = compared.past.track(metric, subject, tolerance(compared.rules, metric));
    let head = judged
        .as_ref()
        .map(|judged| judged.times.reading(metric, 0).value_ms)
        .filter(|ms| super::subject::y(metric, *ms).is_some());
    let known = judged.as_ref().filter(|_| head.is_some());
    let here = Here {
        metric,
        subject,
        n: known.map_or(0, |judged| judged.times.n),
        lost: known.map_or(0, |judged| judged.missing.without_time()),
    };
    Row {
        metric,
        subject,
        head,
        at_least: judged.as_ref().is_some_and(|judged| {
            let reading = judged.times.reading(metric, 0);
            reading.at_most_ms != Some(reading.value_ms)
        }),
        open: known.and_then(|judged| open(judged, metric)),
        p99_ms: judged.as_ref().map_or(0.0, |judged| judged.times.p99_ms),
        candidacy: here.candidacy(compared, &track),
        track,
    }
}

/// The times that are compared: those that most of the remembered runs have too. Earlier versions did not remember
/// requests that were cut off at the end; beside such runs, an unchanged service that leaves some in flight is no slower.
fn judged<'a>(compared: &Compared<'a>, subject: Subject<'a>) -> Option<Judged<'a>> {
    let remembered = compared.past.runs().filter_map(|run| subject.numbers(run));
    let say: Vec<bool> = remembered.map(|numbers| numbers.unfinished.is_some()).collect();
    if 2 * say.iter().filter(|says| **says).count() >= say.len() {
        times::in_steady_phase(&subject.place(), compared.result)
    } else {
        times::ended_in_steady_phase(&subject.place(), compared.result)
    }
}

/// A request that timed out, or was cut off, took at least as long as it was waited for, and one that failed otherwise
/// might have been the slowest of all: none of them ever helps to pass.
fn open(judged: &Judged, metric: Metric) -> Option<Open> {
    let unanswered = judged.open(metric)?;
    let y = |value: f64| super::subject::y(metric, value);
    let most = unanswered.at_most.and_then(y).zip(y(judged.times.reading(metric, 0).value_ms));
    let worse = most.map_or(f64::INFINITY, |(most, y)| most - y);
    Some(Open { worse, because: why_open(unanswered) })
}

/// A throughput: it can only vary where the service sets the pace.
pub fn of_throughput<'a>(compared: &Compared<'a>, subject: Subject<'a>) -> Row<'a> {
    let metric = Metric::Throughput;
    let track = compared.past.track(metric, subject, tolerance(compared.rules, metric));
    let endpoint = subject.name().and_then(|name| compared.endpoints.get(name));
    let (rate, n) = match subject {
        Subject::Total => (compared.result.totals.requests_per_second, fewest(metric)),
        _ => endpoint.map_or((0.0, 0), |endpoint| (endpoint.requests_per_second, endpoint.ok)),
    };
    let candidacy = match track.standing() {
        _ if !compared.result.load.saturating => Candidacy::Told(DeltaStatus::NotComparable, Because::Paced),
        _ if rate <= 0.0 && subject == Subject::Total => {
            Candidacy::Told(DeltaStatus::Invalid, Because::NoSample)
        }
        standing if standing.decides() && subject == Subject::Total => Candidacy::Tested,
        standing if subject == Subject::Total => building(standing),
        _ => Here { metric, subject, n, lost: 0 }.candidacy(compared, &track),
    };
    let head = Some(rate).filter(|rate| subject == Subject::Total || *rate > 0.0);
    Row { metric, subject, head, at_least: false, open: None, p99_ms: 0.0, track, candidacy }
}

/// How often something was measured.
struct Here<'a> {
    metric: Metric,
    subject: Subject<'a>,
    n: u64,
    /// Requests that would be among them, had they been answered.
    lost: u64,
}

impl Here<'_> {
    /// What has vanished, or nearly so, is told: what is not requested cannot get slower.
    fn candidacy(&self, compared: &Compared, track: &Track) -> Candidacy {
        let needed = fewest(self.metric);
        let known = track.past.iter().any(Option::is_some);
        let not_comparable = |because| Candidacy::Told(DeltaStatus::NotComparable, because);
        match self.n {
            0 if known => Candidacy::Told(DeltaStatus::Invalid, absence(compared, self.subject)),
            n if n < needed && known && self.is_rarer(compared) => {
                let because = Because::Rarer { n, usual: self.usual(compared) };
                Candidacy::Told(DeltaStatus::Inconclusive, because)
            }
            0 if is_outside_steady(compared, self.subject) => not_comparable(Because::NoSample),
            n if n < needed => not_comparable(Because::TooFew { needed }),
            _ if track.standing().decides() => Candidacy::Tested,
            _ => self.waiting(compared, track).unwrap_or_else(|| {
                let remembered = compared.past.runs().any(|run| self.says(run));
                let too_few = Because::TooFew { needed };
                not_comparable(if remembered { too_few } else { Because::NotRemembered })
            }),
        }
    }

    /// Whether there are too few for a reason that may be the service's: usually there are enough, or far more, or there
    /// would be enough had all been answered. A slower service makes fewer requests where users wait for it, and one
    /// that fails loses its slowest.
    fn is_rarer(&self, compared: &Compared) -> bool {
        let (needed, usual) = (fewest(self.metric), self.usual(compared));
        usual >= needed || self.n.saturating_mul(2) < usual || self.n.saturating_add(self.lost) >= needed
    }

    /// Whether a run remembers such a number, of however few samples.
    fn says(&self, run: &Run) -> bool {
        self.subject.numbers(run).is_some_and(|numbers| {
            self.metric == Metric::Throughput
                || numbers.time_ms(self.metric).is_some()
                || numbers.n < fewest(self.metric)
        })
    }

    /// Too few runs yet; none where most of the runs there are say nothing of it, or have too few requests.
    fn waiting(&self, compared: &Compared, track: &Track) -> Option<Candidacy> {
        let all = compared.past.standing(self.metric, self.subject);
        waiting(track.standing(), all)
    }

    /// How often it is measured in the middle one of the remembered runs.
    fn usual(&self, compared: &Compared) -> u64 {
        let runs = compared.past.runs();
        middle(runs.map(|run| self.subject.numbers(run).map_or(0, |numbers| numbers.n)).collect())
    }
}

/// The middle one of some counts.
pub fn middle(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or(0)
}

/// Whether more runs are to be waited for, `enough` being those that say something and `all` those there are;
/// none where most of them say nothing: then more like them would not help.
pub fn waiting(enough: Standing, all: Standing) -> Option<Candidacy> {
    (enough.here * 2 > all.here || !all.decides()).then(|| building(if all.decides() { enough } else { all }))
}

/// Why there is nothing of it: never asked for, or never answered.
pub fn absence(compared: &Compared, subject: Subject) -> Because {
    let asked = match subject {
        Subject::Total => true,
        Subject::Endpoint(name) => {
            let mut counts = compared.result.whole_run.endpoints.iter();
            counts.any(|it| it.name == name && ended(it.ok, &it.failed) > 0)
        }
        Subject::Custom(name) => {
            let elsewhere = compared.result.whole_run.metrics.iter().filter(|metric| metric.name == name);
            let mut all = compared.custom.get(name).copied().into_iter().chain(elsewhere);
            all.any(|metric| metric.ok > 0 || metric.failed > 0 || metric.response_time.is_some())
        }
    };
    if asked { Because::NoSample } else { Because::NeverHit }
}

/// Whether the run made it, and never in the steady phase: what is compared is of that phase.
fn is_outside_steady(compared: &Compared, subject: Subject) -> bool {
    match subject {
        Subject::Total => false,
        Subject::Endpoint(name) => {
            let steady = compared.endpoints.get(name).is_some_and(|it| ended(it.ok, &it.failed) > 0);
            !steady && absence(compared, subject) == Because::NoSample
        }
        Subject::Custom(name) => {
            let steady = compared.custom.get(name).is_some_and(|it| it.ok > 0 || it.failed > 0);
            !steady && compared.result.whole_run.metrics.iter().any(|metric| metric.name == name)
        }
    }
}

fn building(standing: Standing) -> Candidacy {
    let because = Because::Building { runs: standing.here, needed: standing.needed };
    Candidacy::Told(DeltaStatus::Building, because)
}
